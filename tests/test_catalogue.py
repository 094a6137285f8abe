"""The catalogue: complete, searchable, and every name explained."""

from dataclasses import fields

import pytest

from kpi import TableError
from kpi.catalogue import ENTRIES, KPIS, catalogue, explain
from kpi.entry import Entry

UNITS = (
    "share, 0 to 1",
    "share",
    "count",
    "calendar days",
    "months",
    "ratio",
    "reporting currency",
)


def test_one_row_a_kpi_with_all_that_is_said_of_it():
    """Its name first, then every field, as text."""
    table = catalogue()
    assert table["name"].tolist() == list(KPIS)
    assert list(table) == ["name", *(f.name for f in fields(Entry) if f.name != "kpi")]
    assert table.map(lambda cell: isinstance(cell, str)).all(axis=None)


def test_names_are_unique():
    """Two modules cannot offer one KPI; nor is a KPI another one's nickname."""
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)
    also = {name for entry in ENTRIES for name in entry.also}
    assert not also & set(names)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_says_what_it_may(entry):
    """Units and directions are of a fixed list; a number without limits says why."""
    assert entry.unit.startswith(UNITS)
    assert entry.better in ("higher", "lower", "")
    assert not entry.interval.startswith("none") or ":" in entry.interval
    assert isinstance(entry.also, tuple)


@pytest.mark.parametrize("name", KPIS)
def test_every_kpi_is_explained(name):
    """The page begins with the name and the question and holds the meaning, not the parameters."""
    page = str(explain(name)).splitlines()
    assert page[0] == name
    assert page[1].startswith("question: ")
    assert "Parameters" not in page


def test_an_unknown_name_is_refused_with_those_there_are():
    """The message lists them."""
    with pytest.raises(TableError, match="no KPI is called 'wins'; expected one of"):
        explain("wins")
