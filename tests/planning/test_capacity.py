"""Sellers against the plan: ramp, leavers, part months, dilution and hires, worked out by hand."""

from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpi.planning import FunnelModel, PlanError, reverse_funnel
from kpi.planning.capacity import capacity
from kpi.planning.hires import hires
from kpi.planning.plan import Plan
from kpi.planning.staff import Months, staff
from kpi.tables import TableError

RATES = {"lead_conversion": 0.2, "win_rate": 0.25}
SPRING = ["2027-01", "2027-02", "2027-03", "2027-04"]


@cache
def solved(first, last):
    """Plan of nine wins, of which only what is not in its table matters here."""
    model = FunnelModel.assume(**RATES, deal_value=100.0)
    return reverse_funnel(model, wins=9, start=first, by=last, draws=100)


def plan_of(leads, *, in_pipeline=0.0, direct=0.0, first="2027-01-01"):
    """Plan that needs these leads, month by month; a fifth of them become deals."""
    months = pd.date_range(first[:8] + "01", periods=len(leads), freq="MS")
    rows = []
    for month, n in zip(months, leads, strict=True):
        deals = {"in_pipeline": in_pipeline, "direct": direct, "to_create": n * 0.2}
        stages = {
            "leads": {"in_pipeline": 0.0, "direct": 0.0, "to_create": n},
            "deals": deals,
            "won": {"in_pipeline": 0.0, "direct": 0.0, "to_create": 1.0},
        }
        rows += [
            {"month": month, "stage": name, "label": name, "need": sum(parts.values()), **parts}
            for name, parts in stages.items()
        ]
    plan = solved(first, str((months[-1] + pd.offsets.MonthEnd()).date()))
    return replace(plan, table=pd.DataFrame(rows).astype({"month": "datetime64[us]"}))


def owners(*rows):
    """Table of owners: id, first day, months of ramp, whether active."""
    return pd.DataFrame(rows, columns=["owner_id", "starts_on", "ramp_months", "active"])


def test_columns():
    """The four of the issue come first."""
    table = capacity(plan_of([100.0, 100.0]), 2)
    assert table.columns[:4].tolist() == ["month", "capacity", "need", "wins"]
    assert table["month"].tolist() == list(pd.date_range("2027-01-01", periods=2, freq="MS"))


def test_a_plan_within_the_sellers_reach():
    """Two sellers can work 150 leads; of 100, a fifth become deals and a quarter of these wins."""
    row = capacity(plan_of([100.0]), 2).iloc[0]
    assert row[["capacity", "need", "leads_per_seller"]].tolist() == [150.0, 100.0, 50.0]
    assert row["wins"] == pytest.approx(100 * 0.2 * 0.25)
    assert (row["short"], row["binding"]) == (False, "leads")


@pytest.mark.parametrize(
    ("sellers", "leads", "deals_each", "wins", "binding"),
    [
        pytest.param(1, 100.0, 15, 75 * 0.05, "capacity", id="too few hands for the leads"),
        pytest.param(2, 100.0, 15, 100 * 0.05, "leads", id="enough hands: leads limit"),
        pytest.param(8, 100.0, 15, 100 * 0.05, "leads", id="many hands: the leads still limit"),
        pytest.param(2, 100.0, 5, 10 * 0.25, "deals_capacity", id="too few hands for the deals"),
        pytest.param(0, 100.0, 15, 0.0, "capacity", id="nobody"),
    ],
)
def test_what_limits_the_wins(sellers, leads, deals_each, wins, binding):
    """Leads there, time for leads, time for deals: the least of the three."""
    row = capacity(plan_of([leads]), sellers, deals_per_seller=deals_each).iloc[0]
    assert row["wins"] == pytest.approx(wins)
    if sellers:
        assert row["binding"] == binding
    assert row["short"] == (binding != "leads")


def test_more_sellers_on_the_same_leads_are_diluted():
    """No win more, fewer leads for each, and the result says so."""
    leads = dict.fromkeys(SPRING, 120)
    few, many = (
        capacity(plan_of([300.0] * 4), sellers, leads_by_month=leads) for sellers in (2, 6)
    )
    assert many["wins"].tolist() == few["wins"].tolist() == pytest.approx([6.0] * 4)
    assert few["leads_per_seller"].tolist() == [60.0] * 4
    assert many["leads_per_seller"].tolist() == [20.0] * 4
    assert any(
        "20.0 for each on board: more sellers would dilute" in n for n in many.attrs["notes"]
    )


def test_other_leads_change_the_wins_and_not_the_need():
    """Months not named have none."""
    table = capacity(plan_of([100.0, 100.0]), 2, leads_by_month={"2027-02": 40})
    assert table["need"].tolist() == [100.0, 100.0]
    assert table["leads"].tolist() == [0.0, 40.0]
    assert table["wins"].tolist() == pytest.approx([0.0, 2.0])


def test_deals_that_need_no_new_lead_count():
    """Waiting leads that become deals, and deals without a lead: ten and five a month."""
    plan = plan_of([100.0], in_pipeline=10.0, direct=5.0)
    assert capacity(plan, 4)["wins"].iloc[0] == pytest.approx((20 + 15) * 0.25)
    assert capacity(plan, 0)["wins"].iloc[0] == 0.0
    assert capacity(plan, 2)["deals_need"].iloc[0] == pytest.approx(35.0)
    assert capacity(plan, 2)["wins"].iloc[0] == pytest.approx(30 * 0.25)


def test_the_ramp_is_a_straight_line():
    """Three months: 1/6, 3/6, 5/6 of a seller on average, then a whole one."""
    table = capacity(plan_of([10.0] * 5), 1, ramp_months=3)
    assert table["sellers"].tolist() == pytest.approx([1 / 6, 3 / 6, 5 / 6, 1, 1])
    assert table["headcount"].tolist() == [1.0] * 5
    assert table["capacity"].tolist() == pytest.approx([12.5, 37.5, 62.5, 75, 75])


def test_a_ramp_that_ends_within_a_month():
    """Half a month of ramp: half speed for half of it, then whole."""
    assert capacity(plan_of([10.0]), 1, ramp_months=0.5)["sellers"].iloc[0] == pytest.approx(0.75)


def test_a_fifth_leaves_in_a_year():
    """Read in the middle of each month; after twelve months a fifth fewer than before."""
    table = capacity(plan_of([1.0] * 12), 10, leave_rate=0.2)
    assert table["headcount"].iloc[0] == pytest.approx(10 * 0.8 ** (0.5 / 12))
    assert table["headcount"].iloc[11] == pytest.approx(10 * 0.8 ** (11.5 / 12))
    assert (table["capacity"] / table["headcount"]).tolist() == pytest.approx([75.0] * 12)


def test_part_of_a_month_counts_as_part():
    """From 15 February 2027, 14 of 28 days: half of what a seller works in a month."""
    table = capacity(plan_of([10.0, 10.0], first="2027-02-15"), 2)
    assert table["capacity"].tolist() == pytest.approx([75.0, 150.0])


def test_owners_by_their_own_dates():
    """Long there; starting in mid-January with a ramp; starting in March; gone."""
    team = owners(
        ("a", None, None, None),
        ("b", "2027-01-16", 2, True),
        ("c", date(2027, 3, 1), None, True),
        ("d", "2020-01-01", None, False),
    )
    months = Months.of(
        [date(2027, m, 1) for m in (1, 2, 3, 4)], date(2027, 1, 1), date(2027, 4, 30)
    )
    each = staff(team, date(2027, 1, 1), 0).effective(months, 0.0)
    late = 16 / 31  # of January worked by b, whose line rises by a half each month
    ends = np.minimum(np.array([late, late + 1, late + 2, late + 3]), 2) ** 2 / 4
    worked = np.diff(ends + np.maximum(np.array([late, late + 1, late + 2, late + 3]) - 2, 0))
    assert each[0].tolist() == [1.0] * 4
    assert each[1].tolist() == pytest.approx([late**2 / 4, *worked])
    assert each[2].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert len(each) == 3


def test_the_ramp_of_owners_goes_before_the_general_one():
    """`ramp_months` holds for whom the table says nothing, and not for those long there."""
    team = owners(("a", "2027-01-01", 0, True), ("b", "2027-01-01", None, True))
    team = pd.concat([team, owners(("c", None, None, True))])
    assert staff(team, date(2027, 1, 1), 4).ramp.tolist() == [0.0, 4.0, 4.0]
    assert capacity(plan_of([1.0]), team, ramp_months=4)["sellers"].iloc[0] == pytest.approx(2.125)


def test_quota_and_pay():
    """Quotas follow the ramp, earnings do not; either is missing where it is not known."""
    team = owners(("a", None, None, True), ("b", "2027-01-01", 2, True)).assign(
        annual_ote=[120_000, 60_000]
    )
    table = capacity(plan_of([1.0] * 2), team, quota={"a": 1000.0, "b": 400.0, "gone": 1.0})
    assert table["quota"].tolist() == pytest.approx([1100.0, 1300.0])
    assert table["pay"].tolist() == pytest.approx([15_000.0, 15_000.0])
    assert capacity(plan_of([1.0]), 2, quota=500.0)["quota"].tolist() == [1000.0]
    assert capacity(plan_of([1.0]), 2)[["quota", "pay"]].isna().all(axis=None)
    unknown = team.assign(annual_ote=[120_000, None])
    assert capacity(plan_of([1.0]), unknown)["pay"].isna().all()


def test_quotas_below_the_plan_are_said():
    """The plan wins some 100s of revenue a month; quotas of 1 do not add up to that."""
    notes = capacity(plan_of([100.0]), 2, quota=1.0).attrs["notes"]
    assert "in 1 months quotas add up to less than the plan brings" in notes


def test_months_that_are_short_are_named():
    """And in words, with who must begin by when."""
    table = capacity(plan_of([100.0, 200.0, 300.0, 100.0]), 2, ramp_months=2)
    assert table.attrs["short"] == ["2027-01", "2027-02", "2027-03"]
    assert table["short"].tolist() == [True, True, True, False]
    assert table.attrs["hire_by"] == "2026-11-01"
    assert any(
        "first in January 2027" in n and "before the plan" in n for n in table.attrs["notes"]
    )
    calm = capacity(plan_of([100.0]), 2)
    assert (calm.attrs["hire_by"], calm.attrs["hires"], calm.attrs["short"]) == (None, 0, [])


def test_hires_a_ramp_before_they_are_needed():
    """150 leads are covered; 300 in April take two more from February, 400 in May two more."""
    found = hires(plan_of([150.0, 150.0, 150.0, 300.0, 400.0]), owners_up_to_speed(), ramp_months=2)
    assert found["for_month"].tolist() == [pd.Timestamp("2027-04-01"), pd.Timestamp("2027-05-01")]
    assert found["hires"].tolist() == [2, 2]
    assert found["begin"].tolist() == [pd.Timestamp("2027-02-01"), pd.Timestamp("2027-03-01")]
    assert found["in_time"].tolist() == [True, True]


def owners_up_to_speed():
    """Two sellers who have been there for long."""
    return owners(("a", None, None, True), ("b", None, None, True))


@pytest.mark.parametrize(
    ("ramp", "begin", "in_time"),
    [
        pytest.param(0, "2027-01-01", True, id="at once"),
        pytest.param(1, "2026-12-01", False, id="a month before"),
        pytest.param(
            2.5, "2026-10-01", False, id="two and a half months: from the first of a month"
        ),
    ],
)
def test_a_hire_that_should_have_begun_already(ramp, begin, in_time):
    """The day is told all the same, and that it has gone by."""
    row = hires(plan_of([225.0]), owners_up_to_speed(), ramp_months=ramp).iloc[0]
    assert (row["hires"], row["begin"], row["in_time"]) == (1, pd.Timestamp(begin), in_time)


def test_new_sellers_take_as_long_as_those_before():
    """Without `ramp_months`, the median of the owners' own."""
    team = owners(("a", "2026-01-01", 2, True), ("b", "2026-01-01", 4, True))
    assert hires(plan_of([225.0]), team)["begin"].iloc[0] == pd.Timestamp("2026-10-01")


@settings(derandomize=True, max_examples=30, deadline=None)
@given(
    st.lists(st.floats(0, 900), min_size=1, max_size=8),
    st.integers(0, 5),
    st.sampled_from([0, 1, 2.5, 4]),
    st.floats(0, 0.6),
    st.floats(1, 30),
)
def test_with_its_hires_no_month_is_short(leads, sellers, ramp, leave, deals_each):
    """Put on board as told, they carry every month; one fewer would not carry the last told."""
    plan = plan_of(leads)
    team = owners(*[(str(k), None, None, True) for k in range(sellers)])
    rules = {"deals_per_seller": deals_each, "leave_rate": leave, "ramp_months": ramp}
    found = hires(plan, team, **rules)
    more = [row.begin for row in found.itertuples() for _ in range(row.hires)]
    joined = owners(
        *team.itertuples(index=False), *[(f"n{k}", day, ramp, True) for k, day in enumerate(more)]
    )
    assert not capacity(plan, joined, **rules)["short"].any()
    if more:
        assert capacity(plan, joined.iloc[:-1], **rules)["short"].any()


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 500), min_size=1, max_size=6), st.integers(0, 8))
def test_a_seller_more_never_wins_less(leads, sellers):
    """Nor more than the leads allow."""
    plan = plan_of(leads)
    before, after = (capacity(plan, n)["wins"].to_numpy() for n in (sellers, sellers + 1))
    assert (after >= before - 1e-12).all()
    assert (after <= np.array(leads) * 0.05 + 1e-9).all()


def test_a_plan_without_leads_counts_deals():
    """There is nothing but deals: 15 for each seller."""
    plan = plan_of([100.0])
    deals = plan.table[plan.table["stage"] != "leads"]
    plan = replace(plan, table=deals, total_leads=None, rates={"deals": 0.25})
    assert isinstance(plan, Plan)
    row = capacity(plan, 1).iloc[0]
    assert row[["capacity", "need"]].tolist() == [15.0, 20.0]
    assert row["wins"] == pytest.approx(15 * 0.25)
    assert hires(plan, 1)["hires"].tolist() == [1]


@pytest.mark.parametrize(
    ("sellers", "options", "message"),
    [
        pytest.param(-1, {}, "sellers = -1", id="negative"),
        pytest.param(float("nan"), {}, "sellers = nan", id="missing"),
        pytest.param(2, {"leads_per_seller": 0}, "leads_per_seller = 0", id="works nothing"),
        pytest.param(2, {"deals_per_seller": -1}, "deals_per_seller = -1", id="negative deals"),
        pytest.param(2, {"ramp_months": -1}, "ramp_months = -1", id="negative ramp"),
        pytest.param(2, {"ramp_months": float("nan")}, "ramp_months = nan", id="no ramp"),
        pytest.param(2, {"leave_rate": 1.0}, "leave_rate = 1", id="all leave"),
        pytest.param(2, {"leave_rate": 20}, "leave_rate = 20", id="per cent"),
        pytest.param(2, {"leads_by_month": {"2030-01": 1}}, "outside the plan", id="other years"),
        pytest.param(2, {"leads_by_month": {"2027-01": -1}}, "2027-01 = -1", id="negative leads"),
        pytest.param(2, {"quota": -5.0}, "quota = -5", id="negative quota"),
        pytest.param(2, {"quota": {"a": 5.0}}, "quota is missing", id="quotas of nobody"),
        pytest.param(owners(("a", None, None, True)), {"quota": {}}, "for 'a'", id="no quota"),
        pytest.param(owners(("a", "soon", None, True)), {}, "'soon'", id="no date"),
        pytest.param(
            owners(("a", None, None, True), ("a", None, None, True)), {}, "owners, row", id="twice"
        ),
    ],
)
def test_nonsense_is_refused_in_a_sentence(sellers, options, message):
    """What, where, and what was expected."""
    with pytest.raises(PlanError, match=message):
        capacity(plan_of([100.0]), sellers, **options)


def test_owners_without_ids_are_refused():
    """The error is that of every table that lacks a column."""
    with pytest.raises(TableError, match="owner_id"):
        capacity(plan_of([100.0]), pd.DataFrame({"name": ["a"]}))
