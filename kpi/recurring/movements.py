"""What moved monthly recurring revenue: five moves, told customer by customer."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every, check_every
from kpi.recurring.billing import (
    MOVES,
    YEAR,
    cut,
    months,
    moves,
    span_months,
    spans,
)
from kpi.result import Groups
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level


def mrr_movements(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = "month",
    level: float = 0.95,
) -> pd.DataFrame:
    """Monthly recurring revenue at the start and end of each period, and the five moves between.

    A month's MRR is the sum of the lines with ``starts_on <= last day of the month < ends_on``.
    Moves are told per customer (billing account) and month, so one of several lines cancelled is
    contraction, not churn.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, such as ``"region"``; or ``"product"`` (then a customer who drops one
        product is churn of that product).
    every : {"month", "quarter", "year"} or None
        Longer periods sum the monthly moves. None: the last twelve months that had ended.
    level : float
        Not used: nothing is estimated. Taken so that every KPI can be called alike.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (MRR at the end), ``low, high`` (missing: nothing
        is estimated), ``x`` (customers at the end), ``n`` (customers at the start), ``note``, then
        ``start, new, expansion, contraction, churn, reactivation, end`` in the reporting currency
        (contraction and churn are positive amounts that left) and ``net``, the net new MRR.
        Periods run to the last month that had ended on the as-of date; the last one may be marked
        ``to date``.

    Raises
    ------
    TableError
        If subscriptions are missing, or a column or period is unknown.

    Notes
    -----
    ``start + new + expansion + reactivation - contraction - churn = end``. First month above zero:
    new; from zero later: reactivation; to zero: churn; otherwise the sign of the change. A
    movement below half a cent is rounding, not a move.

    References
    ----------
    .. [1] ChartMogul help, "MRR movements" (definitions of the five moves).

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2"], "account_id": ["A", "B"],
    ...     "mrr": [100, 40], "starts_on": ["2026-01-01", "2026-01-15"],
    ...     "ends_on": [None, "2026-02-10"]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> mrr_movements(snapshot)[["start", "new", "churn", "end"]].to_dict("list")
    {'start': [0.0, 140.0], 'new': [140.0, 0.0], 'churn': [0.0, 40.0], 'end': [140.0, 100.0]}
    """
    snapshot.need("subscriptions", of="mrr_movements")
    check_level(level)
    groups = cut(snapshot, by, every)
    sums = [nw.col(name).sum() for name in [*MOVES, "began", "left"]]
    table = moves(snapshot, groups.columns)
    monthly = collect(table.group_by(*groups.columns, "month").agg(*sums))
    return groups.finish(_periods(snapshot, monthly, groups), ["start", *MOVES, "end", "net"])


def _periods(snapshot: Snapshot, monthly: pd.DataFrame, groups: Groups) -> pd.DataFrame:
    """Sum the moves of each group's months by period; start and end from all that went before."""
    calendar, keys = months(snapshot), groups.columns
    found = spans(snapshot, calendar, groups.every)
    full = calendar[["month"]].merge(span_months(found), on="month", how="left")
    if keys:
        full = monthly[keys].drop_duplicates().merge(full, how="cross")
    counted = [*MOVES, "began", "left"]
    table = full.merge(monthly, on=[*keys, "month"], how="left").fillna(dict.fromkeys(counted, 0))
    rise = table["new"] + table["expansion"] + table["reactivation"]
    table["net"] = rise - table["contraction"] - table["churn"]
    table["gained"] = table["began"] - table["left"]
    table = table.sort_values([*keys, "month"], kind="stable", ignore_index=True)
    by_group = table.groupby(keys, dropna=False) if keys else table.groupby(lambda _: 0)
    table["end"] = by_group["net"].cumsum()
    table["customers"] = by_group["gained"].cumsum()
    table["before"] = table["customers"] - table["gained"]
    shown = table.dropna(subset=["period"])
    result = shown.groupby([*keys, "period"], dropna=False, as_index=False).agg(
        **{name: (name, "sum") for name in MOVES},
        end=("end", "last"),
        net=("net", "sum"),
        x=("customers", "last"),
        n=("before", "first"),
        months=("month", "count"),
    )
    result["start"] = result["end"] - result["net"]
    whole = result["months"] == (check_every(groups.every) if groups.every else YEAR)
    first = result["period"] == result["period"].min()
    short = "to date" if groups.every else "since the first month"
    result["note"] = np.where(whole | (first & bool(groups.every)), "", short)
    result = result.assign(value=result["end"], low=np.nan, high=np.nan)
    money = dict.fromkeys(["value", "start", *MOVES, "end", "net"], 6)
    return result.astype({"x": "int64", "n": "int64"}).round(money)


ENTRIES = (
    Entry(
        mrr_movements,
        question="What moved our monthly recurring revenue?",
        formula="start + new + expansion + reactivation - contraction - churn = end, per customer and month",
        unit="reporting currency a month",
        basis="moves in the period",
        interval="none: booked lines, nothing is estimated",
        options="every; by='product'",
        needs="subscriptions (accounts: who pays)",
        benchmark="none",
        source="ChartMogul help, MRR movements",
        caveats="One of several lines cancelled is contraction, not churn. A line keeps the exchange "
        "rate of its first day, so rates move nothing; a mere price change cannot be told from "
        "more or less bought: it is expansion or contraction.",
        also=("MRR bridge", "net new MRR"),
    ),
)
