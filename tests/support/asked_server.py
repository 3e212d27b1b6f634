"""A small real server for the load driver: it answers as it is told, and keeps who came."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.serving import TestServer

# number of the request: seconds, and a status, or 0 for a connection that is closed
Behaviour = Callable[[int], tuple[float, int]]


class AskedServer(TestServer):
    """Answers each request as `behaviour` says."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = lambda _: (0.0, 200)
        self.bodies: dict[int, bytes] = {}  # by status; {} of all others
        self.seen: list[tuple[int, str, dict[str, str]]] = []  # client's port, path, headers
        super().__init__(_Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: AskedServer

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.client_address[1], self.path, dict(self.headers)))
        seconds, status = self.server.behaviour(len(self.server.seen))
        self.server.closing.wait(seconds)
        if not status:
            self.close_connection = True
            return
        body = self.server.bodies.get(status, b"{}")
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_arguments: Any) -> None:
        """Stay quiet."""


def running() -> AbstractContextManager[AskedServer]:
    """Return a context in which a server says yes to everything at once, or as it is told."""
    return AskedServer().running()
