"""What a property value means, whatever its type: texts in, values out, and nothing lost."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hubspot.records.columns import days, live, moments, numbers
from connectors.hubspot.records.reading import Reading
from connectors.hubspot.records.values import after, day, iso, moment, number, text
from kpi.conform import conform

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        pytest.param(None, None, id="null"),
        pytest.param("", None, id="cleared"),
        pytest.param("500", 500.0, id="whole"),
        pytest.param("-3.5", -3.5, id="negative: conform lists it"),
        pytest.param(
            "0.200000000000000011102230246251565404236316680908203125", 0.2, id="binary digits"
        ),
        pytest.param("3092727991;3881228353", "3092727991;3881228353", id="two values"),
        pytest.param("NaN", "NaN", id="not a number"),
        pytest.param("1_000", "1_000", id="no number outside Python"),
        pytest.param("inf", "inf", id="infinite"),
    ],
)
def test_number(raw, read):
    """A number, exactly; else the text."""
    assert number(raw) == read


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        pytest.param("2023-02-24T03:01:01.147Z", "2023-02-24T03:01:01.147Z", id="milliseconds"),
        pytest.param("2023-01-15T05:00:00Z", "2023-01-15T05:00:00.000Z", id="no milliseconds"),
        pytest.param("1743685150726", "2025-04-03T12:59:10.726Z", id="since 1970"),
        pytest.param("2026-03-01T00:00:00+01:00", "2026-02-28T23:00:00.000Z", id="offset"),
        pytest.param("2026-03-01", "2026-03-01T00:00:00.000Z", id="plain day"),
    ],
)
def test_moment(raw, read):
    """Every spelling of a moment is the same count of microseconds."""
    assert iso(moment(raw)) == read


@pytest.mark.parametrize("raw", ["soon", "2023-13-01T00:00:00Z", "9" * 30, "20230101x"])
def test_what_is_no_moment_stays_text(raw):
    """Nothing is guessed."""
    assert moment(raw) == raw
    assert day(raw, NEW_YORK) == raw


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        pytest.param("2026-03-01T00:00:00Z", date(2026, 2, 28), id="midnight UTC is a moment"),
        pytest.param("2026-03-01T05:00:00.000Z", date(2026, 3, 1), id="midnight in New York"),
        pytest.param("2026-03-01", date(2026, 3, 1), id="a plain day as it is"),
        pytest.param("1772323200000", date(2026, 2, 28), id="since 1970"),
        pytest.param("", None, id="missing"),
    ],
)
def test_day_in_the_accounts_zone(raw, read):
    """A close date is the day in the account's zone, not in UTC."""
    assert day(raw, NEW_YORK) == read


@given(st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)))  # noqa: DTZ001
def test_a_moment_reads_the_same_however_it_is_written(at):
    """ISO text and milliseconds since 1970 agree."""
    exact = at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
    milliseconds = str(round(exact.timestamp() * 1000))
    assert moment(exact.isoformat()) == moment(milliseconds) == moment(iso(moment(milliseconds)))


@pytest.mark.parametrize(
    ("period", "end"),
    [
        ("P12M", date(2027, 1, 31)),
        ("P1M", date(2026, 2, 28)),
        ("P1Y6M", date(2027, 7, 31)),
        ("P2W", date(2026, 2, 14)),
        ("P1M10D", date(2026, 3, 10)),
        ("P", "P"),
        ("12 months", "12 months"),
        ("P99999Y", "P99999Y"),
    ],
)
def test_periods(period, end):
    """Months first, then days; what is no period stays text."""
    assert after(date(2026, 1, 31), period) == end


def test_text_is_not_stripped():
    """A name is kept as people typed it."""
    assert (text("  Acme "), text(""), text(0)) == ("  Acme ", None, "0")


def test_one_bad_value_is_listed_and_the_others_are_kept():
    """A column that cannot be typed goes on as text, value by value the same."""
    frame = pd.DataFrame(
        {
            "deal_id": ["1", "2", "3"],
            "amount": numbers([0.1, "1;2", None]),
            "created_at": moments([moment("2026-03-01T10:00:00.123Z"), "soon", None]),
            "close_date": days([date(2026, 3, 1), "1.3.26", None]),
        }
    )
    table, problems = conform("deals", frame, time_zone="America/New_York")
    assert problems[["row", "column", "value"]].to_numpy().tolist() == [
        [2, "amount", "1;2"],
        [2, "created_at", "soon"],
        [2, "close_date", "1.3.26"],
    ]
    assert table["amount"][0] == 0.1
    assert table["created_at"][0] == pd.Timestamp("2026-03-01T10:00:00.123Z")
    assert table["close_date"][0] == pd.Timestamp("2026-03-01")


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
def test_a_typed_day_stays_that_day_in_conform(zone):
    """Whatever zone the store works in."""
    frame = pd.DataFrame({"deal_id": ["1"], "close_date": days([date(2026, 3, 1)])})
    assert conform("deals", frame, time_zone=zone).frame["close_date"][0] == pd.Timestamp(
        "2026-03-01"
    )


def test_archived_records_and_older_states_are_left_out():
    """A batch may hold a record twice: after a merge, or when it changed between two pages."""
    old, new = ({"id": "1", "updatedAt": f"2026-01-0{n}T00:00:00Z"} for n in (1, 2))
    assert live([new, old, {"id": "2", "archived": True}]) == [new]


def test_an_unknown_time_zone_is_refused():
    """No day could be told."""
    with pytest.raises(Exception, match="'Mars/Olympus' is not known to this computer"):
        Reading("7", "app.hubspot.com", "Mars/Olympus", "USD")
