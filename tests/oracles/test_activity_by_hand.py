"""Appointments, suspects and seller minimums recomputed from the sample's CSV files by plain loops."""

from pathlib import Path

import pandas as pd
import pytest

import connectors
from kpi.activity.appointments import appointments
from kpi.activity.minimums import seller_minimums
from kpi.activity.suspects import suspects_added

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
AS_OF = pd.Timestamp("2026-11-01")
MONTHS = pd.period_range("2025-11", "2026-10", freq="M")


@pytest.fixture(scope="module")
def snap():
    return connectors.open(SAMPLES)


def read(name):
    frame = pd.read_csv(SAMPLES / f"{name}.csv", dtype="str")
    for column in frame:
        if column.endswith(("_at", "_date", "_on")):
            frame[column] = pd.to_datetime(frame[column]).dt.tz_localize(None)
    return frame


@pytest.fixture(scope="module")
def tries():
    """Meetings with companies that are no customers, up to the first held one of each."""
    meetings, deals = read("meetings"), read("deals").set_index("deal_id")
    leads = read("leads").set_index("lead_id")
    lines = read("subscriptions")
    found, met = [], set()
    for row in meetings.sort_values(["starts_at", "meeting_id"]).to_dict("records"):
        lead = row["lead_id"]
        if pd.isna(lead) and pd.notna(row["deal_id"]):
            lead = deals.loc[row["deal_id"], "lead_id"]
        account = row["account_id"]
        if pd.isna(account) and pd.notna(lead):
            account = leads.loc[lead, "account_id"]
        if pd.isna(account) and pd.notna(row["deal_id"]):
            account = deals.loc[row["deal_id"], "account_id"]
        company = account if pd.notna(account) else lead
        won = deals[(deals["account_id"] == account) & (deals["outcome"] == "won")]["closed_at"]
        begun = lines[lines["account_id"] == account]["starts_on"]
        since = min([*won.dt.normalize(), *begun], default=pd.NaT)
        if since < row["starts_at"].normalize() or company in met:
            continue
        of_company = leads["account_id"] == account
        own = leads[of_company] if pd.notna(account) else leads.loc[[lead]]
        known = own["in_profile"].dropna()
        fits = (known == "true").any() if len(known) else None
        found.append(row | {"company": company, "fits": fits})
        if row["outcome"] == "held":
            met.add(company)
    return pd.DataFrame(found)


def test_appointments_by_month(snap, tries):
    """First held meetings, tries, show rate and companies in profile."""
    table = appointments(snap, every="month").set_index("period")
    month = tries["starts_at"].dt.to_period("M").dt.to_timestamp()
    for first, own in tries.groupby(month):
        row, held = table.loc[first], own[own["outcome"] == "held"]
        assert (row["value"], row["held"], row["booked"]) == (len(held), len(held), len(own))
        assert row["show_rate"] == pytest.approx(len(held) / len(own))
        assert row["in_profile"] == held["fits"].eq(True).sum()
        if held["fits"].notna().any():
            share = held["fits"].dropna().astype("bool").mean()
            assert row["in_profile_share"] == pytest.approx(share)
    assert table["value"].sum() == (tries["outcome"] == "held").sum()


def test_appointments_by_seller(snap, tries):
    """The seller of the meeting."""
    held = tries[tries["outcome"] == "held"]["owner_id"].value_counts()
    table = appointments(snap, by="owner").set_index("owner")["value"]
    assert table.to_dict() == held.to_dict()


def test_companies_booked(snap, tries):
    """Each company once, on the day of its first booking."""
    first = tries.groupby("company")["booked_at"].min().dt.to_period("M").dt.to_timestamp()
    table = appointments(snap, booked=True, every="month").set_index("period")["value"]
    assert table[table > 0].to_dict() == first.value_counts().to_dict()
    assert appointments(snap, booked=True)["value"].tolist() == [tries["company"].nunique()]


def test_suspects(snap):
    """By seller and month, and the average of a seller-month."""
    frame = read("suspects")
    month = frame["added_at"].dt.to_period("M")
    counts = frame.groupby(["owner_id", month]).size()
    table = suspects_added(snap, by="owner", every="month")
    table["month"] = table["period"].dt.to_period("M")
    found = table[table["value"] > 0].set_index(["owner", "month"])["value"]
    assert found.to_dict() == counts.to_dict()
    row = suspects_added(snap).iloc[0]
    assert (row["value"], row["seller_months"]) == (len(frame), len(counts))
    assert row["per_seller_month"] == pytest.approx(len(frame) / len(counts))


def last_stages():
    """Return the last open stage of each pipeline of deals."""
    stages = read("stages")
    stages = stages[(stages["object"] == "deal") & (stages["outcome"] == "open")]
    order = stages["position"].astype("int64")
    return set(stages.loc[order.groupby(stages["pipeline_id"]).idxmax(), "stage_id"])


def in_last_stage(deal, history, day):
    """Whether a deal stood in its last open stage at the end of a day."""
    own = history[
        (history["record_id"] == deal["deal_id"]) & (history["changed_at"].dt.date <= day)
    ]
    if own.empty or own["stage_id"].iloc[-1] not in last_stages():
        return False
    return pd.isna(deal["closed_at"]) or deal["closed_at"].date() > day


def test_seller_minimums(snap):
    """Every seller who still sells, over the twelve months before November."""
    deals, suspects, leads = read("deals"), read("suspects"), read("leads")
    deals = deals[deals["deal_type"] == "new"]
    history = read("history")
    entries = history[(history["object"] == "lead") & history["stage_id"].isin(["mql", "sql"])]
    leads["mql"] = leads["lead_id"].map(entries.groupby("record_id")["changed_at"].min())
    won = deals[deals["outcome"] == "won"]
    flows = {
        "suspects": (suspects, "added_at"),
        "leads": (leads, "mql"),
        "deals_created": (deals, "created_at"),
        "deals_won": (won, "closed_at"),
    }
    table = seller_minimums(snap).set_index(["owner_id", "indicator"])
    owners = read("owners").set_index("owner_id")
    owners = owners[owners["active"] != "false"]
    assert table.index.get_level_values(0).unique().tolist() == owners.index.tolist()
    for owner, seller in owners.iterrows():
        months = [m for m in MONTHS if not m.start_time < seller["starts_on"]]
        for name, (frame, column) in flows.items():
            own = frame[(frame["owner_id"] == owner)]
            count = own[column].dt.to_period("M").isin(months).sum()
            row = table.loc[(owner, name)]
            assert (row["x"], row["n"]) == (count, len(months))
            assert row["value"] == pytest.approx(count / len(months))
        own = won[(won["owner_id"] == owner) & won["closed_at"].dt.to_period("M").isin(months)]
        share = own["amount"].astype("float64").sum() / len(months) / float(seller["annual_ote"])
        assert table.loc[(owner, "value_won"), "value"] == pytest.approx(share)
        stands = deals[(deals["owner_id"] == owner) & deals["stage_id"].isin(last_stages())]
        assert table.loc[(owner, "last_stage_deals"), "value"] == len(stands)


@pytest.mark.parametrize("month", ["2025-03", "2025-12", "2026-08"])
def test_deals_in_the_last_stage_of_a_past_month(snap, month):
    """From the history of each deal, by its owner of today."""
    deals, history = read("deals"), read("history")
    history = history[(history["object"] == "deal") & history["stage_id"].notna()]
    history = history.sort_values("changed_at", kind="stable")
    day = pd.Period(month).end_time.date()
    there = [
        deal["owner_id"]
        for deal in deals[deals["deal_type"] == "new"].to_dict("records")
        if in_last_stage(deal, history, day)
    ]
    table = seller_minimums(snap, every="month")
    rows = table[(table["period"] == f"{month}-01") & (table["indicator"] == "last_stage_deals")]
    told = rows.dropna(subset="value")
    assert told.set_index("owner_id")["value"].to_dict() == {
        owner: there.count(owner) for owner in told["owner_id"]
    }
    assert len(there) > 0
