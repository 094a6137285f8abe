"""The freeze button: a plan kept under a name in a file that nothing rewrites."""

import html
import re
from collections.abc import Callable
from pathlib import Path

import ipywidgets as w

from kpi import TableError
from kpi.planning import Plan
from workbench.boards.parts.filters import BOX, NAMED

PLANS = Path("out/plans")


class Freezer:
    """A name and a button that freezes the plan shown, in ``out/plans`` beside the notebook.

    Parameters
    ----------
    plan : callable
        Returns the plan shown, or None where there is none.

    Attributes
    ----------
    name : Text
    button : Button
    said : HTML
        Where the file is, or what is wrong.
    view : VBox
    """

    def __init__(self, plan: Callable[[], Plan | None]) -> None:
        self._plan = plan
        self.name = w.Text(
            description="Plan",
            placeholder="a name, such as first half 2027",
            style=NAMED,
            layout=BOX,
            continuous_update=False,
        )
        self.name.add_class("rf-input")
        self.button = w.Button(
            description="Freeze",
            icon="lock",
            tooltip="Write this plan to a file that nothing rewrites, to be tracked later",
            layout=w.Layout(width="106px"),
        )
        self.said = w.HTML()
        self.button.on_click(lambda _button: self._try())
        self.view = w.VBox([w.HBox([self.name, self.button]), self.said])

    def freeze(self) -> Path:
        """Write the plan shown to ``out/plans/NAME.toml``.

        Raises
        ------
        TableError
            If there is no plan or no name, a plan of that name is there, or the folder cannot be
            written to.
        """
        plan = self._plan()
        if plan is None:
            raise TableError("there is no plan to freeze: mend the inputs first")
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", self.name.value).strip("-").lower()
        if not stem:
            raise TableError("give the plan a name with a letter or figure in it")
        path = PLANS / f"{stem}.toml"
        try:
            plan.freeze(path)
        except OSError as error:
            raise TableError(f"{path.as_posix()} was not written: {error.strerror}") from error
        self.said.value = (
            f'<div class="rf-note" role="status">written: {html.escape(path.as_posix())}</div>'
        )
        return path

    def _try(self) -> None:
        try:
            self.freeze()
        except TableError as error:
            self.said.value = (
                f'<div class="rf-problem" role="alert">{html.escape(str(error))}</div>'
            )
