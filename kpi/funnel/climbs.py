"""Deals climbing the stages: from reaching one until a later one is reached, or the deal is lost."""

from collections.abc import Sequence

import narwhals as nw
import pandas as pd

from kpi.deals.win_rate import only_type
from kpi.engine import collect
from kpi.funnel.reach import reached, steps
from kpi.result import Groups
from kpi.snapshot import Snapshot

NEEDED = (
    "deal_id",
    "funnel",
    "rank",
    "outcome",
    "created_day",
    "closed_day",
    "furthest",
    "recorded",
    "last",
)


def placed(snapshot: Snapshot, columns: Sequence[str], deal_type: str | None) -> nw.LazyFrame:
    """One row per deal of a known funnel, with the days on which it reached each rank.

    Parameters
    ----------
    columns : sequence of str
        Columns of deals wanted beside those in `NEEDED`.
    deal_type : str or None
        As in `kpi.win_rate`.
    """
    table = only_type(reached(snapshot, columns), deal_type)
    used = [*columns, *NEEDED, *(f"reach_{i}" for i in range(steps(snapshot) + 1))]
    return table.filter(~nw.col("furthest").is_null()).select(dict.fromkeys(used))


def climbs(snapshot: Snapshot, table: nw.LazyFrame) -> nw.LazyFrame:
    """One row per deal and rank reached, with the start and end of its clock and what ended it.

    Parameters
    ----------
    table : LazyFrame
        Rows of `placed`.

    Returns
    -------
    LazyFrame
        Columns of `table`, ``rank`` (of the row), ``start`` (day the deal first reached it or a
        later one), ``end`` and ``cause``: 0 open, 1 reached a later stage, 2 lost. Won is followed
        by nothing: its cause is -1 (cannot be told), so that it only adds to counts.
    """
    last = steps(snapshot)
    return _followed(each_rank(snapshot, table, "furthest"), last)


def each_rank(snapshot: Snapshot, table: nw.LazyFrame, column: str) -> nw.LazyFrame:
    """One row per deal and rank up to that in `column`."""
    last = steps(snapshot)
    ranks = snapshot.once(
        ("ranks", last), lambda: snapshot.engine.frame(pd.DataFrame({"rank": range(last + 1)}))
    )
    every = table.drop("rank").join(ranks, how="cross")
    return every.filter(nw.col("rank") <= nw.col(column))


def stage_cells(groups: Groups, counted: pd.DataFrame) -> pd.DataFrame:
    """One row per group and ranked stage of the funnels in use, those nobody reached included.

    Parameters
    ----------
    counted : DataFrame
        The keys of `groups` and ``funnel``, for every group there is.

    Returns
    -------
    DataFrame
        The keys, ``funnel``, ``rank``, ``stage_outcome``, ``pipeline_id``, ``stage_id`` and ``label``.
    """
    stages = collect(groups.snapshot.stages.lazy().filter(nw.col("object") == "deal"))
    stages = stages[stages["rank"].notna()].astype({"rank": "int64"})
    stages = stages.drop_duplicates(["funnel", "rank"])
    stages["label"] = stages["label"].fillna(stages["stage_id"])
    stages = stages.rename(columns={"outcome": "stage_outcome"})
    wanted = ["funnel", "rank", "stage_outcome", "pipeline_id", "stage_id", "label"]
    stages = stages[[c for c in wanted if c not in groups.keys]]
    cells = stages
    if groups.keys:
        cells = counted[groups.keys].drop_duplicates().merge(stages, how="cross")
    used = counted[[*groups.keys, "funnel"]].drop_duplicates()
    return cells.merge(used, on=[*groups.keys, "funnel"]) if len(used) else cells


def _followed(table: nw.LazyFrame, last: int) -> nw.LazyFrame:
    """Add ``start``, ``end`` and ``cause`` to deals by rank reached."""
    following = _reach(last, ahead=1)
    further = nw.col("furthest") > nw.col("rank")
    dated = further & ~following.is_null()
    untold = further | (nw.col("rank") >= nw.col("last"))
    lost = nw.col("outcome") == "lost"
    closed = nw.when(lost).then(nw.lit(2)).otherwise(nw.lit(0))
    open_ended = nw.when(untold).then(nw.lit(-1)).otherwise(closed)
    return table.with_columns(
        start=_reach(last),
        end=nw.when(dated).then(following).otherwise(nw.col("closed_day")),
        cause=nw.when(dated).then(nw.lit(1)).otherwise(open_ended),
    )


def _reach(last: int, ahead: int = 0) -> nw.Expr:
    """Day on which a deal reached its row's rank, or the rank so many ahead of it."""
    day = nw.lit(None, dtype=nw.Int64)
    for i in range(last + 1 - ahead):
        here = nw.col("rank") == i
        day = nw.when(here).then(nw.col(f"reach_{i + ahead}")).otherwise(day)
    return day
