"""Published cases of recurring revenue and churn; figures retyped, each with its source."""

import pandas as pd
import pytest
from companies import lines, snapshot

from kpi.recurring.committed import committed_mrr
from kpi.recurring.customers import customer_churn, customers
from kpi.recurring.movements import mrr_movements
from kpi.recurring.retention import gross_retention, net_retention
from kpi.recurring.revenue_churn import gross_mrr_churn, net_mrr_churn, quick_ratio
from kpi.recurring.run_rate import mrr

MOVED = lines(
    ("gone", 10, "2026-01-01", "2026-02-01"),
    ("smaller", 30, "2026-01-01", "2026-02-01"),
    ("smaller", 20, "2026-02-01", None),
    ("larger", 60, "2026-01-01", None),
    ("larger", 10, "2026-02-05", None),
)


def test_v01_movements_behind_gross_and_net_churn():
    """Start 100, churn 10, contraction 10, expansion 10: 20 % gross, 10 % net (ChartMogul)."""
    snap = snapshot({"subscriptions": MOVED}, as_of="2026-02-28")
    month = mrr_movements(snap).iloc[1]
    moves = month[["start", "new", "expansion", "contraction", "churn", "reactivation", "end"]]
    assert moves.tolist() == [100, 0, 10, 10, 10, 0, 90]
    for kpi, value in (
        (gross_mrr_churn, 0.2),
        (net_mrr_churn, 0.1),
        (gross_retention, 0.8),
        (net_retention, 0.9),
    ):
        row = kpi(snap, every="month").iloc[1]
        assert row["value"] == pytest.approx(value, abs=1e-9), kpi.__name__
        assert row["n"] == 3


def test_v02_joiners_of_the_month_are_in_neither_count():
    """100 customers, 11 cancelled of whom 1 joined that month: 10 %, not 11 % (ChartMogul)."""
    old = [(f"a{i}", 50, "2026-01-01", "2026-02-14" if i < 10 else None) for i in range(100)]
    joiner = ("new", 50, "2026-02-03", "2026-02-20")
    snap = snapshot({"subscriptions": lines(*old, joiner)}, as_of="2026-02-28")
    churn = customer_churn(snap, every="month").iloc[1]
    assert churn["value"] == pytest.approx(0.1, abs=1e-9)
    assert (churn["x"], churn["n"]) == (10, 100)
    assert abs(churn["value"] - 0.11) > 0.005
    with_joiners = customer_churn(snap, every="month", basis="joiners").iloc[1]
    assert with_joiners["value"] == pytest.approx(0.11, abs=1e-9)
    assert (with_joiners["x"], with_joiners["n"]) == (11, 100)


def test_v04_churn_of_one_day():
    """100 at the start of the day, 95 at its end: 5 % that day (ChartMogul, daily)."""
    rows = [(f"a{i}", 50, "2026-01-01", "2026-02-14" if i < 5 else None) for i in range(100)]
    snap = snapshot({"subscriptions": lines(*rows)}, as_of="2026-02-28")
    day = customer_churn(snap, every="month", basis="daily").iloc[1]
    assert day["value"] == pytest.approx(0.05, abs=1e-9)
    assert (day["x"], day["n"]) == (5, 100)


def test_v24_net_retention_above_one():
    """27,000 grown to 35,000, of which 5,000 left: 111 % (churnzero)."""
    frame = lines(
        ("stays", 22000, "2026-01-01", None),
        ("stays", 8000, "2026-02-10", None),
        ("gone", 5000, "2026-01-01", "2026-02-20"),
    )
    row = net_retention(snapshot({"subscriptions": frame}, as_of="2026-02-28")).iloc[0]
    assert row[["start", "expansion", "churn"]].tolist() == [27000, 8000, 5000]
    assert row["value"] == pytest.approx(1.1111111111111112, abs=1e-9)


def test_v25_contraction_counts_in_net_retention():
    """Start 100, churn 10, contraction 10, expansion 10: 0.9; without contraction 1.0 is WRONG."""
    row = net_retention(snapshot({"subscriptions": MOVED}, as_of="2026-02-28")).iloc[0]
    assert row["value"] == pytest.approx(0.9, abs=1e-9)
    assert (row["churn"], row["contraction"], row["expansion"]) == (10, 10, 10)


def test_v26_quick_ratio():
    """New 20, expansion 12, contraction 3, churn 5: 4 (Baremetrics); no loss: no ratio."""
    frame = lines(
        ("new", 20, "2026-02-03", None),
        ("larger", 100, "2026-01-01", None),
        ("larger", 12, "2026-02-05", None),
        ("smaller", 3, "2026-01-01", "2026-02-10"),
        ("smaller", 30, "2026-01-01", None),
        ("gone", 5, "2026-01-01", "2026-02-10"),
    )
    row = quick_ratio(snapshot({"subscriptions": frame}, as_of="2026-02-28")).iloc[0]
    assert (row["value"], row["gained"], row["lost"]) == (pytest.approx(4.0, abs=1e-9), 32, 8)
    safe = lines(("a", 10, "2026-01-01", None), ("b", 20, "2026-02-03", None))
    none = quick_ratio(snapshot({"subscriptions": safe}, as_of="2026-02-28")).iloc[0]
    assert pd.isna(none["value"])
    assert none["note"].startswith("no_denominator")


def test_v27_committed_mrr():
    """100,000 live, 20,000 signed in July and live in October, 5,000 cancelled: 115,000."""
    frame = lines(
        ("stays", 95000, "2026-01-01", None),
        ("going", 5000, "2026-01-01", "2026-10-01"),
        ("coming", 20000, "2026-10-01", None),
    ).assign(
        signed_on=["2025-12-01", "2025-12-01", "2026-07-10"], notice_on=[None, "2026-07-20", None]
    )
    snap = snapshot({"subscriptions": frame}, as_of="2026-07-31")
    row = committed_mrr(snap).iloc[0]
    assert (row["mrr"], row["signed"], row["notified"]) == (100000, 20000, 5000)
    assert row["value"] == 115000
    assert mrr(snap)["value"].item() == 100000


@pytest.mark.parametrize(
    ("lost", "monthly", "wrong"),
    [
        (8, 0.006924382628299419, 0.006666666666666667),
        (15, 0.013451947011868914, 0.012499999999999999),
    ],
    ids=["8 % a year", "15 % a year"],
)
def test_s08_a_year_of_churn_by_month(lost, monthly, wrong):
    """8 to 15 % a year (Channel Futures 2016) compounds; a twelfth of it is WRONG."""
    rows = [(f"a{i}", 50, "2025-01-01", "2025-09-10" if i < lost else None) for i in range(100)]
    churn = customer_churn(snapshot({"subscriptions": lines(*rows)}, as_of="2026-01-31")).iloc[0]
    assert churn["value"] == pytest.approx(lost / 100, abs=1e-9)
    assert churn["monthly"] == pytest.approx(monthly, abs=1e-9)
    assert abs(churn["monthly"] - wrong) > 1e-4


@pytest.mark.parametrize(("payers", "wanted"), [(["A", "A"], 1), (["A", "B"], 2)])
def test_s11_a_customer_is_who_pays(payers, wanted):
    """Amazon USA and Amazon Australia: one invoice is one customer, two are two (Tracking Success)."""
    names = ["Amazon USA", "Amazon Australia"]
    accounts = pd.DataFrame({"account_id": ["u", "o"], "name": names, "billing_account_id": payers})
    frame = lines(("u", 10, "2026-01-01", None), ("o", 10, "2026-01-01", None))
    snap = snapshot({"subscriptions": frame, "accounts": accounts}, as_of="2026-01-31")
    assert mrr_movements(snap)["x"].tolist() == [wanted]
    assert customers(snap)["value"].tolist() == [wanted]
    assert customers(snap, count="company")["value"].tolist() == [2]
