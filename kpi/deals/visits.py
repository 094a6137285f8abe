"""First visits of deals to the open stages: when each began, and when it ended."""

from collections.abc import Sequence

import narwhals as nw

from kpi.engine import collect
from kpi.snapshot import Snapshot


def first_visits(snapshot: Snapshot, columns: Sequence[str]) -> nw.LazyFrame:
    """First visit of each deal to each open stage: start, end, cause (1 left, 0 still there).

    Of the deal there are its type and the `columns` asked for.
    """
    used = dict.fromkeys([*columns, "deal_id", "deal_type", "outcome", "closed_day"])
    first = snapshot.once("visits", lambda: _first_visits(snapshot))
    visits = first.join(snapshot.deals.lazy().select(used), on="deal_id")
    left = ~nw.col("after").is_null() | (nw.col("outcome") != "open")
    return visits.with_columns(
        end=nw.coalesce("after", "closed_day"),
        cause=nw.when(left).then(nw.lit(1)).otherwise(nw.lit(0)),
    )


def _first_visits(snapshot: Snapshot) -> nw.LazyFrame:
    """First visits as history has them: ``deal_id, funnel, rank, start``, and the day ``after``.

    A visit ends with the first change to another stage; the earliest such change of a stage ends
    its first visit, since days never run backward.
    """
    order = ["changed_s", "place"]
    moves = snapshot.history.lazy().filter(
        nw.col("object") == "deal", ~nw.col("stage_id").is_null()
    )
    moves = moves.select(
        "funnel", "stage_id", "changed_day", "changed_s", "place", deal_id=nw.col("record_id")
    )
    following = moves.with_columns(
        next_stage=nw.col("stage_id").shift(-1).over("deal_id", order_by=order),
        next_day=nw.col("changed_day").shift(-1).over("deal_id", order_by=order),
    )
    leaves = nw.when(nw.col("next_stage") != nw.col("stage_id")).then(nw.col("next_day"))
    stages = snapshot.stages.lazy().filter(nw.col("object") == "deal", nw.col("outcome") == "open")
    first = (
        following.join(stages.select("stage_id"), on="stage_id", how="semi")
        .group_by("deal_id", "stage_id")
        .agg(
            changed_s=nw.col("changed_s").min(),
            start=nw.col("changed_day").min(),
            after=leaves.min(),
        )
    )
    if len(collect(stages.select("funnel").unique())) > 1:
        places = moves.select("deal_id", "stage_id", "changed_s", "funnel").unique()
        first = first.join(places, on=["deal_id", "stage_id", "changed_s"])
    else:
        first = first.with_columns(funnel=nw.lit(""))
    ranks = stages.select("funnel", "stage_id", "rank")
    return first.join(ranks, on=["funnel", "stage_id"]).select(
        "deal_id", "funnel", "rank", "start", "after"
    )
