"""What another process may tell the server, under ``/_sandbox/``; none of it counts as a call."""

from collections import Counter
from typing import TYPE_CHECKING

from connectors.sandbox.exchange import BadBody
from connectors.sandbox.frames import as_json
from connectors.sandbox.hubspot.exchange import Refusal, Reply, Request, invalid, ok
from connectors.sandbox.hubspot.life import mutate

if TYPE_CHECKING:
    from connectors.sandbox.hubspot.server import Server


def control(server: "Server", request: Request) -> Reply:
    """Answer ``mutate {n, seed}``, ``advance {seconds}``, ``fault {name, on}``, ``reset_day``.

    And, by GET, ``truth`` (the canonical tables) and ``calls`` (what was asked so far).
    """
    word = request.path.rpartition("/")[2]
    try:
        with server.account.lock:
            return ok(_did(server, word, request))
    except Refusal as refusal:
        return refusal.reply
    except BadBody as error:
        return invalid(str(error)).reply


def _did(server: "Server", word: str, request: Request) -> dict[str, object]:
    account, body = server.account, request.body if request.method == "POST" else {}
    if word in ("mutate", "fault"):
        server.changes += 1
    if word == "mutate":
        mutate(account, int(body.get("n", 10)), int(body.get("seed", 0)))
    elif word == "advance":
        account.advance(float(body.get("seconds", 0)))
    elif word == "fault":
        _fault(server, str(body.get("name")), on=bool(body.get("on", True)))
    elif word == "reset_day":
        server.limits.reset_day()
    elif word == "truth":
        return as_json(account.truth())
    elif word == "calls":
        return _calls(server)
    else:
        raise invalid(f"no control point {word!r}")
    return {"now": account.now, "faults": sorted(server.faults.on)}


def _fault(server: "Server", name: str, *, on: bool) -> None:
    try:
        server.faults.switch(name, on=on)
    except ValueError as error:
        raise invalid(str(error)) from error


def _calls(server: "Server") -> dict[str, object]:
    calls = Counter(f"{method} {path} {status}" for method, path, status in server.calls)
    return {
        "count": len(server.calls),
        "calls": dict(calls),
        "writes": dict(server.writes),
        "refused": sum(status == 429 for _, _, status in server.calls),
    }
