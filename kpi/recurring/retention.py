"""What became of the customers of a period's start: revenue kept, revenue grown, who bought more."""

from collections.abc import Sequence

import narwhals as nw
import pandas as pd

from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every
from kpi.recurring.billing import (
    by_cell,
    customer_lines,
    cut,
    months,
    moves,
    paying,
    span_days,
    span_months,
    spans,
)
from kpi.recurring.revenue_churn import BOOTSTRAP, measured_by_cell, money_ratio
from kpi.result import Groups, joined, shares
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level

WINDOW = "customers of the start, over twelve months (with every: each period)"


def gross_retention(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of the recurring revenue of a period's start still paid at its end, growth left out.

    Customer by customer, what is paid at the end counts up to what was paid at the start. Who left
    in between and came back (a month end without revenue) counts as lost; who joined counts nowhere.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, or ``"product"`` (then a product that replaces another is no retention).
    every : {"month", "quarter", "year"}, optional
        Default: the last twelve months that had ended on the as-of date.
    level : float
        Share of the intervals (bootstrap over customers).

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (0 to 1), ``low``, ``high``, ``x`` (customers
        kept), ``n`` (customers at the start), ``note``, and ``start, contraction, churn`` in the
        reporting currency: ``value = (start - contraction - churn) / start``. ``value`` is missing,
        with the reason in ``note``, where nothing was paid at the start.

    Raises
    ------
    TableError
        If subscriptions are missing, or a column or period is unknown.

    Notes
    -----
    ``sum min(start, end) / sum start`` over the customers of the start. `gross_mrr_churn` sums
    monthly moves instead; over one month they are complements.

    References
    ----------
    .. [1] KeyBanc Capital Markets and Sapphire Ventures, private SaaS survey 2024 (definition).

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2", "3"], "account_id": ["A", "A", "B"],
    ...     "mrr": [60, 30, 40], "starts_on": ["2026-01-01", "2026-02-01", "2026-01-01"],
    ...     "ends_on": [None, None, "2026-02-10"]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> gross_retention(snapshot)[["value", "x", "n"]].to_dict("records")
    [{'value': 0.6, 'x': 1, 'n': 2}]
    """
    snapshot.need("subscriptions", of="gross_retention")

    def measure(rows: pd.DataFrame) -> dict[str, object]:
        told = _cohort(rows, reactivation=False)
        return _kept(told, told[["start", "end"]].min(axis=1), level, share=True) | _lost(told)

    groups = cut(snapshot, by, every)
    return measured_by_cell(snapshot, groups, measure, ["start", "contraction", "churn"])


def net_retention(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    reactivation: bool = False,
    level: float = 0.95,
) -> pd.DataFrame:
    """Recurring revenue that the customers of a period's start pay at its end, as a share of then.

    Above 1 where expansion outweighs losses. Customers who joined count nowhere; who left in
    between and came back (a month end without revenue) counts as lost by default.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, or ``"product"``.
    every : {"month", "quarter", "year"}, optional
        Default: the last twelve months that had ended on the as-of date.
    reactivation : bool
        Count what customers pay who left in between and came back.
    level : float
        Share of the intervals (bootstrap over customers).

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (0 or more), ``low``, ``high``, ``x`` (customers
        kept), ``n`` (customers at the start), ``note``, and ``start, contraction, churn,
        expansion`` in the reporting currency: ``value = (start + expansion - contraction - churn) /
        start``. ``value`` is missing, with the reason in ``note``, where nothing was paid at the
        start.

    Raises
    ------
    TableError
        If subscriptions are missing, or a column or period is unknown.

    Notes
    -----
    Some leave contraction out of the formula and so print a higher figure (Baremetrics' text).

    References
    ----------
    .. [1] churnzero.net, "Net revenue retention"; ChartMogul help, "Net MRR churn rate".

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2", "3"], "account_id": ["A", "A", "B"],
    ...     "mrr": [60, 30, 40], "starts_on": ["2026-01-01", "2026-02-01", "2026-01-01"],
    ...     "ends_on": [None, None, "2026-02-10"]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> net_retention(snapshot)["value"].tolist()
    [0.9]
    """
    snapshot.need("subscriptions", of="net_retention")

    def measure(rows: pd.DataFrame) -> dict[str, object]:
        told = _cohort(rows, reactivation=reactivation)
        more = (told["end"] - told["start"]).clip(lower=0).sum()
        return _kept(told, told["end"], level, share=False) | _lost(told) | {"expansion": more}

    groups = cut(snapshot, by, every)
    extra = ["start", "contraction", "churn", "expansion"]
    return measured_by_cell(snapshot, groups, measure, extra)


def upsell_rate(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of the customers of a period's start who bought more at least once within it.

    More is a month in which the customer's recurring revenue rose. By product, it is a month in
    which what it pays for that product rose or began, out of all customers of the start.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, or ``"product"``.
    every : {"month", "quarter", "year"}, optional
        Default: the last twelve months that had ended on the as-of date.
    level : float
        Share of the intervals (Jeffreys).

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (0 to 1), ``low``, ``high``, ``x`` (customers
        sold more), ``n`` (customers at the start), ``note``, and ``added``: what the rises of those
        customers came to, reporting currency a month. ``value`` is missing, with the reason in
        ``note``, where there was no customer at the start.

    Raises
    ------
    TableError
        If subscriptions are missing, or a column or period is unknown.

    References
    ----------
    .. [1] Top MSP KPIs: sales and marketing, "Upsell rate".

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2", "3"], "account_id": ["A", "A", "B"],
    ...     "mrr": [60, 30, 40], "starts_on": ["2026-01-01", "2026-02-01", "2026-01-01"]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> upsell_rate(snapshot)[["value", "x", "n", "added"]].to_dict("records")
    [{'value': 0.5, 'x': 1, 'n': 2, 'added': 30.0}]
    """
    snapshot.need("subscriptions", of="upsell_rate")
    check_level(level)
    groups = cut(snapshot, by, every)
    found = spans(snapshot, months(snapshot), every)
    rows = _sold_more(groups, found)

    def measure(part: pd.DataFrame) -> dict[str, object]:
        sums = part[["x", "n", "added"]].sum()
        return {"x": int(sums["x"]), "n": int(sums["n"]), "added": sums["added"], "note": ""}

    table = by_cell(groups, found, rows, measure)
    result = shares(table, level)
    both = [joined(one, two) for one, two in zip(result["note"], table["note"], strict=True)]
    result = result.assign(note=pd.array(both, dtype="str")).round({"added": 6})
    return groups.finish(result, ["added"])


def _cohort(rows: pd.DataFrame, *, reactivation: bool) -> pd.DataFrame:
    """Customers of the start; who left in between has nothing at the end, unless asked otherwise."""
    told = rows[rows["start"] > 0]
    if reactivation:
        return told
    return told.assign(end=told["end"].where(told["churn"] == 0, 0.0))


def _kept(told: pd.DataFrame, kept: pd.Series, level: float, *, share: bool) -> dict[str, object]:
    counts = {"x": int((told["end"] > 0).sum()), "n": len(told)}
    return money_ratio(kept, told["start"], level, share=share) | counts


def _lost(told: pd.DataFrame) -> dict[str, object]:
    """What was lost of the money at the start, by how."""
    stays = told["end"] > 0
    less = (told["start"] - told["end"]).clip(lower=0)
    return {
        "start": told["start"].sum(),
        "contraction": less[stays].sum(),
        "churn": less[~stays].sum(),
    }


def _sold_more(groups: Groups, found: pd.DataFrame) -> pd.DataFrame:
    """Count, by group and period, customers at the start (``n``) and those sold more (``x``)."""
    snapshot, engine = groups.snapshot, groups.snapshot.engine
    product = groups.columns == ["product"]
    keys = [] if product else groups.columns
    days = span_days(months(snapshot), found)
    start = paying(snapshot, keys, days, "before_day")
    start = start.select(*keys, "period", "customer", there=nw.lit(1))
    rises = nw.col("expansion")
    if product:
        rises = rises + nw.col("new") + nw.col("reactivation")
    head = [*groups.columns, "period", "customer"]
    moved = moves(snapshot, groups.columns).join(engine.frame(span_months(found)), on="month")
    moved = moved.select(*head, added=rises).filter(nw.col("added") > 0)
    moved = moved.group_by(*head).agg(nw.col("added").sum())
    counted = collect(start.group_by(*keys, "period").agg(n=nw.len()))
    if product:
        bought = moved.join(start, on=["period", "customer"], how="inner")
        products = collect(customer_lines(snapshot, ["product"]).select("product").unique())
        counted = products.merge(counted, how="cross")
    else:
        zero = nw.lit(0.0)
        both = [
            start.select(*head, "there", added=zero),
            moved.select(*head, "added", there=nw.lit(0)).select(*head, "there", "added"),
        ]
        summed = nw.concat(both).group_by(*head).agg(nw.col("there", "added").sum())
        bought = summed.filter(nw.col("there") > 0, nw.col("added") > 0)
    cells = [*groups.columns, "period"]
    sold = collect(bought.group_by(*cells).agg(nw.col("added").sum(), x=nw.len()))
    rows = counted.merge(sold, on=cells, how="left").fillna({"x": 0, "added": 0.0})
    return rows.astype({"period": "int64", "x": "int64", "n": "int64"})


ENTRIES = (
    Entry(
        gross_retention,
        question="How much of our recurring revenue do we keep, growth left out?",
        formula="sum min(start, end) / sum start, over the customers of the start",
        unit="share, 0 to 1",
        basis=WINDOW,
        interval=BOOTSTRAP,
        options="every; by='product'",
        needs="subscriptions (accounts: who pays)",
        benchmark="median 91 %, quartiles 82 and 95 % (KeyBanc 2024, private software companies; "
        "not your own figure)",
        source="KeyBanc Capital Markets private SaaS survey 2024, by imboard.ai",
        caveats="Who left and came back within the period counts as lost.",
        also=("GRR", "gross revenue retention", "gross dollar retention"),
        better="higher",
    ),
    Entry(
        net_retention,
        question="Do the customers we have pay more or less than a year ago?",
        formula="(start + expansion - contraction - churn) / start, over the customers of the start",
        unit="share",
        basis=WINDOW,
        interval="bootstrap over customers; none where nothing moved",
        options="reactivation=True: who came back counts; every; by='product'",
        needs="subscriptions (accounts: who pays)",
        benchmark="none",
        source="churnzero.net, net revenue retention; ChartMogul help",
        caveats="A few large customers decide it: read the interval, and gross_retention beside it.",
        also=("NRR", "NDR", "net revenue retention", "net dollar retention"),
        better="higher",
    ),
    Entry(
        upsell_rate,
        question="What share of our customers did we sell more?",
        formula="customers of the start with a rise of MRR in the period / customers at the start",
        unit="share, 0 to 1",
        basis=WINDOW,
        interval="Jeffreys",
        options="by='product': rises of that product, cross-selling included; every",
        needs="subscriptions (accounts: who pays)",
        benchmark="none",
        source="Top MSP KPIs: sales and marketing",
        caveats="A price increase raises MRR too and cannot be told apart.",
        also=("upsell", "cross-sell rate", "expansion rate"),
        better="higher",
    ),
)
