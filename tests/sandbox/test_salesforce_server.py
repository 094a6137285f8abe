"""What the Salesforce server must do as Salesforce does: queries, pages, jobs, logins, refusals."""

import csv
import io
import time
from types import SimpleNamespace

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.sandbox.salesforce import SURVIVABLE, TOKEN, Accepts, Org, serve
from connectors.sandbox.salesforce.wire import seconds

NOW = "2026-11-01T09:30:00Z"
DATA = "/services/data/v66.0"


@pytest.fixture
def start():
    """Start servers; all are stopped at the end."""
    running = []

    def begin(org=None, token=TOKEN, **options):
        org = org or Org.generate(120, 4, now=NOW)
        server = serve(org, **options)
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {token}"
        running.append((server, session))

        def get(path, **query):
            return session.get(server.url + DATA + path, params=query, timeout=20)

        def soql(text, everything=False):
            return get("/queryAll" if everything else "/query", q=text)

        def post(path, **body):
            return session.post(server.url + DATA + path, json=body, timeout=20)

        return SimpleNamespace(org=org, server=server, url=server.url, session=session, get=get,
                               soql=soql, post=post)  # fmt: skip

    yield begin
    for server, session in running:
        session.close()
        server.stop()


def code(answer):
    """Error code of a refusal."""
    return answer.json()[0]["errorCode"]


def ids(answer):
    """Ids of a page."""
    return [r["Id"] for r in answer.json()["records"]]


def pages(made, text, **headers):
    """Follow a query to its end; return every page."""
    made.session.headers.update(headers)
    found = [made.soql(text, everything=True).json()]
    while "nextRecordsUrl" in found[-1]:
        answer = made.session.get(made.url + found[-1]["nextRecordsUrl"], timeout=20)
        found.append(answer.json())
    return found


def run_job(made, text, operation="queryAll", **query):
    """Run a job; return its id and the replies with its results."""
    job = made.post("/jobs/query", operation=operation, query=text).json()["id"]
    while (state := made.get(f"/jobs/query/{job}").json()["state"]) != "JobComplete":
        assert state == "InProgress"
    found = [made.get(f"/jobs/query/{job}/results", **query)]
    while found[-1].headers.get("Sforce-Locator", "null") not in ("null", ""):
        more = query | {"locator": found[-1].headers["Sforce-Locator"]}
        found.append(made.get(f"/jobs/query/{job}/results", **more))
    return job, found


# queries


@pytest.mark.parametrize(
    ("where", "test"),
    [
        ("IsWon = true", lambda r: r["IsWon"]),
        ("iswon = TRUE AND (Amount > 1000 OR Amount = null)", lambda r: r["IsWon"] and (
            r["Amount"] is None or r["Amount"] > 1000)),
        ("StageName IN ('Closed Won', 'closed lost')",
         lambda r: r["StageName"] in ("Closed Won", "Closed Lost")),
        ("StageName NOT IN ('Closed Won')", lambda r: r["StageName"] != "Closed Won"),
        ("NOT StageName LIKE 'Closed%'", lambda r: not r["StageName"].startswith("Closed")),
        ("CloseDate >= 2026-01-01", lambda r: r["CloseDate"] >= "2026-01-01"),
        ("CreatedDate < 2025-06-01T00:00:00Z", lambda r: r["CreatedDate"] < "2025-06-01T"),
        ("CreatedDate < 2025-06-01T02:00:00%2B02:00", lambda r: r["CreatedDate"] < "2025-06-01T"),
        ("LeadSource = null", lambda r: r["LeadSource"] is None),
        ("LeadSource != null", lambda r: r["LeadSource"] is not None),
    ],
)  # fmt: skip
def test_where(start, where, test):
    """Each condition keeps what plain Python keeps."""
    made = start()
    fields = "Id, IsWon, Amount, StageName, CloseDate, CreatedDate, LeadSource"
    every = made.soql(f"SELECT {fields} FROM Opportunity").json()["records"]
    where = where.replace("%2B", "+")
    found = ids(made.soql(f"SELECT Id FROM opportunity WHERE {where}"))
    assert found == [r["Id"] for r in every if test(r)]
    assert 0 < len(found) < len(every)


def test_quoting(start):
    """Quotes and backslashes in values; a value without escape is no query."""
    made = start(Org.generate(5, 1, now=NOW))
    name = 'O\'Hara \\ "Söhne"\n%'
    record = made.org.create("Account", {"Name": name})
    text = name.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    assert ids(made.soql(f"SELECT Id FROM Account WHERE Name = '{text}'")) == [record]
    assert code(made.soql(f"SELECT Id FROM Account WHERE Name = '{name}'")) == "MALFORMED_QUERY"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT Id FROM Opportunity WHERE A", "MALFORMED_QUERY"),
        (
            "SELECT Id FROM Lead WHERE IsConverted = true AND Id = null OR Id = null",
            "MALFORMED_QUERY",
        ),
        ("SELECT Id FROM Opportunity WHERE CreatedDate = TODAY", "MALFORMED_QUERY"),
        ("SELECT Id, Nope FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Nope.Name FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM LeadHistory WHERE NewValue = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE CreatedDate > '2026-01-01'", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE CloseDate > 2026-01-01T00:00:00Z", "INVALID_FIELD"),
        ("SELECT SystemModstamp FROM OpportunityFieldHistory", "INVALID_FIELD"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT Id FROM RecordType", "INVALID_TYPE"),
    ],
)
def test_queries_refused(start, text, expected):
    """400 with a list of one error that names it."""
    answer = start(Org.generate(5, 1, now=NOW)).soql(text)
    assert (answer.status_code, code(answer)) == (400, expected)


def test_fields_hidden_from_the_user(start):
    """Not described, and refused as if they were not there."""
    made = start()
    made.org.hidden = {"Opportunity": {"LeadSource"}}
    names = {f["name"] for f in made.get("/sobjects/Opportunity/describe").json()["fields"]}
    assert "Amount" in names
    assert "LeadSource" not in names
    refused = made.soql("SELECT LeadSource FROM Opportunity")
    assert "No such column 'LeadSource' on entity 'Opportunity'" in refused.json()[0]["message"]
    made.org.without = {"OpportunityFieldHistory"}
    assert made.get("/sobjects/OpportunityFieldHistory/describe").status_code == 404


def test_one_currency_has_no_currency_fields(start):
    """CurrencyIsoCode, CurrencyType and dated rates are there only with several currencies."""
    made = start(Org.generate(5, 1, now=NOW, multi_currency=False))
    assert code(made.soql("SELECT CurrencyIsoCode FROM Opportunity")) == "INVALID_FIELD"
    assert code(made.soql("SELECT Id FROM CurrencyType")) == "INVALID_TYPE"


def test_pages(start):
    """A size is a hint; the way on is relative, under /query/ even for queryAll, and opaque."""
    made = start(Org.generate(900, 4, now=NOW))
    found = pages(made, "SELECT Id, Owner.Name FROM Opportunity ORDER BY SystemModstamp, Id",
                  **{"Sforce-Query-Options": "batchSize=350"})  # fmt: skip
    assert [len(p["records"]) for p in found] == [350, 350, 200]
    assert {p["totalSize"] for p in found} == {900}
    assert found[0]["nextRecordsUrl"].startswith(f"{DATA}/query/0r8")
    assert len({r["Id"] for p in found for r in p["records"]}) == 900
    assert found[0]["records"][0]["Owner"]["attributes"]["type"] == "User"
    every = [f["name"] for f in made.get("/sobjects/Opportunity/describe").json()["fields"]]
    wide = made.soql(f"SELECT {','.join(every)} FROM Opportunity").json()
    assert len(wide["records"]) == 350
    made.server.queries.page = 100
    assert len(made.soql("SELECT Id FROM Opportunity").json()["records"]) == 100


def test_locators_end(start):
    """After two days, or when told: INVALID_QUERY_LOCATOR."""
    made = start(Org.generate(900, 4, now=NOW))
    made.server.queries.page = 200
    url = made.soql("SELECT Id FROM Opportunity").json()["nextRecordsUrl"]
    assert made.session.get(made.url + url, timeout=9).status_code == 200
    made.org.advance(2 * 86_400 + 1)
    answer = made.session.get(made.url + url, timeout=9)
    assert (answer.status_code, code(answer)) == (400, "INVALID_QUERY_LOCATOR")


def test_what_is_deleted_archived_or_old_is_seen_by_query_all_only(start):
    """Recycle bin, archived events, history of more than 18 months."""
    made = start(Org.generate(400, 4, now=NOW))
    for name in ("Opportunity", "Event", "LeadHistory"):
        seen = made.soql(f"SELECT COUNT() FROM {name}").json()["totalSize"]
        every = made.soql(f"SELECT COUNT() FROM {name}", everything=True).json()["totalSize"]
        assert 0 < seen < every == len(made.org.tables[name]), name


# time


def test_stamps_and_what_moves_them(start):
    """A person moves both, a process SystemModstamp only, a formula neither."""
    made = start(Org.generate(5, 1, now=NOW))
    deal = made.org.create("Opportunity", {})
    fields = "SystemModstamp, LastModifiedDate, Account_Region__c"

    def stamps():
        text = f"SELECT {fields} FROM Opportunity WHERE Id = '{deal}'"
        row = made.soql(text).json()["records"][0]
        return (
            row["SystemModstamp"][14:19],
            row["LastModifiedDate"][14:19],
            row["Account_Region__c"],
        )

    assert stamps() == ("30:00", "30:00", None)
    made.org.advance(60)
    made.org.edit("Opportunity", deal, {"Amount": 1.0})
    assert stamps() == ("31:00", "31:00", None)
    made.org.advance(60)
    made.org.system_touch("Opportunity", deal)
    made.org.change_formula(deal, "X")
    assert stamps() == ("32:00", "31:00", "X")


def test_late_rows_are_seen_in_another_order_than_their_stamps(start):
    """Trap: a row stamped earlier appears after one stamped later has been seen."""
    made = start(Org.generate(60, 1, now=NOW), faults=["late"])
    at = made.org.tables["Opportunity"].kind.at["SystemModstamp"]
    changed = {}
    for record_id in list(made.org.tables["Opportunity"].rows)[:30]:
        made.org.advance(1)
        made.org.system_touch("Opportunity", record_id)
        changed[record_id] = made.org.now
    text = "SELECT Id FROM Opportunity WHERE SystemModstamp > 2026-11-01T09:30:00Z"
    seen = ids(made.soql(text, everything=True))
    newest = max(changed[i] for i in seen)
    assert any(t < newest and i not in seen for i, t in changed.items())
    made.org.advance(90)
    assert sorted(ids(made.soql(text, everything=True))) == sorted(changed)
    assert all(made.org.tables["Opportunity"].rows[i][at] == t for i, t in changed.items())


def test_bulk_edit_gives_one_second(start):
    """More records in one second than a page holds."""
    made = start(Org.generate(300, 1, now=NOW), faults=["same_second"])
    text = "SELECT COUNT() FROM Lead WHERE SystemModstamp = 2026-11-01T09:30:00Z"
    assert made.soql(text).json()["totalSize"] == len(made.org.live("Lead"))


# deleted, updated


def test_deleted_and_updated(start):
    """Soft and hard deletes are told, undeleted ones not; seconds do not count."""
    made = start(Org.generate(20, 1, now=NOW))
    one, two, three = list(made.org.tables["Account"].rows)[:3]
    for record_id in (one, two, three):
        made.org.delete("Account", record_id)
    made.org.hard_delete("Account", two)
    made.org.undelete("Account", three)
    made.org.advance(120)
    span = {"start": "2026-11-01T09:00:00Z", "end": "2026-11-01T09:32:00Z"}
    told = made.get("/sobjects/Account/deleted/", **span).json()
    assert [r["id"] for r in told["deletedRecords"]] == [one, two]
    assert told["latestDateCovered"] == "2026-11-01T09:31:00.000+0000"
    assert made.get("/sobjects/Account/updated/", **span).json()["ids"] == [three]
    gone = made.soql(f"SELECT Id FROM Account WHERE Id IN ('{one}', '{two}')", everything=True)
    assert ids(gone) == [one]
    early = span | {"start": "2026-10-01T00:00:00Z"}
    assert code(made.get("/sobjects/Account/deleted/", **early)) == "INVALID_REPLICATION_DATE"
    short = span | {"start": "2026-11-01T09:31:30Z"}
    assert code(made.get("/sobjects/Account/deleted/", **short)) == "INVALID_REPLICATION_DATE"


# bulk


def test_a_job_from_start_to_end(start):
    """States, pages with a header row each, counts, locators, deletion."""
    made = start()
    job, found = run_job(made, "SELECT Id, Name, Amount, IsWon FROM Opportunity", maxRecords=50)
    assert [a.headers["Sforce-NumberOfRecords"] for a in found] == ["50", "50", "20"]
    assert found[-1].headers["Sforce-Locator"] == "null"
    tables = [list(csv.reader(io.StringIO(a.text))) for a in found]
    assert all(t[0] == ["Id", "Name", "Amount", "IsWon"] for t in tables)
    rows = [row for t in tables for row in t[1:]]
    rest = [p for page in pages(made, "SELECT Id, Name, Amount, IsWon FROM Opportunity")
            for p in page["records"]]  # fmt: skip
    assert [r[:2] for r in rows] == [[p["Id"], p["Name"]] for p in rest]
    assert [r[2] for r in rows] == ["" if p["Amount"] is None else str(p["Amount"]) for p in rest]
    assert {r[3] for r in rows} == {"true", "false"}
    body = made.get(f"/jobs/query/{job}").json()
    assert (body["numberRecordsProcessed"], body["state"]) == (120, "JobComplete")
    assert made.session.delete(f"{made.url}{DATA}/jobs/query/{job}", timeout=9).status_code == 204
    assert made.get(f"/jobs/query/{job}").status_code == 404


def test_result_pages(start):
    """Up to five addresses of pages, each of which can be read."""
    made = start()
    made.server.jobs.page = 15
    job, _ = run_job(made, "SELECT Id FROM Opportunity")
    body = made.get(f"/jobs/query/{job}/resultPages").json()
    more = made.session.get(made.url + body["nextRecordsUrl"], timeout=9).json()
    urls = [p["resultUrl"] for b in (body, more) for p in b["resultPages"]]
    assert (len(body["resultPages"]), body["done"], more["done"]) == (5, False, True)
    texts = [made.session.get(made.url + u, timeout=9).text.splitlines()[1:] for u in urls]
    assert len({line for lines in texts for line in lines}) == 120


def test_no_rows(start):
    """The names of the columns, or nothing at all."""
    made = start()
    text = "SELECT Id, Name FROM Opportunity WHERE Name = 'no such'"
    assert run_job(made, text)[1][0].text == '"Id","Name"\n'
    made.server.faults.switch("empty_body")
    answer = run_job(made, text)[1][0]
    assert (answer.text, answer.headers["Sforce-NumberOfRecords"]) == ("", "0")


def test_jobs_refused(start):
    """Objects and fields that are nothing for the bulk interface; a job that cannot be aborted."""
    made = start()

    def create(text):
        return made.post("/jobs/query", operation="query", query=text)

    assert code(create("SELECT Id FROM LeadStatus")) == "INVALIDENTITY"
    compound = create("SELECT Id, BillingAddress FROM Account")
    assert "compound" in compound.json()[0]["message"]
    assert code(create("SELECT Nope FROM Account")) == "INVALID_FIELD"
    job = create("SELECT Id FROM Account").json()["id"]
    url = f"{made.url}{DATA}/jobs/query/{job}"
    assert code(made.get(f"/jobs/query/{job}/results")) == "INVALIDJOBSTATE"
    assert (
        made.session.patch(url, json={"state": "Aborted"}, timeout=9).json()["state"] == "Aborted"
    )
    assert made.session.patch(url, json={"state": "Aborted"}, timeout=9).status_code == 400


@pytest.mark.parametrize(
    ("fault", "headers"),
    [
        ("no_last_locator", {"Sforce-NumberOfRecords"}),
        ("no_counts", {"Sforce-Locator"}),
        ("no_headers", set()),
    ],
)
def test_headers_stripped(start, fault, headers):
    """What a proxy takes away."""
    made = start(faults=[fault])
    answer = run_job(made, "SELECT Id FROM Account")[1][0]
    assert {n for n in answer.headers if n.startswith("Sforce-") and "Limit" not in n} == headers


def test_truncated_once(start):
    """Rows are missing though the count says otherwise; read again they are there."""
    made = start(faults=["truncated"])
    job, found = run_job(made, "SELECT Id FROM Opportunity")
    told = int(found[0].headers["Sforce-NumberOfRecords"])
    assert len(found[0].text.splitlines()) - 1 < told
    again = made.get(f"/jobs/query/{job}/results")
    assert len(again.text.splitlines()) - 1 == told


@pytest.mark.parametrize(("fault", "state"), [("failed_job", "Failed"), ("aborted_job", "Aborted")])
def test_jobs_that_fail(start, fault, state):
    """Every second job ends badly."""
    made = start(faults=[fault])
    job = made.post("/jobs/query", operation="query", query="SELECT Id FROM Account").json()["id"]
    assert [made.get(f"/jobs/query/{job}").json()["state"] for _ in range(2)][-1] == state


# logins


def login(made, **form):
    """Ask for a token."""
    return requests.post(f"{made.url}/services/oauth2/token", data=form, timeout=9)


def test_client_credentials(start):
    """Good and bad secrets; a session that ends, and another."""
    made = start(token="none")
    assert code(made.get("/limits")) == "INVALID_SESSION_ID"
    form = {"grant_type": "client_credentials", "client_id": "local-client"}
    wrong = login(made, **form, client_secret="x")
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")
    made.server.faults.expire_after = 2
    made.server.faults.switch("expired_token")
    for _ in range(2):
        body = login(made, **form, client_secret="local-secret").json()
        assert body["instance_url"] == made.url
        made.session.headers["Authorization"] = f"Bearer {body['access_token']}"
        assert [made.get("/limits").status_code for _ in range(3)] == [200, 200, 401]
    assert login(made, grant_type="password").json()["error"] == "unsupported_grant_type"
    made.server.faults.switch("login_host")
    told = login(made, **form, client_secret="local-secret").json()
    assert told["error_description"] == "request not supported on this domain"


def test_refresh_tokens_rotate(start):
    """Each is good once and brings the next."""
    made = start()
    form = {"grant_type": "refresh_token", "client_id": "local-client"}
    first = login(made, **form, refresh_token="local-refresh").json()["refresh_token"]
    assert login(made, **form, refresh_token="local-refresh").status_code == 400
    assert login(made, **form, refresh_token=first).json()["refresh_token"] != first


def test_signed_assertions(start):
    """Checked against the key, the client, the user, the audience and the time."""
    key, other = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    made = start(accepts=Accepts(username="me@x.example", public_key=public.decode()))
    told = {"iss": "local-client", "sub": "me@x.example", "aud": "https://login.salesforce.com",
            "exp": seconds(NOW) + 180}  # fmt: skip

    def ask(key=key, **other):
        assertion = jwt.encode(told | other, key, algorithm="RS256")
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return login(made, grant_type=grant, assertion=assertion).status_code

    assert ask() == 200
    assert {ask(other), ask(iss="x"), ask(sub="x"), ask(aud="x"), ask(exp=seconds(NOW) - 1)} == {
        400
    }
    assert ask(exp=seconds(NOW) + 900) == 400


def test_nothing_is_good_for_ever_refused(start):
    """A permanent 401, whatever the session."""
    made = start(faults=["permanent_401"])
    answer = made.get("/sobjects/Lead/describe")
    assert (answer.status_code, code(answer)) == (401, "INVALID_SESSION_ID")
    assert "not valid for use with the REST API" in answer.json()[0]["message"]


# limits and refusals


def test_usage_is_counted(start):
    """On every data call, and in /limits; at the limit 403, until told."""
    made = start()
    made.server.faults.daily_calls = 3
    made.server.faults.switch("request_limit")
    answers = [made.soql("SELECT Id FROM Account LIMIT 1") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 403]
    assert answers[0].headers["Sforce-Limit-Info"] == "api-usage=1/3"
    assert code(answers[3]) == "REQUEST_LIMIT_EXCEEDED"
    requests.post(f"{made.url}/_sandbox/reset_day", json={}, timeout=9).raise_for_status()
    assert made.get("/limits/").json()["DailyApiRequests"]["Remaining"] == 2


def test_too_long(start):
    """414 with HTML beyond 16,384 bytes, 431 with nothing where the headers are the last straw."""
    made = start(Org.generate(5, 1, now=NOW))
    base = len(f"{DATA}/query?q=")
    for size, status in ((17_000, 414), (16_384 - base, 431), (8_000, 400)):
        answer = made.soql("S" * size)
        assert answer.status_code == status
        assert answer.headers["Content-Type"].startswith("text/html") is (status != 400)


def test_only_reading(start):
    """Whatever would write is refused and counted; jobs are no writes."""
    made = start()
    run_job(made, "SELECT Id FROM Account")
    assert made.server.writes == {}
    made.post("/sobjects/Account", Name="x")
    made.session.delete(f"{made.url}{DATA}/sobjects/Account/001", timeout=9)
    assert sum(made.server.writes.values()) == 2


def test_versions(start):
    """The list needs no session; old versions are gone."""
    made = start(token="none")
    found = requests.get(f"{made.url}/services/data/", timeout=9).json()
    assert "66.0" in {v["version"] for v in found}
    made.session.headers["Authorization"] = f"Bearer {TOKEN}"
    assert made.session.get(f"{made.url}/services/data/v30.0/limits", timeout=9).status_code == 410


def test_a_window_too_wide_times_out(start):
    """Only where there is much to read, and only with both bounds."""
    made = start(Org.generate(900, 4, now=NOW), faults=["query_timeout"])
    text = (
        "SELECT Id FROM Lead WHERE SystemModstamp >= {}T00:00:00Z AND SystemModstamp < {}T00:00:00Z"
    )
    wide = made.soql(text.format("2026-01-01", "2026-03-01"))
    assert (wide.status_code, code(wide)) == (400, "QUERY_TIMEOUT")
    assert made.soql(text.format("2026-01-01", "2026-01-31")).status_code == 200
    small = text.replace("Lead", "Account")
    assert made.soql(small.format("2026-01-01", "2026-03-01")).status_code == 200


def test_every_fault_that_can_be_survived_is_met(start):
    """A plain client that asks again gets through all of them; each shows."""
    made = start(Org.generate(900, 4, now=NOW), faults=["all"])
    seen, got = set(), 0
    for n in range(400):
        try:
            answer = made.soql(f"SELECT Id FROM Account WHERE Name != 'x{n % 200}' LIMIT 1")
        except requests.RequestException:
            seen.add("drop")
            continue
        html = answer.headers["Content-Type"].startswith("text/html")
        seen.add(answer.status_code if not (html and answer.ok) else "non_json")
        got += answer.status_code == 200
    assert {200, 420, 406, 429, "non_json", "drop"} <= seen
    assert seen & {500, 502, 503}
    assert got > 300
    assert set(made.server.faults.on) == set(SURVIVABLE)
    with pytest.raises(ValueError, match="no fault 'nope'"):
        made.server.faults.switch("nope")


def test_speed(start):
    """A call takes milliseconds: one write for each reply."""
    made = start()
    began = time.monotonic()
    for _ in range(50):
        made.soql("SELECT Id FROM Opportunity LIMIT 100")
    assert time.monotonic() - began < 5
