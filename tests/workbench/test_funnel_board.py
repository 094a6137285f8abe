"""The funnel board without a browser: what the controls say is what the KPIs are asked."""

from datetime import date

import pandas as pd
import pytest
from companies import random_walks, stages
from companies import snapshot as company

from kpi import MissingTableError, Snapshot, lead_to_customer, leaks, stage_conversion, win_rate
from workbench.boards import FunnelBoard
from workbench.theme import percent_text

HOSTILE = '"><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def fresh(snapshot):
    """One board for all tests; drawing is what takes time."""
    return FunnelBoard(snapshot)


@pytest.fixture
def board(fresh):
    """The board as it first stood."""
    yield fresh
    fresh.frame.reset()


def shown(board):
    """All mark-up of the board that tells of data."""
    frame = board.frame
    parts = (frame.answer, frame.picture, frame.tables, frame.source, board.leak_table)
    return "\n".join(part.value for part in parts)


def test_the_answer_is_that_of_the_kpis(board, snapshot):
    """Leads that become customers, and the step after which fewest go on."""
    steps = stage_conversion(snapshot)
    weakest = steps.loc[steps["value"].idxmin()]
    share = 100 * lead_to_customer(snapshot)["value"].iloc[0]
    assert weakest["label"] == "Proposal"
    limits = f"{percent_text(weakest['low'])}–{percent_text(weakest['high'])}"
    assert board.sentence == (
        f"Of 100 leads {share:.0f} become customers; the weakest step is Proposal → Negotiation, "
        f"{percent_text(weakest['value'])} ({limits}, n {weakest['n']})."
    )
    assert board.problem == ""


@pytest.mark.parametrize("mode", ["all", "any", "linear"])
def test_the_skip_rule_changes_counts_and_the_plain_ratio(board, snapshot, mode):
    """As the CRM's own report would show them; the sentence names the rule."""
    board.rule.value = mode
    steps = stage_conversion(snapshot, mode=mode)
    weakest = steps.loc[steps["rate"].idxmin()]
    assert (
        board.frame.shown.data["stage_conversion"]["reached"].tolist() == steps["reached"].tolist()
    )
    assert (
        f"{percent_text(weakest['rate'])} (plain ratio, n {weakest['reached']})" in board.sentence
    )
    assert "counted by" in board.sentence


def test_the_win_rate_is_of_deals_closed_or_created(board, snapshot):
    """The basis goes into the rate, its chart and its explanation."""
    board.basis.value = "cohort"
    row = win_rate(snapshot, basis="cohort").iloc[0]
    name, text = board.frame.shown.facts[0]
    assert name == "Win rate of deals created"
    assert text.startswith(percent_text(row["value"]))
    assert f"{row['x']} won of {row['n']}" in text
    assert board.frame.shown.asked["win_rate"]["basis"] == "cohort"


def test_filters_reach_every_number(board, snapshot):
    """Narrowed and rewound as the snapshot does it."""
    board.filters.source.value = "event"
    board.filters.as_of.value = date(2026, 6, 30)
    by_hand = stage_conversion(snapshot.at("2026-06-30").where(source="event"))
    assert board.frame.shown.data["stage_conversion"].equals(by_hand)
    assert "as of 2026-06-30" in board.frame.source.value


def test_pictures_follow_their_tables(board, snapshot):
    """Drawn once for a table, and anew for another: the same as those of a board that drew no other."""
    pictures = [board.frame.picture.value]
    for rule, basis in (("all", "period"), ("all", "cohort"), ("furthest", "period")):
        board.rule.value, board.basis.value = rule, basis
        pictures.append(board.frame.picture.value)
    assert pictures[3] == pictures[0]
    assert len(set(pictures)) == 3
    other = FunnelBoard(snapshot)
    other.rule.value = "all"
    assert other.frame.picture.value == pictures[1]


def test_other_business_has_its_own_pipelines(board):
    """All business: stages are told apart by their pipeline; leads are not asked after."""
    board.filters.deal_type.value = ""
    assert board.sentence.startswith("Of 100 deals")
    assert "Proposal (new-business)" in shown(board)


def test_no_deal_left_is_said_in_words(board):
    """In place of the answer, without a picture."""
    board.filters.as_of.value = date(2020, 1, 1)
    assert board.problem.startswith("no deal reached a stage")
    assert "<img" not in shown(board)


def test_leaks_are_looked_for_on_demand(board, snapshot):
    """The finder's own answer; a changed input drops it."""
    assert board.found is None
    board.leaks.start()
    board.leaks.join(60)
    by_hand = leaks(snapshot)
    assert board.found["label"].tolist() == by_hand["label"].tolist() == ["Proposal"]
    assert board.found["money_lost"].tolist() == pytest.approx(by_hand["money_lost"].tolist())
    assert "costliest first" in shown(board)
    (deals,) = board.leak_deals
    assert len(deals) >= by_hand["n"].iloc[0]
    assert f"{len(deals)}</summary>" in shown(board) or ", the first 50" in shown(board)
    assert deals["url"].iloc[0] in shown(board)
    board.basis.value = "cohort"
    assert board.found is None
    assert "costliest first" not in shown(board)


def test_a_company_named_by_an_enemy_is_text():
    """Stage names, ids and the source are escaped."""
    frames = random_walks(seed=3, count=60)
    named = stages().assign(label=HOSTILE)
    deals = frames["deals"].assign(region=HOSTILE, source="<script>alert(1)</script>")
    hostile = FunnelBoard(company(frames | {"stages": named, "deals": deals}, source=HOSTILE))
    hostile.leaks.start()
    hostile.leaks.join(60)
    assert HOSTILE in hostile.sentence
    assert HOSTILE not in shown(hostile)
    assert "<script" not in shown(hostile)


def test_without_history_leads_or_values_the_rest_stands(snapshot):
    """What the data lacks is left out; nothing is guessed."""
    frames = {name: snapshot.table(name).to_pandas() for name in ("deals", "stages")}
    plain = FunnelBoard(Snapshot.from_frames(frames, as_of=snapshot.as_of))
    assert plain.sentence.startswith("Of 100 deals 32 are won")
    assert "Days in each stage" not in shown(plain)


def test_deals_and_stages_are_needed(snapshot):
    """Named, rather than an empty board."""
    leads = {"leads": snapshot.leads.to_pandas()}
    with pytest.raises(MissingTableError, match="deals"):
        FunnelBoard(Snapshot.from_frames(leads, as_of=snapshot.as_of))


def test_a_viewer_without_widgets_reads_the_answer(board):
    """The text form is the sentence."""
    assert board._repr_mimebundle_()["text/plain"] == board.sentence


def test_data_without_stages_is_told_in_place():
    deals = pd.DataFrame({"deal_id": ["1", "2"], "outcome": ["won", "lost"]})
    deals["created_at"], deals["close_date"] = "2026-01-05", "2026-03-01"
    board = FunnelBoard(Snapshot.from_frames({"deals": deals}, as_of="2026-04-30"))
    assert "stages" in board.problem
    assert board.sentence == board.problem
