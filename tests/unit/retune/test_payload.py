"""Payloads from S3: what they may be."""

from __future__ import annotations

import pytest

from retune.errors import PayloadNotUsable
from retune.payload import BYTES_MAX, parse


def test_a_payload_is_json() -> None:
    """As it is; weights are the tuner's matter."""
    assert parse(b'{"a": [1, "\xc3\xa9"]}', "s3://b/k") == {"a": [1, "é"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"{", "is no JSON: JSONDecodeError", id="half"),
        pytest.param(b"\xc3(", "is no JSON: UnicodeDecodeError", id="bytes"),
        pytest.param(b'{"a": NaN}', "is no JSON: ValueError", id="what no JSON has"),
        pytest.param(b" " * (BYTES_MAX + 1), "at most 131072 are allowed", id="too large"),
    ],
)
def test_what_is_none_is_refused(content: bytes, said: str) -> None:
    """In one line that says where, and nothing of what is in it."""
    with pytest.raises(PayloadNotUsable, match=f"^s3://b/k .*{said}$"):
        parse(content, "s3://b/k")
