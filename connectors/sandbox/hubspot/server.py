"""The HTTP server on 127.0.0.1, and its control points for other processes."""

from collections import Counter
from collections.abc import Iterable
from uuid import uuid4

from connectors.sandbox.exchange import BadBody
from connectors.sandbox.hubspot.account import Account
from connectors.sandbox.hubspot.control import control
from connectors.sandbox.hubspot.exchange import (
    Refusal,
    Reply,
    Request,
    html,
    invalid,
    not_found,
    refuse,
)
from connectors.sandbox.hubspot.faults import Faults
from connectors.sandbox.hubspot.limits import Limits
from connectors.sandbox.hubspot.routes import Answers, Route, find
from connectors.sandbox.hubspot.tokens import Tokens
from connectors.sandbox.serving import Listener

LONGEST_TARGET = 16_000


class Server(Listener):
    """A running server; made by `serve`, stopped by `stop` or at the end of a ``with``.

    Attributes
    ----------
    url : str
        Where it listens, ``http://127.0.0.1:PORT``.
    calls : list of (method, path, status)
        Every API call so far, the refused ones too; not those of the control points.
    writes : Counter
        Calls that would have written something, had they not been refused.
    changes : int
        How often a control point was told to change the account.
    account, faults, limits, tokens
        What it serves and how; change them while holding ``account.lock``.
    """

    banner = "cloudflare"  # as HubSpot names itself

    def __init__(
        self, account: Account, port: int, *, limits: bool, delay: float, version_only: str | None
    ) -> None:
        super().__init__(port)
        self.account, self.delay, self.version_only = account, delay, version_only
        self.limits = Limits(account, on=limits)
        self.tokens = Tokens(account)
        self.faults = Faults(account, self.limits, self.tokens)
        self.answers = Answers(account, self.limits, self.tokens)
        self.calls: list[tuple[str, str, int]] = []
        self.writes: Counter[str] = Counter()
        self.changes = 0
        self.listen()

    def clock(self) -> float:
        """Time of the account."""
        return self.account.now / 1_000

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path.startswith("/_sandbox"):
            return control(self, request)
        try:
            with self.account.lock:
                reply = self._answer(request)
        except Refusal as refusal:
            reply = refusal.reply
        except BadBody as error:
            reply = invalid(str(error)).reply
        reply.headers.setdefault("X-HubSpot-Correlation-Id", str(uuid4()))
        reply = self.faults.after(request, reply)
        reply.wait += self.delay
        self.calls.append((request.method, request.path, reply.status))
        return reply

    def _answer(self, request: Request) -> Reply:
        if len(request.target) > LONGEST_TARGET:
            raise html(414, "Request-URI Too Large")
        route = find(request)
        if request.method not in ("GET", "POST") or (request.method == "POST" and route is None):
            self.writes[f"{request.method} {request.path}"] += 1
            raise refuse(405, "This server is read-only: the method is not allowed")
        if route is None or not self._served(route):
            raise not_found()
        if route.name == "token":
            return self.answers.answer(route, request)
        oauth = self.tokens.check(request)
        search = route.name == "search"
        self.limits.check(search=search, oauth=oauth)
        refusal = self.faults.before(request, route)
        try:
            if refusal is not None:
                raise refusal
            reply = self.answers.answer(route, request)
        except Refusal as other:
            reply = other.reply
        if not search:
            reply.headers |= self.limits.headers(oauth=oauth)
        return reply

    def _served(self, route: Route) -> bool:
        return self.version_only in (None, "2026-03" if route.dated else "v3")


def serve(
    account: Account,
    port: int = 0,
    *,
    faults: Iterable[str] = (),
    limits: bool = True,
    delay: float = 0.0,
    version_only: str | None = None,
) -> Server:
    """Serve an account on 127.0.0.1, in threads of this process.

    Parameters
    ----------
    account : Account
    port : int
        0 takes a free one.
    faults : iterable of str
        What goes wrong: see `faults`.
    limits : bool
        Whether the burst, search and daily limits hold.
    delay : float
        Seconds added to every reply.
    version_only : {"v3", "2026-03"}, optional
        Serve only the paths of one version.

    Returns
    -------
    Server

    Raises
    ------
    ValueError
        If a fault is not known.
    OSError
        If the port is taken.
    """
    server = Server(account, port, limits=limits, delay=delay, version_only=version_only)
    try:
        server.faults.start(faults)
    except ValueError:
        server.stop()
        raise
    return server
