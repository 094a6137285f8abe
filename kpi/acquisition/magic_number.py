"""The magic number: recurring revenue gained a year for each unit of cost spent before it."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from kpi.acquisition.spend import (
    YEAR,
    Allocation,
    allocated,
    first_day,
    last_month,
    monthly_costs,
    unnarrowed,
)
from kpi.entry import Entry
from kpi.periods import Every, check_every, day_number, from_day, month_start, period_start
from kpi.recurring.movements import mrr_movements
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError


def magic_number(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    of: Literal["revenue", "arr"] = "revenue",
    allocation: Allocation = 1.0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Yearly revenue gained by a quarter over the sales and marketing cost of the quarter before.

    Revenue of a quarter is the sum of its months' recurring revenue (MRR), as `mrr_movements`
    has it; one-off revenue is not in it.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables costs and subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, such as ``"region"``: the group's part of the company's figure, since
        costs name no group; the parts add up to it.
    every : {"month", "quarter", "year"}, optional
        Length of the periods compared; default: the last quarter that had ended.
    of : {"revenue", "arr"}
        ``revenue``: the period's revenue less that of the period before, times the periods of a
        year (4 quarters). ``arr``: 12 times MRR at the period's end less that at its start.
    allocation
        As in `kpi.sales_marketing_cost`.
    level : float
        Unused: revenue and cost are exact records and have no interval.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (a ratio, below 0 where revenue fell), ``low,
        high`` (missing), ``x`` (customers at the end), ``n`` (cost records of the period before),
        ``note``, and ``revenue``, ``revenue_before`` (with ``of="arr"``: 12 x MRR at the two ends)
        and ``cost``. ``value`` is missing, with the reason in ``note``, where the period before
        has no revenue yet, or costs are not recorded in each of its months.

    Raises
    ------
    TableError
        If a table is missing, or a column, period, option or allocation is unknown.

    Notes
    -----
    ``(revenue of Q - revenue of Q-1) x 4 / cost of Q-1``. One calculator multiplies the change of
    MRR by 4 instead of 12, others leave the factor out: such figures do not compare.

    References
    ----------
    .. [1] cubesoftware.com, "SaaS magic number".

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2"], "account_id": ["A", "B"],
    ...     "mrr": [100, 50], "starts_on": ["2026-01-01", "2026-04-01"], "ends_on": None})
    >>> costs = pd.DataFrame({"month": ["2026-01-01", "2026-02-01", "2026-03-01"], "amount": 200})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines, "costs": costs},
    ...     as_of="2026-06-30")
    >>> magic_number(snapshot)[["value", "revenue", "revenue_before", "cost"]].to_dict("records")
    [{'value': 1.0, 'revenue': 450.0, 'revenue_before': 300.0, 'cost': 600.0}]
    >>> magic_number(snapshot, of="arr")["value"].tolist()
    [1.0]
    """
    snapshot.need("costs", "subscriptions", of="magic_number")
    check_level(level)
    if of not in ("revenue", "arr"):
        raise TableError(f"of={of!r}; expected 'revenue' or 'arr'")
    groups = Groups(snapshot, "accounts", by, every)
    gains = _gains(snapshot, groups, every or "quarter")
    table = _with_costs(snapshot, gains, allocation, every or "quarter")
    if of == "arr":
        table["revenue"], table["revenue_before"] = YEAR * table["end"], YEAR * table["end_before"]
    length = check_every(every or "quarter")
    factor = 1 if of == "arr" else YEAR / length
    gained = (table["revenue"] - table["revenue_before"]) * factor
    reasons = [_reason(snapshot, row, length) for row in table.to_dict("records")]
    told = np.array([reason == "" for reason in reasons], dtype=bool)
    said = [
        "" if every else "last quarter that had ended",
        "costs are those of the whole company" if groups.by else "",
        allocated(allocation),
    ]
    table = table.assign(
        value=(gained / table["cost"].where(table["cost"] > 0)).where(told),
        low=np.nan,
        high=np.nan,
        note=pd.array([joined(reason, *said) for reason in reasons], dtype="str"),
    )
    return groups.finish(table, ["revenue", "revenue_before", "cost"])


def _gains(snapshot: Snapshot, groups: Groups, every: Every) -> pd.DataFrame:
    """Revenue of each whole period and of the one before it, by group, and the MRR at their ends.

    Without periods asked for: the last whole one. The first period with any revenue has none
    before it and is no row, unless it is the only one.
    """
    always = replace(snapshot, since=None)  # the first period needs the one before it
    monthly = mrr_movements(always, by=groups.by or None, every="month")
    fiscal = snapshot.definitions.fiscal_year_start
    firsts = [period_start(at.date(), every, fiscal) for at in monthly["period"]]
    monthly = monthly.assign(period=[day_number(day) for day in firsts])
    keys = [*groups.by, "period"]
    table = monthly.groupby(keys, dropna=False, as_index=False).agg(
        revenue=("value", "sum"), end=("value", "last"), x=("x", "last")
    )
    names = ["revenue", "end"]
    table[[f"{name}_before" for name in names]] = (
        table.groupby(groups.by, dropna=False)[names].shift(1)
        if groups.by
        else table[names].shift(1)
    )
    ended = [_later(day, every) <= first_day(last_month(snapshot) + 1) for day in table["period"]]
    table = table[np.array(ended, dtype=bool)]
    if groups.every is None:
        table = table[table["period"] == table["period"].max()]
        unknown = dict.fromkeys([*names, *(f"{name}_before" for name in names)], np.nan)
        table = groups.complete(table, x=0, period=first_day(last_month(snapshot)), **unknown)
    else:
        begins = day_number(snapshot.since) if snapshot.since else table["period"].min()
        table = table.dropna(subset=["revenue_before"])
        table = table[table["period"] >= begins]
    return table.rename(columns=dict(zip(groups.by, groups.columns, strict=True)))


def _later(period: int, every: Every, times: int = 1) -> int:
    """First day of the period that follows so many times."""
    return day_number(month_start(from_day(period), times * check_every(every)))


def _with_costs(
    snapshot: Snapshot, gains: pd.DataFrame, allocation: Allocation, every: Every
) -> pd.DataFrame:
    """Add the costs of the period before: ``cost``, ``n`` (records), ``months`` that have any."""
    costs = monthly_costs(snapshot, allocation=allocation)
    fiscal = snapshot.definitions.fiscal_year_start
    firsts = [period_start(from_day(first_day(month)), every, fiscal) for month in costs["month"]]
    costs["period"] = [_later(day_number(day), every) for day in firsts]
    spent = costs.groupby("period", as_index=False).agg(
        cost=("cost", "sum"), n=("items", "sum"), months=("month", "count")
    )
    table = gains.merge(spent.astype({"period": "int64"}), on="period", how="left")
    return table.fillna({"n": 0, "months": 0}).astype({"n": "int64", "x": "int64"})


def _reason(snapshot: Snapshot, row: Mapping[Hashable, Any], length: int) -> str:
    """Say why there is no figure, if there is none."""
    cut = unnarrowed(snapshot)
    if cut:
        return f"not enough data: costs cannot be narrowed to {', '.join(cut)}"
    if pd.isna(row.get("revenue_before")):
        return "not enough data: no recurring revenue in the period before"
    if row["months"] != length:
        return f"not enough data: costs of {row['months']:.0f} of the {length} months before"
    return "" if row["cost"] > 0 else "no_denominator: nothing spent before"


ENTRIES = (
    Entry(
        magic_number,
        question="How much yearly revenue does a unit of sales and marketing bring?",
        formula="(revenue of the quarter - of the quarter before) x 4 / cost of the quarter before",
        unit="ratio",
        basis="the period's revenue against the cost of the period before (default: last whole quarter)",
        interval="none: booked revenue and cost, nothing is estimated",
        options="of='arr': change of 12 x MRR; every; allocation",
        needs="costs, subscriptions (accounts: who pays)",
        benchmark="0.75 and above is often read as efficient (SaaS rule of thumb; not your own figure)",
        source="cubesoftware.com, SaaS magic number",
        caveats="It credits the spend with expansion and debits it with churn of older customers.",
        also=("sales efficiency", "SaaS magic number", "revenue per unit of spend"),
        better="higher",
    ),
)
