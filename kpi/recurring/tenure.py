"""How long customers stay: month by month since they began, those still there followed on."""

from collections.abc import Sequence
from typing import Any, cast

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every, day_number, from_day, period_start
from kpi.recurring.billing import cut, months, moves
from kpi.result import FEW, Groups
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level, jeffreys
from kpi.stats.survival import kaplan_meier, log_log_limits

NOBODY = "no_denominator: no customer to follow"


def retention_curve(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of customers, and of their revenue, still there so many months after they began.

    Months are counted between month ends with revenue; a customer who comes back begins anew.
    Customers who are still there are followed as long as they have been, never counted as lost.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, or ``"product"``.
    every : {"month", "quarter", "year"}, optional
        Period in which the customers began: one curve a cohort.
    level : float
        Share of the intervals.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (share of customers still there, 0 to 1; never
        rising), ``low``, ``high``, ``x`` (customers lost in that month of their time), ``n``
        (customers at risk in it), ``note``, ``month`` (0, 1, ... since they began) and ``revenue``
        (what they pay, as a share of what they paid at their first month end; may pass 1). One row
        a group, cohort and month with anybody at risk.

    Raises
    ------
    TableError
        If subscriptions are missing, or a column or period is unknown.

    Notes
    -----
    Kaplan-Meier in whole months, with delayed entry where the data has a window; log-log limits
    from Greenwood's variance, Jeffreys on those at risk where nobody (or everybody) has left.
    Revenue: the product over the months of MRR at the month's end / MRR a month before, of the
    customers at risk in that month, so that young cohorts count for as long as they were followed.
    Under delayed entry a curve rests on few at first: ``n`` tells.

    References
    ----------
    .. [1] Kaplan EL, Meier P (1958), J. Amer. Statist. Assoc. 53:457-481.

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2"], "account_id": ["A", "B"],
    ...     "mrr": [100, 100], "starts_on": "2026-01-01", "ends_on": ["2026-02-10", None]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-03-31")
    >>> retention_curve(snapshot)[["month", "value", "revenue", "n"]].to_dict("list")
    {'month': [0, 1, 2], 'value': [1.0, 0.5, 0.5], 'revenue': [1.0, 0.5, 0.5], 'n': [2, 2, 1]}
    """
    snapshot.need("subscriptions", of="retention_curve")
    check_level(level)
    groups = cut(snapshot, by, every)
    calendar = months(snapshot)
    cells = _cells(snapshot, groups, calendar)
    keys, window = groups.keys, window_month(snapshot, calendar)
    last = int(calendar["month"].max()) if len(calendar) else 0
    curves = []
    for group, part in cells.groupby(keys, dropna=False) if keys else [((), cells)]:
        curve = _curve(part, last, window, level)
        for name, value in zip(keys, group, strict=True):
            curve[name] = cast("Any", value)
        curves.append(curve)
    rows = [curve for curve in curves if len(curve)]
    columns = [*keys, "value", "low", "high", "x", "n", "note", "month", "revenue"]
    empty = pd.DataFrame(columns=columns) if keys else pd.DataFrame([_nothing()])
    result = pd.concat(rows, ignore_index=True) if rows else empty
    whole = {"x": "int64", "n": "int64", "month": "int64", "revenue": "float64"}
    return groups.finish(result.astype(whole), ["month", "revenue"], within=["month"])


def window_month(snapshot: Snapshot, calendar: pd.DataFrame) -> int:
    """Last month that had ended before the data's window opens; -1 where it has none."""
    if snapshot.window_start is None:
        return -1
    return int((calendar["last_day"] < day_number(snapshot.window_start)).sum()) - 1


def entry_age(start: pd.Series, window: int) -> pd.Series:
    """Months since its beginning from which a customer could be seen to leave."""
    return (window - start + 1).where(start <= window, 0).clip(lower=0)


def spells(snapshot: Snapshot, keys: Sequence[str]) -> nw.LazyFrame:
    """Moves, each with the ``spell`` (number) of its customer's time it is in, and its ``start``."""
    customer = [*keys, "customer"]
    number = nw.col("began").cum_sum().over(*customer, order_by="month")
    table = moves(snapshot, keys).with_columns(spell=number)
    return table.with_columns(start=nw.col("month").min().over(*customer, "spell"))


def _cells(snapshot: Snapshot, groups: Groups, calendar: pd.DataFrame) -> pd.DataFrame:
    """Sum by group, month of beginning and month: ``rise``, ``began``, ``left``."""
    head = [*groups.columns, "start", "month"]
    table = spells(snapshot, groups.columns).group_by(*head)
    cells = collect(table.agg(nw.col("rise", "began", "left").sum())).round({"rise": 6})
    cells = cells.sort_values(head, ignore_index=True)
    if groups.every:
        fiscal = snapshot.definitions.fiscal_year_start
        first = [period_start(from_day(d), groups.every, fiscal) for d in calendar["first_day"]]
        period = {m: day_number(day) for m, day in zip(calendar["month"], first, strict=True)}
        cells["period"] = cells["start"].map(period).astype("int64")
    return cells


def _curve(cells: pd.DataFrame, last: int, window: int, level: float) -> pd.DataFrame:
    """Shares of customers and revenue by month since the beginning, for one group."""
    lost = cells[cells["left"] > 0]
    total = cells.groupby("start")[["began", "left"]].sum()
    stay = (total["began"] - total["left"]).rename("n").reset_index()
    stay["duration"] = last - stay["start"]
    gone = pd.DataFrame({"start": lost["start"], "n": lost["left"]})
    gone["duration"] = lost["month"] - lost["start"]
    both = pd.concat([gone.assign(event=1), stay.assign(event=0)], ignore_index=True)
    both = both[both["n"] > 0]
    both["entry"] = entry_age(both["start"], window)
    curve = kaplan_meier(both["duration"], both["event"], both["entry"], count=both["n"])
    if curve.empty:
        return pd.DataFrame()
    age = np.arange(int(curve.index[-1]) + 1)
    seen = both[both["entry"] <= both["duration"]]
    at_risk = [
        int(seen.loc[(seen["entry"] <= t) & (seen["duration"] >= t), "n"].sum()) for t in age
    ]
    there = np.array(at_risk)
    table = curve.reindex(age)
    table["survival"] = table["survival"].ffill().fillna(1.0)
    table["variance"] = table["variance"].ffill().fillna(0.0)
    low, high = _limits(table, there, level)
    notes = [
        "" if t == 0 or n >= FEW else f"low_n: {n} only" for t, n in zip(age, at_risk, strict=True)
    ]
    result = pd.DataFrame(
        {
            "value": table["survival"].to_numpy(),
            "low": low,
            "high": high,
            "x": table["events"].fillna(0).to_numpy(),
            "n": there,
            "note": pd.array(notes, dtype="str"),
            "month": age,
            "revenue": _revenue(cells, age, last, window),
        }
    )
    return result[result["n"] > 0]


def _limits(table: pd.DataFrame, there: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Log-log limits; Jeffreys where the share is 0 or 1; none at the very beginning."""
    low, high = log_log_limits(table["survival"], table["variance"], level)
    share = table["survival"].to_numpy()
    firm_low, firm_high = jeffreys(share * there, there, level)
    silent = np.isnan(low)
    low, high = np.where(silent, firm_low, low), np.where(silent, firm_high, high)
    low[0], high[0] = np.nan, np.nan
    return low, high


def _revenue(cells: pd.DataFrame, age: np.ndarray, last: int, window: int) -> np.ndarray:
    """Chain the month-to-month ratios of revenue of those at risk."""
    grid = cells.pivot_table(index="start", columns="month", values="rise", aggfunc="sum")
    grid = grid.reindex(columns=range(last + 1)).fillna(0.0).cumsum(axis=1)
    start, paid = grid.index.to_numpy(), grid.to_numpy()
    share = np.ones(len(age))
    for t in age[1:]:
        seen = np.flatnonzero((start + t <= last) & (start + t > window))
        before = paid[seen, start[seen] + t - 1].sum()
        now = paid[seen, start[seen] + t].sum()
        share[t] = share[t - 1] * now / before if before > 0 else share[t - 1]
    return share.round(9)


def _nothing() -> dict[str, object]:
    blank = dict.fromkeys(["value", "low", "high", "revenue"], np.nan)
    return blank | {"x": 0, "n": 0, "note": NOBODY, "month": 0}


ENTRIES = (
    Entry(
        retention_curve,
        question="How long do customers, and their revenue, stay?",
        formula="Kaplan-Meier share of customers still there, by month since they began",
        unit="share, 0 to 1",
        basis="all customers followed (with every: those who began in the period)",
        interval="log-log limits from Greenwood's variance; Jeffreys where nobody has left",
        options="every: cohorts; by='product'",
        needs="subscriptions (accounts: who pays)",
        benchmark="none",
        source="Kaplan and Meier 1958",
        caveats="Where the data lacks customers who left before it begins, set the window's start: "
        "else old customers make retention look better than it is.",
        also=(
            "cohort retention",
            "survival curve",
            "logo retention",
            "revenue retention by cohort",
        ),
        better="higher",
    ),
)
