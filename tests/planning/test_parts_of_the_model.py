"""What the model is made of beside its rates: values, the base, the flow of leads, months."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from kpi.planning import PlanError
from kpi.planning.base import Base, assumed, monthly
from kpi.planning.curve import known
from kpi.planning.horizon import Horizon, spread
from kpi.planning.lead_flow import fitted_flow
from kpi.planning.posterior import stream
from kpi.planning.values import fitted_values, plain


def won(values, days=None):
    """Deals won with these values, after so many days."""
    days = np.zeros(len(values)) if days is None else days
    return pd.DataFrame({"value": values, "days": days}).astype("float64")


def test_few_values_are_drawn_as_they_stand():
    """Under twenty: nothing between, nothing beyond."""
    values = fitted_values(won([100, 200, 900]))
    assert values.pool.tolist() == [100, 200, 900]
    assert values.mean == 400


def test_from_twenty_on_the_mean_stays_and_the_tail_has_a_limit():
    """The pool is smooth, its mean that of the deals; the limit is said."""
    seen = np.exp(np.random.default_rng(1).normal(6, 0.8, 80))
    values = fitted_values(won(seen))
    assert values.mean == pytest.approx(seen.mean(), rel=1e-9)
    assert len(np.unique(values.pool)) > 500
    assert seen.max() < values.pool.max() <= 1.6 * seen.max()
    assert "1.5 times the largest" in values.note


def test_a_long_tail_of_many_deals_is_a_pareto():
    """500 deals: 25 in the tail."""
    seen = np.random.default_rng(2).pareto(2.5, 500) + 1
    values = fitted_values(won(seen))
    assert "Pareto" in values.note
    assert values.mean == pytest.approx(seen.mean(), rel=1e-9)


def test_size_and_delay_are_drawn_together_only_where_they_go_together():
    """Large deals that take longer: kept as pairs; no link: not."""
    rng = np.random.default_rng(3)
    size = rng.lognormal(6, 0.7, 100)
    linked = fitted_values(won(size, np.round(size / 20)))
    assert linked.rank is not None
    assert "larger" in linked.note
    assert fitted_values(won(size, rng.integers(1, 90, 100))).rank is None


def test_deals_without_a_value_teach_nothing():
    """Missing and zero are left out; none left: not known."""
    assert fitted_values(won([np.nan, 0.0])) is None


def test_the_mean_value_is_as_uncertain_as_its_deals_make_it():
    """Bayesian bootstrap: the standard error of a mean."""
    seen = np.random.default_rng(4).lognormal(6, 0.5, 60)
    factors = plain(seen).mean_factors(stream(0, 5), 20_000)
    error = seen.std(ddof=1) / np.sqrt(60) / seen.mean()
    assert factors.mean() == pytest.approx(1, abs=0.005)
    assert factors.std() == pytest.approx(error, rel=0.08)


def test_a_base_taken_as_known_shrinks_by_its_rate():
    """100,000 at 10 % a year are 90,000 after twelve months."""
    base = assumed(100_000, 0.10)
    runs = base.runs(stream(0, 8), base.churns(stream(0, 7), 3), 12)
    assert runs[:, -1] == pytest.approx([90_000] * 3)


def test_customers_leave_one_by_one():
    """The mean is that of the rate; a few large customers make it vary."""
    base = Base(np.array([50_000.0, *[500.0] * 100]), monthly(0.2), 0.0, 5_000.0)
    churn = np.full(40_000, monthly(0.2))
    runs = base.runs(stream(0, 8), churn, 12)[:, -1]
    assert runs.mean() == pytest.approx(80_000, rel=0.01)
    large = np.mean(runs > 55_000)  # the large one is still there
    assert large == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("churn", [-0.1, 1.0, float("nan")])
def test_a_churn_that_makes_no_sense_is_refused(churn):
    """By name."""
    with pytest.raises(PlanError, match="annual_churn"):
        assumed(1_000, churn)


def test_leads_that_vary_more_than_chance_are_told_apart():
    """Poisson counts give no dispersion; doubled variance does; a trend is not dispersion."""
    rng = np.random.default_rng(5)
    assert np.isinf(fitted_flow(rng.poisson(80, 24).tolist()).size)
    wild = fitted_flow(rng.negative_binomial(4, 4 / 84, 24).tolist())
    assert 1.5 < wild.size < 12
    rising = fitted_flow([round(20 * 1.05**m) for m in range(24)])
    assert rising.trend == pytest.approx(0.05, abs=0.01)
    assert rising.trend_low < 0.05 < rising.trend_high
    assert np.isinf(rising.size)


def test_short_histories_have_no_trend():
    """Five months: the counts, nothing else."""
    flow = fitted_flow([3, 4, 5, 4, 3])
    assert np.isnan(flow.trend)
    assert np.isinf(flow.size)


@pytest.mark.parametrize("lag", [30.0, [0.2, 0.0, 0.5, 0.3]], ids=["exponential", "by day"])
def test_a_month_is_spread_over_the_calendar_as_one_curve_does_it(lag):
    """All at once, for many curves: the same as span by span."""
    curve = known(1.0, lag)
    horizon = Horizon.of(date(2027, 1, 11), date(2027, 5, 20), None)
    found = spread(curve.area[None, :], horizon.spans)[0]
    for i, created in enumerate(horizon.spans):
        for t, arrived in enumerate(horizon.spans):
            expected = curve.between(created, arrived) if t >= i else 0.0
            assert found[i, t] == pytest.approx(expected, abs=1e-9)


def test_a_plan_begins_after_the_data_ends():
    """Even where it was to start before: the past cannot be planned."""
    horizon = Horizon.of(date(2026, 10, 1), date(2027, 1, 31), date(2026, 11, 15))
    assert horizon.first == date(2026, 11, 16)
    assert horizon.months[0] == date(2026, 11, 1)
    assert horizon.edges[0] == 0
    assert horizon.edges[-1] == (date(2027, 1, 31) - date(2026, 11, 15)).days
