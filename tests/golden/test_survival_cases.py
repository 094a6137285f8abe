"""Published and computed cases of survival estimates; figures retyped, each with its source."""

import numpy as np
import pandas as pd
import pytest
from companies import AS_OF, snapshot

from kpi import stage_days, win_rate
from kpi.stats import aalen_johansen, kaplan_meier, median_time

# T01: 6-MP arm of Freireich et al. 1963 (Blood 21:699), as in Kleinbaum & Klein
SIX_MP = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]

# T07: 20 deals, exact fractions = scikit-survival 0.28.0 (0 open, 1 won, 2 lost)
DAYS = [20, 35, 35, 50, 60, 60, 75, 90, 100, 120, 130, 150, 0, 35, 60, 10, 25, 45, 80, 110]
STATUS = [1, 1, 2, 1, 2, 1, 1, 2, 1, 2, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]


def test_t01_kaplan_meier_of_the_six_mp_arm():
    """Freireich 1963: .857 .807 .753 .690 .627 .538 .448, median 23 weeks."""
    curve = kaplan_meier(SIX_MP, RELAPSED)
    textbook = {
        6: 0.8571428571428571,
        7: 0.8067226890756303,
        10: 0.7529411764705882,
        13: 0.6901960784313725,
        16: 0.6274509803921569,
        22: 0.5378151260504201,
        23: 0.4481792717086835,
    }
    assert curve["survival"][list(textbook)].to_dict() == pytest.approx(textbook, abs=1e-9)
    assert median_time(curve)[0] == 23


def test_t01_stage_days_gives_the_median_not_the_mean_of_completed_visits():
    """The same 21 stays as deals in one stage: 23 days, beside the biased 12.1."""
    end = pd.Timestamp(AS_OF)
    rows = []
    for i, (stay, left) in enumerate(zip(SIX_MP, RELAPSED, strict=True)):
        entered = end - pd.Timedelta(days=stay + (5 if left else 0))
        rows.append((f"d{i}", "S1", entered))
        rows += [(f"d{i}", "Lost", entered + pd.Timedelta(days=stay))] if left else []
    history = pd.DataFrame(rows, columns=["record_id", "stage_id", "changed_at"])
    deals = history.groupby("record_id", as_index=False)["stage_id"].last()
    stages = pd.DataFrame(
        {
            "object": "deal",
            "stage_id": ["S1", "Lost"],
            "position": [1, 2],
            "outcome": ["open", "lost"],
        }
    )
    deals = deals.rename(columns={"record_id": "deal_id"})
    stay = stage_days(snapshot({"deals": deals, "history": history, "stages": stages})).iloc[0]
    assert stay["value"] == 23
    assert stay["mean_completed"] == pytest.approx(12.11111111111111, abs=1e-9)
    assert (stay["x"], stay["n"]) == (9, 21)


def test_t03_ties_between_won_and_lost():
    """Exact fractions = scikit-survival 0.28.0 = statsmodels 0.15.0; no random jitter of ties."""
    curve = aalen_johansen([1, 1, 2, 2, 2, 3, 3, 4], [1, 2, 1, 2, 0, 1, 2, 0])
    assert curve.index.tolist() == [1, 2, 3, 4]
    shares = [0.125, 0.25, 0.4166666666666667, 0.4166666666666667]
    assert curve["cif_1"].tolist() == pytest.approx(shares, abs=1e-9)
    assert curve["cif_2"].tolist() == pytest.approx(shares, abs=1e-9)
    for jittered in (0.4375, 0.40625):  # what random tie breaking gives: WRONG
        assert abs(curve["cif_1"].iloc[-1] - jittered) > 0.01


def test_t04_same_day_wins():
    """Exact = scikit-survival 0.28.0; a package that drops day 0 says 0.1667 at day 1: WRONG."""
    curve = aalen_johansen([0, 0, 1, 2, 3, 4], [1, 1, 1, 2, 2, 0])
    assert curve.index.tolist() == [0, 1, 2, 3, 4]
    expected = [0.3333333333333333, 0.5, 0.5, 0.5, 0.5]
    assert curve["cif_1"].tolist() == pytest.approx(expected, abs=1e-9)
    assert abs(curve.loc[1, "cif_1"] - 0.16666666666666666) > 0.3


def test_t06_two_competing_exponentials():
    """Closed form (better/convoys, motivation): win 0.02, loss 0.03 a day, some open every day."""
    left, duration, cause, count = 1e9, [], [], []
    gone = 1 - np.exp(-0.05)
    for day in range(1, 91):
        parts = [left * 0.4 * gone, left * 0.6 * gone, left * 0.01]
        duration += [day] * 3
        cause += [1, 2, 0]
        count += parts
        left -= sum(parts)
    duration, cause, count = [*duration, 91], [*cause, 0], [*count, left]
    curve = aalen_johansen(duration, cause, count=count)
    won = [0.3107479359406281, 0.38008517265285446, 0.3955564013847031]
    assert curve.loc[[30, 60, 90], "cif_1"].tolist() == pytest.approx(won, abs=1e-12)
    assert curve["cif_1"].max() < 0.4
    for day, wrong in {
        30: 0.4511883639059736,
        60: 0.6988057880877979,
        90: 0.8347011117784134,
    }.items():
        assert abs(curve.loc[day, "cif_1"] - wrong) > 0.1  # one minus KM, losses censored: WRONG


@pytest.fixture(scope="module")
def twenty():
    """The 20 deals of T07 as a company whose as-of date is 30 June 2026."""
    end = pd.Timestamp(AS_OF)
    rows = []
    for i, (days, status) in enumerate(zip(DAYS, STATUS, strict=True)):
        closed = end if status == 0 else end - pd.Timedelta(days=7)
        rows.append(
            {
                "deal_id": str(i),
                "outcome": ["open", "won", "lost"][status],
                "created_at": closed - pd.Timedelta(days=days),
                "close_date": None if status == 0 else closed,
            }
        )
    return snapshot({"deals": pd.DataFrame(rows)})


def test_t07_the_three_shares_of_twenty_deals():
    """Exact fractions: by day 150 56.4 % won, 32.2 % lost, 11.4 % open."""
    curve = aalen_johansen(DAYS, STATUS)
    last = curve.iloc[-1]
    assert last["cif_1"] == pytest.approx(0.5636555989583333, abs=1e-9)
    assert last["cif_2"] == pytest.approx(0.32185510706018516, abs=1e-9)
    assert last["survival"] == pytest.approx(0.11448929398148149, abs=1e-9)


@pytest.mark.parametrize(
    ("horizon", "share"), [(60, 0.2896990740740741), (150, 0.5636555989583333)]
)
def test_t07_win_rate_by_cohort(twenty, horizon, share):
    """The cohort rate follows open deals; neither won/created nor one minus KM comes out."""
    value = win_rate(twenty, basis="cohort", horizon_days=horizon)["value"].iloc[0]
    assert value == pytest.approx(share, abs=1e-9)
    for wrong in (0.4, 0.7546657986111112):
        assert abs(value - wrong) > 0.1


def test_t07_win_rate_by_period(twenty):
    """Won over closed is two thirds; won over created, 0.4, is not shown."""
    rate = win_rate(twenty).iloc[0]
    assert rate["value"] == pytest.approx(0.6666666666666666, abs=1e-9)
    assert (rate["x"], rate["n"]) == (8, 12)
