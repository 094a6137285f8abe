"""The rest of a period planned anew: what was won counts, what was assumed is a weak prior."""

import dataclasses
from datetime import date

import numpy as np
import pandas as pd
import pytest
from companies import snapshot
from hypothesis import given
from hypothesis import strategies as st

from kpi.planning import FunnelModel, Plan, PlanError, posterior_rate, reforecast, reverse_funnel

YEAR = {"start": "2027-01-01", "by": "2027-12-31"}


def company(leads=60, deals=6, wins=3, lost=2, *, mrr=500.0, as_of="2027-03-31"):
    """Leads of one day become deals, won or lost, or still open, long ago."""
    outcome = ["won"] * wins + ["lost"] * lost + ["open"] * (deals - wins - lost)
    lead = pd.DataFrame({"lead_id": [f"l{i}" for i in range(leads)], "created_at": "2027-01-04"})
    deal = pd.DataFrame(
        {
            "deal_id": [f"d{i}" for i in range(deals)],
            "lead_id": [f"l{i}" for i in range(deals)],
            "created_at": "2027-01-10",
            "outcome": outcome,
            "close_date": ["2027-02-10" if o != "open" else None for o in outcome],
            "mrr": [mrr if o == "won" else None for o in outcome],
        }
    )
    return snapshot({"leads": lead, "deals": deal}, as_of=as_of)


def assumed(**options):
    """A plan made without data."""
    model = FunnelModel.assume(**({"lag_days": 30.0} | options))
    return reverse_funnel(model, wins=12, **YEAR)


@given(st.floats(0.01, 0.99), st.floats(0.1, 1e3), st.integers(0, 1000), st.integers(0, 1000))
def test_a_rate_lies_between_what_was_assumed_and_what_came(prior, weight, x, more):
    """And nearer to what came, the more of it there is."""
    n = x + more
    rate = posterior_rate(prior, weight, x, n)
    raw = x / n if n else prior
    assert min(prior, raw) - 1e-12 <= rate <= max(prior, raw) + 1e-12
    if n:
        assert abs(posterior_rate(prior, weight, 10 * x, 10 * n) - raw) <= abs(rate - raw) + 1e-12


@pytest.mark.parametrize(
    "wrong",
    [(-0.1, 20, 1, 2), (1.1, 20, 1, 2), (0.1, 0, 1, 2), (0.1, 20, 3, 2), (0.1, 20, -1, 2)],
)
def test_numbers_that_make_no_rate_are_refused(wrong):
    """Out of range, or more that came than could."""
    with pytest.raises(PlanError, match="expected"):
        posterior_rate(*wrong)


def test_what_is_won_already_counts():
    """Three of the twelve are won: nine are to come, from the day after the data ends."""
    plan = reforecast(assumed(), company())
    assert plan.already == 3
    assert plan.start == date(2027, 1, 1)
    assert plan.table["month"].min() == pd.Timestamp("2027-04-01")
    assert plan.target.amount == 12
    assert plan.by == date(2027, 12, 31)
    assert plan.probability >= plan.confidence - 1e-9


def test_assumed_rates_are_weak_priors():
    """5 of 60 and 3 of 5: 15 % and 33 % move to 10 % and 42 %, as in golden P11.

    A curve of five deals is worth a little less than five: its variance has n - 1 below.
    """
    plan = reforecast(assumed(), company(deals=5))
    leads = (0.15 * 20 + 5) / 80
    deals = (0.33 * 10 + 3) / 15
    assert plan.rates["leads"] == pytest.approx(leads, rel=0.02)
    assert plan.rates["deals"] == pytest.approx(deals, rel=0.05)
    assert plan.lead_to_won == pytest.approx(leads * deals, rel=0.05)
    assert any("assumed rate of leads" in note for note in plan.notes)
    assert not any("rule of thumb of" in note for note in plan.notes)


def test_a_long_history_drowns_what_was_assumed():
    """600 leads, 300 deals, 150 wins: near 50 % and 50 %, whatever was assumed."""
    data = company(leads=600, deals=300, wins=150, lost=150)
    model = FunnelModel.fit(data)
    plan = reforecast(assumed(), dataclasses.replace(data))
    assert plan.lead_to_won == pytest.approx(model.curves[0, model.top].final, rel=0.08)


def test_an_assumed_deal_value_is_drawn_to_those_won():
    """Between the assumed 1,000 and the 500 of three wins: logarithms, ten deals' weight."""
    plan = reforecast(assumed(deal_value=1_000.0), company())
    expected = np.exp((10 * np.log(1_000) + 3 * np.log(500)) / 13)
    assert plan.deal_value == pytest.approx(expected)


def test_a_plan_made_from_data_has_no_prior(tmp_path):
    """It is the plan of today's model with the same target and inputs; its file gives the same."""
    data = company(leads=300, deals=120, wins=60, lost=60, as_of="2027-06-30")
    made = reverse_funnel(
        FunnelModel.fit(data.at("2027-03-31")), wins=20, by="2027-12-31", caps={"leads": 90}
    )
    again = reforecast(made, data)
    model = FunnelModel.fit(data)
    direct = reverse_funnel(
        model, wins=20, start=made.start, by="2027-12-31", caps={"leads": 90}, confidence=0.8
    )
    pd.testing.assert_frame_equal(again.table, direct.table, check_exact=True)
    assert again.inputs == made.inputs
    read = reforecast(Plan.load(made.freeze(tmp_path / "plan.toml")), data)
    pd.testing.assert_frame_equal(read.table, again.table, check_exact=True)


def test_another_chance_takes_other_leads():
    """The same rest with 50 % takes fewer."""
    plan, data = assumed(), company()
    assert reforecast(plan, data, confidence=0.5).total_leads < reforecast(plan, data).total_leads


def test_a_period_that_is_over_is_refused():
    """Nothing is left to plan."""
    with pytest.raises(PlanError, match="ended on 2027-12-31"):
        reforecast(assumed(), company(as_of="2027-12-31"))


def test_data_that_teaches_nothing_yet_is_refused_by_name():
    """No win: it says so, and what to do."""
    with pytest.raises(PlanError, match="cannot be planned from this data yet"):
        reforecast(assumed(), company(wins=0, lost=5))
