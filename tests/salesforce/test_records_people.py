"""Users, accounts, events, and the products that recur."""

import pandas as pd
import pytest

from connectors.salesforce.records.currencies import Currencies
from connectors.salesforce.records.people import accounts, meetings, owners
from connectors.salesforce.records.reading import Reading
from connectors.salesforce.records.subscriptions import subscriptions
from kpi.conform import conform

URL = "https://acme.my.salesforce.com"
CHOSEN = {
    "accounts": {"region": "Region__c", "billing_account_id": "Payer__c"},
    "meetings": {"outcome": "Outcome__c"},
    "subscriptions": {"mrr": "MRR__c", "ends_on": "End__c"},
}
READING = Reading(URL, "America/New_York", fields=CHOSEN)


def texts(*records):
    """A frame of text, as it arrives; what a record lacks is missing."""
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: [record.get(name) for record in records] for name in names}
    return pd.DataFrame({name: pd.Series(cells, dtype="str") for name, cells in columns.items()})


def plain(frame, *columns):
    """Rows with None for missing."""
    part = frame[list(columns)]
    return part.astype("object").where(part.notna(), None).values.tolist()


def test_owners():
    """Deactivated ones stay; those of portals and robots are no sellers."""
    raw = texts(
        {"Id": "1", "Name": "Ann", "UserRole.Name": "East", "Manager.Name": "Eve"}
        | {"IsActive": "true", "UserType": "Standard", "Department": "Sales"},
        {"Id": "2", "Name": "Bob", "UserRole.Name": None, "Manager.Name": None}
        | {"IsActive": "false", "UserType": "Standard", "Department": "Sales"},
        {"Id": "3", "Name": "Bot", "UserType": "AutomatedProcess", "IsActive": "true"},
    )
    table, problems = conform("owners", owners(raw))
    assert problems.empty
    assert plain(table, "owner_id", "name", "team", "manager", "active") == [
        ["1", "Ann", "East", "Eve", True],
        ["2", "Bob", None, None, False],
    ]


def test_owners_where_roles_and_types_are_hidden():
    """The department is the team, and every user a seller."""
    raw = texts({"Id": "1", "Department": "Sales", "IsActive": "true"})
    assert plain(owners(raw), "owner_id", "team") == [["1", "Sales"]]


def test_accounts():
    """With the fields of the settings; the number of employees is a text."""
    raw = texts(
        {"Id": "001x", "Name": "Acme", "Industry": "Steel", "Region__c": "East", "Payer__c": "001y"}
        | {"NumberOfEmployees": "120.0", "CreatedDate": "2026-03-08T10:00:00.000Z"},
        {"Id": "001y", "IsDeleted": "true", "NumberOfEmployees": "100"},
        {"Id": "001z", "NumberOfEmployees": "100"},
    )
    table, problems = conform("accounts", accounts(raw, READING))
    assert problems.empty
    assert plain(table, "account_id", "billing_account_id", "region", "size") == [
        ["001x", "001y", "East", "120"],
        ["001z", None, None, "100"],
    ]


EVENT = {"Id": "00Ux", "StartDateTime": "2026-03-08T15:00:00.000Z", "IsAllDayEvent": "false"}


@pytest.mark.parametrize(
    ("fields", "column", "value"),
    [
        pytest.param({}, "starts_at", pd.Timestamp("2026-03-08T15:00:00Z"), id="moment"),
        pytest.param(
            {"IsAllDayEvent": "true", "ActivityDate": "2026-03-09"}
            | {"StartDateTime": "2026-03-09T00:00:00.000Z"},
            "starts_at",
            pd.Timestamp("2026-03-09T04:00:00Z"),
            id="all day: the day there, not shifted",
        ),
        pytest.param({"OwnerId": "005x"}, "owner_id", "005x", id="seller"),
        pytest.param({"OwnerId": "023x"}, "owner_id", None, id="public calendar"),
        pytest.param({"WhoId": "00Qx"}, "lead_id", "00Qx", id="lead"),
        pytest.param({"WhoId": "003x"}, "lead_id", None, id="contact"),
        pytest.param({"WhatId": "006x"}, "deal_id", "006x", id="deal"),
        pytest.param({"WhatId": "001x"}, "deal_id", None, id="account"),
        pytest.param({"AccountId": "001x"}, "account_id", "001x", id="company"),
        pytest.param({"Outcome__c": "Completed"}, "outcome", "held", id="completed"),
        pytest.param({"Outcome__c": "HELD"}, "outcome", "held", id="held"),
        pytest.param({"Outcome__c": "No Show"}, "outcome", "no_show", id="no show"),
        pytest.param({"Outcome__c": "Canceled"}, "outcome", "cancelled", id="canceled"),
        pytest.param({"Outcome__c": "Scheduled"}, "outcome", "scheduled", id="scheduled"),
        pytest.param({"Outcome__c": "Other"}, "outcome", "Other", id="a word of the org"),
        pytest.param({"Outcome__c": None}, "outcome", None, id="no outcome"),
        pytest.param({"IsArchived": "true"}, "meeting_id", "00Ux", id="archived"),
    ],
)
def test_meetings(fields, column, value):
    """One field, one column."""
    assert plain(meetings(texts({**EVENT, **fields}), READING), column) == [[value]]


def test_without_a_setting_no_outcome_is_known():
    """Salesforce itself has none."""
    assert "outcome" not in meetings(texts(EVENT), Reading(URL, "UTC"))


@pytest.mark.parametrize("name", ["IsChild", "IsRecurrence", "IsRecurrence2", "IsDeleted"])
def test_what_is_no_meeting_of_its_own(name):
    """Invitees' copies, patterns of series, deleted ones."""
    raw = texts(EVENT | {name: "false"}, EVENT | {"Id": "00Uy", name: "true"})
    assert meetings(raw, READING)["meeting_id"].tolist() == ["00Ux"]


def deal(**values):
    """One canonical deal."""
    known = {"deal_id": "006x", "outcome": "won", "account_id": "001x", "currency": None}
    frame = pd.DataFrame([{**known, "close_date": pd.Timestamp("2026-03-01"), **values}])
    return frame.astype({"account_id": "str", "currency": "str"})


LINE = {"Id": "00kx", "OpportunityId": "006x", "MRR__c": "80", "ProductCode": "P1"}


def test_subscriptions():
    """Of a won opportunity, from its service date or its close date on."""
    raw = texts(
        LINE | {"Product2.Name": "Seats", "ServiceDate": "2026-04-01", "End__c": "2027-04-01"},
        LINE | {"Id": "00ky", "Product2.Name": None, "ServiceDate": None},
        LINE | {"Id": "00kz", "MRR__c": None},
        LINE | {"Id": "00kd", "IsDeleted": "true"},
    )
    frame, problems = subscriptions(raw, deal(), READING)
    table, more = conform("subscriptions", frame)
    assert problems.empty
    assert more.empty
    assert plain(table, "subscription_id", "product", "mrr", "currency", "account_id") == [
        ["00kx", "Seats", 80.0, None, "001x"],
        ["00ky", "P1", 80.0, None, "001x"],
    ]
    assert table["signed_on"].tolist() == [pd.Timestamp("2026-03-01")] * 2
    assert table["starts_on"].tolist() == [pd.Timestamp("2026-04-01"), pd.Timestamp("2026-03-01")]
    assert table["ends_on"].tolist() == [pd.Timestamp("2027-04-01"), pd.NaT]


@pytest.mark.parametrize("outcome", ["open", "lost"])
def test_only_what_was_won_is_a_subscription(outcome):
    """A line of another opportunity is none, nor is one of an opportunity not known."""
    for deals in (deal(outcome=outcome), deal(deal_id="006y")):
        frame, problems = subscriptions(texts(LINE), deals, READING)
        assert (len(frame), len(problems)) == (0, 0)
        assert conform("subscriptions", frame).frame.empty


def test_what_cannot_be_a_subscription_is_listed():
    """No account, or no rate for its currency."""
    types = texts(
        {"IsoCode": "USD", "ConversionRate": "1", "IsCorporate": "true"},
        {"IsoCode": "EUR", "ConversionRate": "0.8", "IsCorporate": "false"},
    )
    reading = Reading(URL, "UTC", Currencies.read(types), fields=CHOSEN)
    deals = pd.concat(
        [
            deal(currency="EUR"),
            deal(deal_id="006y", account_id=None),
            deal(deal_id="006z", currency="CHF"),
        ]
    )
    raw = texts(
        LINE,
        LINE | {"Id": "00ky", "OpportunityId": "006y"},
        LINE | {"Id": "00kz", "OpportunityId": "006z"},
    )
    frame, problems = subscriptions(raw, deals, reading)
    assert frame["mrr"].tolist() == [100.0]
    assert problems[["key", "column", "value", "action"]].values.tolist() == [
        ["00ky", "account_id", "006y", "row rejected"],
        ["00kz", "currency", "CHF", "row rejected"],
    ]
