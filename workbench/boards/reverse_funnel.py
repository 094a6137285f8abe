"""The reverse-funnel board: how many leads to create, by when, for the target."""

import html
from datetime import date, timedelta
from typing import Any

import ipywidgets as w
import numpy as np

from kpi import Snapshot, TableError
from kpi.periods import as_date, month_start
from kpi.planning import FunnelModel, Plan, reverse_funnel
from workbench import charts, tables, theme, words
from workbench.boards.inputs import LABEL, STYLE, WIDTH, NumberInput, html_table, rate_history

WINS, MRR = "deals won", "new MRR"
PLAN_MONTHS = 6
LEAST, MOST = 10, 99  # chance on the slider, per cent


class ReverseFunnelBoard:
    """Widgets for `kpi.planning.reverse_funnel`: inputs in blue, results in black.

    Parameters
    ----------
    source : Snapshot or FunnelModel
        A snapshot is fitted first.
    wins, new_mrr : float, optional
        Target to begin with, at most one; default the wins of the last six months of history.
    by : date, optional
        Last day that counts; default six months after the plan starts.
    confidence : float
        Chance wanted, 0 to 1.

    Attributes
    ----------
    goal, target, by, confidence, deal_value
        The inputs: a ``ToggleButtons``, a ``FloatText``, a ``DatePicker``, an ``IntSlider`` (per
        cent) and a `NumberInput`.
    rates : dict of step name to `NumberInput`
        Rates in per cent, as observed; ``rates["leads"].field.value = 20`` sets one by hand.
    plan : Plan or None
        The result for what the controls say; None while they make no sense.
    problem : str
        Why there is no plan; empty while there is one.
    view : VBox
        What is shown: the answer first, then inputs beside charts, then the table.
    """

    def __init__(
        self,
        source: Snapshot | FunnelModel,
        *,
        wins: float | None = None,
        new_mrr: float | None = None,
        by: date | str | None = None,
        confidence: float = 0.8,
        start: date | str | None = None,
    ) -> None:
        if wins is not None and new_mrr is not None:
            raise TableError("set the target as wins or as new_mrr, at most one of them")
        if not LEAST <= 100 * confidence <= MOST:
            raise TableError(
                f"confidence = {confidence}; the board takes {LEAST / 100} to {MOST / 100}"
            )
        self.model = FunnelModel.fit(source) if isinstance(source, Snapshot) else source
        self.plan: Plan | None = None
        self.problem = ""
        self._quiet = True
        self._start = as_date(start) if start else None
        first = self._start or month_start(self._as_of(), 1)
        usual = self.model.recent_wins or 5
        value = np.nan_to_num(self.model.deal_value, nan=1_000.0)
        self._target_of = {
            WINS: float(usual if wins is None else wins),
            MRR: float(max(round(usual * value, -3), 1_000) if new_mrr is None else new_mrr),
        }
        end = as_date(by) if by else month_start(first, PLAN_MONTHS) - timedelta(days=1)
        self._make_target(WINS if new_mrr is None else MRR, end, confidence)
        self._make_rates()
        self._make_view()
        self._quiet = False
        self.refresh()

    def _as_of(self) -> date:
        if self.model.as_of is None and self._start is None:
            raise TableError("an assumed model has no as-of date: give the board a start date")
        return self.model.as_of or self._start  # type: ignore[return-value]

    def _make_target(self, goal: str, end: date, confidence: float) -> None:
        options = [WINS, MRR] if self.model.values is not None else [WINS]
        self.goal = w.ToggleButtons(
            options=options,
            value=goal,
            tooltips=["The target is a number of deals", "The target is new revenue a month"],
            style={"button_width": "150px"},
        )
        self.target = w.FloatText(
            value=self._target_of[goal],
            description="Target",
            style=LABEL,
            layout=w.Layout(width=WIDTH),
            tooltip="How many deals, or how much new revenue a month",
        )
        self.by = w.DatePicker(
            value=end, description="By the end of", style=LABEL, layout=w.Layout(width="314px")
        )
        self.confidence = w.IntSlider(
            value=round(100 * confidence),
            min=LEAST,
            max=MOST,
            step=1,
            description="Chance, %",
            continuous_update=False,
            style=LABEL,
            layout=w.Layout(width="330px"),
        )
        for control in (self.target, self.by, self.confidence):
            control.add_class("rf-input")
            control.observe(lambda _change: self.refresh(), names="value")
        self.goal.observe(self._other_goal, names="value")

    def _make_rates(self) -> None:
        labels = {step.name: step.label for step in self.model.steps}
        following = [step.label for step in self.model.steps[1:]]
        self.rates = {}
        for (name, rate), after in zip(self.model.rates.items(), following, strict=True):
            self.rates[name] = NumberInput(
                f"{_short(labels[name])} → {_short(after)}, %",
                round(100 * rate.value, 1),
                history=rate_history(rate),
                step=0.5,
                changed=self.refresh,
            )
        value = self.model.deal_value
        known = 0 if self.model.values is None else len(self.model.values)
        self.deal_value = NumberInput(
            "Deal, new MRR",
            0.0 if np.isnan(value) else float(round(value)),
            history=f"mean of {known:,} deals won" if known else "not known: needed for revenue",
            step=50,
            changed=self.refresh,
        )
        self.reset = w.Button(
            description="Reset all to history", icon="undo", layout=w.Layout(width="180px")
        )
        self.reset.on_click(lambda _button: self.back())

    def _make_view(self) -> None:
        self.answer, self.picture, self.table = w.HTML(), w.HTML(), w.HTML()
        inputs = [
            w.HTML("<h4>Target</h4>"),
            self.goal,
            self.target,
            self.by,
            self.confidence,
            w.HTML("<h4>Conversion from stage to stage</h4>"),
            *[rate.view for rate in self.rates.values()],
            self.deal_value.view,
            self.reset,
        ]
        left = w.VBox(inputs, layout=w.Layout(width="340px", flex="0 0 auto"))
        right = w.VBox([self.picture], layout=w.Layout(flex="1 1 440px", min_width="0"))
        body = w.HBox([left, right], layout=w.Layout(flex_flow="row wrap", grid_gap="20px"))
        source = w.HTML(f'<div class="rf-note">{html.escape(self.model.source)}</div>')
        self.view = w.VBox([w.HTML(STYLE), self.answer, body, self.table, source])
        self.view.add_class("rf-board")

    def _other_goal(self, change: dict[str, Any]) -> None:
        """Switch between wins and revenue, each with the target it last had."""
        self._target_of[change["old"]] = self.target.value
        self._quiet = True
        self.target.value = self._target_of[change["new"]]
        self._quiet = False
        self.refresh()

    def back(self) -> None:
        """Take every rate and the deal value from history again."""
        self._quiet = True
        for number in (*self.rates.values(), self.deal_value):
            number.back()
        self._quiet = False
        self.refresh()

    def refresh(self) -> None:
        """Plan for what the controls say; a bad input shows its message in place of the result."""
        if self._quiet:
            return
        try:
            self.plan = self._planned()
        except TableError as error:
            self.plan, self.problem = None, str(error)
            self.answer.value = f'<div class="rf-problem">{html.escape(self.problem)}</div>'
            self.picture.value = self.table.value = ""
            return
        self.problem = ""
        self.answer.value = self._said(self.plan)
        self.picture.value = "".join(
            [
                theme.image(charts.plan_months(self.plan), words.sentence(self.plan)),
                theme.image(charts.plan_funnel(self.plan), "What the plan needs at each stage."),
            ]
        )
        self.table.value = _table(self.plan)

    def _planned(self) -> Plan:
        if self.by.value is None:
            raise TableError("set the date by which the target counts")
        rates = {}
        for name, number in self.rates.items():
            if number.override is None:
                continue
            if not 0 < number.override <= 100:
                raise TableError(
                    f"{number.label} = {number.override:g}; expected above 0 and up to 100"
                )
            rates[name] = number.override / 100
        model = self.model.with_rates(rates, deal_value=self.deal_value.override)
        goal = {"wins" if self.goal.value == WINS else "new_mrr": self.target.value}
        return reverse_funnel(
            model,
            by=self.by.value,
            start=self._start,
            confidence=self.confidence.value / 100,
            **goal,
        )

    def _said(self, plan: Plan) -> str:
        facts = "".join(
            f"<li><b>{html.escape(name)}</b>: {html.escape(text)}.</li>"
            for name, text in words.facts(plan, self.model)
        )
        said = html.escape(words.sentence(plan))
        return f'<div class="rf-answer">{said}</div><ul class="rf-facts">{facts}</ul>'

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        """Show the widgets; where there are none (a viewer, a test), the answer as text."""
        bundle: dict[str, Any] = dict(self.view._repr_mimebundle_(**options) or {})
        bundle["text/plain"] = words.sentence(self.plan) if self.plan else self.problem
        return bundle


def _table(plan: Plan) -> str:
    notes = "".join(f"<li>{html.escape(note)}.</li>" for note in plan.notes)
    return (
        "<h4>Needed at each stage, by month</h4>"
        + html_table(tables.plan_table(plan))
        + (f'<ul class="rf-note">{notes}</ul>' if notes else "")
    )


def _short(label: str) -> str:
    return label if len(label) <= 11 else label[:10] + "…"
