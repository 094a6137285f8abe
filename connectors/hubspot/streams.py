"""Records in the order they are fetched, with how far that order has come: what a sync resumes by."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from connectors.ahead import ahead, begun
from connectors.batches import batches
from connectors.hubspot import keyset
from connectors.hubspot.client import (
    MODIFIED,
    READ,
    READ_WITH_HISTORY,
    SEARCH_PAGE,
    HubSpot,
    Record,
)

READY = 30
"""Batches of records fetched in advance: enough to go on fetching while rows are saved."""
FOUND = 1_000
"""Pages of ids found in advance: only one can be asked for at a time, so that should not wait."""
WALKS, MANY = 8, 2_000
"""Parts of a span of time that are searched side by side, where so many records changed in it."""
LISTED = 100
"""Pages of whole records listed in advance."""


class Batch(NamedTuple):
    """Some records, and the place up to which every one has now been given (None: no new place)."""

    records: list[Record]
    place: str | None


class Wanted(NamedTuple):
    """An object and what to ask of each record."""

    kind: str
    properties: Sequence[str]
    history: Sequence[str] = ()


def listed(client: HubSpot, wanted: Wanted, after: str | None) -> Iterator[Batch]:
    """Yield every record, by id. A place is the cursor of HubSpot's list. Fetching begins at once.

    Where history is wanted, the list gives only ids, and batches are read: properties then stand in
    the body of a request, where they may be many.
    """
    if not wanted.history:
        pages = client.pages(wanted.kind, wanted.properties, after=after)
        return begun((Batch(records, place) for records, place in pages), LISTED)
    ids = (
        ([record["id"] for record in records], place)
        for records, place in client.pages(wanted.kind, ["hs_object_id"], after=after)
    )
    return begun(_read(client, wanted, ahead(ids, FOUND)), READY)


def searched(client: HubSpot, wanted: Wanted, since: int, until: int) -> Iterator[Batch]:
    """Yield the records changed in a span of milliseconds, oldest first. A place is a millisecond."""
    found = ahead(_changed(client, wanted.kind, since, until), FOUND)
    ids = ((part, str(upto)) for part, upto in found)
    return ahead(_read(client, wanted, ids), READY)


def _changed(client: HubSpot, kind: str, since: int, until: int) -> Iterator[tuple[list[str], int]]:
    """Yield what `keyset.changed` does, walking parts of a long way side by side.

    A walk waits for each page before it can ask for the next, so one alone is slower than allowed.
    """
    modified, totals = MODIFIED[kind], []

    def search(filters: Sequence[Record], by: str) -> keyset.Found:
        page = client.search(kind, filters, by, SEARCH_PAGE)
        totals.append(int(page.get("total", 0)))
        rows = page["results"]
        return [(row["id"], keyset.milliseconds(row["properties"][modified])) for row in rows]

    walk = keyset.changed(search, modified, since, until)
    first, upto = next(walk, ([], until + 1))
    yield first, upto
    if totals and totals[0] >= MANY:
        walk = _side_by_side(search, modified, upto, until)
    known = set(first)
    for ids, place in walk:
        yield [i for i in ids if i not in known], place


def _side_by_side(
    search: keyset.Search, modified: str, since: int, until: int
) -> Iterator[tuple[list[str], int]]:
    """Walk equal parts of a span of time, each in a thread of its own; yield them in their order."""
    width = (until - since) // WALKS + 1
    starts = range(since, until + 1, width)
    walks = [
        begun(keyset.changed(search, modified, low, min(low + width - 1, until)), FOUND)
        for low in starts
    ]
    for walk in walks:
        yield from walk


def named(client: HubSpot, wanted: Wanted, ids: Iterable[str]) -> Iterator[Batch]:
    """Yield the records of these ids; those that are gone are absent."""
    yield from ahead(_read(client, wanted, ((part, None) for part in batches(ids, READ))), READY)


def _read(
    client: HubSpot, wanted: Wanted, ids: Iterable[tuple[list[str], str | None]]
) -> Iterator[Batch]:
    size = READ_WITH_HISTORY if wanted.history else READ

    def one(part: tuple[list[str], str | None]) -> Batch:
        if not part[0]:
            return Batch([], part[1])
        records = client.read(wanted.kind, part[0], wanted.properties, wanted.history)
        return Batch(records, part[1])

    yield from client.api.map(one, _parts(ids, size))


def _parts(
    ids: Iterable[tuple[list[str], str | None]], size: int
) -> Iterator[tuple[list[str], str | None]]:
    """Cut into what one call may ask; the place belongs to the last part."""
    for whole, place in ids:
        parts = list(batches(whole, size)) or [[]]
        for part in parts[:-1]:
            yield part, None
        yield parts[-1], place
