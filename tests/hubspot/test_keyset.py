"""The search walk: nothing missed, nothing outside, however many records share a millisecond."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.hubspot.client import HubSpot
from connectors.hubspot.keyset import SEARCH_PAGE, changed, milliseconds
from connectors.hubspot.streams import Wanted, searched

MODIFIED = "hs_lastmodifieddate"
START = 1_700_000_000_000
PAGE = 200  # HubSpot's, whatever the connector believes it to be


class Index:
    """HubSpot's search over records in memory: first pages only, equal moments in any order.

    `early`: the lower end of a span lets records a millisecond older through. `shuffled`: a page
    is the right one, its rows are in disorder. `leave`: so many records are changed after each
    search, which takes them out of the span.
    """

    def __init__(self, held, *, early=False, shuffled=False, leave=0, seed=0):
        self.held = dict(held)
        self.early, self.shuffled, self.leave = early, shuffled, leave
        self.chance = random.Random(seed)
        self.asked = []

    def __call__(self, filters, by):
        self.asked.append((filters, by))
        found = [row for row in self.held.items() if all(self.meets(row, f) for f in filters)]
        self.chance.shuffle(found)
        found.sort(key=lambda row: row[1] if by == MODIFIED else int(row[0]))
        page = found[:PAGE]
        if self.shuffled:
            self.chance.shuffle(page)
        for name in self.chance.sample(sorted(self.held), min(self.leave, len(self.held))):
            self.held[name] = START + 10_000_000
        return page

    def meets(self, row, given):
        name, ms = row
        value = ms if given["propertyName"] == MODIFIED else int(name)
        low = int(given["value"])
        if low == 0 and given["propertyName"] == MODIFIED:
            raise AssertionError("HubSpot answers 500 to a search from the epoch")
        if given["operator"] == "BETWEEN":
            return low - self.early <= value <= int(given["highValue"])
        return {"EQ": value == low, "GT": value > low}[given["operator"]]


def records(*groups):
    """Records in groups (milliseconds after the one before, how many), ids in no order of time."""
    held, ms, numbers = {}, START, list(range(1, 1 + sum(count for _, count in groups)))
    random.Random(len(numbers)).shuffle(numbers)
    for gap, count in groups:
        ms += gap
        held |= {str(numbers.pop()): ms for _ in range(count)}
    return held


def walked(index, since, until):
    """Walk, hold every promise of `changed` against the index, and return the ids in order."""
    before, seen, found, reached = dict(index.held), [], set(), since
    for ids, upto in changed(index, MODIFIED, since, until):
        seen += ids
        found.update(ids)
        assert upto >= reached, "the place never goes back"
        reached = upto
        older = {i for i, ms in index.held.items() if since <= ms < upto and ms <= until}
        assert older <= found, "what is older than the place has been yielded"
    assert reached >= until or since > until
    assert index.shuffled or len(seen) == len(found), "each id once"
    assert [i for i in seen if not since <= before[i] <= until] == []
    assert {i for i, ms in index.held.items() if since <= ms <= until} <= found
    return seen


def affordable(held, index):
    """Searches that may be needed: a few per full page; with early rows, a few per moment too."""
    moments = len(set(held.values()))
    return 4 * (len(held) // PAGE) + 4 + (4 * moments if index.early else 0)


groups = st.lists(
    st.tuples(
        st.integers(1, 3), st.one_of(st.integers(1, 5), st.sampled_from([99, 199, 200, 201, 400]))
    ),
    max_size=7,
)


@given(
    groups,
    st.integers(-2, 8),
    st.integers(-1, 22),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 0, 1, 40]),
    st.integers(0, 9),
)
@example([(1, 150), (1, 150), (1, 150)], 0, 9, True, False, 0, 0)
@example([(1, 199), (1, 199), (1, 199), (1, 199)], 0, 9, False, True, 0, 1)
@example([(1, 400), (1, 200), (1, 1)], 1, 0, False, False, 40, 2)
@example([(1, 201), (1, 3)], 2, 5, True, False, 0, 3)
def test_every_record_that_stays_in_the_span_is_found(made, since, more, early, mixed, leave, seed):
    """Once each (disorder may repeat one), none outside, few searches, and a truthful place."""
    held = records(*made)
    index = Index(held, early=early, shuffled=mixed, leave=leave, seed=seed)
    walked(index, START + since, START + since + more)
    assert len(index.asked) <= affordable(held, index)


@pytest.mark.parametrize(
    ("made", "searches"),
    [
        pytest.param([], 1, id="nothing"),
        pytest.param([(1, 199)], 1, id="less than a page in one moment"),
        pytest.param([(1, 1)] * 199, 1, id="less than a page"),
        pytest.param([(1, 1)] * 200, 2, id="a page: its last moment is asked again"),
        pytest.param([(1, 200)], 5, id="a page in one moment: by id, then what follows"),
        pytest.param([(1, 3)] * 3_400, 56, id="10,200 spread out"),
        pytest.param([(2, 10_001), (1, 5), (3, 450)], 61, id="10,001 in one moment, and more"),
    ],
)
@pytest.mark.parametrize(
    "trouble", [{}, {"early": True}, {"shuffled": True}, {"leave": 7}], ids=lambda t: str([*t])
)
def test_spans_of_every_shape(made, searches, trouble):
    """All of them, and hardly more searches than pages."""
    held = records(*made)
    index = Index(held, **trouble)
    seen = walked(index, START, START + 20_000)
    if "leave" not in trouble:
        assert set(seen) == set(held)
        assert len(index.asked) <= searches * (2 if trouble else 1)


def test_no_record_of_a_moment_is_lost_where_a_page_ends():
    """The moment in which a page ends is read again: 150 of it were on the page, 100 were not."""
    held = records((5, 50), (1, 250), (1, 250))
    assert set(walked(Index(held), START, START + 100)) == set(held)


def test_a_walk_that_broke_off_goes_on_from_its_place():
    """Whatever is yielded up to a place, and a walk from there, make everything."""
    held = records((1, 150), (1, 401), (1, 150), (2, 90))
    places = [upto for _, upto in changed(Index(held), MODIFIED, START, START + 50)]
    assert len(places) > 4
    for stop in range(len(places)):
        walk = changed(Index(held), MODIFIED, START, START + 50)
        seen = {i for _ in range(stop + 1) for i in next(walk)[0]}
        rest = changed(Index(held), MODIFIED, places[stop], START + 50)
        assert seen | {i for ids, _ in rest for i in ids} == set(held)


def test_the_epoch_itself_is_never_asked_for():
    """A walk from the beginning of time starts a millisecond later."""
    index = Index({"1": 1, "2": START})
    assert walked(index, 0, START) == ["1", "2"]


def test_ids_are_compared_as_numbers():
    """In a moment of more than a page, 1000 comes after 999, not before."""
    held = {str(number): START for number in range(900, 1_200)}
    assert walked(Index(held), START, START) == sorted(held, key=int)


def test_disorder_in_the_pages_of_a_moment_repeats_none():
    """The next page starts after the highest id of the last, wherever on it that stands."""
    index = Index({str(number): START for number in range(1, 2_001)}, shuffled=True)
    seen = walked(index, START, START)
    assert len(seen) == len(set(seen)) == 2_000
    assert len(index.asked) == 12


def test_a_span_without_changes_is_read_to_its_end():
    """One search; the place is the millisecond after the span. A span of no length: none at all."""
    assert list(changed(Index({"1": START}), MODIFIED, START + 1, START + 9)) == [([], START + 10)]
    assert list(changed(Index({"1": START}), MODIFIED, START + 1, START)) == []


class Wire:
    """Answers calls as they go over the wire, and refuses what only an offset would need."""

    def __init__(self, index):
        self.index = index

    def map(self, work, items):
        return map(work, items)

    def post(self, path, body, *, params=None, bucket):
        if path.endswith("/batch/read"):
            return {"results": body["inputs"]}
        assert path.endswith("/search")
        assert params is None
        assert set(body) == {"filterGroups", "sorts", "properties", "limit"}, "no offset, no query"
        assert (bucket, body["limit"]) == ("search", PAGE)
        (group,), (sort,) = body["filterGroups"], body["sorts"]
        assert sort["direction"] == "ASCENDING"
        rows = self.index(group["filters"], sort["propertyName"])
        return {"results": [self.row(name, ms) for name, ms in rows], "paging": {"next": "200"}}

    @staticmethod
    def row(name, ms):
        told = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).isoformat()
        return {"id": name, "properties": {MODIFIED: told.replace("+00:00", "Z")}}


def test_no_search_asks_for_an_offset():
    """Over the wire: only first pages, of 200, sorted upwards, from the search bucket."""
    held = records((1, 401), (1, 300), (1, 1))
    client = HubSpot(Wire(Index(held)))
    batches = searched(client, Wanted("deals", []), START, START + 9)
    assert sorted(row["id"] for batch in batches for row in batch.records) == sorted(held)
    assert SEARCH_PAGE == PAGE


@given(st.integers(0, 4_000_000_000_000))
def test_a_moment_is_read_to_the_millisecond(ms):
    """As HubSpot writes it: with milliseconds, without where they are zero, or as a number."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    whole = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert milliseconds(whole) == ms
    assert milliseconds(str(ms)) == ms
    if ms % 1000 == 0:
        assert milliseconds(whole.replace(".000Z", "Z")) == ms


def test_parts_of_a_millisecond_are_cut_off():
    """A moment never lies after itself."""
    assert milliseconds("2023-02-24T03:01:01.711999Z") == 1_677_207_661_711
