"""Recurring revenue against plain Python, customer by customer and month by month."""

import numpy as np
import pandas as pd
import pytest
from companies import ACCOUNTS, customers_at, lines, snapshot, subscriptions
from hypothesis import Phase, given, settings

from kpi.catalogue import KPIS
from kpi.recurring.committed import committed_mrr
from kpi.recurring.movements import mrr_movements
from kpi.recurring.revenue_churn import gross_mrr_churn, net_mrr_churn, quick_ratio
from kpi.recurring.run_rate import arr_run_rate, minimum_mrr, mrr
from kpi.tables import TableError

MOVES = ["new", "expansion", "contraction", "churn", "reactivation"]
QUICK = (Phase.explicit, Phase.generate)


def by_hand(lines, last="2026-06-30"):
    """Moves of every month, told customer by customer."""
    rows, before, ever = [], {}, set()
    for day in pd.date_range(lines["starts_on"].min(), last, freq="ME"):
        now = customers_at(lines, day)
        row = dict.fromkeys(MOVES, 0.0)
        for payer in {*before, *now}:
            change = now.get(payer, 0) - before.get(payer, 0)
            if payer not in before:
                row["reactivation" if payer in ever else "new"] += change
            elif payer not in now:
                row["churn"] -= change
            elif abs(change) > 0.005:
                row["expansion" if change > 0 else "contraction"] += abs(change)
        rows.append(
            row
            | {
                "start": sum(before.values()),
                "end": sum(now.values()),
                "x": len(now),
                "n": len(before),
            }
        )
        ever |= set(now)
        before = now
    return pd.DataFrame(rows)


def agrees_with_hand(lines):
    """Compare every column, and the identity."""
    table = mrr_movements(snapshot({"subscriptions": lines, "accounts": ACCOUNTS}))
    hand = by_hand(lines)
    assert len(table) == len(hand)
    columns = [*MOVES, "start", "end", "x", "n"]
    pd.testing.assert_frame_equal(
        table[columns], hand[columns], check_dtype=False, rtol=0, atol=1e-6
    )
    gained = table["start"] + table["new"] + table["expansion"] + table["reactivation"]
    assert (gained - table["contraction"] - table["churn"]).tolist() == pytest.approx(
        table["end"].tolist(), abs=1e-6
    )
    assert table["start"].tolist()[1:] == table["end"].tolist()[:-1]
    assert table["net"].tolist() == pytest.approx(
        (table["end"] - table["start"]).tolist(), abs=1e-6
    )


@settings(derandomize=True, max_examples=8, deadline=None, phases=QUICK)
@given(subscriptions(at_least=1))
def test_the_moves_are_those_of_plain_counting(lines):
    """And start + new + expansion + reactivation - contraction - churn = end."""
    agrees_with_hand(lines)


@pytest.mark.campaign
@settings(derandomize=True, max_examples=300, deadline=None)
@given(subscriptions(at_least=1))
def test_the_moves_of_many_more_companies(lines):
    """The long form of the test above."""
    agrees_with_hand(lines)


SEASON = lines(
    ("a", 100, "2025-11-15", "2026-01-31"),
    ("a", 120, "2026-03-01", None),
    ("b", 50, "2026-02-10", None),
)


def test_quarters_sum_their_months():
    """Start is the first month's, end the last month's; customers at those moments."""
    snap = snapshot({"subscriptions": SEASON}, as_of="2026-05-31")
    quarter = mrr_movements(snap, every="quarter").iloc[1]
    moves = quarter[["start", "new", "churn", "reactivation", "end", "n", "x"]].tolist()
    assert moves == [100, 50, 100, 120, 170, 1, 2]
    assert mrr_movements(snap, every="quarter")["note"].tolist() == ["", "", "to date"]


def test_a_month_that_has_not_ended_is_not_shown():
    """On 30 May the last month is April."""
    table = mrr_movements(snapshot({"subscriptions": SEASON}, as_of="2026-05-30"))
    assert table["period"].iloc[-1] == pd.Timestamp("2026-04-01")


def test_a_line_signed_but_not_live_is_not_revenue():
    """It starts after the as-of date."""
    ahead = lines(("a", 10, "2026-01-01", None), ("b", 99, "2026-09-01", None))
    ahead["signed_on"] = "2026-01-01"
    table = mrr_movements(snapshot({"subscriptions": ahead}))
    assert table["end"].iloc[-1] == 10


def test_groups_add_up_to_the_whole():
    """By region, and those without one."""
    accounts = pd.DataFrame({"account_id": ["a", "b"], "region": ["north", None]})
    snap = snapshot({"subscriptions": SEASON, "accounts": accounts}, as_of="2026-05-31")
    whole, parts = mrr_movements(snap), mrr_movements(snap, by="region")
    summed = parts.groupby("period")[[*MOVES, "start", "end"]].sum()
    assert summed["end"].tolist() == whole["end"].tolist()
    assert summed["new"].tolist() == whole["new"].tolist()
    assert parts["region"].isna().any()


def test_a_moving_exchange_rate_is_no_expansion():
    """A line keeps the rate of its first day."""
    euros = lines(("a", 100, "2026-01-01", None)).assign(currency="EUR")
    rates = pd.DataFrame(
        {"currency": "EUR", "from_date": ["2026-01-01", "2026-03-01"], "rate": [1.1, 1.3]}
    )
    table = mrr_movements(snapshot({"subscriptions": euros, "rates": rates}))
    assert table["end"].tolist() == pytest.approx([110.0] * 6)
    assert table["expansion"].sum() == 0


@settings(derandomize=True, max_examples=6, deadline=None, phases=QUICK)
@given(subscriptions(at_least=1))
def test_ratios_of_the_moves(drawn):
    """Churn of money and the quick ratio, every quarter, from the moves of every month."""
    snap = snapshot({"subscriptions": drawn, "accounts": ACCOUNTS})
    moves = mrr_movements(snap, every="quarter")
    lost = moves["contraction"] + moves["churn"]
    start = moves["start"].where(moves["start"] > 0)
    gross, net = gross_mrr_churn(snap, every="quarter"), net_mrr_churn(snap, every="quarter")
    assert gross["value"].tolist() == pytest.approx((lost / start).tolist(), nan_ok=True)
    back = moves["expansion"] + moves["reactivation"]
    assert net["value"].tolist() == pytest.approx(((lost - back) / start).tolist(), nan_ok=True)
    assert gross["n"].tolist() == net["n"].tolist() == moves["n"].tolist()
    some = lost.where(lost > 0)
    quick = quick_ratio(snap, every="quarter")["value"].tolist()
    assert quick == pytest.approx(
        ((moves["new"] + moves["expansion"]) / some).tolist(), nan_ok=True
    )
    again = quick_ratio(snap, every="quarter", reactivation=True)["value"].tolist()
    assert again == pytest.approx(((moves["new"] + back) / some).tolist(), nan_ok=True)


@settings(derandomize=True, max_examples=6, deadline=None, phases=QUICK)
@given(subscriptions(at_least=1))
def test_stocks_are_what_customers_pay_on_the_day(drawn):
    """At each month's end and, in a running month, at the as-of date."""
    snap = snapshot({"subscriptions": drawn, "accounts": ACCOUNTS}, as_of="2026-06-20")
    days = pd.date_range(drawn["starts_on"].min(), "2026-06-30", freq="ME")
    days = [min(day, pd.Timestamp("2026-06-20")) for day in days]
    there = [sorted(customers_at(drawn, day).values(), reverse=True) for day in days]
    table = mrr(snap, every="month")
    assert table["value"].tolist() == pytest.approx([sum(paid) for paid in there])
    assert table["n"].tolist() == [len(paid) for paid in there]
    shares = [sum(paid[:2]) / sum(paid) if paid else None for paid in there]
    assert table["top5"].notna().tolist() == [bool(paid) for paid in there]
    largest = [paid[0] / sum(paid) if paid else None for paid in there]
    assert table["largest"].dropna().tolist() == pytest.approx(
        [s for s in largest if s is not None]
    )
    assert all(table["top5"].dropna() >= np.array([s for s in shares if s is not None]) - 1e-9)
    least = minimum_mrr(snap, every="month", threshold=50.0)
    assert least["value"].dropna().tolist() == pytest.approx([paid[-1] for paid in there if paid])
    assert least["x"].tolist() == [sum(p < 50 for p in paid) for paid in there]
    assert mrr(snap)["value"].item() == pytest.approx(sum(there[-1]))
    assert table["note"].tolist() == [""] * (len(days) - 1) + ["to date"]
    yearly = arr_run_rate(snap, every="month")["value"].tolist()
    assert yearly == pytest.approx([12 * sum(paid) for paid in there])


SEVEN = lines(*[(f"a{i}", 10.0 * (i + 1), "2025-06-01", None) for i in range(7)])


def test_concentration_and_growth():
    """Five largest of seven; against a year before, against the quarter before."""
    frame = pd.concat(
        [SEVEN, lines(("a6", 30.0, "2026-05-10", None)).assign(subscription_id="more")]
    )
    row = mrr(snapshot({"subscriptions": frame})).iloc[0]
    assert (row["value"], row["arpa"]) == (310, pytest.approx(310 / 7))
    assert row["top5"] == pytest.approx((100 + 60 + 50 + 40 + 30) / 310)
    assert row["largest"] == pytest.approx(100 / 310)
    assert row["growth"] == pytest.approx(30 / 280)
    quarters = mrr(snapshot({"subscriptions": frame}), every="quarter")["growth"]
    assert quarters.isna().tolist() == [True] + [False] * 4
    assert quarters.tolist()[1:] == pytest.approx([0, 0, 0, 30 / 280])


def test_the_fiscal_year_cuts_the_periods():
    """A year that begins in April: June is in its first quarter, which has ended on 30 June."""
    table = mrr(snapshot({"subscriptions": SEVEN}, fiscal_year_start=4), every="year")
    assert table["period"].tolist() == [pd.Timestamp("2025-04-01"), pd.Timestamp("2026-04-01")]
    assert table["note"].tolist() == ["", "to date"]
    quarter = mrr(snapshot({"subscriptions": SEVEN}, fiscal_year_start=4), every="quarter")
    assert quarter["note"].iloc[-1] == ""


def test_by_product_a_customer_counts_in_each():
    """Their sums are the whole; a line without a product is a group of its own."""
    frame = SEVEN.assign(product=["a", "a", "b", "b", "c", "c", None])
    table = mrr(snapshot({"subscriptions": frame}), by="product")
    assert table["value"].tolist() == [30, 70, 110, 70]
    assert table["product"].isna().tolist() == [False, False, False, True]
    moves = mrr_movements(snapshot({"subscriptions": frame}), by="product")
    assert moves.groupby("product", dropna=False)["new"].sum().tolist() == [30, 70, 110, 70]


COMMITTED = lines(
    ("stays", 100, "2025-01-01", None),
    ("going", 50, "2025-01-01", "2026-08-01"),
    ("later", 40, "2025-01-01", "2027-01-01"),
    ("quiet", 30, "2025-01-01", "2026-08-01"),
    ("renewed", 20, "2025-01-01", "2026-08-01"),
    ("renewed", 25, "2026-08-01", None),
    ("coming", 10, "2026-09-01", None),
    ("far", 5, "2027-02-01", None),
).assign(
    signed_on=[*["2024-12-01"] * 5, "2026-06-10", "2026-06-10", "2026-06-10"],
    notice_on=[None, "2026-06-01", "2026-06-01", None, None, None, None, None],
)


@pytest.mark.parametrize(
    ("horizon", "parts"),
    [
        pytest.param(90, [240, 35, 50, 20, 205], id="ninety days"),
        pytest.param(None, [240, 40, 90, 20, 170], id="without a horizon"),
        pytest.param(20, [240, 0, 0, 0, 240], id="twenty days"),
    ],
)
def test_what_is_committed(horizon, parts):
    """Signed, under notice, renewed by a signed line; an end that may renew is none of them."""
    snap = snapshot({"subscriptions": COMMITTED})
    row = committed_mrr(snap, horizon_days=horizon).iloc[0]
    assert row[["mrr", "signed", "notified", "replaced", "value"]].tolist() == parts
    assert row["n"] == 5


def test_what_was_committed_earlier_is_what_was_known_then():
    """Before the signatures and notices of June there is nothing to add or take off."""
    table = committed_mrr(snapshot({"subscriptions": COMMITTED}), every="quarter")
    march = table[table["period"] == "2026-01-01"].iloc[0]
    assert march[["mrr", "signed", "notified", "replaced", "value"]].tolist() == [240, 0, 0, 0, 240]


def test_a_contracted_run_rate_counts_from_signature():
    """Twelve times what is live, or what is signed."""
    snap = snapshot({"subscriptions": COMMITTED})
    assert arr_run_rate(snap)["value"].item() == 12 * 240
    assert arr_run_rate(snap, contracted=True)["value"].item() == 12 * 280


def test_the_twelve_months_of_movements_in_one_row():
    """Without periods: the identity over the last twelve months that had ended."""
    row = mrr_movements(snapshot({"subscriptions": SEASON}, as_of="2026-05-31"), every=None).iloc[0]
    assert (row["start"], row["end"], row["n"], row["x"]) == (100, 170, 1, 2)
    assert row["note"] == "since the first month"
    assert "period" not in row.index


def test_nobody_pays_any_more():
    """MRR is 0, known exactly; there is no least of nobody, and no share of nothing."""
    gone = lines(("a", 10, "2025-01-01", "2026-03-01"))
    snap = snapshot({"subscriptions": gone})
    row = mrr(snap).iloc[0]
    assert (row["value"], row["n"], row["growth"]) == (0, 0, -1)
    assert row[["arpa", "largest", "top5"]].isna().all()
    least = minimum_mrr(snap).iloc[0]
    assert np.isnan(least["value"])
    assert least["note"] == "no_denominator: nobody pays"


@pytest.mark.parametrize(
    ("kpi", "options", "message"),
    [
        (committed_mrr, {"horizon_days": 0}, "horizon_days = 0; expected days above 0"),
        (minimum_mrr, {"threshold": 0}, "threshold = 0; expected an amount a month above 0"),
        (mrr, {"by": ["product", "region"]}, "by='product': accounts has no such column"),
    ],
)
def test_impossible_options_are_refused(kpi, options, message):
    """The message says what is expected."""
    with pytest.raises(TableError, match=message):
        kpi(snapshot({"subscriptions": SEVEN}), **options)


@pytest.mark.parametrize(
    "kpi", [mrr, arr_run_rate, committed_mrr, minimum_mrr, mrr_movements, quick_ratio]
)
def test_an_impossible_level_is_refused(kpi):
    """Also where nothing is estimated: 95 instead of 0.95 is the usual slip."""
    with pytest.raises(ValueError, match="level"):
        kpi(snapshot({"subscriptions": SEVEN}), level=95)


RECURRING = ("mrr", "mrr_movements", "customers", "customer_churn", "minimum_mrr", "committed_mrr")
RECURRING += ("gross_retention", "net_retention", "upsell_rate", "retention_curve", "quick_ratio")


def test_a_line_that_ended_before_it_began_makes_nobody_a_customer():
    """Taken back before it began: every number of customers is as without it."""
    real = lines(("a0", 100.0, "2025-03-01", None), ("a2", 40.0, "2025-05-01", "2026-01-10"))
    back = lines(("a9", 70.0, "2025-09-01", "2025-08-20"), ("a9", 30.0, "2025-10-01", "2025-10-01"))
    back["subscription_id"] = ["back", "same day"]
    both = pd.concat([real, back], ignore_index=True)
    told = [snapshot({"subscriptions": frame, "accounts": ACCOUNTS}) for frame in (real, both)]
    for name in RECURRING:
        without, beside = (KPIS[name](snap) for snap in told)
        pd.testing.assert_frame_equal(without, beside, obj=name)
