"""Canonical tables read anew, without a store of the user's own: what `frames` of each CRM rests on."""

import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pandas as pd

from connectors.errors import FileError, ScopeError
from connectors.store import Store
from connectors.sync_report import SyncReport

Needs = Mapping[str, Collection[str]]
"""By canonical table, the objects of the CRM that must be read for it."""


def needed(tables: Collection[str], needs: Needs, crm: str) -> set[str]:
    """Return the objects to read for some tables.

    Raises
    ------
    FileError
        If there is no such table.

    Examples
    --------
    >>> sorted(needed(["deals", "owners"], {"deals": ["Opportunity"], "owners": []}, "Salesforce"))
    ['Opportunity']
    """
    unknown = [table for table in tables if table not in needs]
    if unknown:
        raise FileError(f"frames: no table {unknown[0]!r} in {crm}; expected some of {list(needs)}")
    return {name for table in tables for name in needs[table]}


def read_anew(
    tables: Collection[str], run: Callable[[Store], SyncReport | None]
) -> dict[str, pd.DataFrame]:
    """Return canonical tables from a store that is deleted again: one way from a record to a row.

    Parameters
    ----------
    tables : collection of str
        Which.
    run : callable
        Is given the store, and syncs into it; None where nothing had to be read.

    Raises
    ------
    ScopeError
        If an object could not be read.
    """
    with tempfile.TemporaryDirectory(prefix="frames-") as folder:
        store = Store(Path(folder) / "store")
        report = run(store)
        if report is not None and report.refused:
            words = "; ".join(f"{name}: {why}" for name, why in report.refused.items())
            raise ScopeError(words, object=next(iter(report.refused)))
        return {name: store.staged(name) for name in tables}
