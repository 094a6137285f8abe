"""The store: what goes in comes out, at every version, whoever else writes or dies meanwhile."""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ConnectorError, StoreError
from connectors.lake import delta, syncs
from connectors.lake.changes import schema, within
from connectors.store import Store
from kpi.conform import conform
from kpi.tables import TABLES, TableError

WRITER = Path(__file__).with_name("store_writer.py")
VALUES = {
    "id": ["007", "7", "é 'x'; drop table deals--"],
    "text": ["<script>alert(1)</script>", None, "=1+1"],
    "time": ["2026-11-01T10:00:00.123456Z", None, "1999-12-31T23:59:59Z"],
    "date": ["2026-02-28", None, "2024-02-29"],
    "money": [0.1 + 0.2, None, 0.0],
    "number": [-1.5, None, 1e300],
    "whole": [2**53 + 1, None, -3],
    "flag": [True, None, False],
}
WON = {"object": "deal", "record_id": "2", "changed_at": "2026-11-02", "stage_id": "won"}
HALF = {
    "deals": [{"deal_id": "1", "amount": 99.0}, {"deal_id": "2", "amount": 99.0}],
    "history": [WON],
}


def example(name):
    """Three rows that hold every kind of value, the second null wherever it may be."""
    columns = {}
    for column in TABLES[name].columns:
        values = list(VALUES[column.kind])
        if column.values:
            values = [column.values[0], None, column.values[-1]]
        if column.required and values[1] is None:
            values[1] = values[0]
        dtype = "Int64" if column.kind == "whole" else None
        columns[column.name] = pd.Series(values, dtype=dtype)
    return conform(name, pd.DataFrame(columns)).frame


def deals(*rows):
    return pd.DataFrame(list(rows), columns=["deal_id", "amount"])


def amounts(store, sync=None):
    frame = store.frames(sync)["deals"]
    return dict(zip(frame["deal_id"], frame["amount"], strict=True))


def ordered(frame):
    return frame.sort_values(list(frame.columns)[:4], ignore_index=True)


def writer(*arguments):
    command = [sys.executable, str(WRITER), *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def on_disk(folder, text):
    """Files that hold the text: any column of any Parquet file, or the bytes of any other."""
    found = []
    for path in filter(Path.is_file, folder.rglob("*")):
        raw = text.encode() in path.read_bytes()
        if path.suffix == ".parquet":
            rows = duckdb.read_parquet(str(path)).to_arrow_table().to_pandas()
            raw = raw or any(
                rows[c].astype("str").str.contains(text, regex=False).any() for c in rows
            )
        if raw:
            found.append(path)
    return found


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "my störe #1 100% ?")


@pytest.fixture
def monthly(store):
    """Three syncs, of September, October and November."""
    store.merge({"deals": deals(("1", 10.0))}, source="crm", as_of="2026-09-30")
    store.merge({"deals": deals(("1", 20.0), ("2", 5.0))}, source="crm", as_of="2026-10-31")
    store.merge({"deals": deals(("3", 7.0))}, source="crm", as_of="2026-11-15")
    return store


@pytest.mark.parametrize("name", TABLES)
def test_every_table_comes_back_as_it_went_in(store, name):
    """Values, nulls, ids and dtypes survive, read as a frame and read by DuckDB."""
    frame = example(name)
    assert len(frame) >= 2
    store.merge({name: frame}, source="crm", as_of="2026-11-01")
    back = store.frames()[name]
    pd.testing.assert_frame_equal(ordered(back), ordered(frame))
    read = duckdb.read_parquet(store.files()[name]).to_arrow_table().to_pandas()
    again = conform(name, read[TABLES[name].names]).frame
    pd.testing.assert_frame_equal(ordered(again), ordered(frame))


def test_nothing_is_made_before_the_first_merge(tmp_path):
    """Naming, looking and asking for a watermark leave the disk alone."""
    store = Store(tmp_path / "new")
    assert store.watermark("deals", "crm") is None
    assert not Store.exists(store.path)
    assert list(tmp_path.iterdir()) == []
    store.merge({}, source="crm", as_of=date(2026, 11, 1))
    assert Store.exists(store.path)
    assert store.frames() == {}


def test_rows_are_updated_by_key(store):
    """A known key is changed, a new one added, a removed one leaves; all are counted."""
    store.merge({"deals": deals(("007", 1.0), ("7", 2.0))}, source="crm", as_of="2026-11-01")
    result = store.merge(
        {"deals": deals(("7", 3.0), ("8", None))},
        source="crm",
        as_of="2026-11-02",
        remove={"deals": ["007", "not there"]},
    )
    frame = store.frames()["deals"].set_index("deal_id")["amount"]
    assert frame["7"] == 3.0
    assert pd.isna(frame["8"])
    assert sorted(frame.index) == ["7", "8"]
    assert result.counts.to_dict("records") == [
        {"table": "deals", "new": 1, "changed": 1, "removed": 1, "rejected": 0}
    ]


def test_a_value_that_becomes_missing_is_a_change(store):
    """Null overwrites: what the CRM no longer says is not kept."""
    store.merge({"deals": deals(("1", 1.0))}, source="crm", as_of="2026-11-01")
    result = store.merge({"deals": deals(("1", None))}, source="crm", as_of="2026-11-01")
    assert store.frames()["deals"]["amount"].isna().all()
    assert result.counts["changed"].sum() == 1


@pytest.mark.parametrize(
    ("name", "row", "change"),
    [
        pytest.param(
            "stages",
            {"object": "deal", "pipeline_id": None, "stage_id": "won", "position": 1},
            {"position": 2},
            id="stage without a pipeline",
        ),
        pytest.param(
            "history",
            {"object": None, "record_id": "1", "changed_at": "2026-11-01", "stage_id": None},
            {"amount": 5.0},
            id="change of no stage",
        ),
        pytest.param(
            "quotas",
            {"owner_id": "1", "period_start": "2026-11-01", "deal_type": None, "amount": 1.0},
            {"amount": 2.0},
            id="quota for all business",
        ),
    ],
)
def test_null_in_a_key_equals_null(store, name, row, change):
    """The same row twice is one row, though part of its key is missing."""
    store.merge({name: pd.DataFrame([row])}, source="csv", as_of="2026-11-01")
    result = store.merge({name: pd.DataFrame([row | change])}, source="csv", as_of="2026-11-01")
    frame = store.frames()[name]
    assert len(frame) == 1
    assert result.counts[["new", "changed"]].to_numpy().tolist() == [[0, 1]]
    (column, value) = next(iter(change.items()))
    assert frame[column].tolist() == [value]


def test_the_same_merge_twice_writes_rows_once(store):
    """A repeated sync names the same versions, and adds no file."""
    frames = {name: example(name) for name in TABLES}
    marks = {"deals": "2026-11-01"}
    for _ in range(2):
        result = store.merge(frames, source="crm", as_of="2026-11-01", watermark=marks)
    first, second = store.syncs()["versions"]
    assert first == second
    assert result.counts[["new", "changed", "removed"]].to_numpy().sum() == 0


def test_a_table_without_a_key_is_replaced_whole(store):
    """Costs have no key: equal rows count as often as they stand there."""
    cost = {"month": "2026-10-01", "category": "tools", "amount": 10.0}
    store.merge({"costs": pd.DataFrame([cost, cost])}, source="csv", as_of="2026-11-01")
    assert len(store.frames()["costs"]) == 2
    result = store.merge({"costs": pd.DataFrame([cost])}, source="csv", as_of="2026-11-01")
    assert len(store.frames()["costs"]) == 1
    assert result.counts[["new", "removed"]].to_numpy().tolist() == [[0, 1]]
    store.merge({}, source="csv", as_of="2026-11-01", watermark={"costs": "x"})
    assert len(store.frames()["costs"]) == 1


def test_a_complete_frame_lets_the_rest_leave(monthly):
    """With `replace`, rows that did not come leave; without it they stay."""
    result = monthly.merge(
        {"deals": deals(("3", 7.0))}, source="csv", as_of="2026-11-20", replace=["deals"]
    )
    assert amounts(monthly) == {"3": 7.0}
    assert result.counts["removed"].tolist() == [2]


def test_the_history_of_a_removed_deal_leaves_with_it(store):
    """History of the deal goes, that of a lead with the same id stays."""
    rows = [("deal", "1"), (None, "1"), ("lead", "1"), ("deal", "2")]
    history = pd.DataFrame(rows, columns=["object", "record_id"]).assign(changed_at="2026-11-01")
    frames = {"deals": deals(("1", 1.0), ("2", 1.0)), "history": history}
    store.merge(frames, source="crm", as_of="2026-11-01")
    store.merge({}, source="crm", as_of="2026-11-02", remove={"deals": ["1"]})
    left = store.frames()["history"]
    assert sorted(zip(left["object"], left["record_id"], strict=True)) == [
        ("deal", "2"),
        ("lead", "1"),
    ]


def test_a_table_without_rows_has_no_files(store):
    """An empty table and one whose rows all left read as empty canonical frames."""
    frames = {"owners": example("owners").head(0), "deals": deals(("1", 1.0))}
    store.merge(frames, source="crm", as_of="2026-11-01")
    store.merge({}, source="crm", as_of="2026-11-01", remove={"deals": ["1"]})
    assert store.files() == {"deals": [], "owners": []}
    pd.testing.assert_frame_equal(store.frames()["owners"], example("owners").head(0))


def test_rejected_rows_are_returned(store):
    """A row without its id is not stored, not lost: it is counted and listed."""
    result = store.merge(
        {"deals": deals(("1", 1.0), (None, 2.0))}, source="crm", as_of="2026-11-01"
    )
    assert result.counts["rejected"].tolist() == [1]
    assert result.problems[["table", "row", "action"]].to_numpy().tolist() == [
        ["deals", 2, "row rejected"]
    ]
    assert store.syncs()["rejected"].tolist() == [1]


def test_the_watermark_stands_in_the_commit_of_the_rows(store):
    """It is in the log entry that adds the file, and readers get that of the last sync."""
    store.merge(
        {"deals": deals(("1", 1.0))},
        source="hubspot",
        as_of="2026-11-01",
        watermark={"deals": "2026-11-01T08:00:00Z"},
    )
    version = json.loads(store.syncs()["versions"].iloc[-1])["deals"]
    log = store.path / "deals" / "_delta_log" / f"{version:020d}.json"
    kinds = [json.loads(line) for line in log.read_text().splitlines()]
    assert any("add" in kind for kind in kinds)
    assert any("2026-11-01T08:00:00Z" in str(kind.get("commitInfo")) for kind in kinds)
    assert store.watermark("deals", "hubspot") == "2026-11-01T08:00:00Z"
    assert store.watermark("deals", "salesforce") is None
    assert store.watermark("leads", "hubspot") is None


def test_watermarks_of_other_sources_stay(store):
    """A sync of one source, or a compaction or purge, keeps what is known of the other."""
    given = {"deals": "a"}
    store.merge({"deals": deals(("1", 1.0))}, source="x", as_of="2026-11-01", watermark=given)
    named = {"deals": {"y.modified": "b"}}
    store.merge({"deals": deals(("2", 1.0))}, source="y", as_of="2026-11-01", watermark=named)
    store.merge({"deals": deals(("3", 1.0))}, source="z", as_of="2026-11-01")
    store.compact(keep_days=0)
    store.purge("deals", ["3"])
    assert (store.watermark("deals", "x"), store.watermark("deals", "y.modified")) == ("a", "b")


def test_earlier_syncs_can_be_opened(monthly):
    """By number, or by date: the last sync before later data came in."""
    assert amounts(monthly, 1) == {"1": 10.0}
    assert amounts(monthly, date(2026, 11, 14)) == {"1": 20.0, "2": 5.0}
    assert amounts(monthly) == {"1": 20.0, "2": 5.0, "3": 7.0}
    assert monthly.as_of(date(2026, 10, 31)) == date(2026, 10, 31)
    assert monthly.as_of() == date(2026, 11, 15)
    assert monthly.syncs()["sync_id"].tolist() == [1, 2, 3]


def test_a_date_never_sees_later_data(monthly):
    """A sync of older data on top of newer does not pass for an old state."""
    monthly.merge({"deals": deals(("4", 1.0))}, source="csv", as_of="2026-10-15")
    assert amounts(monthly, date(2026, 10, 31)) == {"1": 20.0, "2": 5.0}


@pytest.mark.parametrize(
    ("which", "says"),
    [
        pytest.param(9, "no sync 9 .* 1 to 3", id="number"),
        pytest.param(date(2026, 1, 1), "no sync is as old as 2026-01-01", id="date"),
    ],
)
def test_a_sync_that_is_not_there_is_named(monthly, which, says):
    """The message says which syncs there are."""
    with pytest.raises(StoreError, match=says):
        monthly.files(which)


def test_a_reader_keeps_its_version(monthly):
    """Files opened before a merge read the same after it."""
    before = monthly.files()["deals"]
    query = "select sum(amount), count(*) from read_parquet(?)"
    first = duckdb.execute(query, [before]).fetchall()
    changed = deals(("1", 1000.0), ("9", 1.0))
    monthly.merge({"deals": changed}, source="crm", as_of="2026-11-16")
    assert duckdb.execute(query, [before]).fetchall() == first
    assert amounts(monthly)["1"] == 1000.0


def test_writers_at_the_same_time_lose_and_double_nothing(store):
    """Three processes merge at once; every row is there once, every sync has its number."""
    running = [writer("compete", store.path, name, 4) for name in "abc"]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    ids = store.frames()["deals"]["deal_id"].tolist()
    assert sorted(ids) == sorted([f"{n}-{i}" for n in "abc" for i in range(4)] + ["shared"])
    assert store.syncs()["sync_id"].tolist() == list(range(1, 13))
    versions = [json.loads(text)["deals"] for text in store.syncs()["versions"]]
    assert versions == sorted(versions)


def test_a_sync_published_late_hides_nothing_newer(monthly, monkeypatch):
    """Another sync built on our rows and was listed first: the list still names the newer rows."""
    real = syncs.publish

    def overtaken(*args, **options):
        monkeypatch.setattr(syncs, "publish", real)
        Store(monthly.path).merge({"deals": deals(("b", 2.0))}, source="b", as_of="2026-11-16")
        return real(*args, **options)

    monkeypatch.setattr(syncs, "publish", overtaken)
    monthly.merge({"deals": deals(("a", 1.0))}, source="a", as_of="2026-11-16")
    assert monthly.syncs()["source"].tolist()[-2:] == ["b", "a"]
    assert amounts(monthly).keys() == {"1", "2", "3", "a", "b"}


def test_a_commit_that_keeps_meeting_others_gives_up_in_words(store, monkeypatch):
    """The attempts are bounded; the message says what to do."""
    store.merge({"deals": deals(("1", 1.0))}, source="crm", as_of="2026-11-01")
    folder = store.path / "deals"
    real = delta.changes

    def overtaken(table, *args, **options):
        delta.append(delta.opened(folder), delta.schema(table).empty_table(), {})
        return real(table, *args, **options)

    monkeypatch.setattr(delta, "changes", overtaken)
    monkeypatch.setattr(delta, "LONGEST_WAIT", 0.0)
    with pytest.raises(StoreError, match=r"deals could not be saved in 12 attempts.*sync again"):
        store.merge({"deals": deals(("2", 1.0))}, source="crm", as_of="2026-11-01")
    assert amounts(store) == {"1": 1.0}


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_writer_that_dies_half_way_changes_nothing_for_readers(store, after):
    """Killed with 0, 1 or 2 tables committed: readers see the sync before; the next repeats it."""
    known = deals(("1", 1.0))
    marks = {"deals": "2026-11-01"}
    store.merge({"deals": deals(("0", 0.0))}, source="crm", as_of="2026-11-01")
    store.merge({"deals": known}, source="crm", as_of="2026-11-01", watermark=marks)
    process = writer("stall", store.path, after, json.dumps(HALF))
    assert process.stdout.readline() == "stalled\n"
    process.kill()
    process.communicate()
    if after:
        assert DeltaTable(str(store.path / "deals")).count() == 3
    assert amounts(store) == {"0": 0.0, "1": 1.0}
    assert list(store.files()) == ["deals"]
    assert store.watermark("deals", "crm") == "2026-11-01"
    store.compact(keep_days=400)
    assert amounts(store) == {"0": 0.0, "1": 1.0}
    assert store.watermark("deals", "crm") == "2026-11-01"
    store.merge({"accounts": example("accounts")}, source="csv", as_of="2026-11-01")
    assert amounts(store) == {"0": 0.0, "1": 1.0}
    assert store.watermark("deals", "crm") == "2026-11-01"
    frames = {name: pd.DataFrame(rows) for name, rows in HALF.items()}
    store.merge(frames, source="crm", as_of="2026-11-02")
    assert amounts(store) == {"0": 0.0, "1": 99.0, "2": 99.0}
    assert len(store.frames()["history"]) == 1


def test_compaction_keeps_the_syncs_asked_for(store):
    """Kept syncs read as before; the rest say that they were let go; nothing changes in the rows."""
    now = datetime.now(UTC)
    for age, row in [(90, ("1", 1.0)), (60, ("2", 2.0)), (10, ("1", 3.0)), (1, ("2", 4.0))]:
        store.merge(
            {"deals": deals(row)},
            source="crm",
            as_of="2026-11-01",
            finished_at=now - timedelta(days=age),
        )
    before = {sync: amounts(store, sync) for sync in (3, 4)}
    assert before[3] == {"1": 3.0, "2": 2.0}
    assert store.compact(keep_days=30) == 1
    assert {sync: amounts(store, sync) for sync in (3, 4)} == before
    assert amounts(store) == before[4]
    assert len(store.files()["deals"]) == 1
    for sync in (1, 2):
        with pytest.raises(StoreError, match=f"sync {sync} .*older than 30 days.*open sync 3"):
            store.files(sync)
    assert store.syncs()["kind"].tolist() == ["sync"] * 4 + ["compact"]
    assert store.compact(keep_days=30) == 0
    assert amounts(store, 3) == before[3]


def test_compaction_spares_what_a_running_sync_has_written(monthly):
    """A fresh file that no version names may be about to be committed: it stays."""
    fresh = monthly.path / "deals" / "part-running.parquet"
    fresh.write_bytes(b"not yet committed")
    monthly.compact(keep_days=0)
    assert fresh.exists()


def test_a_purge_leaves_no_trace_on_disk(store):
    """Neither files nor logs of any version hold the person; the rest of the data is whole."""
    person = "Private-Person 4711"
    people = pd.DataFrame({"deal_id": ["p-4711", "2", "3"], "name": [person, "b", "c"]})
    history = pd.DataFrame(
        {"object": "deal", "record_id": ["p-4711", "2"], "status": [person, "x"]}
    )
    frames = {"deals": people, "history": history.assign(changed_at="2026-11-01")}
    store.merge(frames, source="crm", as_of="2026-11-01", watermark={"deals": "w"})
    store.merge({"deals": people.assign(amount=5.0)}, source="crm", as_of="2026-11-02")
    store.merge({}, source="crm", as_of="2026-11-03", remove={"deals": ["3"]})
    assert on_disk(store.path, person)
    assert on_disk(store.path, "p-4711")
    result = store.purge("deals", ["p-4711"])
    assert on_disk(store.path, person) == []
    assert on_disk(store.path, "p-4711") == []
    assert store.frames()["deals"]["deal_id"].tolist() == ["2"]
    assert store.frames()["history"]["record_id"].tolist() == ["2"]
    assert dict(zip(result.counts["table"], result.counts["removed"], strict=True)) == {
        "deals": 1,
        "history": 1,
    }
    assert store.syncs()["kind"].tolist()[-1] == "purge"
    assert store.as_of() == date(2026, 11, 3)
    with pytest.raises(StoreError, match=r"sync 1 .*purged for privacy in sync 4; open sync 4"):
        store.frames(1)


def test_a_purge_reaches_records_that_left_before(monthly):
    """A record only in older versions goes too, and doing it again is no error."""
    monthly.merge({}, source="crm", as_of="2026-11-16", remove={"deals": ["2"]})
    assert "2" in amounts(monthly, 3)
    for _ in range(2):
        monthly.purge("deals", ["2"])
    versions = [json.loads(text)["deals"] for text in monthly.syncs()["versions"]]
    assert versions[-3] < versions[-2] < versions[-1], "a commit that turns running syncs back"
    paths = [str(path) for path in (monthly.path / "deals").glob("*.parquet")]
    assert sorted(duckdb.read_parquet(paths).to_arrow_table().to_pandas()["deal_id"]) == ["1", "3"]


def test_a_purge_does_not_rely_on_the_clock(monthly):
    """Old files go even where their dates are later than the purge (copied folders, coarse clocks)."""
    later = datetime.now(UTC).timestamp() + 3600
    for path in (monthly.path / "deals").glob("*.parquet"):
        os.utime(path, (later, later))
    monthly.purge("deals", ["2"])
    for path in (monthly.path / "deals").glob("*.parquet"):
        assert "2" not in [row[0] for row in duckdb.read_parquet(str(path)).fetchall()]


@pytest.mark.parametrize("name", ["1", "2", "3"], ids=["changes a row", "purged row", "new row"])
def test_a_purge_turns_back_a_sync_that_runs(monthly, monkeypatch, name):
    """A sync that began before the purge starts again: nothing purged returns by its files."""
    real = delta.changes
    purged = []

    def purge_meanwhile(*args, **options):
        change = real(*args, **options)
        if not purged:
            purged.append("2")
            Store(monthly.path).purge("deals", purged)
        return change

    monkeypatch.setattr(delta, "changes", purge_meanwhile)
    monthly.merge({"deals": deals((name, 50.0))}, source="crm", as_of="2026-11-16")
    expected = {"1": 20.0, "3": 7.0} | {name: 50.0}
    assert amounts(monthly) == expected
    for path in (monthly.path / "deals").glob("*.parquet"):
        rows = duckdb.read_parquet(str(path)).fetchall()
        assert not [row for row in rows if row[0] == "2" and name != "2"]


@pytest.mark.parametrize("name", ["history", "costs", "stages"])
def test_records_without_an_id_of_their_own_cannot_be_removed(monthly, name):
    """The message says which tables have one."""
    with pytest.raises(StoreError, match=r"removed from .* by id; expected one of \['leads'"):
        monthly.purge(name, ["1"])


def test_an_older_store_that_lacks_a_column_opens_and_grows(store):
    """A canonical column added later reads as null, and is filled by the next merge."""
    columns = [f for f in delta.schema(TABLES["deals"]) if f.name not in ("margin", "closed_at")]
    delta.created(store.path / "deals", pa.schema(columns))
    old = pa.Table.from_pylist([{"deal_id": "1", "amount": 4.0}], schema=pa.schema(columns))
    write_deltalake(str(store.path / "deals"), old, mode="append")
    store.merge({}, source="old", as_of="2026-11-01", watermark={"deals": "w"})
    assert store.frames()["deals"]["margin"].isna().all()
    new = deals(("2", 4.0)).assign(margin=1.5, closed_at="2026-11-01")
    store.merge({"deals": new}, source="crm", as_of="2026-11-02")
    assert dict(store.frames()["deals"][["deal_id", "margin"]].dropna().to_numpy()) == {"2": 1.5}
    assert len(store.frames()["deals"]) == 2


def test_a_folder_that_is_no_store_says_so(tmp_path):
    """Reading it names the folder and what to do; a file or a bad path is refused at once."""
    for read in (Store.syncs, Store.files, Store.frames, Store.as_of, Store.compact):
        with pytest.raises(StoreError, match=r"is not a store .*run a sync first"):
            read(Store(tmp_path))
    with pytest.raises(ConnectorError, match="is not a store"):
        Store(tmp_path).purge("deals", ["1"])
    (tmp_path / "deals.csv").write_text("deal_id\n")
    with pytest.raises(StoreError, match="is a file"):
        Store(tmp_path / "deals.csv")
    for name in ("a%20b", "[client]", "a*"):
        with pytest.raises(StoreError, match="choose a path without"):
            Store(tmp_path / name)


def test_a_damaged_table_says_which(monthly):
    """A log that cannot be read is named, with what to do."""
    for log in (monthly.path / "deals" / "_delta_log").iterdir():
        log.unlink()
    with pytest.raises(StoreError, match=r"deals cannot be opened.*backup"):
        monthly.files()


def test_deleted_files_are_told_apart_from_purged_ones(monthly):
    """Files another program deleted are not taken for an empty table."""
    for path in monthly.files()["deals"]:
        Path(path).unlink()
    with pytest.raises(StoreError, match="deleted by another program"):
        monthly.frames()


def test_a_table_that_cannot_be_written_says_so(monthly, tmp_path):
    """Neither the library's error nor a retry: the folder, and what to check."""
    for path in monthly.files()["deals"]:
        Path(path).unlink()
    with pytest.raises(StoreError, match=r"deals cannot be changed .*disk has room"):
        monthly.merge({"deals": deals(("1", 0.5))}, source="crm", as_of="2026-11-16")
    (tmp_path / "note.txt").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be changed"):
        Store(tmp_path / "note.txt" / "store").merge({}, source="crm", as_of="2026-11-16")


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        pytest.param({"as_of": "1.11.2026"}, StoreError, "as_of = '1.11.2026'", id="as_of"),
        pytest.param({"replace": ["leads"]}, StoreError, "no frame of it", id="replace"),
        pytest.param({"remove": {"costs": ["1"]}}, StoreError, "by id", id="remove"),
        pytest.param({"remove": {"deals": "12"}}, StoreError, "letter by letter", id="one id"),
        pytest.param({"watermark": {"deal": "1"}}, TableError, "no table is called", id="mark"),
        pytest.param({"frames": {"deal": deals()}}, TableError, "no table is called", id="name"),
        pytest.param({"frames": {"deals": pd.DataFrame()}}, TableError, "lacks", id="column"),
    ],
)
def test_a_merge_that_cannot_be_meant_writes_nothing(store, options, error, says):
    """Every argument is checked before the first file is written."""
    usable = {"frames": {"deals": deals(("1", 1.0))}, "source": "crm", "as_of": "2026-11-01"}
    arguments = usable | options
    with pytest.raises(error, match=says):
        store.merge(arguments.pop("frames"), **arguments)
    assert not store.path.exists()


@given(
    files=st.lists(st.lists(st.text("aAé9", max_size=3).filter(bool), min_size=1), max_size=4),
    wanted=st.lists(st.text("aAé9", max_size=3), max_size=4),
)
@settings(max_examples=25, deadline=None)
def test_records_are_found_whichever_file_holds_them(tmp_path_factory, files, wanted):
    """Files are passed over by the first and the last id in them, whatever the ids look like."""
    store = Store(tmp_path_factory.mktemp("files") / "store")
    for number, ids in enumerate(files):
        store.stage({"deals": deals(*[(one, number) for one in sorted(set(ids))])}, source="csv")
    last = {one: number for number, ids in enumerate(files) for one in ids}
    found = store.staged("deals", ["deal_id", "amount"], wanted)
    held = {one: last[one] for one in wanted if one in last}
    assert dict(zip(found["deal_id"], found["amount"], strict=True)) == held
    assert len(found) == len(held)


def test_files_that_cannot_hold_a_record_are_not_read(tmp_path):
    """A store of many files is not read whole for a few records."""
    store = Store(tmp_path / "store")
    for letter in "abc":
        store.stage({"deals": deals((f"{letter}1", 1.0), (f"{letter}2", 2.0))}, source="csv")
    paths = delta.files(store.path / "deals")
    assert len(paths) == 3
    rows = delta.dataset(paths, schema(TABLES["deals"]))
    near = within(rows, "deal_id", pa.array(["b1"]))
    assert [part.path for part in near.get_fragments()] == [
        path for path in paths if "b1" in pq.read_table(path)["deal_id"].to_pylist()
    ]
