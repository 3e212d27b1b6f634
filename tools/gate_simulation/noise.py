"""Load tests drawn from real noise: what `make bench-gate` holds the gates against.

A simulated function is one memory size of a function that was measured on AWS: its sandboxes,
each with its own level (their CPUs differ) and the durations of its invocations in order. A
block of a load test draws sandboxes of that function at random, with replacement, and from each
of them stretches of its sequence. So what differs between sandboxes, and what is alike within
one, is in the drawn latencies as it was on AWS.

Added to that, since the data lack it: how many requests a load test makes, cold starts in the
middle of it (with measured init durations), and a drift of the machine that carries everything.
"""

from __future__ import annotations

import csv
import gzip
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from pathlib import Path
from random import Random
from statistics import median
from typing import Literal

from lambda_dyno.compare.regression import turns
from lambda_dyno.core.regression_defaults import PAIRS_PER_LOOK, TURN_S, WARM_UP_S
from lambda_dyno.statistics.stats import percentile

# Requests of a sandbox that are drawn together, so that what is alike in a row stays in a row.
STRETCH = 10
# One request in so many meets a sandbox that is just being started.
COLD_ONE_IN = 500
_WARM = 1 - 1 / COLD_ONE_IN
# What a user of the load driver spends between two requests (postman/README.md), and what a
# request spends on its way to the function and back, beside the function's own duration.
PAUSE_MS = 7.0
WAY_MS = 30.0
# Share of the requests that an effect on "some" makes slower.
SOME = 1 / 7
# Two driver processes make no more (postman/README.md).
MOST_REQUESTS_PER_S = 250.0


@dataclass(frozen=True, eq=False)
class Noise:
    """One function at one memory size, as it was measured.

    Attributes:
        name: Such as "cpu17ms, 512 MB".
        sandboxes: Durations of the invocations of each sandbox, in order, in ms.
        inits_ms: Init durations that cold starts have.
    """

    name: str
    sandboxes: tuple[tuple[float, ...], ...]
    inits_ms: tuple[float, ...]

    @cached_property
    def ordered(self) -> list[float]:
        """All durations, ascending."""
        return sorted(chain.from_iterable(self.sandboxes))

    def percentile(self, q: float) -> float:
        """Return the true percentile of this function; its cold starts are above it."""
        return percentile(self.ordered, q / _WARM)


@cache
def factor_for_some(noise: Noise, size: float) -> float:
    """Return how much longer one request in seven must take for p95 to rise by `size`.

    The share of requests below the new p95 is then made of those that stayed as they were and
    of those that got slower; with the cold starts it has to be 95 %.
    """
    target = (1 + size) * noise.percentile(0.95)

    def below(limit: float) -> float:
        return bisect_right(noise.ordered, limit) / len(noise.ordered)

    low, high = 1.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        share = (1 - SOME) * below(target) + SOME * below(target / middle)
        low, high = (middle, high) if share > 0.95 / _WARM else (low, middle)
    return high


def read_noises(folder: Path) -> dict[str, list[Noise]]:
    """Return the functions that were measured, by the kind of their noise.

    "cpu17ms" knows its sandboxes by 30 invocations each. Of "s3writes" each sandbox was
    invoked once, so its whole spread counts as difference between sandboxes: the worst case.
    Its sizes are put together, each relative to its median.
    """
    s3_writes, inits = [], []
    for path in sorted(folder.glob("s3writes-*.csv.gz")):
        rows = _rows(path)
        if "python" in path.name:
            inits += [float(row["init_ms"]) for row in rows if row["init_ms"]]
        sizes = defaultdict(list)
        for row in rows:
            sizes[row["memory_mb"]].append(float(row["duration_ms"]))
        levels = [100 * ms / median(size) for size in sizes.values() for ms in size]
        name = "-".join(path.name.split("-")[:3])
        s3_writes.append((name, tuple((level,) * STRETCH for level in levels)))
    by_size: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(_rows(folder / "cpu17ms.csv.gz"), key=lambda row: int(row["seq"])):
        by_size[int(row["memory_mb"])][row["sandbox"]].append(float(row["duration_ms"]))
    cold = tuple(inits)
    return {
        "cpu17ms": [
            Noise(f"cpu17ms, {size} MB", tuple(map(tuple, sandboxes.values())), cold)
            for size, sandboxes in sorted(by_size.items())
        ],
        "s3writes": [Noise(name, sandboxes, cold) for name, sandboxes in s3_writes],
    }


@cache
def cached_noises(folder: Path) -> dict[str, list[Noise]]:
    """Return `read_noises`, read once per process."""
    return read_noises(folder)


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@dataclass(frozen=True, slots=True)
class Profile:
    """A load test.

    Attributes:
        name: "aws" or "local".
        users: How many, each with one request at a time.
        duration_s: Of each version.
        requests_per_s: Of all users; None lets them go as fast as answers come.
    """

    name: str
    users: int = 10
    duration_s: float = PAIRS_PER_LOOK * TURN_S
    requests_per_s: float | None = None

    def rate(self, noise: Noise) -> float:
        """Return how many requests it makes in a second."""
        if self.requests_per_s is not None:
            return self.requests_per_s
        turn_ms = noise.percentile(0.5) + PAUSE_MS + WAY_MS
        return min(MOST_REQUESTS_PER_S, self.users * 1000 / turn_ms)

    def sandboxes(self, noise: Noise) -> int:
        """Return how many sandboxes answer: as many as requests are under way at once."""
        under_way = self.rate(noise) * noise.percentile(0.5) / 1000
        return min(self.users, max(1, math.ceil(under_way)))


# The default profile on AWS, and as envs/local paces it (ten requests every two seconds a user).
AWS = Profile("aws")
LOCAL = Profile("local", requests_per_s=50.0)


@dataclass(frozen=True, slots=True)
class Design:
    """How two versions are measured.

    Attributes:
        blocks: Turns of each version.
        warm_up_s: Left out at the beginning of every turn.
        fresh: Whether each turn has sandboxes of its own, or the whole test the same.
        interleaved: Whether the versions take turns, or come one after the other.
    """

    blocks: int = PAIRS_PER_LOOK
    warm_up_s: float = WARM_UP_S
    fresh: bool = True
    interleaved: bool = True

    def turns(self) -> list[str]:
        """Return whose turn it is: A B, B A, A B, ..., or all of A and then all of B."""
        if not self.interleaved:
            return ["A"] * self.blocks + ["B"] * self.blocks
        return ["A" if version == "baseline" else "B" for version in turns(self.blocks)]


INTERLEAVED = Design()


@dataclass(frozen=True, slots=True)
class Drift:
    """How the machine changes in the course of a session; both versions alike.

    Attributes:
        trend: Most that everything gets slower or faster from beginning to end.
        bursts_per_min: How often a neighbour comes.
        burst_s: How long it stays on average.
        burst: How much slower everything is meanwhile, on average.
    """

    trend: float = 0.0
    bursts_per_min: float = 0.0
    burst_s: float = 5.0
    burst: float = 0.5

    def factors(self, source: Random, duration_s: int) -> list[float]:
        """Return by what each second's latencies are multiplied."""
        slope = source.uniform(-self.trend, self.trend)
        factors = [1 + slope * second / max(1, duration_s - 1) for second in range(duration_s)]
        moment = 0.0
        while self.bursts_per_min and moment < duration_s:
            moment += source.expovariate(self.bursts_per_min / 60)
            slower = 1 + source.expovariate(1 / self.burst)
            end = moment + source.expovariate(1 / self.burst_s)
            for second in range(math.floor(moment), min(duration_s, math.ceil(end))):
                factors[second] *= slower
            moment = end
        return factors


CALM = Drift()
RESTLESS = Drift(trend=0.15, bursts_per_min=1.0)


@dataclass(frozen=True, slots=True)
class Effect:
    """What the candidate does worse; p95 of the function is `size` higher (0.1: 10 %).

    Attributes:
        kind: "all": every request takes that much longer. "some": one request in seven, at
            random, takes so much longer that p95 is that much higher; p50 hardly moves.
            "slowest": what took longer than the function's p90 takes that much longer, so
            mostly the slow sandboxes get slower.
        size: Of the change of p95.
    """

    kind: Literal["all", "some", "slowest"] = "all"
    size: float = 0.0

    def on(self, latencies: Sequence[float], noise: Noise, source: Random) -> list[float]:
        """Return the latencies as the candidate has them."""
        if not self.size:
            return list(latencies)
        if self.kind == "all":
            return [latency * (1 + self.size) for latency in latencies]
        if self.kind == "slowest":
            slow = noise.percentile(0.9)
            return [ms * (1 + self.size) if ms >= slow else ms for ms in latencies]
        factor = factor_for_some(noise, self.size)
        chance = source.random
        return [ms * factor if chance() < SOME else ms for ms in latencies]


NO_EFFECT = Effect()


@dataclass(frozen=True, slots=True)
class Turn:
    """The requests of one block before anything is done to them.

    Attributes:
        latencies: In the order of time, in ms.
        drift: By what each is multiplied; empty if by nothing.
    """

    latencies: list[float]
    drift: Sequence[float] = ()

    def with_effect(self, effect: Effect, noise: Noise, source: Random) -> list[float]:
        """Return the latencies as a client sees them."""
        latencies = effect.on(self.latencies, noise, source)
        if not self.drift:
            return latencies
        return [ms * factor for ms, factor in zip(latencies, self.drift, strict=True)]


class Session:
    """Two versions of one function being measured; apart from an effect they are the same."""

    def __init__(
        self, source: Random, noise: Noise, profile: Profile, design: Design, drift: Drift = CALM
    ) -> None:
        self.source, self.noise, self.profile = source, noise, profile
        self.design, self.drift = design, drift
        self.sandboxes = profile.sandboxes(noise)
        self.turn_s = profile.duration_s / design.blocks
        self.requests = round(profile.rate(noise) * (self.turn_s - design.warm_up_s))
        self.kept = {version: self._draw() for version in "AB"}

    def measure(self) -> tuple[list[Turn], list[Turn]]:
        """Return the turns of A and of B, in pairs; again for more of the same session."""
        found: dict[str, list[Turn]] = {"A": [], "B": []}
        order = self.design.turns()
        factors = self.drift.factors(self.source, math.ceil(len(order) * self.turn_s) + 1)
        for number, version in enumerate(order):
            sandboxes = self._draw() if self.design.fresh else self.kept[version]
            latencies = block(self.source, sandboxes, self.requests, self.noise.inits_ms)
            drift = () if self.drift == CALM else self._during(number, factors)
            found[version].append(Turn(latencies, drift))
        return found["A"], found["B"]

    def _draw(self) -> list[tuple[float, ...]]:
        return self.source.choices(self.noise.sandboxes, k=self.sandboxes)

    def _during(self, turn: int, factors: Sequence[float]) -> list[float]:
        """Return the drift that each request of a turn meets, at equal distances in time."""
        begin_s = turn * self.turn_s + self.design.warm_up_s
        step_s = (self.turn_s - self.design.warm_up_s) / self.requests
        return [factors[int(begin_s + number * step_s)] for number in range(self.requests)]


def block(
    source: Random, sandboxes: Sequence[tuple[float, ...]], requests: int, inits_ms: Sequence[float]
) -> list[float]:
    """Return the latencies of so many requests, in the order of time.

    Args:
        source: Of chance.
        sandboxes: Who answers, about equally often each.
        requests: How many.
        inits_ms: What cold starts add.
    """
    each = -(-requests // len(sandboxes))
    streams = [_stream(source, sandbox, each) for sandbox in sandboxes]
    latencies = list(chain.from_iterable(zip(*streams, strict=True)))[:requests]
    if inits_ms:
        position = source.expovariate(1 / COLD_ONE_IN)
        while position < requests:
            latencies[int(position)] += source.choice(inits_ms)
            position += source.expovariate(1 / COLD_ONE_IN)
    return latencies


def _stream(source: Random, sandbox: tuple[float, ...], count: int) -> list[float]:
    """Return durations of one sandbox: stretches of its sequence, begun anywhere, as a ring."""
    ring = sandbox + sandbox[: STRETCH - 1]
    found: list[float] = []
    while len(found) < count:
        begin = int(source.random() * len(sandbox))
        found += ring[begin : begin + STRETCH]
    return found[:count]
