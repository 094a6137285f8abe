"""What customers pay a month: MRR, its yearly run rate, and the least of a customer."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every, day_number, month_start
from kpi.recurring.billing import NO_LINES, customer_lines, cut, ends, paying, to_date
from kpi.result import Groups
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError

TOP = 5
MONTHS_A_YEAR = 12
STOCK = "open at the as-of date (with every: at each period's end)"
EXACT = "none: booked lines, nothing is estimated"
NEEDS = "subscriptions (accounts: who pays)"


def mrr(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Monthly recurring revenue on the as-of date: the sum of the lines that run that day.

    One-off sales, projects and hardware are no recurring lines. A line signed but not live yet does
    not count (see `committed_mrr`), one to which notice was given counts to its last day.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, such as ``"industry"``; or ``"product"``.
    every : {"month", "quarter", "year"}, optional
        At each period's last day instead, the running period at the as-of date (``to date``).
    level : float
        Not used: nothing is estimated. Taken so that every KPI can be called alike.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (reporting currency a month), ``low, high``
        (missing), ``x`` (lines), ``n`` (customers who pay), ``note``; then ``arpa`` (average
        revenue per account: value / n), ``growth`` (share against the period before; without
        `every`, against the same day a year before), ``largest`` and ``top5`` (shares of the
        largest and of the five largest customers). Each is missing where it would divide by 0;
        ``value`` only where the data has no line at all.

    Raises
    ------
    TableError
        If subscriptions are missing, or a column or period is unknown.

    References
    ----------
    .. [1] Moving Your KPI Levers Into Alignment, 2023 (MRR, ARR); ChartMogul help, "MRR".

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2", "3"], "account_id": ["A", "A", "B"],
    ...     "mrr": [100, 50, 50], "starts_on": ["2025-01-01", "2026-01-15", "2026-03-01"]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> mrr(snapshot)[["value", "x", "n", "arpa", "growth"]].to_dict("records")
    [{'value': 150.0, 'x': 2, 'n': 1, 'arpa': 150.0, 'growth': 0.5}]
    """
    snapshot.need("subscriptions", of="mrr")
    check_level(level)
    groups = cut(snapshot, by, every)
    days = ends(snapshot, every)
    if every is None and len(days):
        earlier = month_start(snapshot.as_of, -MONTHS_A_YEAR)
        last = day_number(month_start(earlier, 1)) - 1
        day = min(day_number(earlier) + snapshot.as_of.day - 1, last)
        days = pd.concat([pd.DataFrame([{"period": -1, "day": day}]), days], ignore_index=True)
    table = _stock(groups, _ranked(paying(snapshot, groups.columns, days), groups.columns), days)
    by_group = table.groupby(groups.columns, dropna=False) if groups.columns else table
    before = by_group["value"].shift(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        table["growth"] = (table["value"] / before.where(before > 0) - 1).astype("float64")
        table["arpa"] = table["value"] / table["n"].where(table["n"] > 0)
    for name in ("largest", "top5"):
        table[name] = table[name] / table["value"].where(table["value"] > 0)
    extra = ["arpa", "growth", "largest", "top5"]
    return groups.finish(table[table["period"] >= 0].round(dict.fromkeys(extra, 9)), extra)


def arr_run_rate(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    contracted: bool = False,
    level: float = 0.95,
) -> pd.DataFrame:
    """Annual run rate: twelve times the monthly recurring revenue of the as-of date.

    It is no revenue of any year: customers will come and go. With ``contracted=True``, lines count
    from the day they were signed, live or not.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, or ``"product"``.
    every : {"month", "quarter", "year"}, optional
        At each period's last day instead, the running period at the as-of date (``to date``).
    contracted : bool
        Count what is signed, not only what is live.
    level : float
        Not used: nothing is estimated. Taken so that every KPI can be called alike.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (reporting currency a year), ``low, high``
        (missing), ``x`` (lines), ``n`` (customers), ``note``, ``mrr`` (a twelfth). ``value`` is
        missing only where the data has no line at all.

    Raises
    ------
    TableError
        If subscriptions are missing, or a column or period is unknown.

    References
    ----------
    .. [1] Tracking Success, newsletter 067 ("ARR - annual run rate"); Maxio, "contracted ARR".

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2"], "account_id": ["A", "B"],
    ...     "mrr": [100, 50], "signed_on": ["2025-12-01", "2026-02-20"],
    ...     "starts_on": ["2026-01-01", "2026-04-01"]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> arr_run_rate(snapshot)["value"].item(), arr_run_rate(snapshot, contracted=True)["value"].item()
    (1200.0, 1800.0)
    """
    snapshot.need("subscriptions", of="arr_run_rate")
    check_level(level)
    groups = cut(snapshot, by, every)
    days = ends(snapshot, every)
    begin = "signed_day" if contracted else "starts_on_day"
    table = _stock(groups, paying(snapshot, groups.columns, days, begin=begin), days)
    table["mrr"] = table["value"]
    table["value"] = table["value"] * MONTHS_A_YEAR
    return groups.finish(table, ["mrr"])


def minimum_mrr(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    threshold: float | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Least that a paying customer pays a month, and how many pay less than a threshold of yours.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, or ``"product"``.
    every : {"month", "quarter", "year"}, optional
        At each period's last day instead, the running period at the as-of date (``to date``).
    threshold : float, optional
        Least MRR at which you take on a customer, in the reporting currency.
    level : float
        Not used: nothing is estimated. Taken so that every KPI can be called alike.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (least MRR of a customer, reporting currency a
        month; missing where nobody pays), ``low, high`` (missing), ``x`` (customers below the
        threshold; 0 without one), ``n`` (customers who pay), ``note``, ``threshold`` and
        ``below_mrr`` (what those below it pay together).

    Raises
    ------
    TableError
        If subscriptions are missing, a column or period is unknown, or the threshold is not above 0.

    References
    ----------
    .. [1] Top MSP KPIs: sales and marketing, "Minimum client MRR" (both meanings are given there).

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2"], "account_id": ["A", "B"],
    ...     "mrr": [900, 150], "starts_on": "2026-01-01"})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> minimum_mrr(snapshot, threshold=500)[["value", "x", "n", "below_mrr"]].to_dict("records")
    [{'value': 150.0, 'x': 1, 'n': 2, 'below_mrr': 150.0}]
    """
    snapshot.need("subscriptions", of="minimum_mrr")
    check_level(level)
    if threshold is not None and not 0 < threshold < float("inf"):
        raise TableError(f"threshold = {threshold}; expected an amount a month above 0, or None")
    groups = cut(snapshot, by, every)
    days = ends(snapshot, every)
    below = nw.col("mrr") < (threshold or 0.0) - 1e-9
    paid = paying(snapshot, groups.columns, days).with_columns(
        x=nw.when(below).then(nw.lit(1)).otherwise(nw.lit(0)),
        below_mrr=nw.when(below).then(nw.col("mrr")).otherwise(nw.lit(0.0)),
    )
    summed = paid.group_by(*groups.columns, "period").agg(
        nw.col("x", "below_mrr").sum(), value=nw.col("mrr").min(), n=nw.len()
    )
    table = each_day(groups, collect(summed), days, ["x", "below_mrr", "n"])
    table["threshold"] = np.nan if threshold is None else float(threshold)
    extra = ["threshold", "below_mrr"]
    return groups.finish(
        as_stock(groups, table, days).round(dict.fromkeys(["value", *extra], 6)), extra
    )


def _ranked(paid: nw.LazyFrame, keys: Sequence[str]) -> nw.LazyFrame:
    """Mark what the five largest customers of each group and period pay."""
    place = nw.col("one").cum_sum().over(*keys, "period", order_by=["minus", "customer"])
    ranked = paid.with_columns(one=nw.lit(1), minus=-nw.col("mrr")).with_columns(place=place)
    return ranked.with_columns(
        top5=nw.when(nw.col("place") <= TOP).then(nw.col("mrr")).otherwise(nw.lit(0.0)),
        largest=nw.when(nw.col("place") <= 1).then(nw.col("mrr")).otherwise(nw.lit(0.0)),
    )


def _stock(groups: Groups, paid: nw.LazyFrame, days: pd.DataFrame) -> pd.DataFrame:
    """Sum what customers pay: every group and day, ``value``, ``x`` (lines), ``n`` (customers)."""
    names = [n for n in ("largest", "top5") if n in paid.collect_schema().names()]
    summed = paid.group_by(*groups.columns, "period").agg(
        *[nw.col(name).sum() for name in names],
        value=nw.col("mrr").sum(),
        x=nw.col("lines").sum(),
        n=nw.len(),
    )
    table = each_day(groups, collect(summed), days, [*names, "value", "x", "n"])
    return as_stock(groups, table, days).round(dict.fromkeys(["value", *names], 6))


def each_day(
    groups: Groups, rows: pd.DataFrame, days: pd.DataFrame, zeros: Sequence[str]
) -> pd.DataFrame:
    """Give every group a row for every day, zeros where nothing ran: that is known exactly."""
    full = days[["period"]]
    if full.empty and groups.every is None:
        full = pd.DataFrame([{"period": 0}])
    if groups.columns:
        ever = collect(
            customer_lines(groups.snapshot, groups.columns).select(*groups.columns).unique()
        )
        full = ever.merge(full, how="cross")
    table = full.merge(rows, on=[*groups.columns, "period"], how="left")
    table = table.fillna(dict.fromkeys(zeros, 0)).astype({"x": "int64", "n": "int64"})
    return table.sort_values([*groups.columns, "period"], kind="stable", ignore_index=True)


def as_stock(groups: Groups, table: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame:
    """Add limits (none) and notes; no value where there is no line at all, or no one pays."""
    if days.empty:
        return table.assign(value=np.nan, low=np.nan, high=np.nan, note=NO_LINES)
    day = dict(zip(days["period"], days["day"], strict=True))
    snapshot, every = groups.snapshot, groups.every
    note = [to_date(snapshot, every, day[period]) for period in table["period"]]
    none = table["value"].isna()
    reasons = np.where(none, "no_denominator: nobody pays", note)
    return table.assign(low=np.nan, high=np.nan, note=reasons)


ENTRIES = (
    Entry(
        mrr,
        question="What do our customers pay us a month?",
        formula="sum of the recurring lines that run on the day",
        unit="reporting currency a month",
        basis=STOCK,
        interval=EXACT,
        options="every; by='product'",
        needs=NEEDS,
        benchmark="none",
        source="Moving Your KPI Levers Into Alignment, 2023; ChartMogul help, MRR",
        caveats="Each line keeps the exchange rate of its first day. One large customer can be "
        "most of it: see largest and top5.",
        also=("MRR", "ARPA", "average revenue per account", "MRR growth", "concentration"),
        better="higher",
    ),
    Entry(
        arr_run_rate,
        question="What would a year bring if nothing changed?",
        formula="12 x MRR",
        unit="reporting currency",
        basis=STOCK,
        interval=EXACT,
        options="contracted=True: lines count from signature; every; by='product'",
        needs=NEEDS,
        benchmark="none",
        source="Tracking Success, newsletter 067; Maxio, contracted ARR",
        caveats="A rate, not the revenue of any year.",
        also=("ARR", "annual recurring revenue", "annual run rate", "contracted ARR"),
        better="higher",
    ),
    Entry(
        minimum_mrr,
        question="How little does a customer pay us, and how many pay too little?",
        formula="least MRR of a paying customer; x = customers below the threshold",
        unit="reporting currency a month",
        basis=STOCK,
        interval=EXACT,
        options="threshold; every; by='product'",
        needs=NEEDS,
        benchmark="none",
        source="Top MSP KPIs: sales and marketing",
        caveats="The source defines it as a threshold and reckons it as the least seen: both are given.",
        also=("minimum client MRR", "customers below the minimum"),
    ),
)
