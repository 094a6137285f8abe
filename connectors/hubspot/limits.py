"""HubSpot's limits, and its own ways of refusing: which bucket a call counts in, and when to stop."""

import json
import re
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import requests

from connectors.buckets import Bucket
from connectors.errors import DailyLimitError, ScopeError
from connectors.verdicts import OWN, Again, Fail, Verdict, answer, judge, moment, place, retry_after

BURST = 100, 10.0
"""Calls in ten seconds that every account has; the first reply says how many this one has."""
UNSTATED = 10_000, 1.0
"""Where replies say no limit: none of ours, until one is met."""
SEARCH = 5, 1.0
"""Searches in a second, of all apps of an account together."""
WAITS = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0}
"""Seconds after which a limit lets calls pass again, where a reply does not say."""

MISSING_SCOPE = re.compile(
    r"required all|all required scopes|required '.+' scope|proper permissions|MISSING_SCOPES"
)
REQUIRED = ("requiredScopes", "requiredGranularScopes")
SCOPE = re.compile(r"\b(?:crm|oauth|sales|tickets|e-commerce)(?:\.[\w-]+)+\b")


class Limits:
    """What is allowed, as the replies say it, and the judge of replies that goes with it.

    Attributes
    ----------
    buckets : dict of str to Bucket
        ``burst`` and ``search``. Searches do not count in the burst bucket.
    burst : tuple of (int, float)
        Calls allowed in so many seconds.
    daily, left : int or None
        Calls a day, and how many of them are left; None where HubSpot does not say (OAuth).
    time_zone : str or None
        The account's zone, at whose midnight the day's calls begin anew.
    """

    def __init__(self) -> None:
        self.buckets = {"burst": Bucket(*BURST), "search": Bucket(*SEARCH)}
        self.daily: int | None = None
        self.left: int | None = None
        self.time_zone: str | None = None
        self.burst = BURST
        self._known = False  # a limit was stated, or met
        self._changing = threading.Lock()

    def seen(self, response: requests.Response) -> None:
        """Take the limits that a reply states."""
        calls = _whole(response, "X-HubSpot-RateLimit-Max")
        interval = _whole(response, "X-HubSpot-RateLimit-Interval-Milliseconds")
        daily = _whole(response, "X-HubSpot-RateLimit-Daily")
        left = _whole(response, "X-HubSpot-RateLimit-Daily-Remaining")
        with self._changing:
            if calls and interval:
                self._known = True
                self._keep_to((calls, interval / 1000))
            elif (
                response.ok and self.burst == BURST and not self._known and not _is_search(response)
            ):
                self._keep_to(UNSTATED)
            if daily is not None:
                self.daily = daily
            if left is not None:
                self.left = left

    def _keep_to(self, burst: tuple[int, float]) -> None:
        if burst != self.burst:
            self.burst = burst
            self.buckets["burst"].change(*burst)

    def judge(self, response: requests.Response) -> Verdict:
        """Judge a reply: 429 by its policy, a missing scope by its words, the rest as any server's."""
        if response.status_code == 429:
            return self._too_many(response)
        if response.status_code == 403:
            body = _body(response)
            text = json.dumps(body)
            if MISSING_SCOPE.search(text):
                return Fail(_missing(response, body))
        return judge(response)

    def _too_many(self, response: requests.Response) -> Verdict:
        body = _body(response)
        policy = str(body.get("policyName") or "").upper()
        words = f"{policy} {body.get('message') or ''}".upper()
        if "DAILY" in words:
            return Fail(self._day_is_over(response))
        with self._changing:
            self._known = True
            if self.burst == UNSTATED:
                self._keep_to(BURST)
        asked = retry_after(response)
        known = next((seconds for name, seconds in WAITS.items() if policy == name), None)
        if known is None:
            known = WAITS["TEN_SECONDLY_ROLLING" if "TEN_SECONDLY" in words else "SECONDLY"]
        return Again(known if asked is None else asked, OWN, answer(response))

    def _day_is_over(self, response: requests.Response) -> DailyLimitError:
        now = moment(response.headers.get("Date", ""))
        resets = None if now is None else _midnight(now, self.time_zone)
        when = (
            f"at {resets:%Y-%m-%d %H:%M %Z}" if resets else "at midnight of the account's time zone"
        )
        return DailyLimitError(
            f"HubSpot's calls of the day are used up; they begin anew {when}. What was fetched is "
            "kept: run the same command after that, and it goes on from here",
            resets,
        )


def _midnight(now: datetime, time_zone: str | None) -> datetime | None:
    if time_zone is None:
        return None
    local = now.astimezone(ZoneInfo(time_zone))
    return datetime(local.year, local.month, local.day, tzinfo=local.tzinfo) + timedelta(days=1)


def _missing(response: requests.Response, body: dict[str, Any]) -> ScopeError:
    scopes = sorted(set(_scopes(body)))
    which = f" (missing: {', '.join(scopes)})" if scopes else ""
    return ScopeError(
        f"{place(response)} was refused: the token lacks a scope{which}; add it to the app in "
        "HubSpot, under the app's scopes",
        scopes=scopes,
    )


def _scopes(value: object) -> Iterator[str]:
    """Find scopes: words that look like one, and whatever HubSpot lists as required."""
    if isinstance(value, str):
        yield from SCOPE.findall(value)
    elif isinstance(value, dict):
        for name, part in value.items():
            listed = name in REQUIRED and isinstance(part, list)
            yield from (map(str, part) if listed else _scopes(part))
    elif isinstance(value, list):
        for part in value:
            yield from _scopes(part)


def _body(response: requests.Response) -> dict[str, Any]:
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_search(response: requests.Response) -> bool:
    return urlsplit(response.url).path.endswith("/search")


def _whole(response: requests.Response, name: str) -> int | None:
    text = response.headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else None
