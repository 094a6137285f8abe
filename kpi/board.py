"""The twelve numbers a sales leader looks at first, each with its limits, trend and benchmark."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from inspect import signature

import numpy as np
import pandas as pd

from kpi.acquisition.cost import cac
from kpi.catalogue import entry_of
from kpi.deals.days import cycle_days
from kpi.deals.flow import deals_created
from kpi.deals.sales_velocity import sales_velocity
from kpi.deals.size import average_deal_size
from kpi.deals.value import value_won
from kpi.deals.win_rate import win_rate
from kpi.leads.conversion import lead_conversion
from kpi.leads.flow import leads_created
from kpi.periods import MONTHS, Every, check_every, month_start, period_start
from kpi.pipeline.stock import open_pipeline, open_value
from kpi.recurring.customers import customer_churn
from kpi.recurring.run_rate import mrr
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.stats.poisson import poisson
from kpi.tables import MissingTableError

RIPE_DAYS = 90
"""Age at which cohorts of leads are compared where the definitions name none."""
COUNTED = ("count", "reporting currency")
COLUMNS = [
    *("name", "question", "period", "value", "low", "high", "x", "n", "unit"),
    *("before", "trend", "better", "benchmark", "note"),
]


@dataclass(frozen=True)
class Line:
    """One line of the board: a KPI, and which of its numbers stands there.

    ``stand``: the number without periods (a stock, a trailing window) is the value, those by period
    tell the trend; ``trailing``: and are of another length, so that none of them stands beside it.
    ``ripe``: cohorts are read at one age, and only those that all reached it. ``alone``: gives the
    same number where the KPI works out much besides.
    """

    kpi: Callable[..., pd.DataFrame]
    stand: bool = False
    trailing: bool = False
    ripe: bool = False
    periods: bool = True
    alone: Callable[..., pd.DataFrame] | None = None


CORE = (
    Line(leads_created),
    Line(lead_conversion, ripe=True),
    Line(deals_created),
    Line(win_rate),
    Line(cycle_days),
    Line(average_deal_size),
    Line(value_won),
    Line(sales_velocity, stand=True, periods=False),
    Line(open_pipeline, stand=True, periods=False, alone=open_value),
    Line(mrr, stand=True),
    Line(customer_churn, stand=True, trailing=True),
    Line(cac, stand=True, trailing=True),
)


def board(
    snapshot: Snapshot,
    *,
    every: Every = "quarter",
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the core twelve KPIs, one row each: value, limits, n, trend, benchmark and note.

    A number of a period is that of the last whole one; stocks and trailing windows are as of the
    snapshot's date. Every other KPI of `kpi.catalogue` is there on demand.

    Parameters
    ----------
    snapshot : Snapshot
        What a KPI needs and the data lacks is said in its row's ``note``.
    every : {"month", "quarter", "year"}
        Length of the periods, of the fiscal calendar.
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business counted in the KPIs of deals; None counts all.
    level : float
        Share of the intervals.

    Returns
    -------
    DataFrame, twelve rows
        ``name``, ``question``, ``period`` (first day of the period; missing where the number is of
        the as-of date or a trailing window), ``value, low, high, x, n`` as the KPI gives them,
        ``unit``, ``before`` (the number of the period before the last whole one; missing beside a
        trailing window), ``trend`` of the last whole period against it: ``up``, ``down``, ``level``
        (no difference that chance would not make) or missing; ``better``: which way is good;
        ``benchmark`` (a rule of thumb, not your own figure) and ``note``.

    Raises
    ------
    TableError
        If a period or deal type is unknown.

    Notes
    -----
    Up and down are said where each of the two values lies outside the other's interval; for this a
    count of records has the exact limits of a Poisson count, and a sum over records those of their
    number. Stocks, such as MRR, are exact: they go up or down as they do. Cohorts of leads are
    compared at the definitions' ``horizon_days``, else at 90 days of age, and only those of which
    every lead has reached it.

    Examples
    --------
    >>> deals = pd.DataFrame({
    ...     "deal_id": list("abcd"), "outcome": ["won", "lost", "won", "open"], "amount": 500,
    ...     "created_at": "2026-01-02",
    ...     "close_date": ["2026-02-09", "2026-03-20", "2026-06-02", None]})
    >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-07-15")
    >>> table = board(snapshot).set_index("name")
    >>> table.loc[["win_rate"], ["value", "before", "trend"]].to_dict("records")
    [{'value': 1.0, 'before': 0.5, 'trend': 'level'}]
    >>> table.loc["mrr", "note"]
    "not enough data: mrr needs the table(s) ['subscriptions']; the data has ['deals']"
    """
    check_every(every)
    check_level(level)
    rows = [_row(snapshot, line, every, deal_type, level) for line in CORE]
    table = pd.DataFrame(rows, columns=COLUMNS)
    numbers = dict.fromkeys(["value", "low", "high", "before"], "float64")
    texts = dict.fromkeys(
        ["name", "question", "unit", "trend", "better", "benchmark", "note"], "str"
    )
    counts = dict.fromkeys(["x", "n"], "int64")
    return table.astype(numbers | texts | counts | {"period": "datetime64[us]"})


def _row(
    snapshot: Snapshot, line: Line, every: Every, deal_type: str | None, level: float
) -> dict[str, object]:
    entry = entry_of(line.kpi.__name__)
    told = {
        name: getattr(entry, name) for name in ("name", "question", "unit", "benchmark", "better")
    }
    nothing = dict.fromkeys(["value", "low", "high", "before"], np.nan)
    row: dict[str, object] = nothing | told | {"x": 0, "n": 0, "trend": "", "period": None}
    options: dict[str, object] = {"level": level}
    if "deal_type" in signature(entry.kpi).parameters:
        options["deal_type"] = deal_type
    if line.ripe:
        options["horizon_days"] = snapshot.definitions.horizon_days or RIPE_DAYS
    standing = line.alone or line.kpi
    try:
        now, before = _last_two(snapshot, line, every, options) if line.periods else (None, None)
        stands = standing(snapshot, **options).iloc[-1] if line.stand else None
    except MissingTableError as error:
        return row | {"note": f"not enough data: {error}"}
    shown = now if stands is None else stands
    if shown is None:
        return row | {"note": f"not enough data: no whole {every} yet"}
    row |= {name: shown[name] for name in ("value", "low", "high", "x", "n", "note")}
    if stands is None:
        row["period"] = shown["period"]
    if now is not None and before is not None:
        row["trend"] = _trend(now, before, entry.unit, level)
        row["before"] = np.nan if line.trailing else before["value"]
    return row


def _ended(snapshot: Snapshot, every: Every, *, ripe: bool) -> date:
    """First day after the last whole period (of which every cohort is ripe)."""
    settings = snapshot.definitions
    age = settings.horizon_days or RIPE_DAYS if ripe else 0
    ended = snapshot.as_of + timedelta(days=1 - age)
    return period_start(ended, every, settings.fiscal_year_start)


def _last_two(
    snapshot: Snapshot, line: Line, every: Every, options: dict[str, object]
) -> "tuple[pd.Series | None, pd.Series | None]":
    """Return the rows of the last whole period (of which every cohort is ripe) and the one before.

    Only these are reckoned, where both hold records; else it takes what came before to tell a 0
    from nothing known.
    """
    after = _ended(snapshot, every, ripe=line.ripe)
    firsts = [month_start(after, -back * MONTHS[every]) for back in (1, 2)]
    for asked in (replace(snapshot, since=firsts[1]), snapshot):
        found = line.kpi(asked, every=every, **options)
        rows = [found[found["period"] == pd.Timestamp(first)] for first in firsts]
        if all(len(row) and row["n"].iloc[0] for row in rows):
            break
    now, before = (row.iloc[0] if len(row) else None for row in rows)
    return now, before


def _trend(now: pd.Series, before: pd.Series, unit: str, level: float) -> str:
    """Say up, down or level; nothing where one of the two is missing."""
    if np.isnan(now["value"]) or np.isnan(before["value"]):
        return ""
    (low, high), (low_then, high_then) = (_limits(row, unit, level) for row in (now, before))
    apart = not low <= before["value"] <= high and not low_then <= now["value"] <= high_then
    if not apart:
        return "level"
    return "up" if now["value"] > before["value"] else "down"


def _limits(row: pd.Series, unit: str, level: float) -> tuple[float, float]:
    """Limits of a number, for comparing; a count, or a sum over a count, has those of a Poisson count."""
    if not (np.isnan(row["low"]) or np.isnan(row["high"])):
        return float(row["low"]), float(row["high"])
    if unit not in COUNTED or not row["x"]:
        return float(row["value"]), float(row["value"])
    low, high = poisson(row["x"], level)
    each = row["value"] / row["x"]
    return float(low * each), float(high * each)
