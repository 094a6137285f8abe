"""What the reverse-funnel board can be asked, and the scenario that its inputs say."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import ipywidgets as w

from kpi import TableError
from kpi.planning import FunnelModel, Scenario, Target
from workbench.boards.inputs import LABEL, WIDTH, NumberInput
from workbench.boards.plan_numbers import (
    cap_number,
    churn_number,
    cost_number,
    cycle_number,
    leads_each_month,
    own_number,
    rate_numbers,
    usual,
    value_number,
)

GOALS = {
    "deals won": "wins",
    "new MRR": "new_mrr",
    "bookings": "bookings",
    "MRR at the date": "mrr",
    "ARR at the date": "arr",
}
PARTS = ("conversion, value", "what else counts")
LEAST, MOST = 10, 99  # chance on the slider, per cent


class PlanInputs:
    """Inputs of a plan: target, rates with their history, and what else counts.

    Parameters
    ----------
    model : FunnelModel
        Only what it knows is offered as a target or an input.
    kind : str
        Target at first, a value of `GOALS`.
    amount : float, optional
        How much of it; default what was usual.
    by, start : date
        Last day that counts at first; first day, or None for the month after the data ends.
    confidence : float
        Chance wanted at first, 0 to 1.

    Attributes
    ----------
    goal, target, by, confidence
        ``Dropdown``, ``FloatText``, ``DatePicker``, ``BoundedIntText`` (per cent).
    rates : dict of step name to NumberInput
        Per cent.
    deal_value, own, cap, cycle, churn, lead_cost : NumberInput
        ``churn`` and ``lead_cost`` are None where the model has no use for them.
    part : ToggleButtons
        Which numbers are seen: the rates, or what else counts; so that the answer stays in sight.
    reset : Button
        Every number from history again; the target stays.
    """

    def __init__(
        self,
        model: FunnelModel,
        kind: str,
        *,
        amount: float | None,
        by: date,
        start: date | None,
        confidence: float,
    ) -> None:
        self._model, self._start = model, start
        self._target_of = usual(model)
        if kind not in self._target_of:
            raise TableError(f"{kind}: the data does not say what it takes to plan for it")
        if amount is not None:
            self._target_of[kind] = float(amount)
        self._make_target(kind, by, confidence)
        self.rates, self.deal_value = rate_numbers(model), value_number(model)
        self.own, self.cap, self.cycle = own_number(model), cap_number(model), cycle_number(model)
        self.churn, self.lead_cost = churn_number(model), cost_number(model)
        self.part = w.ToggleButtons(
            options=PARTS,
            tooltips=[
                "Rates from stage to stage, value of a deal",
                "Own leads, limits, cycle, cost",
            ],
            style={"button_width": "152px"},
            layout={"width": "340px"},
        )
        self.part.observe(lambda _change: self._turn(), names="value")
        rates = [*self.rates.values(), self.deal_value]
        others = [number for number in self.numbers if number not in rates]
        self._turned = [w.VBox([number.view for number in part]) for part in (rates, others)]
        self._turn()
        self.reset = w.Button(
            description="Reset all to history", icon="undo", layout=w.Layout(width="180px")
        )

    def _make_target(self, kind: str, by: date, confidence: float) -> None:
        self.goal = w.Dropdown(
            options=[label for label, name in GOALS.items() if name in self._target_of],
            value=next(label for label, name in GOALS.items() if name == kind),
            description="Target in",
            tooltip="What the target counts",
            style=LABEL,
            layout=w.Layout(width="314px"),
        )
        self.target = w.FloatText(
            value=self._target_of[kind],
            description="Target",
            style=LABEL,
            layout=w.Layout(width=WIDTH),
            tooltip="How many deals, or how much revenue",
            continuous_update=False,
        )
        self.by = w.DatePicker(
            value=by,
            description="By the end of",
            tooltip="Last day that counts",
            style=LABEL,
            layout=w.Layout(width="314px"),
        )
        self.confidence = w.BoundedIntText(  # no slider: a screen reader cannot name its handle
            value=round(100 * confidence),
            min=LEAST,
            max=MOST,
            step=1,
            description="Chance, %",
            style=LABEL,
            layout=w.Layout(width=WIDTH),
            tooltip="How sure to be of the target",
            continuous_update=False,
        )
        self.goal.observe(self._other_goal, names="value")

    @property
    def numbers(self) -> list[NumberInput]:
        """Every number that history gives, or that begins at nothing."""
        others = [self.own, self.cap, self.cycle, self.churn, self.lead_cost]
        found = [*self.rates.values(), self.deal_value, *others]
        return [number for number in found if number is not None]

    @property
    def controls(self) -> dict[str, w.Widget]:
        """Inputs by name, the goal first: it puts its own target in place."""
        first = {
            "goal": self.goal,
            "target": self.target,
            "by": self.by,
            "confidence": self.confidence,
        }
        return first | {number.label: number.field for number in self.numbers}

    @property
    def left(self) -> list[w.Widget]:
        """The inputs one below the other."""
        return [
            w.HTML("<h4>Target</h4>"),
            self.goal,
            self.target,
            self.by,
            self.confidence,
            w.HTML("<h4>What it rests on</h4>"),
            self.part,
            *self._turned,
            self.reset,
        ]

    def _turn(self) -> None:
        """Show the numbers of the part chosen, and hide the others."""
        for box, part in zip(self._turned, PARTS, strict=True):
            box.layout.display = "" if part == self.part.value else "none"

    def back(self) -> None:
        """Take every number from history again."""
        for number in self.numbers:
            number.back()

    def scenario(self, name: str) -> Scenario:
        """Return what the inputs say, under a name.

        Raises
        ------
        TableError
            If an input makes no sense.
        """
        if self.by.value is None:
            raise TableError("set the date by which the target counts")
        goal: dict[str, Any] = {GOALS[self.goal.value]: self.target.value}
        target = Target(
            by=self.by.value, start=self._start, confidence=self.confidence.value / 100, **goal
        )
        cap = self.cap.override
        return Scenario(
            name=name,
            target=target,
            rates={n: _share(r) for n, r in self.rates.items() if r.override is not None},
            deal_value=self.deal_value.override,
            cycle=_part(self.cycle),
            annual_churn=_part(self.churn),
            leads_by_month=self._own_leads(target),
            caps=None if cap is None else {self._top: cap},
            lead_cost=None if self.lead_cost is None else self.lead_cost.override,
        )

    def put(self, scenario: Scenario) -> None:
        """Set the inputs as a scenario has them.

        Raises
        ------
        TableError
            If it holds what the board has no input for; nothing is set then.
        """
        own = set((scenario.leads_by_month or {}).values())
        caps = dict(scenario.caps or {})
        cap = caps.pop(self._top, None)
        odd = {
            "a path of targets": len(scenario.target.checkpoints) > 1,
            "other leads in each month": len(own) > 1,
            "caps by month, or of something else": bool(caps) or isinstance(cap, Mapping),
            "a season": bool(scenario.season),
            "a limit to changes": scenario.smooth is not None,
            f"a target in {scenario.target.kind}": scenario.target.kind not in self._target_of,
            "stages that are not these": bool(set(scenario.rates) - set(self.rates)),
        }
        lacking = [what for what, there in odd.items() if there]
        if lacking:
            raise TableError(
                f"{scenario.name} has {', '.join(lacking)}, which this board has no input for: plan "
                "it in a cell, with scenario.plan(board.model)"
            )
        self.goal.value = next(k for k, kind in GOALS.items() if kind == scenario.target.kind)
        self.target.value = scenario.target.amount
        self.by.value = scenario.target.last
        self.confidence.value = round(100 * scenario.target.confidence)
        for name, number in self.rates.items():
            _set(number, _per_cent(scenario.rates.get(name)))
        _set(self.deal_value, scenario.deal_value)
        _set(self.own, next(iter(own), None))
        _set(self.cap, cap)  # type: ignore[arg-type]  # mappings were refused above
        _set(self.cycle, _per_cent(scenario.cycle))
        _set(self.churn, _per_cent(scenario.annual_churn))
        _set(self.lead_cost, scenario.lead_cost)

    @property
    def _top(self) -> str:
        return "leads" if self._model.has_leads else "deals"

    def _own_leads(self, target: Target) -> dict[str, float] | None:
        each = self.own.override
        return None if each is None else leads_each_month(target, self._model.as_of, each)

    def _other_goal(self, change: dict[str, Any]) -> None:
        """Switch to another kind of target, each with the amount it last had."""
        self._target_of[GOALS[change["old"]]] = self.target.value
        self.target.value = self._target_of[GOALS[change["new"]]]


def _share(number: NumberInput) -> float:
    per_cent = number.field.value
    if not 0 < per_cent <= 100:
        raise TableError(f"{number.label} = {per_cent:g}; expected above 0 and up to 100")
    return float(per_cent / 100)


def _part(number: NumberInput | None) -> float | None:
    override = None if number is None else number.override
    return None if override is None else override / 100


def _per_cent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 9)


def _set(number: NumberInput | None, value: float | None) -> None:
    if number is not None:
        number.field.value = number.default if value is None else float(value)
