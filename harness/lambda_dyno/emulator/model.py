"""How long a function would take on AWS Lambda, by its memory size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from lambda_dyno.core.config import MEMORY_SIZES_MB
from lambda_dyno.core.errors import UserError
from lambda_emulator.meter_path.dyno_meter.cfs import CPU, WAIT, duration_ms

_LONGEST_MS = 86_400_000  # a day; AWS ends an invocation after 15 minutes
_MOST_THREADS = 1024  # as many processes and threads a function may have


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution's mean and standard deviation, in ms."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model says of one memory size."""

    memory_mb: int
    duration_ms: Spread

    def to_json(self) -> dict[str, Any]:
        """Return what `dyno local model --json` prints."""
        return asdict(self)


def predict(
    cpu_ms: float, memory_mb: Iterable[int], *, threads: int = 1, blocked_ms: float = 0.0
) -> list[Prediction]:
    """Return the modelled duration at each memory size.

    Args:
        cpu_ms: CPU time of one invocation, of all threads together.
        memory_mb: Memory sizes.
        threads: How many threads or processes share the work evenly.
        blocked_ms: Time in which nothing runs, once the CPU time is used.

    Raises:
        UserError: A number that cannot be.
    """
    sizes = tuple(memory_mb)
    _check(cpu_ms, sizes, threads, blocked_ms)
    steps = ((CPU, cpu_ms, float(threads)), (WAIT, blocked_ms))
    return [Prediction(size, Spread(*duration_ms(steps, size))) for size in sizes]


def _check(cpu_ms: float, sizes: tuple[int, ...], threads: int, blocked_ms: float) -> None:
    if not 0 <= cpu_ms <= _LONGEST_MS:
        raise UserError(f"CPU time {cpu_ms:g} ms: must be 0 to {_LONGEST_MS:,}")
    if not 0 <= blocked_ms <= _LONGEST_MS:
        raise UserError(f"blocked time {blocked_ms:g} ms: must be 0 to {_LONGEST_MS:,}")
    if not 1 <= threads <= _MOST_THREADS:
        raise UserError(f"threads {threads}: must be 1 to {_MOST_THREADS}")
    if not sizes:
        raise UserError("no memory size given")
    for size in sizes:
        if size not in MEMORY_SIZES_MB:
            raise UserError(
                f"memory size {size} MB: must be {MEMORY_SIZES_MB[0]} to {MEMORY_SIZES_MB[-1]}"
            )
