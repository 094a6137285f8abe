"""The bottoms-up board without a browser: four lead indicators in, the lag indicators out."""

import pytest
from companies import random_walks, stages
from companies import snapshot as company

from kpi import TableError
from kpi.planning import FunnelModel, bottoms_up
from workbench import charts_plan, plan_tables, theme
from workbench.boards import BottomsUpBoard
from workbench.boards.bottoms_up import mean_days


@pytest.fixture(scope="module")
def fresh(snapshot):
    """One board for all tests; fitting takes time."""
    return BottomsUpBoard(snapshot)


@pytest.fixture
def board(fresh):
    """The board as it first stood."""
    yield fresh
    fresh.frame.reset()


@pytest.fixture(scope="module")
def founder():
    """A board of the rules of thumb, with two thousand a deal."""
    model = FunnelModel.assume(deal_value=2_000)
    return BottomsUpBoard(model, months=2, start="2027-01-15")


def test_the_indicators_begin_with_the_companys_own(board, model):
    """Each with its n and interval beside it."""
    assert board.leads.default == round(model.leads_per_month)
    assert board.conversion.default == round(100 * model.rates["leads"].value, 1)
    won = model.curves[1, model.top].rate()
    assert board.win_rate.default == round(100 * won.value, 1)
    assert f"n {won.n:,}" in board.win_rate.note.value
    assert board.deal_value.default == round(model.deal_value)
    assert f"mean of {len(model.values):,} deals won" in board.deal_value.note.value


def test_without_data_the_article_comes_out(founder):
    """A hundred leads, 15 %, 33 %, 2,000: 4.95 wins a month, the example of `bottoms_up`."""
    founder.lag.value = "none"
    assert founder.table["wins"].tolist() == pytest.approx([4.95, 4.95])
    assert founder.table["mrr"].tolist() == pytest.approx([9_900, 19_800])
    assert {founder.conversion.note.value, founder.win_rate.note.value} == {
        "rule of thumb, not yours"
    }
    assert "15% of them opportunities and 33% of these won, bring 9.9 wins" in founder.sentence


@pytest.mark.parametrize("lag", ["none", "average", "distribution"])
def test_the_lag_switch_is_that_of_the_planner(board, model, lag):
    """None, the mean of the company's delays, or all of them."""
    board.lag.value, board.earlier.value, board.months.value = lag, False, 8
    curves = model.curve(0, model.top), model.curve(0, 1)
    to_win, to_deal = {
        "none": (None, None),
        "average": (mean_days(curves[0]), mean_days(curves[1])),
        "distribution": curves,
    }[lag]
    by_hand = bottoms_up(
        leads_per_month=board.leads.field.value,
        lead_conversion=round(board.conversion.field.value / 100, 9),
        win_rate=round(board.win_rate.field.value / 100, 9),
        average_deal_value=board.deal_value.field.value,
        months=8,
        lag_days=to_win,
        opportunity_lag_days=to_deal,
        start="2026-12-01",
    )
    assert board.table["wins"].tolist() == pytest.approx(by_hand["wins"].tolist())
    assert board.table["opportunities"].tolist() == pytest.approx(by_hand["opportunities"].tolist())
    empty = any("pipeline is taken to be empty" in note for note in board.frame.shown.notes)
    assert empty == (lag != "none")


def test_leads_that_are_there_already_still_win(board):
    """No month between the data and the start is forgotten: a steady pace gives steady wins."""
    board.leads.field.value = 86
    with_them = board.table["wins"]
    assert with_them.iloc[0] > 3
    assert with_them.min() > 0.75 * with_them.max()
    board.earlier.value = False
    assert board.table["wins"].iloc[0] < 0.5
    assert board.table["wins"].iloc[-1] <= with_them.iloc[-1] + 1e-9


def test_the_base_churns(board, model):
    """What runs already leaves at the rate beside; what is won comes on top."""
    board.lag.value = "none"
    before = board.table["mrr"].iloc[-1]
    board.churn.field.value = 30
    assert board.table["mrr"].iloc[-1] < before - 0.15 * model.base.mrr
    board.leads.field.value = board.churn.field.value = 0
    grown = model.base.mrr * (1 + model.base.expansion) ** 12
    assert board.table["mrr"].iloc[-1] == pytest.approx(grown, rel=1e-6)


@pytest.mark.parametrize(
    ("control", "bad", "message"),
    [
        pytest.param("leads", -1.0, "expected a number", id="fewer than none"),
        pytest.param("conversion", 101.0, "expected 0 to 100", id="more than all"),
        pytest.param("win_rate", float("nan"), "expected 0 to 100", id="not a number"),
        pytest.param("deal_value", -5.0, "average_deal_value = -5", id="negative value"),
        pytest.param("churn", 100.0, "annual_churn", id="all leave"),
    ],
)
def test_a_bad_input_says_so_in_place(board, control, bad, message):
    """And the next good one recovers."""
    number = getattr(board, control)
    number.field.value = bad
    assert board.table is None
    assert message in board.problem
    assert board.sentence == board.problem
    number.reset.click()
    assert board.problem == ""
    assert board.table is not None


def test_undo_and_the_text_for_viewers(board):
    """One step back; where there are no widgets, the sentence."""
    before = board.sentence
    board.leads.field.value = 300
    assert board.sentence != before
    assert board._repr_mimebundle_()["text/plain"] == board.sentence
    board.frame.undo()
    assert board.sentence == before


def test_the_table_and_the_picture_say_the_same(board):
    """Sums of what flows, the level at the end; no warning from Vega-Lite."""
    shown = plan_tables.bottoms_up_table(board.table)
    assert shown.loc["total", "wins"] == f"{board.table['wins'].sum():,.1f}"
    assert shown.loc["total", "MRR at the end"] == shown["MRR at the end"].iloc[-2]
    chart = charts_plan.bottoms_up(board.table)
    assert f"{board.table['wins'].sum():,.1f} wins in all" in theme.caption(chart.to_dict())
    assert "<svg" in theme.svg(chart)


def test_every_number_can_be_explained(board):
    """Each KPI offered is accounted for by its own code."""
    explain = board.frame.explain
    explain.open.value = True
    for name in explain.name.options:
        explain.name.value = name if isinstance(name, str) else name[1]
        assert "own code says the same" in explain.page.value
    explain.open.value = False


def test_deals_without_leads_are_refused_by_name():
    """There is no lead to begin with."""
    with pytest.raises(TableError, match="the data has none"):
        BottomsUpBoard(company(random_walks(seed=3, count=80) | {"stages": stages()}))


def test_an_assumed_model_needs_a_start():
    """Never the clock."""
    with pytest.raises(TableError, match="start"):
        BottomsUpBoard(FunnelModel.assume(deal_value=1_000))
