"""The AWS clients of one Lambda environment.

They come from botocore: boto3 would only be wrapped around it, at a tenth of a second more
for every start of an environment.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config

from power_tuner.settings import Settings

_LOG = logging.getLogger(__name__)

_CONTROL = Config(retries={"mode": "standard", "total_max_attempts": 10})
_LEAST_READ_TIMEOUT_S = 10.0
_SESSION = botocore.session.get_session()


@cache
def client(service: str, region: str) -> Any:
    """Return a client, made once: the start of an environment has a whole CPU for it."""
    return _SESSION.create_client(service, region_name=region, config=_CONTROL)


def invoking_client(region: str, longest_s: float, most_at_once: int) -> Any:
    """Return a Lambda client for invocations that may take long and must not repeat unseen.

    Args:
        region: Of the functions.
        longest_s: Longest time to wait for an answer.
        most_at_once: Connections to keep.
    """
    config = Config(
        max_pool_connections=most_at_once,
        read_timeout=max(longest_s, _LEAST_READ_TIMEOUT_S),
        retries={"mode": "standard", "total_max_attempts": 1},
        tcp_keepalive=True,
    )
    return _SESSION.create_client("lambda", region_name=region, config=config)


def clean_up_after(settings: Settings) -> Callable[[str], None]:
    """Return a function that has CleanUp's own Lambda function clean up after an execution.

    The other states may not delete anything. It does nothing for an execution that runs.
    """

    def clean_up(execution_arn: str) -> None:
        answer = client("lambda", settings.region).invoke(
            FunctionName=settings.clean_up_function,
            Payload=json.dumps({"detail": {"executionArn": execution_arn}}),
        )
        if answer.get("FunctionError"):
            _LOG.warning("the clean-up after %s failed", execution_arn)

    return clean_up
