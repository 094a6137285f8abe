"""The scenarios panel without a browser: save, take back, compare."""

import pytest

from kpi import TableError
from kpi.planning import FunnelModel, PlanError, Scenario, Target
from workbench.boards.parts import Scenarios

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def told():
    """What the controls of a board say."""
    return {"wins": 10.0, "rate": 0.15}


@pytest.fixture
def panel(told, tmp_path, monkeypatch):
    """A panel over them, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    model = FunnelModel.assume(lag_days=30, deal_value=1_000)

    def read(name):
        target = Target(wins=told["wins"], start="2027-01-01", by="2027-06-30")
        return Scenario(name=name, target=target, rates={"leads": told["rate"]}, draws=500)

    def put(scenario):
        told.update(wins=scenario.target.wins, rate=scenario.rates["leads"])

    return Scenarios(read, put, lambda: model)


def test_what_is_saved_can_be_taken_back(panel, told):
    """The controls stand as they stood; a new panel finds the file."""
    panel.name.value = "More events"
    path = panel.save()
    assert path.as_posix() == "out/scenarios/more-events.toml"
    assert "out/scenarios/more-events.toml" in panel.said.value
    told.update(wins=99.0, rate=0.5)
    assert panel.take().name == "More events"
    assert told == {"wins": 10.0, "rate": 0.15}
    again = Scenarios(panel._read, panel._put, panel._model)
    assert again.kept.options == panel.kept.options


def test_saved_scenarios_stand_side_by_side(panel, told):
    """What differs in what is assumed, and in what comes of it."""
    panel.name.value = "as it is"
    panel.save()
    told["rate"] = 0.3
    panel.name.value = "better leads"
    panel.save()
    table = panel.compare().set_index("item")
    assert table.loc["leads to create", "better leads"] < table.loc["leads to create", "as it is"]
    assert "better leads" in panel.table.value
    assert f"{table.loc['leads to create', 'as it is']:,.0f}" in panel.table.value


def test_a_name_is_needed_and_belongs_to_one(panel):
    """Two names that make the same file do not overwrite each other."""
    panel.save_button.click()
    assert "give the scenario a name" in panel.said.value
    panel.name.value = "A b"
    panel.save()
    panel.save()
    panel.name.value = "a-B"
    with pytest.raises(TableError, match="holds another scenario"):
        panel.save()


def test_hostile_names_make_harmless_files_and_text(panel):
    """Neither a path nor mark-up comes out of a name."""
    for name in (f"../../{HOSTILE}", "plain"):
        panel.name.value = name
        path = panel.save()
        assert path.parent.as_posix() == "out/scenarios"
    panel.compare_button.click()
    assert "<img" not in panel.table.value
    assert "&lt;img" in panel.table.value


def test_what_cannot_be_done_is_said(panel, tmp_path):
    """Nothing saved, one only, a broken file."""
    panel.take_button.click()
    assert "no scenario is saved" in panel.said.value
    with pytest.raises(PlanError, match="two or more"):
        panel.compare()
    panel.name.value = "one"
    panel.save()
    (tmp_path / "out" / "scenarios" / "broken.toml").write_text("wins = [", encoding="utf-8")
    again = Scenarios(panel._read, panel._put, panel._model)
    assert "broken.toml" in again.said.value
    assert len(again.kept.options) == 1
