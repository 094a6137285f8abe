"""How far the chance of a what-if is from the planner's, found by asking both."""

from collections.abc import Mapping
from dataclasses import replace
from math import isnan

import numpy as np

from kpi.planning import FunnelModel, Plan, Target, chance
from kpi.planning.what_if import WhatIf

ASKED = 12
MOVES = {"target": 0.25, "leads": 0.5, "rates": 0.2, "deal_value": 0.25, "annual_churn": 0.3}
MOST_CHURN = 0.95
LEVEL = 0.05  # a level such as MRR moves less: most of it runs already


def largest_difference(
    model: FunnelModel, plan: Plan, reduced: WhatIf, asked: int = ASKED
) -> float:
    """Ask the what-if and the planner for the chance of the same random inputs.

    Returns
    -------
    float
        Largest difference found, 0 to 1. The inputs lie within a fifth to a half of those planned;
        the same each time.
    """
    rng = np.random.default_rng(plan.seed)
    return max((_difference(model, plan, reduced, rng) for _ in range(asked)), default=0.0)


def _difference(model: FunnelModel, plan: Plan, reduced: WhatIf, rng: np.random.Generator) -> float:
    planned = reduced.inputs
    times = {name: 1 + width * rng.uniform(-1, 1) for name, width in MOVES.items()}
    if plan.target.is_level:
        times["target"] = 1 + LEVEL * (times["target"] - 1) / MOVES["target"]
    each = 1 + MOVES["rates"] * rng.uniform(-1, 1, len(planned.rates))
    rates = {n: min(r * t, 1.0) for (n, r), t in zip(planned.rates.items(), each, strict=True)}
    by_hand: dict[str, float] = {}
    if not isnan(planned.deal_value):
        by_hand["deal_value"] = planned.deal_value * times["deal_value"]
    if not isnan(planned.annual_churn):
        by_hand["annual_churn"] = min(planned.annual_churn * times["annual_churn"], MOST_CHURN)
    paced = np.rint(planned.leads * times["leads"] * reduced.share)
    target = _times(plan.target, times["target"])
    exact = chance(
        model.with_rates(rates, **by_hand),
        target,
        dict(zip(reduced.months, paced, strict=True)),
        draws=plan.draws,
        seed=plan.seed,
    )
    put = reduced.put(rates=rates, target=target.amount, leads=float(paced.sum()), **by_hand)
    return abs(exact - reduced.chance(put))


def _times(target: Target, factor: float) -> Target:
    amount = getattr(target, target.kind)
    if isinstance(amount, Mapping):
        return replace(target, **{target.kind: {m: factor * a for m, a in amount.items()}})  # type: ignore[arg-type]
    return replace(target, **{target.kind: factor * amount})
