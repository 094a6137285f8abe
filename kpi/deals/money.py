"""Sums and averages of money by group: what every KPI about amounts is made of."""

from collections.abc import Sequence
from datetime import date

import narwhals as nw
import numpy as np
import pandas as pd
from scipy.stats import trim_mean

from kpi.engine import collect
from kpi.periods import Every, day_number, month_start
from kpi.result import FEW, Groups, count_by, joined
from kpi.stats.bootstrap import mean_limits

TRIM = 0.1
DIGITS = 6  # what is beyond is the float noise of a sum


def totals(frame: nw.LazyFrame, keys: Sequence[str], **sums: nw.Expr) -> pd.DataFrame:
    """Sum expressions by group on the engine, 0 where nothing is summed; one row without groups."""
    parts = frame.select(*keys, **sums)
    wanted = [nw.col(name).sum() for name in sums]
    result = collect(parts.group_by(*keys).agg(*wanted) if keys else parts.select(*wanted))
    result = result.fillna(dict.fromkeys(sums, 0)).astype(dict.fromkeys(sums, "float64"))
    return result.round(dict.fromkeys(sums, DIGITS))


def one(condition: nw.Expr) -> nw.Expr:
    """1 where a condition holds, else 0: summed, a count."""
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))


def back(day: date, months: int) -> int:
    """Day number of the same day so many months before (the last one of a shorter month).

    >>> from kpi.periods import from_day
    >>> str(from_day(back(date(2026, 3, 31), 1)))
    '2026-02-28'
    """
    month = month_start(day, -months)
    length = (month_start(month, 1) - month).days
    return day_number(month.replace(day=min(day.day, length)))


def averages(
    groups: Groups, frame: nw.LazyFrame, column: str, level: float, what: str
) -> pd.DataFrame:
    """Mean of a column by group, with bootstrap limits.

    Returns
    -------
    DataFrame
        The keys, ``value, low, high, x`` (records with a value) ``, n`` (all) ``, note, median,
        trimmed_mean`` (a tenth cut off at each end). `what` names the records in notes.
    """
    keys = groups.keys
    counted = collect(frame.group_by(*keys, column).agg(nw.len().alias("count")))
    counted = counted.sort_values([*keys, column], ignore_index=True)
    if not keys:
        return pd.DataFrame([average(counted, column, level, what)])
    rows = [
        dict(zip(keys, group, strict=True)) | average(part, column, level, what)
        for group, part in counted.groupby(keys, dropna=False, sort=True)
    ]
    names = ["value", "low", "high", "x", "n", "note", "median", "trimmed_mean"]
    found = pd.DataFrame(rows, columns=[*keys, *names])
    empty = {"x": 0, "n": 0, "note": f"no_denominator: no {what}"}
    return groups.complete(found, **empty).astype({"x": "int64", "n": "int64"})


def average(counted: pd.DataFrame, column: str, level: float, what: str) -> dict[str, object]:
    """One row of `averages` from ``count`` records of each value, in ascending order."""
    known = counted[counted[column].notna()]
    values = np.repeat(known[column].to_numpy("float64"), known["count"].to_numpy("int64"))
    x, n = len(values), int(counted["count"].sum())
    row: dict[str, object] = dict.fromkeys(
        ["value", "low", "high", "median", "trimmed_mean"], np.nan
    )
    low, high = mean_limits(values, level)
    if x == 0:
        lacking = f"not enough data: none of {n:,} {what} has its {column}"
        return row | {"x": 0, "n": n, "note": lacking if n else f"no_denominator: no {what}"}
    few = f"low_n: {x} only" if x < FEW else ""
    note = joined(few, f"{n - x:,} without {column} left out" if n > x else "")
    row = {"value": values.mean(), "low": low, "high": high, "x": x, "n": n, "note": note}
    return row | {"median": np.median(values), "trimmed_mean": trim_mean(values, TRIM)}


def with_undated(
    groups: Groups, frame: nw.LazyFrame, result: pd.DataFrame, day: str, what: str
) -> pd.DataFrame:
    """Note how many records have no such day: they count in the total, but in no period."""
    missing = count_by(frame, groups.columns, undated=one(nw.col(day).is_null()))
    if groups.columns:
        found = result.merge(missing, on=groups.columns, how="left")["undated"].fillna(0)
    else:
        found = pd.Series([int(missing["undated"].iloc[0])] * len(result))
    notes = [
        joined(note, undated(n, what, groups.every))
        for note, n in zip(result["note"], found, strict=True)
    ]
    return result.assign(note=pd.array(notes, dtype="str"))


def undated(n: float, what: str, every: Every | None) -> str:
    """Say that so many records have no such day."""
    where = "are in no period" if every else "counted"
    return f"{n:,.0f} without a {what} {where}" if n else ""
