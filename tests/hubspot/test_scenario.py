"""An account that never stands still, on a bad day: once it does stand still, the store equals it.

Every fault that a correct client survives is on: limits met, tokens that end, server errors, cut
and slow replies, an index that lags, 900 properties, ten thousand records in one millisecond.
"""

import threading
from collections import Counter

import pytest

from connectors.sandbox.hubspot import SURVIVABLE, Account

LAG = 6  # the fault lets the index lag by 5 s
DAY = 86_400


class Life:
    """Lets something happen in the account every so often, as long as the block runs."""

    def __init__(self, account, every, n, seed):
        self._account, self._every, self._n, self._seed = account, every, n, seed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live)
        self.events = 0

    def _live(self):
        while not self._stop.wait(self._every):
            self.events += 1
            self._account.mutate(self._n, seed=self._seed + self.events)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def live_through(here, *, syncs, between, every, during):
    """Sync while the account changes, then once more when it does not."""
    account, faults = here.account, here.server.faults
    happened = 0
    for turn in range(syncs):
        with Life(account, every, during, seed=1_000 * (turn + 1)) as life:
            here.sync(oauth=True, lag_seconds=LAG)
        happened += life.events
        account.mutate(between, seed=turn)
        if turn == 0:
            faults.switch("bulk", on=True)  # again, now that search has to find them
        account.advance(20)
    for name in ("moving", "bulk"):
        faults.switch(name, on=False)
    account.advance(DAY)  # the comparison of large objects is due
    here.sync(oauth=True, lag_seconds=LAG)
    return happened


def assert_bad_day(here):
    """The faults were met, and nothing was sent that should not be."""
    statuses = Counter(status for _, _, status in here.server.calls)
    assert statuses[429], statuses
    assert statuses[401], statuses
    assert statuses[207], statuses
    assert sum(statuses[s] for s in (423, 477, 500, 502, 503)) >= 3, statuses
    assert not statuses[400], statuses
    assert not statuses[414], statuses
    assert here.server.faults.moves > 10
    assert not here.server.writes
    assert all("after" not in body for body in here.bodies("/search"))
    return statuses


@pytest.mark.parametrize("deals", [600])
def test_a_moving_account_on_a_bad_day(hub, quick_limits, deals):
    here = hub(deals=deals, now=None, seed=5)
    here.server.limits.low.seconds = 0.9
    here.server.tokens.expire_after = here.server.faults.expire_after = 100
    here.server.faults.error_every = 10  # a small account asks little
    here.server.faults.start(SURVIVABLE)
    happened = live_through(here, syncs=2, between=120, every=0.3, during=3)
    here.same()
    assert happened > 3
    assert_bad_day(here)


@pytest.mark.campaign
def test_a_large_moving_account_on_a_bad_day(hub):
    account = Account.generate(deals=12_345, seed=12_345)
    here = hub(account=account)
    here.server.faults.start(SURVIVABLE)
    happened = live_through(here, syncs=4, between=1_500, every=2.0, during=10)
    here.same()
    assert happened > 20
    statuses = assert_bad_day(here)
    assert sum(statuses.values()) > 3_000
