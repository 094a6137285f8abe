"""MRR movements against plain Python, customer by customer and month by month."""

import pandas as pd
import pytest
from companies import ACCOUNTS, customers_at, lines, snapshot, subscriptions
from hypothesis import Phase, given, settings

from kpi import mrr_movements

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
