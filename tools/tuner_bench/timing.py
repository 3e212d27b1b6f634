"""Tell how much CPU time decisions take: those of replays, with caches as they are and empty.

A function's first decision finds them empty, and the sizes that steps need are new once. Each is
timed some times, and the least counts: what else the machine does slows it as well.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lambda_dyno.tuner_contract.keys import most_passes
from lambda_dyno.tuner_policy import shapes, stairs
from lambda_dyno.tuner_policy.decide import Decision, Goal, decide
from lambda_dyno.tuner_policy.limits import Limit
from lambda_dyno.tuner_policy.posterior import STEPPED
from tools.tuner_bench import policies
from tools.tuner_bench.curves import CURVES, Curve, Function, read

_TIMES = 3
_LIMIT_OF_LONGEST = 0.5
Taken = Callable[[], Decision]


def decisions(curves: Sequence[Curve]) -> Iterator[Taken]:
    """Yield the decisions of tuning each curve, by each strategy and confidence, to be repeated."""
    taken: list[Taken] = []

    def noted(*args: Any, **kwargs: Any) -> Decision:
        taken.append(lambda: decide(*args, **kwargs))
        return decide(*args, **kwargs)

    for curve in curves:
        for goal in _goals(curve):
            chance = random.Random(curve.id)  # noqa: S311 - noise, not secrets
            policies.adaptive(Function(curve, chance), goal, curve.id, deciding=noted)
            yield from taken
            taken.clear()


def _goals(curve: Curve) -> Iterator[Goal]:
    limit = Limit(_LIMIT_OF_LONGEST * max(curve.durations_ms), "p95")
    for strategy in ("cost", "balanced", "speed", "limit"):
        for confidence in ("default", "sure"):
            yield Goal(
                strategy,
                confidence=confidence,
                least_mb=curve.sizes_mb[0],
                most_mb=curve.sizes_mb[-1],
                most_passes=most_passes(confidence, strategy, "p95"),
                limit=limit if strategy == "limit" else None,
            )


def took_ms(take: Taken, *, empty: bool) -> float:
    """Return the CPU time of a decision in ms, its caches empty or as the last one left them."""
    least = float("inf")
    for _ in range(_TIMES):
        if empty:
            empty_caches()
        start = time.process_time()
        take()
        least = min(least, time.process_time() - start)
    return 1000 * least


def empty_caches() -> None:
    """Forget what a process knows after its first decision."""
    for cached in (shapes.at, stairs.at, stairs.table):
        cached.cache_clear()


def main() -> int:
    """Run the program and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.tuner_bench.timing", description=__doc__)
    parser.add_argument("--curves", type=Path, default=CURVES, help="as of make bench-tuner")
    parser.add_argument("--every", type=int, default=1, help="time each so-manieth decision only")
    given = parser.parse_args()
    found: dict[tuple[str, str], list[float]] = {}
    for number, take in enumerate(decisions(read(given.curves))):
        if number % given.every:
            continue
        steps = "steps" if take().stairs > STEPPED else "no steps"
        for empty in (False, True):
            row = found.setdefault((steps, "empty" if empty else "warm"), [])
            row.append(took_ms(take, empty=empty))
    for (steps, caches), row in sorted(found.items()):
        row.sort()
        middle, most, last = row[len(row) // 2], row[int(0.9 * len(row))], row[-1]
        print(
            f"{steps:<9} caches {caches:<6} {len(row):>5} decisions: median {middle:.1f} ms, "
            f"90 % {most:.1f} ms, most {last:.1f} ms"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
