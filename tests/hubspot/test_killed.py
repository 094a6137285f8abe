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

from connectors.sandbox.hubspot import TOKEN
from connectors.store import Store

WORKER = Path(__file__).parent / "sync_worker.py"
LONGEST = 120  # seconds for one sync

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")


class Syncs:
    """Runs syncs of a `Hub` in processes that can be killed."""

    def __init__(self, hub, *, chunk=40, small=20_000):
        order = {"store": str(hub.store.path), "url": hub.server.url, "token": TOKEN}
        self._order = order | {"chunk": chunk, "small": small}
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

    def __init__(self, hub):
        self._hub, self._seen, self._sync = hub, None, 0

    def look(self):
        """Assert that what is shown is complete, and that no watermark is ahead of its rows."""
        store = Store(self._hub.store.path)
        if not Store.exists(store.path) or not list((store.path / "syncs").glob("*.parquet")):
            assert self._sync == 0, "the store has vanished"
            return
        frames, last = store.frames(), int(store.syncs()["sync_id"].max())
        if last == self._sync:
            for name, frame in frames.items():
                pd.testing.assert_frame_equal(_sorted(frame), _sorted(self._seen[name]))
        self._seen, self._sync = frames, last
        self._assert_whole(frames)
        for table in ("deals", "leads"):
            self._assert_mark(store, table, frames[table])

    def _assert_whole(self, frames):
        known = {"deal": set(frames["deals"]["deal_id"]), "lead": set(frames["leads"]["lead_id"])}
        for word, ids in known.items():
            rows = frames["history"][frames["history"]["object"] == word]
            assert set(rows["record_id"]) <= ids, "history of a record that is not there"
            assert len(set(rows["record_id"])) > 0.9 * len(ids), "records without their history"

    def _assert_mark(self, store, table, rows):
        """Every record not changed since the watermark is there, as it is in the account."""
        mark = pd.Timestamp(store.watermark(table, "hubspot"))
        key = f"{table[:-1]}_id"
        truth = self._hub.account.truth()[table].set_index(key)["updated_at"]
        due = truth[truth <= mark]
        have = rows.set_index(key)["updated_at"].reindex(due.index)
        late = due.index[(have != due).to_numpy()]
        assert not len(late), f"{table} {list(late[:3])} changed before the watermark {mark}"


def _sorted(frame):
    return frame.sort_values(list(frame.columns[:4]), ignore_index=True)


def change(account, chance):
    """Let things happen whose modified date tells of them, or that make records vanish."""
    seed = chance.randrange(10**6)
    account.touch(25, seed=seed)
    account.create_deals(3, seed=seed)
    account.create_contacts(3, seed=seed)
    deals = [record.id for record in account.shelves["deals"].records()]
    account.archive("deals", chance.choice(deals[:20]))
    a, b = chance.sample(deals[20:], 2)
    account.merge("deals", a, b)
    victim = chance.choice([d for d in deals[20:] if d not in (a, b)])
    account.gdpr_delete("deals", victim)


def campaign(hub, *, kills, deals, seed, small=20_000):
    """Kill until so many syncs have died, in first loads and later ones; return how many of each."""
    chance = random.Random(seed)
    done = {"first": 0, "later": 0}
    number = 0
    while sum(done.values()) < kills:
        number += 1
        here = hub(deals=deals, seed=seed + number, now=None, leads=bool(number % 2))
        syncs, reader = Syncs(here, small=small), Reader(here)
        usual, finished, rounds = 0.7, 0, 3
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
                    change(here.account, chance)
            syncs.run()  # ends what was begun
            here.account.advance(86_400)  # all is compared once more
            syncs.run()
            reader.look()
            here.same()
        finally:
            syncs.end()
    return done


def test_killed_at_ten_moments(hub):
    done = campaign(hub, kills=10, deals=40, seed=3)
    assert sum(done.values()) == 10


@pytest.mark.campaign
@pytest.mark.parametrize("small", [20_000, 0], ids=["compared", "searched"])
def test_killed_at_fifty_moments_of_each_kind(hub, small):
    done = campaign(hub, kills=50, deals=120, seed=11, small=small)
    assert min(done.values()) >= 5


def test_a_deletion_for_privacy_survives_any_kill(hub):
    """Found, and then killed again and again: in the end no file holds the name."""
    here, chance = hub(deals=40, now=None), random.Random(7)
    deal, firm = here.ids("deals")[11], here.ids("companies")[4]
    here.account.edit("deals", deal, {"dealname": "Zerubbabel Quince"})
    here.account.edit("companies", firm, {"name": "Quincewood Ltd"})
    syncs = Syncs(here)
    try:
        syncs.run()
        here.account.edit("deals", deal, {"dealname": "Zerubbabel Quince-Howell"})
        syncs.run()
        assert any(b"Zerubbabel" in data for data in here.bytes_below().values())
        here.account.gdpr_delete("deals", deal)
        here.account.gdpr_delete("companies", firm)
        found, killed, usual = False, 0, 2.0
        progress = here.store.path / "hubspot.progress.json"
        for _ in range(12):
            was_killed, _ = syncs.run(kill_after=chance.uniform(0.3, usual))
            killed += was_killed
            found |= progress.exists() and str(deal) in progress.read_text()
            if not was_killed:
                break
            usual *= 1.1
        syncs.run()
    finally:
        syncs.end()
    assert killed
    for path, data in here.bytes_below().items():
        assert b"Zerubbabel" not in data, path
        assert b"Quincewood" not in data, path
    here.same()
