"""Rates of many small groups, drawn towards what all have in common as far as their counts ask for."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import betaln, xlog1py, xlogy
from scipy.stats import beta

from kpi.stats.intervals import check_level, jeffreys

Floats = NDArray[np.float64]
WEAKEST, STRONGEST = 2.0, 500.0  # bounds of the precision, in records
STARTS = (5.0, 30.0, 200.0)
ALIKE = "no evidence that the groups differ"
LITTLE = "little evidence that the groups differ"


def beta_binomial_shrinkage(x: ArrayLike, n: ArrayLike, *, level: float = 0.80) -> pd.DataFrame:
    """Shares of several groups, each drawn towards the common one (empirical Bayes).

    Two wins of three is no sign of a good seller. How far a group is drawn in follows from how
    much the groups differ beyond chance: a group with many records keeps its own share. Where they
    do not differ beyond chance at all, every group gets the share of all together, and the result
    says so: ranking them would rank luck.

    Parameters
    ----------
    x, n : array, (k,)
        Successes and trials of each group; 0 of 0 is a group of which nothing is known.
    level : float
        Share of the band; 80 % by default.

    Returns
    -------
    DataFrame, one row a group in the order given
        ``mean`` (0 to 1; missing where there is not one trial in all groups), ``low, high`` (the
        band), ``weight`` (0 to 1: how much of the mean is the common share), ``p_above``
        (probability that the group's true share is above the common one; missing where there is
        no evidence that groups differ). ``attrs``: ``mu`` (the common share), ``precision``
        (how many records it is worth; infinite where nothing differs) and ``note``.

    Raises
    ------
    ValueError
        If the arrays differ in length, or x is not between 0 and n.

    Notes
    -----
    ``x_i ~ Bin(n_i, p_i), p_i ~ Beta(mu M, (1 - mu) M)``; mu and M maximise ``sum ln B(mu M + x_i,
    (1 - mu) M + n_i - x_i) - ln B(mu M, (1 - mu) M)`` with M in [2, 500]. If one share for all is
    at least as likely, M is infinite. ``mean = (x_i + M mu) / (n_i + M)``, ``weight = M / (n_i + M)``.

    References
    ----------
    .. [1] Efron B, Morris C (1975), J. Amer. Statist. Assoc. 70:311-319.
    .. [2] Robinson D (2015), "Understanding empirical Bayes estimation", varianceexplained.org.

    Examples
    --------
    >>> sellers = beta_binomial_shrinkage([2, 30, 5, 60], [3, 100, 50, 100])
    >>> sellers["mean"].round(2).tolist()
    [0.48, 0.3, 0.13, 0.59]
    >>> alike = beta_binomial_shrinkage([3, 12, 0, 22, 5, 9], [9, 40, 6, 55, 8, 30])
    >>> alike["mean"].round(3).unique().tolist(), alike.attrs["note"]
    ([0.345], 'no evidence that the groups differ')
    """
    wins, trials = _counts(x, n)
    check_level(level)
    mu, precision = _prior(wins, trials)
    if np.isfinite(precision):
        result = beta_posterior(wins, trials, mu=mu, precision=precision, level=level)
        note = LITTLE if precision > 0.999 * STRONGEST else ""
        result.attrs = {"mu": mu, "precision": precision, "note": note}
        return result
    low, high = jeffreys(wins.sum(), trials.sum(), level)
    common = {"mean": mu, "low": float(low), "high": float(high), "weight": 1.0, "p_above": np.nan}
    result = pd.DataFrame(common, index=range(len(wins)), dtype="float64")
    result.attrs = {"mu": mu, "precision": precision, "note": _why(trials)}
    return result


def beta_posterior(
    x: ArrayLike, n: ArrayLike, *, mu: float, precision: float, level: float = 0.80
) -> pd.DataFrame:
    """Shares given counts and what was held likely before: a share `mu` worth `precision` records.

    Parameters
    ----------
    x, n : array, (k,)
        Successes and trials.
    mu : float
        Share expected beforehand, above 0 and below 1.
    precision : float
        Records that this expectation is worth, above 0.
    level : float
        Share of the band.

    Returns
    -------
    DataFrame
        Columns as in `beta_binomial_shrinkage`, without its ``attrs``.

    Raises
    ------
    ValueError
        If counts, `mu` or `precision` are impossible.

    Notes
    -----
    ``Beta(mu M + x, (1 - mu) M + n - x)`` and its mean and quantiles.

    Examples
    --------
    A target rate of 15 % worth 20 records, then 6 of 60:

    >>> beta_posterior([6], [60], mu=0.15, precision=20)["mean"].round(4).tolist()
    [0.1125]
    """
    wins, trials = _counts(x, n)
    check_level(level)
    if not (0 < mu < 1 and precision > 0):
        raise ValueError(
            f"mu = {mu}, precision = {precision}; expected a share and a number above 0"
        )
    a, b = mu * precision + wins, (1 - mu) * precision + trials - wins
    tail = (1 - level) / 2
    return pd.DataFrame(
        {
            "mean": a / (a + b),
            "low": beta.ppf(tail, a, b),
            "high": beta.ppf(1 - tail, a, b),
            "weight": precision / (trials + precision),
            "p_above": beta.sf(mu, a, b),
        }
    )


def _counts(x: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    wins, trials = np.asarray(x, dtype="float64"), np.asarray(n, dtype="float64")
    if wins.shape != trials.shape or wins.ndim != 1:
        raise ValueError("x and n must be lists of the same length")
    if not ((wins >= 0) & (wins <= trials + 1e-9)).all():
        raise ValueError("x must be between 0 and n")
    return np.minimum(wins, trials), trials


def _prior(wins: Floats, trials: Floats) -> tuple[float, float]:
    """Return the common share and its precision; infinite where one share fits all as well."""
    total = trials.sum()
    if total == 0:
        return np.nan, np.inf
    pooled = float(wins.sum() / total)
    if pooled in (0.0, 1.0) or (trials > 0).sum() < 2:
        return pooled, np.inf

    def unlikely(at: Floats) -> float:
        mu, m = 1 / (1 + np.exp(-at[0])), np.exp(at[1])
        a, b = mu * m, (1 - mu) * m
        return float(-(betaln(a + wins, b + trials - wins) - betaln(a, b)).sum())

    bounds = [(-12.0, 12.0), (np.log(WEAKEST), np.log(STRONGEST))]
    odds = float(np.log(pooled / (1 - pooled)))
    tried = [minimize(unlikely, [odds, np.log(m)], bounds=bounds) for m in STARTS]
    best = min(tried, key=lambda found: float(found.fun))
    alike = -(xlogy(wins.sum(), pooled) + xlog1py((trials - wins).sum(), -pooled))
    if alike <= best.fun + 1e-9:
        return pooled, np.inf
    return float(1 / (1 + np.exp(-best.x[0]))), float(np.exp(best.x[1]))


def _why(trials: Floats) -> str:
    """Say why every group got the common share."""
    known = int((trials > 0).sum())
    return ALIKE if known > 1 else f"not enough data: {known} group(s) with records"
