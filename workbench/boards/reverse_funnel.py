"""The reverse-funnel board: how many leads to create, by when, for the target."""

import html
from datetime import date, timedelta
from typing import Any

import ipywidgets as w
import numpy as np
import pandas as pd

from kpi import Snapshot, TableError
from kpi.periods import as_date, month_start
from kpi.planning import FunnelModel, Plan, Scenario, levers, reverse_funnel
from workbench import plan_drawing, plan_tables, plan_words, tables, theme, words
from workbench.boards.freezer import Freezer
from workbench.boards.inputs import html_table
from workbench.boards.parts import Filters, Frame, OnDemand, Scenarios, Shown
from workbench.boards.plan_numbers import leads_each_month, usual_pace
from workbench.boards.reverse_inputs import LEAST, MOST, PlanInputs

PLAN_MONTHS = 6
KPIS = ("win_rate", "cycle_days", "deals_won")
OF_LEADS = ("lead_conversion", "lead_to_customer", "leads_created")
NEEDED = "Needed at each stage, by month"


class ReverseFunnelBoard:
    """Widgets for `kpi.planning.reverse_funnel`: inputs in blue, results in black.

    Parameters
    ----------
    source : Snapshot or FunnelModel
        A snapshot is fitted first.
    wins, new_mrr, bookings, mrr, arr : float, optional
        Target to begin with, at most one; default the wins of the last six months of history.
    by : date, optional
        Last day that counts; default six months after the plan starts.
    confidence : float
        Chance wanted, 0 to 1.
    start : date, optional
        First day that counts; default the first of the month after the data ends.

    Attributes
    ----------
    goal, target, by, confidence
        The target: a ``Dropdown``, a ``FloatText``, a ``DatePicker``, a ``BoundedIntText`` (per cent).
    rates : dict of step name to NumberInput
        Rates in per cent, as observed; ``rates["leads"].field.value = 20`` sets one by hand.
    deal_value, own, cap, cycle, churn, lead_cost : NumberInput
        Value of a win, your own leads a month (the plan says their chance), the most leads a month,
        length of the cycle in per cent of history, churn a year, cost of a lead; the last two are
        None where the model has no use for them.
    part : ToggleButtons
        Which of these are seen.
    reset : Button
        Every number from history again.
    levers : OnDemand
        What closes the gap: each lever alone (`kpi.planning.levers`); found is `found`.
    scenarios : Scenarios
    freezer : Freezer
    model : FunnelModel
    plan : Plan or None
        The result for what the controls say; None while they make no sense.
    sentence, problem : str
        The answer, and why there is none.
    view : VBox
        What is shown: the answer first, then inputs beside charts, then the table.
    """

    def __init__(
        self,
        source: Snapshot | FunnelModel,
        *,
        by: date | str | None = None,
        confidence: float = 0.8,
        start: date | str | None = None,
        **target: float | None,
    ) -> None:
        kind, amount = _asked(target)
        if not LEAST <= 100 * confidence <= MOST:
            raise TableError(
                f"confidence = {confidence}; the board takes {LEAST / 100} to {MOST / 100}"
            )
        self.model = FunnelModel.fit(source) if isinstance(source, Snapshot) else source
        self.plan: Plan | None = None
        self.found: pd.DataFrame | None = None
        self._under: tuple[tuple[object, ...], FunnelModel] | None = None
        began = as_date(start) if start else None
        first = began or month_start(_known(self.model), 1)
        end = as_date(by) if by else month_start(first, PLAN_MONTHS) - timedelta(days=1)
        self.inputs = PlanInputs(
            self.model, kind, amount=amount, by=end, start=began, confidence=confidence
        )
        self._name_inputs()
        self.levers = OnDemand("What closes the gap", self.find_levers, self._levered)
        self.lever_table = w.HTML()
        self.scenarios = Scenarios(self.inputs.scenario, self._put, lambda: self.model)
        known = source if isinstance(source, Snapshot) else None
        self.freezer = Freezer(lambda: self.plan, known)
        self.frame = self._framed(source)
        self.reset.on_click(lambda _button: self.back())

    def _name_inputs(self) -> None:
        inputs = self.inputs
        self.goal, self.target, self.by = inputs.goal, inputs.target, inputs.by
        self.confidence, self.rates = inputs.confidence, inputs.rates
        self.deal_value, self.part = inputs.deal_value, inputs.part
        self.own, self.cap, self.cycle = inputs.own, inputs.cap, inputs.cycle
        self.churn, self.lead_cost, self.reset = inputs.churn, inputs.lead_cost, inputs.reset

    def _framed(self, source: Snapshot | FunnelModel) -> Frame:
        known = isinstance(source, Snapshot)
        of_leads = OF_LEADS if self.model.has_leads else ()
        steps = len(self.model.steps)
        funnel = plan_drawing.FUNNEL_TOP + plan_drawing.STEP * steps + 30
        return Frame(
            "reverse_funnel",
            self._show,
            controls=self.inputs.controls,
            left=self.inputs.left,
            filters=Filters(source, only=()) if isinstance(source, Snapshot) else None,
            kpis=(*KPIS, *of_leads) if known else (),
            height=plan_drawing.MONTHS_HEIGHT + funnel,
            more=[
                self.levers.view,
                self.lever_table,
                w.HTML("<h4>Scenarios: keep these inputs, and compare</h4>"),
                self.scenarios.view,
                w.HTML("<h4>Freeze this plan, to track it later and to show it to leadership</h4>"),
                self.freezer.view,
            ],
        )

    @property
    def sentence(self) -> str:
        """The answer as text; where there is none, why."""
        return self.frame.sentence

    @property
    def problem(self) -> str:
        """Why there is no answer; empty where there is one."""
        return self.frame.problem

    @property
    def view(self) -> w.VBox:
        """What is shown."""
        return self.frame.view

    def back(self) -> None:
        """Take every rate and all else that is not the target from history again."""
        with self.frame.quiet():
            self.inputs.back()

    def _put(self, scenario: Scenario) -> None:
        with self.frame.quiet():
            self.inputs.put(scenario)

    def _show(self) -> Shown:
        """Plan for what the controls say."""
        self.plan = None
        self._forget()
        plan = self.plan = self._planned(self.inputs.scenario("board"))
        said = words.sentence(plan)
        drawn = [
            theme.embedded(plan_drawing.months(plan), said),
            theme.embedded(plan_drawing.funnel(plan), "What the plan needs at each stage."),
        ]
        return Shown(
            sentence=said,
            facts=[(name, f"{text}.") for name, text in words.facts(plan, self.model)],
            picture="".join(drawn),
            tables={NEEDED: tables.plan_table(plan)},
            notes=[f"{note}." for note in plan.notes],
            source=self.model.source,
            data={"plan": plan.table, "outcome": plan.outcome},
        )

    def _planned(self, asked: Scenario) -> Plan:
        """Plan as `Scenario.plan` does, with the model kept as long as its rates are the same.

        What a model has drawn serves every target; a new one would draw it again.
        """
        assumed = asked.rates, asked.deal_value, asked.cycle, asked.annual_churn
        if self._under is None or self._under[0] != assumed:
            self._under = assumed, asked.model(self.model)
        return reverse_funnel(
            self._under[1],
            asked.target,
            caps=asked.caps,
            leads_by_month=asked.leads_by_month,
            lead_cost=asked.lead_cost,
        )

    def find_levers(self) -> pd.DataFrame:
        """Look for what lets the own leads reach the target; those of the usual pace without any.

        Returns
        -------
        DataFrame
            As `kpi.planning.levers`; ``.attrs["leads"]`` are the leads by month.
        """
        asked = self.inputs.scenario("board")
        pace = usual_pace(self.model)
        if asked.leads_by_month is None and np.isnan(pace):
            raise TableError("say first how many you create a month: there is no usual pace")
        leads = asked.leads_by_month or leads_each_month(
            asked.target, self.model.as_of, float(round(pace))
        )
        found = levers(asked.model(self.model), asked.target, leads)
        found.attrs["leads"] = leads
        return found

    def _levered(self, found: pd.DataFrame) -> None:
        self.found = found
        heading = html.escape(plan_words.levers_said(found, own=self.own.override is not None))
        self.lever_table.value = f"<h4>{heading}</h4>{html_table(plan_tables.lever_table(found))}"

    def _forget(self) -> None:
        """Drop levers that were found for another state of the inputs."""
        self.levers.stop("stopped: the inputs changed")
        self.found = None
        self.lever_table.value = ""

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        """Show the widgets; where there are none (a viewer, a test), the answer as text."""
        return self.frame.bundle(**options)


def _asked(target: dict[str, float | None]) -> tuple[str, float | None]:
    """Kind and amount of the target asked for at first."""
    unknown = sorted(set(target) - {"wins", "new_mrr", "bookings", "mrr", "arr"})
    if unknown:
        raise TypeError(f"ReverseFunnelBoard() got unexpected keywords {unknown}")
    given = {kind: amount for kind, amount in target.items() if amount is not None}
    if len(given) > 1:
        raise TableError(f"set the target as {' or as '.join(given)}, at most one of them")
    return next(iter(given.items()), ("wins", None))


def _known(model: FunnelModel) -> date:
    if model.as_of is None:
        raise TableError("an assumed model has no as-of date: give the board a start date")
    return model.as_of
