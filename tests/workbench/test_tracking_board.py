"""The tracking board without a browser: a plan against what came, why, and the rest planned anew."""

from datetime import date
from itertools import pairwise

import pytest

from kpi.planning import FunnelModel, bridge, reforecast, reverse_funnel, track
from workbench import charts_plan, plan_tables, plan_words, theme
from workbench.boards import TrackingBoard


@pytest.fixture(scope="module")
def made(snapshot):
    """A plan made half a year before the data ends."""
    model = FunnelModel.fit(snapshot.at("2026-05-31"))
    return reverse_funnel(model, wins=40, by="2026-12-31")


@pytest.fixture(scope="module")
def fresh(snapshot, made):
    """One board for all tests."""
    return TrackingBoard(snapshot, made)


@pytest.fixture
def board(fresh):
    """The board as it first stood."""
    yield fresh
    fresh.frame.reset()


def test_the_sentence_is_the_bridge_and_the_track(board, made, snapshot):
    """What came, what was planned by the day, and how much of it is chance."""
    found, tracked = bridge(made, snapshot), track(made, snapshot)
    assert f"{found.attrs['actual']:,.0f} wins came of the {found.attrs['plan']:,.1f} planned" in (
        board.sentence
    )
    outside = tracked["status"].isin(["above", "below"]).sum()
    assert f"{outside} of {tracked['mature'].sum()} finished months and stages" in board.sentence
    worst = found.loc[found["effect"].idxmin()]
    assert f"the largest cause {worst['driver']}" in board.sentence
    assert found["effect"].sum() == pytest.approx(board.bridged.attrs["gap"])


def test_colour_only_outside_the_band(board):
    """A mark in the table and a colour in the picture for those, and for no other."""
    tracked = board.tracked
    marked = plan_tables.track_table(tracked).stack()
    assert marked.str.contains("▲").sum() == (tracked["status"] == "above").sum() > 0
    assert marked.str.contains("▼").sum() == (tracked["status"] == "below").sum() > 0
    assert marked.str.contains("…").sum() == (tracked["actual"].notna() & ~tracked["mature"]).sum()
    drawing = theme.svg(charts_plan.track(tracked))
    for status, colour in charts_plan.OUTSIDE.items():
        assert drawing.count(colour) == (tracked["status"] == status).sum()


def test_the_bridge_is_drawn_from_the_plan_to_what_came(board):
    """Each cause begins where the one before ended."""
    spec = charts_plan.bridge(board.bridged, "wins").to_dict()
    rows = next(iter(spec["datasets"].values()))
    assert rows[0]["end"] == pytest.approx(board.bridged.attrs["plan"])
    for before, after in pairwise(rows[:-1]):
        assert after["start"] == pytest.approx(before["end"])
    assert rows[-2]["end"] == pytest.approx(rows[-1]["end"])
    assert {row["side"] for row in rows if row["said"].startswith("−")} == {"less"}


def test_without_a_plan_one_is_asked_for(snapshot, tmp_path, monkeypatch):
    """In words; a plan frozen beside the notebook can then be chosen."""
    monkeypatch.chdir(tmp_path)
    board = TrackingBoard(snapshot)
    assert "Freeze one first" in board.sentence
    assert board.plan is None


def test_frozen_plans_can_be_chosen(snapshot, made, tmp_path, monkeypatch):
    """From out/plans; a file that was changed is refused in place."""
    monkeypatch.chdir(tmp_path)
    path = made.freeze("out/plans/mine.toml")
    board = TrackingBoard(snapshot)
    board.file.value = "out/plans/mine.toml"
    assert board.problem == ""
    assert board.plan.total_leads == made.total_leads
    path.write_text(path.read_text(encoding="utf-8").replace("wins = 40", "wins = 30"), "utf-8")
    assert "was changed since it was frozen" in TrackingBoard(snapshot, plan=path).problem
    gone = TrackingBoard(snapshot, plan="nowhere.toml")
    assert "nowhere.toml" in gone.problem


def test_the_file_says_what_the_plan_says(snapshot, made, board, tmp_path):
    """Frozen and loaded, tracked alike."""
    path = made.freeze(tmp_path / "plan.toml")
    assert TrackingBoard(snapshot, plan=path).sentence == board.sentence


def test_an_earlier_day_knows_less(board):
    """Only what was known then; before the plan began there is nothing to compare."""
    board.filters.as_of.value = date(2026, 8, 31)
    assert board.sentence.startswith("By 31 August 2026")
    assert board.tracked["mature"].sum() == 18
    board.filters.as_of.value = date(2026, 5, 31)
    assert "nothing to compare yet" in board.problem
    assert board.tracked is board.bridged is None
    board.frame.undo()
    assert board.problem == ""


def test_the_rest_is_planned_anew_on_demand_and_dropped_with_its_state(board, made, snapshot):
    """The numbers of `reforecast`; another day drops them."""
    board.again.start()
    board.again.join(120)
    by_hand = reforecast(made, snapshot)
    assert board.rest.total_leads == by_hand.total_leads
    assert f"So far: {by_hand.already:,.0f} wins." in board.rest_said.value
    board.filters.as_of.value = date(2026, 8, 31)
    assert board.rest is None
    assert board.rest_said.value == ""


def test_a_target_out_of_reach_is_said_where_the_rest_would_stand(snapshot):
    """With the nearest one that is not."""
    model = FunnelModel.fit(snapshot.at("2026-05-31"))
    board = TrackingBoard(snapshot, reverse_funnel(model, wins=60, by="2026-11-30"))
    board.again.start()
    board.again.join(120)
    assert board.rest is None
    assert "nearest target" in board.again.said.value


@pytest.mark.parametrize(
    ("kind", "amount"), [("new_mrr", 60_000), ("bookings", 700_000), ("mrr", 190_000)]
)
def test_targets_in_money_are_told_in_money(snapshot, kind, amount):
    """Their bridge sums too, and no wins are spoken of."""
    model = FunnelModel.fit(snapshot.at("2026-05-31"))
    plan = reverse_funnel(model, by="2026-12-31", **{kind: amount})
    board = TrackingBoard(snapshot, plan)
    assert board.problem == ""
    assert plan_words.UNITS[kind] in board.sentence
    assert "wins" not in board.sentence
    shown = plan_tables.bridge_table(board.bridged, kind)
    assert shown["effect"].iloc[0].endswith("K")


def test_hostile_stages_stay_text(snapshot, made):
    """In the table and in the picture's words."""
    frames = {name: snapshot.table(name).to_pandas() for name in snapshot.present}
    bad = "<img src=x onerror=alert(1)>"
    frames["stages"] = frames["stages"].assign(label=bad)
    odd = type(snapshot).from_frames(frames, as_of=snapshot.as_of)
    plan = reverse_funnel(FunnelModel.fit(odd.at("2026-05-31")), wins=40, by="2026-12-31")
    board = TrackingBoard(odd, plan)
    assert board.problem == ""
    shown = board.frame.answer.value + board.frame.tables.value + board.frame.picture.value
    assert "<img src=x" not in shown
    assert "&lt;img" in board.frame.tables.value


def test_the_text_for_viewers_is_the_sentence(board):
    """Where there are no widgets."""
    assert board._repr_mimebundle_()["text/plain"] == board.sentence
