"""The clock changes of a time zone, as whole numbers that any engine can compare."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

Change = tuple[int, int]


@cache
def changes(time_zone: str) -> list[Change]:
    """Start (UTC seconds) and offset of every clock change 1970 to 2100, latest first.

    >>> changes("UTC")
    [(0, 0)]
    """
    zone = ZoneInfo(time_zone)
    hour = datetime(1970, 1, 1, tzinfo=UTC)
    found: list[Change] = []
    while hour.year < 2100:
        offset = _offset(hour, zone)
        if not found or found[-1][1] != offset:
            found.append((int(_change(hour, zone).timestamp()) if found else 0, offset))
        hour += timedelta(days=7)
    return found[::-1]


def within(clock: Sequence[Change], seen: Iterable[int | None]) -> list[Change]:
    """Clock changes that moments between the least and the greatest of those seen need.

    Decades without data would only cost time; None stands for a column without any moment.

    >>> within([(20, 2), (10, 1), (0, 0)], [12, None, 15])
    [(10, 1)]
    """
    found = [int(moment) for moment in seen if moment is not None]
    if not found:
        return list(clock[-1:])
    began = max((start for start, _ in clock if start <= min(found)), default=0)
    return [(start, shift) for start, shift in clock if began <= start <= max(found)]


def _change(after: datetime, zone: ZoneInfo) -> datetime:
    """Moment, in the week before `after`, at which the clock took the offset it has then."""
    low, high = after - timedelta(days=7), after
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if _offset(middle, zone) == _offset(after, zone):
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    shift = moment.astimezone(zone).utcoffset()
    return int(shift.total_seconds()) if shift else 0
