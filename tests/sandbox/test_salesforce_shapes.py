"""What Salesforce once answered, and what the server answers: the same keys and kinds of values."""

import json
from pathlib import Path

import pytest

from connectors.sandbox.exchange import Request
from connectors.sandbox.salesforce import Org
from connectors.sandbox.salesforce.describe import describe
from connectors.sandbox.salesforce.errors import oauth, page, refuse
from connectors.sandbox.salesforce.jobs import Jobs

RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded" / "salesforce"
pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded bodies do not lie beside this checkout"
)
SAME = ("type", "soapType", "length", "precision", "scale", "digits", "nillable", "filterable",
        "calculated", "compoundFieldName", "relationshipName", "createable", "updateable",
        "nameField", "permissionable", "defaultedOnCreate", "polymorphicForeignKey")  # fmt: skip
ELSEWHERE = {"Primary_Contact__c", "ns__Description__c", "History__c", "ns__LinkedAccount__c",
             "RecordTypeId", "LastCURequestDate", "LastCUUpdateDate", "JigsawContactId",
             "JigsawCompanyId"}  # fmt: skip


@pytest.fixture(scope="module")
def org():
    """A small org."""
    return Org.generate(10, 1, now="2026-11-01T00:00:00Z")


def recorded(name):
    """Read one recorded body."""
    return json.loads((RECORDED / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["Opportunity", "Lead", "Event", "Account", "Contact"])
def test_describe(org, name):
    """The same keys; for each field of a fresh org the same type, sizes and permissions."""
    theirs, ours = recorded(f"cumulusci/{name}.describe.json"), describe(org, name)
    assert set(theirs) <= set(ours)
    mine = {f["name"]: f for f in ours["fields"]}
    for field in theirs["fields"]:
        if field["name"] in ELSEWHERE or field["name"].startswith("Other"):
            continue
        here = mine[field["name"]]
        assert set(field) == set(here)
        assert {k: field[k] for k in SAME} == {k: here[k] for k in SAME}, field["name"]
        assert set(here["referenceTo"]) <= set(field["referenceTo"]), field["name"]


def test_job(org):
    """Body of a job just made."""
    theirs = recorded("docs_examples/bulk2_query_job_create_response.json")
    del theirs["_src"]

    asked = json.dumps({"operation": "query", "query": "SELECT Id FROM Account"}).encode()
    made = Jobs(org).create(Request("POST", "/jobs/query", {}, asked))
    assert set(json.loads(made.body)) == set(theirs)


def test_refusals(org):
    """A list of errors, a dict of OAuth, and a page: as recorded."""
    seen = recorded("errors/errors.json")
    kinds = {
        "list": json.loads(refuse(400, "X", "m").reply.body),
        "dict": json.loads(oauth("x", "d").reply.body),
    }
    for entry in seen:
        body = entry["body"]
        if isinstance(body, list):
            assert set(body[0]) == set(kinds["list"][0])
        elif isinstance(body, dict) and "error" in body:
            assert set(body) == set(kinds["dict"])
    assert page(420, "Setting up").reply.kind == "text/html"
