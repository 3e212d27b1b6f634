"""The AWS clients of one Lambda environment; botocore's, since boto3 would be start-up time."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

_CONFIG = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 5},
)
_SESSION = botocore.session.get_session()


@cache
def client(service: str) -> Any:
    """Return a client, the same one each time."""
    return _SESSION.create_client(service, config=_CONFIG)


def error_code(error: ClientError) -> str:
    """Return what AWS calls an error."""
    return str(error.response.get("Error", {}).get("Code", ""))
