"""Cells of an export as the text, numbers and moments that the canonical tables expect.

Each function returns the values and a mask of the cells that hold something it could not read.
"""

import re
from datetime import date, datetime, time
from types import UnionType
from typing import NamedTuple

import numpy as np
import pandas as pd

from connectors.exports.read_options import ReadOptions

SPACES = "[ \u00a0\u2009\u202f]"  # as printed between thousands: plain, no-break, thin
EXCEL_DAY_0 = datetime(1899, 12, 30)  # noqa: DTZ001 - a day, no moment
LAST_SERIAL = 73_050  # 1 January 2100
FIRST_YEAR = 1970
ISO = ("ISO8601",)
DAY_FIRST = ("%d/%m/%Y", "%d/%m/%y", "%d.%m.%Y", "%d.%m.%y", "%d-%m-%Y", "%d-%m-%y")
MONTH_FIRST = ("%m/%d/%Y", "%m/%d/%y", "%m.%d.%Y", "%m.%d.%y", "%m-%d-%Y", "%m-%d-%y")
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")


class Cells(NamedTuple):
    """Values in the order given, and where something stood that could not be read."""

    values: pd.Series
    unread: pd.Series


def as_text(values: pd.Series, missing: tuple[str, ...] = ()) -> pd.Series:
    """Cells as stripped text: blank and the words in `missing` are missing, 7.0 is ``7``.

    >>> as_text(pd.Series(["007", " n/a ", 7.0, True, None]), ("n/a",)).tolist()
    ['007', nan, '7', 'TRUE', nan]
    """
    plain = isinstance(values.dtype, pd.StringDtype)
    text = values if plain else values.map(_shown, na_action="ignore")
    text = text.astype("str").mask(values.isna()).str.strip()
    return text.mask(text.isin(["", *missing])).astype("str")


def as_numbers(values: pd.Series, options: ReadOptions) -> Cells:
    """Cells as float64; text is read with the decimal and thousands signs of `options`.

    >>> french = ReadOptions(decimal=",", thousands=".", strip=("EUR",))
    >>> as_numbers(pd.Series(["1.234,50 EUR", "(3)", "12.5", 2.5]), french).values.tolist()
    [1234.5, -3.0, nan, 2.5]
    """
    text = as_text(values, options.missing)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return Cells(values.astype("float64"), values.isna() & False)
    written = _are(values, str) & text.notna()
    numbers = pd.to_numeric(text.mask(written), errors="coerce").astype("float64")
    numbers[written] = _written_numbers(text[written], options)
    return Cells(numbers, text.notna() & numbers.isna())


def as_moments(values: pd.Series, options: ReadOptions, epoch: datetime | None = None) -> Cells:
    """Cells as ISO text, or as they are where they are moments already.

    Numbers are Excel serial days where `epoch` (Excel's day 0) is given. Text is read by
    ``date_format``, else by ``day_first`` (ISO too), else it must be ISO.

    >>> american = ReadOptions(date_format=("%m/%d/%y %I:%M %p",))
    >>> as_moments(pd.Series(["02/23/26 08:55 PM", "31/31/26"]), american).values.tolist()
    ['2026-02-23T20:55:00', nan]
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return Cells(values, values.isna() & False)
    text = as_text(values, options.missing)
    written = _are(values, str) & text.notna()
    numeric = _are(values, int | float | np.number) & text.notna()
    result = text.mask(written | numeric)
    if epoch is not None and numeric.any():
        result[numeric] = _serial(text[numeric], epoch)
    if written.any():
        result[written] = _written_moments(text[written], options)
    return Cells(result.astype("str"), text.notna() & result.isna())


def _are(values: pd.Series, kind: type | UnionType) -> pd.Series:
    """Which cells are of a Python type; a whole column of text is answered at once."""
    if isinstance(values.dtype, pd.StringDtype):
        return pd.Series(kind is str, index=values.index)
    of_kind = [isinstance(v, kind) and not isinstance(v, bool | np.bool_) for v in values]
    return pd.Series(of_kind, index=values.index, dtype="bool")


def _shown(cell: object) -> str:
    """One typed cell as its text."""
    if isinstance(cell, bool | np.bool_):
        return str(cell).upper()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime):
        return (cell.date() if cell.time() == time() else cell).isoformat()
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def _written_numbers(text: pd.Series, options: ReadOptions) -> pd.Series:
    for token in options.strip:
        text = text.str.replace(token, "", regex=False)
    text = text.str.replace("\u2212", "-", regex=False).str.replace(
        rf"^{SPACES}+|{SPACES}+$", "", regex=True
    )
    bracketed = text.str.fullmatch(r"\(.*\)")
    negative = bracketed | text.str.startswith("-")
    size = text.str.replace(rf"^[-+]{SPACES}*", "", regex=True)
    size = size.mask(bracketed, text.str.replace(rf"^\({SPACES}*|{SPACES}*\)$", "", regex=True))
    group = SPACES if options.thousands == " " else re.escape(options.thousands or "")
    grouped = rf"\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}}" if options.thousands else r"\d+"
    point = re.escape(options.decimal)
    pattern = rf"(?:(?:{grouped}|\d+)(?:{point}\d*)?|{point}\d+)(?:[eE][-+]?\d+)?"
    size = size.where(size.str.fullmatch(pattern))
    if options.thousands:
        size = size.str.replace(group, "", regex=True)
    numbers = pd.to_numeric(size.str.replace(options.decimal, ".", regex=False)).astype("float64")
    return numbers.mask(negative, -numbers)


def _written_moments(text: pd.Series, options: ReadOptions) -> pd.Series:
    formats = options.date_format
    if not formats and options.day_first is None:
        return text  # conform reads ISO, and lists the rest
    if not formats:
        days = DAY_FIRST if options.day_first else MONTH_FIRST
        formats = (*ISO, *(day + clock for day in days for clock in CLOCKS))
    result = pd.Series(None, index=text.index, dtype="str")
    for form in formats:
        left = result.isna()
        if not left.any():
            break
        result[left] = _by_format(text[left], form)
    return result


def _by_format(text: pd.Series, form: str) -> pd.Series:
    if form == "excel":
        return _serial(text, EXCEL_DAY_0)
    zoned = "%z" in form
    if form == ISO[0]:
        return text.where(text.str.match(r"\d{4}-\d\d-\d\d(?!\d)"))  # conform reads it
    moments = pd.to_datetime(text, format=form, errors="coerce", utc=zoned)
    moments = moments.where(moments.dt.year >= FIRST_YEAR)  # 0026 is a typing error
    return moments.dt.strftime("%Y-%m-%dT%H:%M:%S" + ("+00:00" if zoned else "")).astype("str")


def _serial(text: pd.Series, epoch: datetime) -> pd.Series:
    """Excel's day numbers as ISO text, to the second; what is no day up to 2100 is missing."""
    days = pd.to_numeric(text, errors="coerce").astype("float64")
    days = days.where((days >= 1) & (days < LAST_SERIAL))
    moments = pd.to_datetime(days, unit="D", origin=pd.Timestamp(epoch)).dt.round("s")
    return moments.dt.strftime("%Y-%m-%dT%H:%M:%S").astype("str")
