"""Direct invocations of a function: what its REPORT line says, and what that costs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from lambda_dyno.compare.events import Events
from lambda_dyno.core.errors import StepError
from lambda_dyno.tuner_contract import prices, reports

_AT_ONCE = 3  # so that more than one sandbox answers
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Invoked:
    """One invocation.

    Attributes:
        version: What ran.
        billed_ms: What is paid for.
        cold: Whether it started a sandbox, which is in `billed_ms` then.
    """

    version: str
    billed_ms: float
    cold: bool


def reported(log_tail: str, version: str = "") -> Invoked | None:
    """Return what the last REPORT of a log tail says, in text or JSON; None without one."""
    report = reports.find(log_tail)
    if report is None or not report.billed_ms:
        return None
    return Invoked(version, report.billed_ms, report.cold)


def invoke(client: Any, function: str, events: Events, times: int) -> list[Invoked]:
    """Invoke a function some times, a few at once.

    Args:
        client: boto3's, for Lambda.
        function: Its ARN, with a version or an alias.
        events: What with.
        times: How often; whole passes of a workload.

    Raises:
        StepError: It fails on this event, so that there is nothing to compare.
    """
    found: list[Invoked] = []  # appending is atomic

    def ask(body: bytes) -> bytes:
        answer = client.invoke(FunctionName=function, Payload=body, LogType="Tail")
        tail = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
        if answer.get("FunctionError"):
            said = answer["Payload"].read().decode(errors="replace")[:_SHOWN]
            raise StepError("compare", f"{function} fails on what it is tuned with: {said}")
        invoked = reported(tail, str(answer.get("ExecutedVersion", "")))
        if invoked is None:
            raise StepError("compare", f"the log of {function} has no REPORT line")
        found.append(invoked)
        content: bytes = answer["Payload"].read()
        return content

    lanes = events.lanes(times)
    with ThreadPoolExecutor(min(_AT_ONCE, len(lanes))) as pool:
        list(pool.map(lambda lane: lane(ask), lanes))
    return found


def costs_usd(
    invoked: Sequence[Invoked], memory_mb: int, region: str, architecture: str
) -> list[float]:
    """Return the price of each warm invocation."""
    per_ms = float(prices.lookup(region, architecture).per_ms(memory_mb))
    return [one.billed_ms * per_ms for one in invoked if not one.cold]
