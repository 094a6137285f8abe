"""Lead conversion: links from either side, disqualified leads, and what counts as a lead."""

import numpy as np
import pandas as pd
import pytest
from companies import snapshot

from kpi import lead_conversion
from kpi.definitions import Count

LEAD_STAGES = pd.DataFrame(
    {
        "object": "lead",
        "stage_id": ["open", "mql", "junk"],
        "position": [1, 2, 3],
        "outcome": ["open", "open", "lost"],
    }
)


def leads(count=4, **columns):
    """Build leads of 1 January."""
    ids = [f"l{i}" for i in range(count)]
    return pd.DataFrame({"lead_id": ids, "created_at": "2026-01-01", **columns})


@pytest.mark.parametrize("side", ["lead", "deal", "both", "date only"])
def test_a_link_from_either_side_counts_once(side):
    """The lead names the deal, the deal names the lead, both do, or only a date is known."""
    lead = leads(deal_id=[None] * 4, converted_at=[None] * 4)
    deal = pd.DataFrame({"deal_id": ["d"], "lead_id": [None], "created_at": ["2026-01-31"]})
    if side in ("lead", "both"):
        lead.loc[1, "deal_id"] = "d"
    if side in ("deal", "both"):
        deal["lead_id"] = "l1"
    if side == "date only":
        lead.loc[1, "converted_at"] = "2026-01-31"
    snap = snapshot({"leads": lead, "deals": deal})
    row = lead_conversion(snap).iloc[0]
    assert (row["value"], row["x"], row["n"]) == (0.25, 1, 4)
    assert lead_conversion(snap, horizon_days=29)["value"].iloc[0] == 0
    assert lead_conversion(snap, horizon_days=30)["value"].iloc[0] == 0.25


def test_a_lead_with_two_deals_is_one_conversion():
    """On the day of the first."""
    deals = pd.DataFrame(
        {"deal_id": ["d", "e"], "lead_id": "l0", "created_at": ["2026-03-01", "2026-01-11"]}
    )
    snap = snapshot({"leads": leads(), "deals": deals})
    assert lead_conversion(snap)["x"].iloc[0] == 1
    assert lead_conversion(snap, horizon_days=10)["value"].iloc[0] == 0.25


@pytest.mark.parametrize(
    ("defined", "given", "age"),
    [
        pytest.param(None, None, 60, id="the last age with ten followed"),
        pytest.param(90, None, 90, id="the definitions'"),
        pytest.param(90, 30, 30, id="the one asked for"),
    ],
)
def test_the_age_at_which_the_rate_is_read(defined, given, age):
    """No 90 days are assumed; the note says which age it is. Nine came early, one 60 days ago."""
    created = ["2026-01-01"] * 9 + ["2026-05-01"]
    frame = pd.DataFrame({"lead_id": [f"l{i}" for i in range(10)], "created_at": created})
    snap = snapshot({"leads": frame}, horizon_days=defined)
    assert f"by day {age}" in lead_conversion(snap, horizon_days=given)["note"].iloc[0]


def test_leads_still_worked_are_not_lost_and_junk_competes():
    """Exact: l0 junk on day 5; l1 converts on day 10; l2 came on the last days and is open."""
    lead = leads(
        stage_id=["junk", "open", "open", "open"], converted_at=[None, "2026-01-11", None, None]
    )
    lead.loc[2, "created_at"] = "2026-06-27"
    history = pd.DataFrame(
        {"object": "lead", "record_id": ["l0"], "stage_id": ["junk"], "changed_at": ["2026-01-06"]}
    )
    snap = snapshot({"leads": lead, "stages": LEAD_STAGES, "history": history})
    # 4 at risk; day 3: l2 leaves, open; day 5: 1 of 3 junk; day 10: 1 of 2 converts
    assert lead_conversion(snap)["value"].iloc[0] == pytest.approx(2 / 3 * 1 / 2)


def test_a_cohort_of_many_recovers_the_truth():
    """Simulated with a true share of 20 % by day 60, most of it censored: inside the interval."""
    rng = np.random.default_rng(12)
    born = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 180, 2000), unit="D")
    late = pd.to_timedelta(rng.integers(0, 61, 2000), unit="D")
    turned = pd.Series(born + late).where(rng.random(2000) < 0.2)
    lead = leads(2000, converted_at=turned.where(turned <= "2026-06-30")).assign(created_at=born)
    row = lead_conversion(snapshot({"leads": lead}), horizon_days=60).iloc[0]
    assert row["low"] <= 0.2 <= row["high"]
    plain = lead["converted_at"].notna().mean()
    assert plain < row["value"] - 0.02


def test_the_period_ratio_may_exceed_one_and_has_no_interval():
    """Two sets of leads: those created and those converted in the month."""
    lead = leads(3, converted_at="2026-02-10")
    lead.loc[2, "created_at"] = "2026-02-01"
    table = lead_conversion(snapshot({"leads": lead}), basis="period", every="month")
    assert table["value"].tolist()[:2] == [0, 3.0]
    assert table[["low", "high"]].isna().all(axis=None)
    assert table["note"].iloc[1].startswith("period_ratio")


def test_what_counts_as_qualified_comes_from_the_definitions():
    """First day the lead's stage held the value, from history, also where it moved on since."""
    history = pd.DataFrame(
        {
            "object": "lead",
            "record_id": ["l0", "l0", "l1"],
            "stage_id": ["mql", "junk", "open"],
            "changed_at": ["2026-01-05", "2026-01-20", "2026-01-02"],
        }
    )
    frames = {
        "leads": leads(stage_id=["junk", "open", "open", "open"]),
        "stages": LEAD_STAGES,
        "history": history,
    }
    snap = snapshot(frames, count={"mql": Count("leads", "stage_id", ("mql",))})
    row = lead_conversion(snap, to="mql").iloc[0]
    assert (row["x"], row["n"]) == (1, 4)
    assert lead_conversion(snap, to="mql", horizon_days=3)["value"].iloc[0] == 0


def test_what_counts_as_a_lead_comes_from_the_definitions():
    """Only records that once held the status, from that day on."""
    count = {"lead": Count("leads", "status", ("Working",))}
    frame = leads(status=["Working", "Spam", "Working", None])
    assert lead_conversion(snapshot({"leads": frame}, count=count))["n"].iloc[0] == 2


def test_a_deal_older_than_its_lead_is_left_out_and_counted():
    """It cannot have come from it: neither a conversion in minus five days nor at once."""
    row = lead_conversion(
        snapshot({"leads": leads(converted_at=["2025-12-27", *[None] * 3])})
    ).iloc[0]
    assert row["n"] == 3
    assert "1 without usable dates left out" in row["note"]
