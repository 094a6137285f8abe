"""Intervals for shares of small counts, and the posterior that a censored rate is worth."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, ndtri

Floats = NDArray[np.float64]


def jeffreys(x: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Jeffreys interval of the share ``x / n``: the default interval of this toolkit.

    Quantiles of ``Beta(x + 1/2, n - x + 1/2)``, with the lower limit 0 where x = 0 and the upper
    limit 1 where x = n.

    Parameters
    ----------
    x, n : array of numbers
        Successes and trials, ``0 <= x <= n``; they need not be whole (a censored rate).
    level : float
        Share of the interval, above 0 and below 1.

    Returns
    -------
    (low, high) : arrays
        0 to 1; missing (nan) where n is 0.

    References
    ----------
    .. [1] Brown LD, Cai TT, DasGupta A (2001), Statist. Sci. 16:101-133.

    Examples
    --------
    >>> low, high = jeffreys([36, 0], [154, 20])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.1723, 0.0], [0.3051, 0.1166])
    """
    successes, trials = _counts(x, n, level)
    tail = (1 - level) / 2
    low = betaincinv(successes + 0.5, trials - successes + 0.5, tail)
    high = betaincinv(successes + 0.5, trials - successes + 0.5, 1 - tail)
    low = np.where(successes == 0, 0.0, low)
    high = np.where(successes == trials, 1.0, high)
    return np.where(trials > 0, low, np.nan), np.where(trials > 0, high, np.nan)


def wilson(x: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson score interval of the share ``x / n``.

    Centre ``(x + z^2/2) / (n + z^2)``, half width ``z / (n + z^2) sqrt(x (n - x) / n + z^2/4)``.
    Parameters and returns as in `jeffreys`.

    References
    ----------
    .. [1] Newcombe RG (1998), Statist. Med. 17:857-872, method 3.

    Examples
    --------
    >>> low, high = wilson(36, 154)
    >>> round(float(low), 4), round(float(high), 4)
    (0.1739, 0.3066)
    """
    successes, trials = _counts(x, n, level)
    z = ndtri(0.5 + level / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = (successes + z**2 / 2) / (trials + z**2)
        half = z / (trials + z**2) * np.sqrt(successes * (trials - successes) / trials + z**2 / 4)
    low = np.where(successes == 0, 0.0, centre - half)
    high = np.where(successes == trials, 1.0, centre + half)
    return np.where(trials > 0, low, np.nan), np.where(trials > 0, high, np.nan)


def effective_counts(share: float, variance: float, seen: float) -> tuple[float, float]:
    """Counts (x, n) of a plain sample that would be worth as much as a censored estimate.

    ``n = F (1 - F) / V`` and ``x = F n``, so that ``Beta(x + 1/2, n - x + 1/2)`` carries the
    estimate's uncertainty into a simulation. Where F is 0 or 1 or V is 0 the formula is silent and
    the number under observation, `seen`, is used.

    Examples
    --------
    >>> effective_counts(0.25, 0.001875, seen=130)
    (25.0, 100.0)
    >>> effective_counts(0.0, 0.0, seen=12)
    (0.0, 12)
    """
    if not 0 < share < 1 or variance <= 0:
        return share * seen, seen
    n = share * (1 - share) / variance
    return share * n, n


def _counts(x: ArrayLike, n: ArrayLike, level: float) -> tuple[Floats, Floats]:
    successes, trials = np.asarray(x, dtype="float64"), np.asarray(n, dtype="float64")
    if not ((successes >= 0) & (successes <= trials + 1e-9)).all():
        raise ValueError("x must be between 0 and n")
    check_level(level)
    return np.minimum(successes, trials), trials


def check_level(level: float) -> None:
    """Refuse a level that is no share, such as 95 for 95 %."""
    if not 0 < level < 1:
        raise ValueError(f"level = {level}; expected a share above 0 and below 1, such as 0.95")
