"""The org behind HTTP on 127.0.0.1: paths, logins, limits, and what others may tell the server."""

import re
from collections import Counter
from collections.abc import Callable, Iterable

from connectors.sandbox.exchange import BadBody, Refusal, Reply, Request, ok
from connectors.sandbox.salesforce.auth import Accepts, Sessions
from connectors.sandbox.salesforce.control import control
from connectors.sandbox.salesforce.describe import describe, summary
from connectors.sandbox.salesforce.errors import not_found, page, refuse
from connectors.sandbox.salesforce.faults import Faults
from connectors.sandbox.salesforce.jobs import Jobs
from connectors.sandbox.salesforce.locators import Queries
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.replication import Replication
from connectors.sandbox.salesforce.schema import BY_WORD, KINDS
from connectors.sandbox.salesforce.soql import Bound
from connectors.sandbox.serving import Listener
from connectors.sandbox.wire import Json

VERSIONS = {
    31: "Summer '14",
    64: "Summer '25",
    65: "Winter '26",
    66: "Spring '26",
    67: "Summer '26",
}
OLDEST, NEWEST = 31, 67
LONGEST = 16_384
PATH = re.compile(r"/services/data/v(\d+)\.0(/.*)?")
DAILY = 100_000
Answer = Callable[[Request, re.Match[str]], Reply]


class Server(Listener):
    """A running server; made by `serve`, stopped by `stop` or at the end of a ``with``.

    Attributes
    ----------
    url : str
        Where it listens, ``http://127.0.0.1:PORT``.
    calls : list of (method, path, status)
        Every API call so far, the refused ones too; not those of the control points.
    writes : Counter
        Calls that would have written something into the org, had they not been refused. Query jobs
        are no writes.
    used, daily : int
        Calls that counted, and how many a day may have (``request_limit``).
    changes : int
        How often a control point was told to change the org.
    org, faults, sessions, queries, jobs
        What it serves and how; change them while holding ``org.lock``.
    """

    banner = "sfdcedge"

    def __init__(self, org: Org, port: int, *, delay: float, accepts: Accepts) -> None:
        super().__init__(port)
        self.org, self.delay = org, delay
        org.instance_url = self.url
        self.calls: list[tuple[str, str, int]] = []
        self.writes: Counter[str] = Counter()
        self.used, self.daily, self.changes = 0, DAILY, 0
        self.sessions = Sessions(org, accepts)
        self.queries = Queries(org, self._judge)
        self.jobs = Jobs(org)
        self.replication = Replication(org)
        self.faults = Faults(self)
        self._routes = self._paths()
        self.listen()

    def clock(self) -> float:
        """Time of the org."""
        return float(self.org.now)

    def _judge(self, bound: Bound) -> None:
        self.faults.judge(bound)

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path.startswith("/_sandbox"):
            return control(self, request)
        try:
            with self.org.lock:
                reply = self._answer(request)
        except Refusal as refusal:
            reply = refusal.reply
        except BadBody as error:
            reply = refuse(400, "JSON_PARSER_ERROR", str(error)).reply
        reply = self.faults.after(request, reply)
        reply.wait += self.delay
        self.calls.append((request.method, request.path, reply.status))
        return reply

    def _answer(self, request: Request) -> Reply:
        _not_too_long(request)
        if request.path == "/services/oauth2/token" and request.method == "POST":
            return self.sessions.login(request, self.url)
        if request.path == "/services/data":
            return ok([_version(n) for n in VERSIONS])
        self.sessions.check(request)
        if request.path == "/services/oauth2/userinfo":
            return self.sessions.identity(self.url)
        match = PATH.fullmatch(request.path)
        if match is None:
            raise not_found()
        if not OLDEST <= int(match[1]) <= NEWEST:
            raise refuse(410, "UNSUPPORTED_API_VERSION", f"API version {match[1]}.0 is retired")
        return self._counted(request, match[2] or "")

    def _counted(self, request: Request, path: str) -> Reply:
        """Answer a call about data: counted, and with the count in a header."""
        self.used += 1
        answer, found = self._route(request, path)
        locator = found[1] if path.startswith("/query") and found.lastindex else ""
        refusal = self.faults.before(request, locator)
        try:
            if refusal is not None:
                raise refusal
            reply = answer(request, found)
        except Refusal as other:
            reply = other.reply
        reply.headers.setdefault("Sforce-Limit-Info", f"api-usage={self.used}/{self.daily}")
        return reply

    def _route(self, request: Request, path: str) -> tuple[Answer, re.Match[str]]:
        for method, pattern, answer in self._routes:
            found = pattern.fullmatch(path)
            if found and method == request.method:
                return answer, found
        raise self._no_such(request)

    def _no_such(self, request: Request) -> Refusal:
        if request.method == "GET":
            return not_found()
        self.writes[f"{request.method} {request.path}"] += 1
        message = f"HTTP Method '{request.method}' not allowed. This server is read-only"
        return refuse(405, "METHOD_NOT_ALLOWED", message)

    def _paths(self) -> list[tuple[str, re.Pattern[str], Answer]]:
        queries, jobs, replication = self.queries, self.jobs, self.replication
        paths: list[tuple[str, str, Answer]] = [
            ("GET", "/query", lambda r, _: queries.first(r, everything=False)),
            ("GET", "/queryAll", lambda r, _: queries.first(r, everything=True)),
            ("GET", r"/query(?:All)?/(\w+-\d+)", lambda _, m: queries.following(m[1])),
            ("GET", "/sobjects", lambda _, __: self._objects()),
            ("GET", r"/sobjects/(\w+)/describe", lambda _, m: self._describe(m[1])),
            ("GET", r"/sobjects/(\w+)", lambda _, m: self._object(m[1])),
            ("GET", r"/sobjects/(\w+)/deleted", lambda r, m: replication.answer(m[1], r, deleted=True)),
            ("GET", r"/sobjects/(\w+)/updated", lambda r, m: replication.answer(m[1], r, deleted=False)),
            ("GET", "/limits", lambda _, __: ok(self._limits())),
            ("POST", "/jobs/query", lambda r, _: jobs.create(r)),
            ("GET", r"/jobs/query/(\w+)", lambda _, m: jobs.status(m[1])),
            ("PATCH", r"/jobs/query/(\w+)", lambda r, m: jobs.change(m[1], r)),
            ("DELETE", r"/jobs/query/(\w+)", lambda _, m: jobs.delete(m[1])),
            ("GET", r"/jobs/query/(\w+)/results", lambda r, m: jobs.results(m[1], r)),
            ("GET", r"/jobs/query/(\w+)/resultPages", lambda r, m: jobs.pages(m[1], r)),
        ]  # fmt: skip
        return [(method, re.compile(text), answer) for method, text, answer in paths]

    def _known(self, word: str) -> str:
        name = BY_WORD.get(word.lower(), "")
        if not self.org.has(name):
            raise not_found()
        return name

    def _describe(self, word: str) -> Reply:
        return ok(describe(self.org, self._known(word)))

    def _object(self, word: str) -> Reply:
        return ok({"objectDescribe": summary(KINDS[self._known(word)]), "recentItems": []})

    def _objects(self) -> Reply:
        names = [name for name in KINDS if self.org.has(name)]
        found = [summary(KINDS[name]) for name in names]
        return ok({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": found})

    def _limits(self) -> Json:
        made = self.jobs.made
        return {
            "DailyApiRequests": {"Max": self.daily, "Remaining": max(0, self.daily - self.used)},
            "DailyBulkApiBatches": {"Max": 15_000, "Remaining": 15_000},
            "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000 - made},
            "DailyBulkV2QueryFileStorageMB": {"Max": 976_562, "Remaining": 976_562},
            "DataStorageMB": {"Max": 5, "Remaining": 3},
        }


def _version(number: int) -> Json:
    url = f"/services/data/v{number}.0"
    return {"label": VERSIONS[number], "url": url, "version": f"{number}.0"}


def _not_too_long(request: Request) -> None:
    """Refuse what the edge would not let through."""
    line = len(request.target)
    headers = sum(len(k) + len(v) + 4 for k, v in request.headers.items())
    if line > LONGEST:
        raise page(
            414, "Bad Message 414", "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>"
        )
    if line + headers > LONGEST:
        raise Refusal(Reply(431, b"", kind="text/html"))


def serve(
    org: Org,
    port: int = 0,
    *,
    faults: Iterable[str] = (),
    delay: float = 0.0,
    accepts: Accepts | None = None,
) -> Server:
    """Serve an org on 127.0.0.1, in threads of this process.

    Parameters
    ----------
    org : Org
    port : int
        0 takes a free one.
    faults : iterable of str
        What goes wrong: see `faults`.
    delay : float
        Seconds added to every reply.
    accepts : Accepts, optional
        What is a good login; by default the token ``local-token`` and the like.

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
    server = Server(org, port, delay=delay, accepts=accepts or Accepts())
    try:
        with org.lock:
            server.faults.start(faults)
    except ValueError:
        server.stop()
        raise
    return server
