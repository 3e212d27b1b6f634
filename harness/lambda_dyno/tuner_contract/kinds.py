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


def why_not(config: Configuration) -> str:
    """Return why a function cannot be tuned, to be read behind its name; empty if it can."""
    return next((words for check in _REFUSALS if (words := check(config))), "")


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


_REFUSALS: Sequence[Callable[[Configuration], str]] = (
    _replica,
    _managed_instances,
    _tenants,
    _durable,
    _state,
    _no_reports,
)
_WARNINGS: Sequence[Callable[[Configuration], str]] = (_snapshots, _package)
