"""Whether a store holds what an account has: counts, amounts, and each differing record by id."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import pandas as pd

from connectors.hubspot.client import HubSpot, Record
from connectors.hubspot.context import TABLES
from connectors.hubspot.records.columns import ids, live, texts
from connectors.hubspot.records.deals import deals
from connectors.hubspot.records.leads import leads_from_objects
from connectors.hubspot.records.people import accounts, meetings, owners
from connectors.hubspot.records.reading import Reading, asked
from connectors.hubspot.records.stages import LIFECYCLE, reached_stages
from connectors.progress import Progress
from connectors.store import Store
from kpi.conform import conform
from kpi.tables import TABLES as CANONICAL

COMPARED = {
    "deals": ["pipeline_id", "stage_id", "outcome", "amount", "close_date", "updated_at"],
    "leads": ["stage_id"],
}
"""Columns that are compared; of the other tables, only which records there are."""
COUNTS = ["object", "hubspot", "store", "difference"]
DIFFERENCES = ["table", "id", "column", "hubspot", "store"]
SHAPES: dict[str, Callable[[list[Record], Reading], pd.DataFrame]] = {
    "companies": accounts,
    "leads": leads_from_objects,
    "deals": deals,
    "meetings": meetings,
}
PART = 2_000
"""Records shaped together."""


@dataclass(frozen=True)
class Agreement:
    """The three comparisons, as `connectors.hubspot.Check` has them."""

    counts: pd.DataFrame
    amounts: pd.DataFrame
    differences: pd.DataFrame


def agreement(
    client: HubSpot, reading: Reading, store: Store, granted: Collection[str], progress: Progress
) -> Agreement:
    """Read every record of the account that the token may read, and compare it with the store.

    Parameters
    ----------
    client : HubSpot
        The account.
    reading : Reading
        How its records are read.
    store : Store
        With one sync at least.
    granted : collection of str
        Objects that may be read.
    progress : Progress
        Shows how far it is.
    """
    frames = store.frames()
    counts: list[list[Any]] = []
    differences: list[pd.DataFrame] = []
    amounts = pd.DataFrame()
    for kind in ("owners", "companies", _lead_kind(frames["stages"]), "deals", "meetings"):
        table = TABLES.get(kind, kind)
        if kind not in granted or table not in frames:
            continue
        ours = frames[table]
        key = CANONICAL[table].key[0]
        theirs = _theirs(client, reading, kind, set(ours[key]), progress)
        theirs = theirs[~_left_out(theirs, set(ours[key]), store, table)]
        counts.append([kind, len(theirs), len(ours), len(ours) - len(theirs)])
        differences.append(_differences(table, theirs, ours))
        if kind == "deals":
            amounts = _amounts(theirs, ours)
    found = [frame for frame in differences if len(frame)]
    return Agreement(
        pd.DataFrame(counts, columns=COUNTS),
        amounts,
        pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=DIFFERENCES),
    )


def _lead_kind(stages: pd.DataFrame) -> str:
    """Tell which object the store has as its leads."""
    return "contacts" if (stages["pipeline_id"] == LIFECYCLE).any() else "leads"


def _theirs(
    client: HubSpot, reading: Reading, kind: str, held: set[str], progress: Progress
) -> pd.DataFrame:
    """Return an object's records as the account has them now, in the columns of the store."""
    if kind == "owners":
        return conform(kind, owners(client.owners())).frame
    reached: frozenset[str] = _reached(client) if kind == "contacts" else frozenset()
    properties = ["lifecyclestage"] if kind == "contacts" else asked(kind, reading, ())
    found: list[pd.DataFrame] = []
    records: list[Record] = []
    bar = progress(f"{kind} compared".replace("_", " "), client.count(kind))
    try:
        for page, after in client.pages(kind, properties):
            records += page
            bar.update(len(page))
            if len(records) >= PART or after is None:
                found.append(_shaped(kind, records, reading, held, reached))
                records = []
    finally:
        bar.close()
    return pd.concat(found, ignore_index=True)


def _reached(client: HubSpot) -> frozenset[str]:
    return next(
        (reached_stages(p) for p in client.properties("contacts") if p["name"] == LIFECYCLE),
        frozenset[str](),
    )


def _shaped(
    kind: str, records: list[Record], reading: Reading, held: set[str], reached: Collection[str]
) -> pd.DataFrame:
    table = TABLES[kind]
    if kind != "contacts":
        return conform(table, SHAPES[kind](records, reading)).frame
    there = live(records)
    stages = [record["properties"].get(LIFECYCLE) for record in there]
    rows = conform(table, pd.DataFrame({"lead_id": ids(there), "stage_id": texts(stages)})).frame
    # a contact that is a lead no longer was one once: then the store has it, from its history
    return rows[rows["stage_id"].isin(list(reached)) | rows["lead_id"].isin(held)]


def _left_out(theirs: pd.DataFrame, held: set[str], store: Store, table: str) -> pd.Series:
    """Mark what a first sync with ``since`` has left out on purpose."""
    floor = store.watermark(table, "hubspot.floor")
    missing = ~theirs[CANONICAL[table].key[0]].isin(held)
    if floor is None:
        return missing & False
    if "updated_at" not in theirs:
        return missing
    changed = theirs["updated_at"]
    return missing & (changed.isna() | (changed < pd.Timestamp(floor)))


def _amounts(theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Sum won and open amounts by pipeline and month of the close date, on both sides."""
    keys = ["pipeline_id", "month", "outcome"]
    sides = []
    for name, frame in (("hubspot", theirs), ("store", ours)):
        kept = frame[frame["outcome"].isin(["won", "open"])]
        month = kept["close_date"].dt.strftime("%Y-%m").fillna("none")
        sums = kept.assign(month=month).groupby(keys, dropna=False)["amount"]
        named = {"size": f"{name}_deals", "sum": f"{name}_amount"}
        sides.append(sums.agg(["size", "sum"]).rename(columns=named))
    both = sides[0].join(sides[1], how="outer").fillna(0.0).reset_index()
    both[["hubspot_deals", "store_deals"]] = both[["hubspot_deals", "store_deals"]].astype("int64")
    return both.assign(difference=both["store_amount"] - both["hubspot_amount"])


def _differences(table: str, theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """List records that only one side has, and each column in which they differ."""
    key = CANONICAL[table].key[0]
    one, other = theirs.set_index(key), ours.set_index(key)
    rows: list[list[Any]] = [
        [table, i, "(record)", "there", "missing"] for i in one.index.difference(other.index)
    ]
    rows += [[table, i, "(record)", "missing", "there"] for i in other.index.difference(one.index)]
    both = one.index.intersection(other.index)
    for column in COMPARED.get(table, ()):
        left, right = one.loc[both, column], other.loc[both, column]
        same = (left == right) | (left.isna() & right.isna())
        rows += [[table, i, column, left[i], right[i]] for i in both[~same.fillna(value=False)]]
    return pd.DataFrame(rows, columns=DIFFERENCES)
