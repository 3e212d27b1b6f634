"""How often change points are found, and how often one is found that is none.

A history is what one figure's trend sees: 20 runs before and 10 after, each the trimmed mean of
warm invocations that scatter as on AWS (tests/data/aws-noise.json), with 5 % between runs and what
a run's sandboxes have in common. Beside the test, what is possible: a test that knows the place
of the change beforehand (Student's t for two samples, at the same rate of false alarms).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean, variance

from lambda_dyno.statistics.change_points import FALSE_RATE, changes
from lambda_dyno.statistics.distributions import t_quantile
from lambda_dyno.statistics.stats import trimmed_mean

NOISE = Path(__file__).parents[2] / "tests" / "data" / "aws-noise.json"
BEFORE, AFTER = 20, 10
BETWEEN_RUNS = 0.05
INVOCATIONS = 20
_NEAR = 2  # a place that many runs off is found, too


@dataclass(frozen=True, slots=True)
class Rates:
    """What came of simulated histories, as shares.

    Attributes:
        noise: Class of function.
        step: By how much the second part is slower; 0: not at all.
        found: Histories with a change point.
        near: Histories with one at most two runs off.
        known_place: Histories in which a test finds it that knows the place.
        histories: How many were simulated.
    """

    noise: str
    step: float
    found: float
    near: float
    known_place: float
    histories: int


def rates(
    noise: str, step: float, histories: int, seed: int, between_runs: float = BETWEEN_RUNS
) -> Rates:
    """Simulate histories of one class of function."""
    known = json.loads(NOISE.read_text())["classes"][noise]
    chance = Random(f"{seed} {noise} {step} {between_runs}")  # noqa: S311 - a simulation
    found = near = place = 0
    for _ in range(histories):
        values = _history(known["quantiles"], known["sd"], step, between_runs, chance)
        cuts = [change.at for change in changes(values)]
        found += bool(cuts)
        near += any(abs(at - BEFORE) <= _NEAR for at in cuts)
        place += _differ([math.log(value) for value in values])
    return Rates(noise, step, found / histories, near / histories, place / histories, histories)


def _history(
    quantiles: Sequence[float], sd: float, step: float, between_runs: float, chance: Random
) -> list[float]:
    runs = []
    for at in range(BEFORE + AFTER):
        invocations = [math.exp(_drawn(quantiles, chance.random())) for _ in range(INVOCATIONS)]
        level = chance.gauss(0, between_runs) + chance.gauss(0, min(0.05, 0.35 * sd))
        slower = 1 + step if at >= BEFORE else 1
        runs.append(100 * slower * math.exp(level) * trimmed_mean(invocations, 0.2))
    return runs


def _drawn(quantiles: Sequence[float], share: float) -> float:
    place = share * (len(quantiles) - 1)
    below = min(int(place), len(quantiles) - 2)
    return quantiles[below] + (place - below) * (quantiles[below + 1] - quantiles[below])


def _differ(logs: Sequence[float]) -> bool:
    before, after = logs[:BEFORE], logs[BEFORE:]
    freedom = len(logs) - 2
    pooled = ((BEFORE - 1) * variance(before) + (AFTER - 1) * variance(after)) / freedom
    statistic = abs(fmean(after) - fmean(before)) / math.sqrt(pooled * (1 / BEFORE + 1 / AFTER))
    return statistic > t_quantile(1 - FALSE_RATE / 2, freedom)
