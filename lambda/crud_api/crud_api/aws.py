"""The DynamoDB client. It is botocore's: boto3 adds start-up time and nothing that is used."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from botocore.session import get_session

# At most 3 attempts of 1 + 3 seconds: an answer before the function's timeout of 15 seconds.
_CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    tcp_keepalive=True,
    parameter_validation=False,  # parameters.py did it, with messages for the caller
)


def dynamodb_client() -> Any:
    """Return a new client; its connections are kept for the life of the container."""
    return get_session().create_client("dynamodb", config=_CONFIG)
