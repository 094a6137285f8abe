"""Reproducible draws and working-hour moments for the sample company.

Only the raw 64-bit stream of PCG64 is used, which numpy promises never to change, and every drawn
number is rounded before it is written: the same files come out on every machine.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import NormalDist
from typing import TypeVar

from numpy.random import PCG64

SEED = 2030
START = datetime(2024, 11, 1, tzinfo=UTC)
END = datetime(2026, 10, 31, 23, 59, tzinfo=UTC)
AS_OF = date(2026, 11, 1)
_NORMAL = NormalDist()

T = TypeVar("T")


class Chance:
    """A stream of draws for one subject, so that changing one subject leaves the others alone.

    >>> Chance("leads").unit() == Chance("leads").unit()
    True
    """

    def __init__(self, subject: str) -> None:
        self._bits = PCG64([SEED, zlib.crc32(subject.encode())])

    def unit(self) -> float:
        """Draw a number above 0 and below 1."""
        return ((int(self._bits.random_raw()) >> 12) + 0.5) / 2**52

    def happens(self, probability: float) -> bool:
        """Draw whether something of that probability happens."""
        return self.unit() < probability

    def between(self, low: int, high: int) -> int:
        """Draw a whole number from `low` to `high`, both included."""
        return low + int(self.unit() * (high - low + 1))

    def one_of(self, values: Sequence[T]) -> T:
        """Draw one of the values, each equally likely."""
        return values[self.between(0, len(values) - 1)]

    def weighted(self, weights: Mapping[T, float]) -> T:
        """Draw one of the keys, each as likely as its share of the weights."""
        left = self.unit() * sum(weights.values())
        for value, weight in weights.items():
            left -= weight
            if left < 0:
                return value
        return next(reversed(list(weights)))

    def erlang(self, shape: int, mean: float) -> float:
        """Draw from a gamma distribution of whole-number shape, in the unit of `mean`."""
        return -sum(math.log(self.unit()) for _ in range(shape)) * mean / shape

    def lognormal(self, median: float, sigma: float) -> float:
        """Draw from a lognormal distribution, in the unit of `median`."""
        return median * math.exp(sigma * _NORMAL.inv_cdf(self.unit()))


def working(moment: datetime, after: datetime | None = None) -> datetime:
    """Move a moment into a working day, 13:30 to 22:00 UTC, and behind `after`.

    The time of day is squeezed into the working hours. A moment of a weekend moves to one of the
    two working days before or after it, by its minute, so that no weekday is crowded.

    >>> working(datetime(2026, 10, 29, 12, tzinfo=UTC)).isoformat()
    '2026-10-29T17:45:00+00:00'
    """
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = 810 + int((moment - start) / timedelta(days=1) * 510)
    if start.weekday() > 4:
        start += timedelta(days=(3, 4, 7, 8)[minutes % 4] - start.weekday())
    moved = start + timedelta(minutes=minutes)
    return moved if after is None else max(moved, after + timedelta(minutes=11))


def later(moment: datetime, days: float) -> datetime:
    """Return the working moment that many days on, at least some minutes later."""
    return working(moment + timedelta(days=days), after=moment)


def months(first: date, last: date) -> list[date]:
    """List the first day of every month from `first` to `last`.

    >>> len(months(date(2024, 11, 1), date(2026, 10, 31)))
    24
    """
    found = [first.replace(day=1)]
    while (following := next_month(found[-1])) <= last:
        found.append(following)
    return found


def next_month(day: date) -> date:
    """Return the first day of the month after `day`."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def midnight(day: date) -> datetime:
    """Return the moment at which a day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
