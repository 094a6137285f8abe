"""Cohort rates: what share of those who started got there, with those still open censored."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.periods import day_number
from kpi.result import joined, rate_note
from kpi.snapshot import Snapshot
from kpi.stats.intervals import jeffreys
from kpi.stats.survival import aalen_johansen, at_age, last_age, log_log_limits
from kpi.tables import TableError

AT_RISK = 10
OPEN_TAIL = 0.05


def durations(
    snapshot: Snapshot,
    frame: nw.LazyFrame,
    keys: Sequence[str],
    *,
    start: str,
    end: str,
    cause: str = "cause",
) -> pd.DataFrame:
    """Reduce records to counts by whole days under observation: what survival estimates need.

    Parameters
    ----------
    frame : LazyFrame
        ``start`` and ``end``: day numbers; ``cause``: 0 open (its end is the as-of date), 1, 2, ...;
        -1 where it cannot be told.

    Returns
    -------
    DataFrame
        The keys, ``duration``, ``entry`` (age at which the export's window opens), ``cause`` and
        ``n``. Records whose days are missing or run backward have cause -1.
    """
    window = day_number(snapshot.window_start) if snapshot.window_start else None
    ended = nw.when(nw.col(cause) == 0).then(nw.lit(snapshot.as_of_day)).otherwise(nw.col(end))
    days = nw.coalesce(ended - nw.col(start), nw.lit(-1))
    entry = nw.lit(0) if window is None else nw.lit(window) - nw.col(start)
    observed = frame.select(*keys, cause=nw.col(cause), duration=days, entry=entry)
    usable = (nw.col("duration") >= 0) & (nw.col("cause") >= 0)
    observed = observed.with_columns(
        cause=nw.when(usable).then(nw.col("cause")).otherwise(nw.lit(-1)),
        duration=nw.when(usable).then(nw.col("duration")).otherwise(nw.lit(0)),
        entry=nw.when(usable & (nw.col("entry") > 0)).then(nw.col("entry")).otherwise(nw.lit(0)),
    )
    parts = [*keys, "duration", "entry", "cause"]
    counted = collect(observed.group_by(*parts).agg(nw.len().alias("n")))
    return counted.astype(dict.fromkeys(("duration", "entry", "cause", "n"), "int64")).sort_values(
        parts, ignore_index=True
    )


def incidence(
    counted: pd.DataFrame, keys: Sequence[str], *, level: float, horizon_days: int | None
) -> pd.DataFrame:
    """Cumulative incidence of cause 1 by group: the keys, then ``value, low, high, x, n, note``.

    ``value`` is read at `horizon_days`, by default at the last age with ten still under
    observation; the note says which age, and between which ends the final share lies where more
    than 5 % are still open there.
    """
    if not keys:
        return pd.DataFrame([one_rate(counted, level=level, horizon_days=horizon_days)])
    rows = []
    for group, part in counted.groupby(list(keys), dropna=False, sort=True):
        rate = one_rate(part, level=level, horizon_days=horizon_days)
        rows.append(dict(zip(keys, group, strict=True)) | rate)
    return pd.DataFrame(rows, columns=[*keys, "value", "low", "high", "x", "n", "note"])


def horizon_of(snapshot: Snapshot, horizon_days: int | None) -> int | None:
    """Return the age at which cohort rates are read: as asked, else as the definitions say."""
    if horizon_days is None:
        return snapshot.definitions.horizon_days
    if horizon_days <= 0:
        raise TableError(f"horizon_days = {horizon_days}; expected a number of days above 0")
    return horizon_days


def one_rate(counted: pd.DataFrame, *, level: float, horizon_days: int | None) -> dict[str, object]:
    """Cumulative incidence of cause 1 for one group of counts."""
    unusable = int(counted.loc[counted["cause"] < 0, "n"].sum())
    usable = counted[counted["cause"] >= 0]
    seen, start = from_enough(usable[usable["entry"] <= usable["duration"]])
    unseen = int(usable["n"].sum() - seen["n"].sum())
    left_out = joined(
        f"{unusable:,} without usable dates left out" if unusable else "",
        f"{unseen:,} closed before the window left out" if unseen else "",
        f"from day {start} on: fewer than {AT_RISK} were followed before" if start else "",
    )
    n = int(seen["n"].sum())
    if n == 0:
        note = joined("no_denominator: nothing to follow", left_out)
        return {"value": None, "low": None, "high": None, "x": 0, "n": 0, "note": note}
    curve = aalen_johansen(seen["duration"], seen["cause"], seen["entry"], count=seen["n"])
    age, about = _age(curve, horizon_days)
    value, low, high, tail = _read(curve, age, level)
    final = f"final share between {value:.0%} and {value + tail:.0%}" if tail > OPEN_TAIL else ""
    x = int(seen.loc[(seen["cause"] == 1) & (seen["duration"] <= age), "n"].sum())
    note = joined(rate_note(n, low, high), about, final, left_out)
    return {"value": value, "low": low, "high": high, "x": x, "n": n, "note": note}


def _age(curve: pd.DataFrame, horizon_days: int | None) -> tuple[float, str]:
    last = float(curve.index[-1])
    if horizon_days is not None:
        beyond = f" (nobody followed past day {last:.0f})" if horizon_days > last else ""
        return float(horizon_days), f"by day {horizon_days}{beyond}"
    enough = last_age(curve, AT_RISK)
    if enough == enough:  # noqa: PLR0124 - not nan
        return enough, f"by day {enough:.0f}"
    return last, f"by day {last:.0f}, fewer than {AT_RISK} followed"


def _read(curve: pd.DataFrame, age: float, level: float) -> tuple[float, float, float, float]:
    """Incidence at an age, its limits, and the share still open there."""
    value = float(at_age(curve, "cif_1", age, before=0.0))
    variance = float(at_age(curve, "var_1", age, before=0.0))
    low, high = (float(limit[0]) for limit in log_log_limits([value], [variance], level))
    if low != low or variance == 0:  # noqa: PLR0124 - nan: the formula is silent at 0 and 1
        n = _firm(curve, age)
        low, high = (float(limit) for limit in jeffreys(round(value * n), n, level))
    return value, low, high, float(at_age(curve, "survival", age, before=1.0))


def _firm(curve: pd.DataFrame, age: float) -> float:
    """Return the smallest number at risk that an estimate of 0 or 1 rests on."""
    until = curve[curve.index <= age]
    events = until[until["cif_1"].diff().fillna(until["cif_1"]) > 0]
    return float((events if len(events) else until if len(until) else curve)["at_risk"].min())


def from_enough(seen: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Start the clock, under delayed entry, at the first age with ten under observation.

    Before it a single early event would fix the curve for all that follow. Returns the counts from
    that age on, and the age (0 where nothing had to be left out).
    """
    if not (seen["entry"] > 0).any():
        return seen, 0
    ages = np.unique(np.concatenate([seen["entry"], seen["duration"]]))
    entered = np.array([seen.loc[seen["entry"] <= age, "n"].sum() for age in ages])
    left = np.array([seen.loc[seen["duration"] < age, "n"].sum() for age in ages])
    enough = np.flatnonzero(entered - left >= AT_RISK)
    start = int(ages[enough[0]]) if len(enough) else 0
    early = (seen["cause"] > 0) & (seen["duration"] < start)
    if not early.any():
        return seen, 0
    later = seen[seen["duration"] >= start]
    return later.assign(entry=later["entry"].clip(lower=start)), start
