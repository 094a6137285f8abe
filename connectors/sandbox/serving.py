"""The HTTP server on 127.0.0.1: each reply in one write, each request in a thread of its own."""

import time
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self

from connectors.sandbox.exchange import Reply, Request

POLL_SECONDS = 0.05


class Listener(ABC):
    """A server that runs until `stop`, or to the end of a ``with``.

    Attributes
    ----------
    url : str
        Where it listens, ``http://127.0.0.1:PORT``.
    """

    banner = "sandbox"

    def __init__(self, port: int) -> None:
        self._stopped = Lock()
        self._http = _Http(("127.0.0.1", port), _Handler)
        self._http.listener = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = Thread(target=self._http.serve_forever, args=(POLL_SECONDS,), daemon=True)

    def listen(self) -> None:
        """Begin to answer."""
        self._thread.start()

    @abstractmethod
    def handle(self, request: Request) -> Reply:
        """Answer one request."""

    @abstractmethod
    def clock(self) -> float:
        """Time of what is served, in seconds since 1970."""

    def stop(self) -> None:
        """Stop listening; nothing happens the second time."""
        if self._stopped.acquire(blocking=False):
            self._http.shutdown()
            self._http.server_close()
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    listener: Listener

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing: a client that goes away is no fault of the server's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120

    def _respond(self) -> None:
        listener: Listener = self.server.listener  # type: ignore[attr-defined]
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            self.command,
            self.path,
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length) if length else b"",
            self.headers.get("Host") or "127.0.0.1",
        )
        reply = listener.handle(request)
        if reply.wait:
            time.sleep(reply.wait)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.cut:
            self.wfile.write(reply.body[: len(reply.body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(reply.body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _respond  # noqa: N815 - names of http.server

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Give the time of what is served."""
        listener: Listener = self.server.listener  # type: ignore[attr-defined]
        return super().date_time_string(listener.clock() if timestamp is None else timestamp)

    def version_string(self) -> str:
        """Name the server as little as the CRM does."""
        listener: Listener = self.server.listener  # type: ignore[attr-defined]
        return listener.banner

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""
