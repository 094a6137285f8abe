"""What Salesforce says when it refuses, and the error that stands for it. Pure functions."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import requests

from connectors.errors import ApiError, ScopeError
from connectors.salesforce.errors import (
    BulkUnsupportedError,
    FieldError,
    LocatorExpiredError,
    QueryTimeoutError,
    ReplicationDateError,
    TooManyDeletedError,
)
from connectors.secret import plain

OBJECT = re.compile(r"sObject type '(\w+)'|on entity '(\w+)'|/sobjects/(\w+)/")
FIELD = re.compile(r"No such column '([\w.]+)'|field '([\w.]+)' can ?not be filtered")
EXPIRED = {
    "INVALID_QUERY_LOCATOR",
    "INVALID_QUERY_LOCATOR_FORMAT",
    "QUERY_LOCATOR_EXPIRED",
    "LOCATOR_LOCATION_EXCEEDS_SIZE",
}
NO_ACCESS = {
    "INVALID_TYPE",
    "INSUFFICIENT_ACCESS",
    "INSUFFICIENT_ACCESS_OR_READONLY",
    "FUNCTIONALITY_NOT_ENABLED",
    "API_DISABLED_FOR_ORG",
    "API_CURRENTLY_DISABLED",
}
RETIRED = {"UNSUPPORTED_API_VERSION", "InvalidVersion"}
TOO_MUCH = {"QUERY_TIMEOUT", "OPERATION_TOO_LARGE"}
NOT_IN_BULK = re.compile(
    r"not supported by the Bulk API|compound data not supported|Async API not enabled",
    re.IGNORECASE,
)


class Fault(NamedTuple):
    """What an error body says: Salesforce's code for it, if any, and its words."""

    code: str
    words: str


def read_fault(response: requests.Response) -> Fault:
    """Read an error body in any of its shapes: a list, two kinds of object, a page, or nothing.

    Examples
    --------
    >>> reply = requests.Response()
    >>> reply._content = b'[{"message": "invalid query locator", "errorCode": "INVALID_QUERY_LOCATOR"}]'
    >>> read_fault(reply)
    Fault(code='INVALID_QUERY_LOCATOR', words='invalid query locator')

    """
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return Fault("", response.content[:5_000].decode("utf-8", "replace"))
    while isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return Fault("", str(body))
    code = _first(body, "errorCode", "exceptionCode", "error")
    return Fault(code, _first(body, "message", "exceptionMessage", "error_description") or code)


def _first(body: Mapping[str, Any], *keys: str) -> str:
    return next((text for key in keys if isinstance(text := body.get(key), str) and text), "")


def error_of(fault: Fault, where: str, status: int | None = None) -> ApiError | None:
    """Return the error that a fault stands for; None if it is not one of a query.

    Parameters
    ----------
    fault : Fault
        From a reply, or from a bulk job that failed.
    where : str
        The call or the job, for the message.
    status : int, optional
        The HTTP status.

    Examples
    --------
    >>> error_of(Fault("QUERY_TIMEOUT", "Your query was running for too long."), "GET /q")
    QueryTimeoutError('GET /q was refused (QUERY_TIMEOUT: ...); ask for less at once...')

    """
    code, refused = fault.code, f"{where} was refused ({_in_short(fault)})"
    if code in TOO_MUCH:
        advice = "ask for less at once, such as a shorter time"
        return QueryTimeoutError(f"{refused}; {advice}", status=status)
    if code in EXPIRED:
        advice = "the place in the answer is lost: go on after the last record read"
        return LocatorExpiredError(f"{refused}; {advice}", status=status)
    if code == "INVALIDENTITY" or NOT_IN_BULK.search(fault.words):
        return BulkUnsupportedError(f"{refused}; the REST API may take it", status=status)
    if code == "INVALID_FIELD":
        return _field(fault, refused, status)
    if code in NO_ACCESS:
        return no_access(fault, where, status)
    return _of_the_time(fault, refused, status)


def no_access(fault: Fault, where: str, status: int | None) -> ScopeError:
    """Return the error of an object that is not there, or not for this user."""
    object = _found(OBJECT, fault.words) or _found(OBJECT, where)
    return ScopeError(
        f"{where} was refused ({_in_short(fault)}); check that the org has {object or 'this'} and"
        " that the user may read it: object permissions, in a permission set",
        object=object,
        status=status,
    )


def _of_the_time(fault: Fault, refused: str, status: int | None) -> ApiError | None:
    """Return the error of what was told once and is no longer."""
    if fault.code in RETIRED:
        advice = "Salesforce has retired this version of its API: update reverse-funnel"
        return ApiError(f"{refused}; {advice}", status=status)
    if fault.code == "INVALID_REPLICATION_DATE":
        advice = "deletions are told for 15 days: compare all ids instead"
        return ReplicationDateError(f"{refused}; {advice}", status=status)
    if fault.code == "EXCEEDED_ID_LIMIT":
        advice = "ask for a shorter time, or compare all ids instead"
        return TooManyDeletedError(f"{refused}; {advice}", status=status)
    return None


def _field(fault: Fault, refused: str, status: int | None) -> FieldError:
    object, field = _found(OBJECT, fault.words), _found(FIELD, fault.words)
    advice = "check its name, and that the user may read it (field-level security)"
    return FieldError(f"{refused}; {advice}", object=object, field=field, status=status)


def _found(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return "" if found is None else next(part for part in found.groups() if part)


def _in_short(fault: Fault) -> str:
    """Return code and words; of a query's fault only what comes after the query itself."""
    words = plain(re.split(r"ERROR at Row:\d+:Column:\d+\s*", fault.words)[-1])
    return f"{fault.code}: {words}" if fault.code and fault.code != words else words or "no words"
