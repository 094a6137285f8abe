"""Forecasts of the wins of some months: by the fitted model, and by three simple methods."""

from dataclasses import replace
from datetime import date
from typing import Literal

import numpy as np

from kpi.deals.win_rate import win_rate
from kpi.leads.conversion import lead_conversion
from kpi.periods import month_start
from kpi.pipeline.weighted import weighted_pipeline
from kpi.planning.curve import Floats, Ints
from kpi.planning.horizon import Horizon
from kpi.planning.lead_flow import LeadFlow
from kpi.planning.learn import RECENT_MONTHS
from kpi.planning.model import FunnelModel
from kpi.planning.posterior import FORWARD, stream
from kpi.planning.simulate import forward, worth
from kpi.planning.wins import Coming
from kpi.snapshot import Snapshot

Measure = Literal["wins", "new_mrr"]
CAME, EXPECTED = "model, leads as they came", "model, leads expected"
STAGES, TRAILING, RATES = "stage percentages", "trailing mean", "leads x rates"
MODELS, SIMPLE = (CAME, EXPECTED), (STAGES, TRAILING, RATES)
LEVEL_MONTHS = 12


def model_draws(
    model: FunnelModel, horizon: Horizon, leads: Floats, of: Measure, *, draws: int, seed: int
) -> dict[str, Floats]:
    """Draws of what comes, all months together, with the leads that came and with those expected.

    The leads that came are taken as they were. Those expected come at the pace of the last twelve
    whole months; how far that pace is known, and how much months vary, is drawn.

    Parameters
    ----------
    leads : array, (months,)
        Leads created in each month (deals, where the model begins with these).

    Returns
    -------
    dict of method to array, (draws,)
        Wins, or their new recurring revenue a month; missing where values are not known.
    """
    counted = replace(model, lead_flow=LeadFlow())
    came = Coming(counted, horizon, draws, seed)
    found = {CAME: _brought(came, forward(came, leads), of)}
    months = model.lead_flow.months[-LEVEL_MONTHS:]
    if not months:
        return found | {EXPECTED: np.full(draws, np.nan)}
    expected = Coming(model, horizon, draws, seed)
    whole = [(month_start(m, 1) - m).days for m in horizon.months]
    part = np.array([b - a for a, b in horizon.spans]) / np.array(whole)
    pace = float(np.mean(months))
    rng = stream(seed, FORWARD + 2)
    known = rng.gamma(sum(months) + 0.5, 1 / (sum(months) + 0.5), draws)
    mean = expected.new(pace * part) * known[:, None] + expected.direct
    wins = expected.pipeline + rng.poisson(mean)
    return found | {EXPECTED: _brought(expected, wins, of)}


def _brought(coming: Coming, wins: Ints, of: Measure) -> Floats:
    if of == "wins":
        return np.asarray(wins.sum(axis=1), dtype="float64")
    return np.asarray(worth(coming, wins, coming.model.worth).sum(axis=1))


def simple_means(then: Snapshot, model: FunnelModel, horizon: Horizon, leads: float) -> Floats:
    """Wins that the three simple methods expect, in the order of `SIMPLE`; missing without data.

    Notes
    -----
    Stage percentages: the sum of the CRM's own chances over the open deals, whenever they close.
    Trailing mean: wins a month of the last six months, times the months ahead. Leads x rates: the
    leads that came, times converted / created, times won / (won + lost), whenever they close.
    """
    months = sum((b - a) for a, b in horizon.spans) / 30.4375
    stages = {"deals", "stages"} <= set(then.present)
    stated = weighted_pipeline(then, probability="crm", of="amount") if stages else None
    by_stage = np.nan if stated is None else float(stated["expected_wins"].iloc[0])
    trailing = model.recent_wins / RECENT_MONTHS * months
    closed = float(win_rate(then)["value"].iloc[0])
    rate = closed
    if model.has_leads:
        created = lead_conversion(then, basis="period")["value"]
        rate = closed * float(created.iloc[0])
    return np.array([by_stage, trailing, leads * rate])


def simple_draws(mean: float, model: FunnelModel, of: Measure, *, draws: int, seed: int) -> Floats:
    """Poisson wins around a simple method's mean, each worth one of the deals won; (draws,)."""
    if np.isnan(mean):
        return np.full(draws, np.nan)
    rng = stream(seed, FORWARD + 3)
    wins = rng.poisson(mean, draws)
    if of == "wins":
        return wins.astype("float64")
    if model.worth is None:
        return np.full(draws, np.nan)
    found = np.zeros(draws)
    some = np.flatnonzero(wins)
    values = rng.choice(model.worth.seen, int(wins.sum()))
    if len(some):
        found[some] = np.add.reduceat(values, (np.cumsum(wins) - wins)[some])
    return found


def horizon_of(origin: date, months: int) -> Horizon:
    """Months ahead of a date: the rest of its month, or the next one, and those after it."""
    from_day = date.fromordinal(origin.toordinal() + 1)
    last = date.fromordinal(month_start(from_day, months).toordinal() - 1)
    return Horizon.of(from_day, last, origin)
