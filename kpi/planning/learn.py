"""What a snapshot teaches about its funnel: the figures of `kpi.planning.FunnelModel`."""

from dataclasses import replace
from typing import Any

import narwhals as nw
import pandas as pd

from kpi.acquisition.cost import cost_per_lead
from kpi.cohorts import durations
from kpi.deals.win_rate import of_type
from kpi.engine import collect
from kpi.periods import day_number, from_day, month_start
from kpi.planning.base import fitted_base
from kpi.planning.caveats import FEW_CLOSED, caveats
from kpi.planning.curve import Curve, fitted
from kpi.planning.ladder import Ladder, ladder
from kpi.planning.lead_flow import LeadFlow, flow
from kpi.planning.lever_history import past
from kpi.planning.posterior import delay_areas
from kpi.planning.values import Values, fitted_values
from kpi.rewind import count
from kpi.snapshot import Snapshot
from kpi.tables import TableError

DIRECT_MONTHS = 12
RECENT_MONTHS = 6
RULE = 0.15 * 0.33  # of the articles: leads that become a deal, deals won
RULE_LEADS = 20.0  # leads that the rule is worth beside a short history


def learnt(snapshot: Snapshot) -> dict[str, Any]:
    """Attributes of the fitted model, its steps as (name, label); see `FunnelModel.fit`."""
    snapshot.need("deals", of="FunnelModel.fit")
    rungs = ladder(snapshot)
    curves = _curves(snapshot, rungs)
    if rungs.has_leads and curves[0, len(rungs.steps) - 1].final == 0:
        rungs = rungs.without_leads()
        curves = _curves(snapshot, rungs)
    top = len(rungs.steps) - 1
    if curves[0, top].final == 0:
        won = count(rungs.deals.filter(nw.col("outcome") == "won"))
        undated = f"no deal won has a creation date ({won:,} were won)"
        why = undated if won else "no deal of new business was won"
        raise TableError(
            f"{why} in the data of {snapshot.source} up to {snapshot.as_of}: there is no rate to "
            "plan with; use FunnelModel.assume(...)"
        )
    direct, leads = _monthly(snapshot, rungs)
    closed = count(rungs.deals.filter(nw.col("outcome") != "open"))
    notes = list(caveats(snapshot, rungs, curves[0, top]))
    delays = delay_areas(_counted(snapshot, rungs, 0, top), curves[0, top], 0)
    if rungs.has_leads and closed < FEW_CLOSED:
        curves = _leaning(curves, top, notes)
    wins = _won(rungs)
    worth, bookings = _worth(wins, "mrr"), _worth(wins, "amount")
    return {
        "steps": rungs.steps,
        "curves": curves,
        "as_of": snapshot.as_of,
        "source": snapshot.described,
        "delays": delays,
        "worth": worth,
        "bookings": bookings,
        "base": fitted_base(snapshot),
        "lead_flow": flow(snapshot) if rungs.has_leads else LeadFlow(),
        "won": _won_by_day(wins),
        "closed": closed,
        "lead_cost": _lead_cost(snapshot),
        "appointments_per_lead": _appointments(snapshot, leads),
        "definitions": f"# version {snapshot.definitions.version}\n{snapshot.definitions.to_toml()}",
        "waiting": rungs.waiting(),
        "direct_per_month": direct,
        "leads_per_month": leads,
        "recent_wins": recent_wins(snapshot),
        "history": past(snapshot, rungs, curves, wins),
        "notes": tuple(notes),
    }


def recent_wins(snapshot: Snapshot) -> int:
    """Deals of new business won in the six months up to the as-of date."""
    day = snapshot.as_of
    back = month_start(day, -RECENT_MONTHS)
    length = (month_start(back, 1) - back).days
    since = day_number(back.replace(day=min(day.day, length)))
    won = of_type(snapshot, "new").filter(nw.col("outcome") == "won", nw.col("closed_day") > since)
    return int(collect(won.select(nw.len().alias("n")))["n"].iloc[0])


def _counted(snapshot: Snapshot, rungs: Ladder, start: int, end: int) -> pd.DataFrame:
    return durations(snapshot, rungs.followed(start, end), [], start="start", end="end")


def _curves(snapshot: Snapshot, rungs: Ladder) -> dict[tuple[int, int], Curve]:
    """Incidence from every step to every later one."""
    return {pair: fitted(_counted(snapshot, rungs, *pair)) for pair in rungs.pairs}


def _leaning(
    curves: dict[tuple[int, int], Curve], top: int, notes: list[str]
) -> dict[tuple[int, int], Curve]:
    """Let the articles' rule weigh in where few deals have closed: on what new leads bring."""
    own = curves[0, top]
    x, n = own.x + RULE * RULE_LEADS, own.n + RULE_LEADS
    notes.append(
        f"few deals have closed: the rule of thumb of {RULE:.1%} of leads won (15 % x 33 %, MSP "
        f"articles, not yours) weighs {RULE_LEADS / n:.0%} beside your own {own.final:.1%}"
    )
    factor = (x / n) / own.final
    leaned = {(0, j): curves[0, j].scaled(factor) for j in range(1, top + 1)}
    leaned[0, top] = replace(leaned[0, top], x=x, n=n)
    return curves | leaned


def _won(rungs: Ladder) -> pd.DataFrame:
    """Deals won by day: ``created_day, closed_day, mrr, amount``."""
    won = rungs.deals.filter(nw.col("outcome") == "won")
    return collect(won.select("created_day", "closed_day", "mrr", "amount"))


def _worth(won: pd.DataFrame, column: str) -> Values | None:
    days = (won["closed_day"] - won["created_day"]).astype("float64")
    return fitted_values(pd.DataFrame({"value": won[column].astype("float64"), "days": days}))


def _won_by_day(won: pd.DataFrame) -> pd.DataFrame:
    dated = won[won["closed_day"].notna()].assign(wins=1)
    sums = dated.groupby("closed_day")[["wins", "mrr", "amount"]].sum().reset_index()
    named = sums.rename(columns={"closed_day": "day", "mrr": "new_mrr", "amount": "bookings"})
    return named.astype({"day": "int64", "wins": "int64"})


def _appointments(snapshot: Snapshot, leads_per_month: float) -> float:
    """Meetings held for each lead, over the last twelve whole months."""
    if "meetings" not in snapshot.present or not leads_per_month > 0:
        return float("nan")
    end = month_start(snapshot.as_of)
    held = snapshot.meetings.lazy().filter(
        nw.col("outcome") == "held",
        nw.col("starts_day") >= day_number(month_start(end, -DIRECT_MONTHS)),
        nw.col("starts_day") < day_number(end),
    )
    return count(held) / (leads_per_month * DIRECT_MONTHS)


def _lead_cost(snapshot: Snapshot) -> float:
    if not {"costs", "leads"} <= set(snapshot.present):
        return float("nan")
    return float(cost_per_lead(snapshot)["value"].iloc[0])


def _monthly(snapshot: Snapshot, rungs: Ladder) -> tuple[float, float]:
    """Direct deals and leads a month over the last twelve whole months of the data."""
    first = collect(rungs.deals.select(nw.col("created_day").min()))["created_day"].iloc[0]
    nothing = 0.0, float("nan")
    if pd.isna(first):
        return nothing
    begin = max(from_day(first), snapshot.window_start or from_day(first))
    end = month_start(snapshot.as_of)
    start = max(month_start(end, -DIRECT_MONTHS), month_start(begin))
    months = (end.year - start.year) * 12 + end.month - start.month
    if months < 1:
        return nothing
    inside = [(start - from_day(0)).days, (end - from_day(0)).days]

    def monthly(frame: nw.LazyFrame, day: str) -> float:
        seen = frame.filter(nw.col(day) >= inside[0], nw.col(day) < inside[1])
        return float(collect(seen.select(nw.len().alias("n")))["n"].iloc[0]) / months

    direct = rungs.deals.filter(nw.col("lead").is_null())
    if not rungs.has_leads:
        return nothing
    return monthly(direct, "created_day"), monthly(snapshot.leads.lazy(), "created_day")
