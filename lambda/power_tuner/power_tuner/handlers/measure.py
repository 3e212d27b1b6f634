"""Measure: invoke what Prepare published, as far as the time goes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from power_tuner.aws import ITSELF, Role, invoking_client
from power_tuner.errors import NothingMeasured
from power_tuner.function import Deadline
from power_tuner.handlers.common import SETTINGS, deadline_at, errors_of, put_out, request_of
from power_tuner.invoker import Invoker, LambdaInvoker
from power_tuner.measure import Measurer
from power_tuner.meter import Meter
from power_tuner.processors import WithProcessors
from power_tuner.sources import read_payloads
from power_tuner.state import TuningState

_MARGIN_S = 15.0
# A function of almost 15 minutes is answered last, and few such answers are soon put out.
_LEAST_MARGIN_S = 4.0
# Analyze and CleanUp come after, within the time that an execution has.
_CONCLUDING_S = 240.0
_CONCLUDING_SHARE = 0.1  # if that is less
# A thread with its connection takes 0.1 MB, and a little CPU, which comes with memory. One
# process may have 1024 files and threads.
_MOST_AT_ONCE = 500


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Return the state with what was measured."""
    meter = Meter(context)
    with errors_of("Measure"):
        request = request_of(event)
        state = TuningState.from_json(event["state"])
        if state.passes:
            state.usage.note_detour()
        pass_ends_at = deadline_at(context, margin_s(context, state.timeout_s))
        limit_s = min(request.time_limit_s, longest_measuring_s(SETTINGS.total_timeout_s))
        time_is_up_at = time.monotonic() + left_s(event.get("started"), limit_s)
        deadline = Deadline(min(pass_ends_at, time_is_up_at))
        most_at_once = min(int(context.memory_limit_in_mb), _MOST_AT_ONCE)

        def invoker_in(region: str, role: Role = ITSELF, **options: Any) -> Invoker:
            client = invoking_client(region, deadline.left_s, most_at_once, role)
            return LambdaInvoker(client, deadline, **options)

        function = invoker_in(
            request.function.region,
            Role.of(event["input"]),
            longest_s=state.timeout_s,
            keeps_answers=bool(request.post_processor_arn or request.workload),
            streams=state.streams,
        )
        invoke = WithProcessors(function, request, invoker_in)
        plan = read_payloads(request, SETTINGS.region, event["execution"])
        last = time_is_up_at <= pass_ends_at
        # what may be spent is shared by the architectures, which are measured one by one
        share = replace(request, max_cost_usd=request.max_cost_usd / len(state.sides))
        for side in state.sides:
            if state.others and side.is_over(adaptive=request.adaptive):
                continue
            measurer = Measurer(share, plan, invoke, deadline, most_at_once, event["execution"])
            try:
                measurer.run(side, last=last)
            except NothingMeasured as error:
                if side is state:
                    raise
                state.left_out[side.architecture] = str(error)
        state.others = [one for one in state.others if one.architecture not in state.left_out]
    return put_out(event, state, meter)


def margin_s(context: Any, timeout_s: float) -> float:
    """Return how much of its time a pass keeps to put out what it has, in seconds.

    Args:
        context: Lambda's.
        timeout_s: Of the function that is measured: as much is left to it as there is.
    """
    spare_s: float = context.get_remaining_time_in_millis() / 1000 - timeout_s
    return max(_LEAST_MARGIN_S, min(_MARGIN_S, spare_s))


def longest_measuring_s(total_timeout_s: float) -> float:
    """Return how long an execution may measure that has so many seconds for all of it."""
    return max(total_timeout_s - _CONCLUDING_S, total_timeout_s * (1 - _CONCLUDING_SHARE))


def left_s(started: str | None, time_limit_s: float) -> float:
    """Return how long an execution may still measure, in seconds; negative when time is up.

    Args:
        started: When it started, as Step Functions writes it; None: not known, so without limit.
        time_limit_s: From its start on.
    """
    if started is None:
        return math.inf
    elapsed = datetime.now(UTC) - datetime.fromisoformat(started)
    return time_limit_s - elapsed.total_seconds()
