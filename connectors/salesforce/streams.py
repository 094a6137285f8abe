"""Records in the order they are fetched, with how far that order has come: what a sync resumes by."""

from collections.abc import Collection, Generator, Iterator
from datetime import datetime
from threading import Event
from typing import Any, NamedTuple

import pandas as pd

from connectors.ahead import ahead
from connectors.batches import batches
from connectors.errors import ApiError
from connectors.salesforce.bulk import Page
from connectors.salesforce.client import Salesforce
from connectors.salesforce.context import Kind
from connectors.salesforce.errors import (
    BulkUnsupportedError,
    JobLostError,
    LocatorExpiredError,
    QueryTimeoutError,
)
from connectors.salesforce.jobs import ENDED, Job
from connectors.salesforce.query import among, select, where
from connectors.salesforce.records.rows import csv_rows, rows_of

READY = 3
"""Pages of a query fetched in advance."""
PAGE_ROWS = 40_000
"""Records in a page of a bulk job at most: several pages are held in memory at a time."""
PAGE_VALUES = 220_000
"""Values in a page at most: records of many fields come in smaller pages."""
IDS = 200
"""Ids that one query names: an address holds about 16,000 letters."""
SHORTEST = 60.0
"""Seconds of the shortest window that a query is halved down to."""
RESTARTS = 20


class Batch(NamedTuple):
    """Some records as text, and the place up to which every one has now been given.

    ``place``: for a bulk job its id, locator and count; for a query the last moment it reached, and
    the id it came to. ``left``: how many there are from these on, if that is known.
    """

    rows: pd.DataFrame
    place: dict[str, Any] | None
    left: int | None = None


Stream = Generator[Batch, None, None]
"""Whoever leaves one before its end closes it: that ends the thread which reads ahead."""


def whole(
    client: Salesforce,
    kind: Kind,
    fields: list[str],
    conditions: list[str],
    place: dict[str, Any] | None,
    since: tuple[datetime, datetime],
    reader: "Reader",
) -> Stream:
    """Yield every record, deleted ones too: in bulk, or by queries where bulk does not do.

    Parameters
    ----------
    place : dict, optional
        Where an earlier stream stopped; or ``{"job": id}``, a job that was made and not yet read.
    since : pair of datetime
        The whole time, for queries.
    reader : Reader
        Who waits for the job.
    """
    soql = select(kind.name, fields, conditions)
    if place is None or "job" in place:
        try:
            yield from _in_bulk(client, soql, fields, place, reader)
        except BulkUnsupportedError:
            place = None
        else:
            return
    begin, until = since
    yield from changed(client, kind, fields, place, _earliest(client, kind, begin), until)


def _earliest(client: Salesforce, kind: Kind, since: datetime) -> datetime:
    """Return when the first record was stamped: no time before it need be halved."""
    soql = select(kind.name, [kind.cursor], [], [kind.cursor], 1)
    try:
        for page in client.rows(soql, all_rows=True):
            return max(since, datetime.fromisoformat(page[0][kind.cursor]))
    except QueryTimeoutError:
        return since
    return since


class Reader(NamedTuple):
    """Whoever waits for a bulk job.

    ``ended`` is set when nobody does any more, not even for one of hours. ``anew``: an earlier
    program made the job, so that one of our own is made where that one has failed.
    """

    ended: Event
    anew: bool = False

    def told(self, job: Job, first: str | None) -> None:
        """Look at a job under way; `first` is the id of the one to go on with."""
        if self.ended.is_set():
            raise ApiError(f"nobody waits for bulk job {job.id} any more: run the sync again")
        if self.anew and job.id == first and job.state in ENDED - {"JobComplete"}:
            raise JobLostError(
                f"bulk job {job.id} of an earlier sync has {job.state}: run it again"
            )


def _in_bulk(
    client: Salesforce,
    soql: str,
    fields: list[str],
    place: dict[str, Any] | None,
    reader: Reader,
) -> Stream:
    def told(job: Job) -> None:
        reader.told(job, (place or {}).get("job"))

    def pages(at: dict[str, Any]) -> Iterator[Page]:
        rows = max(1, min(PAGE_ROWS, PAGE_VALUES // len(fields)))
        return client.bulk(soql, page_rows=rows, told=told, sleep=reader.ended.wait, **at)

    def read(page: Page) -> Batch:
        at = {"job": page.job, "locator": page.locator, "read": page.read}
        left = None if page.total is None else page.total - page.read + page.records
        return Batch(csv_rows(page.body, fields).frame, at if page.locator else None, left)

    try:
        yield from map(read, pages(place or {}))
    except JobLostError:
        if place is None:
            raise
        yield from map(read, pages({}))


def changed(
    client: Salesforce,
    kind: Kind,
    fields: list[str],
    place: dict[str, Any] | None,
    since: datetime,
    until: datetime,
) -> Stream:
    """Yield the records stamped in a time, deleted ones too, oldest first.

    A query that takes the org too long is asked again for half the time.
    """
    begin = (datetime.fromisoformat(place["upto"]), place["after"]) if place else (since, "")
    yield from ahead(_window(client, kind, fields, begin, until), READY)


def _window(
    client: Salesforce, kind: Kind, fields: list[str], begin: tuple[datetime, str], until: datetime
) -> Stream:
    """Yield the pages of one window; where the place is lost, ask for what is after the last one.

    Parameters
    ----------
    begin : pair of datetime and str
        The moment, and of the records stamped then the id after which to begin.
    """
    (at, last), restarts = begin, 0
    while True:
        conditions = [_after(kind.cursor, at, last), where(kind.cursor, "<=", until)]
        soql = select(kind.name, fields, conditions, [kind.cursor, "Id"])
        try:
            for page in client.rows(soql, all_rows=True):
                rows, restarts = rows_of(page, fields), 0
                at, last = datetime.fromisoformat(page[-1][kind.cursor]), page[-1]["Id"]
                yield Batch(rows, {"upto": at.isoformat(), "after": last})
        except LocatorExpiredError:
            restarts += 1
            if restarts > RESTARTS:
                raise
            continue
        except QueryTimeoutError:
            if (until - at).total_seconds() < SHORTEST:
                raise
            half = (at + (until - at) / 2).replace(microsecond=0)
            yield from _window(client, kind, fields, (at, last), half)
            yield from _window(client, kind, fields, (half, ""), until)
        return


def _after(cursor: str, at: datetime, last: str) -> str:
    """Return the condition of coming after a record; many may share a second."""
    if not last:
        return where(cursor, ">=", at)
    same = f"{where(cursor, '=', at)} AND {where('Id', '>', last)}"
    return f"({where(cursor, '>', at)} OR ({same}))"


def of_ids(
    client: Salesforce,
    name: str,
    fields: list[str],
    key: str,
    ids: Collection[str],
    conditions: Collection[str] = (),
) -> pd.DataFrame:
    """Return the records of an object that name one of these ids, deleted and archived ones too."""

    def one(part: list[str]) -> pd.DataFrame:
        soql = select(name, fields, [among(key, part), *conditions], ["Id"])
        return rows_of((r for page in _again(client, soql) for r in page), fields)

    found = list(client.api.map(one, batches(sorted(ids), IDS)))
    return pd.concat(found, ignore_index=True) if found else rows_of([], fields)


def ids_of(client: Salesforce, name: str) -> Iterator[list[str]]:
    """Yield the ids of every record that is not deleted, archived ones too, in order."""
    last, restarts = "", 0
    while True:
        there = [where("IsDeleted", "=", False)]
        there += [where("Id", ">", last)] if last else []
        try:
            for page in client.rows(select(name, ["Id"], there, ["Id"]), all_rows=True):
                last, restarts = page[-1]["Id"], 0
                yield [record["Id"] for record in page]
        except LocatorExpiredError:
            restarts += 1
            if restarts > RESTARTS:
                raise
            continue
        return


def _again(client: Salesforce, soql: str) -> list[list[dict[str, Any]]]:
    """Read all pages of a query, from the start where the place was lost."""
    for _ in range(RESTARTS):
        try:
            return list(client.rows(soql, all_rows=True))
        except LocatorExpiredError:
            continue
    raise ApiError("a query of Salesforce lost its place again and again: run it again later")
