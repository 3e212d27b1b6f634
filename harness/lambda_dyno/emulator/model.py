"""How long a function would take on AWS Lambda, by its memory size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from lambda_dyno.core.config import MEMORY_SIZES_MB
from lambda_dyno.core.errors import UserError
from lambda_emulator.meter_path.dyno_meter.cfs import CPU, MB_PER_VCPU, WAIT, duration_ms
from lambda_emulator.meter_path.dyno_meter.size import heap_pressure, transfer_stretch

Architecture = Literal["arm64", "x86_64"]

CPU_SPEEDS = (0.85, 1.0, 1.15)
"""What CPU time may be multiplied with: what this machine's own share of it varies by."""
_LONGEST_MS = 86_400_000  # a day; AWS ends an invocation after 15 minutes
_CLOSE = 0.03
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
    cost_share: float  # its price over that of the cheapest size: billed ms x memory
    cheapest_at: tuple[float, ...]  # the `CPU_SPEEDS` at which no size costs less

    def to_json(self) -> dict[str, Any]:
        """Return what `dyno local model --json` prints."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Work:
    """What one invocation does, as the model sees it.

    Attributes:
        cpu_ms: CPU time, of all threads together.
        threads: Threads or processes that share it evenly.
        blocked_ms: Time in which nothing runs, once the CPU time is used.
        transfer_ms: Time for bytes from or to the network at 1769 MB; bandwidth follows memory.
        live_mb: Live data in a heap that is collected (JVM, Node.js, .NET, Go): near the memory
            size, collecting costs CPU time.
        architecture: "arm64" or "x86_64".
    """

    cpu_ms: float
    threads: int = 1
    blocked_ms: float = 0.0
    transfer_ms: float = 0.0
    live_mb: float = 0.0
    architecture: Architecture = "x86_64"

    def duration_ms(self, memory_mb: int) -> Spread:
        """Return mean and spread of the duration at a memory size."""
        cpu_ms = self.cpu_ms * heap_pressure(self.live_mb, memory_mb)
        transfer_ms = self.transfer_ms and self.transfer_ms * transfer_stretch(memory_mb)
        steps = ((CPU, cpu_ms, float(self.threads)), (WAIT, self.blocked_ms + transfer_ms))
        return Spread(*duration_ms(steps, memory_mb, self.architecture))


def predict(work: Work, memory_mb: Iterable[int]) -> list[Prediction]:
    """Return the modelled duration at each memory size.

    Raises:
        UserError: A number that cannot be.
    """
    sizes = tuple(memory_mb)
    _check(work, sizes)
    spreads = [work.duration_ms(size) for size in sizes]
    costs = [_cost(spread.mean, size) for spread, size in zip(spreads, sizes, strict=True)]
    least = min(costs) or 1.0
    by_speed = cheapest_by_speed(work, sizes)
    return [
        Prediction(
            size,
            spread,
            cost / least,
            tuple(factor for factor, cheapest in by_speed.items() if cheapest == size),
        )
        for size, spread, cost in zip(sizes, spreads, costs, strict=True)
    ]


def cheapest_by_speed(work: Work, memory_mb: Iterable[int]) -> dict[float, int]:
    """Return the cheapest size if the CPU is slower or faster than thought.

    Not even AWS's own cores are alike: generations differ by 30 %. A choice that changes within
    this range is none between sizes, but between machines.

    Returns:
        The cheapest size by what CPU time is multiplied with, `CPU_SPEEDS`.

    Raises:
        UserError: A number that cannot be.
    """
    sizes = tuple(memory_mb)
    _check(work, sizes)
    found = {}
    for factor in CPU_SPEEDS:
        other = replace(work, cpu_ms=work.cpu_ms * factor)
        found[factor] = min(sizes, key=lambda size: _cost(other.duration_ms(size).mean, size))
    return found


def durations_by_speed(durations_ms: Mapping[int, float]) -> dict[float, dict[int, float]]:
    """Return what measured durations would be if the CPU were slower or faster than it was.

    For whoever chooses a size by them: a choice that is another one at one of these speeds lies
    within the machine's own uncertainty. Of a function of one thread.

    Args:
        durations_ms: Durations by memory size in MB, at least two.

    Returns:
        Durations by memory size, by what CPU time is multiplied with, `CPU_SPEEDS`.
    """
    work = _work_of(durations_ms)
    modelled = {size: work.duration_ms(size).mean for size in durations_ms}
    found: dict[float, dict[int, float]] = {}
    for factor in CPU_SPEEDS:
        other = replace(work, cpu_ms=work.cpu_ms * factor)
        found[factor] = {
            size: took_ms * other.duration_ms(size).mean / (modelled[size] or 1.0)
            for size, took_ms in durations_ms.items()
        }
    return found


def _work_of(durations_ms: Mapping[int, float]) -> Work:
    """Return the CPU time and waiting that durations are nearest to.

    They begin at the line through the durations by CPU share, then the model itself decides: its
    steps say more of a short function's CPU time than any line.
    """
    weights = {size: took_ms**-2 for size, took_ms in durations_ms.items() if took_ms > 0}
    stretches = {size: max(1.0, MB_PER_VCPU / size) for size in weights}
    total = sum(weights.values()) or 1.0
    x = sum(w * stretches[size] for size, w in weights.items()) / total
    y = sum(w * durations_ms[size] for size, w in weights.items()) / total
    squares = sum(w * (stretches[size] - x) ** 2 for size, w in weights.items())
    products = sum(
        w * (stretches[size] - x) * (durations_ms[size] - y) for size, w in weights.items()
    )
    cpu_ms = max(0.0, products / squares) if squares else 0.0
    blocked_ms = max(0.0, y - cpu_ms * x)
    near = [
        Work(cpu_ms * (0.8 + 0.01 * step), blocked_ms=blocked_ms * share)
        for share in (0.0, 0.5, 1.0)
        for step in range(81)
    ]

    def misfit(work: Work) -> float:
        errors = [abs(work.duration_ms(size).mean / durations_ms[size] - 1) for size in weights]
        # steps look like waiting to a line: without any is as good, if it is nearly so
        return sum(errors) + (_CLOSE if work.blocked_ms else 0.0)

    return min(near, key=misfit)


def _cost(duration_ms: float, memory_mb: int) -> float:
    return math.ceil(round(duration_ms, 3)) * memory_mb


def _check(work: Work, sizes: tuple[int, ...]) -> None:
    for name, value_ms in (
        ("CPU", work.cpu_ms),
        ("blocked", work.blocked_ms),
        ("transfer", work.transfer_ms),
    ):
        if not 0 <= value_ms <= _LONGEST_MS:
            raise UserError(f"{name} time {value_ms:g} ms: must be 0 to {_LONGEST_MS:,}")
    if not 1 <= work.threads <= _MOST_THREADS:
        raise UserError(f"threads {work.threads}: must be 1 to {_MOST_THREADS}")
    if not sizes:
        raise UserError("no memory size given")
    for size in sizes:
        if size not in MEMORY_SIZES_MB:
            raise UserError(
                f"memory size {size} MB: must be {MEMORY_SIZES_MB[0]} to {MEMORY_SIZES_MB[-1]}"
            )
    if not 0 <= work.live_mb < min(sizes):
        raise UserError(f"live data {work.live_mb:g} MB: must be 0 to less than {min(sizes)} MB")


def lines(predictions: Sequence[Prediction]) -> Iterator[str]:
    """Yield a line for each size, and one if the cheapest hangs on how fast the CPU is."""
    for prediction in predictions:
        spread, more = prediction.duration_ms, prediction.cost_share - 1
        price = f"{more:+.0%}" if more else "cheapest"
        yield f"{prediction.memory_mb:>6} MB  {spread.mean:>10.1f} ms  ± {spread.std:<8.1f} {price}"
    cheapest = [prediction for prediction in predictions if prediction.cheapest_at]
    if len(cheapest) > 1:
        each = ", ".join(
            f"{c.memory_mb} MB at {' and '.join(f'{speed:g}' for speed in c.cheapest_at)}"
            for c in cheapest
        )
        yield f"the cheapest size hangs on the CPU's speed: {each} times this CPU time"
