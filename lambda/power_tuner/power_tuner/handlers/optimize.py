"""Optimize: give $LATEST the best power value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from power_tuner.analyze import analyze
from power_tuner.aws import Role, clean_up_after, client, client_of
from power_tuner.function import Deadline, Function
from power_tuner.handlers.common import SETTINGS, deadline_at, errors_of, put_out, request_of
from power_tuner.meter import Meter
from power_tuner.optimize import Optimization
from power_tuner.state import TuningState

_MARGIN_S = 5.0
client("lambda", SETTINGS.region)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Return the state with the execution's output; CleanUp comes next."""
    meter = Meter(context)
    with errors_of("Optimize"):
        request = request_of(event)
        state = TuningState.from_json(event["state"])
        state.usage.note_detour()
        output = analyze(request, state, SETTINGS.visualization_url)
        deadline = Deadline(deadline_at(context, _MARGIN_S))
        region = request.function.region
        api = client_of(Role.of(event["input"]), region) or client("lambda", region)
        function = Function(api, request.function, deadline)
        alias = request.auto_optimize_alias
        optimization = Optimization(function, event["execution"], clean_up_after(SETTINGS))
        optimization.apply(output["power"], alias)
        state.output = output | {"optimized": {"power": output["power"], "alias": alias or None}}
    return put_out(event, state, meter)
