"""Adaptive measuring: the policy's decisions, as work for Prepare and Measure.

What a decision needs is in the state: the samples. So a pass of Measure that ends early, or is
tried again, goes on from there.
"""

from __future__ import annotations

import math
from typing import Any

from lambda_dyno.tuner_contract import prices
from lambda_dyno.tuner_contract.former import Former, Size
from lambda_dyno.tuner_contract.keys import MOST_PASSES, TuningInput, most_passes
from lambda_dyno.tuner_contract.values import ALL_POWER_VALUES, MEMORY_MB_MAX
from lambda_dyno.tuner_policy.curve import Point, Span, curve
from lambda_dyno.tuner_policy.decide import Decision, Goal, conclude, decide, first_sizes
from lambda_dyno.tuner_policy.limits import Limit
from lambda_dyno.tuner_policy.posterior import Measured
from power_tuner.errors import NothingMeasured
from power_tuner.payloads import Plan
from power_tuner.state import PowerState, TuningState
from power_tuner.strategies import limit_of

_MEMORY_HEADROOM = 1.1  # over the most that was used: below, a function is killed now and then
_MOST_BEGINNINGS = 4  # rounds in which sizes are looked for at which the function works
_LEAST_PASSES = 2  # by which a size can be judged when time is up


def first(
    request: TuningInput,
    plan: Plan,
    original_mb: int,
    most_mb: int = MEMORY_MB_MAX,
    *,
    uses_prior: bool = False,
) -> list[PowerState]:
    """Return the power values to begin with: the function's own, and those that the input names.

    Of both what is allowed; "ALL" names none.

    Args:
        request: The checked input.
        plan: What each invocation is sent.
        original_mb: The function's own size.
        most_mb: That the account allows.
        uses_prior: Whether what was measured before holds.
    """
    goal = _goal(request, original_mb, request.min_power, min(request.max_power, most_mb))
    named = () if request.power_values == ALL_POWER_VALUES else request.power_values
    sizes = {size for size in named if goal.least_mb <= size <= goal.most_mb}
    sizes.update(first_sizes(goal, _former(request, uses_prior)))
    return [_new(size, plan, goal) for size in sorted(sizes)]


def _former(request: TuningInput, uses_prior: bool) -> list[Measured]:
    if request.prior is None or not uses_prior:
        return []
    return [
        Measured(size.power, math.log(size.duration_ms), size.passes, size.variance)
        for size in request.prior.sizes
    ]


class Adaptive:
    """One tuning's decisions.

    Args:
        request: The checked input.
        plan: What each invocation is sent.
        state: All that was measured; what is to be done is added to it.
        seed: Of the draws: the execution's name.
    """

    def __init__(self, request: TuningInput, plan: Plan, state: TuningState, seed: str) -> None:
        self._request = request
        self._plan = plan
        self._state = state
        self._seed = seed

    def proceed(self) -> bool:
        """Decide what is measured next; return whether it is at sizes that are published.

        Where new ones are wanted they are in the state, for Prepare to publish; where nothing is,
        `state.decision` says what was found.

        Raises:
            NothingMeasured: The function failed at every power value.
        """
        least, most = self._range()
        goal = _goal(self._request, self._state.original_power, least, most)
        measured = self._measured(least, most)
        if not measured:
            return self._begin_again(goal)
        if 0 < self._request.max_cost_usd <= self._spent_usd():
            self._conclude(goal, measured, "as much was spent as may be")
            return False
        decision = decide(
            goal,
            measured,
            passes=sum(power.planned for power in self._state.powers),
            rounds=self._state.batch,
            seed=self._seed,
            former=_former(self._request, self._state.uses_prior),
        )
        if decision.action == "stop":
            self._end(goal, measured, decision)
        elif decision.action == "publish":
            self._state.powers += [_new(size, self._plan, goal) for size in decision.sizes_mb]
        else:
            for power in self._state.powers:
                if power.power in decision.sizes_mb:
                    for _ in range(decision.times):
                        _plan_pass(power, self._plan)
            return True
        return False

    def time_is_up(self) -> None:
        """Make do with what was measured.

        Raises:
            NothingMeasured: That is nothing.
        """
        for power in self._state.powers:
            passes = len(power.samples) // self._plan.length
            if not power.done and not power.excluded and passes < _LEAST_PASSES:
                power.excluded = (
                    f"power value {power.power} MB: {passes} passes were measured in time"
                )
            power.todo = []
        least, most = self._range()
        measured = self._measured(least, most)
        if measured:
            goal = _goal(self._request, self._state.original_power, least, most)
            self._conclude(goal, measured, "time was up")

    def _conclude(self, goal: Goal, measured: list[Measured], reason: str) -> None:
        former = _former(self._request, self._state.uses_prior)
        found = conclude(goal, measured, seed=self._seed, reason=reason, former=former)
        self._end(goal, measured, found)

    def _end(self, goal: Goal, measured: list[Measured], decision: Decision) -> None:
        assert decision.drawn is not None
        known_mb = [size.memory_mb for size in measured]
        points = curve(decision.drawn, known_mb, goal.current_mb)
        self._state.decision = _to_json(decision) | {"curve": [_point(one) for one in points]}

    def _begin_again(self, goal: Goal) -> bool:
        """Look at other sizes where the function fails at all of the first ones."""
        tried = {power.power for power in self._state.powers}
        sizes = [size for size in first_sizes(goal) if size not in tried]
        if goal.least_mb > goal.most_mb or not sizes or self._state.batch >= _MOST_BEGINNINGS:
            failed = self._state.powers[0]
            raise NothingMeasured(
                f"the function failed at every power value, first at {failed.excluded}"
            )
        self._state.powers += [_new(size, self._plan, goal) for size in sizes]
        return False

    def _measured(self, least: int, most: int) -> list[Measured]:
        limit = limit_of(self._request)
        return [
            measured(power, limit)
            for power in self._state.powers
            if power.samples and not power.excluded and least <= power.power <= most
        ]

    def _range(self) -> tuple[int, int]:
        """Return the sizes that may be chosen: none at which, or below which, it cannot work."""
        least = self._request.min_power
        most = min(self._request.max_power, self._state.most_power)
        working = [p.power for p in self._state.powers if p.samples and not p.excluded]
        for power in self._state.powers:
            if not power.excluded:
                continue
            refused = not power.versions and power.power > self._state.original_power
            if refused and not any(size > power.power for size in working):
                most = min(most, _limit_in(power.excluded) or power.power - 1)
            else:
                least = max(least, power.power + 1)
        used = [(p.power, p.max_memory_used_mb) for p in self._state.powers if p.samples]
        if used:
            # at a small size use is capped by it, so the largest one tells
            least = max(least, min(math.ceil(_MEMORY_HEADROOM * max(used)[1]), most))
        return least, most

    def _spent_usd(self) -> float:
        price = prices.lookup(self._request.function.region, self._state.architecture)
        return float(
            sum(
                power.billed_ms * price.per_ms(power.power) + power.attempts * price.request
                for power in self._state.powers
            )
        )


def measured(power: PowerState, limit: Limit | None = None) -> Measured:
    """Return what a power value's samples, at least one, say; cold ones only if all are."""
    requests: dict[int, list[float]] = {}
    never_warm = all(sample.cold for sample in power.samples)
    for sample in power.samples:
        if never_warm or not sample.cold:
            requests.setdefault(sample.request, []).append(sample.duration_ms)
    return Measured.of_requests(power.power, list(requests.values()), limit)


def as_prior(state: TuningState) -> dict[str, Any]:
    """Return what another tuning can begin with."""
    sizes = [measured(power) for power in state.powers if power.samples and not power.excluded]
    return Former(
        "",
        state.code_sha256,
        state.architecture,
        state.payload,
        tuple(
            Size(
                size.memory_mb,
                round(math.exp(size.log_ms), 4),
                size.passes,
                round(size.variance, 6),
            )
            for size in sizes
        ),
    ).to_json()


def _goal(request: TuningInput, original_mb: int, least: int, most: int) -> Goal:
    return Goal(
        request.strategy,
        request.balanced_weight,
        request.confidence,
        least,
        most,
        request.max_invocations
        or most_passes(request.confidence, request.strategy, request.limit_on),
        original_mb,
        limit_of(request),
        MOST_PASSES[request.confidence],
    )


def _new(size: int, plan: Plan, goal: Goal) -> PowerState:
    power = PowerState(size, todo=list(range(-plan.warm_up, 0)), planned=1)
    for _ in range(goal.warm_of_new):
        _plan_pass(power, plan)
    return power


def _plan_pass(power: PowerState, plan: Plan) -> None:
    """Add another pass to what is to be done; the first one planned is that which warms up."""
    start = (power.planned - 1) * plan.length
    power.todo += range(start, start + plan.length)
    power.planned += 1


def _limit_in(message: str) -> int | None:
    """Return the memory size up to which an account's functions go, if AWS names it."""
    words = message.partition("less than or equal to ")[2].split()
    digits = words[0].strip(".,;'\"") if words else ""
    return int(digits) if digits.isdigit() else None


def _point(of: Point) -> dict[str, Any]:
    ratios = {"durationRatio": of.duration_ratio, "costRatio": of.cost_ratio}
    known = {key: _short(span) for key, span in ratios.items() if span is not None}
    return {"power": of.memory_mb, "durationMs": _short(of.duration_ms)} | known


def _short(span: Span) -> list[float]:
    return [float(f"{value:.4g}") for value in span]


def _to_json(decision: Decision) -> dict[str, Any]:
    return {
        "power": decision.best_mb,
        "atMostPercent": round(100 * decision.at_most, 2),
        "within5Percent": round(decision.close, 4),
        "steps": round(decision.stairs, 4),
        "step": decision.step
        and {"periods": decision.step.periods, "fromPower": decision.step.from_mb},
        "keptOver": decision.kept_over_mb or None,
        "noneKeeps": decision.none_keeps,
        "reason": decision.reason,
    }
