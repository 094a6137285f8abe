"""Costs, cost per lead, CAC and the magic number: cases told as a specification."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from companies import lines, outcomes, snapshot
from scipy.stats import chi2

from kpi import TableError
from kpi.acquisition.cost import cac, cost_per_lead, sales_marketing_cost
from kpi.acquisition.magic_number import magic_number
from kpi.acquisition.spend import monthly_costs
from kpi.deals.value import value_won
from kpi.stats.poisson import mover_limits, per_event, poisson

PARTS = ["labour", "commissions", "advertising", "tools", "other"]


def costs(*rows):
    """Build costs from (month, category, channel, amount)."""
    return pd.DataFrame(rows, columns=["month", "category", "channel", "amount"])


def leads(*rows):
    """Build leads from (day, channel, how many)."""
    days = [(day, channel) for day, channel, count in rows for _ in range(count)]
    frame = pd.DataFrame(days, columns=["created_at", "channel"])
    return frame.assign(lead_id=[f"l{i}" for i in range(len(frame))])


def wins(*rows):
    """Build won deals from (closing day, account)."""
    frame = pd.DataFrame(rows, columns=["close_date", "account_id"])
    ids = [f"d{i}" for i in range(len(frame))]
    return frame.assign(deal_id=ids, outcome="won", created_at="2025-01-05")


def every_month(amount, first="2025-07-01", last="2026-06-01"):
    """Costs of one amount a month, of no channel."""
    months = pd.date_range(first, last, freq="MS").strftime("%Y-%m-%d")
    return costs(*((month, "labour", None, amount) for month in months))


SPENT = costs(
    ("2026-04-01", "labour", None, 800),
    ("2026-04-01", "advertising", "Ads", 200),
    ("2026-05-01", "labour", None, 900),
    ("2026-05-01", "tools", None, 100),
    ("2026-05-01", None, "Fair", 50),
    ("2026-06-01", "commissions", None, 70),
    ("2026-06-01", "advertising", "Ads", -20),
)
CAME = leads(("2026-04-10", "Ads", 4), ("2026-05-10", "Web", 6), ("2026-06-10", "Ads", 1))


def one(table):
    """Return the only row."""
    assert len(table) == 1
    return table.iloc[0]


def test_the_parts_add_up_to_the_cost():
    """Also the costs without a category, and a credit."""
    row = one(sales_marketing_cost(snapshot({"costs": SPENT})))
    assert row["value"] == 2100.0 == row[PARTS].sum()
    assert row[PARTS].tolist() == [1700.0, 70.0, 180.0, 100.0, 50.0]
    assert (row["x"], row["n"]) == (7, 7)
    assert np.isnan(row["low"])
    assert np.isnan(row["high"])
    assert row["note"].startswith("costs of 3 of 12 months")


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        pytest.param("channel", {"Ads": 180.0, "Fair": 50.0, None: 1870.0}, id="channel"),
        pytest.param(
            "category",
            {
                "labour": 1700.0,
                "commissions": 70.0,
                "advertising": 180.0,
                "tools": 100.0,
                None: 50.0,
            },
            id="category",
        ),
    ],
)
def test_costs_by_group_add_up(by, expected):
    """Those that name none have a row of their own."""
    table = sales_marketing_cost(snapshot({"costs": SPENT}), by=by)
    found = {None if pd.isna(k) else k: v for k, v in zip(table[by], table["value"], strict=True)}
    assert found == expected


@pytest.mark.parametrize(
    ("allocation", "value", "said"),
    [
        pytest.param({"labour": 0.5}, 1250.0, "50% labour", id="half of labour"),
        pytest.param(0.1, 210.0, "10% of the costs counted", id="a tenth of all"),
        pytest.param({}, 2100.0, "", id="all"),
    ],
)
def test_an_allocation_leaves_out_what_goes_to_customers_one_has(allocation, value, said):
    """By category or for all; the note says so."""
    row = one(sales_marketing_cost(snapshot({"costs": SPENT}), allocation=allocation))
    assert row["value"] == pytest.approx(value)
    assert said in row["note"]


@pytest.mark.parametrize(
    ("allocation", "message"),
    [
        pytest.param({"rent": 0.5}, "no category 'rent'; expected one of", id="category"),
        pytest.param({"labour": 50}, "labour = 50; expected a share, 0 to 1", id="per cent"),
        pytest.param(-0.1, "expected a share, 0 to 1", id="below 0"),
    ],
)
def test_an_allocation_that_is_none_is_refused(allocation, message):
    """By name and value."""
    with pytest.raises(TableError, match=message):
        sales_marketing_cost(snapshot({"costs": SPENT}), allocation=allocation)


def test_the_default_window_is_the_last_twelve_whole_months():
    """Not the month under way, nor what is older."""
    old = costs(("2025-05-01", "labour", None, 7000), ("2025-06-01", "labour", None, 500))
    running = costs(("2026-06-01", "labour", None, 90_000))
    frames = {"costs": pd.concat([old, every_month(10, last="2026-05-01"), running])}
    row = one(sales_marketing_cost(snapshot(frames, as_of="2026-06-29")))
    assert row["value"] == 500 + 11 * 10
    assert row["note"] == "last twelve whole months"
    assert one(sales_marketing_cost(snapshot(frames)))["value"] == 90_000 + 11 * 10


def test_foreign_costs_take_the_rate_of_their_month():
    """Euros of April at April's rate."""
    euros = costs(("2026-04-01", "labour", None, 100), ("2026-05-01", "labour", None, 100))
    rates = pd.DataFrame(
        {"currency": "EUR", "from_date": ["2026-04-01", "2026-05-01"], "rate": [1.1, 1.3]}
    )
    frames = {"costs": euros.assign(currency="EUR"), "rates": rates}
    assert one(sales_marketing_cost(snapshot(frames)))["value"] == pytest.approx(240.0)


def test_fiscal_quarters_follow_the_definitions():
    """With a fiscal year from February, April and May-June fall in two quarters."""
    table = sales_marketing_cost(snapshot({"costs": SPENT}, fiscal_year_start=2), every="quarter")
    assert table["period"].tolist() == [pd.Timestamp("2026-02-01"), pd.Timestamp("2026-05-01")]
    assert table["value"].tolist() == [1000.0, 1100.0]


def test_cost_per_lead_by_month():
    """Each month's cost over its leads, the limits from the Poisson count."""
    table = cost_per_lead(snapshot({"costs": SPENT, "leads": CAME}), every="month")
    assert table["value"].tolist() == [250.0, 175.0, 50.0]
    assert table["n"].tolist() == [4, 6, 1]
    assert table["x"].tolist() == [2, 3, 2]
    assert table.loc[0, "low"] == pytest.approx(1000 / (chi2.ppf(0.975, 10) / 2))
    assert table.loc[0, "high"] == pytest.approx(1000 / (chi2.ppf(0.025, 8) / 2))
    narrow = cost_per_lead(snapshot({"costs": SPENT, "leads": CAME}), every="month", level=0.5)
    assert (narrow["low"] > table["low"]).all()
    assert (narrow["high"] < table["high"]).all()


def test_a_month_without_costs_counts_on_neither_side():
    """Its leads did not cost nothing: nobody wrote down what they cost."""
    spent = SPENT[SPENT["month"] != "2026-05-01"]
    row = one(cost_per_lead(snapshot({"costs": spent, "leads": CAME})))
    assert (row["cost"], row["n"], row["value"]) == (1050.0, 5, 210.0)
    assert "costs of 2 of 12 months" in row["note"]
    months = cost_per_lead(snapshot({"costs": spent, "leads": CAME}), every="month")
    assert months["note"].tolist()[1].startswith("not enough data: no costs recorded")
    assert np.isnan(months["value"].iloc[1])


def test_costs_without_leads_have_no_cost_per_lead():
    """Missing with a reason, never infinity."""
    table = cost_per_lead(snapshot({"costs": SPENT, "leads": CAME.iloc[:4]}), every="month")
    assert table["value"].isna().tolist() == [False, True, True]
    assert table["note"].iloc[1].startswith("no_denominator: no leads")


def test_a_campaign_is_a_channels_costs_over_its_leads():
    """By channel, with the channel filter, and over all channels that cost something."""
    snap = snapshot({"costs": SPENT, "leads": CAME})
    table = cost_per_lead(snap, by="channel").set_index("channel")
    assert table.loc["Ads", ["value", "cost", "n"]].tolist() == [36.0, 180.0, 5]
    assert table.loc["Web", "note"].startswith("not enough data: no costs recorded")
    assert table.loc["Fair", "note"].startswith("no_denominator")
    assert table[table.index.isna()]["value"].isna().all()
    campaign = one(cost_per_lead(snap, scope="campaign"))
    assert campaign[["cost", "n", "value"]].tolist() == [230.0, 5, 46.0]
    ads = one(cost_per_lead(snap.where(channel="Ads")))
    assert ads[["cost", "n", "value"]].tolist() == [180.0, 5, 36.0]
    assert "costs that name no channel are left out" in ads["note"]


@pytest.mark.parametrize("kpi", [cost_per_lead, cac, magic_number])
def test_what_costs_do_not_name_cannot_be_asked_for(kpi):
    """Cost of everything over the leads of one source would be a wrong number."""
    frames = {"costs": every_month(10), "leads": CAME.assign(source="event")}
    frames |= {"deals": wins(("2026-05-10", "A")).assign(source="event")}
    frames["subscriptions"] = lines(("a", 100, "2025-11-15", None))
    snap = snapshot(frames).where(source="event")
    row = one(kpi(snap))
    assert np.isnan(row["value"])
    assert row["note"].startswith("not enough data: costs cannot be narrowed to source")
    assert "not narrowed to source" in one(sales_marketing_cost(snap))["note"]


@pytest.mark.parametrize("kpi", [cost_per_lead, cac])
def test_a_cut_that_only_costs_know_is_refused(kpi):
    """Leads and deals have no category of cost."""
    frames = {"costs": SPENT, "leads": CAME, "deals": wins(("2026-05-10", "A"))}
    with pytest.raises(TableError, match=r"by='category': .* can be cut by 'channel' only"):
        kpi(snapshot(frames), by="category")


def test_a_customer_counts_once_on_its_first_win():
    """By who pays; a win without an account is a customer of its own; expansion is none."""
    deals = wins(
        ("2026-04-10", "A"),
        ("2026-05-10", "A"),
        ("2026-05-11", "B"),
        ("2026-05-12", "C"),
        ("2026-05-13", None),
        ("2026-05-14", None),
        ("2026-05-15", "D"),
    )
    deals["deal_type"] = ["new"] * 6 + ["expansion"]
    accounts = pd.DataFrame({"account_id": ["B", "C"], "billing_account_id": "P"})
    snap = snapshot({"costs": SPENT, "deals": deals, "accounts": accounts})
    table = cac(snap, every="month")
    assert table["n"].tolist() == [1, 3, 0]
    assert table["value"].tolist()[:2] == [1000.0, 350.0]
    assert "2 without an account" in table["note"].iloc[1]
    assert table["note"].iloc[2].startswith("no_denominator: no new customers")
    assert cac(snap, every="month", deal_type=None)["n"].tolist() == [1, 4, 0]


@pytest.mark.parametrize(
    ("before", "starts_on", "mrr", "expected"),
    [
        pytest.param("new", "2026-05-10", 10, 1, id="line from the winning day on"),
        pytest.param("new", "2026-05-09", 10, 0, id="line that began the day before"),
        pytest.param("new", "2025-02-01", 0, 1, id="a line that brought in nothing"),
        pytest.param("expansion", "2026-05-20", 10, 0, id="first win was an expansion"),
    ],
)
def test_who_was_a_customer_before_is_no_new_one(before, starts_on, mrr, expected):
    """The same definition counts in CAC and in the value won; the other account is always new."""
    deals = wins(("2026-05-10", "A"), ("2026-05-12", "A"), ("2026-05-15", "B"))
    deals["deal_type"] = [before, "new", "new"]
    accounts = pd.DataFrame({"account_id": ["A", "site"], "billing_account_id": ["A", "A"]})
    line = lines(("site", mrr, starts_on, "2026-06-01"))
    frames = {"costs": SPENT, "deals": deals, "accounts": accounts, "subscriptions": line}
    snap = snapshot(frames)
    assert one(cac(snap))["n"] == 1 + expected
    assert one(value_won(snap))["new_logos"] == 1 + expected


def test_the_first_of_several_won_that_day_is_the_first_of_the_kind():
    """An expansion won on the same day does not unmake a new customer."""
    deals = wins(("2026-05-10", "A"), ("2026-05-10", "A"), ("2026-05-10", "A"))
    deals["deal_type"] = ["expansion", "new", "new"]
    snap = snapshot({"costs": SPENT, "deals": deals})
    assert one(cac(snap))["n"] == 1
    assert one(value_won(snap))["new_logos"] == 1


def test_lagged_costs_are_those_of_the_median_cycle_before():
    """Wins of June, 61 days after creation, were paid for in April."""
    deals = wins(("2026-06-10", "A"), ("2026-06-11", "B")).assign(created_at="2026-04-10")
    frames = {"costs": SPENT, "deals": deals}
    table = cac(snapshot(frames), every="month", lagged=True)
    assert table["period"].tolist() == [pd.Timestamp("2026-06-01")]
    assert table["value"].tolist() == [500.0]
    assert "costs of 2 months earlier (median cycle 62 days)" in table["note"].iloc[0]


def test_without_a_win_costs_cannot_be_lagged():
    """Missing, and why."""
    row = one(cac(snapshot({"costs": SPENT, "deals": outcomes(open=2)}), lagged=True))
    assert np.isnan(row["value"])
    assert "no median cycle to shift the costs by" in row["note"]


def test_a_win_without_a_date_is_in_no_period_and_said():
    """It cannot be placed in the twelve months."""
    deals = wins(("2026-05-10", "A"), (None, "B"))
    row = one(cac(snapshot({"costs": SPENT, "deals": deals})))
    assert row["n"] == 1
    assert "1 won without a date left out" in row["note"]


def test_only_the_pipelines_that_count_make_customers():
    """Costs stay; the customers of the other pipeline go."""
    deals = wins(("2026-05-10", "A"), ("2026-05-11", "B")).assign(pipeline_id=["x", "y"])
    frames = {"costs": SPENT, "deals": deals}
    assert one(cac(snapshot(frames, pipelines=("x",))))["n"] == 1


def test_a_lead_of_local_new_years_eve_is_of_that_month():
    """The day is the company's, not UTC's."""
    late = leads(("2026-05-01 02:00+00:00", "Ads", 1))
    frames = {"costs": SPENT, "leads": late}
    for zone, months in (("UTC", [0, 1, 0]), ("America/New_York", [1, 0, 0])):
        table = cost_per_lead(snapshot(frames, time_zone=zone), every="month")
        assert table["n"].tolist() == months


GROWN = lines(("a", 100, "2025-12-15", None), ("b", 60, "2026-04-20", None))


@pytest.mark.parametrize(
    ("options", "value", "parts"),
    [
        pytest.param({}, (480 - 300) * 4 / 300, [480.0, 300.0, 300.0], id="revenue of quarters x4"),
        pytest.param({"of": "arr"}, 60 * 12 / 300, [1920.0, 1200.0, 300.0], id="change of ARR"),
    ],
)
def test_the_magic_number_of_the_last_quarter(options, value, parts):
    """Yearly revenue gained over the cost of the quarter before."""
    frames = {"subscriptions": GROWN, "costs": every_month(100)}
    row = one(magic_number(snapshot(frames), **options))
    assert row["value"] == pytest.approx(value)
    assert row[["revenue", "revenue_before", "cost"]].tolist() == parts
    assert (row["x"], row["n"]) == (2, 3)


@pytest.mark.parametrize(
    ("every", "value"),
    [
        pytest.param("month", 0.0, id="June against May, cost of May"),
        pytest.param("quarter", 2.4, id="quarter"),
    ],
)
def test_the_magic_number_by_period(every, value):
    """Months x12, quarters x4; the first period with revenue has none before it."""
    frames = {"subscriptions": GROWN, "costs": every_month(100)}
    table = magic_number(snapshot(frames), every=every)
    assert table["value"].iloc[-1] == pytest.approx(value)
    assert table["period"].min() > pd.Timestamp("2025-12-01")
    april = magic_number(snapshot(frames), every="month").set_index("period")
    assert april.loc["2026-04-01", "value"] == pytest.approx(60 * 12 / 100)


@pytest.mark.parametrize("day", ["2026-04-15", "2026-05-20"])
def test_where_periods_begin_does_not_move_the_magic_number(day):
    """The quarter asked for needs the one before it, shown or not."""
    frames = {"subscriptions": GROWN, "costs": every_month(100)}
    late = replace(snapshot(frames), since=date.fromisoformat(day))
    assert one(magic_number(late))["value"] == pytest.approx((480 - 300) * 4 / 300)


def test_the_magic_numbers_of_groups_add_up_to_the_companys():
    """Costs are not cut."""
    accounts = pd.DataFrame({"account_id": ["a", "b"], "region": ["north", None]})
    snap = snapshot({"subscriptions": GROWN, "costs": every_month(100), "accounts": accounts})
    table = magic_number(snap, by="region")
    assert table["value"].sum() == pytest.approx(one(magic_number(snap))["value"])
    assert table["note"].str.contains("costs are those of the whole company").all()


@pytest.mark.parametrize(
    ("subscriptions", "spent", "said"),
    [
        pytest.param(GROWN.iloc[1:], every_month(100), "no recurring revenue", id="nothing before"),
        pytest.param(GROWN.iloc[:0], every_month(100), "no recurring revenue", id="no lines"),
        pytest.param(
            GROWN, every_month(100, "2026-02-01"), "costs of 2 of the 3 months before", id="a gap"
        ),
        pytest.param(GROWN, every_month(0), "no_denominator: nothing spent", id="no spend"),
    ],
)
def test_a_magic_number_that_cannot_be_told_says_why(subscriptions, spent, said):
    """Missing, never 0 or infinity."""
    row = one(magic_number(snapshot({"subscriptions": subscriptions, "costs": spent})))
    assert np.isnan(row["value"])
    assert said in row["note"]


def test_fiscal_quarters_move_the_magic_number():
    """With a fiscal year from February the last whole quarter ends in April."""
    frames = {"subscriptions": GROWN, "costs": every_month(100)}
    row = one(magic_number(snapshot(frames, fiscal_year_start=2)))
    assert row[["revenue", "revenue_before"]].tolist() == [360.0, 200.0]


@pytest.mark.parametrize(
    ("kpi", "options", "message"),
    [
        pytest.param(cost_per_lead, {"scope": "x"}, "scope='x'; expected", id="scope"),
        pytest.param(magic_number, {"of": "x"}, "of='x'; expected", id="of"),
        pytest.param(cac, {"deal_type": "x"}, "deal_type='x'; expected", id="deal type"),
    ],
)
def test_an_unknown_option_is_refused(kpi, options, message):
    """With those there are."""
    frames = {"costs": SPENT, "leads": CAME, "deals": wins(("2026-05-10", "A"))}
    frames["subscriptions"] = GROWN
    with pytest.raises(TableError, match=message):
        kpi(snapshot(frames), **options)


@pytest.mark.parametrize("kpi", [sales_marketing_cost, cost_per_lead, cac, magic_number])
def test_an_impossible_level_is_refused(kpi):
    """95 instead of 0.95 is the usual slip."""
    frames = {"costs": SPENT, "leads": CAME, "deals": wins(("2026-05-10", "A"))}
    with pytest.raises(ValueError, match="level"):
        kpi(snapshot(frames | {"subscriptions": GROWN}), level=95)


def test_poisson_limits_are_garwoods():
    """Against chi-square quantiles; and they cover."""
    low, high = poisson([0, 1, 7, 400])
    np.testing.assert_allclose(low[1:], chi2.ppf(0.025, [2, 14, 800]) / 2)
    np.testing.assert_allclose(high, chi2.ppf(0.975, [2, 4, 16, 802]) / 2)
    drawn = np.random.default_rng(5).poisson(6.3, 4000)
    low, high = poisson(drawn)
    assert np.mean((low <= 6.3) & (high >= 6.3)) >= 0.95
    with pytest.raises(ValueError, match="below 0"):
        poisson([-1])


def test_a_credit_turns_the_limits_round():
    """Low stays below high where the cost is below 0."""
    value, low, high = per_event([-50.0, 10.0], [5, 0])
    assert low[0] < value[0] < high[0] < 0
    assert np.isnan(value[1])


def test_joined_limits_cover_the_ratio():
    """Two log-normal estimates of known spread: the share covered is the level asked for."""
    rng = np.random.default_rng(7)
    a, b = rng.normal(1.0, 0.3, 4000), rng.normal(0.2, 0.2, 4000)
    parts = [
        (np.exp(e), np.exp(e - 1.96 * s), np.exp(e + 1.96 * s)) for e, s in ((a, 0.3), (b, 0.2))
    ]
    low, high = mover_limits(*parts)
    assert np.mean((low <= np.exp(0.8)) & (np.exp(0.8) <= high)) == pytest.approx(0.95, abs=0.012)


def test_costs_by_month_are_summed_once():
    """Two records of one month and category."""
    twice = costs(("2026-05-01", "labour", None, 1), ("2026-05-20", "labour", None, 2))
    table = monthly_costs(snapshot({"costs": twice}))
    assert table[["cost", "labour", "items"]].to_numpy().tolist() == [[3.0, 3.0, 2]]
