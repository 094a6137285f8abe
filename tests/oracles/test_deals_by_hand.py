"""Deals of the sample company and of a real export, recomputed from the raw files in plain pandas."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import connectors
from kpi.deals.flow import deals_created, deals_won
from kpi.deals.sales_velocity import sales_velocity
from kpi.deals.size import average_deal_size, average_monthly_deal_value
from kpi.deals.value import value_won
from kpi.deals.win_rate import win_rate

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data" / "samples"
MAVEN = ROOT.parent / "shared" / "data" / "maven_crm"
TIMES = ["created_at", "closed_at"]


@pytest.fixture(scope="module")
def snap():
    return connectors.open(SAMPLES)


@pytest.fixture(scope="module")
def raw():
    deals = pd.read_csv(SAMPLES / "deals.csv", parse_dates=TIMES)
    deals["month"] = deals["closed_at"].dt.tz_localize(None).dt.to_period("M")
    return deals


@pytest.fixture(scope="module")
def new(raw):
    return raw[raw["deal_type"] == "new"]


def by_month(table, column="value"):
    """Turn a result by month into a dictionary without the empty months."""
    some = table[table["n"] > 0]
    return dict(zip(some["period"].dt.to_period("M"), some[column], strict=True))


def test_deals_created(snap, new):
    """Number and amount by month of creation."""
    months = new["created_at"].dt.tz_localize(None).dt.to_period("M")
    table = deals_created(snap, every="month")
    assert by_month(table) == new.groupby(months).size().to_dict()
    amounts = new.groupby(months)["amount"].sum().to_dict()
    assert by_month(table, "created_amount") == pytest.approx(amounts)
    assert deals_created(snap)["value"].iloc[0] == len(new) == 356


def test_deals_won(snap, raw):
    """Won by month, all kinds of business."""
    won = raw[raw["outcome"] == "won"].groupby("month").size().to_dict()
    found = {m: v for m, v in by_month(deals_won(snap, every="month", deal_type=None)).items() if v}
    assert found == won


def test_value_won(snap, raw):
    """Amount, margin and term by product, all kinds of business."""
    won = raw[raw["outcome"] == "won"].groupby("product")
    table = value_won(snap, by="product", deal_type=None).set_index("product")
    assert table["value"].to_dict() == pytest.approx(won["amount"].sum().to_dict())
    margin = (won["margin"].sum() / won["amount"].sum()).to_dict()
    assert table["gross_margin"].to_dict() == pytest.approx(margin)
    assert table["term_months"].to_dict() == pytest.approx(won["term_months"].mean().to_dict())


def test_every_new_win_is_a_new_customer(snap, new):
    """The story of the sample: every win makes a customer; what is sold to customers is expansion."""
    row = value_won(snap).iloc[0]
    assert row["new_logos"] == (new["outcome"] == "won").sum()
    assert value_won(snap, deal_type="expansion")["new_logos"].iloc[0] == 0


def test_average_deal_size(snap, new):
    """Mean and median by segment; the true mean of the price is inside the limits."""
    won = new[new["outcome"] == "won"].groupby("segment")["amount"]
    table = average_deal_size(snap, by="segment").dropna(subset="segment").set_index("segment")
    assert table["value"].to_dict() == pytest.approx(won.mean().to_dict())
    assert table["median"].to_dict() == won.median().to_dict()
    assert (table["low"] < table["value"]).all()


def test_average_monthly_deal_value(snap, new):
    """Mean MRR of the wins since 2 November 2025."""
    recent = new[(new["outcome"] == "won") & (new["closed_at"] >= "2025-11-02")]
    row = average_monthly_deal_value(snap).iloc[0]
    assert row["value"] == pytest.approx(recent["mrr"].mean())
    assert row["x"] == len(recent)


def test_win_rates(snap, new):
    """By count, by value, and without deals lost for want of a decision."""
    closed = new[new["outcome"] != "open"]
    won = closed["outcome"] == "won"
    row = win_rate(snap).iloc[0]
    assert (row["x"], row["n"]) == (won.sum(), len(closed))
    by_value = closed.loc[won, "amount"].sum() / closed["amount"].sum()
    assert win_rate(snap, weight="amount")["value"].iloc[0] == pytest.approx(by_value)
    decided = closed[closed["lost_reason"] != "No decision"]
    narrow = win_rate(snap, no_decision="No decision").iloc[0]
    assert narrow["value"] == pytest.approx((decided["outcome"] == "won").mean())


def test_sales_velocity(snap, new):
    """The four parts over the last twelve months."""
    closed = new[(new["outcome"] != "open") & (new["closed_at"] >= "2025-11-02")]
    won = closed[closed["outcome"] == "won"]
    days = (won["closed_at"].dt.normalize() - won["created_at"].dt.normalize()).dt.days
    still = (new["outcome"] == "open").sum()
    expected = still * len(won) / len(closed) * won["amount"].mean() / days.mean()
    row = sales_velocity(snap).iloc[0]
    assert row["value"] == pytest.approx(expected)
    assert row["cycle_days"] == pytest.approx(days.mean())


def parts_by_hand(closed, still):
    """Return the four parts of the velocity, and value, x and n, of deals closed and the number open."""
    won = closed[closed["outcome"] == "won"]
    days = (won["closed_at"].dt.normalize() - won["created_at"].dt.normalize()).dt.days
    parts = {
        "opportunities": still,
        "win_rate": len(won) / len(closed),
        "average_deal": won["amount"].mean(),
        "cycle_days": days.mean(),
    }
    value = parts["opportunities"] * parts["win_rate"] * parts["average_deal"] / parts["cycle_days"]
    return parts | {"value": value, "x": len(won), "n": len(closed)}


def test_every_part_of_the_sales_velocity_by_segment(snap, new):
    """Open and closed deals of each segment; with those worked, the closed ones are added."""
    recent = new[(new["outcome"] != "open") & (new["closed_at"] >= "2025-11-02")]
    table = sales_velocity(snap, by="segment").set_index("segment")
    worked = sales_velocity(snap, by="segment", opportunities="worked").set_index("segment")
    assert set(table.index) == set(new["segment"])
    for segment, deals in new.groupby("segment"):
        closed = recent[recent["segment"] == segment]
        expected = parts_by_hand(closed, (deals["outcome"] == "open").sum())
        assert table.loc[segment, list(expected)].to_dict() == pytest.approx(expected)
        expected = parts_by_hand(closed, expected["opportunities"] + len(closed))
        assert worked.loc[segment, list(expected)].to_dict() == pytest.approx(expected)


@pytest.mark.parametrize("every", ["month", "quarter"])
def test_every_part_of_the_sales_velocity_by_period(snap, new, every):
    """Closed in the period, open at its end; a period that lacks a part has the others."""
    zoneless = new.assign(**{name: new[name].dt.tz_localize(None) for name in TIMES})
    table = sales_velocity(snap, every=every).set_index("period")
    told = 0
    for first, row in table.iterrows():
        end = first + pd.DateOffset(months=1 if every == "month" else 3)
        closed = zoneless[zoneless["closed_at"].between(first, end, inclusive="left")]
        still = (zoneless["created_at"] < end) & ~(zoneless["closed_at"] < end)
        if not len(closed):
            assert row["n"] == 0
            assert row["opportunities"] == still.sum()
            continue
        expected = parts_by_hand(closed, still.sum())
        assert row[list(expected)].to_dict() == pytest.approx(expected, nan_ok=True)
        told += bool(np.isfinite(expected["value"]))
    assert told >= (12 if every == "month" else 4)
    assert table["n"].sum() == (new["outcome"] != "open").sum()


@pytest.fixture(scope="module")
def maven():
    if not MAVEN.is_dir():
        pytest.skip("the Maven export does not lie beside this checkout")
    sales = pd.read_csv(MAVEN / "sales_pipeline.csv", parse_dates=["engage_date", "close_date"])
    return connectors.open(MAVEN, mapping=ROOT / "data" / "mappings" / "maven_crm.toml"), sales


def test_a_real_export(maven):
    """8,800 deals: wins and value by month, average deal, win rate, velocity."""
    snap, sales = maven
    won = sales[sales["deal_stage"] == "Won"]
    months = won["close_date"].dt.to_period("M")
    assert by_month(deals_won(snap, every="month")) == won.groupby(months).size().to_dict()
    found = by_month(value_won(snap, every="month"))
    assert found == pytest.approx(won.groupby(months)["close_value"].sum().to_dict())
    size = average_deal_size(snap).iloc[0]
    assert size["value"] == pytest.approx(won["close_value"].mean())
    assert size["low"] < size["value"] < size["high"]
    closed = sales[sales["deal_stage"].isin(["Won", "Lost"])]
    days = (won["close_date"] - won["engage_date"]).dt.days.mean()
    expected = (len(sales) - len(closed)) * len(won) / len(closed)
    row = sales_velocity(snap).iloc[0]
    assert row["value"] == pytest.approx(expected * won["close_value"].mean() / days)
    assert np.isfinite([row["low"], row["high"]]).all()
