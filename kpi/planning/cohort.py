"""Records of a plan by where they come from, and what those still open will go on to."""

from dataclasses import dataclass
from itertools import pairwise

import narwhals as nw
import pandas as pd

from kpi.cohorts import durations
from kpi.engine import collect
from kpi.periods import day_number
from kpi.planning.actuals import begins, places
from kpi.planning.curve import Curve, fitted
from kpi.planning.ladder import OPEN, Ladder, ladder
from kpi.planning.plan import Plan
from kpi.snapshot import Snapshot

NEW, PIPELINE, DIRECT = "new", "open pipeline", "direct deals"
VALUES = {"new_mrr": "mrr", "bookings": "amount"}


@dataclass(frozen=True, eq=False)
class Cohort:
    """What came of a plan up to the end of the data.

    Attributes
    ----------
    counts : DataFrame, indexed by stream
        ``new`` (of leads created since the plan began; without leads, deals created since),
        ``open pipeline`` (of what was there before) and ``direct deals`` (without a lead, created
        since). By stage of the plan, the records that reached it; of the last, those won since the
        plan began. ``new_mrr, bookings``: what these brought.
    waiting : mapping of stage to DataFrame
        New records still open between a stage and the next: ``age`` (days since the stage), ``n``.
    curves : mapping of stage to Curve
        From each stage to the next, of all the records of the data.
    """

    counts: pd.DataFrame
    waiting: dict[str, pd.DataFrame]
    curves: dict[str, Curve]

    def going_on(self, stage: str, rate: float, adjust: float) -> float:
        """How many of the new records open at a stage are still to go on.

        By age, as records of the data did; of those that the data does not follow to their end, as
        many as the `rate` of the plan leaves open. `adjust` is how new records' rates relate to
        those of all.
        """
        curve, total = self.curves[stage], 0.0
        final = min(adjust * curve.final, 1.0)
        open_rate = max(rate - final, 0.0) / (1 - final) if final < 1 else 0.0
        unfollowed = float(curve.waiting[-1]) * open_rate
        for age, n in zip(self.waiting[stage]["age"], self.waiting[stage]["n"], strict=True):
            place = min(max(int(age), 0), len(curve.waiting) - 1)
            still = float(curve.waiting[place])
            later = adjust * (curve.final - float(curve.by(place)))
            total += float(n) * (min((later + unfollowed) / still, 1.0) if still > 0 else 0.0)
        return total


def cohort(plan: Plan, snapshot: Snapshot) -> Cohort:
    """Count what came of a plan."""
    rungs = ladder(snapshot)
    steps = places(plan, rungs)
    deals = _streams(plan, snapshot, rungs)
    curves, waiting = {}, {}
    for a, b in pairwise(steps):
        followed = rungs.followed(steps[a], steps[b])
        curves[a] = fitted(durations(snapshot, followed, [], start="start", end="end"))
        waiting[a] = _waiting(plan, rungs, deals, (steps[a], steps[b]))
    return Cohort(_counts(plan, snapshot, rungs, deals, steps), waiting, curves)


def _streams(plan: Plan, snapshot: Snapshot, rungs: Ladder) -> nw.LazyFrame:
    """Deals of new business with their ``stream``."""
    first = nw.lit(day_number(begins(plan)))
    values = rungs.deals.select("deal_id", "created_day", "mrr", "amount")
    deals = rungs.deal_climbs.join(values, on="deal_id")
    if plan.top != "leads":
        fresh = nw.col("created_day") >= first
        return deals.with_columns(stream=_named(fresh, NEW, nw.lit(PIPELINE)))
    born = snapshot.leads.lazy().select(lead=nw.col("lead_id"), lead_day=nw.col("created_day"))
    after = first if plan.as_of is None else nw.lit(day_number(plan.as_of) + 1)
    unled = nw.col("lead").is_null() & (nw.col("created_day") >= after)
    return deals.join(born, on="lead", how="left").with_columns(
        stream=_named(nw.col("lead_day") >= first, NEW, _named(unled, DIRECT, nw.lit(PIPELINE)))
    )


def _named(condition: nw.Expr, name: str, otherwise: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(nw.lit(name)).otherwise(otherwise)


def _counts(
    plan: Plan, snapshot: Snapshot, rungs: Ladder, deals: nw.LazyFrame, steps: dict[str, int]
) -> pd.DataFrame:
    offset, top = rungs.first_deal, len(rungs.steps) - 1
    first = day_number(begins(plan))
    won = (nw.col("furthest") == top - offset) & (nw.col(f"at_{top - offset}") >= first)
    reached = {
        f"n_{step}": nw.when(nw.col("furthest") >= step - offset).then(nw.lit(1))
        for step in steps.values()
        if offset <= step < top
    }
    sums = {**reached, f"n_{top}": nw.when(won).then(nw.lit(1))}
    sums |= {kind: nw.when(won).then(nw.col(column)) for kind, column in VALUES.items()}
    summed = deals.select("stream", **sums).group_by("stream")
    found = collect(summed.agg(*[nw.col(name).sum() for name in sums])).set_index("stream")
    found = found.reindex([NEW, PIPELINE, DIRECT]).astype("float64").fillna(0.0)
    names = {stage: f"n_{step}" for stage, step in steps.items()}
    if plan.top == "leads":
        leads = snapshot.leads.lazy().filter(nw.col("created_day") >= first)
        n = int(collect(leads.select(n=nw.len()))["n"].iloc[0])
        found["n_0"] = [float(n), 0.0, 0.0]
    counts = pd.DataFrame({stage: found[name] for stage, name in names.items()})
    return counts.assign(**{kind: found[kind] for kind in VALUES})


def _waiting(
    plan: Plan, rungs: Ladder, deals: nw.LazyFrame, between: tuple[int, int]
) -> pd.DataFrame:
    """New records that reached the first step and may still reach the second, by age."""
    start, end = (step - rungs.first_deal for step in between)
    if start < 0:
        since = nw.col("start")
        here = rungs.lead_climbs.filter(
            nw.col("linked") == 0,
            nw.col("converted_day").is_null(),
            nw.col("cause") == OPEN,
            since >= day_number(begins(plan)),
        )
    else:
        since = nw.col(f"at_{start}")
        here = deals.filter(
            nw.col("stream") == NEW,
            nw.col("cause") == OPEN,
            nw.col("furthest") >= start,
            nw.col("furthest") < end,
        )
    aged = here.select(age=nw.lit(rungs.as_of_day) - since)
    return collect(aged.filter(~nw.col("age").is_null()).group_by("age").agg(n=nw.len()))
