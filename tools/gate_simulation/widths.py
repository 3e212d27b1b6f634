"""How many requests, how wide an interval: from the same real noise as `gate`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from random import Random
from statistics import fmean, median

from lambda_dyno.compare.regression import compare
from lambda_dyno.statistics.batches import Observations, percentile_interval
from lambda_dyno.statistics.stats import Interval, percentile
from tools.gate_simulation.gate import DATA, REGRESSION, SEED, Pairs, in_processes
from tools.gate_simulation.noise import AWS, INTERLEAVED, NO_EFFECT, Session, block, cached_noises

REQUESTS = (100, 300, 1_000, 3_000, 10_000, 30_000)
PERCENTILES = (0.5, 0.95, 0.99)
PAIRS = (10, 15, 20, 30, 60, 120)
# A load test whose sandboxes are renewed so often sees what differs between sandboxes.
TURNS = 30


@dataclass(frozen=True, slots=True)
class LatencyWidth:
    """How well one load test of so many requests knows its percentiles.

    Attributes:
        requests: Of the load test.
        halves: By percentile: half the interval relative to its middle, as in half of the runs
            at most; infinite without an upper end.
    """

    requests: int
    halves: dict[float, float]


@dataclass(frozen=True, slots=True)
class RatioWidth:
    """How well so many pairs of blocks know the ratio of two p95s, at a first look.

    Attributes:
        pairs: How many.
        requests: Of both versions, in half of the runs at most.
        half: Half the ratio's interval, in half of the runs at most.
        half_p90: The same in nine of ten runs.
        passed: Share of the runs that passed when nothing changed.
        found: Share of the runs that failed when p95 alone was 10 % worse.
    """

    pairs: int
    requests: int
    half: float
    half_p90: float
    passed: float
    found: float


@dataclass(frozen=True, slots=True)
class Widths:
    """Both tables."""

    latencies: tuple[LatencyWidth, ...]
    ratios: tuple[RatioWidth, ...]


def widths(*, runs: int, seed: int = SEED, workers: int = 1, data: Path = DATA) -> Widths:
    """Simulate how wide the intervals are.

    Args:
        runs: How often each count.
        seed: Of chance.
        workers: Processes; 1 uses this one.
        data: Folder of the measured samples.
    """
    # the long ones first, so that no process is left alone with one
    requests = [(data, seed, runs, count) for count in sorted(REQUESTS, reverse=True)]
    pairs = [(data, seed, runs, count) for count in sorted(PAIRS, reverse=True)]
    latencies = [found for _, found in in_processes(latency_width, requests, workers)]
    ratios = [found for _, found in in_processes(ratio_width, pairs, workers)]
    return Widths(
        tuple(sorted(latencies, key=lambda width: width.requests)),
        tuple(sorted(ratios, key=lambda width: width.pairs)),
    )


def latency_width(data: Path, seed: int, runs: int, requests: int) -> LatencyWidth:
    """Simulate load tests of so many requests, on new sandboxes in each of their turns."""
    halves: dict[float, list[float]] = {q: [] for q in PERCENTILES}
    for run in range(runs):
        source = Random(f"{seed} {requests} requests {run}")  # noqa: S311 - noise, not secrets
        noise = source.choice(cached_noises(data)["cpu17ms"])
        each = -(-requests // TURNS)
        turns = (
            block(
                source,
                source.choices(noise.sandboxes, k=AWS.sandboxes(noise)),
                each,
                noise.inits_ms,
            )
            for _ in range(TURNS)
        )
        latencies = Observations(list(chain.from_iterable(turns))[:requests])
        for q, found in halves.items():
            found.append(_half(percentile_interval(latencies, q)))
    return LatencyWidth(requests, {q: median(found) for q, found in halves.items()})


def ratio_width(data: Path, seed: int, runs: int, pairs: int) -> RatioWidth:
    """Simulate the regression gate's first look at so many pairs of the default length."""
    halves, requests, passed, found = [], [], [], []
    # the default's turns, as many as there shall be
    design = INTERLEAVED
    rounds = -(-pairs // design.blocks)
    for run in range(runs):
        source = Random(f"{seed} {pairs} pairs {run}")  # noqa: S311 - noise, not secrets
        noise = source.choice(cached_noises(data)["cpu17ms"])
        measured = Pairs(Session(source, noise, AWS, design))
        same, worse = (
            [blocks[:pairs] for blocks in measured.blocks(rounds, effect)]
            for effect in (NO_EFFECT, REGRESSION)
        )
        unchanged = compare(*same)
        p95 = next(check for check in unchanged.checks if check.name == "p95")
        high = math.inf if p95.ratio_high is None else p95.ratio_high
        halves.append(_half(Interval(p95.ratio_low or 0.0, high)))
        requests.append(sum(len(block.latencies_ms) for block in chain(*same)))
        passed.append(unchanged.outcome == "pass")
        found.append(compare(*worse).outcome == "fail")
    return RatioWidth(
        pairs,
        int(median(requests)),
        median(halves),
        percentile(sorted(halves), 0.9),
        fmean(passed),
        fmean(found),
    )


def _half(interval: Interval) -> float:
    middle = (interval.high + interval.low) / 2
    open_end = math.isinf(interval.high) or math.isinf(interval.low)
    return math.inf if open_end else (interval.high - interval.low) / 2 / middle
