"""What all handlers share."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lambda_dyno.tuner_contract.keys import TuningInput
from lambda_dyno.tuner_contract.values import size_bytes
from power_tuner.errors import NOTHING_CHANGED, AwsCallFailed, ChangedMeanwhile, TunerError, named
from power_tuner.meter import Meter
from power_tuner.request import parse
from power_tuner.settings import Settings
from power_tuner.state import TuningState

SETTINGS = Settings.from_environment()


def request_of(event: Mapping[str, Any]) -> TuningInput:
    """Return the execution's input, checked."""
    return parse(event["input"], SETTINGS.default_power_values)


def deadline_at(context: Any, margin_s: float) -> float:
    """Return until when a handler may work, by `time.monotonic`.

    Args:
        context: Lambda's.
        margin_s: Seconds that are kept back, to put out what there is.
    """
    left_s: float = context.get_remaining_time_in_millis() / 1000 - margin_s
    return time.monotonic() + left_s


def put_out(event: Mapping[str, Any], state: TuningState, meter: Meter) -> dict[str, Any]:
    """Return the state as JSON, this invocation's own cost included."""
    meter.add_to(state.usage, event)
    return state.to_json(input_bytes=size_bytes(event["input"]))


@contextmanager
def errors_of(state: str, *, nothing_changed: bool = False) -> Iterator[None]:
    """Give errors a name that survives, and those of AWS the state that they happened in.

    Args:
        state: Name of the state.
        nothing_changed: Whether errors that say that nothing was changed are true in it.
    """
    try:
        yield
    except NOTHING_CHANGED as error:
        raise named(error if nothing_changed else ChangedMeanwhile(str(error))) from error
    except TunerError as error:
        raise named(error) from error
    except Exception as error:
        # botocore is not imported here: Analyze does without it
        if type(error).__module__.startswith("botocore"):
            raise named(AwsCallFailed(f"{state} failed: {error}")) from error
        raise
