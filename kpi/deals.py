"""Deals won and lost: the win rate, by period closed or by cohort created."""

from collections.abc import Sequence
from typing import Literal

import narwhals as nw
import pandas as pd

from kpi.cohorts import durations, horizon_of, incidence
from kpi.entry import Entry
from kpi.periods import Every
from kpi.result import Groups, count_by, joined, shares
from kpi.snapshot import Snapshot
from kpi.tables import DEAL_TYPES, TableError

OWNER_NOTE = "by the owner as of the date, not at close"


def win_rate(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    basis: Literal["period", "cohort"] = "period",
    deal_type: str | None = "new",
    horizon_days: int | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of deals won, by count.

    Open deals are never counted as lost. On the period basis (the figure a CRM shows) they are
    left out; on the cohort basis they are followed for as long as they have been open.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table deals.
    by : str or list of str, optional
        Columns of deals, such as ``"source"`` or ``"owner"``.
    every : {"month", "quarter", "year"}, optional
        Period in which the deal closed (period basis) or was created (cohort basis).
    basis : {"period", "cohort"}
        ``period``: won / (won + lost) of the deals closed. ``cohort``: cumulative incidence of
        winning among the deals created, losing competing (Aalen-Johansen).
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business counted; None counts all. Mixing renewals in inflates the rate.
    horizon_days : int, optional
        Age at which a cohort rate is read; default the definitions' ``horizon_days``, else the
        last age with ten deals still followed (stated in ``note``).
    level : float
        Share of the intervals.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (0 to 1), ``low``, ``high``, ``x`` (won), ``n``
        (won + lost; cohort: deals followed) and ``note``. ``value`` is missing, with the reason in
        ``note``, where nothing closed.

    Raises
    ------
    TableError
        If deals are missing, or a column, period, basis or deal type is unknown.

    Notes
    -----
    Period basis: Jeffreys interval. Cohort basis: log-log limits from Aalen's variance. A deal
    closed without any date counts in the total but in no period.

    Examples
    --------
    >>> deals = pd.DataFrame({
    ...     "deal_id": list("abcd"), "outcome": ["won", "lost", "lost", "open"],
    ...     "close_date": ["2026-01-09", "2026-01-20", "2026-02-02", None]})
    >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-02-28")
    >>> win_rate(snapshot)[["value", "x", "n"]].round(3).to_dict("records")
    [{'value': 0.333, 'x': 1, 'n': 3}]
    >>> win_rate(snapshot, every="month")["value"].tolist()
    [0.5, 0.0]
    """
    snapshot.need("deals", of="win_rate")
    groups = Groups(snapshot, "deals", by, every)
    deals = of_type(snapshot, deal_type)
    if basis == "period":
        result = _by_period_closed(groups, deals, level)
    elif basis == "cohort":
        result = _by_cohort(groups, deals, level, horizon_days)
    else:
        raise TableError(f"basis={basis!r}; expected 'period' or 'cohort'")
    if "owner_id" in groups.columns:
        result["note"] = [joined(note, OWNER_NOTE) for note in result["note"]]
    return groups.finish(result)


def of_type(snapshot: Snapshot, deal_type: str | None) -> nw.LazyFrame:
    """Return the deals of one kind of business, or all."""
    return only_type(snapshot.deals.lazy(), deal_type)


def only_type(frame: nw.LazyFrame, deal_type: str | None) -> nw.LazyFrame:
    """Return the rows, one or more per deal, that are about one kind of business, or all."""
    if deal_type is None:
        return frame
    if deal_type not in DEAL_TYPES:
        raise TableError(f"deal_type={deal_type!r}; expected one of {DEAL_TYPES} or None")
    return frame.filter(nw.col("deal_type") == deal_type)


def _by_period_closed(groups: Groups, deals: nw.LazyFrame, level: float) -> pd.DataFrame:
    closed = groups.add_period(deals.filter(nw.col("outcome") != "open"), "closed_day")
    counted = count_by(
        closed,
        groups.keys,
        x=nw.when(nw.col("outcome") == "won").then(nw.lit(1)).otherwise(nw.lit(0)),
        n=nw.when(nw.col("outcome") != "open").then(nw.lit(1)).otherwise(nw.lit(0)),
    )
    return shares(groups.complete(counted, x=0, n=0), level)


def _by_cohort(
    groups: Groups, deals: nw.LazyFrame, level: float, horizon_days: int | None
) -> pd.DataFrame:
    cause = (
        nw.when(nw.col("outcome") == "won")
        .then(nw.lit(1))
        .otherwise(nw.when(nw.col("outcome") == "lost").then(nw.lit(2)).otherwise(nw.lit(0)))
    )
    followed = groups.add_period(deals.with_columns(cause=cause), "created_day")
    counted = durations(
        groups.snapshot, followed, groups.keys, start="created_day", end="closed_day"
    )
    horizon = horizon_of(groups.snapshot, horizon_days)
    return incidence(counted, groups.keys, level=level, horizon_days=horizon)


ENTRIES = (
    Entry(
        win_rate,
        question="What share of our deals do we win?",
        formula="won / (won + lost)",
        unit="share, 0 to 1",
        basis="deals closed in the period",
        interval="Jeffreys (period); log-log limits from Aalen's variance (cohort)",
        options="basis='cohort': of the deals created, open ones censored; deal_type=None: all business",
        needs="deals",
        benchmark="33 % of deals if unknown (MSP rule of thumb; not your own figure)",
        source="Bottoms up to Revenue Growth, Channel Futures 2018; Brown, Cai and DasGupta 2001",
        caveats="The period figure forgets deals still open: read it beside the cohort's.",
        also=("close rate", "win ratio"),
        better="higher",
    ),
)
