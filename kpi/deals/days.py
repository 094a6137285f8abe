"""How long deals take: days in a stage, and days from creation to close."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd
from scipy.stats import binom

from kpi.cohorts import durations
from kpi.deals.visits import first_visits
from kpi.deals.win_rate import of_type, only_type
from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every
from kpi.result import FEW, Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.stats.survival import first_reaching, kaplan_meier, median_time


def stage_days(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Days that deals spend in each stage on their first visit, one row per open stage.

    Deals still in the stage are followed for as long as they have been there (Kaplan-Meier on any
    exit: advance, move back, or loss); the mean of completed visits, which other tools show, is too
    short because long visits are the ones not yet completed.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables deals, stages and history.
    by : str or list of str, optional
        Columns of deals.
    every : {"month", "quarter", "year"}, optional
        Period in which the deal entered the stage.
    deal_type, level
        As in `kpi.win_rate`.

    Returns
    -------
    DataFrame
        ``value``: median days (missing, with the reason, while fewer than half have left).
        ``low, high``: its limits; ``high`` missing where no upper limit can be given.
        ``x``: visits completed; ``n``: visits followed; ``note``; then ``pipeline_id``,
        ``stage_id``, ``label``, ``mean_completed`` (days, completed visits only, for comparison)
        and ``p75`` (days within which three of four visits end: a deal there for longer has
        stalled; missing while fewer have ended).

    Raises
    ------
    TableError
        If a table is missing, or a column or period is unknown.

    Notes
    -----
    Whole calendar days in the company's time zone; a visit within one day is 0 days. Stage medians
    do not add up to the cycle: see `cycle_days`.

    Examples
    --------
    >>> stages = pd.DataFrame({"object": "deal", "stage_id": ["S1", "Won"],
    ...     "position": [1, 2], "outcome": ["open", "won"]})
    >>> history = pd.DataFrame({"record_id": ["a", "a", "b"], "stage_id": ["S1", "Won", "S1"],
    ...     "changed_at": ["2026-01-01", "2026-01-09", "2026-01-05"]})
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "stage_id": ["Won", "S1"]})
    >>> snapshot = Snapshot.from_frames(
    ...     {"stages": stages, "history": history, "deals": deals}, as_of="2026-02-01")
    >>> stage_days(snapshot)[["stage_id", "value", "x", "n"]].to_dict("records")
    [{'stage_id': 'S1', 'value': 8.0, 'x': 1, 'n': 2}]
    """
    snapshot.need("deals", "stages", "history", of="stage_days")
    groups = Groups(snapshot, "deals", by, every)
    visits = groups.add_period(
        only_type(first_visits(snapshot, groups.columns), deal_type), "start"
    )
    keys = [*groups.keys, "funnel", "rank"]
    counted = durations(snapshot, visits, keys, start="start", end="end")
    rows = [
        dict(zip(keys, group, strict=True)) | _median_stay(part, level)
        for group, part in counted.groupby(keys, dropna=False)
    ]
    result = _with_stages(snapshot, groups, pd.DataFrame(rows))
    extra = ["pipeline_id", "stage_id", "label", "mean_completed", "p75"]
    return groups.finish(result, extra, within=["funnel", "rank"])


def cycle_days(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Days from creation to close: the median of won deals, and beside it one that counts open deals.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table deals.
    by : str or list of str, optional
        Columns of deals.
    every : {"month", "quarter", "year"}, optional
        Period in which the deal closed; ``km_median`` is then missing, since open deals belong to
        no such period.
    deal_type, level
        As in `kpi.win_rate`.

    Returns
    -------
    DataFrame
        ``value``: median days of won deals (the convention); ``low, high``: order-statistic limits;
        ``x``: won deals with both dates; ``n``: deals followed, open ones included; ``note``; then
        ``km_median, km_low, km_high``: Kaplan-Meier median days to any close, open deals
        censored, delayed entry from the window start.

    Raises
    ------
    TableError
        If deals are missing, or a column or period is unknown.

    Notes
    -----
    A reopened deal runs from its first creation to its final close. Deals without a creation
    date, or closed before it, are left out and counted in ``note``.

    Examples
    --------
    >>> deals = pd.DataFrame({
    ...     "deal_id": list("abc"), "outcome": ["won", "won", "open"], "created_at": "2026-01-01",
    ...     "close_date": ["2026-01-11", "2026-01-31", None]})
    >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-04-01")
    >>> cycle_days(snapshot)[["value", "x", "n", "km_median"]].to_dict("records")
    [{'value': 20.0, 'x': 2, 'n': 3, 'km_median': 30.0}]
    """
    snapshot.need("deals", of="cycle_days")
    groups = Groups(snapshot, "deals", by, every)
    deals = of_type(snapshot, deal_type)
    if every is not None:
        deals = deals.filter(nw.col("outcome") != "open")
    deals = groups.add_period(deals, "closed_day")
    cause = (
        nw.when(nw.col("outcome") == "won")
        .then(nw.lit(1))
        .otherwise(nw.when(nw.col("outcome") == "lost").then(nw.lit(2)).otherwise(nw.lit(0)))
    )
    counted = durations(
        snapshot,
        deals.with_columns(cause=cause),
        groups.keys,
        start="created_day",
        end="closed_day",
    )
    rows = []
    parts = counted.groupby(groups.keys, dropna=False) if groups.keys else [((), counted)]
    for group, part in parts:
        rows.append(dict(zip(groups.keys, group, strict=True)) | cycle(part, level, every))
    empty = {"x": 0, "n": 0, "note": "no_denominator: nothing won"}
    frame = pd.DataFrame(rows, columns=[*groups.keys, *cycle(counted[:0], level, every)])
    result = groups.complete(frame, **empty).astype({"x": "int64", "n": "int64"})
    return groups.finish(result, ["km_median", "km_low", "km_high"])


def _median_stay(counted: pd.DataFrame, level: float) -> dict[str, object]:
    usable = counted[(counted["cause"] >= 0) & (counted["entry"] <= counted["duration"])]
    n = int(usable["n"].sum())
    done = usable[usable["cause"] == 1]
    x = int(done["n"].sum())
    left_out = int(counted["n"].sum()) - n
    notes = [f"{left_out:,} without usable dates left out" if left_out else ""]
    if n == 0:
        nothing = dict.fromkeys(["value", "low", "high", "mean_completed", "p75"], np.nan)
        note = joined("no_denominator: nothing to follow", *notes)
        return nothing | {"x": 0, "n": 0, "note": note}
    curve = kaplan_meier(usable["duration"], usable["cause"], usable["entry"], count=usable["n"])
    value, low, high = median_time(curve, level)
    if np.isnan(value):
        notes.insert(0, f"not enough data: fewer than half of {n:,} have left yet")
    elif n < FEW:
        notes.insert(0, f"low_n: {n:,} only")
    mean = float((done["duration"] * done["n"]).sum() / x) if x else np.nan
    stay = {"value": value, "low": low, "high": high, "x": x, "n": n, "note": joined(*notes)}
    return stay | {"mean_completed": mean, "p75": first_reaching(curve, "survival", 0.25)}


def cycle(counted: pd.DataFrame, level: float, every: Every | None) -> dict[str, object]:
    """One row of `cycle_days` from counts by days (`kpi.cohorts.durations`)."""
    usable = counted[counted["cause"] >= 0]
    won = usable[usable["cause"] == 1]
    days = np.repeat(won["duration"].to_numpy(), won["n"].to_numpy())
    days.sort()
    low, high = _median_limits(days, level)
    x, n = len(days), int(usable["n"].sum())
    left_out = int(counted["n"].sum()) - n
    few = f"low_n: {x} only" if x < FEW else ""
    note = joined(
        few if x else "no_denominator: nothing won",
        f"{left_out:,} without usable dates left out" if left_out else "",
    )
    row: dict[str, object] = {
        "value": float(np.median(days)) if x else np.nan,
        "low": low,
        "high": high,
        "x": x,
        "n": n,
        "note": note,
    }
    seen = usable[usable["entry"] <= usable["duration"]]
    median = (np.nan, np.nan, np.nan)
    if every is None and len(seen):
        curve = kaplan_meier(seen["duration"], seen["cause"], seen["entry"], count=seen["n"])
        median = median_time(curve, level)
    return row | dict(zip(["km_median", "km_low", "km_high"], median, strict=True))


def _median_limits(days: np.ndarray, level: float) -> tuple[float, float]:
    """Order statistics that hold the median with at least `level`; nan where there are too few."""
    check_level(level)
    n = len(days)
    rank = int(binom.ppf((1 - level) / 2, n, 0.5)) - 1 if n else -1
    if rank < 0:
        return np.nan, np.nan
    return float(days[rank]), float(days[n - 1 - rank])


def _with_stages(snapshot: Snapshot, groups: Groups, rates: pd.DataFrame) -> pd.DataFrame:
    """One row per group and open stage, those nobody visited included."""
    stages = collect(
        snapshot.stages.lazy().filter(nw.col("object") == "deal", nw.col("outcome") == "open")
    )
    stages = stages.astype({"rank": "int64"})
    stages["label"] = stages["label"].fillna(stages["stage_id"])
    stages = stages[["funnel", "rank", "pipeline_id", "stage_id", "label"]]
    stages = stages.drop(columns=[c for c in stages if c in groups.keys])
    columns = [*groups.keys, "funnel", "rank", "value", "low", "high", "x", "n", "note"]
    if rates.empty:
        rates = pd.DataFrame(columns=[*columns, "mean_completed", "p75"])
    if len(rates):
        stages = stages[stages["funnel"].isin(rates["funnel"])]
    cells = (
        rates[groups.keys].drop_duplicates().merge(stages, how="cross") if groups.keys else stages
    )
    rates = rates.astype({"funnel": "str", "rank": "int64"})
    table = cells.merge(rates, on=[*groups.keys, "funnel", "rank"], how="left")
    table["note"] = table["note"].fillna("no_denominator: no deal was there").astype("str")
    for column in ("x", "n"):
        table[column] = table[column].fillna(0).astype("int64")
    return table.astype({"mean_completed": "float64", "p75": "float64"})


ENTRIES = (
    Entry(
        stage_days,
        question="How long do deals stay in each stage?",
        formula="Kaplan-Meier median of days on the first visit, any exit",
        unit="calendar days",
        basis="visits entered in the period",
        interval="log-log limits of the Kaplan-Meier median",
        options="deal_type=None: all business",
        needs="deals, stages, history",
        benchmark="none: stages differ from company to company",
        source="Kaplan and Meier 1958",
        caveats="The mean of completed visits, which other tools show, is too short.",
        also=("time in stage", "stage time", "stage dwell", "p75 of stage time"),
        better="lower",
    ),
    Entry(
        cycle_days,
        question="How long does it take to win a deal?",
        formula="median days from creation to close of won deals; Kaplan-Meier median with open deals beside",
        unit="calendar days",
        basis="deals closed in the period",
        interval="order statistics (binomial)",
        options="deal_type=None: all business",
        needs="deals",
        benchmark="none: cycles differ with deal size",
        source="Kaplan and Meier 1958",
        caveats="Deals just won are the quick ones while the business grows.",
        also=("sales cycle length", "pipeline cycle time"),
        better="lower",
    ),
)
