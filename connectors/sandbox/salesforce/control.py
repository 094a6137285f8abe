"""What another process may tell the server, under ``/_sandbox/``; none of it counts as a call."""

from collections import Counter
from typing import TYPE_CHECKING

from connectors.sandbox.exchange import BadBody, Refusal, Reply, Request, ok
from connectors.sandbox.frames import as_json
from connectors.sandbox.salesforce.errors import refuse
from connectors.sandbox.salesforce.life import mutate

if TYPE_CHECKING:
    from connectors.sandbox.salesforce.server import Server


def control(server: "Server", request: Request) -> Reply:
    """Answer ``mutate {n, seed}``, ``advance {seconds}``, ``fault {name, on}``, ``reset_day``.

    And, by GET, ``truth`` (the canonical tables) and ``calls`` (what was asked so far).
    """
    word = request.path.rpartition("/")[2]
    try:
        with server.org.lock:
            return ok(_did(server, word, request))
    except Refusal as refusal:
        return refusal.reply
    except (BadBody, ValueError) as error:
        return refuse(400, "BAD_REQUEST", str(error)).reply


def _did(server: "Server", word: str, request: Request) -> dict[str, object]:
    org, body = server.org, request.body if request.method == "POST" else {}
    if word in ("mutate", "fault"):
        server.changes += 1
    if word == "mutate":
        mutate(org, int(body.get("n", 10)), int(body.get("seed", 0)))
    elif word == "advance":
        org.advance(float(body.get("seconds", 0)))
    elif word == "fault":
        server.faults.switch(str(body.get("name")), on=bool(body.get("on", True)))
    elif word == "reset_day":
        server.used = 0
    elif word == "truth":
        return as_json(org.truth())
    elif word == "calls":
        return _calls(server)
    else:
        raise refuse(404, "NOT_FOUND", f"no control point {word!r}")
    return {"now": org.now, "faults": sorted(server.faults.on)}


def _calls(server: "Server") -> dict[str, object]:
    calls = Counter(f"{method} {path} {status}" for method, path, status in server.calls)
    return {
        "count": len(server.calls),
        "calls": dict(calls),
        "writes": dict(server.writes),
        "used": server.used,
    }
