"""What to do with a reply: take it, ask again, or give up. Pure functions of the reply.

Each CRM has a judge of its own that looks at what only it knows, and hands the rest to `judge`.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from connectors.errors import ApiError, CredentialsError
from connectors.secret import Secret, plain, redacted

OWN = "*"
LOCKED_FOR = 2.0  # seconds a locked record (423) is left alone at least
AGAIN = {408, 423, 429, 477}
WORDS = ("message", "error_description", "error", "exceptionMessage")  # where bodies keep them
READ_AT_MOST = 5_000  # bytes of an error page
ADVICE = {
    400: "this is a fault of the request: report it with this message",
    403: "check what the token may read",
    404: "check the address, and that the account has this",
    414: "ask for fewer things at once",
}


@dataclass(frozen=True)
class Ok:
    """The reply is good.

    Attributes
    ----------
    value : Any
        What the call returns; parsed JSON from the judge of this module.

    """

    value: Any


@dataclass(frozen=True)
class Again:
    """The call is worth repeating, a bounded number of times.

    Attributes
    ----------
    after : float or None
        Seconds to wait, cut to the longest wait; None: longer with each attempt.
    bucket : str or None
        The bucket that is closed meanwhile for every call; ``OWN``: the one the call itself used;
        None: only this call waits.
    reason : str
        What happened, for the message if it never gets better; empty: status and server's words.
    attempts : int or None
        How often the call is sent at most if it comes to this; None: as often as any.

    """

    after: float | None = None
    bucket: str | None = None
    reason: str = ""
    attempts: int | None = None


@dataclass(frozen=True)
class Fail:
    """Repeating is no use. A `CredentialsError` leads to one more try with a new token, if any."""

    error: ApiError


Verdict = Ok | Again | Fail
Judge = Callable[[requests.Response], Verdict]


def judge(response: requests.Response) -> Verdict:
    """Judge a reply by its status, as any HTTP server means it.

    ======================== =====================================================
    2xx with JSON            good (anything but JSON: again)
    408, 477, 5xx            again, after ``Retry-After`` if the reply has it
    423                      again, after 2 s or more
    429                      again, the bucket of the call closed meanwhile
    3xx                      given up: the token would go elsewhere
    401                      given up as `CredentialsError`, unless a new token helps
    other 4xx                given up with the server's own words
    ======================== =====================================================
    """
    status = response.status_code
    if 200 <= status < 300:
        return _parsed(response)
    if status in AGAIN or status >= 500:
        return _again(response)
    if status == 401:
        return Fail(CredentialsError(f"{_refusal(response)}; check the token", status=status))
    if 300 <= status < 400:
        return Fail(ApiError(_redirect(response), status=status))
    advice = ADVICE.get(status, "check what was asked for")
    return Fail(ApiError(f"{_refusal(response)}; {advice}", status=status))


def _parsed(response: requests.Response) -> Verdict:
    try:
        return Ok(json.loads(response.content))
    except (ValueError, RecursionError):
        return Again(reason=f"{response.status_code}: the reply is not JSON")


def _again(response: requests.Response) -> Again:
    asked = retry_after(response)
    if response.status_code == 423:
        asked = max(asked or 0.0, LOCKED_FOR)
    return Again(asked, OWN if response.status_code == 429 else None)


def _refusal(response: requests.Response) -> str:
    return f"{place(response)} was refused ({answer(response)})"


def _redirect(response: requests.Response) -> str:
    try:
        host = urlsplit(response.headers.get("Location", "")).hostname or "the same host"
    except ValueError:
        host = "an address that cannot be read"
    return (
        f"{place(response)} was redirected to {plain(host, 100)}; redirects are not followed, since"
        " they would take the token along: check the address, and any proxy on the way"
    )


def fit_to_show(verdict: Verdict, response: requests.Response, token: Secret) -> Verdict:
    """Return a verdict that has a reason, and no piece of the token in any text it holds.

    Parameters
    ----------
    verdict : Ok, Again or Fail
        From whichever judge; a good one is returned as it is.
    response : requests.Response
        The reply it was made on.
    token : Secret
        What the call was sent with, which the server may repeat.

    """
    if isinstance(verdict, Again):
        reason = redacted(verdict.reason or answer(response), [token])
        return replace(verdict, reason=reason)
    if isinstance(verdict, Fail):
        error = verdict.error
        error.args = _cleaned(error.args, token)
        vars(error).update({name: _cleaned(value, token) for name, value in vars(error).items()})
    return verdict


def _cleaned(value: Any, token: Secret) -> Any:  # noqa: ANN401 - attributes of any kind
    """Take the token out of a text, or a tuple of them; other values have none."""
    if isinstance(value, str):
        return redacted(value, [token])
    return tuple(_cleaned(part, token) for part in value) if isinstance(value, tuple) else value


def place(response: requests.Response) -> str:
    """Name the call a reply belongs to: method and path, without host and query."""
    return f"{response.request.method} {urlsplit(response.url).path}"


def answer(response: requests.Response) -> str:
    """Return status and words of a reply, such as ``503: upstream is down``."""
    return f"{response.status_code}: {said(response)}"


def said(response: requests.Response) -> str:
    """Return the server's own words for what went wrong, in one line of 300 characters at most.

    From JSON its message; from a page its text; from an empty body the reason beside the status.
    """
    try:
        words = _message(json.loads(response.content))
    except (ValueError, RecursionError):
        page = response.content[:READ_AT_MOST].decode("utf-8", "replace")
        words = re.sub(r"<[^<>]*>", " ", page)
    return plain(words) or plain(response.reason or "") or "no words"


def _message(body: object) -> str:
    """Find the message in an error body: an object, or a list of them."""
    if isinstance(body, list):
        return _message(body[0]) if body else ""
    if isinstance(body, dict):
        words = (body.get(key) for key in WORDS)
        return next((word for word in words if isinstance(word, str) and word), "")
    return body if isinstance(body, str) else ""


def retry_after(response: requests.Response) -> float | None:
    """Return the seconds that ``Retry-After`` asks for; None if there is none, or none readable.

    A date in it is taken by the server's own clock, so it needs the reply's ``Date``.
    """
    asked = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", asked, re.ASCII):
        return float(asked)
    until, now = moment(asked), moment(response.headers.get("Date", ""))
    return None if until is None or now is None else max(0.0, (until - now).total_seconds())


def moment(text: str) -> datetime | None:
    """Read the date of an HTTP header; None if it is not one, or has no zone.

    Examples
    --------
    >>> moment("Fri, 02 Jan 2026 03:04:05 GMT").isoformat()
    '2026-01-02T03:04:05+00:00'

    """
    try:
        read = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return read if read.tzinfo else None
