"""Refusals in the shapes in which Salesforce words them: a list, a dict of OAuth, or a page."""

from connectors.sandbox.exchange import Refusal, Reply, html
from connectors.sandbox.wire import dumps

HINT = (
    "If you are attempting to use a custom {what}, be sure to append the '__c' after the {named} "
    "name. Please reference your WSDL or the describe call for the appropriate names."
)


def refuse(status: int, code: str, message: str) -> Refusal:
    """Refuse as the REST and bulk interfaces do: ``[{message, errorCode}]``."""
    return Refusal(Reply(status, dumps([{"message": message, "errorCode": code}]).encode()))


def oauth(error: str, description: str, status: int = 400) -> Refusal:
    """Refuse as the token endpoint does: ``{error, error_description}``."""
    body = {"error": error, "error_description": description}
    return Refusal(Reply(status, dumps(body).encode()))


def page(status: int, title: str, text: str = "") -> Refusal:
    """Refuse with HTML, as the edge in front of Salesforce does."""
    return html(status, f"<html><head><title>{title}</title></head><body>{text}</body></html>")


def not_found() -> Refusal:
    """Say that there is no such thing: 404."""
    return refuse(404, "NOT_FOUND", "The requested resource does not exist")


def malformed(message: str) -> Refusal:
    """Refuse a query that cannot be read."""
    return refuse(400, "MALFORMED_QUERY", message)


def pointed(code: str, query: str, position: int, message: str) -> Refusal:
    """Refuse a query and point at the place, as Salesforce does: a piece of it and a caret."""
    start = max(0, position - 40)
    piece = query[start : position + 40].replace("\n", " ")
    caret = " " * (position - start) + "^"
    where = f"ERROR at Row:1:Column:{position + 1}"
    return refuse(400, code, f"\n{piece}\n{caret}\n{where}\n{message}")


def no_column(query: str, position: int, word: str, entity: str) -> Refusal:
    """Say that an object has no such field: also if it has, and it is hidden."""
    hint = HINT.format(what="field", named="custom field")
    message = f"No such column '{word}' on entity '{entity}'. {hint}"
    return pointed("INVALID_FIELD", query, position, message)


def no_object(query: str, position: int, word: str) -> Refusal:
    """Say that there is no such object, or none the user may read."""
    hint = HINT.format(what="object", named="entity")
    message = f"sObject type '{word}' is not supported. {hint}"
    return pointed("INVALID_TYPE", query, position, message)
