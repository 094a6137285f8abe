"""Customers (independent payers): how many there are, and how many are lost."""

from collections.abc import Sequence
from typing import Literal

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every
from kpi.recurring.billing import (
    NO_LINES,
    by_cell,
    customer_lines,
    cut,
    ends,
    months,
    running,
    span_days,
    spans,
    to_date,
)
from kpi.result import Groups, joined, rate_note, shares
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError

Basis = Literal["start", "joiners", "daily"]


def customers(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    count: Literal["payer", "company"] = "payer",
    level: float = 0.95,
) -> pd.DataFrame:
    """Number of customers on the as-of date: who pays, with a recurring line that runs that day.

    Two companies on one invoice are one customer; invoiced apart, they are two.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, such as ``"industry"``; or ``"product"``.
    every : {"month", "quarter", "year"}, optional
        At each period's last day instead, the running period at the as-of date (``to date``).
    count : {"payer", "company"}
        ``company``: companies of the CRM, whoever pays for them.
    level : float
        Not used: nothing is estimated. Taken so that every KPI can be called alike.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (customers), ``low, high`` (missing), ``x`` and
        ``n`` (the same), ``note``, ``lines`` (recurring lines they have). ``value`` is missing
        only where the data has no line at all.

    Raises
    ------
    TableError
        If subscriptions are missing, or a column, period or way of counting is unknown.

    References
    ----------
    .. [1] Tracking Success, newsletter 067 (the customer is the unique independent payer).

    Examples
    --------
    >>> accounts = pd.DataFrame({"account_id": ["us", "au"], "billing_account_id": ["us", "us"]})
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2"], "account_id": ["us", "au"],
    ...     "mrr": [100, 40], "starts_on": "2026-01-01"})
    >>> snapshot = Snapshot.from_frames(
    ...     {"subscriptions": lines, "accounts": accounts}, as_of="2026-02-28")
    >>> customers(snapshot)["x"].item(), customers(snapshot, count="company")["x"].item()
    (1, 2)
    """
    snapshot.need("subscriptions", of="customers")
    check_level(level)
    if count not in ("payer", "company"):
        raise TableError(f"count={count!r}; expected 'payer' or 'company'")
    groups = cut(snapshot, by, every)
    days = ends(snapshot, every)
    who = nw.col("customer" if count == "payer" else "company")
    lines = customer_lines(snapshot, groups.columns).with_columns(customer=who)
    keys = [*groups.columns, "period"]
    there = running(lines, snapshot.engine.frame(days), "day").group_by(*keys, "customer")
    counted = there.agg(lines=nw.len()).group_by(*keys).agg(nw.col("lines").sum(), n=nw.len())
    full = days[["period"]]
    if groups.columns:
        full = collect(lines.select(*groups.columns).unique()).merge(full, how="cross")
    table = full.merge(collect(counted), on=keys, how="left").fillna({"n": 0, "lines": 0})
    day = dict(zip(days["period"], days["day"], strict=True))
    note = [to_date(snapshot, every, day[period]) for period in table["period"]]
    table = table.assign(value=table["n"], note=pd.array(note, dtype="str"))
    if days.empty and not keys[:-1] and every is None:
        table = pd.DataFrame([{"period": 0, "value": np.nan, "n": 0, "lines": 0, "note": NO_LINES}])
    table = table.astype({"n": "int64", "lines": "int64"})
    return groups.finish(table.assign(low=np.nan, high=np.nan, x=table["n"]), ["lines"])


def customer_churn(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    basis: Basis = "start",
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
    basis : {"start", "joiners", "daily"}
        ``joiners``: those who joined and left within the period count as lost as well (Baremetrics),
        still over the customers at its start. ``daily``: the sum over the days of the customers
        lost that day / those there when it began (for many customers on short terms); one who
        leaves and comes back was lost. Both may pass 1.
    level : float
        Share of the intervals (Jeffreys).

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (0 to 1), ``low``, ``high`` (missing for joiners
        and daily), ``x`` (lost), ``n`` (customers at the start), ``note``, and ``monthly``: the
        equal monthly rate that compounds to ``value`` over the period's months (missing above 1).

    Raises
    ------
    TableError
        If subscriptions are missing, or a column, period or basis is unknown.

    Notes
    -----
    ``monthly = 1 - (1 - value) ^ (1 / months)``; a year at 8 to 15 % is 0.69 to 1.35 % a month.

    References
    ----------
    .. [1] ChartMogul help, "Customer churn rate" (joiners of the period excluded) and "MRR churn
       rate" (daily).

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2"], "account_id": ["A", "B"],
    ...     "mrr": [100, 40], "starts_on": "2025-01-01", "ends_on": [None, "2026-02-10"]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> customer_churn(snapshot)[["value", "x", "n"]].to_dict("records")
    [{'value': 0.5, 'x': 1, 'n': 2}]
    """
    snapshot.need("subscriptions", of="customer_churn")
    check_level(level)
    if basis not in ("start", "joiners", "daily"):
        raise TableError(f"basis={basis!r}; expected 'start', 'joiners' or 'daily'")
    groups = cut(snapshot, by, every)
    calendar = months(snapshot)
    found = spans(snapshot, calendar, every)
    days = span_days(calendar, found)
    counted = _daily(groups, days) if basis == "daily" else _lost(groups, days, basis)

    def measure(rows: pd.DataFrame) -> dict[str, object]:
        sums = rows[["x", "n", "daily"]].sum()
        return {"x": int(sums["x"]), "n": int(sums["n"]), "daily": sums["daily"], "note": ""}

    table = by_cell(groups, found, counted, measure)
    result = _rates(table, basis, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        kept = (1 - result["value"]).where(result["value"] <= 1)
        result["monthly"] = 1 - kept ** (1 / result["months"])
    return groups.finish(result, ["monthly"])


def _rates(table: pd.DataFrame, basis: Basis, level: float) -> pd.DataFrame:
    """Add the rate, its limits where it has some, and its note."""
    short = table["note"]
    if basis == "start":
        result = shares(table, level)
    else:
        some = table["n"] > 0
        above = table["daily"] if basis == "daily" else table["x"] / table["n"].where(some)
        notes = [rate_note(n, 0.0, 0.0) for n in table["n"]]
        result = table.assign(value=above.where(some), low=np.nan, high=np.nan, note=notes)
    both = [joined(one, two) for one, two in zip(result["note"], short, strict=True)]
    return result.assign(note=pd.array(both, dtype="str"))


def _lost(groups: Groups, days: pd.DataFrame, basis: Basis) -> pd.DataFrame:
    """Count customers at the start of each period (``n``) and those gone at its end (``x``).

    With joiners, ``x`` also counts who had a line at any time of the period and none at its end.
    """
    snapshot, keys = groups.snapshot, groups.columns
    periods = snapshot.engine.frame(days)
    never, ends_on = nw.col("ends_on_day").is_null(), nw.col("ends_on_day")
    lines = customer_lines(snapshot, keys).join(periods, how="cross")
    lines = lines.filter(
        nw.col("starts_on_day") <= nw.col("last_day"), never | (ends_on > nw.col("before_day"))
    )
    was = nw.col("starts_on_day") <= nw.col("before_day")
    still = never | (ends_on > nw.col("last_day"))
    parts = lines.select(
        *keys,
        "customer",
        "period",
        n=nw.when(was).then(nw.lit(1)).otherwise(nw.lit(0)),
        here=nw.when(still).then(nw.lit(1)).otherwise(nw.lit(0)),
    )
    both = parts.group_by(*keys, "customer", "period").agg(nw.col("n", "here").max())
    if keys:  # gone is who is no customer at all any more
        both = both.with_columns(here=nw.col("here").max().over("customer", "period"))
    if basis == "start":
        both = both.filter(nw.col("n") == 1)
    counts = both.group_by(*keys, "period").agg(
        here=nw.col("here").sum(), n=nw.col("n").sum(), x=nw.len()
    )
    whole = {"x": "int64", "n": "int64", "period": "int64"}
    counted = collect(counts).astype(whole | {"here": "int64"}).assign(daily=0.0)
    return counted.assign(x=counted["x"] - counted.pop("here"))


def _daily(groups: Groups, days: pd.DataFrame) -> pd.DataFrame:
    """Sum, by period, the share of customers lost each day: ``daily``, ``x`` (lost), ``n`` (at the start)."""
    snapshot, keys = groups.snapshot, groups.columns
    lines = customer_lines(snapshot, keys)
    head = [*keys, "customer", "day"]
    begun = lines.select(*head[:-1], day=nw.col("starts_on_day"), lines=nw.lit(1))
    ended = lines.filter(~nw.col("ends_on_day").is_null())
    over = ended.select(*head[:-1], day=nw.col("ends_on_day"), lines=nw.lit(-1))
    steps = nw.concat([begun, over]).group_by(*head).agg(nw.col("lines").sum())
    running_total = nw.col("lines").cum_sum().over(*keys, "customer", order_by="day")
    steps = steps.with_columns(active=running_total)
    has, had = nw.col("active") > 0, nw.col("active") > nw.col("lines")
    steps = steps.select(
        *keys,
        "day",
        came=nw.when(has & ~had).then(nw.lit(1)).otherwise(nw.lit(0)),
        left=nw.when(had & ~has).then(nw.lit(1)).otherwise(nw.lit(0)),
    )
    table = collect(steps.group_by(*keys, "day").agg(nw.col("came", "left").sum()))
    table = table.sort_values([*keys, "day"], ignore_index=True)
    net = table["came"] - table["left"]
    total = (
        table.assign(net=net).groupby(keys, dropna=False)["net"].cumsum() if keys else net.cumsum()
    )
    table["there"] = total - net
    table["daily"] = table["left"] / table["there"].where(table["there"] > 0)
    return _by_span(table.assign(after=total), keys, days)


def _by_span(table: pd.DataFrame, keys: list[str], days: pd.DataFrame) -> pd.DataFrame:
    """Gather days of change in periods; ``n`` is who was there when each began."""
    found = []
    for period, first, last in days[["period", "before_day", "last_day"]].to_numpy(dtype="int64"):
        inside = (table["day"] > first) & (table["day"] <= last)
        left = table[inside].rename(columns={"left": "x"})
        before = table[table["day"] <= first]
        stood = before.groupby(keys, dropna=False).tail(1) if keys else before.tail(1)
        parts = [
            left[[*keys, "x", "daily"]],
            stood[[*keys, "after"]].rename(columns={"after": "n"}),
        ]
        found.append(pd.concat(parts, ignore_index=True).assign(period=period))
    columns = [*keys, "x", "daily", "n", "period"]
    rows = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)
    return rows.astype({"period": "int64"}).fillna({"x": 0, "n": 0, "daily": 0})


ENTRIES = (
    Entry(
        customers,
        question="How many customers do we have?",
        formula="billing accounts with a recurring line that runs on the day",
        unit="count",
        basis="open at the as-of date (with every: at each period's end)",
        interval="none: an exact count",
        options="count='company': companies of the CRM; every; by='product'",
        needs="subscriptions (accounts: who pays)",
        benchmark="none",
        source="Tracking Success, newsletter 067",
        caveats="Who buys one-off work only has no recurring line and is not counted.",
        also=("number of customers", "logos", "independent payers"),
        better="higher",
    ),
    Entry(
        customer_churn,
        question="What share of our customers do we lose?",
        formula="customers at the start who are gone at the end / customers at the start",
        unit="share, 0 to 1",
        basis="twelve months (with every: each period)",
        interval="Jeffreys; none for basis='joiners' and 'daily'",
        options="basis='joiners': with those who joined and left; basis='daily': sum of daily rates; every",
        needs="subscriptions (accounts: who pays)",
        benchmark="8 to 15 % of customers a year (three MSP studies; not your own figure)",
        source="The One Metric That Matters Most, Channel Futures 2016; ChartMogul help",
        caveats="Customers who join and leave within the period are in neither count.",
        also=("logo churn", "annual churn", "daily churn"),
        better="lower",
    ),
)
