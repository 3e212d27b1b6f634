"""Settings from the environment, and the AWS clients of one Lambda environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

_CONTROL = Config(retries={"mode": "standard", "total_max_attempts": 10})
_MOST_CONNECTIONS = 200
_LEAST_READ_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How the tuner was deployed."""

    default_power_values: tuple[int, ...]
    visualization_url: str
    architecture: str  # of the tuner's own functions
    clean_up_function: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings; the module's Terraform sets all of them."""
        values = environment.get("DEFAULT_POWER_VALUES", "128,256,512,1024,1536,3008")
        return cls(
            default_power_values=tuple(int(value) for value in values.split(",")),
            visualization_url=environment.get(
                "VISUALIZATION_URL", "https://lambda-power-tuning.show/"
            ),
            architecture=environment.get("ARCHITECTURE", "arm64"),
            clean_up_function=environment.get("CLEAN_UP_FUNCTION", ""),
        )


class Clients:
    """AWS clients, made once: the start of an environment has a whole CPU for it."""

    def __init__(self) -> None:
        self.region = os.environ.get("AWS_REGION", "us-east-1")
        self._functions: dict[str, Any] = {}

    @property
    def states(self) -> Any:
        """Of Step Functions."""
        return self._made("stepfunctions", self.region)

    def functions(self, region: str) -> Any:
        """Of Lambda, for everything but invoking what is tuned."""
        return self._made("lambda", region)

    def invoking(self, region: str, longest_s: float) -> Any:
        """Of Lambda, for invocations that may take long and must not be repeated unseen."""
        config = Config(
            max_pool_connections=_MOST_CONNECTIONS,
            read_timeout=max(longest_s, _LEAST_READ_TIMEOUT_S),
            retries={"mode": "standard", "total_max_attempts": 1},
            tcp_keepalive=True,
        )
        return boto3.client("lambda", region_name=region, config=config)

    def _made(self, service: str, region: str) -> Any:
        key = f"{service} {region}"
        if key not in self._functions:
            self._functions[key] = boto3.client(service, region_name=region, config=_CONTROL)
        return self._functions[key]


@cache
def clients() -> Clients:
    """Return the clients of this environment, with the one that every state needs."""
    made = Clients()
    made.functions(made.region)
    return made
