"""Test a token and an account, and reconcile a store with it, number by number and id by id."""

from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from connectors.aligned import aligned, cell, times
from connectors.errors import ApiError, ScopeError
from connectors.hubspot.agreement import agreement
from connectors.hubspot.client import HubSpot
from connectors.hubspot.limits import UNSTATED, Limits
from connectors.hubspot.records.reading import Reading
from connectors.hubspot.records.stages import stages
from connectors.progress import Progress, silent
from connectors.store import Store

SCOPES = {
    "contacts": "crm.objects.contacts.read",
    "companies": "crm.objects.companies.read",
    "deals": "crm.objects.deals.read",
    "leads": "crm.objects.leads.read",
    "meetings": "crm.objects.contacts.read",
    "line_items": "crm.objects.line_items.read",
    "owners": "crm.objects.owners.read",
}
NEEDED = ("deals", "companies", "owners")
"""Without these there is little to plan with; the others may be missing in a smaller account."""
SHOWN = 10
"""Differing records, or sums, that are named when the check is printed."""


@dataclass(frozen=True)
class Check:
    """What was found; printed, it says so in words.

    Attributes
    ----------
    account : dict
        ``portal, time_zone, currency, currencies``.
    access : DataFrame
        One row per object: ``object, scope, granted`` and ``why`` not: ``scope`` (the token lacks
        it) or ``absent`` (the account has no such object).
    pipelines : DataFrame
        One row per deal pipeline: ``pipeline_id, label, stages, won, lost`` (labels of the stages).
    limits : Limits
        Calls allowed, and left today.
    counts : DataFrame
        One row per object: ``object, hubspot, store, difference``; empty without a store.
    amounts : DataFrame
        One row per ``pipeline_id, month`` (of the close date) and ``outcome`` (won, open): deals and
        amount in HubSpot and in the store, and the difference of the amounts.
    differences : DataFrame
        One row per differing record and column: ``table, id, column, hubspot, store``; the column
        is ``(record)`` where only one side has it.
    """

    account: dict[str, Any]
    access: pd.DataFrame
    pipelines: pd.DataFrame
    limits: Limits
    counts: pd.DataFrame = field(default_factory=pd.DataFrame)
    amounts: pd.DataFrame = field(default_factory=pd.DataFrame)
    differences: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def agrees(self) -> bool:
        """Whether the store holds what HubSpot has; True where there is no store to compare."""
        return self.differences.empty

    @property
    def usable(self) -> bool:
        """Whether the token may read what is needed at least."""
        needed = self.access[self.access["object"].isin(NEEDED)]
        return bool(needed["granted"].all())

    def __str__(self) -> str:
        parts = [self._account(), self._access(), self._pipelines(), self._agreement()]
        return "\n\n".join("\n".join(part) for part in parts if part)

    __repr__ = __str__

    def _account(self) -> list[str]:
        told, limits = self.account, self.limits
        others = f" (also {', '.join(told['currencies'])})" if told["currencies"] else ""
        calls, seconds = limits.burst
        burst = "no limit stated" if limits.burst == UNSTATED else f"{calls:,} in {seconds:.0f} s"
        left = f"; {cell(limits.left)} of {cell(limits.daily)} left today" if limits.daily else ""
        return [
            f"HubSpot account {told['portal']}",
            f"  time zone  {told['time_zone']}",
            f"  currency   {told['currency']}{others}",
            f"  calls      {burst}, 5 searches a second{left}",
        ]

    def _access(self) -> list[str]:
        words = {"": "yes", "scope": "NO", "absent": "not in this account"}
        rows = [[r["object"], words[r["why"]], r["scope"]] for r in self.access.to_dict("records")]
        lines = aligned(rows, ["object", "may read", "scope"])
        missing = sorted(set(self.access.loc[self.access["why"] == "scope", "scope"]))
        if missing:
            lines += [f"MISSING: add {', '.join(missing)} to the app's scopes in HubSpot."]
        if not self.access.set_index("object")["granted"]["leads"]:
            lines += ["Without leads, contacts count as leads by their lifecycle stage."]
        return lines

    def _pipelines(self) -> list[str]:
        columns = ["label", "stages", "won", "lost", "pipeline_id"]
        rows = (
            self.pipelines[columns].to_numpy(dtype="object").tolist() if len(self.pipelines) else []
        )
        return aligned(rows, ["pipeline", "stages", "won", "lost", "id"]) if rows else []

    def _agreement(self) -> list[str]:
        if self.counts.empty:
            return []
        records = self.differences[["table", "id"]].drop_duplicates()
        verdict = (
            "The store agrees with HubSpot."
            if self.agrees
            else f"The store DIFFERS from HubSpot in {times(len(records), 'record')}."
        )
        rows = self.counts.to_numpy(dtype="object").tolist()
        lines = [verdict, "", *aligned(rows, ["", "in HubSpot", "in the store", "difference"])]
        return [*lines, "", *self._sums(), *self._named()]

    def _sums(self) -> list[str]:
        """State won and open amounts as a whole, and the months in which they differ."""
        if self.amounts.empty:
            return []
        money = self.account["currency"]
        total = self.amounts.groupby("outcome")["hubspot_amount"].sum().to_dict()
        both = ", ".join(f"{name} {amount:,.0f} {money}" for name, amount in total.items())
        uneven = self.amounts["hubspot_deals"] != self.amounts["store_deals"]
        off = self.amounts[uneven | (self.amounts["difference"].abs() >= 0.005)]
        lines = [
            f"Amounts by pipeline and month ({both}): {len(self.amounts) - len(off):,} of"
            f" {times(len(self.amounts), 'sum')} equal"
        ]
        if off.empty:
            return lines
        labels = dict(zip(self.pipelines["pipeline_id"], self.pipelines["label"], strict=True))
        shown = off.head(SHOWN).to_dict("records")
        names = ["hubspot_deals", "store_deals", "hubspot_amount", "store_amount", "difference"]
        rows = [
            [labels.get(row["pipeline_id"], row["pipeline_id"]), row["month"], row["outcome"]]
            + [row[name] for name in names]
            for row in shown
        ]
        head = ["pipeline", "month", "deals", "in HubSpot", "in store"]
        head += [f"{money} in HubSpot", "in store", "difference"]
        return [*lines, "", *aligned(rows, head), *_more(len(off), "sum")]

    def _named(self) -> list[str]:
        """Name the differing records, a line per record and column."""
        if self.agrees:
            return []
        found = self.differences
        told = found[found["column"] != "updated_at"]
        only = ~found["id"].isin(told["id"])  # those that differ in nothing else
        found = pd.concat([told, found[only]])
        rows = found.head(SHOWN).to_numpy(dtype="object").tolist()
        return [
            "",
            *aligned(rows, ["table", "id", "column", "in HubSpot", "in the store"]),
            *_more(len(found), "difference"),
            "What changed in HubSpot since the last sync differs too: sync, then check again.",
        ]


def check(
    client: HubSpot, limits: Limits, store: Store | None = None, progress: Progress = silent
) -> Check:
    """Test what the token may read, and compare a store with the account.

    Parameters
    ----------
    client : HubSpot
        The account.
    limits : Limits
        Those of the client.
    store : Store, optional
        Compared with the account where it is given and there.
    progress : Progress
        Shows how far it is.

    Raises
    ------
    CredentialsError
        If the token is refused.
    """
    details = client.account()
    reading = Reading.from_details(details)
    limits.time_zone = reading.time_zone
    told = {
        "portal": reading.portal,
        "time_zone": reading.time_zone,
        "currency": reading.currency,
        "currencies": list(details.get("additionalCurrencies") or ()),
    }
    access = _access(client)
    granted = set(access.loc[access["granted"], "object"])
    pipelines = _pipelines(client) if "deals" in granted else pd.DataFrame()
    found = Check(told, access, pipelines, limits)
    if store is None or not Store.exists(store.path):
        return found
    compared = agreement(client, reading, store, granted, progress)
    return replace(found, **vars(compared))


def _access(client: HubSpot) -> pd.DataFrame:
    rows = []
    for name, scope in SCOPES.items():
        try:
            if name == "owners":
                client.owners()
            else:
                next(client.pages(name, ["hs_object_id"]))
            why = ""
        except ScopeError:
            why = "scope"
        except ApiError as error:
            if error.status not in (403, 404):
                raise
            why = "absent"
        rows.append([name, scope, not why, why])
    return pd.DataFrame(rows, columns=["object", "scope", "granted", "why"])


def _pipelines(client: HubSpot) -> pd.DataFrame:
    found = client.pipelines("deals")
    rows = []
    for pipeline in sorted(found, key=lambda p: p.get("displayOrder") or 0):
        held = stages([pipeline]).sort_values("position")
        named = held.groupby("outcome")["label"].agg(", ".join)
        rows.append(
            [pipeline["id"], pipeline["label"], len(held), named.get("won"), named.get("lost")]
        )
    return pd.DataFrame(rows, columns=["pipeline_id", "label", "stages", "won", "lost"])


def _more(count: int, name: str) -> list[str]:
    return [f"and {times(count - SHOWN, f'further {name}')}"] if count > SHOWN else []
