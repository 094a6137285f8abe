"""What was known of leads and deals at the end of one day: the tables, rewound where needed.

A record that changed after that day is taken back to its last recorded values before it; every
other record stands as it is. Outcomes, closing days and the funnel each deal belongs to are worked
out here, once, so that no KPI has to.
"""

import narwhals as nw
import pandas as pd

from kpi.definitions import Count, Definitions
from kpi.engine import DAY, Engine, to_pandas
from kpi.rewind import rewind
from kpi.standing import ranked_stages, standing, standing_today
from kpi.tables import TableError

Frames = dict[str, nw.LazyFrame]
DATED = {"meetings": "booked_day", "suspects": "added_day", "costs": "month_day"}


def known(
    raw: Frames, engine: Engine, definitions: Definitions, cut: int, last_day: int
) -> tuple[Frames, Frames]:
    """Return the tables as they stood before the UTC second `cut`, the end of `last_day`.

    Added to deals: ``funnel`` (the pipeline whose stages it moves through), ``rank`` (place of its
    stage among the open stages), ``outcome`` never missing, ``closed_s``/``closed_day`` for closed
    deals only, ``lead`` (the lead it came from, from either side). Added to leads: ``linked`` (0:
    no deal), ``converted_day`` never missing where there is one. Added to history: ``funnel`` and
    ``place`` (position of the stage: the order of changes recorded at the same second).

    Returns
    -------
    (raw, known)
        The tables as they are, with the whole history placed (once: as they are given to look
        further back), and as they stood.
    """
    steps = ranked_stages(to_pandas("stages", raw["stages"]), raw["deals"])
    stages = engine.frame(steps)
    funnels = _funnels(steps, engine)
    deals = _in_funnel(raw["deals"], funnels)
    every = raw["history"]
    if "place" not in every.collect_schema().names():
        every = engine.store(_placed(every, deals, stages))
    history = every.filter(nw.col("changed_s") < cut)
    deals = deals.filter(nw.col("created_s").is_null() | (nw.col("created_s") < cut))
    deals = rewind(standing_today(deals, stages), "deal", every, engine, cut)
    deals = _in_funnel(deals, funnels)
    deals = standing(deals, stages, history, last_day)
    if definitions.pipelines:
        named = set(steps.loc[steps["object"] == "deal", "pipeline_id"].dropna())
        own = _or("pipeline_id", named.pop()) if len(named) == 1 else nw.col("pipeline_id")
        deals = deals.filter(own.is_in(definitions.pipelines))
    deals = deals.with_columns(deal_type=_or("deal_type", "new"))
    leads = raw["leads"].filter(nw.col("created_s").is_null() | (nw.col("created_s") < cut))
    leads = _unconverted(rewind(leads, "lead", every, engine, cut), cut)
    frames = raw | {"stages": stages, "history": history}
    frames |= _linked(leads.drop("staged", "redated"), deals, engine)
    frames = _counted(frames, definitions, engine)
    for name, column in DATED.items():
        frames[name] = raw[name].filter(nw.col(column).is_null() | (nw.col(column) <= last_day))
    signed = nw.coalesce("signed_on_day", "starts_on_day")
    frames["subscriptions"] = raw["subscriptions"].filter(signed <= last_day)
    return raw | {"history": every}, frames


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


def _funnels(steps: pd.DataFrame, engine: Engine) -> nw.LazyFrame | None:
    """Pipeline of each deal stage that only one has; None where there is only one pipeline."""
    own = steps[(steps["object"] == "deal") & (steps["funnel"] != "")]
    if own.empty:
        return None
    alone = own[~own["stage_id"].duplicated(keep=False)][["stage_id", "pipeline_id"]]
    return engine.frame(alone.rename(columns={"pipeline_id": "only"}).reset_index(drop=True))


def _in_funnel(deals: nw.LazyFrame, funnels: nw.LazyFrame | None) -> nw.LazyFrame:
    """Add ``funnel``: the pipeline (from the stage where the deal names none), "" where all share one."""
    if funnels is None:
        return deals.with_columns(funnel=nw.lit(""))
    known = deals.join(funnels, on="stage_id", how="left")
    known = known.with_columns(pipeline_id=nw.coalesce("pipeline_id", "only"))
    return known.with_columns(funnel=_or("pipeline_id", "")).drop("only")


def _placed(history: nw.LazyFrame, deals: nw.LazyFrame, stages: nw.LazyFrame) -> nw.LazyFrame:
    """Add ``funnel`` and ``place``; a change that recorded no pipeline is in that of its deal."""
    history = history.with_columns(object=_or("object", "deal"))
    own = deals.filter(nw.col("funnel") != "").select(
        record_id=nw.col("deal_id"), object=nw.lit("deal"), own=nw.col("funnel")
    )
    filled = history.join(own, on=["object", "record_id"], how="left")
    there = ~nw.col("own").is_null()
    filled = filled.with_columns(
        funnel=nw.when(there).then(nw.coalesce("pipeline_id", "own")).otherwise(nw.lit(""))
    ).drop("own")
    places = stages.group_by("object", "funnel", "stage_id").agg(place=nw.col("position").min())
    return filled.join(places, on=["object", "funnel", "stage_id"], how="left")


def _unconverted(leads: nw.LazyFrame, cut: int) -> nw.LazyFrame:
    """Take back a conversion that is dated later."""
    then = nw.col("converted_s").is_null() | (nw.col("converted_s") < cut)
    names = ("converted_at", "converted_s", "converted_day", "deal_id")
    return leads.with_columns(**{name: nw.when(then).then(nw.col(name)) for name in names})


def _or(column: str, value: str) -> nw.Expr:
    return nw.coalesce(nw.col(column), nw.lit(value))


def _linked(leads: nw.LazyFrame, deals: nw.LazyFrame, engine: Engine) -> Frames:
    """Join leads and deals from whichever side names the other.

    A deal belongs to one lead (the first that names it); every lead that names a known deal counts
    as converted. A deal that names a lead the data does not have belongs to the direct stream.
    """
    named = leads.filter(~nw.col("deal_id").is_null()).select("deal_id", named=nw.col("lead_id"))
    named = named.group_by("deal_id").agg(nw.col("named").min())
    there = leads.select(lead=nw.col("lead_id"), there=nw.lit(value=True))
    deals = deals.join(named, on="deal_id", how="left")
    deals = deals.with_columns(lead=nw.coalesce("lead_id", "named"))
    deals = deals.join(there, on="lead", how="left")
    deals = deals.with_columns(lead=nw.when(nw.col("there")).then(nw.col("lead")))
    deals = engine.store(deals.drop("named", "there"))
    first = (
        deals.filter(~nw.col("lead").is_null())
        .group_by("lead")
        .agg(opened=nw.col("created_day").min(), linked=nw.len())
    )
    own = deals.select("deal_id", named_day=nw.col("created_day"), names=nw.lit(1))
    leads = leads.join(first, left_on="lead_id", right_on="lead", how="left")
    leads = leads.join(own, on="deal_id", how="left").with_columns(
        converted_day=nw.coalesce("converted_day", "opened", "named_day"),
        linked=nw.coalesce("linked", "names", nw.lit(0)),
    )
    return {"leads": engine.store(leads.drop("opened", "named_day", "names")), "deals": deals}


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
            rank=nw.when(wins | (nw.col("outcome") != "won")).then(nw.col("rank")),
            closed_day=nw.when(wins)
            .then(nw.col("first_day"))
            .otherwise(nw.when(nw.col("outcome") == "lost").then(nw.col("closed_day"))),
        )
        frames = frames | {"deals": engine.store(deals.drop("first_day"))}
    leads = frames["leads"]
    if "lead" in count:
        first = first_days(frames, count["lead"])
        leads = leads.join(first, left_on="lead_id", right_on="id").with_columns(
            created_day=nw.col("first_day"), created_s=nw.col("first_day") * DAY
        )
        frames = frames | {"leads": engine.store(leads.drop("first_day"))}
    return frames
