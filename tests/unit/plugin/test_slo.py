"""What a gate holds against which limit, and the sentence when it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from lambda_dyno.core.config import SloSettings
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.results import Check, LoadResult, SmokeFailure, SmokeResult, Verdict
from lambda_dyno.gates.slo import evaluate
from lambda_dyno.plugin.session import GateSession
from lambda_dyno.plugin.slo import Slo, SloMissedError, properties
from tests.support import report_samples

LOAD = report_samples.load("current", 512, [float(ms) for ms in range(1, 1001)])
TUNING = report_samples.tuning(
    report_samples.detail(512, 20.0, 1e-6), report_samples.detail(1024, 20.0, 2e-6),
    power=512, current=1024, strategy="cost",
)  # fmt: skip


class Session:
    """Judges a load test by its figures alone, and keeps what it is told."""

    def __init__(self) -> None:
        self.kept: list[Check] = []

    def judge_load(self, load: LoadResult, limits: SloSettings) -> Verdict:
        return evaluate(
            limits.model_copy(update={"cost_per_million_usd": None, "distance_from_best": None}),
            load=(load,),
        )

    def keep_checks(self, checks: Sequence[Check]) -> None:
        self.kept += checks


def slo(session: Session, marked: Sequence[str] = (), **limits: Any) -> Slo:
    """The fixture, with these limits."""
    return Slo(
        limits=SloSettings(**limits),
        marked=frozenset(marked),
        balanced_weight=0.5,
        _session=cast("GateSession", session),
        _on_checks=lambda _: None,
    )


def test_each_measurement_is_held_against_its_own_limits() -> None:
    """A load test answers nothing about the price, so nobody asks it."""
    session = Session()
    limits = slo(session, latency_p95_ms=1000.0, cost_per_million_usd=3.0, distance_from_best=1.5)
    assert [check.name for check in limits.check(LOAD).checks] == ["latency_p95_ms"]
    assert [check.name for check in limits.check(TUNING).checks] == [
        "cost_per_million_usd",
        "distance_from_best",
    ]
    assert len(limits.check(LOAD, TUNING).checks) == 3
    assert len(session.kept) == 6


def test_what_is_missed_is_a_sentence_each() -> None:
    """With measured value, limit and how many requests or invocations said so."""
    limits = slo(Session(), latency_p95_ms=250.0, cost_per_million_usd=0.5)
    with pytest.raises(SloMissedError) as missed:
        limits.check(LOAD, TUNING)
    latency, cost = str(missed.value).splitlines()
    assert latency == "p95 at 512 MB is 950 ms, limit 250 ms, 1,000 requests"
    assert cost == (
        "a million invocations at 1,024 MB cost 2 USD, limit 0.5 USD, 20 invocations measured; "
        "the request fee of 0.20 USD per million is not in it"
    )


def test_too_little_evidence_is_what_the_setting_says() -> None:
    """By default no pass; where it is one, the verdict still says that it was not decided."""
    few = report_samples.load("current", 512, [1.0, 2.0])
    with pytest.raises(SloMissedError, match=r"^not decided: p95 .* needs at least 72 requests"):
        slo(Session(), latency_p95_ms=250.0).check(few)
    verdict = slo(Session(), latency_p95_ms=250.0, inconclusive="pass").check(few)
    assert verdict.outcome == "inconclusive"


def test_a_smoke_test_may_not_have_one_failure() -> None:
    """And says the first one."""
    good = SmokeResult(requests=3, assertions=5, failures=())
    bad = SmokeResult(3, 5, (SmokeFailure("read", "is found", "expected 404 to equal 200"),))
    empty = SmokeResult(0, 0, ())
    assert slo(Session()).check(good).outcome == "pass"
    with pytest.raises(SloMissedError) as missed:
        slo(Session()).check(bad)
    assert str(missed.value) == (
        "smoke test: 4 of 5 assertions hold; read: is found: expected 404 to equal 200"
    )
    with pytest.raises(SloMissedError, match="asserted nothing"):
        slo(Session()).check(empty)


@pytest.mark.parametrize(
    ("marked", "limits", "measured", "message"),
    [
        ((), {}, (), "give it load_result, tuning_result or smoke_result"),
        ((), {}, (LOAD,), "no limit to hold load_result against: set one of latency_p95_ms"),
        ((), {"latency_p95_ms": 1.0}, (TUNING,), "no limit to hold tuning_result against"),
        (
            ("cost_per_million_usd",),
            {"latency_p95_ms": 1e4, "cost_per_million_usd": 1.0},
            (LOAD,),
            r"mark.slo\(cost_per_million_usd=...\) needs slo.check\(tuning_result\)",
        ),
    ],
)
def test_a_gate_that_would_check_nothing_is_an_error(
    marked: Sequence[str], limits: dict[str, Any], measured: Sequence[Any], message: str
) -> None:
    """It would be open for ever."""
    with pytest.raises(UserError, match=message):
        slo(Session(), marked, **limits).check(*measured)


def test_junit_has_value_limit_outcome_and_reason_of_each_check() -> None:
    """By the names of the limits."""
    checks = slo(Session(), latency_p95_ms=1000.0).check(LOAD).checks
    assert properties(checks) == [
        ("latency_p95_ms", 950.0),
        ("latency_p95_ms.limit", 1000.0),
        ("latency_p95_ms.outcome", "pass"),
        ("latency_p95_ms.reason", "p95 at 512 MB is 950 ms, limit 1,000 ms, 1,000 requests"),
    ]
