"""The sample company's pipeline, recomputed from the raw files in plain pandas."""

from pathlib import Path

import pandas as pd
import pytest

import connectors
from kpi.pipeline.changes import FLOWS, pipeline_changes
from kpi.pipeline.coverage import coverage
from kpi.pipeline.slippage import slippage
from kpi.pipeline.stock import final_stage_deals, open_pipeline
from kpi.pipeline.weighted import weighted_pipeline

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
AS_OF = pd.Timestamp("2026-11-01", tz="UTC")
STAGES = ["disc", "assess", "prop", "nego"]


@pytest.fixture(scope="module")
def snap():
    return connectors.open(SAMPLES)


@pytest.fixture(scope="module")
def new():
    deals = pd.read_csv(
        SAMPLES / "deals.csv", parse_dates=["created_at", "closed_at", "close_date"]
    )
    return deals[deals["deal_type"] == "new"]


@pytest.fixture(scope="module")
def history():
    changes = pd.read_csv(SAMPLES / "history.csv", parse_dates=["changed_at", "close_date"])
    return changes[changes["object"] == "deal"].sort_values("changed_at", kind="stable")


def known(history, before):
    """Last recorded stage, amount and closing day of every deal before a moment."""
    then = history[history["changed_at"] < before].groupby("record_id")
    return then[["stage_id", "amount", "close_date"]].last()


def test_open_pipeline(snap, new, history):
    """Amount, number, age, days in the stage and overdue, by stage."""
    still = new[new["outcome"] == "open"].set_index("deal_id")
    age = (AS_OF - still["created_at"].dt.normalize()).dt.days
    moves = history[history["stage_id"].notna() & history["record_id"].isin(still.index)]
    last = moves.groupby("record_id")["changed_at"].last().dt.normalize()
    stay = (AS_OF - last).dt.days
    late = still["close_date"] < AS_OF.tz_localize(None)
    table = open_pipeline(snap, by="stage").set_index("stage")
    assert table.index.tolist() == STAGES
    hand = still.groupby("stage_id")
    assert table["value"].to_dict() == pytest.approx(hand["amount"].sum().to_dict())
    assert table["n"].to_dict() == hand.size().to_dict()
    assert table["age_days"].to_dict() == age.groupby(still["stage_id"]).median().to_dict()
    assert table["stage_age_days"].to_dict() == stay.groupby(still["stage_id"]).median().to_dict()
    assert table["overdue"].to_dict() == late.groupby(still["stage_id"]).sum().to_dict()


def test_final_stage(snap, new):
    """Open in Negotiation, by seller."""
    still = new[new["outcome"] == "open"]
    table = final_stage_deals(snap, by="owner").set_index("owner")
    counted = (still["stage_id"] == "nego").groupby(still["owner_id"]).sum()
    assert table["value"].to_dict() == counted.to_dict()


def test_weighted_by_the_crm(snap, new):
    """Amount times the stage's probability."""
    chance = pd.read_csv(SAMPLES / "stages.csv").set_index("stage_id")["probability"]
    still = new[new["outcome"] == "open"]
    expected = (still["amount"] * still["stage_id"].map(chance)).sum()
    row = weighted_pipeline(snap, probability="crm").iloc[0]
    assert row["value"] == pytest.approx(expected)


def test_weighted_by_history_is_near_the_truth(snap):
    """The truth the sample was drawn from: stages go on with about .78, .80, .68, .75."""
    onward = [0.78 * 0.8 * 0.68 * 0.75, 0.8 * 0.68 * 0.75, 0.68 * 0.75, 0.75]
    stage = open_pipeline(snap, by="stage").set_index("stage")["value"]
    rough = sum(stage[name] * p for name, p in zip(STAGES, onward, strict=True))
    row = weighted_pipeline(snap).iloc[0]
    assert row["low"] < rough < row["high"]


def test_coverage(snap, new):
    """Last quarter of 2026 over what its quotas still lack."""
    quotas = pd.read_csv(SAMPLES / "quotas.csv")
    quota = quotas.loc[quotas["period_start"].between("2026-10-01", "2026-12-01"), "amount"].sum()
    won = new[(new["outcome"] == "won") & (new["closed_at"] >= "2026-10-01")]["amount"].sum()
    still = new[(new["outcome"] == "open")]
    due = still[still["close_date"].between("2026-10-01", "2026-12-31")]
    row = coverage(snap).iloc[0]
    assert (row["quota"], row["x"]) == (quota, len(due))
    assert row["value"] == pytest.approx(due["amount"].sum() / (quota - won))


def ends(new, history, first, after):
    """Each deal at both ends of a period: open or not, amount and expected closing day."""
    before, then = known(history, first), known(history, after)
    both = new.set_index("deal_id")[["created_at"]].join(before).join(then.add_suffix("_1"))
    open_0 = both["stage_id"].isin(STAGES)
    return both.assign(open_0=open_0, open_1=both["stage_id_1"].isin(STAGES))


def test_slippage(snap, new, history):
    """Second quarter of 2026: due at its start, moved past its end while open."""
    first, after = pd.Timestamp("2026-04-01", tz="UTC"), pd.Timestamp("2026-07-01", tz="UTC")
    both = ends(new, history, first, after)
    due = both[both["open_0"] & both["close_date"].between("2026-04-01", "2026-06-30")]
    slipped = due["open_1"] & (due["close_date_1"] > "2026-06-30")
    quarter = slippage(snap.at("2026-06-30"), every="quarter").set_index("period")
    row = quarter.loc["2026-04-01"]
    assert (row["x"], row["n"]) == (slipped.sum(), len(due))
    assert row["won"] == (due["stage_id_1"] == "won").sum()
    assert row["lost"] == (due["stage_id_1"] == "lost").sum()


def test_pipeline_changes(snap, new, history):
    """The running quarter, October 2026, of deals in USD: every part from the raw history.

    (Amounts in history are in the deal's own currency to the snapshot; in the sample they are in
    USD, so those of Canadian deals cannot be compared.)
    """
    new = new[new["currency"] == "USD"]
    first = pd.Timestamp("2026-10-01", tz="UTC")
    both = ends(new, history, first, AS_OF + pd.Timedelta(days=1))
    window = ("2026-10-01", "2026-12-31")
    begins = both["open_0"] & both["close_date"].between(*window)
    closed = ~both["open_1"] & (both["open_0"] | (both["created_at"] >= first))
    reclosed = new.set_index("deal_id")["closed_at"] >= first
    closed = closed | (~both["open_1"] & reclosed)
    stays = both["open_1"] & both["close_date_1"].between(*window)
    here = stays | closed
    fresh = both["created_at"] >= first
    change = (both["amount_1"] - both["amount"]).where(here & begins, 0)
    enters = both["amount_1"].where(here & ~begins, 0)
    hand = {
        "start": both["amount"].where(begins, 0),
        "new": enters.where(fresh, 0),
        "reopened": enters.where(~fresh & ~both["open_0"], 0),
        "pulled_in": enters.where(both["open_0"], 0),
        "increased": change.clip(lower=0),
        "decreased": (-change).clip(lower=0),
        "revalued": change * 0,
        "pushed_out": both["amount"].where(begins & ~here, 0),
        "won": both["amount_1"].where(closed & (both["stage_id_1"] == "won"), 0),
        "lost": both["amount_1"].where(closed & (both["stage_id_1"] == "lost"), 0),
        "end": both["amount_1"].where(stays, 0),
    }
    row = pipeline_changes(snap.where(currency="USD")).iloc[0]
    found = row[FLOWS].to_dict()
    assert found == pytest.approx({name: amounts.sum() for name, amounts in hand.items()}, abs=0.05)
    assert row["n"] == begins.sum()
