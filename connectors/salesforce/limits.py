"""Salesforce's limits and its own ways of refusing: ask again, stop for today, or say what to do."""

import re
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests

from connectors.buckets import Bucket
from connectors.errors import ApiError, CredentialsError, DailyLimitError
from connectors.salesforce.errors import QueryTooLongError
from connectors.salesforce.faults import Fault, error_of, no_access, read_fault
from connectors.verdicts import OWN, Again, Fail, Ok, Verdict, answer, judge, place

UNLIMITED = 10_000, 1.0
"""Salesforce counts calls by the day, not by the second."""
SETTING_UP = 3
"""How often a call is sent to an org that is being set up; one that was deleted says so for ever."""
LONG_RUNNING = 5.0
"""Seconds to wait where too many long queries run at once."""
USAGE = re.compile(r"(?:^|[;\s])api-usage=(\d+)/(\d+)")
RESULTS = re.compile(r"/services/data/v[\d.]+/jobs/query/\w+/results")
BULK_DAY = re.compile(r"per 24 h|DailyBulkV2Query|max(?:imum)? bulk v2", re.IGNORECASE)
BAD_TOKEN = re.compile(r"(?:Bad|Missing)_OAuth_Token|Wrong_Org")


class Csv(NamedTuple):
    """A page of the results of a bulk job: its bytes, and the headers, which say what follows."""

    body: bytes
    headers: Mapping[str, str]


class Limits:
    """What is allowed, as the replies say it, and the judge of replies that goes with it.

    Attributes
    ----------
    buckets : dict of str to Bucket
        ``burst``, which every call counts in.
    daily, left : int or None
        Calls that the org may make in any 24 hours, by all its programs together, and how many of
        them are left; None until a reply says so.
    """

    def __init__(self) -> None:
        self.buckets = {"burst": Bucket(*UNLIMITED)}
        self.daily: int | None = None
        self.left: int | None = None
        self._changing = threading.Lock()

    def seen(self, response: requests.Response) -> None:
        """Take the use of the org's calls that a reply states."""
        found = USAGE.search(response.headers.get("Sforce-Limit-Info", ""))
        if found is not None:
            self._take(int(found[2]), int(found[2]) - int(found[1]))

    def told(self, found: Mapping[str, Any]) -> None:
        """Take it from what the org's list of limits says (`Salesforce.limits`)."""
        requests_a_day = found.get("DailyApiRequests") or {}
        if {"Max", "Remaining"} <= requests_a_day.keys():
            self._take(int(requests_a_day["Max"]), int(requests_a_day["Remaining"]))

    def _take(self, daily: int, left: int) -> None:
        with self._changing:
            self.daily, self.left = daily, max(left, 0)

    def judge(self, response: requests.Response) -> Verdict:
        """Judge a reply by what Salesforce means by it, the rest as any server's.

        ============================================ =================================
        406, 429, 5xx, not JSON, too many long calls  again
        420                                           again, 3 times in all
        ``REQUEST_LIMIT_EXCEEDED``                    given up: `DailyLimitError`
        401, ``Bad_OAuth_Token``                      given up, unless a new token helps
        414, 431                                      given up: `QueryTooLongError`
        other refusals                                given up, by the code in the body
        ============================================ =================================
        """
        status = response.status_code
        if 200 <= status < 300:
            return _good(response)
        fault = read_fault(response)
        if status == 420:
            return Again(reason=answer(response), attempts=SETTING_UP)
        if status == 406:
            return Again()
        error = self._refused(response, fault) or _by_code(response, fault)
        if error is not None:
            return Fail(error)
        if fault.code == "REQUEST_LIMIT_EXCEEDED":  # of calls at a time
            return Again(LONG_RUNNING, OWN)
        return judge(response)

    def _refused(self, response: requests.Response, fault: Fault) -> ApiError | None:
        """Return the error of what no other query would mend; None if it is none of these."""
        status = response.status_code
        if status == 401 or (status == 403 and BAD_TOKEN.search(fault.words)):
            return CredentialsError(
                f"{place(response)} was refused ({answer(response)}); an access token that was"
                " pasted ends after some hours: copy a new one. Otherwise check that the app and"
                " its user may use the API",
                status=status,
            )
        if fault.code == "REQUEST_LIMIT_EXCEEDED" and "concurrent" not in fault.words.lower():
            return DailyLimitError(self._used_up("API calls"), status=status)
        if status == 400 and BULK_DAY.search(fault.words):
            return DailyLimitError(self._used_up("bulk queries"), status=status)
        if status in {414, 431}:
            return QueryTooLongError(
                f"{place(response)} was refused ({status}): the query is too long for an address;"
                " ask for fewer fields at once, or in bulk",
                status=status,
            )
        return None

    def _used_up(self, what: str) -> str:
        of = f" ({self.daily:,} in 24 hours)" if self.daily and what == "API calls" else ""
        return (
            f"Salesforce's {what} of the last 24 hours are used up{of}; they come back little by"
            " little as those 24 hours roll on, and `reverse-funnel check salesforce` tells how"
            " many are left. What was fetched is kept: run the same command later, and it goes on"
            " from here"
        )


def _good(response: requests.Response) -> Verdict:
    if RESULTS.fullmatch(urlsplit(response.url).path):
        if response.content.lstrip()[:1] == b"<":
            return Again(reason=f"{response.status_code}: the reply is not CSV")
        return Ok(Csv(response.content, response.headers))
    return Ok(None) if response.status_code == 204 else judge(response)


def _by_code(response: requests.Response, fault: Fault) -> ApiError | None:
    """Return the error that the code in the body stands for; None if it is none of ours."""
    made = error_of(fault, place(response), response.status_code)
    if made is None and response.status_code in {403, 404} and "/sobjects/" in response.url:
        return no_access(fault, place(response), response.status_code)
    return made
