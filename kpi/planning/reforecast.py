"""Re-plan the rest of a period from what has come so far."""

from dataclasses import replace
from math import exp, inf, isnan, log

from kpi.planning.caveats import FEW_CLOSED
from kpi.planning.learn import RULE, RULE_LEADS
from kpi.planning.model import FunnelModel
from kpi.planning.plan import Plan
from kpi.planning.posterior import Memory
from kpi.planning.reverse import reverse_funnel
from kpi.planning.target import PlanError
from kpi.snapshot import Snapshot
from kpi.tables import TableError

ASSUMED_LEADS, ASSUMED_DEALS = 20.0, 10.0  # records that an assumed rate is worth beside actuals


def posterior_rate(prior: float, weight: float, x: float, n: float) -> float:
    """Rate after actuals, an assumed rate being worth so many records.

    Parameters
    ----------
    prior : float
        Assumed rate, 0 to 1.
    weight : float
        Records it is worth, above 0.
    x, n : float
        Arrivals, and records that had time to arrive.

    Examples
    --------
    Ten in a hundred planned at 15 %, sixty in a hundred at 33 %:

    >>> round(posterior_rate(0.15, 20, 6, 60), 4), round(posterior_rate(0.33, 10, 3, 5), 4)
    (0.1125, 0.42)
    """
    if not 0 <= prior <= 1:
        raise PlanError(f"prior = {prior}; expected a rate, 0 to 1")
    if not (0 < weight < inf and 0 <= x <= n < inf):
        raise PlanError(f"weight = {weight}, x = {x}, n = {n}; expected above 0, and x up to n")
    return (prior * weight + x) / (weight + n)


def reforecast(plan: Plan, snapshot: Snapshot, *, confidence: float | None = None) -> Plan:
    """Plan the rest of the period anew: same target, same inputs, today's funnel.

    What was won since the plan began counts; rates, delays, values and the open pipeline are those
    of the snapshot. What was assumed where the plan was made without data stays as a weak prior: the
    rate of leads is worth twenty leads beside the actual ones, the win rate and the deal value ten
    deals. The old plan stays as it is.

    Parameters
    ----------
    plan : Plan
        As made, or read from its file.
    snapshot : Snapshot
        Of the same company, as of a day before the plan's last.
    confidence : float, optional
        Another chance than the plan's.

    Returns
    -------
    Plan
        From the day after the snapshot's as-of date; ``already`` is what was won before.

    Raises
    ------
    PlanError
        If the plan's last day is past, nothing was won yet to learn from, or the target is out of
        reach now: then with the nearest one that is not.

    Examples
    --------
    >>> import connectors
    >>> now = connectors.open("data/samples")
    >>> plan = reverse_funnel(FunnelModel.fit(now.at("2026-05-31")), wins=40, by="2026-12-31")
    >>> rest = reforecast(plan, now)
    >>> rest.already > 20, rest.start == plan.start, rest.probability >= 0.8
    (True, True, True)
    """
    if plan.by <= snapshot.as_of:
        raise PlanError(f"the plan ended on {plan.by}: nothing is left of it to plan")
    try:
        model = FunnelModel.fit(snapshot)
    except TableError as error:
        raise PlanError(f"the rest cannot be planned from this data yet: {error}") from error
    if plan.as_of is None:
        model = _with_assumed(model, plan)
    target = replace(plan.target, start=plan.start)
    if confidence is not None:
        target = replace(target, confidence=confidence)
    return reverse_funnel(
        model,
        target,
        lead_cost=None if isnan(plan.lead_cost) else plan.lead_cost,
        draws=plan.draws,
        seed=plan.seed,
        **dict(plan.inputs),  # type: ignore[arg-type]
    )


def _with_assumed(model: FunnelModel, plan: Plan) -> FunnelModel:
    """Return the model, its rates and deal value drawn to those that the plan assumed.

    The plan's own assumption stands in for the rule of thumb that a short history leans on.
    """
    own, rule = model.curves[0, model.top], _rule(model)
    x, n = own.x - RULE * rule, own.n - rule
    curves, product, doubt, notes = dict(model.curves), x / n, 0.0, []
    for (start, end), (name, weight) in _assumed(model).items():
        seen = model.curves[start, end]
        rate = posterior_rate(plan.rates[name], weight, seen.x, seen.n)
        factor = rate / (seen.x / seen.n)
        product *= factor
        doubt += (1 - rate) / (rate * (seen.n + weight))
        curves[start, end] = replace(
            seen.scaled(rate / seen.final), x=rate * (seen.n + weight), n=seen.n + weight
        )
        notes.append(
            f"the assumed rate of {name}, {plan.rates[name]:.1%}, weighs "
            f"{weight / (seen.n + weight):.0%} beside your own {seen.x / seen.n:.1%}"
        )
    rate = min(product, 1.0)
    many = (1 - rate) / (rate * doubt) if doubt > 0 else n
    if model.has_leads:
        curves |= {(0, j): model.curves[0, j].scaled(rate / own.final) for j in range(2, model.top)}
        curves[0, model.top] = replace(own.scaled(rate / own.final), x=rate * many, n=many)
    told = [note for note in model.notes if "the rule of thumb of" not in note]
    changed = replace(model, curves=curves, notes=(*told, *notes), memory=Memory())
    return changed.with_rates(deal_value=_value(model, plan))


def _rule(model: FunnelModel) -> float:
    """Leads that the rule of thumb weighs in the model."""
    return RULE_LEADS if model.has_leads and model.closed < FEW_CLOSED else 0.0


def _assumed(model: FunnelModel) -> dict[tuple[int, int], tuple[str, float]]:
    """Steps of the model that the plan assumed a rate for: its name, and the records it is worth."""
    deals = {(model.first_deal, model.top): ("deals", ASSUMED_DEALS)}
    return {(0, 1): ("leads", ASSUMED_LEADS), **deals} if model.has_leads else deals


def _value(model: FunnelModel, plan: Plan) -> float | None:
    """Mean deal value: the logarithms of the assumed one and of those won, weighed."""
    if isnan(plan.deal_value) or model.worth is None:
        return None if isnan(plan.deal_value) else plan.deal_value
    n = len(model.worth.seen)
    weight = ASSUMED_DEALS / (ASSUMED_DEALS + n)
    return exp(weight * log(plan.deal_value) + (1 - weight) * log(model.deal_value))
