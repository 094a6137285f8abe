"""A frozen plan and the data it was made from: the model comes back, or it is said why not."""

import pandas as pd
import pytest

import connectors
from kpi import Snapshot
from kpi.planning import FunnelModel, Plan, reverse_funnel
from workbench.report.notebook import SAMPLES
from workbench.report.pack.remade import PackError, remade


@pytest.fixture(scope="module")
def snapshot():
    return connectors.open(SAMPLES)


@pytest.fixture(scope="module")
def model(snapshot):
    return FunnelModel.fit(snapshot)


def frozen(plan, folder):
    return Plan.load(plan.freeze(folder / "plan.toml"))


def test_the_model_comes_back_with_what_was_set_by_hand(snapshot, model, tmp_path):
    rates = {"leads": 0.2, "Proposal": 0.7}
    moved = model.with_rates(rates, deal_value=2_000, cycle=0.9, annual_churn=0.2)
    plan = reverse_funnel(
        moved, mrr=230_000, by="2027-05-31", season={12: 0.5}, caps={"leads": 400}, lead_cost=150
    )
    found = remade(frozen(plan, tmp_path), snapshot)
    again = reverse_funnel(found, plan.target, **dict(plan.inputs), lead_cost=150)
    assert again.leads_by_month == plan.leads_by_month
    assert again.probability == pytest.approx(plan.probability, abs=1e-12)
    assert found.deal_value == pytest.approx(2_000)
    assert found.cycle == 0.9


def test_a_plan_of_assumed_rates_has_no_data(snapshot):
    plan = reverse_funnel(FunnelModel.assume(), wins=5, start="2027-01-01", by="2027-06-30")
    with pytest.raises(PackError, match="assumed rates"):
        remade(plan, snapshot)


def test_another_day_is_refused(snapshot, model):
    plan = reverse_funnel(model, wins=20, by="2027-05-31")
    with pytest.raises(PackError, match="as of 2026-11-01, the data is as of 2026-09-30"):
        remade(plan, snapshot.at("2026-09-30"))


def test_other_filters_are_refused_and_named(snapshot, model):
    plan = reverse_funnel(model, wins=20, by="2027-05-31")
    with pytest.raises(PackError, match=r"filters: none; the data has: source: outbound"):
        remade(plan, snapshot.where(source="outbound"))


def test_the_same_filters_are_taken(snapshot):
    narrow = snapshot.where(source=["outbound", "website"])
    plan = reverse_funnel(FunnelModel.fit(narrow), wins=5, by="2027-05-31")
    assert remade(plan, snapshot.where(source=["website", "outbound"])).closed > 0


def test_data_corrected_since_is_refused_with_both_numbers(snapshot, model):
    plan = reverse_funnel(model, wins=20, by="2027-05-31")
    frames = {name: snapshot.table(name).to_pandas() for name in snapshot.present}
    deals = frames["deals"]
    gone = deals[deals["outcome"] == "won"].index[:15]
    frames["deals"] = deals.drop(gone)
    other = Snapshot.from_frames(
        frames, as_of=snapshot.as_of, definitions=snapshot.definitions, source=snapshot.source
    )
    with pytest.raises(PackError, match=f"the plan says {plan.to_create:,}"):
        remade(plan, other)


def test_other_stages_are_refused(model):
    plan = reverse_funnel(model, wins=20, by="2027-05-31")
    days = pd.date_range("2026-01-01", periods=40, freq="D").astype(str)
    deals = pd.DataFrame(
        {
            "deal_id": [str(n) for n in range(40)],
            "outcome": ["won", "lost"] * 20,
            "created_at": days,
            "close_date": pd.date_range("2026-03-01", periods=40, freq="D").astype(str),
        }
    )
    other = Snapshot.from_frames({"deals": deals}, as_of=plan.as_of)
    with pytest.raises(PackError, match="the data has others"):
        remade(plan, other)
