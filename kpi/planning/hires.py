"""Who must begin when, so that the sellers can carry a plan."""

from datetime import date

import numpy as np
import pandas as pd

from kpi.periods import month_start
from kpi.planning.curve import Floats
from kpi.planning.plan import Plan
from kpi.planning.staff import Staff, clock, staff
from kpi.planning.target import PlanError
from kpi.planning.workload import DEALS_A_SELLER, LEADS_A_SELLER, Load, check, loaded


def hires(
    plan: Plan | None,
    sellers: float | pd.DataFrame,
    *,
    leads_per_seller: float = LEADS_A_SELLER,
    deals_per_seller: float = DEALS_A_SELLER,
    ramp_months: float = 0,
    leave_rate: float = 0.0,
) -> pd.DataFrame:
    """Work out how many sellers must begin by when, so that no month of a plan is short.

    Month by month: where those on board (and those hired for earlier months) are too few, so many
    more begin a ramp earlier that the month is covered. Fractions of a person are rounded up.

    Parameters
    ----------
    plan, sellers, leads_per_seller, deals_per_seller, ramp_months, leave_rate
        As for `capacity`. New sellers take `ramp_months` to full speed; where that is 0, the median
        of the ramps in a table of owners.

    Returns
    -------
    DataFrame, one row per month that needs more sellers
        ``for_month`` (first day of the month that would be short), ``hires`` (whole sellers),
        ``begin`` (first day of the month in which they must begin), ``in_time`` (whether that is
        not before the plan starts). No row where nobody is needed.

    Raises
    ------
    PlanError
        As `capacity`; or if there is no plan (None).

    Notes
    -----
    A later start costs what the ramp lacks: hire more people then, or move the plan. Hires leave at
    the rate of the others; that is counted in.

    Examples
    --------
    >>> from kpi.planning import FunnelModel, reverse_funnel
    >>> plan = reverse_funnel(FunnelModel.assume(), wins=20, start="2027-01-01", by="2027-02-28")
    >>> hires(plan, 2, ramp_months=3).astype("str").iloc[0].tolist()
    ['2027-01-01', '3', '2026-10-01', 'False']
    """
    check(leads_per_seller, deals_per_seller, leave_rate)
    if plan is None:
        raise PlanError("there is no plan to hire for: make one that can be reached first")
    load = loaded(plan, None)
    team = staff(sellers, plan.start, ramp_months)
    ramp = float(np.median(team.ramp)) if ramp_months == 0 and len(team.ramp) else ramp_months
    wanted = _wanted(load, plan, leads_per_seller, deals_per_seller)
    there = team.effective(load.months, leave_rate).sum(axis=0)
    rows = []
    for place, month in enumerate(load.month):
        begin = _before(max(month.date(), plan.start), ramp)
        one = _one(begin, ramp).effective(load.months, leave_rate)[0]
        more = int(np.ceil(round((wanted[place] - there[place]) / one[place], 6)))
        if more <= 0:
            continue
        there = there + more * one
        rows.append((month, more, pd.Timestamp(begin), begin >= plan.start))
    table = pd.DataFrame(rows, columns=["for_month", "hires", "begin", "in_time"])
    return table.astype(
        {
            "for_month": "datetime64[us]",
            "hires": "int64",
            "begin": "datetime64[us]",
            "in_time": "bool",
        }
    )


def _wanted(load: Load, plan: Plan, leads_each: float, deals_each: float) -> Floats:
    """Full sellers that each month takes."""
    most = load.deals_need / deals_each
    if plan.top == "leads":
        most = np.maximum(most, load.need / leads_each)
    return np.asarray(most / load.months.part)


def _before(day: date, ramp: float) -> date:
    """Day on which a seller must begin to be up to speed on another: the first of a month."""
    return month_start(day, -int(np.ceil(ramp))) if ramp > 0 else day


def _one(begin: date, ramp: float) -> Staff:
    return Staff(np.array([clock(begin)]), np.array([ramp]), np.ones(1), np.full(1, np.nan))
