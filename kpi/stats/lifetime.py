"""Lifetimes of customers under contract: the shifted-beta-geometric model (sBG).

At every renewal a customer leaves with a chance of its own, drawn once from Beta(alpha, beta). So
those who stay longest are ever less likely to leave: a constant churn rate, put forward from the
first years, loses too many of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import betaln, hyp2f1

Floats = NDArray[np.float64]
ALIKE = 1e5  # alpha + beta at which customers can no longer be told apart
LEAST = 1e-3
ALIKE_NOTE = "no sign that customers differ: as a constant churn rate"
NO_GAIN = 1e-3  # log-likelihood over that of a constant churn rate


@dataclass(frozen=True)
class Sbg:
    """A fitted shifted-beta-geometric model of lifetimes in whole periods.

    Attributes
    ----------
    alpha, beta : float
        Parameters of the Beta distribution of the chance to leave at a renewal; its mean is
        ``alpha / (alpha + beta)``. Missing (nan) where no one was seen to leave (or to stay).
    log_likelihood : float
        At the maximum; missing where there is none.
    note : str
        Why there is no fit, or that the customers look alike (then a constant churn rate would do
        as well); "" otherwise.
    """

    alpha: float
    beta: float
    log_likelihood: float
    note: str = ""

    def survival(self, t: ArrayLike) -> Floats:
        """Share of the customers still there after t renewals: ``B(a, b + t) / B(a, b)``.

        >>> Sbg(0.668, 3.806, 0.0).survival([0, 1, 8]).round(4).tolist()
        [1.0, 0.8507, 0.4605]
        """
        periods = np.asarray(t, dtype="float64")
        return np.asarray(
            np.exp(betaln(self.alpha, self.beta + periods) - betaln(self.alpha, self.beta))
        )

    def retention(self, t: ArrayLike) -> Floats:
        """Share of those who are there before the t-th renewal that renew: it rises with t.

        ``(b + t - 1) / (a + b + t - 1)``, t = 1, 2, ...

        >>> Sbg(1.0, 1.0, 0.0).retention([1, 2, 3]).round(4).tolist()
        [0.5, 0.6667, 0.75]
        """
        periods = np.asarray(t, dtype="float64")
        return np.asarray((self.beta + periods - 1) / (self.alpha + self.beta + periods - 1))

    def lifetime(self, horizon: int | None = None, discount: float = 0.0) -> float:
        """Expected number of periods paid by a new customer, the first one included.

        Parameters
        ----------
        horizon : int, optional
            Periods counted; None: all, for ever.
        discount : float
            Rate a period: a payment t periods ahead counts ``1 / (1 + discount)^t``.

        Returns
        -------
        float
            In periods; infinite for ever and undiscounted where alpha is 1 or less.

        Examples
        --------
        >>> Sbg(2.0, 3.0, 0.0).lifetime(), round(Sbg(2.0, 3.0, 0.0).lifetime(3), 4)
        (4.0, 2.0)
        """
        if horizon is not None:
            t = np.arange(horizon)
            return float(np.sum(self.survival(t) / (1 + discount) ** t))
        return self._from(0, discount)

    def residual_lifetime(self, renewals: int, discount: float = 0.0) -> float:
        """Expected further periods of a customer who has renewed so often, its next one undecided.

        Discounted: DERL, the discounted expected residual lifetime, as seen just before the next
        renewal is due.

        >>> round(Sbg(2.0, 3.0, 0.0).residual_lifetime(1), 4)
        4.0
        """
        stays = float(self.retention(renewals + 1))
        return stays * self._from(renewals + 1, discount)

    def _from(self, renewals: int, discount: float) -> float:
        """Expected periods, the present one included, of a customer with so many renewals behind."""
        a, b = self.alpha, self.beta + renewals
        if discount > 0:
            return float(hyp2f1(1.0, b, a + b, 1 / (1 + discount)))
        return float((a + b - 1) / (a - 1)) if a > 1 else float("inf")


def fit_sbg(survivors: ArrayLike) -> Sbg:
    """Fit the shifted-beta-geometric model to one cohort's survivors, by maximum likelihood.

    Parameters
    ----------
    survivors : array
        How many were there at the start and after each renewal: at least two numbers, never
        rising. Shares or per cent will do: they scale the log-likelihood, not the fit.

    Returns
    -------
    Sbg

    Raises
    ------
    ValueError
        If there are fewer than two numbers, the first is 0, one is missing or negative, or they
        rise.

    Notes
    -----
    ``log L = sum n(t) log P(t) + n(alive) log S(T)`` with n(t) the customers lost at renewal t,
    ``P(t) = S(t - 1) - S(t)``; maximised over the mean chance to leave and alpha + beta.

    References
    ----------
    .. [1] Fader PS, Hardie BGS (2007), How to project customer retention, J. Interactive
       Marketing 21(1):76-90.
    .. [2] Fader PS, Hardie BGS (2010), Customer-base valuation in a contractual setting, Marketing
       Science 29(1):85-93 (DERL).

    Examples
    --------
    >>> fit = fit_sbg([1000, 631, 468, 382, 326, 289, 262, 241])
    >>> round(fit.alpha, 3), round(fit.beta, 3), round(fit.log_likelihood, 2)
    (0.704, 1.182, -1680.27)
    """
    there = np.asarray(survivors, dtype="float64")
    if there.ndim != 1 or len(there) < 2:
        raise ValueError("survivors: expected the number at the start and after each renewal")
    if not (there >= 0).all() or there[0] == 0 or (np.diff(there) > 0).any():
        raise ValueError("survivors must be 0 or more, begin above 0, never rise, and none missing")
    return fit_sbg_at_risk(there[:-1], -np.diff(there))


def fit_sbg_at_risk(at_risk: ArrayLike, lost: ArrayLike) -> Sbg:
    """Fit the model to customers followed for different times (censored, or entering late).

    Parameters
    ----------
    at_risk, lost : array
        For renewal 1, 2, ...: how many were under observation before it, and how many of them left.

    Returns
    -------
    Sbg

    Raises
    ------
    ValueError
        If the arrays differ in length, or more are lost than there were.

    Notes
    -----
    ``log L = sum lost log(1 - r_t) + (at_risk - lost) log r_t``, r_t the retention of renewal t;
    for one cohort followed from its start this is the likelihood of `fit_sbg`.

    Examples
    --------
    >>> fit_sbg_at_risk([50, 40], [0, 0]).note
    'no customer was seen to leave: nothing to fit'
    """
    n, d = np.asarray(at_risk, dtype="float64"), np.asarray(lost, dtype="float64")
    if n.shape != d.shape or not ((d >= 0) & (d <= n)).all():
        raise ValueError("at_risk and lost: expected equal lengths, and 0 <= lost <= at_risk")
    if d.sum() == 0:
        return _none("no customer was seen to leave: nothing to fit")
    if d.sum() == n.sum():
        return _none("no customer was seen to stay: nothing to fit")
    t = np.arange(1, len(n) + 1)

    def minus_log_likelihood(at: Floats) -> tuple[float, Floats]:
        """Return the value a customer and renewal, and its slope in both coordinates."""
        alpha, beta = _parameters(at)
        total, stays = alpha + beta + t - 1, beta + t - 1
        value = d * np.log(alpha / total) + (n - d) * np.log(stays / total)
        by_alpha = float((d / alpha - n / total).sum())
        by_beta = float(((n - d) / stays - n / total).sum())
        turn = alpha * beta / (alpha + beta)
        slope = [turn * (by_alpha - by_beta), alpha * by_alpha + beta * by_beta]
        return -float(value.sum()) / float(n.sum()), -np.array(slope) / float(n.sum())

    share = float(d.sum() / n.sum())
    constant = float(d.sum() * np.log(share) + (n.sum() - d.sum()) * np.log(1 - share))
    begin = np.log(share / (1 - share))
    bounds = [(-20.0, 20.0), (np.log(LEAST), np.log(ALIKE))]
    strict = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000}
    found = [
        minimize(
            minus_log_likelihood,
            [begin, np.log(size)],
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options=strict,
        )
        for size in (0.5, 5.0, 500.0)
    ]
    best = min(found, key=lambda one: float(one.fun))
    reached = -float(best.fun) * float(n.sum())
    if reached - constant < NO_GAIN:
        return Sbg(ALIKE * share, ALIKE * (1 - share), constant, ALIKE_NOTE)
    return Sbg(*_parameters(best.x), reached)


def _parameters(at: Floats) -> tuple[float, float]:
    """Return alpha and beta from the logit of the mean and the log of alpha + beta."""
    mean, size = 1 / (1 + np.exp(-at[0])), np.exp(at[1])
    return float(mean * size), float((1 - mean) * size)


def _none(note: str) -> Sbg:
    return Sbg(float("nan"), float("nan"), float("nan"), note)
