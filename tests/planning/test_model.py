"""The fitted funnel: known truth recovered, open records credited once, little data said to be little."""

import numpy as np
import pandas as pd
import pytest
from companies import deals_on_paths, outcomes, snapshot, stages

from kpi import TableError
from kpi.planning import FunnelModel, reverse_funnel
from kpi.planning.pipeline import expected

CONVERTS, WINS = 0.30, 0.35


def made_up(leads=3_000, seed=20261122):
    """Simulate a company whose truth is known: 30 % convert, 35 % of these win, with delays."""
    rng = np.random.default_rng(seed)
    first, end = pd.Timestamp("2024-07-01"), pd.Timestamp("2026-06-30 23:00")
    born = first + pd.to_timedelta(rng.uniform(0, 730, leads), unit="D")
    lead = pd.DataFrame({"lead_id": [f"l{i}" for i in range(leads)], "created_at": born})
    converts = lead[rng.random(leads) < CONVERTS].reset_index(drop=True)
    n = len(converts)
    opened = converts["created_at"] + pd.to_timedelta(rng.exponential(12, n), unit="D")
    second = opened + pd.to_timedelta(rng.exponential(15, n), unit="D")
    closed = second + pd.to_timedelta(rng.exponential(25, n), unit="D")
    won = rng.random(n) < WINS
    ids = [f"d{i}" for i in range(n)]
    moves = [(opened, "S1"), (second, "S2"), (closed, np.where(won, "Won", "Lost"))]
    history = pd.concat(
        [pd.DataFrame({"record_id": ids, "stage_id": s, "changed_at": at}) for at, s in moves]
    )
    history = history[history["changed_at"] <= end].sort_values("changed_at", kind="stable")
    now = history.groupby("record_id")["stage_id"].last()
    deals = pd.DataFrame({"deal_id": ids, "lead_id": converts["lead_id"], "created_at": opened})
    deals["stage_id"] = deals["deal_id"].map(now)
    deals["mrr"] = np.where(won & (closed <= end), 400.0, np.nan)
    deals = deals[deals["created_at"] <= end]
    return {
        "leads": lead,
        "deals": deals,
        "history": history,
        "stages": stages("S1", "S2", "Won", "Lost"),
    }


@pytest.fixture(scope="module")
def company():
    return snapshot(made_up())


@pytest.fixture(scope="module")
def model(company):
    return FunnelModel.fit(company)


def test_the_known_truth_is_recovered(model):
    """End to end, and step by step, inside the interval; delays near those put in."""
    rate = model.curve(0, model.top).rate()
    assert rate.low <= CONVERTS * WINS <= rate.high
    assert rate.n == 3000
    leads = model.rates["leads"]
    assert leads.low <= CONVERTS <= leads.high
    deals = model.curve(model.first_deal, model.top).rate()
    assert deals.low <= WINS <= deals.high
    waited = model.curve(0, model.top)
    half = int(np.argmax(waited.share >= waited.final / 2))
    assert half == pytest.approx(np.median(mean_of_three()), abs=8)


def mean_of_three():
    """Draw the true delay from lead to win: the sum of three exponentials."""
    rng = np.random.default_rng(1)
    return rng.exponential(12, 50_000) + rng.exponential(15, 50_000) + rng.exponential(25, 50_000)


def test_the_plan_of_a_fitted_model_adds_up(model):
    """Pipeline and new leads are parts of what is needed; more chance takes more leads."""
    plan = reverse_funnel(model, wins=80, by="2027-06-30")
    table = plan.table
    np.testing.assert_allclose(
        table["need"], table["in_pipeline"] + table["direct"] + table["to_create"], atol=1e-9
    )
    assert [name for name in table["stage"].unique() if "lead" in name] == ["leads"]
    assert plan.needs[0.5] < plan.needs[0.8] < plan.needs[0.9]
    assert plan.probability >= 0.8
    assert plan.from_pipeline > 0


def test_the_pipeline_brings_what_it_then_brought():
    """Rewound half a year, wins expected of what was open then are near those that came."""
    frames = made_up(seed=5)
    whole = snapshot(frames)
    earlier = whole.at("2025-12-31")
    then = FunnelModel.fit(earlier)
    awaited = expected(then, [0, 181])[-1, 0]
    known_leads = set(earlier.leads.to_pandas()["lead_id"])
    deals = whole.deals.to_pandas()
    history = whole.history.to_pandas()
    wins = history[(history["stage_id"] == "Won") & (history["changed_at"] >= "2026-01-01")]
    from_then = deals[deals["lead_id"].isin(known_leads)]["deal_id"]
    came = wins["record_id"].isin(from_then).sum()
    assert awaited == pytest.approx(came, abs=3 * np.sqrt(came))


def by_hand(as_of="2026-06-28"):
    """Five deals: won and lost at age 2, won and lost at age 5, one open at age 3."""
    end = pd.Timestamp(as_of)
    rows = [("A", "won", 2), ("B", "lost", 2), ("C", "won", 5), ("D", "lost", 5), ("E", "open", 3)]
    deals = pd.DataFrame(rows, columns=["deal_id", "outcome", "age"])
    closed = end - pd.Timedelta(days=30)
    born = closed - pd.to_timedelta(deals["age"], unit="D")
    opened = deals["outcome"] == "open"
    deals["created_at"] = born.where(~opened, end - pd.Timedelta(days=3))
    deals["close_date"] = pd.Series(closed, deals.index).where(~opened)
    return deals.drop(columns="age")


def test_an_open_deal_is_credited_once_by_its_age():
    """By hand: S(3) = 0.6, another 0.3 win at age 5: one half, two days after the as-of date."""
    model = FunnelModel.fit(snapshot({"deals": by_hand()}, as_of="2026-06-28"))
    assert model.curve(0, 1).final == pytest.approx(0.5)
    assert expected(model, [0, 1, 2, 3, 60])[1].tolist() == pytest.approx([0, 0.5, 0, 0])
    plan = reverse_funnel(model, wins=3, start="2026-06-29", by="2026-08-31")
    won = plan.table[plan.table["stage"] == "won"]
    assert won["in_pipeline"].tolist() == pytest.approx([0.5, 0, 0])
    assert plan.from_pipeline == pytest.approx(0.5)
    later = reverse_funnel(model, wins=3, by="2026-08-31")
    assert later.start.isoformat() == "2026-07-01"
    assert later.from_pipeline == 0


def test_data_without_leads_begins_with_deals():
    """And plans deals to create, not leads."""
    model = FunnelModel.fit(snapshot({"deals": by_hand()}, as_of="2026-06-28"))
    assert [step.name for step in model.steps] == ["deals", "won"]
    plan = reverse_funnel(model, wins=3, by="2026-08-31")
    assert plan.total_leads is None
    assert plan.top == "deals"
    assert plan.to_create == plan.total_deals > 0


def test_little_data_is_said_to_be_little():
    """Four closed deals are no ground to rely on, and the plan says so."""
    model = FunnelModel.fit(snapshot({"deals": by_hand()}, as_of="2026-06-28"))
    plan = reverse_funnel(model, wins=3, by="2026-08-31")
    assert any("not enough data to rely on: 4 deals closed" in note for note in plan.notes)


def test_a_large_company_is_not_called_little(model):
    """Nine hundred deals over two years."""
    assert not any("not enough data" in note for note in model.notes)


def test_a_stage_called_lead_is_renamed_in_plans():
    """No other stage name holds "lead", so that leads cannot be counted twice."""
    frames = deals_on_paths({f"d{i}": ["New lead", "Demo", "Won"] for i in range(12)})
    frames["stages"] = stages("New lead", "Demo", "Won", "Lost")
    frames["leads"] = pd.DataFrame({"lead_id": ["l1", "l2"], "created_at": "2026-01-01"})
    frames["deals"]["lead_id"] = ["l1", "l2", *[None] * 10]
    model = FunnelModel.fit(snapshot(frames))
    names = [step.name for step in model.steps]
    assert [name for name in names if "lead" in name.lower()] == ["leads"]
    assert "New lead" in [step.label for step in model.steps]


def test_rates_set_by_hand_replace_those_observed(model):
    """Twice the rate, half the leads for the same mean; the observed ones stay to be seen."""
    observed = model.rates["leads"].value
    doubled = model.with_rates({"leads": 2 * observed})
    assert doubled.curve(0, 1).final == pytest.approx(2 * observed)
    assert doubled.curve(0, 3).final == pytest.approx(2 * model.curve(0, 3).final)
    assert doubled.rates == model.rates
    target = {"wins": 150, "by": "2027-06-30"}
    fewer = reverse_funnel(doubled, **target).total_leads
    half = reverse_funnel(model, **target).total_leads / 2
    assert 0.9 * half < fewer <= half + 1  # below half: leads already open bring more, too


def test_a_deal_value_set_by_hand_scales_those_won(model):
    """Then revenue targets follow; the mean is the one set."""
    assert model.deal_value == pytest.approx(400.0)
    assert model.with_rates(deal_value=600.0).deal_value == pytest.approx(600.0)
    plans = [
        reverse_funnel(m, new_mrr=24_000.0, by="2027-06-30")
        for m in (model, model.with_rates(deal_value=600.0))
    ]
    assert plans[1].total_leads < plans[0].total_leads


@pytest.mark.parametrize(
    ("rates", "value", "message"),
    [
        ({"demo": 0.5}, None, "rate of 'demo': no such step; expected one of"),
        ({"leads": 0.0}, None, "above 0 and up to 1"),
        ({"leads": 1.1}, None, "above 0 and up to 1"),
        (None, 0.0, "expected an amount above 0"),
        (None, float("inf"), "expected an amount above 0"),
    ],
)
def test_impossible_overrides_are_refused(rates, value, message):
    """With the step or the value, and what is expected."""
    with pytest.raises(TableError, match=message):
        FunnelModel.assume().with_rates(rates, deal_value=value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lead_conversion": 0}, "lead_conversion = 0; expected a share"),
        ({"win_rate": 33}, "win_rate = 33; expected a share"),
        ({"win_rate": float("nan")}, "win_rate = nan"),
        ({"deal_value": -1}, "deal_value = -1; expected an amount"),
        ({"lag_days": -3}, "lag_days must be 0 or more"),
    ],
)
def test_impossible_assumptions_are_refused(options, message):
    """As TableErrors, in words."""
    with pytest.raises(TableError, match=message):
        FunnelModel.assume(**options)


def test_nothing_won_is_nothing_to_learn_from():
    """The message points to assumed rates."""
    with pytest.raises(TableError, match=r"no deal of new business was won.*FunnelModel.assume"):
        FunnelModel.fit(snapshot({"deals": outcomes(lost=5, open=3)}))


def test_no_deals_at_all_is_refused():
    """Neither a missing table nor an empty one gives a model."""
    with pytest.raises(TableError, match="needs the table"):
        FunnelModel.fit(snapshot({}))
    with pytest.raises(TableError, match="no deal of new business was won"):
        FunnelModel.fit(snapshot({"deals": outcomes(won=1).iloc[:0]}))


def test_leads_whose_deals_are_not_linked_give_a_funnel_that_begins_with_deals():
    """Leads marked converted, deals won, no link between: planned from deals, and said."""
    leads = pd.DataFrame({"lead_id": [f"l{i}" for i in range(40)], "created_at": "2026-01-01"})
    leads["converted_at"] = ["2026-01-20"] * 12 + [None] * 28
    model = FunnelModel.fit(snapshot({"leads": leads, "deals": outcomes(won=12, lost=10)}))
    assert [step.name for step in model.steps] == ["deals", "won"]
    assert any("the funnel begins with deals" in note for note in model.notes)


def test_direct_deals_have_a_stream_of_their_own():
    """Ten a month without a lead, half won at once: about five wins a month need no lead."""
    months = pd.date_range("2025-07-01", periods=12, freq="MS")
    rows = [
        {
            "deal_id": f"{m:%y%m}-{i}",
            "outcome": ["won", "lost"][i % 2],
            "created_at": m,
            "close_date": m,
        }
        for m in months
        for i in range(10)
    ]
    linked = {"deal_id": "x", "outcome": "won", "created_at": months[0], "close_date": months[0]}
    deals = pd.DataFrame([*rows, linked | {"lead_id": "l0"}])
    leads = pd.DataFrame({"lead_id": ["l0", "l1"], "created_at": months[0]})
    model = FunnelModel.fit(snapshot({"deals": deals, "leads": leads}))
    assert model.direct_per_month == pytest.approx(10, abs=1)
    plan = reverse_funnel(model, wins=30, by="2026-12-31")
    assert plan.from_direct == pytest.approx(6 * 5, rel=0.1)
