"""Streams of records: what is given, in which order, and up to which place."""

import gc
import threading
import time
from itertools import count, islice

import pytest

from connectors.errors import ScopeError
from connectors.hubspot.streams import Wanted, listed, named, searched

SOON = 5.0
START = 1_700_000_000_000
PLAIN = Wanted("companies", ["name", "country"])
WITH_HISTORY = Wanted("deals", ["dealname"], ["dealstage"])


class Account:
    """Stands in for the client: pages of ids as given, records of all but those that are `gone`."""

    def __init__(self, *pages, gone=(), found=(), refuses=False):
        self.held, self.gone, self.found, self.refuses = pages, set(gone), found, refuses
        self.asked, self.read_at_once = [], []
        self.api = self

    def map(self, work, items):
        return map(work, items)

    def pages(self, kind, properties=(), *, after=None):
        self.asked.append((kind, list(properties), after))
        first = 0 if after is None else int(after)
        for number, ids in enumerate(self.held[first:], first + 1):
            yield [{"id": i} for i in ids], str(number) if number < len(self.held) else None

    def read(self, kind, ids, properties, history=()):
        if self.refuses:
            raise ScopeError("the token lacks a scope")
        assert len(ids) <= (50 if history else 100), "more than one call may ask"
        assert ids, "a call for nothing"
        self.read_at_once.append((kind, len(ids), list(properties), list(history)))
        return [{"id": i, "read": True} for i in reversed(ids) if i not in self.gone]

    def search(self, kind, filters, by, limit):
        self.asked.append((kind, filters[0]["propertyName"], by))
        low, high = int(filters[0]["value"]), int(filters[0]["highValue"])
        assert limit == 200
        rows = ((i, ms) for i, ms in self.found if low <= ms <= high)
        return {"results": [{"id": i, "properties": {by: str(ms)}} for i, ms in islice(rows, 200)]}


def numbers(first, last):
    return [str(number) for number in range(first, last + 1)]


def ids(batches):
    return [record["id"] for batch in batches for record in batch.records]


def shape(batches):
    return [(len(batch.records), batch.place) for batch in batches]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """Whatever a test does, the threads it started end."""
    before = set(threading.enumerate())
    yield
    gc.collect()
    assert soon(lambda: set(threading.enumerate()) <= before)


def soon(condition):
    """Wait until it is so; False if it never is."""
    until = time.monotonic() + SOON
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def test_pages_without_history_are_given_as_they_are():
    """One batch a page, with the cursor that follows it; nothing is read a second time."""
    account = Account(numbers(1, 100), [], numbers(101, 130))
    batches = list(listed(account, PLAIN, None))
    assert shape(batches) == [(100, "1"), (0, "2"), (30, None)]
    assert ids(batches) == numbers(1, 130)
    assert account.asked == [("companies", ["name", "country"], None)]
    assert account.read_at_once == []


def test_only_the_last_part_of_a_page_has_its_place():
    """With history a page is read in fifties: half a page is no place to go on from."""
    account = Account(numbers(1, 100), numbers(101, 160), numbers(161, 200), numbers(201, 300))
    batches = list(listed(account, WITH_HISTORY, None))
    assert shape(batches) == [
        (50, None),
        (50, "1"),
        (50, None),
        (10, "2"),
        (40, "3"),
        (50, None),
        (50, None),
    ]
    assert sorted(ids(batches), key=int) == numbers(1, 300)
    assert {record["read"] for batch in batches for record in batch.records} == {True}
    assert account.asked == [("deals", ["hs_object_id"], None)], "the list gives only ids"


def test_batches_are_read_with_all_that_is_wanted():
    """Properties and history go into every call."""
    account = Account(numbers(1, 70))
    list(listed(account, WITH_HISTORY, None))
    assert account.read_at_once == [
        ("deals", 50, ["dealname"], ["dealstage"]),
        ("deals", 20, ["dealname"], ["dealstage"]),
    ]


def test_a_page_without_records_passes_its_place_on():
    """Whether it came empty, or its records are gone by the time they are read; no call is made."""
    account = Account([], ["1"], ["2", "3"], [], gone=["1", "2"])
    batches = list(listed(account, WITH_HISTORY, None))
    assert shape(batches) == [(0, "1"), (0, "2"), (1, "3"), (0, None)]
    assert [size for _, size, _, _ in account.read_at_once] == [1, 2]


@pytest.mark.parametrize("wanted", [PLAIN, WITH_HISTORY], ids=["plain", "history"])
def test_a_list_goes_on_from_any_of_its_places(wanted):
    """What came up to a place, and the list from there, are all records."""
    held = [numbers(1, 100), [], numbers(101, 160), numbers(161, 163)]
    batches = list(listed(Account(*held), wanted, None))
    for number, batch in enumerate(batches):
        if batch.place is not None:
            account = Account(*held)
            rest = list(listed(account, wanted, batch.place))
            assert account.asked[0][2] == batch.place
            assert set(ids(batches[: number + 1])) | set(ids(rest)) == set(numbers(1, 163))


def test_a_search_gives_its_places_in_order():
    """Milliseconds: nothing older is missing; parts of a page have none."""
    found = [(str(number), START + number // 30) for number in range(420)]
    account = Account(found=found, gone=["17"])
    batches = list(searched(account, WITH_HISTORY, START, START + 50))
    assert sorted(ids(batches), key=int) == [str(n) for n in range(420) if n != 17]
    assert shape(batches) == [
        *[(49, None), (50, None), (50, None), (50, str(START + 6))],
        *[(50, None), (50, None), (50, None), (30, str(START + 12))],
        (40, str(START + 51)),
    ]


def test_a_search_that_finds_nothing_still_comes_forward():
    """One empty batch, with the end of the span as its place; nothing is read."""
    account = Account()
    assert shape(searched(account, WITH_HISTORY, START, START + 9)) == [(0, str(START + 10))]
    assert account.read_at_once == []


@pytest.mark.parametrize(
    ("kind", "modified"), [("contacts", "lastmodifieddate"), ("deals", "hs_lastmodifieddate")]
)
def test_contacts_have_a_property_of_their_own_for_changes(kind, modified):
    """The search filters and sorts by it."""
    account = Account()
    list(searched(account, Wanted(kind, []), START, START))
    assert account.asked == [(kind, modified, modified)]


@pytest.mark.parametrize(
    ("wanted", "sizes"), [(PLAIN, [100, 100, 20]), (WITH_HISTORY, [50, 50, 50, 50, 20])]
)
def test_records_by_name_have_no_place(wanted, sizes):
    """As many at once as a call may ask; those that are gone are absent."""
    account = Account(gone=["7"])
    batches = list(named(account, wanted, iter(numbers(1, 220))))
    assert [size for _, size, _, _ in account.read_at_once] == sizes
    assert {batch.place for batch in batches} == {None}
    assert set(ids(batches)) == set(numbers(1, 220)) - {"7"}
    assert list(named(account, wanted, [])) == []


def test_an_error_comes_after_the_batches_before_it():
    """What was fetched can be saved, and its place is known."""

    class Breaking(Account):
        def pages(self, *arguments, **options):
            yield from islice(super().pages(*arguments, **options), 2)
            raise OSError("broken")

    batches = []
    with pytest.raises(OSError, match="broken"):
        batches.extend(listed(Breaking(["1"], ["2"], ["3"]), WITH_HISTORY, None))
    assert shape(batches) == [(1, "1"), (1, "2")]


def endless():
    return ((str(number), START + number) for number in count())


def test_a_consumer_that_stops_ends_searching_and_reading():
    """No search is made after that, though there is no end of what could be found."""
    account, before = Account(found=endless()), threading.active_count()
    stream = searched(account, WITH_HISTORY, START, START + 10**9)
    assert len(list(islice(stream, 2))) == 2
    stream.close()
    del stream
    assert soon(lambda: threading.active_count() <= before)


def test_a_refusal_to_read_ends_the_search():
    """Also while the error is kept, as a sync does to report it at its end."""
    account, before = Account(found=endless(), refuses=True), threading.active_count()
    kept = None
    try:
        list(searched(account, WITH_HISTORY, START, START + 10**9))
    except ScopeError as error:
        kept = error
    assert kept is not None
    assert soon(lambda: threading.active_count() <= before)
