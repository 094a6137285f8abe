"""Rate limits kept on our side: never more than allowed in any window, and nearly all of it."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.buckets import Bucket


class Clock:
    """Time that passes only when somebody sleeps; a sleeper wakes late, as they do."""

    def __init__(self, late=0.0):
        self.time, self.late = 100.0, late

    def __call__(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds + self.late


def passed(bucket, clock, pauses):
    """Take once after each pause, and return when each call passed."""
    times = []
    for pause in pauses:
        clock.time += pause
        bucket.take()
        times.append(clock.time)
    return times


@given(
    st.integers(1, 6),
    st.floats(0.1, 20),
    st.lists(st.floats(0, 5), max_size=40),
    st.floats(0, 0.5),
)
def test_no_window_ever_holds_more_calls_than_allowed(calls, seconds, pauses, late):
    """Whatever the arrivals, and however late sleepers wake."""
    clock = Clock(late)
    times = passed(Bucket(calls, seconds, clock=clock, sleep=clock.sleep), clock, pauses)
    assert all(b - a > seconds for a, b in zip(times, times[calls:], strict=False))


@pytest.mark.parametrize(("calls", "seconds"), [(190, 10.0), (5, 1.0), (1, 1.0)])
def test_at_least_95_percent_of_the_rate_is_reached(calls, seconds):
    """With sleepers that wake a millisecond late."""
    clock = Clock(late=0.001)
    bucket = Bucket(calls, seconds, clock=clock, sleep=clock.sleep)
    times = passed(bucket, clock, [0.0] * (calls * 20 + 1))
    assert calls * 20 / (times[-1] - times[0]) >= 0.95 * calls / seconds
    assert bucket.waited == pytest.approx(times[-1] - times[0])


def test_threads_share_the_limit():
    """Eight threads take 40 from 10 in a quarter second: three whole windows must pass."""
    bucket = Bucket(10, 0.25)
    began = time.monotonic()
    threads = [threading.Thread(target=lambda: [bucket.take() for _ in range(5)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.75 < time.monotonic() - began < 5


def test_a_pause_stops_everybody_and_the_longest_counts():
    """After a 429 nobody may pass."""
    clock = Clock()
    bucket = Bucket(100, 1.0, clock=clock, sleep=clock.sleep)
    bucket.pause(10)
    bucket.pause(3)
    assert passed(bucket, clock, [0.0]) == [pytest.approx(110.0)]


def test_a_pause_that_comes_while_waiting_counts():
    """Who sleeps already looks again before passing."""
    clock = Clock()

    def sleep(seconds):
        clock.sleep(seconds)
        if clock.time < 105:
            bucket.pause(5)

    bucket = Bucket(1, 1.0, clock=clock, sleep=sleep)
    times = passed(bucket, clock, [0.0, 0.0])
    assert times[1] - times[0] > 5


@pytest.mark.parametrize(("calls", "waits"), [(2, 1.025), (4, 0.0)])
def test_a_changed_limit_counts_the_calls_already_made(calls, waits):
    """The server's headers tell the true limit only after the first reply."""
    clock = Clock()
    bucket = Bucket(3, 1.0, clock=clock, sleep=clock.sleep)
    times = passed(bucket, clock, [0.0, 0.0, 0.0])
    bucket.change(calls, 1.0)
    assert passed(bucket, clock, [0.0])[0] - times[-1] == pytest.approx(waits)


@pytest.mark.parametrize(("calls", "seconds"), [(0, 1.0), (1, 0.0), (1, float("nan"))])
def test_a_limit_that_allows_nothing_is_refused(calls, seconds):
    """A header of 0 must not stop everything for ever."""
    with pytest.raises(ValueError, match="allows none"):
        Bucket(calls, seconds)


def test_the_end_sends_everybody_on():
    """Closing must not wait for a pause to pass."""
    bucket = Bucket(1, 60.0)
    bucket.take()
    waiting = threading.Thread(target=bucket.take)
    waiting.start()
    bucket.end()
    waiting.join(5)
    assert not waiting.is_alive()
