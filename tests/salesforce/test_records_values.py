"""Columns of text as canonical columns: moments, days, numbers, and what is none of them."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.salesforce.records.columns import column, days, gone, instants, live, mapped, starts
from kpi.conform import conform

NEW_YORK = "America/New_York"


def text(*values):
    """A column of text."""
    return pd.Series(list(values), dtype="str")


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        pytest.param("2026-03-08T10:30:00.000Z", "2026-03-08T10:30:00Z", id="bulk"),
        pytest.param("2026-03-08T10:30:00.000+0000", "2026-03-08T10:30:00Z", id="REST"),
        pytest.param("2026-03-08", "2026-03-08T05:00:00Z", id="day before clocks change"),
        pytest.param("2026-03-09", "2026-03-09T04:00:00Z", id="day after clocks change"),
        pytest.param("2026-11-01", "2026-11-01T04:00:00Z", id="day of 25 hours"),
        pytest.param("4000-12-31T00:00:00.000Z", "4000-12-31T00:00:00Z", id="the last day"),
    ],
)
def test_moments(raw, read):
    """Both spellings; a day begins in the org's zone."""
    found = column("time", text(raw, None), NEW_YORK)
    assert found.dtype == "datetime64[us, UTC]"
    assert found[0] == pd.Timestamp(read)
    assert pd.isna(found[1])


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        pytest.param("2026-03-08", "2026-03-08", id="plain"),
        pytest.param("2026-03-08T04:59:00.000Z", "2026-03-07", id="evening before"),
        pytest.param("2026-03-08T05:00:00.000Z", "2026-03-08", id="midnight there"),
    ],
)
def test_days(raw, read):
    """A plain day is that day anywhere; a moment falls on a day in the org's zone."""
    assert column("date", text(raw), NEW_YORK).tolist() == [pd.Timestamp(read)]


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        ("time", "soon"),
        ("date", "3/8/2026"),
        ("money", "many"),
        ("number", "inf"),
        ("money", "NaN"),
    ],
)
def test_what_cannot_be_read_stays_for_conform_to_list(kind, bad):
    """One bad value, and the column comes as it was."""
    good = "2026-03-08" if kind in ("time", "date") else "12.5"
    found = column(kind, text(good, bad, None), "UTC")
    assert found[:2].tolist() == [good, bad]


def test_a_bad_value_is_listed_and_the_others_are_read():
    """From the text to the canonical table."""
    amount = column("money", text("12.5", "many"), "UTC")
    table, problems = conform("deals", pd.DataFrame({"deal_id": ["1", "2"], "amount": amount}))
    assert table["amount"][0] == 12.5
    assert problems[["key", "value"]].values.tolist() == [["2", "many"]]


@settings(derandomize=True, deadline=None)
@given(
    st.dates(date(1990, 1, 1), date(2037, 12, 31)),
    st.sampled_from([NEW_YORK, "Europe/Berlin", "America/Havana", "America/Sao_Paulo", "UTC"]),
)
def test_a_day_begins_when_its_zone_says(day, zone):
    """Also where clocks skip or repeat midnight."""
    expected = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    found = starts(pd.Series(pd.to_datetime([day.isoformat()])), zone)
    assert found[0].timestamp() == expected.timestamp()
    assert instants(text(day.isoformat()), zone)[0] == found[0]
    moment = found[0].strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    assert days(text(moment), zone)[0].date() == day


def test_the_newest_state_of_a_record_counts():
    """Of an id read twice, in any order; deleted then, it is gone."""
    raw = pd.DataFrame(
        {
            "Id": ["a", "a", "b", "b", "c"],
            "SystemModstamp": [
                "2026-03-02T00:00:00.000+0000",
                "2026-03-01T00:00:00.000Z",
                "2026-03-01T00:00:00.000Z",
                "2026-03-02T00:00:00.000Z",
                "2026-03-01T00:00:00.000Z",
            ],
            "IsDeleted": ["false", "true", "false", "true", "false"],
        },
        dtype="str",
    )
    assert live(raw)["Id"].tolist() == ["a", "c"]
    assert gone(raw) == ["b"]


def test_words():
    """A word that is not known stays; missing stays missing."""
    assert mapped(text("a", "b"), {"a": "x"}).tolist() == ["x", "b"]
    assert mapped(text(None, None), {"a": "x"}).isna().all()
