"""Canonical tables straight from an org, without a store of the user's own.

`opportunities`, `users` and `events` are `deals`, `owners` and `meetings` by Salesforce's names.
"""

from collections.abc import Collection
from typing import Any

import pandas as pd

from connectors.crm_settings import Fields
from connectors.progress import Progress, bars
from connectors.read_anew import needed, read_anew
from connectors.salesforce.connect import connect
from connectors.salesforce.context import KINDS
from connectors.salesforce.settings import Settings
from connectors.salesforce.sync import Sync
from connectors.secret import Secret

PAST = ("OpportunityHistory", "OpportunityFieldHistory", "LeadHistory", "Lead", "Opportunity")
NEEDS = {
    "deals": ("OpportunityHistory", "Opportunity"),
    "history": PAST,
    "leads": ("LeadHistory", "Lead"),
    "accounts": ("Account",),
    "meetings": ("Event",),
    "subscriptions": ("Opportunity", "OpportunityLineItem"),
    "owners": (),
    "stages": PAST,
    "rates": (),
}
"""The objects to read for a table: histories tell when a deal closed, and what a stage was called."""


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
        Which; default: all that Salesforce fills.
    fields : mapping of table to (column to field), optional
        Fields of the org's own, like ``{"deals": {"segment": "Market_Segment__c"}}``. Without
        ``{"subscriptions": {"mrr": ...}}`` there are no subscriptions.
    progress : Progress
        Shows how far it is.

    Returns
    -------
    dict of str to DataFrame
        By name, the columns and dtypes of `kpi.tables`.

    Raises
    ------
    CredentialsError
        If there is no way in, or the org refuses.
    ScopeError
        If the user may not read what a table needs.
    FileError
        If there is no such table, or the org lacks the field of a setting.
    """
    names = needed(tables, NEEDS, "Salesforce")
    kinds = [kind for kind in KINDS if kind.name in names]
    settings = Settings().with_fields(fields or {}).with_lag(0)  # no later sync adds what is late
    client, limits = connect(token, url=url)
    with client.api:
        return read_anew(
            tables,
            lambda store: Sync(
                store, client, limits, settings, kinds=kinds, progress=progress
            ).run(),
        )


def deals(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the opportunities; options are those of `frames`."""
    return _one("deals", token, options)


def history(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return every recorded change of leads and opportunities; options are those of `frames`."""
    return _one("history", token, options)


def leads(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the leads, converted ones too; options are those of `frames`."""
    return _one("leads", token, options)


def accounts(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the accounts; options are those of `frames`."""
    return _one("accounts", token, options)


def meetings(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the events, archived ones too; options are those of `frames`."""
    return _one("meetings", token, options)


def subscriptions(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the recurring products of won opportunities; options are those of `frames`."""
    return _one("subscriptions", token, options)


def owners(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the users, deactivated ones too; options are those of `frames`."""
    return _one("owners", token, options)


def stages(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the stages of opportunities and statuses of leads; options are those of `frames`."""
    return _one("stages", token, options)


def rates(token: str | Secret | None = None, **options: Any) -> pd.DataFrame:
    """Return the exchange rates, no row in an org with one currency; options as for `frames`."""
    return _one("rates", token, options)


opportunities, users, events = deals, owners, meetings


def _one(table: str, token: str | Secret | None, options: dict[str, Any]) -> pd.DataFrame:
    return frames(token, tables=(table,), **options)[table]
