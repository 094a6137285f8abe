"""Limits of a count of independent events, and of a ratio of two estimates that have limits."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv

from kpi.stats.intervals import check_level

Floats = NDArray[np.float64]


def poisson(x: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Exact limits of the mean of a Poisson count.

    Parameters
    ----------
    x : array of numbers
        Events counted, 0 or more.
    level : float
        Share of the interval, above 0 and below 1.

    Returns
    -------
    (low, high) : arrays
        0 or more, in events; ``low`` is 0 where x is 0.

    Raises
    ------
    ValueError
        If a count is below 0 or the level is no share.

    References
    ----------
    .. [1] Garwood F (1936), Biometrika 28:437-442.

    Examples
    --------
    >>> low, high = poisson([0, 10])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 4.795], [3.689, 18.39])
    """
    check_level(level)
    counts = np.asarray(x, dtype="float64")
    if (counts < 0).any():
        raise ValueError(f"counts below 0: {counts[counts < 0][:3].tolist()}")
    tail = (1 - level) / 2
    low = np.where(counts > 0, gammaincinv(np.maximum(counts, 1), tail), 0.0)
    return low, np.asarray(gammaincinv(counts + 1, 1 - tail))


def per_event(
    total: ArrayLike, events: ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats, Floats]:
    """``total / events`` with the limits that the Poisson count of the events gives it.

    The total is exact; what is uncertain is how many events it would usually bring.

    Returns
    -------
    (value, low, high) : arrays
        In the unit of `total`; missing (nan) where there are no events.

    Examples
    --------
    >>> [limit.round(2).tolist() for limit in per_event([10_000.0], [200])]
    [[50.0], [43.53], [57.72]]
    """
    sums, counts = np.asarray(total, dtype="float64"), np.asarray(events, dtype="float64")
    few, many = poisson(counts, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = [np.where(counts > 0, sums / n, np.nan) for n in (counts, few, many)]
    return ends[0], np.minimum(ends[1], ends[2]), np.maximum(ends[1], ends[2])


def mover_limits(
    top: tuple[ArrayLike, ArrayLike, ArrayLike], bottom: tuple[ArrayLike, ArrayLike, ArrayLike]
) -> tuple[Floats, Floats]:
    """Limits of a ratio of two independent estimates above 0, from the limits of each.

    Parameters
    ----------
    top, bottom : (value, low, high)
        Estimates with limits at the level wanted.

    Returns
    -------
    (low, high) : arrays
        Missing (nan) where a value or limit is missing, or not above 0.

    Notes
    -----
    On the logarithms, with a, b the values and l, u their limits:
    ``a - b -+ sqrt((a - l_a)^2 + (u_b - b)^2)`` below, the other two distances above.

    References
    ----------
    .. [1] Donner A, Zou GY (2012), Stat. Methods Med. Res. 21:347-359 (MOVER for ratios).

    Examples
    --------
    >>> low, high = mover_limits(([6.0], [3.0], [12.0]), ([2.0], [2.0], [2.0]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([1.5], [6.0])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [
            [np.log(np.asarray(v, dtype="float64")) for v in estimate] for estimate in (top, bottom)
        ]
        (a, low_a, high_a), (b, low_b, high_b) = logs
        low = a - b - np.hypot(a - low_a, high_b - b)
        high = a - b + np.hypot(high_a - a, b - low_b)
        ends = np.exp(low), np.exp(high)
    return np.where(np.isfinite(ends[0]), ends[0], np.nan), np.where(
        np.isfinite(ends[1]), ends[1], np.nan
    )
