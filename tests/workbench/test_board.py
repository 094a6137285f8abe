"""The board without a browser: what the controls say is what the planner is asked."""

import html
import re
from datetime import date
from html.parser import HTMLParser

import ipywidgets as w
import pytest
from companies import random_walks, stages
from companies import snapshot as company

from kpi import TableError
from kpi.planning import FunnelModel, recent_wins, reverse_funnel
from workbench import words
from workbench.boards import ReverseFunnelBoard

AS_OF, END = date(2026, 11, 1), date(2027, 5, 31)
HOSTILE = {
    "S1": "<script>alert(1)</script>",
    "S2": '"><img src=x onerror=alert(1)>',
    "S3": "</table></div><b>free</b> & <i>",
}


@pytest.fixture(scope="module")
def fresh(model):
    """One board for all tests; drawing is what takes time."""
    return ReverseFunnelBoard(model)


@pytest.fixture
def board(fresh):
    """The board as it first stood, and put back afterwards where a test left it otherwise."""
    before, targets, plan = state(fresh), dict(fresh._target_of), fresh.plan
    yield fresh
    fresh._target_of = targets
    if state(fresh) == before and fresh.plan is plan:
        return
    fresh._quiet = True
    for control, value in zip(controls(fresh), before, strict=True):
        control.value = value
    fresh._quiet = False
    fresh.refresh()


def controls(board):
    """Every input, the goal first: it puts its own target in place."""
    fields = [number.field for number in inputs(board)]
    return [board.goal, board.target, board.by, board.confidence, *fields]


def state(board):
    """What the inputs say."""
    return [control.value for control in controls(board)]


@pytest.fixture(scope="module")
def hostile():
    """A board for a company whose stages are named by an enemy."""
    frames = random_walks(seed=3, count=60)
    named = stages().assign(label=lambda rows: rows["stage_id"].map(HOSTILE))
    deals = frames["deals"].assign(name="Secret Deal & Co", owner_id="owner-77")
    source = '<img src=x onerror="alert(2)">'
    frames = frames | {"stages": named, "deals": deals}
    return ReverseFunnelBoard(company(frames, source=source), wins=5)


def inputs(board):
    """Every number that history gives: the rates and the deal value."""
    return [*board.rates.values(), board.deal_value]


def widgets(widget):
    """Walk through a widget and all it shows."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from widgets(child)


def shown(board):
    """All mark-up of the board, one text."""
    return "\n".join(part.value for part in widgets(board.view) if isinstance(part, w.HTML))


def said(plan):
    """What tells two plans apart."""
    return (
        plan.to_create,
        plan.probability,
        plan.by,
        plan.wins,
        plan.new_mrr,
        plan.confidence,
        plan.needs,
        plan.from_pipeline,
        plan.table["need"].tolist(),
    )


def test_a_board_begins_with_the_recent_wins_six_months_and_80_per_cent(board, snapshot):
    """Nobody has to type anything to get a first answer."""
    assert board.goal.value == "deals won"
    assert board.target.value == recent_wins(snapshot) > 0
    assert board.by.value == END
    assert board.confidence.value == 80
    assert board.problem == ""


def test_the_untouched_board_says_what_the_planner_says(board, model):
    """Rates are shown rounded; what is not touched must not be rounded in the plan."""
    assert all(number.override is None for number in inputs(board))
    by_hand = reverse_funnel(model, wins=model.recent_wins, by=END, confidence=0.8)
    assert said(board.plan) == said(by_hand)


def test_the_shown_rate_is_history_in_per_cent(board, model):
    """One decimal; its interval and count stand beside it."""
    assert list(board.rates) == list(model.rates)
    for name, rate in model.rates.items():
        assert board.rates[name].default == round(100 * rate.value, 1)
        assert f"n {rate.n:,}" in board.rates[name].note.value
    assert board.deal_value.default == round(model.deal_value)


def test_every_input_moves_the_plan_as_a_call_by_hand_would(board, model):
    """Target, date, chance, a rate: each reaches the planner, in its unit."""
    board.target.value = 40
    assert said(board.plan) == said(reverse_funnel(model, wins=40, by=END))
    board.by.value = date(2027, 8, 31)
    board.confidence.value = 90
    board.rates["leads"].field.value = 20
    board.rates["Proposal"].field.value = 70
    changed = model.with_rates({"leads": 0.2, "Proposal": 0.7})
    by_hand = reverse_funnel(changed, wins=40, by=date(2027, 8, 31), confidence=0.9)
    assert said(board.plan) == said(by_hand)
    assert words.sentence(by_hand) in html.unescape(board.answer.value)


def test_a_rate_typed_as_it_is_shown_counts_as_untouched(board, model):
    """Typing 20, then the number that stood there, is the same as never typing."""
    shown_rate = board.rates["leads"].default
    assert shown_rate != 100 * model.rates["leads"].value
    before = said(board.plan)
    board.rates["leads"].field.value = 20
    assert said(board.plan) != before
    board.rates["leads"].field.value = shown_rate
    assert said(board.plan) == before


def test_one_reset_takes_back_one_number(board):
    """The button is dead while there is nothing to take back."""
    rate, other = board.rates["leads"], board.rates["Proposal"]
    assert rate.reset.disabled
    rate.field.value, other.field.value = 20, 70
    assert not rate.reset.disabled
    rate.reset.click()
    assert rate.field.value == rate.default
    assert rate.reset.disabled
    assert other.field.value == 70


def test_reset_all_takes_back_every_number_and_keeps_the_target(board, model):
    """History again, for the target just typed."""
    board.target.value = 20
    for number in inputs(board):
        number.field.value = 55
    board.reset.click()
    assert all(number.override is None and number.reset.disabled for number in inputs(board))
    assert said(board.plan) == said(reverse_funnel(model, wins=20, by=END))


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("control", "bad", "message"),
    [
        pytest.param("target", 0.0, "above 0", id="no target"),
        pytest.param("target", -3.0, "above 0", id="negative target"),
        pytest.param("target", NAN, "above 0", id="target is not a number"),
        pytest.param("target", INF, "above 0", id="endless target"),
        pytest.param("target", 1e9, "split the target", id="huge target"),
        pytest.param("by", None, "set the date", id="no date"),
        pytest.param("by", date(2020, 1, 1), "before the plan can start", id="date in the past"),
        pytest.param("by", date(2090, 1, 1), "more than ten years", id="date far away"),
        pytest.param("rate", 0.0, "above 0", id="rate of nothing"),
        pytest.param("rate", 150.0, "up to 1", id="rate above all"),
        pytest.param("rate", NAN, "above 0", id="rate is not a number"),
        pytest.param("deal_value", 0.0, "deal_value = 0.0", id="deal worth nothing"),
    ],
)
def test_a_bad_input_shows_its_message_and_the_next_good_one_recovers(board, control, bad, message):
    """Never a stale answer beside an input that makes no sense."""
    fields = {
        "target": board.target,
        "by": board.by,
        "rate": board.rates["leads"].field,
        "deal_value": board.deal_value.field,
    }
    field, before = fields[control], said(board.plan)
    good = field.value
    field.value = bad
    assert board.plan is None
    assert message in board.problem
    assert html.escape(board.problem) in board.answer.value
    assert "rf-answer" not in board.answer.value
    assert board.picture.value == board.table.value == ""
    assert board._repr_mimebundle_()["text/plain"] == board.problem
    field.value = good
    assert board.problem == ""
    assert said(board.plan) == before
    assert "rf-problem" not in board.answer.value
    assert board.picture.value.count("<img") == 2


def test_each_goal_keeps_its_own_target(board, model):
    """Switching to revenue and back loses neither number."""
    board.target.value = 21
    board.goal.value = "new MRR"
    assert board.target.value == round(model.recent_wins * model.deal_value, -3)
    board.target.value = 30_000
    by_hand = reverse_funnel(model, new_mrr=30_000, by=END)
    assert said(board.plan) == said(by_hand)
    board.goal.value = "deals won"
    assert board.target.value == 21
    assert board.plan.wins == 21
    board.goal.value = "new MRR"
    assert board.target.value == 30_000


def test_the_value_of_a_deal_changes_what_revenue_takes(board, model):
    """Half the value, about twice the leads."""
    board.goal.value = "new MRR"
    board.target.value = 30_000
    usual = board.plan.to_create
    board.deal_value.field.value = 900
    changed = model.with_rates(deal_value=900)
    assert said(board.plan) == said(reverse_funnel(changed, new_mrr=30_000, by=END))
    assert board.plan.to_create > usual


def test_what_is_asked_for_at_the_start_is_what_is_planned(model):
    """Target, date and chance may come from a notebook's parameters."""
    board = ReverseFunnelBoard(model, new_mrr=20_000, by="2027-03-31", confidence=0.6)
    assert board.goal.value == "new MRR"
    by_hand = reverse_funnel(model, new_mrr=20_000, by="2027-03-31", confidence=0.6)
    assert said(board.plan) == said(by_hand)


@pytest.mark.parametrize("chance", [1, 0, 1.2, NAN])
def test_a_chance_that_the_slider_cannot_show_is_refused(model, chance):
    """A page for 99 % where 100 % was asked for is wrong."""
    with pytest.raises(TableError, match=f"confidence = {chance}"):
        ReverseFunnelBoard(model, confidence=chance)


@pytest.mark.parametrize("chance", [0.5, 0.57, 0.95])
def test_any_other_chance_is_planned_for_as_it_is(model, chance):
    """In whole per cent, without a rounding error on the way."""
    assert ReverseFunnelBoard(model, wins=5, confidence=chance).plan.confidence == chance


def test_two_targets_at_once_are_refused(model):
    """Which of them would count?"""
    with pytest.raises(TableError, match="at most one"):
        ReverseFunnelBoard(model, wins=3, new_mrr=5_000)


@pytest.mark.parametrize("target", ["wins", "new_mrr"])
def test_a_target_of_nothing_is_not_taken_for_no_target(model, target):
    """`wins=0` is a mistake to be told, not the default."""
    board = ReverseFunnelBoard(model, **{target: 0})
    assert board.plan is None
    assert board.problem == f"{target} = 0; expected a number above 0"


def test_an_assumed_model_needs_a_start():
    """There is no as-of date to begin after, and never the clock."""
    with pytest.raises(TableError, match="start"):
        ReverseFunnelBoard(FunnelModel.assume())


def test_an_assumed_model_with_a_start_is_planned_and_labelled():
    """A founder without data gets an answer, marked as not his own figures."""
    model = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33)
    board = ReverseFunnelBoard(model, wins=5, by="2027-01-31", start=date(2027, 1, 1))
    assert board.plan.total_leads == 136  # the example of kpi.planning.reverse_funnel
    assert board.goal.options == ("deals won",)
    assert {rate.note.value for rate in board.rates.values()} == {"assumed, not yours"}
    assert "assumed rates, not yours" in shown(board)


def test_every_control_is_an_attribute_and_says_what_it_is(board):
    """Reachable from code, by keyboard and by a screen reader."""
    named = [board.goal, board.target, board.by, board.confidence, board.reset]
    named += [part for number in inputs(board) for part in (number.field, number.reset)]
    kinds = (w.FloatText, w.IntSlider, w.DatePicker, w.ToggleButtons, w.Button)
    on_screen = [part for part in widgets(board.view) if isinstance(part, kinds)]
    assert {id(part) for part in on_screen} == {id(part) for part in named}
    for part in on_screen:
        assert part.description or part.tooltip or any(part.tooltips), part


def test_without_widgets_the_answer_is_a_sentence(board):
    """A viewer, a text export or a test reads it all the same."""
    assert board._repr_mimebundle_()["text/plain"] == words.sentence(board.plan)


def test_stage_names_never_become_mark_up(hostile):
    """`ipywidgets.HTML` runs what it is given."""
    tags, attributes = set(), set()
    parser = HTMLParser()

    def opened(tag, found):
        tags.add(tag)
        attributes.update(name for name, _ in found)

    parser.handle_starttag = opened
    parser.feed(shown(hostile))
    known = {"style", "h4", "div", "ul", "li", "b", "img"}
    assert tags <= known | {"table", "thead", "tbody", "tr", "th", "td"}
    assert attributes <= {"class", "style", "alt", "src"}
    for label in HOSTILE.values():
        assert html.escape(label) in hostile.table.value
    assert all(not part.description_allow_html for part in described(hostile))


def described(board):
    """Widgets with a description, which could show HTML."""
    return [part for part in widgets(board.view) if hasattr(part, "description_allow_html")]


def test_a_hostile_message_is_escaped_too(hostile):
    """The name of a step stands in the planner's error."""
    rate = hostile.rates[HOSTILE["S1"]]
    rate.field.value = 0
    assert hostile.plan is None
    assert "<script" not in hostile.answer.value
    rate.back()
    assert hostile.plan is not None


def test_the_saved_state_of_the_widgets_holds_no_secret_and_no_record(hostile):
    """A notebook file saves the state of every widget in clear."""
    saved = str([part.get_state() for part in widgets(hostile.view)])
    assert not [part for part in widgets(hostile.view) if isinstance(part, w.Password | w.Textarea)]
    assert "Target" in saved
    assert not re.search(r"\bd\d+\b|Secret Deal|owner-77", saved)


def test_the_samples_records_are_not_in_the_widgets(board, snapshot):
    """Neither ids nor names of deals, leads, sellers and companies."""
    saved = str([part.get_state() for part in widgets(board.view)])
    names = [*snapshot.owners.to_pandas()["name"], *snapshot.accounts.to_pandas()["name"]]
    names += snapshot.deals.to_pandas()["name"].tolist()
    assert len(names) > 700
    assert not [name for name in names if name in saved]
    assert not re.search(r"\b[LDAO]-\d+", saved)
