"""Which path is answered by what: the v3 paths and the date-based ones."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from connectors.sandbox.hubspot import associations, objects
from connectors.sandbox.hubspot.exchange import Reply, Request, not_found, ok
from connectors.sandbox.hubspot.limits import Limits
from connectors.sandbox.hubspot.schema import BY_WORD
from connectors.sandbox.hubspot.search import Search
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.tokens import Tokens
from connectors.sandbox.hubspot.wire import iso

DATED = "2026-03"
PATTERNS = {
    "search": ("/crm/v3/objects/{a}/search", "/crm/objects/{v}/{a}/search"),
    "batch": ("/crm/v3/objects/{a}/batch/read", "/crm/objects/{v}/{a}/batch/read"),
    "list": ("/crm/v3/objects/{a}", "/crm/objects/{v}/{a}"),
    "one": ("/crm/v3/objects/{a}/{b}", "/crm/objects/{v}/{a}/{b}"),
    "pipelines": ("/crm/v3/pipelines/{a}", "/crm/pipelines/{v}/{a}"),
    "pipeline": ("/crm/v3/pipelines/{a}/{b}", "/crm/pipelines/{v}/{a}/{b}"),
    "properties": ("/crm/v3/properties/{a}", "/crm/properties/{v}/{a}"),
    "property": ("/crm/v3/properties/{a}/{b}", "/crm/properties/{v}/{a}/{b}"),
    "owners": ("/crm/v3/owners", "/crm/owners/{v}"),
    "owner": ("/crm/v3/owners/{a}", "/crm/owners/{v}/{a}"),
    "links": (
        "/crm/v4/associations/{a}/{b}/batch/read",
        "/crm/associations/{v}/{a}/{b}/batch/read",
    ),
    "linked": (
        "/crm/v4/objects/{a}/{b}/associations/{c}",
        "/crm/objects/{v}/{a}/{b}/associations/{c}",
    ),
    "account": ("/account-info/v3/details", "/account-info/{v}/details"),
    "usage": (
        "/account-info/v3/api-usage/daily/private-apps",
        "/account-info/{v}/api-usage/daily/private-apps",
    ),
    "token": ("/oauth/v1/token", "/oauth/v3/token", "/oauth/{v}/token"),
}
POSTS = {"search", "batch", "links", "token"}
READS_TYPE = {"search", "batch", "list", "one", "properties", "property", "links", "linked"}


def _pattern(text: str) -> str:
    return re.sub(r"\{([abc])\}", r"(?P<\1>[^/]+)", text.replace("{v}", re.escape(DATED)))


ROUTES = [
    (name, DATED in _pattern(text).replace("\\", ""), re.compile(_pattern(text)))
    for name, texts in PATTERNS.items()
    for text in texts
]


@dataclass(frozen=True)
class Route:
    """A path understood: what it asks for, the parts of the path, and which version it is of."""

    name: str
    parts: dict[str, str]
    dated: bool

    @property
    def kind(self) -> str | None:
        """Object type whose scope the call needs."""
        word = self.parts.get("a", "")
        known = BY_WORD.get(word)
        return known.name if known and self.name != "owner" else None


def find(request: Request) -> Route | None:
    """Understand a path; None if nothing is there."""
    for name, dated, pattern in ROUTES:
        match = pattern.fullmatch(request.path)
        if match and (name in POSTS) == (request.method == "POST"):
            return Route(name, match.groupdict(), dated)
    return None


class Answers:
    """Answers each kind of call from the account."""

    def __init__(self, account: State, limits: Limits, tokens: Tokens) -> None:
        self.account, self.limits, self.tokens = account, limits, tokens
        self.search = Search(account)
        self._by_name: dict[str, Callable[[Route, Request], Reply]] = {
            "search": lambda r, q: self.search.reply(self._kind(r), q),
            "batch": lambda r, q: objects.batch(account, self._kind(r), q),
            "list": lambda r, q: objects.listing(account, self._kind(r), q),
            "one": lambda r, q: objects.one(account, self._kind(r), r.parts["b"], q),
            "links": self._links,
            "linked": self._linked,
            "pipelines": self._pipelines,
            "pipeline": self._pipeline,
            "properties": self._properties,
            "property": self._property,
            "owners": self._owners,
            "owner": self._owner,
            "account": self._account,
            "usage": self._usage,
            "token": lambda _, q: self.tokens.refresh(q),
        }

    def answer(self, route: Route, request: Request) -> Reply:
        """Answer a call.

        Raises
        ------
        Refusal
            What HubSpot would refuse.
        """
        return self._by_name[route.name](route, request)

    def _kind(self, route: Route, part: str = "a") -> str:
        known = BY_WORD.get(route.parts[part])
        if known is None or (known.name == "leads" and not self.account.has_leads):
            raise not_found(f"Unable to infer object type from: {route.parts[part]}")
        return known.name

    def _links(self, route: Route, request: Request) -> Reply:
        return associations.batch(self.account, self._kind(route), self._kind(route, "b"), request)

    def _linked(self, route: Route, request: Request) -> Reply:
        kind, other = self._kind(route), self._kind(route, "c")
        return associations.single(self.account, kind, route.parts["b"], other, request)

    def _pipelines(self, route: Route, _: Request) -> Reply:
        found = self.account.pipelines.get(self._kind(route))
        if found is None:
            raise not_found(f"Unable to infer object type from: {route.parts['a']}")
        return ok({"results": [p.as_json() for p in found]})

    def _pipeline(self, route: Route, _: Request) -> Reply:
        for pipeline in self.account.pipelines.get(self._kind(route), []):
            if pipeline.id == route.parts["b"]:
                return ok(pipeline.as_json())
        raise not_found()

    def _properties(self, route: Route, request: Request) -> Reply:
        found = self.account.definitions(self._kind(route))
        return ok({"results": [] if request.flag("archived") else list(found.values())})

    def _property(self, route: Route, _: Request) -> Reply:
        found = self.account.definitions(self._kind(route)).get(route.parts["b"])
        if found is None:
            raise not_found(f"No property {route.parts['b']} exists")
        return ok(found)

    def _owners(self, _: Route, request: Request) -> Reply:
        limit = objects.number(request.one("limit", "100"), "limit")
        after = objects.number(request.one("after") or "0", "after")
        archived, email = request.flag("archived"), request.one("email")
        rest = [
            o
            for o in self.account.owners
            if o.id > after and o.archived == archived and email in ("", o.email)
        ]
        body = {"results": [o.as_json() for o in rest[:limit]]}
        if len(rest) > limit:
            last = str(rest[limit - 1].id)
            link = f"http://{request.host}{request.path}?limit={limit}&after={last}"
            body["paging"] = {"next": {"after": last, "link": link}}  # type: ignore[assignment]
        return ok(body)

    def _owner(self, route: Route, request: Request) -> Reply:
        for owner in self.account.owners:
            if str(owner.id) == route.parts["a"] and owner.archived == request.flag("archived"):
                return ok(owner.as_json())
        raise not_found()

    def _account(self, _: Route, __: Request) -> Reply:
        account = self.account
        offset = datetime.fromtimestamp(account.now / 1_000, account.zone).utcoffset()
        minutes = round(offset.total_seconds() / 60) if offset else 0
        sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
        return ok(
            {
                "portalId": account.portal_id,
                "timeZone": account.time_zone,
                "accountType": "STANDARD",
                "companyCurrency": account.currency,
                "additionalCurrencies": sorted(account.rates),
                "utcOffset": f"{sign}{hours:02d}:{rest:02d}",
                "utcOffsetMilliseconds": minutes * 60_000,
                "uiDomain": account.ui_domain,
                "dataHostingLocation": "na1",
            }
        )

    def _usage(self, _: Route, __: Request) -> Reply:
        limits = self.limits
        row = {
            "name": "private-apps-api-calls-daily",
            "usageLimit": limits.daily,
            "currentUsage": limits.used,
            "collectedAt": iso(self.account.now),
            "fetchStatus": "SUCCESS",
            "resetsAt": limits.resets_at().isoformat(timespec="milliseconds"),
        }
        return ok({"results": [row]})
