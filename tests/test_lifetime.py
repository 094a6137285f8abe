"""Retention curves and lifetime value against following every customer by hand."""

import numpy as np
import pandas as pd
import pytest
from companies import ACCOUNTS, customers_at, lines, snapshot, subscriptions
from hypothesis import Phase, given, settings

from kpi.recurring.lifetime import lifetime_value
from kpi.recurring.tenure import retention_curve
from kpi.stats import fit_sbg, kaplan_meier, restricted_mean
from kpi.tables import TableError

QUICK = (Phase.explicit, Phase.generate)


def times_by_hand(frame, last="2026-06-30"):
    """List each customer's times: (first month, month without or None, last month), with its MRR by month."""
    found, ongoing = [], {}
    ends = pd.date_range(frame["starts_on"].min(), last, freq="ME")
    for month, day in enumerate(ends):
        now = customers_at(frame, day)
        gone = [p for p in ongoing if p not in now]
        found.extend({**ongoing.pop(payer), "end": month} for payer in gone)
        for payer, paid in now.items():
            ongoing.setdefault(payer, {"start": month, "end": None, "paid": []})["paid"].append(
                paid
            )
    return [*found, *ongoing.values()], len(ends) - 1


@settings(derandomize=True, max_examples=8, deadline=None, phases=QUICK)
@given(subscriptions(at_least=2))
def test_the_curve_is_kaplan_meier_of_every_time(drawn):
    """Share still there, at risk, lost, and the revenue chained month by month."""
    times, last = times_by_hand(drawn)
    table = retention_curve(snapshot({"subscriptions": drawn, "accounts": ACCOUNTS}))
    if not times:
        assert table["note"].tolist() == ["no_denominator: no customer to follow"]
        return
    ages = [(t["end"] if t["end"] is not None else last) - t["start"] for t in times]
    curve = kaplan_meier(ages, [t["end"] is not None for t in times])
    share = 1.0
    for age, row in enumerate(table.itertuples()):
        assert row.month == age
        assert row.n == sum(a >= age for a in ages)
        assert row.x == sum(
            a == age and t["end"] is not None for a, t in zip(ages, times, strict=True)
        )
        known = curve.loc[curve.index <= age, "survival"]
        assert row.value == pytest.approx(known.iloc[-1] if len(known) else 1.0)
        seen = [t["paid"] for t, a in zip(times, ages, strict=True) if a >= age]
        if age:
            before = sum(paid[age - 1] for paid in seen)
            share *= sum(paid[age] for paid in seen if len(paid) > age) / before
        assert row.revenue == pytest.approx(share, abs=1e-6)
    assert len(table) == max(ages) + 1


MANY = lines(
    *[(f"a{i}", 100 + i, "2025-01-10", "2025-04-10" if i < 5 else None) for i in range(40)]
)


def test_limits_of_the_curve():
    """None at the beginning, Jeffreys while all are there, log-log afterwards."""
    table = retention_curve(snapshot({"subscriptions": MANY}))
    assert table["low"].isna().tolist()[:2] == [True, False]
    assert (table["low"][1], table["high"][1]) == (pytest.approx(0.9395, abs=1e-3), 1.0)
    after = table.iloc[5]
    assert after["low"] < after["value"] == 0.875 < after["high"] < 1
    narrow = retention_curve(snapshot({"subscriptions": MANY}), level=0.5).iloc[5]
    assert narrow["low"] > after["low"]


def test_one_curve_a_cohort():
    """By quarter of the fiscal year in which customers began; each as if alone."""
    early = [(f"a{i}", 50, "2025-01-10", "2025-08-10" if i < 3 else None) for i in range(6)]
    late = [(f"b{i}", 50, "2025-06-10", None) for i in range(4)]
    both = lines(*early, *late)
    table = retention_curve(snapshot({"subscriptions": both}), every="quarter")
    assert table["period"].unique().tolist() == [
        pd.Timestamp("2025-01-01"),
        pd.Timestamp("2025-04-01"),
    ]
    alone = retention_curve(snapshot({"subscriptions": lines(*early)}))
    first = table[table["period"] == "2025-01-01"].drop(columns="period").reset_index(drop=True)
    pd.testing.assert_frame_equal(first, alone)
    fiscal = retention_curve(
        snapshot({"subscriptions": both}, fiscal_year_start=2), every="quarter"
    )
    assert fiscal["period"].unique()[0] == pd.Timestamp("2024-11-01")


def test_customers_of_before_the_window_enter_late():
    """Ten of 2024 known only if still there in 2026: their first years count for nobody."""
    old = [(f"o{i}", 10, "2024-01-10", None if i else "2026-02-10") for i in range(10)]
    new = [(f"n{i}", 10, "2026-01-10", "2026-03-10" if i < 2 else None) for i in range(4)]
    frame = lines(*old, *new)
    whole = retention_curve(snapshot({"subscriptions": frame}))
    table = retention_curve(snapshot({"subscriptions": frame}, window_start="2026-01-01"))
    at = table.set_index("month")
    assert whole["n"][0] == 14
    assert at["n"][0] == 4
    assert at["value"][2] == 0.5
    assert at["n"][24] == 10
    assert at["value"][25] == pytest.approx(0.5 * 0.9)
    assert at["revenue"][25] == pytest.approx(0.5 * 0.9)
    row = lifetime_value(
        snapshot({"subscriptions": frame}, window_start="2026-01-01"), gross_margin=1
    ).iloc[0]
    churn = 3 / (4 + 4 + 2 * 3 + 2 * 10 + 4 * 9)
    monthly = np.full(60, churn)
    monthly[[0, 24]] = 0, 0
    monthly[25] = 0.1
    assert row["months"] == pytest.approx(np.cumprod(1 - monthly).sum())
    assert "57 months with fewer than 10 at risk" in row["note"]


def test_lifetime_value_by_hand():
    """Kaplan-Meier area up to the last month with ten at risk, the average churn from there on."""
    snap = snapshot({"subscriptions": MANY}, as_of="2025-12-31")
    row = lifetime_value(snap, gross_margin=0.4).iloc[0]
    ages = [3] * 5 + [11] * 35
    curve = kaplan_meier(ages, [1] * 5 + [0] * 35)
    churn = 5 / (5 * 3 + 35 * 11)
    beyond = 0.875 * sum((1 - churn) ** t for t in range(1, 60 - 11))
    stays = restricted_mean(curve, 12) + beyond
    arpa = float(np.mean([100 + i for i in range(5, 40)]))
    assert row["months"] == pytest.approx(stays)
    assert row["value"] == pytest.approx(arpa * 0.4 * stays)
    assert (row["x"], row["n"], row["arpa"], row["margin"]) == (5, 40, arpa, 0.4)
    assert row["low"] < row["value"] < row["high"]
    assert "beyond month 11" in row["note"]


def test_a_short_horizon_and_a_discount():
    """Within the data nothing is put forward; later months count less."""
    snap = snapshot({"subscriptions": MANY}, as_of="2025-12-31")
    row = lifetime_value(snap, gross_margin=1, horizon_months=6, discount=0.1).iloc[0]
    alive = np.array([1, 1, 1, 0.875, 0.875, 0.875])
    assert row["months"] == pytest.approx(alive @ 1.1 ** (-np.arange(6) / 12))
    assert row["note"] == ""


def test_by_the_model_of_customers_who_differ():
    """The same as fitting the survivors; for ever needs a discount where lifetimes have no end."""
    left = [75, 32, 17, 9, 6, 3, 2, 2]
    rows = [
        (f"l{month}-{i}", 10, "2025-01-10", f"2025-{month:02d}-10")
        for month, count in enumerate(left, start=2)
        for i in range(count)
    ]
    rows += [(f"s{i}", 10, "2025-01-10", None) for i in range(80)]
    snap = snapshot({"subscriptions": lines(*rows)}, as_of="2025-10-31")
    there = len(rows) - np.cumsum([0, *left, 0])
    fit = fit_sbg(there)
    row = lifetime_value(snap, gross_margin=1, method="sbg").iloc[0]
    assert row["months"] == pytest.approx(fit.lifetime(60), rel=1e-4)
    endless = lifetime_value(snap, gross_margin=1, method="sbg", horizon_months=None, discount=0.1)
    assert endless["months"].item() == pytest.approx(
        fit.lifetime(None, 1.1 ** (1 / 12) - 1), rel=1e-4
    )
    assert endless["low"].item() < endless["value"].item() < endless["high"].item()


def test_nobody_left_is_the_whole_horizon_and_said():
    """The lower limit allows for the churn that could have gone unseen; for ever there is no value."""
    snap = snapshot(
        {"subscriptions": lines(*[(f"a{i}", 100, "2026-01-10", None) for i in range(12)])}
    )
    row = lifetime_value(snap).iloc[0]
    assert (row["value"], row["months"]) == (6000, 60)
    assert row["low"] < 0.5 * row["value"]
    assert row["high"] == row["value"]
    assert "no customer was seen to leave" in row["note"]
    assert "margin not known: taken as 1" in row["note"]
    assert np.isnan(row["simple"])
    endless = lifetime_value(snap, method="sbg", horizon_months=None).iloc[0]
    assert np.isnan(endless["value"])
    assert endless["note"].startswith("not enough data")


def test_the_margin_is_that_of_won_deals():
    """Margin over amount of the deals that tell both; a nonsensical one is not used."""
    deals = pd.DataFrame(
        {
            "deal_id": list("abcd"),
            "outcome": ["won", "won", "won", "lost"],
            "close_date": "2026-02-01",
            "amount": [100, 300, 500, 100],
            "margin": [50, 50, None, 100],
        }
    )
    frames = {"subscriptions": MANY, "deals": deals}
    row = lifetime_value(snapshot(frames)).iloc[0]
    assert row["margin"] == 0.25
    assert "margin of 2 won deals" in row["note"]
    assert lifetime_value(snapshot(frames), gross_margin=0.6)["margin"].item() == 0.6
    wrong = frames | {"deals": deals.assign(margin=[500, 500, None, None])}
    row = lifetime_value(snapshot(wrong)).iloc[0]
    assert row["margin"] == 1
    assert "taken as 1" in row["note"]


def test_at_each_periods_end_as_it_was_seen_then():
    """The last row is that without periods; an earlier one that of a snapshot then."""
    snap = snapshot({"subscriptions": MANY}, as_of="2025-12-31")
    table = lifetime_value(snap, every="quarter", gross_margin=0.5)
    for row, day in ((0, "2025-03-31"), (1, "2025-06-30"), (3, "2025-12-31")):
        then = lifetime_value(snap.at(day), gross_margin=0.5)
        seen = table.iloc[[row]].drop(columns="period").reset_index(drop=True)
        pd.testing.assert_frame_equal(seen, then)


def test_each_group_has_its_own():
    """As if the other were not there."""
    accounts = pd.DataFrame({"account_id": [f"a{i}" for i in range(40)]})
    accounts["region"] = ["north" if i % 2 else "south" for i in range(40)]
    snap = snapshot({"subscriptions": MANY, "accounts": accounts})
    table = lifetime_value(snap, by="region")
    only = MANY[MANY["account_id"].isin(accounts.loc[accounts["region"] == "north", "account_id"])]
    alone = lifetime_value(snapshot({"subscriptions": only}))
    north = table[table["region"] == "north"].drop(columns="region").reset_index(drop=True)
    pd.testing.assert_frame_equal(north, alone)


def test_a_customer_of_the_running_month_pays_but_is_not_followed_yet():
    """It counts in revenue per account; its time begins with the first month end."""
    frame = lines(("a", 100, "2026-01-10", None), ("b", 300, "2026-06-10", None))
    row = lifetime_value(
        snapshot({"subscriptions": frame}, as_of="2026-06-20"), gross_margin=1
    ).iloc[0]
    assert (row["arpa"], row["n"]) == (200, 1)
    assert np.isnan(row["low"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gross_margin": 40}, "gross_margin = 40; expected a share"),
        ({"gross_margin": 0}, "gross_margin = 0; expected a share"),
        ({"method": "guess"}, "method='guess'; expected one of"),
        ({"horizon_months": None}, "use method='sbg'"),
        ({"horizon_months": 0}, "horizon_months = 0; expected 1 or more"),
        ({"discount": -0.1}, "discount = -0.1; expected a rate a year"),
    ],
)
def test_impossible_options_are_refused(options, message):
    """The message says what is expected."""
    with pytest.raises(TableError, match=message):
        lifetime_value(snapshot({"subscriptions": MANY}), **options)
