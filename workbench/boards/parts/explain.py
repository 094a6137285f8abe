"""Explain this number: what a KPI means, and the SQL and records behind its value."""

import html
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import ipywidgets as w

from kpi import TableError, explain, trace
from kpi.periods import Every
from kpi.trace import Trace
from workbench.boards.inputs import LABEL
from workbench.boards.parts.filters import Filters
from workbench.boards.parts.records import FOLD, folded
from workbench.kpi_tables import unit_text

SAID = ("question", "formula", "unit", "basis", "interval", "benchmark", "source", "caveats")


class Explain:
    """A choice of the KPIs of a board, and a page about one of them, made when it is opened.

    Parameters
    ----------
    filters : Filters
        Say which snapshot the numbers are of.
    kpis : sequence of str
        Names in the catalogue.

    Attributes
    ----------
    name : Dropdown
    which : Text
        Which number of the KPI, and under which of its options: ``stage=Proposal, period=2026-Q3``.
        Empty: as the board asked for it.
    open : ToggleButton
    page : HTML
        What it says; empty while closed.
    view : VBox
    """

    def __init__(self, filters: Filters, kpis: Sequence[str]) -> None:
        self._filters = filters
        self._asked: Mapping[str, Mapping[str, Any]] = {}
        self.open = w.ToggleButton(
            description="Explain this number",
            icon="question-circle",
            tooltip="Definition, formula, SQL and records of one number",
            layout=w.Layout(width="190px"),
        )
        self.name = w.Dropdown(
            options=[(name.replace("_", " "), name) for name in kpis],
            description="Number",
            style=LABEL,
            layout=w.Layout(width="420px"),
        )
        self.which = w.Text(
            description="Which one",
            placeholder="as shown; or stage=Proposal, period=2026-Q3",
            style=LABEL,
            layout=w.Layout(width="420px"),
            continuous_update=False,
        )
        self.page = w.HTML()
        self._inside = w.VBox([self.name, self.which, self.page])
        self._inside.layout.display = "none"
        for control in (self.name, self.which):
            control.add_class("rf-input")
            control.observe(lambda _change: self.refresh(), names="value")
        self.open.observe(lambda _change: self.refresh(), names="value")
        self.view = w.VBox([self.open, self._inside])

    def of(self, asked: Mapping[str, Mapping[str, Any]]) -> None:
        """Take the options under which the board asked for each KPI; the page follows if open."""
        self._asked = asked
        self.refresh()

    def refresh(self) -> None:
        """Write the page again; nothing is worked out while it is closed."""
        opened = bool(self.open.value)
        self._inside.layout.display = "" if opened else "none"
        self.page.value = self._page() if opened else ""

    def _page(self) -> str:
        name = str(self.name.value)
        try:
            options = dict(self._asked.get(name, {})) | _pairs(self.which.value)
            return _meaning(name) + _account(trace(self._filters.snapshot, name, **options))
        except TableError as error:
            return _meaning(name) + f'<div class="rf-problem">{html.escape(str(error))}</div>'


def period_name(first: date, every: Every, fiscal_year_start: int = 1) -> str:
    """Name a period as `kpi.trace` reads it.

    Examples
    --------
    >>> period_name(date(2026, 7, 1), "quarter"), period_name(date(2026, 7, 1), "quarter", 7)
    ('2026-Q3', '2026-Q1')
    >>> period_name(date(2026, 7, 1), "month"), period_name(date(2026, 4, 1), "year", 4)
    ('2026-07', '2026')
    """
    if every == "month":
        return f"{first:%Y-%m}"
    months = (first.year * 12 + first.month - 1) - (fiscal_year_start - 1)
    return f"{months // 12}" if every == "year" else f"{months // 12}-Q{months % 12 // 3 + 1}"


def _pairs(text: str) -> dict[str, str]:
    """Read ``stage=Proposal, period=2026-Q3``."""
    pairs = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, sign, value = part.partition("=")
        if not sign or not name.strip().isidentifier() or not value.strip():
            raise TableError(f"which one: {part!r}; expected name=value, such as period=2026-Q3")
        pairs[name.strip()] = value.strip()
    return pairs


def _meaning(name: str) -> str:
    found = explain(name)
    lines = [(label, getattr(found.entry, label)) for label in SAID]
    said = "".join(f"<li><b>{label}</b>: {html.escape(text)}</li>" for label, text in lines if text)
    words = html.escape(found.meaning).replace("\n\n", "<br><br>")
    return f'<ul class="rf-facts">{said}</ul><p class="rf-note">{words}</p>'


def _account(found: Trace) -> str:
    value = "missing" if found.value is None else unit_text(found.entry.unit)(found.value)
    against = {True: "the board's own code says the same", None: "not a number of the board"}
    compared = against.get(found.agrees, "THE BOARD DIFFERS: please report it")
    reasons = found.left_out["why"].value_counts()
    left = "".join(f"<li>{count:,} {html.escape(str(why))}</li>" for why, count in reasons.items())
    return "".join(
        [
            f"<p><b>{html.escape(value)}</b>: x {found.x:,}, n {found.n:,} by SQL; {compared}. ",
            f'<span class="rf-note">{html.escape(found.described)}</span></p>',
            FOLD.format("SQL", f"<pre>{html.escape(found.sql)}</pre>"),
            folded("Records counted", found.records, "record_id"),
            FOLD.format(f"Left out: {len(found.left_out):,}", f"<ul>{left}</ul>"),
        ]
    )
