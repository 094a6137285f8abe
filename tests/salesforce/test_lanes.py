"""Objects fetched side by side and handed out one after the other; nothing is left when it ends."""

import threading
import time

import pandas as pd
import pytest

from connectors.errors import ApiError
from connectors.salesforce.context import KINDS
from connectors.salesforce.lanes import FETCHED, SHAPED, SIDE_BY_SIDE, Lanes
from connectors.salesforce.save import Work
from connectors.salesforce.streams import Batch

PAGES = 12
SOON = 5.0


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
    assert soon(lambda: set(threading.enumerate()) <= before)


def shaped(kind, batch):
    return Work(None, {kind.name: batch.rows}, {}, len(batch.rows), batch.place, batch.left)


class Org:
    """Gives pages; one object may fail, or be worked on for as long as somebody waits."""

    def __init__(self, fails="", hangs=""):
        self.fails, self.hangs = fails, hangs
        self.made = dict.fromkeys([kind.name for kind in KINDS], 0)
        self.begun = []

    def opened(self, kind, ended):
        self.begun.append(kind.name)
        if kind.name == self.hangs:
            assert ended.wait(SOON), "nobody said that it is over"
            raise ApiError("nobody waits")
        for number in range(PAGES):
            if kind.name == self.fails and number == 2:
                raise ApiError(kind.name)
            self.made[kind.name] += 1
            yield Batch(pd.DataFrame({"Id": [f"{kind.name}{number}"]}), {"page": number})


def test_pages_come_in_the_order_of_objects_and_pages():
    org = Org()
    lanes = Lanes(KINDS, org.opened, shaped)
    found = [(kind.name, w.place["page"]) for kind in KINDS for w in lanes.taken(kind)]
    lanes.close()
    assert found == [(kind.name, number) for kind in KINDS for number in range(PAGES)]


def test_the_next_object_is_fetched_meanwhile_and_no_other():
    org = Org()
    lanes = Lanes(KINDS, org.opened, shaped)
    ahead = FETCHED + SHAPED + 2  # of each thread one is in its hands
    first, second = (kind.name for kind in KINDS[:SIDE_BY_SIDE])
    assert soon(lambda: org.made[second] == ahead)
    works = lanes.taken(KINDS[0])
    next(works)
    assert soon(lambda: org.made[first] == ahead + 1)
    time.sleep(0.05)
    assert (org.made[first], org.made[second]) == (ahead + 1, ahead)
    assert sorted(org.begun) == sorted([first, second])
    works.close()
    lanes.close()


def test_an_error_comes_at_its_turn_and_the_others_go_on():
    org = Org(fails=KINDS[1].name)
    lanes = Lanes(KINDS, org.opened, shaped)
    assert len(list(lanes.taken(KINDS[0]))) == PAGES
    works = lanes.taken(KINDS[1])
    assert [next(works).place["page"] for _ in range(2)] == [0, 1]
    with pytest.raises(ApiError, match=KINDS[1].name):
        next(works)
    assert len(list(lanes.taken(KINDS[2]))) == PAGES
    lanes.close()


def test_closing_ends_an_object_that_the_org_still_works_on():
    org = Org(hangs=KINDS[1].name)
    lanes = Lanes(KINDS, org.opened, shaped)
    next(lanes.taken(KINDS[0]))
    assert soon(lambda: KINDS[1].name in org.begun)
    began = time.monotonic()
    lanes.close()
    assert time.monotonic() - began < SOON / 2


def test_objects_done_before_are_passed_over():
    org = Org()
    lanes = Lanes(KINDS[3:], org.opened, shaped)
    assert len(list(lanes.taken(KINDS[5]))) == PAGES
    lanes.close()
