"""What the board says of customers, from one look at their lines: what they pay, how many are lost."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.lately import Asked, Row, Shown, records
from kpi.recurring.billing import YEAR, customer_lines, months, only_months, span_days, spans
from kpi.result import joined, shares
from kpi.snapshot import Snapshot

TRAILING = 0  # stands for the trailing twelve months among the periods
NOBODY: Row = {"n": 0}


def recurring_lately(asked: Asked) -> dict[str, Shown]:
    """Rows of `mrr` and `customer_churn`; nothing without table subscriptions."""
    if "subscriptions" not in asked.snapshot.present:
        return {}
    periods, found = asked.periods(), _spans(asked)
    ends = [asked.snapshot.as_of_day, periods.after - 1, periods.now - 1]
    pairs = list(zip(found["before_day"], found["last_day"], strict=True))
    told = _on_days(asked.snapshot, ends, pairs)
    paid = Shown(*(_paid(told, day) for day in ends))
    return {"mrr": paid, "customer_churn": _lost(asked, found, told)}


def _spans(asked: Asked) -> pd.DataFrame:
    """Periods of which churn is told, with the days before and at the end of each."""
    calendar, periods = months(asked.snapshot), asked.periods()
    every = spans(asked.snapshot, calendar, asked.every)
    two = every[every["period"].isin([periods.now, periods.before])]
    found = pd.concat([spans(asked.snapshot, calendar, None), two], ignore_index=True)
    return found.merge(span_days(calendar, found), on="period")


def _on_days(
    snapshot: Snapshot, ends: Sequence[int], pairs: Sequence[tuple[int, int]]
) -> "pd.Series[float]":
    """Reckon what runs on some days: ``mrr_``, ``lines_`` and ``payers_`` of each, ``gone_`` of pairs.

    Each line is looked at once, each customer once; a customer is gone who paid on the first day of
    a pair and does not on the second.
    """
    days = sorted({*ends, *(int(day) for pair in pairs for day in pair)})
    parts: dict[str, nw.Expr] = {}
    for day in days:
        ends_on = nw.col("ends_on_day")
        runs = (nw.col("starts_on_day") <= day) & (ends_on.is_null() | (ends_on > day))
        parts[f"lines_{day}"] = nw.when(runs).then(nw.lit(1)).otherwise(nw.lit(0))
        if day in ends:
            parts[f"mrr_{day}"] = nw.when(runs).then(nw.col("mrr")).otherwise(nw.lit(0.0))
    lines = customer_lines(snapshot).select("customer", **parts)
    paid = lines.group_by("customer").agg(nw.col(*parts).sum())
    there = {day: nw.col(f"lines_{day}") > 0 for day in days}
    counts = {f"payers_{day}": there[day] for day in days}
    counts |= {f"gone_{a}_{b}": there[a] & ~there[b] for a, b in pairs}
    ones = {name: nw.when(had).then(nw.lit(1)).otherwise(nw.lit(0)) for name, had in counts.items()}
    totals = paid.select(*parts, **ones).select(nw.col(*parts, *ones).sum())
    return collect(totals).fillna(0.0).astype("float64").iloc[0]


def _paid(told: "pd.Series[float]", day: int) -> Row:
    value = round(float(told[f"mrr_{day}"]), 6)
    counts = {"x": int(told[f"lines_{day}"]), "n": int(told[f"payers_{day}"])}
    return {"value": value, "low": np.nan, "high": np.nan, "note": ""} | counts


def _lost(asked: Asked, found: pd.DataFrame, told: "pd.Series[float]") -> Shown:
    counts = [
        {"x": int(told[f"gone_{a}_{b}"]), "n": int(told[f"payers_{a}"])}
        for a, b in zip(found["before_day"], found["last_day"], strict=True)
    ]
    rates = shares(pd.DataFrame(counts, columns=["x", "n"]), asked.level)
    notes = [
        joined(note, only_months(length, YEAR))
        for note, length in zip(rates["note"], found["months"], strict=True)
    ]
    rows = dict(zip(found["period"], records(rates.assign(note=notes)), strict=True))
    periods = asked.periods()
    return Shown(*(rows.get(day, NOBODY) for day in (TRAILING, periods.now, periods.before)))
