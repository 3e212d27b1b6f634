"""Kinds of functions that cannot be tuned, or whose figures lack something: by configuration.

The command line looks before it deploys a tuner, and the power tuner looks again, since an
execution may be started without the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambda_dyno.tuner_contract.values import USABLE_STATES

Configuration = Mapping[str, Any]  # as GetFunctionConfiguration answers

_PACKAGE_TYPES = ("Zip", "Image")
# What CreateFunction takes with the request (AWS Lambda quotas, deployment package size, 2026-11).
COPY_BYTES_MAX = 50 * 1024 * 1024


def why_not(config: Configuration) -> str:
    """Return why a function cannot be tuned, to be read behind its name; empty if it can."""
    return next((words for check in _REFUSALS if (words := check(config))), "")


def why_no_copy(config: Configuration) -> str:
    """Return why a copy of a function would not be the same, to be read behind its name.

    Empty if it would be; what cannot be tuned at all is `why_not`'s to say.
    """
    return next((words for check in _NO_COPIES if (words := check(config))), "")


def warnings(config: Configuration) -> list[str]:
    """Return what the figures of a function leave out."""
    return [words for check in _WARNINGS if (words := check(config))]


def streams(config: Configuration) -> bool:
    """Return whether the Lambda Web Adapter in a function streams its answers."""
    variables = (config.get("Environment") or {}).get("Variables") or {}
    return str(variables.get("AWS_LWA_INVOKE_MODE", "")).lower() == "response_stream"


def _state(config: Configuration) -> str:
    state = config.get("State") or "Active"
    if state not in USABLE_STATES:
        reason = config.get("StateReason") or "no reason given"
        return f"cannot be invoked: its State is {state} ({reason}). Deploy it again first"
    return ""


def _replica(config: Configuration) -> str:
    if not config.get("MasterArn"):
        return ""
    return f"is a replica that Lambda@Edge made: tune {config['MasterArn']}"


def _managed_instances(config: Configuration) -> str:
    if not config.get("CapacityProviderConfig"):
        return ""
    return (
        "runs on Lambda Managed Instances (CapacityProviderConfig): these are paid for by the "
        "hour, whatever is invoked, and each memory size that is published would start instances "
        "of its own"
    )


def _tenants(config: Configuration) -> str:
    if not config.get("TenancyConfig"):
        return ""
    return (
        "isolates its tenants (TenancyConfig): Lambda refuses an invocation without a tenant id, "
        "and the tuner has none to give"
    )


def _durable(config: Configuration) -> str:
    if not config.get("DurableConfig"):
        return ""
    return (
        "is a durable function (DurableConfig): it works in many invocations with waits between "
        "them, and the REPORT of one tells neither its duration nor its cost"
    )


def _no_reports(config: Configuration) -> str:
    logging = config.get("LoggingConfig") or {}
    if logging.get("LogFormat") != "JSON" or logging.get("SystemLogLevel") != "WARN":
        return ""
    return (
        "logs in JSON at the system log level WARN, so no log has the REPORT that is measured. Set "
        "SystemLogLevel to INFO in its LoggingConfig for the tuning"
    )


def _snapshots(config: Configuration) -> str:
    on = (config.get("SnapStart") or {}).get("ApplyOn") == "PublishedVersions"
    if not on or str(config.get("Runtime", "")).startswith("java"):
        return ""  # Java's snapshots cost nothing
    return (
        "SnapStart: what AWS charges for keeping a snapshot and for each restore, by its size, is "
        "in no cost here. It grows with the memory size, and each published size is kept for three "
        "hours at least"
    )


def _package(config: Configuration) -> str:
    kind = config.get("PackageType") or "Zip"
    if kind in _PACKAGE_TYPES:
        return ""
    return f"its PackageType {kind} is not known here: look whether the figures make sense"


def _signed(config: Configuration) -> str:
    if not (config.get("SigningJobArn") or config.get("SigningProfileVersionArn")):
        return ""
    return (
        "has a signed package (AWS Signer): a copy of it would not be signed, and so not the same"
    )


def _unknown_package(config: Configuration) -> str:
    words = _package(config)
    return f"cannot be copied: {words}" if words else ""


def _secrets(config: Configuration) -> str:
    error = (config.get("Environment") or {}).get("Error")
    if not error:
        return ""
    return (
        f"cannot be copied: its environment variables cannot be read ({error.get('ErrorCode')}): "
        "the ARN of its KMS key must be among the kms_key_arns of the tuner"
    )


def _too_large(config: Configuration) -> str:
    size = int(config.get("CodeSize") or 0)
    if size <= COPY_BYTES_MAX or config.get("PackageType") == "Image":
        return ""
    return (
        f"cannot be copied: its package has {size / 1e6:,.0f} MB, and Lambda takes "
        f"{COPY_BYTES_MAX / 1e6:,.0f} MB with a request. Tune it with isolation alias"
    )


_NO_COPIES: Sequence[Callable[[Configuration], str]] = (
    _signed,
    _unknown_package,
    _secrets,
    _too_large,
)
_REFUSALS: Sequence[Callable[[Configuration], str]] = (
    _replica,
    _managed_instances,
    _tenants,
    _durable,
    _state,
    _no_reports,
)
_WARNINGS: Sequence[Callable[[Configuration], str]] = (_snapshots, _package)
