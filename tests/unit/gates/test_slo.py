"""lambda_dyno.gates.slo: outcomes, reasons, and no pass without evidence."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from dataclasses import replace
from statistics import NormalDist

import pytest

from lambda_dyno.core.config import LoadSettings, SloSettings
from lambda_dyno.core.results import (
    Answers,
    DurationStats,
    LatencyStats,
    LoadResult,
    PowerDetail,
    Sample,
    StateMachineCost,
    TuningResult,
)
from lambda_dyno.gates.slo import at_size, evaluate, judged_mb, side_by_side
from lambda_dyno.load.driver import DriverReport, DriverUsage
from lambda_dyno.load.samples import summarise

LOAD = LoadResult(
    label="current",
    memory_mb=512,
    virtual_users=10,
    ramp_up_s=2.0,
    duration_s=15.0,
    requests=1204,
    errors=0,
    errors_by_kind={},
    latency_ms=LatencyStats(mean=100, p50=90, p90=180, p95=200, p99=312, max=400),
    requests_per_s=80.3,
    driver_cpu_ratio=0.3,
    machine_cpu_ratio=0.5,
)


def detail(power, cost, duration, *, count=10, excluded=""):
    stats = DurationStats(
        mean=999, trimmed_mean=duration, p50=0, p95=0, p99=0, min=0, max=0, std_dev=0, ci95=(0, 0)
    )
    return PowerDetail(
        power=power,
        count=count,
        duration_ms=stats,
        billed_ms_mean=duration,
        cost_usd=cost,
        cold_starts=0,
        errors=0,
        max_memory_used_mb=80,
        excluded=excluded,
    )


TUNING = TuningResult(
    function_arn="arn:aws:lambda:eu-west-1:123456789012:function:f",
    power=1024,
    cost=2.0e-6,
    duration=100.0,
    strategy="balanced",
    current_power=512,
    architecture="arm64",
    region="eu-west-1",
    # balance at weight 0.5: 128: 0.5 * 1/4 + 0.5 * 1 = 0.625; 512: 0.5 * 3/4 + 0.5 * 0.3 = 0.525;
    # 1024: 0.5 * 2/4 + 0.5 * 0.1 = 0.3; 2048: 0.5 + 0.04 = 0.54
    details=(
        detail(128, 1.0e-6, 1000.0),
        detail(512, 3.0e-6, 300.0),
        detail(1024, 2.0e-6, 100.0),
        detail(2048, 4.0e-6, 80.0),
    ),
    state_machine=StateMachineCost("arn", 0.0, 0.0, ""),
)


def only(verdict):
    (check,) = verdict.checks
    assert verdict.outcome == check.outcome
    return check


class TestLatency:
    def test_within_the_limit_passes_with_a_sentence(self):
        """The reason names percentile, memory, value, limit and how many requests it rests on."""
        check = only(evaluate(SloSettings(latency_p95_ms=250.0), load=[LOAD]))
        assert (check.outcome, check.measured, check.unit) == ("pass", 200, "ms")
        assert check.reason == "p95 at 512 MB is 200 ms, limit 250 ms, 1,204 requests"

    def test_above_the_limit_fails(self):
        """A p99 of 312 ms misses a limit of 250 ms."""
        check = only(evaluate(SloSettings(latency_p99_ms=250.0), load=[LOAD]))
        assert check.outcome == "fail"
        assert check.reason == "p99 at 512 MB is 312 ms, limit 250 ms, 1,204 requests"

    def test_limit_is_inclusive(self):
        """Exactly the limit is within it."""
        assert only(evaluate(SloSettings(latency_p95_ms=200.0), load=[LOAD])).outcome == "pass"

    def test_a_near_miss_shows_enough_digits(self):
        """A value just above the limit does not read as equal to it."""
        load = replace(LOAD, latency_ms=replace(LOAD.latency_ms, p95=200.0004))
        check = only(evaluate(SloSettings(latency_p95_ms=200.0), load=[load]))
        assert check.outcome == "fail"
        assert "is 200.0004" in check.reason

    def test_judges_the_deployed_memory(self):
        """A good result at the recommended memory does not excuse the deployed one."""
        fast = replace(LOAD.latency_ms, p95=10.0)
        recommended = replace(LOAD, label="recommended", memory_mb=1024, latency_ms=fast)
        slo = SloSettings(latency_p95_ms=100.0)
        assert only(evaluate(slo, load=[recommended, LOAD])).outcome == "fail"
        assert only(evaluate(slo, load=[recommended])).outcome == "inconclusive"

    def test_not_measured_is_inconclusive(self):
        """Without a load test nothing is known."""
        check = only(evaluate(SloSettings(latency_p95_ms=250.0)))
        assert (check.outcome, check.measured) == ("inconclusive", None)
        assert "was not measured" in check.reason

    @pytest.mark.parametrize(
        ("key", "enough"), [("latency_p95_ms", 72), ("latency_p99_ms", 368)], ids=["p95", "p99"]
    )
    def test_too_few_requests_are_inconclusive(self, key, enough):
        """Fewer requests than the percentile's interval needs decide nothing, good or bad."""
        for limit in (1.0, 1000.0):
            slo = SloSettings(**{key: limit})
            few = replace(LOAD, requests=enough - 1)
            assert only(evaluate(slo, load=[few])).outcome == "inconclusive"
            assert only(evaluate(slo, load=[replace(LOAD, requests=enough)])).outcome != (
                "inconclusive"
            )

    @pytest.mark.parametrize("limit", [1.0, 1000.0])
    def test_saturated_is_inconclusive(self, limit):
        """Figures of a saturated driver are no evidence, in neither direction."""
        load = replace(LOAD, saturated="the machine was 97 % busy.")
        check = only(evaluate(SloSettings(latency_p95_ms=limit), load=[load]))
        assert check.outcome == "inconclusive"
        assert "the machine was 97 % busy" in check.reason

    def test_many_failures_fail_a_fast_percentile(self):
        """When 6 % of the requests failed, fast answers of the rest are no p95."""
        load = replace(LOAD, requests=1000, errors=60, errors_by_kind={"http_500": 60})
        check = only(evaluate(SloSettings(latency_p95_ms=250.0), load=[load]))
        assert check.outcome == "fail"
        assert "60 of 1,000 requests failed" in check.reason

    def test_no_answer_at_all_fails(self):
        """An API that never answered has no latency, and that is a miss."""
        load = replace(LOAD, errors=LOAD.requests, latency_ms=None)
        check = only(evaluate(SloSettings(latency_p95_ms=250.0), load=[load]))
        assert (check.outcome, check.measured) == ("fail", None)

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_not_a_number_never_passes(self, value):
        """NaN compares false with everything; it must not slip through."""
        load = replace(LOAD, latency_ms=replace(LOAD.latency_ms, p95=value))
        check = only(evaluate(SloSettings(latency_p95_ms=250.0), load=[load]))
        assert (check.outcome, check.measured) == ("inconclusive", None)


class TestErrors:
    @pytest.mark.parametrize(
        ("errors", "limit", "outcome"),
        [
            (0, 0.01, "pass"),
            (10, 0.01, "pass"),
            (11, 0.01, "fail"),
            (0, 0.0, "pass"),
            (1, 0.0, "fail"),
        ],
    )
    def test_ratio_against_its_limit(self, errors, limit, outcome):
        """The share of failed requests is compared with the limit, inclusively."""
        load = replace(LOAD, requests=1000, errors=errors)
        assert only(evaluate(SloSettings(error_ratio=limit), load=[load])).outcome == outcome

    def test_reason_names_the_kinds(self):
        """The reader sees what went wrong without opening the samples."""
        load = replace(
            LOAD, requests=1000, errors=30, errors_by_kind={"timeout": 10, "http_503": 20}
        )
        assert only(evaluate(SloSettings(error_ratio=0.01), load=[load])).reason == (
            "the error ratio at 512 MB is 0.03, limit 0.01, 30 of 1,000 requests "
            "(20 http_503, 10 timeout)"
        )

    @pytest.mark.parametrize(
        ("requests", "limit", "outcome"),
        [(99, 0.5, "inconclusive"), (100, 0.5, "pass"), (999, 0.001, "inconclusive")],
    )
    def test_needs_enough_requests(self, requests, limit, outcome):
        """A limit of one in a thousand cannot be judged by 999 requests."""
        load = replace(LOAD, requests=requests)
        assert only(evaluate(SloSettings(error_ratio=limit), load=[load])).outcome == outcome

    def test_no_request_is_inconclusive(self):
        """Nothing tried is neither good nor bad."""
        load = replace(LOAD, requests=0, latency_ms=None)
        check = only(evaluate(SloSettings(error_ratio=0.5), load=[load]))
        assert (check.outcome, check.measured) == ("inconclusive", None)


class TestCost:
    def test_is_the_deployed_memorys_price_times_a_million(self):
        """3.0e-6 USD per invocation at the deployed 512 MB are 3 USD per million."""
        check = only(evaluate(SloSettings(cost_per_million_usd=3.5), tuning=TUNING))
        assert (check.outcome, check.unit) == ("pass", "USD")
        assert check.measured == pytest.approx(3.0)
        assert "at 512 MB cost 3 USD, limit 3.5 USD" in check.reason
        assert "request fee" in check.reason

    def test_above_the_limit_fails(self):
        """The recommended memory would be cheap enough; the deployed one is judged."""
        assert (
            only(evaluate(SloSettings(cost_per_million_usd=2.5), tuning=TUNING)).outcome == "fail"
        )


class TestDistance:
    @pytest.mark.parametrize(
        ("strategy", "distance", "word"),
        [
            pytest.param("cost", 3.0 / 2.0 - 1, "cost", id="cost: 3 against 2 USD"),
            pytest.param("speed", 300 / 100 - 1, "duration", id="speed: 300 against 100 ms"),
            pytest.param("balanced", 0.525 / 0.3 - 1, "balance", id="balanced: 0.525 against 0.3"),
        ],
    )
    def test_is_measured_by_the_strategys_own_measure(self, strategy, distance, word):
        """How much worse the deployed memory is than the recommended one, as a ratio less one."""
        tuning = replace(TUNING, strategy=strategy)
        check = only(evaluate(SloSettings(distance_from_best=0.1), tuning=tuning))
        assert check.outcome == "fail"
        assert check.measured == pytest.approx(distance)
        assert f"by {word}" in check.reason

    def test_weight_moves_the_balance(self):
        """At weight 1 the balance is the cost alone."""
        slo = SloSettings(distance_from_best=0.1)
        check = only(evaluate(slo, tuning=TUNING, balanced_weight=1.0))
        assert check.measured == pytest.approx(0.5)

    def test_at_the_best_memory_passes(self):
        """The best is no distance from itself, even with a limit of 0."""
        tuning = replace(TUNING, current_power=1024)
        check = only(evaluate(SloSettings(distance_from_best=0.0), tuning=tuning))
        assert (check.outcome, check.measured) == ("pass", 0)

    def test_an_excluded_size_is_no_measure(self):
        """The tuner leaves it out of its balance, so it does not stretch the scale here either."""
        failing = detail(4096, 40.0e-6, 5000.0, excluded="more than half of them failed")
        tuning = replace(TUNING, details=(*TUNING.details, failing))
        slo = SloSettings(distance_from_best=0.1)
        found = [only(evaluate(slo, tuning=one)).measured for one in (TUNING, tuning)]
        assert found[0] == found[1] == pytest.approx(0.525 / 0.3 - 1)

    def test_sentence_is_in_per_cent(self):
        """200 % worse, not 2.0."""
        tuning = replace(TUNING, strategy="speed")
        check = only(evaluate(SloSettings(distance_from_best=0.1), tuning=tuning))
        assert check.reason == (
            "512 MB is 200 % worse than the best, 1,024 MB, by duration, limit 10 %"
        )


@pytest.mark.parametrize(
    ("tuning", "words"),
    [
        pytest.param(None, "there was no tuning", id="no tuning"),
        pytest.param(
            replace(TUNING, current_power=640), "not among the power values", id="not measured"
        ),
        pytest.param(
            replace(
                TUNING, details=(detail(512, 0.0, 0.0, excluded="out of memory"), TUNING.details[2])
            ),
            "out of memory",
            id="excluded",
        ),
        pytest.param(
            replace(TUNING, details=(detail(512, 1e-6, 9.0, count=4), TUNING.details[2])),
            "too few",
            id="too few",
        ),
    ],
)
@pytest.mark.parametrize(
    "slo",
    [SloSettings(cost_per_million_usd=100.0), SloSettings(distance_from_best=9.0)],
    ids=["cost", "distance"],
)
def test_tuning_without_evidence_is_inconclusive(slo, tuning, words):
    """Cost and distance need the deployed memory measured; the reason says what is missing."""
    check = only(evaluate(slo, tuning=tuning))
    assert (check.outcome, check.measured) == ("inconclusive", None)
    assert words in check.reason


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_tuning_with_nan_never_passes(bad):
    """A price or a duration that is not a number proves nothing."""
    tuning = replace(
        TUNING, strategy="cost", details=(detail(512, bad, 300.0), *TUNING.details[2:])
    )
    for slo in (SloSettings(cost_per_million_usd=100.0), SloSettings(distance_from_best=9.0)):
        assert only(evaluate(slo, tuning=tuning)).outcome == "inconclusive"


class TestOverall:
    def test_no_limit_is_inconclusive(self):
        """A gate without limits has proven nothing."""
        verdict = evaluate(SloSettings(), load=[LOAD], tuning=TUNING)
        assert (verdict.outcome, verdict.checks) == ("inconclusive", ())

    def test_all_passes_pass(self):
        """Every limit held: the run passes; the checks come in the order of [slo]."""
        slo = SloSettings(
            latency_p95_ms=250.0,
            latency_p99_ms=400.0,
            error_ratio=0.01,
            cost_per_million_usd=5.0,
            distance_from_best=1.0,
        )
        verdict = evaluate(slo, load=[LOAD], tuning=TUNING)
        assert verdict.outcome == "pass"
        assert [check.name for check in verdict.checks] == [
            "latency_p95_ms",
            "latency_p99_ms",
            "error_ratio",
            "cost_per_million_usd",
            "distance_from_best",
        ]

    def test_one_inconclusive_is_no_pass(self):
        """A pass beside a check without evidence is inconclusive."""
        slo = SloSettings(latency_p95_ms=250.0, cost_per_million_usd=5.0)
        assert evaluate(slo, load=[LOAD]).outcome == "inconclusive"

    def test_a_failure_outweighs_the_inconclusive(self):
        """A missed limit fails the run whatever else is unknown."""
        slo = SloSettings(latency_p95_ms=100.0, cost_per_million_usd=5.0)
        assert evaluate(slo, load=[LOAD]).outcome == "fail"


def samples_of(latencies, *, errors=()):
    """Return a load test's samples, four users in turn; `errors` are positions that failed."""
    return [
        Sample(
            start_ms=10.0 * number,
            latency_ms=latency,
            user=number % 4,
            iteration=number // 40,
            request="read",
            status=503 if number in errors else 200,
            error="http_503" if number in errors else "",
        )
        for number, latency in enumerate(latencies)
    ]


def result_of(samples):
    """Return the load result of samples."""
    report = DriverReport(elapsed_s=10.0, drivers=(DriverUsage(0.2, 2.0),), machine_cpu_ratio=0.4)
    profile = LoadSettings(virtual_users=4, ramp_up_s=1.0, duration_s=10.0)
    return summarise(samples, report, profile, label="current", memory_mb=512)


def judged(limits, samples, **options):
    return only(
        evaluate(SloSettings(**limits), load=[result_of(samples)], samples=samples, **options)
    )


def lognormal(count):
    source = random.Random(1)
    return [source.lognormvariate(4, 0.5) for _ in range(count)]


class TestIntervals:
    LATENCIES = lognormal(1200)

    @pytest.mark.parametrize(
        ("limit", "outcome"), [(150.0, "pass"), (120.0, "inconclusive"), (100.0, "fail")]
    )
    def test_a_limit_is_held_or_missed_only_with_its_whole_interval(self, limit, outcome):
        """The p95 is 118 ms: a limit far from it is decided, one near it is not."""
        check = judged({"latency_p95_ms": limit}, samples_of(self.LATENCIES))
        assert check.outcome == outcome

    def test_the_sentence_has_the_interval(self):
        """The reader sees how well the value is known."""
        check = judged({"latency_p95_ms": 100.0}, samples_of(self.LATENCIES))
        assert re.fullmatch(
            r"p95 at 512 MB is 11\d ms \(95 % interval 11\d to 12\d\), "
            r"limit 100 ms, 1,200 requests",
            check.reason,
        )

    def test_more_confidence_needs_more_evidence(self):
        """Looking twice is paid for: a limit that just holds at 95 % is open at 99.9 %."""
        samples = samples_of(self.LATENCIES)
        limits = {"latency_p95_ms": 130.0}
        assert judged(limits, samples).outcome == "pass"
        assert judged(limits, samples, confidence=0.999).outcome == "inconclusive"

    def test_failed_requests_are_slower_than_any_limit(self):
        """4 % of failures and a fast rest: the p95 may well lie among the failures."""
        samples = samples_of([10.0] * 1000, errors=set(range(0, 1000, 25)))
        check = judged({"latency_p95_ms": 50.0}, samples)
        assert check.outcome == "inconclusive"
        assert "to unknown" in check.reason

    @pytest.mark.parametrize(
        ("failed", "limit", "outcome"),
        [
            (0, 0.01, "pass"),  # upper end 1 - 0.025^(1/1000) = 0.0037
            (0, 0.003, "inconclusive"),
            (5, 0.01, "inconclusive"),
            (50, 0.01, "fail"),
            (0, 0.0, "pass"),
            (1, 0.0, "fail"),
        ],
    )
    def test_error_ratios_have_an_interval_too(self, failed, limit, outcome):
        """No error in 1,000 requests shows a ratio below 0.37 %, and no less."""
        errors = {37 * n % 1000 for n in range(failed)}
        check = judged({"error_ratio": limit}, samples_of([10.0] * 1000, errors=errors))
        assert check.outcome == outcome

    @pytest.mark.parametrize(
        ("factor", "wrong"), [(0.97, "pass"), (1.03, "fail")], ids=["missed", "held"]
    )
    def test_wrong_verdicts_are_as_rare_as_stated(self, factor, wrong):
        """Of 300 runs of drifting latencies, 3 % from the limit, at most 4 % are judged wrongly."""
        limit = factor * 100 * math.exp(0.3 * NormalDist().inv_cdf(0.95))
        outcomes = Counter()
        for seed in range(300):
            source, state, latencies = random.Random(seed), 0.0, []
            for _ in range(500):
                state = 0.6 * state + 0.8 * source.gauss(0, 1)
                latencies.append(100 * math.exp(0.3 * state))
            samples = samples_of(latencies)
            outcomes[judged({"latency_p95_ms": limit}, samples).outcome] += 1
        assert outcomes[wrong] <= 12


def test_answers_that_came_late_decide_no_latency() -> None:
    """They are this machine's own; errors and costs are judged all the same."""
    late = replace(LOAD, answers=Answers(200, 30, 0))
    verdict = evaluate(SloSettings(latency_p95_ms=1e5, error_ratio=0.5), load=[late])
    latency, errors = verdict.checks
    assert latency.outcome == "inconclusive"
    assert "cannot be judged: 15 % of the answers were late" in latency.reason
    assert errors.outcome == "pass"
    in_time = replace(LOAD, answers=Answers(200, 20, 0))
    assert evaluate(SloSettings(latency_p95_ms=1e5), load=[in_time]).outcome == "pass"


def test_the_recommended_size_can_be_judged() -> None:
    """What was measured at the deployed one stands beside it."""
    slo = SloSettings(latency_p95_ms=250.0, judge="recommended")
    tuned = replace(TUNING, power=512, current_power=128)
    now = replace(LOAD, memory_mb=128)
    best = replace(LOAD, label="recommended", memory_mb=512)
    assert judged_mb(slo, [now, best], tuned) == 512
    assert judged_mb(slo, [now], tuned) == 0  # where it could not be loaded
    assert judged_mb(SloSettings(), [now, best], tuned) == 0
    loads, at_size_tuned = at_size([now, best], tuned, 512)
    there = evaluate(slo, load=loads, tuning=at_size_tuned)
    here = evaluate(slo, load=[now], tuning=tuned)
    verdict = side_by_side(tuned, here, there, 512)
    assert [(size.memory_mb, size.judged) for size in verdict.sizes] == [(128, False), (512, True)]
    assert [size.judged for size in side_by_side(tuned, here, there, 0).sizes] == [True, False]
    assert "at 512 MB" in verdict.checks[0].reason
    assert (verdict.checks[0].now, verdict.checks[0].measured) == (200, 200)
