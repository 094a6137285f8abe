"""Plan against actual, by month and stage; a colour only outside what chance explains."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import nbinom, poisson

from kpi.planning.actuals import arrivals, caution, over
from kpi.planning.curve import Floats
from kpi.planning.plan import Plan
from kpi.snapshot import Snapshot

BAND = (0.1, 0.9)
NORMAL = 1.2815515655446004  # how many standard deviations the 80 % band lies off the mean
ON, ABOVE, BELOW, EARLY = "on plan", "above", "below", "too early"


def track(plan: Plan, snapshot: Snapshot) -> pd.DataFrame:
    """Compare what came with what was planned, month by month and stage by stage.

    A record counts in the month in which it first reached the stage or a later one, so a month's
    count no longer changes once it is over (but for what is entered late). A month still running is
    told apart: ``mature`` is False, and no status is given.

    Parameters
    ----------
    plan : Plan
        As made, or read from its file.
    snapshot : Snapshot
        Narrowed like the one that the plan was made from. What is later than the last day of the
        plan does not count.

    Returns
    -------
    DataFrame, one row per month and stage of the plan
        ``month`` (its first day), ``stage``, ``label``, ``plan`` (records expected to reach the
        stage in the month), ``low, high`` (80 % band around it), ``actual`` (records that did up to
        the as-of date; missing where the month has not begun),
        ``mature`` (the month is over), ``status``: ``on plan``, ``above`` or ``below`` (outside the
        band), or ``too early``. ``.attrs["notes"]`` says where plan and data are not made alike.

    Raises
    ------
    PlanError
        If the plan has not begun when the data ends, or the data lacks one of its stages.

    Notes
    -----
    The band of ``won`` is that of the simulated months. Leads vary around the plan as a Poisson
    number does, or as much more as the company's own months did; stages between vary as a negative
    binomial one, with the relative variance beyond Poisson that the simulated wins have (rates and
    delays that are not known exactly).
    """
    came = arrivals(plan, snapshot)
    ended = set(over(plan, snapshot))
    found = plan.table[["month", "stage", "label"]].copy()
    found["plan"] = plan.table["need"].to_numpy("float64")
    found["low"], found["high"] = _bands(plan)
    begun = found["month"] <= pd.Timestamp(snapshot.as_of)
    keys = zip(found["month"], found["stage"], strict=True)
    actual = pd.Series([float(came.loc[month, stage]) for month, stage in keys], found.index)
    found["actual"] = actual.where(begun)
    found["mature"] = [month.date() in ended for month in found["month"]]
    found["status"] = _status(found)
    found.attrs["notes"] = caution(plan, snapshot)
    return found


def _bands(plan: Plan) -> tuple[Floats, Floats]:
    """80 % band of each row of the table."""
    need = plan.table["need"].to_numpy("float64")
    stage = plan.table["stage"].to_numpy()
    low, high = np.zeros(len(need)), np.zeros(len(need))
    extra = _extra(plan)
    for place, share in ((low, BAND[0]), (high, BAND[1])):
        place[:] = poisson.ppf(share, need)
        if extra > 0:
            between = stage != "leads"
            wide = nbinom.ppf(share, 1 / extra, 1 / (1 + need[between] * extra))
            place[between] = wide
        if np.isfinite(plan.lead_size):
            leads, size = stage == "leads", plan.lead_size
            place[leads] = nbinom.ppf(share, size, size / (size + need[leads]))
    for month, row in plan.outcome.set_index("month").iterrows():
        here = (stage == "won") & (plan.table["month"] == month).to_numpy()
        low[here], high[here] = row["wins_low"], row["wins_high"]
    return np.maximum(low, 0.0), high


def _extra(plan: Plan) -> float:
    """Relative variance of the simulated wins beyond that of a Poisson number; 0 or more."""
    mean = plan.outcome["wins"].to_numpy("float64")
    spread = (plan.outcome["wins_high"] - plan.outcome["wins_low"]).to_numpy("float64")
    more = float(((spread / (2 * NORMAL)) ** 2 - mean).sum())
    return max(more / float((mean**2).sum()), 0.0) if (mean > 0).any() else 0.0


def _status(found: pd.DataFrame) -> Sequence[str]:
    side = np.where(found["actual"] > found["high"], ABOVE, ON)
    side = np.where(found["actual"] < found["low"], BELOW, side)
    return [str(said) for said in np.where(found["mature"], side, EARLY)]
