"""What an attached run will send and cost at most, said before the first byte of it.

Requests are counted by the collections and the schedule; the load driver sends no more than was
said or allowed, whatever scripts do. Money is a bound by the price lists: nobody knows yet how
long the function takes, but a user waits for one answer at a time, and no invocation outlives the
function's timeout. What the function uses itself (tables, logs, transfer) is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambda_dyno.attach.asked import Asked
from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.core import formatting
from lambda_dyno.core.config import AttachSettings, LoadSettings, Settings
from lambda_dyno.load.schedule import ClosedSchedule, schedule_of
from lambda_dyno.money.rates import Rates
from lambda_dyno.tuner_contract.keys import is_adaptive
from lambda_dyno.tuner_contract.values import ALL_POWER_VALUES

# Before a test: up to five a second until the API is ready, for 10 s and what is under way.
_UNTIL_READY = 60
_ALONE = 16  # asked one after the other, before each load
_RECORDED = 2  # iterations
_API_WAITS_S = 29.0  # API Gateway, for a function's answer


@dataclass(frozen=True, slots=True)
class Spending:
    """The most that a run sends and costs.

    Attributes:
        requests: By what they are for, in order; empty: the API is not asked.
        users: At once, at most.
        requests_per_s: Of the load test, on average at full load.
        rounds: Load tests at most.
        load_usd: Of the requests.
        tuning_usd: Of the invocations while tuning; None: as much as is left (adaptive measuring).
        invocations: While tuning; None: as many as the answer needs.
        currency: Of both.
    """

    requests: Mapping[str, int]
    users: int
    requests_per_s: float
    rounds: int
    load_usd: float
    tuning_usd: float | None
    invocations: int | None
    currency: str

    @property
    def total_requests(self) -> int:
        """All of them."""
        return sum(self.requests.values())

    @property
    def usd(self) -> float:
        """What is known to be spent at most; adaptive measuring stays within the rest."""
        return self.load_usd + (self.tuning_usd or 0.0)

    def left_for_tuning_usd(self, limits: AttachSettings) -> float:
        """Return what adaptive measuring may cost."""
        return max(0.0, limits.max_cost_usd - self.load_usd)

    def lines(self, limits: AttachSettings) -> tuple[str, ...]:
        """Return it in words, with the limits."""
        said = []
        if self.requests:
            parts = ", ".join(f"{name} {count:,}" for name, count in self.requests.items())
            users = f"{self.users} user{'s' if self.users != 1 else ''}"
            rounds = f", {self.rounds} rounds at most" if self.rounds > 1 else ""
            rate = f"{self.requests_per_s:.3g} requests/s"
            said.append(
                f"at most {self.total_requests:,} requests (limit {limits.max_requests:,}): "
                f"{parts}; {users}, {rate}{rounds}"
            )
        count = "as many" if self.invocations is None else f"at most {self.invocations:,}"
        needs = " as the answer needs" if self.invocations is None else ""
        part = f", {formatting.usd(self.load_usd)} of it for the requests" if self.requests else ""
        limit = formatting.usd(limits.max_cost_usd)
        said.append(
            f"{count} invocations while tuning{needs}; all of it at most {self._total(limits)} "
            f"{self.currency} by the price list (limit {limit}){part}; not in it: what the "
            "function itself uses"
        )
        return tuple(said)

    def above(self, limits: AttachSettings) -> tuple[str, ...]:
        """Return which limits it is above, in words; none: it may go on."""
        said = []
        if self.total_requests > limits.max_requests:
            said.append(
                f"{self.total_requests:,} requests are more than [attach] max_requests = "
                f"{limits.max_requests}"
            )
        no_room = self.tuning_usd is None and self.left_for_tuning_usd(limits) <= 0
        if self.usd > limits.max_cost_usd or no_room:
            said.append(
                f"{formatting.usd(self.usd)} {self.currency} are more than [attach] max_cost_usd "
                f"= {limits.max_cost_usd:g}"
            )
        return tuple(said)

    def _total(self, limits: AttachSettings) -> str:
        total = self.usd if self.tuning_usd is not None else max(self.usd, limits.max_cost_usd)
        return formatting.usd(total)


def of(
    settings: Settings,
    function: Function,
    prices: Rates,
    *,
    smoke: Sequence[Asked] = (),
    smoke_rows: int = 1,
    load: Sequence[Asked] = (),
    tuning_input: Mapping[str, Any],
) -> Spending:
    """Return what a run sends and costs at most.

    Args:
        settings: Of the run.
        function: As it is deployed.
        prices: Of its region, architecture and API.
        smoke: What the smoke test asks; empty: there is none.
        smoke_rows: Iterations of it.
        load: What an iteration of the load test asks; empty: there is none.
        tuning_input: The state machine's.
    """
    profile = settings.load
    rounds = settings.slo.max_rounds if settings.slo.answered_by("load").limits else 1
    requests: dict[str, int] = {}
    if smoke:
        requests["smoke"] = _UNTIL_READY + smoke_rows * _count(smoke)
    if load:
        if not settings.tuning.has_payload and settings.tuning.workload in ("", "load"):
            requests["workload"] = _RECORDED * _count(load)
        each = _iterations(profile) * _count(load)
        requests["load"] = rounds * (_UNTIL_READY + _ALONE + each)
    busy_s = _busy_s(requests, profile, rounds if load else 0, function.timeout_s)
    fee = prices.listed.request + (prices.api_request or 0)
    count = sum(requests.values())
    usd = count * float(fee) + busy_s * 1000 * prices.compute_per_ms(function.memory_mb, 0)
    invocations, tuning_usd = _of_tuning(tuning_input, function, prices)
    return Spending(
        requests=requests,
        users=profile.virtual_users if load else 1,
        requests_per_s=_rate(profile, _count(load)) if load else 0.0,
        rounds=rounds,
        load_usd=usd,
        tuning_usd=tuning_usd,
        invocations=invocations,
        currency=prices.listed.currency,
    )


def _count(asked: Sequence[Asked]) -> int:
    return sum(1 + one.by_scripts for one in asked)


def _iterations(profile: LoadSettings) -> int:
    """Return how many iterations a load test begins; a closed loop has a pace."""
    schedule = schedule_of(profile)
    if not isinstance(schedule, ClosedSchedule):
        return len(schedule.arrivals_s)
    pace_s = profile.pacing_ms / 1000
    return sum(max(1, math.ceil((end - begin) / pace_s)) for begin, end in schedule.lifetimes_s)


def _rate(profile: LoadSettings, of_iteration: int) -> float:
    if profile.loop == "closed":
        return profile.virtual_users * of_iteration * 1000 / profile.pacing_ms
    levels = [stage.level for stage in profile.stages] or [profile.arrivals_per_s or 0.0]
    return max(levels) * of_iteration


def _busy_s(
    requests: Mapping[str, int], profile: LoadSettings, rounds: int, timeout_s: int
) -> float:
    """Return how many seconds the function works at most.

    A user has one request under way; one that is given up, by the user or by API Gateway, may have
    an invocation that goes on beside the next ones, until the function's timeout.
    """
    each = timeout_s * sum(requests.values())
    if not rounds:
        return float(each)
    before = timeout_s * sum(count for name, count in requests.items() if name != "load")
    alone = rounds * timeout_s * (_UNTIL_READY + _ALONE)
    waits_s = min(profile.request_timeout_ms / 1000, _API_WAITS_S)
    at_once = profile.virtual_users * math.ceil(timeout_s / waits_s)
    users = rounds * at_once * (profile.duration_s + timeout_s)
    return float(min(each, before + alone + users))


def _of_tuning(
    tuning_input: Mapping[str, Any], function: Function, prices: Rates
) -> tuple[int | None, float | None]:
    """Return invocations and USD of a tuning at most; None: adaptive, within a limit."""
    if is_adaptive(tuning_input):
        return None, None
    values = tuning_input.get("powerValues")
    sizes = ALL_POWER_VALUES if values == "ALL" else {*map(int, values or ()), function.memory_mb}
    # cold starts are measured, and left out: they are invocations as well
    num = 2 * int(tuning_input.get("num") or 1)
    usd = sum(
        num
        * (float(prices.listed.request) + function.timeout_s * 1000 * prices.compute_per_ms(mb, 0))
        for mb in sizes
    )
    return num * len(sizes), usd
