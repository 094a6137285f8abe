"""How Salesforce writes ids and times; inside, a time is whole seconds since 1970, UTC.

Examples
--------
>>> record_id("006", 1)
'0065g0000000001AAA'
>>> rest_time(0), bulk_time(0)
('1970-01-01T00:00:00.000+0000', '1970-01-01T00:00:00.000Z')
>>> parse_time("2026-11-01T10:00:00+01:00") == parse_time("2026-11-01T09:00:00Z")
True
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from connectors.sandbox.wire import EPOCH

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
HOUR, DAY = 3_600, 86_400
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")


def record_id(prefix: str, number: int) -> str:
    """Id of 18 characters; a higher number sorts after a lower one."""
    high, low = divmod(number, 62**5)
    front, back = divmod(low, 62**3)
    text, bits = _digits(front, 2)
    more, other = _digits(back, 3)
    begin, checks = _begin(prefix, high)
    return f"{begin}{text}{more}{checks}{CHECK[bits | other << 2]}"


@lru_cache(maxsize=300_000)
def _digits(number: int, width: int) -> tuple[str, int]:
    """Digits of a number, and which of them are capitals."""
    text = ""
    for _ in range(width):
        number, rest = divmod(number, 62)
        text = ALPHABET[rest] + text
    return text, _capitals(text)


@lru_cache(maxsize=1_000)
def _begin(prefix: str, high: int) -> tuple[str, str]:
    """First ten characters of an id, and what checks them."""
    begin = f"{prefix}5g{_digits(high, 5)[0]}"
    return begin, CHECK[_capitals(begin[:5])] + CHECK[_capitals(begin[5:])]


def _capitals(text: str) -> int:
    return sum(1 << n for n, c in enumerate(text) if c.isupper())


def long_id(text: str) -> str:
    """Give an id of 15 characters the three that make case not matter."""
    if len(text) != 15:
        return text
    return text + "".join(CHECK[_capitals(text[i : i + 5])] for i in (0, 5, 10))


@lru_cache(maxsize=200_000)
def rest_time(seconds: int) -> str:
    """Write a time as REST does."""
    return _text(seconds) + ".000+0000"


@lru_cache(maxsize=200_000)
def bulk_time(seconds: int) -> str:
    """Write a time as a bulk CSV does."""
    return _text(seconds) + ".000Z"


def _text(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def parse_time(text: str) -> int | None:
    """Read a time with an offset, to the second; None if it is none."""
    if not ISO.fullmatch(text):
        return None
    try:
        return int((datetime.fromisoformat(text) - EPOCH) // timedelta(seconds=1))
    except ValueError:
        return None


def seconds(moment: datetime | str | None) -> int | None:
    """Seconds since 1970 of a time; without an offset it is UTC."""
    if moment is None:
        return None
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int((found - EPOCH) // timedelta(seconds=1))


def day_text(moment: int, zone: ZoneInfo | None = None) -> str:
    """Day of a time, in a zone or in UTC, as ``2026-11-01``."""
    return (EPOCH + timedelta(seconds=moment)).astimezone(zone or UTC).date().isoformat()


@lru_cache(maxsize=20_000)
def start_of(day: str, zone: ZoneInfo) -> int:
    """Moment at which a day begins in a zone."""
    return seconds(datetime.combine(date.fromisoformat(day), time(), zone)) or 0


def add_days(day: str, days: int) -> str:
    """Day so many days later.

    >>> add_days("2026-12-31", 1)
    '2027-01-01'
    """
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
