"""A producer ahead of its consumer: order, errors at their place, and no thread left behind."""

import gc
import signal
import sys
import threading
import time
from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ahead import ahead, begun

SOON = 5.0
"""Seconds after which what should happen soon counts as not happening."""


def soon(condition):
    """Wait until it is so; False if it never is."""
    until = time.monotonic() + SOON
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """Whatever a test does, the threads it started end."""
    before = set(threading.enumerate())
    yield
    gc.collect()
    assert soon(lambda: set(threading.enumerate()) <= before)


class Source:
    """Counts what was asked of it; may fail, or wait, at an item."""

    def __init__(self, fails_at=None, error=None, gate=None):
        self.made, self.closed, self.threads = 0, False, set()
        self.fails_at, self.error, self.gate = fails_at, error, gate

    def __iter__(self):
        try:
            for number in count():
                self.threads.add(threading.current_thread())
                if number == self.fails_at:
                    raise self.error
                if self.gate is not None and number == 3:
                    self.gate.wait(SOON)
                self.made += 1
                yield number
        finally:
            self.closed = True


@given(st.lists(st.one_of(st.none(), st.integers())), st.integers(1, 5))
def test_items_come_as_they_are(items, size):
    """All, in order, None and empty lists too."""
    assert list(ahead(items, size)) == items


def test_nothing_happens_before_the_first_item_is_wanted():
    """No thread, and the source is left alone."""
    source, before = Source(), threading.active_count()
    waiting = ahead(source, 2)
    time.sleep(0.02)
    assert (source.made, threading.active_count()) == (0, before)
    waiting.close()


@pytest.mark.parametrize("taken", [0, 3])
def test_begun_does_not_wait_for_the_first_item_to_be_wanted(taken):
    """It fetches at once; dropping it ends the thread, also where nothing was ever taken."""
    source = Source()
    items = begun(source, 2)
    assert soon(lambda: source.made == 3)
    assert list(islice(items, taken)) == list(range(taken))
    del items
    assert soon(lambda: source.closed)


def test_items_are_made_in_one_other_thread():
    """Never in the consumer's, and never in two."""
    source = Source()
    assert list(islice(ahead(source, 2), 10)) == list(range(10))
    assert len(source.threads) == 1
    assert threading.main_thread() not in source.threads


@pytest.mark.parametrize("size", [1, 3, 20])
def test_the_producer_runs_ahead_and_no_further(size):
    """It fills the room it has, and then holds one item in its hand until there is room."""
    source = Source()
    items = ahead(source, size)
    for taken in range(1, 6):
        next(items)
        assert soon(lambda taken=taken: source.made == taken + size + 1)
        time.sleep(0.02)
        assert source.made == taken + size + 1
    items.close()


@pytest.mark.parametrize(
    "error", [ValueError("broken"), KeyboardInterrupt(), SystemExit(3), StopAsyncIteration()]
)
@pytest.mark.parametrize("at", [0, 1, 7])
def test_an_error_comes_after_the_items_before_it(error, at):
    """The very one, where its item would have been."""
    items, got = ahead(Source(at, error), 3), []
    with pytest.raises(type(error)) as caught:
        got.extend(items)
    assert caught.value is error
    assert got == list(range(at))


def test_an_error_that_nobody_waits_for_does_not_keep_the_thread():
    """The consumer stops before it reaches the error."""
    assert list(islice(ahead(Source(3, ValueError()), 5), 2)) == [0, 1]


def test_a_consumer_that_stops_ends_the_producer():
    """By a break, with the queue full; the source is closed as well."""
    source = Source()
    for item in ahead(source, 2):
        if item == 4:
            break
    assert soon(lambda: source.closed)
    made = source.made
    time.sleep(0.12)
    assert source.made == made <= 5 + 2 + 1


def test_a_consumer_that_fails_ends_the_producer():
    """Its error passes on, the thread does not stay."""
    source = Source()

    def consume():
        for item in ahead(source, 2):
            if item == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    assert soon(lambda: source.closed)


def test_closing_waits_for_the_item_being_made():
    """After `close` nothing of the producer runs any more, so what it uses may be closed too."""
    gate = threading.Event()
    source = Source(gate=gate)
    items = ahead(source, 2)
    assert next(items) == 0
    assert soon(lambda: source.made == 3)
    threading.Timer(0.15, gate.set).start()
    items.close()
    assert gate.is_set()
    assert source.made == 4
    assert not any(thread.is_alive() for thread in source.threads)


def test_one_ahead_of_another_ends_with_it():
    """As searching runs ahead of reading: the end of the outer one ends the inner."""
    source = Source()
    inner = ahead(source, 2)
    outer = ahead((item * 10 for item in inner), 2)
    del inner
    assert list(islice(outer, 3)) == [0, 10, 20]
    outer.close()
    del outer
    assert soon(lambda: source.closed)


@pytest.mark.skipif(sys.platform == "win32", reason="no signal can be sent to one thread")
@pytest.mark.parametrize("waiting", [True, False], ids=["waiting for an item", "between items"])
def test_an_interrupt_of_the_consumer_ends_the_producer(waiting):
    """Ctrl-C where the consumer waits for a slow producer, and where it is at work itself."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("only the main thread is interrupted")
    gate = threading.Event()
    source = Source(gate=gate if waiting else None)

    def interrupt():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(0.1)
        gate.set()

    def consume():
        timer.start()
        for item in ahead(source, 2):
            got.append(item)
            if not waiting and item == 5:
                time.sleep(SOON)

    got, timer = [], threading.Timer(0.2, interrupt)
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            consume()
    finally:
        signal.signal(signal.SIGINT, usual)
        timer.join()
    assert got == list(range(3 if waiting else 6))
    assert soon(lambda: source.closed)
