"""Looking at many comparisons at once: one exact test of two shares, and control of false findings."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, expit
from scipy.stats import beta as beta_distribution
from scipy.stats import false_discovery_control

Floats = NDArray[np.float64]
GRID = 4001  # points of the integral, evenly spaced in log odds


def q_values(p: ArrayLike) -> Floats:
    """Smallest false-discovery rate at which each comparison still counts as a finding.

    Keeping what has ``q <= 0.10`` keeps, on average, at most one chance finding in ten
    (Benjamini-Hochberg; also where the comparisons lean the same way).

    Parameters
    ----------
    p : array
        p-values, 0 to 1; missing where no comparison could be made.

    Returns
    -------
    array
        As long as `p`, 0 to 1 and never below it; missing where `p` is.

    Raises
    ------
    ValueError
        If a p-value is outside 0 to 1.

    Notes
    -----
    Of m comparisons sorted by p: ``q_i = min over j >= i of p_j m / j``.

    References
    ----------
    .. [1] Benjamini Y, Hochberg Y (1995), J. R. Statist. Soc. B 57:289-300.
    .. [2] Benjamini Y, Yekutieli D (2001), Ann. Statist. 29:1165-1188 (positive dependence).

    Examples
    --------
    >>> q_values([0.01, 0.04, 0.03, float("nan")]).round(4).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    values = np.asarray(p, dtype="float64")
    made = ~np.isnan(values)
    result = np.full(values.shape, np.nan)
    if made.any():
        result[made] = false_discovery_control(values[made])
    return result


def lower_share(x: float, n: float, x_other: float, n_other: float) -> float:
    """Test whether one share is lower than another: the one-sided p-value of Fisher's exact test.

    Written with Beta distributions, so that counts may be fractions: the effective counts of a
    share with censored records (`kpi.stats.effective_counts`).

    Parameters
    ----------
    x, n : float
        Successes and trials of the share that is suspected to be lower.
    x_other, n_other : float
        Those of the share it is compared with.

    Returns
    -------
    float
        0 to 1: how often a difference this large, in this direction, comes about where there is
        none. 1 where there is nothing to compare.

    Raises
    ------
    ValueError
        If there are more successes than trials, or fewer than 0.

    Notes
    -----
    ``p = P(Beta(x + 1, n - x) > Beta(x', n' - x' + 1))``, an integral over the first density.
    It equals the hypergeometric tail for whole counts and is never too small.

    References
    ----------
    .. [1] Altham PME (1969), J. R. Statist. Soc. B 31:261-269.

    Examples
    --------
    >>> round(lower_share(7, 27, 120, 161), 6)
    2e-06
    >>> round(lower_share(3, 10, 5, 10), 4)
    0.325
    """
    if not (0 <= x <= n + 1e-9 and 0 <= x_other <= n_other + 1e-9):
        raise ValueError(f"({x}, {n}) and ({x_other}, {n_other}): x must be between 0 and n")
    failed = n - x
    if failed <= 0 or x_other <= 0:
        return 1.0
    odds = _grid(x + 1, failed)
    with np.errstate(under="ignore"):
        density = np.exp(
            (x + 1) * -np.logaddexp(0, -odds)
            + failed * -np.logaddexp(0, odds)
            - betaln(x + 1, failed)
        )
    below = beta_distribution.cdf(expit(odds), x_other, max(n_other - x_other, 0.0) + 1)
    return float(np.clip(np.trapezoid(density * below, odds), 0.0, 1.0))


def _grid(a: float, b: float) -> Floats:
    """Log odds that hold all of a Beta(a, b) that matters, tails of the smallest p included."""
    low, high = np.log(a / b) - 60 / np.sqrt(a) - 4, np.log(a / b) + 60 / np.sqrt(b) + 4
    return np.linspace(low, high, GRID)
