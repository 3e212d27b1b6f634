"""The execution's input: every key of aws-lambda-power-tuning and this project's own, checked.

A wrong value is refused before anything is changed, and the message names the key, what it
holds and what is allowed. Unknown keys are ignored, as aws-lambda-power-tuning does, but
become warnings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from power_tuner.errors import InvalidInput

Strategy = Literal["cost", "speed", "balanced"]

POWER_MIN_MB = 128
POWER_MAX_MB = 10_240
ALL_POWER_VALUES = tuple(range(128, 3008 + 1, 64))
NUM_MIN = 5
TRIM_DEFAULT = 0.2
TRIM_MAX = 0.4
_SHOWN_CHARS = 80
_MOST_UNKNOWN = 20

_FUNCTION_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12})"
    r":function:(?P<name>[A-Za-z0-9_-]{1,140})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)


@dataclass(frozen=True, slots=True)
class FunctionArn:
    """The parts of a Lambda function's ARN."""

    text: str  # without a qualifier
    region: str
    name: str
    qualifier: str  # version or alias; empty if the ARN has none

    @classmethod
    def parse(cls, value: Any, key: str) -> FunctionArn:
        """Return the parts, or raise `InvalidInput` that names the key."""
        match = _FUNCTION_ARN.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise InvalidInput(
                f"{key}: {_shown(value)} is not the ARN of a Lambda function, such as "
                "arn:aws:lambda:eu-west-1:123456789012:function:my-function"
            )
        qualifier = match["qualifier"] or ""
        text = value.removesuffix(f":{qualifier}") if qualifier else value
        return cls(text=text, region=match["region"], name=match["name"], qualifier=qualifier)


@dataclass(frozen=True, slots=True)
class TuningInput:
    """A checked input. Names follow the keys of the input; the payload is read on its own."""

    function: FunctionArn
    power_values: tuple[int, ...]  # MB, ascending, each once
    num: int
    payload: Any = None
    payload_s3: str = ""
    parallel_invocation: bool = False
    sequential: bool = False
    strategy: Strategy = "cost"
    balanced_weight: float = 0.5
    discard_top_bottom: float = TRIM_DEFAULT
    sleep_between_runs_ms: int = 0
    include_output_results: bool = False
    auto_optimize: bool = False
    auto_optimize_alias: str = ""
    dry_run: bool = False
    only_cold_starts: bool = False
    pre_processor_arn: str = ""
    post_processor_arn: str = ""
    disable_payload_logs: bool = False
    allowed_exceptions: tuple[str, ...] = ()
    allow_failures: bool = True
    on_conflict: Literal["fail", "wait"] = "fail"
    time_limit_s: float = math.inf  # from the execution's start to the end of measuring
    warnings: tuple[str, ...] = field(default=())

    @property
    def invocations(self) -> int:
        """Invocations to measure per power value."""
        return 1 if self.dry_run else self.num


_KEYS = frozenset(
    {
        "lambdaARN", "powerValues", "num", "payload", "payloadS3", "parallelInvocation",
        "sequential", "strategy", "balancedWeight", "discardTopBottom", "sleepBetweenRunsMs",
        "includeOutputResults", "autoOptimize", "autoOptimizeAlias", "dryRun", "onlyColdStarts",
        "preProcessorARN", "postProcessorARN", "disablePayloadLogs", "allowedExceptions",
        "allowFailures", "onConflict", "isolation", "timeLimitSeconds",
    }
)  # fmt: skip


def parse(raw: Any, default_power_values: Sequence[int]) -> TuningInput:
    """Return the checked input.

    Args:
        raw: The execution's input, as JSON gave it.
        default_power_values: What is measured when the input names no power values.

    Raises:
        InvalidInput: A value is wrong; the message names its key.
    """
    if not isinstance(raw, Mapping):
        raise InvalidInput(f"the input must be a JSON object, not {_shown(raw)}")
    keys = _Reader({k: v for k, v in raw.items() if v is not None})
    unknown = sorted(raw.keys() - _KEYS)
    warnings = [f"{_cut(key)}: not a key of the input, ignored" for key in unknown[:_MOST_UNKNOWN]]
    if len(unknown) > _MOST_UNKNOWN:
        warnings.append(f"{len(unknown) - _MOST_UNKNOWN} more keys are not known, and ignored")
    only_cold_starts = keys.flag("onlyColdStarts")
    keys.choice("isolation", ("alias",), "alias")
    parsed = TuningInput(
        function=_function(keys.get("lambdaARN")),
        power_values=_power_values(keys.get("powerValues"), default_power_values),
        num=_num(keys.get("num")),
        payload=raw.get("payload"),
        payload_s3=keys.text("payloadS3"),
        parallel_invocation=keys.flag("parallelInvocation"),
        sequential=keys.flag("sequential"),
        strategy=cast("Strategy", keys.choice("strategy", ("cost", "speed", "balanced"), "cost")),
        balanced_weight=_clamped(keys.number("balancedWeight", 0.5), 0.0, 1.0),
        discard_top_bottom=_trim(keys, only_cold_starts, warnings),
        sleep_between_runs_ms=_sleep(keys.get("sleepBetweenRunsMs"), warnings),
        include_output_results=keys.flag("includeOutputResults"),
        auto_optimize=keys.flag("autoOptimize"),
        auto_optimize_alias=_alias(keys.text("autoOptimizeAlias")),
        dry_run=keys.flag("dryRun"),
        only_cold_starts=only_cold_starts,
        pre_processor_arn=_processor(keys, "preProcessorARN"),
        post_processor_arn=_processor(keys, "postProcessorARN"),
        disable_payload_logs=keys.flag("disablePayloadLogs"),
        allowed_exceptions=_error_types(keys.get("allowedExceptions")),
        allow_failures=keys.flag("allowFailures", default=True),
        on_conflict=cast(
            'Literal["fail", "wait"]', keys.choice("onConflict", ("fail", "wait"), "fail")
        ),
        time_limit_s=_time_limit(keys),
    )
    return _with_warnings(parsed, warnings)


class _Reader:
    """Reads keys of one JSON object; absent and null are the same."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def get(self, key: str) -> Any:
        return self._values.get(key)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """A boolean; 0, 1, "true" and "false" are taken for one, as callers in shells write."""
        value = self._values.get(key, default)
        known = {"true": True, "false": False, "1": True, "0": False}
        if isinstance(value, bool):
            return value
        if isinstance(value, str | int) and str(value).lower() in known:
            return known[str(value).lower()]
        raise InvalidInput(f"{key}: {_shown(value)} is not true or false")

    def text(self, key: str) -> str:
        value = self._values.get(key, "")
        if not isinstance(value, str):
            raise InvalidInput(f"{key}: {_shown(value)} is not a string")
        return value

    def number(self, key: str, default: float) -> float:
        return _as_number(key, self._values.get(key, default))

    def choice(self, key: str, allowed: Sequence[str], default: str) -> str:
        value = self._values.get(key, default)
        if value == "":  # as in aws-lambda-power-tuning
            return default
        if value not in allowed:
            raise InvalidInput(f"{key}: {_shown(value)} is not one of {', '.join(allowed)}")
        return cast("str", value)


def _function(value: Any) -> FunctionArn:
    if not value:
        raise InvalidInput("lambdaARN: Missing or empty lambdaARN")
    arn = FunctionArn.parse(value, "lambdaARN")
    if arn.qualifier not in ("", "$LATEST"):
        raise InvalidInput(
            f"lambdaARN: {value} names a version or alias ({arn.qualifier}); a published version "
            f"cannot take another memory size, so give the function's own ARN: {arn.text}"
        )
    return arn


def _num(value: Any) -> int:
    number = _integer(value)
    if number is None or number < NUM_MIN:
        raise InvalidInput(
            f"num: Missing num or num below {NUM_MIN} (it is {_shown(value)}): invocations per "
            f"power value, an integer of at least {NUM_MIN}"
        )
    return number


def _power_values(value: Any, default: Sequence[int]) -> tuple[int, ...]:
    if value == "ALL":
        return ALL_POWER_VALUES
    if value is None or value in ([], ""):
        return tuple(sorted(set(default)))
    if not isinstance(value, list):
        raise InvalidInput(
            f'powerValues: {_shown(value)} is not a list of memory sizes in MB, and not "ALL"'
        )
    return tuple(sorted({_power_value(item) for item in value}))


def _power_value(item: Any) -> int:
    power = _integer(item)
    if power is None or not POWER_MIN_MB <= power <= POWER_MAX_MB:
        raise InvalidInput(
            f"powerValues: {_shown(item)} is not a memory size in MB, an integer from "
            f"{POWER_MIN_MB} to {POWER_MAX_MB}"
        )
    return power


def _trim(keys: _Reader, only_cold_starts: bool, warnings: list[str]) -> float:
    share = _clamped(keys.number("discardTopBottom", TRIM_DEFAULT), 0.0, TRIM_MAX)
    if not only_cold_starts:
        return share
    if keys.get("discardTopBottom") is not None and share > 0:
        warnings.append("discardTopBottom: nothing is discarded with onlyColdStarts")
    return 0.0


def _sleep(value: Any, warnings: list[str]) -> int:
    """Return whole milliseconds; what is not a number is 0, as in aws-lambda-power-tuning."""
    if value is None:
        return 0
    try:
        return max(0, int(_as_number("sleepBetweenRunsMs", value)))
    except InvalidInput:
        warnings.append(f"sleepBetweenRunsMs: {_shown(value)} is not a number, taken as 0")
        return 0


def _time_limit(keys: _Reader) -> float:
    if keys.get("timeLimitSeconds") is None:
        return math.inf
    seconds = keys.number("timeLimitSeconds", 0.0)
    if seconds <= 0:
        raise InvalidInput(f"timeLimitSeconds: {_shown(seconds)} is not more than 0")
    return seconds


def _processor(keys: _Reader, key: str) -> str:
    value = keys.get(key)
    if not value:
        return ""
    FunctionArn.parse(value, key)
    return cast("str", value)


def _alias(name: str) -> str:
    if name and (not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", name) or name.isdecimal()):
        raise InvalidInput(
            f"autoOptimizeAlias: {_shown(name)} is not the name of an alias: letters, digits, "
            "- and _, not digits alone"
        )
    return name


def _error_types(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidInput(f"allowedExceptions: {_shown(value)} is not a list of error types")
    return tuple(value)


def _integer(value: Any) -> int | None:
    """Return an integer or a string of one; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}\s*", value):
        return int(value)
    return None


def _as_number(key: str, value: Any) -> float:
    number = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
    if not math.isfinite(number):
        raise InvalidInput(f"{key}: {_shown(value)} is not a number")
    return number


def _clamped(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _shown(value: Any) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"


def _with_warnings(parsed: TuningInput, warnings: list[str]) -> TuningInput:
    if parsed.auto_optimize_alias and not parsed.auto_optimize:
        warnings.append("autoOptimizeAlias: has no effect without autoOptimize")
    if parsed.sleep_between_runs_ms and parsed.parallel_invocation:
        warnings.append("sleepBetweenRunsMs: has no effect with parallelInvocation")
    if parsed.payload_s3 and parsed.payload is not None:
        warnings.append("payload: not used, payloadS3 wins over it")
    return replace(parsed, warnings=tuple(warnings))
