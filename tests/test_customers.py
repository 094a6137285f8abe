"""Customers kept and lost, against plain sets of payers."""

import numpy as np
import pandas as pd
import pytest
from companies import ACCOUNTS, customers_at, lines, snapshot, subscriptions
from hypothesis import Phase, given, settings

from kpi.recurring.customers import customer_churn, customers
from kpi.tables import TableError

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


@settings(derandomize=True, max_examples=6, deadline=None, phases=QUICK)
@given(subscriptions(at_least=1))
def test_daily_churn_sums_the_share_lost_each_day(drawn):
    """Every day of the last twelve months, with sets of payers; joiners who left counted apart."""
    snap = snapshot({"subscriptions": drawn, "accounts": ACCOUNTS})
    ends = pd.date_range(drawn["starts_on"].min(), "2026-06-30", freq="ME")
    begin = ends[max(len(ends) - 13, 0)]
    start, end = set(customers_at(drawn, begin)), set(customers_at(drawn, ends[-1]))
    before, lost, rate, ever = start, 0, 0.0, set(start)
    for day in pd.date_range(begin + pd.Timedelta(days=1), ends[-1]):
        now = set(customers_at(drawn, day))
        lost += len(before - now)
        rate += len(before - now) / len(before) if before else 0
        ever |= now
        before = now
    daily = customer_churn(snap, basis="daily").iloc[0]
    assert (daily["x"], daily["n"]) == (lost, len(start))
    assert np.isnan(daily["value"]) if not start else daily["value"] == pytest.approx(rate)
    joiners = customer_churn(snap, basis="joiners").iloc[0]
    assert (joiners["x"], joiners["n"]) == (len(ever - end), len(start))
    assert np.isnan([daily["low"], joiners["high"]]).all()


@settings(derandomize=True, max_examples=6, deadline=None, phases=QUICK)
@given(subscriptions(at_least=1))
def test_customers_are_payers_or_companies(drawn):
    """At each month's end, with sets."""
    snap = snapshot({"subscriptions": drawn, "accounts": ACCOUNTS})
    ends = pd.date_range(drawn["starts_on"].min(), "2026-06-30", freq="ME")
    table = customers(snap, every="month")
    assert table["value"].tolist() == [len(customers_at(drawn, day)) for day in ends]
    paid = drawn[drawn["mrr"] > 0]
    live = [paid[(paid["starts_on"] <= d) & ~(paid["ends_on"] <= d)] for d in ends]
    companies = customers(snap, every="month", count="company")
    assert companies["value"].tolist() == [lines["account_id"].nunique() for lines in live]
    assert table["lines"].tolist() == [len(lines) for lines in live]


def test_more_lost_than_there_were():
    """Joiners may outnumber the customers of the start: no monthly rate compounds to that."""
    frame = lines(
        ("a", 10, "2026-01-01", "2026-03-01"),
        ("b", 10, "2026-02-05", "2026-03-01"),
        ("c", 10, "2026-02-05", "2026-03-01"),
    )
    row = customer_churn(snapshot({"subscriptions": frame}), basis="joiners").iloc[0]
    assert (row["value"], row["x"], row["n"]) == (3.0, 3, 1)
    assert np.isnan(row["monthly"])


@pytest.mark.parametrize(
    ("kpi", "options", "message"),
    [
        (customer_churn, {"basis": "end"}, "basis='end'; expected 'start', 'joiners' or 'daily'"),
        (customers, {"count": "site"}, "count='site'; expected 'payer' or 'company'"),
    ],
)
def test_an_unknown_way_of_counting_is_refused(kpi, options, message):
    """With those there are."""
    with pytest.raises(TableError, match=message):
        kpi(snapshot({"subscriptions": lines(("a", 10, "2026-01-01", None))}), **options)


def test_a_fiscal_year_and_groups():
    """By region within a year that begins in July; the payer decides, wherever its companies are."""
    accounts = pd.DataFrame({"account_id": ["a", "b"], "region": ["north", "south"]})
    frame = lines(("a", 10, "2024-01-01", "2026-02-01"), ("b", 10, "2024-01-01", None))
    snap = snapshot({"subscriptions": frame, "accounts": accounts}, fiscal_year_start=7)
    table = customer_churn(snap, by="region", every="year")
    assert table["period"].dt.year.tolist() == [2023, 2024, 2025] * 2
    assert table["x"].tolist() == [0, 0, 1, 0, 0, 0]
