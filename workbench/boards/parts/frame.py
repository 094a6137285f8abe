"""The frame of every board: the answer first, inputs beside the picture, the tables, then the rest."""

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import ipywidgets as w

from kpi import TableError
from workbench import theme
from workbench.boards.inputs import STYLE, html_table
from workbench.boards.parts.explain import Explain
from workbench.boards.parts.export import Export
from workbench.boards.parts.filters import Filters
from workbench.boards.parts.pace import Pace
from workbench.boards.parts.shown import Shown

HEIGHT = 420
STEPS_KEPT = 50
AREA = '<div style="aspect-ratio: {0} / {1}; max-height: {1}px">{2}</div>'


class Show(Protocol):
    """Works out what a board shows for what its controls say; a TableError is shown in its place."""

    def __call__(self) -> Shown:
        """Return it."""


class Frame:
    """Lays a board out, repaints it when a control changes, and remembers what the controls said.

    Parameters
    ----------
    name : str
        Short name of the board; names the files it writes.
    show : callable
        Returns a `Shown` for what the controls say; see `Show`.
    controls : mapping of name to widget
        Inputs, each with a ``value``.
    left : sequence of widget, optional
        How the controls are laid out; default one below the other.
    filters : Filters, optional
        Laid out below the controls.
    kpis : sequence of str
        KPIs of the catalogue behind what is shown, to be explained; needs `filters`.
    height : int
        Height of the picture area, in pixels, where there is room for its full width; it shrinks with
        the window, as the pictures do, and stays the same whatever is drawn.
    more : sequence of widget
        Laid out under the tables.

    Attributes
    ----------
    shown : Shown or None
        What is shown; None where the controls make no sense.
    problem : str
        Why nothing is shown; empty where something is.
    view : VBox
    undo_button, reset_button : Button
    explain : Explain or None
    export : Export
    """

    def __init__(
        self,
        name: str,
        show: Show,
        *,
        controls: Mapping[str, Any],
        left: Sequence[w.Widget] | None = None,
        filters: Filters | None = None,
        kpis: Sequence[str] = (),
        height: int = HEIGHT,
        more: Sequence[w.Widget] = (),
    ) -> None:
        self._show = show
        self._controls = {**controls, **(filters.controls if filters else {})}
        self._shown: Shown | None = None
        self._problem = ""
        self._quiet = 0
        self._pace: Pace[Shown | str] = Pace(self._made, self._paint)
        self._first = self._last = self._values()
        self._before: list[dict[str, Any]] = []
        self.explain = Explain(filters, kpis) if filters and kpis else None
        self.export = Export(name, lambda: self.shown)
        self._area = AREA.format(theme.WIDTH, height, "{}")
        inputs = list(controls.values()) if left is None else list(left)
        self._make_view(inputs, filters, more)
        for control in self._controls.values():
            control.add_class("rf-input")
            control.observe(lambda _change: self._edited(), names="value")
        self.refresh()

    @property
    def sentence(self) -> str:
        """The answer as text; where there is none, why."""
        return self.problem or (self.shown.sentence if self.shown else "")

    @property
    def shown(self) -> Shown | None:
        """What the board shows for what its controls say now."""
        self._pace.settle()
        return self._shown

    @property
    def problem(self) -> str:
        """Why nothing is shown."""
        self._pace.settle()
        return self._problem

    def refresh(self) -> None:
        """Repaint for what the controls say."""
        self._pace.ask()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Change several controls as one step, with one repaint at its end."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1
            self._edited()

    def undo(self) -> None:
        """Go back to what the controls said before the last change."""
        if self._before:
            self._put(self._before.pop())

    def reset(self) -> None:
        """Go back to what the controls said at first; that can be undone."""
        with self.quiet():
            for name, value in self._first.items():
                self._controls[name].value = value

    def bundle(self, **options: object) -> dict[str, Any]:
        """Return the widgets for Jupyter; where there are none (a viewer, a test), the answer as text."""
        bundle: dict[str, Any] = dict(self.view._repr_mimebundle_(**options) or {})
        bundle["text/plain"] = self.sentence
        return bundle

    def _values(self) -> dict[str, Any]:
        return {name: control.value for name, control in self._controls.items()}

    def _put(self, values: Mapping[str, Any]) -> None:
        """Set the controls without making it a step."""
        self._quiet += 1
        for name, value in values.items():
            self._controls[name].value = value
        self._quiet -= 1
        self._last = self._values()
        self._mark()
        self.refresh()

    def _edited(self) -> None:
        """Remember the last state, then repaint; a state that is the same is no step."""
        now = self._values()
        if self._quiet or now == self._last:
            return
        self._before = [*self._before, self._last][-STEPS_KEPT:]
        self._last = now
        self._mark()
        self.refresh()

    def _mark(self) -> None:
        self.undo_button.disabled = not self._before
        self.reset_button.disabled = self._last == self._first

    def _made(self) -> Shown | str:
        try:
            return self._show()
        except TableError as error:
            return str(error)

    def _paint(self, made: Shown | str) -> None:
        """Show it; each area changes in one go."""
        if isinstance(made, str):
            self._shown, self._problem = None, made
            self.answer.value = f'<div class="rf-problem" role="alert">{html.escape(made)}</div>'
            self.picture.value = self._area.format("")
            self.tables.value = self.source.value = ""
        else:
            self._shown, self._problem = made, ""
            self.answer.value = _answer(made)
            self.picture.value = self._area.format(made.picture)
            self.tables.value = _below(made)
            self.source.value = f'<div class="rf-note">{html.escape(made.source)}</div>'
            if self.explain:
                self.explain.of(made.asked)

    def _make_view(
        self, inputs: list[w.Widget], filters: Filters | None, more: Sequence[w.Widget]
    ) -> None:
        self.answer = w.HTML(layout=w.Layout(min_height="64px"))
        self.picture, self.tables, self.source = w.HTML(), w.HTML(), w.HTML()
        self.undo_button = _button("Undo", "undo", "Take the last change back", self.undo)
        self.reset_button = _button(
            "Reset", "refresh", "All inputs as they were at first", self.reset
        )
        buttons = w.HBox([self.undo_button, self.reset_button])
        below = [filters.view] if filters else []
        left = w.VBox([*inputs, *below, buttons], layout=w.Layout(width="340px", flex="0 0 auto"))
        area = w.Layout(flex="1 1 440px", min_width="0")
        body = w.HBox(
            [left, w.VBox([self.picture], layout=area)],
            layout=w.Layout(flex_flow="row wrap", grid_gap="20px"),
        )
        explained = [self.explain.view] if self.explain else []
        rows = [self.answer, body, self.tables, *more, self.source, *explained, self.export.view]
        self.view = w.VBox([w.HTML(STYLE), *rows])
        self.view.add_class("rf-board")


def _button(label: str, icon: str, tooltip: str, click: Callable[[], None]) -> w.Button:
    button = w.Button(
        description=label,
        icon=icon,
        tooltip=tooltip,
        disabled=True,
        layout=w.Layout(width="100px"),
    )
    button.on_click(lambda _button: click())
    return button


def _answer(shown: Shown) -> str:
    facts = "".join(
        f"<li><b>{html.escape(name)}</b>: {html.escape(text)}</li>" for name, text in shown.facts
    )
    said = f'<div class="rf-answer">{html.escape(shown.sentence)}</div>'
    return f'{said}<ul class="rf-facts">{facts}</ul>' if facts else said


def _below(shown: Shown) -> str:
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in shown.notes)
    tables = "".join(
        f"<h4>{html.escape(heading)}</h4>{html_table(table)}"
        for heading, table in shown.tables.items()
    )
    return tables + (f'<ul class="rf-note">{notes}</ul>' if notes else "")
