"""How fast qualified leads grow."""

from collections.abc import Sequence
from typing import Literal

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from kpi.entry import Entry
from kpi.leads.flow import QUALIFIED, entered, one, running
from kpi.periods import Every, day_number, month_start
from kpi.result import FEW, Groups, count_by, joined
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError

Floats = NDArray[np.float64]


def lead_velocity_rate(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    what: Literal["lead", "mql", "sql"] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Growth of qualified leads from one month to the next (LVR).

    Only whole months are compared: the month still running has a row of its own, with its count so
    far and no value.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table leads.
    by : str or list of str, optional
        Columns of leads.
    every : {"month", "quarter", "year"}, optional
        One row a period, each against the one before. Default: the last whole month alone.
    what : {"lead", "mql", "sql"}, optional
        Which leads grow. Default: ``mql`` where ``[count.mql]`` is set, else all leads; the note
        says which.
    level : float
        Share of the intervals.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (0.15: 15 % more; -1 or more), ``low, high``,
        ``x`` (leads of the period), ``n`` (leads of the one before), ``note``. ``value`` is missing
        where there were none before.

    Raises
    ------
    TableError
        If leads are missing, a column, period or kind is unknown, or ``[count.mql]`` is asked for
        and not set.

    Notes
    -----
    ``(x - n) / n``. Limits: given ``x + n``, the count x of two Poisson counts is binomial, so exact
    (Clopper-Pearson) limits p of its share give the growth ``p / (1 - p) - 1``. A first month that
    the data holds only in part makes the second look like growth.

    References
    ----------
    .. [1] Przyborowski J, Wilenski H (1940), Biometrika 31:313-323 (ratio of two Poisson counts).
    .. [2] winsabove.com, glossary, "Lead velocity rate".

    Examples
    --------
    >>> days = ["2026-01-05"] * 40 + ["2026-02-05"] * 46
    >>> leads = pd.DataFrame({"lead_id": [str(i) for i in range(86)], "created_at": days})
    >>> snapshot = Snapshot.from_frames({"leads": leads}, as_of="2026-02-28")
    >>> lead_velocity_rate(snapshot)[["value", "x", "n"]].round(3).to_dict("records")
    [{'value': 0.15, 'x': 46, 'n': 40}]
    """
    snapshot.need("leads", of="lead_velocity_rate")
    check_level(level)
    groups = Groups(snapshot, "leads", by, every)
    cut = Groups(snapshot, "leads", by, every or "month")
    leads, said = _velocity_of(snapshot, what)
    dated = cut.add_period(leads, "entered_day")
    counted = count_by(dated, cut.keys, x=one(nw.col("lead_id")))
    table = cut.complete(counted, x=0).sort_values(cut.keys, ignore_index=True)
    groupby = table.groupby(cut.columns, dropna=False)["x"] if cut.columns else table["x"]
    table["n"] = groupby.shift(1)
    table = table.fillna({"n": 0}).astype({"x": "int64", "n": "int64", "period": "int64"})
    now = running(snapshot, every or "month")
    if every is None:
        table = _last_whole(snapshot, cut, table, now)
    table = _growth(table, level, table["period"] == (-1 if now is None else now))
    table["note"] = [joined(note, said) for note in table["note"]]
    return groups.finish(table)


def _velocity_of(snapshot: Snapshot, what: str | None) -> tuple[nw.LazyFrame, str]:
    """Leads whose growth is asked for, and the words that say which they are."""
    if what is None:
        if "mql" in snapshot.definitions.count:
            return entered(snapshot, "mql"), "of mqls"
        return entered(snapshot, "lead"), "of all leads: set [count.mql] for qualified ones"
    if what not in ("lead", *QUALIFIED):
        raise TableError(f"what={what!r}; expected one of {('lead', *QUALIFIED)} or None")
    return entered(snapshot, what), f"of {what}s"


def _last_whole(
    snapshot: Snapshot, cut: Groups, table: pd.DataFrame, now: int | None
) -> pd.DataFrame:
    """One row a group: the last month that has ended, none where no lead is dated."""
    months = 0 if now is None else -1
    last = day_number(month_start(snapshot.as_of, months))
    if table.empty or not (table["period"] == last).any():
        seen = table[cut.columns].drop_duplicates() if cut.columns else pd.DataFrame(index=[0])
        return seen.assign(period=last, x=0, n=0)
    return table[table["period"] == last].reset_index(drop=True)


def _growth(table: pd.DataFrame, level: float, unfinished: "pd.Series[bool]") -> pd.DataFrame:
    """Add ``value, low, high, note`` to counts of a period and of the one before."""
    x, n = table["x"].to_numpy(dtype="float64"), table["n"].to_numpy(dtype="float64")
    low, high = growth_limits(x, n, level)
    told = (n > 0) & ~unfinished.to_numpy(dtype="bool")
    value = np.divide(x, n, out=np.full(len(x), np.nan), where=told) - 1
    notes = []
    for now, before, running_now in zip(table["x"], table["n"], unfinished, strict=True):
        few = f"low_n: {now:,} after {before:,}" if min(now, before) < FEW else ""
        why = few if before else "no_denominator: none in the period before"
        notes.append("to date: not compared before it has ended" if running_now else why)
    limits = {"low": np.where(told, low, np.nan), "high": np.where(told, high, np.nan)}
    return table.assign(value=value, **limits, note=pd.array(notes, dtype="str"))


def growth_limits(x: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Exact limits of the growth from n to x, both Poisson counts, given their sum.

    >>> low, high = growth_limits([46], [40])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([-0.264], [0.803])
    """
    check_level(level)
    now, before = np.asarray(x, dtype="float64"), np.asarray(n, dtype="float64")
    tail = (1 - level) / 2
    least = np.where(now > 0, betaincinv(np.maximum(now, 1), before + 1, tail), 0.0)
    most = np.where(before > 0, betaincinv(now + 1, np.maximum(before, 1), 1 - tail), np.nan)
    return least / (1 - least) - 1, most / (1 - most) - 1


ENTRIES = (
    Entry(
        lead_velocity_rate,
        question="How fast do our qualified leads grow?",
        formula="(leads of the month - leads of the month before) / leads of the month before",
        unit="share",
        basis="leads first qualified in the period, against the period before",
        interval="exact, of the ratio of two Poisson counts given their sum",
        options="what='lead' or 'sql'; every='quarter': quarter over quarter",
        needs="leads (definitions: [count.mql])",
        benchmark="none",
        source="Moving Your KPI Levers Into Alignment, Channel Futures 2023; winsabove.com glossary",
        caveats="One rule of qualification throughout, or the rate measures the rule.",
        also=("LVR", "lead velocity", "lead growth", "month over month growth of leads"),
        better="higher",
    ),
)
