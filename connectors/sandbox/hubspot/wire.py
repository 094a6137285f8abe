"""How HubSpot writes times, numbers and JSON.

Examples
--------
>>> iso(1677207613460)
'2023-02-24T03:00:13.460Z'
>>> parse_time("2023-02-24T03:00:13.460Z") == parse_time("1677207613460")
True
>>> exact(0.2)
'0.200000000000000011102230246251565404236316680908203125'
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from connectors.sandbox.wire import EPOCH, Json, chance, dumps

__all__ = [
    "DAY", "EPOCH", "HOUR", "MINUTE", "SECOND", "Json", "chance", "day_in", "dumps", "exact", "iso",
    "parse_time", "plain",
]  # fmt: skip

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


def iso(ms: int, *, short: bool = False) -> str:
    """Write milliseconds since 1970 as HubSpot does; `short` leaves the milliseconds out."""
    moment = EPOCH + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="seconds" if short else "milliseconds")[:-6] + "Z"


def parse_time(text: str | None) -> int | None:
    """Read an ISO time, a date (its midnight in UTC) or epoch milliseconds; None if it is none."""
    if not text:
        return None
    if text.lstrip("-").isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(milliseconds=1)


def day_in(ms: int, zone: ZoneInfo) -> date:
    """Day of that moment in a time zone."""
    return (EPOCH + timedelta(milliseconds=ms)).astimezone(zone).date()


def exact(number: float) -> str:
    """Write a float with all its binary digits, as HubSpot writes calculated numbers."""
    return format(Decimal(number), "f")


def plain(number: float) -> str:
    """Write a number as a person typed it: no trailing ``.0``."""
    return str(int(number)) if number == int(number) else str(number)
