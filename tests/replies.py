"""A real server on 127.0.0.1 that gives the replies it was handed, one after the other."""

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OK = {"good": True}


@dataclass
class Reply:
    """What to answer; `breaks` sends half of the body and hangs up, `waits` comes first (seconds)."""

    status: int = 200
    body: object = field(default_factory=lambda: OK)
    headers: dict = field(default_factory=dict)
    reason: str = "Reason"
    breaks: bool = False
    waits: float = 0.0

    @property
    def raw(self):
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Handler(BaseHTTPRequestHandler):
    """Notes every request and answers with the next reply; with OK once they are used up."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def answer(self):
        size = int(self.headers.get("Content-Length") or 0)
        asked = (self.command, self.path, dict(self.headers), self.rfile.read(size))
        with self.server.lock:
            self.server.asked.append(asked)
            reply = self.server.replies.pop(0) if self.server.replies else Reply()
        reply = reply(asked) if callable(reply) else reply
        time.sleep(reply.waits)
        self.send_response_only(reply.status, reply.reason)
        for name, value in {"Content-Length": len(reply.raw), **reply.headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(reply.raw[: len(reply.raw) // 2] if reply.breaks else reply.raw)
        self.close_connection = reply.breaks

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, *_args):
        pass


class Quiet(ThreadingHTTPServer):
    """Does not print that a client hung up."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_args):
        pass


@contextmanager
def serving(*replies):
    """Serve; the server has `url`, and `asked`: (method, path, headers, body) of each request."""
    server = Quiet(("127.0.0.1", 0), Handler)
    server.lock, server.replies, server.asked = threading.Lock(), list(replies), []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
