"""Payback and lifetime value over acquisition cost: parts, bands, limits, and what is missing."""

import numpy as np
import pandas as pd
import pytest
from companies import lines, outcomes, snapshot

from kpi import TableError
from kpi.acquisition.cost import cac
from kpi.acquisition.payback import cac_payback
from kpi.acquisition.unit_economics import clv_to_cac
from kpi.recurring.lifetime import lifetime_value

COSTS = pd.DataFrame({"month": [f"2026-{m:02}-01" for m in range(1, 7)], "amount": 2000.0})
SOLD = pd.DataFrame(
    {
        "deal_id": list("abcde"),
        "outcome": "won",
        "account_id": ["A", "B", "C", "D", "A"],
        "segment": ["S", "S", "L", "L", "S"],
        "created_at": "2026-01-02",
        "close_date": ["2026-02-10", "2026-03-10", "2026-04-10", "2026-06-10", "2026-06-20"],
        "mrr": [400, 500, 600, None, 9000],
        "amount": [4800, 6000, 7200, 100, 108_000],
        "margin": [2400, 3000, 4200, None, 108_000],
    }
)
LINES = lines(
    *(
        (name, 500, f"2026-{month:02}-25", None)
        for name, month in zip("ABCD", (2, 3, 4, 6), strict=True)
    ),
    ("E", 500, "2024-01-10", None),
)


def one(table):
    """Return the only row."""
    assert len(table) == 1
    return table.iloc[0]


def test_payback_is_cac_over_what_a_new_customer_leaves_a_month():
    """The second deal of A is no new customer's; D states no MRR and only its customer counts."""
    row = one(cac_payback(snapshot({"deals": SOLD, "costs": COSTS})))
    margin = (2400 + 3000 + 4200) / (4800 + 6000 + 7200)
    assert row[["cac", "arpa", "x", "n"]].tolist() == [3000.0, 500.0, 3, 4]
    assert row["gross_margin"] == pytest.approx(margin)
    assert row["value"] == pytest.approx(3000 / (500 * margin))
    assert row["low"] < row["value"] < row["high"]
    assert "1 of 4 new customers without MRR" in row["note"]


def test_payback_by_group_holds_revenue_against_the_companys_cost():
    """CAC is one, ARPA the group's."""
    table = cac_payback(snapshot({"deals": SOLD, "costs": COSTS}), by="segment", gross_margin=1)
    assert table["segment"].tolist() == ["L", "S"]
    assert table["cac"].tolist() == [3000.0, 3000.0]
    assert table["value"].tolist() == [5.0, pytest.approx(3000 / 450)]
    assert table["note"].str.contains("costs are those of the whole company").all()


def test_payback_by_period():
    """Cost and first wins of the same fiscal quarter; none where nobody was won."""
    frames = {"deals": SOLD, "costs": COSTS}
    table = cac_payback(snapshot(frames), every="month", gross_margin=0.5)
    assert table["value"].tolist()[1:4] == [10.0, 8.0, pytest.approx(20 / 3)]
    assert table["value"].isna().tolist() == [True, False, False, False, True, True]
    assert table["note"].iloc[0].startswith("no_denominator: no new customers")
    assert "not enough data" in table["note"].iloc[5]
    fiscal = cac_payback(snapshot(frames, fiscal_year_start=2), every="quarter", gross_margin=0.5)
    assert fiscal["period"].iloc[1] == pd.Timestamp("2026-02-01")
    assert fiscal["cac"].iloc[1] == 2000.0


def test_same_day_deals_of_a_new_customer_are_one_first_sale():
    """Its new MRR is their sum."""
    deals = SOLD.iloc[:2].assign(account_id="A", close_date="2026-02-10")
    row = one(cac_payback(snapshot({"deals": deals, "costs": COSTS}), gross_margin=1))
    assert row[["arpa", "n"]].tolist() == [900.0, 1]
    assert np.isnan(row["high"])


def test_without_a_margin_it_is_taken_as_1_and_said():
    """The payback is longer in truth."""
    deals = SOLD.drop(columns="margin")
    row = one(cac_payback(snapshot({"deals": deals, "costs": COSTS})))
    assert row["gross_margin"] == 1.0
    assert "gross margin not known, taken as 1" in row["note"]


@pytest.mark.parametrize(
    ("deals", "spent", "said"),
    [
        pytest.param(SOLD.assign(mrr=None), COSTS, "states MRR and margin above zero", id="no MRR"),
        pytest.param(SOLD.assign(mrr=0), COSTS, "states MRR and margin above zero", id="MRR of 0"),
        pytest.param(outcomes(lost=2), COSTS, "no_denominator: no new customers", id="nobody won"),
        pytest.param(SOLD, COSTS.iloc[:0], "not enough data: no costs recorded", id="no costs"),
    ],
)
def test_a_payback_that_cannot_be_told_says_why(deals, spent, said):
    """Missing, never 0 or infinity."""
    row = one(cac_payback(snapshot({"deals": deals, "costs": spent})))
    assert row[["value", "low", "high"]].isna().all()
    assert said in row["note"]


def test_clv_to_cac_is_the_ratio_of_the_two():
    """With the parts beside it, and limits that hold both their doubts."""
    snap = snapshot({"deals": SOLD, "costs": COSTS, "subscriptions": LINES})
    row = one(clv_to_cac(snap, gross_margin=0.5))
    clv = one(lifetime_value(snap, gross_margin=0.5))
    cost = one(cac(snap))
    assert row["clv"] == clv["value"]
    assert row["cac"] == cost["value"]
    assert row["value"] == pytest.approx(clv["value"] / cost["value"])
    assert row["low"] < row["value"] < row["high"]
    assert row["high"] > 0.999 * row["value"] * cost["value"] / cost["low"]
    assert row[["x", "n"]].tolist() == [0, 5]


def test_by_industry_the_lifetime_is_the_groups_and_the_cost_the_companys():
    """Groups of accounts, those without one too."""
    accounts = pd.DataFrame({"account_id": list("ABCD"), "industry": ["law", "law", "bank", None]})
    frames = {"deals": SOLD, "costs": COSTS, "subscriptions": LINES, "accounts": accounts}
    table = clv_to_cac(snapshot(frames), by="industry", gross_margin=0.5)
    assert table["industry"].dropna().tolist() == ["bank", "law"]
    assert table["cac"].unique().tolist() == [3000.0]
    assert table["note"].str.contains("costs are those of the whole company").all()


def test_the_ratio_by_period_has_none_where_there_are_no_costs_yet():
    """Quarters of 2025 had customers, but no cost is recorded for them."""
    snap = snapshot({"deals": SOLD, "costs": COSTS, "subscriptions": LINES})
    table = clv_to_cac(snap, every="quarter", gross_margin=0.5).set_index("period")
    assert np.isnan(table.loc["2025-10-01", "value"])
    assert "no costs recorded" in table.loc["2025-10-01", "note"]
    assert table.loc["2026-01-01", "cac"] == 3000.0
    assert pd.isna(table.loc["2025-10-01", "band"])


@pytest.mark.parametrize(
    ("kpi", "options", "message"),
    [
        pytest.param(cac_payback, {"gross_margin": 80}, "gross_margin = 80; expected", id="margin"),
        pytest.param(cac_payback, {"gross_margin": 0}, "gross_margin = 0; expected", id="margin 0"),
        pytest.param(clv_to_cac, {"limits": (3, 1, 5)}, "expected three rising", id="limits"),
        pytest.param(clv_to_cac, {"gross_margin": 80}, "gross_margin", id="margin of CLV"),
        pytest.param(clv_to_cac, {"by": "segment"}, "accounts has no such column", id="by"),
    ],
)
def test_an_impossible_option_is_refused(kpi, options, message):
    """By name and value."""
    snap = snapshot({"deals": SOLD, "costs": COSTS, "subscriptions": LINES})
    with pytest.raises(TableError, match=message):
        kpi(snap, **options)


@pytest.mark.parametrize("kpi", [cac_payback, clv_to_cac])
def test_filters_that_costs_do_not_know_leave_nothing_to_say(kpi):
    """As for CAC."""
    deals = SOLD.assign(source="event")
    snap = snapshot({"deals": deals, "costs": COSTS, "subscriptions": LINES})
    row = one(kpi(snap.where(source="event")))
    assert np.isnan(row["value"])
    assert "costs cannot be narrowed to source" in row["note"]


def test_payback_limits_cover():
    """Poisson customers and log-normal MRR, drawn again: the truth is inside about as often as said."""
    rng = np.random.default_rng(11)
    inside = []
    truth = 60_000 / (40 * np.exp(6 + 0.5 * 0.5**2))
    for _ in range(40):
        n = rng.poisson(40)
        deals = pd.DataFrame(
            {
                "deal_id": [f"d{i}" for i in range(n)],
                "outcome": "won",
                "close_date": "2026-03-10",
                "mrr": rng.lognormal(6, 0.5, n),
            }
        )
        costs = pd.DataFrame({"month": ["2026-03-01"], "amount": 60_000})
        row = one(cac_payback(snapshot({"deals": deals, "costs": costs}), gross_margin=1))
        inside.append(row["low"] <= truth <= row["high"])
    assert np.mean(inside) >= 0.85
