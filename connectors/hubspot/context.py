"""What a sync knows before it fetches the first record: the account, its stages, what to ask for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from connectors.errors import ApiError, ScopeError
from connectors.hubspot.client import HubSpot
from connectors.hubspot.records.reading import Reading, asked, history_asked
from connectors.hubspot.records.stages import (
    StageDates,
    reached_stages,
    stage_dates,
    stages,
)
from connectors.hubspot.settings import Settings, check_fields
from connectors.hubspot.streams import Wanted
from connectors.kept_stages import with_deleted
from connectors.store import Store
from kpi.definitions import Count, Definitions

KINDS = ("companies", "leads", "deals", "meetings", "line_items")
"""The objects, in the order they are read: a deal names its company and its lead."""

TABLES = {
    "companies": "accounts",
    "leads": "leads",
    "contacts": "leads",
    "deals": "deals",
    "meetings": "meetings",
    "line_items": "subscriptions",
}
DEFINITIONS = "definitions.toml"


@dataclass
class Account:
    """The account and how its records are read.

    Attributes
    ----------
    kinds : list of str
        HubSpot objects to read, in order; ``contacts`` or ``leads``, whichever are the leads.
    wanted : dict of str to Wanted
        What to ask of each.
    refused : dict of str to ScopeError
        Objects the token may not read.
    """

    client: HubSpot
    reading: Reading
    definitions: Definitions
    kinds: list[str] = field(default_factory=list)
    wanted: dict[str, Wanted] = field(default_factory=dict)
    stages: pd.DataFrame = field(default_factory=lambda: stages([]))
    dates: StageDates = field(default_factory=lambda: StageDates({}, ()))
    reached: frozenset[str] = frozenset()
    source_property: str = "hs_analytics_source"
    refused: dict[str, ScopeError] = field(default_factory=dict)

    @property
    def leads(self) -> str | None:
        """The object that holds the leads; None where the token may read neither."""
        return next((kind for kind in self.kinds if TABLES[kind] == "leads"), None)


def opened(
    client: HubSpot,
    settings: Settings,
    given: Definitions | None,
    earlier_stages: pd.DataFrame,
    kinds: Collection[str] = KINDS,
) -> Account:
    """Ask the account for all that has to be known first.

    Raises
    ------
    FileError
        If the settings name a property that the account lacks.
    """
    details = client.account()
    reading = Reading.from_details(details, fields=settings.fields)
    definitions = given or Definitions(
        time_zone=reading.time_zone, reporting_currency=reading.currency
    )
    reading = Reading.from_details(
        details, deal_types=definitions.deal_types, fields=settings.fields
    )
    account = Account(client, reading, definitions)
    leads = _lead_kind(client, settings) if "leads" in kinds else "contacts"
    available: dict[str, list[dict[str, Any]]] = {}
    for kind in [name for name in KINDS if name in kinds]:
        actual = leads if kind == "leads" else kind
        try:
            available[actual] = client.properties(actual)
        except ScopeError as error:
            account.refused[actual] = error
            continue
        account.kinds.append(actual)
    check_fields(settings, _by_table(available))
    _add_stages(account, available, earlier_stages)
    for kind in account.kinds:
        names = {p["name"] for p in available[kind]}
        dates = account.dates.stages if kind == "deals" else ()
        properties = asked(kind, account.reading, names, dates)
        account.wanted[kind] = Wanted(kind, properties, history_asked(kind))
    if given is None and leads == "contacts":
        account.definitions = _with_lifecycle(definitions)
    return account


def _lead_kind(client: HubSpot, settings: Settings) -> str:
    """Leads where the account has them and uses them, unless the settings say; else contacts."""
    if settings.leads != "auto":
        return settings.leads
    try:
        records, _ = next(client.pages("leads", ["hs_object_id"]))
    except ScopeError:
        return "contacts"
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        return "contacts"
    return "leads" if records else "contacts"


def _by_table(available: Mapping[str, list[dict[str, Any]]]) -> dict[str, Collection[str]]:
    return {TABLES[kind]: [p["name"] for p in found] for kind, found in available.items()}


def _add_stages(
    account: Account, available: Mapping[str, list[dict[str, Any]]], earlier: pd.DataFrame
) -> None:
    client, lifecycle = account.client, None
    deal_pipelines, lead_pipelines = [], []
    try:
        deal_pipelines = client.pipelines("deals")
    except ScopeError as error:
        account.refused["pipelines"] = error
    if "leads" in account.kinds:
        lead_pipelines = client.pipelines("leads")
    if "contacts" in account.kinds:
        lifecycle = next((p for p in available["contacts"] if p["name"] == "lifecyclestage"), None)
        account.reached = reached_stages(lifecycle or {})
    found = stages(deal_pipelines, lead_pipelines, lifecycle)
    is_unread = earlier["object"].isin(_unread(account))
    account.stages = with_deleted(found, earlier[~is_unread])
    if is_unread.any():
        account.stages = pd.concat([account.stages, earlier[is_unread]], ignore_index=True)
    names = [p["name"] for p in available.get("deals", ())]
    account.dates = stage_dates(names, account.stages)


def _unread(account: Account) -> list[str]:
    """Say whose stages could not be read, as the table of stages words it."""
    missing = {"deal": "pipelines" in account.refused, "lead": account.leads is None}
    return [name for name, is_missing in missing.items() if is_missing]


def _with_lifecycle(definitions: Definitions) -> Definitions:
    """Count MQLs and SQLs by HubSpot's own lifecycle stages."""
    count = {
        "mql": Count("leads", "stage_id", ("marketingqualifiedlead",)),
        "sql": Count("leads", "stage_id", ("salesqualifiedlead",)),
    }
    return Definitions(
        time_zone=definitions.time_zone,
        reporting_currency=definitions.reporting_currency,
        count=count,
    )


def stored_definitions(store: Store) -> Definitions | None:
    """Return what counts, as the store's own file says; None where it has none yet."""
    file = store.path / DEFINITIONS
    return Definitions.read(file) if file.exists() else None
