"""What single invocations say of a size: its intervals, and what sets it apart from now."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from lambda_dyno.core.results import TuningResult
from lambda_dyno.gates import intervals
from lambda_dyno.runs import result_store
from lambda_dyno.tune import output
from power_tuner.analyze import analyze
from power_tuner.request import parse
from power_tuner.samples import Sample
from power_tuner.state import PowerState, TuningState
from tests.support import report_samples as samples

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:shop"


def tuned(durations_ms: dict[int, float], *, num: int = 10, spread: float = 0.1) -> TuningResult:
    """A tuning as the client reads it: warm ones scatter, the first at each size is cold."""
    chance = random.Random(11)
    powers = []
    for power, middle in durations_ms.items():
        warm = [round(middle * chance.lognormvariate(0, spread), 3) for _ in range(num - 1)]
        seen = [Sample.of(middle + 200, middle + 201, cold=True)]
        powers.append(PowerState(power, samples=seen + [Sample.of(ms, ms) for ms in warm]))
    request = parse({"lambdaARN": ARN, "num": num, "powerValues": list(durations_ms)}, (128,))
    state = TuningState(next(iter(durations_ms)), "x86_64", 3, None, powers)
    raw = analyze(request, state, "https://example.com/")
    return intervals.known(output.parse(json.loads(json.dumps(raw))))


def test_warm_invocations_make_the_intervals() -> None:
    """A cold start widens none of them, and has its own figure."""
    found = tuned({512: 100.0, 1024: 50.0})
    for detail, truth in zip(found.details, (100.0, 50.0), strict=True):
        assert detail.duration_interval_ms is not None
        assert detail.cost_interval_usd is not None
        assert detail.cost_usd is not None
        low, high = detail.duration_interval_ms
        assert low < truth < high < 1.25 * truth
        assert detail.cost_interval_usd[0] <= detail.cost_usd <= detail.cost_interval_usd[1]
        assert detail.cold_ms == pytest.approx(truth + 200)


def test_each_size_is_held_against_the_deployed_one() -> None:
    """Half as long at the same cost, which cannot be told apart; the deployed one has no change."""
    now, other = tuned({512: 100.0, 1024: 50.0}).details
    assert now.duration_ratio is now.cost_ratio is None
    assert other.duration_ratio is not None
    assert other.cost_ratio is not None
    assert other.duration_ratio.is_apart
    assert other.duration_ratio.low < 0.5 < other.duration_ratio.high
    assert not other.cost_ratio.is_apart


def test_too_few_invocations_have_no_interval() -> None:
    """Five say too little of their own spread."""
    assert all(d.duration_interval_ms is None for d in tuned({512: 100, 1024: 50}, num=5).details)


@pytest.mark.parametrize(
    "lost", ["coldAt", "durations"], ids=["a tuner of before", "more than are put out"]
)
def test_what_an_output_does_not_say_is_not_made_up(lost: str) -> None:
    """Which were cold is not guessed."""
    raw = tuned({512: 100.0, 1024: 50.0}).raw
    for detail in raw["details"]:
        del detail[lost]
    found = intervals.known(output.parse(raw))
    assert all(detail.duration_interval_ms is None for detail in found.details)


def test_cold_starts_alone_are_measured_by_themselves() -> None:
    """With onlyColdStarts there is nothing else."""
    raw = tuned({512: 100.0, 1024: 50.0}).raw
    for detail in raw["details"]:
        detail["coldAt"] = list(range(len(detail["durations"])))
    found = intervals.known(output.parse(raw))
    assert all(detail.duration_interval_ms is not None for detail in found.details)


def adaptive() -> TuningResult:
    """A tuning with the model's curve."""
    raw = json.loads(json.dumps(tuned({512: 100.0, 1024: 50.0}, num=5).raw))
    spans = {512: [90, 100, 110], 768: [60, 70, 80], 1024: [45, 50, 56]}
    raw["adaptive"] = {
        "atMostPercent": 4.0,
        "within5Percent": 0.97,
        "steps": 0.0,
        "keptOver": None,
        "reason": "it is known well enough",
        "confidence": "default",
        "rounds": 2,
        "passes": 12,
        "curve": [{"power": mb, "durationMs": span} for mb, span in spans.items()],
    }
    raw["adaptive"]["curve"][0] |= {"durationRatio": [1, 1, 1], "costRatio": [1, 1, 1]}
    raw["adaptive"]["curve"][2] |= {"durationRatio": [0.45, 0.5, 0.56], "costRatio": [0.9, 1, 1.1]}
    return intervals.known(output.parse(raw))


def test_the_model_says_more_than_two_invocations() -> None:
    """Its band is kept, and its intervals are those of the sizes."""
    found = adaptive()
    assert [(p.memory_mb, p.low, p.middle, p.high) for p in found.curve][1] == (768, 60, 70, 80)
    now, best = found.details
    assert (now.duration_interval_ms, now.duration_ratio) == ((90, 110), None)
    assert best.duration_ratio is not None
    assert (best.duration_ratio.low, best.duration_ratio.high) == (0.45, 0.56)
    assert best.cost_interval_usd is not None
    assert best.cost_usd is not None
    assert best.cost_interval_usd[0] < best.cost_usd < best.cost_interval_usd[1]


def test_a_result_keeps_what_is_known() -> None:
    """It is read as it was written."""
    run = samples.run(tuning=adaptive())
    again: Any = json.loads(json.dumps(run.to_json()))
    assert result_store.parse(again) == run
