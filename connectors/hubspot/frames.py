"""Canonical tables straight from an account, without a store of the user's own."""

from collections.abc import Collection
from typing import Any

import pandas as pd

from connectors.hubspot.connect import connect
from connectors.hubspot.context import opened
from connectors.hubspot.settings import Fields, Settings
from connectors.hubspot.sync import Sync
from connectors.progress import Progress, bars
from connectors.read_anew import needed, read_anew
from connectors.secret import Secret
from connectors.store import Store
from connectors.sync_report import SyncReport
from kpi.conform import conform

NEEDS = {
    "deals": ("leads", "deals"),
    "history": ("leads", "deals"),
    "leads": ("leads",),
    "accounts": ("companies",),
    "meetings": ("leads", "deals", "meetings"),
    "subscriptions": ("deals", "line_items"),
    "owners": (),
    "stages": (),
}
"""The objects to read for a table: a deal names its lead, and when that came in decides which."""


def frames(
    token: str | Secret | None = None,
    *,
    tables: Collection[str] = tuple(NEEDS),
    url: str | None = None,
    fields: Fields | None = None,
    progress: Progress = bars,
) -> dict[str, pd.DataFrame]:
    """Return canonical tables, read anew: the rows that a sync would keep.

    Parameters
    ----------
    token, url
        As for `connect`.
    tables : collection of str
        Which; default: all that HubSpot fills.
    fields : mapping of table to (column to property), optional
        Properties of the account's own, like ``{"deals": {"segment": "industry_vertical"}}``.
    progress : Progress
        Shows how far it is.

    Returns
    -------
    dict of str to DataFrame
        By name, the columns and dtypes of `kpi.tables`.

    Raises
    ------
    CredentialsError
        If there is no token, or it is refused.
    ScopeError
        If the token may not read what a table needs.
    FileError
        If there is no such table, or the account lacks the property of a field.
    """
    kinds = needed(tables, NEEDS, "HubSpot")
    settings = Settings().with_fields(fields or {})
    client, limits = connect(token, url=url)

    def run(store: Store) -> SyncReport | None:
        if not kinds and "owners" not in tables:
            return None
        return Sync(store, client, limits, settings, kinds=kinds, progress=progress).run()

    with client.api:
        found = read_anew(tables, run)
        if "stages" in tables and "leads" not in kinds:  # these need no lead to be read
            account = opened(client, settings, None, found["stages"], ("leads", "deals"))
            found["stages"] = conform("stages", account.stages).frame
        return found


def deals(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the deals; options are those of `frames`."""
    return _one("deals", token, options)


def history(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return every recorded change of leads and deals; options are those of `frames`."""
    return _one("history", token, options)


def leads(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the leads; options are those of `frames`."""
    return _one("leads", token, options)


def accounts(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the companies; options are those of `frames`."""
    return _one("accounts", token, options)


def meetings(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the meetings; options are those of `frames`."""
    return _one("meetings", token, options)


def subscriptions(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the recurring lines of won deals; options are those of `frames`."""
    return _one("subscriptions", token, options)


def owners(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the sellers, deactivated ones too; options are those of `frames`."""
    return _one("owners", token, options)


def stages(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the stages of every pipeline; options are those of `frames`."""
    return _one("stages", token, options)


def _one(table: str, token: str | Secret | None, options: dict[str, Any]) -> pd.DataFrame:
    return frames(token, tables=(table,), **options)[table]
