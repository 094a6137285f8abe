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

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

Json = dict[str, Any]


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


def dumps(body: Any) -> str:  # noqa: ANN401 - any JSON
    """Write compact JSON."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def chance(*seed: int) -> Random:
    """Stream of draws that depends on the numbers given and nothing else."""
    mixed = 0x9E3779B97F4A7C15
    for part in seed:
        mixed = ((mixed ^ (part & 0xFFFFFFFFFFFFFFFF)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        mixed ^= mixed >> 29
    return Random(mixed)  # noqa: S311 - made-up records, not a secret
