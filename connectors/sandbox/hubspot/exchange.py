"""Requests and replies, and the bodies of refusals as HubSpot words them."""

from uuid import uuid4

from connectors.sandbox import exchange
from connectors.sandbox.exchange import Refusal, Reply, Request, ok
from connectors.sandbox.wire import dumps

__all__ = [
    "Refusal", "Reply", "Request", "html", "invalid", "no_scope", "not_found", "ok", "refuse",
]  # fmt: skip

SCOPES_PAGE = "https://developers.hubspot.com/scopes"


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
    return exchange.html(status, page, headers)
