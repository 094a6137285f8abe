"""Opportunities: what each field becomes, how a deal stands, and when it closed."""

import pandas as pd
import pytest

from connectors.salesforce.records.currencies import Currencies
from connectors.salesforce.records.deals import deals
from connectors.salesforce.records.history import opportunity_history
from connectors.salesforce.records.reading import Reading
from connectors.salesforce.records.reconcile import reconcile
from connectors.salesforce.records.stages import StageNames, stages
from kpi.conform import conform
from kpi.tables import DEALS

CHOSEN = {
    "deals": {
        "segment": "Segment__c",
        "margin": "Margin__c",
        "mrr": "MRR__c",
        "next_step_on": "Next__c",
        "term_months": "Term__c",
    }
}
URL = "https://acme.my.salesforce.com"
READING = Reading(URL + "/", "America/New_York", deal_types={"Add-on": "expansion"}, fields=CHOSEN)
TYPES = pd.DataFrame(
    {"IsoCode": ["USD", "EUR"], "ConversionRate": ["1", "0.8"], "IsCorporate": ["true", "false"]},
    dtype="str",
)
DATED = pd.DataFrame(
    {"IsoCode": ["EUR"] * 2, "StartDate": ["2026-01-01", "2026-02-01"]}
    | {"ConversionRate": ["0.5", "0.25"]},
    dtype="str",
)
MANY = Reading(URL, "America/New_York", Currencies.read(TYPES, DATED), fields=CHOSEN)
NAMES = StageNames({"Demo": "Demo", "Show": "Demo"}, {})
MOMENT = "2026-03-{:02}T10:00:00.000Z"


def texts(*records):
    """A frame of text, as it arrives; what a record lacks is missing."""
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: [record.get(name) for record in records] for name in names}
    return pd.DataFrame({name: pd.Series(cells, dtype="str") for name, cells in columns.items()})


def shaped(fields, reading=READING, history=None):
    """One opportunity as its canonical row, missing values as None."""
    frame = deals(texts({"Id": "006x", **fields}), reading, NAMES, history)
    table, problems = conform("deals", frame)
    assert problems.empty, problems
    return table.astype("object").where(table.notna(), None).to_dict("records")[0]


def past(*entries, reading=READING):
    """History of the opportunity: stage and day of March 2026."""
    rows = [
        {"Id": f"008{place}", "OpportunityId": "006x", "StageName": stage}
        | {"CreatedDate": MOMENT.format(day)}
        for place, (stage, day) in enumerate(entries)
    ]
    return opportunity_history(texts(*rows), reading, NAMES)


@pytest.mark.parametrize(
    ("fields", "column", "value"),
    [
        pytest.param({"Amount": "12.5"}, "amount", 12.5, id="amount"),
        pytest.param({"Amount": "12.5"}, "amount_original", 12.5, id="amount as stated"),
        pytest.param({"Amount": "0.0"}, "amount", 0.0, id="nothing is an amount"),
        pytest.param({}, "amount", None, id="no amount"),
        pytest.param({}, "currency", None, id="one currency"),
        pytest.param({"MRR__c": "9"}, "mrr", 9.0, id="monthly revenue by setting"),
        pytest.param({"Margin__c": "3.5"}, "margin", 3.5, id="margin by setting"),
        pytest.param({"Term__c": "24.0"}, "term_months", 24.0, id="term by setting"),
        pytest.param({"Segment__c": "NA"}, "segment", "NA", id="NA is a word"),
        pytest.param(
            {"Next__c": "2026-03-08"}, "next_step_on", pd.Timestamp("2026-03-08"), id="next"
        ),
        pytest.param({"StageName": "Show"}, "stage_id", "Demo", id="stage by its label"),
        pytest.param({"StageName": "Old"}, "stage_id", "Old", id="stage of its own"),
        pytest.param({"Type": "New Business"}, "deal_type", "new", id="new business"),
        pytest.param(
            {"Type": "Existing Customer - Upgrade"}, "deal_type", "expansion", id="upgrade"
        ),
        pytest.param(
            {"Type": "Existing Customer - Downgrade"}, "deal_type", "renewal", id="downgrade"
        ),
        pytest.param({"Type": "Add-on"}, "deal_type", "expansion", id="a word of the definitions"),
        pytest.param({"Type": "renewal"}, "deal_type", "renewal", id="a word of ours"),
        pytest.param({"OwnerId": "005A"}, "owner_id", "005A", id="owner"),
        pytest.param({"LeadSource": "Web"}, "source", "Web", id="source"),
        pytest.param(
            {"ForecastCategoryName": "Commit"}, "forecast_category", "Commit", id="forecast"
        ),
        pytest.param(
            {"CloseDate": "2026-03-08"}, "close_date", pd.Timestamp("2026-03-08"), id="close"
        ),
        pytest.param(
            {"LastActivityDate": "2026-03-09"},
            "last_activity_at",
            pd.Timestamp("2026-03-09T04:00:00Z"),
            id="last activity: start of the day there",
        ),
        pytest.param(
            {"SystemModstamp": MOMENT.format(7)},
            "updated_at",
            pd.Timestamp(MOMENT.format(7)),
            id="last change",
        ),
        pytest.param({}, "url", f"{URL}/006x", id="page"),
        pytest.param({"IsWon": "true", "IsClosed": "true"}, "outcome", "won", id="won"),
        pytest.param({"IsWon": "false", "IsClosed": "true"}, "outcome", "lost", id="lost"),
        pytest.param({"IsWon": "false", "IsClosed": "false"}, "outcome", "open", id="open"),
    ],
)
def test_fields(fields, column, value):
    """One field, one column."""
    assert shaped(fields)[column] == value


@pytest.mark.parametrize(
    ("fields", "amount"),
    [
        pytest.param({"CurrencyIsoCode": "EUR", "CloseDate": "2026-01-31"}, 200.0, id="old rate"),
        pytest.param({"CurrencyIsoCode": "EUR", "CloseDate": "2026-02-01"}, 400.0, id="new rate"),
        pytest.param({"CurrencyIsoCode": "USD", "CloseDate": "2026-02-01"}, 100.0, id="corporate"),
    ],
)
def test_several_currencies(fields, amount):
    """Amounts of all kinds at the rate of the close date; the amount as stated stays."""
    row = shaped({"Amount": "100", "MRR__c": "10", "Margin__c": "50", **fields}, MANY)
    assert row["amount"] == amount
    assert (row["mrr"], row["margin"]) == (amount / 10, amount / 2)
    assert (row["amount_original"], row["currency"]) == (100.0, fields["CurrencyIsoCode"])


def test_an_amount_without_a_rate_is_listed():
    """And counts for nothing."""
    raw = texts({"Id": "006x", "Amount": "100", "CurrencyIsoCode": "CHF", "StageName": "Demo"})
    assert pd.isna(deals(raw, MANY, NAMES)["amount"][0])
    org = texts({"ApiName": "Demo", "MasterLabel": "Show"})
    found = reconcile(raw, MANY, stages(org, org.iloc[:0]))
    assert found[["key", "column", "value"]].values.tolist() == [["006x", "currency", "CHF"]]


def test_an_amount_that_is_none_is_listed():
    """The others of the column are read."""
    raw = texts({"Id": "1", "Amount": "many"}, {"Id": "2", "Amount": "5"})
    table, problems = conform("deals", deals(raw, READING, NAMES))
    assert table["amount"].tolist()[1] == 5.0
    assert problems["value"].tolist() == ["many"]


WON = {"StageName": "Won", "IsWon": "true", "IsClosed": "true"}


@pytest.mark.parametrize(
    ("entries", "day"),
    [
        pytest.param([("Demo", 1), ("Won", 2)], 2, id="entered once"),
        pytest.param([("Demo", 1), ("Won", 2), ("Won", 5)], 2, id="a row without a change"),
        pytest.param([("Won", 2), ("Demo", 3), ("Won", 5)], 5, id="reopened"),
        pytest.param([("Won", 5), ("Demo", 3), ("Won", 2)], 5, id="any order"),
        pytest.param([("Won", 2)], 2, id="from the beginning"),
        pytest.param([("Demo", 2)], 9, id="the history does not have it"),
        pytest.param([], 9, id="no history"),
    ],
)
def test_when_a_deal_closed(entries, day):
    """When it last entered its stage, else when the org says the stage changed."""
    fields = {**WON, "LastStageChangeDate": MOMENT.format(9)}
    history = past(*entries) if entries else None
    assert shaped(fields, history=history)["closed_at"] == pd.Timestamp(MOMENT.format(day))


def test_an_open_deal_has_not_closed():
    """Whatever it was before."""
    fields = {"StageName": "Demo", "IsClosed": "false", "LastStageChangeDate": MOMENT.format(9)}
    assert shaped(fields, history=past(("Won", 1), ("Demo", 2)))["closed_at"] is None


def test_the_history_may_name_the_stage_otherwise():
    """By its label, as it was called."""
    fields = {"StageName": "Demo", "IsClosed": "true"}
    history = past(("Old", 1), ("Show", 2), ("Demo", 3))
    assert shaped(fields, history=history)["closed_at"] == pd.Timestamp(MOMENT.format(2))


def test_deleted_opportunities_are_left_out():
    """And what is not there makes an empty table of the right columns."""
    found = deals(texts({"Id": "1", "IsDeleted": "true"}), READING, NAMES, past(("Won", 1)))
    assert len(found) == 0
    assert set(found) <= set(DEALS.names)
    assert conform("deals", found).frame.empty
