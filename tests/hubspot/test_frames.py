"""Canonical tables straight from an account: the rows of a sync, and no store left behind."""

import tempfile

import pandas as pd
import pytest
from rows import differences

from connectors import hubspot
from connectors.errors import CredentialsError, FileError, ScopeError
from connectors.hubspot.frames import NEEDS
from connectors.progress import silent
from connectors.sandbox.hubspot import TOKEN
from kpi.tables import TABLES


@pytest.fixture
def got(hub, tmp_path, monkeypatch):
    """Call a function of `connectors.hubspot` against an account; no file may be left of it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    def call(name, one, token=TOKEN, **options):
        try:
            options = {"url": one.server.url, "progress": silent, **options}
            return getattr(hubspot, name)(token, **options)
        finally:
            assert list(folder.iterdir()) == []

    return call


@pytest.mark.parametrize("leads", [True, False], ids=["leads object", "contacts as leads"])
def test_all_tables_equal_the_account(hub, got, leads):
    """Every table, row for row, with its columns and dtypes."""
    one = hub(40, 5, leads=leads)
    found = got("frames", one)
    assert differences(found, one.account.truth()) == []
    assert {name: list(frame) for name, frame in found.items()} == {
        name: TABLES[name].names for name in NEEDS
    }


@pytest.mark.parametrize("table", NEEDS)
def test_one_table_alone_has_the_same_rows(hub, got, table):
    """Only what it needs is read, and that is enough."""
    one = hub(12, 5)
    found = got(table, one)
    truth = {table: one.account.truth()[table]}
    assert differences({table: found}, truth) == []


def test_only_what_a_table_needs_is_asked_for(hub, got):
    """Owners and stages cost a few calls, however large the account."""
    one = hub(30, 5)
    got("frames", one, tables=["owners", "stages"])
    assert len(one.server.calls) < 20
    assert not [path for _, path, _ in one.server.calls if "/0-3" in path and "objects" in path]


def test_fields_of_the_account(hub, got):
    """A property of the account's own, chosen by its name."""
    one = hub(20, 5)
    fields = {"deals": {"segment": "market_segment"}}
    found = got("deals", one, fields=fields)
    truth = {"deals": one.account.truth(fields=fields)["deals"]}
    assert found["segment"].notna().any()
    assert differences({"deals": found}, truth) == []


def test_an_account_without_records_gives_empty_tables(hub, got):
    """Empty, with columns and dtypes."""
    one = hub(6, 5)
    for kind in ("line_items", "meetings"):
        for record in one.ids(kind):
            one.account.archive(kind, record)
    found = got("frames", one, tables=["subscriptions", "meetings"])
    assert {name: len(frame) for name, frame in found.items()} == {
        "subscriptions": 0,
        "meetings": 0,
    }
    assert isinstance(found["meetings"]["starts_at"].dtype, pd.DatetimeTZDtype)


def test_a_missing_scope_is_an_error_that_names_it(hub, got):
    """No partial table; what does not need it is still to be had."""
    one = hub(6, 5, faults=["no_scope_meetings"])
    with pytest.raises(ScopeError, match=r"crm\.objects\.contacts\.read") as caught:
        got("meetings", one)
    assert caught.value.object == "meetings"
    assert len(got("owners", one))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        pytest.param({"tables": ["dealz"]}, FileError, "no table 'dealz'", id="table"),
        pytest.param({"fields": {"deals": {"segment": "nope"}}}, FileError, "nope", id="property"),
        pytest.param({"token": "pat-na1-other"}, CredentialsError, "401", id="token"),
    ],
)
def test_what_cannot_be_is_said(hub, got, options, error, words):
    """One sentence, and nothing left behind."""
    with pytest.raises(error, match=words):
        got("frames", hub(3, 5), **options)
