"""Canonical tables straight from an org: the rows of a sync, and no store left behind."""

import tempfile

import pytest
from rows import differences
from salesforce.harness import FIELDS

from connectors import salesforce
from connectors.errors import CredentialsError, FileError, ScopeError
from connectors.progress import silent
from connectors.salesforce.frames import NEEDS
from connectors.sandbox.salesforce import TOKEN
from kpi.tables import TABLES


@pytest.fixture(autouse=True)
def _jobs_are_looked_at_at_once(monkeypatch):
    monkeypatch.setattr("connectors.salesforce.jobs.FIRST_WAIT", 0.01)


@pytest.fixture
def got(tmp_path, monkeypatch):
    """Call a function of `connectors.salesforce` against an org; no file may be left of it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    def call(name, one, token=TOKEN, **options):
        try:
            options = {"url": one.server.url, "progress": silent, **options}
            return getattr(salesforce, name)(token, **options)
        finally:
            assert list(folder.iterdir()) == []

    return call


@pytest.mark.parametrize("currencies", [True, False], ids=["several currencies", "one"])
def test_all_tables_equal_the_org(crm, got, currencies):
    """Every table, row for row, with its columns and dtypes; what was changed just now too."""
    one = crm(30, 5, multi_currency=currencies)
    one.org.edit("Opportunity", one.ids("Opportunity")[0], {"Amount": 77.0})
    found = got("frames", one, fields=FIELDS)
    assert differences(found, one.org.truth(fields=FIELDS)) == []
    assert {name: list(frame) for name, frame in found.items()} == {
        name: TABLES[name].names for name in NEEDS
    }


@pytest.mark.parametrize("table", NEEDS)
def test_one_table_alone_has_the_same_rows(crm, got, table):
    """Only what it needs is read, and that is enough: stages that were renamed are named too."""
    one = crm(12, 5)
    one.org.rename_stage("Closed Lost", "Gone elsewhere")
    fields = {"subscriptions": FIELDS["subscriptions"]}
    found = got(table, one, fields=fields)
    truth = {table: one.org.truth(fields=fields)[table]}
    assert differences({table: found}, truth) == []


@pytest.mark.parametrize(
    ("name", "table"), [("opportunities", "deals"), ("users", "owners"), ("events", "meetings")]
)
def test_the_names_that_salesforce_has(name, table):
    """The same functions, so that either word finds them."""
    assert getattr(salesforce, name) is getattr(salesforce, table)


def test_only_what_a_table_needs_is_asked_for(crm, got):
    """Owners and rates cost a few calls, however large the org."""
    one = crm(30, 5)
    got("frames", one, tables=["owners", "rates"])
    assert len(one.server.calls) < 20
    assert one.jobs() == []


def test_fields_of_the_org(crm, got):
    """A field of the org's own, chosen by its name."""
    one = crm(20, 5)
    fields = {"deals": {"segment": "Market_Segment__c"}}
    found = got("opportunities", one, fields=fields)
    assert found["segment"].notna().any()
    assert differences({"deals": found}, {"deals": one.org.truth(fields=fields)["deals"]}) == []


def test_an_object_that_may_not_be_read_is_told(crm, got):
    """No half of a table without a word."""
    one = crm(6, 5, faults=["no_Event"])
    with pytest.raises(ScopeError, match="Event"):
        got("events", one)
    assert len(got("opportunities", one))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        pytest.param(
            {"tables": ["dealz"]}, FileError, "no table 'dealz' in Salesforce", id="table"
        ),
        pytest.param({"fields": {"deals": {"segment": "No__c"}}}, FileError, "No__c", id="field"),
        pytest.param({"token": "00D-other"}, CredentialsError, "401", id="token"),
    ],
)
def test_what_cannot_be_is_said(crm, got, options, error, words):
    """One sentence, and nothing left behind."""
    with pytest.raises(error, match=words):
        got("frames", crm(3, 5), **options)
