"""A little S3 on this machine: objects are added once, and it cuts or stalls as it is told."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

from tests.support.serving import TestServer


class S3Server(TestServer):
    """The server.

    Attributes:
        objects: What is there, by "BUCKET/KEY".
        cut: Of so many further uploads only half is read, then the connection ends.
        cut_after: So many further ones are stored, and the connection ends without an answer.
        refused: So many further uploads are answered 403.
        stalls_from: The number of the upload from which on none is answered.
        stalls: Whether uploads are read, and never answered.
        asked: Keys of all uploads, in their order.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.cut = self.cut_after = self.refused = 0
        self.stalls = False
        self.stalls_from: int | None = None
        self.asked: list[str] = []
        self.lock = threading.Lock()
        super().__init__(_Handler)


class _Handler(BaseHTTPRequestHandler):
    server: S3Server
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        key = unquote(self.path.partition("?")[0]).lstrip("/")
        length = int(self.headers["Content-Length"])
        with self.server.lock:
            self.server.asked.append(key)
        if self._counted("cut"):
            self.rfile.read(length // 2)
            self.close_connection = True
            return
        content = self.rfile.read(length)
        first = self.server.stalls_from
        if self.server.stalls or (first is not None and len(self.server.asked) >= first):
            self.server.closing.wait(60)
            self.close_connection = True
            return
        if self._counted("refused"):
            self._answer(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
            return
        assert self.headers["If-None-Match"] == "*"
        assert "if-none-match" in self.headers["Authorization"]  # signed
        with self.server.lock:
            is_new = self.server.objects.setdefault(key, content) is content
        if self._counted("cut_after"):
            self.close_connection = True
        elif is_new:
            etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
            self._answer(200, "", ETag=f'"{etag}"')
        else:
            self._answer(412, "<Error><Code>PreconditionFailed</Code><Message>.</Message></Error>")

    def _counted(self, name: str) -> bool:
        with self.server.lock:
            left = getattr(self.server, name)
            setattr(self.server, name, max(0, left - 1))
        return bool(left)

    def _answer(self, status: int, body: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running() -> Iterator[S3Server]:
    """Serve until the test is done."""
    with S3Server().running() as server:
        yield server
