"""What to do next: invoke once more, measure another memory size, or stop, and how sure it is.

Each decision is made afresh from all samples, so whoever carries on after a stop needs nothing
but them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import sub
from typing import Literal

from lambda_dyno.tuner_policy import shapes, sizes, stairs
from lambda_dyno.tuner_policy.limits import Count, Limit
from lambda_dyno.tuner_policy.posterior import STEPPED, Measured, Posterior, posterior

Strategy = Literal["cost", "speed", "balanced", "limit"]
Confidence = Literal["default", "sure"]

# "At most X % more expensive, with 95 %": more is never claimed, since the shapes are wrong more
# often than that. The quantile at which that is true, by simulation on measured and on synthetic
# curves.
_STATED_QUANTILE = {"cost": 0.935, "speed": 0.94, "balanced": 0.935, "limit": 0.985}
# Of a choice that is not known well enough when the tuner must stop: there the samples fit the
# shapes least, so what these say is true least often.
_STATED_IN_DOUBT = 0.985
_STATED_WITH_PRIOR = 0.01  # more: what differs between two days is known least
# Two sizes differ by what each has of its own, 2 or 3 %: no score of invocations tells less.
_LEAST_STATED: dict[Confidence, float] = {"default": 0.06, "sure": 0.04}
_SPENT = "as much was measured as may be"
_SURE = 0.95  # probability of being close at which "sure" stops
SIZE_SD = 0.03  # what a size has of its own, in ln, where the draws do not tell
_CLOSE = 0.05  # "within 5 % of the best"
_GOOD_ENOUGH = 0.02  # mean regret at which the default stops
_MOST_IN_DOUBT = 0.17  # and so much at most: two samples may both be outliers
_MOST_SIZES, _MOST_ROUNDS = 8, 4
ROUNDING_MS = 0.5  # billed is the whole millisecond above
_ROUNDED_MS = 10.0  # above, that is too little for its curvature to matter
_NEIGHBOUR = (1.5, 2.8)  # of the choice: where a measured size proves that it does not go on
_SHOWN = 0.95  # probability at which a size is better than the current one
_NEAR = 1.5  # sizes that tell the same
_COUNTS = 0.01  # of what may be gained: a size that has less is not asked about
_SECOND = 0.3  # a second new size is worth its round if it gains so much of the first
# What a size that misses a limit is worse, in ln(cost): something, and more for missing it by more.
_MISSES, _MISSES_BY = 0.3, 3.0
_MORE_MISSES = 2.0  # as much more for each size that was given up: the next one is to be right
_GIVEN_UP = 10.0  # if counting has shown it
# ln of the 95th percentile over the middle, in standard deviations, before that is seen
_TAIL, _TAIL_INVOCATIONS = 1.8, 20
_TAIL_SD = 0.3  # how much that differs between sizes
_HAS_STEPS = 0.5  # probability of them, above which a choice is said to be on one
# Steps that are named: of later ones a size has many, and each tells little.
_MOST_PERIODS = 10
# What is measured of a short function before one stops: a size at the foot of its best step.
_FEW_PERIODS, _ABOVE_FOOT, _FOOT_TO = 4, 1.2, 1.5
_FOOT_COSTS = 0.85  # of the cost without steps: at more it is not worth a round
_WORKS = 0.7  # slope of ln(duration) over ln(1 / memory), of what does not wait
_MOST_CANDIDATES = 3  # that are counted for a limit
_NONE_KEEPS = 0.05  # probability that any size keeps a limit, below which none is tried


# Passes at a new size, after the one that finds it cold.
WARM_OF_NEW: dict[Confidence, int] = {"default": 2, "sure": 3}


@dataclass(frozen=True, slots=True)
class Goal:
    """What the best size is.

    Attributes:
        strategy: Least cost, least duration, least weighted sum of both, or least cost of the
            sizes that keep a limit.
        weight: Of cost in that sum, 0 to 1.
        confidence: When it is enough.
        least_mb: Smallest size allowed.
        most_mb: Largest size allowed.
        most_passes: At most so many, cold ones among them.
        current_mb: The size that the function has: measured with the first, and kept unless
            another one was shown to be better. None: not known.
        limit: Of strategy "limit".
        ranking_passes: After so many it is time to prove a limit.
    """

    strategy: Strategy = "cost"
    weight: float = 0.5
    confidence: Confidence = "default"
    least_mb: int = 128
    most_mb: int = 10240
    most_passes: int = 20
    current_mb: int | None = None
    limit: Limit | None = None
    ranking_passes: int = 20

    @property
    def warm_of_new(self) -> int:
        """Passes at a new size, after the one that finds it cold."""
        return WARM_OF_NEW[self.confidence]


@dataclass(frozen=True, slots=True)
class Step:
    """Which step of the staircase a size is on.

    Attributes:
        periods: The function ends within so many periods of 20 ms.
        from_mb: The smallest size at which it does, of those that were looked at.
    """

    periods: int
    from_mb: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and what is known by now.

    Attributes:
        action: "publish" new sizes, "invoke" the one size `times` more, or "stop".
        sizes_mb: Which.
        best_mb: The size to choose, one of those measured.
        at_most: How much worse than the best size it is at most, as a ratio, with 95 %.
        close: Probability that it is within 5 % of the best.
        regret: How much worse it is on average over what is possible, as a ratio.
        stairs: How likely durations come in steps of 20 ms.
        reason: Why it stops; empty if it does not.
        kept_over_mb: The size that looked best where the current one is kept, since that was not
            shown; 0: it is not kept so.
        times: Passes to make.
        step: The step that `best_mb` is on, if durations come in steps.
        any_keeps: Probability that any size keeps the limit.
        drawn: What is known of duration at every size.
        none_keeps: Whether that is so little that none does, as far as can be told.
    """

    action: Literal["publish", "invoke", "stop"]
    sizes_mb: tuple[int, ...]
    best_mb: int = 0
    at_most: float = math.inf
    close: float = 0.0
    regret: float = math.inf
    stairs: float = 0.0
    reason: str = ""
    kept_over_mb: int = 0
    times: int = 1
    step: Step | None = None
    any_keeps: float = 1.0
    drawn: Posterior | None = field(default=None, repr=False, compare=False)

    @property
    def none_keeps(self) -> bool:
        """Whether no size keeps the limit, as far as can be told."""
        return self.any_keeps < _NONE_KEEPS


def first_sizes(goal: Goal, former: Sequence[Measured] = ()) -> tuple[int, ...]:
    """Return the sizes to begin with.

    Args:
        goal: What is looked for.
        former: Samples of a former tuning of the same code.
    """
    if former:
        view = _View(goal, [], former, "first")
        best = view.order[0]
        near = [x for x in view.choices if 0 < abs(math.log(x / best)) <= math.log(_NEIGHBOUR[1])]
        second = min(near, key=lambda x: abs(math.log(x / best / 2)), default=best)
        return _with_current(goal, {best, second})
    if goal.strategy == "speed":
        wanted = {max(512, goal.least_mb), 2048, goal.most_mb}
    elif goal.strategy == "limit":
        wanted = {2 * goal.least_mb, 8 * goal.least_mb, 16 * goal.least_mb}
    else:
        wanted = {goal.least_mb, 2 * goal.least_mb, 4 * goal.least_mb}
    return _with_current(goal, {min(max(x, goal.least_mb), goal.most_mb) for x in wanted})


def _with_current(goal: Goal, wanted: set[int]) -> tuple[int, ...]:
    """Return the sizes with the current one among them, in the place of one that is near."""
    current = goal.current_mb
    if current is not None and goal.least_mb <= current <= goal.most_mb:
        near = {x for x in wanted if abs(math.log(x / current)) < math.log(_NEAR)}
        wanted = wanted - set(sorted(near, key=lambda x: abs(x - current))[:1]) | {current}
    return tuple(sorted(wanted))


def decide(
    goal: Goal,
    measured: Sequence[Measured],
    *,
    passes: int,
    rounds: int,
    seed: str,
    former: Sequence[Measured] = (),
) -> Decision:
    """Return what to do next.

    Args:
        goal: What is looked for.
        measured: At least one size; what failed is not here, and what may not be chosen is
            outside of the goal's sizes.
        passes: That were made, cold ones among them: invocations, or whole passes of a workload.
        rounds: Times that sizes were published.
        seed: Of the draws: the execution's name.
        former: Samples of a former tuning of the same code.
    """
    view = _View(goal, measured, former, seed)
    best = view.best_measured()
    known = view.judgement(best)
    left = goal.most_passes - passes
    may_publish = rounds < _MOST_ROUNDS and len(measured) < _MOST_SIZES
    may_publish = may_publish and left > goal.warm_of_new
    if left <= 0:
        return _stop(view, known, _SPENT)
    if goal.limit is not None and passes >= goal.ranking_passes:
        return _prove(view, known, left, may_publish)
    if view.is_enough(known):
        beside = view.unproven_side(best) or view.unproven_foot(best)
        if beside and may_publish:
            return _with(known, "publish", (beside,))
        if goal.limit is not None:
            return _prove(view, known, left, may_publish)
        return _stop(view, known, "it is known well enough")
    gains = view.gains(may_publish)
    if not gains and goal.limit is not None:
        return _prove(view, known, left, may_publish)
    if not gains:
        return _stop(view, known, "nothing more to learn at the sizes that may be measured")
    first = next(iter(gains))
    foot = view.worth_having(best)
    if foot is not None and may_publish:
        return _with(known, "publish", (foot,))
    if first in view.known_mb:
        return _with(known, "invoke", (first,))
    fits = left >= 2 * (goal.warm_of_new + 1) and len(measured) + 2 <= _MOST_SIZES
    second = view.second(gains) if fits else None
    return _with(known, "publish", (first,) if second is None else (first, second))


def _prove(view: _View, known: Decision, left: int, may_publish: bool) -> Decision:
    """Return what is to be counted next to prove that a size keeps the limit."""
    if known.none_keeps:
        return _stop(view, known, "no size keeps the limit")
    given_up = [size for size in view.known_mb if view.is_hopeless(size)]
    if len(given_up) >= _MOST_CANDIDATES:
        return _stop(view, known, f"{len(given_up)} sizes were not proven to keep the limit")
    if view.order[0] not in view.known_mb and may_publish:
        return _with(known, "publish", (view.order[0],))
    if len(given_up) == len(view.known_mb):
        return _stop(view, known, "no size that may be measured was proven to keep the limit")
    chosen = view.chosen(known.best_mb)
    counted = view.counted(chosen)
    assert counted is not None
    if counted.is_proven:
        return _stop(view, known, "it was proven to keep the limit")
    of_a_pass = max(1, round(counted.invocations / view.passes(chosen)))
    passes = math.ceil(counted.next_look / of_a_pass)
    return replace(_with(known, "invoke", (chosen,)), times=min(passes, left))


def conclude(
    goal: Goal,
    measured: Sequence[Measured],
    *,
    seed: str,
    reason: str,
    former: Sequence[Measured] = (),
) -> Decision:
    """Return what is known of the best size when nothing more can be measured."""
    view = _View(goal, measured, former, seed)
    return _stop(view, view.judgement(view.best_measured()), reason)


def _stop(view: _View, known: Decision, reason: str) -> Decision:
    """Return the choice: the best measured size, or the current one if nothing better was shown."""
    best = known.best_mb
    if view.goal.limit is not None and (
        known.none_keeps or all(map(view.is_hopeless, view.known_mb))
    ):
        return replace(view.judgement(view.fastest()), reason=reason)
    chosen = view.chosen(best)
    if chosen != best:
        known = replace(view.judgement(chosen), kept_over_mb=best)
    return replace(known, reason=reason, at_most=view.at_most(known))


def _with(
    known: Decision, action: Literal["publish", "invoke", "stop"], sizes_mb: tuple[int, ...]
) -> Decision:
    return replace(known, action=action, sizes_mb=tuple(sorted(sizes_mb)))


class _View:
    """The posterior of duration, seen by the goal."""

    def __init__(
        self, goal: Goal, measured: Sequence[Measured], former: Sequence[Measured], seed: str
    ) -> None:
        self.goal, self.seed = goal, seed
        self._has_former = bool(former)
        self._measured = {size.memory_mb: size for size in measured}
        self.known_mb = list(self._measured)

        def wanted(stepped: bool) -> tuple[int, ...]:
            all_sizes = sizes.judged(
                goal.least_mb, goal.most_mb, stairs=stepped, limited=goal.limit is not None
            )
            return tuple(sorted({*all_sizes, *self.known_mb}))

        if measured:
            self.drawn = posterior(measured, wanted, seed, former)
        else:
            self.drawn = posterior(former, wanted, seed)
        stepped = self.drawn.stairs > STEPPED
        allowed = sizes.candidates(
            goal.least_mb, goal.most_mb, stairs=stepped, limited=goal.limit is not None
        )
        self.choices = sorted({*allowed, *self.known_mb})
        self.objective = dict(zip(self.drawn.sizes_mb, _objectives(goal, self.drawn), strict=True))
        self.any_keeps = 1.0 if goal.limit is None else self._hold_against(goal.limit)
        self.least_of_choices = _least([self.objective[size] for size in self.choices])
        self.mean_regret = {
            size: _mean(_regrets(self.objective[size], self.least_of_choices))
            for size in self.choices
        }
        self.order = sorted(self.choices, key=lambda size: (self.mean_regret[size], -size))

    def best_measured(self) -> int:
        """Return the measured size with the least mean regret."""
        return next(size for size in self.order if size in self.known_mb)

    def _hold_against(self, limit: Limit) -> float:
        """Make sizes that miss a limit worse; return how likely any keeps it."""
        most_log_ms = math.log(limit.duration_ms) - self._tail(limit)
        misses = _MISSES * (1 + _MORE_MISSES * sum(map(self.is_hopeless, self.known_mb)))
        own_sd = SIZE_SD + (_TAIL_SD * self.drawn.noise_variance**0.5 if limit.on == "p95" else 0)
        own, sds = _Own(self.seed), [own_sd] * len(self.drawn.own_sd)
        kept = [False] * len(self.drawn.draws[0])
        for size, draws in zip(self.drawn.sizes_mb, self.drawn.draws, strict=True):
            counted = self.counted(size)
            if counted is not None and (counted.is_proven or counted.is_hopeless):
                worse = [0.0 if counted.is_proven else _GIVEN_UP] * len(draws)
            else:
                over = [value - most_log_ms for value in own.added(draws, sds)]
                worse = [misses + _MISSES_BY * value if value > 0 else 0.0 for value in over]
            free = self.objective[size]
            self.objective[size] = [o + w for o, w in zip(free, worse, strict=True)]
            kept = [one or not w for one, w in zip(kept, worse, strict=True)]
        return sum(kept) / len(kept)

    def _tail(self, limit: Limit) -> float:
        """Return ln of what a limit is on over the middle of invocations, of all sizes."""
        foreseen = _TAIL * math.sqrt(self.drawn.noise_variance) if limit.on == "p95" else 0.0
        least = _TAIL_INVOCATIONS if limit.on == "p95" else 1  # few have no percentile
        total, weight = _TAIL_INVOCATIONS * foreseen, _TAIL_INVOCATIONS
        for size in self._measured.values():
            own = size.count
            if own is not None and own.value_ms > 0 and own.invocations >= least:
                total += own.invocations * (math.log(own.value_ms) - size.log_ms)
                weight += own.invocations
        return total / weight

    def counted(self, memory_mb: int) -> Count | None:
        """Return what was counted at a size; None: it was not measured, or there is no limit."""
        size = self._measured.get(memory_mb)
        return None if size is None else size.count

    def is_hopeless(self, memory_mb: int) -> bool:
        """Whether a measured size was given up."""
        counted = self.counted(memory_mb)
        return counted is not None and counted.is_hopeless

    def passes(self, memory_mb: int) -> int:
        """Return how many were made at a measured size."""
        return self._measured[memory_mb].passes

    def fastest(self) -> int:
        """Return the measured size that takes the least time."""
        return min(self.known_mb, key=lambda size: _mean(self.drawn.of(size)))

    def chosen(self, best: int) -> int:
        """Return the best size, or the current one if it was not shown to be better."""
        current = self.goal.current_mb
        if current is None or current not in self.known_mb or current == best:
            return best
        if self.is_hopeless(current) or self.is_better(best, current):
            return best
        return current

    def is_better(self, one: int, other: int) -> bool:
        """Whether a size was shown to be better than another one, by more than a little."""
        gains = [o - t for o, t in zip(self.objective[other], self.objective[one], strict=True)]
        shown = sum(gain > 0 for gain in gains) / len(gains)
        return shown >= _SHOWN and math.expm1(_mean(gains)) > _GOOD_ENOUGH

    def judgement(self, memory_mb: int) -> Decision:
        """Return what is known of a choice, against all sizes that are looked at."""
        regrets = sorted(self._regrets(memory_mb))
        return Decision(
            "stop",
            (),
            memory_mb,
            at_most=self._stated(memory_mb, regrets),
            close=sum(regret <= _CLOSE for regret in regrets) / len(regrets),
            regret=self.mean_regret[memory_mb],
            stairs=self.drawn.stairs,
            step=self._step(memory_mb),
            any_keeps=self.any_keeps,
            drawn=self.drawn,
        )

    def at_most(self, known: Decision) -> float:
        """Return how much worse the last choice is at most, with 95 %."""
        if self.goal.limit is not None or self._is_settled(known):
            return known.at_most
        memory_mb = known.best_mb
        return self._stated(memory_mb, sorted(self._regrets(memory_mb)), in_doubt=True)

    def _stated(self, memory_mb: int, regrets: Sequence[float], *, in_doubt: bool = False) -> float:
        """Return how much worse a choice is at most, with 95 %, by its regrets, ascending."""
        goal = self.goal
        quantile = _STATED_IN_DOUBT if in_doubt else _STATED_QUANTILE[goal.strategy]
        if self._has_former:
            quantile = min(quantile + _STATED_WITH_PRIOR, _STATED_QUANTILE["limit"])
        at_most = regrets[min(len(regrets) - 1, int(quantile * len(regrets)))]
        if goal.limit is not None:
            return at_most
        if self.drawn.stairs > _HAS_STEPS and memory_mb < shapes.MB_PER_VCPU:
            # the very edge of a step may be anywhere within the rung below, and is as good
            at_most = (1 + at_most) * sizes.STAIRS_RATIO - 1
        one_size = len(self.objective) < 2
        return 0.0 if one_size else max(at_most, _LEAST_STATED[goal.confidence])

    def _step(self, memory_mb: int) -> Step | None:
        """Return the step that a size is on; None: a smooth curve, or one of too many steps."""
        if self.drawn.stairs <= _HAS_STEPS or memory_mb >= shapes.MB_PER_VCPU:
            return None
        periods = math.ceil(self._typical_ms(memory_mb) / stairs.PERIOD_MS)
        if periods > _MOST_PERIODS:
            return None
        from_mb = memory_mb
        for size in sorted((x for x in self.drawn.sizes_mb if x < memory_mb), reverse=True):
            if self._typical_ms(size) > periods * stairs.PERIOD_MS:
                break
            from_mb = size
        return Step(periods, from_mb)

    def _typical_ms(self, memory_mb: int) -> float:
        draws = sorted(self.drawn.of(memory_mb))
        return math.exp(draws[len(draws) // 2])

    def _regrets(self, memory_mb: int) -> list[float]:
        """Return how much worse a size is than the best, in each draw.

        What a size has of its own is in the draws where it was measured; other sizes get it here.
        """
        mine = self.objective[memory_mb]
        if self.goal.limit is not None:
            return _regrets(mine, _least(list(self.objective.values())))
        own = _Own(self.seed)
        others = [
            values if size in self._measured else own.added(values, self.drawn.own_sd)
            for size, values in self.objective.items()
        ]
        return _regrets(mine, _least([mine, *others]))

    def is_enough(self, known: Decision) -> bool:
        """Whether a choice is known as well as the goal wants it."""
        if self.order[0] not in self.known_mb:
            return False  # another size is better, as far as can be seen
        if self.goal.confidence == "sure":
            return known.close >= _SURE
        return self._is_settled(known)

    def _is_settled(self, known: Decision) -> bool:
        return (
            self.order[0] in self.known_mb
            and known.regret <= _GOOD_ENOUGH
            and known.at_most <= _MOST_IN_DOUBT
        )

    def worth_having(self, best: int) -> int | None:
        """Return the size at the foot of a step, if it is better than all that were measured.

        A step is narrow: what is learnt beside it does not tell where it ends, but it itself does.
        """
        foot = self.order[0]
        gained = self.mean_regret[best] - self.mean_regret[foot]
        return foot if self.drawn.stairs > STEPPED and gained > _GOOD_ENOUGH else None

    def unproven_side(self, memory_mb: int) -> int | None:
        """Return a size beside a choice that must be measured before one stops; None: none."""
        sides = (1, -1) if self.goal.strategy != "cost" else (1,)
        for side in sides:
            low, high = (bound**side for bound in _NEIGHBOUR)
            low, high = min(low, high), max(low, high)
            if any(low <= size / memory_mb <= high for size in self.known_mb):
                continue
            near = [x for x in self.choices if low <= x / memory_mb <= high]
            if near:
                return min(near, key=lambda x: abs(math.log(x / memory_mb) - side * math.log(2)))
        return None

    def unproven_foot(self, memory_mb: int) -> int | None:
        """Return the size at which a short function would end within few periods; None: no need.

        Half of such steps cannot be seen from the sizes beside them, and CPU time alone says where
        they would be. A period of 20 ms has the share of a vCPU that a size has, so `cpu_ms` end
        within k periods from 1769 cpu_ms / (20 k) MB on, of which the last takes cpu_ms / k. Of
        what the work costs without steps that is 1 - 1 / k + cpu_ms / (20 k²).
        """
        if self.goal.strategy == "speed" or not self._works(memory_mb):
            return None
        cpu_ms = self._typical_ms(memory_mb) * memory_mb / shapes.MB_PER_VCPU
        period = stairs.PERIOD_MS
        share, periods = min(
            (1 - 1 / k + cpu_ms / (period * k * k), k) for k in range(1, _FEW_PERIODS + 1)
        )
        foot_mb = _ABOVE_FOOT * shapes.MB_PER_VCPU * cpu_ms / (period * periods)
        near = [x for x in sizes.stepped() if foot_mb <= x <= _FOOT_TO * foot_mb]
        allowed = [x for x in near if self.goal.least_mb <= x <= self.goal.most_mb]
        if share > _FOOT_COSTS or not allowed:
            return None
        if any(foot_mb <= x <= _FOOT_TO * foot_mb for x in self.known_mb):
            return None
        return allowed[0]

    def _works(self, memory_mb: int) -> bool:
        """Whether a measured size below one vCPU is as much slower than a larger one as work is."""
        larger = [x for x in self.known_mb if memory_mb < x < shapes.MB_PER_VCPU]
        if not larger:
            return False
        ratio = self._typical_ms(memory_mb) / self._typical_ms(max(larger))
        return math.log(ratio) > _WORKS * math.log(max(larger) / memory_mb)

    def gains(self, may_publish: bool) -> dict[int, float]:
        """Return what one more look at each size tells for its price, the most first."""
        sizes_mb = [x for x in self.choices if may_publish or x in self.known_mb]
        worth = self._value_of(sizes_mb)
        ranked = sorted(sizes_mb, key=lambda x: (-worth[x], x))
        return {x: worth[x] for x in ranked if worth[x] > 0}

    def second(self, gains: Mapping[int, float]) -> int | None:
        """Return another new size to publish with the first, if it is worth a part of the round."""
        first = next(iter(gains))
        seen = _Vector.of(self.drawn.of(first))
        noise = self.drawn.noise_variance / self.goal.warm_of_new
        variance = seen.variance + noise
        rest = self._value_of([x for x in gains if x != first], (seen, variance))
        other = max(rest, key=lambda x: rest[x], default=None)
        if other is None or other in self.known_mb or rest[other] < _SECOND * gains[first]:
            return None
        return other

    @cached_property
    def _contrasts(self) -> list[tuple[float, _Vector]]:
        """Return, for each size that may be best, its weight and how the choice differs from it."""
        chosen = self.order[0]
        mine, least = self.objective[chosen], self.least_of_choices
        found = []
        for size in self.choices:
            theirs = self.objective[size]
            best_in = [i for i, (t, b) in enumerate(zip(theirs, least, strict=True)) if t <= b]
            weight = math.fsum(
                math.expm1(mine[i] - theirs[i]) for i in best_in if mine[i] > theirs[i]
            ) / len(mine)
            if weight > 0:
                found.append((weight, theirs))
        counts = _COUNTS * sum(weight for weight, _ in found)
        return [
            (weight, _Vector.of(list(map(sub, mine, theirs))))
            for weight, theirs in found
            if weight >= counts
        ]

    def _value_of(
        self,
        sizes_mb: Sequence[int],
        given: tuple[_Vector, float] | None = None,
    ) -> dict[int, float]:
        """Return what a look at each size is worth for its price.

        Args:
            sizes_mb: The sizes.
            given: A size that is looked at as well: its draws, and their variance with the noise.
        """
        cheapest = min(_mean_cost(size, self.drawn) for size in self.choices)
        worth = {}
        contrasts = [(weight, apart, 0.0) for weight, apart in self._contrasts]
        if given is not None:
            contrasts = [
                (weight, apart, apart.covariance(given[0]) / given[1])
                for weight, apart, _ in contrasts
            ]
        for size in sizes_mb:
            values = _Vector.of(self.drawn.of(size))
            is_new = size not in self.known_mb
            warm = self.goal.warm_of_new if is_new else 1
            variance = values.variance + self.drawn.noise_variance / warm
            shared = 0.0
            if given is not None:
                shared = values.covariance(given[0])
                variance -= shared * shared / given[1]
            gain = 0.0
            for weight, apart, known in contrasts:
                covariance = apart.covariance(values) - known * shared
                gain += weight * covariance * covariance
            price = _mean_cost(size, self.drawn) / cheapest + 1
            worth[size] = gain / max(variance, 1e-12) / (3 * price + 3 if is_new else price)
        return worth


class _Own:
    """What each size has of its own, in ln: the same again for the same seed."""

    _DRAWN = 1024  # drawn once, and begun at another place for each size

    def __init__(self, seed: str) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - noise, not secrets
        once = [self._chance.gauss(0.0, 1.0) for _ in range(self._DRAWN)]
        self._drawn = once + once

    def added(self, draws: Sequence[float], sds: Sequence[float]) -> list[float]:
        """Return the draws at a size with what it has of its own, by its deviation in each."""
        start = self._chance.randrange(self._DRAWN)
        own = self._drawn[start : start + len(draws)]
        return [a + b * sd for a, b, sd in zip(draws, own, sds, strict=True)]


def _objectives(goal: Goal, drawn: Posterior) -> list[list[float]]:
    """Return the logarithm of what is to be least, for each size and draw."""
    if goal.strategy == "speed":
        return drawn.draws
    if goal.strategy == "balanced":
        return _balanced(goal, drawn)
    costs = []
    for size, values in zip(drawn.sizes_mb, drawn.draws, strict=True):
        log_mb, middle = math.log(size), _mean(values)
        billed_ms = math.exp(middle) + ROUNDING_MS
        if billed_ms < _ROUNDED_MS:
            costs.append([log_mb + math.log(math.exp(value) + ROUNDING_MS) for value in values])
            continue
        # half a millisecond of many is a line: a logarithm of each draw costs a third of a decision
        slope = 1 - ROUNDING_MS / billed_ms
        start = log_mb + math.log(billed_ms) - slope * middle
        costs.append([start + slope * value for value in values])
    return costs


def _balanced(goal: Goal, drawn: Posterior) -> list[list[float]]:
    """Return the logarithm of the weighted sum of cost and duration, for each size and draw.

    Both are divided by the larger of their values at the ends of the range, which what is measured
    in between does not move; each draw by its own.
    """
    low_mb, high_mb = goal.least_mb, goal.most_mb
    of_cost, of_ms = [], []
    for low, high in zip(drawn.of(low_mb), drawn.of(high_mb), strict=True):
        low_ms, high_ms = math.exp(low), math.exp(high)
        most = max(low_mb * (low_ms + ROUNDING_MS), high_mb * (high_ms + ROUNDING_MS))
        of_cost.append(goal.weight / most)
        of_ms.append((1 - goal.weight) / max(low_ms, high_ms))
    exp, log = math.exp, math.log
    return [
        [
            log(exp(value) * (size * cost + ms) + size * ROUNDING_MS * cost)
            for value, cost, ms in zip(values, of_cost, of_ms, strict=True)
        ]
        for size, values in zip(drawn.sizes_mb, drawn.draws, strict=True)
    ]


def _mean_cost(memory_mb: int, drawn: Posterior) -> float:
    """Return what an invocation takes, in MB milliseconds."""
    return memory_mb * (math.exp(_mean(drawn.of(memory_mb))) + ROUNDING_MS)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _least(columns: Sequence[Sequence[float]]) -> list[float]:
    """Return the least of each draw."""
    return list(map(min, zip(*columns, strict=True)))


def _regrets(mine: Sequence[float], least: Sequence[float]) -> list[float]:
    """Return how much worse than the least each draw is, as a ratio."""
    return list(map(math.expm1, map(sub, mine, least)))


@dataclass(frozen=True, slots=True)
class _Vector:
    """Draws around their mean, for covariances.

    `math.dist` sums in C: a product that is had from it, |a|² + |b|² - |a - b|² = 2 ab, takes a
    seventh of one that is summed here, and a decision takes a thousand of 300 draws.
    """

    centred: tuple[float, ...]
    variance: float

    @classmethod
    def of(cls, values: Sequence[float]) -> _Vector:
        middle = _mean(values)
        centred = tuple([value - middle for value in values])
        return cls(centred, math.hypot(*centred) ** 2 / len(centred))

    def covariance(self, other: _Vector) -> float:
        apart = math.dist(self.centred, other.centred) ** 2 / len(self.centred)
        return (self.variance + other.variance - apart) / 2
