"""A sync that dies and goes on: readers see all or nothing, and nothing is doubled or lost.

Run as a program, it is such a sync, which kills itself at one of its steps.
"""

import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from connectors.errors import StoreError
from connectors.lake import delta, syncs
from connectors.resumable import LISTED, Resumable
from connectors.store import Store
from kpi.conform import PROBLEMS
from kpi.tables import TableError

DAY = date(2026, 11, 2)
MARKS = {"deals": "2026-11-02T08:00:00Z", "history": "2026-11-02T08:00:00Z"}


def deals(*rows):
    return pd.DataFrame(list(rows), columns=["deal_id", "amount"])


def moves(*ids):
    rows = [{"object": "deal", "record_id": i, "changed_at": "2026-11-01"} for i in ids]
    return pd.DataFrame(rows).assign(stage_id="won")


CHUNKS = [
    {"deals": deals(("1", "20"), ("2", "5"), ("3", "a lot")), "history": moves("1", "2")},
    {"deals": deals(("4", "7"), ("5", "8"), ("6", "")), "history": moves("4", "6")},
]
GOING = {"deals": ["9"]}
"""A deal of the earlier sync that leaves with the second chunk."""
WHOLE = {"1": 20.0, "2": 5.0, "3": None, "4": 7.0, "5": 8.0, "6": None}


def sync(path):
    """Save both chunks, the place after each, and publish; as a connector does."""
    run = Resumable(Store(path), "crm", "settings")
    for number in range(run.state.get("place", 0), len(CHUNKS)):
        run.add(CHUNKS[number], remove=GOING if number else None)
        run.state["place"] = number + 1
        run.save()
    result = run.publish(DAY, MARKS)
    run.done()
    return result


STEPS = {
    "before the first table": (delta, "save", 1),
    "between two tables": (delta, "save", 2),
    "between commit and note": (Resumable, "save", 1),
    "while the note is written": (os, "fsync", 1),
    "between the note of rows and that of the place": (Resumable, "save", 2),
    "after a chunk": (delta, "save", 3),
    "between commit and note of the second chunk": (Resumable, "save", 3),
    "before the watermarks": (delta, "save", 5),
    "between two watermarks": (delta, "save", 6),
    "before readers see it": (syncs, "publish", 1),
    "before it is forgotten": (Resumable, "done", 1),
}
PUBLISHED = "before it is forgotten"


def die(path, step):
    """Sync, and be killed on the way into a step."""
    home, name, turn = STEPS[step]
    real, seen = getattr(home, name), 0

    def deadly(*arguments, **options):
        nonlocal seen
        seen += 1
        if seen == turn:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)

    setattr(home, name, deadly)
    sync(path)


def held(store, number=None):
    """Amounts by deal, as readers see them."""
    frame = store.frames(number)["deals"]
    amounts = frame["amount"].astype("object").where(frame["amount"].notna(), None)
    pairs = list(zip(frame["deal_id"], amounts, strict=True))
    assert len(pairs) == len(dict(pairs)), "each deal once"
    return dict(pairs)


def progress(store):
    return store.path / "crm.progress.json"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "störe")


@pytest.fixture
def earlier(store):
    """One sync is there: a deal that will change, and one that will leave."""
    frames = {"deals": deals(("1", 10.0), ("9", 1.0)), "history": moves("9")}
    store.merge(frames, source="crm", as_of="2026-11-01", watermark={"deals": "earlier"})
    return store


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("step", STEPS)
def test_a_killed_sync_is_finished_by_the_next(earlier, step):
    """Readers keep the old state until all is there; then each row is there once."""
    program = [sys.executable, __file__, str(earlier.path), step]
    dead = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    if step != PUBLISHED:
        assert held(earlier) == {"1": 10.0, "9": 1.0}
        assert earlier.frames()["history"]["record_id"].tolist() == ["9"]
        assert earlier.watermark("deals", "crm") == "earlier"
        assert earlier.watermark("history", "crm") is None
        assert earlier.syncs()["sync_id"].tolist() == [1]
    result = sync(earlier.path)
    assert held(earlier) == WHOLE
    assert sorted(earlier.frames()["history"]["record_id"]) == ["1", "2", "4", "6"]
    assert earlier.watermark("deals", "crm") == MARKS["deals"]
    assert earlier.watermark("history", "crm") == MARKS["history"]
    assert result.problems[["key", "value"]].to_numpy().tolist() == [["3", "a lot"]]
    assert not progress(earlier).exists()
    assert held(earlier, 1) == {"1": 10.0, "9": 1.0}, "the state before can still be opened"


def test_a_first_sync_shows_nothing_before_its_end(store):
    """There is no store for readers until it is published, and no watermark."""
    run = Resumable(store, "crm", "settings")
    assert not run.resumed
    run.add(CHUNKS[0])
    for read in (store.frames, store.files, store.as_of, store.syncs):
        with pytest.raises(StoreError, match=r"is not a store|has not finished"):
            read()
    assert not Store.exists(store.path)
    assert store.watermark("deals", "crm") is None
    assert sorted(store.staged("deals")["deal_id"]) == ["1", "2", "3"]
    run.publish(DAY, MARKS)
    assert sorted(held(store)) == ["1", "2", "3"]
    assert store.watermark("deals", "crm") == MARKS["deals"]
    assert store.as_of() == DAY


def test_progress_survives_the_process(store):
    """What `state` holds after a save is there for the next one, with counts and versions."""
    run = Resumable(store, "crm", "settings")
    run.add(CHUNKS[0])
    run.state |= {"place": "after=17", "kinds": {"deals": {"since": None}}, "done": ["companies"]}
    run.save()
    again = Resumable(Store(store.path), "crm", "settings")
    assert again.resumed
    assert again.state == run.state
    again.add(CHUNKS[1])
    counts = again.publish(DAY, MARKS).counts.set_index("table")[["new", "changed"]]
    assert counts.loc["deals"].tolist() == [6, 0]
    assert counts.loc["history"].tolist() == [4, 0]
    assert held(store) == WHOLE


def test_what_was_not_saved_is_not_remembered(store):
    """Only what stands in the file counts, so the state is never ahead of the rows."""
    run = Resumable(store, "crm", "settings")
    run.add(CHUNKS[0])
    run.state["place"] = 1
    again = Resumable(store, "crm", "settings")
    assert again.resumed
    assert again.state == {}


def test_the_file_is_never_ahead_of_the_rows(store):
    """A place that was set before its chunk is written down after it: here the chunk fails."""
    run = Resumable(store, "crm", "settings")
    run.add(CHUNKS[0])
    run.state["place"] = 1
    with pytest.raises(TableError):
        run.add({"deals": pd.DataFrame({"amount": [1.0]})})
    assert Resumable(store, "crm", "settings").state == {}


def test_a_finished_sync_is_forgotten(store):
    """The next one begins anew, and doing so twice is no error."""
    sync(store.path)
    run = Resumable(store, "crm", "settings")
    assert (run.resumed, run.state) == (False, {})
    run.done()


def test_sources_do_not_share_progress(store):
    """Each has a file of its own."""
    run = Resumable(store, "crm", "settings")
    run.state["place"] = 1
    run.save()
    assert Resumable(store, "other", "settings").state == {}
    assert Resumable(store, "crm", "settings").state == {"place": 1}


@pytest.fixture
def begun(store):
    """A sync that has saved its first chunk."""
    run = Resumable(store, "crm", "settings")
    run.add(CHUNKS[0])
    run.state["place"] = 1
    run.save()
    return store


def test_other_settings_begin_anew(begun):
    """Neither place, nor counts, nor problems of before; the file is then that of the new sync."""
    run = Resumable(begun, "crm", "other settings")
    assert (run.resumed, run.state) == (False, {})
    run.add({"deals": deals(("1", 1.0))})
    assert not Resumable(begun, "crm", "settings").resumed
    result = run.publish(DAY, {})
    assert result.counts["table"].tolist() == ["deals"]
    assert result.problems.empty


def test_what_a_sync_that_is_not_continued_left_can_be_told(begun):
    """Its rows are among those staged, its state is at hand: a connector compares, and lets go."""
    assert Resumable(begun, "crm", "settings").dropped == {}
    run = Resumable(begun, "crm", "other settings")
    assert run.dropped == {"place": 1}
    left = set(begun.staged("deals")["deal_id"]) - {"1"}
    assert left == {"2", "3"}
    run.add({"deals": deals(("1", 1.0))}, remove={"deals": left})
    assert Resumable(begun, "crm", "other settings").dropped == {}
    run.publish(DAY, {})
    assert held(begun) == {"1": 1.0}


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _text: b"", id="empty"),
        pytest.param(lambda text: text[: len(text) // 2], id="cut off"),
        pytest.param(lambda text: b"\0" * len(text), id="zeros"),
        pytest.param(lambda _text: b"\xff\xfe", id="no text"),
        pytest.param(lambda _text: b"{}", id="nothing in it"),
        pytest.param(lambda _text: b"[]", id="a list"),
        pytest.param(lambda _text: b"null", id="null"),
        pytest.param(lambda _text: b'[["settings"]]', id="a list of lists"),
        pytest.param(lambda text: text.replace(b'"state"', b'"place"'), id="another make"),
        pytest.param(lambda text: text[:-1] + b', "more": 1}', id="a newer make"),
    ],
)
def test_a_damaged_file_begins_anew(begun, damage):
    """Which is always right: what is there already is not doubled."""
    file = progress(begun)
    file.write_bytes(damage(file.read_bytes()))
    run = Resumable(begun, "crm", "settings")
    assert (run.resumed, run.state) == (False, {})
    sync(begun.path)
    assert held(begun) == WHOLE


def test_half_a_file_beside_the_file_does_no_harm(begun):
    """It is what a process leaves that was killed while it wrote."""
    progress(begun).with_suffix(".new").write_text('{"settings": ')
    assert Resumable(begun, "crm", "settings").state == {"place": 1}
    sync(begun.path)
    assert held(begun) == WHOLE


@pytest.fixture
def problem():
    row = ["deals", 1, "7", "amount", "a lot", "not a number", "value set to missing"]
    return pd.DataFrame([row], columns=PROBLEMS)


def test_problems_are_kept_for_the_end_and_listed_once(begun, problem):
    """Those found in rows, and those a connector lists; also where a chunk comes twice."""
    run = Resumable(begun, "crm", "settings")
    run.list_problems(problem)
    run.save()
    again = Resumable(begun, "crm", "settings")
    again.list_problems(problem)
    again.add(CHUNKS[0])
    again.add(CHUNKS[1])
    listed = again.publish(DAY, MARKS).problems
    assert sorted(listed["key"]) == ["3", "7"]
    assert listed.columns.tolist() == PROBLEMS


def test_a_problem_that_comes_again_in_another_chunk_is_listed_once(begun):
    """Where a sync goes on, chunks are cut elsewhere: the row number in one means nothing."""
    run = Resumable(begun, "crm", "settings")
    run.add({"deals": CHUNKS[0]["deals"].tail(1)})
    assert run.publish(DAY, MARKS).problems["key"].tolist() == ["3"]


def test_rows_rejected_again_are_counted_once(store):
    """Killed between the note of a chunk and that of the place, it comes once more."""
    chunk = {"deals": deals(("1", 1.0), (None, 2.0))}
    Resumable(store, "crm", "settings").add(chunk)
    run = Resumable(store, "crm", "settings")
    run.add(chunk)
    result = run.publish(DAY, {})
    assert result.counts[["new", "rejected"]].to_numpy().tolist() == [[1, 1]]
    assert len(result.problems) == 1


def test_the_list_of_problems_is_bounded(store, problem):
    """A file that is written after every chunk must not grow without end."""
    run = Resumable(store, "crm", "settings")
    many = pd.concat([problem] * 6_000, ignore_index=True).assign(key=range(6_000))
    run.list_problems(many)
    run.save()
    run = Resumable(store, "crm", "settings")
    run.list_problems(many.assign(key=range(6_000, 12_000)))
    run.save()
    listed = Resumable(store, "crm", "settings").publish(DAY, {}).problems
    assert len(listed) == LISTED == 10_000
    assert json.loads(progress(store).read_text())["unlisted"] == 2_000


def test_a_sync_of_another_table_meanwhile_shows_nothing(earlier):
    """It publishes what it brought, and not what is on its way beside it."""
    run = Resumable(earlier, "crm", "settings")
    run.add(CHUNKS[0])
    cost = {"month": "2026-10-01", "category": "tools", "amount": 10.0}
    earlier.merge({"costs": pd.DataFrame([cost])}, source="csv", as_of="2026-11-02")
    earlier.compact(keep_days=0)
    assert held(earlier) == {"1": 10.0, "9": 1.0}
    assert earlier.watermark("deals", "crm") == "earlier"
    sync(earlier.path)
    assert held(earlier) == WHOLE
    assert len(earlier.frames()["costs"]) == 1


if __name__ == "__main__":
    die(sys.argv[1], sys.argv[2])
