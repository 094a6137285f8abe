"""When leads are created: evenly, by season, under caps, along a path of targets, smoothly."""

from collections.abc import Mapping
from datetime import date
from itertools import pairwise

import numpy as np
from scipy.optimize import linprog
from scipy.special import ndtri

from kpi.planning.curve import Floats
from kpi.planning.model import FunnelModel
from kpi.planning.outlook import Outlook
from kpi.planning.target import PlanError, month_of

CAPS = ("leads", "appointments", "deals", "deals_per_seller", "sellers")
SHORT = 1e5  # leads that a win short of a date is worth: dates come first, then fewer leads
SMOOTH = 0.5  # largest change from month to month along a path, unless said otherwise

Caps = Mapping[str, float | Mapping[str, float]]


def most(model: FunnelModel, months: list[date], caps: Caps | None) -> Floats:
    """Return the most leads each month can bring under the caps; infinite where nothing says.

    ``leads`` caps themselves; ``deals`` a month (or ``deals_per_seller`` times ``sellers``) and
    ``appointments`` cap them through the rate at which leads become deals, and meet.
    """
    limit = np.full(len(months), np.inf)
    given = dict(caps or {})
    unknown = sorted(set(given) - set(CAPS))
    if unknown:
        raise PlanError(f"caps: unknown {', '.join(unknown)}; expected some of {', '.join(CAPS)}")
    if "deals_per_seller" in given or "sellers" in given:
        try:
            each, sellers = given.pop("deals_per_seller"), given.pop("sellers")
        except KeyError as error:
            raise PlanError("caps: deals_per_seller needs sellers beside it, and back") from error
        a, b = _by_month("deals_per_seller", each, months), _by_month("sellers", sellers, months)
        limit = np.minimum(limit, a * b / _per_lead(model, "deals"))
    for name, cap in given.items():
        limit = np.minimum(limit, _by_month(name, cap, months) / _per_lead(model, name))
    return limit


def _per_lead(model: FunnelModel, name: str) -> float:
    if name == "leads":
        return 1.0
    if name == "appointments":
        if not model.appointments_per_lead > 0:
            raise PlanError(
                "caps: appointments cannot be turned into leads, because the data has no meeting "
                "held; cap leads instead"
            )
        return model.appointments_per_lead
    return model.curve(0, model.first_deal).final if model.has_leads else 1.0


def _by_month(name: str, cap: float | Mapping[str, float], months: list[date]) -> Floats:
    if isinstance(cap, Mapping):
        named = {month_of(text): float(n) for text, n in cap.items()}
        found = np.array([named.get(month, np.inf) for month in months])
    else:
        found = np.full(len(months), float(cap))
    if np.isnan(found).any() or (found < 0).any():
        raise PlanError(f"caps: {name} = {cap}; expected a number of 0 or more")
    return found


def seasonal(months: list[date], season: Mapping[int, float] | None) -> Floats:
    """Weights of the months by calendar month (1 to 12; a month not named weighs 1)."""
    if season is None:
        return np.ones(len(months))
    wrong = [m for m, w in season.items() if m not in range(1, 13) or not 0 <= w < np.inf]
    if wrong:
        raise PlanError(
            f"season: {wrong[0]!r}: {season[wrong[0]]!r}; expected calendar months 1 to 12 with "
            "weights of 0 or more, such as {8: 0.5}"
        )
    return np.array([float(season.get(month.month, 1.0)) for month in months])


def pattern(
    outlook: Outlook, weights: Floats, limit: Floats, confidence: float, smooth: float | None
) -> Floats:
    """Leads by month up to a common multiple: the weights, or the least that meets every checkpoint.

    Along a path of several dates, or where changes from month to month are limited, the fewest
    leads that meet each date on average (with a margin for chance) are found by linear programming;
    what it takes for the chance itself is found by scaling them.

    Raises
    ------
    PlanError
        If `smooth` is negative or missing.
    """
    if smooth is not None and not 0 <= smooth < np.inf:
        raise PlanError(f"smooth = {smooth}; expected the largest relative change, 0.25 for 25 %")
    if len(outlook.checkpoints) == 1 and smooth is None:
        return weights
    share = SMOOTH if smooth is None else smooth
    useful = weights > 0
    rows, floor = outlook.means(float(ndtri(confidence)))
    change = []
    places = np.flatnonzero(useful)
    for a, b in pairwise(places):
        season = weights[b] / weights[a]
        for grow, sign in (((1 + share) * season, 1.0), ((1 - min(share, 1.0)) * season, -1.0)):
            row = np.zeros(len(weights))
            row[b], row[a] = sign, -sign * grow
            change.append(row)
    upper = np.where(useful, limit, 0.0)
    dates = len(rows)
    found = linprog(
        np.concatenate([np.ones(len(weights)), np.full(dates, SHORT)]),
        A_ub=np.hstack(
            [
                np.vstack([-rows, *change]),
                np.vstack([-np.eye(dates), np.zeros((len(change), dates))]),
            ]
        ),
        b_ub=np.concatenate([-floor, np.zeros(len(change))]),
        bounds=[*((0.0, None if np.isinf(u) else float(u)) for u in upper), *[(0.0, None)] * dates],
        method="highs",
    )
    months = found.x[: len(weights)] if found.success else weights
    return np.asarray(months if months.sum() > 0 else weights)
