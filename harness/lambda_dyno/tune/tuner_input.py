"""The power tuner's input: made of settings and flags, or read from a file and changed by flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_dyno.core.config import Settings, TuningSettings, with_overrides
from lambda_dyno.core.errors import UserError
from lambda_dyno.tune.validation import is_true

# Keys of [tuning] in dyno.toml, and what the state machine calls them.
SETTINGS_KEYS = {
    "power_values": "powerValues",
    "num": "num",
    "strategy": "strategy",
    "balanced_weight": "balancedWeight",
    "parallel_invocation": "parallelInvocation",
    "sequential": "sequential",
    "sleep_between_runs_ms": "sleepBetweenRunsMs",
    "discard_top_bottom": "discardTopBottom",
    "only_cold_starts": "onlyColdStarts",
    "payload": "payload",
    "payload_s3": "payloadS3",
    "pre_processor_arn": "preProcessorARN",
    "post_processor_arn": "postProcessorARN",
    "disable_payload_logs": "disablePayloadLogs",
    "include_output_results": "includeOutputResults",
    "allowed_exceptions": "allowedExceptions",
    "allow_failures": "allowFailures",
    "on_conflict": "onConflict",
}

# Flags without a key in dyno.toml: a run of a whole environment has no use for them. The memory
# size of its function is Terraform's, and a dry run has nothing to recommend.
FLAGS_ONLY = {
    "dry_run": "dryRun",
    "auto_optimize": "autoOptimize",
    "auto_optimize_alias": "autoOptimizeAlias",
}

KEYS = SETTINGS_KEYS | FLAGS_ONLY
_PAYLOADS = frozenset({"payload", "payload_s3"})

# What the state machine takes for a key that is left out. Saying it again would only make the
# input longer, and warn of keys that have no effect together.
_DEFAULTS: dict[str, Any] = {
    "balancedWeight": 0.5,
    "parallelInvocation": False,
    "sequential": False,
    "sleepBetweenRunsMs": 0,
    "discardTopBottom": 0.2,
    "onlyColdStarts": False,
    "payloadS3": "",
    "preProcessorARN": "",
    "postProcessorARN": "",
    "disablePayloadLogs": False,
    "includeOutputResults": False,
    "allowedExceptions": [],
    "allowFailures": True,
    "onConflict": "fail",
}


def from_settings(settings: TuningSettings, function_arn: str, payload: Any) -> dict[str, Any]:
    """Return the input that measures a function as [tuning] says.

    Args:
        settings: The section.
        function_arn: What to measure.
        payload: The event; not used if the settings name one in S3.
    """
    tuning_input: dict[str, Any] = {"lambdaARN": function_arn}
    for name, key in SETTINGS_KEYS.items():
        value = getattr(settings, name)
        if name != "payload" and (key not in _DEFAULTS or value != _DEFAULTS[key]):
            tuning_input[key] = value
    return tuning_input if settings.payload_s3 else tuning_input | {"payload": payload}


def from_flags(
    settings: Settings, flags: Mapping[str, Any], payload: Any
) -> tuple[dict[str, Any], Settings]:
    """Return the input that settings and flags make, and the settings with the flags in them.

    Args:
        settings: Of an environment, or the defaults.
        flags: What the command line gives, by the names in `KEYS`.
        payload: The environment's event; a flag `payload` or `payload_s3` takes its place.

    Raises:
        UserError: A flag has a value that is not allowed.
    """
    overrides = {
        f"tuning.{name}": value
        for name, value in flags.items()
        if name in SETTINGS_KEYS and name != "payload"
    }
    if "payload" in flags:
        overrides["tuning.payload_s3"] = ""  # an event may be null, which is no override
    changed = with_overrides(settings, overrides)
    tuning_input = from_settings(changed.tuning, "", flags.get("payload", payload))
    tuning_input |= {key: flags[name] for name, key in FLAGS_ONLY.items() if name in flags}
    return tuning_input, changed


def from_file(content: Any, flags: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a raw input as a file has it, with the flags in the place of its keys.

    Args:
        content: What the file holds, as JSON gave it.
        flags: As for `from_flags`.
        where: The file, for the message.

    Raises:
        UserError: It is no JSON object, or a flag has a value that is not allowed.
    """
    if not isinstance(content, Mapping):
        raise UserError(
            f"{where}: a tuning's input is a JSON object, such as "
            '{"lambdaARN": "arn:aws:lambda:...", "num": 50, "payload": {}}'
        )
    from_flags_alone, _ = from_flags(Settings(), flags, None)
    replaced = {KEYS[name] for name in flags}
    if _PAYLOADS & flags.keys():
        replaced |= {KEYS[name] for name in _PAYLOADS}
    # a flag that says what is the default anyway is in no input: then the file's key goes, too
    return {key: value for key, value in content.items() if key not in replaced} | {
        key: value
        for key, value in from_flags_alone.items()
        if key in replaced and not (key == "payload" and "payload" not in flags)
    }


def as_settings(tuning_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input by the names of [tuning], for a run's evidence.

    With `disablePayloadLogs` the payload is left out: evidence is a log.
    """
    names = {"lambdaARN": "function_arn"} | {key: name for name, key in KEYS.items()}
    content = {names.get(key, key): value for key, value in tuning_input.items()}
    if is_true(tuning_input.get("disablePayloadLogs")):
        content.pop("payload", None)
    return content
