"""Leads for a number of wins by formula: no pipeline, no delay, nothing but chance."""

from typing import Literal

from scipy.special import gammaincinv
from scipy.stats import betabinom, binom


def leads_for_wins(
    wins: int,
    confidence: float,
    *,
    rate: float | None = None,
    posterior: tuple[float, float] | None = None,
    arrivals: Literal["poisson", "fixed"] = "poisson",
) -> float:
    """Leads for at least so many wins with a given chance, nothing else in the pipeline.

    Parameters
    ----------
    wins : int
        Wins required, 1 or more.
    confidence : float
        Chance wanted, above 0 and below 1.
    rate : float
        Share of leads that win, taken as known; or
    posterior : (a, b)
        its Beta(a, b) distribution, with ``arrivals="fixed"``.
    arrivals : {"poisson", "fixed"}
        Whether the number of leads itself varies around the plan, or is exact.

    Returns
    -------
    float
        Poisson: ``Gamma(wins).ppf(confidence) / rate``, not rounded. Fixed: the smallest whole
        number under the binomial (or beta-binomial).

    Examples
    --------
    >>> round(leads_for_wins(5, 0.8, rate=0.15 * 0.33), 4)
    135.7773
    >>> leads_for_wins(5, 0.9, posterior=(10.5, 192.5), arrivals="fixed")
    183.0
    """
    if arrivals == "poisson":
        if rate is None:
            raise ValueError("leads_for_wins with poisson arrivals needs rate")
        return float(gammaincinv(wins, confidence) / rate)
    if (rate is None) == (posterior is None):
        raise ValueError("leads_for_wins with fixed arrivals needs either rate or posterior")

    def missed(leads: int) -> float:
        if posterior is not None:
            return float(betabinom.cdf(wins - 1, leads, *posterior))
        return float(binom.cdf(wins - 1, leads, rate))

    low, high = 0, max(wins, 1)
    while 1 - missed(high) < confidence:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if 1 - missed(middle) >= confidence else (middle, high)
    return float(high)
