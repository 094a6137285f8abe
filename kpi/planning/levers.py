"""Which lever closes the gap to a target, whether history ever showed it, and what it costs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kpi.planning.horizon import Horizon
from kpi.planning.lever_history import band
from kpi.planning.lever_moves import FURTHEST, NO_DELAY, Leads, Lever, lever_names, levers_of
from kpi.planning.model import FunnelModel
from kpi.planning.target import PlanError, Target, checked_leads
from kpi.planning.trials import ENOUGH, Trials

DRAWS = 2_500
CLOSES, UNSURE, OUTSIDE, CANNOT = range(4)


def levers(
    model: FunnelModel,
    target: Target,
    leads_by_month: Mapping[str, float],
    costs: Mapping[str, float] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Find, for each lever alone, the smallest change that lets the user's own leads reach a target.

    What already runs, open deals and deals without a lead count as in every plan. A lever that
    cannot close the gap, however far it goes, has no `needed` and a note that says what chance its
    utmost gives.

    Parameters
    ----------
    model : FunnelModel
        Fitted or assumed.
    target : Target
        With the chance wanted (``confidence``).
    leads_by_month : mapping of 'YYYY-MM' to number
        Leads that the user plans to create. Months outside the target's do not count.
    costs : mapping of lever to cost, optional
        ``leads``: of one lead more (default: the model's cost per lead). Every other: of a change
        of 1 % of its current value, in total over the plan. Reporting currency, 0 or more.
    draws, seed : int
        How many draws of what is uncertain, and which. The same for every value of every lever.

    Returns
    -------
    DataFrame, one row per lever, best first
        ``lever``; ``current`` and ``needed`` in ``unit``; ``change``, relative (0.2 is a fifth
        more), missing where current is 0; ``within_history``, whether past periods have been as good
        as needed, missing where history is too short; ``cost`` of the change over the plan,
        missing where no cost is known; ``rank``, from 1. Then ``label``, ``unit``, ``low`` and
        ``high`` (10th and 90th percentile of past periods), ``chance_now`` (0 to 1) and ``note``.

        Levers: ``leads`` (mean of the months that plan some), ``lead_conversion``, each stage by its
        name, ``win_rate`` (of all deal steps together), ``deal_value`` (where money is the target),
        ``cycle`` (median days from deal to win), ``churn`` (a month; where the target is a level).

    Raises
    ------
    PlanError
        If a cost is of no lever of this model or negative, or the target or the leads make no sense.

    Notes
    -----
    The chance is that of `kpi.planning.chance`, with the same random numbers for each trial: it only
    rises as a lever improves, and where it crosses the confidence is found by bracketing (Brent).
    `within_history` looks at the hard side only: needing fewer leads than the company ever had is
    no obstacle, so what rises is compared with the 90th percentile, what falls with the 10th. Ranked
    first come those within history, then those of which history tells nothing, then those outside
    it, last those that cannot close the gap; the cheapest first in each, without a cost the smallest
    change first. A conversion lever makes open deals win more often too; the win rate of several
    stages moves each of them by the same power, none beyond 100 %.

    References
    ----------
    .. [1] Glasserman & Yao, "Some Guidelines and Guarantees for Common Random Numbers", Management
       Science 38 (1992).

    Examples
    --------
    >>> model = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33)
    >>> five = Target(wins=5, start="2027-01-01", by="2027-01-31")
    >>> found = levers(model, five, {"2027-01": 100}, {"leads": 50, "win_rate": 100})
    >>> found[["lever", "needed", "rank"]].round(3).values.tolist()
    [['leads', 136.0, 1], ['win_rate', 0.448, 2], ['lead_conversion', 0.204, 3], ['cycle', nan, 4]]
    """
    leads = _planned(model, target, leads_by_month)
    prices = _prices(model, costs)
    trials = Trials(model, target, leads, draws, seed)
    rows = [
        _row(lever, model, trials, prices.get(lever.name, np.nan))
        for lever in levers_of(model, target, leads)
    ]
    return _ranked(pd.DataFrame(rows))


def combined(
    model: FunnelModel,
    target: Target,
    leads_by_month: Mapping[str, float],
    changes: Mapping[str, float],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Work out what several levers bring together, beside each of them alone.

    Parameters
    ----------
    model, target, leads_by_month, draws, seed
        As for `levers`.
    changes : mapping of lever to relative change
        ``{"leads": 0.1, "cycle": -0.05}``: a tenth more leads, everything a twentieth faster.

    Returns
    -------
    DataFrame, one row per lever alone, then one of all of them, ``together``
        ``lever``, ``change`` (missing together), ``chance`` of the target and its ``gain`` over
        today's (0 to 1), and ``parts``: the gains of the single levers added up, together only. That
        `gain` is not `parts` is why they are computed and not added. ``attrs["chance_now"]`` holds
        the chance with nothing changed.

    Raises
    ------
    PlanError
        If a lever is unknown or bears nothing on the target, or a change goes beyond what is
        possible.

    Examples
    --------
    >>> model = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33)
    >>> five = Target(wins=5, start="2027-01-01", by="2027-01-31")
    >>> both = combined(model, five, {"2027-01": 100}, {"leads": 0.2, "win_rate": 0.2})
    >>> both[["lever", "gain", "parts"]].round(3).values.tolist()
    [['leads', 0.156, nan], ['win_rate', 0.156, nan], ['together', 0.288, 0.312]]
    """
    leads = _planned(model, target, leads_by_month)
    known = {lever.name: lever for lever in levers_of(model, target, leads)}
    moved = [_change(known, name, change) for name, change in changes.items()]
    if not moved:
        raise PlanError("changes is empty; expected some such as {'leads': 0.1, 'cycle': -0.05}")
    trials = Trials(model, target, leads, draws, seed)
    alone = [trials.chance(one) for one in moved]
    both = trials.chance(*moved)
    chances = np.array([*alone, both])
    table = pd.DataFrame(
        {
            "lever": [*changes, "together"],
            "change": [*map(float, changes.values()), np.nan],
            "chance": chances,
            "gain": chances - trials.now,
            "parts": [*[np.nan] * len(alone), sum(alone) - len(alone) * trials.now],
        }
    )
    table.attrs["chance_now"] = trials.now
    return table


def _planned(model: FunnelModel, target: Target, leads: Mapping[str, float]) -> dict[str, float]:
    """Leads of every month of the target's horizon."""
    given = checked_leads(leads)
    months = Horizon.of(*target.dates(model.as_of), model.as_of).months
    return {f"{month:%Y-%m}": given.get(month, 0.0) for month in months}


def _prices(model: FunnelModel, costs: Mapping[str, float] | None) -> dict[str, float]:
    names = lever_names(model)
    for name, cost in (costs or {}).items():
        if name not in names:
            raise PlanError(f"costs: no lever {name!r}; expected some of {', '.join(names)}")
        if not 0 <= cost < np.inf:
            raise PlanError(f"costs: {name} = {cost}; expected an amount of 0 or more")
    return {"leads": model.lead_cost} | dict(costs or {})


def _change(known: Mapping[str, Lever], name: str, change: float) -> tuple[Lever, float]:
    if name not in known:
        raise PlanError(f"changes: no lever {name!r} for this target; expected {', '.join(known)}")
    lever, factor = known[name], 1 + float(change)
    least = 0.0 if name in ("leads", "churn") else NO_DELAY
    most = FURTHEST if lever.limit in (FURTHEST, NO_DELAY, 0.0) else max(lever.limit, 1.0)
    if not least <= factor <= most * (1 + ENOUGH):
        raise PlanError(
            f"changes: {name} = {change}; expected a relative change of {least - 1:.4g} to "
            f"{most - 1:,.4g}"
        )
    return lever, factor


def _row(lever: Lever, model: FunnelModel, trials: Trials, price: float) -> dict[str, object]:
    factor = trials.factor(lever)
    needed, more = _needed(lever, trials.leads, factor)
    change = needed / lever.current - 1 if lever.current > 0 else np.nan
    past = tuple(model.history.get(lever.past, ()))
    low, high = band(past)
    return {
        "lever": lever.name,
        "current": lever.current,
        "needed": needed,
        "change": 0.0 if factor == 1.0 else change,
        "within_history": _within(lever, needed, low, high),
        "cost": price * (more if lever.name == "leads" else abs(change) * 100),
        "label": lever.label,
        "unit": lever.unit,
        "low": low,
        "high": high,
        "chance_now": trials.now,
        "note": "; ".join(filter(None, (_gap(lever, trials, factor), _told(past)))),
    }


def _needed(lever: Lever, leads: Leads, factor: float | None) -> tuple[float, float]:
    """Value that a lever needs, and, of leads, how many more that are in all: whole ones."""
    if factor is None:
        return np.nan, np.nan
    if lever.name != "leads":
        return lever.at(factor), np.nan
    total = sum(leads.values())
    months = sum(n > 0 for n in leads.values()) or len(leads)
    if factor == 1.0:
        return lever.current, 0.0
    whole = float(np.ceil(round(lever.at(factor) * months, 6)))
    return whole / months, whole - total


def _within(lever: Lever, needed: float, low: float, high: float) -> bool | None:
    if np.isnan(needed) or np.isnan(low):
        return None
    return bool(needed <= high if lever.rises else needed >= low)


def _gap(lever: Lever, trials: Trials, factor: float | None) -> str:
    if factor == 1.0:
        return f"the target is reached already, with a chance of {trials.now:.0%}"
    if factor is not None:
        return ""
    if lever.limit == 1:
        return "cannot be raised: it is 100 % already, or none ever went on"
    utmost = trials.chance((lever, lever.limit))
    return f"cannot close the gap: even {lever.utmost} the chance is {utmost:.1%}"


def _told(past: tuple[float, ...]) -> str:
    if not past:
        return "no history"
    return "" if np.isfinite(band(past)[0]) else f"too little history: {len(past)} periods"


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    within = table["within_history"]
    group = within.map({True: CLOSES, False: OUTSIDE}).fillna(UNSURE)
    group = group.where(table["needed"].notna(), CANNOT)
    order = (
        table.assign(
            group=group, far=table["change"].abs(), within_history=within.astype("boolean")
        )
        .sort_values(["group", "cost", "far"], kind="stable", ignore_index=True)
        .drop(columns=["group", "far"])
    )
    order.insert(6, "rank", np.arange(1, len(order) + 1))
    return order
