"""All moves of deals between stages: every visit, how long it took, and where the deal went next."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kpi.cohorts import AT_RISK, OPEN_TAIL, durations, from_enough
from kpi.deals.win_rate import only_type
from kpi.engine import collect
from kpi.funnel.reach import entries
from kpi.result import FEW, Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.survival import aalen_johansen, at_age, last_age, restricted_mean

WON, LOST = 1_000_000, 1_000_001  # places of the two ends, after all stages
ENDS = {WON: "won", LOST: "lost"}
NOISE = 1e-9  # of a product of shares

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stay:
    """What became of the visits to one stage.

    Attributes
    ----------
    moved : array
        Share that goes to each destination, in the order of `destinations`, open visits taken to
        go where the others of their age went; all missing where no visit has ended.
    counts : array
        Visits that ended in each destination.
    followed, completed : int
        Visits followed; of these ended.
    days : float
        Mean days of a visit, up to the age at which it is read; missing without any.
    note : str
    """

    moved: Floats
    counts: Floats
    followed: int
    completed: int
    days: float
    note: str

    def weights(self, smoothing: float) -> Floats:
        """Parameters of the Dirichlet distribution of the moves."""
        seen = np.nan_to_num(self.moved) * self.completed
        weights: Floats = seen + smoothing
        return weights


def visits(snapshot: Snapshot, columns: Sequence[str], deal_type: str | None) -> nw.LazyFrame:
    """One row per visit of a deal to an open stage.

    A reopened deal comes straight from the stage it was lost in. A deal without recorded
    stages has no visits.

    Returns
    -------
    LazyFrame
        `columns` of deals, ``deal_id, funnel, rank, start, end`` (days), ``to`` (rank it went to,
        `WON` or `LOST`; missing while there), ``cause`` (1 left, 0 still there), ``outcome``.
    """
    made = snapshot.once("visits to every stage", lambda: _visits(snapshot))
    used = dict.fromkeys([*columns, "deal_id", "deal_type", "outcome", "closed_day"])
    deals = only_type(snapshot.deals.lazy(), deal_type).select(used)
    table = made.join(deals, on="deal_id")
    won = nw.when(nw.col("outcome") == "won").then(nw.lit(WON))
    lost = nw.when(nw.col("outcome") == "lost").then(nw.lit(LOST))
    table = table.with_columns(
        to=nw.coalesce("next_rank", won, lost), end=nw.coalesce("next_day", "closed_day")
    )
    there = nw.col("to").is_null()
    return table.with_columns(cause=nw.when(there).then(nw.lit(0)).otherwise(nw.lit(1)))


def _visits(snapshot: Snapshot) -> nw.LazyFrame:
    """Visits as history has them, with the stage and day that followed."""
    order = ["changed_s", "place"]
    before = nw.col("rank").shift(1).over("deal_id", order_by=order)
    moves = entries(snapshot).with_columns(before=before)
    moves = moves.filter(nw.col("before").is_null() | (nw.col("before") != nw.col("rank")))
    following = moves.with_columns(
        next_rank=nw.col("rank").shift(-1).over("deal_id", order_by=order),
        next_day=nw.col("changed_day").shift(-1).over("deal_id", order_by=order),
    )
    return following.select(
        "deal_id", "funnel", "rank", "next_rank", "next_day", start=nw.col("changed_day")
    )


def stages_of(snapshot: Snapshot) -> pd.DataFrame:
    """Open stages of deals: ``funnel, rank, pipeline_id, stage_id, label``, in order."""
    stages = snapshot.stages.lazy()
    stages = stages.filter(nw.col("object") == "deal", nw.col("outcome") == "open")
    table = collect(stages.select("funnel", "rank", "pipeline_id", "stage_id", "label"))
    table["label"] = table["label"].fillna(table["stage_id"])
    table = table.astype({"rank": "int64"}).drop_duplicates(["funnel", "rank"])
    return table.sort_values(["funnel", "rank"], ignore_index=True)


def stays(
    groups: Groups, table: nw.LazyFrame
) -> Iterator[tuple[dict[str, Any], pd.DataFrame, list[Stay]]]:
    """Yield, for each group and funnel, its keys, its stages in order and a `Stay` for each.

    Parameters
    ----------
    table : LazyFrame
        Rows of `visits`, with the keys of `groups`.
    """
    stages = stages_of(groups.snapshot)
    keys = [*groups.keys, "funnel"]
    counted = durations(groups.snapshot, table, [*keys, "rank", "to"], start="start", end="end")
    parts: Iterable[Any] = counted.groupby(keys, dropna=False)
    if counted.empty and not groups.keys:
        parts = [((funnel,), counted) for funnel in dict.fromkeys(stages["funnel"])]
    for key, part in parts:
        named = dict(zip(keys, key, strict=True))
        own = stages[stages["funnel"] == named["funnel"]]
        ways = destinations(own)
        by_rank = dict(list(part.groupby("rank")))
        yield named, own, [_stay(by_rank.get(r, counted[:0]), ways) for r in own["rank"]]


def destinations(stages: pd.DataFrame) -> list[int]:
    """Where a visit can lead: every open stage of the funnel, won, lost."""
    return [*stages["rank"], *ENDS]


def _stay(part: pd.DataFrame, ways: Sequence[int]) -> Stay:
    """Read the visits to one stage."""
    unusable = int(part.loc[part["cause"] < 0, "n"].sum())
    seen = part[(part["cause"] >= 0) & (part["entry"] <= part["duration"])]
    seen, _ = from_enough(seen)
    n = int(seen["n"].sum())
    left_out = f"{unusable:,} without usable dates left out" if unusable else ""
    nothing = np.full(len(ways), np.nan)
    if n == 0:
        note = joined("no_denominator: no deal was there", left_out)
        return Stay(nothing, np.zeros(len(ways)), 0, 0, np.nan, note)
    ended = seen[seen["cause"] > 0]
    place = {way: i for i, way in enumerate(ways)}
    causes = seen["to"].map(place).fillna(-1).astype("int64") + 1
    curve = aalen_johansen(seen["duration"], causes, seen["entry"], count=seen["n"])
    age = _age(curve)
    counts = np.array([ended.loc[ended["to"] == way, "n"].sum() for way in ways], dtype="float64")
    moved = np.array([_incidence(curve, i + 1, age) for i in range(len(ways))])
    days = restricted_mean(curve, age)
    if moved.sum() == 0:
        note = joined(f"not enough data: none of {n:,} has left yet", left_out)
        return Stay(nothing, counts, n, 0, days, note)
    still = float(at_age(curve, "survival", age, before=1.0)[()])
    few = f"low_n: {n:,} only" if n < FEW else ""
    tail = f"{still:.0%} still there after {age:.0f} days" if still > OPEN_TAIL else ""
    note = joined(few, tail, left_out)
    return Stay(moved / moved.sum(), counts, n, int(counts.sum()), days, note)


def _age(curve: pd.DataFrame) -> float:
    """Return the last age with ten followed; the last age of all where many are still there at that.

    Losses take longer than wins: a small group read at an early age would seem to win more.
    """
    age = last_age(curve, AT_RISK)
    if np.isnan(age) or at_age(curve, "survival", age, before=1.0) > OPEN_TAIL + NOISE:
        return float(curve.index[-1])
    return age


def _incidence(curve: pd.DataFrame, cause: int, age: float) -> float:
    """Read the incidence of one way out; 0 where nobody took it."""
    column = f"cif_{cause}"
    return float(at_age(curve, column, age, before=0.0)[()]) if column in curve else 0.0
