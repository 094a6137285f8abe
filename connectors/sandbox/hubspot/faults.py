"""What can be made to go wrong, and how: always the same way for the same calls.

==================== ==========================================================================
name                 what happens
==================== ==========================================================================
burst                another app eats the account up: 100 calls in 10 s, for 20 refusals (429)
daily                429 DAILY after `daily_calls` calls (default 100), until midnight or told
search_429           every seventh search: 429 SECONDLY, 20 times at most
expired_token        an OAuth access token ends after `expire_after` calls (default 200): 401
                     EXPIRED_AUTHENTICATION until refreshed; a private-app token never does
no_scope_<object>    403 for calls about that object, naming the scope
server_errors        one call in `error_every` (40): 500, 502, 503 as HTML, 423 or 477; twice a call at most
slow                 one call in 100 is answered 1.5 s late
hang                 one call, the thirtieth, is not answered within 70 s
drop                 one call in 80: the connection ends in mid-reply; each call once at most
no_leads             the leads object is refused (403) and its pipelines are not there (404)
lag                  search sees a change 5 s later
moving               every fifth call about records changes one of them, 300 in all
bulk                 10,050 records (or all there are) were changed in one millisecond
many_properties      deals and contacts have 900 custom properties more
rate_headers_missing no reply states the limits
==================== ==========================================================================

`all` is each of them that a correct client survives without help: not `daily`, `hang` and
`no_scope_…`. Meant by "one call in 40" is a draw from the call's own text, so a client that asks
the same asks for the same trouble.
"""

from collections import Counter
from collections.abc import Iterable
from zlib import crc32

from connectors.sandbox.hubspot.exchange import Refusal, Reply, Request, html, no_scope, refuse
from connectors.sandbox.hubspot.life import bulk_edit, touch
from connectors.sandbox.hubspot.limits import Limits
from connectors.sandbox.hubspot.routes import READS_TYPE, Route
from connectors.sandbox.hubspot.schema import BY_WORD, TYPES
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.tokens import Tokens

ALL = (
    "burst", "search_429", "expired_token", "server_errors", "slow", "drop", "no_leads", "lag",
    "moving", "bulk", "many_properties", "rate_headers_missing",
)  # fmt: skip
OTHERS = ("daily", "hang")
SCOPED = tuple(f"no_scope_{kind}" for kind in (*TYPES, "owners"))
NAMES = (*ALL, *OTHERS, *SCOPED)
BULK, LAG, MOVES, HANG_AT, HANG = 10_050, 5_000, 300, 30, 75.0


class Faults:
    """The faults that are on."""

    def __init__(self, account: State, limits: Limits, tokens: Tokens) -> None:
        self.account, self.limits, self.tokens = account, limits, tokens
        self.on: set[str] = set()
        self.calls, self.searches, self.moves = 0, 0, 0
        self.refused_searches = 0
        self.met: Counter[tuple[str, int]] = Counter()
        self.daily_calls, self.expire_after = 100, 200
        self.error_every = 40  # one request in so many meets a server error

    def start(self, names: Iterable[str]) -> None:
        """Switch faults on; `all` is several.

        Raises
        ------
        ValueError
            If a name is not known; the message lists those that are.
        """
        for name in names:
            for one in ALL if name == "all" else (name,):
                self.switch(one, on=True)

    def switch(self, name: str, *, on: bool) -> None:
        """Switch one fault on or off; what a bulk edit has changed stays changed.

        Raises
        ------
        ValueError
            If the name is not known.
        """
        if name not in NAMES:
            raise ValueError(f"no fault {name!r}; there are {', '.join(('all', *NAMES))}")
        (self.on.add if on else self.on.discard)(name)
        self._set(name, on=on)

    def _set(self, name: str, *, on: bool) -> None:
        if name == "burst":
            self.limits.busy = 20 if on else 0
        elif name == "daily":
            self.limits.daily_on = on or self.limits.on
            self.limits.daily = self.limits.used + self.daily_calls if on else 650_000
        elif name == "expired_token":
            self.tokens.expire_after = self.expire_after if on else None
        elif name == "lag":
            self.account.lag = LAG if on else 0
        elif name == "bulk" and on:
            bulk_edit(self.account, BULK)
        elif name == "many_properties":
            self.account.many_properties = on
            self.account.forget_definitions()
        elif name == "no_leads":
            self.account.has_leads = not on

    def before(self, request: Request, route: Route) -> Refusal | None:
        """Return what comes in place of an answer, if anything does."""
        self.calls += 1
        self._move(route)
        return (
            self._scope(route)
            or self._search(route)
            or ("server_errors" in self.on and self._server_error(request))
            or None
        )

    def after(self, request: Request, reply: Reply) -> Reply:
        """Spoil an answer on its way."""
        key = self._key(request)
        if "slow" in self.on and key % 100 == 7:
            reply.wait += 1.5
        if "hang" in self.on and self.calls == HANG_AT:
            reply.wait += HANG
        if "drop" in self.on and key % 80 == 3 and self._first("drop", key, 1):
            reply.cut = True
        if "rate_headers_missing" in self.on:
            reply.headers = {k: v for k, v in reply.headers.items() if "RateLimit" not in k}
        return reply

    def _move(self, route: Route) -> None:
        about = route.name in READS_TYPE and self.calls % 5 == 0
        if "moving" in self.on and about and self.moves < MOVES:
            self.moves += 1
            touch(self.account, 1, seed=self.moves)

    def _scope(self, route: Route) -> Refusal | None:
        if route.name in ("owners", "owner"):
            return no_scope("crm.objects.owners.read") if "no_scope_owners" in self.on else None
        words = [route.parts.get(p, "") for p in ("a", "b", "c")]
        for kind in (BY_WORD[w] for w in words if w in BY_WORD):
            if f"no_scope_{kind.name}" in self.on:
                return no_scope(kind.scope)
            if kind.name == "leads" and "no_leads" in self.on and route.name != "pipelines":
                return refuse(
                    403, "The account does not have access to the object type 0-136",
                    category="FORBIDDEN",
                )  # fmt: skip
        return None

    def _search(self, route: Route) -> Refusal | None:
        if "search_429" not in self.on or route.name != "search":
            return None
        self.searches += 1
        if self.searches % 7 or self.refused_searches >= 20:
            return None
        self.refused_searches += 1
        return self.limits.refusal("SECONDLY", oauth=False)

    def _server_error(self, request: Request) -> Refusal | None:
        key = self._key(request)
        if key % self.error_every != 1 or not self._first("server_errors", key, 1 + key // 40 % 2):
            return None
        kind = key // 80 % 5
        if kind == 3:
            return refuse(423, "The record is locked, try again later", category="LOCKED")
        if kind == 4:
            return refuse(477, "The account is being moved", {"Retry-After": "1"})
        titles = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}
        status = (500, 502, 503)[kind]
        return html(status, titles[status])

    @staticmethod
    def _key(request: Request) -> int:
        return crc32(request.raw, crc32(f"{request.method} {request.target}".encode()))

    def _first(self, name: str, key: int, most: int) -> bool:
        self.met[name, key] += 1
        return self.met[name, key] <= most
