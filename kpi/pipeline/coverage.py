"""Pipeline coverage: whether enough is in the pipeline for what is still missing to the quota."""

from collections.abc import Sequence
from typing import NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.acquisition.spend import first_day
from kpi.deals.money import one, totals
from kpi.deals.win_rate import of_type
from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import MONTHS, Every, day_number, from_day, month_start, period_start
from kpi.pipeline.open_deals import open_deals
from kpi.pipeline.two_ends import Days, whole_periods
from kpi.quota.lines import monthly_quotas
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError

CUT_BY = ("owner_id", "deal_type", "product")
LEARNT = 4  # periods that win rate and create-and-close share are learnt from
MONEY = ["open_value", "quota", "won", "to_go"]


class Basis(NamedTuple):
    """What does not change from period to period."""

    groups: Groups
    quotas: pd.DataFrame
    deal_type: str | None
    win_rate: float | None
    create_and_close: float | None


def coverage(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    win_rate: float | None = None,
    create_and_close: float | None = None,
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Open pipeline expected to close in a period over what is still missing to its quota.

    The running period is measured at the as-of date, against quota less what is won so far; a past
    one as it was when it began; one yet to come at the as-of date. The coverage needed is not the
    inverse of the win rate: part of what a period wins is created within it.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables deals and quotas; history tells what was expected when.
    by : str or list of str, optional
        ``"owner"``, ``"product"`` or ``"deal_type"``.
    every : {"month", "quarter", "year"}, optional
        Every period with a quota, those to come included. Without it, the fiscal quarter that
        holds the as-of date (said in ``note``).
    win_rate : float, optional
        Share of the pipeline that wins, for ``target``; default that of the four periods before.
    create_and_close : float, optional
        Share of the value won that is created in the period in which it is won; default that of
        the four periods before.
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business counted, against quotas for it (of a seller and month without one: the
        quota for all business); None counts all.
    level : float
        Not used: records and quotas have no interval.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (a ratio; 3 is three times what is missing),
        ``low, high`` (missing), ``x`` (open deals counted, with an amount), ``n`` (monthly quotas),
        ``note``, then ``open_value, quota, won, to_go`` (reporting currency; ``to_go`` = quota -
        won), ``target`` (coverage that history asks for, of the whole company; missing without a
        win, or where the data begins within the four periods) and ``measured`` (the day).
        ``value`` is missing where there is no quota, or it is reached.

    Raises
    ------
    TableError
        If deals or quotas are missing, a share is out of range, or a column, period or deal type
        is unknown.

    Notes
    -----
    ``target = (1 - create_and_close) / win_rate``: 20 % and 30 % ask for 3.5. Win rate by count,
    won / (won + lost). Three times in week 3 is a convention, not a law. Each past period rewinds
    the whole data once.

    References
    ----------
    .. [1] Kellogg D, "Target pipeline coverage is not the inverse of win rate", Kellblog, 9 June
       2024.

    Examples
    --------
    >>> deals = pd.DataFrame({
    ...     "deal_id": ["a", "b"], "outcome": ["won", "open"], "amount": [40, 180],
    ...     "created_at": "2026-01-05", "close_date": ["2026-02-10", "2026-03-20"]})
    >>> quotas = pd.DataFrame({
    ...     "owner_id": "ann", "period": "quarter", "period_start": ["2026-01-01"], "amount": [100]})
    >>> snapshot = Snapshot.from_frames({"deals": deals, "quotas": quotas}, as_of="2026-02-28")
    >>> coverage(snapshot)[["value", "open_value", "to_go"]].to_dict("records")
    [{'value': 3.0, 'open_value': 180.0, 'to_go': 60.0}]
    """
    snapshot.need("deals", "quotas", of="coverage")
    check_level(level)
    for name, share in (("win_rate", win_rate), ("create_and_close", create_and_close)):
        if share is not None and not 0 <= share <= 1:
            raise TableError(f"{name} = {share}; expected a share, 0 to 1")
    groups = Groups(snapshot, "quotas", by, every)
    for name, column in zip(groups.by, groups.columns, strict=True):
        if column not in CUT_BY:
            raise TableError(f"by={name!r}: coverage is cut by columns of quotas {list(CUT_BY)}")
    quotas = _quotas(snapshot, groups.columns, deal_type)
    basis = Basis(groups, quotas, deal_type, win_rate, create_and_close)
    parts = [_of_period(basis, *span) for span in _spans(basis)]
    found = pd.concat(parts, ignore_index=True) if parts else _empty(groups)
    whole = dict.fromkeys(["x", "n"], "int64") | dict.fromkeys(MONEY, "float64")
    return groups.finish(
        found.astype(whole).round(dict.fromkeys(MONEY, 6)), [*MONEY, "target", "measured"]
    )


def _empty(groups: Groups) -> pd.DataFrame:
    columns = [*groups.keys, "value", "low", "high", "x", "n", "note", *MONEY, "target", "measured"]
    return pd.DataFrame(columns=columns).astype({"measured": "datetime64[us]", "target": "float64"})


def _quotas(snapshot: Snapshot, columns: Sequence[str], deal_type: str | None) -> pd.DataFrame:
    """Monthly quotas for the kind of business, with the first day of their month."""
    cut = [c for c in columns if c != "owner_id"]
    if deal_type is None:
        quotas = monthly_quotas(snapshot, cut, ramp=False)
    else:
        quotas = monthly_quotas(snapshot, [*cut, "deal_type"], ramp=False)
        own, every = quotas["deal_type"] == deal_type, quotas["deal_type"].isna()
        month = pd.MultiIndex.from_frame(quotas[["owner_id", "month"]])
        has = month.isin(month[own])
        quotas = quotas[own | (every & ~has)]
        quotas = quotas.assign(deal_type=deal_type)
    quotas = quotas.reset_index(drop=True)
    return quotas.assign(day=pd.Series([first_day(m) for m in quotas["month"]], dtype="int64"))


def _spans(basis: Basis) -> list[Days]:
    """First and last day of the periods with a quota; without `every`, of the running quarter."""
    snapshot, every = basis.groups.snapshot, basis.groups.every
    fiscal = snapshot.definitions.fiscal_year_start
    if every is None:
        begins = {period_start(snapshot.as_of, "quarter", fiscal)}
    else:
        begins = {period_start(from_day(day), every, fiscal) for day in basis.quotas["day"]}
        begins = {day for day in begins if snapshot.since is None or day >= snapshot.since}
    length = MONTHS[every or "quarter"]
    return [
        (day_number(start), day_number(month_start(start, length)) - 1) for start in sorted(begins)
    ]


def _of_period(basis: Basis, first: int, last: int) -> pd.DataFrame:
    """Coverage of one period, measured when it began or, if it is not over, at the as-of date."""
    snapshot, keys = basis.groups.snapshot, basis.groups.columns
    day = snapshot.as_of_day if last >= snapshot.as_of_day else first - 1
    then = snapshot if day == snapshot.as_of_day else snapshot.at(from_day(day))
    deals = open_deals(then, keys, basis.deal_type)
    due = deals[deals["closes_day"].between(first, last) & deals["amount"].notna()]
    quotas = basis.quotas[basis.quotas["day"].between(first, last)]
    won = of_type(then, basis.deal_type).filter(
        nw.col("outcome") == "won", nw.col("closed_day") >= first, nw.col("closed_day") <= last
    )
    sums = totals(won, keys, won=nw.col("amount"))
    found = _side_by_side(keys, due, quotas, sums)
    to_go = found["quota"] - found["won"]
    enough = (found["n"] > 0) & (to_go > 1e-9)
    result = found.assign(
        value=(found["open_value"] / to_go.where(enough)).astype("float64"),
        low=np.nan,
        high=np.nan,
        to_go=to_go,
        target=_target(basis, then, first),
        measured=pd.Timestamp(from_day(day)).as_unit("us"),
        period=first,
        note=_notes(basis.groups, found["n"], to_go, first, day),
    )
    return result if basis.groups.every else result.drop(columns="period")


def _side_by_side(
    keys: list[str], due: pd.DataFrame, quotas: pd.DataFrame, won: pd.DataFrame
) -> pd.DataFrame:
    """Open pipeline, quota and wins of each group that has a quota."""
    if not keys:
        row = {"open_value": due["amount"].sum(), "x": len(due), "n": len(quotas)}
        return pd.DataFrame([row | {"quota": quotas["quota"].sum(), "won": won["won"].sum()}])
    asked = quotas.groupby(keys, dropna=False, as_index=False).agg(
        quota=("quota", "sum"), n=("quota", "size")
    )
    open_value = due.groupby(keys, dropna=False, as_index=False).agg(
        open_value=("amount", "sum"), x=("amount", "size")
    )
    found = asked.merge(open_value, on=keys, how="left").merge(won, on=keys, how="left")
    return found.fillna({"open_value": 0.0, "x": 0, "won": 0.0})


def _target(basis: Basis, then: Snapshot, first: int) -> float:
    """Coverage that history asks for: (1 - create-and-close share) / win rate."""
    every: Every = basis.groups.every or "quarter"
    groups = Groups(then, "deals", None, every)
    begins = whole_periods(then, every, LEARNT)
    starts = collect(then.deals.lazy().select(nw.col("created_day").min()))["created_day"].iloc[0]
    learnt = starts < begins[1][0]  # else what is won early looks as if it were created late
    closed = of_type(then, basis.deal_type).filter(
        nw.col("outcome") != "open",
        nw.col("closed_day") >= begins[0][0],
        nw.col("closed_day") <= min(begins[-1][1], first - 1),
    )
    won, amount = nw.col("outcome") == "won", nw.col("amount")
    fresh = won & (nw.col("created_day") >= nw.col("period"))
    sums = totals(
        groups.add_period(closed, "closed_day"),
        [],
        wins=one(won),
        ended=one(nw.col("outcome") != "open"),
        value=nw.when(won).then(amount),
        quick=nw.when(fresh).then(amount),
    ).iloc[0]
    rate, quick = basis.win_rate, basis.create_and_close
    if rate is None:
        rate = sums["wins"] / sums["ended"] if sums["ended"] and learnt else 0.0
    if quick is None:
        quick = sums["quick"] / sums["value"] if sums["value"] and learnt else np.nan
    return float((1 - quick) / rate) if rate > 0 else float("nan")


def _notes(groups: Groups, n: pd.Series, to_go: pd.Series, first: int, day: int) -> list[str]:
    """Say why there is no ratio, and when the period was looked at."""
    quarter = "" if groups.every else f"the quarter from {from_day(first)}"
    when = "to date" if groups.every and first <= day else ""
    found = []
    for count, missing in zip(n, to_go, strict=True):
        reached = "no_denominator: the quota is reached" if missing <= 1e-9 else ""
        why = reached if count else "no_denominator: no quota for the period"
        found.append(joined(why, quarter, when))
    return found


ENTRIES = (
    Entry(
        coverage,
        question="Is there enough pipeline to reach the quota?",
        formula="open pipeline expected to close in the period / (quota - won so far)",
        unit="ratio",
        basis="due in the period; past periods as they stood when they began",
        interval="none: records and quotas, nothing is estimated",
        options="by='owner'; win_rate, create_and_close: shares for the target; deal_type=None",
        needs="deals, quotas (history: expected closing days of the past)",
        benchmark="3 times the quota in week 3 of a quarter (a convention; not your own figure)",
        source="Kellogg, Kellblog 2024-06-09; sellingsherpa, pipeline coverage",
        caveats="The coverage needed is column target, not the inverse of the win rate.",
        also=("pipeline coverage", "to-go coverage", "coverage ratio", "target coverage"),
        better="higher",
    ),
)
