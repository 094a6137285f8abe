"""Customers (independent payers) kept and lost."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every, check_every, from_day, period_start
from kpi.recurring import customer_lines, months
from kpi.result import Groups, joined, shares
from kpi.snapshot import Snapshot

YEAR = 12


def customer_churn(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of the customers at the start of a period who are gone at its end.

    A customer is one billing account with recurring revenue above zero. Customers who join during
    the period are in neither count, so one who joins and leaves within it does not show.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, such as ``"industry"``.
    every : {"month", "quarter", "year"}, optional
        Default: the twelve months up to the last one that had ended on the as-of date.
    level : float
        Share of the intervals (Jeffreys).

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (0 to 1), ``low``, ``high``, ``x`` (lost), ``n``
        (customers at the start), ``note``, and ``monthly``: the equal monthly rate that compounds
        to ``value`` over the period's months.

    Raises
    ------
    TableError
        If subscriptions are missing, or a column or period is unknown.

    Notes
    -----
    ``monthly = 1 - (1 - value) ^ (1 / months)``; a year at 8 to 15 % is 0.69 to 1.35 % a month.

    References
    ----------
    .. [1] ChartMogul help, "Customer churn rate" (joiners of the period excluded).

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2"], "account_id": ["A", "B"],
    ...     "mrr": [100, 40], "starts_on": "2025-01-01", "ends_on": [None, "2026-02-10"]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> customer_churn(snapshot)[["value", "x", "n"]].to_dict("records")
    [{'value': 0.5, 'x': 1, 'n': 2}]
    """
    snapshot.need("subscriptions", of="customer_churn")
    groups = Groups(snapshot, "accounts", by, every)
    spans = _spans(snapshot, months(snapshot), every)
    counted = _lost(snapshot, groups, spans)
    length = counted.pop("months")
    result = shares(counted, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        result["monthly"] = 1 - (1 - result["value"]) ** (1 / length)
    whole = length == (check_every(every) if every else YEAR)
    result["note"] = [
        joined(note, "" if full else f"{n} months only")
        for note, full, n in zip(result["note"], whole, length, strict=True)
    ]
    return groups.finish(result, ["monthly"])


def _spans(snapshot: Snapshot, calendar: pd.DataFrame, every: Every | None) -> pd.DataFrame:
    """One row a period: the month ``before`` it, its ``last`` month, ``months``, ``period``."""
    if calendar.empty:
        return pd.DataFrame(columns=["before", "last", "months", "period"], dtype="int64")
    last = int(calendar["month"].iloc[-1])
    if every is None:
        before = max(last - YEAR, 0)
        row = {"before": before, "last": last, "months": last - before, "period": 0}
        return pd.DataFrame([row])
    fiscal = snapshot.definitions.fiscal_year_start
    days = [period_start(from_day(d), every, fiscal) for d in calendar["first_day"]]
    period = pd.Series([(day - from_day(0)).days for day in days])
    spans = calendar.groupby(period)["month"].agg(["min", "max"]).reset_index(names="period")
    length = spans["max"] - spans["min"] + 1
    spans = spans.assign(before=spans["min"] - 1, months=length)
    return spans.rename(columns={"max": "last"})[["before", "last", "months", "period"]]


def _lost(snapshot: Snapshot, groups: Groups, spans: pd.DataFrame) -> pd.DataFrame:
    """Count customers at the start of each period (``n``) and how many of them are gone (``x``)."""
    ends = months(snapshot)[["month", "last_day"]]
    days = spans.merge(ends.rename(columns={"month": "before", "last_day": "day"}), on="before")
    days = days.merge(ends.rename(columns={"month": "last"}), on="last")
    periods = snapshot.engine.frame(days[["period", "day", "last_day"]])
    here = _active(customer_lines(snapshot, groups.columns), periods, "day")
    start = here.select(*groups.columns, "customer", "period").unique()
    still = _active(customer_lines(snapshot), periods, "last_day")
    still = still.select("customer", "period", here=nw.lit(1)).unique()
    both = start.join(still, on=["customer", "period"], how="left").with_columns(
        gone=nw.when(nw.col("here").is_null()).then(nw.lit(1)).otherwise(nw.lit(0)),
    )
    keys = [*groups.columns, "period"]
    counts = both.group_by(*keys).agg(x=nw.col("gone").sum(), n=nw.len())
    counted = collect(counts).astype({"x": "int64", "n": "int64", "period": "int64"})
    full = spans[["period", "months"]]
    if full.empty:
        full = pd.DataFrame([{"period": 0, "months": YEAR}])
    if groups.columns:
        full = counted[groups.columns].drop_duplicates().merge(full, how="cross")
    counted = full.merge(counted, on=keys, how="left").fillna({"x": 0, "n": 0})
    return counted.astype({"x": "int64", "n": "int64"})


def _active(lines: nw.LazyFrame, periods: nw.LazyFrame, day: str) -> nw.LazyFrame:
    """Lines that run on the `day` of each period."""
    return lines.join(periods, how="cross").filter(
        nw.col("starts_on_day") <= nw.col(day),
        nw.col("ends_on_day").is_null() | (nw.col("ends_on_day") > nw.col(day)),
    )


ENTRIES = (
    Entry(
        customer_churn,
        question="What share of our customers do we lose?",
        formula="customers at the start who are gone at the end / customers at the start",
        unit="share, 0 to 1",
        basis="twelve months (with every: each period)",
        interval="Jeffreys",
        options="every",
        needs="subscriptions (accounts: who pays)",
        benchmark="8 to 15 % of customers a year (three MSP studies; not your own figure)",
        source="The One Metric That Matters Most, Channel Futures 2016; ChartMogul help",
        caveats="Customers who join and leave within the period are in neither count.",
        also=("logo churn", "annual churn"),
        better="lower",
    ),
)
