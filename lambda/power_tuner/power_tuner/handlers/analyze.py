"""Analyze: decide whether enough is measured, then which power value is best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from power_tuner.analyze import analyze, detour
from power_tuner.errors import Detour
from power_tuner.handlers.common import SETTINGS, errors_of, put_out, request_of
from power_tuner.meter import Meter
from power_tuner.state import TuningState


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Return the state with the execution's output; CleanUp comes next.

    Raises:
        Detour: Another state comes next, and then this one again or never.
    """
    meter = Meter(context)
    with errors_of("Analyze"):
        request = request_of(event)
        state = TuningState.from_json(event["state"])
        elsewhere = {detour(request, side) for side in state.sides} - {""}
        if elsewhere:
            raise Detour(max(elsewhere))  # Prepare comes before Measure
        outputs = [analyze(request, side, SETTINGS.visualization_url) for side in state.sides]
        state.output = outputs[0]
        if request.architectures and not request.dry_run:
            from power_tuner.sides import joint  # one architecture does not wait for it

            sides = list(zip(state.sides, outputs, strict=True))
            state.output["architectures"] = joint(request, sides, state.left_out)
        for output in outputs[1:]:
            state.output["stateMachine"]["lambdaCost"] += output["stateMachine"]["lambdaCost"]
    return put_out(event, state, meter)
