"""Read one HubSpot property value: every one is a text or null, whatever its type.

What cannot be read is handed on as it came, so that `kpi.conform` lists it: nothing is lost here.
A blank text is missing.
"""

import calendar
import math
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

Moment = int | str | None
"""Microseconds since 1970 in UTC; the raw text where it is no moment."""

Day = date | str | None
Number = float | str | None

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
PERIOD = re.compile(r"P(?=\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?")


def text(value: object) -> str | None:
    """Return a text as it is; blank is missing.

    >>> text(""), text(" a "), text(151)
    (None, ' a ', '151')
    """
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else str(value)


def is_true(value: object) -> bool:
    """Tell whether a flag is set; missing is not.

    >>> is_true("true"), is_true("false"), is_true(None)
    (True, False, False)
    """
    return str(value).lower() == "true"


def number(value: object) -> Number:
    """Read a number; HubSpot writes some with all the digits of their binary form.

    >>> number("0.200000000000000011102230246251565404236316680908203125")
    0.2
    >>> number("3092727991;3881228353"), number("")
    ('3092727991;3881228353', None)
    """
    if value is None or value == "":
        return None
    try:
        read = float(str(value))
    except ValueError:
        return str(value)
    # Python also reads "nan", "inf" and "1_000"; none of them is a number of a CRM
    return read if math.isfinite(read) and "_" not in str(value) else str(value)


def moment(value: object) -> Moment:
    """Read a moment: ISO text with or without milliseconds, or milliseconds since 1970.

    Returns
    -------
    int, str or None
        Microseconds since 1970 in UTC; the text itself where it is no moment; None where missing.

    Examples
    --------
    >>> moment("2023-01-15T05:00:00Z") == moment("2023-01-15T05:00:00.000Z") == moment("1673758800000")
    True
    >>> moment("soon"), moment("")
    ('soon', None)
    """
    if value is None or value == "":
        return None
    read = _datetime(str(value))
    return str(value) if read is None else (read - EPOCH) // MICROSECOND


def day(value: object, zone: ZoneInfo) -> Day:
    """Read a day: of a moment the one it falls on in `zone`; a plain day is that day anywhere.

    >>> day("2026-03-01T02:00:00Z", ZoneInfo("America/New_York")), day("2026-03-01", ZoneInfo("UTC"))
    (datetime.date(2026, 2, 28), datetime.date(2026, 3, 1))
    >>> day("1.3.2026", ZoneInfo("UTC"))
    '1.3.2026'
    """
    if value is None or value == "":
        return None
    read = _datetime(str(value))
    if read is None:
        return str(value)
    try:
        return read.date() if len(str(value)) == 10 else read.astimezone(zone).date()
    except OverflowError:  # year 1 or 9999
        return str(value)


def iso(microseconds: int) -> str:
    """Write a moment as text.

    >>> iso(moment("2023-01-15T05:00:00Z"))
    '2023-01-15T05:00:00.000Z'
    """
    written = (EPOCH + microseconds * MICROSECOND).isoformat(timespec="milliseconds")
    return written.replace("+00:00", "Z")


def after(start: date, period: str) -> Day:
    """Add an ISO 8601 period; a day that the month lacks becomes its last.

    >>> after(date(2026, 1, 31), "P1M"), after(date(2026, 1, 31), "P1Y2W3D"), after(EPOCH.date(), "P")
    (datetime.date(2026, 2, 28), datetime.date(2027, 2, 17), 'P')
    """
    found = PERIOD.fullmatch(period)
    if not found:
        return period
    years, months, weeks, days = (int(part or 0) for part in found.groups())
    total = start.month - 1 + 12 * years + months
    try:
        year, month = start.year + total // 12, total % 12 + 1
        last = calendar.monthrange(year, month)[1]
        moved = date(year, month, min(start.day, last))
        return moved + timedelta(weeks=weeks, days=days)
    except (ValueError, OverflowError):  # beyond the year 9999
        return period


def _datetime(value: str) -> datetime | None:
    try:
        if len(value) > 10 and value.isdecimal():
            return EPOCH + timedelta(milliseconds=int(value))
        read = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read
