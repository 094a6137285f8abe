"""The months of a plan, and the days that separate them from the end of the data."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from kpi.planning.curve import Floats, months_between, span


@dataclass(frozen=True)
class Horizon:
    """Calendar of a plan: its first and last day, and the last day of the data.

    Attributes
    ----------
    first, last : date
        First and last day on which leads can be created and wins count.
    origin : date
        Last day of the data: the day before `first` where there is no data.
    """

    first: date
    last: date
    origin: date

    @classmethod
    def of(cls, first: date, last: date, as_of: date | None) -> "Horizon":
        """Plan from `first`, or from the day after the data ends where that is later."""
        origin = as_of or first - timedelta(days=1)
        return cls(max(first, origin + timedelta(days=1)), last, origin)

    @property
    def months(self) -> list[date]:
        """First days of the months."""
        return months_between(self.first, self.last)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Days [a, b) of each month, counted from `first`."""
        return [span(month, self.first, self.last, self.first) for month in self.months]

    @property
    def after_origin(self) -> list[tuple[int, int]]:
        """Days [a, b) of each month, counted from the last day of the data."""
        shift = (self.first - self.origin).days
        return [(a + shift, b + shift) for a, b in self.spans]

    @property
    def edges(self) -> list[int]:
        """Whole days after the data's end: the day before the first month, then each month's last."""
        after = self.after_origin
        return [after[0][0] - 1, *(b - 1 for _, b in after)]

    def index(self, day: date) -> int:
        """Place of the month that holds a day; the last one for later days."""
        months = self.months
        return max(i for i, month in enumerate(months) if month <= day or i == 0)


def spread(area: Floats, spans: list[tuple[int, int]]) -> Floats:
    """Share of each month's records that arrives in each month, for many curves at once.

    Parameters
    ----------
    area : array, (curves, days + 1)
        Integral of the cumulative share from 0 to day 0, 1, ...; beyond, it rises by its last step.
    spans : list of (a, b), (months,)
        Days of each month.

    Returns
    -------
    array, (curves, months created, months arrived)

    Notes
    -----
    Records come evenly over the days [a, b); the exact overlap with the days [c, d) is
    ``(A(d-a) - A(d-b) - A(c-a) + A(c-b)) / (b - a)``.
    """
    begin = np.array([a for a, _ in spans])
    end = np.array([b for _, b in spans])
    last = area.shape[1] - 1
    slope = area[:, -1] - area[:, -2] if last else np.zeros(len(area))

    def integral(days: Floats) -> Floats:
        inside = area[:, np.clip(days, 0, last).astype("int64")]
        return np.asarray(inside + np.maximum(days - last, 0) * slope[:, None, None])

    until_end = integral(end[None, :] - begin[:, None]) - integral(end[None, :] - end[:, None])
    until_start = integral(begin[None, :] - begin[:, None]) - integral(
        begin[None, :] - end[:, None]
    )
    return np.asarray(np.maximum((until_end - until_start) / (end - begin)[None, :, None], 0.0))
