"""What the board says of leads: those created in the last two periods, and what became of them."""

import narwhals as nw
import numpy as np

from kpi.cohorts import durations, one_rate
from kpi.engine import collect
from kpi.lately import Asked, Periods, Row, Shown, period_of
from kpi.leads.conversion import followed_leads

USED = ("lead_id", "stage_id", "created_day", "converted_day", "linked", "updated_day")
RIPE_DAYS = 90
"""Age at which cohorts of leads are compared where the definitions name none."""


def ripe_age(asked: Asked) -> int:
    """Age in days at which cohorts of leads are compared."""
    return asked.snapshot.definitions.horizon_days or RIPE_DAYS


def leads_lately(asked: Asked) -> dict[str, Shown]:
    """Rows of `leads_created` and `lead_conversion`; nothing without table leads."""
    if "leads" not in asked.snapshot.present:
        return {}
    return {"leads_created": _created(asked), "lead_conversion": _converted(asked)}


def _of_periods(asked: Asked, periods: Periods) -> nw.LazyFrame:
    """Leads created in the two periods."""
    day = nw.col("created_day")
    leads = asked.snapshot.leads.lazy().filter(day >= periods.before, day < periods.after)
    return leads.select(*USED, period=period_of("created_day", periods))


def _created(asked: Asked) -> Shown:
    periods = asked.periods()
    counted = collect(_of_periods(asked, periods).group_by("period").agg(n=nw.len()))
    found = dict(zip(counted["period"], counted["n"], strict=True))
    return Shown(None, *(_count(int(found.get(day, 0))) for day in (periods.now, periods.before)))


def _count(n: int) -> Row:
    return {"value": float(n), "low": np.nan, "high": np.nan, "x": n, "n": n, "note": ""}


def _converted(asked: Asked) -> Shown:
    age = ripe_age(asked)
    periods = asked.periods(age)
    followed = followed_leads(asked.snapshot, _of_periods(asked, periods))
    counted = durations(asked.snapshot, followed, ["period"], start="created_day", end="end")
    parts = [counted[counted["period"] == day] for day in (periods.now, periods.before)]
    return Shown(None, *(one_rate(part, level=asked.level, horizon_days=age) for part in parts))
