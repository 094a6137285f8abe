"""Bulk 2.0 query jobs: made, polled, read by locator, aborted, deleted."""

from dataclasses import dataclass
from typing import Any

from connectors.sandbox.exchange import Reply, Request, ok
from connectors.sandbox.salesforce.errors import not_found, refuse
from connectors.sandbox.salesforce.render import csv_lines, header
from connectors.sandbox.salesforce.soql import Bound, run
from connectors.sandbox.salesforce.soql_parse import Query, parse
from connectors.sandbox.salesforce.state import ADMIN, VERSION, State
from connectors.sandbox.salesforce.wire import DAY, record_id, rest_time
from connectors.sandbox.wire import Json

PAGE = 50_000
KEPT = 7 * DAY
NOT_BULK = {"LeadStatus", "CurrencyType", "DatedConversionRate"}
PAGES_SHOWN = 5


@dataclass
class Job:
    """One job; `polls` are the times its state was asked for, of which it takes `needs`."""

    id: str
    operation: str
    query: Query
    bound: Bound
    created: int
    needs: int
    end_state: str = "JobComplete"
    error: str | None = None
    polls: int = 0
    aborted: bool = False
    reads: int = 0

    @property
    def state(self) -> str:
        """Where it stands."""
        if self.aborted:
            return "Aborted"
        if self.polls > self.needs:
            return self.end_state
        return "InProgress" if self.polls else "UploadComplete"


class Jobs:
    """Answers calls about jobs. `needs` are the polls a job takes, `page` rows a page has at most.

    `fate` lists states in which the next jobs end; `truncate` leaves rows out of the first page,
    the first time it is read; `empty` answers with no body where there are no rows; `last` is the locator
    header at the end of the results (None: no header).
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.jobs: dict[str, Job] = {}
        self.made = 0
        self.needs, self.page = 1, PAGE
        self.fate: list[str] = []
        self.truncate, self.empty = False, False
        self.last: str | None = "null"
        self.refused: set[str] | None = set()

    def create(self, request: Request) -> Reply:
        """Start a job.

        Raises
        ------
        Refusal
            If the query cannot be read, or is nothing for the bulk interface.
        """
        body = request.body
        operation = body.get("operation")
        if operation not in ("query", "queryAll"):
            raise refuse(400, "INVALIDJOB", f"Unable to find object: operation {operation}")
        query = parse(str(body.get("query", "")))
        bound = run(self.state, query, everything=operation == "queryAll")
        self._check(query, bound)
        self.made += 1
        fate = self.fate.pop(0) if self.fate else "JobComplete"
        job = Job(record_id("750", self.made), operation, query, bound, self.state.now, self.needs,
                  fate)  # fmt: skip
        if fate == "Failed" and self.made % 2:
            job.error = "InternalServerError : Retried more than fifteen times"
        self.jobs[job.id] = job
        return ok(self._body(job))

    def _check(self, query: Query, bound: Bound) -> None:
        name = bound.kind.name
        if self.refused is None or name in NOT_BULK | self.refused | self.state.not_in_bulk:
            raise refuse(400, "INVALIDENTITY", f"Entity '{name}' is not supported by the Bulk API.")
        if any(c.field.type == "address" for c in bound.columns):
            raise refuse(400, "API_ERROR", "Selecting compound data not supported in Bulk Query")
        if query.count:
            raise refuse(400, "API_ERROR", "Aggregate functions are not supported in Bulk Query")

    def _find(self, job_id: str) -> Job:
        job = self.jobs.get(job_id)
        if job is None or self.state.now > job.created + KEPT:
            raise not_found()
        return job

    def _body(self, job: Job) -> Json:
        body: dict[str, Any] = {
            "id": job.id,
            "operation": job.operation,
            "object": job.bound.kind.name,
            "createdById": ADMIN,
            "createdDate": rest_time(job.created),
            "systemModstamp": rest_time(job.created),
            "state": job.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(VERSION),
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }
        return body

    def status(self, job_id: str) -> Reply:
        """Say where a job stands; each asking moves it on."""
        job = self._find(job_id)
        job.polls += 1
        body = self._body(job)
        if job.state in ("JobComplete", "Failed"):
            done = len(job.bound.rows) if job.state == "JobComplete" else 0
            body |= {"numberRecordsProcessed": done, "retries": 0, "totalProcessingTime": 3 * done,
                     "isPkChunkingSupported": True}  # fmt: skip
        if job.state == "Failed" and job.error:
            body["errorMessage"] = job.error
        return ok(body)

    def change(self, job_id: str, request: Request) -> Reply:
        """Abort a job."""
        job = self._find(job_id)
        if request.body.get("state") != "Aborted":
            raise refuse(400, "INVALIDJOBSTATE", "A query job can only be aborted")
        if job.state in ("JobComplete", "Failed", "Aborted"):
            raise refuse(400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
        job.aborted = True
        return ok(self._body(job))

    def delete(self, job_id: str) -> Reply:
        """Forget a job that has ended."""
        job = self._find(job_id)
        if job.state not in ("JobComplete", "Failed", "Aborted"):
            raise refuse(400, "INVALIDJOBSTATE", "Deleting a job that has not ended is not allowed")
        del self.jobs[job_id]
        return Reply(204, b"")

    def results(self, job_id: str, request: Request) -> Reply:
        """Answer with a page of the results; every page has a line that names the columns."""
        job = self._complete(job_id)
        size = self._size(request)
        start = self._start(request.one("locator"))
        rows = job.bound.rows[start : start + size]
        end = start + len(rows)
        headers = {"Sforce-NumberOfRecords": str(len(rows))}
        following = _locator(end) if end < len(job.bound.rows) else self.last
        if following is not None:
            headers["Sforce-Locator"] = following
        lines = csv_lines(self.state, job.bound.columns, rows)
        if self._spoilt(job, start, len(rows)):
            lines = lines[: len(lines) * 2 // 3]
        text = header(job.bound.columns) + "".join(lines)
        if not job.bound.rows and self.empty:
            text = ""
        return Reply(200, text.encode(), headers, kind="text/csv; charset=UTF-8")

    def _spoilt(self, job: Job, start: int, rows: int) -> bool:
        job.reads += start == 0
        return self.truncate and rows > 2 and start == 0 and job.reads == 1

    def _complete(self, job_id: str) -> Job:
        job = self._find(job_id)
        if job.state != "JobComplete":
            raise refuse(400, "INVALIDJOBSTATE", f"The job is not complete: {job.state}")
        return job

    def _size(self, request: Request) -> int:
        asked = request.one("maxRecords")
        return min(int(asked) if asked.isdigit() and int(asked) else PAGE, self.page)

    def _start(self, locator: str) -> int:
        if locator in ("", "null"):
            return 0
        try:
            return int(locator, 36) // 7 - 1_000
        except ValueError:
            raise refuse(400, "INVALID_QUERY_LOCATOR", "invalid query locator") from None

    def pages(self, job_id: str, request: Request) -> Reply:
        """List the addresses of up to five pages of results."""
        job = self._complete(job_id)
        size, start = self.page, self._start(request.one("locator"))
        starts = list(range(start, len(job.bound.rows), size)) or [0]
        base = f"/services/data/v{VERSION}/jobs/query/{job.id}"
        shown = [{"resultUrl": f"{base}/results?locator={_locator(n)}"}
                 for n in starts[:PAGES_SHOWN]]  # fmt: skip
        done = len(starts) <= PAGES_SHOWN
        more = "" if done else f"{base}/resultPages?locator={_locator(starts[PAGES_SHOWN])}"
        return ok(
            {"resultPages": shown, "done": done, **({"nextRecordsUrl": more} if more else {})}
        )


def _locator(start: int) -> str:
    """Write where a page starts so that nobody reads it as a number.

    >>> _locator(0), int("5EG", 36) // 7 - 1_000
    ('5EG', 0)
    """
    number, text = (start + 1_000) * 7, ""
    while number:
        number, rest = divmod(number, 36)
        text = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[rest] + text
    return text
