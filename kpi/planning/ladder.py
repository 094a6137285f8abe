"""The steps from lead to won, and the day on which each record first reached each of them."""

from dataclasses import dataclass, replace

import narwhals as nw
import pandas as pd

from kpi.deals.win_rate import of_type
from kpi.engine import collect
from kpi.funnel.reach import reached, steps
from kpi.leads.conversion import followed_leads
from kpi.rewind import count
from kpi.snapshot import Snapshot

LOST, OPEN = 2, 0


@dataclass(frozen=True, eq=False)
class Ladder:
    """Records by step: leads (where there are some), deal stages, won.

    ``climbs`` has one row per lead and one per deal: ``kind``, ``start`` (day of creation of a
    lead; none for a deal), ``at_0, at_1, ...`` (day it first reached each deal step or a later
    one), ``furthest`` (highest deal step), ``cause`` (2 lost, 0 not) and ``lost`` (its day).
    """

    steps: tuple[tuple[str, str], ...]
    has_leads: bool
    deals: nw.LazyFrame
    deal_climbs: nw.LazyFrame
    lead_climbs: nw.LazyFrame
    as_of_day: int
    notes: tuple[str, ...]

    @property
    def first_deal(self) -> int:
        """Index of the first deal step."""
        return 1 if self.has_leads else 0

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Every (step, later step)."""
        count = len(self.steps)
        return [(i, j) for i in range(count) for j in range(i + 1, count)]

    def without_leads(self) -> "Ladder":
        """Return the ladder that begins with deals, for leads that say nothing about wins."""
        why = "no lead with a creation date was won: the funnel begins with deals"
        return replace(
            self,
            steps=self.steps[1:],
            has_leads=False,
            lead_climbs=self.deal_climbs,
            notes=(*self.notes, why),
        )

    def followed(self, start: int, end: int) -> nw.LazyFrame:
        """Records that reached step `start`, followed to step `end`: ``start, end, cause``."""
        offset = self.first_deal
        goal = nw.col(f"at_{end - offset}")
        beyond = nw.col("furthest") >= end - offset
        if self.has_leads and start == 0:
            climbs, begin = self.lead_climbs, nw.col("start")
        else:
            climbs, begin = self.deal_climbs, nw.col(f"at_{start - offset}")
            climbs = climbs.filter(nw.col("furthest") >= start - offset)
        arrived = beyond & ~goal.is_null()
        cause = (
            nw.when(arrived)
            .then(nw.lit(1))
            .otherwise(nw.when(beyond).then(nw.lit(-1)).otherwise(nw.col("cause")))
        )
        last = nw.when(arrived).then(goal).otherwise(nw.col("lost"))
        return climbs.select(start=begin, end=last, cause=cause)

    def uncounted(self) -> dict[str, int]:
        """Count what the plan cannot count: name of the case and records."""
        top = len(self.steps) - 1 - self.first_deal
        still = self.deal_climbs.filter(nw.col("cause") == OPEN, nw.col("furthest") < top)
        undated = nw.lit(value=False)
        for k in range(top):
            undated = undated | ((nw.col("furthest") == k) & nw.col(f"at_{k}").is_null())
        found = {"undated": count(still.filter(undated))}
        if self.has_leads:
            climbs = self.lead_climbs
            astray = (nw.col("lead_cause") == 1) & (nw.col("linked") == 0)
            found["astray"] = count(climbs.filter(astray))
            found["several"] = count(climbs.filter(nw.col("deals_won") > 1))
        return found

    def waiting(self) -> pd.DataFrame:
        """Open records by step and days since they reached it: ``step, age, n``."""
        parts = []
        if self.has_leads:
            fresh = self.lead_climbs.filter(
                nw.col("linked") == 0, nw.col("converted_day").is_null(), nw.col("cause") == OPEN
            )
            parts.append(fresh.select(step=nw.lit(0), since=nw.col("start")))
        top = len(self.steps) - 1 - self.first_deal
        open_deals = self.deal_climbs.filter(nw.col("cause") == OPEN, nw.col("furthest") < top)
        for k in range(top):
            here = open_deals.filter(nw.col("furthest") == k)
            step = nw.lit(k + self.first_deal)
            parts.append(here.select(step=step, since=nw.col(f"at_{k}")))
        ages = nw.concat(parts).with_columns(age=nw.lit(self.as_of_day) - nw.col("since"))
        counted = collect(ages.group_by("step", "age").agg(nw.len().alias("n")))
        known = counted[counted["age"].notna() & (counted["age"] >= 0)]
        whole = known.astype({"step": "int64", "age": "int64", "n": "int64"})
        return whole.sort_values(["step", "age"], ignore_index=True)


def ladder(snapshot: Snapshot) -> Ladder:
    """Lay out the steps of new business; stages are pooled where several funnels have some."""
    deals = of_type(snapshot, "new")
    notes: list[str] = []
    stages = _stages(snapshot, deals, notes)
    if stages:
        table = reached(snapshot).join(deals.select("deal_id"), on="deal_id", how="semi")
        days = {f"at_{k}": nw.col(f"reach_{k}") for k in range(len(stages) + 1)}
    else:
        stages = [("deals", "Deals")]
        won = nw.when(nw.col("outcome") == "won")
        table = deals.with_columns(
            furthest=won.then(nw.lit(1)).otherwise(nw.lit(0)),
        )
        days = {"at_0": nw.col("created_day"), "at_1": won.then(nw.col("closed_day"))}
    lost = nw.col("outcome") == "lost"
    climbs = snapshot.engine.keep(
        table.select(
            "deal_id",
            "lead",
            "furthest",
            **days,
            cause=nw.when(lost).then(nw.lit(LOST)).otherwise(nw.lit(OPEN)),
            lost=nw.when(lost).then(nw.col("closed_day")),
        )
    )
    has_leads = "leads" in snapshot.present and len(snapshot.leads) > 0
    top = [("leads", "Leads")] if has_leads else []
    return Ladder(
        steps=(*top, *stages, ("won", "Won")),
        has_leads=has_leads,
        deals=deals,
        deal_climbs=climbs,
        lead_climbs=_lead_climbs(snapshot, climbs, len(stages)) if has_leads else climbs,
        as_of_day=snapshot.as_of_day,
        notes=tuple(notes),
    )


def _stages(snapshot: Snapshot, deals: nw.LazyFrame, notes: list[str]) -> list[tuple[str, str]]:
    """Open stages in order, as (name in plans, label); none where they cannot be told apart."""
    used = collect(deals.select("funnel").unique())["funnel"].tolist()
    if steps(snapshot) == 0:
        notes.append("no stages in the data: deals are followed from creation to close")
        return []
    if len(used) != 1:
        notes.append(
            f"new business runs in {len(used)} pipelines: stages are pooled; "
            "choose one with snapshot.where(pipeline=...)"
        )
        return []
    frame = collect(
        snapshot.stages.lazy().filter(
            nw.col("object") == "deal", nw.col("outcome") == "open", nw.col("funnel") == used[0]
        )
    ).sort_values("rank")
    labels = frame["label"].fillna(frame["stage_id"]).tolist()
    if not labels or _mostly_undated(snapshot, deals):
        notes.append("most deals have no stage history: they are followed from creation to close")
        return []
    return [(_name(label, i, labels), label) for i, label in enumerate(labels)]


def _mostly_undated(snapshot: Snapshot, deals: nw.LazyFrame) -> bool:
    """Tell whether fewer than half of the deals have any dated stage."""
    table = reached(snapshot).join(deals.select("deal_id"), on="deal_id", how="semi")
    dated = nw.when(~nw.col("recorded").is_null()).then(nw.lit(1)).otherwise(nw.lit(0))
    found = collect(table.select(n=nw.len(), dated=dated.sum()))
    return bool(found["n"].iloc[0] > 0 and found["dated"].iloc[0] * 2 < found["n"].iloc[0])


def _name(label: str, place: int, labels: list[str]) -> str:
    """Key of a stage in a plan: its label, or its place where the label could be mistaken."""
    taken = "lead" in label.lower() or label.lower() == "won" or labels.count(label) > 1
    return f"stage {place + 1}" if taken else label


def _lead_climbs(snapshot: Snapshot, climbs: nw.LazyFrame, top: int) -> nw.LazyFrame:
    """Leads with the best that their deals reached."""
    from_leads = climbs.filter(~nw.col("lead").is_null())
    opens = nw.when(nw.col("cause") == OPEN).then(nw.lit(1)).otherwise(nw.lit(0))
    wins = nw.when(nw.col("furthest") == top).then(nw.lit(1)).otherwise(nw.lit(0))
    best = from_leads.group_by("lead").agg(
        nw.col("furthest").max(),
        *[nw.col(f"at_{k}").min() for k in range(top + 1)],
        nw.col("lost").max().alias("deals_lost"),
        opens.sum().alias("deals_open"),
        wins.sum().alias("deals_won"),
    )
    leads = followed_leads(snapshot, snapshot.leads.lazy()).select(
        "lead_id",
        "linked",
        "converted_day",
        lead_cause=nw.col("cause"),
        lead_end=nw.col("end"),
        start=nw.col("created_day"),
    )
    both = leads.join(best, left_on="lead_id", right_on="lead", how="left")
    dealt = ~nw.col("furthest").is_null()
    all_lost = dealt & (nw.col("deals_open") == 0)
    # converted into no deal of new business that the data has: for this funnel it is gone
    gone = nw.when(nw.col("lead_cause") > 0).then(nw.lit(LOST)).otherwise(nw.col("lead_cause"))
    open_deal = nw.when(all_lost).then(nw.lit(LOST)).otherwise(nw.lit(OPEN))
    cause = nw.when(dealt).then(open_deal).otherwise(gone)
    return snapshot.engine.keep(
        both.with_columns(
            cause=cause,
            lost=nw.when(all_lost).then(nw.col("deals_lost")).otherwise(nw.col("lead_end")),
            furthest=nw.coalesce(nw.col("furthest"), nw.lit(-1)),
            linked=nw.when(dealt).then(nw.lit(1)).otherwise(nw.lit(0)),
        )
    )
