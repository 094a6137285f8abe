"""The board without a browser: what the controls say is what the planner is asked."""

import html
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from xml.etree import ElementTree

import ipywidgets as w
import pytest
from companies import random_walks, stages
from companies import snapshot as company

from kpi import TableError
from kpi.periods import month_start
from kpi.planning import (
    FunnelModel,
    Plan,
    Scenario,
    Target,
    chance,
    levers,
    recent_wins,
    reverse_funnel,
)
from workbench import plan_drawing, words
from workbench.boards import ReverseFunnelBoard
from workbench.boards.plan_numbers import leads_each_month, usual
from workbench.boards.reverse_funnel import KPIS, OF_LEADS
from workbench.boards.reverse_inputs import GOALS

AS_OF, END = date(2026, 11, 1), date(2027, 5, 31)
CONTROLS = (w.FloatText, w.BoundedIntText, w.DatePicker, w.Dropdown, w.Text, w.Button)
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
    targets = dict(fresh.inputs._target_of)
    yield fresh
    fresh.frame.reset()
    fresh.inputs._target_of = targets


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
    """Every number that history gives, or that begins at nothing."""
    others = [board.own, board.cap, board.cycle, board.churn, board.lead_cost]
    return [*board.rates.values(), board.deal_value, *[n for n in others if n is not None]]


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
    assert words.sentence(by_hand) in html.unescape(board.frame.answer.value)


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
    assert html.escape(board.problem) in board.frame.answer.value
    assert "rf-answer" not in board.frame.answer.value
    assert "<img" not in board.frame.picture.value
    assert board.frame.tables.value == ""
    assert board._repr_mimebundle_()["text/plain"] == board.problem
    field.value = good
    assert board.problem == ""
    assert said(board.plan) == before
    assert "rf-problem" not in board.frame.answer.value
    assert board.frame.picture.value.count("<img") == 2


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
    named += [board.levers.button, board.scenarios.name, board.freezer.name, board.freezer.button]
    on_screen = [part for part in widgets(board.view) if isinstance(part, CONTROLS)]
    assert {id(part) for part in named} <= {id(part) for part in on_screen}
    for part in on_screen:
        assert part.description or part.tooltip, part


@pytest.mark.parametrize("kind", ["new_mrr", "bookings", "mrr", "arr"])
def test_every_kind_of_target_the_data_knows_is_offered_and_planned(board, model, kind):
    """With what was usual at first, and the planner's own number."""
    board.goal.value = next(label for label, name in GOALS.items() if name == kind)
    assert board.target.value == usual(model)[kind]
    assert board.plan.target.kind == kind
    by_hand = reverse_funnel(model, by=END, **{kind: board.target.value})
    assert said(board.plan) == said(by_hand)
    assert board.sentence == words.sentence(by_hand)


def test_numbers_are_seen_in_two_parts_and_count_in_both(board):
    """Hiding one changes nothing; every number is in one of them."""
    boxes, before = board.inputs._turned, said(board.plan)
    assert sum(len(box.children) for box in boxes) == len(inputs(board))
    assert [box.layout.display for box in boxes] == ["", "none"]
    board.part.value = board.part.options[1]
    assert [box.layout.display for box in boxes] == ["none", ""]
    assert said(board.plan) == before
    board.part.value = board.part.options[0]


def test_own_leads_get_their_chance(board, model):
    """The same in every month up to the date."""
    board.target.value = 40
    board.own.field.value = 150
    months = ["2026-12", *[f"2027-{n:02}" for n in range(1, 6)]]
    target = Target(wins=40, by=END)
    assert board.plan.own_probability == chance(model, target, dict.fromkeys(months, 150))
    assert "Your own plan" in board.frame.answer.value
    board.own.field.value = -1
    assert "leads" in board.problem
    board.own.field.value = 0
    assert "Your own plan" not in board.frame.answer.value


def test_a_cap_is_kept_or_the_plan_says_why_it_cannot_be(board):
    """No month above it; out of reach is a sentence with the nearest target."""
    before, most = board.plan.leads_by_month, board.plan.months_to_create.max()
    board.cap.field.value = most
    assert board.plan.leads_by_month == before
    board.cap.field.value = most / 2
    assert board.plan is None
    assert "the nearest target with that chance is" in board.problem
    assert board.sentence == board.problem


def test_cycle_churn_and_cost_reach_the_planner(board, model):
    """In their units: per cent on the board, shares and factors below."""
    board.goal.value = "MRR at the date"
    board.target.value = 230_000
    board.cycle.field.value, board.churn.field.value = 90, 20
    board.lead_cost.field.value = 250
    changed = model.with_rates(cycle=0.9, annual_churn=0.2)
    by_hand = reverse_funnel(changed, mrr=230_000, by=END, lead_cost=250)
    assert said(board.plan) == said(by_hand)
    assert board.plan.spend == by_hand.spend == 250 * by_hand.to_create


def test_undo_takes_back_one_step_and_the_kind_of_target_with_it(board):
    """A switch of the kind moves two inputs, and is one step."""
    board.target.value = 21
    board.goal.value = "new MRR"
    board.frame.undo()
    assert (board.goal.value, board.target.value) == ("deals won", 21)
    assert board.plan.wins == 21
    board.frame.undo()
    assert board.target.value == recent_wins_of(board)


def recent_wins_of(board):
    """The target it began with."""
    return board.model.recent_wins


def test_levers_are_found_on_demand_and_dropped_when_an_input_changes(board, model):
    """For the own leads; what stood there was for other inputs."""
    board.target.value, board.own.field.value = 40, 150
    board.levers.start()
    board.levers.join(60)
    assert board.levers.said.value.count("working") == 0
    leads = dict.fromkeys(leads_each_month(Target(wins=40, by=END), AS_OF, 150), 150)
    by_hand = levers(model, Target(wins=40, by=END), leads)
    assert board.found["needed"].tolist() == pytest.approx(by_hand["needed"].tolist(), nan_ok=True)
    assert "With your own 150 a month" in board.lever_table.value
    board.own.field.value = 160
    assert board.found is None
    assert board.lever_table.value == ""


def test_a_plan_is_frozen_beside_the_notebook_and_never_rewritten(board, tmp_path, monkeypatch):
    """The file holds the plan shown; a second of that name is refused in place."""
    monkeypatch.chdir(tmp_path)
    board.freezer.name.value = "First half / 2027"
    path = board.freezer.freeze()
    assert path.as_posix() == "out/plans/first-half-2027.toml"
    assert path.as_posix() in board.freezer.said.value
    assert Plan.load(path).total_leads == board.plan.total_leads
    board.freezer.button.click()
    assert "never rewritten" in board.freezer.said.value
    board.freezer.name.value = "../.."
    board.freezer.button.click()
    assert "give the plan a name" in board.freezer.said.value


def test_a_scenario_kept_is_taken_back_to_the_last_digit(board, tmp_path, monkeypatch):
    """Every input stands as it stood, and so does the plan."""
    monkeypatch.chdir(tmp_path)
    board.target.value = 40
    for number, value in zip(
        inputs(board), (20, 70, 80, 66, 75, 1500, 100, 400, 95, 12, 99), strict=True
    ):
        number.field.value = value
    before = [number.field.value for number in inputs(board)], said(board.plan)
    board.scenarios.name.value = "all changed"
    board.scenarios.save()
    board.frame.reset()
    assert said(board.plan) != before[1]
    board.scenarios.take()
    assert ([number.field.value for number in inputs(board)], said(board.plan)) == before
    kept = Scenario.load(board.scenarios.kept.value)
    assert said(kept.plan(board.model)) == before[1]


def test_a_scenario_that_the_board_cannot_show_is_refused(board):
    """Rather than shown in part."""
    before = said(board.plan)
    odd = Scenario(name="odd", target=Target(wins={"2027-01": 3, "2027-02": 4}), season={1: 2.0})
    with pytest.raises(TableError, match="a path of targets, a season, which this board"):
        board.inputs.put(odd)
    assert said(board.plan) == before


def test_every_number_behind_the_plan_can_be_explained(snapshot):
    """Each KPI offered is accounted for by its own code."""
    explain = ReverseFunnelBoard(snapshot, wins=40).frame.explain
    explain.open.value = True
    for name in (*KPIS, *OF_LEADS):
        explain.name.value = name
        assert "own code says the same" in explain.page.value, name


@pytest.mark.parametrize("months", [3, 6, 40])
def test_the_drawings_are_whole_and_say_the_plans_numbers(model, months):
    """Well-formed, nothing outside the picture, the totals in words."""
    plan = reverse_funnel(model, wins=3 * months + 5, by=month_start(date(2026, 12, 1), months))
    for drawing in (plan_drawing.months(plan), plan_drawing.funnel(plan)):
        root = ElementTree.fromstring(drawing)
        width, height = float(root.get("width")), float(root.get("height"))
        for bar in root.iter("{http://www.w3.org/2000/svg}rect"):
            if bar.get("x"):
                assert -0.1 <= float(bar.get("x")) <= width - float(bar.get("width"))
                assert 40 <= float(bar.get("y")) <= height - float(bar.get("height"))
    assert f">{plan.to_create:,}<" in plan_drawing.funnel(plan)
    most = plan.months_to_create.iloc[0]
    assert f">{most:,.0f}<" in plan_drawing.months(plan)


def test_hostile_stage_names_stay_text_in_a_drawing(hostile):
    """Also those that no XML may hold."""
    table = hostile.plan.table.assign(label="\x00<b>&\uffff")
    root = ElementTree.fromstring(plan_drawing.funnel(replace(hostile.plan, table=table)))
    assert {"text", "rect", "svg"} == {part.tag.rpartition("}")[2] for part in root.iter()}


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
        assert html.escape(label) in hostile.frame.tables.value
    assert all(not part.description_allow_html for part in described(hostile))


def described(board):
    """Widgets with a description, which could show HTML."""
    return [part for part in widgets(board.view) if hasattr(part, "description_allow_html")]


def test_a_hostile_message_is_escaped_too(hostile):
    """The name of a step stands in the planner's error."""
    rate = hostile.rates[HOSTILE["S1"]]
    rate.field.value = 0
    assert hostile.plan is None
    assert "<script" not in hostile.frame.answer.value
    rate.back()
    assert hostile.plan is not None


def test_the_saved_state_of_the_widgets_holds_no_secret_and_no_record(hostile):
    """A notebook file saves the state of every widget in clear."""
    saved = str([part.get_state() for part in widgets(hostile.view)])
    assert not [part for part in widgets(hostile.view) if isinstance(part, w.Password)]
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
