"""Limits for a ratio of two sums over the same records, such as MRR lost over MRR at the start."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kpi.stats.intervals import check_level, jeffreys

Floats = NDArray[np.float64]
FEWEST = 3
MANY = 1024
CHUNK = 250
TINY = 1e-9


def ratio_limits(
    numerator: ArrayLike,
    denominator: ArrayLike,
    level: float = 0.95,
    *,
    share: bool = False,
    draws: int = 2000,
    seed: int = 20260101,
) -> tuple[float, float]:
    """Limits of sum(numerator) / sum(denominator), by drawing the records again (bootstrap).

    Parameters
    ----------
    numerator, denominator : array
        Two numbers a record (a customer), in any order; none missing. Denominators 0 or more.
    level : float
        Share of the interval, above 0 and below 1.
    share : bool
        The ratio is a share of 0 to 1, so that none and all can be given limits.
    draws : int
        Resamples.
    seed : int
        Start of the random numbers (PCG64): the same records always have the same limits.

    Returns
    -------
    (low, high) : floats
        In the unit of the ratio, around it. Missing (nan) below three records, where the
        denominators sum to 0, or where every record has the same ratio (a share of 0 or 1 excepted).

    Raises
    ------
    ValueError
        If a number is missing or infinite, or the level is no share.

    Notes
    -----
    Percentiles of the ratio over the resamples; above 1,024 records the two sums of a resample
    are drawn as bivariate normal with their mean and covariance. Where every record's share is 0
    (or 1), nothing varies to draw from: then Jeffreys limits of 0 (all) out of
    ``sum(d)^2 / sum(d^2)`` records, the number of equal records that would weigh the same (Kish).

    References
    ----------
    .. [1] Efron B, Tibshirani RJ (1993), An Introduction to the Bootstrap, ch. 13.
    .. [2] Kish L (1965), Survey Sampling, ch. 11 (the effective number).

    Examples
    --------
    >>> low, high = ratio_limits([0, 0, 100, 0, 20], [100, 200, 100, 50, 80])
    >>> round(low, 3), round(high, 3)
    (0.0, 0.667)
    >>> low, high = ratio_limits([0.0] * 20, [100.0] * 20, share=True)
    >>> round(low, 3), round(high, 3)
    (0.0, 0.117)
    """
    check_level(level)
    a, b = np.asarray(numerator, dtype="float64"), np.asarray(denominator, dtype="float64")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("numerator and denominator must not be missing or infinite")
    total = b.sum()
    if len(a) < FEWEST or total <= 0:
        return float("nan"), float("nan")
    ratio = float(a.sum() / total)
    if np.abs(a - ratio * b).max() <= TINY * b.max():
        return _all_alike(ratio, float(total**2 / (b**2).sum()), level, share=share)
    order = np.lexsort((b, a))
    top, bottom = _sums(a[order], b[order], draws, seed)
    some = bottom > TINY * total
    tail = (1 - level) / 2
    low, high = np.quantile(top[some] / bottom[some], [tail, 1 - tail])
    return float(min(low, ratio)), float(max(high, ratio))


def _all_alike(ratio: float, effective: float, level: float, *, share: bool) -> tuple[float, float]:
    """Limits where every record has the same ratio."""
    end = round(ratio, 9)
    if not share or end not in (0.0, 1.0):
        return float("nan"), float("nan")
    low, high = jeffreys(end * effective, effective, level)
    return float(low), float(high)


def _sums(a: Floats, b: Floats, draws: int, seed: int) -> tuple[Floats, Floats]:
    """Draw the two sums of resamples."""
    rng = np.random.default_rng(seed)
    n = len(a)
    if n > MANY:
        spread = np.cov(a, b) * n
        both = rng.multivariate_normal([a.sum(), b.sum()], spread, size=draws, method="cholesky")
        return both[:, 0], both[:, 1]
    found = []
    pair = np.column_stack([a, b])
    for done in range(0, draws, CHUNK):
        drawn = rng.integers(0, n, size=(min(CHUNK, draws - done), n))
        found.append(pair[drawn].sum(axis=1))
    sums = np.concatenate(found)
    return sums[:, 0], sums[:, 1]
