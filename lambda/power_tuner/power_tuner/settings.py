"""How the tuner was deployed, from the environment of its functions."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings; the module's Terraform sets all of them."""

    region: str
    default_power_values: tuple[int, ...]
    visualization_url: str
    architecture: str  # of the tuner's own functions
    clean_up_function: str
    total_timeout_s: float  # of an execution, which loses all that it has by then
    copy_role_arns: tuple[str, ...] = ()  # roles that copies of functions may be given
    copy_tags: Mapping[str, str] = field(default_factory=dict)
    copy_packages: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by architecture

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings."""
        values = environment.get("DEFAULT_POWER_VALUES", "128,256,512,1024,1536,3008")
        return cls(
            region=environment.get("AWS_REGION", "us-east-1"),
            default_power_values=tuple(int(value) for value in values.split(",")),
            visualization_url=environment.get(
                "VISUALIZATION_URL", "https://lambda-power-tuning.show/"
            ),
            architecture=environment.get("ARCHITECTURE", "arm64"),
            clean_up_function=environment.get("CLEAN_UP_FUNCTION", ""),
            total_timeout_s=float(environment.get("TOTAL_TIMEOUT_SECONDS", "inf")),
            copy_role_arns=tuple(json.loads(environment.get("COPY_ROLE_ARNS") or "[]")),
            copy_tags=json.loads(environment.get("COPY_TAGS") or "{}"),
            copy_packages=json.loads(environment.get("COPY_PACKAGES") or "{}"),
        )
