"""What was known of leads and deals at the end of one day: the tables, rewound where needed.

A record that changed after that day is taken back to its last recorded values before it; every
other record stands as it is. Outcomes, closing days and the funnel each deal belongs to are worked
out here, once, so that no KPI has to.
"""

import narwhals as nw
import pandas as pd

from kpi.definitions import Count, Definitions
from kpi.engine import DAY, Engine, collect
from kpi.tables import TableError

Frames = dict[str, nw.LazyFrame]
REWOUND = ("stage_id", "amount", "owner_id")


def known(raw: Frames, engine: Engine, definitions: Definitions, cut: int, last_day: int) -> Frames:
    """Return the tables as they stood before the UTC second `cut`, the end of `last_day`.

    Added to deals: ``funnel`` (the pipeline whose stages it moves through), ``rank`` (place of its
    stage among the open stages), ``outcome`` never missing, ``closed_s``/``closed_day`` for closed
    deals only, ``lead`` (the lead it came from, from either side). Added to leads: ``linked`` (how
    many deals), ``converted_day`` never missing where there is one. Added to history: ``funnel`` and
    ``place`` (position of the stage: the order of changes recorded at the same second).
    """
    steps = _stages(collect(raw["stages"]))
    stages = engine.frame(steps)
    several = bool(steps.loc[steps["object"] == "deal", "funnel"].ne("").any())
    history = raw["history"].filter(nw.col("changed_s") < cut)
    history = history.with_columns(object=_or("object", "deal"))
    if several:
        history = _with_pipeline(history, raw["deals"])
    history = _in_funnel(history, several)
    places = stages.select("object", "funnel", "stage_id", place=nw.col("position"))
    history = history.join(places, on=["object", "funnel", "stage_id"], how="left")
    history = engine.keep(history)
    deals = raw["deals"].filter(nw.col("created_s").is_null() | (nw.col("created_s") < cut))
    deals = _rewind(deals, "deal", raw["history"], history, engine, cut)
    deals = _standing(_in_funnel(deals, several), stages, history, engine, last_day)
    if definitions.pipelines:
        deals = deals.filter(nw.col("pipeline_id").is_in(definitions.pipelines))
    deals = deals.with_columns(deal_type=_or("deal_type", "new"))
    leads = raw["leads"].filter(nw.col("created_s").is_null() | (nw.col("created_s") < cut))
    leads = _rewind(leads, "lead", raw["history"], history, engine, cut)
    leads = leads.with_columns(
        converted_day=nw.when(nw.col("converted_s") < cut).then(nw.col("converted_day")),
        deal_id=nw.when(nw.col("converted_s").is_null() | (nw.col("converted_s") < cut)).then(
            nw.col("deal_id")
        ),
    )
    frames = raw | {"stages": stages, "history": history}
    frames |= _linked(engine.keep(leads), engine.keep(deals), engine)
    frames = _counted(frames, definitions, engine)
    for name, column in {
        "meetings": "booked_day",
        "suspects": "added_day",
        "costs": "month_day",
    }.items():
        frames[name] = raw[name].filter(nw.col(column).is_null() | (nw.col(column) <= last_day))
    signed = nw.coalesce("signed_on_day", "starts_on_day")
    frames["subscriptions"] = raw["subscriptions"].filter(signed <= last_day)
    return frames


def first_days(frames: Frames, count: Count) -> nw.LazyFrame:
    """First day on which each record counts: ``id`` and ``first_day``.

    From history where the column was recorded; for a record that holds such a value now without a
    recorded change, the day it closed or else was created.
    """
    records = frames[count.table]
    name = "lead" if count.table == "leads" else "deal"
    now = records.filter(nw.col(count.column).is_in(count.values)).select(
        nw.col(f"{name}_id").alias("id"),
        nw.coalesce("closed_day" if name == "deal" else "converted_day", "created_day").alias(
            "now"
        ),
    )
    if count.column not in frames["history"].collect_schema().names():
        return now.rename({"now": "first_day"})
    then = (
        frames["history"]
        .filter(nw.col("object") == name, nw.col(count.column).is_in(count.values))
        .group_by("record_id")
        .agg(nw.col("changed_day").min().alias("then"))
    )
    both = now.join(then, left_on="id", right_on="record_id", how="full")
    return both.select(
        nw.coalesce("id", "record_id").alias("id"), nw.coalesce("then", "now").alias("first_day")
    )


def _stages(frame: pd.DataFrame) -> pd.DataFrame:
    """Stages with ``funnel``, ``outcome`` and ``rank``: 0, 1, ... for open ones, won after them."""
    deal = frame["object"] == "deal"
    several = len(set(frame.loc[deal, "pipeline_id"].dropna())) > 1
    frame["funnel"] = frame["pipeline_id"].where(deal & several, "").fillna("")
    frame["outcome"] = frame["outcome"].fillna("open")
    frame = frame.sort_values(["object", "funnel", "position"], kind="stable", ignore_index=True)
    opens = (frame["outcome"] == "open").astype("int64")
    before = opens.groupby([frame["object"], frame["funnel"]]).cumsum() - opens
    total = opens.groupby([frame["object"], frame["funnel"]]).transform("sum")
    rank = before.where(opens == 1, total.where(frame["outcome"] == "won"))
    return frame.assign(rank=rank.astype("Int64"))


def _in_funnel(frame: nw.LazyFrame, several: bool) -> nw.LazyFrame:  # noqa: FBT001 - private
    """Add ``funnel``: the pipeline, or "" for all where there is only one."""
    return frame.with_columns(funnel=_or("pipeline_id", "") if several else nw.lit(""))


def _with_pipeline(history: nw.LazyFrame, deals: nw.LazyFrame) -> nw.LazyFrame:
    """Fill the pipeline of changes that did not record one from their deal."""
    own = deals.select("deal_id", object=nw.lit("deal"), own=nw.col("pipeline_id"))
    filled = history.join(
        own, left_on=["object", "record_id"], right_on=["object", "deal_id"], how="left"
    )
    return filled.with_columns(pipeline_id=nw.coalesce("pipeline_id", "own")).drop("own")


def _or(column: str, value: str) -> nw.Expr:
    return nw.coalesce(nw.col(column), nw.lit(value))


def _rewind(
    records: nw.LazyFrame,
    name: str,
    all_history: nw.LazyFrame,
    history: nw.LazyFrame,
    engine: Engine,
    cut: int,
) -> nw.LazyFrame:
    """Take records that changed at or after `cut` back to their last values before it."""
    late = all_history.filter(nw.col("changed_s") >= cut, _or("object", "deal") == name)
    late = engine.keep(late.select("record_id").unique())
    if collect(late.select(nw.len().alias("n")))["n"].iloc[0] == 0:
        return records.with_columns(rewound=nw.lit(value=False))
    key = f"{name}_id"
    result = records.join(
        late.with_columns(rewound=nw.lit(value=True)), left_on=key, right_on="record_id", how="left"
    ).with_columns(rewound=nw.coalesce(nw.col("rewound"), nw.lit(value=False)))
    before = history.filter(nw.col("object") == name)
    for column in [c for c in REWOUND if c in records.collect_schema().names()]:
        last = _last_value(before, column)
        result = result.join(last, left_on=key, right_on="record_id", how="left")
        result = result.with_columns(
            nw.when(nw.col("rewound")).then(nw.col("then")).otherwise(nw.col(column)).alias(column)
        ).drop("then")
    return result


def _last_value(history: nw.LazyFrame, column: str) -> nw.LazyFrame:
    """Last recorded value of a column for each record: ``record_id`` and ``then``."""
    order = ["changed_s", "place"]
    latest = nw.col(column).last().over("record_id", order_by=order)
    recorded = history.filter(~nw.col(column).is_null())
    return recorded.select("record_id", then=latest).unique()


def _standing(
    deals: nw.LazyFrame,
    stages: nw.LazyFrame,
    history: nw.LazyFrame,
    engine: Engine,
    last_day: int,
) -> nw.LazyFrame:
    """Outcome and closing day of every deal."""
    own = stages.filter(nw.col("object") == "deal").select(
        "funnel", "stage_id", "rank", stage_outcome=nw.col("outcome")
    )
    nowhere = deals.filter(nw.col("stage_id").is_null()).select(nw.len().alias("n"))
    if collect(nowhere)["n"].iloc[0]:
        last = _last_value(history.filter(nw.col("object") == "deal"), "stage_id")
        deals = deals.join(last, left_on="deal_id", right_on="record_id", how="left")
        deals = deals.with_columns(stage_id=nw.coalesce("stage_id", "then")).drop("then")
    deals = deals.join(own, on=["funnel", "stage_id"], how="left")
    stated = nw.when(~nw.col("rewound")).then(nw.col("outcome"))
    deals = deals.with_columns(outcome=nw.coalesce(stated, nw.col("stage_outcome"), nw.lit("open")))
    deals = engine.keep(deals)
    closing = (
        history.filter(nw.col("object") == "deal", ~nw.col("stage_id").is_null())
        .join(own.filter(nw.col("stage_outcome") != "open"), on=["funnel", "stage_id"])
        .group_by("record_id", "stage_outcome")
        .agg(nw.col("changed_day").max().alias("history_day"))
    )
    undated = (nw.col("outcome") != "open") & (nw.col("closed_day").is_null() | nw.col("rewound"))
    if collect(deals.filter(undated).select(nw.len().alias("n")))["n"].iloc[0]:
        deals = deals.join(
            closing,
            left_on=["deal_id", "outcome"],
            right_on=["record_id", "stage_outcome"],
            how="left",
        )
    else:
        deals = deals.with_columns(history_day=nw.lit(None, dtype=nw.Int64))
    stated_day = nw.when(~nw.col("rewound")).then(nw.col("closed_day"))
    stated_date = nw.when(~nw.col("rewound")).then(nw.col("close_date_day"))
    deals = deals.with_columns(
        closed_day=nw.coalesce(stated_day, nw.col("history_day"), stated_date)
    )
    future = (nw.col("outcome") != "open") & (nw.col("closed_day") > last_day)
    deals = deals.with_columns(
        outcome=nw.when(future).then(nw.lit("open")).otherwise(nw.col("outcome")),
        stage_id=nw.when(~future).then(nw.col("stage_id")),
    )
    closed = nw.col("outcome") != "open"
    return deals.with_columns(
        closed_day=nw.when(closed).then(nw.col("closed_day")),
        closed_s=nw.when(closed).then(nw.col("closed_day") * DAY),
        rank=nw.when(~future).then(nw.col("rank")),
    ).drop("stage_outcome", "history_day", "rewound")


def _linked(leads: nw.LazyFrame, deals: nw.LazyFrame, engine: Engine) -> Frames:
    """Join leads and deals from whichever side names the other."""
    named = leads.filter(~nw.col("deal_id").is_null()).select("deal_id", named=nw.col("lead_id"))
    named = named.group_by("deal_id").agg(nw.col("named").min())
    deals = deals.join(named, on="deal_id", how="left")
    deals = engine.keep(deals.with_columns(lead=nw.coalesce("lead_id", "named")).drop("named"))
    first = (
        deals.filter(~nw.col("lead").is_null())
        .group_by("lead")
        .agg(
            nw.col("created_day").min().alias("deal_created_day"),
            nw.len().alias("linked"),
        )
    )
    leads = leads.join(first, left_on="lead_id", right_on="lead", how="left").with_columns(
        converted_day=nw.coalesce("converted_day", "deal_created_day")
    )
    return {"leads": engine.keep(leads.drop("deal_created_day", "rewound")), "deals": deals}


def _counted(frames: Frames, definitions: Definitions, engine: Engine) -> Frames:
    """Apply what counts as a lead and as a win where the definitions say so."""
    count = definitions.count
    if "won" in count:
        if count["won"].table != "deals":
            raise TableError("definitions: count.won must be a column of deals")
        won = first_days(frames, count["won"])
        deals = frames["deals"].join(won, left_on="deal_id", right_on="id", how="left")
        wins = ~nw.col("first_day").is_null() & (nw.col("outcome") != "lost")
        outcome = (
            nw.when(wins)
            .then(nw.lit("won"))
            .otherwise(
                nw.when(nw.col("outcome") == "won")
                .then(nw.lit("open"))
                .otherwise(nw.col("outcome"))
            )
        )
        deals = deals.with_columns(
            outcome=outcome,
            closed_day=nw.when(wins)
            .then(nw.col("first_day"))
            .otherwise(nw.when(nw.col("outcome") == "lost").then(nw.col("closed_day"))),
        )
        frames = frames | {"deals": engine.keep(deals.drop("first_day"))}
    leads = frames["leads"]
    if "lead" in count:
        first = first_days(frames, count["lead"])
        leads = leads.join(first, left_on="lead_id", right_on="id").with_columns(
            created_day=nw.col("first_day"), created_s=nw.col("first_day") * DAY
        )
        leads = leads.drop("first_day")
    return frames | {"leads": engine.keep(leads)}
