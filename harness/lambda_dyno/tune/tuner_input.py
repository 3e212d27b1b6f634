"""The power tuner's input: made of settings and flags, or read from a file and changed by flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_dyno.core.config import Settings, TuningSettings, with_overrides
from lambda_dyno.core.errors import UserError
from lambda_dyno.tuner_contract.keys import KEYS, OF_FIXED, is_adaptive
from lambda_dyno.tuner_contract.values import is_true
from lambda_dyno.tuner_contract.workload import Workload, packed

# What flags say, by the names of their fields.
FLAGGED = {key.field: key for key in KEYS if key.flag}
# Fields that say what the function is called with.
PAYLOADS = frozenset({"payload", "payload_s3", "workload"})


def from_settings(
    settings: TuningSettings, function_arn: str, payload: Any, workload: Any = None
) -> dict[str, Any]:
    """Return the input that measures a function as [tuning] says.

    Args:
        settings: The section.
        function_arn: What to measure.
        payload: The event; not used if the settings name one in S3.
        workload: What is asked in the place of it; None: nothing.
    """
    tuning_input: dict[str, Any] = {"lambdaARN": function_arn}
    for key in KEYS:
        if not key.setting or key.field == "payload":
            continue
        value = getattr(settings, key.field)
        # To say a default again would only make the input longer, and warn of keys that have no
        # effect together.
        if key.field == "measuring" and value == key.default:
            continue  # which a tuner of an older release does not know
        if key.setting_default is not None or value != key.initial:
            tuning_input[key.name] = value
    tuning_input = {
        key.name: tuning_input[key.name]
        for key in KEYS
        if key.name in tuning_input and not (key.field in OF_FIXED and is_adaptive(tuning_input))
    }
    if workload is not None:
        return tuning_input | {"workload": packed(workload)}
    return tuning_input if settings.payload_s3 else tuning_input | {"payload": payload}


def from_flags(
    settings: Settings, flags: Mapping[str, Any], payload: Any
) -> tuple[dict[str, Any], Settings]:
    """Return the input that settings and flags make, and the settings with the flags in them.

    Args:
        settings: Of an environment, or the defaults.
        flags: What the command line gives, by the names in `FLAGGED`.
        payload: The environment's event; a flag `payload` or `payload_s3` takes its place.

    Raises:
        UserError: A flag has a value that is not allowed.
    """
    overrides = {
        f"tuning.{name}": value
        for name, value in flags.items()
        if (FLAGGED[name].setting and name != "payload") or name == "prior"
    }
    if flags.get("dry_run"):  # an invocation at each size that is named
        overrides["tuning.measuring"] = "fixed"
    if {"payload", "workload"} & flags.keys():
        overrides["tuning.payload_s3"] = ""  # an event may be null, which is no override
    changed = with_overrides(settings, overrides)
    tuning_input = from_settings(
        changed.tuning, "", flags.get("payload", payload), flags.get("workload")
    )
    tuning_input |= {
        FLAGGED[name].name: value
        for name, value in flags.items()
        if not FLAGGED[name].setting and name != "prior"  # it is looked up where runs are known
    }
    if "isolation" in flags:  # said, its default refuses what would be taken without it
        tuning_input["isolation"] = flags["isolation"]
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
    names = {*flags, *(PAYLOADS if PAYLOADS & flags.keys() else ())}
    replaced = {FLAGGED[name].name for name in names}
    # a flag that says what is the default anyway is in no input: then the file's key goes, too
    return {key: value for key, value in content.items() if key not in replaced} | {
        key: value
        for key, value in from_flags_alone.items()
        if key in replaced and not (key == "payload" and "payload" not in flags)
    }


def as_settings(tuning_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input by the names of [tuning], for a run's evidence.

    With `disablePayloadLogs` the payload is left out: evidence is a log. Of a workload it has the
    names of the requests.
    """
    names = {"lambdaARN": "function_arn"} | {key.name: key.field for key in FLAGGED.values()}
    content = {names.get(key, key): value for key, value in tuning_input.items()}
    if tuning_input.get("workload") is not None:
        workload = Workload.parse(tuning_input["workload"])
        content["workload"] = ", ".join(request.name for request in workload.requests)
    if isinstance(tuning_input.get("prior"), Mapping):
        content["prior"] = str(tuning_input["prior"].get("run") or "given")
    if is_true(tuning_input.get("disablePayloadLogs")):
        content.pop("payload", None)
    return content
