"""Deals created and won, their value, and the average deal: cases by hand."""

import numpy as np
import pandas as pd
import pytest
from companies import outcomes, snapshot

from kpi import TableError
from kpi.deals.flow import deals_created, deals_won
from kpi.deals.size import average_deal_size, average_monthly_deal_value
from kpi.deals.value import value_won
from kpi.deals.win_rate import win_rate
from kpi.stats.bootstrap import mean_limits
from kpi.stats.intervals import jeffreys


def won(amounts, **columns):
    """Build deals all won on 10 February 2026."""
    deals = outcomes(won=len(amounts))
    return deals.assign(amount=amounts, **columns)


def mixed():
    """Three months of deals: some won, some lost, one open, one without any date."""
    return pd.DataFrame(
        {
            "deal_id": list("abcdef"),
            "outcome": ["won", "lost", "won", "open", "won", "lost"],
            "created_at": ["2026-01-05", "2026-01-20", "2026-02-02", "2026-04-30", None, None],
            "close_date": ["2026-02-01", "2026-02-28", "2026-04-15", None, "2026-04-20", None],
            "amount": [100.0, 50.0, None, 70.0, 10.0, 5.0],
            "source": ["x", "x", "y", "y", "y", "x"],
            "owner_id": ["o", "o", "p", "p", "p", "o"],
        }
    )


def test_deals_created_by_month_have_no_gaps():
    """A month without deals is 0, not missing; deals without a date are in no month."""
    table = deals_created(snapshot({"deals": mixed()}), every="month")
    assert table["value"].tolist() == [2, 1, 0, 1, 0, 0]
    assert table["created_amount"].tolist()[:1] == [150.0]
    assert np.isnan(table["created_amount"].iloc[1])  # the only deal has no amount
    assert table["created_amount"].tolist()[2:4] == [0.0, 70.0]
    assert table["valued"].tolist()[:3] == [2, 0, 0]
    assert table["note"].str.contains("2 without a creation date are in no period").all()


def test_deals_created_in_total_count_the_undated():
    """All six, said in the note."""
    row = deals_created(snapshot({"deals": mixed()})).iloc[0]
    assert (row["value"], row["n"], row["created_amount"]) == (6, 6, 235.0)
    assert row["note"] == "2 without a creation date counted"


def test_deals_created_by_source():
    """Cut by any column of deals."""
    table = deals_created(snapshot({"deals": mixed()}), by="source").set_index("source")
    assert table["value"].to_dict() == {"x": 3, "y": 3}


def test_deals_won_by_month():
    """By closing day; months in which nothing closed are 0."""
    table = deals_won(snapshot({"deals": mixed()}), every="month")
    assert table["period"].dt.month.tolist() == [2, 3, 4, 5, 6]
    assert table["x"].tolist() == [1, 0, 2, 0, 0]
    assert table["n"].tolist() == [2, 0, 2, 0, 0]
    assert (table["note"] == "1 without a closing date are in no period").all()


def test_deals_won_by_owner_say_whose_they_are():
    """The owner as of the date."""
    table = deals_won(snapshot({"deals": mixed()}), by="owner").set_index("owner")
    assert table["value"].to_dict() == {"o": 1, "p": 2}
    assert table["note"].str.contains("by the owner as of the date").all()


@pytest.mark.parametrize("kpi", [deals_created, deals_won, value_won])
def test_no_deal_of_that_kind_is_missing_not_zero(kpi):
    """A company without renewals has none recorded: not zero renewals won."""
    row = kpi(snapshot({"deals": mixed()}), deal_type="renewal").iloc[0]
    assert np.isnan(row["value"])
    assert row["note"].startswith("not enough data: no deals")


def test_nothing_won_is_zero():
    """Deals there are, but none won: that is known."""
    snap = snapshot({"deals": outcomes(lost=2, open=1).assign(amount=5.0)})
    assert deals_won(snap)["value"].iloc[0] == 0
    assert value_won(snap)["value"].iloc[0] == 0


@pytest.mark.parametrize("kpi", [deals_created, deals_won, value_won])
def test_a_fiscal_year_and_pipelines_are_those_of_the_definitions(kpi):
    """Quarters begin in February; deals of other pipelines are left out."""
    deals = won([1.0, 2.0, 4.0], pipeline_id=["sales", "sales", "partner"])
    deals["created_at"] = "2026-02-05"
    snap = snapshot({"deals": deals}, fiscal_year_start=2, pipelines=("sales",))
    table = kpi(snap, every="quarter")
    assert table["period"].tolist()[0] == pd.Timestamp("2026-02-01")
    assert table["n"].iloc[0] == 2


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_a_win_belongs_to_the_companys_day(zone):
    """Ten minutes before and after local midnight."""
    deals = won([1.0, 2.0]).drop(columns="close_date")
    deals["closed_at"] = ["2026-01-31 23:50", "2026-02-01 00:10"]
    table = value_won(snapshot({"deals": deals}, time_zone=zone), every="month")
    assert table["value"].tolist()[:2] == [1.0, 2.0]


def test_value_won_with_margin_and_term():
    """Margin over the amounts of the deals that have one; term is the mean of those known."""
    deals = won(
        [100.0, 300.0, None, 50.0],
        margin=[30.0, None, 20.0, 10.0],
        mrr=[10.0, None, 5.0, None],
        term_months=[12, 24, None, None],
    )
    row = value_won(snapshot({"deals": deals})).iloc[0]
    assert (row["value"], row["x"], row["n"]) == (450.0, 3, 4)
    assert (row["amount"], row["mrr"], row["margin"]) == (450.0, 15.0, 60.0)
    assert row["gross_margin"] == pytest.approx(40 / 150)
    assert row["term_months"] == 18
    assert "1 without amount left out" in row["note"]
    monthly = value_won(snapshot({"deals": deals}), of="mrr").iloc[0]
    assert (monthly["value"], monthly["x"]) == (15.0, 2)


def test_columns_no_deal_has_are_missing():
    """Not 0."""
    row = value_won(snapshot({"deals": outcomes(won=2)})).iloc[0]
    gone = ["value", "amount", "mrr", "margin", "gross_margin", "term_months", "new_logo_amount"]
    assert row[gone].isna().all()
    assert row["note"].startswith("not enough data: no deal won has its amount")


def test_new_logos_are_first_wins_of_who_pays():
    """Two sites of one payer are one customer; who had a service before is none."""
    deals = won([1.0, 2.0, 4.0, 8.0, 16.0], account_id=["site 1", "site 2", "old", None, "fresh"])
    deals["deal_type"] = ["new", "new", "new", "new", "expansion"]
    deals["close_date"] = ["2026-02-01", "2026-03-01", "2026-03-01", "2026-03-01", "2026-03-01"]
    accounts = pd.DataFrame(
        {"account_id": ["site 1", "site 2"], "billing_account_id": ["payer", "payer"]}
    )
    lines = pd.DataFrame(
        {"subscription_id": ["s", "t"], "account_id": ["old", "site 1"], "mrr": 5.0}
    )
    lines["starts_on"] = ["2025-01-01", "2026-02-15"]
    frames = {"deals": deals, "accounts": accounts, "subscriptions": lines}
    row = value_won(snapshot(frames), deal_type=None).iloc[0]
    assert row["new_logos"] == 2  # site 1, and the deal without a company
    assert row["new_logo_amount"] == 9.0
    assert row["cross_sell_amount"] == 22.0
    assert "1 without a company taken for new customers" in row["note"]


def test_value_won_in_reporting_currency():
    """Converted at the closing day's rate."""
    deals = won([100.0, 10.0], currency=["EUR", "USD"])
    rates = pd.DataFrame({"currency": "EUR", "from_date": ["2026-01-01"], "rate": [1.5]})
    assert value_won(snapshot({"deals": deals, "rates": rates}))["value"].iloc[0] == 160.0


def test_a_column_may_be_cut_by_though_the_result_has_it():
    """by="term_months": the mean of each group is the group."""
    deals = won([1.0, 2.0, 4.0], term_months=[12, 12, 24])
    table = value_won(snapshot({"deals": deals}), by="term_months")
    assert table["term_months"].tolist() == [12, 24]
    assert table["value"].tolist() == [3.0, 4.0]


def test_average_deal_size_with_median_and_limits():
    """Mean, median, a tenth cut off each end, and the bootstrap's limits."""
    values = [*range(1, 20), 1000.0]
    row = average_deal_size(snapshot({"deals": won(values)})).iloc[0]
    assert row["value"] == np.mean(values)
    assert row["median"] == 10.5
    assert row["trimmed_mean"] == np.mean(values[2:-2])
    assert (row["low"], row["high"]) == mean_limits(values)
    assert row["note"] == "low_n: 20 only"


@pytest.mark.parametrize(
    ("amounts", "note"),
    [
        pytest.param([], "no_denominator: no deals won", id="nothing won"),
        pytest.param([None, None], "not enough data: none of 2 deals won has", id="no amount"),
        pytest.param([5.0, None], "1 without amount left out", id="one without"),
    ],
)
def test_average_deal_size_says_what_is_missing(amounts, note):
    """Missing with a reason, or a note of what was left out."""
    deals = won(amounts) if amounts else outcomes(lost=1).assign(amount=1.0)
    row = average_deal_size(snapshot({"deals": deals})).iloc[0]
    assert note in row["note"]
    assert np.isnan(row["value"]) == (note[:2] in ("no",))
    assert np.isnan(row["low"])


def test_average_deal_size_by_month():
    """A month without a win has no average, and says so."""
    table = average_deal_size(snapshot({"deals": mixed()}), every="month")
    assert table["value"].round(3).tolist()[0] == 100.0
    assert table["note"].tolist()[1] == "no_denominator: no deals won"
    assert table["n"].tolist() == [1, 0, 2, 0, 0]


def test_monthly_deal_value_looks_back_twelve_months():
    """A deal of thirteen months ago is not in it; 30 June 2025 is the last that is not."""
    deals = won([None] * 3, mrr=[100.0, 300.0, 5000.0], term_months=[12, 36, 12])
    deals["close_date"] = ["2025-07-01", "2026-06-30", "2025-06-30"]
    deals["created_at"] = "2025-01-01"
    snap = snapshot({"deals": deals})
    row = average_monthly_deal_value(snap).iloc[0]
    assert (row["value"], row["x"]) == (200.0, 2)
    assert "the last 12 months up to 2026-06-30" in row["note"]
    assert average_monthly_deal_value(snap, months=13)["x"].iloc[0] == 3
    assert average_monthly_deal_value(snap, of="tcv")["value"].iloc[0] == (1200 + 10_800) / 2


def test_one_off_is_the_amount_of_deals_without_recurring_revenue():
    """Projects and hardware."""
    deals = won([50.0, 70.0, 90.0], mrr=[10.0, None, 0.0])
    row = average_monthly_deal_value(snapshot({"deals": deals}), of="one_off").iloc[0]
    assert (row["value"], row["n"]) == (80.0, 2)


def test_win_rate_by_value():
    """Won amount over closed amount; a deal without an amount is left out."""
    deals = outcomes(won=2, lost=2, open=1).assign(amount=[100.0, 50.0, 250.0, None, 999.0])
    row = win_rate(snapshot({"deals": deals}), weight="amount").iloc[0]
    assert row["value"] == pytest.approx(150 / 400)
    assert (row["x"], row["n"]) == (2, 3)
    worth = 400**2 / (100**2 + 50**2 + 250**2)
    low, high = jeffreys(0.375 * worth, worth)
    assert (row["low"], row["high"]) == (pytest.approx(low), pytest.approx(high))
    assert "1 without an amount left out" in row["note"]


def test_equal_amounts_give_the_rate_by_count():
    """Then the effective number is the number, and the interval the same."""
    deals = outcomes(won=12, lost=28).assign(amount=500.0)
    snap = snapshot({"deals": deals})
    by_value, by_count = (win_rate(snap, weight=w).iloc[0] for w in ("amount", "count"))
    columns = ["value", "low", "high"]
    np.testing.assert_allclose(
        by_value[columns].astype("float64"), by_count[columns].astype("float64")
    )


def test_value_limits_hold_the_true_share():
    """Lognormal amounts, 30 % won: 95 % limits hold the share at least about that often."""
    rng = np.random.default_rng(8)
    held = 0
    parts = []
    for i in range(200):
        deals = outcomes(won=15).assign(amount=rng.lognormal(9, 1, 15), segment=f"g{i}")
        deals["outcome"] = np.where(rng.random(15) < 0.3, "won", "lost")
        parts.append(deals.assign(deal_id=[f"{i}-{j}" for j in range(15)]))
    table = win_rate(snapshot({"deals": pd.concat(parts)}), weight="amount", by="segment")
    held = ((table["low"] <= 0.3) & (table["high"] >= 0.3)).mean()
    assert held >= 0.92


def test_the_cohort_rate_stands_beside_the_periods():
    """The same figure as on the cohort basis; by month it would be of other deals: missing."""
    deals = outcomes(won=12, lost=18, open=10)
    snap = snapshot({"deals": deals})
    assert win_rate(snap)["cohort"].iloc[0] == win_rate(snap, basis="cohort")["value"].iloc[0]
    assert win_rate(snap, every="month")["cohort"].isna().all()


def test_a_reason_nobody_lost_for_is_noted():
    """A slip of the pen would silently give the broad rate."""
    deals = outcomes(won=1, lost=1).assign(lost_reason="No decision")
    rate = win_rate(snapshot({"deals": deals}), no_decision=["No decison"])
    assert "no deal was lost for ['No decison']" in rate["note"].iloc[0]


def test_hostile_reasons_are_only_text():
    """A reason with quotes is compared, never executed."""
    nasty = "'); DROP TABLE deals; --"
    deals = outcomes(won=1, lost=2).assign(lost_reason=[None, nasty, "Price"])
    assert win_rate(snapshot({"deals": deals}), no_decision=nasty)["n"].iloc[0] == 2


def test_the_same_reason_is_left_out_of_the_cohort():
    """Narrow is narrow on both bases."""
    deals = outcomes(won=10, lost=20).assign(lost_reason=[None] * 10 + ["Stall"] * 10 + [None] * 10)
    row = win_rate(snapshot({"deals": deals}), no_decision="Stall").iloc[0]
    assert row["value"] == row["cohort"] == 0.5


def test_by_value_a_cohort_is_refused():
    """There is no incidence of money."""
    with pytest.raises(TableError, match="a cohort is followed by count"):
        win_rate(snapshot({"deals": outcomes(won=1)}), weight="amount", basis="cohort")
