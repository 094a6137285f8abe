"""What came since a plan began, by month and stage, counted as the plan counts it."""

from datetime import date, timedelta
from itertools import pairwise

import narwhals as nw
import pandas as pd

from kpi.engine import collect
from kpi.periods import day_number, month_start
from kpi.planning.ladder import Ladder, ladder
from kpi.planning.plan import Plan
from kpi.planning.target import PlanError
from kpi.snapshot import Snapshot


def begins(plan: Plan) -> date:
    """First day that the table of a plan covers: its start, or the day after its data ended."""
    return plan.start if plan.as_of is None else max(plan.start, plan.as_of + timedelta(days=1))


def months(plan: Plan) -> list[date]:
    """First days of the months of a plan."""
    return [month.date() for month in pd.DatetimeIndex(plan.table["month"].unique())]


def over(plan: Plan, snapshot: Snapshot) -> list[date]:
    """Months of the plan whose days have all passed when the data ends."""
    return [
        month
        for month in months(plan)
        if min(month_start(month, 1) - timedelta(days=1), plan.by) <= snapshot.as_of
    ]


def places(plan: Plan, rungs: Ladder) -> dict[str, int]:
    """Step of the ladder for each stage of the plan.

    The deals of a plan made without data are those of the first deal stage.

    Raises
    ------
    PlanError
        If the data has no such stage (any more).
    """
    names = {name: i for i, (name, _) in enumerate(rungs.steps)}
    names.setdefault("deals", rungs.first_deal)
    wanted = [str(stage) for stage in plan.table["stage"].unique()]
    lost = [stage for stage in wanted if stage not in names]
    if lost:
        raise PlanError(
            f"the plan counts {lost}, which the data does not have; it has {[*names]}: name the "
            "stages as they were, or make a new plan"
        )
    return {stage: names[stage] for stage in wanted}


def arrivals(plan: Plan, snapshot: Snapshot) -> pd.DataFrame:
    """Count the records that first reached each stage of a plan, or a later one, in each month.

    Returns
    -------
    DataFrame, one row per month of the plan, one column per stage
        Records from the first day of the plan to the as-of date, or the last day of the plan where
        that is earlier; 0 in months that have not begun.

    Raises
    ------
    PlanError
        If the plan has not begun when the data ends, or the data lacks one of its stages.
    """
    first = begins(plan)
    if snapshot.as_of < first:
        raise PlanError(
            f"the plan begins on {first} and the data ends on {snapshot.as_of}: there is nothing "
            "to compare yet"
        )
    rungs = ladder(snapshot)
    found = {}
    for stage, step in places(plan, rungs).items():
        leads = rungs.has_leads and step == 0
        frame = snapshot.leads.lazy() if leads else rungs.deal_climbs
        column = "created_day" if leads else f"at_{step - rungs.first_deal}"
        found[stage] = _by_month(frame, column, plan)
    return pd.DataFrame(found, index=pd.DatetimeIndex(plan.table["month"].unique(), name="month"))


def _by_month(frame: nw.LazyFrame, column: str, plan: Plan) -> list[int]:
    first, last = begins(plan), plan.by + timedelta(days=1)
    edges = [first, *months(plan)[1:], last]
    dated = frame.filter(
        nw.col(column) >= day_number(first), nw.col(column) < day_number(last)
    ).select(day=nw.col(column))
    counts = collect(dated.group_by("day").agg(n=nw.len()))
    found = []
    for begin, end in pairwise(edges):
        inside = (counts["day"] >= day_number(begin)) & (counts["day"] < day_number(end))
        found.append(int(counts.loc[inside, "n"].sum()))
    return found


def caution(plan: Plan, snapshot: Snapshot) -> tuple[str, ...]:
    """Say where plan and data are not made alike: other definitions, other filters."""
    said = []
    if plan.definitions and f"version {snapshot.definitions.version}\n" not in plan.definitions:
        said.append("the definitions have changed since the plan was made: what counts differs")
    if plan.as_of is not None and filters_of(plan.source) != filters_of(snapshot.described):
        said.append(
            f"the plan was made with filters: {filters_of(plan.source)}; this data has: "
            f"{filters_of(snapshot.described)}"
        )
    return tuple(said)


def filters_of(described: str) -> str:
    """Return the filters out of what `Snapshot.described` says.

    >>> filters_of("as of 2026-11-01 · source: store · filters: region: east · definitions 1a2b")
    'region: east'
    """
    return described.rpartition("filters: ")[2].rpartition(" · definitions")[0]
