"""What a sync knows before it fetches the first record: the org, its stages, what to ask for."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field

import pandas as pd

from connectors.errors import ScopeError
from connectors.salesforce.client import Salesforce
from connectors.salesforce.query import select
from connectors.salesforce.records.currencies import Currencies, rates
from connectors.salesforce.records.reading import Reading
from connectors.salesforce.records.rows import rows_of
from connectors.salesforce.records.select import Select, readable, wanted
from connectors.salesforce.records.stages import StageNames, stages
from connectors.salesforce.settings import Settings, check_fields
from kpi.definitions import Definitions


@dataclass(frozen=True)
class Kind:
    """An object that is read: the table it fills, and the field that says when a row changed."""

    name: str
    table: str
    cursor: str = "SystemModstamp"
    optional: bool = False

    @property
    def is_history(self) -> bool:
        """Whether its rows are changes of records, which never change themselves."""
        return self.table == "history"

    @property
    def mark(self) -> str:
        """Name of its watermark among those of its table."""
        return f"salesforce.{self.name}" if self.is_history else "salesforce"


KINDS = (
    Kind("OpportunityHistory", "history", "CreatedDate"),
    Kind("OpportunityFieldHistory", "history", "CreatedDate", optional=True),
    Kind("LeadHistory", "history", "CreatedDate", optional=True),
    Kind("Account", "accounts"),
    Kind("Lead", "leads"),
    Kind("Opportunity", "deals"),
    Kind("Event", "meetings"),
    Kind("OpportunityLineItem", "subscriptions"),
)
"""In the order they are read: a deal is closed when its history says."""


@dataclass
class Org:
    """The org and how its records are read.

    Attributes
    ----------
    kinds : list of Kind
        Objects to read, in order.
    wanted : dict of str to Select
        The fields to ask of each.
    refused : dict of str to ScopeError
        Objects that the user may not read.
    notes : list of str
        What the reader should know: fields that are hidden, histories that are not tracked.
    """

    client: Salesforce
    reading: Reading
    definitions: Definitions
    stages: pd.DataFrame
    names: StageNames
    rates: pd.DataFrame
    metadata: str
    kinds: list[Kind] = field(default_factory=list)
    wanted: dict[str, Select] = field(default_factory=dict)
    refused: dict[str, ScopeError] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def opened(
    client: Salesforce,
    settings: Settings,
    given: Definitions | None,
    earlier_stages: pd.DataFrame,
    kinds: Collection[Kind] = KINDS,
) -> Org:
    """Ask the org for all that has to be known first.

    Raises
    ------
    FileError
        If the settings name a field that the org lacks, or that this user may not see.
    ScopeError
        If the user may not read opportunity stages.
    """
    organization = table(client, "Organization", settings)
    zone = organization["TimeZoneSidKey"].dropna().tolist()[:1] or ["UTC"]
    types = _if_there(client, "CurrencyType", settings)
    dated = _if_there(client, "DatedConversionRate", settings)
    currencies = Currencies.read(types, dated if len(dated) else None)
    home = currencies.corporate or Definitions().reporting_currency
    definitions = given or Definitions(time_zone=zone[0], reporting_currency=home)
    reading = Reading(
        client.instance_url, zone[0], currencies, definitions.deal_types, settings.fields
    )
    opportunity_stage = table(client, "OpportunityStage", settings)
    lead_status = _if_there(client, "LeadStatus", settings)
    org = Org(
        client,
        reading,
        definitions,
        stages(opportunity_stage, lead_status, earlier_stages),
        StageNames.read(opportunity_stage, lead_status, earlier_stages),
        rates(types, dated if len(dated) else None) if len(types) else pd.DataFrame(),
        _fingerprint(opportunity_stage, lead_status, types, dated),
    )
    _describe(org, settings, kinds)
    return org


def table(client: Salesforce, name: str, settings: Settings) -> pd.DataFrame:
    """Read all of a small object, as text."""
    fields = wanted(name, client.describe(name)["fields"], settings.fields).fields
    order = ["Id"] if "Id" in fields else []
    pages = client.rows(select(name, fields, order=order))
    return rows_of((record for page in pages for record in page), fields)


def _if_there(client: Salesforce, name: str, settings: Settings) -> pd.DataFrame:
    """Read an object that an org may do without; no rows where it does."""
    try:
        return table(client, name, settings)
    except ScopeError:
        return pd.DataFrame()


def _describe(org: Org, settings: Settings, kinds: Collection[Kind]) -> None:
    """Find out which objects, and which of their fields, can be read."""
    available: dict[str, list[str]] = {}
    for kind in kinds:
        if kind.table == "subscriptions" and "subscriptions" not in settings.fields:
            continue
        try:
            fields = org.client.describe(kind.name)["fields"]
        except ScopeError as error:
            if kind.optional:
                org.notes.append(f"{kind.name} cannot be read: what it would tell is left out")
            else:
                org.refused[kind.name] = error
            continue
        found = wanted(kind.name, fields, settings.fields)
        org.kinds.append(kind)
        org.wanted[kind.name] = found
        if found.hidden:
            org.notes.append(f"hidden or absent, so missing: {', '.join(found.hidden)}")
        if not kind.is_history:
            available[kind.table] = readable(fields)
    check_fields(settings, available)


def _fingerprint(*tables: pd.DataFrame) -> str:
    """Eight letters that change with the stages and currencies: rows rest on them."""
    told = "\n".join(frame.drop(columns="Id", errors="ignore").to_csv() for frame in tables)
    return hashlib.sha256(told.encode()).hexdigest()[:8]
