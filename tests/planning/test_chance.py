"""The chance of a plan against simulation: arrivals, delays and values drawn one by one."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from kpi.planning import FunnelModel, PlanError, reverse_funnel
from kpi.planning.curve import known
from kpi.planning.values import plain

RUNS = 6_000
LAGS = {"at once": 0, "exponential 45": 45.0, "custom": [0.1, 0, 0.2, *[0.0] * 40, 0.3, 0.4]}


def delays(rng, lag, size):
    """Draw delays in days: whole days for a distribution, any time for an exponential."""
    if np.ndim(lag):
        return rng.choice(len(lag), size, p=np.array(lag) / np.sum(lag))
    return rng.exponential(lag, size) if lag else np.zeros(size)


def simulated(rng, plan, rate, lag, values):
    """Draw what the plan's leads bring by its last day, in each of many runs."""
    months = plan.months_to_create
    reached = np.zeros(RUNS)
    for month, leads in months.items():
        first = max(month.date(), plan.start)
        last = min((month + pd.offsets.MonthEnd(0)).date(), plan.by)
        length, left = (last - first).days + 1, (plan.by - first).days + 1
        for run, count in enumerate(rng.poisson(leads * rate, RUNS)):
            created = rng.uniform(0, length, count)
            created = np.floor(created) if np.ndim(lag) else created
            arrived = created + delays(rng, lag, count) < left
            reached[run] += rng.choice(values, int(arrived.sum())).sum()
    return reached


@pytest.mark.parametrize("lag", LAGS.values(), ids=LAGS)
@pytest.mark.parametrize("target", [{"wins": 3}, {"wins": 12}, {"new_mrr": 2500.0}], ids=str)
def test_the_chance_is_what_simulation_finds(lag, target):
    """Within three standard errors, for wins and for revenue, from mid-month on."""
    model = FunnelModel.assume(lead_conversion=0.2, win_rate=0.4, deal_value=400.0, lag_days=lag)
    plan = reverse_funnel(model, **target, start="2027-01-11", by="2027-05-20", confidence=0.7)
    rng = np.random.default_rng(20261122)
    reached = simulated(rng, plan, 0.08, lag, [1.0] if "wins" in target else [400.0])
    met = np.mean(reached >= next(iter(target.values())) - 1e-9)
    error = np.sqrt(met * (1 - met) / RUNS)
    assert abs(plan.probability - met) < 3 * error
    assert plan.probability >= 0.7


def test_the_chance_of_revenue_from_deals_of_many_sizes():
    """Values drawn from those won, one of them large: the plan's chance is the simulation's."""
    values = np.array([50.0, 80.0, 80.0, 120.0, 900.0])
    model = dataclasses.replace(
        FunnelModel.assume(lead_conversion=0.2, win_rate=0.4, lag_days=30.0), worth=plain(values)
    )
    plan = reverse_funnel(model, new_mrr=3000.0, start="2027-01-01", by="2027-06-30")
    reached = simulated(np.random.default_rng(7), plan, 0.08, 30.0, values)
    met = np.mean(reached >= 3000.0)
    assert abs(plan.probability - met) < 3 * np.sqrt(met * (1 - met) / RUNS) + 0.002


def test_uncertain_rates_widen_the_chance():
    """A rate known from 10 wins of 200 leads: simulated with its Beta posterior drawn in each run."""
    model = FunnelModel.assume(lead_conversion=0.2, win_rate=0.25, deal_value=1.0)
    unsure = dataclasses.replace(known(0.05), x=10.0, n=200.0)
    curves = dict(model.curves) | {(0, 2): unsure}
    model = dataclasses.replace(model, curves=curves)
    plan = reverse_funnel(model, wins=8, start="2027-01-01", by="2027-03-31", confidence=0.8)
    rng = np.random.default_rng(11)
    runs = 200_000
    rates = rng.beta(10.5, 190.5, runs)
    met = np.mean(rng.poisson(plan.total_leads * rates) >= 8)
    assert abs(plan.probability - met) < 3 * np.sqrt(met * (1 - met) / runs) + 1e-3
    sure = reverse_funnel(
        FunnelModel.assume(lead_conversion=0.2, win_rate=0.25),
        wins=8,
        start="2027-01-01",
        by="2027-03-31",
        confidence=0.8,
    )
    assert plan.total_leads > sure.total_leads


def test_a_large_target_is_answered():
    """20,000 wins take their leads, and seconds, not minutes."""
    plan = reverse_funnel(FunnelModel.assume(), wins=20_000, start="2027-01-01", by="2027-12-31")
    assert plan.total_leads == pytest.approx(20_000 / 0.0495, rel=0.01)
    assert plan.total_leads > 20_000 / 0.0495


@pytest.mark.parametrize("target", [{"wins": 1e9}, {"new_mrr": 9e11}], ids=["wins", "revenue"])
def test_an_absurd_target_is_refused_at_once(target):
    """A founder may type any number: no gigabytes, a sentence."""
    model = FunnelModel.assume(deal_value=100.0)
    with pytest.raises(PlanError, match=r"takes more than .* wins"):
        reverse_funnel(model, **target, start="2027-01-01", by="2027-12-31")
