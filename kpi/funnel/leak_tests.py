"""Comparing the deals of one group at a stage with others: the same follow-up, and a test.

Deals are counted by day in arrays of (what, when, age): ``what`` is one of the rows named below,
``when`` the time at which they reached the stage (0: before the first of the periods asked about,
then one each), ``age`` days since. Sides of a comparison are sums and differences of these.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kpi.cohorts import AT_RISK
from kpi.stats.discovery import lower_share
from kpi.stats.intervals import effective_counts

REST, BEFORE = "the rest", "before"
OPEN, ON, LOST, ARRIVED, REACHABLE = range(5)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """Share of deals that went on by an age: ``worth`` of ``trials``, fractions where some are open.

    ``x`` of ``n`` are the deals themselves: seen to go on by then, and followed.
    """

    worth: float
    trials: float
    x: int
    n: int

    @property
    def value(self) -> float:
        """The share itself."""
        return self.worth / self.trials


@dataclass(frozen=True)
class Comparison:
    """One group at one stage beside others: how many went on by the same age.

    Attributes
    ----------
    against : str
        ``the rest`` (other groups, same time) or ``before`` (same group, earlier).
    since : int or None
        First day of the periods compared; None: the whole time.
    age : int
        Days after reaching the stage at which both are read.
    here, elsewhere : Share
    p : float
        How often chance alone makes a difference as large, in this direction.
    """

    against: str
    since: int | None
    age: int
    here: Share
    elsewhere: Share
    p: float


def comparisons(
    followed: pd.DataFrame, entered: pd.DataFrame, *, today: int, since: Sequence[int]
) -> Iterator[tuple[str, list[Comparison]]]:
    """Compare every group at one stage with the rest, and its latest periods with those before.

    Parameters
    ----------
    followed : DataFrame
        ``group, period`` (day number of its start), ``duration, entry, cause, n``, as
        `kpi.cohorts.durations` counts them (cause 1: went on, 2: lost, 0: open). Deals whose group
        is missing belong to the rest of every one. Where there is only one group, and nothing else,
        it has no rest.
    entered : DataFrame
        ``group, period, start`` (day on which the stage was reached) and ``n``.
    today : int
        The as-of day.
    since : sequence of int
        First days of the periods from which on a leak may have begun, in order.

    Yields
    ------
    (group, list of Comparison)
        Those with ten deals or more on both sides that can be read at one age.
    """
    seen = followed[(followed["cause"] >= 0) & (followed["entry"] <= followed["duration"])]
    oldest = today - int(entered["start"].min()) if len(entered) else 0
    ages = max(oldest, int(seen["duration"].max()) if len(seen) else 0) + 1
    total = _by_day(seen, entered, today, since, ages)
    for group in sorted(set(seen["group"].dropna())):
        own = _by_day(
            seen[seen["group"] == group], entered[entered["group"] == group], today, since, ages
        )
        yield group, _compared(own, total - own, since)


def strongest(made: Sequence[Comparison]) -> tuple[Comparison, float]:
    """Return the comparison with the smallest p, and a p-value of all of them together (Simes).

    Of several with the same p, the latest start.

    ``min over j of p_(j) m / j`` of the m sorted p-values: valid where they lean the same way, as
    comparisons of one group over nested periods do.

    References
    ----------
    .. [1] Simes RJ (1986), Biometrika 73:751-754.
    """
    order = sorted(made, key=lambda one: (one.p, -(one.since or 0)))
    together = min(one.p * len(order) / (j + 1) for j, one in enumerate(order))
    return order[0], min(1.0, together)


def _by_day(
    seen: pd.DataFrame, entered: pd.DataFrame, today: int, since: Sequence[int], ages: int
) -> Floats:
    """Count deals by what, when and age."""
    shape = (5, len(since) + 1, ages)
    when = np.searchsorted(np.asarray(since), seen["period"].to_numpy(), side="right")
    times = np.searchsorted(np.asarray(since), entered["period"].to_numpy(), side="right")
    n = seen["n"].to_numpy(dtype="float64")
    cells = [
        (seen["cause"].to_numpy(), when, seen["duration"].to_numpy()),
        (np.full(len(seen), ARRIVED), when, seen["entry"].to_numpy()),
        (np.full(len(entered), REACHABLE), times, today - entered["start"].to_numpy()),
    ]
    place = np.concatenate([np.ravel_multi_index(cell, shape) for cell in cells])
    weight = np.concatenate([n, n, entered["n"].to_numpy(dtype="float64")])
    counts = np.bincount(place, weights=weight, minlength=int(np.prod(shape)))
    return counts.astype("float64").reshape(shape)


def _compared(own: Floats, rest: Floats, since: Sequence[int]) -> list[Comparison]:
    """Compare one group with the rest, where there is one, and with itself before."""
    first = range(1, len(since) + 1)
    sides = [(BEFORE, i, own[:, i:].sum(axis=1), own[:, :i].sum(axis=1)) for i in first]
    if rest.any():
        sides += [(REST, i, own[:, i:].sum(axis=1), rest[:, i:].sum(axis=1)) for i in (0, *first)]
    made = [
        _compare(against, since[i - 1] if i else None, here, elsewhere)
        for against, i, here, elsewhere in sides
    ]
    return [comparison for comparison in made if comparison is not None]


def _compare(against: str, since: int | None, here: Floats, elsewhere: Floats) -> Comparison | None:
    age = min(_longest(here), _longest(elsewhere))
    if age < 1:
        return None
    one, other = _share(here, age), _share(elsewhere, age)
    if min(one.n, other.n) < AT_RISK:
        return None
    lower = one.value < other.value
    p = lower_share(one.worth, one.trials, other.worth, other.trials) if lower else 1.0
    return Comparison(against, since, age, one, other, p)


def _longest(side: Floats) -> int:
    """Return the greatest age to which ten of the deals could have been followed by now, else -1."""
    enough = np.flatnonzero(side[REACHABLE][::-1].cumsum() >= AT_RISK)
    return len(side[REACHABLE]) - 1 - int(enough[0]) if len(enough) else -1


def _share(side: Floats, age: int) -> Share:
    """Cumulative incidence of going on by an age, as counts."""
    on, lost, still = side[ON], side[LOST], side[OPEN]
    left = on + lost + still
    at_risk = side[ARRIVED].cumsum() - (left.cumsum() - left)
    start = _start(side[ARRIVED], at_risk, on + lost)
    n = left[start:].sum()
    until = slice(start, age + 1)
    value, variance = _incidence(at_risk[until], on[until], lost[until])
    told = (on + lost)[start:].sum() + still[max(age, start) :].sum()
    worth, trials = effective_counts(value, variance, seen=max(told, 1.0))
    if trials > n:
        worth, trials = value * n, n
    return Share(float(worth), float(trials), int(on[until].sum()), int(n))


def _start(arrived: Floats, at_risk: Floats, events: Floats) -> int:
    """Return the age at which the clock starts, as `kpi.cohorts.from_enough` has it."""
    enough = np.flatnonzero(at_risk >= AT_RISK)
    late = arrived[1:].any() and len(enough) and events[: enough[0]].any()
    return int(enough[0]) if late else 0


def _incidence(n: Floats, own: Floats, other: Floats) -> tuple[float, float]:
    """Aalen-Johansen incidence at the last day, and Aalen's variance of it."""
    total = own + other

    def over(top: Floats, bottom: Floats) -> Floats:
        return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)

    survival = np.cumprod(1 - over(total, n))
    before = np.concatenate([[1.0], survival[:-1]]) if len(n) else survival
    incidence = np.cumsum(before * over(own, n))
    value = min(float(incidence[-1]), 1.0) if len(n) else 0.0
    ahead, spread = value - incidence, own * (n - own)
    variance = (
        over(ahead**2 * total, (n - 1) * (n - total))
        + over(before**2 * spread, n**2 * (n - 1))
        - 2 * over(ahead * before * spread, n * (n - total) * (n - 1))
    )
    return value, max(float(variance.sum()), 0.0)
