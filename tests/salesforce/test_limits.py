"""Salesforce's refusals as they were seen in the wild (see the recorded errors), and their verdict."""

import json
from pathlib import Path

import pytest
import requests
from replies import OK, Reply, serving

from connectors.errors import ApiError, CredentialsError, DailyLimitError, ScopeError
from connectors.salesforce.auth import InstanceToken
from connectors.salesforce.calls import READS, JobApi
from connectors.salesforce.errors import (
    BulkUnsupportedError,
    FieldError,
    LocatorExpiredError,
    QueryTimeoutError,
    QueryTooLongError,
    ReplicationDateError,
    TooManyDeletedError,
)
from connectors.salesforce.faults import Fault, error_of, read_fault
from connectors.salesforce.limits import LONG_RUNNING, Csv, Limits
from connectors.verdicts import OWN, Again, Fail, Ok

RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded" / "salesforce"
QUERY = "/services/data/v66.0/query"
# github.com/apache/camel-quarkus, issue 3022
NO_COLUMN = (
    "\nLastReferencedDate, Jigsaw, JigsawCompanyId, CleanStatus, AccountSource, DunsNumber\n"
    "                                             ^\nERROR at Row:1:Column:687\n"
    "No such column 'CleanStatus' on entity 'Account'. If you are attempting to use a custom field,"
    " be sure to append the '__c' after the custom field name."
)
# github.com/airbytehq/airbyte, pull request 68166
NO_FILTER = (
    "\nFROM ActivityFieldHistory WHERE SystemModstamp >= 2023-10-17T15:46:51Z\n   ^\n"
    "ERROR at Row:1:Column:286\nfield 'SystemModstamp' can not be filtered in a query call"
)
# a recorded answer of a real org, in CumulusCI
NO_TYPE = (
    "\nselect count() from XYZZY\n  ^\nERROR at Row:1:Column:21\n"
    "sObject type 'XYZZY' is not supported. If you are attempting to use a custom object, ..."
)


def response(status, body=b"", headers=None, path=QUERY):
    """Make a reply as requests hands it over."""
    made = requests.Response()
    made.status_code, made.url = status, f"https://x.example{path}?q=SELECT+private"
    made._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    made.request = requests.Request("GET", made.url).prepare()
    made.headers.update(headers or {})
    return made


def fault(code, words="as it is"):
    """An error body."""
    return [{"message": words, "errorCode": code}]


def refusal(status, body=b"", path=QUERY, limits=None):
    """Return the error of a reply that is given up."""
    verdict = (limits or Limits()).judge(response(status, body, path=path))
    assert isinstance(verdict, Fail), verdict
    return verdict.error


CODES = [
    (400, "QUERY_TIMEOUT", QueryTimeoutError),
    (500, "OPERATION_TOO_LARGE", QueryTimeoutError),
    (400, "INVALID_QUERY_LOCATOR", LocatorExpiredError),
    (400, "QUERY_LOCATOR_EXPIRED", LocatorExpiredError),
    (400, "INVALIDENTITY", BulkUnsupportedError),
    (400, "INVALID_FIELD", FieldError),
    (400, "INVALID_TYPE", ScopeError),
    (403, "INSUFFICIENT_ACCESS", ScopeError),
    (403, "API_DISABLED_FOR_ORG", ScopeError),
    (400, "INVALID_REPLICATION_DATE", ReplicationDateError),
    (400, "EXCEEDED_ID_LIMIT", TooManyDeletedError),
    (403, "REQUEST_LIMIT_EXCEEDED", DailyLimitError),
    (401, "INVALID_SESSION_ID", CredentialsError),
    (400, "MALFORMED_QUERY", ApiError),
]


@pytest.mark.parametrize(("status", "code", "kind"), CODES)
def test_a_code_has_an_error_of_its_own(status, code, kind):
    """With the org's words, the call, and never the query."""
    error = refusal(status, fault(code))
    assert type(error) is kind
    assert error.status == status
    assert "private" not in str(error)
    assert "as it is" in str(error) or kind is DailyLimitError


@pytest.mark.parametrize("status", [414, 431])
@pytest.mark.parametrize("body", [b"<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>", b""])
def test_a_query_that_is_too_long(status, body):
    """The answer is a page, or nothing."""
    assert isinstance(refusal(status, body), QueryTooLongError)


@pytest.mark.parametrize(
    ("words", "object", "field"),
    [(NO_COLUMN, "Account", "CleanStatus"), (NO_FILTER, "", "SystemModstamp"), ("?", "", "")],
)
def test_a_field_is_named(words, object, field):
    """And the query before it is left out."""
    error = refusal(400, fault("INVALID_FIELD", words))
    assert (error.object, error.field) == (object, field)
    assert "Jigsaw" not in str(error)


def test_an_object_is_named():
    """By the words, else by the path."""
    assert refusal(400, fault("INVALID_TYPE", NO_TYPE)).object == "XYZZY"
    path = "/services/data/v66.0/sobjects/LeadHistory/describe"
    for status, body in ((404, fault("NOT_FOUND")), (403, b"")):
        error = refusal(status, body, path)
        assert isinstance(error, ScopeError)
        assert (error.object, error.status) == ("LeadHistory", status)


def test_calls_of_the_day():
    """The window rolls, so there is no moment at which they are all back."""
    limits = Limits()
    limits.seen(response(200, {}, {"Sforce-Limit-Info": "api-usage=15000/15000"}))
    error = refusal(
        403, fault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), limits=limits
    )
    assert error.resets_at is None
    assert "24 hours" in str(error)
    assert "15,000" in str(error)
    assert "check salesforce" in str(error)


def test_results_of_the_day():
    """As long as the day, but of bulk queries."""
    words = "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded"
    error = refusal(400, fault("LIMIT_EXCEEDED", words), "/services/data/v66.0/jobs/query")
    assert isinstance(error, DailyLimitError)
    assert "bulk" in str(error)


def test_too_many_calls_at_a_time_is_not_the_day():
    """Salesforce gives both the same code."""
    body = fault("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")
    verdict = Limits().judge(response(403, body))
    assert isinstance(verdict, Again)
    assert (verdict.after, verdict.bucket) == (LONG_RUNNING, OWN)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (406, b""),
        (429, b""),
        (500, fault("UNKNOWN_EXCEPTION")),
        (502, b"<html></html>"),
        (503, b""),
        (200, b"<html>maintenance</html>"),
        (200, b""),
    ],
)
def test_what_may_pass(status, body):
    """Is asked again."""
    assert isinstance(Limits().judge(response(status, body)), Again)


def opened(server):
    """An org, with short waits."""
    limits = Limits()
    return JobApi(
        server.url,
        authorization=InstanceToken(server.url, "00D!token"),
        buckets=limits.buckets,
        reads=READS,
        judge=limits.judge,
        seen=limits.seen,
        longest_wait=0.01,
    )


def test_an_org_that_is_being_set_up_is_not_asked_for_long():
    """One that was deleted says the same for ever."""
    page = b"<html>We are setting things up. This process can take a few minutes.</html>"
    with serving(Reply(420, page), Reply(420, page)) as server, opened(server) as api:
        assert api.get(QUERY) == OK
    with serving(*[Reply(420, page)] * 6) as server, opened(server) as api:
        with pytest.raises(ApiError, match=r"after 3 attempts.*setting things up"):
            api.get(QUERY)
        assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("header", "daily", "left"),
    [
        ("api-usage=18/5000", 5000, 4982),
        ("api-usage=18/5000; per-app-api-usage=17/250(appName=x)", 5000, 4982),
        ("per-app-api-usage=17/250(appName=x); api-usage=5003/5000", 5000, 0),
        ("per-app-api-usage=17/250(appName=x)", None, None),
        ("", None, None),
    ],
)
def test_usage_is_read_off_every_reply(header, daily, left):
    """Of the org, not of one app."""
    limits = Limits()
    limits.seen(response(200, {}, {"Sforce-Limit-Info": header}))
    assert (limits.daily, limits.left) == (daily, left)


def test_usage_is_read_off_the_list_of_limits():
    """Which a recorded org gave; one without that line says nothing."""
    limits = Limits()
    limits.told({"DataStorageMB": {"Max": 5, "Remaining": 3}})
    assert limits.daily is None
    limits.told({"DailyApiRequests": {"Max": 15000, "Remaining": 14980, "Workbench": {"Max": 0}}})
    assert (limits.daily, limits.left) == (15000, 14980)


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ([{"message": "m", "errorCode": "C", "fields": []}], "C", "m"),
        ({"error": "invalid_grant", "error_description": "d"}, "invalid_grant", "d"),
        ({"exceptionCode": "InvalidVersion", "exceptionMessage": "m"}, "InvalidVersion", "m"),
        (b"<h1>down</h1>", "", "<h1>down</h1>"),
        (b"", "", ""),
        ([], "", "[]"),
        ([[1]], "", "1"),
        ({"error": "invalid_client"}, "invalid_client", "invalid_client"),
        ([{"message": 5, "errorCode": None}], "", ""),
        (b"[" * 100_000, "", None),
    ],
)
def test_every_shape_of_an_error_body_is_read(body, code, words):
    """A list, two kinds of object, a page, and nothing."""
    found = read_fault(response(400, body))
    assert found.code == code
    assert words is None or found.words == words


def test_recorded_errors_are_all_understood():
    """None of them is taken for something to try for ever, or for a fault of the request."""
    file = RECORDED / "errors" / "errors.json"
    if not file.exists():
        pytest.skip("the recorded answers are not in this checkout")
    for case in json.loads(file.read_text()):
        text = case["body"] if isinstance(case["body"], str) else json.dumps(case["body"])
        verdict = Limits().judge(response(case["status"], text.replace("?", "").encode()))
        assert isinstance(verdict, Again | Fail), case


def test_results_of_a_job_are_taken_as_they_are():
    """CSV with its headers; a page of a proxy is none."""
    path = "/services/data/v66.0/jobs/query/750R0000000zlh9IAA/results"
    verdict = Limits().judge(response(200, b'"Id"\n"1"\n', {"Sforce-Locator": "null"}, path))
    assert isinstance(verdict, Ok)
    assert isinstance(verdict.value, Csv)
    assert verdict.value.headers["sforce-locator"] == "null"
    assert isinstance(Limits().judge(response(200, b"\n<html>", path=path)), Again)
    assert Limits().judge(response(204, b"")) == Ok(None)


def test_a_retired_version_of_the_api_has_words_of_its_own():
    fault = Fault("UNSUPPORTED_API_VERSION", "API version 30.0 is retired")
    error = error_of(fault, "GET /services/data/v30.0/query", 410)
    assert type(error) is ApiError
    assert "update reverse-funnel" in str(error)
    assert error.status == 410
