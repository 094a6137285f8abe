"""Recurring revenue as far as it is agreed: live, plus signed, less what has been cancelled."""

from collections.abc import Sequence

import narwhals as nw
import pandas as pd

from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every
from kpi.recurring.billing import customer_lines, cut, ends, running
from kpi.recurring.run_rate import EXACT, STOCK, as_stock, each_day
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError


def committed_mrr(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    horizon_days: int | None = 90,
    level: float = 0.95,
) -> pd.DataFrame:
    """Recurring revenue as far as it is agreed: live, plus signed, less what has been cancelled.

    To the MRR of the day come lines signed that go live within the horizon, and off it go lines
    under notice that end within it (a smaller line in their place is signed: so contraction is
    told as well). An end without a notice is the end of a term that may renew: it goes off only
    where a line for the same customer and product is signed to go live, as that is its renewal.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions (``signed_on``, ``notice_on``); accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, or ``"product"``.
    every : {"month", "quarter", "year"}, optional
        As seen at each period's last day, the running period at the as-of date (``to date``).
    horizon_days : int or None
        Days ahead, calendar days; None: everything signed and notified.
    level : float
        Not used: nothing is estimated. Taken so that every KPI can be called alike.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (reporting currency a month), ``low, high``
        (missing), ``x`` (lines that come or go), ``n`` (lines live), ``note``, and ``mrr, signed,
        notified, replaced``: ``value = mrr + signed - notified - replaced``. ``value`` is missing
        only where the data has no line at all.

    Raises
    ------
    TableError
        If subscriptions are missing, a column or period is unknown, or the horizon is below 1 day.

    Notes
    -----
    A notice without a date is taken as given on the last day (`kpi.tables`): not known before.

    References
    ----------
    .. [1] statsforstartups.com and rimodreamlabs.ai, "Committed monthly recurring revenue".

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2", "3"], "account_id": ["A", "B", "C"],
    ...     "mrr": [100, 20, 30], "signed_on": ["2025-12-01", "2026-02-20", "2025-12-01"],
    ...     "starts_on": ["2026-01-01", "2026-04-01", "2026-01-01"],
    ...     "ends_on": [None, None, "2026-05-01"], "notice_on": [None, None, "2026-02-01"]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> committed_mrr(snapshot)[["value", "mrr", "signed", "notified"]].to_dict("records")
    [{'value': 120.0, 'mrr': 130.0, 'signed': 20.0, 'notified': 30.0}]
    """
    snapshot.need("subscriptions", of="committed_mrr")
    check_level(level)
    if horizon_days is not None and horizon_days <= 0:
        raise TableError(f"horizon_days = {horizon_days}; expected days above 0, or None")
    groups = cut(snapshot, by, every)
    days = ends(snapshot, every)
    parts = ["mrr", "signed", "notified", "replaced"]
    told = _committed(snapshot, groups.columns, days, horizon_days)
    rows = collect(told.group_by(*groups.columns, "period").agg(nw.col(*parts, "x", "n").sum()))
    table = each_day(groups, rows, days, [*parts, "x", "n"])
    table["value"] = table["mrr"] + table["signed"] - table["notified"] - table["replaced"]
    return groups.finish(
        as_stock(groups, table, days).round(dict.fromkeys(["value", *parts], 6)), parts
    )


def _committed(
    snapshot: Snapshot, keys: Sequence[str], days: pd.DataFrame, horizon_days: int | None
) -> nw.LazyFrame:
    """What each customer and product has live, coming and going at each day."""
    product = "item"
    lines = customer_lines(snapshot, keys).with_columns(item=nw.coalesce("product", nw.lit("")))
    day, start, end = nw.col("day"), nw.col("starts_on_day"), nw.col("ends_on_day")
    lines = running(lines, snapshot.engine.frame(days), "day", "signed_day")
    live = start <= day
    within = nw.lit(value=True) if horizon_days is None else end <= day + horizon_days
    soon = ~live if horizon_days is None else ~live & (start <= day + horizon_days)
    going = live & ~end.is_null() & within
    known = ~nw.col("notice_on_day").is_null() & (nw.col("notice_on_day") <= day)
    kinds = {"mrr": live, "signed": soon, "notified": going & known, "unsaid": going & ~known}
    amounts = {k: nw.when(v).then(nw.col("mrr")).otherwise(nw.lit(0.0)) for k, v in kinds.items()}
    count = {k: nw.when(v).then(nw.lit(1)).otherwise(nw.lit(0)) for k, v in kinds.items()}
    head = [*keys, "period", "customer", product]
    each = lines.select(
        *head,
        **amounts,
        n=count["mrr"],
        comes=count["signed"] + count["notified"],
        renewed=count["unsaid"],
    )
    summed = each.group_by(*head).agg(nw.col(*kinds, "n", "comes", "renewed").sum())
    renews = nw.col("signed") > 0
    return summed.with_columns(
        replaced=nw.when(renews).then(nw.col("unsaid")).otherwise(nw.lit(0.0)),
        x=nw.col("comes") + nw.when(renews).then(nw.col("renewed")).otherwise(nw.lit(0)),
    )


ENTRIES = (
    Entry(
        committed_mrr,
        question="What will customers pay a month, as far as it is agreed today?",
        formula="MRR + signed not live - under notice (- renewed by a signed line), within 90 days",
        unit="reporting currency a month",
        basis=STOCK,
        interval=EXACT,
        options="horizon_days; every; by='product'",
        needs="subscriptions with signed_on and notice_on (accounts: who pays)",
        benchmark="none",
        source="statsforstartups.com and rimodreamlabs.ai, committed MRR",
        caveats="Only as complete as the dates of signature and notice; vendors differ in what they mean.",
        also=("CMRR", "signed not live", "notified churn"),
        better="higher",
    ),
)
