"""No call that could change anything in Salesforce: not sent in use, and refused before the network."""

import re
import socket

import pytest

from connectors import salesforce
from connectors.errors import ApiError
from connectors.http import Api
from connectors.salesforce.calls import JobApi

DATA = r"/services/data/v66\.0"
READING = re.compile(
    rf"GET {DATA}/(query|queryAll)(/[\w-]+)?"
    rf"|GET {DATA}/sobjects/\w+/(describe|deleted)"
    rf"|(POST|GET) {DATA}/jobs/query(/\w+(/results)?)?"
    r"|POST /services/oauth2/token"
)
OF_A_JOB = re.compile(rf"(DELETE|PATCH) {DATA}/jobs/query/(\w+)")


def assert_reading(crm):
    """Every call reads, or ends a query job."""
    calls = [f"{method} {path}" for method, path, _ in crm.server.calls]
    others = [call for call in calls if not READING.fullmatch(call)]
    assert [call for call in others if not OF_A_JOB.fullmatch(call)] == []
    assert not crm.server.writes
    for request in crm.sent:
        if request.method == "POST" and request.path.endswith("/jobs/query"):
            assert request.body["operation"] == "queryAll"
            assert request.body["query"].startswith("SELECT ")
        if request.method == "PATCH":
            assert request.body == {"state": "Aborted"}
    return calls


def test_only_reading_calls_are_sent(crm, settled):
    """First load, incremental, formulas, comparison of ids, full, by bulk and by queries."""
    here = crm()
    here.sync(way="app")
    here.org.mutate(30, seed=1)
    here.wait()
    here.sync(way="refresh")
    here.org.mutate(30, seed=2)
    here.org.advance(20 * 86_400)
    here.org.not_in_bulk.add("Lead")
    here.sync(full=True)
    here.same()
    calls = assert_reading(here)
    kinds = {call.split("/")[-1] for call in calls}
    assert {"query", "queryAll", "describe", "deleted", "results", "token"} <= kinds
    assert any(call.startswith("DELETE") for call in calls), "jobs are left behind"


def test_no_record_changes(crm):
    """What the org holds after all that is what it held before."""
    here = crm()
    before = {name: dict(table.rows) for name, table in here.org.tables.items()}
    here.sync()
    here.sync(full=True)
    assert {name: dict(table.rows) for name, table in here.org.tables.items()} == before


WRITING = [
    "/services/data/v66.0/sobjects/Lead",
    "/services/data/v66.0/sobjects/Lead/00Q000000000001AAA",
    "/services/data/v66.0/composite",
    "/services/data/v66.0/composite/batch",
    "/services/data/v66.0/composite/sobjects",
    "/services/data/v66.0/composite/tree/Lead",
    "/services/data/v66.0/jobs/ingest",
    "/services/data/v66.0/jobs/ingest/7500000000000001",
    "/services/data/v66.0/jobs/query/../ingest",
    "/services/data/v66.0/jobs/query/7500000000000001",
    "/services/data/v66.0/tooling/executeAnonymous",
    "/services/data/v66.0/actions/standard/chatterPost",
    "/services/apexrest/anything",
    "/services/async/66.0/job",
    "/services/Soap/u/66.0",
    "/services/data/v66.0/jobs/query?x=/jobs/ingest",
    "/services/data/v66.0/jobs/query\n/ingest",
]


@pytest.fixture
def closed(monkeypatch):
    """Make a client whose network nobody may open."""
    client, _ = salesforce.connect("00D-none", url="http://127.0.0.1:9", environ={}, prompt=False)
    opened = []
    monkeypatch.setattr(socket.socket, "connect", lambda _s, place: opened.append(place))
    monkeypatch.setattr(socket, "create_connection", lambda *a, **_k: opened.append(a))
    with client.api:
        yield client.api
    assert opened == []
    assert client.api.calls == 0


@pytest.mark.parametrize("path", WRITING)
def test_a_writing_path_is_refused_before_a_socket_is_opened(path, closed):
    """One path alone may be posted to, and the whole of it has to match."""
    with pytest.raises(ApiError, match=r"not sent|not made"):
        closed.post(path, {})


@pytest.mark.parametrize(
    "path", [path for path in WRITING if not re.fullmatch(r".*/query/\w+", path)]
)
@pytest.mark.parametrize("verb", ["abort", "delete"])
def test_nothing_but_a_query_job_is_ended(verb, path, closed):
    with pytest.raises(ApiError, match=r"not sent|not made"):
        getattr(closed, verb)(path)


def test_there_is_no_other_verb():
    """Four ways to send: GET, the guarded POST, and two that end query jobs."""
    public = {name for kind in (Api, JobApi) for name in vars(kind) if not name.startswith("_")}
    assert public == {"get", "post", "map", "now", "close", "abort", "delete"}
