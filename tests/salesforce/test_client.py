"""Every call: what is sent, what comes back, and what is never sent."""

import json
import socket
from datetime import UTC, date, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from replies import Reply, serving

from connectors.errors import ApiError, ScopeError
from connectors.http import Api
from connectors.salesforce.auth import InstanceToken
from connectors.salesforce.calls import READS, JobApi
from connectors.salesforce.client import Salesforce
from connectors.salesforce.errors import (
    LocatorExpiredError,
    QueryTimeoutError,
    ReplicationDateError,
)
from connectors.salesforce.limits import Limits
from connectors.salesforce.query import among, fits, literal, name, quote, select, where

TOKEN = "00Dx0000000BV7z!AR8AQAxo9UfVkh8AlV0G"
DATA = "/services/data/v66.0"
NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)


def opened(server):
    """An org on a server, with short waits."""
    limits = Limits()
    api = JobApi(
        server.url,
        authorization=InstanceToken(server.url, TOKEN),
        buckets=limits.buckets,
        reads=READS,
        judge=limits.judge,
        seen=limits.seen,
        longest_wait=0.01,
    )
    return Salesforce(api, server.url)


def asked(server):
    """The calls that the server received: method, path and query."""
    found = []
    for method, address, *_ in server.asked:
        parts = urlsplit(address)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        found.append((method, parts.path, query))
    return found


def page(ids, following=None, total=None):
    """A page of a query."""
    records = [{"attributes": {"type": "Lead"}, "Id": i} for i in ids]
    body = {"totalSize": total or len(ids), "done": following is None, "records": records}
    return Reply(body=body if following is None else {**body, "nextRecordsUrl": following})


def ids(pages):
    """The ids page by page."""
    return [[record["Id"] for record in records] for records in pages]


def test_versions_and_who_we_are():
    """Without guessing either."""
    versions = [{"version": "100"}, {"version": "66.0"}, {"version": "9.0"}]
    with serving(Reply(body=versions), Reply(body={"user_id": "005"})) as server:
        org = opened(server)
        with org.api:
            assert org.versions() == ["9.0", "66.0", "100"]
            assert org.identity() == {"user_id": "005"}
        assert [path for _, path, _ in asked(server)] == [
            "/services/data/",
            "/services/oauth2/userinfo",
        ]


def test_pages_are_followed_where_they_lead():
    """An opaque, relative place; smaller pages than asked for; and on this host only."""
    places = ["/services/data/v66.0/query/0r8xx3d-2000", "https://x.example/services/data/a/b?c=d"]
    with serving(page("ab", places[0]), page("", places[1]), page("c")) as server:
        org = opened(server)
        with org.api:
            assert ids(org.rows("SELECT Id FROM Lead", all_rows=True)) == [["a", "b"], ["c"]]
        assert asked(server) == [
            ("GET", f"{DATA}/queryAll", {"q": "SELECT Id FROM Lead"}),
            ("GET", "/services/data/v66.0/query/0r8xx3d-2000", {}),
            ("GET", "/services/data/a/b", {"c": "d"}),
        ]


def test_no_records_are_no_pages():
    """Not an empty one."""
    with serving(page("")) as server:
        org = opened(server)
        with org.api:
            assert list(org.rows("SELECT Id FROM Lead")) == []
        assert asked(server)[0][1] == f"{DATA}/query"


def test_a_lost_place_comes_after_the_pages_before_it():
    """So the caller knows after which record to go on."""
    lost = Reply(400, [{"errorCode": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}])
    with serving(page("ab", f"{DATA}/query/x"), lost) as server:
        org, got = opened(server), []
        with org.api, pytest.raises(LocatorExpiredError):
            got.extend(org.rows("SELECT Id FROM Lead"))
    assert ids(got) == [["a", "b"]]


@pytest.mark.parametrize("following", ["", f"{DATA}/query/x"])
def test_pages_without_an_end_are_an_error(following):
    """More is said to come, but from nowhere new."""
    with serving(page("a", f"{DATA}/query/x"), *[page("b", following)] * 3, Reply()) as server:
        org = opened(server)
        with org.api, pytest.raises(ApiError, match="not where"):
            list(org.rows("SELECT Id FROM Lead"))


def test_an_answer_that_is_no_page_is_an_error():
    """Rather than the end of the records."""
    with serving(Reply(body={"status": "fine"})) as server:
        org = opened(server)
        with org.api, pytest.raises(ApiError, match="not where"):
            list(org.rows("SELECT Id FROM Lead"))


@pytest.mark.parametrize("place", ["/services/../x", "x", "//x.example"])
def test_a_place_that_leads_out_is_not_followed(place):
    """Nothing is sent there."""
    with serving(page("a", place)) as server:
        org = opened(server)
        with org.api, pytest.raises(ApiError):
            list(org.rows("SELECT Id FROM Lead"))
        assert {path for _, path, _ in asked(server)} == {f"{DATA}/query"}


def test_a_page_is_read_again_after_a_stumble():
    """Without the pages before it."""
    broken = [Reply(503, b""), Reply(breaks=True, body={"totalSize": 1}), Reply(200, b"<html>")]
    with serving(page("a", f"{DATA}/query/x"), *broken, page("b")) as server:
        org = opened(server)
        with org.api:
            assert ids(org.rows("SELECT Id FROM Lead")) == [["a"], ["b"]]


def test_errors_know_their_object():
    """From the query, where the org does not say."""
    answers = [
        Reply(400, [{"errorCode": "INVALID_TYPE", "message": "?"}]),
        Reply(404, [{"errorCode": "NOT_FOUND", "message": "no"}]),
        Reply(400, [{"errorCode": "QUERY_TIMEOUT", "message": "too long"}]),
    ]
    with serving(*answers) as server:
        org = opened(server)
        with org.api:
            with pytest.raises(ScopeError) as caught:
                next(org.rows("SELECT Id FROM LeadHistory"))
            assert caught.value.object == "LeadHistory"
            with pytest.raises(ScopeError) as caught:
                org.describe("Event")
            assert caught.value.object == "Event"
            with pytest.raises(QueryTimeoutError):
                org.count("Lead")


def test_counts():
    """Only a number travels."""
    with serving(Reply(body={"totalSize": 7, "done": True, "records": []})) as server:
        org = opened(server)
        with org.api:
            conditions = [where("IsDeleted", "=", True), where("Name", "=", "O'Brien + Sons")]
            assert org.count("Lead", conditions, all_rows=True) == 7
        soql = "SELECT COUNT() FROM Lead WHERE IsDeleted = TRUE AND Name = 'O\\'Brien + Sons'"
        assert asked(server) == [("GET", f"{DATA}/queryAll", {"q": soql})]


def test_deleted_says_how_far_it_reaches():
    """By the org's own clock, which the next time begins with; no ``+`` in the address."""
    body = {
        "deletedRecords": [
            {"id": "a00D0000008pQRAIA2", "deletedDate": "2013-05-07T22:07:19.000+0000"}
        ],
        "earliestDateAvailable": "2013-05-03T15:57:00.000+0000",
        "latestDateCovered": "2013-05-08T21:20:00.000+0000",
    }
    east = NOON.astimezone(timezone(timedelta(hours=2))).replace(microsecond=5)
    with serving(Reply(body=body)) as server:
        org = opened(server)
        with org.api:
            found = org.deleted("Lead", east - timedelta(days=1), east)
        assert found == (["a00D0000008pQRAIA2"], datetime(2013, 5, 8, 21, 20, tzinfo=UTC))
        times = {"start": "2026-03-07T12:00:00Z", "end": "2026-03-08T12:00:00Z"}
        assert asked(server) == [("GET", f"{DATA}/sobjects/Lead/deleted/", times)]


def test_deletions_too_long_ago():
    """Have an error of their own."""
    refused = Reply(400, [{"errorCode": "INVALID_REPLICATION_DATE", "message": "startDate before"}])
    with serving(refused) as server:
        org = opened(server)
        with org.api, pytest.raises(ReplicationDateError, match="compare all ids"):
            org.deleted("Lead", NOON - timedelta(days=20), NOON)


def test_deletions_that_the_org_has_begun_to_forget():
    """It answers for what it still knows: that would pass for all of them."""
    body = {
        "deletedRecords": [],
        "earliestDateAvailable": "2026-03-07T18:00:00.000+0000",
        "latestDateCovered": "2026-03-08T12:00:00.000+0000",
    }
    with serving(Reply(body=body)) as server:
        org = opened(server)
        with org.api, pytest.raises(ReplicationDateError, match="compare every id"):
            org.deleted("Lead", NOON - timedelta(days=1), NOON)


WRITING = [
    "/services/data/v66.0/sobjects/Lead",
    "/services/data/v66.0/sobjects/Lead/00Q1",
    "/services/data/v66.0/composite",
    "/services/data/v66.0/composite/batch",
    "/services/data/v66.0/jobs/ingest",
    "/services/data/v66.0/jobs/query/../ingest",
    "/services/data/v66.0/jobs/query?x=/jobs/ingest",
    "/services/data/v66.0/jobs/query\n/x",
    "/services/data/v66.0/jobs/query/750/results",
    "/services/apexrest/x",
    "/jobs/query",
]


@pytest.mark.parametrize("path", WRITING)
def test_a_writing_path_is_refused_before_a_socket_is_opened(path, monkeypatch):
    """POST, PATCH and DELETE reach query jobs only."""
    tried = []
    monkeypatch.setattr(socket, "create_connection", lambda *a, **_k: tried.append(a))
    monkeypatch.setattr(socket.socket, "connect", lambda _s, place: tried.append(place))
    with JobApi(
        "http://127.0.0.1:9", authorization=None, buckets=Limits().buckets, reads=READS
    ) as api:
        sending = [lambda p: api.post(p, {}), api.abort, api.delete]
        for send in sending:
            with pytest.raises(ApiError, match=r"not sent|not made"):
                send(path)
        with pytest.raises(ApiError, match="not sent"):
            api.delete("/services/data/v66.0/jobs/query")
        assert (api.calls, tried) == (0, [])


def test_there_is_no_other_verb():
    """Beyond those of every `Api`: two that end a query job."""
    own = {name for name in vars(JobApi) if not name.startswith("_")}
    assert own == {"abort", "delete"}
    assert JobApi.__mro__[1] is Api


@given(st.text(max_size=30))
def test_a_quoted_text_ends_where_it_ends(text):
    """Whatever it holds: read back by SOQL's own rules it is the same."""
    inside = quote(text)[1:-1]
    back, escaped = [], False
    named = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
    for char in inside:
        if escaped:
            back.append(named.get(char, char))
        elif char == "'":
            pytest.fail("the text ends before its end")
        elif char != "\\":
            back.append(char)
        escaped = char == "\\" and not escaped
    assert "".join(back) == text
    assert not escaped


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (NOON, "2026-03-08T12:00:00Z"),
        (NOON.replace(microsecond=123_999), "2026-03-08T12:00:00.123Z"),
        (NOON.astimezone(timezone(timedelta(hours=-5))), "2026-03-08T12:00:00Z"),
        (date(2026, 3, 8), "2026-03-08"),
        (None, "null"),
        (False, "FALSE"),
        (12.5, "12.5"),
    ],
)
def test_literals(value, text):
    """Times in UTC with Z, dates bare, texts quoted."""
    assert literal(value) == text


def test_what_is_no_query_is_not_made():
    """Names come from settings and from the org: none may hold more than a name."""
    for wrong in ("Id FROM User--", "a.b.", "1a", "", "Name'", "Größe"):
        with pytest.raises(ValueError, match="API name"):
            name(wrong)
        with pytest.raises(ValueError, match="API name"):
            where(wrong, "=", 1)
    with pytest.raises(ValueError, match="operator"):
        where("Id", "= 1 OR Id =", 1)
    with pytest.raises(ValueError, match="no values"):
        among("Id", [])
    with pytest.raises(ValueError, match="no fields"):
        select("Lead", [])
    with pytest.raises(ValueError, match="time zone"):
        literal(datetime(2026, 3, 8))  # noqa: DTZ001 - it is the point


def test_what_fits_into_an_address():
    """As it travels, with its escapes."""
    assert fits(select("Lead", ["Id"]))
    assert not fits(select("Lead", [f"Field_{i}__c" for i in range(1000)]))


def test_a_body_is_read_as_it_came():
    """Text as text."""
    record = {"Id": "1", "Name": "NA", "Amount": 1.10}
    with serving(Reply(body=json.dumps({"done": True, "records": [record]}).encode())) as server:
        org = opened(server)
        with org.api:
            assert list(org.rows("SELECT Id FROM Lead")) == [[record]]
