"""What a tuning itself cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_dyno.core import formatting


def sentence(output: Mapping[str, Any]) -> str:
    """Return what the tuning cost and for what; empty if the output does not say.

    Args:
        output: The state machine's output, as it came.
    """
    machine, own = output.get("stateMachine"), output.get("tuner")
    if not isinstance(machine, Mapping) or not isinstance(own, Mapping):
        return ""
    prices = output.get("prices") or {}
    currency = prices.get("currency", "USD")
    invocations = sum(detail.get("invocations") or 0 for detail in output.get("details", ()))
    requests = invocations * prices.get("requestsPerMillion", 0.0) / 1_000_000
    target = machine.get("lambdaCost", 0.0) + requests
    transitions = machine.get("executionCost", 0.0)
    functions = own.get("cost", 0.0) - transitions
    return (
        f"The tuning cost {formatting.usd(target + own.get('cost', 0.0))} {currency}: "
        f"{formatting.usd(target)} for {_count(invocations, 'invocation')} of the function, "
        f"{formatting.usd(transitions)} for "
        f"{_count(own.get('transitions', 0), 'state transition')}, "
        f"{formatting.usd(functions)} for {formatting.rounded(own.get('gbSeconds', 0.0))} "
        "GB-seconds of the tuner."
    )


def _count(number: int, what: str) -> str:
    return f"{formatting.integer(number)} {what}{'' if number == 1 else 's'}"
