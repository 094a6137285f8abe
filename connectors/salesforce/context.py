"""What a sync knows before it fetches the first record: the org, its stages, what to ask for."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeAlias

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
SMALL = ("Organization", "CurrencyType", "DatedConversionRate", "OpportunityStage", "LeadStatus")
"""Objects that are read whole each time, before all others."""
NEEDED = ("Organization", "OpportunityStage")
"""Those without which nothing can be read."""


Described: TypeAlias = list[dict[str, Any]]
"""``fields`` of a describe."""


class Small(NamedTuple):
    """All of a small object as text, and the fields of it that cannot be seen."""

    rows: pd.DataFrame
    hidden: list[str]


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
    notes: list[str] = []
    first = client.describe(SMALL[0])["fields"]  # alone: who is not let in need not ask five times
    described = [first, *[None] * len(SMALL[1:])]
    answers = client.api.map(partial(_small, client, settings), zip(SMALL, described, strict=True))
    organization, types, dated, opportunity_stage, lead_status = (
        _rows(name, read, notes) for name, read in zip(SMALL, answers, strict=True)
    )
    zone = organization["TimeZoneSidKey"].dropna().tolist()[:1] or ["UTC"]
    currencies = Currencies.read(types, dated if len(dated) else None)
    home = currencies.corporate or Definitions().reporting_currency
    definitions = given or Definitions(time_zone=zone[0], reporting_currency=home)
    reading = Reading(
        client.instance_url, zone[0], currencies, definitions.deal_types, settings.fields
    )
    org = Org(
        client,
        reading,
        definitions,
        stages(opportunity_stage, lead_status, earlier_stages),
        StageNames.read(opportunity_stage, lead_status, earlier_stages),
        rates(types, dated if len(dated) else None) if len(types) else pd.DataFrame(),
        _fingerprint(opportunity_stage, lead_status, types, dated),
        notes=notes,
    )
    _describe(org, settings, kinds)
    return org


def table(client: Salesforce, name: str, settings: Settings) -> pd.DataFrame:
    """Read all of a small object, as text."""
    return small(client, name, settings).rows


def small(
    client: Salesforce, name: str, settings: Settings, described: Described | None = None
) -> Small:
    """Read all of a small object, and tell which fields of it cannot be seen."""
    fields = described or client.describe(name)["fields"]
    found = wanted(name, fields, settings.fields)
    order = ["Id"] if "Id" in found.fields else []
    pages = client.rows(select(name, found.fields, order=order))
    rows = rows_of((record for page in pages for record in page), found.fields)
    return Small(rows, found.hidden)


def _small(
    client: Salesforce, settings: Settings, asked: tuple[str, Described | None]
) -> Small | ScopeError:
    try:
        return small(client, asked[0], settings, asked[1])
    except ScopeError as error:
        return error


def _rows(name: str, read: Small | ScopeError, notes: list[str]) -> pd.DataFrame:
    """Return what was read, and note what is hidden; no rows where an org has no such object."""
    if isinstance(read, Small):
        notes += missing(read.hidden)
        return read.rows
    if name in NEEDED:
        raise read
    return pd.DataFrame()


def missing(hidden: Collection[str]) -> list[str]:
    """Say which fields cannot be seen: one note, or none.

    >>> missing(["Lead.LeadSource"])
    ['hidden or absent, so missing: Lead.LeadSource']
    """
    return [f"hidden or absent, so missing: {', '.join(hidden)}"] if hidden else []


def _describe(org: Org, settings: Settings, kinds: Collection[Kind]) -> None:
    """Find out which objects, and which of their fields, can be read."""
    available: dict[str, list[str]] = {}
    asked = [k for k in kinds if k.table != "subscriptions" or k.table in settings.fields]
    answers = org.client.api.map(partial(_fields, org.client), asked)
    for kind, fields in zip(asked, answers, strict=True):
        if isinstance(fields, ScopeError):
            if kind.optional:
                org.notes.append(f"{kind.name} cannot be read: what it would tell is left out")
            else:
                org.refused[kind.name] = fields
            continue
        found = wanted(kind.name, fields, settings.fields)
        org.kinds.append(kind)
        org.wanted[kind.name] = found
        org.notes += missing(found.hidden)
        if not kind.is_history:
            available[kind.table] = readable(fields)
    check_fields(settings, available)


def _fields(client: Salesforce, kind: Kind) -> Described | ScopeError:
    try:
        found: Described = client.describe(kind.name)["fields"]
    except ScopeError as error:
        return error
    return found


def _fingerprint(*tables: pd.DataFrame) -> str:
    """Eight letters that change with the stages and currencies: rows rest on them."""
    told = "\n".join(frame.drop(columns="Id", errors="ignore").to_csv() for frame in tables)
    return hashlib.sha256(told.encode()).hexdigest()[:8]
