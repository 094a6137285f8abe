"""The three limits: burst (10 s, rolling), search (1 s) and daily (account time zone)."""

import time
from collections import deque
from datetime import datetime, timedelta
from uuid import uuid4

from connectors.sandbox.hubspot.exchange import Refusal, refuse
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.wire import day_in

BURST, BURST_OAUTH, BURST_LOW, SEARCH, DAILY = 190, 110, 100, 5, 650_000
WINDOW = 10.0


class Window:
    """At most `limit` calls in any `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit, self.seconds = limit, seconds
        self.taken: deque[float] = deque()

    def take(self, now: float) -> bool:
        """Count a call if there is room for it."""
        while self.taken and self.taken[0] <= now - self.seconds:
            self.taken.popleft()
        if len(self.taken) >= self.limit:
            return False
        self.taken.append(now)
        return True

    @property
    def left(self) -> int:
        """Calls still to be had."""
        return max(self.limit - len(self.taken), 0)


class Limits:
    """Counts calls and refuses those beyond a limit, with the bodies HubSpot sends.

    `busy` is a number of refusals during which another integration is using the account up: only
    `BURST_LOW` calls in ten seconds get through.
    """

    def __init__(self, account: State, *, on: bool, daily: int = DAILY) -> None:
        self.account, self.on, self.daily = account, on, daily
        self.daily_on = on
        self.burst = {False: Window(BURST, WINDOW), True: Window(BURST_OAUTH, WINDOW)}
        self.low = Window(BURST_LOW, WINDOW)
        self.searches = Window(SEARCH, 1.0)
        self.busy = 0
        self.used, self.day = 0, self._today()

    def check(self, *, search: bool, oauth: bool) -> None:
        """Count a call.

        Raises
        ------
        Refusal
            429, with the policy that was hit.
        """
        if self._today() != self.day:
            self.reset_day()
        if self.daily_on and self.used >= self.daily:
            raise self.refusal("DAILY", oauth=oauth)
        now = time.monotonic()
        if search:
            if self.on and not self.searches.take(now):
                raise self.refusal("SECONDLY", oauth=oauth)
        else:
            self._burst(now, oauth=oauth)
        self.used += 1

    def _burst(self, now: float, *, oauth: bool) -> None:
        if self.busy and not self.low.take(now):
            self.busy -= 1
            raise self.refusal("TEN_SECONDLY_ROLLING", oauth=oauth)
        if self.on and not self.burst[oauth].take(now):
            raise self.refusal("TEN_SECONDLY_ROLLING", oauth=oauth)

    def reset_day(self) -> None:
        """Begin a new day."""
        self.day, self.used = self._today(), 0

    def refusal(self, policy: str, *, oauth: bool) -> Refusal:
        """Word the refusal of a policy; none says when to come back."""
        word = {"TEN_SECONDLY_ROLLING": "ten_secondly_rolling", "SECONDLY": "secondly"}
        kind = word.get(policy, "daily")
        group = "publicapi:private_app-api-calls-ten-secondly:1512050"
        more: dict[str, object] = {"errorType": "RATE_LIMIT", "policyName": policy}
        if policy == "TEN_SECONDLY_ROLLING":
            more["groupName"] = f"{group}:{self.account.portal_id}"
        elif policy == "SECONDLY":
            more["groupName"] = f"publicapi:search-secondly:{self.account.portal_id}"
        if policy != "TEN_SECONDLY_ROLLING":
            more["requestId"] = uuid4().hex
        headers = {} if policy == "SECONDLY" else self.headers(oauth=oauth)
        return refuse(429, f"You have reached your {kind} limit.", headers, **more)

    def headers(self, *, oauth: bool) -> dict[str, str]:
        """Headers that state the limits; never sent by search."""
        if not self.on and not self.daily_on:
            return {}
        window = self.low if self.busy else self.burst[oauth]
        found = {
            "X-HubSpot-RateLimit-Max": str(window.limit),
            "X-HubSpot-RateLimit-Remaining": str(window.left),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Secondly": str(window.limit // 10),
            "X-HubSpot-RateLimit-Secondly-Remaining": str(min(window.left, window.limit // 10)),
        }
        if not oauth:  # an app of many accounts has no daily limit of its own
            found["X-HubSpot-RateLimit-Daily"] = str(self.daily)
            found["X-HubSpot-RateLimit-Daily-Remaining"] = str(max(self.daily - self.used, 0))
        return found

    def _today(self) -> object:
        return day_in(self.account.now, self.account.zone)

    def resets_at(self) -> datetime:
        """Return the next midnight of the account."""
        day = day_in(self.account.now, self.account.zone) + timedelta(days=1)
        return datetime(day.year, day.month, day.day, tzinfo=self.account.zone)
