"""The calls against the sandbox, which does not know them: every way in, every way to read."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.errors import CredentialsError, DailyLimitError, ScopeError
from connectors.salesforce.connect import connect
from connectors.salesforce.errors import (
    BulkUnsupportedError,
    FieldError,
    JobLostError,
    LocatorExpiredError,
    QueryTooLongError,
    ReplicationDateError,
)
from connectors.salesforce.query import select, where
from connectors.sandbox.salesforce import SURVIVABLE, TOKEN, Accepts, Org, serve

NOW = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
FIELDS = ["Id", "Name", "StageName", "CloseDate", "SystemModstamp"]
SOQL = select("Opportunity", FIELDS)
APP = {"SALESFORCE_CLIENT_ID": "local-client", "SALESFORCE_CLIENT_SECRET": "local-secret"}


def an_org(**options):
    """A small org, the same every time; its clock stands still unless told otherwise."""
    return Org.generate(opportunities=300, seed=1, **{"now": NOW.isoformat(), **options})


@pytest.fixture(scope="module")
def still():
    """A server for an org that no test of this file changes."""
    with serve(an_org()) as server:
        yield server


def opened(server, tmp_path=None, **environ):
    """Connect by the pasted token, or by what is given."""
    if not environ:
        return connect(TOKEN, url=server.url, environ={}, prompt=False)
    own = {"XDG_CONFIG_HOME": str(tmp_path), "APPDATA": str(tmp_path)}
    return connect(environ={**own, "SALESFORCE_INSTANCE_URL": server.url, **environ}, prompt=False)


def by_id(pages):
    """The rows of CSV pages by id."""
    found = {}
    for page in pages:
        rows = csv.DictReader(io.StringIO(page.body.decode(), newline=""))
        found |= {row["Id"]: row for row in rows}
    return found


def rest_ids(client, soql=SOQL, *, all_rows=True):
    """The ids that the REST API gives."""
    return [record["Id"] for page in client.rows(soql, all_rows=all_rows) for record in page]


@pytest.mark.parametrize("more", [{}, {"SALESFORCE_REFRESH_TOKEN": "local-refresh"}])
def test_apps_get_in(tmp_path, more):
    """By themselves, or as a person let them in; the rotated token works the next time too."""
    with serve(an_org()) as server:
        for _ in range(3):
            client, limits = opened(server, tmp_path, **APP, **more)
            with client.api:
                assert client.identity()["organization_id"].startswith("00D")
                limits.told(client.limits())
                assert limits.left < limits.daily
        assert not server.writes


def test_a_signed_request_gets_in(tmp_path):
    """The sandbox has the public key only."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file = tmp_path / "a key.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with serve(an_org(now=None), accepts=Accepts(public_key=public.decode())) as server:
        client, _ = opened(
            server,
            tmp_path,
            SALESFORCE_CLIENT_ID="local-client",
            SALESFORCE_USERNAME="integration.user@sandbox.example",
            SALESFORCE_PRIVATE_KEY_FILE=str(file),
        )
        with client.api:
            assert "66.0" in client.versions()


@pytest.mark.parametrize(
    ("fault", "words"), [("login_host", "my.salesforce.com"), ("not_approved", "pre-authorise")]
)
def test_a_login_that_is_refused_says_what_to_do(tmp_path, fault, words):
    """Once, without another try."""
    with serve(an_org(), faults=(fault,)) as server, pytest.raises(CredentialsError, match=words):
        opened(server, tmp_path, **APP)


def test_a_lasting_401_ends(tmp_path):
    """After one new token."""
    with serve(an_org(), faults=("permanent_401",)) as server:
        client, _ = opened(server, tmp_path, **APP)
        with client.api, pytest.raises(CredentialsError):
            client.describe("Lead")
        assert client.api.calls == 2


def test_bulk_and_rest_give_the_same(still):
    """In small pages; deleted ones too."""
    client, limits = opened(still)
    with client.api:
        pages = list(client.bulk(SOQL, page_rows=70))
        assert [page.records for page in pages[:-1]] == [70] * (len(pages) - 1)
        found = by_id(pages)
        assert sorted(found) == sorted(rest_ids(client))
        assert len(found) == pages[-1].read == pages[-1].total
        assert len(found) == client.count("Opportunity", all_rows=True)
        assert sum(page.records for page in pages) == len(found)
        assert limits.daily - limits.left > 0
    assert not still.jobs.jobs or all(job.aborted for job in still.jobs.jobs.values())


def test_a_killed_program_goes_on_with_its_job(still):
    """Another session, the same job, nothing twice."""
    first, _ = opened(still)
    with first.api:
        kept = next(first.bulk(SOQL, page_rows=70))
    second, _ = opened(still)
    with second.api:
        place = {"job": kept.job, "locator": kept.locator, "read": kept.read}
        rest = list(second.bulk(SOQL, page_rows=70, **place))
        assert not by_id([kept]).keys() & by_id(rest).keys()
        assert len(by_id([kept, *rest])) == second.count("Opportunity", all_rows=True)
        with pytest.raises(JobLostError):
            list(second.bulk(SOQL, **place))


@pytest.mark.parametrize("fault", [*(f for f in SURVIVABLE if f != "query_timeout"), "all"])
def test_what_can_be_survived_is(tmp_path, fault):
    """Every record that was there before; what changes meanwhile may come or not."""
    org = an_org()
    with serve(org) as server:
        calm, _ = opened(server)
        with calm.api:
            wanted = set(rest_ids(calm))
        for name in SURVIVABLE if fault == "all" else [fault]:
            server.faults.switch(name)
        client, _ = opened(server, tmp_path, **APP)
        with client.api:
            assert wanted <= by_id(client.bulk(SOQL, page_rows=70)).keys()
            for _ in range(30):
                try:
                    assert wanted <= set(rest_ids(client))
                    break
                except LocatorExpiredError:
                    continue
            else:
                pytest.fail("the place was lost again and again")


@pytest.mark.parametrize("fault", ["no_headers", "no_bulk"])
def test_what_bulk_cannot_do_is_left_to_rest(fault):
    """And told as such."""
    with serve(an_org(), faults=(fault,)) as server:
        client, _ = opened(server)
        with client.api:
            with pytest.raises(BulkUnsupportedError):
                list(client.bulk(SOQL, page_rows=70))
            assert rest_ids(client)


@pytest.mark.parametrize("fault", ["failed_job", "aborted_job"])
def test_a_job_that_ends_badly_is_an_error(fault):
    """The other jobs do well."""
    with serve(an_org(), faults=(fault,)) as server:
        client, _ = opened(server)
        ended = []
        with client.api:
            for _ in range(4):
                try:
                    ended.append(len(by_id(client.bulk(SOQL))) > 0)
                except Exception as error:
                    ended.append(type(error).__name__)
        assert ended.count(True) == 2
        assert not [end for end in ended if end not in {True, "ApiError", "QueryTimeoutError"}]


def test_the_day_that_is_used_up():
    """Is no end of the records."""
    with serve(an_org(), faults=("request_limit",)) as server:
        server.daily = 0
        client, _ = opened(server)
        with client.api, pytest.raises(DailyLimitError, match="24 hours"):
            rest_ids(client)


def test_what_is_not_there(still):
    """Object, field, a query too long for an address, a time long ago."""
    client, _ = opened(still)
    with client.api:
        for call in (client.describe, client.count):
            with pytest.raises(ScopeError) as caught:
                call("Nothing__c")
            assert caught.value.object == "Nothing__c"
        with pytest.raises(FieldError) as missing:
            rest_ids(client, "SELECT Id,Nothing__c FROM Lead")
        assert (missing.value.object, missing.value.field) == ("Lead", "Nothing__c")
        with pytest.raises(QueryTooLongError):
            rest_ids(client, select("Lead", ["Id"], [where("Name", "=", "x" * 20_000)]))
        with pytest.raises(ReplicationDateError):
            client.deleted("Lead", NOW - timedelta(days=30), NOW)


def test_deleted_records_are_told():
    """Those of the recycle bin, and those that are gone for good."""
    org = an_org()
    with serve(org) as server:
        client, _ = opened(server)
        with client.api:
            one, two = rest_ids(client, all_rows=False)[:2]
            with org.lock:
                org.advance(600)
                org.delete("Opportunity", one)
                org.hard_delete("Opportunity", two)
                org.advance(600)
            ids, covered = client.deleted("Opportunity", NOW, NOW + timedelta(minutes=20))
            assert {one, two} <= set(ids)
            assert NOW < covered <= NOW + timedelta(minutes=20)


def test_text_is_quoted(still):
    """Whatever it holds, it is a value: nothing is found, and nothing breaks."""
    client, _ = opened(still)
    with client.api:
        for text in ("O'Brien", "x\\", "' OR Id != '", 'a\nb\t"c"', "ü + & %"):
            soql = select("Lead", ["Id"], [where("Company", "=", text)])
            assert rest_ids(client, soql) == []
