"""The twelve numbers a sales leader looks at first, each with its limits, trend and benchmark."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature

import numpy as np
import pandas as pd

from kpi.acquisition.cost import cac
from kpi.acquisition.lately import acquisition_lately
from kpi.catalogue import entry_of
from kpi.deals.days import cycle_days
from kpi.deals.flow import deals_created
from kpi.deals.lately import deals_lately
from kpi.deals.sales_velocity import sales_velocity
from kpi.deals.size import average_deal_size
from kpi.deals.value import value_won
from kpi.deals.win_rate import win_rate
from kpi.lately import Asked, Periods, Row, Shown, records
from kpi.leads.conversion import lead_conversion
from kpi.leads.flow import leads_created
from kpi.leads.lately import leads_lately, ripe_age
from kpi.periods import Every, check_every, from_day
from kpi.pipeline.stock import open_pipeline
from kpi.recurring.customers import customer_churn
from kpi.recurring.lately import recurring_lately
from kpi.recurring.run_rate import mrr
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.stats.poisson import poisson
from kpi.tables import MissingTableError

COUNTED = ("count", "reporting currency")
COLUMNS = [
    *("name", "question", "period", "value", "low", "high", "x", "n", "unit"),
    *("before", "trend", "better", "benchmark", "note", "n_before"),
]


@dataclass(frozen=True)
class Line:
    """One line of the board: a KPI, and which of its numbers stands there.

    ``stand``: the number without periods (a stock, a trailing window) is the value, those by period
    tell the trend; ``trailing``: and are of another length, so that none of them stands beside it.
    ``ripe``: cohorts are read at one age, and only those that all reached it.
    """

    kpi: Callable[..., pd.DataFrame]
    stand: bool = False
    trailing: bool = False
    ripe: bool = False
    periods: bool = True


CORE = (
    Line(leads_created),
    Line(lead_conversion, ripe=True),
    Line(deals_created),
    Line(win_rate),
    Line(cycle_days),
    Line(average_deal_size),
    Line(value_won),
    Line(sales_velocity, stand=True, periods=False),
    Line(open_pipeline, stand=True, periods=False),
    Line(mrr, stand=True),
    Line(customer_churn, stand=True, trailing=True),
    Line(cac, stand=True, trailing=True),
)

LATELY: tuple[Callable[[Asked], dict[str, Shown]], ...] = (
    leads_lately,
    deals_lately,
    recurring_lately,
    acquisition_lately,
)
"""What the lines share, reckoned once; a line that none of them tells is asked of its KPI."""


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
    What several lines need of a table is reduced once for all of them (`kpi.lately`), and each number
    then reckoned by its KPI's own rule. Where a period holds no record, the KPI is asked for all
    periods: it takes what came before to tell a 0 from nothing known.

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
    asked = Asked(snapshot, every, deal_type, level)
    lately: dict[str, Shown] = {}
    for reckon in LATELY:
        lately |= reckon(asked)
    rows = [_row(asked, line, lately.get(line.kpi.__name__)) for line in CORE]
    table = pd.DataFrame(rows, columns=COLUMNS)
    numbers = dict.fromkeys(["value", "low", "high", "before", "n_before"], "float64")
    texts = dict.fromkeys(
        ["name", "question", "unit", "trend", "better", "benchmark", "note"], "str"
    )
    counts = dict.fromkeys(["x", "n"], "int64")
    return table.astype(numbers | texts | counts | {"period": "datetime64[us]"})


def _row(asked: Asked, line: Line, lately: Shown | None) -> dict[str, object]:
    entry = entry_of(line.kpi.__name__)
    told = {
        name: getattr(entry, name) for name in ("name", "question", "unit", "benchmark", "better")
    }
    nothing = dict.fromkeys(["value", "low", "high", "before", "n_before"], np.nan)
    row: dict[str, object] = nothing | told | {"x": 0, "n": 0, "trend": "", "period": None}
    try:
        shown = lately if lately is not None and lately.told else _by_kpi(asked, line)
    except MissingTableError as error:
        return row | {"note": f"not enough data: {error}"}
    number = shown.stands if line.stand else shown.now
    if number is None:
        return row | {"note": f"not enough data: no whole {asked.every} yet"}
    row |= {name: number[name] for name in ("value", "low", "high", "x", "n", "note")}
    if not line.stand:
        row["period"] = pd.Timestamp(from_day(_periods(asked, line).now))
    if shown.now is not None and shown.before is not None:
        row["trend"] = _trend(shown.now, shown.before, entry.unit, asked.level)
        if not line.trailing:
            row |= {"before": shown.before["value"], "n_before": shown.before["n"]}
    return row


def _periods(asked: Asked, line: Line) -> Periods:
    """Return the last two whole periods (of which every cohort is ripe)."""
    return asked.periods(ripe_age(asked) if line.ripe else 0)


def _by_kpi(asked: Asked, line: Line) -> Shown:
    """Ask the KPI itself: for all periods, and without them."""
    options: dict[str, object] = {"level": asked.level}
    if "deal_type" in signature(line.kpi).parameters:
        options["deal_type"] = asked.deal_type
    if line.ripe:
        options["horizon_days"] = ripe_age(asked)
    stands = line.kpi(asked.snapshot, **options) if line.stand else None
    shown = Shown(None if stands is None else records(stands)[-1])
    if not line.periods:
        return shown
    found = line.kpi(asked.snapshot, every=asked.every, **options)
    rows = dict(zip(found["period"], records(found), strict=True))
    before, now, _ = (pd.Timestamp(from_day(day)) for day in _periods(asked, line))
    return shown._replace(now=rows.get(now), before=rows.get(before))


def _trend(now: Row, before: Row, unit: str, level: float) -> str:
    """Say up, down or level; nothing where one of the two is missing."""
    if np.isnan(now["value"]) or np.isnan(before["value"]):
        return ""
    (low, high), (low_then, high_then) = (_limits(row, unit, level) for row in (now, before))
    apart = not low <= before["value"] <= high and not low_then <= now["value"] <= high_then
    if not apart:
        return "level"
    return "up" if now["value"] > before["value"] else "down"


def _limits(row: Row, unit: str, level: float) -> tuple[float, float]:
    """Limits of a number, for comparing; a count, or a sum over a count, has those of a Poisson count."""
    if not (np.isnan(row["low"]) or np.isnan(row["high"])):
        return float(row["low"]), float(row["high"])
    if unit not in COUNTED or not row["x"]:
        return float(row["value"]), float(row["value"])
    low, high = poisson(row["x"], level)
    each = row["value"] / row["x"]
    return float(low * each), float(high * each)
