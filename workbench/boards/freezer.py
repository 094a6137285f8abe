"""Freeze a plan under a name, in a file that nothing rewrites, and make the pack for leadership of it."""

import html
import re
from collections.abc import Callable
from pathlib import Path

import ipywidgets as w

from kpi import Snapshot, TableError
from kpi.planning import Plan
from workbench.boards.parts.filters import BOX, NAMED
from workbench.report.privacy import PrivateContentError

SAME = 1e-9
PLANS, PACKS = Path("out/plans"), Path("out/packs")


class Freezer:
    """A name and two buttons: freeze the plan shown, and make its pack, in ``out`` beside the notebook.

    Parameters
    ----------
    plan : callable
        Returns the plan shown, or None where there is none.
    snapshot : Snapshot, optional
        The data that the plan is made from; a pack needs it.

    Attributes
    ----------
    name : Text
    button, pack : Button
    said : HTML
        Where the file is, or what is wrong.
    view : VBox
    """

    def __init__(self, plan: Callable[[], Plan | None], snapshot: Snapshot | None = None) -> None:
        self._plan, self._snapshot = plan, snapshot
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
        self.pack = w.Button(
            description="Pack for leadership",
            icon="briefcase",
            tooltip="Freeze this plan and write a page, a live page, a sheet, slides and a PDF of it",
            layout=w.Layout(width="176px"),
        )
        self.pack.layout.display = "none" if snapshot is None else ""
        self.said = w.HTML()
        self.button.on_click(lambda _button: self._try(self.freeze))
        self.pack.on_click(lambda _button: self._try(self.make_pack))
        self.view = w.VBox([w.HBox([self.name, self.button, self.pack]), self.said])

    def freeze(self) -> Path:
        """Write the plan shown to ``out/plans/NAME.toml``.

        Raises
        ------
        TableError
            If there is no plan or no name, a plan of that name is there, or the folder cannot be
            written to.
        """
        path, plan = self._path(), self._shown()
        try:
            plan.freeze(path)
        except OSError as error:
            raise TableError(f"{path.as_posix()} was not written: {error.strerror}") from error
        self._say(path)
        return path

    def make_pack(self) -> Path:
        """Freeze the plan shown, if it is not yet, and write its pack to ``out/packs/NAME``.

        Returns
        -------
        Path
            ``index.html`` of the pack.

        Raises
        ------
        TableError
            As `freeze`; if another plan was frozen under the name; or if the data is not the one
            that the plan was made from.
        PrivateContentError
            If a file would hold something private; no pack is written then.
        """
        from workbench.report.pack.make import make_pack  # noqa: PLC0415 - Office libraries load slowly
        from workbench.report.pack.version import data_version  # noqa: PLC0415 - as above

        if self._snapshot is None:
            raise TableError("a pack is made from a plan of your own data, not of assumed rates")
        path, plan = self._path(), self._shown()
        if path.exists():
            _refuse_other(plan, path)
        else:
            self.freeze()
        self.said.value = '<div class="rf-note" role="status">writing five files ...</div>'
        folder = PACKS / path.stem
        version = data_version(None, self._snapshot)
        make_pack(path, self._snapshot, folder, data_version=version)
        self._say(folder / "index.html")
        return folder / "index.html"

    def _shown(self) -> Plan:
        plan = self._plan()
        if plan is None:
            raise TableError("there is no plan to freeze: mend the inputs first")
        return plan

    def _path(self) -> Path:
        self._shown()
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", self.name.value).strip("-").lower()
        if not stem:
            raise TableError("give the plan a name with a letter or figure in it")
        return PLANS / f"{stem}.toml"

    def _say(self, path: Path) -> None:
        self.said.value = (
            f'<div class="rf-note" role="status">written: {html.escape(path.as_posix())}</div>'
        )

    def _try(self, work: Callable[[], Path]) -> None:
        try:
            work()
        except (TableError, PrivateContentError) as error:
            self.said.value = (
                f'<div class="rf-problem" role="alert">{html.escape(str(error))}</div>'
            )


def _refuse_other(plan: Plan, path: Path) -> None:
    """Refuse to make a pack of a frozen plan that is not the one shown."""
    kept = Plan.load(path)
    if _told(kept) != _told(plan) or abs(kept.probability - plan.probability) > SAME:
        raise TableError(
            f"{path.stem} is the name of another frozen plan: choose another name for the one shown"
        )


def _told(plan: Plan) -> tuple[object, ...]:
    target = plan.target
    return target.kind, target.checkpoints, target.confidence, plan.leads_by_month, plan.as_of
