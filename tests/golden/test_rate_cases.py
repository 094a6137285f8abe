"""Published cases of win rates and lead conversion; figures retyped, each with its source."""

import numpy as np
import pandas as pd
import pytest
from companies import outcomes, snapshot

from kpi import lead_conversion, win_rate


def leads(created, converted, born="2026-03-10", turned="2026-04-02"):
    """Build so many leads created on one day, the first few of them converted later."""
    when = [turned] * converted + [None] * (created - converted)
    ids = [f"l{i}" for i in range(created)]
    return pd.DataFrame({"lead_id": ids, "created_at": born, "converted_at": when})


def test_v14_open_deals_are_left_out():
    """45 won, 135 lost, 80 open: 25 %, not 17.3 % (contextawareanalytics.com)."""
    rate = win_rate(snapshot({"deals": outcomes(won=45, lost=135, open=80)})).iloc[0]
    assert rate["value"] == pytest.approx(0.25, abs=1e-9)
    assert abs(rate["value"] - 0.17307692307692307) > 0.05
    assert (rate["x"], rate["n"]) == (45, 180)


@pytest.mark.parametrize(("lost", "share"), [(80, 0.2), (30, 0.4)], ids=["broad", "narrow"])
def test_v15_disqualified_deals_move_the_rate(lost, share):
    """20 won, 80 lost of which 50 disqualified (altiorco.com): counted or not must be one's choice."""
    rate = win_rate(snapshot({"deals": outcomes(won=20, lost=lost)}))["value"].iloc[0]
    assert rate == pytest.approx(share, abs=1e-9)


def test_p07_a_seller_with_wins_and_no_losses_has_100_per_cent():
    """The SQL of fivetran/dbt_salesforce owner_performance gives such a seller 0: WRONG."""
    deals = outcomes(won=3, lost=2).assign(owner_id=["a", "a", "b", "b", "b"])
    rates = win_rate(snapshot({"deals": deals}), by="owner").set_index("owner")["value"]
    assert rates["a"] == 1.0
    assert rates["b"] == pytest.approx(1 / 3, abs=1e-9)


def test_p08_nothing_closed_has_no_rate_and_says_why():
    """0 of 0: missing with a reason."""
    rate = win_rate(snapshot({"deals": outcomes(open=4)})).iloc[0]
    assert np.isnan(rate["value"])
    assert rate["note"].startswith("no_denominator")


def test_p08_conversions_without_leads_have_no_rate():
    """5 of 0, which only a period ratio can meet: missing with a reason, never infinity."""
    frame = pd.concat([leads(1, 0, born="2026-01-10"), leads(5, 5).assign(created_at=None)])
    frame["lead_id"] = [f"x{i}" for i in range(6)]
    table = lead_conversion(snapshot({"leads": frame}), basis="period", every="month")
    april = table[table["period"] == "2026-04-01"].iloc[0]
    assert (april["x"], april["n"]) == (5, 0)
    assert np.isnan(april["value"])
    assert april["note"].startswith("no_denominator")


def test_p08_none_of_ten_is_a_rate_of_zero():
    """0 of 10: zero, and an upper limit above it."""
    rate = win_rate(snapshot({"deals": outcomes(lost=10)})).iloc[0]
    assert rate["value"] == 0.0
    assert rate["low"] == 0.0 < rate["high"]


@pytest.mark.parametrize(
    ("created", "converted", "share"),
    [
        pytest.param(200, 40, 0.2, id="S02 top MSP KPIs, lead-to-opportunity"),
        pytest.param(100, 12, 0.12, id="V16 rekener.com, cohort of March"),
    ],
)
def test_lead_conversion(created, converted, share):
    """A cohort old enough: opportunities over leads, on either basis."""
    snap = snapshot({"leads": leads(created, converted)})
    rate = lead_conversion(snap).iloc[0]
    assert rate["value"] == pytest.approx(share, abs=1e-9)
    assert (rate["x"], rate["n"]) == (converted, created)
    march = lead_conversion(snap, every="month").iloc[0]
    assert march["period"] == pd.Timestamp("2026-03-01")
    assert march["value"] == pytest.approx(share, abs=1e-9)
