"""Whether a store holds what a CRM has: counts, amounts, and each differing record by id.

The CRM's column is named after the source of the store's watermarks: ``hubspot``, ``salesforce``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from connectors.store import Store
from kpi.tables import TABLES

COMPARED = {
    "deals": ["pipeline_id", "stage_id", "outcome", "amount", "close_date", "updated_at"],
    "leads": ["stage_id"],
}
"""Columns that are compared; of the other tables, only which records there are."""


@dataclass(frozen=True)
class Agreement:
    """The three comparisons, as `connectors.check_report.CheckReport` has them."""

    counts: pd.DataFrame
    amounts: pd.DataFrame
    differences: pd.DataFrame


def agreement(
    source: str,
    store: Store,
    objects: Mapping[str, str],
    theirs: Callable[[str, set[str]], pd.DataFrame],
) -> Agreement:
    """Compare the records of a CRM with those of a store.

    Parameters
    ----------
    source : str
        ``hubspot`` or ``salesforce``: the name of the CRM's columns, and of the store's watermarks.
    store : Store
        With one sync at least.
    objects : mapping of str to str
        By object of the CRM that may be read, the canonical table it fills.
    theirs : callable
        Given an object and the ids that the store has of it, returns its records as the CRM has them
        now: the key of the table, and the columns of `COMPARED`, in the dtypes of `kpi.tables`.
    """
    frames = store.frames()
    counts: list[list[Any]] = []
    differences: list[pd.DataFrame] = []
    amounts = pd.DataFrame()
    for name, table in objects.items():
        if table not in frames:
            continue
        ours = frames[table]
        held = set(ours[TABLES[table].key[0]])
        found = theirs(name, held)
        found = found[~_left_out(found, held, store.watermark(table, f"{source}.floor"), table)]
        counts.append([name, len(found), len(ours), len(ours) - len(found)])
        differences.append(_differences(source, table, found, ours))
        if table == "deals":
            amounts = _amounts(source, found, ours)
    listed = [frame for frame in differences if len(frame)]
    return Agreement(
        pd.DataFrame(counts, columns=["object", source, "store", "difference"]),
        amounts,
        pd.concat(listed, ignore_index=True) if listed else _listed(source, []),
    )


def _left_out(theirs: pd.DataFrame, held: set[str], floor: str | None, table: str) -> pd.Series:
    """Mark what a first sync with ``since`` has left out on purpose."""
    missing = ~theirs[TABLES[table].key[0]].isin(held)
    if floor is None:
        return missing & False
    if "updated_at" not in theirs:
        return missing
    changed = theirs["updated_at"]
    return missing & (changed.isna() | (changed < pd.Timestamp(floor)))


def _amounts(source: str, theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Sum won and open amounts by pipeline and month of the close date, on both sides."""
    keys = ["pipeline_id", "month", "outcome"]
    sides = []
    for name, frame in ((source, theirs), ("store", ours)):
        kept = frame[frame["outcome"].isin(["won", "open"])]
        month = kept["close_date"].dt.strftime("%Y-%m").fillna("none")
        pipeline = kept["pipeline_id"].fillna("")
        sums = kept.assign(month=month, pipeline_id=pipeline).groupby(keys)["amount"]
        named = {"size": f"{name}_deals", "sum": f"{name}_amount"}
        sides.append(sums.agg(["size", "sum"]).rename(columns=named))
    both = sides[0].join(sides[1], how="outer").fillna(0.0).reset_index()
    deals = [f"{source}_deals", "store_deals"]
    both[deals] = both[deals].astype("int64")
    return both.assign(difference=both["store_amount"] - both[f"{source}_amount"])


def _differences(source: str, table: str, theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """List records that only one side has, and each column in which they differ."""
    key = TABLES[table].key[0]
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
    return _listed(source, rows)


def _listed(source: str, rows: list[list[Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["table", "id", "column", source, "store"])
