"""Plans of the reverse funnel: sums that must hold, directions that must hold, what is refused."""

from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpi.planning import (
    FunnelModel,
    PlanError,
    leads_for_wins,
    records_needed,
    reverse_funnel,
)

YEAR = {"start": "2027-01-01", "by": "2027-12-31"}
CUSTOM = [0.2, 0.1, *[0.0] * 30, 0.7]


def model(**options):
    """Assume rates with a delay of 45 days on average."""
    return FunnelModel.assume(**({"lag_days": 45.0, "deal_value": 500.0} | options))


@pytest.mark.parametrize("lag", [0, 45.0, CUSTOM], ids=["at once", "exponential", "custom"])
@pytest.mark.parametrize("target", [{"wins": 12}, {"new_mrr": 9000.0}], ids=["wins", "revenue"])
def test_the_table_adds_up(lag, target):
    """Need is its three parts; leads to create sum to the total; months are first days."""
    plan = reverse_funnel(model(lag_days=lag), **target, **YEAR)
    table = plan.table
    parts = table["in_pipeline"] + table["direct"] + table["to_create"]
    np.testing.assert_allclose(table["need"], parts, rtol=0, atol=1e-9)
    leads = table[table["stage"] == "leads"]
    assert leads["to_create"].sum() == plan.total_leads == plan.to_create
    assert plan.months_to_create.sum() == plan.total_leads
    assert (table["month"].dt.day == 1).all()
    assert leads["month"].is_unique
    assert [name for name in table["stage"].unique() if "lead" in name] == ["leads"]
    won = table[table["stage"] == "won"]
    sums = (plan.from_pipeline, plan.from_direct, plan.from_new)
    assert sums == pytest.approx(won[["in_pipeline", "direct", "to_create"]].sum().tolist())
    assert 0 <= plan.too_late <= 1
    assert (table[["need", "in_pipeline", "direct", "to_create"]] >= 0).all(axis=None)


def test_leads_of_a_month_bring_their_deals_and_wins():
    """At once: each month's deals are 15 % of its leads, wins a third of these."""
    plan = reverse_funnel(model(lag_days=0), wins=12, **YEAR)
    wide = plan.table.pivot_table(index="month", columns="stage", values="need")
    np.testing.assert_allclose(wide["deals"], wide["leads"] * 0.15, atol=1e-9)
    np.testing.assert_allclose(wide["won"], wide["leads"] * 0.15 * 0.33, atol=1e-9)


def test_without_a_delay_nothing_is_too_late():
    """Every month is useful, to the last."""
    plan = reverse_funnel(model(lag_days=0), wins=12, **YEAR)
    assert plan.too_late == pytest.approx(0, abs=1e-12)
    assert plan.last_useful_month == date(2027, 12, 1)
    assert len(plan.months_to_create) == 12


def test_with_a_delay_the_last_months_are_not_planned_for():
    """A 45-day delay: leads of December mostly win after the year."""
    plan = reverse_funnel(model(), wins=12, **YEAR)
    assert plan.last_useful_month < date(2027, 12, 1)
    late = plan.table[plan.table["month"] > pd.Timestamp(plan.last_useful_month)]
    assert (late.loc[late["stage"] == "leads", "to_create"] == 0).all()
    days = np.arange(365)  # share of steady leads that win only after the year: mean of exp(-t/45)
    assert plan.too_late == pytest.approx(np.exp(-(days + 0.5) / 45).mean(), abs=0.005)


RATES = st.floats(0.05, 1.0)


@settings(derandomize=True, max_examples=25, deadline=None)
@given(RATES, RATES, st.floats(0.05, 0.93), st.integers(1, 40), st.sampled_from([0, 20.0, 90.0]))
def test_more_is_never_needed_for_less(conversion, win, confidence, wins, lag):
    """More confidence or wins never takes fewer leads; a later date or higher rate never more."""

    def leads(more=0.0, extra=0, by="2027-12-31", rate=conversion):
        assumed = FunnelModel.assume(lead_conversion=rate, win_rate=win, lag_days=lag)
        plan = reverse_funnel(
            assumed, wins=wins + extra, start="2027-01-01", by=by, confidence=confidence + more
        )
        assert plan.probability >= confidence + more - 1e-9
        return plan.total_leads

    base = leads()
    assert leads(more=0.05) >= base
    assert leads(extra=1) >= base
    assert leads(by="2028-06-30") <= base
    assert leads(rate=min(1.0, conversion * 1.2)) <= base


@settings(derandomize=True, max_examples=15, deadline=None)
@given(st.sampled_from([0, 30.0, 120.0]), st.integers(2, 20), st.integers(0, 330))
def test_a_later_day_never_takes_more_leads(lag, wins, days):
    """Day by day the total never rises while the useful months are the same.

    When a further month joins, its leads have less time: the total may rise by a little, the pace
    of the busiest month does not. At once, no month differs from another: the total never rises.
    """
    last = pd.Timestamp("2027-02-01") + pd.Timedelta(days=days)
    assumed = FunnelModel.assume(lag_days=lag)
    plans = [
        reverse_funnel(assumed, wins=wins, start="2027-01-01", by=str(by.date()))
        for by in (last, last + pd.Timedelta(days=1), last + pd.Timedelta(days=20))
    ]
    for earlier, later in pairwise(plans):
        assert later.months_to_create.max() <= earlier.months_to_create.max()
        if lag == 0 or later.last_useful_month == earlier.last_useful_month:
            assert later.total_leads <= earlier.total_leads


def test_needs_rise_with_the_chance():
    """50, 80 and 90 %, beside the one asked for."""
    plan = reverse_funnel(model(), wins=12, confidence=0.85, **YEAR)
    assert list(plan.needs) == [0.5, 0.8, 0.9]
    assert plan.needs[0.5] < plan.needs[0.8] < plan.total_leads < plan.needs[0.9]


def test_a_rounding_error_is_no_lead():
    """100 % certain steps: 7 wins at once with a chance of 50 % is the Poisson median, not more."""
    sure = FunnelModel.assume(lead_conversion=1.0, win_rate=1.0)
    assert (
        reverse_funnel(sure, wins=7.0000000000001, **YEAR).needs
        == reverse_funnel(sure, wins=7, **YEAR).needs
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({}, "exactly one", id="no target"),
        pytest.param({"wins": 1, "new_mrr": 1.0}, "exactly one", id="two targets"),
        pytest.param({"wins": 0}, "above 0", id="no wins"),
        pytest.param({"wins": -3}, "above 0", id="negative"),
        pytest.param({"wins": float("nan")}, "above 0", id="missing"),
        pytest.param({"wins": float("inf")}, "above 0", id="infinite"),
        pytest.param({"new_mrr": 0.0}, "above 0", id="no revenue"),
        pytest.param({"wins": 1, "confidence": 1.0}, "above 0 and below 1", id="certainty"),
        pytest.param({"wins": 1, "confidence": 0.0}, "above 0 and below 1", id="no chance"),
        pytest.param({"wins": 1, "confidence": 80}, "above 0 and below 1", id="per cent"),
        pytest.param({"wins": 1, "by": "2026-12-31"}, "before the plan can start", id="past"),
        pytest.param({"wins": 1, "by": "2097-12-31"}, "ten years", id="far"),
        pytest.param({"wins": 1, "start": None}, "start is missing", id="no start"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_a_sentence(options, message):
    """The message says what, and what to do."""
    with pytest.raises(PlanError, match=message) as refused:
        reverse_funnel(model(), **(YEAR | options))
    assert len(str(refused.value).split()) > 4


def test_a_date_nobody_can_meet_is_refused():
    """Nobody wins before day 60: a plan for January is impossible."""
    slow = model(lag_days=[0.0] * 60 + [1.0])
    with pytest.raises(PlanError, match="no new lead can win by 2027-01-31"):
        reverse_funnel(slow, wins=1, start="2027-01-01", by="2027-01-31")


def test_revenue_without_deal_values_is_refused():
    """And says how to set it."""
    with pytest.raises(PlanError, match="deal_value"):
        reverse_funnel(FunnelModel.assume(), new_mrr=100.0, **YEAR)


def test_the_plain_funnel_backwards_is_the_plan_without_a_delay():
    """Records needed at each step equal the leads of a plan in which nothing is late."""
    assumed = FunnelModel.assume()
    needed = records_needed(assumed, wins=12, confidence=0.9)
    assert needed["leads"] == reverse_funnel(assumed, wins=12, confidence=0.9, **YEAR).total_leads
    assert needed["deals"] == int(np.ceil(leads_for_wins(12, 0.9, rate=0.33)))
    for wrong in ({"wins": 0}, {"wins": 5, "confidence": 1.0}):
        with pytest.raises(PlanError, match="expected above 0"):
            records_needed(assumed, **wrong)
