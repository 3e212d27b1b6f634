"""Whose the state bucket is: asked of a server that minds the owner, as S3 does.

The embedded AWS does not look at x-amz-expected-bucket-owner (MiniStack 1.x has no word of it).
"""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from lambda_dyno.aws import accounts
from lambda_dyno.core.errors import UserError
from lambda_dyno.environments import account_bucket
from tests.support.serving import TestServer

US, THEM = "123456789012", "987654321098"
USUAL = f"dyno-state-{US}-eu-west-1"


class OpenBucket(BaseHTTPRequestHandler):
    """Another account's bucket that is open to everybody; all others are missing."""

    def do_HEAD(self) -> None:
        """Answer as S3's HeadBucket does."""
        expected = self.headers.get("x-amz-expected-bucket-owner", THEM)
        known = self.path.strip("/") == USUAL
        self.send_response((200 if expected == THEM else 403) if known else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def account() -> Iterator[accounts.Account]:
    """Our account, at that server."""
    keys = {"AWS_ACCESS_KEY_ID": US, "AWS_SECRET_ACCESS_KEY": "x"}
    with TestServer(OpenBucket).running() as server:
        yield accounts.embedded({"AWS_ENDPOINT_URL": server.url, **keys}, US, "eu-west-1")


def test_the_usual_name_must_be_ours(account: accounts.Account) -> None:
    """It can be guessed: whoever takes it first, and opens it, would get the states."""
    with pytest.raises(UserError, match=rf"{USUAL} .* or is not account {US}'s \(403\)"):
        account_bucket.require(account, "")
    assert not account_bucket.exists(account, USUAL)


def test_one_that_dyno_toml_names_may_be_anothers(account: accounts.Account) -> None:
    """An account may keep the states of all; somebody has written that down."""
    assert account_bucket.require(account, USUAL) == USUAL


def test_a_missing_one_comes_with_how_to_make_it(account: accounts.Account) -> None:
    """The bootstrap, or by hand."""
    with pytest.raises(UserError, match=r"other does not exist.*\n  make bootstrap ENV=prod\n"):
        account_bucket.require(account, "other", "prod")
