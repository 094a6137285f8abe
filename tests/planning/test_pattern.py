"""When leads are created: caps kept, seasons followed, paths met, changes smooth, the past counted."""

from itertools import pairwise

import pytest
from companies import random_walks, stages
from companies import snapshot as company

from kpi.planning import FunnelModel, PlanError, Target, chance, reverse_funnel

YEAR = {"start": "2027-01-01", "by": "2027-12-31"}


@pytest.fixture(scope="module")
def model():
    return FunnelModel.assume(lag_days=45.0, deal_value=500.0, lead_cost=80.0)


def test_caps_are_kept_and_the_rest_moves_to_other_months(model):
    """January takes 30 at most."""
    free = reverse_funnel(model, wins=12, **YEAR)
    capped = reverse_funnel(model, wins=12, caps={"leads": {"2027-01": 10}}, **YEAR)
    assert capped.leads_by_month["2027-01"] == 10 < free.leads_by_month["2027-01"]
    assert capped.probability >= 0.8
    assert capped.leads_by_month["2027-02"] > free.leads_by_month["2027-02"]


def test_deals_per_seller_cap_leads_through_the_rate(model):
    """2 sellers, 3 deals each: 6 deals, 40 leads a month at 15 %."""
    caps = {"deals_per_seller": 3, "sellers": 2}
    plan = reverse_funnel(model, wins=8, caps=caps, **YEAR)
    assert max(plan.leads_by_month.values()) <= 40
    with pytest.raises(PlanError, match="sellers"):
        reverse_funnel(model, wins=8, caps={"sellers": 2}, **YEAR)


def test_what_the_caps_cannot_reach_is_said_with_the_nearest_target(model):
    """The reason, the chance at the caps, and a target that then works."""
    with pytest.raises(PlanError, match="under the caps") as refused:
        reverse_funnel(model, wins=30, caps={"leads": 20}, **YEAR)
    nearest = refused.value.nearest
    assert f"{nearest:,.0f} wins" in str(refused.value)
    works = reverse_funnel(model, wins=nearest, caps={"leads": 20}, **YEAR)
    assert works.probability >= 0.8
    with pytest.raises(PlanError):
        reverse_funnel(model, wins=nearest + 1, caps={"leads": 20}, **YEAR)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"caps": {"lead": 5}}, id="unknown cap"),
        pytest.param({"caps": {"leads": -5}}, id="negative cap"),
        pytest.param({"caps": {"leads": float("nan")}}, id="missing cap"),
        pytest.param({"caps": {"appointments": 5}}, id="no meetings known"),
        pytest.param({"season": {13: 1.0}}, id="thirteenth month"),
        pytest.param({"season": {1: -1.0}}, id="negative weight"),
        pytest.param({"smooth": -0.1}, id="negative smoothness"),
        pytest.param({"leads_by_month": {"January": 5}}, id="month in words"),
        pytest.param({"leads_by_month": {"2027-01": -5}}, id="negative leads"),
    ],
)
def test_wrong_inputs_are_refused(model, wrong):
    """In a sentence."""
    with pytest.raises(PlanError) as refused:
        reverse_funnel(model, wins=5, **wrong, **YEAR)
    assert len(str(refused.value).split()) > 4


def test_a_season_shapes_the_months(model):
    """Half as many in August."""
    plan = reverse_funnel(model, wins=40, season={8: 0.5}, **YEAR)
    leads = plan.leads_by_month
    assert leads["2027-08"] == pytest.approx(leads["2027-07"] / 2, abs=1)
    assert plan.probability >= 0.8


def test_a_path_is_met_at_every_date(model):
    """Each running total has the chance asked for; the first months bring more."""
    path = {"2027-04": 4, "2027-08": 4, "2027-12": 4}
    plan = reverse_funnel(model, wins=path, start="2027-01-01")
    assert plan.probability >= 0.8
    for by, total in plan.target.checkpoints:
        early = {m: n for m, n in plan.leads_by_month.items() if m <= f"{by:%Y-%m}"}
        met = chance(model, Target(wins=total, start="2027-01-01", by=by), early)
        assert met >= 0.8 - 1e-9


def test_smooth_changes_stay_within_their_share(model):
    """A path with a jump in it, and at most a quarter more each month."""
    path = {"2027-06": 2, "2027-12": 30}
    plan = reverse_funnel(model, wins=path, start="2027-01-01", smooth=0.25)
    months = list(plan.leads_by_month.values())
    for before, after in pairwise(months):
        assert after <= before * 1.25 + 2  # whole leads
        assert after >= before * 0.75 - 2


def test_the_users_own_plan_gets_its_chance(model):
    """The same as `chance` says; the plan's own leads reach what they promise."""
    own = {"2027-01": 100, "2027-02": 100}
    plan = reverse_funnel(model, wins=12, leads_by_month=own, **YEAR)
    assert plan.own_probability == chance(model, plan.target, own)
    assert 0 < plan.own_probability < plan.probability
    assert chance(model, plan.target, plan.leads_by_month) == plan.probability
    assert reverse_funnel(model, wins=12, leads_by_month=own, **YEAR).own_probability == (
        plan.own_probability
    )


def test_cost_and_sellers_follow_from_the_leads(model):
    """Leads times their cost; per new win; sellers by the rules of thumb."""
    plan = reverse_funnel(model, wins=12, **YEAR)
    assert plan.spend == plan.total_leads * 80
    assert plan.cac == pytest.approx(plan.spend / plan.from_new)
    assert plan.payback(0.5) == pytest.approx(plan.cac / 250)
    rules = plan.sellers.set_index("rule")
    assert rules.loc["leads", "most"] == max(plan.leads_by_month.values())
    assert (rules["sellers"] >= 1).all()


def test_wins_before_the_data_ended_count_when_the_start_says_so():
    """A target of the year, planned in its middle."""
    frames = random_walks(seed=3, count=120) | {"stages": stages()}
    fitted = FunnelModel.fit(company(frames))
    as_of = fitted.as_of
    start = as_of.replace(day=1).replace(month=1)
    since = (start - start.replace(year=1970, month=1, day=1)).days
    came = int(fitted.won.loc[fitted.won["day"] >= since, "wins"].sum())
    assert came > 0
    later = reverse_funnel(fitted, wins=10, by="2027-03-31")
    plan = reverse_funnel(fitted, wins=came + 10, by="2027-03-31", start=start)
    assert plan.already == came
    assert plan.to_create <= later.to_create


def test_a_target_already_won_asks_for_nothing():
    """Chance 1, no leads."""
    frames = random_walks(seed=3, count=120) | {"stages": stages()}
    fitted = FunnelModel.fit(company(frames))
    plan = reverse_funnel(fitted, wins=1, by="2027-03-31", start="2020-01-01")
    assert plan.to_create == 0
    assert plan.probability == 1.0
