"""The reverse funnel: from the wins or revenue required, through time, to the leads to create."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from kpi.planning.curve import Floats, Ints
from kpi.planning.horizon import Horizon, spread
from kpi.planning.model import FunnelModel
from kpi.planning.outlook import Outlook
from kpi.planning.pattern import Caps, most, pattern, seasonal
from kpi.planning.pipeline import stalled
from kpi.planning.plan import Plan
from kpi.planning.posterior import DRAWS
from kpi.planning.simulate import already, chance, forward, worth
from kpi.planning.target import FLOWS, LEVELS, PlanError, Target
from kpi.planning.wins import Coming

CHANCES = (0.5, 0.8, 0.9)
USEFUL = 0.5
BAND = (0.1, 0.9)
NUDGES = 1_000
ANY_NUMBER = 1e7


def reverse_funnel(
    model: FunnelModel,
    target: Target | None = None,
    *,
    caps: Caps | None = None,
    season: Mapping[int, float] | None = None,
    smooth: float | None = None,
    leads_by_month: Mapping[str, float] | None = None,
    lead_cost: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    **goal: Any,
) -> Plan:
    """Work out the leads to create each month so that a target is reached with a given chance.

    Parameters
    ----------
    model : FunnelModel
        Fitted or assumed.
    target : Target, optional
        What is to be reached; or its keywords here: one of ``wins, new_mrr, bookings, mrr, arr``,
        with ``by``, ``start`` and ``confidence``.
    caps : mapping, optional
        The most that a month can take: ``leads``, ``appointments``, ``deals``, or
        ``deals_per_seller`` with ``sellers``; each a number, or a mapping of 'YYYY-MM' to number.
    season : mapping of 1..12 to weight, optional
        How much of the leads each calendar month brings, relative to the others.
    smooth : float, optional
        Largest relative change of the leads from month to month. Default: none for one date, 0.5
        along a path of dates.
    leads_by_month : mapping of 'YYYY-MM' to number, optional
        The user's own plan: the result tells its chance too (``own_probability``).
    lead_cost : float, optional
        Cost of a lead; default the model's.
    draws, seed : int
        How many draws of what is uncertain, and which.

    Returns
    -------
    Plan

    Raises
    ------
    PlanError
        If the target, dates, caps or confidence make no sense; or if no number of leads reaches
        the target: then with the reason, and the nearest target that can be reached (``nearest``).

    Notes
    -----
    New leads come evenly over each month (Poisson, or negative binomial where history varied more),
    win with the end-to-end share of the model after the whole distribution of delays, in exact
    calendar months. Open leads and deals are credited once, by step and age; direct deals at their
    recent pace. Rates, delays and mean deal value are drawn from what the data leaves open; values
    of deals are drawn from those won. The same number of leads is planned for every month up to the
    last useful one (by season and under the caps where these are given). A start before the data's
    end counts what was won since.

    Examples
    --------
    >>> model = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33)
    >>> plan = reverse_funnel(model, wins=5, by="2027-01-31", start="2027-01-01", confidence=0.8)
    >>> plan.total_leads, round(plan.probability, 3)
    (136, 0.801)
    """
    target = _target(target, goal)
    start, last = target.dates(model.as_of)
    horizon = Horizon.of(start, last, model.as_of)
    done = already(model, target, start)
    outlook = Outlook(model, target, horizon, done=done, draws=draws, seed=seed)
    in_time = _in_time(model, horizon)
    useful = _useful(in_time, outlook, target)
    limit = most(model, horizon.months, caps)
    weights = seasonal(horizon.months, season) * (np.arange(len(in_time)) <= useful)
    shape = pattern(outlook, weights, limit, target.confidence, smooth)
    if target.is_level:
        outlook.aim(_first_guess(outlook, shape, limit, target))
    solve = partial(_leads, outlook, shape, limit)
    pace = solve(target.confidence)
    if pace is None:
        raise _impossible(outlook, shape, limit, target)
    own = chance(model, target, leads_by_month, draws, seed) if leads_by_month else np.nan
    table, sums = _table(model, outlook.coming, pace)
    return Plan(
        target=target,
        start=start,
        by=last,
        table=table,
        total_leads=int(pace.sum()) if model.has_leads else None,
        total_deals=_whole(sums["deals"]) if model.has_leads else int(pace.sum()),
        probability=outlook.chance(pace),
        too_late=_share(1 - in_time.mean()),
        last_useful_month=horizon.months[useful],
        needs=_needs(solve, target.confidence, pace),
        outcome=_outcome(outlook, pace),
        from_pipeline=sums["in_pipeline"],
        from_direct=sums["direct"],
        from_new=sums["to_create"],
        source=model.source,
        definitions=model.definitions,
        notes=(*model.notes, *_notes(model, start, horizon), *_tail(outlook)),
        rates={name: model.curve(i, i + 1).final for i, name in enumerate(_names(model))},
        as_of=model.as_of,
        lead_to_won=model.curve(0, model.top).final if model.has_leads else np.nan,
        deal_to_won=model.curve(model.first_deal, model.top).final,
        deal_value=model.deal_value,
        deal_booking=model.bookings.mean if model.bookings else np.nan,
        lead_size=model.lead_flow.size,
        lead_cost=model.lead_cost if lead_cost is None else float(lead_cost),
        already=done,
        own_probability=own,
        seed=seed,
        draws=draws,
        inputs=_inputs(caps, season, smooth, leads_by_month),
        by_hand=model.by_hand,
        solve=lambda confidence: _total(solve, confidence, target),
    )


def _names(model: FunnelModel) -> list[str]:
    return [step.name for step in model.steps[:-1]]


def _inputs(caps: object, season: object, smooth: object, leads: object) -> dict[str, object]:
    given = {"caps": caps, "season": season, "smooth": smooth, "leads_by_month": leads}
    return {name: value for name, value in given.items() if value is not None}


def _target(target: Target | None, goal: dict[str, Any]) -> Target:
    known = {*FLOWS, *LEVELS, "by", "start", "confidence"}
    unknown = sorted(set(goal) - known)
    if unknown:
        raise TypeError(f"reverse_funnel() got an unexpected keyword argument {unknown[0]!r}")
    if target is None:
        return Target(**goal)
    return replace(target, **goal) if goal else target


def _in_time(model: FunnelModel, horizon: Horizon) -> Floats:
    """Of the leads of each month that win at all, the share that does so by the last day."""
    end_to_end = model.curve(0, model.top)
    deadline = (0, (horizon.last - horizon.first).days + 1)
    found = [end_to_end.between(s, deadline) for s in horizon.spans]
    return np.array(found) / end_to_end.final


def _useful(in_time: Floats, outlook: Outlook, target: Target) -> int:
    """Index of the last month whose leads mostly arrive in time; at least the first."""
    if in_time[0] <= 0:
        none = np.zeros(len(in_time))
        if outlook.chance(none) >= target.confidence:
            return 0
        nearest = _nearest(outlook, none, target)
        raise PlanError(
            f"no new lead can win by {target.last}: even the fastest in the data takes longer; "
            f"only what is in the pipeline counts{_said(nearest, target)}; or choose a later date",
            nearest=nearest,
        )
    enough = np.flatnonzero(in_time >= USEFUL)
    return int(enough[-1]) if len(enough) else 0


def _first_guess(outlook: Outlook, shape: Floats, limit: Floats, target: Target) -> Floats:
    """Leads that are about enough: they say when wins come, which a level depends on."""
    times = outlook.guess(shape, limit, target.confidence)
    return np.minimum(shape * times, np.where(shape > 0, limit, 0.0))


def _leads(outlook: Outlook, shape: Floats, limit: Floats, confidence: float) -> Ints | None:
    """Whole leads by month that are likely enough; None where no number is."""
    times = outlook.scale(shape, limit, confidence)
    if times is None:
        return None
    exact = np.minimum(times * shape, limit)
    pace = _rounded(exact, _whole(float(exact.sum())), limit)
    for more in range(1, NUDGES):
        if outlook.chance(pace) >= confidence - 1e-12:
            return pace
        again = _rounded(exact, _whole(float(exact.sum())) + more, limit)
        if (again == pace).all():
            return pace
        pace = again
    return pace


def _rounded(exact: Floats, total: int, limit: Floats) -> Ints:
    """Whole numbers that add up to a total, as near to the exact ones as can be, the earlier first."""
    whole = np.floor(np.minimum(exact, limit) + 1e-9).astype("int64")
    room = np.floor(limit + 1e-9) - whole
    order = np.argsort(-(exact - whole).round(9), kind="stable")
    order = order[exact[order] > 0] if (exact > 0).any() else order[:1]
    rest = total - int(whole.sum())
    while rest > 0 and (room[order] > 0).any():
        for place in order:
            if rest > 0 and room[place] > 0:
                whole[place] += 1
                room[place] -= 1
                rest -= 1
    return whole


def _total(solve: Callable[[float], Ints | None], confidence: float, target: Target) -> int:
    pace = solve(confidence)
    if pace is None:
        raise PlanError(
            f"no number of leads reaches the target by {target.last} with a chance of {confidence:.0%}"
        )
    return int(pace.sum())


def _needs(
    solve: Callable[[float], Ints | None], confidence: float, pace: Ints
) -> dict[float, int]:
    found = {q: pace if q == confidence else solve(q) for q in CHANCES}
    return {q: int(n.sum()) for q, n in found.items() if n is not None}


def _impossible(outlook: Outlook, shape: Floats, limit: Floats, target: Target) -> PlanError:
    """Say why no number of leads is enough, and what would be."""
    all_of_it = np.where(shape > 0, np.floor(np.minimum(limit, ANY_NUMBER)), 0.0)
    chances = outlook.chances(all_of_it)
    months = [outlook.horizon.months[month] for month, _ in outlook.checkpoints]
    short = [m for m, chance in zip(months, chances, strict=True) if chance < target.confidence]
    when = f"by {target.last}" if len(months) == 1 else f"of {short[0]:%B %Y}"
    said = f"no number of new leads reaches the target {when} with a chance of"
    if np.isfinite(limit[shape > 0]).all():
        said = (
            f"under the caps, {all_of_it.sum():,.0f} leads at most, the target {when} is reached "
        )
        said += f"with a chance of {chances.min():.0%}, not"
    nearest = _nearest(outlook, all_of_it, target)
    return PlanError(f"{said} {target.confidence:.0%}{_said(nearest, target)}", nearest=nearest)


def _nearest(outlook: Outlook, leads: Floats, target: Target) -> float | None:
    """Largest amount that these leads reach with the chance asked for; None where none is."""
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        outlook.lowered(middle, leads)
        if outlook.chance(leads) >= target.confidence:
            low = middle
        else:
            high = middle
    outlook.lowered(1.0, leads)
    amount = low * target.amount
    if target.kind == "wins" and len(target.checkpoints) == 1:
        amount = float(np.floor(amount + 1e-6))
    return amount if amount > 0 else None


def _said(nearest: float | None, target: Target) -> str:
    if nearest is None:
        return ""
    if len(target.checkpoints) > 1:
        return f"; {nearest / target.amount:.0%} of every month's amount is the most that has it"
    unit = "wins" if target.kind == "wins" else f"of {target.kind}"
    return f"; the nearest target with that chance is {nearest:,.0f} {unit}"


def _share(number: float) -> float:
    """Bring a share that rounding put just outside 0 to 1 back inside."""
    return float(np.clip(round(number, 12), 0.0, 1.0))


def _table(model: FunnelModel, coming: Coming, pace: Ints) -> tuple[pd.DataFrame, dict[str, float]]:
    pipeline, direct, horizon = coming.open, coming.unled, coming.horizon
    curves = [model.curve(0, end) for end in range(1, len(model.steps))]
    arrived = [pace @ spread(curve.area[None, :], horizon.spans)[0] for curve in curves]
    new = np.array([pace, *arrived])
    rows = [
        {
            "month": pd.Timestamp(month),
            "stage": step.name,
            "label": step.label,
            "need": pipeline[s, t] + direct[s, t] + new[s, t],
            "in_pipeline": pipeline[s, t],
            "direct": direct[s, t],
            "to_create": new[s, t],
        }
        for t, month in enumerate(horizon.months)
        for s, step in enumerate(model.steps)
    ]
    deals = pace.sum() * model.curve(0, model.first_deal).final if model.has_leads else pace.sum()
    won = {
        "in_pipeline": float(pipeline[-1].sum()),
        "direct": float(direct[-1].sum()),
        "to_create": float(new[-1].sum()),
        "deals": float(deals),
    }
    table = pd.DataFrame(rows).astype({"month": "datetime64[us]"})
    return table, won


def _outcome(outlook: Outlook, pace: Ints) -> pd.DataFrame:
    """Mean and 80 % band of wins and revenue by month."""
    coming = outlook.coming
    wins = forward(coming, pace.astype("float64"))
    found: dict[str, Any] = {"month": pd.Series(outlook.horizon.months, dtype="datetime64[us]")}
    for name, draws in (("wins", wins), ("new_mrr", worth(coming, wins, outlook.model.worth))):
        low, high = _band(draws)
        found |= {name: draws.mean(axis=0), f"{name}_low": low, f"{name}_high": high}
    if outlook.target.is_level:
        found["mrr"] = outlook.running(found["new_mrr"])
    return pd.DataFrame(found)


def _band(draws: Floats | Ints) -> tuple[Floats, Floats]:
    """Order statistics at 10 and 90 %: values that were drawn, never between two."""
    places = [int(share * (len(draws) - 1)) for share in BAND]
    inside = np.partition(draws, places, axis=0)[places]
    return inside[0].astype("float64"), inside[1].astype("float64")


def _whole(number: float) -> int:
    """Round up, but not for a rounding error: 21 / 0.7 is 30, not 31."""
    return int(np.ceil(round(number, 6)))


def _tail(outlook: Outlook) -> tuple[str, ...]:
    values = outlook.values
    return (values.note,) if values is not None and values.note else ()


def _notes(model: FunnelModel, start: date, horizon: Horizon) -> tuple[str, ...]:
    notes = []
    if start > horizon.origin and (start - horizon.origin).days > 1:
        notes.append(
            f"wins before {start} do not count towards the target, and leads created between "
            f"{horizon.origin} and then are not counted on"
        )
    old = stalled(model)
    if old:
        notes.append(
            f"open records not counted on, because history followed none for as long: {old:,}"
        )
    return tuple(notes)
