"""Schedules of load tests: when each virtual user comes and goes, or when each iteration is due.

Two kinds of load, and every result is of one of them:

- closed loop: so many users, each sending its next request after the last answer. A slow API
  slows its users down, so it meets fewer requests just when it is slow, and the percentiles
  leave out those that were never sent. That is coordinated omission, named by Gil Tene in
  "How NOT to Measure Latency".
- open loop: iterations are due at planned moments, whatever the API does. One that finds all
  users busy waits, and its wait counts: latency runs from the moment it was due.

Both follow stages: in each the level (users, or iterations per second) goes in a straight line
from where it was to the stage's own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise

from lambda_dyno.core.config import LoadSettings

# Of the arrivals of a Poisson process: the same test twice is the same load twice.
RANDOM_SEED = 1


@dataclass(frozen=True, slots=True)
class Stage:
    """Part of a load test: the level goes to `level` in `duration_s`.

    A hold is a stage with the level of the one before; a jump takes no time.
    """

    level: float  # users, or iterations per second
    duration_s: float

    def __post_init__(self) -> None:
        if not (0 <= self.level < math.inf and 0 <= self.duration_s < math.inf):
            raise ValueError(f"a stage needs a level and a duration of at least 0: {self}")


@dataclass(frozen=True, slots=True)
class ClosedSchedule:
    """When users come and go.

    Attributes:
        lifetimes_s: When each begins its first iteration, and from when on it begins no other.
    """

    lifetimes_s: tuple[tuple[float, float], ...]

    @property
    def users(self) -> int:
        """How many there are, all told."""
        return len(self.lifetimes_s)

    @property
    def duration_s(self) -> float:
        """When the last one goes."""
        return max((end for _, end in self.lifetimes_s), default=0.0)


@dataclass(frozen=True, slots=True)
class OpenSchedule:
    """When iterations are due.

    Attributes:
        arrivals_s: The moments, ascending.
        users: How many can be under way at once; further ones wait.
        duration_s: Length of the stages.
    """

    arrivals_s: tuple[float, ...]
    users: int
    duration_s: float


def schedule_of(load: LoadSettings) -> ClosedSchedule | OpenSchedule:
    """Return the schedule that settings ask for."""
    stages = [Stage(stage.level, stage.duration_s) for stage in load.stages]
    if load.loop == "closed":
        users = ramp_and_hold(load.virtual_users, load.ramp_up_s, load.duration_s)
        return closed_loop(stages or users)
    rate = ramp_and_hold(load.arrivals_per_s or 0.0, load.ramp_up_s, load.duration_s)
    seed = RANDOM_SEED if load.spacing == "poisson" else None
    return open_loop(stages or rate, users=load.virtual_users, random_seed=seed)


def describe(load: LoadSettings) -> str:
    """Return what settings ask for, such as "closed loop, 10 users, ramp-up 2 s, 15 s"."""
    if load.stages:
        steps = ", ".join(f"to {s.level:g} in {s.duration_s:g} s" for s in load.stages)
        what = f"stages {steps}"
    else:
        amount = (
            _count(load.virtual_users, "user")
            if load.loop == "closed"
            else _count(load.arrivals_per_s or 0.0, "iteration") + " per second"
        )
        what = f"{amount}, ramp-up {load.ramp_up_s:g} s, {load.duration_s:g} s"
    if load.loop == "open":
        what += f", at most {_count(load.virtual_users, 'user')} at once"
    elif load.pacing_ms:
        what += f", an iteration per user every {load.pacing_ms / 1000:g} s"
    name = f" (preset {load.preset})" if load.preset else ""
    return f"{load.loop} loop{name}, {what}"


def _count(number: float, noun: str) -> str:
    return f"{number:g} {noun}{'' if number == 1 else 's'}"


def ramp_and_hold(level: float, ramp_up_s: float, duration_s: float) -> tuple[Stage, Stage]:
    """Return the stages of the usual test: a straight ramp-up, then the full level to the end.

    Args:
        level: Users, or iterations per second.
        ramp_up_s: How long until it is reached.
        duration_s: How long altogether.
    """
    return Stage(level, ramp_up_s), Stage(level, duration_s - ramp_up_s)


def closed_loop(stages: Sequence[Stage]) -> ClosedSchedule:
    """Return the users of a closed loop, in the order in which they come.

    User i is there while the level is above i, so a ramp to N users in R seconds starts them
    R / N seconds apart, the first at once. A user that comes back is a new one.
    """
    corners = list(_corners(stages))
    most = math.ceil(max((level for _, level in corners), default=0))
    lifetimes = [life for user in range(most) for life in _lifetimes(corners, user)]
    return ClosedSchedule(tuple(sorted(lifetimes)))


def _lifetimes(corners: Sequence[tuple[float, float]], user: int) -> Iterator[tuple[float, float]]:
    """Yield when the level is above a user's number."""
    begin: float | None = None
    for (from_s, low), (to_s, high) in pairwise(corners):
        if begin is None and high > user:
            begin = from_s if low >= user else _crossing(from_s, low, to_s, high, user)
        elif begin is not None and high <= user:
            yield begin, _crossing(from_s, low, to_s, high, user)
            begin = None
    if begin is not None:
        yield begin, corners[-1][0]


def _crossing(from_s: float, low: float, to_s: float, high: float, level: float) -> float:
    return from_s + (to_s - from_s) * (level - low) / (high - low)


def open_loop(
    stages: Sequence[Stage], *, users: int, random_seed: int | None = None
) -> OpenSchedule:
    """Return the iterations of an open loop.

    Args:
        stages: Levels are iterations per second.
        users: How many iterations may be under way at once.
        random_seed: None spaces them evenly; a number makes them a Poisson process, as many
            people who know nothing of each other are.

    Raises:
        ValueError: Nobody to make the iterations.
    """
    if users < 1:
        raise ValueError(f"an open loop needs at least one user, not {users}")
    corners = list(_corners(stages))
    arrivals = []
    # evenly: in the middle of each iteration's share of the time
    turns = count(0.5) if random_seed is None else _random_turns(random_seed)
    turn = next(turns)
    done = 0.0  # iterations that were due before this stage
    for (from_s, low), (to_s, high) in pairwise(corners):
        here = (low + high) / 2 * (to_s - from_s)
        while turn < done + here:
            arrivals.append(from_s + _time_of(turn - done, low, high, to_s - from_s))
            turn = next(turns)
        done += here
    return OpenSchedule(tuple(arrivals), users, corners[-1][0])


def _random_turns(seed: int) -> Iterator[float]:
    """Yield the arrivals of a Poisson process of rate 1."""
    source = random.Random(seed)  # noqa: S311 - load, not secrets
    turn = 0.0
    while True:
        turn += source.expovariate(1)
        yield turn


def _time_of(iterations: float, low: float, high: float, duration_s: float) -> float:
    """Return after how long so many iterations are due, at a rate from `low` to `high`.

    Solves low * t + (high - low) / (2 * duration) * t^2 = iterations, in the form that stays
    exact when the rate hardly changes.
    """
    growth = (high - low) / duration_s
    root = math.sqrt(max(0.0, low * low + 2 * growth * iterations))
    return 2 * iterations / (low + root)


def _corners(stages: Iterable[Stage]) -> Iterator[tuple[float, float]]:
    """Yield (time, level) where the level changes its course."""
    time_s, level = 0.0, 0.0
    yield time_s, level
    for stage in stages:
        time_s += stage.duration_s
        yield time_s, stage.level
