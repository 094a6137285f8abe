"""How leads come: their number a month, how much it varies, and whether it rises or falls."""

from dataclasses import dataclass

import narwhals as nw
import numpy as np
from scipy.special import chdtrc, ndtri

from kpi.engine import collect
from kpi.periods import day_number, from_day, month_start
from kpi.planning.curve import Floats
from kpi.snapshot import Snapshot

MONTHS = 24
LEAST_MONTHS = 6
DOUBT = 0.05


@dataclass(frozen=True)
class LeadFlow:
    """Leads a month as history shows them.

    Attributes
    ----------
    months : tuple of int
        Leads of each of the last whole months, oldest first, at most 24.
    trend, trend_low, trend_high : float
        Relative change a month with its 95 % interval (Poisson regression, widened by the
        dispersion); missing under six months.
    size : float
        Dispersion of the negative binomial: a month's number varies by ``mean + mean^2 / size``.
        Infinite (Poisson) where the data does not show more than chance.
    """

    months: tuple[int, ...] = ()
    trend: float = np.nan
    trend_low: float = np.nan
    trend_high: float = np.nan
    size: float = np.inf

    def factors(self, rng: np.random.Generator, draws: int, months: int) -> Floats | None:
        """How much more or fewer leads than planned each month brings, (draws, months)."""
        if np.isinf(self.size):
            return None
        return np.asarray(rng.gamma(self.size, 1 / self.size, (draws, months)))


def flow(snapshot: Snapshot) -> LeadFlow:
    """Count the leads of the last whole months and fit their level, trend and dispersion."""
    leads = snapshot.leads.lazy().filter(~nw.col("created_day").is_null())
    counted = collect(leads.group_by("created_day").agg(n=nw.len()))
    if counted.empty:
        return LeadFlow()
    end = month_start(snapshot.as_of)
    begin = from_day(int(counted["created_day"].min()))
    if snapshot.window_start is not None:
        begin = max(begin, snapshot.window_start)
    whole = month_start(begin) if begin.day == 1 else month_start(begin, 1)
    start = max(month_start(end, -MONTHS), whole)
    days, n = counted["created_day"].to_numpy("int64"), counted["n"].to_numpy("int64")
    found = []
    while start < end:
        after = month_start(start, 1)
        inside = (days >= day_number(start)) & (days < day_number(after))
        found.append(int(n[inside].sum()))
        start = after
    return fitted_flow(found)


def fitted_flow(months: list[int]) -> LeadFlow:
    """Level, trend and dispersion of monthly counts.

    Examples
    --------
    >>> steady = fitted_flow([20, 18, 22, 21, 19, 20, 20, 21])
    >>> bool(np.isinf(steady.size)), steady.trend_low < 0 < steady.trend_high
    (True, True)
    >>> fitted_flow([5, 60, 2, 80, 1, 70, 4, 66]).size < 5
    True
    """
    n = np.array(months, dtype="float64")
    if len(n) < LEAST_MONTHS or n.sum() == 0:
        return LeadFlow(tuple(months))
    at = np.column_stack([np.ones(len(n)), np.arange(len(n)) - (len(n) - 1) / 2])
    slope, error, mean = _poisson(at, n)
    excess = float(((n - mean) ** 2 / mean).sum())
    spare = len(n) - 2
    wide = max(excess / spare, 1.0)
    size = np.inf
    if chdtrc(spare, excess) < DOUBT and wide > 1:
        size = float(n.mean() / (wide - 1))
    z = ndtri(0.975) * error * np.sqrt(wide)
    low, high = np.expm1([slope - z, slope + z])
    return LeadFlow(tuple(months), float(np.expm1(slope)), float(low), float(high), size)


def _poisson(at: Floats, n: Floats) -> tuple[float, float, Floats]:
    """Slope of a log-linear Poisson regression, its standard error, and the fitted means."""
    beta = np.array([np.log(max(n.mean(), 1e-9)), 0.0])
    for _ in range(50):
        mean = np.exp(np.clip(at @ beta, -30, 30))
        information = at.T @ (at * mean[:, None])
        step = np.linalg.solve(information, at.T @ (n - mean))
        beta = beta + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-10:
            break
    mean = np.exp(np.clip(at @ beta, -30, 30))
    covariance = np.linalg.inv(at.T @ (at * mean[:, None]))
    return float(beta[1]), float(np.sqrt(covariance[1, 1])), mean
