"""Owners, companies, meetings and recurring lines."""

import pandas as pd
import pytest

from connectors.hubspot.records.people import accounts, meetings, owners
from connectors.hubspot.records.reading import Reading
from connectors.hubspot.records.subscriptions import subscriptions
from kpi.conform import REJECTED, conform

READING = Reading("7", "app.hubspot.com", "Europe/Berlin", "EUR")


def plain(table, frame):
    """Canonical rows, missing values as None, without those columns that are missing in all."""
    rows = conform(table, frame, time_zone="Europe/Berlin").frame
    return rows.astype("object").where(rows.notna(), None).to_dict("records")


@pytest.mark.parametrize(
    ("owner", "name", "team"),
    [
        pytest.param({"firstName": "Ann", "lastName": "Lee"}, "Ann Lee", None, id="both names"),
        pytest.param({"lastName": "Lee", "email": "a@b.c"}, "Lee", None, id="one name"),
        pytest.param({"firstName": "", "email": "a@b.c"}, "a@b.c", None, id="no name"),
        pytest.param({}, None, None, id="nothing"),
        pytest.param(
            {"teams": [{"name": "A"}, {"name": "B", "primary": True}]}, None, "B", id="main team"
        ),
        pytest.param({"teams": [{"name": "A", "primary": False}]}, None, "A", id="first team"),
    ],
)
def test_owners(owner, name, team):
    """Name and team."""
    row = plain("owners", owners([{"id": "1", **owner}]))[0]
    assert (row["name"], row["team"], row["active"]) == (name, team, True)


def test_deactivated_owners_stay_and_queues_do_not():
    """An owner in both listings is active."""
    raw = [
        {"id": "1", "archived": True},
        {"id": "2", "archived": False},
        {"id": "2", "archived": True},
        {"id": "3", "type": "QUEUE"},
    ]
    frame = owners(raw)
    assert frame[["owner_id", "active"]].to_numpy().tolist() == [["1", False], ["2", True]]
    assert owners(raw[::-1]).set_index("owner_id")["active"].to_dict() == {"1": False, "2": True}


def test_accounts():
    """Region is the country, unless a setting says otherwise."""
    raw = {
        "id": "1",
        "properties": {
            "name": "Acme",
            "industry": "",
            "country": "FR",
            "numberofemployees": "50",
            "createdate": "2026-03-01T00:00:00Z",
            "parent": "9",
        },
    }
    chosen = {"accounts": {"billing_account_id": "parent"}}
    row = plain("accounts", accounts([raw], Reading("7", "a.b", "UTC", "EUR", {}, chosen)))[0]
    assert row == {
        "account_id": "1",
        "billing_account_id": "9",
        "name": "Acme",
        "industry": None,
        "region": "FR",
        "size": "50",
        "created_at": pd.Timestamp("2026-03-01", tz="UTC"),
    }


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("COMPLETED", "held"),
        ("NO_SHOW", "no_show"),
        ("CANCELED", "cancelled"),
        ("SCHEDULED", "scheduled"),
        ("RESCHEDULED", "scheduled"),
        ("Prospect late", "Prospect late"),
        (None, None),
    ],
)
def test_outcomes_of_meetings(word, outcome):
    """An outcome of the account's own is handed on, for `conform` to list."""
    frame = meetings([{"id": "1", "properties": {"hs_meeting_outcome": word}}], READING)
    assert frame["outcome"].dropna().tolist() == ([outcome] if outcome else [])
    listed = conform("meetings", frame).problems
    assert listed["value"].tolist() == (["Prospect late"] if word == "Prospect late" else [])


@pytest.mark.parametrize(
    ("start", "timestamp", "day"),
    [
        pytest.param("2026-03-01T00:00:00Z", "2026-03-09T00:00:00Z", 1, id="its start"),
        pytest.param("", "2026-03-09T00:00:00Z", 9, id="no start"),
    ],
)
def test_start_of_meetings(start, timestamp, day):
    """The start time; where it is missing the moment it is filed under."""
    properties = {
        "hs_meeting_start_time": start,
        "hs_timestamp": timestamp,
        "hs_createdate": "2026-02-01T00:00:00Z",
    }
    row = plain("meetings", meetings([{"id": "1", "properties": properties}], READING))[0]
    assert (row["starts_at"].day, row["booked_at"].month) == (day, 2)


WON = {"deal_id": "1", "outcome": "won", "account_id": "9", "currency": "EUR"}
SIGNED = pd.Timestamp("2026-01-31")


def lines(properties, home="EUR", rates=None, **deal):
    """Recurring lines of one deal, signed on 31 January 2026: canonical rows and problems."""
    deals = pd.DataFrame([{**WON, "close_date": SIGNED, **deal}])
    usual = {"recurringbillingfrequency": "monthly", "amount": "1200"}
    item = {"id": "3", "properties": {**usual, **properties}}
    found = subscriptions([item], {"3": "1"}, deals, home, rates)
    return plain("subscriptions", found.frame), found.problems


@pytest.mark.parametrize(
    ("frequency", "mrr"),
    [
        ("monthly", 1200.0),
        ("quarterly", 400.0),
        ("per_six_months", 200.0),
        ("annually", 100.0),
        ("per_two_years", 50.0),
        ("per_three_years", 1200 / 36),
        ("weekly", 5200.0),
        ("biweekly", 2600.0),
    ],
)
def test_monthly_revenue_by_frequency(frequency, mrr):
    """The amount over the months it is for; what HubSpot states goes first."""
    assert lines({"recurringbillingfrequency": frequency})[0][0]["mrr"] == pytest.approx(mrr)
    stated = {"recurringbillingfrequency": frequency, "hs_mrr": "77.5"}
    assert lines(stated)[0][0]["mrr"] == 77.5


@pytest.mark.parametrize(
    ("properties", "starts", "ends"),
    [
        pytest.param({}, "2026-01-31", None, id="from signature, without end"),
        pytest.param(
            {"hs_recurring_billing_start_date": "2026-03-01"},
            "2026-03-01",
            None,
            id="a later start",
        ),
        pytest.param(
            {"hs_recurring_billing_start_date": "1772323200000"},
            "2026-03-01",
            None,
            id="start since 1970: midnight in UTC",
        ),
        pytest.param(
            {"hs_recurring_billing_period": "P12M"}, "2026-01-31", "2027-01-31", id="a year"
        ),
        pytest.param(
            {"hs_recurring_billing_period": "P1M"}, "2026-01-31", "2026-02-28", id="short month"
        ),
        pytest.param(
            {"hs_recurring_billing_period": "P1Y2M1W1D"}, "2026-01-31", "2027-04-08", id="all units"
        ),
    ],
)
def test_service_of_a_line(properties, starts, ends):
    """Signed on the deal's close date."""
    row = lines(properties)[0][0]
    assert row["signed_on"] == SIGNED
    assert row["starts_on"] == pd.Timestamp(starts)
    assert row["ends_on"] == (ends if ends is None else pd.Timestamp(ends))
    assert row["notice_on"] is None


@pytest.mark.parametrize(
    ("properties", "deal"),
    [
        pytest.param({"recurringbillingfrequency": ""}, {}, id="one-off"),
        pytest.param({"recurringbillingfrequency": None}, {}, id="frequency not set"),
        pytest.param({}, {"outcome": "open"}, id="open deal"),
        pytest.param({}, {"outcome": "lost"}, id="lost deal"),
        pytest.param({}, {"deal_id": "other"}, id="deal not there"),
    ],
)
def test_no_subscription(properties, deal):
    """Left out, and nothing wrong with it."""
    rows, problems = lines(properties, **deal)
    assert rows == []
    assert problems.empty


@pytest.mark.parametrize(
    ("deal", "rates", "column", "value"),
    [
        pytest.param({"account_id": None}, None, "account_id", "1", id="no company"),
        pytest.param({"currency": "GBP"}, None, "currency", "GBP", id="no exchange rate"),
    ],
)
def test_lines_that_cannot_be_placed_are_listed(deal, rates, column, value):
    """Rejected with the reason."""
    rows, problems = lines({}, rates=rates, **deal)
    assert rows == []
    assert problems[["key", "column", "value", "action"]].to_numpy().tolist() == [
        ["3", column, value, REJECTED]
    ]


@pytest.mark.parametrize(
    ("line", "deal", "mrr"),
    [
        pytest.param(None, "EUR", 1200.0, id="home currency"),
        pytest.param(None, None, 1200.0, id="none stated: home currency"),
        pytest.param(None, "GBP", 1500.0, id="the deal's, at its rate"),
        pytest.param("GBP", "GBP", 1500.0, id="the line's own"),
        pytest.param("EUR", "GBP", 1200.0, id="the line's goes before the deal's"),
    ],
)
def test_revenue_in_the_home_currency(line, deal, mrr):
    """At the rate of the deal."""
    found = lines({"hs_line_item_currency_code": line}, rates={"1": 1.25}, currency=deal)[0][0]
    assert (found["mrr"], found["currency"]) == (mrr, "EUR")


def test_unreadable_revenue_is_listed():
    """By `conform`, with the text."""
    item = {"id": "3", "properties": {"recurringbillingfrequency": "monthly", "amount": "1;2"}}
    deals = pd.DataFrame([{**WON, "close_date": SIGNED}])
    frame = subscriptions([item], {"3": "1"}, deals, "EUR").frame
    assert conform("subscriptions", frame).problems["value"].tolist() == ["1;2"]
