"""Re-plan the rest of a period from what has come so far."""

from dataclasses import replace
from math import inf, isnan

from kpi.planning.model import FunnelModel
from kpi.planning.plan import Plan
from kpi.planning.posterior import Memory
from kpi.planning.reverse import reverse_funnel
from kpi.planning.target import PlanError
from kpi.snapshot import Snapshot
from kpi.tables import TableError

ASSUMED_LEADS = 20.0  # leads that an assumed rate is worth beside actuals


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
    of the snapshot. Rates assumed when the plan was made keep a weight of twenty leads beside the
    actual ones. The old plan stays as it is.

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
        model = _with_assumed(model, plan.lead_to_won)
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


def _with_assumed(model: FunnelModel, assumed: float) -> FunnelModel:
    """Return the model, its leads' rate drawn to the assumed one by the weight of twenty leads."""
    own = model.curves[0, model.top]
    rate = posterior_rate(assumed, ASSUMED_LEADS, own.x, own.n)
    curves = dict(model.curves)
    factor = rate / own.final
    curves |= {(0, j): curves[0, j].scaled(factor) for j in range(1, model.top + 1)}
    n = own.n + ASSUMED_LEADS
    curves[0, model.top] = replace(curves[0, model.top], x=rate * n, n=n)
    note = (
        f"the assumed {assumed:.1%} of leads won weighs {ASSUMED_LEADS / n:.0%} beside your own "
        f"{own.final:.1%}"
    )
    return replace(model, curves=curves, notes=(*model.notes, note), memory=Memory())
