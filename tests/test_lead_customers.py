"""The close ratio: what becomes of a lead through its deals."""

import numpy as np
import pandas as pd
import pytest
from companies import snapshot

from kpi import TableError
from kpi.definitions import Count
from kpi.leads.customers import lead_to_customer
from kpi.stats import aalen_johansen

LEAD_STAGES = pd.DataFrame(
    {
        "object": "lead",
        "stage_id": ["open", "junk"],
        "position": [1, 2],
        "outcome": ["open", "lost"],
    }
)


def company(*deals, leads=4, **columns):
    """Build leads of 1 January and deals as (lead, outcome, days until it closed)."""
    ids = [f"l{i}" for i in range(leads)]
    frame = pd.DataFrame({"lead_id": ids, "created_at": "2026-01-01", **columns})
    rows = [
        {
            "deal_id": f"d{i}",
            "lead_id": lead,
            "outcome": outcome,
            "created_at": "2026-01-05",
            "close_date": None
            if days is None
            else pd.Timestamp("2026-01-01") + pd.Timedelta(days=days),
        }
        for i, (lead, outcome, days) in enumerate(deals)
    ]
    names = ["deal_id", "lead_id", "outcome", "created_at", "close_date"]
    return {"leads": frame, "deals": pd.DataFrame(rows, columns=names)}


@pytest.mark.parametrize(
    ("deals", "won", "early"),
    [
        pytest.param([("l0", "won", 30)], 0.25, 0, id="won"),
        pytest.param([("l0", "lost", 10), ("l0", "won", 30)], 0.25, 0, id="lost one, then won one"),
        pytest.param([("l0", "won", 30), ("l0", "won", 9)], 0.25, 0.25, id="the first win counts"),
        pytest.param([("l0", "lost", 10)], 0, 0, id="lost"),
        pytest.param([("l0", "lost", 5), ("l0", "open", None)], 0, 0, id="one deal still open"),
        pytest.param([(None, "won", 9)], 0, 0, id="a direct deal is of no lead"),
    ],
)
def test_what_becomes_of_a_lead(deals, won, early):
    """Share of four leads of one day, at the end and by day 20."""
    snap = snapshot(company(*deals))
    assert lead_to_customer(snap)["value"].tolist() == [won]
    assert lead_to_customer(snap, horizon_days=20)["value"].tolist() == [early]


def test_open_leads_are_censored_and_lost_ones_compete():
    """Exact: lost on day 10, won on day 30, open deal and open lead from the as-of date, day 20 on."""
    frames = company(("l0", "lost", 10), ("l1", "won", 30), ("l2", "open", None))
    frames["leads"].loc[3, "created_at"] = "2026-06-10"
    curve = aalen_johansen([10, 30, 180, 20], [2, 1, 0, 0])
    row = lead_to_customer(snapshot(frames)).iloc[0]
    assert row["value"] == pytest.approx(curve["cif_1"].iloc[-1])
    assert row["value"] == pytest.approx(3 / 4 * 1 / 2)
    assert (row["x"], row["n"]) == (1, 4)


def test_a_disqualified_lead_competes_unless_it_has_a_deal():
    """Junk on day 5 is gone; junk with an open deal is still followed."""
    frames = company(
        ("l1", "open", None), ("l2", "won", 30), stage_id=["junk", "junk"] + ["open"] * 2
    )
    history = pd.DataFrame(
        {
            "object": "lead",
            "record_id": ["l0", "l1"],
            "stage_id": "junk",
            "changed_at": "2026-01-06",
        }
    )
    snap = snapshot(frames | {"stages": LEAD_STAGES, "history": history})
    # day 5: one of four gone; day 30: one of three won
    assert lead_to_customer(snap)["value"].tolist() == pytest.approx([3 / 4 * 1 / 3])


@pytest.mark.parametrize("kind", ["expansion", "pipeline", "not in the data"])
def test_a_conversion_into_no_deal_that_counts_is_said(kind):
    """It is no customer of new business, and not followed for ever either."""
    frames = company(
        ("l0", "won", 30), ("l1", "won", 9), converted_at=[None, "2026-01-05", None, None]
    )
    options = {}
    if kind == "expansion":
        frames["deals"]["deal_type"] = ["new", "expansion"]
    elif kind == "pipeline":
        frames["deals"]["pipeline_id"] = ["sales", "partner"]
        options = {"pipelines": ("sales",)}
    else:
        frames["deals"] = frames["deals"].iloc[:1]
    row = lead_to_customer(snapshot(frames, **options)).iloc[0]
    assert (row["value"], row["x"], row["n"]) == (0.25, 1, 4)
    assert "1 converted into no deal that counts" in row["note"]
    by = lead_to_customer(snapshot(frames, **options), by="source", every="month").iloc[0]
    assert "1 converted into no deal that counts" in by["note"]


def test_all_business_can_be_counted():
    """An expansion deal won makes a customer where all kinds count."""
    frames = company(("l0", "won", 30), ("l1", "won", 9))
    frames["deals"]["deal_type"] = ["new", "expansion"]
    snap = snapshot(frames)
    assert lead_to_customer(snap)["x"].tolist() == [1]
    assert lead_to_customer(snap, deal_type=None)["x"].tolist() == [2]


def test_one_deal_of_two_leads_is_one_customer():
    """Both leads name the deal; it belongs to the first."""
    frames = company((None, "won", 30), deal_id=["d0", "d0", None, None])
    row = lead_to_customer(snapshot(frames)).iloc[0]
    assert (row["value"], row["x"], row["n"]) == (0.25, 1, 4)


def test_qualified_leads_are_followed_from_the_day_they_qualified():
    """Two of four qualified, on day 20; one of them won on day 30: half, by age 10."""
    history = pd.DataFrame(
        {"object": "lead", "record_id": ["l0", "l1"], "status": "MQL", "changed_at": "2026-01-21"}
    )
    frames = company(("l0", "won", 30), ("l3", "won", 40)) | {"history": history}
    snap = snapshot(frames, count={"mql": Count("leads", "status", ("MQL",))})
    row = lead_to_customer(snap, of="mql", horizon_days=10).iloc[0]
    assert (row["value"], row["x"], row["n"]) == (0.5, 1, 2)
    assert lead_to_customer(snap, of="mql", horizon_days=9)["value"].tolist() == [0]
    assert lead_to_customer(snap)["x"].tolist() == [2]


def test_the_period_ratio_has_other_leads_above_than_below():
    """Customers of February over leads of February; it may exceed 1 and has no interval."""
    frames = company(("l0", "won", 40), ("l1", "won", 45))
    frames["leads"].loc[3, "created_at"] = "2026-02-05"
    table = lead_to_customer(snapshot(frames), basis="period", every="month")
    assert table["value"].tolist()[:2] == [0, 2]
    assert table[["low", "high"]].isna().all(axis=None)
    assert table["note"].iloc[1].startswith("period_ratio")


def test_a_large_cohort_recovers_the_truth():
    """Simulated: 10 % won by day 90, half of the leads too young to know."""
    rng = np.random.default_rng(21)
    born = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 180, 3000), unit="D")
    closed = pd.Series(born + pd.to_timedelta(rng.integers(0, 91, 3000), unit="D"))
    wins = rng.random(3000) < 0.1
    known = wins & (closed <= "2026-06-30")
    frames = company(*[(f"l{i}", "won", 0) for i in np.flatnonzero(known)], leads=3000)
    frames["leads"]["created_at"] = born
    frames["deals"]["close_date"] = closed[known].to_numpy()
    row = lead_to_customer(snapshot(frames), horizon_days=90).iloc[0]
    assert row["low"] <= 0.1 <= row["high"]
    assert known.mean() < 0.08


def test_a_deal_won_without_a_date_is_left_out_and_counted():
    """It cannot be placed in time."""
    row = lead_to_customer(snapshot(company(("l0", "won", None)))).iloc[0]
    assert row["n"] == 3
    assert "1 without usable dates left out" in row["note"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": "suspect"}, "of='suspect'; expected one of"),
        ({"of": "mql"}, r"\[count.mql\] is not set"),
        ({"basis": "created"}, "basis='created'; expected 'cohort' or 'period'"),
        ({"deal_type": "old"}, "deal_type='old'; expected one of"),
        ({"horizon_days": 0}, "horizon_days = 0"),
    ],
)
def test_an_unknown_option_is_refused(options, message):
    """With those there are."""
    with pytest.raises(TableError, match=message):
        lead_to_customer(snapshot(company()), **options)


def test_deals_are_needed():
    """Leads alone cannot tell who became a customer."""
    with pytest.raises(TableError, match=r"lead_to_customer needs the table\(s\) \['deals'\]"):
        lead_to_customer(snapshot({"leads": company()["leads"]}))
