"""Lead KPIs recomputed from the sample's CSV files, record by record, with nothing of kpi in it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import connectors
from connectors.files import read_folder
from kpi import Snapshot
from kpi.leads.conversion import lead_conversion
from kpi.leads.customers import lead_to_customer
from kpi.leads.flow import leads_created, mqls_created
from kpi.leads.growth import lead_velocity_rate
from kpi.leads.times import lead_cycle_days

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
ROOT = Path(__file__).parents[2]
SALESFORCE = ROOT.parent / "shared" / "data" / "salesforce_dev_org_sample"
AS_OF = pd.Timestamp("2026-11-01")
END = pd.Timestamp("2026-11-02")


@pytest.fixture(scope="module")
def snap():
    return connectors.open(SAMPLES)


def read(name):
    frame = pd.read_csv(SAMPLES / f"{name}.csv", dtype="str")
    for column in frame:
        if column.endswith("_at"):
            frame[column] = pd.to_datetime(frame[column]).dt.tz_localize(None)
    return frame


@pytest.fixture(scope="module")
def leads():
    """One row a lead with what became of it, told lead by lead."""
    frame, history, deals = read("leads"), read("history"), read("deals")
    history = history[history["object"] == "lead"].sort_values("changed_at", kind="stable")
    deals = deals[deals["deal_type"].fillna("new") == "new"]
    rows = []
    for lead in frame.to_dict("records"):
        own = history[history["record_id"] == lead["lead_id"]]
        mql = own[own["stage_id"].isin(["mql", "sql"])]["changed_at"].min()
        if pd.isna(mql) and lead["stage_id"] in ("mql", "sql"):
            mql = lead["converted_at"] if pd.notna(lead["converted_at"]) else lead["created_at"]
        junk = own[own["stage_id"] == "disq"]["changed_at"].max()
        made = deals[deals["lead_id"] == lead["lead_id"]]
        turned = lead["converted_at"]
        if pd.isna(turned) and len(made):
            turned = made["created_at"].min()
        later = own[own["changed_at"] > lead["created_at"]]
        later = later[later["stage_id"].notna() | later["status"].notna()]["changed_at"]
        rows.append(
            {
                "born": lead["created_at"],
                "source": lead["source"],
                "mql": mql,
                "turned": turned,
                "junk": junk if lead["stage_id"] == "disq" else pd.NaT,
                "won": made.loc[made["outcome"] == "won", "closed_at"].min(),
                "lost": made.loc[made["outcome"] == "lost", "closed_at"].max(),
                "dealt": len(made) > 0,
                "open": (made["outcome"] == "open").any() or made["outcome"].isna().any(),
                "answer": later.min(),
                "lead_id": lead["lead_id"],
            }
        )
    return pd.DataFrame(rows)


def by_month(days):
    """Count by calendar month."""
    return days.dropna().dt.to_period("M").value_counts().sort_index()


def share_by(ages, causes, horizon):
    """Share that got there by an age: day by day, those still followed at risk."""
    ages, causes = np.asarray(ages), np.asarray(causes)
    left, got = 1.0, 0.0
    for age in range(horizon + 1):
        at_risk = (ages >= age).sum()
        if at_risk == 0:
            break
        got += left * ((ages == age) & (causes == 1)).sum() / at_risk
        left *= 1 - ((ages == age) & (causes > 0)).sum() / at_risk
    return got


def days_between(start, end):
    return (end.dt.normalize() - start.dt.normalize()).dt.days


def test_leads_by_month_and_source(snap, leads):
    """Counts, and the source mix of each month."""
    table = leads_created(snap, every="month")
    expected = by_month(leads["born"])
    assert table["value"].tolist() == [*expected, 0]
    assert table["period"].dt.to_period("M").tolist()[:-1] == expected.index.tolist()
    mix = leads_created(snap, by="source")
    shares = leads["source"].value_counts(normalize=False) / len(leads)
    named = mix.dropna(subset="source").set_index("source")["share"]
    assert named.to_dict() == pytest.approx(shares.to_dict())
    assert mix.loc[mix["source"].isna(), "value"].tolist() == [leads["source"].isna().sum()]


def test_mqls_by_month(snap, leads):
    """First day in one of the qualified stages, from history."""
    table = mqls_created(snap, every="month")
    assert table["value"].tolist()[:-1] == by_month(leads["mql"]).tolist()
    assert mqls_created(snap)["value"].tolist() == [leads["mql"].notna().sum()]


def test_growth_of_mqls(snap, leads):
    """Each month over the one before."""
    counts = by_month(leads["mql"])
    table = lead_velocity_rate(snap, every="month")
    assert table["value"].tolist()[1:-1] == pytest.approx(counts.pct_change().tolist()[1:])
    assert lead_velocity_rate(snap)["value"].tolist() == pytest.approx(
        [counts.pct_change().iloc[-1]]
    )


@pytest.mark.parametrize("horizon", [30, 90, 365])
def test_leads_that_became_a_deal(snap, leads, horizon):
    """Followed day by day; disqualified ones compete, open ones are censored."""
    end = leads["turned"].fillna(leads["junk"]).fillna(AS_OF)
    cause = np.where(leads["turned"].notna(), 1, np.where(leads["junk"].notna(), 2, 0))
    expected = share_by(days_between(leads["born"], end), cause, horizon)
    row = lead_conversion(snap, horizon_days=horizon).iloc[0]
    assert row["value"] == pytest.approx(expected, abs=1e-12)


def fate(leads):
    """Cause and day of the end of each lead on its way to a customer."""
    causes, ends = [], []
    for lead in leads.to_dict("records"):
        if pd.notna(lead["won"]):
            cause, end = 1, lead["won"]
        elif lead["dealt"]:
            cause, end = (0, AS_OF) if lead["open"] else (2, lead["lost"])
        elif pd.notna(lead["turned"]):
            cause, end = 2, lead["turned"]
        else:
            cause, end = (2, lead["junk"]) if pd.notna(lead["junk"]) else (0, AS_OF)
        causes.append(cause)
        ends.append(end)
    return np.array(causes), pd.Series(ends, index=leads.index)


@pytest.mark.parametrize("source", [None, "referral", "paid search"])
@pytest.mark.parametrize("horizon", [60, 180, 365])
def test_leads_that_became_customers(snap, leads, source, horizon):
    """The close ratio, of all and of one source."""
    own = leads if source is None else leads[leads["source"] == source]
    causes, ends = fate(own)
    expected = share_by(days_between(own["born"], ends), causes, horizon)
    table = lead_to_customer(snap, by=None if source is None else "source", horizon_days=horizon)
    row = (table if source is None else table[table["source"] == source]).iloc[0]
    assert row["value"] == pytest.approx(expected, abs=1e-12)
    assert row["n"] == len(own)
    assert row["x"] == ((causes == 1) & (days_between(own["born"], ends) <= horizon)).sum()


def test_qualified_leads_that_became_customers(snap, leads):
    """From the first qualified day on."""
    own = leads[leads["mql"].notna()]
    causes, ends = fate(own)
    ages = days_between(own["mql"], ends)
    usable = ages >= 0
    expected = share_by(ages[usable], causes[usable.to_numpy()], 180)
    row = lead_to_customer(snap, of="mql", horizon_days=180).iloc[0]
    assert row["value"] == pytest.approx(expected, abs=1e-12)
    assert row["n"] == usable.sum()


def test_days_until_a_deal(snap, leads):
    """Half of the height that the incidence of converting comes to."""
    end = leads["turned"].fillna(leads["junk"]).fillna(AS_OF)
    ages = days_between(leads["born"], end)
    causes = np.where(leads["turned"].notna(), 1, np.where(leads["junk"].notna(), 2, 0))
    row = lead_cycle_days(snap).iloc[0]
    last = int(row["note"].rsplit(" ", 1)[1])
    half = share_by(ages, causes, last) / 2
    day = next(d for d in range(last) if share_by(ages, causes, d) >= half - 1e-12)
    assert row["value"] == day
    assert row["low"] <= day <= row["high"]
    assert row["x"] == (causes == 1).sum()


def test_days_until_a_response(snap, leads):
    """The middle of all leads in order of their waiting time, those unanswered followed on."""
    meetings, firsts = read("meetings"), []
    for lead in leads.to_dict("records"):
        met = meetings[meetings["lead_id"] == lead["lead_id"]]
        signs = [lead["answer"], lead["turned"], *met["booked_at"], *met["starts_at"]]
        firsts.append(min((at for at in signs if at > lead["born"]), default=pd.NaT))
    first = pd.Series(firsts, index=leads.index)
    waits = ((first.fillna(END) - leads["born"]).dt.total_seconds() // 60).to_numpy()
    answered = first.notna().to_numpy()
    left = 1.0
    for wait in np.unique(waits):
        at_risk = (waits >= wait).sum()
        left *= 1 - (answered & (waits == wait)).sum() / at_risk
        if left <= 0.5 + 1e-12:
            break
    row = lead_cycle_days(snap, to="response").iloc[0]
    assert row["value"] == pytest.approx(wait / 1440)
    assert (row["x"], row["n"]) == (answered.sum(), len(leads))
    assert row["simple_median"] == pytest.approx(np.median(waits[answered]) / 1440)


def test_a_public_export_whose_leads_have_no_dates():
    """22 leads of a Salesforce developer org, 5 converted, none with a creation date.

    They count in totals; whatever follows them over time has no value, and says why.
    """
    if not SALESFORCE.is_dir():
        pytest.skip("the Salesforce sample does not lie beside this checkout")
    found = read_folder(SALESFORCE, mapping=ROOT / "data/mappings/salesforce_dev_org.toml")
    public = Snapshot.from_frames(found.frames, as_of=found.as_of)
    raw = pd.read_csv(next(SALESFORCE.rglob("*ead*.csv")), dtype="str")
    assert leads_created(public)["value"].tolist() == [len(raw)] == [22]
    assert leads_created(public, every="month").empty
    by_source = leads_created(public, by="source")
    assert by_source["value"].sum() == 22
    assert by_source["share"].sum() == pytest.approx(1)
    for kpi in (lead_to_customer, lead_cycle_days, lead_velocity_rate, mqls_created):
        row = kpi(public).iloc[0]
        assert np.isnan(row["value"])
        assert row["note"]
    assert "22 without usable dates" in lead_to_customer(public)["note"].iloc[0]
    ratio = lead_conversion(public, basis="period").iloc[0]
    assert (ratio["x"], ratio["n"]) == (5, 22)
