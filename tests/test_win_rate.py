"""The win rate, by period and by cohort, against counting deal by deal."""

import numpy as np
import pandas as pd
import pytest
from companies import BORN, LAST_DAY, outcomes, random_walks, snapshot, ways

from kpi import win_rate
from kpi.definitions import Count
from kpi.stats import aalen_johansen, jeffreys
from kpi.stats.survival import at_age, last_age


@pytest.fixture(scope="module")
def frames():
    return random_walks(seed=6, count=200)


@pytest.fixture(scope="module")
def snap(frames):
    return snapshot(frames)


def test_by_month_and_source_it_equals_counting(frames, snap):
    """Won over won and lost of the deals closed in the month; the interval is Jeffreys'."""
    deals = frames["deals"].dropna(subset=["closed_at"])
    deals = deals.assign(month=deals["closed_at"].dt.to_period("M"), won=deals["stage_id"] == "Won")
    table = win_rate(snap, by="source", every="month")
    table["month"] = table["period"].dt.to_period("M")
    counted = deals.groupby(["source", "month"])["won"].agg(["sum", "size"])
    filled = table[table["n"] > 0].set_index(["source", "month"])
    assert filled.index.tolist() == counted.index.tolist()
    assert filled["x"].tolist() == counted["sum"].tolist()
    assert filled["n"].tolist() == counted["size"].tolist()
    low, high = jeffreys(counted["sum"], counted["size"])
    np.testing.assert_allclose(filled[["low", "high"]], np.column_stack([low, high]))
    assert table.loc[table["n"] == 0, "value"].isna().all()


def test_a_cohort_equals_following_each_deal(frames, snap):
    """Open deals censored at the as-of date, lost ones competing, read at the stated age."""
    days, causes = [], []
    for way in ways(frames).values():
        end = way[-1][1]
        causes.append({"Won": 1, "Lost": 2}.get(end, 0))
        days.append((way[-1][0] if causes[-1] else LAST_DAY) - way[0][0])
    curve = aalen_johansen(days, causes)
    row = win_rate(snap, basis="cohort").iloc[0]
    age = last_age(curve, 10)
    assert row["value"] == pytest.approx(at_age(curve, "cif_1", age, before=0.0), abs=1e-12)
    assert row["n"] == 200
    assert f"by day {age:.0f}" in row["note"]
    early = win_rate(snap, basis="cohort", horizon_days=20)["value"].iloc[0]
    assert early == pytest.approx(at_age(curve, "cif_1", 20, before=0.0), abs=1e-12)


def test_a_horizon_in_the_definitions_is_used(frames):
    """The same as asking for it."""
    settled = win_rate(snapshot(frames, horizon_days=20), basis="cohort")
    pd.testing.assert_frame_equal(
        settled, win_rate(snapshot(frames), basis="cohort", horizon_days=20)
    )


def test_renewals_are_kept_apart_unless_asked_for():
    """Missing counts as new; the CRM's own words are translated first."""
    deals = outcomes(won=6, lost=2)
    deals["deal_type"] = ["Existing", "Existing", "Renewed", None, None, "new", None, "Existing"]
    words = {"Existing": "expansion", "Renewed": "renewal"}
    snap = snapshot({"deals": deals}, deal_types=words)
    counted = {
        kind: win_rate(snap, deal_type=kind)["n"].iloc[0]
        for kind in ("new", "expansion", "renewal", None)
    }
    assert counted == {"new": 4, "expansion": 3, "renewal": 1, None: 8}
    assert snap.problems.empty


def test_by_owner_the_note_says_whose_deals_they_are():
    """The owner as of the date, not the one at close."""
    deals = outcomes(won=2).assign(owner_id="a")
    assert (
        "owner as of the date" in win_rate(snapshot({"deals": deals}), by="owner")["note"].iloc[0]
    )


def test_fiscal_quarters_follow_the_definitions():
    """With a fiscal year from February, a win of 10 February is in the quarter that then begins."""
    snap = snapshot({"deals": outcomes(won=1)}, fiscal_year_start=2)
    first = win_rate(snap, every="quarter")["period"].iloc[0]
    assert first == pd.Timestamp("2026-02-01")


def test_won_can_mean_a_stage_of_ones_own():
    """[count.won] in the definitions: a signed contract counts, from the day it was signed."""
    deals = pd.DataFrame(
        {"deal_id": ["a", "b"], "stage_id": ["onboarding", "S1"], "created_at": BORN}
    )
    history = pd.DataFrame(
        {
            "record_id": ["a", "a", "a", "b"],
            "stage_id": ["S1", "signed", "onboarding", "S1"],
            "changed_at": ["2026-01-01", "2026-02-10", "2026-03-05", "2026-01-01"],
        }
    )
    count = {"won": Count("deals", "stage_id", ("signed",))}
    snap = snapshot({"deals": deals, "history": history}, count=count)
    table = win_rate(snap, every="month")
    assert table.loc[0, "period"] == pd.Timestamp("2026-02-01")
    assert table["x"].sum() == table["n"].sum() == 1


def test_only_the_pipelines_that_count_do():
    """Deals of another pipeline are left out."""
    deals = outcomes(won=3, lost=3).assign(pipeline_id=["sales"] * 4 + ["partner"] * 2)
    assert win_rate(snapshot({"deals": deals}, pipelines=("sales",)))["n"].iloc[0] == 4
