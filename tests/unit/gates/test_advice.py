"""Finding, risk and options: what is said of a run, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lambda_dyno.core.results import (
    Advice,
    CurvePoint,
    Ratio,
    RunResult,
    SizeVerdict,
    Statement,
    TuningResult,
    Verdict,
)
from lambda_dyno.gates.advice import advised
from tests.support import report_samples as samples

EDGE = (
    "512 MB is at the edge of what was measured: the largest size, and a larger one may be better "
    "still"
)
SURE = Statement(0.04, 0.97, 0.0, "default", 2, 14, "it is known well enough")


def advice(run: RunResult) -> Advice:
    """A run's advice."""
    found = advised(run).advice
    assert found is not None
    return found


def of(tuning: TuningResult, **more: Any) -> Advice:
    """The advice of a run that was mended by its recommended size, but for its tuning."""
    return advice(replace(samples.mended(), tuning=tuning, **more))


@pytest.mark.parametrize(
    ("tuning", "finding"),
    [
        (samples.TUNING, "under-provisioned"),
        (replace(samples.TUNING, current_power=1769), "over-provisioned"),
        (replace(samples.TUNING, current_power=512), "optimised"),
        (replace(samples.TUNING, power=128, kept_over=512), "cannot tell"),
        (replace(samples.TUNING, current_power=192), "cannot tell"),
        (samples.tuning(samples.detail(512, 20.0), power=512, current=512), "cannot tell"),
    ],
)
def test_finding(tuning: TuningResult, finding: str) -> None:
    """What the deployed size is, if that was measured and can be told."""
    assert of(tuning).finding == finding


def test_what_meets_every_slo_and_is_clearly_better_is_of_low_risk() -> None:
    """No reason is needed."""
    found = of(samples.TUNING)
    assert (found.risk, found.reasons) == ("low", ())


def with_detail(power: int, **changes: Any) -> TuningResult:
    """The sample tuning with one size changed."""
    details = tuple(
        replace(d, **changes) if d.power == power else d for d in samples.TUNING.details
    )
    return replace(samples.TUNING, details=details)


def at_512(outcome: Any) -> Verdict:
    """A verdict on the recommended size."""
    verdict = samples.mended().verdict
    assert verdict is not None
    size = verdict.sizes[1]
    checks = tuple(replace(check, outcome=outcome) for check in size.checks[:2])
    own = SizeVerdict(512, "recommended", False, outcome, checks)
    return replace(verdict, sizes=(verdict.sizes[0], own))


@pytest.mark.parametrize(
    ("changes", "risk", "reason"),
    [
        ({"verdict": at_512("fail")}, "high", "it misses 2 of 2 SLOs"),
        ({"verdict": at_512("inconclusive")}, "medium", "its SLOs could not be decided"),
        ({"verdict": None}, "medium", "it was not held against the SLOs"),
        ({"verdict": samples.VERDICT}, "medium", "it was not held against the SLOs"),
        (
            {"tuning": with_detail(1024, max_memory_used_mb=470)},
            "high",
            "it used up to 470 MB of memory, which leaves less than 10 % free",
        ),
        (
            {"tuning": with_detail(512, cold_starts=6)},
            "medium",
            "6 of 20 measured invocations were cold starts",
        ),
        (
            {
                "tuning": with_detail(
                    512, duration_ratio=Ratio(0.9, 0.8, 1.1), cost_ratio=Ratio(0.95, 0.9, 1.05)
                )
            },
            "medium",
            "in duration and cost it cannot be told from the deployed size with 95 %",
        ),
        (
            {"tuning": replace(samples.TUNING, statement=replace(SURE, at_most_ratio=0.14))},
            "medium",
            "it may be up to 14 % worse than the best size",
        ),
        (
            {"tuning": replace(samples.TUNING, current_power=192)},
            "medium",
            "the deployed 192 MB was not measured",
        ),
        (
            {"tuning": replace(samples.TUNING, power=512, details=samples.TUNING.details[:3])},
            "medium",
            EDGE,
        ),
    ],
)
def test_each_risk_has_its_reason(changes: dict[str, Any], risk: str, reason: str) -> None:
    """The word is as bad as the worst of them."""
    found = advice(replace(samples.mended(), **changes))
    assert found.risk == risk
    assert reason in found.reasons


def test_slower_cold_starts_are_a_risk() -> None:
    """They are in no mean."""
    tuning = with_detail(128, cold_ms=200.0)
    details = tuple(replace(d, cold_ms=300.0) if d.power == 512 else d for d in tuning.details)
    found = of(replace(tuning, details=details))
    assert "its cold starts take 300 ms instead of 200 ms" in found.reasons


def test_what_was_looked_at_and_excluded_is_no_edge() -> None:
    """Nor is a size that the model has seen beyond, nor the smallest that there is."""
    three = samples.TUNING.details[:3]
    beyond = samples.excluded(1024, "not enough concurrency")
    seen = CurvePoint(3008, 9.0, 10.0, 11.0)
    for tuning in (
        replace(samples.TUNING, details=(*three, beyond)),
        replace(samples.TUNING, details=three, curve=(seen,)),
        replace(samples.TUNING, power=128, current_power=512),
    ):
        assert not [reason for reason in of(tuning).reasons if "edge" in reason]


def test_three_options() -> None:
    """The cheapest, the balanced and the fastest of what was measured, each against now."""
    ratio = Ratio(0.21, 0.2, 0.22)
    found = of(with_detail(512, duration_ratio=ratio, cost_ratio=ratio))
    assert [(one.name, one.memory_mb) for one in found.options] == [
        ("cheapest", 256),
        ("balanced", 512),
        ("fastest", 1024),
    ]
    assert found.options[1].duration_ratio == ratio
    assert found.options[1].duration_ms == 15.17


def test_the_strategys_own_option_is_the_tuners_choice() -> None:
    """Also where the deployed size is kept over it."""
    kept = replace(samples.TUNING, strategy="cost", power=512, current_power=512, kept_over=256)
    assert of(kept).options[0].memory_mb == 256
    limited = replace(samples.TUNING, strategy="speed", power=1769)
    assert of(limited).options[2].memory_mb == 1769


def test_with_a_model_the_options_are_the_models() -> None:
    """Two invocations at a size say little beside it."""
    curve = tuple(
        CurvePoint(d.power, 8.0, 9.0 if d.power == 1769 else 12.0, 14.0)
        for d in samples.TUNING.details
    )
    fastest = of(replace(samples.TUNING, curve=curve, statement=SURE)).options[2]
    assert (fastest.memory_mb, fastest.duration_ms) == (1769, 9.0)


def test_a_dry_run_has_no_advice() -> None:
    """It recommends nothing."""
    assert advised(samples.run(tuning=replace(samples.TUNING, power=0))).advice is None
    assert advised(samples.run(tuning=None)).advice is None
