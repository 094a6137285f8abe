"""Bulk API 2.0: the org works a query out by itself, then its answer is read as pages of CSV.

Every page is counted against what the org says it holds, and the pages together against the job:
neither a page that was cut off nor a header that a proxy took away loses a record unseen.
"""

from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple

from connectors.errors import ApiError
from connectors.salesforce.errors import BulkUnsupportedError
from connectors.salesforce.jobs import Job, Jobs
from connectors.salesforce.limits import Csv
from connectors.salesforce.pages import records_in, with_header
from connectors.salesforce.query import queried, selected

PAGE = 25_000
"""Records in a page at most; the org may send fewer."""
READS = 4
"""How often a page that is not whole is read at most."""
HIDDEN = "without the headers that say where the next one is (does a proxy take them off?)"


class Page(NamedTuple):
    """A page of records.

    Attributes
    ----------
    body : bytes
        CSV with a header row.
    records : int
        Rows after the header; never 0.
    job : str
        Id of the job.
    locator : str or None
        Where the next page is; None after the last one.
    read : int
        Records on this page and all before it.
    total : int or None
        Records of the job; None if the org does not tell.
    """

    body: bytes
    records: int
    job: str
    locator: str | None
    read: int
    total: int | None


class Bulk:
    """Answers to queries in bulk.

    Parameters
    ----------
    jobs : Jobs
        The query jobs of the org.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def pages(
        self,
        soql: str,
        *,
        job: str | None = None,
        locator: str | None = None,
        read: int = 0,
        page_rows: int = PAGE,
        told: Callable[[Job], object] = lambda _job: None,
    ) -> Iterator[Page]:
        """Yield the answer to a query, deleted and archived records included, page by page.

        Where records are missing at the end, all pages are read once more: keep records by id.
        The job is deleted once the iteration is taken to its end, not if it is left before: the
        org keeps it for 7 days, in which a later program can go on after the last page it kept.

        Parameters
        ----------
        soql : str
            Without relations of many, aggregates or compound fields.
        job, locator, read
            Of the last page that was kept, to go on after it with the same query; `job` alone to
            begin with the first page of a job.
        page_rows : int
            Records in a page at most.
        told : callable
            Is shown the job when it was made, whenever it has been looked at, and when it is
            complete.

        Raises
        ------
        BulkUnsupportedError
            If the query is not for the Bulk API, or something between takes headers off its
            pages: use `Salesforce.rows`.
        JobLostError
            If the job to go on with is gone: begin a new one.
        QueryTimeoutError
            If the job does not come any further, or the org gave up on it.
        FieldError, ScopeError
            If a field, or the object, is not there for this user.
        ApiError
            If the job failed, or not all its records arrive.
        """
        begun = self._jobs.begin(soql) if job is None else self._jobs.look(job)
        done = self._jobs.finished(begun, queried(soql), told)
        arrived = yield from self._turn(done, soql, locator, read, page_rows)
        if done.records not in {None, arrived}:
            arrived = yield from self._turn(done, soql, None, 0, page_rows)
        self._jobs.forget(done.id)
        if done.records not in {None, arrived}:
            raise ApiError(
                f"{arrived:,} of the {done.records:,} records of {queried(soql)} arrived in bulk:"
                " run the same command again"
            )

    def _turn(
        self, job: Job, soql: str, locator: str | None, read: int, rows: int
    ) -> Generator[Page, None, int]:
        """Yield the pages from a place on; return how many records there were up to the end."""
        columns = selected(soql)
        while read == 0 or locator is not None:
            body, records, locator = self._page(job, columns, locator, read, rows)
            read += records
            if records:
                yield Page(body, records, job.id, locator, read, job.records)
            elif locator is None:
                break
        return read

    def _page(
        self, job: Job, columns: list[str], locator: str | None, read: int, rows: int
    ) -> tuple[bytes, int, str | None]:
        """Read one page, again if it is not whole: its CSV, its records, and the next place."""
        params = {"maxRecords": rows} | ({"locator": locator} if locator else {})
        why, before = "", b""
        for _ in range(READS):
            page = self._jobs.results(job.id, params)
            body, records = _counted(page.body, columns, twice=page.body == before)
            before = page.body
            following = page.headers.get("Sforce-Locator")
            why = _wrong(page, records, job, read)
            if following and following == locator:
                why = "with itself as the next one"
            if not why and records is not None:
                return body, records, None if following in {None, "", "null"} else following
        if why == HIDDEN and locator and records is not None:
            return body, records, None
        place = f"a page of bulk job {job.id} was read {READS} times, each time {why}"
        if why == HIDDEN:
            raise BulkUnsupportedError(f"{place}; the REST API does without them")
        raise ApiError(f"{place}: run the same command again")


def _counted(body: bytes, columns: list[str], *, twice: bool) -> tuple[bytes, int | None]:
    """Return a page with its header, and how many records it has: None if it is cut off.

    A page that ends without a line break may be cut off; one that came twice so is not.
    """
    if not body.strip():
        return b"", 0
    whole = with_header(body, columns)
    rows = records_in(whole, len(columns), unended=twice)
    return whole, None if rows is None else rows - 1


def _wrong(page: Csv, records: int | None, job: Job, read: int) -> str:
    """Return what is wrong with a page; empty if nothing is."""
    missing = "Sforce-Locator" not in page.headers
    stated = page.headers.get("Sforce-NumberOfRecords", "")
    if records is None or (stated.isdigit() and int(stated) != records):
        return f"cut off ({records or 'some'} of {stated or 'more'} records)"
    if missing and job.records is not None and read + records < job.records:
        return HIDDEN
    return ""
