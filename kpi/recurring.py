"""Monthly recurring revenue: what moved it, customer by customer."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every, check_every, day_number, from_day, month_start, period_start
from kpi.result import VALUES, Groups
from kpi.snapshot import Snapshot

MOVES = ["new", "expansion", "contraction", "churn", "reactivation"]
CENT = 0.005


def mrr_movements(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every = "month",
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
        Columns of accounts, such as ``"region"``.
    every : {"month", "quarter", "year"}
        Longer periods sum the monthly moves.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (MRR at the end), ``low, high`` (missing: nothing
        is estimated), ``x`` (customers at the end), ``n`` (customers at the start), ``note``, then
        ``start, new, expansion, contraction, churn, reactivation, end`` in the reporting currency;
        contraction and churn are positive amounts that left. Periods run to the last month that
        had ended on the as-of date; the last one may be marked ``to date``.

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
    check_every(every)
    groups = Groups(snapshot, "accounts", by, every)
    monthly = _monthly(snapshot, groups.columns)
    return _periods(snapshot, monthly, groups.by, groups.columns, every)


def months(snapshot: Snapshot) -> pd.DataFrame:
    """Months with revenue that had ended on the as-of date: ``month`` (0, 1, ...), first and last day."""
    first = collect(snapshot.subscriptions.lazy().select(nw.col("starts_on_day").min()))
    earliest = first["starts_on_day"].iloc[0]
    rows: list[tuple[int, int, int]] = []
    if not pd.isna(earliest):
        start = month_start(from_day(earliest))
        following = month_start(start, 1)
        while day_number(following) - 1 <= snapshot.as_of_day:
            rows.append((len(rows), day_number(start), day_number(following) - 1))
            start, following = following, month_start(following, 1)
    return pd.DataFrame(rows, columns=["month", "first_day", "last_day"], dtype="int64")


def customer_lines(snapshot: Snapshot, keys: Sequence[str] = ()) -> nw.LazyFrame:
    """Lines that bring in something on some day: ``customer`` (who pays), keys, ``mrr``, days."""
    payers = snapshot.accounts.lazy().select(
        "account_id", *keys, payer=nw.col("billing_account_id")
    )
    lines = snapshot.subscriptions.lazy().filter(
        nw.col("mrr") > 0,
        nw.col("ends_on_day").is_null() | (nw.col("ends_on_day") > nw.col("starts_on_day")),
    )
    lines = lines.select("account_id", "mrr", "starts_on_day", "ends_on_day")
    return lines.join(payers, on="account_id", how="left").select(
        *keys,
        "mrr",
        "starts_on_day",
        "ends_on_day",
        customer=nw.coalesce("payer", "account_id"),
    )


def _changes(snapshot: Snapshot, keys: Sequence[str]) -> nw.LazyFrame:
    """Return changes of MRR by customer: keys, ``customer``, ``month``, ``rise``, ``lines``.

    A line counts from the first month whose last day it saw, up to the one whose last day it did
    not see: so a line within one month never shows.
    """
    calendar = months(snapshot)
    length = calendar["last_day"] - calendar["first_day"] + 1
    days = pd.DataFrame({"month": np.repeat(calendar["month"], length)})
    days["day"] = np.arange(len(days)) + (calendar["first_day"].min() if len(days) else 0)
    month = snapshot.engine.frame(days)
    lines = customer_lines(snapshot, keys).join(month, left_on="starts_on_day", right_on="day")
    ended = month.rename({"month": "end_month"})
    lines = lines.join(ended, left_on="ends_on_day", right_on="day", how="left").filter(
        nw.col("end_month").is_null() | (nw.col("end_month") > nw.col("month"))
    )
    group = [*keys, "customer", "month"]
    begun = lines.select(*group, rise=nw.col("mrr"), lines=nw.lit(1))
    over = lines.filter(~nw.col("end_month").is_null()).select(
        *keys, "customer", month=nw.col("end_month"), rise=-nw.col("mrr"), lines=nw.lit(-1)
    )
    return nw.concat([begun, over]).group_by(*group).agg(nw.col("rise", "lines").sum())


def _monthly(snapshot: Snapshot, keys: Sequence[str]) -> pd.DataFrame:
    """Sum moves by month: keys, month, the five moves, ``gained`` (customers, net)."""
    customer = [*keys, "customer"]
    totals = [
        nw.col(name).cum_sum().over(*customer, order_by="month").alias(total)
        for name, total in (("rise", "sum"), ("lines", "active"))
    ]
    table = _changes(snapshot, keys).with_columns(
        *totals, first=nw.col("month").min().over(*customer)
    )
    zero, rise = nw.lit(0.0), nw.col("rise")
    has, had = nw.col("active") > 0, nw.col("active") > nw.col("lines")
    now, before = nw.col("sum"), nw.col("sum") - rise
    fresh = nw.col("month") == nw.col("first")
    moves = {
        "new": nw.when(has & ~had & fresh).then(now),
        "expansion": nw.when(had & has & (rise > CENT)).then(rise),
        "contraction": nw.when(had & has & (rise < -CENT)).then(-rise),
        "churn": nw.when(had & ~has).then(before),
        "reactivation": nw.when(has & ~had & ~fresh).then(now),
    }
    left = nw.when(had & ~has).then(nw.lit(-1)).otherwise(nw.lit(0))
    gained = nw.when(has & ~had).then(nw.lit(1)).otherwise(left)
    table = table.select(
        *keys,
        "month",
        **{name: move.otherwise(zero) for name, move in moves.items()},
        gained=gained,
    )
    sums = [nw.col(name).sum() for name in [*MOVES, "gained"]]
    return collect(table.group_by(*keys, "month").agg(*sums))


def _periods(
    snapshot: Snapshot, monthly: pd.DataFrame, names: list[str], keys: list[str], every: Every
) -> pd.DataFrame:
    calendar = months(snapshot)
    fiscal = snapshot.definitions.fiscal_year_start
    periods = [period_start(from_day(d), every, fiscal) for d in calendar["first_day"]]
    calendar["period"] = pd.to_datetime(pd.Series(periods, dtype="object")).astype("datetime64[us]")
    columns = [*names, "period", *VALUES, "start", *MOVES, "end"]
    if calendar.empty:
        return _typed(pd.DataFrame(columns=columns))
    full = calendar[["month", "period"]]
    if keys:
        full = monthly[keys].drop_duplicates().merge(full, how="cross")
    table = full.merge(monthly, on=[*keys, "month"], how="left")
    table = table.fillna(dict.fromkeys([*MOVES, "gained"], 0))
    rise = table["new"] + table["expansion"] + table["reactivation"]
    table["net"] = rise - table["contraction"] - table["churn"]
    table = table.sort_values([*keys, "month"], kind="stable", ignore_index=True)
    by_group = table.groupby(keys, dropna=False) if keys else table.groupby(lambda _: 0)
    table["end"] = by_group["net"].cumsum()
    table["customers"] = by_group["gained"].cumsum()
    table["before"] = table["customers"] - table["gained"]
    result = table.groupby([*keys, "period"], dropna=False, as_index=False).agg(
        **{name: (name, "sum") for name in MOVES},
        end=("end", "last"),
        net=("net", "sum"),
        x=("customers", "last"),
        n=("before", "first"),
        months=("month", "count"),
    )
    result["start"] = result["end"] - result["net"]
    whole = result["months"] == check_every(every)
    first = result["period"] == result["period"].min()
    result["note"] = np.where(whole | first, "", "to date")
    result = result.assign(value=result["end"], low=np.nan, high=np.nan)
    return _typed(result.rename(columns=dict(zip(keys, names, strict=True)))[columns])


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    money = dict.fromkeys(["value", "low", "high", "start", *MOVES, "end"], "float64")
    result = frame.astype(
        money | {"x": "int64", "n": "int64", "note": "str", "period": "datetime64[us]"}
    )
    return result.round(dict.fromkeys(money, 6)).reset_index(drop=True)


ENTRIES = (
    Entry(
        mrr_movements,
        question="What moved our monthly recurring revenue?",
        formula="start + new + expansion + reactivation - contraction - churn = end, per customer and month",
        unit="reporting currency a month",
        basis="moves in the period",
        interval="none: booked lines, nothing is estimated",
        options="every",
        needs="subscriptions (accounts: who pays)",
        benchmark="none",
        source="ChartMogul help, MRR movements",
        caveats="One of several lines cancelled is contraction, not churn.",
        also=("MRR bridge", "net new MRR"),
    ),
)
