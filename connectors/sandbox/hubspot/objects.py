"""Listing, reading one, and reading by batch."""

from itertools import islice
from urllib.parse import urlencode

from connectors.sandbox.hubspot.exchange import Reply, Request, html, invalid, not_found
from connectors.sandbox.hubspot.links import association_types
from connectors.sandbox.hubspot.render import Renderer
from connectors.sandbox.hubspot.schema import BY_WORD, TYPES
from connectors.sandbox.hubspot.shelf import Record
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.wire import Json, dumps, iso

PAGE, PAGE_WITH_HISTORY, MOST_PROPERTIES = 100, 50, 1_000


def listing(account: State, kind: str, request: Request) -> Reply:
    """``GET /crm/v3/objects/{type}``: by id; `after` is the last id read, and there is no total.

    Raises
    ------
    Refusal
        400 if more is asked for than a page may hold.
    """
    histories = request.query.get("propertiesWithHistory", [])
    most = PAGE_WITH_HISTORY if histories else PAGE
    limit = number(request.one("limit", "10"), "limit")
    if not 1 <= limit <= most:
        raise invalid(f"Page size {limit} is out of range: the maximum is {most}")
    after = number(request.one("after") or "0", "after")
    shelf = account.shelves[kind]
    archived = request.flag("archived")
    ids = (i for i in account.archived_ids(kind) if i > after) if archived else shelf.after(after)
    page = [r for r in (shelf.get(i) for i in islice(ids, limit + 1)) if r is not None]
    renderer = Renderer(account, kind, request.query.get("properties", []), histories)
    others = [w for w in request.query.get("associations", []) if w]
    texts = [_with_links(account, kind, r, renderer, others) for r in page[:limit]]
    body = '{"results":[' + ",".join(texts) + "]"
    if len(page) > limit:
        body += ',"paging":{"next":' + dumps(_next(request, page[limit - 1].id)) + "}"
    return Reply(200, (body + "}").encode())


def _next(request: Request, last: int) -> Json:
    query = [(k, ",".join(v)) for k, v in request.query.items() if k != "after"]
    link = f"http://{request.host}{request.path}?{urlencode([*query, ('after', last)])}"
    return {"after": str(last), "link": link}


def number(text: str, name: str) -> int:
    """Read a whole number of a query.

    Raises
    ------
    Refusal
        400 if it is none.
    """
    if not text.isdigit():
        raise invalid(f"Invalid value for {name}: {text!r} is not a whole number")
    return int(text)


def one(account: State, kind: str, word: str, request: Request) -> Reply:
    """``GET /crm/v3/objects/{type}/{id}``; a merged record answers with the one it became.

    Raises
    ------
    Refusal
        404 if there is no such record.
    """
    shelf = account.shelves[kind]
    record_id = resolved(account, kind, int(word)) if word.isdigit() else -1
    archived = request.flag("archived")
    record = shelf.get(record_id)
    if record is None or (record.archived_at is not None) != archived:
        raise not_found()
    histories = request.query.get("propertiesWithHistory", [])
    renderer = Renderer(account, kind, request.query.get("properties", []), histories)
    others = [w for w in request.query.get("associations", []) if w]
    return Reply(200, _with_links(account, kind, record, renderer, others).encode())


def resolved(account: State, kind: str, record_id: int) -> int:
    """Follow merges from an id to the record that stands for it now."""
    aliases = account.shelves[kind].aliases
    while record_id in aliases:
        record_id = aliases[record_id]
    return record_id


def batch(account: State, kind: str, request: Request) -> Reply:
    """``POST …/batch/read``: in no order; 207 with the ids that are not there.

    Raises
    ------
    Refusal
        400 if it is too large, 500 (a page of HTML) over a thousand properties.
    """
    body = request.body
    names, histories = body.get("properties") or [], body.get("propertiesWithHistory") or []
    asked = [str(i.get("id", "")) for i in body.get("inputs") or []]
    most = PAGE_WITH_HISTORY if histories else PAGE
    if not 1 <= len(asked) <= most:
        raise invalid(f"Batch size {len(asked)} is out of range: the maximum is {most}")
    if len(names) + len(histories) > MOST_PROPERTIES:
        raise html(500, "Internal Server Error")
    if body.get("idProperty") not in (None, "", "hs_object_id"):
        raise invalid(f"Property {body['idProperty']!r} is not unique")
    archived = request.flag("archived")
    found: dict[int, Record] = {}
    missing = []
    for word in asked:
        record = account.shelves[kind].get(
            resolved(account, kind, int(word) if word.isdigit() else -1)
        )
        if record is None or (record.archived_at is not None) != archived:
            missing.append(word)
        else:
            found[record.id] = record
    renderer = Renderer(account, kind, names, histories)
    texts = [renderer.text(record) for record in reversed(found.values())]
    return _batch_reply(account, kind, texts, missing)


def _batch_reply(account: State, kind: str, texts: list[str], missing: list[str]) -> Reply:
    at = dumps(iso(account.now))
    body = (
        f'{{"status":"COMPLETE","results":[{",".join(texts)}],"startedAt":{at},"completedAt":{at}'
    )
    if not missing:
        return Reply(200, (body + "}").encode())
    error = {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": f"Could not get some {TYPES[kind].singular.upper()} objects, they may be deleted "
        "or not exist. Check that ids are valid.",
        "context": {"ids": missing},
    }
    return Reply(207, f'{body},"numErrors":1,"errors":[{dumps(error)}]}}'.encode())


def _with_links(
    account: State, kind: str, record: Record, renderer: Renderer, others: list[str]
) -> str:
    """Add the associations asked for, which name an id once for every type of the link."""
    text = renderer.text(record)
    if not others:
        return text
    found: Json = {}
    for word in others:
        other = BY_WORD.get(word)
        if other is None or (kind, other.name) not in account.links.halves:
            raise invalid(f"Unable to infer object type from: {word}")
        rows = [
            {"id": str(i), "type": _row_type(kind, other.name, t)}
            for i, how in account.linked(kind, record.id, other.name).items()
            for t in association_types((kind, other.name), how)
        ]
        if rows:
            found[other.name.replace("_", " ")] = {"results": rows[:200]}
    return f'{text[:-1]},"associations":{dumps(found)}}}' if found else text


def _row_type(kind: str, other: str, known: Json) -> str:
    plain = f"{TYPES[kind].singular}_to_{TYPES[other].singular}"
    return plain if known["label"] != "Primary" else f"{plain}_primary"
