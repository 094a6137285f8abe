"""Test a login and an org, and reconcile a store with it, number by number and id by id."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from connectors.aligned import aligned, cell
from connectors.check_report import PIPELINES, CheckReport, pipeline_row
from connectors.errors import ApiError, CredentialsError, ScopeError
from connectors.progress import Progress, silent
from connectors.salesforce.agreement import agreement
from connectors.salesforce.client import Salesforce
from connectors.salesforce.context import opened, table
from connectors.salesforce.limits import Limits
from connectors.salesforce.records.columns import is_true
from connectors.salesforce.records.select import wanted
from connectors.salesforce.records.stages import stages
from connectors.salesforce.settings import Settings
from connectors.salesforce.sync import DEFINITIONS
from connectors.store import Store
from kpi.definitions import Definitions

PERMISSIONS = {
    "Organization": "API Enabled",
    "OpportunityStage": "Read on Opportunity",
    "User": "Read on User",
    "Account": "Read on Account",
    "Opportunity": "Read on Opportunity",
    "OpportunityHistory": "Read on Opportunity",
    "Lead": "Read on Lead",
    "Event": "Access Activities",
    "OpportunityLineItem": "Read on Opportunity and Product",
    "LeadStatus": "Read on Lead",
    "LeadHistory": "Read on Lead; its history tracked",
    "OpportunityFieldHistory": "Read on Opportunity; its history tracked",
    "CurrencyType": "an org with several currencies",
    "DatedConversionRate": "advanced currency management",
}
"""What it takes to read each object."""
NEEDED = ("Organization", "OpportunityStage", "User", "Account", "Opportunity")
"""Without these there is little to plan with."""
OPTIONAL = tuple(PERMISSIONS)[-5:]
"""An org may do without these; where one cannot be read, it does not say why."""
HISTORIES = {"OpportunityFieldHistory": "field history", "LeadHistory": "lead history"}


@dataclass(frozen=True, repr=False)
class Check(CheckReport):
    """What was found in a Salesforce org; see `connectors.check_report.CheckReport`.

    ``account`` has ``org, organization_id, user, url, version, time_zone, currency`` (the corporate
    one; empty in an org with one currency), ``currencies`` (the others) and ``bulk_left, bulk_daily``
    (bulk queries; None where the org does not say). ``scope`` is the permission that the user needs.
    The one row of ``pipelines`` has the stages of opportunities that are in use.

    Attributes
    ----------
    features : dict of str to bool
        What an org may have: ``several currencies, dated rates, record types, lead history, field
        history``.
    hidden : list of str
        Fields that are needed and not there for this user, as ``Opportunity.LeadSource``.
    """

    crm = "Salesforce"
    needed = NEEDED

    features: dict[str, bool] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)

    def _account(self) -> list[str]:
        told = self.account
        others = f" (also {', '.join(told['currencies'])})" if told["currencies"] else ""
        there = [name for name, is_there in self.features.items() if is_there]
        without = [name for name, is_there in self.features.items() if not is_there]
        lines = {
            "user": told["user"],
            "API": f"{told['url']}, version {told['version']}",
            "time zone": told["time_zone"],
            "currency": f"{told['currency'] or 'one only'}{others}",
            "calls": self._left() or "no limit stated",
            "bulk": _bulk(told["bulk_left"], told["bulk_daily"]),
            "has": ", ".join(there),
            "without": ", ".join(without),
        }
        named = told["org"] or told["organization_id"] or told["url"]
        return [
            f"Salesforce org {named}",
            *(f"  {name:<9}  {words}" for name, words in lines.items() if words),
        ]

    def _access(self) -> list[str]:
        words = {"": "yes", "scope": "NO", "absent": "not in this org"}
        rows = [[r["object"], words[r["why"]], r["scope"]] for r in self.access.to_dict("records")]
        lines = aligned(rows, ["object", "may read", "it takes"])
        missing = sorted(set(self.access.loc[self.access["why"] == "scope", "scope"]))
        if missing:
            lines += [f"MISSING: give the user {', '.join(missing)}, in a permission set."]
        if self.hidden:
            lines += [
                f"hidden or absent: {', '.join(self.hidden)}",
                "These stay missing in the store; field-level security may show them to this user.",
            ]
        return lines


def check(
    client: Salesforce, limits: Limits, store: Store | None = None, progress: Progress = silent
) -> Check:
    """Test what the user may read, and compare a store with the org.

    Parameters
    ----------
    client : Salesforce
        The org.
    limits : Limits
        Those of the client.
    store : Store, optional
        Compared with the org where it is given and there.
    progress : Progress
        Shows how far it is.

    Raises
    ------
    CredentialsError
        If the login is refused.
    FileError
        If the store's settings name a field that the org lacks, or that this user may not see.
    """
    settings = Settings() if store is None else Settings.read(store.path)
    described = _described(client)
    access = _access(described)
    told, features = _org(client, limits, described, settings)
    found = Check(
        told,
        access,
        _pipelines(client, described, settings),
        limits,
        features=features,
        hidden=_hidden(described, settings),
    )
    if store is None or not Store.exists(store.path) or not found.usable:
        return found
    file = store.path / DEFINITIONS
    given = Definitions.read(file) if file.exists() else None
    org = opened(client, settings, given, store.staged("stages"))
    return replace(found, **vars(agreement(org, settings, store, progress)))


Described = Mapping[str, list[dict[str, Any]]]
"""Fields of each object that may be read."""


def _described(client: Salesforce) -> Described:
    found: dict[str, list[dict[str, Any]]] = {}
    for name in PERMISSIONS:
        try:
            found[name] = client.describe(name)["fields"]
        except ScopeError:
            continue
    return found


def _access(described: Described) -> pd.DataFrame:
    rows = []
    for name, permission in PERMISSIONS.items():
        lacking = "absent" if name in OPTIONAL else "scope"
        why = "" if name in described else lacking
        rows.append([name, permission, not why, why])
    return pd.DataFrame(rows, columns=["object", "scope", "granted", "why"])


def _hidden(described: Described, settings: Settings) -> list[str]:
    """List the fields that a sync needs and this user does not see."""
    chosen = settings.fields
    asked = [n for n in described if n != "OpportunityLineItem" or "subscriptions" in chosen]
    return [one for name in asked for one in wanted(name, described[name], chosen).hidden]


def _org(
    client: Salesforce, limits: Limits, described: Described, settings: Settings
) -> tuple[dict[str, Any], dict[str, bool]]:
    """Ask the org for what it says of itself, of its limits, and of what it may do without."""
    who = _if_allowed(client.identity)
    allowed = _if_allowed(client.limits)
    limits.told(allowed)
    bulk = allowed.get("DailyBulkV2QueryJobs") or {}
    small = {
        name: table(client, name, settings) if name in described else pd.DataFrame()
        for name in ("Organization", "CurrencyType", "DatedConversionRate")
    }
    types, organization = small["CurrencyType"], small["Organization"]
    home = types.loc[is_true(types["IsCorporate"]), "IsoCode"].tolist() if len(types) else []
    codes = types["IsoCode"].tolist() if len(types) else []
    told = {
        "org": _only(organization, "Name"),
        "organization_id": who.get("organization_id"),
        "user": who.get("preferred_username"),
        "url": client.instance_url,
        "version": client.version,
        "time_zone": _only(organization, "TimeZoneSidKey"),
        "currency": next(iter(home), ""),
        "currencies": [code for code in codes if code not in home],
        "bulk_left": bulk.get("Remaining"),
        "bulk_daily": bulk.get("Max"),
    }
    fields = {one["name"] for one in described.get("Opportunity", ())}
    features = {
        "several currencies": bool(len(types)),
        "dated rates": bool(len(small["DatedConversionRate"])),
        "record types": "RecordTypeId" in fields,
    }
    return told, features | {words: name in described for name, words in HISTORIES.items()}


def _if_allowed(ask: Any) -> dict[str, Any]:  # noqa: ANN401 - a method of the client
    """Ask what an app may be kept from: it can do without."""
    try:
        return dict(ask())
    except CredentialsError as error:
        if error.status != 403:
            raise
    except ApiError as error:
        if error.status not in (403, 404):
            raise
    return {}


def _pipelines(client: Salesforce, described: Described, settings: Settings) -> pd.DataFrame:
    if "OpportunityStage" not in described:
        return pd.DataFrame(columns=PIPELINES)
    found = stages(table(client, "OpportunityStage", settings), pd.DataFrame())
    in_use = found[found["active"].fillna(value=False)]
    return pd.DataFrame([pipeline_row("", "Opportunities", in_use)], columns=PIPELINES)


def _only(frame: pd.DataFrame, name: str) -> str:
    """Return the value of a table of one row; empty where there is none."""
    values = frame[name].dropna().tolist() if name in frame else []
    return str(values[0]) if values else ""


def _bulk(left: int | None, daily: int | None) -> str:
    return f"{cell(left)} of {cell(daily)} bulk queries left today" if daily else ""
