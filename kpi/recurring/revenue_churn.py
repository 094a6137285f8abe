"""Recurring revenue lost, made up for and outrun: churn of money and the quick ratio."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from kpi.entry import Entry
from kpi.periods import Every
from kpi.recurring.billing import (
    book,
    by_cell,
    cut,
    months,
    spans,
)
from kpi.result import Groups, rate_note
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.stats.ratio import ratio_limits

CHART_MOGUL = "ChartMogul help, MRR movements and MRR churn rate"
BOOTSTRAP = "bootstrap over customers; Jeffreys on their effective number where all or none moved"


def gross_mrr_churn(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Monthly recurring revenue lost in a period, as a share of that at its start.

    Lost is what customers took away by leaving or by paying less, month by month. Over more than a
    month that includes losses of customers who joined after the start, so it may pass 1 in a
    company that grows fast: `gross_retention` follows the customers of the start alone.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, or ``"product"``.
    every : {"month", "quarter", "year"}, optional
        Default: the last twelve months that had ended on the as-of date.
    level : float
        Share of the intervals (bootstrap over customers).

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (0 or more), ``low``, ``high``, ``x`` (customers
        with contraction or churn), ``n`` (customers at the start), ``note``, and ``start,
        contraction, churn`` in the reporting currency. ``value`` is missing, with the reason in
        ``note``, where nothing was paid at the start.

    Raises
    ------
    TableError
        If subscriptions are missing, or a column or period is unknown.

    Notes
    -----
    ``(contraction + churn) / start``.

    References
    ----------
    .. [1] ChartMogul help, "MRR churn rate" (gross).

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2"], "account_id": ["A", "B"],
    ...     "mrr": [60, 40], "starts_on": "2026-01-01", "ends_on": [None, "2026-02-10"]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> gross_mrr_churn(snapshot)[["value", "x", "n"]].to_dict("records")
    [{'value': 0.4, 'x': 1, 'n': 2}]
    """
    snapshot.need("subscriptions", of="gross_mrr_churn")
    return _churned(snapshot, cut(snapshot, by, every), level, [])


def net_mrr_churn(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Recurring revenue lost less what customers added, as a share of that at the period's start.

    Below 0 where expansion and reactivation outweigh the losses. New customers count in neither.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, or ``"product"``.
    every : {"month", "quarter", "year"}, optional
        Default: the last twelve months that had ended on the as-of date.
    level : float
        Share of the intervals (bootstrap over customers).

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (a share, may be negative), ``low``, ``high``,
        ``x`` (customers with any of the four moves), ``n`` (customers at the start), ``note``, and
        ``start, contraction, churn, expansion, reactivation`` in the reporting currency. ``value``
        is missing, with the reason in ``note``, where nothing was paid at the start.

    Raises
    ------
    TableError
        If subscriptions are missing, or a column or period is unknown.

    Notes
    -----
    ``(contraction + churn - expansion - reactivation) / start``. `net_retention` follows the
    customers of the start alone and leaves reactivation out.

    References
    ----------
    .. [1] ChartMogul help, "MRR churn rate" (net).

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2"], "account_id": "A",
    ...     "mrr": [100, 25], "starts_on": ["2026-01-01", "2026-02-10"]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> net_mrr_churn(snapshot)["value"].tolist()
    [-0.25]
    """
    snapshot.need("subscriptions", of="net_mrr_churn")
    return _churned(snapshot, cut(snapshot, by, every), level, ["expansion", "reactivation"])


def quick_ratio(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    reactivation: bool = False,
    level: float = 0.95,
) -> pd.DataFrame:
    """Recurring revenue gained for each unit lost: how well growth outruns losses.

    A period without any loss has no ratio: the value is missing, never infinite.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, or ``"product"``.
    every : {"month", "quarter", "year"}, optional
        Default: the last twelve months that had ended on the as-of date.
    reactivation : bool
        Count customers who came back among the gains.
    level : float
        Share of the intervals (bootstrap over customers).

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (0 or more), ``low``, ``high``, ``x`` (customers
        who gained), ``n`` (customers who lost), ``note``, and ``gained, lost`` in the reporting
        currency.

    Raises
    ------
    TableError
        If subscriptions are missing, or a column or period is unknown.

    Notes
    -----
    ``(new + expansion [+ reactivation]) / (contraction + churn)``.

    References
    ----------
    .. [1] Baremetrics changelog, "Quick ratio"; the 4 of Mamoon Hamid (Social Capital, 2015).

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2", "3"], "account_id": ["A", "B", "C"],
    ...     "mrr": [100, 40, 20], "starts_on": ["2026-01-01", "2026-02-01", "2026-01-01"],
    ...     "ends_on": [None, None, "2026-02-10"]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> quick_ratio(snapshot)["value"].tolist()
    [2.0]
    """
    snapshot.need("subscriptions", of="quick_ratio")
    groups = cut(snapshot, by, every)
    gains = ["new", "expansion", *(["reactivation"] if reactivation else [])]

    def measure(rows: pd.DataFrame) -> dict[str, object]:
        gained, lost = rows[gains].sum(axis=1), rows["contraction"] + rows["churn"]
        nothing = "no_denominator: nothing was lost"
        measured = money_ratio(gained, lost, level, otherwise=nothing)
        counts = {"x": int((gained > 0).sum()), "n": int((lost > 0).sum())}
        return measured | counts | {"gained": gained.sum(), "lost": lost.sum()}

    return measured_by_cell(snapshot, groups, measure, ["gained", "lost"])


def money_ratio(
    numerator: pd.Series,
    denominator: pd.Series,
    level: float,
    *,
    share: bool = False,
    otherwise: str = "no_denominator: nothing was paid at the start",
) -> dict[str, object]:
    """Return ``value, low, high, note`` of a ratio of two sums over customers."""
    check_level(level)
    total = float(denominator.sum())
    if total <= 0:
        return {"value": np.nan, "low": np.nan, "high": np.nan, "note": otherwise}
    some = (numerator != 0) | (denominator != 0)
    low, high = ratio_limits(numerator[some], denominator[some], level, share=share)
    value = float(numerator.sum()) / total
    few = rate_note(int((denominator > 0).sum()), 0.0, 0.0)
    return {"value": value, "low": low, "high": high, "note": few}


def _churned(snapshot: Snapshot, groups: Groups, level: float, regained: list[str]) -> pd.DataFrame:
    lost = ["contraction", "churn"]

    def measure(rows: pd.DataFrame) -> dict[str, object]:
        net = rows[lost].sum(axis=1) - rows[regained].sum(axis=1)
        measured = money_ratio(net, rows["start"], level, share=not regained)
        moved = rows[[*lost, *regained]].gt(0).any(axis=1)
        counts = {"x": int(moved.sum()), "n": int((rows["start"] > 0).sum())}
        sums = {name: float(rows[name].sum()) for name in ["start", *lost, *regained]}
        return measured | counts | sums

    return measured_by_cell(snapshot, groups, measure, ["start", *lost, *regained])


def measured_by_cell(
    snapshot: Snapshot,
    groups: Groups,
    measure: Callable[[pd.DataFrame], dict[str, object]],
    extra: Sequence[str],
) -> pd.DataFrame:
    """Apply a measure to what the customers of each group paid and did in each period."""
    found = spans(snapshot, months(snapshot), groups.every)
    rows = book(snapshot, groups.columns, found)
    result = by_cell(groups, found, rows, measure).round(dict.fromkeys(extra, 6))
    return groups.finish(result.astype({"x": "int64", "n": "int64"}), list(extra))


ENTRIES = (
    Entry(
        gross_mrr_churn,
        question="What share of our recurring revenue do we lose?",
        formula="(contraction + churn) / MRR at the start",
        unit="share",
        basis="twelve months (with every: each period)",
        interval=BOOTSTRAP,
        options="every; by='product'",
        needs="subscriptions (accounts: who pays)",
        benchmark="none",
        source=CHART_MOGUL,
        caveats="Over more than a month, losses of customers who joined after the start count too.",
        also=("revenue churn", "MRR churn rate", "contraction"),
        better="lower",
    ),
    Entry(
        net_mrr_churn,
        question="Do our customers' additions make up for what we lose?",
        formula="(contraction + churn - expansion - reactivation) / MRR at the start",
        unit="share",
        basis="twelve months (with every: each period)",
        interval="bootstrap over customers; none where nothing moved",
        options="every; by='product'",
        needs="subscriptions (accounts: who pays)",
        benchmark="none",
        source=CHART_MOGUL,
        caveats="Negative is good. A few large customers decide it: read the interval.",
        also=("net revenue churn", "negative churn"),
        better="lower",
    ),
    Entry(
        quick_ratio,
        question="How much recurring revenue do we gain for each unit we lose?",
        formula="(new + expansion) / (contraction + churn)",
        unit="ratio",
        basis="twelve months (with every: each period)",
        interval="bootstrap over customers, resamples without a loss left out",
        options="reactivation=True: who came back counts as gained; every; by='product'",
        needs="subscriptions (accounts: who pays)",
        benchmark="4 is often quoted for software companies (Mamoon Hamid; not your own figure)",
        source="Baremetrics changelog, quick ratio",
        caveats="Young companies have few losses yet and look good; no loss, no ratio.",
        also=("SaaS quick ratio",),
        better="higher",
    ),
)
