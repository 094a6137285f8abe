"""Customers kept and lost, against plain sets of payers."""

import numpy as np
import pandas as pd
import pytest
from companies import ACCOUNTS, customers_at, lines, snapshot, subscriptions
from hypothesis import Phase, given, settings

from kpi import customer_churn

QUICK = (Phase.explicit, Phase.generate)


@settings(derandomize=True, max_examples=6, deadline=None, phases=QUICK)
@given(subscriptions(at_least=1))
def test_churn_is_who_was_there_before_and_is_gone(drawn):
    """Every month, and over the last twelve, with sets of payers."""
    snap = snapshot({"subscriptions": drawn, "accounts": ACCOUNTS})
    ends = pd.date_range(drawn["starts_on"].min(), "2026-06-30", freq="ME")
    there = [set(customers_at(drawn, day)) for day in ends]
    table = customer_churn(snap, every="month")
    before = [set(), *there[:-1]]
    assert table["n"].tolist() == [len(b) for b in before]
    assert table["x"].tolist() == [len(b - t) for b, t in zip(before, there, strict=True)]
    year = customer_churn(snap).iloc[0]
    start = there[max(len(there) - 13, 0)]
    assert (year["x"], year["n"]) == (len(start - there[-1]), len(start))
    assert (table["value"].isna() == (table["n"] == 0)).all()


def test_one_line_of_several_cancelled_is_no_lost_customer():
    """Nor is a company whose payer still pays for another."""
    frame = lines(
        ("a0", 10, "2025-01-01", "2026-02-01"),
        ("a1", 10, "2025-01-01", None),
        ("a2", 10, "2025-01-01", "2026-02-01"),
        ("a2", 10, "2025-01-01", None),
    )
    row = customer_churn(snapshot({"subscriptions": frame, "accounts": ACCOUNTS})).iloc[0]
    assert (row["x"], row["n"], row["value"]) == (0, 2, 0.0)


def test_less_than_a_year_of_data_is_said():
    """The rate is that of the months there are."""
    frame = lines(("a", 10, "2026-01-01", None), ("b", 10, "2026-01-01", "2026-03-01"))
    row = customer_churn(snapshot({"subscriptions": frame})).iloc[0]
    assert row["value"] == 0.5
    assert "5 months only" in row["note"]
    assert row["monthly"] == pytest.approx(1 - 0.5 ** (1 / 5))


def test_everybody_lost_and_nobody_there():
    """All gone is 1; a first month has nobody to lose and says so."""
    gone = lines(("a", 10, "2025-01-01", "2026-03-01"))
    snap = snapshot({"subscriptions": gone})
    assert customer_churn(snap)["value"].iloc[0] == 1.0
    first = customer_churn(snap, every="month").iloc[0]
    assert np.isnan(first["value"])
    assert first["note"].startswith("no_denominator")
