"""The state bucket as it is planned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plan.conftest import Resources

pytestmark = pytest.mark.plan


def test_the_bucket_refuses_everybody_without_tls(examples: dict[str, Resources]) -> None:
    """No principal is excepted, and no action."""
    address = "module.bootstrap.aws_s3_bucket_policy.this[0]"
    policy = json.loads(examples["bootstrap/basic"][address]["values"]["policy"])
    arn = "arn:aws:s3:::dyno-state-111122223333-eu-west-1"
    (statement,) = policy["Statement"]
    assert statement == {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Action": "*",
        "Principal": "*",
        "Resource": [f"{arn}/*", arn],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
