"""Days in a stage and days to close, against plain loops over the deals."""

import numpy as np
import pandas as pd
import pytest
from companies import BORN, LAST_DAY, OPEN, outcomes, random_walks, snapshot, stages, ways

from kpi import cycle_days, stage_days
from kpi.stats import kaplan_meier, median_time
from kpi.stats.survival import first_reaching


@pytest.fixture(scope="module")
def frames():
    return random_walks(seed=3, count=200)


@pytest.fixture(scope="module")
def snap(frames):
    return snapshot(frames)


def first_visits(way):
    """First visit to each open stage: stage, days, whether it has ended."""
    moves = [m for i, m in enumerate(way) if i == 0 or way[i - 1][1] != m[1]]
    seen = set()
    for i, (at, stage) in enumerate(moves):
        if stage in OPEN and stage not in seen:
            seen.add(stage)
            left = i + 1 < len(moves)
            yield stage, (moves[i + 1][0] if left else LAST_DAY) - at, left


def test_stage_days_equal_following_each_visit(frames, snap):
    """Kaplan-Meier on the first visit, any exit; the mean of completed visits beside it."""
    table = stage_days(snap).set_index("stage_id")
    visits = pd.DataFrame(
        [v for way in ways(frames).values() for v in first_visits(way)],
        columns=["stage", "days", "left"],
    )
    for stage, stays in visits.groupby("stage"):
        row = table.loc[stage]
        expected = median_time(kaplan_meier(stays["days"], stays["left"]))
        assert row[["value", "low", "high"]].tolist() == pytest.approx(list(expected), nan_ok=True)
        assert (row["x"], row["n"]) == (stays["left"].sum(), len(stays))
        assert row["mean_completed"] == pytest.approx(stays.loc[stays["left"], "days"].mean())


def test_cycle_days_equal_the_median_of_won_deals(frames, snap):
    """Won deals by themselves, and Kaplan-Meier with the open ones."""
    won, every, ended = [], [], []
    for way in ways(frames).values():
        closed = way[-1][1] in ("Won", "Lost")
        every.append((way[-1][0] if closed else LAST_DAY) - way[0][0])
        ended.append(closed)
        won += [every[-1]] if way[-1][1] == "Won" else []
    row = cycle_days(snap).iloc[0]
    assert row["value"] == np.median(won)
    assert (row["x"], row["n"]) == (len(won), len(every))
    expected = median_time(kaplan_meier(every, ended))
    assert row[["km_median", "km_low", "km_high"]].tolist() == pytest.approx(list(expected))
    assert row["km_median"] > row["value"]


def test_the_limits_of_the_median_hold_it_as_often_as_they_say():
    """Order statistics: 95 % or a little more of 40 groups of samples hold the true median."""
    rng = np.random.default_rng(4)
    days = rng.geometric(1 / 40, (400, 21))
    deals = pd.DataFrame({"deal_id": [f"d{i}" for i in range(days.size)], "created_at": BORN})
    deals["segment"] = np.repeat([f"g{i}" for i in range(400)], 21)
    deals["close_date"] = BORN + pd.to_timedelta(days.ravel(), unit="D")
    snap = snapshot({"deals": deals.assign(outcome="won")}, as_of="2029-12-31")
    table = cycle_days(snap, by="segment")
    truth = 28  # the median of this geometric distribution
    held = ((table["low"] <= truth) & (truth <= table["high"])).mean()
    assert 0.94 <= held <= 0.995


def test_few_won_deals_have_no_limits():
    """Five cannot hold a median with 95 %."""
    row = cycle_days(snapshot({"deals": outcomes(won=5)})).iloc[0]
    assert row["value"] == 36
    assert np.isnan(row[["low", "high"]].astype(float)).all()
    assert "low_n: 5 only" in row["note"]


def test_deals_without_usable_dates_are_left_out_and_counted():
    """No creation date, or closed before it: neither 0 days nor a negative number."""
    deals = outcomes(won=4)
    deals["created_at"] = ["2026-01-05", "2026-01-05", None, "2026-03-01"]
    row = cycle_days(snapshot({"deals": deals})).iloc[0]
    assert (row["x"], row["n"], row["value"]) == (2, 2, 36)
    assert "2 without usable dates left out" in row["note"]


def test_the_window_of_an_export_is_allowed_for():
    """Deals closed before the window are not in it: entry is delayed, the median gets shorter."""
    rng = np.random.default_rng(9)
    born = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 500, 1500), unit="D")
    closed = born + pd.to_timedelta(rng.exponential(60, 1500).round(), unit="D")
    whole = pd.DataFrame({"deal_id": [f"d{i}" for i in range(1500)], "created_at": born})
    whole["close_date"] = closed.where(closed <= "2026-06-30")
    whole["outcome"] = np.where(closed <= "2026-06-30", "won", "open")
    start = pd.Timestamp("2025-06-01")
    export = whole[(whole["outcome"] == "open") | (whole["close_date"] >= start)]
    truth = cycle_days(snapshot({"deals": whole}))["km_median"].iloc[0]
    naive = cycle_days(snapshot({"deals": export}))["km_median"].iloc[0]
    fair = cycle_days(snapshot({"deals": export}, window_start="2025-06-01"))["km_median"].iloc[0]
    assert abs(fair - truth) < abs(naive - truth)
    assert fair == pytest.approx(truth, abs=4)


def test_stages_nobody_visited_have_a_row_with_a_reason():
    """The table always has every open stage of a funnel in use."""
    frames = {"deals": outcomes(open=1).assign(stage_id="S1"), "stages": stages()}
    frames["history"] = pd.DataFrame(
        {"record_id": ["d0"], "stage_id": ["S1"], "changed_at": ["2026-01-05"]}
    )
    table = stage_days(snapshot(frames))
    assert table["stage_id"].tolist() == list(OPEN)
    assert table["n"].tolist() == [1, 0, 0]
    assert "fewer than half" in table["note"].iloc[0]
    assert table["note"].iloc[1].startswith("no_denominator")


def test_stage_days_have_the_time_after_which_a_deal_has_stalled(frames, snap):
    """p75: three of four visits have ended by then; missing while fewer have."""
    table = stage_days(snap).set_index("stage_id")
    visits = pd.DataFrame(
        [v for way in ways(frames).values() for v in first_visits(way)],
        columns=["stage", "days", "left"],
    )
    for stage, stays in visits.groupby("stage"):
        curve = kaplan_meier(stays["days"], stays["left"])
        assert table.loc[stage, "p75"] == first_reaching(curve, "survival", 0.25)
    assert (table["p75"] >= table["value"]).all()
