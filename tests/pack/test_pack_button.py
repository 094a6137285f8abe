"""The button beside Freeze: the pack of the plan shown, or why there is none."""

import pytest

import connectors
from kpi import TableError
from kpi.planning import FunnelModel, Plan
from workbench.boards import ReverseFunnelBoard
from workbench.report.notebook import SAMPLES
from workbench.report.pack.make import FILES, PLAN


@pytest.fixture(scope="module")
def snapshot():
    return connectors.open(SAMPLES)


@pytest.fixture
def board(snapshot, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return ReverseFunnelBoard(snapshot, wins=20)


def test_one_press_freezes_the_plan_and_writes_the_pack(board, tmp_path):
    board.freezer.name.value = "First half, 2027"
    board.freezer.pack.click()
    folder = tmp_path / "out" / "packs" / "first-half-2027"
    assert {path.name for path in folder.iterdir()} == {*FILES, PLAN}
    assert "out/packs/first-half-2027/index.html" in board.freezer.said.value
    kept = Plan.load(tmp_path / "out" / "plans" / "first-half-2027.toml")
    assert kept.to_create == board.plan.to_create


def test_inputs_moved_by_hand_are_in_the_pack(board, tmp_path):
    board.rates["leads"].field.value = 25
    board.freezer.name.value = "better"
    page = board.freezer.make_pack()
    assert f"Create {board.plan.to_create:,} leads" in page.read_text(encoding="utf-8")


def test_a_second_press_replaces_the_pack_but_never_the_plan(board):
    board.freezer.name.value = "twice"
    first = board.freezer.make_pack().read_bytes()
    assert board.freezer.make_pack().read_bytes() == first
    board.target.value = 25
    with pytest.raises(TableError, match="another frozen plan"):
        board.freezer.make_pack()


def test_what_is_wrong_is_said_beside_the_button(board, tmp_path):
    board.freezer.pack.click()
    assert "give the plan a name" in board.freezer.said.value
    assert not (tmp_path / "out" / "packs").exists()


def test_a_model_without_data_has_no_such_button():
    founder = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33)
    board = ReverseFunnelBoard(founder, wins=5, start="2027-01-01", by="2027-06-30")
    assert board.freezer.pack.layout.display == "none"
    with pytest.raises(TableError, match="not of assumed rates"):
        board.freezer.make_pack()
