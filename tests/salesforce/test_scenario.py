"""An org that never stands still, on a bad day: once it does stand still, the store equals it.

Every fault that a correct client survives is on: sessions that end, places that are lost, server
errors, cut and slow replies, changes that show late, ten thousand records in one second.
"""

import threading
from collections import Counter

import pytest
from salesforce.harness import LAG

from connectors.sandbox.salesforce import SURVIVABLE


class Life:
    """Lets something happen in the org every so often, as long as the block runs."""

    def __init__(self, org, every, n, seed):
        self._org, self._every, self._n, self._seed = org, every, n, seed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live)
        self.events = 0

    def _live(self):
        while not self._stop.wait(self._every):
            self.events += 1
            self._org.mutate(self._n, seed=self._seed + self.events)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def live_through(here, *, syncs, between, every, during):
    """Sync while the org changes, then once more when it does not."""
    org, faults = here.org, here.server.faults
    happened = 0
    for turn in range(syncs):
        with Life(org, every, during, seed=1_000 * (turn + 1)) as life:
            here.sync(way="app")
        happened += life.events
        org.mutate(between, seed=turn)
        if turn == 0:
            faults.switch("same_second", on=True)  # again, now that windows have to find them
        org.advance(200)
    faults.switch("moving", on=False)
    org.advance(2 * LAG)
    here.sync(way="app")
    return happened


def assert_bad_day(here):
    """The faults were met, and nothing was sent that should not be."""
    statuses = Counter(here.statuses())
    assert statuses[401], statuses
    assert statuses[400], statuses  # places lost, time-outs
    assert sum(statuses[s] for s in (406, 420, 429, 500, 502, 503)) >= 3, statuses
    assert not statuses[414] + statuses[431], statuses
    assert here.server.faults.moves > 10
    assert not here.server.writes
    assert all("TODAY" not in query for query in here.queries())
    return statuses


def test_a_moving_org_on_a_bad_day(crm, settled):
    here = crm(600, seed=5, now=None, years=1.0, faults=SURVIVABLE)
    here.org.not_in_bulk |= {"LeadHistory"}
    happened = live_through(here, syncs=2, between=120, every=0.3, during=3)
    here.same()
    assert happened > 3
    assert_bad_day(here)


@pytest.mark.campaign
def test_a_large_moving_org_on_a_bad_day(crm):
    """Stages and formulas change too: then everything is read anew, in the midst of it."""
    here = crm(25_000, seed=25, now=None, faults=SURVIVABLE)
    happened = live_through(here, syncs=4, between=1_500, every=2.0, during=10)
    here.org.advance(86_400)
    here.sync(way="app")
    here.same()
    assert happened > 20
    assert_bad_day(here)
