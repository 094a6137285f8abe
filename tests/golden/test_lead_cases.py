"""Published cases of leads, appointments and seller minimums; figures retyped, each with its source."""

import numpy as np
import pandas as pd
import pytest
from companies import snapshot, stages

from kpi.activity.appointments import appointments
from kpi.activity.minimums import DEALS_CREATED, DEALS_WON, LEADS, SUSPECTS, seller_minimums
from kpi.leads.customers import lead_to_customer
from kpi.leads.growth import lead_velocity_rate


@pytest.mark.parametrize(
    ("leads", "customers", "ratio"),
    [pytest.param(100, 25, 0.25, id="S03 top MSP KPIs, close ratio: not the win rate")],
)
def test_close_ratio(leads, customers, ratio):
    """Customers over all leads, of a cohort old enough, on either basis."""
    ids = [f"l{i}" for i in range(leads)]
    frame = pd.DataFrame({"lead_id": ids, "created_at": "2026-01-05"})
    deals = pd.DataFrame({"deal_id": ids[:40], "lead_id": ids[:40], "created_at": "2026-01-20"})
    deals["outcome"] = ["won"] * customers + ["lost"] * (40 - customers)
    snap = snapshot({"leads": frame, "deals": deals.assign(close_date="2026-02-10")})
    for basis in ("cohort", "period"):
        row = lead_to_customer(snap, basis=basis).iloc[0]
        assert row["value"] == pytest.approx(ratio, abs=1e-9)
        assert (row["x"], row["n"]) == (customers, leads)


@pytest.mark.parametrize(
    ("held", "fits", "share"),
    [pytest.param(30, 5, 0.16666666666666666, id="S04 top MSP KPIs, appointments in profile")],
)
def test_appointments_in_profile(held, fits, share):
    """30 first-time appointments, 5 of them with companies that fit."""
    ids = [f"a{i}" for i in range(held)]
    leads = pd.DataFrame(
        {"lead_id": ids, "account_id": ids, "in_profile": [i < fits for i in range(held)]}
    )
    meetings = pd.DataFrame({"meeting_id": ids, "account_id": ids, "outcome": "held"})
    meetings = meetings.assign(starts_at="2026-02-10", booked_at="2026-02-01")
    row = appointments(snapshot({"leads": leads, "meetings": meetings})).iloc[0]
    assert (row["value"], row["in_profile"]) == (held, fits)
    assert row["in_profile_share"] == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize(
    ("counts", "rates"),
    [
        pytest.param(
            [200, 230, 264, 290],
            [np.nan, 0.15, 0.14782608695652177, 0.0984848484848484],
            id="V05 winsabove.com and runfutureproof.com: 15 %, 14.8 %, 9.8 %",
        ),
        pytest.param([175, 200], [np.nan, 0.1428571428571428], id="V06 pivix.io: 14.3 %"),
    ],
)
@pytest.mark.parametrize("more", [0, 7], ids=["whole months", "a month still running"])
def test_lead_velocity_rate(counts, rates, more):
    """Growth of qualified leads, month over month; a running month changes none of it."""
    days = [f"2026-{i + 1:02}-10" for i, count in enumerate(counts) for _ in range(count)]
    running = f"2026-{len(counts) + 1:02}-03"
    frame = pd.DataFrame({"created_at": days + [running] * more})
    frame["lead_id"] = [str(i) for i in range(len(frame))]
    end = pd.Timestamp(running).replace(day=1) + pd.Timedelta(days=10 if more else -1)
    snap = snapshot({"leads": frame}, as_of=str(end.date()))
    table = lead_velocity_rate(snap, every="month")
    expected = rates + [np.nan] * bool(more)
    assert table["value"].tolist() == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert lead_velocity_rate(snap)["value"].tolist() == pytest.approx(rates[-1:], abs=1e-9)


def test_s09_the_rates_that_the_chain_of_minimums_implies():
    """Suspects 300, leads 70-80, deals 30-40, wins 6-8 (sales newsletter 067).

    Its lead is a booked meeting: 9.3 % become customers, where 15 % x 33 % gives 4.95 % of all leads.
    """
    middle = [sum(rule) / 2 for rule in (LEADS, DEALS_CREATED, DEALS_WON)]
    assert SUSPECTS[0] == 300
    assert middle[1] / middle[0] == pytest.approx(0.4666666666666667, abs=1e-9)
    assert middle[2] / middle[1] == pytest.approx(0.2, abs=1e-9)
    assert middle[2] / middle[0] == pytest.approx(0.09333333333333334, abs=1e-9)
    ends = [DEALS_CREATED[0] / LEADS[1], DEALS_CREATED[1] / LEADS[0]]
    assert ends == pytest.approx([0.375, 0.5714285714285714], abs=1e-9)
    ends = [DEALS_WON[0] / DEALS_CREATED[1], DEALS_WON[1] / DEALS_CREATED[0]]
    assert ends == pytest.approx([0.15, 0.26666666666666666], abs=1e-9)


@pytest.mark.parametrize(
    ("suspects", "leads", "deals", "won", "standing"),
    [
        pytest.param(300, 70, 30, 6, "within", id="S09 the lower ends"),
        pytest.param(300, 80, 40, 8, "within", id="S09 the upper ends"),
        pytest.param(299, 69, 29, 5, "below", id="S09 one less"),
    ],
)
def test_a_seller_at_the_ends_of_the_rules_of_thumb(suspects, leads, deals, won, standing):
    """One month of one seller."""
    frames = {
        name: pd.DataFrame(
            {key: [str(i) for i in range(count)], day: "2026-06-09", "owner_id": "1"}
        )
        for name, key, day, count in (
            ("suspects", "suspect_id", "added_at", suspects),
            ("leads", "lead_id", "created_at", leads),
            ("deals", "deal_id", "created_at", deals),
        )
    }
    frames["deals"]["outcome"] = ["won"] * won + ["open"] * (deals - won)
    frames["deals"]["close_date"] = "2026-06-20"
    table = seller_minimums(snapshot(frames)).set_index("indicator")
    flows = ["suspects", "leads", "deals_created", "deals_won"]
    assert table.loc[flows, "value"].tolist() == [suspects, leads, deals, won]
    assert table.loc[flows, "standing"].tolist() == [standing] * 4


@pytest.mark.parametrize(
    ("value", "standing"),
    [
        pytest.param(54_000.0, "within", id="S10 45 % of 120,000 a month"),
        pytest.param(108_000.0, "within", id="S10 90 % of 120,000 a month"),
        pytest.param(53_999.0, "below", id="S10 less than 45 %"),
        pytest.param(108_001.0, "above", id="S10 more than 90 %"),
    ],
)
def test_value_won_beside_annual_earnings(value, standing):
    """Annual on-target earnings of 120,000: 54,000 to 108,000 won a month (sales newsletter 067)."""
    deals = pd.DataFrame({"deal_id": ["a"], "owner_id": "1", "outcome": "won", "amount": value})
    deals = deals.assign(created_at="2026-06-02", close_date="2026-06-20")
    owners = pd.DataFrame({"owner_id": ["1"], "annual_ote": 120_000.0})
    table = seller_minimums(snapshot({"deals": deals, "owners": owners})).set_index("indicator")
    assert table.loc["value_won", "value"] == pytest.approx(value / 120_000, abs=1e-9)
    assert table.loc["value_won", "standing"] == standing


@pytest.mark.parametrize(
    ("count", "standing"),
    [
        pytest.param(2, "below", id="S12 2 deals in the final stage"),
        pytest.param(3, "within", id="S12 3 deals in the final stage"),
        pytest.param(5, "within", id="S12 5 deals in the final stage"),
        pytest.param(6, "above", id="S12 6 deals in the final stage"),
    ],
)
def test_final_stage_deals(count, standing):
    """A stock, 3 to 5 at any time (sales newsletter 067); deals of earlier stages are none of it."""
    ids = [f"d{i}" for i in range(count + 2)]
    deals = pd.DataFrame({"deal_id": ids, "owner_id": "1", "created_at": "2026-06-02"})
    deals["stage_id"] = ["S3"] * count + ["S2", "S1"]
    table = seller_minimums(snapshot({"deals": deals, "stages": stages()})).set_index("indicator")
    assert table.loc["last_stage_deals", ["value", "standing"]].tolist() == [count, standing]
