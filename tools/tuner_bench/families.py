"""Write curves that nobody measured: families of functions, for what the tuner was not fitted on.

None of them is one of the tuner's own shapes: waiting and work overlap, memory runs short by an
exponential, speed follows a power of memory, threads share what the kernel gives them. Each table
has errors of its own, as tables of ten invocations have.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Callable
from typing import Any

from lambda_emulator.meter_path.dyno_meter import cfs

_MB_PER_VCPU = cfs.MB_PER_VCPU
_SIZES_MB = (
    (128, 256, 512, 1024, 1536, 3008),
    (128, 256, 512, 1024, 1769, 2048),
    (128, 256, 512, 1024, 1769, 3008, 5120, 10240),
    tuple(range(128, 3009, 128)),
)
_FINE_MB = (*range(128, 1900, 8), 2048, 2560, 3008, 5120, 10240)
_ERRORS = {"cpu": 0.012, "mixed": 0.03, "io": 0.04}  # standard deviation of a table's cells, in ln

Law = Callable[[int], float]  # ms at a memory size


def _cpu(chance: random.Random) -> tuple[str, Law]:
    """One thread; a little less than inversely to memory."""
    cpu_ms, power = _log_between(chance, 300, 20_000), chance.uniform(0.85, 1.08)
    knee = chance.uniform(0.95, 1.15)
    return "cpu", lambda mb: cpu_ms * (min(mb / _MB_PER_VCPU, knee) / knee) ** -power


def _io(chance: random.Random) -> tuple[str, Law]:
    """Waiting, and little work that overlaps with it."""
    waits_ms = _log_between(chance, 20, 3000)
    cpu_ms = waits_ms * _log_between(chance, 0.005, 0.15)
    return "io", lambda mb: _overlapped(waits_ms, cpu_ms * max(1.0, _MB_PER_VCPU / mb), 3.0)


def _mixed(chance: random.Random) -> tuple[str, Law]:
    """Work in part beside the waiting."""
    waits_ms, cpu_ms = _log_between(chance, 30, 2000), _log_between(chance, 30, 1000)
    sharp = chance.uniform(1.0, 4.0)
    return "mixed", lambda mb: _overlapped(waits_ms, cpu_ms * max(1.0, _MB_PER_VCPU / mb), sharp)


def _memory(chance: random.Random) -> tuple[str, Law]:
    """A working set that does not fit at small sizes."""
    cpu_ms, floor_ms = _log_between(chance, 50, 5000), _log_between(chance, 5, 500)
    needs_mb, more = _log_between(chance, 100, 700), chance.uniform(0.3, 4.0)

    def law(memory_mb: int) -> float:
        short = math.exp(-memory_mb / needs_mb) * more
        return floor_ms + cpu_ms * max(1.0, _MB_PER_VCPU / memory_mb) * (1 + short)

    return "mixed", law


def _processes(chance: random.Random) -> tuple[str, Law]:
    """Several processes on the vCPUs that there are, with a part that is one's alone."""
    cpu_ms, width = _log_between(chance, 200, 10_000), chance.choice((2, 3, 4, 6, 8))
    alone_ms = cpu_ms * chance.uniform(0.0, 0.3)
    architecture = chance.choice(_ARCHITECTURES)
    steps = ((cfs.CPU, cpu_ms, width), (cfs.CPU, alone_ms, 1))
    return "cpu", lambda mb: cfs.duration_ms(steps, mb, architecture)[0]


def _stairs(chance: random.Random) -> tuple[str, Law]:
    """Short work in periods of 20 ms: by the law that was fitted, or by the plain quota."""
    cpu_ms, waits_ms = _log_between(chance, 4, 60), chance.choice((0.0, 0.0, 3.0, 10.0))
    if chance.random() < 0.5:
        steps = ((cfs.CPU, cpu_ms, 1), (cfs.WAIT, waits_ms))
        return "cpu", lambda mb: cfs.duration_ms(steps, mb)[0]
    runs_on_ms = chance.uniform(0.0, 3.0)  # before a used quota is noticed

    def law(memory_mb: int) -> float:
        quota_ms = cfs.PERIOD_MS * min(1.0, memory_mb / _MB_PER_VCPU)
        if quota_ms >= cfs.PERIOD_MS:
            return cpu_ms + waits_ms
        periods = max(0, math.ceil((cpu_ms - runs_on_ms) / quota_ms) - 1)
        return periods * cfs.PERIOD_MS + max(cpu_ms - periods * quota_ms, 0.3) + waits_ms

    return "cpu", law


def _fails(chance: random.Random) -> tuple[str, Law]:
    """A function that runs out of memory below a size: its table begins there."""
    return chance.choice((_cpu, _mixed, _memory))(chance)


def _power(chance: random.Random) -> tuple[str, Law]:
    """A floor, and a power of memory that has no knee."""
    floor_ms, part_ms = _log_between(chance, 5, 1000), _log_between(chance, 10, 3000)
    power = chance.uniform(0.5, 1.6)
    return "mixed", lambda mb: floor_ms + part_ms * (mb / 512) ** -power


_ARCHITECTURES = ("x86_64", "arm64")
FAMILIES = {
    "cpu": _cpu,
    "io": _io,
    "mixed": _mixed,
    "memory": _memory,
    "processes": _processes,
    "stairs": _stairs,
    "fails": _fails,
    "power": _power,
}


def _log_between(chance: random.Random, low: float, high: float) -> float:
    return math.exp(chance.uniform(math.log(low), math.log(high)))


def _overlapped(one_ms: float, other_ms: float, sharp: float) -> float:
    """Return how long two things take of which the shorter hides behind the longer: 1 is a sum."""
    return float((one_ms**sharp + other_ms**sharp) ** (1 / sharp))


def curves(count: int, seed: int) -> list[dict[str, Any]]:
    """Return so many rows as in `tests/data/aws-curves.json`, of each family in turn."""
    rows = []
    for number in range(count):
        family = list(FAMILIES)[number % len(FAMILIES)]
        chance = random.Random(f"{seed} {number}")  # noqa: S311 - noise, not secrets
        kind, law = FAMILIES[family](chance)
        sizes_mb = _FINE_MB if family == "stairs" else chance.choice(_SIZES_MB)
        if family == "fails":
            least = chance.choice((256, 512, 1024))
            sizes_mb = tuple(size for size in sizes_mb if size >= least)
        error = 0.0 if family == "stairs" else _ERRORS[kind]
        rows.append(
            {
                "id": f"synthetic/{family}/{seed}-{number}",
                "cls": kind,
                "power": list(sizes_mb),
                "duration_ms": [
                    round(law(size) * math.exp(chance.gauss(0.0, error)), 4) for size in sizes_mb
                ],
            }
        )
    return rows


def main() -> int:
    """Run the program and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.tuner_bench.families", description=__doc__
    )
    parser.add_argument("count", type=int, help="of curves")
    parser.add_argument("--seed", type=int, default=1, help="of all chance (default 1)")
    given = parser.parse_args()
    print(json.dumps(curves(given.count, given.seed), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
