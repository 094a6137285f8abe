"""The pipeline between two dates: what came in, what changed, and what left."""

from collections.abc import Sequence
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

from kpi.entry import Entry
from kpi.periods import (
    MONTHS,
    Every,
    as_date,
    day_number,
    month_start,
    period_start,
)
from kpi.pipeline.open_deals import at_least_one, periods
from kpi.pipeline.two_ends import Days, between, records_close_dates, rewinder
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError

ENTER = ["new", "reopened", "pulled_in"]
LEAVE = ["pushed_out", "won", "lost"]
FLOWS = ["start", *ENTER, "increased", "decreased", "revalued", *LEAVE, "end"]
Window = tuple[date | str, date | str]


def pipeline_changes(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    since: date | str | None = None,
    until: date | str | None = None,
    closing: Literal["period", "any"] | Window = "period",
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """What changed the open pipeline between two dates, deal by deal (the waterfall).

    Both ends are the snapshot as it was known then. The pipeline is that of the deals expected to
    close in the period; a deal that closes in the period belongs to it, so one that was expected
    later is pulled in and then won or lost. A deal lost before and open again is reopened.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables deals and history.
    by : str or list of str, optional
        Columns of deals, as they are at the end of the period.
    every : {"month", "quarter", "year"}, optional
        One row per period, from the first deal created; otherwise one row from `since` to `until`.
    since, until : date or ISO text, optional
        First and last day. Default: the as-of date, and the first day of its fiscal quarter.
    closing : {"period", "any"} or (first day, last day)
        Expected closing days that belong to the pipeline. ``period``: the period itself (without
        `every`: from `since` to the end of the fiscal quarter of `until`). ``any``: every open
        deal; nothing is then pulled in or pushed out.
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business counted; None counts all.
    level : float
        Not used: sums of records have no interval.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (pipeline at the end, reporting currency), ``low,
        high`` (missing), ``x`` (deals in it at the end), ``n`` (at the start), ``note``, then, all
        amounts of 0 or more but for the signed ``revalued``: ``start, new, reopened, pulled_in,
        increased, decreased, revalued`` (exchange rates alone), ``pushed_out, won, lost, end``.
        Deals without an amount move nothing. ``value`` is missing where there are no deals.

    Raises
    ------
    TableError
        If deals or history are missing, dates are out of order or beyond the data, both `every`
        and dates are given, or a column, period, `closing` or deal type is unknown.
    ArithmeticError
        If the parts do not add up: a fault in this package, never in the data.

    Notes
    -----
    ``start + new + reopened + pulled_in + increased - decreased + revalued - pushed_out - won -
    lost = end``. Who enters does so at the amount of the end; who is pushed out leaves at that of
    the start. Each period rewinds once all deals that were not over before the first.

    References
    ----------
    .. [1] Salesforce help, "Pipeline Inspection" (moved in, moved out, increased, decreased).

    Examples
    --------
    >>> deals = pd.DataFrame({
    ...     "deal_id": ["a", "b"], "outcome": ["won", "open"], "amount": [100, 80],
    ...     "created_at": ["2026-01-05", "2026-02-05"], "close_date": ["2026-02-20", "2026-03-20"]})
    >>> history = pd.DataFrame({
    ...     "record_id": ["a", "a"], "changed_at": ["2026-01-05", "2026-02-20"],
    ...     "amount": [70, 100], "close_date": ["2026-02-10", "2026-02-20"]})
    >>> snapshot = Snapshot.from_frames({"deals": deals, "history": history}, as_of="2026-02-28")
    >>> table = pipeline_changes(snapshot, since="2026-02-01", closing="any")
    >>> table[["start", "new", "increased", "won", "end"]].to_dict("records")
    [{'start': 70.0, 'new': 80.0, 'increased': 30.0, 'won': 100.0, 'end': 80.0}]
    """
    snapshot.need("deals", "history", of="pipeline_changes")
    check_level(level)
    groups = Groups(snapshot, "deals", by, every)
    if closing not in ("period", "any") and (isinstance(closing, str) or len(closing) != 2):
        raise TableError(f"closing={closing!r}; expected 'period', 'any' or (first day, last day)")
    recorded = records_close_dates(snapshot)
    spans = _spans(snapshot, every, since, until)
    to, rows = rewinder(snapshot, min((first for (first, _), _ in spans), default=0)), []
    for (first, last), span in spans:
        window = span if closing == "period" else None
        if not isinstance(closing, str):
            window = (day_number(as_date(closing[0])), day_number(as_date(closing[1])))
        moved = flows(between(groups, to, first, last, deal_type), first, last, window)
        sums = _sums(moved, groups.columns)
        rows.append(sums.assign(period=first) if every else sums)
    empty = dict.fromkeys([*FLOWS, "x", "n"], 0)
    found = pd.concat(rows, ignore_index=True) if rows else _sums(_NONE, groups.columns)
    if not rows:
        found = found.iloc[:0].assign(period=pd.Series(dtype="int64"))
    result = _checked(groups.complete(found, **empty))
    lacking = "" if len(result) == 0 or at_least_one(snapshot, deal_type) else "no deals"
    note = joined(
        f"not enough data: {lacking}" if lacking else "",
        "" if recorded or closing == "any" else "expected closing days as they are now: no history",
    )
    value = np.nan if lacking else result["end"]
    return groups.finish(result.assign(value=value, low=np.nan, high=np.nan, note=note), FLOWS)


def _spans(
    snapshot: Snapshot, every: Every | None, since: date | str | None, until: date | str | None
) -> list[tuple[Days, Days]]:
    """First and last day looked at, and first and last day of the period itself."""
    if every is not None:
        if since is not None or until is not None:
            raise TableError("give either every=, or since= and until=")
        ends = periods(snapshot, every)
        return [((first, min(last, snapshot.as_of_day)), (first, last)) for first, last in ends]
    last = as_date(until) if until is not None else snapshot.as_of
    fiscal = snapshot.definitions.fiscal_year_start
    quarter = period_start(last, "quarter", fiscal)
    first = as_date(since) if since is not None else quarter
    if not first <= last <= snapshot.as_of:
        raise TableError(
            f"since {first} until {last}: expected dates in order, to {snapshot.as_of}"
        )
    end = day_number(month_start(quarter, MONTHS["quarter"])) - 1
    return [((day_number(first), day_number(last)), (day_number(first), end))]


def flows(deals: pd.DataFrame, first: int, last: int, window: Days | None) -> pd.DataFrame:
    """Amount of each deal in every part of the waterfall, and whether it is in it at either end."""
    was, opened = deals["was"] == 1, deals["outcome"] == "open"
    closed = ~opened & (deals["closed_day"].le(last) | was)
    low, high = window or (-np.inf, np.inf)
    inside_0, inside_1 = deals["closes_0"].between(low, high), deals["closes_1"].between(low, high)
    if window is None:
        inside_0 = inside_1 = pd.Series(data=True, index=deals.index)
    begins, ends = was & inside_0, opened & inside_1
    here = ends | closed
    amount_0, amount_1 = deals["amount_0"].fillna(0.0), deals["amount_1"].fillna(0.0)
    enters, stays = here & ~begins, here & begins
    fresh = deals["created_day"] >= first
    revalued = _revalued(deals).where(stays, 0.0)
    change = (amount_1 - amount_0).where(stays, 0.0) - revalued
    parts = {
        "start": amount_0.where(begins, 0.0),
        "new": amount_1.where(enters & ~was & fresh, 0.0),
        "reopened": amount_1.where(enters & ~was & ~fresh, 0.0),
        "pulled_in": amount_1.where(enters & was, 0.0),
        "increased": change.clip(lower=0.0),
        "decreased": (-change).clip(lower=0.0),
        "revalued": revalued,
        "pushed_out": amount_0.where(begins & ~here, 0.0),
        "won": amount_1.where(closed & (deals["outcome"] == "won"), 0.0),
        "lost": amount_1.where(closed & (deals["outcome"] == "lost"), 0.0),
        "end": amount_1.where(ends, 0.0),
    }
    return deals.assign(**parts, x=ends.astype("int64"), n=begins.astype("int64"))


def _revalued(deals: pd.DataFrame) -> pd.Series:
    """Change of an amount that the exchange rate alone made."""
    before, after = deals["original_0"], deals["original_1"]
    known = deals["given"].isna() & (before > 0) & (after > 0)
    rates = deals["amount_1"] / after.where(known) - deals["amount_0"] / before.where(known)
    return (before * rates).where(known, 0.0).fillna(0.0)


_NONE = pd.DataFrame({name: pd.Series(dtype="float64") for name in [*FLOWS, "x", "n"]})


def _sums(moved: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    wanted = [*FLOWS, "x", "n"]
    if not columns:
        return moved[wanted].sum().to_frame().T
    if moved.empty:
        return pd.DataFrame(columns=[*columns, *wanted])
    return moved.groupby(columns, dropna=False, as_index=False)[wanted].sum()


def _checked(result: pd.DataFrame) -> pd.DataFrame:
    """Round off the noise of floats, and make sure that the parts add up."""
    typed = result.astype(dict.fromkeys(FLOWS, "float64") | {"x": "int64", "n": "int64"})
    came = typed[["start", *ENTER, "increased", "revalued"]].sum(axis=1)
    gap = came - typed[["decreased", *LEAVE, "end"]].sum(axis=1)
    if (gap.abs() > 1e-6 * (1 + came.abs())).any():
        raise ArithmeticError(f"the pipeline's changes do not add up: off by {gap.abs().max()}")
    typed[FLOWS] = typed[FLOWS].round(9) + 0.0  # no -0
    return typed


ENTRIES = (
    Entry(
        pipeline_changes,
        question="What changed our pipeline?",
        formula="start + new + reopened + pulled in + increased - decreased + revalued - pushed out "
        "- won - lost = end",
        unit="reporting currency",
        basis="the two ends of the period, as known then",
        interval="none: exact sums of records",
        options="since, until, or every; closing='any' or (first, last day); deal_type=None: all business",
        needs="deals, history",
        benchmark="none: a bridge has no target",
        source="Salesforce help, Pipeline Inspection; Clari, Flow",
        caveats="Compares two ends: a deal that left and came back in between has not moved.",
        also=("pipeline waterfall", "pipeline movement", "pull-ins", "push-outs", "pipeline flow"),
    ),
)
