"""Levers: closed forms, what cannot close the gap, ranks, history, and levers taken together."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from companies import snapshot, stages
from scipy.special import gammainc, gammaincinv

from kpi.planning import FunnelModel, PlanError, Target, chance, reverse_funnel
from kpi.planning.lever_history import band
from kpi.planning.lever_moves import levers_of
from kpi.planning.levers import combined, levers
from kpi.planning.posterior import Memory
from kpi.planning.trials import Trials

WINS = Target(wins=5, start="2027-01-01", by="2027-01-31")
LEADS = {"2027-01": 100}
LEVEL = Target(mrr=110_000, start="2027-01-01", by="2027-12-31")
YEAR = {f"2027-{month:02}": 20 for month in range(1, 13)}


def company(**kwargs):
    """Rates taken as known: only chance varies, so that closed forms hold."""
    return FunnelModel.assume(lead_conversion=0.15, win_rate=0.33, **kwargs)


def running(**kwargs):
    """A company with recurring revenue that leaves."""
    return company(deal_value=800.0, lag_days=60.0, mrr=100_000, annual_churn=0.12, **kwargs)


def of(table):
    """One lever a row, by name."""
    return table.set_index("lever")


def test_leads_needed_are_those_of_the_reverse_funnel():
    """One lever, one question, one answer: 136 leads for five wins with 80 %."""
    found = of(levers(company(), WINS, LEADS))
    plan = reverse_funnel(company(), WINS)
    assert found.loc["leads", "needed"] == plan.total_leads == 136
    assert found.loc["leads", "change"] == pytest.approx(0.36)


def test_several_months_of_leads_keep_their_pattern():
    """The total is whole and the least that is enough; the mean month is shown."""
    target = Target(wins=5, start="2027-01-01", by="2027-02-28")
    found = of(levers(company(), target, {"2027-01": 30, "2027-02": 70})).loc["leads"]
    assert found["current"] == 50
    assert found["needed"] == 136 / 2


@pytest.mark.parametrize("lever", ["lead_conversion", "win_rate"])
@pytest.mark.parametrize("confidence", [0.6, 0.8, 0.9])
def test_a_conversion_is_that_of_the_poisson(lever, confidence):
    """``leads * lead conversion * win rate`` must be the mean whose chance of 5 or more is wanted."""
    found = of(levers(company(), replace(WINS, confidence=confidence), LEADS))
    other = 0.33 if lever == "lead_conversion" else 0.15
    exact = gammaincinv(5, confidence) / 100 / other
    assert found.loc[lever, "needed"] == pytest.approx(exact, rel=1e-4)


def test_a_deal_value_is_the_revenue_over_the_wins_that_are_likely():
    """With 100 leads, three wins or more have a chance of 86 %, four of 74 %: a third each."""
    target = Target(new_mrr=6_000, start="2027-01-01", by="2027-01-31")
    found = of(levers(company(deal_value=1_000.0), target, LEADS)).loc["deal_value"]
    assert found["needed"] == pytest.approx(2_000, rel=1e-4)


def test_a_cycle_is_short_enough_when_enough_wins_come_in_time():
    """Leads evenly over 31 days, exponential delay L: the share in time is 1 - L (1 - e^(-31/L)) / 31."""
    model = company(lag_days=30.0)
    found = of(levers(model, WINS, {"2027-01": 200})).loc["cycle"]
    lag = 30.0 * found["needed"] / found["current"]
    share = 1 - lag * (1 - np.exp(-31 / lag)) / 31
    assert 200 * 0.0495 * share == pytest.approx(gammaincinv(5, 0.8), rel=0.002)


@pytest.mark.parametrize("target", [WINS, replace(WINS, wins=9), LEVEL], ids=str)
def test_what_is_needed_is_enough_and_a_little_less_is_not(target):
    """`chance` itself, on the model with the lever at what it needs, reaches the confidence."""
    model = running()
    planned = YEAR if target is LEVEL else LEADS
    table = of(levers(model, target, planned, draws=4_000))
    closing = [v for v in levers_of(model, target, planned) if table.loc[v.name, "needed"] > 0]
    assert closing
    for lever in closing:
        factor = table.loc[lever.name, "needed"] / lever.current
        enough, short = (
            chance(replace(moved, memory=Memory()), target, leads, 4_000)
            for moved, leads in (
                lever.move(model, planned, factor),
                lever.move(model, planned, 1 + (factor - 1) * 0.95),
            )
        )
        assert short < 0.8 <= enough + 1e-9, lever.name


def test_the_chance_rises_as_a_lever_improves():
    """Common random numbers: never down on the way from today to the utmost."""
    model = running()
    trials = Trials(model, LEVEL, YEAR, 1_000, 0)
    for lever in levers_of(model, LEVEL, YEAR):
        factors = np.linspace(1, min(lever.limit, 3.0), 7)
        chances = [trials.chance((lever, float(x))) for x in factors]
        assert (np.diff(chances) >= -1e-12).all(), lever.name
        assert chances[0] == pytest.approx(trials.now, abs=1e-12)
        assert chances[-1] > chances[0], lever.name


def test_a_lever_that_cannot_close_the_gap_says_so():
    """Not even a conversion of 100 % or no delay at all: nothing needed, and the chance it gives."""
    found = of(levers(company(lag_days=60.0), replace(WINS, wins=40), LEADS))
    for name, words in (("win_rate", "at 100 %"), ("cycle", "without any delay")):
        assert np.isnan(found.loc[name, "needed"])
        assert words in found.loc[name, "note"]
    assert np.isfinite(found.loc["leads", "needed"])
    assert found.loc["leads", "rank"] == 1


def test_a_target_within_reach_needs_no_change():
    """Change nothing, at no cost."""
    found = levers(company(), WINS, {"2027-01": 200}, {"leads": 50})
    moved = found[found["lever"].isin(["leads", "win_rate"])]
    assert (moved["needed"] == moved["current"]).all()
    assert (found["change"] == 0).all()
    assert of(found).loc["leads", "cost"] == 0
    assert found["note"].str.contains("reached already").all()


def test_no_leads_planned_at_all():
    """There is nothing to take a share of: the number a month is told, the change is not."""
    found = of(levers(company(lead_cost=10.0), WINS, {})).loc["leads"]
    assert (found["current"], found["needed"], found["cost"]) == (0, 136, 1360)
    assert np.isnan(found["change"])


def test_costs_rank_the_levers():
    """One price a lead, one for each 1 % of the others; without a price behind those with one."""
    costs = {"leads": 100, "win_rate": 60, "lead_conversion": 150}
    found = levers(company(), WINS, LEADS, costs)
    assert found["lever"].tolist() == ["win_rate", "leads", "lead_conversion", "cycle"]
    assert found["rank"].tolist() == [1, 2, 3, 4]
    row = of(found)
    assert row.loc["leads", "cost"] == 36 * 100
    assert row.loc["win_rate", "cost"] == pytest.approx(row.loc["win_rate", "change"] * 100 * 60)


def test_history_goes_before_cost():
    """What the company has shown comes first, however dear; what it has not, after the unknown."""
    past = {"leads": (90.0, 120.0, 140.0, 150.0), "win_rate": (0.30, 0.32, 0.33, 0.34)}
    model = replace(company(lead_cost=1_000.0), history=past)
    found = levers(model, WINS, LEADS, {"win_rate": 1, "lead_conversion": 2})
    assert found["lever"].tolist() == ["leads", "lead_conversion", "win_rate", "cycle"]
    assert found["within_history"].tolist()[::2] == [True, False]
    assert found["within_history"].isna().tolist() == [False, True, False, True]
    low, high = band(past["leads"])
    assert (found.loc[0, "low"], found.loc[0, "high"]) == (low, high)


def test_an_assumed_model_has_no_history():
    """Missing, not False."""
    found = levers(company(), WINS, LEADS)
    assert found["within_history"].isna().all()
    assert found["note"].str.contains("no history").all()


def test_which_levers_bear_on_a_target():
    """Deal value where money counts, churn where it is a level."""
    money = Target(new_mrr=9_000, start="2027-01-01", by="2027-12-31")
    always = {"leads", "lead_conversion", "win_rate", "cycle"}
    assert set(levers(running(), WINS, LEADS)["lever"]) == always
    assert set(levers(running(), money, YEAR)["lever"]) == always | {"deal_value"}
    assert set(levers(running(), LEVEL, YEAR)["lever"]) == always | {"deal_value", "churn"}


def test_two_levers_together_are_computed():
    """A fifth more leads and a fifth more wins are 44 % more, by the Poisson."""
    found = of(combined(company(), WINS, LEADS, {"leads": 0.2, "win_rate": 0.2}))
    now, one, both = (gammainc(5, 4.95 * times) for times in (1, 1.2, 1.44))
    assert found.attrs["chance_now"] == pytest.approx(now)
    assert found.loc["leads", "gain"] == pytest.approx(one - now)
    assert found.loc["together", "gain"] == pytest.approx(both - now)
    assert found.loc["together", "parts"] == pytest.approx(2 * (one - now))
    assert abs(found.loc["together", "gain"] - found.loc["together", "parts"]) > 0.01


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: levers(company(), WINS, LEADS, {"ledas": 5}), "no lever 'ledas'"),
        (lambda: levers(company(), WINS, LEADS, {"'; drop table deals": 5}), "no lever"),
        (lambda: levers(company(), WINS, LEADS, {"leads": -1}), "leads = -1; .* 0 or more"),
        (lambda: levers(company(), WINS, LEADS, {"cycle": np.nan}), "cycle = nan; .* 0 or more"),
        (lambda: levers(company(), WINS, {"2027-01": -4}), "leads of 2027-01"),
        (lambda: levers(company(), LEVEL, YEAR), "recurring revenue"),
        (lambda: combined(company(), WINS, LEADS, {"churn": -0.1}), "for this target"),
        (lambda: combined(company(), WINS, LEADS, {"win_rate": 9.0}), "win_rate = 9.0"),
        (lambda: combined(company(), WINS, LEADS, {"cycle": np.nan}), "cycle = nan"),
        (lambda: combined(company(), WINS, LEADS, {}), "empty"),
    ],
)
def test_hostile_input_is_refused_by_name(call, words):
    """What, where, and what to do."""
    with pytest.raises(PlanError, match=words):
        call()


def test_the_same_seed_gives_the_same_table():
    """To the last digit, and whatever was asked of the model before."""
    model = running()
    first = levers(model, LEVEL, YEAR, draws=800)
    chance(model.with_rates(annual_churn=0.3), LEVEL, YEAR, draws=800)
    pd.testing.assert_frame_equal(first, levers(model, LEVEL, YEAR, draws=800))


def won_company():
    """Two years of 4 leads a day; one of them converts after 5 days, every other deal wins after 30."""
    born = pd.date_range("2024-07-01", "2026-06-30", freq="D").repeat(4)
    lead = pd.DataFrame({"lead_id": [f"l{i}" for i in range(len(born))], "created_at": born})
    with_deal = lead.iloc[::4].reset_index(drop=True)
    opened = with_deal["created_at"] + pd.Timedelta(days=5)
    won = np.arange(len(with_deal)) % 2 == 0
    closed = opened + pd.Timedelta(days=30)
    ids = [f"d{i}" for i in range(len(with_deal))]
    moves = [(opened, "S1"), (closed, np.where(won, "Won", "Lost"))]
    history = pd.concat(
        [pd.DataFrame({"record_id": ids, "stage_id": s, "changed_at": at}) for at, s in moves]
    )
    history = history[history["changed_at"] <= "2026-06-30"].sort_values(
        "changed_at", kind="stable"
    )
    deals = pd.DataFrame({"deal_id": ids, "lead_id": with_deal["lead_id"], "created_at": opened})
    deals["stage_id"] = deals["deal_id"].map(history.groupby("record_id")["stage_id"].last())
    deals["mrr"] = np.where(won & (closed <= "2026-06-30"), 400.0, np.nan)
    lines = {
        "subscription_id": [f"s{i}" for i in range(20)],
        "account_id": [f"a{i}" for i in range(20)],
    }
    ends = [None] * 18 + ["2026-02-10", "2026-05-20"]
    lines |= {"mrr": 100.0, "starts_on": "2025-01-01", "ends_on": ends}
    return {
        "leads": lead,
        "deals": deals[deals["created_at"] <= "2026-06-30"],
        "history": history,
        "stages": stages("S1", "Won", "Lost"),
        "subscriptions": pd.DataFrame(lines),
    }


@pytest.fixture(scope="module")
def fitted():
    return FunnelModel.fit(snapshot(won_company()))


def test_history_is_what_was_put_in(fitted):
    """Whole months and quarters only, and no cohort too young to have won."""
    past = fitted.history
    days = [m.days_in_month for m in pd.period_range("2024-07", "2026-05", freq="M")]
    assert past["leads"] == tuple(4.0 * n for n in days)
    assert past["conversion 0"] == pytest.approx([0.25] * 7)
    assert len(past["win_rate"]) == 7
    assert past["win_rate"] == pytest.approx([0.5] * 7, abs=0.01)
    assert set(past["cycle"]) == {30.0}
    assert set(past["deal_value"]) == {400.0}
    assert past["churn"][-5:] == pytest.approx((0.05, 0, 0, 1 / 19, 0), abs=1e-9)


def test_a_young_cohort_does_not_drag_history_down(fitted):
    """The last quarter has open deals: it is left out, or it would show a fall in conversion."""
    assert min(fitted.history["win_rate"]) > 0.48


def test_within_history_by_the_companys_own_range(fitted):
    """118 to 124 leads a month were seen: 120 are within, 200 are not, and 50 are no obstacle."""
    months = {f"2026-{month:02}": 60.0 for month in range(7, 13)}
    for wins, within in ((50, True), (250, False)):
        target = Target(wins=wins, by="2026-12-31")
        row = of(levers(fitted, target, months)).loc["leads"]
        assert row["low"] == pytest.approx(120, abs=4)
        assert row["high"] == pytest.approx(124)
        assert bool(row["within_history"]) is within


def test_needs_hold_with_four_times_the_draws(fitted):
    """The levers draw less than `chance` does by default: what they say is still true to a point."""
    months = {f"2026-{month:02}": 60.0 for month in range(7, 13)}
    target = Target(wins=60, by="2026-12-31")
    table = of(levers(fitted, target, months))
    found = [v for v in levers_of(fitted, target, months) if table.loc[v.name, "needed"] > 0]
    assert {"leads", "win_rate", "lead_conversion"} <= {lever.name for lever in found}
    for lever in found:
        factor = table.loc[lever.name, "needed"] / lever.current
        moved, leads = lever.move(fitted, months, factor)
        reached = chance(replace(moved, memory=Memory()), target, leads)
        assert reached >= 0.785, lever.name
        # every delay is alike here and ages are whole days: with the cycle the chance jumps
        assert reached <= 0.815 or lever.name == "cycle", lever.name


def test_a_funnel_without_leads_and_with_stages_called_like_levers():
    """Deals take the place of leads; a stage called churn is not the churn of customers."""
    frames = won_company()
    del frames["leads"]
    later = frames["history"].query("stage_id == 'S1'").assign(stage_id="cycle")
    later["changed_at"] += pd.Timedelta(days=2)
    later = later[later["changed_at"] <= "2026-06-30"]
    history = pd.concat([frames["history"].replace({"S1": "churn"}), later])
    frames |= {
        "deals": frames["deals"].drop(columns=["lead_id", "stage_id"]).assign(stage_id="cycle"),
        "history": history.sort_values("changed_at", kind="stable"),
        "stages": stages("churn", "cycle", "Won", "Lost"),
    }
    last = frames["history"].groupby("record_id")["stage_id"].last()
    frames["deals"]["stage_id"] = frames["deals"]["deal_id"].map(last)
    model = FunnelModel.fit(snapshot(frames))
    target = Target(mrr=20_000, by="2026-12-31")
    table = levers(model, target, {"2026-07": 10, "2026-08": 10}, {"stage 1": 5, "churn": 7})
    names = ["leads", "stage 1", "stage 2", "win_rate", "deal_value", "cycle", "churn"]
    assert sorted(table["lever"]) == sorted(names)
    assert of(table).loc["leads", "label"].startswith("churn to create")
    assert model.history["leads"][0] == pytest.approx(30, abs=2)
