"""Months, quarters and years of the company's fiscal calendar, as days since 1970-01-01."""

from datetime import date, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from kpi.tables import TableError

Every = Literal["month", "quarter", "year"]

EPOCH = date(1970, 1, 1)
MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}
NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def as_date(value: date | str) -> date:
    """Read a date from a date, a timestamp or ISO text.

    >>> as_date("2026-11-01")
    datetime.date(2026, 11, 1)
    >>> as_date("1.11.2026")
    Traceback (most recent call last):
    kpi.tables.TableError: no date: '1.11.2026'; expected one like 2026-11-01
    """
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip()[:10])
        except ValueError as error:
            raise TableError(f"no date: {value!r}; expected one like 2026-11-01") from error
    return date(value.year, value.month, value.day)


def day_number(value: date) -> int:
    """Days since 1970-01-01.

    >>> day_number(date(1970, 2, 1))
    31
    """
    return (value - EPOCH).days


def from_day(number: int) -> date:
    """Return the date of a day number."""
    return EPOCH + timedelta(days=int(number))


def month_start(value: date, months: int = 0) -> date:
    """First day of the month, so many months later.

    >>> month_start(date(2026, 11, 15), 2)
    datetime.date(2027, 1, 1)
    """
    index = value.year * 12 + value.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def period_start(value: date, every: Every, fiscal_year_start: int = 1) -> date:
    """First day of the period that holds the date.

    >>> period_start(date(2026, 5, 9), "quarter", fiscal_year_start=2)
    datetime.date(2026, 5, 1)
    """
    length = check_every(every)
    past = (value.year * 12 + value.month - fiscal_year_start) % length
    return month_start(value, -past)


def starts(first: date, last: date, every: Every, fiscal_year_start: int = 1) -> list[date]:
    """First days of the periods from the one that holds `first` to the one that holds `last`.

    >>> starts(date(2026, 1, 31), date(2026, 3, 1), "month")
    [datetime.date(2026, 1, 1), datetime.date(2026, 2, 1), datetime.date(2026, 3, 1)]
    """
    found = [period_start(first, every, fiscal_year_start)]
    while (following := month_start(found[-1], MONTHS[every])) <= last:
        found.append(following)
    return found


def calendar(first: date, last: date, every: Every, fiscal_year_start: int = 1) -> pd.DataFrame:
    """One row a day: ``day`` and the ``period`` it is in, both as day numbers.

    >>> calendar(date(1970, 1, 31), date(1970, 2, 1), "month")["period"].tolist()
    [0, 31]
    """
    days = np.arange(day_number(first), day_number(last) + 1)
    edges = np.array([day_number(d) for d in starts(first, last, every, fiscal_year_start)])
    place = np.searchsorted(edges, days, side="right") - 1
    return pd.DataFrame({"day": days, "period": edges[place] if len(days) else days})


def label(day: date, every: Every, fiscal_year_start: int = 1) -> str:
    """Name the period that holds the day, as the company calls it.

    A fiscal year that does not begin in January is named by the year in which it ends (``FY27``);
    months keep the names of the calendar.

    >>> label(date(2026, 7, 1), "quarter", fiscal_year_start=7), label(date(2026, 7, 1), "quarter")
    ('FY27 Q1', '2026 Q3')
    >>> label(date(2026, 7, 1), "year", fiscal_year_start=7), label(date(2026, 7, 1), "month")
    ('FY27', 'Jul 2026')
    """
    check_every(every)
    if every == "month":
        return f"{NAMES[day.month - 1]} {day.year}"
    first = period_start(day, "year", fiscal_year_start)
    year = f"FY{(first.year + 1) % 100:02}" if fiscal_year_start > 1 else str(first.year)
    nth = (day.month - fiscal_year_start) % 12 // 3 + 1
    return year if every == "year" else f"{year} Q{nth}"


def check_every(every: str) -> int:
    """Length of the period in months; an unknown one is refused with those there are."""
    if every not in MONTHS:
        raise TableError(f"every={every!r}; expected one of {list(MONTHS)} or None")
    return MONTHS[every]
