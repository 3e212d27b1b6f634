"""What a tuning says of a load test: it agrees, or the reason is said."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, replace
from typing import Any

import pytest

from lambda_dyno.compare.prediction import with_predictions
from lambda_dyno.core.results import (
    Answers,
    LoadResult,
    PowerDetail,
    Probe,
    RequestDetail,
    Sample,
)
from lambda_dyno.core.samples import latency_stats
from tests.support import report_samples

TUNED = {"read": {128: 20.0, 1024: 5.0}, "list": {128: 340.0, 1024: 40.0}}
API_MS = 18.0


def detail(power: int) -> PowerDetail:
    requests = tuple(
        RequestDetail(name, 5, by[power], by[power], 0.95 * by[power], 1.05 * by[power], 1e-8)
        for name, by in TUNED.items()
    )
    return PowerDetail(power, 10, None, None, 1e-8, 0, 0, 60, requests=requests)


def tuning() -> Any:
    return report_samples.tuning(detail(128), detail(1024), power=1024, current=128)


def load(power: int, *, factor: float = 1.0, plus_ms: float = 0.0, **given: Any) -> tuple[Any, Any]:
    """Return a load test of nine reads to a list, and its requests."""
    source = random.Random(power)
    samples = []
    for index in range(600):
        name = "list" if index % 10 == 0 else "read"
        latency_ms = factor * TUNED[name][power] + API_MS + plus_ms + source.uniform(-1, 1)
        samples.append(Sample(20.0 * index, latency_ms, index % 10, index // 10, name, 200, ""))
    given.setdefault("probe", Probe("read", 15, TUNED["read"][power] + API_MS))
    stats = latency_stats(sample.latency_ms for sample in samples)
    result = LoadResult(
        f"at-{power}", power, 10, 2.0, 12.0, 600, 0, {}, stats, 50.0, 0.2, 0.4, **given
    )
    return result, samples


def predicted(*pairs: Any, tuned: Any = None) -> list[Any]:
    loads = [result for result, _ in pairs]
    samples = {result.label: rows for result, rows in pairs}
    return [x.prediction for x in with_predictions(loads, tuned or tuning(), samples)]


def test_a_load_as_it_was_tuned_agrees() -> None:
    """The median of the mixture and the API's own time, by the smallest request's."""
    small, large = predicted(load(128), load(1024))
    assert small.outcome == "agrees"
    assert large.outcome == "agrees"
    assert small.p50_ms == pytest.approx(38, abs=1.0)
    assert large.p50_ms == pytest.approx(23, abs=1.0)
    assert small.api_ms == pytest.approx(API_MS)


def test_the_least_of_the_apis_times_counts() -> None:
    """A machine that is slower than the model adds to a probe, as to all the rest."""
    slow = load(1024, plus_ms=40, probe=Probe("read", 15, 63.0), answers=Answers(600, 540, 2))
    found = predicted(load(128), slow)[1]
    assert found.api_ms == pytest.approx(API_MS)
    assert found.outcome == "differs"
    assert found.reason.startswith("its answers were late")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"factor": 1.6, "saturated": "this machine was 99 % busy, so the"}, "it was saturated"),
        ({"factor": 1.6, "answers": Answers(600, 0, 90)}, "90 of 600 answers were cold starts"),
        ({"factor": 1.6}, "no cause is known"),
        ({"factor": 0.3}, "no cause is known"),
    ],
)
def test_a_load_that_is_another_one_says_why(given: dict[str, Any], reason: str) -> None:
    """As far as it is known."""
    (found,) = predicted(load(128, **given))
    assert found.outcome == "differs"
    assert reason in found.reason


def test_throttles_and_failures_are_reasons() -> None:
    """They take another time than an answer."""
    result, rows = load(128, factor=0.2)
    throttled = replace(result, errors=90, errors_by_kind={"http_429": 90})
    assert "90 requests were throttled" in predicted((throttled, rows))[0].reason
    failed = replace(result, errors=90, errors_by_kind={"http_500": 90})
    assert "90 of 600 requests failed" in predicted((failed, rows))[0].reason


def test_requests_that_nobody_tuned_are_a_reason() -> None:
    """What was loaded is something else."""
    result, rows = load(128, factor=3)
    other = [replace(x, request="new") if x.request == "read" else x for x in rows]
    (nothing,) = predicted((result, other))
    assert (nothing.outcome, nothing.p50_ms) == ("open", None)
    assert nothing.reason == "what was tuned is not what is loaded: list, read, …"
    some = [replace(x, request="new") if x.user < 4 else x for x in rows]
    assert "240 requests of the load were not tuned" in predicted((result, some))[0].reason


def test_without_a_workload_nothing_is_predicted() -> None:
    """A payload of the settings is not what is loaded."""
    payload = replace(tuning(), details=tuple(replace(detail(p), requests=()) for p in (128, 1024)))
    (found,) = predicted(load(128), tuned=payload)
    assert found.p50_ms is None
    assert found.reason == "what was tuned, the payload of [tuning], is not what is loaded"
    assert with_predictions([load(128)[0]], None, {})[0].prediction is None


def test_few_requests_that_are_scattered_cannot_tell() -> None:
    """The median is beyond, and its interval is not."""
    result, rows = load(128)
    source = random.Random(1)
    few = [replace(x, latency_ms=source.choice([30.0, 50.0, 90.0])) for x in rows[:20]]
    stats = replace(latency_stats(x.latency_ms for x in few), p50=50.0)  # type: ignore[type-var]
    (found,) = predicted((replace(result, latency_ms=stats), few))
    assert found.outcome == "open"
    assert "20 requests, as scattered as they are, are too few" in found.reason


def test_a_median_of_too_few_requests_has_no_ends() -> None:
    """A result is JSON, which has no infinity; and what has no ends cannot differ."""
    result, rows = load(1024, plus_ms=300)
    few = rows[:3]
    stats = latency_stats(sample.latency_ms for sample in few)
    (found,) = predicted((replace(result, latency_ms=stats, probe=load(1024)[0].probe), few))
    assert (found.measured_low_ms, found.measured_high_ms) == (None, None)
    assert (found.outcome, "too few to tell" in found.reason) == ("open", True)
    json.dumps(asdict(found), allow_nan=False)


def test_it_disagrees_seldom_by_chance() -> None:
    """200 loads with the noise of a real one: at most 5 % are said to be something else."""
    source = random.Random(7)
    wrong = 0
    for _ in range(200):
        result, rows = load(128)
        noisy = [
            replace(x, latency_ms=x.latency_ms + source.expovariate(1 / 6)) for x in rows[:120]
        ]
        stats = latency_stats(x.latency_ms for x in noisy)
        (found,) = predicted((replace(result, latency_ms=stats), noisy))
        wrong += found.outcome == "differs"
    assert wrong <= 10
