"""A sandbox server that notes when it let each call pass."""

import time
from typing import Protocol

from connectors.sandbox.exchange import Reply, Request

REFUSED = 429


class Handling(Protocol):
    """A server of either sandbox."""

    def handle(self, request: Request) -> Reply:
        """Answer one request."""


def noting(server: Handling) -> list[tuple[float, str]]:
    """Make a server note the second and path of every call that its limits let pass."""
    passed: list[tuple[float, str]] = []
    answer = server.handle

    def handle(request: Request) -> Reply:
        came = time.monotonic()
        reply = answer(request)
        if reply.status != REFUSED:
            passed.append((came, request.path))
        return reply

    server.handle = handle  # type: ignore[method-assign]
    return passed
