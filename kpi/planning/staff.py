"""Sellers through time: who is on board in each month, and how much of a full seller each is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from kpi.conform import KEPT, conform
from kpi.periods import as_date, month_start
from kpi.planning.curve import Floats
from kpi.planning.target import MONTHS_A_YEAR, PlanError

ALWAYS = -1e6  # on board, and up to speed, since long before any plan


@dataclass(frozen=True, eq=False)
class Months:
    """Calendar months, or the parts of them that a plan covers, on a clock that counts in months.

    Attributes
    ----------
    begin, end : array, (months,)
        First moment and end of each; a whole month is 1 long, half of one 0.5.
    """

    begin: Floats
    end: Floats

    @classmethod
    def of(cls, months: Sequence[date], first: date, last: date) -> "Months":
        """Return the parts of `months` inside the days from `first` to `last`."""
        begin = np.array([clock(max(month, first)) for month in months])
        over = last + timedelta(days=1)
        end = np.array([clock(min(month_start(month, 1), over)) for month in months])
        return cls(begin, end)

    @property
    def part(self) -> Floats:
        """Share of the calendar month that is covered, above 0 and up to 1."""
        return self.end - self.begin


@dataclass(frozen=True, eq=False)
class Staff:
    """Sellers: when each begins, how long the ramp is, and how many leave.

    Attributes
    ----------
    begins : array, (sellers,)
        When each begins to sell, on the clock of months.
    ramp : array, (sellers,)
        Months from there to full speed.
    heads : array, (sellers,)
        How many sellers the entry stands for.
    pay : array, (sellers,)
        On-target earnings a year; missing where not known.
    names : tuple of str
        Their owner ids; empty where only a number is known.
    """

    begins: Floats
    ramp: Floats
    heads: Floats
    pay: Floats
    names: tuple[str, ...] = ()

    def present(self, months: Months, leave_rate: float) -> Floats:
        """Sellers on board, on average over each month, (sellers, months)."""
        since = np.maximum(months.begin, self.begins[:, None])
        here = np.maximum(months.end - since, 0.0) / months.part
        return self.heads[:, None] * here * self._stays(months, leave_rate)

    def effective(self, months: Months, leave_rate: float) -> Floats:
        """Full sellers that they are worth, on average over each month, (sellers, months)."""
        begins, ramp = self.begins[:, None], self.ramp[:, None]
        worked = _ramped(months.end - begins, ramp) - _ramped(months.begin - begins, ramp)
        return self.heads[:, None] * worked / months.part * self._stays(months, leave_rate)

    def _stays(self, months: Months, leave_rate: float) -> Floats:
        """Share of each that has not left by the middle of the month."""
        middle = (months.begin + months.end) / 2
        on_board = middle - np.maximum(self.begins[:, None], months.begin[0])
        return np.asarray((1 - leave_rate) ** (np.maximum(on_board, 0.0) / MONTHS_A_YEAR))


def staff(sellers: float | pd.DataFrame, start: date, ramp_months: float) -> Staff:
    """Read sellers from a number, or from a table of owners.

    Parameters
    ----------
    sellers : float or DataFrame
        A number: so many, all beginning on `start`. A table with the columns of `kpi.tables.OWNERS`:
        one row per seller; who is not ``active`` is left out, a missing ``active`` counts as yes, a
        missing ``starts_on`` as long ago (no ramp any more).
    start : date
        First day of the plan.
    ramp_months : float
        Months to full speed; of a table, for those whose own are missing.

    Raises
    ------
    PlanError
        If a number is negative or missing, or a row of the table cannot be read.

    Examples
    --------
    >>> staff(3, date(2027, 1, 1), 2).heads.tolist()
    [3.0]
    """
    if not 0 <= ramp_months <= MONTHS_A_YEAR * 5:
        raise PlanError(f"ramp_months = {ramp_months}; expected months from 0 to 60")
    if not isinstance(sellers, pd.DataFrame):
        if not 0 <= sellers < np.inf:
            raise PlanError(f"sellers = {sellers}; expected a number of 0 or more, or owners")
        one = np.ones(1)
        return Staff(clock(start) * one, ramp_months * one, float(sellers) * one, np.nan * one)
    owners, problems = conform("owners", sellers)
    wrong = problems[problems["action"] != KEPT]
    if len(wrong):
        first = wrong.iloc[0]
        raise PlanError(
            f"owners, row {first['row']}, {first['column']} = {first['value']!r}: "
            f"{first['reason']} ({len(wrong)} such): correct the table"
        )
    selling = owners[owners["active"].fillna(value=True).to_numpy("bool")]
    begins = [ALWAYS if pd.isna(day) else clock(as_date(day)) for day in selling["starts_on"]]
    return Staff(
        np.array(begins, dtype="float64"),
        selling["ramp_months"].fillna(ramp_months).clip(lower=0).to_numpy("float64"),
        np.ones(len(selling)),
        selling["annual_ote"].to_numpy("float64"),
        tuple(selling["owner_id"]),
    )


def clock(day: date) -> float:
    """Months from the year 0 to the start of a day; a month is 1, whatever its days.

    >>> clock(date(2027, 3, 1)) - clock(date(2027, 2, 15))
    0.5
    """
    first = month_start(day)
    return day.year * 12 + day.month - 1 + (day - first).days / (month_start(day, 1) - first).days


def _ramped(months: Floats, ramp: Floats) -> Floats:
    """Full months worked so many months after the start: speed rises in a line, then stays."""
    after = np.maximum(months, 0.0)
    steep = np.minimum(after, ramp)
    return np.asarray(steep**2 / (2 * np.where(ramp > 0, ramp, 1.0)) + after - steep)
