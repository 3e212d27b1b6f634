"""The AWS clients of one Lambda environment.

They come from botocore: boto3 would only be wrapped around it, at a tenth of a second more
for every start of an environment.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from power_tuner.errors import NotTunable
from power_tuner.settings import Settings

_LOG = logging.getLogger(__name__)

_CONTROL = Config(retries={"mode": "standard", "total_max_attempts": 10})
_LEAST_READ_TIMEOUT_S = 10.0
_SESSION_NAME = "dyno-tuner"  # in the CloudTrail of the function's account
_SESSION = botocore.session.get_session()


@cache
def client(service: str, region: str) -> Any:
    """Return a client, made once: the start of an environment has a whole CPU for it."""
    return _SESSION.create_client(service, region_name=region, config=_CONTROL)


class Role(NamedTuple):
    """Who may use the function, where that is in another account; empty: the tuner itself."""

    arn: str = ""
    external_id: str = ""

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Role:
        """Return what an input says, as it came."""
        return cls(str(raw.get("roleArn") or ""), str(raw.get("externalId") or ""))

    def keys(self, region: str) -> dict[str, str]:
        """Return its keys, for longer than a state takes; none if it is the tuner itself.

        Raises:
            NotTunable: It may not be assumed.
        """
        if not self.arn:
            return {}
        said = {"ExternalId": self.external_id} if self.external_id else {}
        try:
            found = client("sts", region).assume_role(
                RoleArn=self.arn, RoleSessionName=_SESSION_NAME, **said
            )["Credentials"]
        except ClientError as error:
            raise NotTunable(
                f"roleArn: {self.arn} cannot be assumed: it must be among the assumable_role_arns "
                "that the tuner was deployed with, and its trust policy must allow the tuner's "
                f"account, with the externalId if it wants one: {error}"
            ) from error
        return {
            "aws_access_key_id": found["AccessKeyId"],
            "aws_secret_access_key": found["SecretAccessKey"],
            "aws_session_token": found["SessionToken"],
        }


ITSELF = Role()


def client_of(role: Role, region: str) -> Any | None:
    """Return a Lambda client of a role; None if it is the tuner itself, which has `client`."""
    keys = role.keys(region)
    if not keys:
        return None
    return _SESSION.create_client("lambda", region_name=region, config=_CONTROL, **keys)


def invoking_client(region: str, longest_s: float, most_at_once: int, role: Role = ITSELF) -> Any:
    """Return a Lambda client for invocations that may take long and must not repeat unseen.

    Args:
        region: Of the functions.
        role: Who invokes.
        longest_s: Longest time to wait for an answer.
        most_at_once: Connections to keep.
    """
    config = Config(
        max_pool_connections=most_at_once,
        read_timeout=max(longest_s, _LEAST_READ_TIMEOUT_S),
        retries={"mode": "standard", "total_max_attempts": 1},
        tcp_keepalive=True,
    )
    return _SESSION.create_client("lambda", region_name=region, config=config, **role.keys(region))


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
