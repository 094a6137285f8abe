"""Requests and replies of a server, whichever CRM it plays."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors.sandbox.wire import Json, dumps


class BadBody(ValueError):  # noqa: N818 - the client's fault, not ours
    """The body of a request is not a JSON object."""


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

    def text(self, name: str) -> str:
        """Last value of a query parameter, commas and all."""
        found = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return found.get(name, [""])[-1]

    def flag(self, name: str) -> bool:
        """Whether a query parameter is true, however it is spelt."""
        return self.one(name).lower() == "true"

    @cached_property
    def body(self) -> Json:
        """The JSON body.

        Raises
        ------
        BadBody
            If it is not a JSON object.
        """
        try:
            found = json.loads(self.raw or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise BadBody("Invalid input JSON: the body is not a JSON object")
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


def html(status: int, page: str, headers: dict[str, str] | None = None) -> Refusal:
    """Refuse with a page of HTML, as the proxies in front of a CRM do."""
    return Refusal(Reply(status, page.encode(), headers or {}, kind="text/html"))
