"""The figures of a plan, each with what it means, how it is reckoned and what it rests on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kpi.planning import FunnelModel, Plan
from kpi.planning.what_if import WhatIf
from workbench import words
from workbench.report.pack.text import clean
from workbench.theme import money_text, percent_text, whole_text


@dataclass(frozen=True)
class Figure:
    """One number as it is said, and what stands behind it.

    Attributes
    ----------
    name, label, text : str
        Its key; its name for people; the number as written.
    value : float
        The number, not rounded.
    definition, formula, n : str
        What it means; how it is reckoned; how many records it rests on, in words.
    """

    name: str
    label: str
    text: str
    value: float
    definition: str
    formula: str
    n: str


Say = Callable[[float], str]
FEW = 5  # records; a number that rests on fewer is not shown


def goal(plan: Plan, symbol: str) -> str:
    """Say the target with its currency: ``$60K of new monthly recurring revenue``."""
    if plan.target.kind == "wins":
        return words.target(plan)
    return words.FLOWS[plan.target.kind].format(money_text(plan.target.amount, symbol))


def figures(plan: Plan, model: FunnelModel, reduced: WhatIf, symbol: str) -> dict[str, Figure]:
    """Every figure of a plan by name, the most important first."""
    money = lambda value: money_text(value, symbol)  # noqa: E731 - one word for one way to write
    unit: Say = _wins if plan.target.kind == "wins" else money
    listed = [_target(plan, symbol), *_answer(plan, model, reduced, unit)]
    listed += [*_already(plan, unit), *_sources(plan, model)]
    listed += [*_more_certain(plan), *_values(plan, model, money)]
    return {figure.name: figure for figure in listed}


def _wins(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0").replace("-", "−")


def _target(plan: Plan, symbol: str) -> Figure:
    return Figure(
        "target",
        "Target",
        f"{goal(plan, symbol)} by {words.day(plan.by)}",
        plan.target.amount,
        "What is to be reached, as set by whoever made the plan.",
        "set, not reckoned",
        "no records: an input",
    )


def _answer(plan: Plan, model: FunnelModel, reduced: WhatIf, unit: Say) -> list[Figure]:
    told, top = reduced.result(), plan.top
    beyond = told["gap"] <= 0
    won = reduced.chance(reduced.put(leads=0.0))
    rests = _rests(model)
    return [
        Figure(
            "chance",
            "Chance with this plan",
            percent_text(plan.probability),
            plan.probability,
            "How often the target is reached when this plan is kept and all that is uncertain is drawn "
            "anew: rates, delays, deal values, churn and chance itself.",
            f"share of {plan.draws:,} draws that reach the target; given a draw, new wins are Poisson",
            rests,
        ),
        Figure(
            "leads",
            f"{top.capitalize()} to create",
            whole_text(plan.to_create),
            plan.to_create,
            f"Fewest {top}, created by the months of the plan, with which the target is reached with the "
            f"chance asked for ({percent_text(plan.confidence)}).",
            f"smallest number whose chance is at least {percent_text(plan.confidence)}",
            rests,
        ),
        Figure(
            "gap",
            f"Beyond the target without new {top}" if beyond else f"Gap that new {top} must close",
            unit(abs(told["gap"])),
            told["gap"],
            f"Target less what is expected without any new {top}: what is won, open or comes directly.",
            f"target - expected without new {top}",
            rests,
        ),
        Figure(
            "chance_without",
            f"Chance without new {top}",
            percent_text(won),
            won,
            f"Chance of the target when no {top} are created: what is open and direct deals alone.",
            f"as the chance, with no new {top}, from the draws of the what-if page",
            rests,
        ),
        Figure(
            "expected",
            "Expected with this plan",
            unit(told["expected"]),
            told["expected"],
            "Average over all draws, at the last day. A plan for a chance above a half expects more than "
            "its target.",
            f"won so far + open now + direct deals + new {top}, each by its rates and delays",
            rests,
        ),
        Figure(
            "without_new",
            f"Expected without new {top}",
            unit(told["without_new"]),
            told["without_new"],
            f"Average at the last day when no {top} are created.",
            "won so far + open now + direct deals, each by its rates and delays",
            rests,
        ),
    ]


def _already(plan: Plan, unit: Say) -> list[Figure]:
    """What was won since the plan's first day, where that counts and there is any."""
    if not plan.already:
        return []
    return [
        Figure(
            "already",
            "Won so far",
            unit(plan.already),
            plan.already,
            f"Won from {words.day(plan.start)} to the last day of the data: it counts towards the target.",
            "sum of what was won in that time",
            "deals won since the plan's first day",
        )
    ]


def _sources(plan: Plan, model: FunnelModel) -> list[Figure]:
    open_now = int(model.waiting["n"].sum())
    shown = "fewer than 5 open records" if 0 < open_now < FEW else f"{open_now:,} open records"
    top = plan.top
    return [
        Figure(
            "from_pipeline",
            "Wins from what is open now",
            _wins(plan.from_pipeline),
            plan.from_pipeline,
            "Wins expected in time from leads and deals that exist already, each credited once.",
            "sum over open records of the chance to win in time, by step and by days at that step",
            shown,
        ),
        Figure(
            "from_direct",
            "Wins from direct deals",
            _wins(plan.from_direct),
            plan.from_direct,
            "Wins expected from deals that will be created without a lead.",
            "direct deals a month, at the pace of the last twelve months, times their share of wins in time",
            f"{model.direct_per_month:,.1f} direct deals a month",
        ),
        Figure(
            "from_new",
            f"Wins from new {top}",
            _wins(plan.from_new),
            plan.from_new,
            f"Wins expected in time from the {top} of this plan.",
            f"{top} to create x share that wins, after the whole distribution of delays",
            _rests(model),
        ),
    ]


def _more_certain(plan: Plan) -> list[Figure]:
    return [
        Figure(
            f"leads_{q:.0%}".removesuffix("%"),
            f"{plan.top.capitalize()} for a chance of {percent_text(q)}",
            whole_text(n),
            n,
            f"The same target with a chance of {percent_text(q)}.",
            f"smallest number whose chance is at least {percent_text(q)}",
            "as the plan",
        )
        for q, n in plan.needs.items()
    ]


def _values(plan: Plan, model: FunnelModel, money: Say) -> list[Figure]:
    won = len(model.values) if model.values is not None else 0
    base = model.base
    listed = [
        Figure(
            "deal_value",
            "New MRR of a win",
            money(plan.deal_value),
            plan.deal_value,
            "Mean new recurring revenue a month of a deal won.",
            "sum of new MRR of deals won / their number, or set by hand",
            f"{won:,} deals won with a value"
            if won >= FEW
            else "fewer than 5 deals won with a value",
        ),
        Figure(
            "spend",
            f"Cost of the new {plan.top}",
            money(plan.spend),
            plan.spend,
            "What the leads of the plan cost at the cost of a lead.",
            f"leads to create x {money(plan.lead_cost)} a lead",
            "marketing spend over the leads of the last twelve whole months",
        ),
    ]
    if base is not None:
        yearly = 1 - (1 - base.churn) ** 12
        listed.append(
            Figure(
                "annual_churn",
                "Churn a year",
                percent_text(yearly),
                yearly,
                "Share of the recurring revenue that leaves in a year, contraction included.",
                "1 - (1 - monthly churn) ^ 12",
                "as set by hand"
                if np.isinf(base.months) or model.annual_churn is not None
                else f"{base.months:,.0f} customer-months",
            )
        )
    return [figure for figure in listed if not np.isnan(figure.value)]


def _rests(model: FunnelModel) -> str:
    """Say what a model rests on: records followed and deals closed."""
    counts = {step.label: model.rates[step.name].n for step in model.steps[:-1]}
    followed = ", ".join(f"{clean(label, 40)} {n:,}" for label, n in counts.items() if n >= FEW)
    return f"{model.closed:,} deals closed; records followed: {followed}"
