"""The execution's input: every key of aws-lambda-power-tuning and this project's own, checked.

A wrong value is refused before anything is changed, and the message names the key, what it
holds and what is allowed. Unknown keys are ignored, as aws-lambda-power-tuning does, but
become warnings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lambda_dyno.tuner_contract.arns import FunctionArn
from lambda_dyno.tuner_contract.keys import KEYS, TuningInput, conflict, is_adaptive, is_needless
from lambda_dyno.tuner_contract.values import WrongValueError, cut, shown
from power_tuner.errors import InvalidInput

_KNOWN = frozenset(key.name for key in KEYS)
_MOST_UNKNOWN = 20


def parse(raw: Any, default_power_values: Sequence[int]) -> TuningInput:
    """Return the checked input.

    Args:
        raw: The execution's input, as JSON gave it.
        default_power_values: What is measured when the input names no power values.

    Raises:
        InvalidInput: A value is wrong; the message names its key.
    """
    if not isinstance(raw, Mapping):
        raise InvalidInput(f"the input must be a JSON object, not {shown(raw)}")
    warnings = list(_unknown(raw))
    named = () if is_adaptive(raw) else default_power_values
    values: dict[str, Any] = {"power_values": tuple(sorted(set(named)))}
    for key in KEYS:
        if is_needless(key, raw):
            values.setdefault(key.field, 0)
            continue
        try:
            value = key.read(raw)
        except WrongValueError as error:
            if key.kind != "milliseconds":
                raise InvalidInput(f"{key.name}: {error}") from error
            # as in aws-lambda-power-tuning
            warnings.append(f"{key.name}: {error}, taken as {key.default}")
            continue
        if value is not None:
            values[key.field] = value
    if values.get("only_cold_starts"):
        if raw.get("discardTopBottom") is not None and values["discard_top_bottom"] > 0:
            warnings.append("discardTopBottom: nothing is discarded with onlyColdStarts")
        values["discard_top_bottom"] = 0.0
    problem = conflict(values)
    if problem:
        raise InvalidInput(problem)
    parsed = TuningInput(**values)
    return replace(parsed, warnings=(*warnings, *_without_effect(parsed)))


def function_arn(value: Any, key: str) -> FunctionArn:
    """Return the parts of a function's ARN.

    Raises:
        InvalidInput: It is none; the message names the key.
    """
    try:
        return FunctionArn.parse(value)
    except WrongValueError as error:
        raise InvalidInput(f"{key}: {error}") from error


def _unknown(raw: Mapping[str, Any]) -> Iterator[str]:
    unknown = sorted(raw.keys() - _KNOWN)
    for key in unknown[:_MOST_UNKNOWN]:
        yield f"{cut(key)}: not a key of the input, ignored"
    if len(unknown) > _MOST_UNKNOWN:
        yield f"{len(unknown) - _MOST_UNKNOWN} more keys are not known, and ignored"


def _without_effect(parsed: TuningInput) -> Iterator[str]:
    if parsed.auto_optimize_alias and not parsed.auto_optimize:
        yield "autoOptimizeAlias: has no effect without autoOptimize"
    if parsed.sleep_between_runs_ms and parsed.parallel_invocation:
        yield "sleepBetweenRunsMs: has no effect with parallelInvocation"
    if parsed.adaptive and parsed.parallel_invocation:
        yield "parallelInvocation: has no effect with adaptive measuring"
    if parsed.limit_on != "p95" and parsed.strategy != "limit":
        yield "limitOn: has no effect without strategy limit"
    if parsed.payload_s3 and parsed.payload is not None:
        yield "payload: not used, payloadS3 wins over it"
