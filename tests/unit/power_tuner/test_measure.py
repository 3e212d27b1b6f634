"""Measure: which invocations are made, what counts, what excludes a power value."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from lambda_dyno.tuner_contract.reports import Report
from power_tuner.analyze import analyze, detour
from power_tuner.errors import FunctionGone, InvocationFailed, NothingMeasured, ProcessorFailed
from power_tuner.function import Deadline
from power_tuner.invoker import GaveUpError, Outcome
from power_tuner.measure import Measurer
from power_tuner.payloads import plan
from power_tuner.processors import WithProcessors, is_empty
from power_tuner.request import TuningInput, parse
from power_tuner.state import PowerState, TuningState
from tests.support.tuner_fakes import error
from tests.support.waiting import HANGS_S

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:shop"


def took(
    duration_ms: float, *, cold: bool = False, error: str = "", killed: bool = False
) -> Outcome:
    """Return what came of an invocation that took so long."""
    report = Report("id", duration_ms, duration_ms, init_duration_ms=100.0 if cold else 0.0)
    return Outcome(report, b"{}", error, "said why" if error else "", killed)


class FakeFunction:
    """A function whose versions are the power values; counts what is sent."""

    def __init__(self, answer: Callable[[int, int], Outcome]) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self.sent: dict[int, list[str]] = {}
        self.running = 0
        self.most_at_once = 0

    def __call__(self, function_arn: str, payload: bytes) -> Outcome:
        power = int(function_arn.rpartition(":")[2])
        with self._lock:
            self.running += 1
            self.most_at_once = max(self.most_at_once, self.running)
            sent = self.sent.setdefault(power, [])
            sent.append(payload.decode())
            number = len(sent) - 1
        try:
            return self._answer(power, number)
        finally:
            with self._lock:
                self.running -= 1


class Clock:
    """A clock that only invocations move."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        return self._now

    def pass_by(self, seconds: float) -> None:
        self._now += seconds


def tuning(*powers: int, num: int = 5, **keys: Any) -> tuple[TuningInput, TuningState]:
    """Return a request and the state that Prepare would give."""
    request = parse({"lambdaARN": ARN, "num": num, "powerValues": list(powers), **keys}, (128,))
    state = TuningState(
        original_power=powers[0],
        architecture="x86_64",
        timeout_s=3,
        reserved_concurrency=None,
        powers=[
            PowerState(p, versions=[str(p)], todo=list(range(request.invocations)))
            for p in request.power_values
        ],
    )
    return request, state


def measure(
    request: TuningInput,
    state: TuningState,
    function: Any,
    left_s: float = 60,
    *,
    last: bool = False,
    clock: Callable[[], float] = time.monotonic,
    **more: Any,
) -> None:
    deadline = Deadline(clock() + left_s, clock)
    shares = plan(request.num, request.payload)
    most = more.pop("most_at_once", 64)
    Measurer(request, shares, function, deadline, most, **more).run(state, last=last)


def test_every_power_value_is_invoked_num_times() -> None:
    """Each power value gets num invocations with the payload."""
    request, state = tuning(128, 256, num=7, payload={"a": 1})
    function = FakeFunction(lambda _power, number: took(10.5 + number, cold=number == 0))
    measure(request, state, function)
    assert {power: Counter(sent) for power, sent in function.sent.items()} == {
        128: {'{"a":1}': 7},
        256: {'{"a":1}': 7},
    }
    assert [len(power.samples) for power in state.powers] == [7, 7]
    assert sorted(s.duration_ms for s in state.powers[0].samples)[-1] == 110.5
    assert sum(s.cold for s in state.powers[0].samples) == 1
    assert detour(request, state) == ""


def test_series_side_by_side() -> None:
    """In series each power value has one invocation at a time, all power values at once."""
    request, state = tuning(128, 256, 512)
    together = threading.Barrier(3, timeout=HANGS_S)
    function = FakeFunction(lambda *_: (together.wait(), took(20))[1])
    measure(request, state, function)
    assert function.most_at_once == 3


def test_sequential_is_one_at_a_time() -> None:
    """With sequential there is one invocation at a time, power value after power value."""
    request, state = tuning(128, 256, sequential=True)
    order: list[int] = []
    function = FakeFunction(lambda power, _: (order.append(power), took(1))[1])
    measure(request, state, function)
    assert function.most_at_once == 1
    assert order == [128] * 5 + [256] * 5


def test_parallel_is_all_at_once() -> None:
    """With parallelInvocation all invocations of all power values run at once."""
    request, state = tuning(128, 256, parallelInvocation=True)
    together = threading.Barrier(10, timeout=HANGS_S)
    measure(request, state, FakeFunction(lambda *_: (together.wait(), took(1))[1]))
    assert [len(power.samples) for power in state.powers] == [5, 5]


def test_parallel_stays_below_reserved_concurrency() -> None:
    """A function with reserved concurrency never has more invocations than that."""
    request, state = tuning(128, 256, num=9, parallelInvocation=True)
    state.reserved_concurrency = 3
    together = threading.Barrier(3, timeout=HANGS_S)
    function = FakeFunction(lambda *_: (together.wait(), took(1))[1])
    measure(request, state, function)
    assert function.most_at_once == 3


def test_a_function_of_almost_15_minutes_is_measured_in_rounds() -> None:
    """One invocation in each pass; what was measured before the time limit stays."""
    request, state = tuning(512, num=7)
    now = 0.0

    def invoke(_arn: str, _payload: bytes) -> Outcome:
        nonlocal now
        now += 890
        return took(890_000)

    for done in range(1, 6):
        deadline = Deadline(now + 896, lambda: now)
        Measurer(request, plan(7, None), invoke, deadline, 64).run(state, last=done == 5)
        assert len(state.powers[0].samples) == done
        state = TuningState.from_json(json.loads(json.dumps(state.to_json(1000))))
    assert (state.passes, state.timed_out) == (5, True)
    output = analyze(request, state, "https://example.com")
    assert (output["power"], output["duration"]) == (512, 890_000)
    assert "512 MB: 5 of 7 invocations were measured in time" in output["warnings"]


def test_no_more_at_once_than_is_allowed() -> None:
    """Though the function may have more, and this Lambda function can hold more."""
    request, state = tuning(128, 256, num=10, parallelInvocation=True, maxConcurrency=4)
    state.reserved_concurrency = 6
    together = threading.Barrier(4, timeout=HANGS_S)
    function = FakeFunction(lambda *_: (together.wait(), took(1))[1])
    measure(request, state, function)
    assert function.most_at_once == 4


def test_sleep_between_runs() -> None:
    """sleepBetweenRunsMs sleeps between invocations in series, not after the last."""
    request, state = tuning(128, sleepBetweenRunsMs=30)
    slept: list[float] = []
    measure(request, state, FakeFunction(lambda *_: took(1)), sleep=slept.append)
    assert slept == [0.03] * 4


def test_dry_run_is_one_invocation() -> None:
    """A dry run makes one invocation per power value."""
    request, state = tuning(128, 256, dryRun=True)
    function = FakeFunction(lambda *_: took(1))
    measure(request, state, function)
    assert {power: len(sent) for power, sent in function.sent.items()} == {128: 1, 256: 1}


def test_weights_over_two_passes() -> None:
    """What one pass has no time for is done by the next, each payload as often as it should be."""
    weighted = [{"weight": 3, "payload": ["a"]}, {"weight": 2, "payload": ["b"]}]
    request, state = tuning(128, num=10, payload=weighted)
    clock = Clock()
    function = FakeFunction(lambda *_: (clock.pass_by(5), took(5000))[1])
    measure(request, state, function, left_s=22, clock=clock)
    assert len(state.powers[0].samples) == 4
    assert detour(request, state) == "Measure"
    measure(request, state, function)
    assert Counter(function.sent[128]) == {'["a"]': 6, '["b"]': 4}
    assert state.passes == 2
    assert detour(request, state) == ""


def test_a_pass_with_no_time_measures_nothing() -> None:
    """An entry without time for one invocation leaves all of them to the next."""
    request, state = tuning(128)
    function = FakeFunction(lambda *_: took(1))
    measure(request, state, function, left_s=-1)
    assert not function.sent
    assert detour(request, state) == "Measure"


def test_invocation_that_does_not_end_with_the_pass() -> None:
    """A pass ends in time whatever still runs; that invocation is made again by the next pass."""
    request, state = tuning(128, 256, sequential=True)
    hang, late = threading.Event(), threading.Event()

    def answer(power: int, number: int) -> Outcome:
        if (power, number) == (128, 3):
            hang.wait(60)
            late.set()
        return took(1)

    started = time.monotonic()
    function = FakeFunction(answer)
    measure(request, state, function, left_s=3.0)
    assert time.monotonic() - started < 30
    assert [len(power.samples) for power in state.powers] == [3, 0]
    assert detour(request, state) == "Measure"
    hang.set()
    assert late.wait(60)
    measure(request, state, function)
    assert [len(power.samples) for power in state.powers] == [5, 5]


def test_invocation_that_never_ends() -> None:
    """A pass in which nothing was answered excludes what it had tried: there is no end to it."""
    request, state = tuning(128, 256, sequential=True)
    never = threading.Event()
    function = FakeFunction(lambda power, _: (power == 128 and never.wait(10), took(1))[1])
    measure(request, state, function, left_s=0.2)
    assert "128 MB: no answer in 0 s" in state.powers[0].excluded
    measure(request, state, function)
    assert len(state.powers[1].samples) == 5
    never.set()


def test_a_failure_ends_the_pass_at_once() -> None:
    """A run that fails does not wait for the invocations that are still at work."""
    request, state = tuning(128, 256, allowFailures=False)
    never = threading.Event()
    function = FakeFunction(
        lambda power, _: (
            took(1, error="ValueError") if power == 128 else (never.wait(60), took(1))[1]
        )
    )
    started = time.monotonic()
    with pytest.raises(InvocationFailed):
        measure(request, state, function)
    assert time.monotonic() - started < 30
    never.set()


def test_many_types_of_errors() -> None:
    """A function that makes up a type for each error does not fill the state with them."""
    request, state = tuning(128, num=60)
    function = FakeFunction(lambda _, number: took(1, error=f"Error{number}" if number % 2 else ""))
    measure(request, state, function)
    errors = state.powers[0].errors
    assert len(errors) == 11
    assert errors["other types"] == 20


def test_power_value_that_always_fails_is_left_out() -> None:
    """A power value at which the function fails is excluded with the reason; others count."""
    request, state = tuning(128, 256, num=20)
    function = FakeFunction(lambda power, _: took(1, error="MemoryError" if power == 128 else ""))
    measure(request, state, function)
    low, high = state.powers
    assert "power value 128 MB, payload 0: MemoryError: said why" in low.excluded
    assert not high.excluded
    assert len(function.sent[128]) == 5  # hopeless: not all 20
    output = analyze(request, state, "https://example.com/")
    assert output["power"] == 256
    assert output["details"][0]["errorsByType"] == {"MemoryError": 5}
    assert any(warning.startswith("128 MB is left out") for warning in output["warnings"])


def test_killed_once_is_left_out() -> None:
    """One invocation that Lambda killed excludes its power value: it cannot be recommended."""
    request, state = tuning(128, 256)
    function = FakeFunction(
        lambda power, number: (
            took(1, error="Sandbox.Timedout", killed=True)
            if (power, number) == (128, 2)
            else took(1)
        )
    )
    measure(request, state, function)
    assert "Sandbox.Timedout" in state.powers[0].excluded
    assert len(function.sent[128]) == 3


def test_failing_now_and_then_is_counted() -> None:
    """A few failures are counted and pointed out; the rest is measured."""
    request, state = tuning(128, num=10)
    function = FakeFunction(
        lambda _, number: took(5, error="ValueError" if number % 4 == 3 else "")
    )
    measure(request, state, function)
    assert len(state.powers[0].samples) == 8
    output = analyze(request, state, "https://example.com/")
    assert output["details"][0]["errors"] == 2
    assert "128 MB: 2 of 10 invocations failed" in output["warnings"][0]


def test_failing_more_than_half_is_left_out() -> None:
    """A power value at which more than half fails is no basis for a mean."""
    request, state = tuning(128, 256, num=10)
    function = FakeFunction(
        lambda power, number: took(5, error="ValueError" if power == 128 and number % 5 > 1 else "")
    )
    measure(request, state, function)
    assert [bool(power.excluded) for power in state.powers] == [True, False]


def test_nothing_left() -> None:
    """When every power value fails, the run fails with the first one's error."""
    request, state = tuning(128, 256)
    function = FakeFunction(lambda *_: took(1, error="ValueError"))
    with pytest.raises(
        NothingMeasured, match=r"first at power value 128 MB, payload 0: ValueError"
    ):
        measure(request, state, function)


def test_failures_may_be_forbidden() -> None:
    """With allowFailures false the first failure fails the run, with power value and payload."""
    weighted = [{"weight": 1, "payload": ["a"]}, {"weight": 1, "payload": ["b"]}]
    request, state = tuning(128, 256, num=10, payload=weighted, allowFailures=False)
    function = FakeFunction(
        lambda power, number: took(1, error="ValueError" if (power, number) == (256, 5) else "")
    )
    with pytest.raises(InvocationFailed, match=r"power value 256 MB, payload 1: ValueError"):
        measure(request, state, function)


def test_allowed_exceptions_are_measured() -> None:
    """An invocation that failed with an allowed type counts as measured, and as an error."""
    request, state = tuning(128, allowedExceptions=["NotFound"])
    measure(request, state, FakeFunction(lambda *_: took(5, error="NotFound")))
    power = state.powers[0]
    assert (len(power.samples), power.errors, power.excluded) == (5, {"NotFound": 5}, "")


def test_no_report_is_no_measurement() -> None:
    """An invocation whose log tail has no REPORT is not measured."""
    request, state = tuning(128, 256)
    function = FakeFunction(
        lambda power, _: Outcome(None, b"1", "NoReport", "no line") if power == 128 else took(1)
    )
    measure(request, state, function)
    assert "NoReport" in state.powers[0].excluded


@pytest.mark.parametrize(
    "outcome",
    [
        took(1, error="KeyError"),
        took(1, error="Sandbox.Timedout", killed=True),
        Outcome(None, b"1", "NoReport", "no line"),
    ],
    ids=["failed", "killed", "no-report"],
)
@pytest.mark.parametrize("secret", [False, True])
def test_errors_show_what_was_sent(outcome: Outcome, secret: bool) -> None:
    """With a pre-processor that is its output, in every message, and in none that is secret."""

    def answer(power: int, _: int) -> Outcome:
        return outcome if power == 128 else took(1)

    keys = {"payload": {"seed": 1}, "preProcessorARN": f"{ARN}-pre", "disablePayloadLogs": secret}
    request, state = tuning(128, 256, **keys)
    pre = Recorder(Outcome(None, b'{"order":"fresh-1"}'))
    invoke = WithProcessors(FakeFunction(answer), request, lambda _region: pre)
    measure(request, state, invoke)
    said = [state.powers[0].excluded, *analyze(request, state, "https://x/")["warnings"]]
    assert len(said) == 2
    for words in said:
        assert ('(sent: {"order":"fresh-1"})' in words) is not secret
        assert "seed" not in words
    request, state = tuning(128, 256, allowFailures=False, **keys)
    with pytest.raises(InvocationFailed) as caught:
        measure(request, state, WithProcessors(FakeFunction(answer), request, lambda _: pre))
    assert ("fresh-1" in str(caught.value)) is not secret


def test_payloads_can_be_secret() -> None:
    """With disablePayloadLogs neither payload nor message is in an error."""
    request, state = tuning(128, payload={"pin": 4711}, disablePayloadLogs=True)
    function = FakeFunction(lambda *_: took(1, error="KeyError"))
    with pytest.raises(NothingMeasured) as caught:
        measure(request, state, function)
    assert "4711" not in str(caught.value)
    assert "said why" not in str(caught.value)
    assert "KeyError" in str(caught.value)


def test_still_refused_is_left_out() -> None:
    """A power value that Lambda refuses for good is excluded, its retries counted."""

    def refuse(power: int, _: int) -> Outcome:
        if power == 128:
            raise GaveUpError("refused", 12, out_of_time=False)
        return took(1)

    request, state = tuning(128, 256)
    measure(request, state, FakeFunction(refuse))
    assert state.powers[0].retries == 12
    assert "refused" in state.powers[0].excluded


def test_out_of_time_is_done_later() -> None:
    """An invocation that could not be retried in time stays to be done."""

    def refuse(_power: int, number: int) -> Outcome:
        if number == 2:
            raise GaveUpError("refused", 3, out_of_time=True)
        return took(1)

    request, state = tuning(128)
    measure(request, state, FakeFunction(refuse))
    assert state.powers[0].todo == [2, 3, 4]
    assert not state.powers[0].excluded


def slow_below(power_mb: int, clock: Clock, after: int = 0) -> FakeFunction:
    """Return a function that takes 5 s at smaller sizes, and no time at larger ones.

    Time passes only when those were invoked so often.
    """
    done = threading.Event()

    def answer(power: int, number: int) -> Outcome:
        if power >= power_mb:
            if number >= after - 1:
                done.set()
            return took(1)
        assert not after or done.wait(HANGS_S)
        clock.pass_by(5)
        return took(5000)

    return FakeFunction(answer)


def test_what_was_measured_survives_the_end_of_time() -> None:
    """Finished sizes as they are; others if there is enough of them; the output says so."""
    request, state = tuning(128, 512, num=40, autoOptimize=True)
    clock = Clock()
    measure(request, state, slow_below(512, clock, after=40), left_s=60, last=True, clock=clock)
    small, large = state.powers
    assert 5 <= len(small.samples) < 40
    assert (len(large.samples), small.done, large.done) == (40, True, True)
    assert state.timed_out
    assert detour(request, state) == ""  # nothing is changed by half of the figures
    output = analyze(request, TuningState.from_json(state.to_json(0)), "https://x/")
    assert output["timedOut"] is True
    measured = f"128 MB: {len(small.samples)} of 40 invocations were measured in time"
    assert measured in output["warnings"]
    assert output["details"][0]["count"] == len(small.samples)
    assert (output["power"], output["details"][0]["excluded"]) == (512, "")


def test_too_little_in_time_is_left_out() -> None:
    """Less than five, or a part of several payloads, says nothing; it is in the details still."""
    request, state = tuning(128, 512, num=40)
    clock = Clock()
    measure(request, state, slow_below(512, clock, after=40), left_s=12, last=True, clock=clock)
    assert "of 40 invocations were measured in time" in state.powers[0].excluded
    assert not state.powers[1].excluded
    weighted = [{"weight": weight, "payload": {"n": weight}} for weight in (1, 3)]
    request, state = tuning(128, 512, num=40, payload=weighted)
    measure(request, state, slow_below(512, clock, after=40), left_s=60, last=True, clock=clock)
    assert len(state.powers[0].samples) >= 5
    assert "of 40 invocations were measured in time" in state.powers[0].excluded


def test_nothing_in_time_fails() -> None:
    """With what there is; and a pass that is not the last leaves the rest to the next."""
    request, state = tuning(128, 256, num=40)
    clock = Clock()
    measure(request, state, slow_below(512, clock), left_s=12, clock=clock)
    assert not state.timed_out
    assert all(power.todo and not power.excluded for power in state.powers)
    with pytest.raises(NothingMeasured, match=r"time was up .*: . of 40 invocations"):
        measure(request, state, slow_below(512, clock), left_s=0, last=True, clock=clock)
    request, state = tuning(128)
    measure(request, state, slow_below(0, clock), last=True, clock=clock)
    assert not state.timed_out  # all was done in time


def test_cold_starts_only() -> None:
    """With onlyColdStarts warm invocations do not count, and are made up for on new versions."""
    request, state = tuning(128, num=6, onlyColdStarts=True)
    function = FakeFunction(lambda _, number: took(5, cold=number % 3 != 2))
    measure(request, state, function)
    power = state.powers[0]
    assert (len(power.samples), power.discarded, len(power.todo)) == (4, 2, 2)
    assert detour(request, state) == "Prepare"
    measure(request, state, function)
    assert len(power.samples) == 6
    assert all(sample.cold for sample in power.samples)
    assert detour(request, state) == ""


def test_cold_waves_fit_the_concurrency() -> None:
    """A version gets no more cold invocations than run at once: later ones would be warm."""
    request, state = tuning(128, 256, num=6, onlyColdStarts=True)
    state.reserved_concurrency = 2
    function = FakeFunction(lambda *_: took(5, cold=True))
    measure(request, state, function)
    assert {power: len(sent) for power, sent in function.sent.items()} == {128: 2, 256: 2}


def test_cold_starts_that_there_was_no_time_for() -> None:
    """A power value that a pass did not come to is not taken for one that never starts cold."""
    request, state = tuning(128, 256, onlyColdStarts=True)

    def answer(power: int, _number: int) -> Outcome:
        if power == 256:
            raise GaveUpError("refused", 1, out_of_time=True)
        return took(5, cold=True)

    measure(request, state, FakeFunction(answer))
    assert not state.powers[1].excluded
    assert len(state.powers[1].todo) == 5


def test_never_cold_ends() -> None:
    """A function that shows no cold start on a fresh version is excluded, not tried for ever."""
    request, state = tuning(128, onlyColdStarts=True)
    with pytest.raises(NothingMeasured, match="no cold start"):
        measure(request, state, FakeFunction(lambda *_: took(5)))


# --- processors ---------------------------------------------------------------------------


class Recorder:
    """An invoker that answers with what it is told to, and keeps what it was sent."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.sent: list[bytes] = []

    def __call__(self, _arn: str, payload: bytes) -> Outcome:
        self.sent.append(payload)
        return self.outcome


PRE = "arn:aws:lambda:eu-west-1:123456789012:function:pre"
POST = "arn:aws:lambda:us-east-1:123456789012:function:post:live"


def with_processors(
    function: Recorder, by_region: dict[str, Recorder], **keys: Any
) -> WithProcessors:
    request, _ = tuning(128, preProcessorARN=PRE, postProcessorARN=POST, **keys)
    return WithProcessors(function, request, lambda region: by_region[region])


@pytest.mark.parametrize(
    ("output", "sent"),
    [
        (b'{"new":1}', b'{"new":1}'),
        (b"{}", b"{}"),
        (b"0", b"0"),
        (b"null", b"old"),
        (b"", b"old"),
        ("p\u00e4 1".encode(), '"p\u00e4 1"'.encode()),  # of a runtime whose answers are no JSON
    ],
)
def test_pre_processor_replaces_the_payload(output: bytes, sent: bytes) -> None:
    """A pre-processor's output replaces the payload unless it is empty."""
    function = Recorder(Outcome(None, b'"answer"'))
    pre, post = Recorder(Outcome(None, output)), Recorder(Outcome(None, b""))
    with_processors(function, {"eu-west-1": pre, "us-east-1": post})(ARN, b"old")
    assert pre.sent == [b"old"]
    assert function.sent == [sent]
    assert post.sent == [b'"answer"']


def test_processor_that_fails() -> None:
    """A failing processor fails the run, and the message names it."""
    function = Recorder(Outcome(None, b""))
    pre = Recorder(Outcome(None, b"{}", "ValueError", "no good"))
    invoke = with_processors(function, {"eu-west-1": pre, "us-east-1": pre})
    with pytest.raises(ProcessorFailed, match=rf"{PRE} failed with ValueError: no good .*secret"):
        invoke(ARN, b'"secret"')
    assert not function.sent


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (FunctionGone(f"{PRE} was deleted"), f"preProcessorARN: there is no function {PRE}"),
        (error("AccessDeniedException", "Invoke"), f"not allowed to invoke {PRE}; .* processor_fu"),
    ],
)
def test_processor_that_cannot_be_invoked(raised: Exception, words: str) -> None:
    """A processor that is missing, or not among the tuner's own, fails the run by its name."""

    def refuse(_arn: str, _payload: bytes) -> Outcome:
        raise raised

    request, _ = tuning(128, preProcessorARN=PRE)
    with pytest.raises(ProcessorFailed, match=words):
        WithProcessors(Recorder(Outcome(None)), request, lambda _region: refuse)(ARN, b"1")


def test_processor_that_fails_in_secret() -> None:
    """With disablePayloadLogs a failing processor's message tells no payload."""
    pre = Recorder(Outcome(None, b"{}", "ValueError", "bad secret"))
    by_region = {"eu-west-1": pre, "us-east-1": pre}
    invoke = with_processors(Recorder(Outcome(None)), by_region, disablePayloadLogs=True)
    with pytest.raises(ProcessorFailed) as caught:
        invoke(ARN, b'"secret"')
    assert "secret" not in str(caught.value)


def test_processor_without_report() -> None:
    """A processor is not measured, so it needs no REPORT."""
    function = Recorder(Outcome(None, b"1"))
    pre = Recorder(Outcome(None, b"2", "NoReport", "no line"))
    with_processors(function, {"eu-west-1": pre, "us-east-1": pre})(ARN, b"1")
    assert function.sent == [b"2"]


def test_a_byte_order_mark_of_a_processor_is_not_sent() -> None:
    """JSON with a mark in front is JSON still, and Lambda takes it without the mark only."""
    request, _ = tuning(128, preProcessorARN=f"{ARN}-pre")
    pre = Recorder(Outcome(None, b'\xef\xbb\xbf{"a":1}'))
    function = Recorder(took(1))
    assert WithProcessors(function, request, lambda _: pre)(ARN, b"{}").sent == b'{"a":1}'
    assert function.sent == [b'{"a":1}']


@pytest.mark.parametrize(
    ("output", "empty"), [(b"", True), (b" null ", True), (b'""', True), (b"[]", False)]
)
def test_empty_outputs(output: bytes, empty: bool) -> None:
    """No output, null and an empty string are empty."""
    assert is_empty(output) is empty
