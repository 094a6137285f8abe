"""A client we did not write, unchanged: simple-salesforce queries, pages, describes, reads in bulk."""

import csv
import io
import warnings
from datetime import UTC, datetime

import pytest
import requests
from requests.adapters import HTTPAdapter

from connectors.sandbox.salesforce import TOKEN, Org, serve

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    library = pytest.importorskip("simple_salesforce", reason="simple-salesforce is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


class ToThisMachine(HTTPAdapter):
    """The client knows https only: send what it asks of any host to the server here."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    def send(self, request, **options):
        """Change scheme and host, keep the path."""
        path = request.url.split("/", 3)[3]
        request.url = f"{self.url}/{path}"
        return super().send(request, **options)


@pytest.fixture
def made():
    """An org, its server, and the client."""
    org = Org.generate(420, 3, now="2026-11-01T00:00:00Z")
    with serve(org) as server, requests.Session() as session:
        session.trust_env = False
        session.mount("https://", ToThisMachine(server.url))
        server.client = library.Salesforce(
            instance_url="https://sandbox.my.salesforce.com",
            session_id=TOKEN,
            session=session,
            version="66.0",
        )
        server.session = session
        yield server


def test_queries(made):
    """One page, all pages, all pages one record at a time, and with what is deleted."""
    client, text = made.client, "SELECT Id, Name, Owner.Name FROM Opportunity ORDER BY Id"
    live = [r[0] for r in made.org.live("Opportunity")]
    made.queries.page = 200
    page = client.query(text)
    assert (len(page["records"]), page["totalSize"], page["done"]) == (200, len(live), False)
    assert [r["Id"] for r in client.query_more(page["nextRecordsUrl"], True)["records"]] == live[
        200:400
    ]
    assert [r["Id"] for r in client.query_all(text)["records"]] == live
    assert [r["Id"] for r in client.query_all_iter(text)] == live
    assert page["records"][0]["Owner"]["Name"]
    every = client.query_all(text, include_deleted=True)["records"]
    assert [r["Id"] for r in every] == list(made.org.tables["Opportunity"].rows)
    assert client.query("SELECT COUNT() FROM Lead")["totalSize"] == len(made.org.live("Lead"))


def test_quoting(made):
    """Its own quoting of values is understood."""
    name = 'It\'s \\ "so"\nand % _'
    record = made.org.create("Account", {"Name": name})
    text = library.format_soql("SELECT Id FROM Account WHERE Name = {}", name)
    assert [r["Id"] for r in made.client.query(text)["records"]] == [record]


def test_describe_and_limits(made):
    """Lists, one object, and the usage told by each reply."""
    client = made.client
    assert "Opportunity" in {o["name"] for o in client.describe()["sobjects"]}
    assert {f["name"] for f in client.Lead.describe()["fields"]} > {"ConvertedDate", "Status"}
    assert client.limits()["DailyApiRequests"]["Max"] == 100_000
    assert client.api_usage["api-usage"].total == 100_000
    with pytest.raises(library.exceptions.SalesforceMalformedRequest, match="INVALID_FIELD"):
        client.query("SELECT Nope FROM Lead")
    with pytest.raises(library.exceptions.SalesforceResourceNotFound):
        client.Nope.describe()


def test_deleted_and_updated(made):
    """Ids with their times."""
    one, two = list(made.org.tables["Account"].rows)[:2]
    made.org.delete("Account", one)
    made.org.system_touch("Account", two)
    made.org.advance(300)
    start, end = (datetime(2026, *when, tzinfo=UTC) for when in ((10, 31), (11, 1, 0, 5)))
    deleted = made.client.Account.deleted(start, end)["deletedRecords"]
    assert [r["id"] for r in deleted] == [one]
    assert two in made.client.Account.updated(start, end)["ids"]


def test_bulk(made):
    """Pages of CSV, each with its header, and with what is deleted by queryAll."""
    text = "SELECT Id, Name FROM Opportunity"
    parts = list(made.client.bulk2.Opportunity.query(text, max_records=150, wait=0.05))
    rows = [list(csv.reader(io.StringIO(part))) for part in parts]
    assert [r[0] for r in rows] == [["Id", "Name"]] * len(parts)
    found = [row for part in rows for row in part[1:]]
    at = made.org.tables["Opportunity"].kind.at["Name"]
    assert found == [[r[0], r[at]] for r in made.org.live("Opportunity")]
    every = "".join(made.client.bulk2.Opportunity.query_all(text, wait=0.05))
    assert len(list(csv.reader(io.StringIO(every)))) - 1 == len(made.org.tables["Opportunity"])


def test_login(made):
    """Client credentials at the org's own domain."""
    client = library.Salesforce(
        consumer_key="local-client",
        consumer_secret="local-secret",
        domain="sandbox.my",
        session=made.session,
        version="66.0",
    )
    assert client.session_id.startswith("local-session")
    assert client.query("SELECT Id FROM Account LIMIT 1")["totalSize"] == 1
    with pytest.raises(library.SalesforceAuthenticationFailed):
        library.Salesforce(consumer_key="local-client", consumer_secret="x", domain="sandbox.my",
                           session=made.session)  # fmt: skip
