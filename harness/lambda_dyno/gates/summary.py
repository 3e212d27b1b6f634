"""The four lines that every place shows of a run first."""

from __future__ import annotations

from dataclasses import replace

from lambda_dyno.core.results import RunResult
from lambda_dyno.gates.advice import advised
from lambda_dyno.money import bill


def completed(result: RunResult) -> RunResult:
    """Return a run with all that follows from what it found so far."""
    return replace(advised(result), money=bill.of_result(result))
