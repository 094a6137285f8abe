"""Retention and upsell against following every customer of the start by hand."""

import numpy as np
import pandas as pd
import pytest
from companies import ACCOUNTS, customers_at, lines, snapshot, subscriptions
from hypothesis import Phase, given, settings

from kpi.recurring.retention import gross_retention, net_retention, upsell_rate
from kpi.recurring.revenue_churn import gross_mrr_churn
from kpi.stats.ratio import ratio_limits

QUICK = (Phase.explicit, Phase.generate)


def paid_by_month(frame, last="2026-06-30"):
    """What each customer pays at every month end."""
    ends = pd.date_range(frame["starts_on"].min(), last, freq="ME")
    return [customers_at(frame, day) for day in ends]


def stayed(paid, payer, before, last):
    """Whether a customer paid at every month end from one to another."""
    return all(payer in paid[month] for month in range(before, last + 1))


@settings(derandomize=True, max_examples=8, deadline=None, phases=QUICK)
@given(subscriptions(at_least=1))
def test_retention_follows_the_customers_of_the_start(drawn):
    """Twelve months, customer by customer; who left in between and came back only if asked for."""
    paid = paid_by_month(drawn)
    last, before = len(paid) - 1, max(len(paid) - 13, 0)
    snap = snapshot({"subscriptions": drawn, "accounts": ACCOUNTS})
    gross, net = gross_retention(snap).iloc[0], net_retention(snap).iloc[0]
    again, upsell = net_retention(snap, reactivation=True).iloc[0], upsell_rate(snap).iloc[0]
    start = paid[before]
    if not start:
        assert np.isnan([row["value"] for row in (gross, net, again, upsell)]).all()
        return
    kept = {p: paid[last][p] for p in start if stayed(paid, p, before, last)}
    total = sum(start.values())
    assert gross["value"] == pytest.approx(sum(min(start[p], kept[p]) for p in kept) / total)
    assert net["value"] == pytest.approx(sum(kept.values()) / total)
    assert again["value"] == pytest.approx(sum(paid[last].get(p, 0) for p in start) / total)
    assert (gross["x"], gross["n"]) == (net["x"], net["n"]) == (len(kept), len(start))
    rises = [
        p
        for p in start
        if any(
            0 < paid[m - 1].get(p, 0) < paid[m].get(p, 0) - 0.005
            for m in range(before + 1, last + 1)
        )
    ]
    assert (upsell["x"], upsell["n"]) == (len(rises), len(start))


YEAR = lines(
    ("a", 100, "2025-01-01", None),
    ("b", 80, "2025-01-01", "2025-09-10"),
    ("b", 50, "2026-02-10", None),
    ("c", 60, "2025-01-01", "2026-01-10"),
    ("c", 20, "2026-01-10", None),
    ("d", 40, "2025-01-01", None),
    ("d", 30, "2025-11-10", None),
    ("new", 500, "2026-01-10", None),
)


def test_a_year_in_parts():
    """Kept, smaller, gone and back, larger, new: the identity holds and the new one counts nowhere."""
    snap = snapshot({"subscriptions": YEAR})
    row = net_retention(snap).iloc[0]
    assert row[["start", "contraction", "churn", "expansion"]].tolist() == [280, 40, 80, 30]
    assert row["value"] == (280 + 30 - 40 - 80) / 280
    assert gross_retention(snap)["value"].item() == (280 - 40 - 80) / 280
    assert net_retention(snap, reactivation=True)["value"].item() == (280 + 30 - 40 - 30) / 280
    assert row["low"] < row["value"] < row["high"]
    narrow = net_retention(snap, level=0.5).iloc[0]
    assert row["low"] < narrow["low"]


def test_over_one_month_gross_retention_and_churn_are_complements():
    """Every month of a year of moves."""
    snap = snapshot({"subscriptions": YEAR})
    kept, lost = gross_retention(snap, every="month"), gross_mrr_churn(snap, every="month")
    pd.testing.assert_series_equal(kept["value"], 1 - lost["value"])
    assert kept["value"].isna().tolist() == [True] + [False] * 17


def test_periods_of_the_fiscal_year():
    """The year begins in July: the running one has twelve months by June."""
    table = net_retention(snapshot({"subscriptions": YEAR}, fiscal_year_start=7), every="year")
    assert table["period"].tolist() == [pd.Timestamp("2024-07-01"), pd.Timestamp("2025-07-01")]
    assert table["note"].tolist()[0].startswith("no_denominator")
    assert (
        table["value"].iloc[1] == net_retention(snapshot({"subscriptions": YEAR}))["value"].item()
    )


def test_groups_are_told_apart():
    """By region; each as if alone."""
    accounts = pd.DataFrame(
        {"account_id": list("abcd"), "region": ["north", "south", "north", None]}
    )
    snap = snapshot({"subscriptions": YEAR, "accounts": accounts})
    table = gross_retention(snap, by="region")
    assert table["region"].isna().tolist() == [False, False, True]
    assert table["value"].tolist() == [120 / 160, 0.0, 1.0]
    assert upsell_rate(snap, by="region")["x"].tolist() == [0, 0, 1]


def test_upsell_by_product_counts_what_was_sold_to_customers_of_the_start():
    """A product added is a sale of that product, out of all customers; a new customer's is none."""
    frame = lines(
        ("a", 100, "2025-01-01", None),
        ("b", 80, "2025-01-01", None),
        ("a", 20, "2026-02-10", None),
        ("b", 10, "2026-03-10", None),
        ("new", 20, "2026-03-10", None),
    ).assign(product=["care", "care", "backup", "care", "backup"])
    table = upsell_rate(snapshot({"subscriptions": frame}), by="product").set_index("product")
    assert table["x"].to_dict() == {"backup": 1, "care": 1}
    assert table["n"].to_dict() == {"backup": 2, "care": 2}
    assert table["added"].to_dict() == {"backup": 20, "care": 10}


def test_less_than_a_year_of_data_is_said():
    """The share is that of the months there are."""
    frame = lines(("a", 10, "2026-01-01", None), ("b", 10, "2026-01-01", "2026-03-01"))
    row = gross_retention(snapshot({"subscriptions": frame})).iloc[0]
    assert row["value"] == 0.5
    assert "5 months only" in row["note"]
    assert "low_n: 2 only" in row["note"]
    assert np.isnan(row["low"])


def test_all_kept_and_all_lost_have_limits_of_a_share():
    """Twenty alike: Jeffreys of 20 out of 20, and of none."""
    kept = lines(*[(f"a{i}", 10, "2025-01-01", None) for i in range(20)])
    row = gross_retention(snapshot({"subscriptions": kept})).iloc[0]
    assert (row["value"], row["high"]) == (1.0, 1.0)
    assert row["low"] == pytest.approx(0.8834, abs=1e-3)
    gone = gross_retention(snapshot({"subscriptions": kept.assign(ends_on="2026-01-01")})).iloc[0]
    assert (gone["value"], gone["low"], gone["x"]) == (0.0, 0.0, 0)
    assert gone["high"] == pytest.approx(0.1166, abs=1e-3)
    net = net_retention(snapshot({"subscriptions": kept})).iloc[0]
    assert net["value"] == 1.0
    assert np.isnan([net["low"], net["high"]]).all()


def test_limits_do_not_depend_on_the_order_and_hold_the_ratio():
    """The same records in any order; few and very many."""
    random = np.random.default_rng(3)
    for n in (12, 1500):
        start = random.lognormal(7, 1, n)
        kept = start * (random.random(n) > 0.1)
        low, high = ratio_limits(kept, start)
        assert (low, high) == ratio_limits(kept[::-1], start[::-1])
        assert 0.5 < low < kept.sum() / start.sum() < high <= 1.0


def test_limits_hold_the_truth_about_as_often_as_they_say():
    """A tenth of customers of very different size lost: nine times in ten or so of 95 %."""
    random = np.random.default_rng(11)
    held = 0
    for _ in range(200):
        start = random.lognormal(7, 0.8, 150)
        lost = start * (random.random(150) < 0.1)
        low, high = ratio_limits(lost, start, share=True, draws=400)
        held += low <= 0.1 <= high
    assert 0.88 <= held / 200 <= 0.99


@pytest.mark.parametrize(
    ("kept", "start", "missing"),
    [([1.0, 2.0], [1.0, 2.0], True), ([0.0] * 4, [0.0] * 4, True), ([2.0] * 4, [1.0] * 4, True)],
    ids=["two records", "nothing at the start", "all alike, no share"],
)
def test_no_limits_where_none_can_be_told(kept, start, missing):
    """Missing, never made up."""
    assert np.isnan(ratio_limits(kept, start)).all() == missing


def test_a_missing_number_has_no_limits():
    """Neither has an impossible level."""
    with pytest.raises(ValueError, match="must not be missing"):
        ratio_limits([1.0, float("nan"), 2.0], [1.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="level"):
        ratio_limits([1.0, 1.0, 2.0], [1.0, 1.0, 2.0], 95)
