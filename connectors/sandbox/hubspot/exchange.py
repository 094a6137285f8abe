"""Requests and replies, and the bodies of refusals."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from connectors.sandbox.hubspot.wire import Json, dumps

SCOPES_PAGE = "https://developers.hubspot.com/scopes"


@dataclass
class Request:
    """What a client sent."""

    method: str
    target: str
    headers: dict[str, str]
    raw: bytes = b""
    host: str = "127.0.0.1"

    @cached_property
    def path(self) -> str:
        """Path without query and trailing slash."""
        return urlsplit(self.target).path.rstrip("/")

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """Query parameters: every value of each, also those joined with commas."""
        found = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: [p for v in values for p in v.split(",")] for name, values in found.items()}

    def one(self, name: str, default: str = "") -> str:
        """Last value of a query parameter."""
        return self.query.get(name, [default])[-1]

    def flag(self, name: str) -> bool:
        """Whether a query parameter is true, however it is spelt."""
        return self.one(name).lower() == "true"

    @cached_property
    def body(self) -> Json:
        """The JSON body.

        Raises
        ------
        Refusal
            400 if it is not a JSON object.
        """
        try:
            found = json.loads(self.raw or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise invalid("Invalid input JSON: the body is not a JSON object")
        return found


@dataclass
class Reply:
    """What the server answers; `cut` closes the connection in the middle of the body."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json;charset=utf-8"
    wait: float = 0.0
    cut: bool = False


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of ours
    """An answer other than the one asked for."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def ok(body: Any, status: int = 200) -> Reply:  # noqa: ANN401 - any JSON
    """Answer with JSON."""
    return Reply(status, dumps(body).encode())


def refuse(
    status: int, message: str, headers: dict[str, str] | None = None, **more: object
) -> Refusal:
    """Refuse with HubSpot's JSON body of an error."""
    body = {"status": "error", "message": message, "correlationId": str(uuid4()), **more}
    return Refusal(Reply(status, dumps(body).encode(), headers or {}))


def invalid(message: str) -> Refusal:
    """Refuse what is asked: 400."""
    return refuse(400, message, category="VALIDATION_ERROR")


def not_found(message: str = "resource not found") -> Refusal:
    """Say that there is no such thing: 404."""
    return refuse(404, message, category="OBJECT_NOT_FOUND")


def no_scope(scope: str) -> Refusal:
    """Refuse for want of a scope: 403."""
    return refuse(
        403,
        "This app hasn't been granted all required scopes to make this call. "
        f"Read more about required scopes here: {SCOPES_PAGE}.",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": [scope]},
            }
        ],
        links={"scopes": SCOPES_PAGE},
        category="MISSING_SCOPES",
    )


def html(status: int, title: str, headers: dict[str, str] | None = None) -> Refusal:
    """Refuse with a page of HTML, as the proxies in front of HubSpot do."""
    page = (
        f"<html>\n<head><title>{status} {title}</title></head>\n<body>\n"
        f"<center><h1>{status} {title}</h1></center>\n</body>\n</html>\n"
    )
    return Refusal(Reply(status, page.encode(), headers or {}, kind="text/html"))
