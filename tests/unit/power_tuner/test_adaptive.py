"""Adaptive measuring: rounds of Prepare, Measure and Analyze until the answer is good enough."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lambda_dyno.tuner_contract.reports import Report
from power_tuner import adaptive
from power_tuner.analyze import analyze, detour
from power_tuner.errors import InvalidInput, NothingMeasured
from power_tuner.function import Deadline
from power_tuner.invoker import Outcome
from power_tuner.measure import Measurer
from power_tuner.payloads import Plan, WorkloadPlan, adaptive_plan
from power_tuner.request import parse
from power_tuner.state import TuningState

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:shop"
SLOW = pytest.mark.slow
Law = Callable[[int], float]


def bound(memory_mb: int) -> float:
    """A function of one thread that computes for 200 ms, and waits for 20."""
    return 20 + 200 / min(1.0, memory_mb / 1769)


class Function:
    """A function whose versions are the power values."""

    def __init__(
        self, law: Law, *, fails: Callable[[int], str] = lambda _: "", takes_s: float = 0.0
    ) -> None:
        self._law, self._fails, self._takes_s = law, fails, takes_s
        self.now = 0.0  # of the clock that measuring goes by
        self._chance = random.Random(3)
        self._lock = threading.Lock()
        self.sent: dict[int, list[Any]] = {}

    def __call__(self, function_arn: str, payload: bytes) -> Outcome:
        power = int(function_arn.rpartition(":")[2])
        with self._lock:
            sent = self.sent.setdefault(power, [])
            cold = not sent
            sent.append(json.loads(payload))
            self.now += self._takes_s
            ms = self._law(power) * (1 + 0.03 * self._chance.random())
        failed = self._fails(power)
        report = Report(
            "id", ms, ms, init_duration_ms=150.0 if cold else 0.0, max_memory_used_mb=60
        )
        killed = failed == "Runtime.OutOfMemory"
        return Outcome(report, b'{"statusCode":200}', failed, "why", killed)


def execute(
    function: Function,
    *,
    original_mb: int = 512,
    refused: Mapping[int, str] = {},
    plan: Plan | None = None,
    left_s: float = 60,
    last: bool = False,
    **keys: Any,
) -> tuple[dict[str, Any], TuningState]:
    """Go through the state machine; return its output and the state before it."""
    request = parse({"lambdaARN": ARN, "measuring": "adaptive", **keys}, (128,))
    plan = plan or adaptive_plan(request.payload)
    powers = adaptive.first(request, plan, original_mb, uses_prior=request.prior is not None)
    state = TuningState(original_mb, "x86_64", 3, None, powers)
    state.code_sha256, state.payload = "A" * 44, "0" * 64
    state.uses_prior = request.prior is not None
    come_from = ["Prepare"]
    while come_from:
        if come_from.pop() == "Prepare":
            for power in state.powers:
                if not power.done and power.power in refused:
                    power.excluded = f"power value {power.power} MB: {refused[power.power]}"
                elif not power.done:
                    power.versions.append(str(power.power))
            state.batch += 1
        deadline = Deadline(left_s, lambda: getattr(function, "now", 0.0))
        Measurer(request, plan, function, deadline, 64, "an execution").run(state, last=last)
        state = TuningState.from_json(json.loads(json.dumps(state.to_json(1000))))
        next_state = detour(request, state)
        if next_state in ("Prepare", "Measure"):
            come_from.append(next_state)
    return analyze(request, state, "https://example.com"), state


def test_it_finds_the_best_size_with_few_invocations() -> None:
    """No more than 20, of sizes that it chose itself, and it says how sure it is."""
    function = Function(lambda memory_mb: 400 + 2000 / memory_mb)
    output, state = execute(function, strategy="cost")
    assert output["power"] == 128
    said = output["adaptive"]
    assert said["atMostPercent"] < 15
    assert said["rounds"] == state.batch <= 4
    assert sum(map(len, function.sent.values())) <= 20
    assert said["passes"] == sum(map(len, function.sent.values()))
    assert 512 in function.sent, "the function's own size is measured"
    assert {detail["power"] for detail in output["details"]} == set(function.sent)
    curve = {point["power"]: point for point in said["curve"]}
    assert {*function.sent, 192, 768, 3008} <= set(curve)
    low, middle, high = curve[128]["durationMs"]
    assert low < middle < high
    assert {mb for mb, point in curve.items() if "durationRatio" in point} == set(function.sent)
    assert curve[512]["durationRatio"] == curve[512]["costRatio"] == [1, 1, 1]


@pytest.mark.parametrize(
    "strategy",
    ["speed", *(pytest.param(one, marks=pytest.mark.slow) for one in ("cost", "balanced"))],
)
def test_each_size_is_published_once_and_what_is_chosen_was_measured(strategy: str) -> None:
    output, state = execute(Function(bound), strategy=strategy)
    assert len({power.power for power in state.powers}) == len(state.powers)
    assert all(len(power.versions) == 1 for power in state.powers)
    chosen = next(power for power in state.powers if power.power == output["power"])
    assert len(chosen.samples) >= 2
    assert not any(sample.cold for sample in chosen.samples), "cold ones are no samples"


def test_the_current_size_is_kept_where_nothing_better_was_shown() -> None:
    """Up to one vCPU a function that only computes costs the same at every size."""
    output, _ = execute(Function(lambda mb: 200 / min(1.0, mb / 1769)), strategy="cost")
    assert output["power"] == output["originalPower"] == 512


def test_sizes_at_which_it_cannot_work_are_left_out_with_all_below() -> None:
    fails = lambda mb: "Runtime.OutOfMemory" if mb < 600 else ""  # noqa: E731
    function = Function(bound, fails=fails)
    output, state = execute(function, strategy="cost", original_mb=1024)
    assert output["power"] >= 600
    excluded = [power.power for power in state.powers if power.excluded]
    assert excluded
    assert max(excluded) < 600
    assert len(function.sent) <= 8


def test_where_all_of_the_first_fail_it_looks_above() -> None:
    fails = lambda mb: "Runtime.OutOfMemory" if mb < 1500 else ""  # noqa: E731
    output, _ = execute(Function(bound, fails=fails), strategy="cost", original_mb=128)
    assert output["power"] >= 1500


def test_a_function_that_always_fails_is_told() -> None:
    with pytest.raises(NothingMeasured, match="at every power value"):
        execute(Function(bound, fails=lambda _: "Runtime.OutOfMemory"), original_mb=128)


def test_an_account_may_have_no_more_than_3008_mb() -> None:
    """What AWS says of its limit is enough to ask for nothing above it again."""
    said = "'MemorySize' value failed to satisfy constraint: Member must have value less than or "
    refused = dict.fromkeys(range(3009, 10241), f"{said}equal to 3008")
    output, state = execute(Function(bound), strategy="speed", refused=refused)
    assert output["power"] <= 3008
    assert sum(bool(power.excluded) for power in state.powers) == 1


def test_a_range_of_ones_own_is_kept() -> None:
    function = Function(bound)
    execute(function, strategy="speed", minPower=300, maxPower=900)
    assert all(300 <= size <= 900 for size in function.sent)
    with pytest.raises(InvalidInput, match="minPower"):
        execute(function, minPower=900, maxPower=300)


def test_a_budget_is_kept() -> None:
    """Of invocations, and of money: what the first sizes take is always spent."""
    function = Function(bound)
    execute(function, maxInvocations=9, confidence="sure")
    assert sum(map(len, function.sent.values())) <= 16
    function = Function(bound)
    output, _ = execute(function, maxCostUsd=1e-9)
    assert "spent" in output["adaptive"]["reason"]


def test_memory_that_is_used_needs_headroom() -> None:
    """60 MB are used, so all sizes will do; 200 MB leave 128 out though it is cheapest."""
    hungry = Function(lambda mb: 400.0)

    def invoke(arn: str, payload: bytes) -> Outcome:
        made = hungry(arn, payload)
        assert made.report is not None
        return Outcome(made.report._replace(max_memory_used_mb=200), made.payload)

    output, _ = execute(invoke, strategy="cost")  # type: ignore[arg-type]
    assert output["power"] >= 220


def test_what_was_measured_when_time_was_up_is_judged() -> None:
    slow = Function(lambda mb: bound(mb) * random.Random(mb).uniform(0.5, 2), takes_s=1.0)
    output, state = execute(slow, left_s=15.5, last=True, confidence="sure")
    assert state.timed_out
    assert output["adaptive"]["reason"] == "time was up"


def test_passes_have_all_payloads_by_their_weights() -> None:
    """A list of weights is sent whole at each size, as often as at every other one."""
    payload = [{"weight": 3, "payload": {"a": 1}}, {"weight": 1, "payload": {"b": 1}}]
    function = Function(bound)
    execute(function, payload=payload)
    for sent in function.sent.values():
        warm = sent[1:]
        assert len(warm) % 4 == 0
        assert warm.count({"a": 1}) == 3 * warm.count({"b": 1})


def test_passes_of_a_workload_are_whole() -> None:
    """After one that warms up; each request is a figure of its own."""
    requests = [
        {"name": "read", "event": {"r": 1}, "weight": 2},
        {"name": "write", "event": {"w": 1}},
    ]
    workload = {"requests": requests}
    request = parse({"lambdaARN": ARN, "measuring": "adaptive", "workload": workload}, ())
    assert request.workload is not None
    function = Function(bound)
    plan = WorkloadPlan(request.workload, "seed")
    output, _ = execute(function, plan=plan, workload=workload)
    for sent in function.sent.values():
        assert len(sent) % 3 == 0
        assert len(sent) >= 9
    assert output["details"][0]["requests"][0]["name"] == "read"


def test_fixed_measuring_wants_its_number_and_adaptive_none() -> None:
    with pytest.raises(InvalidInput, match="num"):
        parse({"lambdaARN": ARN}, (128,))
    assert parse({"lambdaARN": ARN, "measuring": "adaptive"}, (128,)).adaptive
    assert not parse({"lambdaARN": ARN, "num": 5}, (128,)).adaptive
    with pytest.raises(InvalidInput, match="onlyColdStarts"):
        parse({"lambdaARN": ARN, "measuring": "adaptive", "onlyColdStarts": True}, (128,))


@pytest.mark.parametrize(
    ("limit", "verdict", "counted"),
    [
        pytest.param({"maxDurationMs": 300}, "proven", 59, marks=SLOW),
        pytest.param({"maxDurationMs": 300, "limitOn": "mean"}, "proven", 8, marks=SLOW),
        ({"maxDurationMs": 300, "limitOn": "p50"}, "proven", 6),
        ({"maxDurationMs": 100}, "none", 1),
        ({"maxDurationMs": 300, "maxInvocations": 25}, "not proven", 2),
    ],
)
def test_a_limit_is_proven_by_counting(limit: Any, verdict: str, counted: int) -> None:
    """Or it is said openly that it is not."""
    function = Function(bound)
    output, _ = execute(function, strategy="limit", maxPower=3008, **limit)
    found = output["limit"]
    assert found["verdict"] == verdict
    assert found["invocations"] >= counted
    assert found["on"] == limit.get("limitOn", "p95")
    assert (bound(output["power"]) <= limit["maxDurationMs"]) is (verdict != "none")
    made = next(d for d in output["details"] if d["power"] == output["power"])
    assert found["invocations"] == made["count"], "cold ones do not count"
    assert "noneKeeps" not in output["adaptive"]


def test_a_function_is_not_changed_for_what_was_not_proven() -> None:
    """It may miss the limit for which it would be changed."""
    keys = {"strategy": "limit", "maxPower": 3008, "autoOptimize": True}
    request = parse({"lambdaARN": ARN, "measuring": "adaptive", **keys, "maxDurationMs": 300}, ())
    for most, next_state in ((25, ""), (0, "Optimize")):
        output, state = execute(Function(bound), maxDurationMs=300, maxInvocations=most, **keys)
        assert detour(request, state) == next_state
        assert any("autoOptimize" in warning for warning in output["warnings"]) is not bool(
            next_state
        )


def test_a_former_tuning_of_the_same_code_saves_invocations() -> None:
    """Its output has what the next one's input takes, and that says so."""
    function = Function(bound)
    first, _ = execute(function)
    again = Function(bound)
    second, _ = execute(again, prior=first["prior"] | {"run": "261130-1200-bbbb"})
    assert sum(map(len, again.sent.values())) < sum(map(len, function.sent.values()))
    assert (first["adaptive"]["prior"], second["adaptive"]["prior"]) == ("", "261130-1200-bbbb")
    measured = {detail["power"]: detail["duration"]["p50"] for detail in first["details"]}
    for size in first["prior"]["sizes"]:
        assert size["durationMs"] == pytest.approx(measured[size["power"]], rel=0.05)
    with pytest.raises(InvalidInput, match="prior"):
        parse({"lambdaARN": ARN, "num": 5, "prior": first["prior"]}, (128,))
    with pytest.raises(InvalidInput, match="prior: sizes"):
        parse(
            {"lambdaARN": ARN, "measuring": "adaptive", "prior": {**first["prior"], "sizes": 1}}, ()
        )


@pytest.mark.parametrize(
    ("named", "measured"), [([1024, 704], {704, 1024}), ([64 * 150], set()), ("ALL", set())]
)
def test_sizes_that_are_named_are_measured_as_well(named: Any, measured: set[int]) -> None:
    """Warm, too, so that they say what is to be expected there; as far as they are allowed."""
    _, alone = execute(Function(bound), maxPower=3008)
    _, state = execute(Function(bound), maxPower=3008, powerValues=named)
    sizes = {power.power: len(power.samples) for power in state.powers}
    assert measured <= sizes.keys()
    assert {64 * 150, 192} & sizes.keys() == set()
    assert all(sizes[size] >= 2 for size in measured)
    if not measured:
        assert sizes.keys() == {power.power for power in alone.powers}
