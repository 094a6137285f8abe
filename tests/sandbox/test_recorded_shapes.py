"""What HubSpot once answered, and what the server answers: the same keys, the same kinds of values."""

import json
from pathlib import Path

import pytest

from connectors.sandbox.hubspot import Account

RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded" / "hubspot"
pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded bodies do not lie beside this checkout"
)
LISTS = {"deals": "mock_deals_data.json", "contacts": "mock_contacts_data.json",
         "companies": "mock_companies_data.json"}  # fmt: skip


def recorded(name):
    """Read one recorded body."""
    return json.loads((RECORDED / name).read_text(encoding="utf-8"))


def kinds(value):
    """Keys and kinds of values, all the way down; null is a text not there."""
    if isinstance(value, dict):
        return {key: kinds(v) for key, v in value.items()}
    if isinstance(value, list):
        return [kinds(value[0])] if value else []
    return "text" if value is None else type(value).__name__.replace("str", "text")


@pytest.mark.parametrize("kind", LISTS)
def test_list(start, kind):
    """The default properties of a record, and the record around them."""
    theirs = recorded(f"dlt_mock_data/{LISTS[kind]}")["results"]
    ours = start().get(f"/crm/v3/objects/{kind}", limit=5).json()
    assert set(ours) == {"results", "paging"}
    for record in theirs:
        assert kinds(record) == kinds(ours["results"][0])


def test_history(start):
    """An entry of a history; what a person changed names the person."""
    theirs = recorded("history_example_nodejs_issue154.json")["results"][0]
    ours = (
        start()
        .get("/crm/v3/objects/contacts", limit=5, propertiesWithHistory="lifecyclestage")
        .json()["results"]
    )
    ours = next(r for r in ours if r["propertiesWithHistory"]["lifecyclestage"])
    ours["propertiesWithHistory"]["is_verified"] = ours["propertiesWithHistory"].pop(
        "lifecyclestage"
    )
    ours["properties"]["is_verified"] = ours["properties"].pop("lifecyclestage")
    assert kinds(theirs) == kinds(ours)


def test_contacts_with_history(start):
    """The longer example: every key of its records and entries is one of ours."""
    theirs = recorded("dlt_mock_data/mock_contacts_with_history.json")["results"]
    ours = (
        start()
        .get("/crm/v3/objects/contacts", limit=20, propertiesWithHistory="lifecyclestage,email")
        .json()["results"]
    )
    assert set(theirs[0]) <= {*ours[0], "associations"}
    entries = [e for r in theirs for h in r["propertiesWithHistory"].values() for e in h]
    mine = [e for r in ours for h in r["propertiesWithHistory"].values() for e in h]
    assert {"value", "timestamp", "sourceType"} <= set(mine[0])
    assert set().union(*mine) <= set().union(*entries)


def test_refusals(start):
    """Bodies of the limits, of an expired token, of what is not there, and the page of HTML."""
    seen = {e["kind"].split(" ")[0].rstrip(","): e for e in recorded("errors_observed.json")}
    made = start(limits=True)
    limits = made.server.limits
    for word, policy in (
        ("daily", "DAILY"),
        ("burst", "TEN_SECONDLY_ROLLING"),
        ("secondly", "SECONDLY"),
    ):
        ours = json.loads(limits.refusal(policy, oauth=False).reply.body)
        assert kinds(ours) == kinds(seen[word]["body"]), word
        assert ours["message"] == seen[word]["body"]["message"]
    headers = made.get("/crm/v3/objects/deals").headers
    wanted = next(
        e["headers"] for e in seen.values() if "X-HubSpot-RateLimit-Max" in e.get("headers", {})
    )
    assert set(wanted) <= set(headers)
    long = made.get(
        "/crm/v3/objects/deals", properties=",".join(f"field_{n:04}" for n in range(2000))
    )
    assert (long.status_code, long.headers["Content-Type"]) == (414, "text/html")
    assert (
        long.text.split() == seen["too"]["body"].split() or "414 Request-URI Too Large" in long.text
    )


def test_expired_token(start):
    """An access token that is over."""
    expected = next(e["body"] for e in recorded("errors_observed.json") if e["status"] == 401)
    made = start(Account.generate(deals=10, seed=1, now="2026-11-01T00:00:00Z"))
    form = {"grant_type": "refresh_token", "client_id": "local-client",
            "client_secret": "local-secret", "refresh_token": "local-refresh"}  # fmt: skip
    token = made.session.post(f"{made.url}/oauth/v3/token", data=form, timeout=9).json()
    made.session.headers["Authorization"] = f"Bearer {token['access_token']}"
    assert made.get("/crm/v3/owners").status_code == 200
    made.account.advance(1_800)
    answer = made.get("/crm/v3/owners")
    assert (answer.status_code, kinds(answer.json())) == (401, kinds(expected))


def test_every_contact_property_has_a_definition_like_theirs(start):
    """A definition has a name, as theirs, and what tells its type."""
    theirs = recorded("dlt_mock_data/mock_contacts_properties.json")["results"]
    ours = start().get("/crm/v3/properties/contacts").json()["results"]
    assert set(theirs[0]) <= set(ours[0])
    assert {
        "label",
        "type",
        "fieldType",
        "groupName",
        "options",
        "calculated",
        "hubspotDefined",
    } <= set(ours[0])
