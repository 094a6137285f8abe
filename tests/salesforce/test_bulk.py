"""Bulk queries: a scripted org that works at its own pace, cuts pages off, and forgets."""

import csv
import io
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from replies import Reply, serving

from connectors.errors import ApiError, DailyLimitError, ScopeError
from connectors.salesforce import bulk, jobs
from connectors.salesforce.auth import Granting
from connectors.salesforce.bulk import Bulk
from connectors.salesforce.calls import READS, JobApi
from connectors.salesforce.errors import (
    BulkUnsupportedError,
    FieldError,
    JobLostError,
    QueryTimeoutError,
)
from connectors.salesforce.jobs import Jobs
from connectors.salesforce.limits import Limits
from connectors.salesforce.pages import records_in, with_header

JOBS = "/services/data/v66.0/jobs/query"
ID = "750R0000000zlh9IAA"
SOQL = "SELECT Id,Name FROM Lead"
LINES = [f'"{i}","name\n""{i}"", NA"' for i in range(10)]


class Renewing(Granting):
    """A session that always has another token."""

    def __init__(self):
        super().__init__()
        self.turns = 0

    def header(self):
        return f"Bearer token-{self.turns}"

    def refused(self, _used):
        self.turns += 1
        return True


class Org:
    """A server whose job holds `LINES`; `before` are replies that come before the right ones.

    Each of `before` is the end of a path (``results``, the job's id, ``query``) and a reply; it
    comes the first time such a path is asked for.
    """

    def __init__(self, *before, lines=LINES, states=("InProgress", "JobComplete"), **options):
        self.before, self.lines, self.states = list(before), list(lines), list(states)
        self.options = {
            "headers": True,
            "headed": True,
            "ended": True,
            "total": len(self.lines),
            **options,
        }
        self.calls, self.sent, self.alive = [], [], True

    def __call__(self, asked):
        method, address, _, body = asked
        parts = urlsplit(address)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        end = parts.path.rpartition("/")[2]
        self.calls.append((method, end, query))
        self.sent.append(body)
        for case in self.before:
            if case[0] == end and method in {"GET", "POST"}:
                self.before.remove(case)
                return case[1](self, query) if callable(case[1]) else case[1]
        return self.right(method, end, query)

    def right(self, method, end, query):
        if method in {"DELETE", "PATCH"}:
            self.alive = self.alive and method == "PATCH"
            return Reply(204, b"") if method == "DELETE" else Reply(body={"id": ID})
        if end != "query" and not self.alive:
            return Reply(404, [{"errorCode": "NOT_FOUND", "message": "gone"}])
        return self.page(query) if end == "results" else Reply(body=self.job(end))

    def job(self, end):
        state = "UploadComplete" if end == "query" else self.states[0]
        if end != "query" and len(self.states) > 1:
            self.states.pop(0)
        told = {"id": ID, "state": state, "numberRecordsProcessed": self.options["total"]}
        return {**told, "errorMessage": self.options.get("error")}

    def page(self, query):
        start, size = int(query.get("locator", "MA")[2:] or 0), int(query["maxRecords"])
        lines = self.lines[start : start + size]
        head = ['"Id","Name"'] if self.options["headed"] or start == 0 else []
        text = "\n".join([*head, *lines]) + ("\n" if self.options["ended"] else "")
        following = f"MA{start + size}" if start + size < len(self.lines) else "null"
        headers = {"Sforce-NumberOfRecords": len(lines), "Sforce-Locator": following}
        headers = self.options.get("counts", dict)(headers)
        return Reply(200, text.encode(), headers if self.options["headers"] else {})


def cut(at):
    """Cut a right page off."""

    def reply(org, query):
        made = org.page(query)
        return Reply(200, made.body[:at], made.headers)

    return reply


def stripped(org, query):
    """A right page without its headers."""
    return Reply(200, org.page(query).body)


class Reading:
    """Read an org's job to the end, or to the error; waits take no time."""

    def __init__(self, org, *, soql=SOQL, rows=4, take=None, session=None, **more):
        self.pages, self.error, self.seen, self.clock = [], None, [], 0.0
        limits = Limits()
        with serving(*[org] * 1000) as server:
            api = JobApi(
                server.url,
                authorization=session or Renewing(),
                buckets=limits.buckets,
                reads=READS,
                judge=limits.judge,
                longest_wait=0.01,
            )
            with api:
                work = Jobs(api, JOBS, clock=lambda: self.clock, sleep=self.sleep)
                pages = Bulk(work).pages(soql, page_rows=rows, told=self.seen.append, **more)
                try:
                    while take is None or len(self.pages) < take:
                        self.pages.append(next(pages))
                except StopIteration:
                    pass
                except ApiError as error:
                    self.error = error

    def sleep(self, seconds):
        self.clock += seconds

    @property
    def lines(self):
        """The records as lists, whatever page they came on; each page with its header."""
        found = []
        for page in self.pages:
            head, *rows = table(page.body.decode())
            assert head == ["Id", "Name"]
            assert len(rows) == page.records
            found += rows
        return found


def table(text):
    """The rows of CSV."""
    return list(csv.reader(io.StringIO(text, newline="")))


def whole(org, reading):
    """Assert that everything arrived once, and the job was deleted."""
    assert reading.error is None
    assert reading.lines == table("\n".join(org.lines))
    assert not org.alive


def test_a_job_is_made_looked_at_read_and_deleted():
    """In pages; the org's words for each."""
    org = Org()
    reading = Reading(org)
    whole(org, reading)
    assert json.loads(org.sent[0]) == {
        "operation": "queryAll",
        "query": SOQL,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    assert org.calls == [
        ("POST", "query", {}),
        ("GET", ID, {}),
        ("GET", ID, {}),
        ("GET", "results", {"maxRecords": "4"}),
        ("GET", "results", {"maxRecords": "4", "locator": "MA4"}),
        ("GET", "results", {"maxRecords": "4", "locator": "MA8"}),
        ("DELETE", ID, {}),
    ]
    places = [(p.records, p.job, p.locator, p.read, p.total) for p in reading.pages]
    assert places == [(4, ID, "MA4", 4, 10), (4, ID, "MA8", 8, 10), (2, ID, None, 10, 10)]
    assert [job.state for job in reading.seen] == ["UploadComplete", "InProgress", "JobComplete"]


FAULTS = {
    "no header after the first page": Org(headed=False),
    "no total": Org(total=None),
    "no headers, one page": Org(headers=False, lines=LINES[:4]),
    "cut in a value": Org(("results", cut(30))),
    "cut in the header": Org(("results", cut(6))),
    "cut after a whole row": Org(("results", cut(32))),
    "cut before the last line break": Org(("results", cut(-1))),
    "never a last line break": Org(ended=False),
    "nothing, though there is something": Org(("results", cut(0))),
    "headers taken off once": Org(("results", stripped)),
    "cut, and headers taken off": Org(("results", lambda *_: Reply(200, b'"Id","Name"\n'))),
    "a page of a proxy": Org(("results", Reply(200, b"<html>wait</html>"))),
    "an error of the server": Org(("results", Reply(503, b""))),
    "a broken reply": Org(("results", Reply(breaks=True, body=b"x" * 50))),
    "the session ends before the job is there": Org((ID, Reply(401, b""))),
    "the session ends in the midst": Org(("results", Reply(401, b""))),
    "a stumble as the job is made": Org(("query", Reply(500, b""))),
    "a stumble as it is looked at": Org((ID, Reply(200, b"no JSON"))),
    "long work": Org(states=["InProgress"] * 30 + ["JobComplete"]),
}


@pytest.mark.parametrize("org", FAULTS.values(), ids=FAULTS.keys())
def test_every_record_arrives_once(org):
    """Whatever goes wrong on the way."""
    whole(org, Reading(org))


@pytest.mark.parametrize("body", [b"", b"\n", b'"Id","Name"\n', b'"Id","Name"'])
@pytest.mark.parametrize("headers", [{}, {"Sforce-NumberOfRecords": "0", "Sforce-Locator": "null"}])
def test_no_records(body, headers):
    """No page, and the job is deleted."""
    org = Org(("results", Reply(200, body, headers)), lines=[])
    whole(org, Reading(org))


@pytest.mark.parametrize("take", [0, 1, 2, 3])
def test_a_program_that_was_killed_goes_on(take):
    """After the last page it kept; the same job, and nothing twice."""
    org = Org()
    first = Reading(org, take=take) if take else None
    assert org.alive
    last = first.pages[-1] if first else None
    place = {"job": last.job, "locator": last.locator, "read": last.read} if last else {"job": ID}
    second = Reading(org, **place)
    assert (first.lines if first else []) + second.lines == table("\n".join(LINES))
    assert second.error is None
    assert not org.alive
    assert [call[1] for call in org.calls].count("query") == (1 if take else 0)


def test_a_job_that_is_gone_is_told():
    """So that a new one is begun."""
    org = Org()
    org.alive = False
    assert isinstance(Reading(org, job=ID, locator="MA4", read=4).error, JobLostError)
    lost = [{"errorCode": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}]
    org = Org(("results", Reply(400, lost)))
    assert isinstance(Reading(org, job=ID, locator="MA4", read=4).error, JobLostError)


def test_a_page_that_is_never_whole_is_an_error():
    """After a few tries; the job stays, to go on with."""
    org = Org(*[("results", cut(30))] * 9)
    reading = Reading(org)
    assert "cut off" in str(reading.error)
    assert reading.pages == []
    assert org.alive
    assert [call[1] for call in org.calls].count("results") == bulk.READS


def test_headers_that_are_always_taken_off_lead_to_rest():
    """As nothing says where the next page is."""
    reading = Reading(Org(headers=False))
    assert isinstance(reading.error, BulkUnsupportedError)
    assert "proxy" in str(reading.error)


def test_fewer_records_than_the_job_has_is_an_error():
    """At the end at the latest; all pages are read twice, as a page may have been short once."""
    org = Org(total=11)
    reading = Reading(org)
    assert "10 of the 11 records of Lead" in str(reading.error)
    assert len(reading.pages) == 6
    assert not org.alive


@pytest.mark.parametrize("last", [True, False], ids=["null", "no locator at the end"])
def test_rows_that_are_missing_without_a_word_are_read_after_all(last):
    """No count, every line whole: only the job's total tells. Rows may then come twice."""

    def short(org, query):
        made = org.page(query)
        lines = made.body.decode().split("\n")
        return Reply(200, "\n".join([*lines[:3], ""]).encode(), counts_off(made.headers))

    def counts_off(headers):
        ends = headers["Sforce-Locator"] == "null" and not last
        return {} if ends else {"Sforce-Locator": headers["Sforce-Locator"]}

    org = Org(("results", short), counts=counts_off)
    reading = Reading(org)
    assert reading.error is None
    assert sorted({tuple(row) for row in reading.lines}) == sorted(
        tuple(row) for row in table("\n".join(LINES))
    )


def test_a_page_that_leads_to_itself_is_an_error():
    """Not read for ever."""
    same = Reply(200, b'"Id","Name"\n', {"Sforce-NumberOfRecords": 0, "Sforce-Locator": "MA4"})
    reading = Reading(Org(*[("results", same)] * 9))
    assert "itself" in str(reading.error)


@pytest.mark.parametrize(
    ("state", "words", "kind"),
    [
        ("Failed", None, ApiError),
        ("Aborted", None, ApiError),
        ("Failed", "QUERY_TIMEOUT: Your query request was running too long.", QueryTimeoutError),
        ("Failed", "INVALID_FIELD: No such column 'X' on entity 'Lead'", FieldError),
        ("Failed", "Selecting compound data not supported in Bulk Query", BulkUnsupportedError),
    ],
)
def test_a_job_that_ends_badly(state, words, kind):
    """Its words, if any; and it is deleted."""
    org = Org(states=[state], error=words)
    reading = Reading(org)
    assert type(reading.error) is kind
    assert "Lead" in str(reading.error)
    assert (words or "gives no reason") in str(reading.error)
    assert not org.alive


def test_a_job_that_does_not_come_any_further_is_stopped():
    """After an hour without news, looking at it ever less often."""
    org = Org(states=["InProgress"])
    reading = Reading(org, take=1)
    assert isinstance(reading.error, QueryTimeoutError)
    assert jobs.PATIENCE < reading.clock < jobs.PATIENCE + 2 * jobs.LONGEST_WAIT
    assert [call[0] for call in org.calls][-2:] == ["PATCH", "DELETE"]
    assert json.loads(org.sent[-2]) == {"state": "Aborted"}


REFUSED = [
    (400, "errorCode", "INVALIDENTITY", "no bulk", BulkUnsupportedError),
    (400, "errorCode", "API_ERROR", "not supported by the Bulk API.", BulkUnsupportedError),
    (400, "exceptionCode", "NotEnabled", "Async API not enabled", BulkUnsupportedError),
    (400, "errorCode", "INVALID_TYPE", "?", ScopeError),
    (403, "errorCode", "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit", DailyLimitError),
]


@pytest.mark.parametrize(("status", "key", "code", "words", "kind"), REFUSED)
def test_a_query_that_is_refused(status, key, code, words, kind):
    """Before there is a job."""
    body = [{key: code, key.replace("Code", "Message"): words, "message": words}]
    reading = Reading(Org(("query", Reply(status, body))))
    assert type(reading.error) is kind
    assert getattr(reading.error, "object", "Lead") == "Lead"


def test_a_job_that_cannot_be_deleted_does_not_spoil_its_answer():
    """It goes by itself."""
    org = Org()
    org.right = lambda method, *rest: (
        Reply(403, b"") if method == "DELETE" else Org.right(org, method, *rest)
    )
    reading = Reading(org)
    assert reading.error is None
    assert reading.lines == table("\n".join(LINES))


values = st.text(st.sampled_from('a,"\n\r\0é'), max_size=8)


@given(st.lists(st.tuples(values, values), max_size=8))
def test_rows_are_counted_by_quotes_not_by_lines(rows):
    """Whole; and no cut is taken for a whole page of as many rows."""

    def quoted(value):
        return '"' + value.replace('"', '""') + '"'

    text = "".join(",".join(map(quoted, row)) + "\n" for row in [("Id", "Name"), *rows])
    body = text.encode()
    assert records_in(body, 2) == len(rows) + 1
    assert with_header(body, ["id", "NAME"]) == body
    for end in range(len(body)):
        assert records_in(body[:end], 2) in {None, *range(len(rows) + 1)}
    assert records_in(body[:-1], 2, unended=True) == len(rows) + 1


def test_counting_goes_on_over_the_pieces(monkeypatch):
    """A value may begin in one piece and end in the next."""
    monkeypatch.setattr("connectors.salesforce.pages.AT_ONCE", 3)
    assert records_in(b'"a","b"\n"1","x\n\n\ny"\n"2",""\n', 2) == 3
    assert records_in(b'"a","b"\n"1","x\n\n\ny', 2) is None
