"""How much of a cohort has arrived, day by day, and what that means in calendar months."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from kpi.cohorts import AT_RISK, from_enough
from kpi.periods import month_start
from kpi.stats.intervals import effective_counts, jeffreys
from kpi.stats.survival import aalen_johansen, at_age, last_age

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NEGLIGIBLE = 1e-13


@dataclass(frozen=True)
class Rate:
    """A rate with what it rests on: its interval, the arrivals ``x`` and the records followed ``n``.

    A rate taken as known has no counts: ``n`` is 0 and the interval is the value itself.
    """

    value: float
    low: float
    high: float
    x: int
    n: int


@dataclass(frozen=True, eq=False)
class Curve:
    """Share of a cohort that has arrived by each whole day after it started.

    Attributes
    ----------
    share : array, (days,)
        Cumulative share on day 0, 1, ...; level after the last one.
    area : array, (days + 1,)
        Integral of the share from 0 to day 0, 1, ...: what spreads a cohort over calendar months.
    waiting : array, (days,)
        Share that has neither arrived nor dropped out by the end of each day.
    x, n : float
        Counts that the final share is worth: its posterior is ``Beta(x + 1/2, n - x + 1/2)``.
        ``n`` is infinite where the share is taken as known.
    arrived, followed : int
        Records that arrived, and all that were followed.
    """

    share: Floats
    area: Floats
    waiting: Floats
    x: float
    n: float
    arrived: int = 0
    followed: int = 0

    @property
    def final(self) -> float:
        """Share that arrives at all, as far as the data can tell."""
        return float(self.share[-1])

    def scaled(self, factor: float) -> "Curve":
        """Return the curve with every share times `factor` (never above 1)."""
        if factor == 1.0:
            return self
        limit = min(factor, 1 / self.final) if self.final > 0 else factor
        return replace(self, share=self.share * limit, area=self.area * limit)

    def stretched(self, factor: float) -> "Curve":
        """Return the curve of a funnel in which everything takes `factor` times as long.

        >>> bool(known(1.0, 30.0).stretched(0.5).by(15).round(4) == known(1.0, 15.0).by(15).round(4))
        True
        """
        if factor == 1.0:
            return self
        days = np.arange(int(np.ceil((len(self.share) - 1) * factor)) + 1)
        at = np.minimum(days / factor, len(self.share) - 1)
        old = np.arange(len(self.share))
        whole = np.append(days, days[-1] + 1) / factor
        area = factor * (
            np.interp(whole, np.arange(len(self.area)), self.area)
            + np.maximum(whole - (len(self.area) - 1), 0) * self.final
        )
        return replace(
            self,
            share=np.interp(at, old, self.share),
            area=area,
            waiting=np.interp(at, old, self.waiting),
        )

    def by(self, day: ArrayLike) -> Floats:
        """Share arrived by the end of a day; 0 before day 0.

        >>> known(0.2, [0.5, 0.5]).by([-1, 0, 1, 9]).tolist()
        [0.0, 0.1, 0.2, 0.2]
        """
        at = np.asarray(day, dtype="int64")
        found = self.share[np.clip(at, 0, len(self.share) - 1)]
        return np.where(at < 0, 0.0, found)

    def integral(self, days: ArrayLike) -> Floats:
        """Integral of the share over the first so many days."""
        at = np.asarray(days, dtype="int64")
        last = len(self.area) - 1
        inside: Floats = self.area[np.clip(at, 0, last)]
        return np.asarray(inside + np.maximum(at - last, 0) * self.final)

    def between(self, created: tuple[int, int], arrived: tuple[int, int]) -> float:
        """Share of those created evenly over the days [a, b) that arrives in the days [c, d).

        The exact overlap of calendar spans: flooring a delay to months would count 63 % of a
        30-day delay within the month, where it is 37 %.

        >>> month = known(1.0, 30.0)
        >>> round(month.between((0, 30), (0, 30)), 6)
        0.367879
        """
        (a, b), (c, d) = created, arrived
        until_end = self.integral(d - a) - self.integral(d - b)
        until_start = self.integral(c - a) - self.integral(c - b)
        return float(until_end - until_start) / (b - a)

    def rate(self, level: float = 0.95) -> Rate:
        """Return the final share with its interval."""
        if np.isinf(self.n):
            return Rate(self.final, self.final, self.final, 0, 0)
        low, high = jeffreys(self.x, self.n, level)
        return Rate(self.final, float(low), float(high), self.arrived, self.followed)


def fitted(counted: pd.DataFrame) -> Curve:
    """Curve of cause 1 from counts by whole days (`kpi.cohorts.durations`).

    It is followed to the last day that anyone was: a plan credits open deals by their age, and a
    curve cut earlier would take old ones for hopeless. How much the final share is worth is told
    from the last day with ten still under observation.
    """
    usable = counted[(counted["cause"] >= 0) & (counted["entry"] <= counted["duration"])]
    usable, _ = from_enough(usable)
    if usable.empty:
        return Curve(np.zeros(1), np.zeros(2), np.ones(1), 0.0, 0.0)
    curve = aalen_johansen(usable["duration"], usable["cause"], usable["entry"], count=usable["n"])
    enough = last_age(curve, AT_RISK)
    last = int(curve.index[-1])
    days = np.arange(last + 1)
    share = at_age(curve, "cif_1", days, before=0.0)
    waiting = at_age(curve, "survival", days, before=1.0)
    firm = int(last if np.isnan(enough) else enough)
    variance = float(at_age(curve, "var_1", firm, before=0.0))
    _, n = effective_counts(float(share[firm]), variance, float(usable["n"].sum()))
    x = float(share[-1]) * n
    area = np.concatenate([[0.0], np.cumsum(share)])
    arrived = int(usable.loc[usable["cause"] == 1, "n"].sum())
    return Curve(share, area, waiting, x, n, arrived, int(usable["n"].sum()))


def known(share: float, lag_days: float | ArrayLike = 0) -> Curve:
    """Curve of a share taken as known.

    Parameters
    ----------
    share : float
        Share that arrives at all, 0 to 1.
    lag_days : float or array
        0: at once; a number: the mean of an exponential delay, in days; an array: the share of
        the arrivals on day 0, 1, ... (brought to a sum of 1).
    """
    lag = np.asarray(lag_days, dtype="float64")
    if (lag < 0).any() or not np.isfinite(lag).all():
        raise ValueError("lag_days must be 0 or more and never missing")
    if lag.ndim == 0 and lag > 0:
        days = np.arange(int(np.ceil(-float(lag) * np.log(NEGLIGIBLE))) + 2)
        arrived = 1 - np.exp(-days / lag)
        area = days - lag * arrived
        return Curve(share * arrived[:-1], share * area, 1 - arrived[:-1], np.nan, np.inf)
    weights = np.array([1.0]) if lag.ndim == 0 else lag
    if weights.sum() <= 0:
        raise ValueError("lag_days as a distribution must hold at least one share above 0")
    arrived = np.cumsum(weights) / weights.sum()
    area = np.concatenate([[0.0], np.cumsum(arrived)])
    return Curve(share * arrived, share * area, 1 - arrived, np.nan, np.inf)


def months_between(first: date, last: date) -> list[date]:
    """First days of the months from that of `first` to that of `last`.

    >>> [str(m) for m in months_between(date(2026, 12, 5), date(2027, 1, 31))]
    ['2026-12-01', '2027-01-01']
    """
    found = [month_start(first)]
    while (following := month_start(found[-1], 1)) <= last:
        found.append(following)
    return found


def span(month: date, first: date, last: date, origin: date) -> tuple[int, int]:
    """Days of a month inside [first, last], counted from `origin`: start and end (exclusive)."""
    begin = max(month, first)
    end = min(month_start(month, 1), last + timedelta(days=1))
    return (begin - origin).days, (end - origin).days
