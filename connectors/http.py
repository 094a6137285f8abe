"""Calls to a CRM: one session with time-outs, bounded retries, rate limits, and reads only."""

import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias, TypeVar

import requests

from connectors.buckets import Bucket
from connectors.errors import ApiError, CredentialsError
from connectors.in_order import in_order
from connectors.secret import Secret
from connectors.verdicts import OWN, Again, Fail, Judge, Ok, Verdict, fit_to_show, judge, moment
from connectors.wire import Header, checked_address, checked_path, new_session, unanswered

Item = TypeVar("Item")
Result = TypeVar("Result")
Json: TypeAlias = Any


class Authorization(Protocol):
    """Where the ``Authorization`` header comes from."""

    def header(self) -> str:
        """Return the header to send now, or "" for none; may fetch a token first."""

    def refused(self, used: str) -> bool:
        """Hear that a header was refused; True if there is a new one that is worth a try."""


@dataclass
class Call:
    """One call, however often it is sent: ``arguments`` are those of `requests.Session.request`."""

    method: str
    path: str
    arguments: dict[str, Any]
    bucket: str
    renewed: bool = False
    status: int | None = None

    @property
    def place(self) -> str:
        """Method and path, for messages."""
        return f"{self.method} {self.path}"


class Api:
    """Reads from one server, from as many threads as you like.

    Only GET, and POST to the paths that read: there is no way to send anything else. Redirects are
    not followed, since the token would go along.

    Parameters
    ----------
    base : str
        ``https://host``; plain http for 127.0.0.1 only. Proxies come from the environment.
    authorization : Authorization
        Gives the header; is asked for another, once per call, when the first is refused.
    buckets : mapping of str to Bucket
        The rate limits by name; each call names the one it counts in.
    reads : re.Pattern
        Paths that POST may go to: the whole path must match.
    judge : callable
        What to do with a reply; see `connectors.verdicts`.
    seen : callable or None
        Is shown every reply before it is judged, from any thread: to read limits off its headers.
    timeout : tuple of float
        Seconds to wait for the connection, and for each further piece of the reply.
    attempts : int
        How often a call is sent at most (not counting the one more for a new token).
    longest_wait : float
        Seconds between two attempts at most, whatever the server asks for.
    threads : int
        Calls that `map` makes at a time.

    Attributes
    ----------
    calls : int
        Requests sent so far, repeated ones too.
    retried : int
        How many of them were repeats.

    Raises
    ------
    ApiError
        If the base is not an address that a token may be sent to.

    """

    def __init__(
        self,
        base: str,
        *,
        authorization: Authorization,
        buckets: Mapping[str, Bucket],
        reads: re.Pattern[str],
        judge: Judge = judge,
        seen: Callable[[requests.Response], None] | None = None,
        timeout: tuple[float, float] = (10.0, 60.0),
        attempts: int = 6,
        longest_wait: float = 60.0,
        threads: int = 8,
    ) -> None:
        self._base = checked_address(base)
        self._authorization = authorization
        self._buckets = dict(buckets)
        self._reads = reads
        self._judge = judge
        self._seen = seen
        self._timeout = timeout
        self._attempts = attempts
        self._longest_wait = longest_wait
        self._threads = threads
        self._session = new_session(self._base, threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="api")
        self._closed = threading.Event()
        self._counting = threading.Lock()
        self._clock: tuple[datetime, float] | None = None
        self.calls = 0
        self.retried = 0

    def __repr__(self) -> str:
        return f"Api({self._base})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all waits and let go of the connections; later calls raise `ApiError`."""
        self._closed.set()
        for bucket in self._buckets.values():
            bucket.end()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    def get(
        self, path: str, params: Mapping[str, Any] | None = None, *, bucket: str = "burst"
    ) -> Json:
        """Read from a path and return what the judge makes of the reply: parsed JSON.

        Raises
        ------
        ApiError
            Whatever the judge gives up on, or a call that failed as often as is allowed.

        """
        return self._ask(Call("GET", checked_path(path), {"params": params}, bucket))

    def post(
        self,
        path: str,
        body: Json,
        *,
        params: Mapping[str, Any] | None = None,
        bucket: str = "burst",
        form: bool = False,
    ) -> Json:
        """Read from a path that takes its question as JSON (or as a form) and return as `get` does.

        Raises
        ------
        ApiError
            As `get`; and before anything is sent, if the path is not one that reads.

        """
        if self._reads.fullmatch(checked_path(path)) is None:
            raise ApiError(f"POST {path} was not sent: it is not on the list of calls that read")
        arguments = {"params": params, "data" if form else "json": body}
        return self._ask(Call("POST", path, arguments, bucket))

    def now(self) -> datetime:
        """Return the time by the server's clock, in UTC; before the first reply by our own.

        Taken from the ``Date`` of the latest reply, which has whole seconds: it runs late by up to
        a second and the reply's way, never early.
        """
        if self._clock is None:
            return datetime.now(UTC)
        told, at = self._clock
        return told + timedelta(seconds=time.monotonic() - at)

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Run some work on each item, several at a time, and yield the results in order.

        At most twice as many items as there are threads are under way or waiting to be taken. What
        the work, or the items themselves, raise comes out at its place, after the results before
        it; the rest is then cancelled. The work itself must not call `map`.
        """
        return in_order(self._pool, work, items, ahead=2 * self._threads)

    def _ask(self, call: Call) -> Json:
        """Send a call until its reply is good, hopeless, or the attempts are used up."""
        attempt = 0
        while True:
            verdict = self._answer(call)
            if isinstance(verdict, Ok):
                return verdict.value
            if isinstance(verdict, Fail):
                raise verdict.error
            attempt += 1
            if attempt >= min(self._attempts, verdict.attempts or self._attempts):
                raise ApiError(
                    f"{call.place} failed after {attempt} attempts (the last: {verdict.reason});"
                    " try again later, or see the status page of the service",
                    status=call.status,
                )
            self._wait(verdict, attempt - 1, call.bucket)

    def _answer(self, call: Call) -> Verdict:
        """Send a call, and once more if its token was refused and a new one could be had."""
        used, verdict = self._send(call)
        refused = isinstance(verdict, Fail) and isinstance(verdict.error, CredentialsError)
        if refused and not call.renewed:
            call.renewed = True
            if self._authorization.refused(used.reveal()):
                self._count(retried=1)
                used, verdict = self._send(call)
        return verdict

    def _send(self, call: Call) -> tuple[Secret, Verdict]:
        """Send a call once and judge the reply."""
        self._take(call.bucket)
        used = Secret(self._authorization.header())
        self._count(calls=1)
        try:
            response = self._session.request(
                call.method,
                self._base + call.path,
                auth=Header(used),
                timeout=self._timeout,
                allow_redirects=False,
                **call.arguments,
            )
            call.status = response.status_code
        except requests.RequestException as problem:
            call.status = None
            return used, unanswered(call.place, problem)
        return used, self._verdict(response, used)

    def _verdict(self, response: requests.Response, used: Secret) -> Verdict:
        """Judge a reply; whatever it says of the token is taken out."""
        told = moment(response.headers.get("Date", ""))
        if told is not None:
            self._clock = (told.astimezone(UTC), time.monotonic())
        if self._seen is not None:
            self._seen(response)
        token = Secret(used.reveal().rpartition(" ")[2])
        return fit_to_show(self._judge(response), response, token)

    def _take(self, bucket: str) -> None:
        """Wait for the rate limit."""
        self._buckets[bucket].take()
        if self._closed.is_set():
            raise ApiError(f"the connection to {self._base} is closed; open it again")

    def _wait(self, verdict: Again, attempt: int, own: str) -> None:
        """Wait before the next attempt, or close the bucket that is empty for so long."""
        seconds = verdict.after
        if seconds is None:
            seconds = 2.0**attempt * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret
        seconds = min(seconds, self._longest_wait)
        if verdict.bucket is None:
            self._closed.wait(seconds)
        else:
            self._buckets[own if verdict.bucket == OWN else verdict.bucket].pause(seconds)
        self._count(retried=1)

    def _count(self, *, calls: int = 0, retried: int = 0) -> None:
        with self._counting:
            self.calls += calls
            self.retried += retried
