"""Records in the order they are fetched, with how far that order has come: what a sync resumes by."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from connectors.ahead import ahead
from connectors.hubspot import keyset
from connectors.hubspot.client import (
    MODIFIED,
    READ,
    READ_WITH_HISTORY,
    SEARCH_PAGE,
    HubSpot,
    Record,
    batches,
)

READY = 30
"""Batches of records fetched in advance: enough to go on fetching while rows are saved."""
FOUND = 1_000
"""Pages of ids found in advance: searching has a limit of its own, and should not wait."""


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
    """Yield every record, by id. A place is the cursor of HubSpot's list.

    Where history is wanted, the list gives only ids, and batches are read: properties then stand in
    the body of a request, where they may be many.
    """
    if not wanted.history:
        pages = client.pages(wanted.kind, wanted.properties, after=after)
        yield from ahead((Batch(records, place) for records, place in pages), READY)
        return
    ids = (
        ([record["id"] for record in records], place)
        for records, place in client.pages(wanted.kind, ["hs_object_id"], after=after)
    )
    yield from ahead(_read(client, wanted, ids), READY)


def searched(client: HubSpot, wanted: Wanted, since: int, until: int) -> Iterator[Batch]:
    """Yield the records changed in a span of milliseconds, oldest first. A place is a millisecond."""
    modified = MODIFIED[wanted.kind]

    def search(filters: Sequence[Record], by: str) -> keyset.Found:
        page = client.search(wanted.kind, filters, by, SEARCH_PAGE)["results"]
        return [(row["id"], keyset.milliseconds(row["properties"][modified])) for row in page]

    found = ahead(keyset.changed(search, modified, since, until), FOUND)
    ids = ((part, str(upto)) for part, upto in found)
    yield from ahead(_read(client, wanted, ids), READY)


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
