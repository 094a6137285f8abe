"""Which stages each deal has reached, and when: the ground of conversion and of the planner."""

import narwhals as nw

from kpi.engine import collect
from kpi.snapshot import Snapshot


def steps(snapshot: Snapshot) -> int:
    """Number of open stages of the longest funnel; the step after the last of them is won."""
    top = snapshot.stages.lazy().filter(nw.col("object") == "deal").select(nw.col("rank").max())
    highest = collect(top)["rank"].iloc[0]
    stages = snapshot.stages.lazy().filter(
        nw.col("object") == "deal", nw.col("outcome") == "open"
    )
    opens = collect(stages.select(nw.col("rank").max()))["rank"].iloc[0]
    return 0 if highest != highest or opens != opens else int(opens) + 1  # noqa: PLR0124 - nan


def entries(snapshot: Snapshot) -> nw.LazyFrame:
    """One row per deal and change of open stage: ``deal_id, rank, changed_day, changed_s, place``."""
    open_stages = (
        snapshot.stages.lazy()
        .filter(nw.col("object") == "deal", nw.col("outcome") == "open")
        .select("funnel", "stage_id", "rank")
    )
    deals = snapshot.deals.lazy().select("deal_id", "funnel")
    return (
        snapshot.history.lazy()
        .filter(nw.col("object") == "deal", ~nw.col("stage_id").is_null())
        .select(
            "changed_day",
            "changed_s",
            "place",
            "funnel",
            "stage_id",
            deal_id=nw.col("record_id"),
        )
        .join(open_stages, on=["funnel", "stage_id"])
        .join(deals, on=["deal_id", "funnel"])
    )


def reached(snapshot: Snapshot) -> nw.LazyFrame:
    """One row per deal, computed once per snapshot.

    Returns
    -------
    LazyFrame
        All columns of deals, ``furthest`` (highest rank ever reached; won is the rank after the
        last open stage; missing where no stage is known) and ``reach_0, reach_1, ...``: the day on
        which the deal first reached that rank or a later one (missing: never, or at an unknown
        day). A deal without history is taken to have entered the first stage on the day it was
        created, and its present stage at an unknown day.
    """
    return snapshot.once("reached", lambda: _reached(snapshot))


def _reached(snapshot: Snapshot) -> nw.LazyFrame:
    count = steps(snapshot)
    per_deal = (
        entries(snapshot)
        .group_by("deal_id")
        .agg(
            nw.col("rank").max().alias("highest"),
            *[
                nw.when(nw.col("rank") >= i).then(nw.col("changed_day")).min().alias(f"day_{i}")
                for i in range(count)
            ],
        )
    )
    deals = snapshot.deals.lazy().join(per_deal, on="deal_id", how="left")
    won = nw.when(nw.col("outcome") == "won")
    last = (
        snapshot.stages.lazy()
        .filter(nw.col("object") == "deal", nw.col("outcome") == "open")
        .group_by("funnel")
        .agg(last=nw.col("rank").max() + 1)
    )
    deals = deals.join(last, on="funnel", how="left")
    stage_rank = nw.when(nw.col("outcome") == "open").then(nw.col("rank"))
    furthest = nw.max_horizontal(
        won.then(nw.col("last")), nw.col("highest"), stage_rank, _first_stage()
    )
    deals = deals.with_columns(furthest=furthest, won_day=won.then(nw.col("closed_day")))
    days = []
    for i in range(count + 1):
        known = nw.col(f"day_{i}") if i < count else nw.lit(None, dtype=nw.Int64)
        created = nw.when(nw.col("highest").is_null()).then(nw.col("created_day"))
        start = created if i == 0 else nw.lit(None, dtype=nw.Int64)
        closed = nw.when(nw.col("last") >= i).then(nw.col("won_day"))
        days.append(nw.min_horizontal(known, start, closed).alias(f"reach_{i}"))
    return deals.with_columns(*days).drop([f"day_{i}" for i in range(count)])


def _first_stage() -> nw.Expr:
    """Rank 0 for a deal of a known funnel whose stages were never recorded."""
    return nw.when(nw.col("last") > 0).then(nw.lit(0))
