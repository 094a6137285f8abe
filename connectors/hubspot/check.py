"""Test a token and an account, and reconcile a store with it, number by number and id by id."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from connectors.errors import ScopeError
from connectors.hubspot.client import HubSpot
from connectors.hubspot.context import TABLES
from connectors.hubspot.limits import Limits
from connectors.hubspot.records.deals import deals
from connectors.hubspot.records.people import accounts, meetings
from connectors.hubspot.records.reading import Reading, asked
from connectors.hubspot.records.stages import stages
from connectors.progress import Progress, silent
from connectors.store import Store
from kpi.conform import conform
from kpi.tables import TABLES as CANONICAL

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
RECONCILED = ["pipeline_id", "stage_id", "outcome", "amount", "close_date", "updated_at"]
SHOWN = 10
"""Differing records that are named when the check is printed."""


@dataclass(frozen=True)
class Check:
    """What was found; printed, it says so in words.

    Attributes
    ----------
    account : dict
        ``portal, time_zone, currency, currencies``.
    access : DataFrame
        One row per object: ``object, scope, granted``.
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
        One row per differing deal and column: ``deal_id, column, hubspot, store``.
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
        counted = self.counts.empty or bool((self.counts["difference"] == 0).all())
        return counted and self.differences.empty

    @property
    def usable(self) -> bool:
        """Whether the token may read what is needed at least."""
        needed = self.access[self.access["object"].isin(NEEDED)]
        return bool(needed["granted"].all())

    def __str__(self) -> str:
        told = self.account
        lines = [
            f"HubSpot account {told['portal']}: {told['time_zone']}, {told['currency']}"
            + (f" (also {', '.join(told['currencies'])})" if told["currencies"] else ""),
            _limits(self.limits),
            "",
            self.access.assign(granted=self.access["granted"].map({True: "yes", False: "NO"}))
            .rename(columns={"granted": "may read"})
            .to_string(index=False),
        ]
        if len(self.pipelines):
            lines += ["", self.pipelines.to_string(index=False)]
        if len(self.counts):
            lines += ["", self.counts.to_string(index=False)]
        if len(self.amounts):
            off = self.amounts[self.amounts["difference"].abs() >= 0.005]
            lines += [
                "",
                f"Won and open amounts by pipeline and month: {len(self.amounts):,} compared",
            ]
            lines += [off.to_string(index=False) if len(off) else "all equal"]
        if len(self.differences):
            lines += ["", f"{len(self.differences):,} differences by record; the first:"]
            lines += [self.differences.head(SHOWN).to_string(index=False)]
            lines += ["What changed in HubSpot since the last sync differs too: sync, then check."]
        return "\n".join(lines)

    __repr__ = __str__


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
    return _reconciled(found, client, reading, store, granted, progress)


def _access(client: HubSpot) -> pd.DataFrame:
    rows = []
    for name, scope in SCOPES.items():
        try:
            if name == "owners":
                client.owners()
            else:
                next(client.pages(name, ["hs_object_id"]))
            granted = True
        except ScopeError:
            granted = False
        rows.append([name, scope, granted])
    return pd.DataFrame(rows, columns=["object", "scope", "granted"])


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


def _reconciled(
    found: Check,
    client: HubSpot,
    reading: Reading,
    store: Store,
    granted: set[str],
    progress: Progress,
) -> Check:
    frames = store.frames()
    counts, theirs = [], pd.DataFrame()
    for kind, shape in (("companies", accounts), ("deals", deals), ("meetings", meetings)):
        table = TABLES[kind]
        if kind not in granted or table not in frames:
            continue
        properties = asked(kind, reading, ())
        bar = progress(kind, None)
        records = []
        for page, _ in client.pages(kind, properties):
            records += page
            bar.update(len(page))
        bar.close()
        frame = conform(table, shape(records, reading)).frame
        if kind == "deals":
            theirs = frame
        counts.append([kind, len(frame), len(frames[table]), len(frames[table]) - len(frame)])
    columns = ["object", "hubspot", "store", "difference"]
    ours = frames.get("deals")
    if ours is None or theirs.empty:
        return _with(found, counts=pd.DataFrame(counts, columns=columns))
    return _with(
        found,
        counts=pd.DataFrame(counts, columns=columns),
        amounts=_amounts(theirs, ours),
        differences=_differences(theirs, ours),
    )


def _with(found: Check, **more: pd.DataFrame) -> Check:
    return Check(found.account, found.access, found.pipelines, found.limits, **more)


def _amounts(theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Sum won and open amounts by pipeline and month of the close date, on both sides."""
    keys = ["pipeline_id", "month", "outcome"]
    sides = []
    for name, frame in (("hubspot", theirs), ("store", ours)):
        kept = frame[frame["outcome"].isin(["won", "open"])]
        month = kept["close_date"].dt.strftime("%Y-%m").fillna("none")
        sums = kept.assign(month=month).groupby(keys, dropna=False)["amount"]
        sides.append(sums.agg(["size", "sum"]).add_prefix(f"{name}_"))
    both = sides[0].join(sides[1], how="outer").fillna(0.0).reset_index()
    both = both.rename(columns=lambda name: name.replace("size", "deals").replace("sum", "amount"))
    both[["hubspot_deals", "store_deals"]] = both[["hubspot_deals", "store_deals"]].astype("int64")
    return both.assign(difference=both["store_amount"] - both["hubspot_amount"])


def _differences(theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """List deals that only one side has, and each column in which they differ."""
    key = CANONICAL["deals"].key[0]
    one, other = theirs.set_index(key), ours.set_index(key)
    rows: list[list[Any]] = [
        [i, "(record)", "there", "missing"] for i in one.index.difference(other.index)
    ]
    rows += [[i, "(record)", "missing", "there"] for i in other.index.difference(one.index)]
    both = one.index.intersection(other.index)
    for column in RECONCILED:
        left, right = one.loc[both, column], other.loc[both, column]
        same = (left == right) | (left.isna() & right.isna())
        rows += [[i, column, left[i], right[i]] for i in both[~same.fillna(value=False)]]
    return pd.DataFrame(rows, columns=["deal_id", "column", "hubspot", "store"])


def _limits(limits: Limits) -> str:
    left = "" if limits.left is None else f"; {limits.left:,} of {limits.daily:,} calls left today"
    calls, seconds = limits.burst
    return f"Limits: {calls:,} calls in {seconds:.0f} s, 5 searches a second{left}"
