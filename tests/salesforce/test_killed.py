"""A sync killed at any moment: readers see a complete state, and the next sync goes on from there.

Each sync is a process of its own, ended by SIGKILL at a seeded random moment.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from salesforce.harness import FIELDS, LAG

from connectors.sandbox.salesforce import TOKEN
from connectors.store import Store

WORKER = Path(__file__).parent / "sync_worker.py"
LONGEST = 120  # seconds for one sync

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")


class Syncs:
    """Runs syncs of a `Crm` in processes that can be killed."""

    def __init__(self, crm, *, page=30):
        order = {"store": str(crm.store.path), "url": crm.server.url, "token": TOKEN}
        self._order = order | {"page": page, "lag": LAG, "fields": FIELDS}
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )

    def run(self, kill_after=None):
        """Sync, and kill it after so many seconds; return whether it was killed, and the seconds."""
        began = time.monotonic()
        self._process.stdin.write(json.dumps(self._order | {"kill_after": kill_after}) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        assert code in (0, -signal.SIGKILL), "the sync failed: see the captured output"
        return code != 0, time.monotonic() - began

    def end(self):
        self._process.stdin.close()
        self._process.wait(LONGEST)
        self._process.stdout.close()


class Reader:
    """Looks at the store after each kill, as a notebook would."""

    def __init__(self, crm):
        self._crm, self._seen, self._sync = crm, None, 0

    def look(self):
        """Assert that what is shown is complete, and that no watermark is ahead of its rows."""
        store = Store(self._crm.store.path)
        if not Store.exists(store.path) or not list((store.path / "syncs").glob("*.parquet")):
            assert self._sync == 0, "the store has vanished"
            return
        frames, last = store.frames(), int(store.syncs()["sync_id"].max())
        if last == self._sync:
            for name, frame in frames.items():
                pd.testing.assert_frame_equal(_sorted(frame), _sorted(self._seen[name]))
        self._seen, self._sync = frames, last
        self._assert_whole(frames)
        truth = self._crm.org.truth(fields=FIELDS)
        for table in ("deals", "leads"):
            self._assert_mark(store, table, frames[table], truth[table])
        self._assert_past(store, frames["history"], truth["history"])

    def _assert_whole(self, frames):
        known = {"deal": set(frames["deals"]["deal_id"]), "lead": set(frames["leads"]["lead_id"])}
        for word, ids in known.items():
            rows = frames["history"][frames["history"]["object"] == word]
            assert set(rows["record_id"]) <= ids, "history of a record that is not there"
        deals = frames["history"].loc[frames["history"]["object"] == "deal", "record_id"]
        assert set(deals) == known["deal"], "deals without their history"

    def _assert_mark(self, store, table, rows, truth):
        """Every record not changed since the watermark is there, as it is in the org."""
        mark = pd.Timestamp(store.watermark(table, "salesforce"))
        key = f"{table[:-1]}_id"
        stamps = truth.set_index(key)["updated_at"]
        due = stamps[stamps <= mark]
        have = rows.set_index(key)["updated_at"].reindex(due.index)
        late = due.index[(have != due).to_numpy()]
        assert not len(late), f"{table} {list(late[:3])} changed before the watermark {mark}"

    def _assert_past(self, store, rows, truth):
        """Every change before the watermark of a record that is shown is there too."""
        mark = pd.Timestamp(store.watermark("history", "salesforce.OpportunityHistory"))
        of_deals = truth[truth["stage_id"].notna() & truth["object"].eq("deal")]
        due = of_deals[(of_deals["changed_at"] <= mark)]
        due = due[due["record_id"].isin(rows["record_id"])]
        key = ["record_id", "changed_at", "stage_id"]
        have = pd.MultiIndex.from_frame(rows[key].astype(str))
        want = pd.MultiIndex.from_frame(due[key].astype(str))
        assert want.isin(have).all(), f"changes before the watermark {mark} are missing"


def _sorted(frame):
    return frame.sort_values(list(frame.columns[:4]), ignore_index=True)


def campaign(crm, *, kills, opportunities, seed):
    """Kill until so many syncs have died, in first loads and later ones; return how many of each."""
    chance = random.Random(seed)
    done = {"first": 0, "later": 0}
    number = 0
    while sum(done.values()) < kills:
        number += 1
        here = crm(opportunities, seed + number, now=None)
        syncs, reader = Syncs(here), Reader(here)
        usual, finished, rounds = 1.5, 0, 6
        try:
            while finished < rounds and sum(done.values()) < kills:
                was_killed, took = syncs.run(kill_after=chance.uniform(0.02, usual))
                reader.look()
                if was_killed:
                    done["later" if finished else "first"] += 1
                    usual *= 1.1  # so that every sync ends some day
                else:
                    finished, usual = finished + 1, max(took, 0.5)
                if not was_killed or chance.random() < 0.3:
                    here.org.mutate(25, seed=chance.randrange(10**6))
                    here.wait()
            syncs.run()  # ends what was begun
            here.wait()
            syncs.run()
            reader.look()
            here.same()
        finally:
            syncs.end()
    return done


def test_killed_at_ten_moments(crm, settled):
    done = campaign(crm, kills=10, opportunities=40, seed=3)
    assert sum(done.values()) == 10


@pytest.mark.campaign
def test_killed_at_a_hundred_moments(crm, settled):
    done = campaign(crm, kills=70, opportunities=120, seed=11)
    assert min(done.values()) >= 10


@pytest.mark.campaign
def test_killed_while_stages_and_formulas_change_too(crm):
    done = campaign(crm, kills=30, opportunities=120, seed=77)
    assert sum(done.values()) == 30
