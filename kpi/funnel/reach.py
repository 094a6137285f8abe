"""Which stages each deal has reached, and when: the ground of conversion and of the planner."""

from collections.abc import Sequence

import narwhals as nw

from kpi.engine import collect
from kpi.snapshot import Snapshot


def steps(snapshot: Snapshot) -> int:
    """Count the open stages of the longest funnel; the step after the last of them is won."""
    ranks = collect(_open_stages(snapshot).select("rank"))["rank"]
    return 0 if ranks.empty else int(ranks.max()) + 1


def entries(snapshot: Snapshot) -> nw.LazyFrame:
    """One row per deal and change of open stage: ``deal_id, rank, changed_day, changed_s, place``."""
    deals = snapshot.deals.lazy().select("deal_id", "funnel")
    moves = _stage_changes(snapshot).join(_open_stages(snapshot), on=["funnel", "stage_id"])
    return moves.join(deals, on=["deal_id", "funnel"])


def _open_stages(snapshot: Snapshot) -> nw.LazyFrame:
    stages = snapshot.stages.lazy()
    stages = stages.filter(nw.col("object") == "deal", nw.col("outcome") == "open")
    return stages.select("funnel", "stage_id", "rank")


def _stage_changes(snapshot: Snapshot) -> nw.LazyFrame:
    changes = snapshot.history.lazy()
    changes = changes.filter(nw.col("object") == "deal", ~nw.col("stage_id").is_null())
    return changes.select(
        "changed_day", "changed_s", "place", "funnel", "stage_id", deal_id=nw.col("record_id")
    )


KEPT = ("deal_id", "funnel", "outcome", "rank", "deal_type", "created_day", "closed_day")


def reached(snapshot: Snapshot, columns: Sequence[str] | None = None) -> nw.LazyFrame:
    """One row per deal; what its history says is computed once per snapshot.

    Parameters
    ----------
    columns : sequence of str, optional
        Columns of deals wanted beside those in `KEPT`; default all.

    Returns
    -------
    LazyFrame
        Columns of deals, ``furthest`` (highest rank ever reached; won is the rank after the
        last open stage; missing where no stage is known) and ``reach_0, reach_1, ...``: the day on
        which the deal first reached that rank or a later one (missing: never, or at an unknown
        day). A deal is in some stage from the day it was created. What lies between there and the
        present stage, or the win, of a deal without history was passed at unknown days.
    """
    found = snapshot.once("reached", lambda: _reached(snapshot))
    deals = snapshot.deals.lazy()
    wanted = deals.collect_schema().names() if columns is None else columns
    more = [column for column in dict.fromkeys(wanted) if column not in KEPT]
    if not more:
        return found
    return found.join(deals.select("deal_id", *more), on="deal_id", how="left")


def _reached(snapshot: Snapshot) -> nw.LazyFrame:
    """Compute what `reached` adds to deals: few columns, so that keeping them is cheap."""
    count = steps(snapshot)
    open_stages = _open_stages(snapshot)
    per_deal = (
        _stage_changes(snapshot)
        .join(open_stages, on=["funnel", "stage_id"], how="left")
        .group_by("deal_id", "funnel")
        .agg(
            nw.len().alias("recorded"),
            nw.col("rank").max().alias("highest"),
            *[
                nw.when(nw.col("rank") >= i).then(nw.col("changed_day")).min().alias(f"day_{i}")
                for i in range(count)
            ],
        )
    )
    deals = snapshot.deals.lazy().select(*KEPT)
    deals = deals.join(per_deal, on=["deal_id", "funnel"], how="left")
    won = nw.when(nw.col("outcome") == "won")
    last = open_stages.group_by("funnel").agg(last=nw.col("rank").max() + 1)
    deals = deals.join(last, on="funnel", how="left")
    stage_rank = nw.when(nw.col("outcome") == "open").then(nw.col("rank"))
    furthest = nw.max_horizontal(
        won.then(nw.col("last")), nw.col("highest"), stage_rank, _first_stage()
    )
    deals = deals.with_columns(furthest=furthest, won_day=won.then(nw.col("closed_day")))
    days = []
    for i in range(count + 1):
        known = nw.col(f"day_{i}") if i < count else nw.lit(None, dtype=nw.Int64)
        start = nw.col("created_day") if i == 0 else nw.lit(None, dtype=nw.Int64)
        told = (nw.col("last") == i) | ((nw.col("last") > i) & ~nw.col("recorded").is_null())
        closed = nw.when(told).then(nw.col("won_day"))
        days.append(nw.min_horizontal(known, start, closed).alias(f"reach_{i}"))
    return deals.select(*KEPT, "recorded", "last", "furthest", "won_day", *days)


def _first_stage() -> nw.Expr:
    """Rank 0 for a deal of a known funnel whose stages were never recorded."""
    return nw.when(nw.col("last") > 0).then(nw.lit(0))
