"""Scenarios of a planning board: keep what the controls say under a name, take it back, compare."""

import html
import re
from collections.abc import Callable
from pathlib import Path

import ipywidgets as w
import pandas as pd

from kpi import TableError
from kpi.planning import FunnelModel, Scenario, compare
from workbench.boards.inputs import html_table
from workbench.boards.parts.filters import BOX, NAMED
from workbench.theme import MISSING

FOLDER = Path("out/scenarios")


class Scenarios:
    """A name, buttons to save, take back and compare, and the table of what differs.

    Parameters
    ----------
    read : callable
        Takes a name and returns the `kpi.planning.Scenario` that the controls say; a TableError
        where they make no sense.
    put : callable
        Sets the controls as a scenario has them.
    model : callable
        Returns the fitted funnel that scenarios are planned with.

    Attributes
    ----------
    name : Text
    kept : Dropdown
        Scenarios saved beside the notebook, in ``out/scenarios``.
    save_button, take_button, compare_button : Button
    table : HTML
    said : HTML
        Where the file is, or what is wrong.
    view : VBox
    """

    def __init__(
        self,
        read: Callable[[str], Scenario],
        put: Callable[[Scenario], None],
        model: Callable[[], FunnelModel],
    ) -> None:
        self._read, self._put, self._model = read, put, model
        self.name = w.Text(
            description="Scenario",
            placeholder="a name, such as more events",
            style=NAMED,
            layout=BOX,
            continuous_update=False,
        )
        self.kept = w.Dropdown(description="Saved", style=NAMED, layout=BOX)
        for control in (self.name, self.kept):
            control.add_class("rf-input")
        self.save_button = self._button("Save", "save", "Keep what the inputs say", self.save)
        self.take_button = self._button("Take", "download", "Set the inputs as saved", self.take)
        self.compare_button = self._button(
            "Compare", "columns", "All that are saved, side by side", self.compare
        )
        self.said, self.table = w.HTML(), w.HTML()
        buttons = w.HBox([self.save_button, self.take_button, self.compare_button])
        self.view = w.VBox([self.name, self.kept, buttons, self.said, self.table])
        self._list()

    def save(self) -> Path:
        """Write what the controls say to ``out/scenarios/NAME.toml``; one of that name is replaced.

        Raises
        ------
        TableError
            If there is no name, the controls make no sense, or the folder cannot be written to.
        """
        name = self.name.value.strip()
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-").lower()
        if not stem:
            raise TableError("give the scenario a name with a letter or figure in it")
        path = FOLDER / f"{stem}.toml"
        if path.exists() and Scenario.load(path).name != name:
            raise TableError(f"{path.as_posix()} holds another scenario: choose another name")
        try:
            self._read(name).save(path)
        except OSError as error:
            raise TableError(f"{path.as_posix()} was not written: {error.strerror}") from error
        self._list()
        self.kept.value = str(path)
        self._say(f"written: {path.as_posix()}")
        return path

    def take(self) -> Scenario:
        """Set the controls as the chosen scenario has them."""
        if not self.kept.value:
            raise TableError("no scenario is saved yet: name one and save it")
        found = Scenario.load(self.kept.value)
        self._put(found)
        self.name.value = found.name
        self._say("")
        return found

    def compare(self) -> pd.DataFrame:
        """Lay all saved scenarios side by side; see `kpi.planning.compare`."""
        scenarios = [Scenario.load(path) for _, path in self.kept.options]
        found = compare(self._model(), scenarios)
        shown = found.drop(columns="kind").set_index("item").map(_text)
        problems = [f"{name}: {why}" for name, why in found.attrs["problems"].items()]
        notes = "".join(f"<li>{html.escape(line)}</li>" for line in problems)
        self.table.value = html_table(shown) + (
            f'<ul class="rf-note">{notes}</ul>' if notes else ""
        )
        self._say("")
        return found

    def _list(self) -> None:
        """List the files there are; one that cannot be read is left out and said."""
        found, lacking = [], []
        for path in sorted(FOLDER.glob("*.toml")):
            try:
                found.append((Scenario.load(path).name, str(path)))
            except TableError as error:
                lacking.append(str(error))
        self.kept.options = found
        self._say("; ".join(lacking))

    def _button(self, label: str, icon: str, tooltip: str, work: Callable[[], object]) -> w.Button:
        button = w.Button(
            description=label, icon=icon, tooltip=tooltip, layout=w.Layout(width="106px")
        )
        button.on_click(lambda _button: self._try(work))
        return button

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except TableError as error:
            self.said.value = f'<div class="rf-problem">{html.escape(str(error))}</div>'

    def _say(self, words: str) -> None:
        self.said.value = f'<div class="rf-note">{html.escape(words)}</div>' if words else ""


def _text(value: object) -> str:
    if isinstance(value, float):
        return (
            MISSING if pd.isna(value) else f"{value:,.4g}" if abs(value) < 10 else f"{value:,.0f}"
        )
    return MISSING if value is None else str(value)
