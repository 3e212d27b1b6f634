"""tune.api_events: what a token claims, in the event of each kind of API."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from lambda_dyno.aws.apis import ApiForm, Kind, Route
from lambda_dyno.tune.api_events import HttpRequest, claims_of, event_of

CLAIMS = {"sub": "ann", "exp": 1_900_000_000, "groups": ["a", "b"], "ok": True, "scope": "r w"}
TEXTS = {"sub": "ann", "exp": "1900000000", "groups": "[a b]", "ok": "true", "scope": "r w"}
URL = "https://abc.execute-api.us-east-1.amazonaws.com/v1"


def token(claims: Any) -> str:
    """Return a JSON web token that nobody has signed."""
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + ".c2ln"


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        (f"Bearer {token(CLAIMS)}", CLAIMS),
        (token(CLAIMS), CLAIMS),
        (f"Bearer {token(['a list'])}", None),
        ("Bearer opaque", None),
        ("Bearer a.%%%.c", None),
        ("Bearer a.\u00e9.c", None),
        ("Basic YTpi", None),
    ],
)
def test_a_token_claims_what_is_in_it(header: str, claims: dict[str, Any] | None) -> None:
    """Whatever else stands there is none."""
    assert claims_of((("authorization", header), ("x-other", "1"))) == claims


@pytest.mark.parametrize(
    ("kind", "has_scopes", "authorizer"),
    [
        ("rest", False, {"claims": TEXTS}),
        ("http", False, {"jwt": {"claims": TEXTS, "scopes": None}}),
        ("http", True, {"jwt": {"claims": TEXTS, "scopes": ["r", "w"]}}),
        ("http-1.0", True, {"claims": TEXTS, "scopes": ["r", "w"]}),
    ],
)
def test_each_api_has_its_form(kind: Kind, has_scopes: bool, authorizer: dict[str, Any]) -> None:
    """As AWS documents it."""
    route = Route("GET", "/items", has_claims=True, has_scopes=has_scopes)
    form = ApiForm(kind, URL, "v1", "abc", (route,))
    event = event_of(HttpRequest("GET", f"{URL}/items", claims=CLAIMS), form)
    assert event["requestContext"]["authorizer"] == authorizer


@pytest.mark.parametrize(("has_claims", "claims"), [(False, CLAIMS), (True, None)])
def test_none_where_nobody_asks_for_a_token(has_claims: bool, claims: Any) -> None:
    """Nor where none was sent."""
    form = ApiForm("http", URL, "v1", "abc", (Route("GET", "/items", has_claims),))
    event = event_of(HttpRequest("GET", f"{URL}/items", claims=claims), form)
    assert "authorizer" not in event["requestContext"]
