"""The what-if of a plan: the planner's own numbers where nothing moves, and near it elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

import connectors
from kpi.planning import FunnelModel, PlanError, chance, reverse_funnel
from kpi.planning.what_if import WhatIf
from kpi.planning.what_if_of import what_if
from workbench.report.notebook import SAMPLES

GOALS = {
    "wins": {"wins": 40, "by": "2027-05-31"},
    "new_mrr": {"new_mrr": 60_000, "by": "2027-05-31"},
    "bookings": {"bookings": 600_000, "by": "2027-05-31", "season": {12: 0.5}},
    "mrr": {"mrr": 240_000, "by": "2027-05-31"},
    "path": {"arr": {"2026-12": 2_450_000, "2027-03": 2_600_000, "2027-06": 2_900_000}},
}
NEAR, NEAR_PATH = 0.015, 0.05  # a path may hang on few wins in its first month


@pytest.fixture(scope="module")
def model():
    return FunnelModel.fit(connectors.open(SAMPLES))


@pytest.fixture(scope="module", params=GOALS)
def made(request, model):
    plan = reverse_funnel(model, **GOALS[request.param])
    return model, plan, what_if(model, plan)


def test_nothing_moved_gives_the_plan(made):
    _, plan, found = made
    told = found.result()
    assert told["chance"] == pytest.approx(plan.probability, abs=1e-12)
    assert told["leads_needed"] == plan.to_create
    assert told["new_mrr"] == pytest.approx(plan.outcome["new_mrr"].tolist(), rel=1e-12)
    funnel = plan.table.groupby("stage", sort=False)[["in_pipeline", "direct", "to_create"]].sum()
    for name in funnel.columns:
        assert told["funnel"][name] == pytest.approx(funnel[name].tolist(), abs=1e-9)
    if plan.target.is_level:
        assert told["mrr"] == pytest.approx(plan.outcome["mrr"].tolist(), rel=1e-12)


def test_expected_records_are_the_planners_for_other_rates(made):
    model, plan, found = made
    rates = {
        n: min(1.0, r * t)
        for (n, r), t in zip(plan.rates.items(), (1.3, 0.8, 1.2, 0.7, 1.1), strict=True)
    }
    again = reverse_funnel(
        model.with_rates(rates), replace(plan.target, confidence=0.5), **dict(plan.inputs)
    )
    assert (again.leads_by_month.keys()) == plan.leads_by_month.keys()
    told = found.result(rates=rates, leads=float(again.to_create))
    won = again.table[again.table["stage"] == "won"]
    assert told["wins_pipeline"] == pytest.approx(won["in_pipeline"].tolist(), abs=1e-9)
    assert told["wins_direct"] == pytest.approx(won["direct"].tolist(), abs=1e-9)
    assert sum(told["wins_new"]) == pytest.approx(won["to_create"].sum(), rel=0.02)  # whole leads


def test_the_chance_is_near_the_planners(made):
    model, plan, found = made
    rng = np.random.default_rng(3)
    for _ in range(6):
        part = 0.04 if plan.target.is_level else 0.3
        times = rng.uniform(1 - part, 1 + part)
        amount = getattr(plan.target, plan.target.kind)
        path = isinstance(amount, dict)
        goal = {m: a * times for m, a in amount.items()} if path else amount * times
        target = replace(plan.target, **{plan.target.kind: goal})
        rates = {n: min(1.0, r * rng.uniform(0.8, 1.25)) for n, r in plan.rates.items()}
        value, churn = model.deal_value * rng.uniform(0.8, 1.2), rng.uniform(0.05, 0.2)
        leads = np.rint(plan.to_create * rng.uniform(0.5, 1.5) * found.share)
        exact = chance(
            model.with_rates(rates, deal_value=value, annual_churn=churn),
            target,
            dict(zip(found.months, leads, strict=True)),
        )
        told = found.result(
            target=target.amount,
            rates=rates,
            deal_value=value,
            annual_churn=churn,
            leads=float(leads.sum()),
        )
        assert told["chance"] == pytest.approx(exact, abs=NEAR_PATH if path else NEAR)


def test_more_of_anything_good_is_never_less_likely(made):
    _, _, found = made
    planned = found.inputs
    base = found.chance(planned)
    better = [
        {"leads": planned.leads * 1.2},
        {"rates": {"leads": min(1.0, planned.rates["leads"] * 1.1)}},
        {"target": planned.target * 0.98},
    ]
    for moved in better:
        assert found.result(**moved)["chance"] >= base
        assert found.result(**moved)["gap"] <= found.result()["gap"] + 1e-9


def test_an_assumed_plan_follows_the_closed_form():
    model = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33)
    plan = reverse_funnel(model, wins=5, start="2027-01-01", by="2027-01-31", confidence=0.8)
    found = what_if(model, plan)
    assert found.result(confidence=0.9)["leads_needed"] == 162  # gammaincinv(5, 0.9) / 0.0495
    assert found.result(rates={"leads": 0.3})["leads_needed"] == 68
    assert found.result(target=6.0)["leads_needed"] == 160  # gammaincinv(6, 0.8) / 0.0495
    assert np.isnan(found.inputs.deal_value)
    assert found.result()["new_mrr"] is None


def test_a_rate_cannot_go_beyond_all(made):
    _, _, found = made
    sure = dict.fromkeys(found.steps[:-1], 1.0)
    told = found.result(rates=sure)
    assert told["wins_new"] == pytest.approx([w for w in told["wins_new"] if w >= 0])
    assert sum(told["wins_new"]) <= found.inputs.leads + 1e-9


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        ({"rates": {"nobody": 0.5}}, "no such step"),
        ({"rates": {"leads": 0.0}}, "above 0"),
        ({"rates": {"leads": 1.1}}, "up to 1"),
        ({"confidence": 1.0}, "confidence"),
        ({"target": 0.0}, "target"),
        ({"leads": -1.0}, "leads"),
        ({"leads": float("nan")}, "leads"),
        ({"deal_value": 0.0}, "deal_value"),
        ({"annual_churn": 1.0}, "annual_churn"),
    ],
)
def test_inputs_out_of_range_are_refused(moved, said, model):
    plan = reverse_funnel(model, wins=10, by="2027-05-31")
    with pytest.raises(PlanError, match=said):
        what_if(model, plan).result(**moved)


def test_it_holds_no_record_of_the_company(made):
    model, _, found = made
    plain = found.plain()
    assert set(plain) == set(WhatIf.__dataclass_fields__)
    seen = {round(float(v), 6) for v in model.values} - {round(float(model.deal_value), 6)}

    def numbers(value):
        if isinstance(value, dict):
            return [n for each in value.values() for n in numbers(each)]
        if isinstance(value, list):
            return [n for each in value for n in numbers(each)]
        return [round(float(value), 6)] if isinstance(value, float) else []

    assert not seen & set(numbers(plain))


def test_without_any_win_a_level_is_simply_missed():
    model = FunnelModel.assume(deal_value=1_000, mrr=50_000, annual_churn=0.1)
    plan = reverse_funnel(model, mrr=52_000, start="2027-01-01", by="2027-06-30")
    assert what_if(model, plan).result(leads=0.0)["chance"] == 0.0
