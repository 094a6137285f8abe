"""The planner against closed forms, and against its own plans run forward with fresh numbers.

Figures marked P.. are those of the project's list of worked cases (Poisson thinning, beta-binomial,
churn annuity, exponential delay), retyped.
"""

import dataclasses
import hashlib
import subprocess
import sys
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.stats import betabinom, binom, nbinom, norm, poisson

from kpi.planning import (
    FunnelModel,
    PlanError,
    Target,
    chance,
    leads_for_wins,
    reverse_funnel,
    simulate,
)
from kpi.planning.base import Base
from kpi.planning.lead_flow import LeadFlow
from kpi.planning.values import Values, plain

RUNS = 200_000
MONTH = {"start": "2027-01-01", "by": "2027-01-31"}
YEAR = {"start": "2027-01-01", "by": "2027-12-31"}
POINT = 0.01
SIZES = np.array([200.0, 300.0, 300.0, 450.0, 600.0, 1_500.0])


def unsure(**options):
    """Assume rates of which the end-to-end one was seen 10 times in 202."""
    model = FunnelModel.assume(**options)
    curve = dataclasses.replace(model.curves[0, 2], x=10.0, n=202.0)
    return dataclasses.replace(model, curves={**model.curves, (0, 2): curve})


def rich(**options):
    """Assume a funnel with delays, uncertain rates, deals of many sizes, and a base that churns."""
    model = unsure(lag_days=40.0, deal_value=400.0, mrr=50_000.0, annual_churn=0.12, **options)
    return dataclasses.replace(model, worth=plain(SIZES), bookings=plain(SIZES * 12))


@pytest.mark.parametrize(
    ("wins", "means"),
    [(5, [4.671, 6.721, 7.994]), (10, [9.669, 12.519, 14.206])],
    ids=["5 wins", "10 wins"],
)
def test_poisson_thinning(wins, means):
    """P01: leads at 15 % x 33 % that make so many wins as likely as asked."""
    model = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33)
    for confidence, mean in zip((0.5, 0.8, 0.9), means, strict=True):
        plan = reverse_funnel(model, wins=wins, confidence=confidence, **MONTH)
        assert plan.total_leads == int(np.ceil(leads_for_wins(wins, confidence, rate=0.0495)))
        assert plan.total_leads == pytest.approx(mean / 0.0495, abs=1.01)
        assert plan.probability == pytest.approx(poisson.sf(wins - 1, plan.total_leads * 0.0495))


@pytest.mark.parametrize(("confidence", "leads"), [(0.5, 95), (0.8, 135), (0.9, 160)])
def test_fixed_leads_are_binomial(confidence, leads):
    """P02: exactly so many leads, each won at 4.95 %: one lead fewer is not enough."""
    found = leads_for_wins(5, confidence, rate=0.0495, arrivals="fixed")
    assert found == leads
    assert binom.sf(4, leads, 0.0495) >= confidence > binom.sf(4, leads - 1, 0.0495)


@pytest.mark.parametrize(("confidence", "leads"), [(0.5, 93), (0.8, 145), (0.9, 183)])
def test_fixed_leads_of_an_uncertain_rate_are_beta_binomial(confidence, leads):
    """P03: after 10 wins of 202 leads, 183 leads for 90 %, where a sure rate takes 160."""
    found = leads_for_wins(5, confidence, posterior=(10.5, 192.5), arrivals="fixed")
    assert found == leads
    missed = [betabinom.sf(4, n, 10.5, 192.5) for n in (leads, leads - 1)]
    assert missed[0] >= confidence > missed[1]


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.9])
def test_poisson_leads_of_an_uncertain_rate_are_negative_binomial_at_large(confidence):
    """Poisson leads, Beta rate: the chance by quadrature of the mixture, and the fewest leads."""
    plan = reverse_funnel(unsure(), wins=5, confidence=confidence, **MONTH)
    scale = 0.0495 / (10 / 202)  # the planned rate is that of the articles
    rates = np.random.default_rng(3).beta(10.5, 192.5, 2_000_000) * scale
    chances = [poisson.sf(4, n * rates).mean() for n in (plan.total_leads, plan.total_leads - 1)]
    assert plan.probability == pytest.approx(chances[0], abs=1e-3)
    assert chances[0] > confidence - 1e-3
    assert chances[1] < confidence + 1e-3


def test_churn_annuity():
    """P05: from 100,000 to 150,000 in 12 months at 10 % a year takes 5,244.97 a month."""
    n, churn = 12, 1 - 0.9 ** (1 / 12)
    left = (1 - churn) ** n
    needed = (150_000 - 100_000 * left) * churn / (1 - left)
    assert needed == pytest.approx(5_244.97, abs=0.01)
    model = FunnelModel.assume(
        lead_conversion=0.5, win_rate=0.5, deal_value=10.0, mrr=100_000, annual_churn=0.1
    )
    plan = reverse_funnel(model, mrr=150_000, confidence=0.5, **YEAR)
    # deals are small and half a chance is asked for: the mean itself, to a tenth of a per cent
    assert plan.total_leads * 0.25 * 10.0 / n == pytest.approx(needed, rel=1e-3)
    by_year = reverse_funnel(model, arr=12 * 150_000, confidence=0.5, **YEAR)
    assert by_year.leads_by_month == plan.leads_by_month


def test_without_churn_the_annuity_is_a_plain_sum():
    """P05 at its limit: 50,000 more in 12 months, nothing lost."""
    model = FunnelModel.assume(lead_conversion=0.5, win_rate=0.5, deal_value=10.0, mrr=100_000)
    plan = reverse_funnel(model, mrr=150_000, confidence=0.5, **YEAR)
    assert plan.total_leads * 0.25 * 10.0 == pytest.approx(50_000, rel=1e-3)


def test_exponential_delay_over_calendar_months():
    """P12: leads come evenly, wins 30 days later on average: 37 % within the month, not 63 %."""
    model = FunnelModel.assume(lead_conversion=0.5, win_rate=0.5, lag_days=30.0)
    wins, _ = simulate(model, {"2027-04": 4_000}, 4, draws=4_000)
    share = wins.mean(axis=0) / (4_000 * 0.25)

    def arrived(t):
        """Integral of 1 - exp(-t / 30) from 0, spread over the 30 days of April."""
        return (t - 30 * (1 - np.exp(-t / 30))) / 30

    edges = np.array([0, 30, 61, 91, 122])
    exact = np.diff([arrived(e) - (arrived(e - 30) if e > 30 else 0) for e in edges])
    assert exact[0] == pytest.approx(0.3679, abs=1e-4)
    error = np.sqrt(exact / 1_000 / 4_000)  # of a Poisson mean
    assert (np.abs(share - exact) < 4 * error).all()


FORWARD = {
    "wins": {"wins": 9, **YEAR},
    "new_mrr": {"new_mrr": 6_000.0, **YEAR},
    "bookings": {"bookings": 60_000.0, **YEAR},
    "mrr": {"mrr": 55_000.0, **YEAR},
    "arr": {"arr": 12 * 54_000.0, "confidence": 0.9, **YEAR},
    "path of wins": {"wins": {"2027-03": 3, "2027-06": 4, "2027-09": 4}},
    "path of mrr": {"mrr": {"2027-06": 51_000.0, "2027-12": 55_000.0}},
}


def brought(rng, wins, sizes):
    """What wins bring, each one of the sizes, by month."""
    cells = np.repeat(np.arange(wins.size), wins.ravel())
    values = rng.choice(sizes, len(cells))
    return np.bincount(cells, values, minlength=wins.size).reshape(wins.shape)


def level(model, revenue):
    """Recurring revenue at the end of each month: what ran and what was won, less churn."""
    now = np.full(len(revenue), model.base.mrr)
    found = []
    for month in revenue.T:
        now = now * (1 - model.base.churn) + month
        found.append(now)
    return np.array(found).T


@pytest.mark.parametrize("goal", FORWARD.values(), ids=FORWARD)
def test_a_plan_run_forward_reaches_its_target_as_often_as_it_says(goal):
    """Within one point, with another seed, values and churn worked out anew, month by month."""
    model = rich()
    plan = reverse_funnel(model, **goal)
    months = len(plan.outcome)
    wins, _ = simulate(model, plan.leads_by_month, months, draws=60_000, seed=99)
    rng = np.random.default_rng(5)
    kind = plan.target.kind
    scale = {"bookings": 12.0, "arr": 12.0}.get(kind, 1.0)
    if kind == "wins":
        reached = np.cumsum(wins, axis=1)
    else:
        revenue = scale * brought(rng, wins, SIZES)
        reached = np.cumsum(revenue, axis=1)
        if plan.target.is_level:
            reached = level(model, revenue / scale) * scale
    hits = [
        np.mean(reached[:, day.month - plan.start.month] >= amount - 1e-6)
        for day, amount in plan.target.checkpoints
    ]
    assert min(hits) == pytest.approx(plan.probability, abs=POINT)
    assert plan.probability >= plan.confidence - 1e-9


@pytest.mark.parametrize("by", ["2027-04-30", "2027-12-31"])
def test_large_deals_that_take_longer_are_rarer_before_the_date(by):
    """Size and delay drawn together: simulated revenue reaches the target as often as it says."""
    pool = np.linspace(100, 1_900, 40)
    coupled = Values(pool, pool, (np.arange(40) + 0.5) / 40)
    model = dataclasses.replace(rich(), worth=coupled)
    plan = reverse_funnel(model, new_mrr=6_000.0, start="2027-01-01", by=by)
    wins, revenue = simulate(model, plan.leads_by_month, len(plan.outcome), draws=40_000, seed=9)
    assert revenue.sum() / wins.sum() < pool.mean()
    hits = np.mean(revenue.sum(axis=1) >= 6_000.0)
    assert hits == pytest.approx(plan.probability, abs=POINT)
    free = dataclasses.replace(model, worth=plain(pool))
    assert (
        plan.total_leads
        > reverse_funnel(free, new_mrr=6_000.0, start="2027-01-01", by=by).total_leads
    )


def test_a_changed_input_is_never_answered_from_memory():
    """Slider moves on one model give what a fresh model gives, however often it moved before."""
    kept = rich()
    for churn in (0.02, 0.1, 0.2, 0.3, 0.4, 0.5):
        goal = {"mrr": 55_000.0, "draws": 1_000, **YEAR}
        moved = reverse_funnel(kept.with_rates(annual_churn=churn), **goal)
        fresh = reverse_funnel(rich().with_rates(annual_churn=churn), **goal)
        assert moved.leads_by_month == fresh.leads_by_month


def test_simulated_months_are_the_wins_expected():
    """The means of a plan's outcome are those of its table, within Monte-Carlo error."""
    plan = reverse_funnel(rich(), wins=9, **YEAR)
    table = plan.table[plan.table["stage"] == "won"]["need"].to_numpy()
    wins, _ = simulate(rich(), plan.leads_by_month, 12, draws=RUNS // 4, seed=4)
    # the posterior mean of the rate is (x + 1/2) / (n + 1), that of the table x / n
    table = table * (10.5 / 203) / (10 / 202)
    np.testing.assert_allclose(wins.mean(axis=0), table, atol=4 * np.sqrt(table.max() / 50_000))


def test_caps_are_kept_and_what_they_make_impossible_is_said():
    """No month above its cap; fewer leads in one month make the others carry more."""
    model = rich()
    free = reverse_funnel(model, wins=9, **YEAR)
    highest = max(free.leads_by_month.values())
    capped = reverse_funnel(model, wins=9, caps={"leads": {"2027-02": highest // 2}}, **YEAR)
    assert capped.leads_by_month["2027-02"] <= highest // 2
    assert capped.leads_by_month["2027-03"] > free.leads_by_month["2027-03"]
    assert capped.probability >= 0.8
    by_deals = reverse_funnel(model, wins=9, caps={"deals": 1.2 * highest * 0.15}, **YEAR)
    assert max(by_deals.leads_by_month.values()) * 0.15 <= 1.2 * highest * 0.15 + 1e-9
    with pytest.raises(PlanError, match="under the caps") as refused:
        reverse_funnel(model, wins=9, caps={"leads": highest // 2}, **YEAR)
    nearest = refused.value.nearest
    assert 1 <= nearest < 9
    found = reverse_funnel(model, wins=nearest, caps={"leads": highest // 2}, **YEAR)
    assert found.probability >= 0.8
    with pytest.raises(PlanError, match="under the caps"):
        reverse_funnel(model, wins=nearest + 1, caps={"leads": highest // 2}, **YEAR)


def test_a_season_shapes_the_leads():
    """August brings half of what the other months do, to a whole lead."""
    leads = reverse_funnel(rich(), wins=9, season={8: 0.5}, **YEAR).leads_by_month
    assert leads["2027-08"] == pytest.approx(leads["2027-07"] / 2, abs=1)
    assert leads["2027-06"] == pytest.approx(leads["2027-07"], abs=1)


@pytest.mark.parametrize("smooth", [0.1, 0.3])
def test_a_smooth_plan_changes_no_faster_than_asked(smooth):
    """Along a path that asks for much late, from month to month, to a whole lead."""
    path = {"2027-06": 2.0, "2027-12": 12.0}
    leads = list(reverse_funnel(rich(), wins=path, smooth=smooth).leads_by_month.values())
    for earlier, later in pairwise(leads):
        assert later <= earlier * (1 + smooth) + 1
        assert later >= earlier * (1 - smooth) - 1


def test_what_is_won_before_the_data_ends_counts():
    """Started in January, known to mid-March with 4 wins: a target of 10 is one of 6 from then on."""
    won = pd.DataFrame(
        {
            "day": [
                (date(2027, 1, 20) - date(1970, 1, 1)).days,
                (date(2027, 3, 2) - date(1970, 1, 1)).days,
            ]
        }
    ).assign(wins=[1, 3], new_mrr=[300.0, 900.0], bookings=[3_600.0, 10_800.0])
    model = dataclasses.replace(
        FunnelModel.assume(deal_value=300.0), as_of=date(2027, 3, 15), won=won
    )
    whole = reverse_funnel(model, wins=10, **YEAR)
    rest = reverse_funnel(model, wins=6, start="2027-03-16", by="2027-12-31")
    later = reverse_funnel(model, wins=7, start="2027-02-01", by="2027-12-31")
    assert whole.already == 4
    assert later.already == 3
    assert (whole.leads_by_month, whole.probability) == (rest.leads_by_month, rest.probability)
    assert later.total_leads == pytest.approx(
        reverse_funnel(model, wins=4, start="2027-03-16", by="2027-12-31").total_leads
    )
    money = reverse_funnel(model, new_mrr=3_000.0, **YEAR)
    assert money.already == 1_200.0
    assert money.leads_by_month == rest.leads_by_month  # 1,800 at 300 each are 6 wins


def test_months_that_vary_more_are_negative_binomial():
    """Leads with dispersion 2 that all win at once: the chance is that of the negative binomial."""
    flow = LeadFlow(months=(10,) * 12, size=2.0)
    sure = FunnelModel.assume(lead_conversion=1.0, win_rate=1.0)
    model = dataclasses.replace(sure, lead_flow=flow)
    goal = Target(wins=10, **MONTH)
    for leads in (10, 20, 40):
        exact = nbinom.sf(9, 2.0, 2.0 / (2.0 + leads))
        found = chance(model, goal, {"2027-01": leads}, draws=RUNS)
        assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / RUNS))
    wins, _ = simulate(model, {"2027-01": 40}, 1, draws=RUNS)
    assert wins.var() == pytest.approx(40 + 40**2 / 2, rel=0.03)
    assert (
        reverse_funnel(model, wins=10, **MONTH).total_leads
        > reverse_funnel(sure, wins=10, **MONTH).total_leads
    )


def test_many_deals_are_normal():
    """2,000 deals of uncertain sizes: the chance is that of the compound Poisson's normal limit."""
    model = dataclasses.replace(
        FunnelModel.assume(lead_conversion=1.0, win_rate=1.0), worth=plain(SIZES)
    )
    mean, square = SIZES.mean(), (SIZES**2).mean()
    goal = Target(new_mrr=2_000 * mean, **MONTH)
    for leads in (1_950, 2_000, 2_060):
        exact = norm.sf((2_000 - leads) * mean / np.sqrt(leads * square))
        assert chance(model, goal, {"2027-01": leads}) == pytest.approx(exact, abs=0.015)


def test_a_base_of_customers_leaves_one_by_one():
    """20 customers of 500, 5 % a month: what is left follows the binomial, not only its mean."""
    base = Base(np.full(20, 500.0), 0.05, 0.0, 1e12)
    model = dataclasses.replace(FunnelModel.assume(deal_value=500.0), base=base)
    stays = 0.95**6
    for alive in (12, 15, 17):
        goal = Target(mrr=alive * 500.0, start="2027-01-01", by="2027-06-30")
        exact = binom.sf(alive - 1, 20, stays)
        assert chance(model, goal, {}, draws=RUNS // 4) == pytest.approx(exact, abs=POINT)


SCRIPT = """
import hashlib, sys
sys.path.insert(0, {folder!r})
from test_planner_oracles import digest
print(digest())
"""


def digest():
    """Hash all that two plans and a simulation say, to the last bit."""
    found = hashlib.sha256()
    for goal in (FORWARD["mrr"], FORWARD["path of wins"]):
        plan = reverse_funnel(rich(), seed=7, **goal)
        numbers = [plan.table.select_dtypes("number"), plan.outcome.select_dtypes("number")]
        for table in numbers:
            found.update(np.ascontiguousarray(table.to_numpy("float64")).tobytes())
        found.update(repr((plan.probability, plan.needs, plan.leads_by_month)).encode())
    wins, revenue = simulate(rich(), {"2027-01": 80}, 6, seed=7)
    found.update(wins.tobytes() + revenue.tobytes())
    return found.hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_another_process():
    """A frozen plan can be worked out again anywhere; another seed gives other draws."""
    folder = str(__file__).rsplit("test_planner_oracles", 1)[0]
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(folder=folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert run.stdout.strip() == digest()
    one = simulate(rich(), {"2027-01": 80}, 6, seed=7).wins
    assert (one != simulate(rich(), {"2027-01": 80}, 6, seed=8).wins).any()
