"""How many records a number of wins takes, before anything in the pipeline is credited."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaincinv, gammainc, roots_legendre

from kpi.planning.curve import Curve, Floats
from kpi.planning.model import FunnelModel
from kpi.planning.target import PlanError

NODES = 32


def records_needed(model: FunnelModel, *, wins: float, confidence: float = 0.8) -> dict[str, int]:
    """Records to have at each step for at least so many wins, however long they take.

    The plain funnel walked backwards, with chance: no pipeline, no direct deals, no delay.
    `reverse_funnel` adds those.

    Returns
    -------
    dict of step name to int
        From the first step to the last before won.

    Raises
    ------
    PlanError
        If the wins or the confidence make no sense.

    Notes
    -----
    Poisson wins, the share drawn from its Beta posterior (Gauss-Legendre quadrature).

    Examples
    --------
    >>> model = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33)
    >>> records_needed(model, wins=5, confidence=0.8)
    {'leads': 136, 'deals': 21}
    """
    if not 0 < wins < 1e9 or not 0 < confidence < 1:
        raise PlanError(f"wins = {wins}, confidence = {confidence}; expected above 0, and 0 to 1")
    whole = np.ceil(wins - 1e-9)
    found = {}
    for i, step in enumerate(model.steps[:-1]):
        planned = model.curve(i, model.top).final
        shares, weights = _posterior(model.curves[i, model.top], planned)

        def short(n: float, shares: Floats = shares, weights: Floats = weights) -> float:
            return float(weights @ gammainc(whole, n * shares)) - confidence

        high = whole / planned
        while short(high) < 0:
            high *= 2
            if high > 1e15:
                raise PlanError(f"no number of {step.label} reaches {wins:,.0f} wins")
        number = brentq(short, 0.0, high, xtol=1e-9, rtol=1e-12)
        found[step.name] = int(np.ceil(round(number, 6)))
    return found


def _posterior(curve: Curve, planned: float) -> tuple[Floats, Floats]:
    """Values of an uncertain share, scaled as the planned one is to the one observed, and weights."""
    if np.isinf(curve.n) or curve.n == 0:
        return np.array([planned]), np.array([1.0])
    at, weight = roots_legendre(NODES)
    a, b = curve.x + 0.5, curve.n - curve.x + 0.5
    values = betaincinv(a, b, (at + 1) / 2)
    return values * (planned / (curve.x / curve.n)), weight / 2
