"""The target of a plan: an amount by a date, or a path of amounts by month."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import cast

import numpy as np

from kpi.periods import as_date, month_start
from kpi.tables import TableError

Amount = float | Mapping[str, float]
FLOWS = ("wins", "new_mrr", "bookings")
LEVELS = ("mrr", "arr")
MOST_YEARS = 10
MONTHS_A_YEAR = 12


class PlanError(TableError):
    """The target cannot be planned for: it is impossible, or an input makes no sense.

    ``nearest`` is the nearest target that can be reached with the chance asked for, where there is
    one.
    """

    def __init__(self, message: str, *, nearest: float | None = None) -> None:
        super().__init__(message)
        self.nearest = nearest


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is to be reached, by when, with what chance.

    Exactly one amount: ``wins`` (deals), ``new_mrr`` (recurring revenue a month of the deals won),
    ``bookings`` (amount of the deals won) count from `start` to `by`; ``mrr`` and ``arr`` are levels
    at the date, net of the churn and expansion of what runs until then. Money is in the reporting
    currency.

    Parameters
    ----------
    wins, new_mrr, bookings, mrr, arr : float or mapping of 'YYYY-MM' to float
        An amount; or a path. In a path a flow is what each month must bring (the running total
        counts, so that a good month makes up for a bad one), a level is what must run at its end.
    by : date or ISO text
        Last day that counts; not needed with a path, which ends with its last month.
    start : date or ISO text, optional
        First day that counts; default the first of the month after the data ends, or the first
        month of the path.
    confidence : float
        Chance wanted, above 0 and below 1.

    Raises
    ------
    PlanError
        If there is not exactly one amount, or an amount, a date or the confidence makes no sense.

    Examples
    --------
    >>> Target(mrr={"2027-03": 120_000, "2027-06": 140_000}).checkpoints
    ((datetime.date(2027, 3, 31), 120000.0), (datetime.date(2027, 6, 30), 140000.0))
    >>> Target(wins={"2027-01": 3, "2027-02": 4}).checkpoints[-1]
    (datetime.date(2027, 2, 28), 7.0)
    """

    wins: float | Mapping[str, float] | None = None
    new_mrr: float | Mapping[str, float] | None = None
    bookings: float | Mapping[str, float] | None = None
    mrr: float | Mapping[str, float] | None = None
    arr: float | Mapping[str, float] | None = None
    by: date | str | None = None
    start: date | str | None = None
    confidence: float = 0.8

    def __post_init__(self) -> None:
        given = [name for name in (*FLOWS, *LEVELS) if getattr(self, name) is not None]
        if len(given) != 1:
            words = " and ".join(given) or "nothing"
            raise PlanError(
                f"the target is {words}: set exactly one of {', '.join((*FLOWS, *LEVELS))}"
            )
        if not 0 < self.confidence < 1:
            raise PlanError(
                f"confidence = {self.confidence}; expected a chance above 0 and below 1 (0.8)"
            )
        amounts = self._amount.values() if isinstance(self._amount, Mapping) else [self._amount]
        for amount in amounts:
            if not 0 < amount < 1e12:
                raise PlanError(f"{self.kind} = {amount:,.10g}; expected a number above 0")
        if not isinstance(self._amount, Mapping) and self.by is None:
            raise PlanError("by is missing: set the last day that counts")
        _ = self.checkpoints

    @property
    def kind(self) -> str:
        """Which amount is set: ``wins``, ``new_mrr``, ``bookings``, ``mrr`` or ``arr``."""
        return next(n for n in (*FLOWS, *LEVELS) if getattr(self, n) is not None)

    @property
    def is_level(self) -> bool:
        """Whether the target is a level at a date, net of churn, rather than a sum up to it."""
        return self.kind in LEVELS

    @property
    def _amount(self) -> Amount:
        return cast("Amount", getattr(self, self.kind))

    @property
    def amount(self) -> float:
        """The amount at the last date: of a path of flows, their sum."""
        return self.checkpoints[-1][1]

    @property
    def checkpoints(self) -> tuple[tuple[date, float], ...]:
        """Dates with the amount that must be reached by each; arr stays in a year's revenue."""
        if not isinstance(self._amount, Mapping):
            return ((as_date(self.by), float(self._amount)),)  # type: ignore[arg-type]
        if not self._amount:
            raise PlanError(f"{self.kind} is an empty path: give an amount for each month")
        months = sorted((month_of(text), float(v)) for text, v in self._amount.items())
        found = []
        total = 0.0
        for month, amount in months:
            total = amount if self.is_level else total + amount
            found.append((month_start(month, 1) - timedelta(days=1), total))
        if self.by is not None and as_date(self.by) < found[-1][0]:
            raise PlanError(f"by = {self.by} is before the path ends ({found[-1][0]})")
        return tuple(found)

    @property
    def last(self) -> date:
        """Last day that counts."""
        return self.checkpoints[-1][0]

    def dates(self, as_of: date | None) -> tuple[date, date]:
        """First and last day that count.

        Raises
        ------
        PlanError
            If there is nothing to begin after, the dates run backward, or are too far apart.
        """
        last = self.last
        if self.start is not None:
            first = as_date(self.start)
        elif isinstance(self._amount, Mapping):
            first = min(month_of(text) for text in self._amount)
        elif as_of is not None:
            first = month_start(as_of, 1)
        else:
            raise PlanError("start is missing: an assumed model has no as-of date to begin after")
        if last < first or (as_of is not None and last <= as_of):
            begins = first if as_of is None else max(first, as_of + timedelta(days=1))
            raise PlanError(f"by = {last} is before the plan can start ({begins})")
        if (last - first).days > MOST_YEARS * 365.3:
            raise PlanError(f"by = {last} is more than ten years after {first}")
        return first, last


def month_of(text: str) -> date:
    """First day of a month written ``'YYYY-MM'``.

    Raises
    ------
    PlanError
        If it is written in any other way.

    Examples
    --------
    >>> month_of("2027-01")
    datetime.date(2027, 1, 1)
    """
    try:
        return date.fromisoformat(f"{text}-01")
    except (ValueError, TypeError) as error:
        raise PlanError(f"month {text!r}; expected a year and month such as '2027-01'") from error


def checked_leads(leads_by_month: Mapping[str, float]) -> dict[date, float]:
    """Leads by first day of month, in order.

    Raises
    ------
    PlanError
        If a month is not written ``'YYYY-MM'``, or a number is negative or missing.

    Examples
    --------
    >>> checked_leads({"2027-02": 5, "2027-01": 3})
    {datetime.date(2027, 1, 1): 3.0, datetime.date(2027, 2, 1): 5.0}
    """
    found = {month_of(str(text)): float(n) for text, n in leads_by_month.items()}
    for month, n in found.items():
        if not 0 <= n < np.inf:
            raise PlanError(f"leads of {month:%Y-%m} = {n}; expected a number of 0 or more")
    return dict(sorted(found.items()))
