"""Published cases of sales velocity, slippage, weighted pipeline and coverage; figures retyped."""

import pandas as pd
import pytest
from companies import outcomes, snapshot

from kpi.deals.sales_velocity import sales_velocity
from kpi.deals.win_rate import win_rate
from kpi.pipeline.coverage import coverage
from kpi.pipeline.slippage import slippage
from kpi.pipeline.weighted import weighted_pipeline


def closed(won, lost, open_, amount, days):
    """Build deals won after so many days each, all of one amount, others lost or open."""
    deals = outcomes(won=won, lost=lost, open=open_)
    start = pd.Timestamp("2026-06-10") - pd.Timedelta(days=days)
    dates = [None if kind == "open" else "2026-06-10" for kind in deals["outcome"]]
    return deals.assign(created_at=start, close_date=dates, amount=amount)


@pytest.mark.parametrize(
    ("won", "lost", "open_", "amount", "days", "a_day"),
    [
        pytest.param(10, 30, 40, 25_000, 90, 2777.777777777778, id="V07 mavenlb.com"),
        pytest.param(6, 19, 18, 42_000, 78, 2326.153846153846, id="V08 winsabove.pages.dev"),
        pytest.param(6, 19, 18, 42_000, 65, 2791.3846153846152, id="V08 with a shorter cycle"),
    ],
)
def test_sales_velocity(won, lost, open_, amount, days, a_day):
    """Opportunities x win rate x average deal / days to win."""
    row = sales_velocity(snapshot({"deals": closed(won, lost, open_, amount, days)})).iloc[0]
    assert row["value"] == pytest.approx(a_day, abs=1e-9)
    assert row["opportunities"] == open_
    assert row["low"] < a_day < row["high"]


def due_in_may(won, lost, pushed):
    """Build deals all due in May: won then, lost then, or moved to July in May."""
    kinds = ["won"] * won + ["lost"] * lost + ["open"] * pushed
    ids = [f"d{i}" for i in range(len(kinds))]
    ends = ["2026-07-20" if kind == "open" else "2026-05-20" for kind in kinds]
    deals = pd.DataFrame({"deal_id": ids, "outcome": kinds, "close_date": ends})
    deals["created_at"] = "2026-04-01"
    first = pd.DataFrame({"record_id": ids, "changed_at": "2026-04-01", "close_date": "2026-05-25"})
    then = pd.DataFrame({"record_id": ids, "changed_at": "2026-05-20", "close_date": ends})
    return snapshot({"deals": deals, "history": pd.concat([first, then])})


@pytest.mark.parametrize(
    ("won", "lost", "pushed", "not_won", "share"),
    [
        pytest.param(4, 0, 6, False, 0.6, id="V19 getchief.com, six of ten pushed"),
        pytest.param(4, 2, 4, True, 0.6, id="V19 the same glossary, losses counted as slipped"),
        pytest.param(4, 2, 4, False, 0.4, id="V19 recommended: a lost deal has not slipped"),
    ],
)
def test_slippage(won, lost, pushed, not_won, share):
    """Ten forecast to close, four won."""
    table = slippage(due_in_may(won, lost, pushed), every="month", not_won=not_won)
    may = table[table["period"] == "2026-05-01"].iloc[0]
    assert may["value"] == pytest.approx(share, abs=1e-9)
    assert may["n"] == 10


@pytest.mark.parametrize(
    ("deals", "weighted"),
    [pytest.param([(1e4, 0.2), (2e4, 0.5), (5e3, 0.9)], 16_500, id="P09 salesforcedictionary.com")],
)
def test_weighted_by_the_crms_probability(deals, weighted):
    """Sum of amount x probability over open deals; 35,000 open."""
    names = [f"S{i}" for i in range(len(deals))]
    stages = pd.DataFrame(
        {
            "object": "deal",
            "stage_id": [*names, "Won"],
            "position": range(4),
            "outcome": ["open"] * 3 + ["won"],
            "probability": [*(p for _, p in deals), 1.0],
        }
    )
    frame = pd.DataFrame(
        {
            "deal_id": names,
            "stage_id": names,
            "amount": [a for a, _ in deals],
            "created_at": "2026-01-05",
        }
    )
    snap = snapshot({"deals": frame, "stages": stages})
    row = weighted_pipeline(snap, probability="crm").iloc[0]
    assert row["value"] == pytest.approx(weighted, abs=1e-9)
    assert row["open_value"] == 35_000
    assert (row["x"], row["n"]) == (3, 3)


@pytest.mark.parametrize(
    ("no_decision", "share"), [((), 0.2), ("Disqualified", 0.4)], ids=["broad", "narrow"]
)
def test_disqualified_deals_are_ones_choice(no_decision, share):
    """V15 (altiorco.com): 20 won, 80 lost of which 50 disqualified."""
    deals = outcomes(won=20, lost=80)
    deals["lost_reason"] = [None] * 20 + ["Disqualified"] * 50 + ["Price"] * 29 + [None]
    rate = win_rate(snapshot({"deals": deals}), no_decision=no_decision).iloc[0]
    assert rate["value"] == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize(("rate", "quick", "target"), [(0.2, 0.3, 3.5), (0.23, 0.0, 1 / 0.23)])
def test_the_coverage_needed_is_not_the_inverse_of_the_win_rate(rate, quick, target):
    """Kellblog, 9 June 2024: 20 % won and 30 % created and closed in the quarter ask for 3.5."""
    quotas = pd.DataFrame({"owner_id": ["a"], "period_start": "2026-04-01", "amount": 100.0})
    snap = snapshot({"deals": outcomes(won=1, open=1), "quotas": quotas})
    row = coverage(snap, win_rate=rate, create_and_close=quick).iloc[0]
    assert row["target"] == pytest.approx(target)
