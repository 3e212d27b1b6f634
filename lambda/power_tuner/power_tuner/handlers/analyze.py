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
        elsewhere = detour(request, state)
        if elsewhere:
            raise Detour(elsewhere)
        state.output = analyze(request, state, SETTINGS.visualization_url)
    return put_out(event, state, meter)
