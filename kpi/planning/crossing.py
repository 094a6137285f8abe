"""Where a rising chance comes to what is asked for, in as few looks as can be: each costs every draw."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln, ndtri, xlogy

from kpi.planning.curve import Floats, Ints

STEPS, FAR = 4, 1.0  # steps at most; longer ones lead astray
CLOSE, THERE = 1e-6, 1e-10  # what the last two steps multiply to at the end; the last step alone
SQRT_2_PI = float(np.sqrt(2 * np.pi))

Place = tuple[float, float, float]


def upwards(short: Callable[[float], float], first: float, limit: float) -> float:
    """Where a rising function crosses zero, to a hundredth; the limit where it does not before."""
    high = first
    while short(high) < 0:
        if high >= limit:
            return limit
        high = min(high * 2, limit)
    low = 0.0 if high <= first else high / 2
    return float(brentq(short, low, high, rtol=0.01))


def multiple(
    chance: Callable[[float], float],
    needed: Ints,
    each: Floats,
    other: Floats,
    *,
    confidence: float,
    guess: float,
) -> float | None:
    """Multiple of a number of leads whose chance is the one asked for; None if not found at once.

    Parameters
    ----------
    chance : callable
        Mean over the draws of the chance of at least `needed` wins, Poisson with mean
        ``multiple * each + other``.
    needed, each, other : array, (draws,)
        Wins needed; those expected of the leads once, and of all else.
    confidence : float
        Chance asked for, above 0 and below 1.
    guess : float
        A multiple near it, above 0.

    Notes
    -----
    Such a chance has a derivative, and its normal quantile is close to a line in the logarithm of the
    multiple: two looks and their slopes are mostly enough for ten digits.
    """
    scale = np.where(needed > 0, gammaln(np.maximum(needed, 1)), np.inf)
    wanted = float(ndtri(confidence))

    def look(at: float) -> tuple[float, float]:
        times = float(np.exp(at))
        quantile = float(ndtri(chance(times)))
        if not np.isfinite(quantile):
            return quantile, np.nan
        mean = times * each + other
        dense = np.exp(xlogy(np.maximum(needed - 1, 0), mean) - mean - scale)
        rises = float((dense * each).mean()) * times * SQRT_2_PI * float(np.exp(quantile**2 / 2))
        return quantile - wanted, 1 / rises if rises > 0 else np.inf

    found = stepped(look, float(np.log(guess)))
    return None if found is None else float(np.exp(found))


def stepped(look: Callable[[float], tuple[float, float]], at: float) -> float | None:
    """Where a smooth function crosses zero, to about twelve digits; None if a few steps do not find it.

    Newton's method first, then the cubic through the last two places and their slopes, with the axes
    exchanged.

    Parameters
    ----------
    look : callable
        Returns the function's value at a place, and by how much the place changes with the value.
    at : float
        Where to begin: near the crossing.

    Examples
    --------
    >>> round(stepped(lambda x: (np.exp(x) - 2, np.exp(-x)), 0.7), 12)
    0.69314718056
    """
    before: Place | None = None
    step = 1.0
    for _ in range(STEPS):
        value, change = look(at)
        if not np.isfinite(value) or not 0 < change < np.inf:
            return None
        if abs(value * change) < THERE:
            return at - value * change
        here = (at, value, change)
        to = at - value * change if before is None else _cubic(before, here)
        if before is not None and abs(step * (to - at)) < CLOSE:
            return to
        if not abs(to - at) <= FAR:
            return None
        before, step, at = here, to - at, to
    return None


def _cubic(one: Place, other: Place) -> float:
    """Place at the value zero of the cubic through two places, with their slopes."""
    (a, low, slope), (b, high, end_slope) = one, other
    wide = high - low
    if wide == 0:
        return np.nan
    x = -low / wide
    ends = a * (1 + 2 * x) * (1 - x) ** 2 + b * x**2 * (3 - 2 * x)
    return float(ends + wide * x * (1 - x) * (slope * (1 - x) - end_slope * x))
