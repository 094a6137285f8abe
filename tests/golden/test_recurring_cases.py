"""Published cases of recurring revenue and churn; figures retyped, each with its source."""

import pandas as pd
import pytest
from companies import lines, snapshot

from kpi import customer_churn, mrr_movements


def test_v01_movements_behind_gross_and_net_churn():
    """Start 100, churn 10, contraction 10, expansion 10: 20 % gross, 10 % net (ChartMogul)."""
    frame = lines(
        ("gone", 10, "2026-01-01", "2026-02-01"),
        ("smaller", 30, "2026-01-01", "2026-02-01"),
        ("smaller", 20, "2026-02-01", None),
        ("larger", 60, "2026-01-01", None),
        ("larger", 10, "2026-02-05", None),
    )
    month = mrr_movements(snapshot({"subscriptions": frame}, as_of="2026-02-28")).iloc[1]
    moves = month[["start", "new", "expansion", "contraction", "churn", "reactivation", "end"]]
    assert moves.tolist() == [100, 0, 10, 10, 10, 0, 90]
    lost = month["churn"] + month["contraction"]
    assert lost / month["start"] == pytest.approx(0.2, abs=1e-9)
    gained = month["expansion"] + month["reactivation"]
    assert (lost - gained) / month["start"] == pytest.approx(0.1, abs=1e-9)
    assert 1 - lost / month["start"] == pytest.approx(0.8, abs=1e-9)
    assert month["end"] / month["start"] == pytest.approx(0.9, abs=1e-9)


def test_v02_joiners_of_the_month_are_in_neither_count():
    """100 customers, 11 cancelled of whom 1 joined that month: 10 %, not 11 % (ChartMogul)."""
    old = [(f"a{i}", 50, "2026-01-01", "2026-02-14" if i < 10 else None) for i in range(100)]
    joiner = ("new", 50, "2026-02-03", "2026-02-20")
    snap = snapshot({"subscriptions": lines(*old, joiner)}, as_of="2026-02-28")
    churn = customer_churn(snap, every="month").iloc[1]
    assert churn["value"] == pytest.approx(0.1, abs=1e-9)
    assert (churn["x"], churn["n"]) == (10, 100)
    assert abs(churn["value"] - 0.11) > 0.005


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


@pytest.mark.parametrize(("payers", "customers"), [(["A", "A"], 1), (["A", "B"], 2)])
def test_s11_a_customer_is_who_pays(payers, customers):
    """Amazon USA and Amazon Australia: one invoice is one customer, two are two (Tracking Success)."""
    names = ["Amazon USA", "Amazon Australia"]
    accounts = pd.DataFrame({"account_id": ["u", "o"], "name": names, "billing_account_id": payers})
    frame = lines(("u", 10, "2026-01-01", None), ("o", 10, "2026-01-01", None))
    snap = snapshot({"subscriptions": frame, "accounts": accounts}, as_of="2026-01-31")
    assert mrr_movements(snap)["x"].tolist() == [customers]
