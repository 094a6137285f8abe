"""What can be made to go wrong, and how: always the same way for the same calls.

==================== ==========================================================================
name                 what happens
==================== ==========================================================================
expired_token        a session ends after `expire_after` calls (default 40): 401 until the next
                     login; in the midst of pages and of jobs. The pasted token never does
expired_locator      every ninth page after the first: INVALID_QUERY_LOCATOR, its result is gone;
                     20 times at most
small_pages          a page of a REST query holds 250 rows, whatever is asked
repeats              a page repeats the last row of the page before
server_errors        one call in 40: 500 (JSON), 502 (HTML) or 503 (HTML, or JSON with
                     exceptionCode); each call twice at most
edge                 one call in 50: 420 (HTML) or 406 (no body); each call once at most
too_many             one call in 50: 429 with Retry-After 1; each call once at most
non_json             one call in 60: a page of HTML with status 200; each call once at most
slow                 one call in 100 is answered 1.5 s late
drop                 one call in 80: the connection ends in mid-reply; each call once at most
query_timeout        QUERY_TIMEOUT where a query asks for more than 30 days of an object with more
                     than 1,000 rows
late                 a change is seen up to 90 s after its stamp, and not in the order of the stamps
moving               every fifth call changes a record, 300 in all
same_second          10,050 leads (or all there are) were changed in one second
slow_jobs            a job takes three polls more
truncated            rows are missing in the first page of a job, the first time it is read
empty_body           results without rows have no body, not even the names of the columns
no_last_locator      no Sforce-Locator header at the end of results (else: the word null)
no_counts            no Sforce-NumberOfRecords and no Sforce-Limit-Info: a proxy strips them
-------------------- --------------------------------------------------------------------------
no_headers           no Sforce header at all, so no locator: the rows after a page are told by
                     resultPages only
failed_job           every second job ends as Failed, with or without a message
aborted_job          every second job ends as Aborted
no_bulk              every job is refused: INVALIDENTITY
request_limit        403 REQUEST_LIMIT_EXCEEDED after `daily_calls` calls (default 60), until told
permanent_401        no session is good, ever
login_host           logins are refused: 400, not supported on this domain
not_approved         logins are refused: 400, user hasn't approved this consumer
hang                 one call, the thirtieth, is not answered within 70 s
hidden_fields        Opportunity.LeadSource, User.UserType and UserRole cannot be read
no_<Object>          the object cannot be read: 404, INVALID_TYPE
no_bulk_<Object>     jobs about the object are refused: INVALIDENTITY
==================== ==========================================================================

`all` is each of those above the line: a correct client survives them without help. Meant by "one
call in 40" is a draw from the call's own text, so a client that asks the same asks for the same
trouble.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING
from zlib import crc32

from connectors.sandbox.exchange import Refusal, Reply, Request
from connectors.sandbox.salesforce.errors import page, refuse
from connectors.sandbox.salesforce.life import touch
from connectors.sandbox.salesforce.schema import KINDS
from connectors.sandbox.salesforce.soql import Bound
from connectors.sandbox.salesforce.switches import SWITCHES, nothing
from connectors.sandbox.salesforce.wire import DAY
from connectors.sandbox.wire import dumps

if TYPE_CHECKING:
    from connectors.sandbox.salesforce.server import Server

SURVIVABLE = (
    "expired_token", "expired_locator", "small_pages", "repeats", "server_errors", "edge",
    "too_many", "non_json", "slow", "drop", "query_timeout", "late", "moving", "same_second",
    "slow_jobs", "truncated", "empty_body", "no_last_locator", "no_counts",
)  # fmt: skip
OTHERS = (
    "no_headers", "failed_job", "aborted_job", "no_bulk", "request_limit", "permanent_401",
    "login_host", "not_approved", "hang", "hidden_fields",
)  # fmt: skip
SCOPED = tuple(f"{word}_{name}" for word in ("no", "no_bulk") for name in KINDS)
NAMES = (*SURVIVABLE, *OTHERS, *SCOPED)
MOVES, HANG_AT, HANG = 300, 30, 75.0
SETTING_UP = "We are setting things up. This process can take a few minutes."


class Faults:
    """The faults that are on."""

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.on: set[str] = set()
        self.calls, self.moves, self.pages, self.expired = 0, 0, 0, 0
        self.met: Counter[tuple[str, int]] = Counter()
        self.expire_after, self.daily_calls = 40, 60

    def start(self, names: Iterable[str]) -> None:
        """Switch faults on; `all` is several.

        Raises
        ------
        ValueError
            If a name is not known; the message lists those that are.
        """
        for name in names:
            for one in SURVIVABLE if name == "all" else (name,):
                self.switch(one, on=True)

    def switch(self, name: str, *, on: bool = True) -> None:
        """Switch one fault on or off; what a bulk edit has changed stays changed.

        Raises
        ------
        ValueError
            If the name is not known.
        """
        if name not in NAMES:
            raise ValueError(f"no fault {name!r}; there are {', '.join(('all', *NAMES))}")
        (self.on.add if on else self.on.discard)(name)
        if name in SCOPED:
            self._scope(name, on=on)
        else:
            SWITCHES.get(name, nothing)(self.server, on)

    def _scope(self, name: str, *, on: bool) -> None:
        state, word = self.server.org, name.removeprefix("no_")
        among = state.without
        if word.removeprefix("bulk_") in KINDS and word not in KINDS:
            word, among = word.removeprefix("bulk_"), state.not_in_bulk
        (among.add if on else among.discard)(word)

    def before(self, request: Request, locator: str = "") -> Refusal | None:
        """Return what comes in place of an answer, if anything does."""
        self.calls += 1
        self._move()
        if "request_limit" in self.on and self.server.used > self.server.daily:
            return refuse(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        if locator and self._expires():
            self.server.queries.forget(locator)
        return self._error(request)

    def _move(self) -> None:
        if "moving" in self.on and self.calls % 5 == 0 and self.moves < MOVES:
            self.moves += 1
            touch(self.server.org, 1, seed=self.moves)

    def _expires(self) -> bool:
        self.pages += 1
        if "expired_locator" not in self.on or self.pages % 9 or self.expired >= 20:
            return False
        self.expired += 1
        return True

    def _error(self, request: Request) -> Refusal | None:
        key = self._key(request)
        if self._hits("server_errors", key, 40, 1, 1 + key // 40 % 2):
            return _server_error(key // 80 % 4)
        if self._hits("edge", key, 50, 4, 1):
            if key // 50 % 2:
                return Refusal(Reply(406, b"", kind="text/html"))
            return page(420, "Setting up", SETTING_UP)
        if self._hits("too_many", key, 50, 9, 1):
            refusal = refuse(429, "TOO_MANY_REQUESTS", "Too many requests")
            refusal.reply.headers["Retry-After"] = "1"
            return refusal
        if self._hits("non_json", key, 60, 11, 1):
            return page(200, "Maintenance", "Salesforce is being maintained.")
        return None

    def after(self, request: Request, reply: Reply) -> Reply:
        """Spoil an answer on its way."""
        key = self._key(request)
        if "slow" in self.on and key % 100 == 7:
            reply.wait += 1.5
        if "hang" in self.on and self.calls == HANG_AT:
            reply.wait += HANG
        if reply.status == 200 and self._hits("drop", key, 80, 3, 1):
            reply.cut = True
        if self.on & {"no_counts", "no_headers"}:
            for name in ("Sforce-NumberOfRecords", "Sforce-Limit-Info"):
                reply.headers.pop(name, None)
        if "no_headers" in self.on:
            reply.headers.pop("Sforce-Locator", None)
        return reply

    def judge(self, bound: Bound) -> None:
        """Refuse a query that would take too long.

        Raises
        ------
        Refusal
            400 QUERY_TIMEOUT.
        """
        many = len(self.server.org.tables[bound.kind.name]) > 1_000
        if "query_timeout" in self.on and many and (bound.window or 0) > 30 * DAY:
            message = "Your query request was running for too long."
            raise refuse(400, "QUERY_TIMEOUT", message)

    def _hits(self, name: str, key: int, every: int, rest: int, most: int) -> bool:
        """Whether a fault meets a call: one in so many, and each call so often at most."""
        if name not in self.on or key % every != rest:
            return False
        self.met[name, key] += 1
        return self.met[name, key] <= most

    @staticmethod
    def _key(request: Request) -> int:
        return crc32(request.raw, crc32(f"{request.method} {request.target}".encode()))


def _server_error(kind: int) -> Refusal:
    if kind == 0:
        return refuse(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. ErrorId: 12-34 (56)")
    if kind == 3:
        body = {"exceptionCode": "ServerUnavailable", "exceptionMessage": "Try again later"}
        return Refusal(Reply(503, dumps(body).encode()))
    titles = {1: (502, "Bad Gateway"), 2: (503, "Service Unavailable")}
    status, title = titles[kind]
    return page(status, title)
