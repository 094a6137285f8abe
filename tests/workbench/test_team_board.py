"""The team board without a browser: quotas, the bare minimum, and capacity for a plan."""

import pandas as pd
import pytest

from kpi import MissingTableError, Snapshot, TableError, quota_attainment
from kpi.planning import capacity, hires, recent_wins, reverse_funnel
from workbench import charts_team, team_tables, team_words
from workbench.boards import TeamBoard
from workbench.boards.parts.explain import period_name

END = "2027-05-31"


@pytest.fixture(scope="module")
def fresh(snapshot):
    """One board for all tests; fitting and drawing take time."""
    return TeamBoard(snapshot)


@pytest.fixture
def board(fresh):
    """The board as it first stood."""
    yield fresh
    fresh.frame.reset()


def first(board):
    """The first table shown."""
    return next(iter(board.frame.shown.tables.values()))


def test_the_answer_names_the_quota_and_the_plan(board, snapshot):
    """The latest quarter that has ended, not the one that runs."""
    row = quota_attainment(snapshot, every="quarter").iloc[-2]
    assert row["period"] == pd.Timestamp("2026-07-01")
    assert f"won {row['value']:.0%} of its quota" in board.sentence
    assert f"{row['at_quota']} of {row['sellers']} sellers met theirs" in board.sentence
    assert f"{recent_wins(snapshot)} wins by 31 May 2027" in board.sentence


@pytest.mark.parametrize(
    ("every", "said"),
    [
        pytest.param("month", "In October 2026", id="month"),
        pytest.param("year", "In the year from January 2025", id="year"),
    ],
)
def test_periods_of_other_lengths(board, every, said):
    """The latest whole one of each."""
    board.filters.every.value = every
    assert board.sentence.startswith(said)


@pytest.mark.parametrize(
    ("cut", "rows"),
    [
        pytest.param("owner", 6, id="sellers by name"),
        pytest.param("team", 2, id="teams"),
        pytest.param("deal_type", 1, id="new against existing"),
    ],
)
def test_quotas_are_cut_as_asked(board, cut, rows):
    """Four periods side by side."""
    board.cut.value = cut
    assert first(board).shape == (rows, 4)
    assert list(first(board).columns) == ["Jan 2026", "Apr 2026", "Jul 2026", "Oct 2026"]


def test_a_seller_that_has_left_shows_no_quota_since(board):
    """Gone is not zero."""
    assert "Piet Oswynn" in first(board).index
    assert first(board).loc["Piet Oswynn", "Jul 2026"] == "–"


def test_capacity_is_that_of_the_planner(board, snapshot, model):
    """What the inputs say goes in as it stands."""
    board.leads_per_seller.field.value = 20
    board.deals_per_seller.field.value = 5
    board.leave.field.value = 10
    board.wins.value = 40
    plan = reverse_funnel(model, wins=40, by=END)
    by_hand = capacity(
        plan,
        snapshot.owners.to_pandas(),
        leads_per_seller=20,
        deals_per_seller=5,
        ramp_months=3,
        leave_rate=0.1,
    )
    pd.testing.assert_frame_equal(board.capacity, by_hand)
    assert board.plan.to_create == plan.to_create


def test_the_pace_begins_with_the_companys_own(board, model):
    """Leads created a month by the sellers on board; a rule of thumb only stands beside it."""
    sellers = 5  # Piet Oswynn has left
    assert board.leads_per_seller.field.value == pytest.approx(
        model.leads_per_month / sellers, abs=0.06
    )
    assert "rule of thumb 70–80" in board.leads_per_seller.note.value


def test_enough_capacity_is_said_so(board):
    """The other half of the answer."""
    board.leads_per_seller.field.value = 75
    board.deals_per_seller.field.value = 15
    assert "They can carry" in board.sentence
    assert not board.capacity["short"].any()


def test_bad_inputs_are_said_in_place_and_undone(board):
    """In the planner's own words."""
    before = board.sentence
    board.wins.value = -1
    assert "expected a number above 0" in board.problem
    assert board.capacity is None
    board.frame.undo()
    assert board.sentence == before
    board.by.value = None
    assert "set the date" in board.problem


def test_a_plan_that_is_given_is_carried_as_it_is(snapshot, plan):
    """Then there is no target to set."""
    given = TeamBoard(snapshot, plan=plan)
    assert given.plan is plan
    assert "40 wins" in given.sentence
    assert "wins" not in given.frame._controls


def test_numbers_can_be_explained(board):
    """Period and seller of what is shown go to the account of the number."""
    explain = board.frame.explain
    explain.open.value = True
    assert "own code says the same" in explain.page.value
    explain.name.value = "seller_minimums"
    assert "own code says the same" in explain.page.value
    explain.open.value = False


def test_without_quotas_or_owners_the_rest_stands(snapshot):
    """What is not known is said."""
    names = ("deals", "stages", "history", "leads")
    frames = {name: snapshot.table(name).to_pandas() for name in names}
    plain = TeamBoard(Snapshot.from_frames(frames, as_of=snapshot.as_of))
    assert plain.sentence.startswith("The data has no quotas. Whether the sellers can carry")
    assert plain.problem == ""
    assert plain.capacity is None


def test_deals_are_needed(snapshot):
    """Named, rather than an empty board."""
    with pytest.raises(MissingTableError, match="deals"):
        TeamBoard(
            Snapshot.from_frames({"owners": snapshot.owners.to_pandas()}, as_of=snapshot.as_of)
        )


def test_hostile_names_of_sellers_are_text(snapshot):
    """In the table; the picture is an image that runs nothing."""
    frames = {name: snapshot.table(name).to_pandas() for name in snapshot.present}
    frames["owners"] = frames["owners"].assign(name="<script>alert(1)</script>")
    hostile = TeamBoard(Snapshot.from_frames(frames, as_of=snapshot.as_of), wins=5)
    assert "<script" not in hostile.frame.tables.value
    assert "&lt;script&gt;alert(1)&lt;/script&gt; (O-1)" in hostile.frame.tables.value


def test_the_rules_of_thumb_are_labelled():
    """The last line of the table, and no standing where a value is missing."""
    minimums = pd.DataFrame(
        {
            "owner_id": ["1", "1"],
            "name": [None, None],
            "indicator": ["deals_won", "leads"],
            "value": [7.0, float("nan")],
            "rule_low": [6.0, 70.0],
            "rule_high": [8.0, float("nan")],
            "standing": ["within", None],
        }
    )
    table = team_tables.minimums_table(minimums)
    assert table.index.tolist() == ["1", team_tables.RULE]
    assert table.loc["1"].tolist() == ["–", "7 ✓"]
    assert table.loc[team_tables.RULE].tolist() == ["70 or more", "6–8"]
    assert team_words.below(minimums)[0][1].startswith("0 of 1 numbers below")


def test_months_that_are_short_are_named_by_the_chart(board):
    """Red, and in the words for those who cannot see it."""
    chart = charts_team.capacity(board.capacity, "leads").to_dict()
    assert "Short in Dec 2026, Jan 2027, Feb 2027." in str(chart)
    table = team_tables.capacity_table(board.capacity)
    assert table.loc["Dec 2026"].iloc[-1] == "SHORT"


@pytest.mark.parametrize(
    ("first_day", "every", "fiscal", "name"),
    [
        pytest.param("2026-07-01", "quarter", 1, "2026-Q3", id="calendar quarter"),
        pytest.param("2026-02-01", "quarter", 2, "2026-Q1", id="fiscal quarter"),
        pytest.param("2026-01-01", "quarter", 4, "2025-Q4", id="last quarter of a fiscal year"),
        pytest.param("2025-07-01", "year", 7, "2025", id="fiscal year"),
        pytest.param("2026-10-01", "month", 7, "2026-10", id="month"),
    ],
)
def test_a_period_is_named_as_trace_reads_it(first_day, every, fiscal, name):
    """In a fiscal calendar, by the year that the fiscal year begins in."""
    assert period_name(pd.Timestamp(first_day), every, fiscal) == name


def test_without_a_plan_it_is_said_that_there_is_none():
    for work in (team_tables.capacity_table, lambda table: charts_team.capacity(table, "leads")):
        with pytest.raises(TableError, match="there is no plan"):
            work(None)
    with pytest.raises(TableError, match="there is no plan"):
        hires(None, 3)
