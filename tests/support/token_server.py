"""An API and its token server on one port: tokens live as long as they are told, and no longer.

The API wants a token that it gave out, or keys that are the newest, and keeps who asked what.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from tests.support.serving import TestServer

CLIENT_ID = "shop client"  # form encoding and a space: RFC 6749 has both
CLIENT_SECRET = "c1ient:s3cret/of+shop"  # pragma: allowlist secret
USER, PASSWORD = "ada", "pa55word-of-ada"  # pragma: allowlist secret
REFRESH = "refresh-0-of-shop"


class TokenServer(TestServer):
    """Gives out tokens at /token and asks for them everywhere else.

    Attributes:
        lifetime_s: Of tokens.
        expires_in: What is said of it; None: nothing.
        refuse: Whether no token is given out.
        missed: Once a token has been given out, no other one is until so many requests went
            without a good one.
        strict: Whether a token ends at its time. If not, the newest two are good for longer: a
            busy machine renews them late.
        keys: Access key ids that are good just now, for /signed.
    """

    def __init__(self) -> None:
        self.lifetime_s = 2.0
        self.expires_in: Any = 2
        self.refuse = False
        self.missed = 0
        self.strict = False
        self.keys: set[str] = set()
        self.given: list[tuple[str, str]] = []  # grant and token, in order
        self.answers: list[tuple[str, int]] = []  # path and status of all but /token
        self._until: dict[str, float] = {}
        self._refresh = REFRESH
        self._lock = threading.Lock()
        super().__init__(_Handler)

    @property
    def tokens(self) -> list[str]:
        return [token for _, token in self.given]

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Answer at /token as a server does that believes nobody."""
        with self._lock:
            if self.refuse or not self._knows(form, authorization):
                return 401, {"error": "invalid_client"}
            if self.given and sum(status == 401 for _, status in self.answers) < self.missed:
                return 503, {"error": "temporarily_unavailable"}
            number = len(self.given)
            token = f"t0ken-{number}-{'x' * 24}"
            self.given.append((form["grant_type"], token))
            self._until[token] = time.monotonic() + self.lifetime_s
            answer = {"access_token": token, "token_type": "Bearer"}
            if self.expires_in is not None:
                answer["expires_in"] = self.expires_in
            if form["grant_type"] == "refresh_token":
                self._refresh = f"refresh-{number + 1}-of-shop"
                answer["refresh_token"] = self._refresh
            return 200, answer

    def _knows(self, form: dict[str, str], authorization: str) -> bool:
        basic = authorization.removeprefix("Basic ")
        by_header = [unquote_plus(x) for x in base64.b64decode(basic).decode().split(":")]
        by_body = [form.get("client_id", ""), form.get("client_secret", "")]
        is_client = [CLIENT_ID, CLIENT_SECRET] in (by_header, by_body)
        match form.get("grant_type"):
            case "client_credentials":
                return is_client
            case "password":
                return (form.get("username"), form.get("password")) == (USER, PASSWORD)
            case "refresh_token":
                return form.get("refresh_token") == self._refresh
        return False

    def is_good(self, authorization: str) -> bool:
        token = authorization.removeprefix("Bearer ")
        if not self.strict and token in self.tokens[-2:]:
            return True
        return time.monotonic() < self._until.get(token, 0.0)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: TokenServer

    def _answer(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        authorization = self.headers.get("Authorization", "")
        path = self.path.partition("?")[0]
        if path == "/token":
            return self._say(*self.server.token(dict(parse_qsl(text)), authorization))
        if path.startswith("/signed"):
            key = authorization.partition("Credential=")[2].partition("/")[0]
            status = 200 if key in self.server.keys else 403
        elif path.startswith("/open"):
            status = 200
        else:
            status = 200 if self.server.is_good(authorization) else 401
        self.server.answers.append((path, status))
        return self._say(status, {})

    def _say(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = _answer  # noqa: N815

    def log_message(self, *_arguments: Any) -> None:
        """Stay quiet."""


def running() -> AbstractContextManager[TokenServer]:
    """Return a context in which it runs."""
    return TokenServer().running()
