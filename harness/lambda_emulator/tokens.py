"""What the server's secret signs: the standard library alone, for those who sign here, too."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any


def token(secret: str, meaning: str) -> str:
    """Return what allows one thing only, and tells nothing about the secret: 64 hex digits."""
    return hmac.new(secret.encode(), meaning.encode(), hashlib.sha256).hexdigest()


def web_identity(claims: Mapping[str, Any], secret: str) -> str:
    """Return a JSON web token (RFC 7519) with these claims that this server takes."""
    signed = ".".join(
        _base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)
    )
    return f"{signed}.{_base64url(_hs256(signed, secret))}"


def is_web_identity(token: str, secret: str) -> bool:
    """Tell whether a JSON web token is signed with the secret (HS256), whatever it claims.

    The algorithm that it names is not looked at: there is one.
    """
    signed, _, signature = token.rpartition(".")
    return same(_base64url(_hs256(signed, secret)), signature)


def same(one: str, other: str) -> bool:
    """Compare two texts in a time that tells nothing of where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def _hs256(text: str, secret: str) -> bytes:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
