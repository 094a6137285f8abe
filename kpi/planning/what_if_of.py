"""The tables of a what-if, taken from a plan and the model that it was made from."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from scipy.special import logit

from kpi.planning.curve import Floats
from kpi.planning.horizon import Horizon, spread
from kpi.planning.model import FunnelModel
from kpi.planning.outlook import Outlook
from kpi.planning.pipeline import credited
from kpi.planning.plan import Plan
from kpi.planning.posterior import BASE, stream
from kpi.planning.target import MONTHS_A_YEAR
from kpi.planning.what_if import SAFE, Inputs, WhatIf

KEPT, MOST = 240, 960
NO_LIMIT = 1e9


def what_if(model: FunnelModel, plan: Plan, *, kept: int = KEPT) -> WhatIf:
    """Reduce a plan to the tables that answer for other inputs.

    Parameters
    ----------
    model : FunnelModel
        The model that the plan was made from, with the same rates and values set by hand.
    plan : Plan
    kept : int
        Draws that stand for all; of a path of more than four dates fewer.

    Returns
    -------
    WhatIf

    Notes
    -----
    No record of the company is in it: sums over records, and draws of what is uncertain.

    The draws kept are those in the middle of equal parts, in the order of their chance as planned;
    `WhatIf.offset` then sets the chance to the plan's own.

    Examples
    --------
    >>> from kpi.planning import reverse_funnel
    >>> model = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33)
    >>> plan = reverse_funnel(model, wins=5, start="2027-01-01", by="2027-01-31")
    >>> found = what_if(model, plan)
    >>> found.result()["leads_needed"], found.result(rates={"leads": 0.3})["leads_needed"]
    (136, 68)
    """
    horizon = Horizon.of(plan.start, plan.by, model.as_of)
    outlook = Outlook(
        model, plan.target, horizon, done=plan.already, draws=plan.draws, seed=plan.seed
    )
    pace = _pace(plan, horizon)
    if plan.target.is_level:
        outlook.aim(pace)
    whole = WhatIf(**_tables(model, plan, outlook, pace))
    whole = replace(whole, luck=_luck(whole, outlook))
    order = np.argsort(whole.met(whole.inputs).mean(axis=1), kind="stable")
    few = min(kept, MOST // len(whole.checkpoints))
    places = ((np.arange(few) + 0.5) / few * len(order)).astype("int64")
    return _set(_only(whole, order[places]), outlook, plan, pace)


def _pace(plan: Plan, horizon: Horizon) -> Floats:
    planned = plan.leads_by_month
    return np.array([float(planned.get(f"{month:%Y-%m}", 0)) for month in horizon.months])


def _shares(pace: Floats, plan: Plan, horizon: Horizon) -> Floats:
    """Share of the leads by month; where the plan needs none, the same for each useful month."""
    if pace.sum() > 0:
        return np.asarray(pace / pace.sum())
    useful = np.array(
        [month <= plan.last_useful_month for month in horizon.months], dtype="float64"
    )
    return np.asarray(useful / useful.sum())


def _tables(model: FunnelModel, plan: Plan, outlook: Outlook, pace: Floats) -> dict[str, Any]:
    horizon, coming, n = outlook.horizon, outlook.coming, len(model.steps)
    share = _shares(pace, plan, horizon)
    areas = [model.curve(0, end).area for end in range(1, n)]
    new = [share, *(share @ spread(area[None, :], horizon.spans)[0] for area in areas)]
    opened = [credited(_only_at(model, i), horizon.edges) for i in range(n)]
    months = [month for month, _ in outlook.checkpoints]
    came = np.cumsum(coming.direct, axis=1)
    won = plan.table.loc[plan.table["stage"] == "won", "need"].to_numpy("float64")
    new_mrr = plan.outcome["new_mrr"].to_numpy("float64")
    flat = won * model.deal_value
    post = coming.posterior
    return {
        "inputs": _inputs(model, plan),
        "kind": plan.target.kind,
        "months": [f"{month:%Y-%m}" for month in horizon.months],
        "steps": [step.name for step in model.steps],
        "labels": [step.label for step in model.steps],
        "first_deal": model.first_deal,
        "factors": np.array([model.factors.get(i, 1.0) for i in range(n - 1)]),
        "caps": np.array([[_cap(model, i, j) for j in range(n)] for i in range(n)]),
        "share": share,
        "new": np.array(new),
        "direct": coming.unled,
        "pipeline": np.array([found[0] for found in opened]),
        "value_ratio": np.divide(new_mrr, flat, out=np.ones_like(flat), where=flat > 0),
        **_base(model, outlook),
        "checkpoints": np.array(months),
        "amounts": np.array(_amounts(plan, outlook)),
        "done": plan.already,
        "by_lead": np.column_stack([coming.per_lead(month) @ share for month in months]),
        "by_direct": np.column_stack([came[:, month] for month in months]),
        "deal": post.deal,
        "value": np.ones(post.draws) if outlook.values is None else post.value,
        "certain": np.array([[_certain(found, month) for month in months] for found in opened]),
        **_worth(outlook),
        "luck": np.zeros((post.draws, len(months))),
        "offset": np.zeros(len(months)),
        "margin": 0.0,
    }


def _inputs(model: FunnelModel, plan: Plan) -> Inputs:
    base = model.base
    return Inputs(
        target=plan.target.amount,
        confidence=plan.confidence,
        leads=float(plan.to_create),
        rates=dict(plan.rates),
        deal_value=model.deal_value,
        annual_churn=np.nan if base is None else 1 - (1 - base.churn) ** MONTHS_A_YEAR,
    )


def _only_at(model: FunnelModel, step: int) -> FunnelModel:
    return replace(model, waiting=model.waiting[model.waiting["step"] == step])


def _cap(model: FunnelModel, start: int, end: int) -> float:
    if end <= start:
        return 1.0
    final = model.curves[start, end].final
    return min(1 / final, NO_LIMIT) if final > 0 else NO_LIMIT


def _certain(found: tuple[Floats, Floats, Floats], month: int) -> float:
    _, odds, records = found
    return float(records @ odds[:, : month + 1].sum(axis=1) ** 2)


def _amounts(plan: Plan, outlook: Outlook) -> list[float]:
    days = [(d, amount) for d, amount in plan.target.checkpoints if d >= outlook.horizon.first]
    return [amount / plan.target.amount for _, amount in days]


def _worth(outlook: Outlook) -> dict[str, Any]:
    values = outlook.values
    if values is None:
        return {"booking": 1.0, "whole": True, "spread": 0.0}
    pool = outlook.coming.sizes(values).pool
    alike = bool(np.ptp(pool) == 0)
    return {
        "booking": float(pool.mean()),
        "whole": alike,
        "spread": 0.0 if alike else float(pool.std() / pool.mean()),
    }


def _base(model: FunnelModel, outlook: Outlook) -> dict[str, Any]:
    base, post, months = model.base, outlook.coming.posterior, len(outlook.horizon.months)
    draws, dates = post.draws, len(outlook.checkpoints)
    nothing = {"base": np.nan, "expansion": 0.0, "base_known": True, "churn": np.zeros(draws)}
    empty = {"base_rest": np.zeros(months), "base_luck": np.zeros((draws, dates))}
    if base is None or post.churn is None:
        return nothing | empty
    about = {"base": base.mrr, "expansion": base.expansion, "base_known": base.known}
    relative = post.churn / base.churn if base.churn > 0 else np.ones(draws)
    if outlook.target.is_level:
        ahead = np.arange(1, months + 1)
        left = (1 - post.churn)[:, None] ** ahead * (1 + base.expansion) ** ahead
        known = (1 - post.churn + base.expansion)[:, None] ** ahead
        runs = base.runs(stream(post.seed, BASE), post.churn, months)
        luck = runs - base.mrr * (known if base.known else left)
        empty["base_luck"] = np.column_stack([luck[:, month] for month, _ in outlook.checkpoints])
    return about | {"churn": relative} | empty


def _luck(found: WhatIf, outlook: Outlook) -> Floats:
    """How far each draw's wins are from the average it takes: nothing where they are whole."""
    columns = []
    one = replace(found, luck=np.ones_like(found.luck))
    flow = found.flow(found.inputs)
    wins = flow["pipeline"][-1] + flow["direct"][-1] + flow["new"][-1]
    for c, month in enumerate(found.checkpoints.astype(int)):
        mean = found.needed(found.inputs, c, month, wins)
        step = one.needed(found.inputs, c, month, wins) - mean
        off = outlook.took[c] - mean
        columns.append(np.divide(off, step, out=np.zeros_like(mean), where=step > SAFE))
    return np.asarray(np.column_stack(columns))


def _only(found: WhatIf, draws: Floats) -> WhatIf:
    names = ("churn", "by_lead", "by_direct", "deal", "value", "luck", "base_luck")
    return replace(found, **{name: getattr(found, name)[draws] for name in names})


def _set(found: WhatIf, outlook: Outlook, plan: Plan, pace: Floats) -> WhatIf:
    """Set the chance, what runs at the end of each month and the leads needed to the plan's own."""
    exact = np.clip(outlook.chances(pace), SAFE, 1 - SAFE)
    rough = np.clip(found.rough(found.inputs), SAFE, 1 - SAFE)
    told = np.full(len(exact), np.clip(plan.probability, SAFE, 1 - SAFE))
    least = np.arange(len(exact)) == int(exact.argmin())
    aimed = np.where(least, told, np.maximum(exact, told))
    found = replace(found, offset=logit(aimed) - logit(rough))
    found = replace(found, base_rest=_rest(found, plan))
    return replace(found, margin=_margin(found, plan))


def _rest(found: WhatIf, plan: Plan) -> Floats:
    if "mrr" not in plan.outcome:
        return found.base_rest
    reckoned = found.result()["mrr"]
    return np.asarray(plan.outcome["mrr"].to_numpy("float64") - np.array(reckoned))


def _margin(found: WhatIf, plan: Plan) -> float:
    """How much the chance lies above the one wanted because months get whole leads."""
    chance = partial(replace, found.inputs)
    leads = found.inputs.leads
    if leads < 1:
        return 0.0
    fewer, now = (found.chance(chance(leads=n)) for n in (leads - 1, leads))
    return float((fewer + now) / 2 - plan.confidence) if fewer >= plan.confidence else 0.0
