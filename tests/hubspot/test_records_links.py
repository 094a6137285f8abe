"""Which company, lead and deal a record belongs to."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hubspot.records.links import (
    DAY,
    choose_company,
    deal_links,
    lead_links,
    lead_of,
    leads_by_contact,
    meeting_links,
)


def to(number, *types):
    """An association with its types: a number of HubSpot's, or a label."""
    rows = [
        {"category": "HUBSPOT_DEFINED", "typeId": t, "label": None}
        if isinstance(t, int)
        else {"category": "HUBSPOT_DEFINED", "typeId": 0, "label": t}
        for t in types
    ]
    return {"toObjectId": number, "associationTypes": rows}


@pytest.mark.parametrize(
    ("kind", "rows", "company"),
    [
        pytest.param("deals", [], None, id="none"),
        pytest.param("deals", [to(10, 341), to(9, 341)], "9", id="lowest, as a number"),
        pytest.param("deals", [to(9, 341), to(10, 5, 341)], "10", id="a deal's primary"),
        pytest.param("deals", [to(9, 341), to(10, "Primary")], "10", id="primary by its label"),
        pytest.param("contacts", [to(9, 279), to(10, 1)], "10", id="a contact's primary"),
        pytest.param("contacts", [to(9, 279), to(10, 5)], "9", id="5 is the deals' number"),
        pytest.param("meetings", [to(9, 188), to(10, 1, 5)], "9", id="meetings have none"),
        pytest.param("leads", [to(9, 610), to(10, "Primary")], "10", id="leads by label"),
        pytest.param("deals", [to(10, 341), to(10, 5)], "10", id="one company, twice"),
        pytest.param("deals", [to("9", 341), to("10", 341)], "9", id="ids as text"),
        pytest.param(
            "deals",
            [
                to(9, 341),
                {
                    "toObjectId": 10,
                    "associationTypes": [
                        {"category": "USER_DEFINED", "typeId": 5, "label": "Reseller"}
                    ],
                },
            ],
            "9",
            id="a label of the account's own, number 5",
        ),
    ],
)
def test_company(kind, rows, company):
    """The primary one, else the lowest id."""
    assert choose_company(kind, rows) == company
    assert choose_company(kind, rows[::-1]) == company


@pytest.mark.parametrize(
    ("candidates", "lead"),
    [
        pytest.param([], None, id="none: a direct deal"),
        pytest.param([("1", 5), ("2", 3)], "1", id="created last"),
        pytest.param([("1", 5), ("2", 10 + DAY)], "2", id="a day after the deal, just"),
        pytest.param([("1", 5), ("2", 11 + DAY)], "1", id="later than a day after"),
        pytest.param([("9", 5), ("10", 5)], "10", id="of two at once the highest number"),
        pytest.param([("1", None)], None, id="creation not known"),
    ],
)
def test_lead(candidates, lead):
    """The last one created by a day after the deal, which was created at 10."""
    assert lead_of(candidates, 10) == lead
    assert lead_of(candidates, None) is None


@given(st.lists(st.tuples(st.integers(1, 99).map(str), st.integers(0, 3 * DAY))), st.randoms())
def test_the_order_of_candidates_does_not_matter(candidates, random):
    """Associations come in any order, and twice."""
    mixed = candidates * 2
    random.shuffle(mixed)
    assert lead_of(mixed, DAY) == lead_of(candidates, DAY)


LEADS = pd.DataFrame(
    {
        "lead_id": ["5", "6"],
        "created_at": pd.to_datetime(["2026-01-01", "2026-02-01"], utc=True),
    }
)


def test_deals_and_meetings_get_their_companies_and_leads():
    """Frames of any index; contacts that are no leads do not count."""
    leads = leads_by_contact(LEADS)
    created = pd.to_datetime(["2026-01-15", "2026-03-01", None], utc=True)
    deals = pd.DataFrame({"deal_id": ["1", "2", "3"], "created_at": created}, index=[7, 8, 9])
    contacts = {"1": [to(5), to(6), to(99)], "2": [to(6), to(5)], "3": [to(5)]}
    found = deal_links(deals, {"2": [to(40)]}, contacts, leads)
    assert found[["account_id", "lead_id"]].astype("object").fillna("").to_numpy().tolist() == [
        ["", "5"],
        ["40", "6"],
        ["", ""],
    ]
    meetings = deals.rename(columns={"deal_id": "meeting_id", "created_at": "starts_at"})
    held = meeting_links(meetings, {}, contacts, {"1": [to(12), to(2)]}, leads)
    assert held["deal_id"].fillna("").tolist() == ["2", "", ""]
    assert held["lead_id"].fillna("").tolist() == ["5", "6", ""]


def test_leads_of_contacts_through_the_leads_object():
    """A contact may have several; those in no table do not count."""
    found = leads_by_contact(LEADS, {"70": [to(6), to(5), to(99)], "71": [to(99)]})
    assert [lead for lead, _ in found["70"]] == ["5", "6"]
    assert "71" not in found
    assert lead_links(LEADS, "leads", {"6": [to(3)]})["account_id"].fillna("").tolist() == ["", "3"]
