"""A size is recommended in the deployed one's place only for a gain that was shown."""

from __future__ import annotations

import random
from dataclasses import asdict

import pytest

from lambda_dyno.core.results import DurationStats, PowerDetail, TuningResult
from lambda_dyno.gates import separation
from lambda_dyno.tuner_contract.keys import Strategy
from power_tuner.stats import summarise
from tests.support import report_samples as samples

TRIALS = 1000


def measured(
    chance: random.Random, memory_mb: int, duration_ms: float, *, num: int, cold: bool = True
) -> PowerDetail:
    """Return what a tuning measures of a function: a lognormal spread of 10 %, a cold start."""
    values = [duration_ms * chance.lognormvariate(0, 0.1) for _ in range(num)]
    if cold:
        values[0] = values[0] * 3 + 20
    stats = DurationStats(**asdict(summarise([values], 0.2)))
    usd = stats.trimmed_mean * memory_mb * 1e-11
    return samples.detail(memory_mb, stats.trimmed_mean, usd, duration_ms=stats, count=num)


def tuned(now: PowerDetail, other: PowerDetail, strategy: Strategy) -> TuningResult:
    """Return a tuning of two sizes by their means, as the state machine chooses."""

    def score(detail: PowerDetail) -> float:
        assert detail.duration_ms is not None and detail.cost_usd is not None
        return detail.cost_usd if strategy == "cost" else detail.duration_ms.trimmed_mean

    best = min((now, other), key=score)
    found = samples.tuning(now, other, power=best.power, current=now.power, strategy=strategy)
    return separation.settled(found)


def share_moved(strategy: Strategy, ratio: float, num: int) -> float:
    """Return how often another size is recommended that is so many times as fast.

    Both sizes cost the same for each millisecond, so only their durations differ.
    """
    chance = random.Random(7)
    moved = 0
    for _ in range(TRIALS):
        now = measured(chance, 512, 20.0, num=num)
        other = measured(chance, 512, 20.0 / ratio, num=num)
        moved += tuned(now, samples_as(other, 1024), strategy).power != 512
    return moved / TRIALS


def samples_as(detail: PowerDetail, memory_mb: int) -> PowerDetail:
    """Return what was measured, as if at another size."""
    return PowerDetail(**{**_fields(detail), "power": memory_mb})


def _fields(detail: PowerDetail) -> dict[str, object]:
    return {name: getattr(detail, name) for name in PowerDetail.__slots__}


@pytest.mark.parametrize("strategy", ["speed", "cost"])
@pytest.mark.parametrize("num", [5, 10, 30])
def test_equal_sizes_are_rarely_told_apart(strategy: Strategy, num: int) -> None:
    """Without a gain to be had, another size is recommended in few runs, whatever num is."""
    assert share_moved(strategy, 1.0, num) <= 0.06


@pytest.mark.parametrize(("num", "ratio"), [(5, 2.0), (10, 1.5), (30, 1.25)])
def test_a_gain_is_seen(num: int, ratio: float) -> None:
    assert share_moved("speed", ratio, num) >= 0.95


def test_twice_the_price_is_no_gain_for_the_same_duration() -> None:
    """A function that does next to nothing: the size of the least mean is chance."""
    chance = random.Random(3)
    for _ in range(200):
        now = measured(chance, 128, 3.0, num=10)
        other = measured(chance, 512, 3.0, num=10, cold=False)
        assert tuned(now, other, "cost").power == 128


def test_half_the_price_is_a_gain_for_the_same_duration() -> None:
    chance = random.Random(5)
    for _ in range(200):
        now = measured(chance, 1024, 30.0, num=10)
        other = measured(chance, 512, 30.0, num=10)
        assert tuned(now, other, "cost").power == 512


def test_what_was_kept_names_what_measured_better() -> None:
    now, other = samples.detail(512, 100.0, 1e-6), samples.detail(1024, 98.0, 1.9e-6)
    found = tuned(now, other, "speed")
    assert (found.power, found.kept_over) == (512, 1024)
    assert (found.duration, found.cost) == (100.0, 1e-6)


@pytest.mark.parametrize(
    "now", [samples.excluded(512, "timeout"), samples.detail(256, 100.0, 1e-6)]
)
def test_a_deployed_size_that_was_not_measured_is_not_kept(now: PowerDetail) -> None:
    other = samples.detail(1024, 98.0, 1.9e-6)
    found = samples.tuning(now, other, power=1024, current=512)
    assert separation.settled(found) == found
