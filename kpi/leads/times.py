"""How long leads take: to become a deal, and to get a first response."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Literal

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kpi.cohorts import AT_RISK, durations, from_enough
from kpi.engine import collect
from kpi.entry import Entry
from kpi.leads.conversion import followed_leads
from kpi.periods import Every
from kpi.result import FEW, Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.stats.survival import aalen_johansen, at_age, kaplan_meier, median_time
from kpi.tables import TableError

Floats = NDArray[np.float64]
DRAWS = 400
SEED = 20261122
CELLS = 2_000_000  # resampled counts held at a time
MINUTES = 1440
COLUMNS = ["value", "low", "high", "x", "n", "note", "simple_median"]


def lead_cycle_days(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    to: Literal["deal", "response"] = "deal",
    level: float = 0.95,
) -> pd.DataFrame:
    """Days from a lead's creation until it becomes a deal: the median of those that do.

    Young leads have had time only for quick conversions, so the plain median of those converted so
    far is too short; here leads still worked are followed for as long as they have been known, and
    disqualified ones compete.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table leads; ``to="response"`` also history or meetings.
    by : str or list of str, optional
        Columns of leads.
    every : {"month", "quarter", "year"}, optional
        Period in which the lead was created.
    to : {"deal", "response"}
        ``response``: until somebody reacted, the lead response time. That is the first change of
        stage or status recorded after the creation, the first meeting booked or begun, or the
        conversion. Leads nobody has reacted to yet are followed on (Kaplan-Meier over all leads).
    level : float
        Share of the intervals.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (calendar days; of a response to the minute, so
        0.25 is six hours), ``low``, ``high``, ``x`` (leads converted, or answered), ``n`` (leads
        followed), ``note``, and ``simple_median``: days of those converted so far, for comparison.

    Raises
    ------
    TableError
        If leads are missing, or a column, period or ``to`` is unknown.

    Notes
    -----
    With F the cumulative incidence of converting (Aalen-Johansen) and tau the last age at which no
    single lead moves F by more than a tenth, ``value`` is the first day on which F reaches half of
    F(tau). Limits:
    percentiles of 400 resamples of the leads (seeded); missing where so few converted that not
    even their order could hold a median at `level`. Of a response: log-log limits of the
    Kaplan-Meier median. A change written by a machine counts as a response.

    References
    ----------
    .. [1] Aalen O, Johansen S (1978), Scand. J. Statist. 5:141-150.
    .. [2] Efron B (1981), J. Amer. Statist. Assoc. 76:312-319 (resampling censored data).

    Examples
    --------
    >>> leads = pd.DataFrame({"lead_id": list("abcde"), "created_at": "2026-01-01",
    ...     "converted_at": ["2026-01-11", "2026-01-31", "2026-02-10", None, None]})
    >>> snapshot = Snapshot.from_frames({"leads": leads}, as_of="2026-06-30")
    >>> lead_cycle_days(snapshot)[["value", "x", "n"]].to_dict("records")
    [{'value': 30.0, 'x': 3, 'n': 5}]
    """
    snapshot.need("leads", of="lead_cycle_days")
    check_level(level)
    groups = Groups(snapshot, "leads", by, every)
    if to == "deal":
        leads = followed_leads(snapshot, snapshot.leads.lazy())
        dated = groups.add_period(leads, "created_day")
        counted = durations(snapshot, dated, groups.keys, start="created_day", end="end")
        rows = [key | _conversion(part, level) for key, part in _parts(counted, groups.keys)]
    elif to == "response":
        why = _untold(snapshot)
        answered = _answered(snapshot, groups)
        rows = [key | _response(part, level, why) for key, part in _parts(answered, groups.keys)]
    else:
        raise TableError(f"to={to!r}; expected 'deal' or 'response'")
    empty = {"x": 0, "n": 0, "note": "no_denominator: no leads"}
    frame = pd.DataFrame(rows, columns=[*groups.keys, *COLUMNS])
    result = groups.complete(frame, **empty).astype({"x": "int64", "n": "int64"})
    return groups.finish(result.astype({"simple_median": "float64"}), ["simple_median"])


def _parts(
    counted: pd.DataFrame, keys: Sequence[str]
) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """Counts group by group; without groups, all at once."""
    if not keys:
        yield {}, counted
        return
    for group, part in counted.groupby(list(keys), dropna=False, sort=True):
        yield dict(zip(keys, group, strict=True)), part


def _row(
    value: float, limits: tuple[float, float], counts: tuple[int, int], note: str, simple: float
) -> dict[str, object]:
    return dict(zip(COLUMNS, (value, *limits, *counts, note, simple), strict=True))


def _conversion(counted: pd.DataFrame, level: float) -> dict[str, object]:
    """Median days to a deal of one group of counts by whole days."""
    usable = counted[counted["cause"] >= 0]
    seen, _ = from_enough(usable[usable["entry"] <= usable["duration"]])
    n = int(seen["n"].sum())
    unusable = int(counted["n"].sum()) - n
    left_out = (
        f"{unusable:,} without usable dates or before the window left out" if unusable else ""
    )
    nothing = (np.nan, np.nan)
    if n == 0:
        note = joined("no_denominator: no leads to follow", left_out)
        return _row(np.nan, nothing, (0, 0), note, np.nan)
    curve = aalen_johansen(seen["duration"], seen["cause"], seen["entry"], count=seen["n"])
    tau = _last_sure(curve)
    turned = seen[(seen["cause"] == 1) & (seen["duration"] <= tau)]
    x = int(turned["n"].sum())
    if x == 0:
        note = joined(f"not enough data: none has converted by day {tau:.0f}", left_out)
        return _row(np.nan, nothing, (0, n), note, np.nan)
    final = at_age(curve, "cif_1", tau, before=0.0)
    value = float(curve.index[int((curve["cif_1"] >= final / 2 - 1e-12).argmax())])
    few = f"low_n: {x:,} only" if x < FEW else ""
    note = joined(few, f"of those who convert by day {tau:.0f}", left_out)
    limits = _resampled(seen, tau, level) if 2 * 0.5**x <= 1 - level else nothing
    simple = float(np.median(np.repeat(turned["duration"], turned["n"])))
    limits = (min(limits[0], value), max(limits[1], value)) if limits != nothing else nothing
    return _row(value, limits, (x, n), note, simple)


def _last_sure(curve: pd.DataFrame) -> float:
    """Last age at which one event moves the curve by a tenth at most; without any, the last age."""
    before = np.concatenate([[1.0], curve["survival"].to_numpy()[:-1]])
    sure = curve.index[before / curve["at_risk"].to_numpy() <= 1 / AT_RISK + 1e-12]
    return float(sure[-1] if len(sure) else curve.index[-1])


def _resampled(seen: pd.DataFrame, tau: float, level: float) -> tuple[float, float]:
    """Limits of the median: percentiles over resamples of the leads."""
    seen = seen.sort_values("duration", kind="stable")
    time, starts = np.unique(seen["duration"].to_numpy(), return_index=True)
    entry = seen["entry"].to_numpy()
    came = np.searchsorted(time, entry, side="left") if (entry > 0).any() else None
    ended, own = (seen["cause"] > 0).to_numpy(), (seen["cause"] == 1).to_numpy()
    share = seen["n"].to_numpy() / seen["n"].sum()
    upto = int(np.searchsorted(time, tau, side="right"))
    rng = np.random.default_rng(SEED)
    found, left = [], DRAWS
    while left > 0:
        size = min(left, max(CELLS // len(seen), 1))
        left -= size
        drawn = rng.multinomial(int(seen["n"].sum()), share, size=size).astype("float64")
        leaving = np.add.reduceat(drawn, starts, axis=1)
        arrived = drawn.sum(axis=1, keepdims=True)
        if came is not None:
            arrived = np.cumsum(_totals(drawn, came, len(time)), axis=1)
        risk = np.maximum(arrived - np.cumsum(leaving, axis=1) + leaving, 1)
        stay = np.cumprod(1 - np.add.reduceat(drawn * ended, starts, axis=1) / risk, axis=1)
        before = np.hstack([np.ones((size, 1)), stay[:, :-1]])
        turning = np.add.reduceat(drawn * own, starts, axis=1)
        reached = np.cumsum(before * turning / risk, axis=1)[:, :upto]
        some = reached[:, -1:] > 0
        first = (reached >= reached[:, -1:] / 2 - 1e-12).argmax(axis=1)
        found.append(time[first[some[:, 0]]])
    low, high = np.quantile(np.concatenate(found), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _totals(drawn: Floats, place: NDArray[np.int64], size: int) -> Floats:
    """Sum the columns of each place, resample by resample."""
    order = np.argsort(place, kind="stable")
    sums = np.cumsum(drawn[:, order], axis=1)
    sums = np.hstack([np.zeros((len(drawn), 1)), sums])
    edges = np.searchsorted(place[order], np.arange(size + 1))
    return np.asarray(sums[:, edges[1:]] - sums[:, edges[:-1]])


def _untold(snapshot: Snapshot) -> str:
    """Why the time of a response cannot be told, or nothing."""
    if "lead" in snapshot.definitions.count:
        return "not enough data: [count.lead] dates leads to the day only"
    if not snapshot.present & {"history", "meetings"}:
        return "not enough data: neither history nor meetings say when somebody reacted"
    return ""


def _answered(snapshot: Snapshot, groups: Groups) -> pd.DataFrame:
    """Count leads by minutes until the first response: keys, ``minutes, entry, cause, n``."""
    cut = snapshot.definitions.midnight(snapshot.as_of + timedelta(days=1))
    recorded = ~nw.col("stage_id").is_null() | ~nw.col("status").is_null()
    changes = snapshot.history.lazy().filter(nw.col("object") == "lead", recorded)
    meetings = snapshot.meetings.lazy().filter(~nw.col("lead_id").is_null())
    leads = snapshot.leads.lazy()
    signs = nw.concat(
        [
            changes.select(who=nw.col("record_id"), at=nw.col("changed_s")),
            meetings.select(who=nw.col("lead_id"), at=nw.col("booked_s")),
            meetings.select(who=nw.col("lead_id"), at=nw.col("starts_s")),
            leads.select(who=nw.col("lead_id"), at=nw.col("converted_s")),
        ]
    ).filter(nw.col("at") < cut)
    born = leads.select("lead_id", "created_s")
    later = signs.join(born, left_on="who", right_on="lead_id").filter(
        nw.col("at") > nw.col("created_s")
    )
    first = later.group_by("who").agg(first=nw.col("at").min())
    dated = groups.add_period(leads, "created_day")
    dated = dated.join(first, left_on="lead_id", right_on="who", how="left")
    start = snapshot.window_start
    entry = nw.lit(0)
    if start is not None:
        early = nw.lit(snapshot.definitions.midnight(start)) - nw.col("created_s")
        entry = nw.when(early > 0).then(early // 60).otherwise(entry)
    minutes = (nw.coalesce("first", nw.lit(cut)) - nw.col("created_s")) // 60
    cause = nw.when(nw.col("first").is_null()).then(nw.lit(0)).otherwise(nw.lit(1))
    parts = [*groups.keys, "minutes", "entry", "cause"]
    told = dated.select(*groups.keys, minutes=minutes, entry=entry, cause=cause)
    counted = collect(told.group_by(*parts).agg(n=nw.len()))
    return counted.astype({"minutes": "float64", "entry": "float64", "n": "int64"})


def _response(counted: pd.DataFrame, level: float, why: str) -> dict[str, object]:
    """Median days until a response of one group of counts by minutes."""
    usable = counted[counted["minutes"].notna()]
    seen = usable[usable["entry"] <= usable["minutes"]]
    n = int(seen["n"].sum())
    if n == 0 or why:
        note = why or "no_denominator: no leads with a date"
        return _row(np.nan, (np.nan, np.nan), (0, n), note, np.nan)
    days = seen["minutes"] / MINUTES
    curve = kaplan_meier(days, seen["cause"], seen["entry"] / MINUTES, count=seen["n"])
    value, low, high = median_time(curve, level)
    done = seen["cause"] == 1
    x = int(seen.loc[done, "n"].sum())
    open_ = f"not enough data: fewer than half of {n:,} have had a response"
    few = f"low_n: {n:,} only" if n < FEW else ""
    unusable = int(counted["n"].sum()) - n
    note = joined(
        open_ if np.isnan(value) else few,
        f"{unusable:,} without usable dates or before the window left out" if unusable else "",
    )
    simple = float(np.median(np.repeat(days[done], seen.loc[done, "n"]))) if x else np.nan
    return _row(value, (low, high), (x, n), note, simple)


ENTRIES = (
    Entry(
        lead_cycle_days,
        question="How long does a lead take to become a deal?",
        formula="first day on which the cumulative incidence of converting reaches half of its final height",
        unit="calendar days",
        basis="cohort of leads created",
        interval="percentiles of 400 resamples of the leads, seeded; response: log-log limits of the median",
        options="to='response': median days until somebody first reacted",
        needs="leads (to='response': history or meetings)",
        benchmark="none",
        source="Moving Your KPI Levers Into Alignment, Channel Futures 2023; Aalen and Johansen 1978",
        caveats="It is about leads that convert; the share that does is lead_conversion.",
        also=("lead cycle time", "lead response time", "speed to lead", "time to first response"),
        better="lower",
    ),
)
