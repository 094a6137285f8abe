"""What a win brings: values of deals won, their tail, and whether large deals take longer."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import genpareto, spearmanr

from kpi.planning.curve import Floats

SMOOTHED = 20  # deals from which the values between those seen count too
TAIL = 0.95
TAIL_DEALS = 20  # deals above the tail's beginning that a Pareto tail takes
BEYOND = 1.5
POOL = 1_000
DOUBT = 0.05
HEAVIEST = 0.9  # shape of the Pareto tail: from 1 on it has no mean


@dataclass(frozen=True, eq=False)
class Values:
    """Values of deals won, in the reporting currency.

    Attributes
    ----------
    seen : array, (n,)
        As recorded, rising.
    pool : array, (k,)
        Equally likely values to draw from; their mean is that of `seen`.
    rank : array, (k,) or None
        Place of each value's delay among those of all wins, 0 to 1; None where size and delay have
        nothing to do with each other as far as the data can tell.
    note : str
        What is assumed of the tail.
    """

    seen: Floats
    pool: Floats
    rank: Floats | None = None
    note: str = ""

    @property
    def mean(self) -> float:
        """Mean value of a win."""
        return float(self.pool.mean())

    def scaled(self, factor: float) -> "Values":
        """Return the values, each times `factor`."""
        return replace(self, seen=self.seen * factor, pool=self.pool * factor)

    def mean_factors(self, rng: np.random.Generator, draws: int) -> Floats:
        """Relative mean as it may be: the Bayesian bootstrap of the values seen, (draws,)."""
        n = len(self.seen)
        if n < 2:
            return np.ones(draws)
        if n > 500:
            spread = float(self.seen.std(ddof=1)) / np.sqrt(n) / float(self.seen.mean())
            return np.exp(rng.normal(-(spread**2) / 2, spread, draws))
        weights = rng.standard_exponential((draws, n))
        return np.asarray(weights @ self.seen / weights.sum(axis=1) / self.seen.mean())


def plain(values: Floats) -> Values:
    """Values to draw from as they stand."""
    rising = np.sort(np.asarray(values, dtype="float64"))
    return Values(rising, rising)


def fitted_values(won: pd.DataFrame) -> Values | None:
    """Values from deals won (``value``, ``days`` from creation to win); None where none is known.

    Notes
    -----
    Under twenty deals the values seen are drawn as they stand. From twenty on the values between
    them count too (straight lines between logarithms), and the top five in a hundred get a tail:
    a generalised Pareto distribution where twenty deals lie in it, else the largest value seen
    times 1.5 is the limit. The mean stays that of the deals seen.

    Deals of which size and delay go together (rank correlation, p under 5 %, twenty deals or more)
    are drawn as pairs: what comes late is then larger, or smaller, as it was.
    """
    won = won[won["value"] > 0]
    if won.empty:
        return None
    seen = np.sort(won["value"].to_numpy("float64"))
    if len(seen) < SMOOTHED or seen[0] == seen[-1]:
        return Values(seen, seen, note=_few(seen))
    pairs = won[won["days"] >= 0]
    if len(pairs) >= SMOOTHED and np.ptp(pairs["days"]) > 0:
        found = spearmanr(pairs["days"], pairs["value"])
        if found.pvalue < DOUBT:
            rank = (pairs["days"].rank().to_numpy("float64") - 0.5) / len(pairs)
            pool = pairs["value"].to_numpy("float64")
            how = "larger" if found.statistic > 0 else "smaller"
            note = f"deals that take longer are {how}: size and delay are drawn together"
            return Values(seen, pool * seen.mean() / pool.mean(), np.asarray(rank), note)
    pool, note = _smoothed(seen)
    return Values(seen, pool * seen.mean() / pool.mean(), None, note)


def _few(seen: Floats) -> str:
    return f"a win brings one of the {len(seen):,} values seen" if len(seen) > 1 else ""


def _smoothed(seen: Floats) -> tuple[Floats, str]:
    at = (np.arange(POOL) + 0.5) / POOL
    places = (np.arange(len(seen)) + 0.5) / len(seen)
    pool = np.exp(np.interp(at, places, np.log(seen)))
    threshold = float(np.quantile(seen, TAIL))
    beyond = seen[seen > threshold] - threshold
    top = at > TAIL
    within = (at[top] - TAIL) / (1 - TAIL)
    if len(beyond) >= TAIL_DEALS:
        shape, _, scale = genpareto.fit(beyond, floc=0)
        shape = min(float(shape), HEAVIEST)
        pool[top] = threshold + genpareto.ppf(within, shape, scale=scale)
        return pool, f"the largest deals follow a Pareto tail above {threshold:,.0f}"
    limit = BEYOND * float(seen[-1])
    known = np.append((np.sort(beyond) + threshold), limit)
    steps = (np.arange(len(known)) + 0.5) / len(known)
    pool[top] = np.exp(np.interp(within, steps, np.log(known)))
    return pool, f"no deal is taken to be larger than {limit:,.0f}, 1.5 times the largest won"
