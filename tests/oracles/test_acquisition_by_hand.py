"""The acquisition KPIs again on the sample company, in plain pandas from its CSV files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import connectors
from kpi.acquisition.cost import cac, cost_per_lead, sales_marketing_cost
from kpi.acquisition.magic_number import magic_number
from kpi.acquisition.payback import cac_payback
from kpi.acquisition.unit_economics import clv_to_cac

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
MAVEN = Path(__file__).parents[2].parent / "shared" / "data" / "maven_crm"
FIRST, END = "2025-11-01", "2026-11-01"  # the twelve whole months before the as-of date


def read(name):
    """Read one CSV file as text and numbers."""
    return pd.read_csv(SAMPLES / f"{name}.csv", dtype={"account_id": str})


@pytest.fixture(scope="module")
def snap():
    """Make the snapshot of the sample company."""
    return connectors.open(SAMPLES)


@pytest.fixture(scope="module")
def costs():
    """Costs with the month as text."""
    return read("costs").assign(month=lambda f: f["month"].str[:7])


@pytest.fixture(scope="module")
def logos():
    """First won deal of each payer that had no line before, where it is new business; one row each."""
    deals, lines = read("deals"), read("subscriptions")
    payer = read("accounts").set_index("account_id")["billing_account_id"].dropna()
    live = lines["account_id"].map(payer).fillna(lines["account_id"])
    live = lines["starts_on"].groupby(live).min()
    deals = deals[deals["outcome"] == "won"]
    deals = deals.assign(payer=deals["account_id"].map(payer).fillna(deals["account_id"]))
    deals["day"] = deals["closed_at"].str[:10]
    first = deals.sort_values(["day", "deal_id"]).groupby("payer", as_index=False).first()
    before = first["payer"].map(live) < first["day"]
    return first[(first["deal_type"].fillna("new") == "new") & ~before]


def in_year(days):
    """Tell which days (ISO text) fall into the twelve months."""
    return (days >= FIRST) & (days < END)


def test_cost_by_month_and_category(snap, costs):
    """Every month, and its parts."""
    table = sales_marketing_cost(snap, every="month")
    months = table["period"].dt.strftime("%Y-%m")
    whole = costs[costs["month"] < "2026-11"]
    assert table["value"].tolist() == pytest.approx(whole.groupby("month")["amount"].sum()[months])
    for name in ("labour", "commissions", "advertising", "tools"):
        own = whole[whole["category"] == name].groupby("month")["amount"].sum()
        assert table[name].tolist() == pytest.approx(own.reindex(months, fill_value=0).tolist())
    assert table["n"].tolist() == whole.groupby("month").size()[months].tolist()


def test_cost_per_lead_of_the_year_and_by_month(snap, costs):
    """All costs over all leads."""
    created = read("leads")["created_at"].str[:10]
    leads = int(in_year(created).sum())
    cost = costs.loc[costs["month"] >= "2025-11", "amount"].sum()
    row = cost_per_lead(snap).iloc[0]
    assert row["n"] == leads
    assert row["value"] == pytest.approx(cost / leads)
    table = cost_per_lead(snap, every="month")
    months = table["period"].dt.strftime("%Y-%m")
    by_hand = (
        costs.groupby("month")["amount"].sum()[months] / created.str[:7].value_counts()[months]
    )
    assert table["value"].tolist() == pytest.approx(by_hand.tolist())


def test_cost_per_lead_by_channel(snap, costs):
    """A channel's own costs over its leads."""
    leads = read("leads")
    leads = leads[in_year(leads["created_at"].str[:10])]["channel"].value_counts()
    spent = costs[costs["month"] >= "2025-11"].groupby("channel")["amount"].sum()
    table = cost_per_lead(snap, by="channel").dropna(subset=["value"]).set_index("channel")
    assert table["value"].to_dict() == pytest.approx((spent / leads).dropna().to_dict())
    campaign = cost_per_lead(snap, scope="campaign")["value"].iloc[0]
    assert campaign == pytest.approx(spent.sum() / leads[spent.index].sum())


def test_cac_of_the_year_and_by_quarter(snap, costs, logos):
    """Costs over first wins of payers."""
    year = logos[in_year(logos["day"])]
    row = cac(snap).iloc[0]
    assert row["n"] == len(year)
    assert row["value"] == pytest.approx(
        costs.loc[costs["month"] >= "2025-11", "amount"].sum() / len(year)
    )
    table = cac(snap, every="quarter").iloc[1:-1]
    quarters = table["period"].dt.to_period("Q").astype(str)
    of = pd.PeriodIndex(costs["month"], freq="M").asfreq("Q").astype(str)
    won = pd.PeriodIndex(logos["day"].str[:7], freq="M").asfreq("Q").astype(str)
    by_hand = costs.groupby(of)["amount"].sum()[quarters] / won.value_counts()[quarters]
    assert table["value"].tolist() == pytest.approx(by_hand.tolist())


def test_lagged_cac(snap, costs, logos):
    """Costs of two months before: the median cycle is 65 days."""
    deals = read("deals").dropna(subset=["created_at"])
    deals = deals[(deals["outcome"] == "won") & (deals["deal_type"].fillna("new") == "new")]
    days = pd.to_datetime(deals["closed_at"].str[:10]) - pd.to_datetime(
        deals["created_at"].str[:10]
    )
    lag = round(days.dt.days.median() / (365.25 / 12))
    assert lag == 2
    spent = costs[(costs["month"] >= "2025-09") & (costs["month"] < "2026-09")]["amount"].sum()
    row = cac(snap, lagged=True).iloc[0]
    assert row["value"] == pytest.approx(spent / in_year(logos["day"]).sum())


def test_payback(snap, costs, logos):
    """CAC over mean new MRR and margin of the year's first deals."""
    year = logos[in_year(logos["day"])]
    cost = costs.loc[costs["month"] >= "2025-11", "amount"].sum() / len(year)
    margin = year["margin"].sum() / year["amount"].sum()
    row = cac_payback(snap).iloc[0]
    assert row["value"] == pytest.approx(cost / (year["mrr"].mean() * margin))
    given = cac_payback(snap, gross_margin=0.5).iloc[0]
    assert given["value"] == pytest.approx(cost / (year["mrr"].mean() * 0.5))


def test_clv_to_cac(snap, costs, logos):
    """The lifetime value it shows over the CAC counted here."""
    cost = costs.loc[costs["month"] >= "2025-11", "amount"].sum() / in_year(logos["day"]).sum()
    row = clv_to_cac(snap, gross_margin=0.5).iloc[0]
    assert row["cac"] == pytest.approx(cost)
    assert row["value"] == pytest.approx(row["clv"] / cost)


def monthly_revenue():
    """Recurring revenue at each month's last day, from the lines, in dollars."""
    lines, rates = read("subscriptions"), read("rates")
    revenue = {}
    for day in pd.date_range("2024-11-30", "2026-10-31", freq="ME").strftime("%Y-%m-%d"):
        total = 0.0
        for line in lines.itertuples():
            live = line.starts_on <= day and not (
                isinstance(line.ends_on, str) and line.ends_on <= day
            )
            if live and line.currency == "CAD":
                known = rates[(rates["currency"] == "CAD") & (rates["from_date"] <= line.starts_on)]
                total += line.mrr * known["rate"].iloc[-1]
            elif live:
                total += line.mrr
        revenue[day[:7]] = total
    return pd.Series(revenue)


@pytest.mark.parametrize("of", ["revenue", "arr"])
def test_magic_number(snap, costs, of):
    """The last whole quarter, July to September, against April to June."""
    revenue = monthly_revenue()
    after, before = revenue["2026-07":"2026-09"], revenue["2026-04":"2026-06"]
    gained = (after.sum() - before.sum()) * 4
    if of == "arr":
        gained = 12 * (after.iloc[-1] - before.iloc[-1])
    spent = costs[costs["month"].between("2026-04", "2026-06")]["amount"].sum()
    assert magic_number(snap, of=of)["value"].iloc[0] == pytest.approx(gained / spent)


def test_customers_of_a_real_export():
    """Maven's CRM with a cost of our own: accounts whose first win falls in each month."""
    if not MAVEN.is_dir():
        pytest.skip("the export maven_crm does not lie beside this checkout")
    mapping = SAMPLES.parent / "mappings" / "maven_crm.toml"
    found = connectors.open(MAVEN, mapping=mapping)
    months = pd.period_range("2017-03", "2017-12", freq="M")
    frames = {name: found.table(name).to_pandas() for name in ("deals", "accounts", "stages")}
    frames["costs"] = pd.DataFrame({"month": months.strftime("%Y-%m-01"), "amount": 1000.0})
    table = cac(type(found).from_frames(frames, as_of=found.as_of), every="month")
    rows = pd.read_csv(MAVEN / "sales_pipeline.csv")
    won = rows[rows["deal_stage"] == "Won"]
    first = won.groupby("account")["close_date"].min().str[:7].value_counts()
    assert won["account"].notna().all()
    assert table["n"].tolist() == first.reindex(months.strftime("%Y-%m"), fill_value=0).tolist()
    assert np.array_equal(table["value"].isna(), table["n"] == 0)
