"""Bodies recorded from real accounts, through the shaping functions."""

import json
from pathlib import Path

import pandas as pd
import pytest

from connectors.hubspot.records.deals import deals
from connectors.hubspot.records.history import lead_history, values_over_time
from connectors.hubspot.records.leads import leads_from_contacts
from connectors.hubspot.records.people import accounts
from connectors.hubspot.records.reading import Reading, asked
from connectors.hubspot.records.values import iso
from kpi.conform import conform

RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded" / "hubspot"
READING = Reading("7", "app.hubspot.com", "Australia/Brisbane", "USD")


def recorded(name):
    """Results of a recorded body, or skip where it does not lie beside the project."""
    path = RECORDED / name
    if not path.is_file():
        pytest.skip(f"the recorded body {name} does not lie beside this checkout")
    return json.loads(path.read_text(encoding="utf-8"))["results"]


def test_deals():
    """Two open deals; the body has default properties only, so no amount in home currency."""
    frame, problems = conform(
        "deals", deals(recorded("dlt_mock_data/mock_deals_data.json"), READING)
    )
    assert problems.empty
    assert frame["deal_id"].tolist() == ["6744192456", "6744457152"]
    assert frame["amount_original"].tolist() == [500.0, 3233.0]
    assert frame["amount"].isna().all()
    assert set(frame["outcome"]) == {"open"}
    assert frame["created_at"][0] == pd.Timestamp("2023-02-24T03:01:01.147Z")
    assert frame["close_date"].isna().all()
    assert frame["name"][1] == "Yodoo Deal (2021-11-25)"


def test_companies():
    """Name and creation."""
    raw = recorded("dlt_mock_data/mock_companies_data.json")
    frame, problems = conform("accounts", accounts(raw, READING))
    assert problems.empty
    assert frame["name"].tolist() == ["Hubspot, Inc.", "U.S. Food and Drug Administration"]


def test_contacts_with_history():
    """In each property the value it took last is the one it has; none was ever a lead."""
    raw = recorded("dlt_mock_data/mock_contacts_with_history.json")
    told = 0
    for record in raw:
        for name in record["propertiesWithHistory"]:
            values = values_over_time(record, name)
            moments = [at for at, _ in values]
            assert moments == sorted(set(moments))
            if record["properties"].get(name):
                assert [value for _, value in values[-1:]] == [record["properties"][name]]
            told += len(values)
    assert told == 22  # counted in the body
    assert leads_from_contacts(raw, READING, {"lead", "customer"}).empty


def test_the_properties_we_ask_of_contacts_exist():
    """In a real account's list."""
    names = {row["name"] for row in recorded("dlt_mock_data/mock_contacts_properties.json")}
    assert set(asked("contacts", READING, names)) - names <= {"hs_lead_status"}


def test_a_history_as_a_user_pasted_it():
    """One entry with a source, seen through the same reading."""
    raw = recorded("history_example_nodejs_issue154.json")
    told = [(iso(at), value) for at, value in values_over_time(raw[0], "is_verified")]
    assert told == [("2022-11-07T21:54:03.930Z", "true")]
    assert lead_history("contacts", raw, READING, {"1"}).empty
