"""The chance of reaching a target: wins from the pipeline, the direct stream and new leads.

Wins of new leads and direct deals are Poisson (thinned arrivals), open records win or do not, each
win brings a value, and the rates themselves are uncertain. The distribution is computed, not
simulated: no random numbers, the same result every time. Values are rounded to a thousandth of the
target, each keeping its mean.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.signal import fftconvolve
from scipy.special import betaincinv, gammaincinv, gammaln, ndtr, roots_legendre, xlogy
from scipy.stats import betabinom, binom

Floats = NDArray[np.float64]
NODES = 32
GRID = 1024
REACH = 10.0
NEGLIGIBLE = 1e-12
LONG = 1_000  # wins; from here on convolve by FFT
MANY = 5_000_000  # records times wins; from here on the pipeline's wins are taken as normal


@dataclass(frozen=True, eq=False)
class Sources:
    """Where wins come from, up to the target date.

    Attributes
    ----------
    odds : array, (k,)
        Chance of each group of open records to win in time.
    records : array, (k,)
        How many records each group holds.
    direct : float
        Expected wins of deals without a lead, yet to be created.
    in_time : float
        Of the new leads that win at all, the share that does so by the target date.
    lead_rate : (x, n)
        Counts behind the share of leads that win; n infinite: taken as known.
    deal_rate : (x, n)
        Counts behind the share of deals that win; scales the pipeline and the direct stream.
    lead_share : float
        Share of leads that win, as planned with (overridden or as observed).
    """

    odds: Floats
    records: Floats
    direct: float
    in_time: float
    lead_rate: tuple[float, float]
    deal_rate: tuple[float, float]
    lead_share: float


class Total:
    """Chance of reaching a target, as a function of the leads created."""

    def __init__(self, sources: Sources, target: float, values: Floats | None) -> None:
        self._in_time = sources.in_time
        self._shares, self._weights = _nodes(sources.lead_share, *sources.lead_rate)
        self._short = _short(target, np.array([1.0]) if values is None else values)
        self._others = _others(sources, len(self._short))

    def chance(self, leads: float) -> float:
        """Chance of reaching the target when so many leads are created."""
        wins = np.arange(len(self._short))
        means = leads * self._in_time * self._shares
        new = self._weights @ np.exp(
            xlogy(wins, means[:, None]) - means[:, None] - gammaln(wins + 1)
        )
        every = _convolved(self._others, new)
        return float(np.clip(1 - every @ self._short, 0.0, 1.0))


def _short(target: float, values: Floats) -> Floats:
    """Chance that so many wins (0, 1, ...) fall short of the target, up to where none do."""
    if len(np.unique(values)) == 1:
        return np.ones(int(np.ceil(target / values[0] - 1e-9)))
    sizes = np.minimum(values / target, 1.0) * GRID
    most = int(np.ceil(GRID / sizes.mean() + REACH * np.sqrt(GRID / sizes.mean()) + REACH))
    one = _on_grid(sizes)
    below = np.zeros(GRID)
    below[0] = 1.0
    short = [1.0]
    while short[-1] > NEGLIGIBLE and len(short) < 20 * most:
        below = fftconvolve(below, one)[:GRID]
        short.append(float(np.clip(below.sum(), 0.0, 1.0)))
    return np.array(short)


def _others(sources: Sources, count: int) -> Floats:
    """Distribution of the wins that need no new lead: 0, 1, ... below `count`."""
    factors, weights = _nodes(1.0, *sources.deal_rate)
    wins = np.arange(count)
    means = sources.direct * factors[:, None]
    mass: Floats = np.exp(xlogy(wins, means) - means - gammaln(wins + 1))
    if sources.records.sum() * count > MANY:
        return _convolved(weights @ mass, weights @ _bell(sources, factors, count))
    for odds, records in zip(sources.odds, sources.records, strict=True):
        win = np.minimum(odds * factors, 1.0)[:, None]
        for _ in range(int(records)):
            mass[:, 1:] = mass[:, 1:] * (1 - win) + mass[:, :-1] * win
            mass[:, 0] *= 1 - win[:, 0]
    return np.asarray(weights @ mass)


def _bell(sources: Sources, factors: Floats, count: int) -> Floats:
    """Wins of very many open records: the normal distribution on whole numbers."""
    odds = np.minimum(sources.odds * factors[:, None], 1.0)
    mean = odds @ sources.records
    spread = np.sqrt(np.maximum((odds * (1 - odds)) @ sources.records, 1e-12))
    edges = (np.arange(count + 1) - 0.5 - mean[:, None]) / spread[:, None]
    return np.diff(ndtr(edges), axis=1)


def _convolved(a: Floats, b: Floats) -> Floats:
    """Distribution of a sum, as long as its parts."""
    whole: Floats = np.convolve(a, b) if len(a) < LONG else fftconvolve(a, b)
    return whole[: len(a)]


def leads_for(total: Total, confidence: float) -> float:
    """Smallest number of leads, not rounded, with which the chance is at least `confidence`."""
    if total.chance(0.0) >= confidence:
        return 0.0
    high = 1.0
    while total.chance(high) < confidence:
        high *= 2
        if high > 1e9:
            raise ArithmeticError("no number of leads reaches the target with that confidence")
    low = 0.0 if high == 1.0 else high / 2
    return float(brentq(lambda n: total.chance(n) - confidence, low, high, xtol=1e-9, rtol=1e-12))


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


def _nodes(share: float, x: float, n: float) -> tuple[Floats, Floats]:
    """Values of an uncertain share, scaled as `share` is to the one observed, and their weights."""
    if np.isinf(n) or n == 0:
        return np.array([share]), np.array([1.0])
    at, weight = roots_legendre(NODES)
    a, b = x + 0.5, n - x + 0.5
    values = betaincinv(a, b, (at + 1) / 2)
    observed = x / n
    return values * (share / observed if observed > 0 else 0.0), weight / 2


def _on_grid(sizes: Floats) -> Floats:
    """Spread values over whole grid steps so that each keeps its mean."""
    whole = np.floor(sizes).astype("int64")
    rest = sizes - whole
    mass = np.bincount(whole, weights=1 - rest, minlength=GRID + 2)
    mass += np.bincount(whole + 1, weights=rest, minlength=GRID + 2)
    return mass / len(sizes)
