"""Costs held against what they brought in the same months: the shape of cost per lead and CAC."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kpi.acquisition.spend import (
    NO_COSTS,
    Allocation,
    counted_months,
    monthly_costs,
    months_note,
    unnarrowed,
    window_note,
)
from kpi.periods import Every
from kpi.result import Groups, joined, rate_note
from kpi.snapshot import Snapshot
from kpi.stats.poisson import per_event
from kpi.tables import TableError


def paid_months(snapshot: Snapshot) -> list[int]:
    """Months in which the company (with a channel asked for: that channel) has any cost."""
    return sorted(monthly_costs(snapshot)["month"].tolist())


def by_channel(
    snapshot: Snapshot, by: str | Sequence[str] | None, every: Every | None, *, of: str
) -> Groups:
    """Groups of a ratio of costs, refused where costs and what they brought share no column."""
    groups = Groups(snapshot, "costs", by, every)
    other = [name for name in groups.columns if name != "channel"]
    if other:
        raise TableError(f"by={other[0]!r}: {of} can be cut by 'channel' only")
    return groups


def by_period(
    monthly: pd.DataFrame, months: pd.DataFrame, groups: Groups, on: str, sums: Sequence[str]
) -> pd.DataFrame:
    """Sum monthly figures over the months counted: keys, `sums`, ``months`` (how many counted).

    Every group has a row for every period; sums are 0 where nothing is recorded.
    """
    if groups.columns and monthly.empty:  # no group, so no row
        columns = [*groups.columns, "period", "months", *sums]
        numbers = dict.fromkeys(columns[len(groups.columns) :], "int64")
        return pd.DataFrame(columns=columns).astype(numbers)
    spans = months.groupby("period", as_index=False).agg(months=("counts", "sum"))
    spans = spans.astype({"months": "int64"})
    used = months[months["counts"]][["period", on]].rename(columns={on: "month"})
    full = spans
    if groups.columns:
        full = monthly[groups.columns].drop_duplicates().merge(spans, how="cross")
    keys = [*groups.columns, "period"]
    summed = monthly.merge(used, on="month")
    summed = summed.groupby(keys, dropna=False, as_index=False)[list(sums)].sum()
    table = full.merge(summed, on=keys, how="left")
    whole = dict.fromkeys([s for s in sums if s in ("items", "events", "alone")], "int64")
    return pd.DataFrame(table.fillna(dict.fromkeys(sums, 0)).astype(whole))


def held_against(
    snapshot: Snapshot,
    groups: Groups,
    counted: pd.DataFrame,
    channel: Sequence[str],
    allocation: Allocation,
    *,
    lag: int,
) -> pd.DataFrame:
    """Costs and what they brought, over the same months: ``cost, items, events, alone, months``."""
    costs = monthly_costs(snapshot, channel, allocation)
    months = counted_months(snapshot, paid_months(snapshot), groups.every, lag)
    if channel and not groups.columns:  # scope="campaign": channels that cost something
        used = set(costs.merge(months, left_on="month", right_on="paid_month")["channel"].dropna())
        costs, counted = (part[part["channel"].isin(used)] for part in (costs, counted))
    left = by_period(costs, months, groups, "paid_month", ["cost", "items"])
    right = by_period(counted, months, groups, "month", ["events", "alone"])
    keys = [*groups.columns, "period", "months"]
    numbers = ["cost", "items", "events", "alone"]
    table = left.merge(right, on=keys, how="outer").fillna(dict.fromkeys(numbers, 0))
    table = table.astype(dict.fromkeys(numbers[1:], "int64")).round({"cost": 6})
    table["shared"] = bool(channel) or "channel" in snapshot.filters
    table["unnarrowed"] = ", ".join(unnarrowed(snapshot))
    return table


def per_record(
    groups: Groups, table: pd.DataFrame, nobody: str, said: Sequence[str], level: float
) -> pd.DataFrame:
    """Turn cost and count into the one result shape."""
    value, low, high = per_event(table["cost"], table["events"], level)
    reasons = [_reason(row, nobody) for row in table.to_dict("records")]
    told = np.array([reason == "" for reason in reasons], dtype=bool)
    notes = [
        joined(
            reason,
            "" if reason else rate_note(row["events"], 0.0, 0.0),
            months_note(row["months"], groups.every) if reason != NO_COSTS else "",
            window_note(groups.every),
            f"{row['alone']} without an account, each taken as a customer" if row["alone"] else "",
            "costs that name no channel are left out" if row["shared"] else "",
            *said,
        )
        for row, reason in zip(table.to_dict("records"), reasons, strict=True)
    ]
    table = table.assign(
        value=np.where(told, value, np.nan),
        low=np.where(told, low, np.nan),
        high=np.where(told, high, np.nan),
        x=table["items"],
        n=table["events"],
        note=pd.array(notes, dtype="str"),
    )
    return groups.finish(table, ["cost"])


def _reason(row: Mapping[Hashable, Any], nobody: str) -> str:
    """Say why there is no cost of one, if there is none."""
    if row["unnarrowed"]:
        return f"not enough data: costs cannot be narrowed to {row['unnarrowed']}"
    if row["months"] == 0 or row["items"] == 0:
        return NO_COSTS
    if "channel" in row and pd.isna(row["channel"]):
        return "not enough data: what names no channel belongs to none"
    return f"no_denominator: {nobody}" if row["events"] == 0 else ""
