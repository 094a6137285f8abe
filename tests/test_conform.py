"""Bad input: nothing is lost silently, nothing crashes, hostile text stays text."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpi import TABLES, TableError, conform
from kpi.tables import DTYPES

HOSTILE = [
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "'; DROP TABLE deals; --",
    "\u202eexe.fdp",
]


def deals(**columns):
    """Conform deals given by columns; ids are filled in where not given."""
    longest = max(len(values) for values in columns.values())
    ids = columns.pop("deal_id", [f"d{i}" for i in range(longest)])
    return conform("deals", pd.DataFrame({"deal_id": ids, **columns}))


def reasons(result):
    """Reason by column of the first problem."""
    return dict(zip(result.problems["column"], result.problems["reason"], strict=True))


@pytest.mark.parametrize("name", TABLES)
def test_columns_and_types_are_those_of_the_contract(name):
    """Whatever columns come in, for every table; no row, no problem."""
    result = conform(name, pd.DataFrame({c: [] for c in [*TABLES[name].names, "extra"]}))
    assert list(result.frame) == TABLES[name].names
    expected = [DTYPES[column.kind] for column in TABLES[name].columns]
    assert [str(dtype) for dtype in result.frame.dtypes] == expected
    assert result.problems.empty


def test_an_unknown_table_is_refused_with_those_there_are():
    """The message lists them."""
    with pytest.raises(TableError, match="no table is called 'opportunities'; expected one of"):
        conform("opportunities", pd.DataFrame())


def test_a_missing_required_column_is_named():
    """With what the table has, and what to do."""
    with pytest.raises(
        TableError, match=r"deals lacks the column\(s\) \['deal_id'\].*mapping file"
    ):
        conform("deals", pd.DataFrame({"id": ["1"]}))


def test_a_missing_required_value_rejects_the_row():
    """It is listed with its row, counted from 1."""
    result = deals(deal_id=["1", None, " "], name=["a", "b", "c"])
    assert result.frame["deal_id"].tolist() == ["1"]
    assert result.problems[["row", "action"]].to_numpy().tolist() == [
        [2, "row rejected"],
        [3, "row rejected"],
    ]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        pytest.param("amount", "-5", "negative amount", id="negative"),
        pytest.param("amount", -5.0, "negative amount", id="negative number"),
        pytest.param("amount", "1.200,50", "no number", id="comma"),
        pytest.param("amount", "a lot", "no number", id="words"),
        pytest.param("amount", "inf", "no number", id="infinity as text"),
        pytest.param("amount", math.inf, "no number", id="infinity"),
        pytest.param("amount", "1e999", "no number", id="too large"),
        pytest.param("created_at", "31/12/2026", "no date", id="day first"),
        pytest.param("created_at", "2026-02-30", "no date", id="30 February"),
        pytest.param("created_at", "1969-12-31", "no date", id="too early"),
        pytest.param("created_at", "9999-12-31T23:59", "no date", id="too late"),
        pytest.param("created_at", "0001-01-01", "no date", id="year 1"),
        pytest.param("created_at", "now", "no date", id="the word now"),
        pytest.param("created_at", "today", "no date", id="the word today"),
        pytest.param("close_date", "today", "no date", id="today as a day"),
        pytest.param("created_at", "1700000000000", "no date", id="milliseconds"),
        pytest.param("outcome", "Closed Won", "not one of", id="outcome in other words"),
        pytest.param("deal_type", "upsell", "not one of", id="deal type in other words"),
    ],
)
def test_a_value_that_cannot_be_read_is_cleared_and_listed(column, value, reason):
    """The row stays; the problem names row, key, column and value."""
    result = deals(**{column: [value]})
    assert result.frame[column].isna().all()
    problem = result.problems.iloc[0]
    assert problem["reason"].startswith(reason)
    assert (problem["row"], problem["key"], problem["column"]) == (1, "d0", column)
    assert problem["action"] == "value set to missing"


@pytest.mark.parametrize("value", [None, "", "  ", np.nan, pd.NA, pd.NaT])
def test_blank_is_missing_and_no_problem(value):
    """In columns of every kind."""
    result = deals(amount=[value], created_at=[value], close_date=[value], name=[value])
    assert result.frame[["amount", "created_at", "close_date", "name"]].isna().all(axis=None)
    assert result.problems.empty


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_letter_by_letter(text):
    """Neither run nor changed: an id that is a formula is an id, a name with a script a name."""
    frame = deals(deal_id=[text], name=[text], lost_reason=[text]).frame
    assert frame.loc[0, ["deal_id", "name", "lost_reason"]].tolist() == [text] * 3


@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        (["007", "08"], ["007", "08"]),
        ([7, 8], ["7", "8"]),
        ([7.0, 8.0], ["7", "8"]),
        ([9007199254740991, 2], ["9007199254740991", "2"]),
        (
            ["0061t00000abcDEFGH", "0061t00000ABCdefgh"],
            ["0061t00000abcDEFGH", "0061t00000ABCdefgh"],
        ),
    ],
)
def test_ids_are_kept_letter_by_letter(ids, kept):
    """Leading zeros, numbers read as floats, ids that differ in case only."""
    assert deals(deal_id=ids).frame["deal_id"].tolist() == kept


def test_of_two_rows_with_one_id_the_later_update_stays():
    """And the other is listed with the row that stays."""
    frame = {"name": ["old", "new", "b"], "updated_at": ["2026-01-01", "2026-02-01", None]}
    result = deals(deal_id=["1", "1", "2"], **frame)
    assert sorted(result.frame["name"]) == ["b", "new"]
    assert reasons(result) == {"deal_id": "the same deal_id stands in row 2, which is kept"}
    assert result.problems["row"].tolist() == [1]


def test_without_an_update_time_the_first_stays():
    """A repeated id never counts twice."""
    result = deals(deal_id=["1", "1"], name=["first", "second"])
    assert result.frame["name"].tolist() == ["first"]


@pytest.mark.parametrize(
    ("value", "zone", "moment"),
    [
        ("2026-07-01 00:10", "America/New_York", "2026-07-01T04:10Z"),
        ("2026-07-01 00:10", "Asia/Kolkata", "2026-06-30T18:40Z"),
        ("2026-07-01T00:10:00Z", "America/New_York", "2026-07-01T00:10Z"),
        ("2026-07-01T00:10:00+02:00", "UTC", "2026-06-30T22:10Z"),
        ("2026-07-01T00:10:00-0500", "UTC", "2026-07-01T05:10Z"),
        ("2026-07-01T00:10:00-05", "UTC", "2026-07-01T05:10Z"),
        ("2026-07-01T00:10:00.123456789Z", "UTC", "2026-07-01T00:10:00.123456Z"),
        ("2026-07-01T00:10:00.000+0000", "UTC", "2026-07-01T00:10Z"),
        ("2026-10-25 02:30", "Europe/Berlin", "2026-10-25T00:30Z"),
        ("2026-03-29 02:30", "Europe/Berlin", "2026-03-29T01:00Z"),
    ],
)
def test_moments_with_and_without_an_offset(value, zone, moment):
    """With one it is kept; without, it is the company's time; skipped and doubled hours are read."""
    frame = pd.DataFrame({"deal_id": ["1", "2"], "created_at": [value, "2026-01-01"]})
    read = conform("deals", frame, time_zone=zone)
    assert read.frame["created_at"].iloc[0] == pd.Timestamp(moment)
    assert read.problems.empty


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(pd.to_datetime(["2026-07-01 00:10"])),
        pd.Series(pd.to_datetime(["2026-07-01 00:10"])).astype("datetime64[ns]"),
        pd.Series(pd.to_datetime(["2026-06-30T22:10Z"])),
        pd.Series(pd.to_datetime(["2026-07-01T00:10+02:00"])),
        pd.Series([pd.Timestamp("2026-07-01 00:10", tz="Europe/Berlin")], dtype="object"),
        pd.Series([pd.Timestamp("2026-07-01 00:10").to_pydatetime()], dtype="object"),
    ],
    ids=["naive", "naive ns", "UTC", "fixed offset", "zone, as objects", "python datetimes"],
)
def test_moments_as_pandas_gives_them(values):
    """Naive ones are the company's, Berlin here; aware ones keep their moment."""
    frame = pd.DataFrame({"deal_id": ["1"], "created_at": values})
    read = conform("deals", frame, time_zone="Europe/Berlin").frame
    assert read["created_at"].iloc[0] == pd.Timestamp("2026-06-30T22:10Z")


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01 23:59", "2026-01-01"),
        ("2026-01-01T00:00:00+01:00", "2026-01-01"),
        ("2025-12-31T23:30:00Z", "2026-01-01"),
        (pd.Timestamp("2026-01-01", tz="Europe/Berlin"), "2026-01-01"),
        (pd.Timestamp("2026-01-01"), "2026-01-01"),
    ],
)
def test_a_day_is_the_companys_calendar_day(value, day):
    """A moment with an offset gives the day it was in Berlin, the company's zone here."""
    frame = pd.DataFrame({"deal_id": ["1"], "close_date": [value]})
    read = conform("deals", frame, time_zone="Europe/Berlin").frame
    assert read["close_date"].iloc[0] == pd.Timestamp(day)


def test_flags_and_whole_numbers():
    """In the words that exports use; others are listed."""
    frame = pd.DataFrame(
        {
            "object": "deal",
            "stage_id": list("abcd"),
            "position": ["1", "2.0", "3", "4"],
            "active": ["TRUE", "0", "", "perhaps"],
        }
    )
    result = conform("stages", frame)
    assert result.frame["position"].tolist() == [1, 2, 3, 4]
    assert result.frame["active"].isna().tolist() == [False, False, True, True]
    assert reasons(result) == {"active": "neither true nor false"}
    broken = conform("stages", frame.assign(position=["1", "2.5", "x", None]))
    assert broken.frame["stage_id"].tolist() == ["a"]
    assert len(broken.problems[broken.problems["column"] == "position"]) == 3


CELLS = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.floats(),
    st.integers(-(10**20), 10**20),
    st.booleans(),
    st.dates().map(str),
    st.datetimes().map(str),
    st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
    st.sampled_from([*HOSTILE, "now", "nan", "-0", "1e5", "2026-W01", "24:00", "P1D"]),
)


@settings(derandomize=True, max_examples=120, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS, CELLS), max_size=6))
def test_no_cell_can_crash_it_and_no_row_is_lost_silently(rows):
    """Any mixture of cells: each row is kept or listed, and what is kept obeys the contract."""
    frame = pd.DataFrame(
        rows, columns=["deal_id", "amount", "created_at", "close_date", "outcome"], dtype="object"
    )
    before = frame.copy(deep=True)
    result = conform("deals", frame, time_zone="America/New_York")
    pd.testing.assert_frame_equal(frame, before)
    rejected = result.problems.loc[result.problems["action"] == "row rejected", "row"].nunique()
    assert len(result.frame) + rejected == len(frame)
    assert result.frame["deal_id"].is_unique
    assert not (result.frame["amount"] < 0).any()
    assert np.isfinite(result.frame["amount"].dropna()).all()


def test_row_labels_of_the_input_do_not_matter():
    """A filtered frame has holes in its index; rows are counted by place."""
    frame = pd.DataFrame({"deal_id": ["a", "b"], "amount": ["1", "-1"]}, index=[40, 7])
    result = conform("deals", frame)
    assert result.frame["deal_id"].tolist() == ["a", "b"]
    assert result.problems["row"].tolist() == [2]


def test_columns_of_the_same_name_are_refused():
    """Two columns called amount: which one counts cannot be told."""
    frame = pd.DataFrame([["1", 5, 6]], columns=["deal_id", "amount", "amount"])
    with pytest.raises(TableError, match="amount"):
        conform("deals", frame)
