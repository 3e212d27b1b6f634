"""How fast this machine is against AWS Lambda, so that its CPU time can be told in AWS's.

The yardstick is a chain of SHA-256 hashes, the workload "cpu-intensive" of
github.com/cebert/aws-lambda-performance-benchmarks (MIT), which published what it takes on AWS
Lambda: means of 300 or 500 warm invocations per memory size, November and December 2025.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

ITERATIONS = 1_000_000
SEED = b"benchmark data for Lambda ARM vs x86 performance testing"
# CPU milliseconds of one chain on AWS, by Python version: the median of duration x memory / 1769
# over 128 to 1024 MB, where a function gets a share of one vCPU
REFERENCE_MS = {
    "x86_64": {(3, 11): 347.0, (3, 13): 387.0},
    "arm64": {(3, 12): 312.0, (3, 13): 310.0, (3, 14): 301.0},
}
_ROUNDS = 9
_STEADY = 0.05


@dataclass(frozen=True, slots=True)
class Calibration:
    """What one CPU second of this machine is worth on AWS."""

    machine_ms: float  # CPU time of the yardstick here
    variation: float  # standard deviation over mean of the rounds
    python: str  # the version that ran it
    reference_ms: dict[str, float]  # CPU time of the yardstick on AWS, by architecture
    factors: dict[str, float]  # AWS's CPU time for one of this machine, by architecture

    @property
    def steady(self) -> bool:
        """Whether the rounds agree; if not, the machine was busy."""
        return self.variation <= _STEADY

    def to_json(self) -> dict[str, Any]:
        """Return what `dyno local calibrate --json` prints."""
        return asdict(self) | {"steady": self.steady}


def calibrate(on_round: Callable[[int, int], None] | None = None) -> Calibration:
    """Run the yardstick on this machine; takes about two seconds.

    Args:
        on_round: Called with (rounds done, rounds in all).
    """
    rounds = []
    for done in range(1, _ROUNDS + 1):
        rounds.append(_yardstick_ms(ITERATIONS // 4) * 4)
        if on_round is not None:
            on_round(done, _ROUNDS)
    fastest = sorted(rounds)[: _ROUNDS - 2]  # the slowest were disturbed
    machine_ms = statistics.median(fastest)
    reference_ms = {
        architecture: _nearest(versions, sys.version_info[:2])
        for architecture, versions in REFERENCE_MS.items()
    }
    return Calibration(
        machine_ms=machine_ms,
        variation=statistics.pstdev(fastest) / machine_ms,
        python=f"{sys.version_info[0]}.{sys.version_info[1]}",
        reference_ms=reference_ms,
        factors={name: value / machine_ms for name, value in reference_ms.items()},
    )


def _yardstick_ms(iterations: int) -> float:
    sha256, data = hashlib.sha256, SEED
    begin = time.thread_time()
    for _ in range(iterations):
        data = sha256(data).digest()
    return (time.thread_time() - begin) * 1000


def _nearest(versions: dict[tuple[int, int], float], version: tuple[int, int]) -> float:
    return versions[min(versions, key=lambda known: abs(known[1] - version[1]))]
