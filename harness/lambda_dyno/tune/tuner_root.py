"""The variables of the root `envs/_tuner`: a tuner that may touch one function, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_dyno.aws import lambda_function
from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.tune.preflight import processors
from lambda_dyno.tuner_contract import prices
from lambda_dyno.tuner_contract.keys import is_cloned
from lambda_dyno.tuner_contract.values import s3_location

# Beside what every environment gets.
VARIABLES = (
    "architecture",
    "assumable_role_arns",
    "copies",
    "copy_packages",
    "kms_key_arns",
    "payload_bucket",
    "processor_function_arns",
    "total_timeout_seconds",
    "tunable_function_arns",
)

# The state machine's own limit lies behind ours, so that it is the one who asked who stops it.
_LATER_S = 300
_LIMITS_S = (60, 604_800)


def variables(
    function: Function,
    tuning_input: Mapping[str, Any],
    *,
    region: str,
    timeout_minutes: float,
    payload_key_arn: str,
    copy_packages: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """Return what an input needs, and nothing more.

    Args:
        function: What is tuned.
        tuning_input: The whole input.
        region: Where the tuner will be.
        timeout_minutes: Longest time to measure.
        payload_key_arn: KMS key of the payload in S3; empty: it needs none, or nobody may look.
        copy_packages: Path and SHA-256 of the function's packages for other architectures.
    """
    location = s3_location(tuning_input.get("payloadS3") or "")
    seconds = timeout_minutes * 60 + _LATER_S
    return {
        "architecture": prices.tuner_architecture(region),
        "assumable_role_arns": [arn for arn in [tuning_input.get("roleArn")] if arn],
        "copies": {
            "role_arns": [function.role_arn],
            "layer_arns": list(function.layer_arns),
            "in_vpc": function.in_vpc,
        }
        if is_cloned(tuning_input)
        else None,
        "copy_packages": copy_packages,
        "kms_key_arns": sorted({key for key in (function.kms_key_arn, payload_key_arn) if key}),
        "payload_bucket": location
        and {"name": location[0], "key_pattern": _literally(location[1])},
        "processor_function_arns": sorted(
            {lambda_function.unqualified(arn) for arn in processors(tuning_input).values()}
        ),
        "total_timeout_seconds": int(min(max(seconds, _LIMITS_S[0]), _LIMITS_S[1])),
        "tunable_function_arns": [function.arn],
    }


def _literally(key: str) -> str:
    """Return an S3 key as IAM must read it to mean that key and no other."""
    return "".join(f"${{{letter}}}" if letter in "*?$" else letter for letter in key)
