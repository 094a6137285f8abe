"""Query jobs of the Bulk API 2.0: made, waited for, deleted; each by its id, across programs."""

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from connectors.errors import ApiError, ScopeError
from connectors.salesforce.calls import JobApi
from connectors.salesforce.errors import JobLostError, LocatorExpiredError, QueryTimeoutError
from connectors.salesforce.faults import Fault, error_of
from connectors.salesforce.limits import Csv
from connectors.salesforce.query import queried
from connectors.secret import plain

FIRST_WAIT, LONGEST_WAIT, GROWTH = 0.1, 10.0, 1.5
"""Seconds between two looks at a job: the first, the longest, and how they grow."""
PATIENCE = 3600.0
"""Seconds that a job may take without coming any further."""
ENDED = {"JobComplete", "Failed", "Aborted"}


class Job(NamedTuple):
    """A query job as the org tells of it.

    Attributes
    ----------
    id : str
        With it, and the same query, a later program can go on.
    state : str
        ``UploadComplete``, ``InProgress``, ``JobComplete``, ``Failed`` or ``Aborted``.
    records : int or None
        Records found so far; all of them once it is complete. None if the org does not tell.
    error : str
        Why it failed; often empty even then.
    """

    id: str
    state: str
    records: int | None
    error: str


class Jobs:
    """The query jobs of one org.

    Parameters
    ----------
    api : JobApi
        The session.
    path : str
        Where the jobs are: ``/services/data/v66.0/jobs/query``.
    clock, sleep : callable
        Seconds that never go back; waits for so many.
    """

    def __init__(
        self,
        api: JobApi,
        path: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._api = api
        self._path = path
        self._clock = clock
        self._sleep = sleep

    def begin(self, soql: str) -> Job:
        """Make a job that reads a query, deleted and archived records too.

        Raises
        ------
        BulkUnsupportedError, FieldError, ScopeError
            If it cannot be read so.
        """
        body = {
            "operation": "queryAll",
            "query": soql,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }
        try:
            return _job(self._api.post(self._path, body))
        except ScopeError as error:
            object = error.object or queried(soql)
            raise ScopeError(str(error), object=object, status=error.status) from None

    def look(self, job: str) -> Job:
        """Return a job as it is now.

        Raises
        ------
        JobLostError
            If it is gone.
        """
        return _job(self._found(f"{self._path}/{job}", {}))

    def _found(self, path: str, params: Mapping[str, Any]) -> Any:  # noqa: ANN401 - parsed, or CSV
        """Read something of a job that was there before."""
        try:
            return self._api.get(path, params)
        except ApiError as error:
            if error.status != 404 and not isinstance(error, LocatorExpiredError):
                raise
            lost = error
        raise JobLostError(
            f"GET {path} found nothing: the bulk job is gone, run the same command again for a new"
            " one",
            status=lost.status,
        )

    def finished(self, job: Job, object: str, told: Callable[[Job], object]) -> Job:
        """Wait until a job has ended, and well; `told` is shown it at every look.

        Raises
        ------
        QueryTimeoutError
            If it has not come any further for an hour.
        ApiError
            If it failed or was stopped; the error is that of the query, if the org tells why.
        """
        told(job)
        wait, moved = FIRST_WAIT, self._clock()
        while job.state not in ENDED:
            if self._clock() - moved > PATIENCE:
                self._give_up(job, object)
            self._sleep(wait)
            wait = min(wait * GROWTH, LONGEST_WAIT)
            now = self.look(job.id)
            moved = self._clock() if now != job else moved
            job = now
            told(job)
        if job.state != "JobComplete":
            self.forget(job.id)
            raise _failure(job, object)
        return job

    def _give_up(self, job: Job, object: str) -> None:
        with contextlib.suppress(ApiError):
            self._api.abort(f"{self._path}/{job.id}")
        self.forget(job.id)
        raise QueryTimeoutError(
            f"the bulk query of {object} has not come any further for {PATIENCE / 60:.0f} minutes"
            f" (job {job.id}, {job.state}); it was stopped: run the same command later"
        )

    def results(self, job: str, params: Mapping[str, Any]) -> Csv:
        """Return a page of a job that is complete.

        Raises
        ------
        JobLostError
            If the job, or the place, is gone.
        """
        found: Csv = self._found(f"{self._path}/{job}/results", params)
        return found

    def abandon(self, job: str) -> None:
        """Stop a job, if it still runs, and delete it; if that fails it goes by itself."""
        with contextlib.suppress(ApiError):
            if self.look(job).state not in ENDED:
                self._api.abort(f"{self._path}/{job}")
            self.forget(job)

    def forget(self, job: str) -> None:
        """Delete a job; if that fails it goes by itself after 7 days."""
        with contextlib.suppress(ApiError):
            self._api.delete(f"{self._path}/{job}")


def _job(body: Mapping[str, Any]) -> Job:
    records = body.get("numberRecordsProcessed")
    return Job(
        str(body["id"]),
        str(body["state"]),
        None if records is None else int(records),
        str(body.get("errorMessage") or ""),
    )


def _failure(job: Job, object: str) -> ApiError:
    """Return the error of a job that did not end well."""
    where = f"the bulk query of {object} (job {job.id})"
    coded = re.fullmatch(r"([A-Z_]+)\s*:\s*(.+)", job.error, re.DOTALL)
    made = error_of(Fault(*coded.groups()) if coded else Fault("", job.error), where)
    if made is not None:
        return made
    return ApiError(
        f"{where} ended as {job.state}: {plain(job.error) or 'the org gives no reason'}; see Bulk"
        " Data Load Jobs in Setup, then run the same command again"
    )
