"""What there is to work in each month of a plan."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from kpi.planning.curve import Floats
from kpi.planning.plan import Plan
from kpi.planning.staff import Months
from kpi.planning.target import PlanError, checked_leads

LEADS_A_SELLER, DEALS_A_SELLER = 75.0, 15.0


class Load(NamedTuple):
    """What there is to work in each month of a plan, and what becomes of it."""

    month: pd.Series
    months: Months
    need: Floats
    deals_need: Floats
    leads: Floats
    others: Floats
    to_deal: float
    lead_to_won: float
    to_won: float


def loaded(plan: Plan, leads_by_month: Mapping[str, float] | None) -> Load:
    """Work of a plan by month; with other leads where these are given."""
    stages = list(plan.table["stage"].unique())
    deal = stages[1] if plan.top == "leads" else stages[0]
    first, begun = (_rows(plan, stage) for stage in (stages[0], deal))
    month = first["month"]
    days = [when.date() for when in month]
    need = first["need"].to_numpy("float64")
    rates = [plan.rates[stage] for stage in stages[:-1]]
    others = begun["in_pipeline"] + begun["direct"] if plan.top == "leads" else 0 * begun["direct"]
    leads = need
    if leads_by_month is not None:
        named = checked_leads(leads_by_month)
        outside = [f"{when:%Y-%m}" for when in named if when not in days]
        if outside:
            raise PlanError(
                f"leads of {', '.join(outside)} lie outside the plan, {days[0]:%Y-%m} to {days[-1]:%Y-%m}"
            )
        leads = np.array([named.get(day, 0.0) for day in days])
    return Load(
        month=month,
        months=Months.of(days, plan.start, plan.by),
        need=need,
        deals_need=begun["need"].to_numpy("float64"),
        leads=leads,
        others=others.to_numpy("float64"),
        to_deal=rates[0] if plan.top == "leads" else 1.0,
        lead_to_won=plan.lead_to_won if plan.top == "leads" else plan.deal_to_won,
        to_won=plan.deal_to_won,
    )


def check(leads_per_seller: float, deals_per_seller: float, leave_rate: float) -> None:
    """Refuse what makes no sense, by name."""
    for name, each in {
        "leads_per_seller": leads_per_seller,
        "deals_per_seller": deals_per_seller,
    }.items():
        if not 0 < each < np.inf:
            raise PlanError(f"{name} = {each}; expected a number above 0, a month")
    if not 0 <= leave_rate < 1:
        raise PlanError(f"leave_rate = {leave_rate}; expected a share of 0 or more, below 1 (0.2)")


def _rows(plan: Plan, stage: str) -> pd.DataFrame:
    return plan.table[plan.table["stage"] == stage].sort_values("month", ignore_index=True)
