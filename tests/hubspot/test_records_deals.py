"""Deals: what each HubSpot property becomes, and how a deal stands."""

import pandas as pd
import pytest

from connectors.hubspot.records.deals import deals
from connectors.hubspot.records.reading import Reading, asked, history_asked
from kpi.conform import conform
from kpi.tables import DEALS

READING = Reading("4711", "app-eu1.hubspot.com", "America/New_York", "USD")
CHOSEN = {"deals": {"segment": "industry_vertical", "margin": "gm", "next_step_on": "next_on"}}


def stages(*entries):
    """Stage history of a deal, newest first: stage and day of March 2026."""
    rows = [{"value": s, "timestamp": f"2026-03-{d:02}T10:00:00.000Z"} for s, d in entries]
    return {"dealstage": rows}


def shaped(properties, history=None, reading=READING, **more):
    """One deal as its canonical row, missing values as None."""
    raw = {"id": "11", "properties": properties, "propertiesWithHistory": history or {}, **more}
    frame = conform("deals", deals([raw], reading)).frame
    return frame.astype("object").where(frame.notna(), None).to_dict("records")[0]


@pytest.mark.parametrize(
    ("properties", "column", "value"),
    [
        pytest.param({"amount_in_home_currency": "12.5"}, "amount", 12.5, id="home currency"),
        pytest.param({"amount": "10"}, "amount_original", 10.0, id="deal currency"),
        pytest.param({"amount": "10"}, "amount", None, id="no amount in home currency"),
        pytest.param({"deal_currency_code": "EUR"}, "currency", "EUR", id="its code"),
        pytest.param({"hs_mrr": None}, "mrr", None, id="no recurring revenue"),
        pytest.param({"hs_mrr": "99.0"}, "mrr", 99.0, id="recurring revenue"),
        pytest.param({"dealname": ""}, "name", None, id="cleared name"),
        pytest.param({"dealtype": "newbusiness"}, "deal_type", "new", id="new business"),
        pytest.param({"dealtype": "existingbusiness"}, "deal_type", "expansion", id="existing"),
        pytest.param({"dealtype": "renewal"}, "deal_type", "renewal", id="a word of ours"),
        pytest.param({"dealtype": None}, "deal_type", None, id="no deal type"),
        pytest.param({"pipeline": "p9"}, "pipeline_id", "p9", id="pipeline, known or not"),
        pytest.param({"closed_lost_reason": "price"}, "lost_reason", "price", id="lost reason"),
        pytest.param({"hubspot_owner_id": "007"}, "owner_id", "007", id="owner, letter by letter"),
        pytest.param({"hs_analytics_source": "PAID"}, "source", "PAID", id="source"),
        pytest.param(
            {"hs_manual_forecast_category": "COMMIT"}, "forecast_category", "COMMIT", id="forecast"
        ),
        pytest.param(
            {"closedate": "2026-03-01T02:00:00Z"},
            "close_date",
            pd.Timestamp("2026-02-28"),
            id="close date in the account's zone",
        ),
        pytest.param(
            {"notes_next_activity_date": "2026-03-01T04:59:00.000Z"},
            "next_step_on",
            pd.Timestamp("2026-02-28"),
            id="next step in the account's zone",
        ),
        pytest.param(
            {"notes_last_updated": "1743685150726"},
            "last_activity_at",
            pd.Timestamp("2025-04-03T12:59:10.726Z"),
            id="last activity",
        ),
        pytest.param(
            {"hs_lastmodifieddate": "2026-03-01T02:00:00.007Z"},
            "updated_at",
            pd.Timestamp("2026-03-01T02:00:00.007Z"),
            id="last change",
        ),
        pytest.param(
            {},
            "url",
            "https://app-eu1.hubspot.com/contacts/4711/record/0-3/11",
            id="page",
        ),
    ],
)
def test_columns(properties, column, value):
    """One property, one column."""
    assert shaped(properties)[column] == value


@pytest.mark.parametrize(
    ("closed", "won", "stage", "outcome"),
    [
        pytest.param("true", "true", "x", "won", id="won"),
        pytest.param("true", "false", "x", "lost", id="lost"),
        pytest.param("true", None, "x", "lost", id="closed, won not said"),
        pytest.param("false", "false", "closedwon", "open", id="a stage's name says nothing"),
        pytest.param(None, None, "closedlost", "open", id="nothing said"),
    ],
)
def test_outcome(closed, won, stage, outcome):
    """Won by the flag that HubSpot computes."""
    properties = {"hs_is_closed": closed, "hs_is_closed_won": won, "dealstage": stage}
    assert shaped(properties)["outcome"] == outcome


@pytest.mark.parametrize(
    ("history", "day"),
    [
        pytest.param(stages(("won", 5), ("demo", 1)), 5, id="entered once"),
        pytest.param(stages(("won", 9), ("demo", 7), ("won", 5), ("demo", 1)), 9, id="reopened"),
        pytest.param(stages(("won", 9), ("won", 5), ("demo", 1)), 5, id="written again: no entry"),
        pytest.param(stages(("won", 5), ("won", 5), ("demo", 1)), 5, id="a merge's repeats"),
        pytest.param(stages(("demo", 1), ("won", 5)), 5, id="in any order"),
        pytest.param(stages(), 20, id="no history: the close date"),
        pytest.param(stages(("demo", 1)), 20, id="no entry of this stage: the close date"),
        pytest.param(stages(("won", 5), ("", 3), ("won", 1)), 1, id="cleared between: no entry"),
    ],
)
def test_closed_at(history, day):
    """The last entry into the stage it is in."""
    properties = {
        "hs_is_closed": "true",
        "hs_is_closed_won": "true",
        "dealstage": "won",
        "closedate": "2026-03-20T10:00:00Z",
    }
    assert shaped(properties, history)["closed_at"] == pd.Timestamp(2026, 3, day, 10, tz="UTC")
    is_open = properties | {"hs_is_closed": "false", "hs_is_closed_won": "false"}
    assert shaped(is_open, history)["closed_at"] is None


def test_chosen_fields():
    """Custom properties fill the columns that a setting names, by the column's kind."""
    reading = Reading("1", "app.hubspot.com", "UTC", "USD", {}, CHOSEN)
    row = shaped(
        {"industry_vertical": "Retail", "gm": "-5", "next_on": "2026-03-01"}, reading=reading
    )
    assert (row["segment"], row["margin"]) == ("Retail", -5.0)
    assert row["next_step_on"] == pd.Timestamp("2026-03-01")
    assert {"industry_vertical", "gm", "next_on"} <= set(asked("deals", reading, []))
    assert "notes_next_activity_date" not in asked("deals", reading, [])


def test_deal_types_of_the_definitions():
    """Own words add to HubSpot's two; what is in neither is listed."""
    reading = Reading("1", "app.hubspot.com", "UTC", "USD", {"Upsell": "expansion"})
    raw = [{"id": w, "properties": {"dealtype": w}} for w in ("Upsell", "newbusiness", "Swap")]
    table, problems = conform("deals", deals(raw, reading))
    assert table["deal_type"].iloc[:2].tolist() == ["expansion", "new"]
    assert problems[["key", "value"]].to_numpy().tolist() == [["Swap", "Swap"]]


def test_unreadable_values_are_listed():
    """A negative amount and a list of numbers reach the report; the deals stay."""
    raw = [
        {"id": "1", "properties": {"amount_in_home_currency": "-5", "hs_mrr": "1;2"}},
        {"id": "2", "properties": {"amount_in_home_currency": "7", "closedate": "tomorrow"}},
    ]
    table, problems = conform("deals", deals(raw, READING))
    assert table["deal_id"].tolist() == ["1", "2"]
    assert set(problems["value"]) == {"-5.0", "1;2", "tomorrow"}


def test_archived_deals_are_left_out():
    """And none at all gives a frame with every column."""
    frame = deals([{"id": "1", "properties": {}, "archived": True}], READING)
    assert frame.empty
    assert set(DEALS.names) - set(frame) == {
        "account_id",
        "lead_id",
        "segment",
        "region",
        "product",
        "margin",
        "term_months",
    }
    assert conform("deals", frame).problems.empty


def test_what_is_asked_for():
    """Closed flags and stage dates come along; histories are those of the rules."""
    names = asked("deals", READING, [], ["hs_v2_date_entered_won"])
    assert {"hs_is_closed", "hs_is_closed_won", "hs_v2_date_entered_won", "dealname"} <= set(names)
    assert names == sorted(set(names))
    assert history_asked("deals") == [
        "dealstage",
        "pipeline",
        "amount_in_home_currency",
        "closedate",
        "hubspot_owner_id",
    ]
