"""Controls shared by the boards: labelled, blue, reachable by keyboard, with their history beside."""

import html
from collections.abc import Callable

import ipywidgets as w
import pandas as pd

from kpi.planning.curve import Rate
from workbench import theme

STYLE = f"""<style>
.rf-board {{ font-size: 14px; color: {theme.RESULT}; background: {theme.PAPER}; }}
body[data-jp-theme-light=false] .rf-board {{ padding: 12px; border-radius: 6px; }}
.rf-board .rf-input input, .rf-board .rf-input select {{
  color: {theme.INPUT}; font-weight: 600; background: #f5f8ff; border: 1px solid #b9c8ee; }}
.rf-board .rf-input input:focus {{ outline: 2px solid {theme.INPUT}; }}
.rf-board .widget-label {{ color: {theme.INK}; }}
.rf-board .rf-note {{ color: {theme.MUTED}; font-size: 12px; line-height: 1.35; }}
.rf-board .rf-answer {{ font-size: 19px; line-height: 1.4; font-weight: 600; color: {theme.RESULT};
  border-left: 4px solid {theme.ACCENT}; padding: 4px 0 4px 14px; margin: 0 0 6px; }}
.rf-board .rf-facts {{ margin: 2px 0 0; padding-left: 36px; line-height: 1.45; }}
.rf-board .rf-problem {{ border-left: 4px solid {theme.WARN}; padding: 6px 0 6px 14px;
  font-size: 16px; color: {theme.WARN}; }}
.rf-board h4 {{ margin: 14px 0 2px; font-size: 14px; color: {theme.INK}; }}
.rf-board table.rf {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
.rf-board table.rf th, .rf-board table.rf td {{ padding: 3px 9px; text-align: right;
  border-bottom: 1px solid {theme.RULE}; color: {theme.RESULT}; background: {theme.PAPER}; }}
.rf-board table.rf th {{ font-weight: 600; color: {theme.MUTED}; }}
.rf-board table.rf th:first-child, .rf-board table.rf td:first-child {{ text-align: left; }}
</style>"""

LABEL = {"description_width": "162px"}
WIDTH = "276px"
NOTE = w.Layout(width="314px", justify_content="flex-end", margin="-2px 0 0 0")


class NumberInput:
    """A number in blue, what history says beside it, and a button back to it.

    ``override`` is None while the number is the one history gave, so that an untouched input
    never changes a result by its rounding.
    """

    def __init__(
        self,
        label: str,
        default: float,
        *,
        history: str,
        step: float,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self.label = label
        self.default = default
        self.field = w.FloatText(
            value=default,
            step=step,
            description=label,
            tooltip=f"{label}. {history}",
            style=LABEL,
            layout=w.Layout(width=WIDTH),
            continuous_update=False,
        )
        self.field.add_class("rf-input")
        self.reset = w.Button(
            icon="undo",
            tooltip=f"Back to history: {label}",
            layout=w.Layout(width="34px"),
            disabled=True,
        )
        self.note = w.Label(value=history)
        self.note.add_class("rf-note")
        self.reset.on_click(lambda _button: self.back())
        self.field.observe(lambda _change: self._edited(changed), names="value")

    @property
    def override(self) -> float | None:
        """Return the number set by hand, or None."""
        return None if self.field.value == self.default else float(self.field.value)

    @property
    def view(self) -> w.VBox:
        """Return the control with its history below."""
        note = w.HBox([self.note], layout=NOTE)
        return w.VBox([w.HBox([self.field, self.reset]), note])

    def back(self) -> None:
        """Take the number of history again."""
        self.field.value = self.default

    def _edited(self, changed: Callable[[], None] | None) -> None:
        self.reset.disabled = self.override is None
        if changed is not None:
            changed()


def rate_history(rate: Rate) -> str:
    """Say in words what a rate's history is: its value, interval and counts."""
    if rate.n == 0:
        return "assumed, not yours"
    low, high = theme.percent_text(rate.low), theme.percent_text(rate.high)
    return f"history {100 * rate.value:.1f}% ({low}–{high}), n {rate.n:,}"


def html_table(frame: pd.DataFrame) -> str:
    """Return a small data frame of text as an HTML table, every cell escaped."""
    columns = [str(c) for c in frame.columns]
    head = "".join(f"<th>{html.escape(c)}</th>" for c in ["", *columns])
    rows = []
    for label, row in frame.iterrows():
        cells = "".join(f"<td>{html.escape(str(v))}</td>" for v in row)
        rows.append(f"<tr><td>{html.escape(str(label))}</td>{cells}</tr>")
    return f'<table class="rf"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
