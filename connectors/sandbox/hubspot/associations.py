"""Associations v4: by batch, with pages inside, and of one record."""

from base64 import b64decode, b64encode

from connectors.sandbox.hubspot.exchange import Reply, Request, invalid, ok
from connectors.sandbox.hubspot.links import association_types
from connectors.sandbox.hubspot.objects import number
from connectors.sandbox.hubspot.schema import TYPES
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.wire import Json, iso

MOST_IDS, PAGE = 1_000, 500


def batch(account: State, start: str, end: str, request: Request) -> Reply:
    """``POST …/associations/{from}/{to}/batch/read``: those without any are errors in a 207.

    Raises
    ------
    Refusal
        400 beyond 1,000 ids, or where the two types are not linked.
    """
    _check(account, start, end)
    inputs = request.body.get("inputs") or []
    if not 1 <= len(inputs) <= MOST_IDS:
        raise invalid(f"Batch size {len(inputs)} is out of range: the maximum is {MOST_IDS}")
    results, errors = [], []
    for one in inputs:
        word = str(one.get("id", ""))
        rows, following = _page(account, start, word, end, str(one.get("after") or ""))
        if not rows:
            errors.append(_none(start, end, word))
            continue
        result: Json = {"from": {"id": word}, "to": rows}
        if following:
            result["paging"] = {"next": {"after": following, "link": _link(request, following)}}
        results.append(result)
    at = iso(account.now)
    body: Json = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
    if not errors:
        return ok(body)
    return ok(body | {"numErrors": len(errors), "errors": errors}, 207)


def single(account: State, start: str, word: str, end: str, request: Request) -> Reply:
    """``GET /crm/v4/objects/{type}/{id}/associations/{to}``: at most 500 a page.

    Raises
    ------
    Refusal
        400 where the two types are not linked.
    """
    _check(account, start, end)
    limit = min(number(request.one("limit", "500"), "limit"), PAGE)
    rows, following = _page(account, start, word, end, request.one("after"), limit)
    body: Json = {"results": rows}
    if following:
        body["paging"] = {"next": {"after": following, "link": _link(request, following)}}
    return ok(body)


def _check(account: State, start: str, end: str) -> None:
    if (start, end) not in account.links.halves:
        raise invalid(f"{start} and {end} cannot be associated")


def _page(
    account: State, start: str, word: str, end: str, after: str, limit: int = PAGE
) -> tuple[list[Json], str]:
    record_id = int(word) if word.isdigit() else -1
    if account.shelves[start].row(record_id) < 0 or record_id in account.shelves[start].hidden:
        return [], ""
    found = list(account.linked(start, record_id, end).items())
    first = _read_token(after)
    rows = [
        row
        for other, kind in found[first : first + limit]
        for row in _rows(start, end, other, kind)
    ]
    following = first + limit
    token = b64encode(str(following).encode()).decode() if following < len(found) else ""
    return rows, token


def _read_token(after: str) -> int:
    try:
        return int(b64decode(after)) if after else 0
    except ValueError as error:
        raise invalid(f"Invalid paging token {after!r}") from error


def _rows(start: str, end: str, other: int, kind: int) -> list[Json]:
    """State one link: now and then its types come in rows of their own."""
    types = association_types((start, end), kind)
    if other % 7 == 0:
        return [{"toObjectId": other, "associationTypes": [t]} for t in types]
    return [{"toObjectId": other, "associationTypes": types}]


def _none(start: str, end: str, word: str) -> Json:
    what, other = TYPES[start].singular, TYPES[end].singular
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {other} is associated with {what} {word}.",
        "context": {"fromObjectId": [word], "fromObjectType": [what], "toObjectType": [other]},
    }


def _link(request: Request, after: str) -> str:
    return f"http://{request.host}{request.path}?after={after}"
