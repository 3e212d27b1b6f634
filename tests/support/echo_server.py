"""A small echo service, of the kind that public collections are written against."""

from __future__ import annotations

import base64
import json
import time
from contextlib import AbstractContextManager
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.serving import TestServer

BASIC = "Basic " + base64.b64encode(b"user:word").decode()
TRICKLE_S = 30.0


class EchoServer(TestServer):
    """Answers by path; `seen` has the method and path of every request."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        super().__init__(_Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: EchoServer

    def _answer(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        self.server.seen.append(f"{self.command} {url.path}")
        match url.path.split("/")[1:]:
            case ["early"]:  # before it has read what is sent
                self._json({})
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
            case ["trickle"]:
                self._trickle()
            case ["never"]:
                self.server.closing.wait(TRICKLE_S)
                self.close_connection = True
            case ["status", status]:
                self._read()
                self._json({"status": int(status)}, int(status))
            case ["auth", kind]:
                self._read()
                self._json({}, 200 if self._may(kind, query) else 401)
            case ["digest"]:
                self._read()
                self._digest()
            case ["token"]:
                self._read()
                self._json({"access_token": "t0ken"})
            case ["set-cookie"]:
                self._read()
                self._json({}, 302, {"Location": "/echo", "Set-Cookie": "a=1; Path=/"})
            case _:
                self._json(self._echo(query))

    def _echo(self, query: dict[str, str]) -> dict[str, Any]:
        text = self._read().decode("utf-8", "replace")
        is_form = "urlencoded" in self.headers.get("Content-Type", "")
        cookies = SimpleCookie(self.headers.get("Cookie", ""))
        return {
            "args": query,
            "cookies": {name: morsel.value for name, morsel in cookies.items()},
            "form": dict(parse_qsl(text)) if is_form else {},
            "text": text,
        }

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def _may(self, kind: str, query: dict[str, str]) -> bool:
        given = self.headers.get("Authorization", "")
        return {
            "bearer": given == "Bearer t0ken",
            "basic": given == BASIC,
            "apikey": self.headers.get("x-api-key") == "k3y",
            "none": not given,
            "query": query.get("key") == "k3y",
            "sigv4": given.startswith("AWS4-HMAC-SHA256 Credential=AKIDOFTHEIRS/"),
        }[kind]

    def _digest(self) -> None:
        if self.headers.get("Authorization", "").startswith("Digest "):
            self._json({})
        else:
            how = 'Digest realm="r", nonce="n", qop="auth"'
            self._json({}, 401, {"WWW-Authenticate": how})

    def _trickle(self) -> None:
        """Begin an answer that comes to no end."""
        self._read()
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        until = time.monotonic() + TRICKLE_S
        try:
            while time.monotonic() < until and not self.server.closing.wait(0.1):
                self.wfile.write(b".")
        except OSError:
            pass
        self.close_connection = True

    def _json(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815

    def log_message(self, *_arguments: Any) -> None:
        """Stay quiet."""


def running() -> AbstractContextManager[EchoServer]:
    """Return a context in which the service runs."""
    return EchoServer().running()
