"""How every deal stands: its stages in order, its outcome, and the day it closed."""

import narwhals as nw
import pandas as pd

from kpi.engine import DAY, collect
from kpi.rewind import count, last_value, moves

CLOSE = ("close_date", "close_date_s", "close_date_day")


def ranked_stages(frame: pd.DataFrame, deals: nw.LazyFrame) -> pd.DataFrame:
    """Stages with ``funnel``, ``outcome`` and ``rank``: 0, 1, ... for open ones, won after them.

    An outcome that is not stated is won at a probability of 1, lost at 0, else what all closed
    deals in that stage are, else open.
    """
    deal = frame["object"] == "deal"
    several = len(set(frame.loc[deal, "pipeline_id"].dropna())) > 1
    frame["funnel"] = frame["pipeline_id"].where(deal & several, "").fillna("")
    if frame["outcome"].isna().any():
        likely = frame["probability"].map({1.0: "won", 0.0: "lost"})
        seen = frame["stage_id"].where(deal).map(_outcomes(deals))
        frame["outcome"] = frame["outcome"].fillna(likely).fillna(seen).fillna("open")
    frame = frame.sort_values(["object", "funnel", "position"], kind="stable", ignore_index=True)
    opens = (frame["outcome"] == "open").astype("int64")
    before = opens.groupby([frame["object"], frame["funnel"]]).cumsum() - opens
    total = opens.groupby([frame["object"], frame["funnel"]]).transform("sum")
    rank = before.where(opens == 1, total.where(frame["outcome"] == "won"))
    return frame.assign(rank=rank.astype("Int64"))


def standing(
    deals: nw.LazyFrame, stages: nw.LazyFrame, history: nw.LazyFrame, last_day: int
) -> nw.LazyFrame:
    """Work out outcome, rank and closing day; what only the future knows is taken out.

    The closing day is the one stated, else the day the deal last entered a stage of that outcome,
    else its close date. A deal closed after `last_day` is open.
    """
    own = stages.filter(nw.col("object") == "deal").select(
        "funnel", "stage_id", "rank", stage_outcome=nw.col("outcome")
    )
    if count(deals.filter(nw.col("stage_id").is_null())):
        last = last_value(history.filter(nw.col("object") == "deal"), "stage_id")
        deals = deals.join(last, left_on="deal_id", right_on="record_id", how="left")
        deals = deals.with_columns(stage_id=nw.coalesce("stage_id", "then")).drop("then")
    deals = deals.join(own, on=["funnel", "stage_id"], how="left")
    stated = nw.when(~nw.col("staged")).then(nw.col("outcome"))
    deals = deals.with_columns(outcome=nw.coalesce(stated, nw.col("stage_outcome"), nw.lit("open")))
    deals = _dated(deals, own, history)
    future = (nw.col("outcome") != "open") & (nw.col("closed_day") > last_day)
    deals = deals.with_columns(
        outcome=nw.when(future).then(nw.lit("open")).otherwise(nw.col("outcome")),
        stage_id=nw.when(~future).then(nw.col("stage_id")),
        rank=nw.when(~future).then(nw.col("rank")),
    )
    closed = nw.col("outcome") != "open"
    kept = closed | (nw.col("today") == "open") | nw.col("redated")
    return deals.with_columns(
        closed_day=nw.when(closed).then(nw.col("closed_day")),
        closed_s=nw.when(closed).then(nw.col("closed_day") * DAY),
        closed_at=nw.when(closed & ~nw.col("staged")).then(nw.col("closed_at")),
        lost_reason=nw.when(nw.col("outcome") == "lost").then(nw.col("lost_reason")),
        **{name: nw.when(kept).then(nw.col(name)) for name in CLOSE},
    ).drop("stage_outcome", "history_day", "staged", "redated", "today")


def standing_today(deals: nw.LazyFrame, stages: nw.LazyFrame) -> nw.LazyFrame:
    """Add ``today``: the outcome as the data has it, before anything is taken back."""
    own = stages.filter(nw.col("object") == "deal")
    own = own.select("funnel", "stage_id", stage_outcome=nw.col("outcome"))
    told = nw.coalesce(nw.col("outcome"), nw.col("stage_outcome"), nw.lit("open"))
    joined = deals.join(own, on=["funnel", "stage_id"], how="left")
    return joined.with_columns(today=told).drop("stage_outcome")


def _dated(deals: nw.LazyFrame, own: nw.LazyFrame, history: nw.LazyFrame) -> nw.LazyFrame:
    """Fill ``closed_day`` of closed deals; history is only asked where it is needed."""
    asked = (nw.col("outcome") != "open") & (nw.col("closed_day").is_null() | nw.col("staged"))
    undated = deals.filter(asked).select(record_id=nw.col("deal_id"))
    if count(undated):
        changes = history.filter(nw.col("object") == "deal").join(
            undated, on="record_id", how="semi"
        )
        entered = (
            moves(changes)
            .join(own.filter(nw.col("stage_outcome") != "open"), on=["funnel", "stage_id"])
            .group_by("record_id", "stage_outcome")
            .agg(nw.col("changed_day").max().alias("history_day"))
        )
        deals = deals.join(
            entered,
            left_on=["deal_id", "outcome"],
            right_on=["record_id", "stage_outcome"],
            how="left",
        )
    else:
        deals = deals.with_columns(history_day=nw.lit(None, dtype=nw.Int64))
    day = nw.when(~nw.col("staged")).then(nw.col("closed_day"))
    date = nw.when(~nw.col("staged")).then(nw.col("close_date_day"))
    return deals.with_columns(closed_day=nw.coalesce(day, nw.col("history_day"), date))


def _outcomes(deals: nw.LazyFrame) -> dict[str, str]:
    """Outcome of each stage in which all deals with a stated outcome are won, or all are lost."""
    stated = deals.filter(~nw.col("outcome").is_null(), ~nw.col("stage_id").is_null())
    seen = collect(stated.select("stage_id", "outcome").unique())
    alone = seen[~seen["stage_id"].duplicated(keep=False) & (seen["outcome"] != "open")]
    return dict(zip(alone["stage_id"], alone["outcome"], strict=True))
