"""The model behind a frozen plan, made anew from the data, and the proof that it is the same."""

from math import isclose, isnan

from kpi import Snapshot, TableError
from kpi.planning import FunnelModel, Plan, reverse_funnel
from kpi.planning.actuals import filters_of

SAME = 1e-9


class PackError(TableError):
    """The pack cannot be made: plan and data do not belong together, or a file cannot be written."""


def remade(plan: Plan, snapshot: Snapshot) -> FunnelModel:
    """Fit the model that a frozen plan was made from.

    Parameters
    ----------
    plan : Plan
        Frozen, or as made.
    snapshot : Snapshot
        The data that it was made from: as of the same day, narrowed in the same way.

    Returns
    -------
    FunnelModel
        With the rates, deal value, cycle and churn that the plan set by hand.

    Raises
    ------
    PackError
        If the plan rests on assumed rates, or this data gives another plan: other data, another day,
        other filters or definitions, or records corrected since.
    """
    if plan.as_of is None:
        raise PackError(
            "the plan rests on assumed rates, not on data: a pack is made from a plan of your own data"
        )
    if plan.as_of != snapshot.as_of:
        raise PackError(f"the plan was made as of {plan.as_of}, the data is as of {snapshot.as_of}")
    wanted, given = filters_of(plan.source), filters_of(snapshot.described)
    if in_any_order(wanted) != in_any_order(given):
        raise PackError(
            f"the plan was made with filters: {wanted}; the data has: {given}. Narrow it the same way "
            "(--where COLUMN=VALUE)"
        )
    model = _by_hand(FunnelModel.fit(snapshot), plan)
    again = reverse_funnel(
        model,
        plan.target,
        **dict(plan.inputs),  # type: ignore[arg-type]
        lead_cost=None if isnan(plan.lead_cost) else plan.lead_cost,
        draws=plan.draws,
        seed=plan.seed,
    )
    _refuse_other(plan, again)
    return model


def in_any_order(filters: str) -> list[list[str]]:
    """Filters as written, in an order of their own.

    >>> in_any_order("source: b, a; region: x") == in_any_order("region: x; source: a, b")
    True
    """
    named = [each.partition(": ")[::2] for each in filters.split("; ")]
    return sorted([name, *sorted(values.split(", "))] for name, values in named)


def _by_hand(model: FunnelModel, plan: Plan) -> FunnelModel:
    if set(plan.rates) != {step.name for step in model.steps[:-1]}:
        steps = ", ".join(plan.rates)
        raise PackError(f"the plan has the steps {steps}; the data has others: plan anew")
    seen = {name: rate.value for name, rate in model.rates.items()}
    moved = {name: r for name, r in plan.rates.items() if not isclose(r, seen[name], rel_tol=SAME)}
    known = not isnan(plan.deal_value)
    dearer = known and not isclose(plan.deal_value, model.deal_value, rel_tol=SAME)
    return model.with_rates(
        moved, deal_value=plan.deal_value if dearer else None, **dict(plan.by_hand)
    )


def _refuse_other(plan: Plan, again: Plan) -> None:
    same = plan.to_create == again.to_create and isclose(
        plan.probability, again.probability, rel_tol=SAME, abs_tol=SAME
    )
    if not same:
        raise PackError(
            f"this data no longer gives the frozen plan: {again.to_create:,} {again.top} to create with "
            f"a chance of {again.probability:.1%}, and the plan says {plan.to_create:,} and "
            f"{plan.probability:.1%}. The data or the definitions were changed since: use the store as "
            "it was, or freeze a new plan"
        )
