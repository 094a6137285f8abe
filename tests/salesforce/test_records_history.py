"""History of opportunities and leads, owners among it, and when leads were converted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.salesforce.records.currencies import Currencies
from connectors.salesforce.records.history import (
    conversions,
    entries,
    lead_history,
    opportunity_history,
    owner_history,
)
from connectors.salesforce.records.leads import leads
from connectors.salesforce.records.reading import Reading
from connectors.salesforce.records.stages import StageNames
from kpi.conform import conform

READING = Reading("https://acme.my.salesforce.com", "America/New_York")
NAMES = StageNames({"Show": "Demo"}, {"Open - New": "Open"})
AT = "2026-03-{:02}T10:00:00.000Z"
ANN, BOB = "005000000000001AAA", "005000000000002AAA"
QUEUE = "00G000000000001AAA"


def texts(*records):
    """A frame of text, as it arrives; what a record lacks is missing."""
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: [record.get(name) for record in records] for name in names}
    return pd.DataFrame({name: pd.Series(cells, dtype="str") for name, cells in columns.items()})


def step(row, stage, day, **more):
    """One row of OpportunityHistory."""
    return {
        "Id": f"008{row:03}",
        "OpportunityId": "006x",
        "StageName": stage,
        "CreatedDate": AT.format(day),
    } | more


def change(row, day, field, value, **more):
    """One row of LeadHistory or OpportunityFieldHistory."""
    return {
        "Id": f"017{row:03}",
        "LeadId": "00Qx",
        "OpportunityId": "006x",
        "CreatedDate": AT.format(day),
        "Field": field,
        "NewValue": value,
    } | more


def plain(frame, *columns):
    """Rows with None for missing."""
    part = frame[list(columns)]
    return part.astype("object").where(part.notna(), None).values.tolist()


def test_opportunity_history():
    """What stood after each change; rows of one moment and stage count once, the last one."""
    raw = texts(
        step(1, "Show", 1, Amount="5", CloseDate="2026-06-01", Probability="40"),
        step(3, "Won", 2, Amount="9", CloseDate="2026-03-02", Probability="100"),
        step(2, "Won", 2, Amount="7", CloseDate="2026-03-02", Probability="100"),
        step(4, "Lost", 3, IsDeleted="true"),
    )
    table, problems = conform("history", opportunity_history(raw, READING, NAMES))
    assert problems.empty
    assert plain(table, "object", "record_id", "stage_id", "amount", "probability") == [
        ["deal", "006x", "Demo", 5.0, 0.4],
        ["deal", "006x", "Won", 9.0, 1.0],
    ]
    assert table["changed_at"][0] == pd.Timestamp(AT.format(1))
    assert table["close_date"][1] == pd.Timestamp("2026-03-02")
    assert table["owner_id"].isna().all()


def test_amounts_in_the_past():
    """At the row's own close date, in its own currency, else in the opportunity's."""
    types = texts(
        {"IsoCode": "USD", "ConversionRate": "1", "IsCorporate": "true"},
        {"IsoCode": "EUR", "ConversionRate": "0.8", "IsCorporate": "false"},
    )
    dated = texts(
        {"IsoCode": "EUR", "StartDate": "2026-01-01", "ConversionRate": "0.5"},
        {"IsoCode": "EUR", "StartDate": "2026-02-01", "ConversionRate": "0.25"},
    )
    reading = Reading("https://acme.my.salesforce.com", "UTC", Currencies.read(types, dated))
    raw = texts(
        step(1, "A", 1, Amount="10", CloseDate="2026-01-05", CurrencyIsoCode="EUR"),
        step(2, "A", 2, Amount="10", CloseDate="2026-02-05", CurrencyIsoCode=None),
        step(3, "A", 3, Amount="10", CloseDate="2026-02-05", CurrencyIsoCode="USD"),
    )
    found = opportunity_history(raw, reading, NAMES, pd.Series({"006x": "EUR"}))
    assert found["amount"].tolist() == [20.0, 40.0, 10.0]
    found = opportunity_history(raw, reading, NAMES)
    assert np.isnan(found["amount"][1])


def test_owners_of_opportunities():
    """Of the two rows of a change the one with the id; queues own no deals."""
    raw = texts(
        change(1, 1, "Owner", "Ann Lee"),
        change(2, 1, "Owner", ANN),
        change(3, 2, "Owner", QUEUE),
        change(4, 3, "Owner", BOB),
        change(5, 3, "Owner", BOB),
        change(6, 4, "Amount", "005"),
        change(7, 5, "Owner", ANN, IsDeleted="true"),
    )
    found = owner_history(raw, READING)
    assert plain(found, "object", "record_id", "owner_id") == [
        ["deal", "006x", ANN],
        ["deal", "006x", BOB],
    ]
    both = pd.concat([found, opportunity_history(texts(step(1, "Won", 3)), READING, NAMES)])
    table, problems = conform("history", both)
    assert problems.empty
    assert len(table) == 3


def test_lead_history():
    """Statuses by their stage, owners as rows of their own."""
    raw = texts(
        change(1, 1, "created", None),
        change(2, 2, "Status", "Open - New"),
        change(3, 2, "Status", "Open - New"),
        change(4, 2, "Owner", ANN),
        change(5, 2, "Owner", "Ann Lee"),
        change(6, 3, "Status", "Strange"),
        change(7, 4, "leadConverted", None),
        change(8, 4, "Owner", QUEUE),
    )
    table, problems = conform("history", lead_history(raw, READING, NAMES))
    assert problems.empty
    assert plain(table, "object", "stage_id", "status", "owner_id") == [
        ["lead", "Open", "Open - New", None],
        ["lead", "Strange", "Strange", None],
        ["lead", None, None, ANN],
    ]


@pytest.mark.parametrize("shape", [owner_history, opportunity_history, lead_history])
def test_no_history(shape):
    """Empty, with its columns."""
    raw = texts(change(1, 1, "x", "y", StageName="A")).iloc[:0]
    found = shape(raw, READING) if shape is owner_history else shape(raw, READING, NAMES)
    assert len(found) == 0
    assert {"object", "record_id", "changed_at"} <= set(found)
    assert conform("history", found.assign(stage_id=None)).frame.empty


@pytest.mark.parametrize(
    ("fields", "history", "at"),
    [
        pytest.param({"ConvertedDate": "2026-03-09"}, 9, AT.format(9), id="the history says"),
        pytest.param(
            {"ConvertedDate": "2026-03-09"}, None, "2026-03-09T04:00:00Z", id="start of the day"
        ),
        pytest.param(
            {"ConvertedDate": "2026-03-09", "CreatedDate": AT.format(9)},
            None,
            AT.format(9),
            id="not before it came in",
        ),
        pytest.param({}, None, None, id="not converted"),
    ],
)
def test_when_a_lead_was_converted(fields, history, at):
    """ConvertedDate has no time."""
    raw = texts({"Id": "00Qx", **fields})
    past = [] if history is None else [change(1, history, "leadConverted", "")]
    told = conversions(texts(*past, change(2, 1, "Status", "x")))
    found = leads(raw, READING, NAMES, told)["converted_at"]
    assert found.dtype == "datetime64[us, UTC]"
    assert found.tolist() == [pd.Timestamp(at)] if at else found.isna().all()


def test_leads():
    """Each field, and a queue that owns one."""
    fields = {
        "Id": "00Qx",
        "CreatedDate": AT.format(1),
        "LeadSource": "Web",
        "Status": "Open - New",
        "OwnerId": QUEUE,
        "ConvertedAccountId": "001x",
        "ConvertedOpportunityId": "006x",
        "SystemModstamp": AT.format(2),
        "Fits__c": "true",
        "Channel__c": "Paid",
        "IsDeleted": "false",
    }
    chosen = {"leads": {"in_profile": "Fits__c", "channel": "Channel__c"}}
    reading = Reading("https://acme.my.salesforce.com", "UTC", fields=chosen)
    merged = {**fields, "Id": "00Qy", "IsDeleted": "true"}
    owned = {**fields, "Id": "00Qz", "OwnerId": ANN}
    table, problems = conform("leads", leads(texts(fields, merged, owned), reading, NAMES))
    assert problems.empty
    assert table["lead_id"].tolist() == ["00Qx", "00Qz"]
    assert plain(table, "source", "channel", "owner_id", "account_id", "status", "stage_id")[0] == [
        "Web",
        "Paid",
        None,
        "001x",
        "Open - New",
        "Open",
    ]
    assert table["owner_id"][1] == ANN
    assert plain(table, "in_profile", "deal_id", "url")[0] == [
        True,
        "006x",
        "https://acme.my.salesforce.com/00Qx",
    ]


steps = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(1, 28), st.sampled_from("XYZ")), max_size=12
)


@settings(derandomize=True, deadline=None)
@given(steps, st.randoms())
def test_entries_by_hand(rows, random):
    """As counted record by record, in any order of rows."""
    rows = list({(record, day): (record, day, stage) for record, day, stage in rows}.values())
    expected = {}
    for record in "ab":
        before = None
        for _, day, stage in sorted(row for row in rows if row[0] == record):
            if stage != before:
                expected[record, stage] = day
            before = stage
    random.shuffle(rows)
    frame = pd.DataFrame(rows, columns=["record_id", "day", "stage_id"])
    frame["changed_at"] = pd.to_datetime([AT.format(day) for day in frame["day"]], utc=True)
    found = entries(frame.astype({"record_id": "str", "stage_id": "str"}))
    days = {(r.record_id, r.stage_id): r.entered_at.day for r in found.itertuples()}
    assert days == expected


@settings(derandomize=True, deadline=None)
@given(steps, st.randoms())
def test_order_and_repeats_do_not_matter(rows, random):
    """A window read twice, or in parts, gives the same history."""
    listed = [
        step(place, stage, day, OpportunityId=record, Amount=str(place))
        for place, (record, day, stage) in enumerate(rows)
    ]
    if not listed:
        return
    again = [*listed, *listed[:3]]
    random.shuffle(again)
    key = ["record_id", "changed_at", "stage_id"]
    one, two = (
        opportunity_history(texts(*part), READING, NAMES).sort_values(key).reset_index(drop=True)
        for part in (listed, again)
    )
    pd.testing.assert_frame_equal(one, two)
