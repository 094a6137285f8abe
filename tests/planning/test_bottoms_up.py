"""Forwards from leads to revenue: identities, lags in calendar months, churn, hostile input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpi.planning import FunnelModel, PlanError, simulate
from kpi.planning.bottoms_up import bottoms_up, new_mrr_per_month
from kpi.planning.curve import known
from kpi.planning.triangle import rates_by_age

YEAR = {"start": "2027-01-01", "months": 12}
SEED = {"leads_per_month": 100, "average_deal_value": 2000.0}


def run(**options):
    """Bottoms-up plan of 2027 with a hundred leads a month."""
    return bottoms_up(**(YEAR | SEED | options))


def test_columns_and_months():
    """As the issue names them; months by their first day, whatever day `start` is."""
    table = run(start="2027-01-15")
    assert table.columns.tolist() == ["month", "leads", "opportunities", "wins", "new_mrr", "mrr"]
    assert table["month"].tolist() == list(pd.date_range("2027-01-01", periods=12, freq="MS"))
    assert not table.isna().any(axis=None)


def test_without_lag_every_month_is_the_product():
    """leads x conversion x win rate x value; fractions kept; revenue accumulates."""
    table = run()
    assert table["opportunities"].tolist() == pytest.approx([15.0] * 12, abs=1e-9)
    assert table["wins"].tolist() == pytest.approx([4.95] * 12, abs=1e-9)
    assert table["mrr"].tolist() == pytest.approx([9900.0 * n for n in range(1, 13)], abs=1e-6)


@pytest.mark.parametrize(
    ("lag", "shares"),
    [
        # leads of January (31 days): one day's worth is 1/31; days 1 to k of the month arrive in it
        pytest.param(0, [1, 0, 0], id="0 days: as without"),
        pytest.param(1, [30 / 31, 1 / 31, 0], id="a day: only the leads of the last day wait"),
        pytest.param(30, [1 / 31, 28 / 31, 2 / 31], id="30 days: February is too short for all"),
        pytest.param(31, [0, 28 / 31, 3 / 31], id="31 days: none in January"),
        pytest.param(10.5, [20.5 / 31, 10.5 / 31, 0], id="half days count as half"),
        pytest.param([0.5, 0.5], [30.5 / 31, 0.5 / 31, 0], id="half at once, half a day later"),
        pytest.param([2, 2], [30.5 / 31, 0.5 / 31, 0], id="weights are brought to 1"),
        pytest.param(np.eye(60)[59], [0, 0, 31 / 31], id="day 59 of January's leads is in March"),
    ],
)
def test_a_lag_moves_wins_by_exact_calendar_overlap(lag, shares):
    """Leads of January alone, spread evenly over it."""
    table = run(leads_per_month={"2027-01": 100}, lag_days=lag)
    assert (table["wins"] / 4.95)[:3].tolist() == pytest.approx(shares, abs=1e-12)
    assert table["opportunities"].tolist() == pytest.approx([15.0] + [0.0] * 11)
    assert table["wins"].sum() == pytest.approx(4.95)


def test_a_distribution_as_a_curve():
    """Only the delay of a curve counts, not its share; an exponential differs from its mean."""
    spread = run(lag_days=known(0.0495, 30.0))
    whole = run(lag_days=known(1.0, 30.0))
    assert spread["wins"].tolist() == pytest.approx(whole["wins"].tolist(), rel=1e-12)
    days = 31 - 30.0 * (1 - np.exp(-31 / 30.0))
    assert spread["wins"].iloc[0] == pytest.approx(4.95 * days / 31, abs=1e-9)
    assert spread["wins"].iloc[0] > run(lag_days=30)["wins"].iloc[0] * 10


def test_opportunities_may_come_later_too():
    """Their own lag, apart from that of the wins."""
    table = run(leads_per_month={"2027-01": 100}, opportunity_lag_days=31, lag_days=62)
    found = table[["opportunities", "wins"]].to_numpy() / [15.0, 4.95]
    assert found[:4].tolist() == pytest.approx(
        np.array([[0, 0], [28 / 31, 0], [3 / 31, 28 / 31], [0, 3 / 31]]), abs=1e-12
    )


def test_earlier_leads_win_within_the_plan():
    """Leads of months before the start are not shown; their wins are."""
    table = run(leads_per_month={"2026-12": 100, "2027-01": 10}, lag_days=31)
    assert table["leads"].tolist() == [10.0] + [0.0] * 11
    assert table["wins"].iloc[0] == pytest.approx(4.95)
    assert table["wins"].sum() == pytest.approx(4.95 * 1.1)


def test_leads_by_month_name_the_start():
    """The first month named; months between that are not named get none."""
    table = bottoms_up(
        leads_per_month={"2027-03": 10, "2027-01": 20}, average_deal_value=1.0, months=3
    )
    assert table["month"].iloc[0] == pd.Timestamp("2027-01-01")
    assert table["leads"].tolist() == [20.0, 0.0, 10.0]


@pytest.mark.parametrize(
    ("leads", "options", "expected"),
    [
        pytest.param([1, 2.5, 0], {"months": 3}, [1.0, 2.5, 0.0], id="one a month"),
        pytest.param(100, {"months": 3, "monthly_growth": 0.1}, [100, 110, 121], id="growth"),
        pytest.param(np.float64(7), {"months": 2}, [7, 7], id="a numpy number"),
        pytest.param(100, {"months": 3, "monthly_growth": -1}, [100, 0, 0], id="no more"),
    ],
)
def test_leads(leads, options, expected):
    """A number, with growth, or one a month."""
    assert run(leads_per_month=leads, **options)["leads"].tolist() == pytest.approx(expected)


def test_churn_and_expansion_by_hand():
    """What runs shrinks first; the month's wins are added whole and churn from the next month."""
    c = 1 - 0.9 ** (1 / 12)
    g = 1.2 ** (1 / 12) - 1
    table = run(mrr=1000.0, annual_churn=0.1, annual_expansion=0.2, months=2)
    first = 1000 * (1 - c + g) + 9900
    assert table["mrr"].tolist() == pytest.approx([first, first * (1 - c + g) + 9900], abs=1e-9)


@settings(derandomize=True, max_examples=50, deadline=None)
@given(
    st.floats(0, 1e6),
    st.floats(0, 2e6),
    st.integers(1, 60),
    st.floats(0, 0.9),
    st.floats(0, 0.5),
)
def test_the_closed_form_is_the_run_backwards(mrr, target, months, churn, expansion):
    """Winning what it says reaches the level; or nothing is to be won and the level is passed."""
    rates = {"annual_churn": churn, "annual_expansion": expansion}
    need = new_mrr_per_month(mrr=mrr, target=target, months=months, **rates)
    table = bottoms_up(
        leads_per_month=1,
        lead_conversion=1.0,
        win_rate=1.0,
        average_deal_value=need,
        months=months,
        start="2027-01-01",
        mrr=mrr,
        **rates,
    )
    reached = table["mrr"].iloc[-1]
    assert need >= 0
    assert (
        reached == pytest.approx(target, rel=1e-9, abs=1e-6) if need else reached >= target - 1e-6
    )


@settings(derandomize=True, max_examples=50, deadline=None)
@given(
    st.lists(st.floats(0, 500), min_size=1, max_size=6),
    st.one_of(st.none(), st.floats(0, 90), st.lists(st.floats(0.01, 1), min_size=1, max_size=90)),
)
def test_nothing_is_won_twice_or_lost(leads, lag):
    """Followed long enough, all leads win at the rate; never before they could; never negative."""
    named = {f"2027-{i + 1:02}": n for i, n in enumerate(leads)}
    table = run(leads_per_month=named, lag_days=lag)
    assert table["wins"].sum() == pytest.approx(sum(leads) * 0.0495, abs=1e-9)
    assert (table["wins"] >= 0).all()
    assert (table["wins"].cumsum() <= table["leads"].cumsum() * 0.0495 + 1e-9).all()


def test_the_mean_of_the_simulation():
    """The same funnel drawn: the mean of 20,000 draws is the expectation, within 5 of its errors."""
    model = FunnelModel.assume(lag_days=45.0, deal_value=2000.0)
    leads = {f"2027-{m:02}": 300 for m in range(1, 7)}
    wins, revenue = simulate(model, leads, 6, draws=20_000)
    curve = model.curve(0, model.top)
    table = bottoms_up(leads_per_month=leads, months=6, average_deal_value=2000.0, lag_days=curve)
    error = 5 * np.sqrt(table["wins"].max() / 20_000)
    assert np.abs(wins.mean(axis=0) - table["wins"]).max() < error
    assert np.abs(revenue.mean(axis=0) - table["new_mrr"]).max() < error * 2000


def test_what_is_assumed_is_said():
    """The articles' rates, and that there is no lag."""
    assert any("rules of thumb" in note for note in run().attrs["notes"])
    assert any("no lag" in note for note in run().attrs["notes"])
    own = run(lead_conversion=0.2, win_rate=0.5, lag_days=30).attrs["notes"]
    assert own == ("expected numbers: chance is left out",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"lead_conversion": 15}, "lead_conversion = 15", id="per cent"),
        pytest.param({"win_rate": float("nan")}, "win_rate = nan", id="no rate"),
        pytest.param({"average_deal_value": -1.0}, "average_deal_value", id="negative value"),
        pytest.param({"average_deal_value": float("inf")}, "average_deal_value", id="endless"),
        pytest.param({"months": 0}, "months = 0", id="no month"),
        pytest.param({"months": 2.5}, "months = 2.5", id="half a month"),
        pytest.param({"months": 1000}, "months = 1000", id="too far"),
        pytest.param({"leads_per_month": -1}, "leads of 2027-01 = -1", id="negative leads"),
        pytest.param({"leads_per_month": float("nan")}, "leads of 2027-01", id="missing leads"),
        pytest.param({"leads_per_month": [1, 2]}, "2 numbers for 12", id="too few numbers"),
        pytest.param({"leads_per_month": [[1.0] * 12]}, "1 numbers for 12", id="a table"),
        pytest.param({"leads_per_month": {"Jan": 1}}, "month 'Jan'", id="no month's name"),
        pytest.param({"leads_per_month": {"2028-01": 1}}, "after the last", id="after the end"),
        pytest.param({"monthly_growth": -1.1}, "monthly_growth", id="shrinks below nothing"),
        pytest.param(
            {"leads_per_month": [1] * 12, "monthly_growth": 0.1}, "one number", id="growth twice"
        ),
        pytest.param({"start": None}, "start is missing", id="no start"),
        pytest.param({"lag_days": -1}, "lag_days = -1", id="wins before leads"),
        pytest.param({"lag_days": float("nan")}, "lag_days = nan", id="no number"),
        pytest.param({"lag_days": [0.0, 0.0]}, "lag_days", id="no share"),
        pytest.param({"lag_days": [0.5, -0.5]}, "lag_days", id="negative share"),
        pytest.param({"lag_days": [[1.0]]}, "lag_days", id="a table of shares"),
        pytest.param({"lag_days": known(0.0)}, "nothing ever arrives", id="an empty curve"),
        pytest.param({"annual_churn": 1.0}, "annual_churn", id="all leave"),
        pytest.param({"mrr": -5.0}, "mrr = -5", id="negative base"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(options, message):
    """What, and what was expected."""
    with pytest.raises(PlanError, match=message):
        run(**options)


@pytest.mark.parametrize("wrong", [{"months": 0}, {"target": -1.0}, {"mrr": float("nan")}])
def test_nonsense_backwards(wrong):
    """The closed form checks the same."""
    with pytest.raises(PlanError):
        new_mrr_per_month(**({"mrr": 1.0, "target": 2.0, "months": 3} | wrong))


def test_cohorts_too_young_for_an_age_do_not_count_at_it():
    """Nor is an age that nobody has reached taken for nothing won."""
    nan = np.nan
    assert rates_by_age([[1, 3, nan], [3, nan, nan]])[:2].tolist() == [2.0, 3.0]
    assert np.isnan(rates_by_age([[1, 3, nan], [3, nan, nan]])[2])


@pytest.mark.parametrize("wrong", [[], [1, 2], [[-1.0]], [[np.nan, 1.0]]])
def test_a_triangle_with_holes_is_refused(wrong):
    """Empty, flat, negative, or a gap before a known share."""
    with pytest.raises(PlanError, match="triangle"):
        rates_by_age(wrong)
