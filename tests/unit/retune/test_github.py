"""Telling GitHub: a real server in its place, that knows the app's public key."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from retune.errors import NotDispatched
from retune.github import App, dispatch
from retune.rs256 import PrivateKey
from tests.support.serving import TestServer
from tests.unit.retune.test_rs256 import EXPONENT, Made, pem

NOW_S = 1_764_597_600
TOKEN = "ghs_0123456789"


@dataclass
class Asked:
    """What the server was asked, and how it answers instead."""

    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    token: str = TOKEN


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.from_pem(pem("RSA ", Made(2048).pkcs1))


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def app(key: PrivateKey, asked: Asked) -> Iterator[App]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.requests.append((self.path, self.headers["Authorization"], body))
            kind = self.path.rpartition("/")[2]
            status = asked.statuses.get(kind, 201 if kind == "access_tokens" else 204)
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            answer = json.dumps({"token": asked.token}).encode() if status == 201 else b""
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    with TestServer(Handler).running() as server:
        yield App(server.url, "12345", "678", "acme/shop", key)


def test_a_repository_is_told(app: App, asked: Asked) -> None:
    """By a token for this one repository, which the app's signature has asked for."""
    dispatch(app, "dyno-retuned", {"row": "r"}, NOW_S)
    (first, bearer, body), (second, other, told) = asked.requests
    assert first == "/app/installations/678/access_tokens"
    assert body == {"repositories": ["shop"], "permissions": {"contents": "write"}}
    signed, _, signature = bearer.removeprefix("Bearer ").rpartition(".")
    claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
    assert claims == {"iat": NOW_S - 60, "exp": NOW_S + 300, "iss": "12345"}
    number = int.from_bytes(base64.urlsafe_b64decode(signature + "=="), "big")
    opened = pow(number, EXPONENT, app.key.modulus).to_bytes(256, "big")
    assert opened.endswith(hashlib.sha256(signed.encode()).digest())
    assert (second, other) == ("/repos/acme/shop/dispatches", f"Bearer {TOKEN}")
    assert told == {"event_type": "dyno-retuned", "client_payload": {"row": "r"}}


@pytest.mark.parametrize(
    ("kind", "status"),
    [("access_tokens", 401), ("access_tokens", 307), ("dispatches", 404), ("dispatches", 302)],
)
def test_a_refusal_is_said_without_the_token(
    app: App, asked: Asked, kind: str, status: int
) -> None:
    """And a redirection is one: the token goes nowhere else."""
    asked.statuses[kind] = status
    with pytest.raises(NotDispatched, match=rf"/{kind}: HTTP status {status}$") as refused:
        dispatch(app, "dyno-retuned", {}, NOW_S)
    assert TOKEN not in str(refused.value)
    assert [path.rpartition("/")[2] for path, *_ in asked.requests][-1] == kind


def test_what_is_no_token_is_not_sent(app: App, asked: Asked) -> None:
    """It would become a header."""
    asked.token = "a\r\nX-Evil: 1"
    with pytest.raises(NotDispatched, match="no token in the answer"):
        dispatch(app, "dyno-retuned", {}, NOW_S)
    assert len(asked.requests) == 1


def test_nobody_there(key: PrivateKey) -> None:
    """One line."""
    app = App("http://127.0.0.1:9", "1", "2", "acme/shop", key)
    with pytest.raises(NotDispatched, match=r"access_tokens: URLError$"):
        dispatch(app, "dyno-retuned", {}, NOW_S)
