"""The state machine's output as a record of this harness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from lambda_dyno.core.errors import StepError
from lambda_dyno.core.results import (
    ArchitectureOutcome,
    DurationStats,
    LimitOutcome,
    PowerDetail,
    Ratio,
    RequestDetail,
    StaircaseStep,
    StateMachineCost,
    Statement,
    TuningResult,
)
from lambda_dyno.tuner_contract.keys import Statistic, Strategy
from lambda_dyno.tuner_contract.values import MEMORY_MB_MAX, MEMORY_MB_MIN

MORE_TIME = "Give it more time: timeout_minutes under [tuning], or --timeout-minutes."


def require_whole(output: Mapping[str, Any]) -> None:
    """Make sure that all that was asked for was measured.

    Args:
        output: The state machine's, to be kept before.

    Raises:
        StepError: Time was up before.
    """
    if output.get("timedOut"):
        raise StepError(
            "tune",
            "time was up before all was measured; what was measured is kept, and the warnings say "
            "what is missing",
            MORE_TIME,
        )


def parse(raw: Mapping[str, Any], *, execution_arn: str = "") -> TuningResult:
    """Return the state machine's output as a record, as the state machine chose.

    Args:
        raw: The output, as JSON gave it.
        execution_arn: The execution that gave it.

    Raises:
        StepError: It is not an output of this project's power tuner, or incomplete.
    """
    try:
        output = _Output.model_validate(raw)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise StepError(
            "tune",
            f"the power tuner's output cannot be read: {where}: {problem['msg']}",
            "Deploy the power tuner of the same version as this command.",
        ) from error
    return TuningResult(
        function_arn=output.lambda_arn,
        power=output.power,
        cost=output.cost,
        duration=output.duration,
        strategy=output.strategy,
        current_power=output.original_power,
        architecture=output.architecture,
        region=output.region,
        details=tuple(sorted((d.record() for d in output.details), key=lambda d: d.power)),
        state_machine=StateMachineCost(
            execution_arn=execution_arn,
            execution_cost_usd=output.state_machine.execution_cost,
            lambda_cost_usd=output.state_machine.lambda_cost,
            visualization=output.state_machine.visualization,
        ),
        warnings=tuple(output.warnings),
        raw=dict(raw),
        kept_over=0 if output.adaptive is None else output.adaptive.kept_over or 0,
        statement=None if output.adaptive is None else output.adaptive.record(),
        architectures=_architectures(output.architectures),
        limit=None if output.limit is None else LimitOutcome(**dict(output.limit)),
    )


def _architectures(found: _Architectures | None) -> tuple[ArchitectureOutcome, ...]:
    if found is None:
        return ()
    best = found.recommended.architecture
    return (
        *(row.record(is_recommended=row.architecture == best) for row in found.measured),
        *(
            ArchitectureOutcome(name, is_recommended=False, left_out=why)
            for name, why in sorted(found.left_out.items())
        ),
    )


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, allow_inf_nan=False)


_PowerMb = Annotated[int, Field(ge=MEMORY_MB_MIN, le=MEMORY_MB_MAX)]
_Positive = Annotated[float, Field(ge=0)]


class _Duration(_Model):
    mean: _Positive
    trimmed_mean: _Positive
    p50: _Positive
    p95: _Positive
    p99: _Positive
    min: _Positive
    max: _Positive
    std_dev: _Positive
    ci95: tuple[float, float]


class _Request(_Model):
    name: str
    count: Annotated[int, Field(ge=1)]
    trimmed_mean: _Positive
    p50: _Positive
    min: _Positive
    max: _Positive
    cost: _Positive

    def record(self) -> RequestDetail:
        values = dict(self)
        return RequestDetail(cost_usd=values.pop("cost"), **values)


class _Detail(_Model):
    power: _PowerMb
    count: Annotated[int, Field(ge=0)]
    duration: _Duration | None
    billed_mean: float | None
    billed_trimmed_mean: float | None = None  # tuners of before 2026-11-21 do not tell
    cost: float | None
    cold_starts: int
    errors: int
    errors_by_type: dict[str, int]
    retries: int
    max_memory_used: int | None
    excluded: str
    requests: list[_Request] = []
    durations: list[_Positive] = []
    cold_at: list[int] | None = None
    request_at: list[int] = []

    def record(self) -> PowerDetail:
        return PowerDetail(
            power=self.power,
            count=self.count,
            duration_ms=None if self.duration is None else DurationStats(**dict(self.duration)),
            billed_ms_mean=self.billed_mean,
            billed_ms_trimmed_mean=self.billed_trimmed_mean,
            cost_usd=self.cost,
            cold_starts=self.cold_starts,
            errors=self.errors,
            max_memory_used_mb=self.max_memory_used,
            errors_by_type=self.errors_by_type,
            retries=self.retries,
            excluded=self.excluded,
            requests=tuple(request.record() for request in self.requests),
        )


class _OnArchitecture(_Model):
    architecture: Literal["x86_64", "arm64"]
    power: _PowerMb
    cost: _Positive
    duration: _Positive
    duration_ratio: tuple[_Positive, _Positive, _Positive] | None = None
    cost_ratio: tuple[_Positive, _Positive, _Positive] | None = None

    def record(self, *, is_recommended: bool) -> ArchitectureOutcome:
        ratios = (
            None if found is None else Ratio(found[1], found[0], found[2])
            for found in (self.duration_ratio, self.cost_ratio)
        )
        return ArchitectureOutcome(
            self.architecture, is_recommended, self.power, self.cost, self.duration, "", *ratios
        )


class _Architectures(_Model):
    recommended: _OnArchitecture
    measured: list[_OnArchitecture]
    left_out: dict[Literal["x86_64", "arm64"], str]


class _Cost(_Model):
    execution_cost: _Positive
    lambda_cost: _Positive
    visualization: str


class _Point(_Model):
    power: _PowerMb
    duration_ms: tuple[_Positive, _Positive, _Positive]
    duration_ratio: tuple[_Positive, _Positive, _Positive] | None = None
    cost_ratio: tuple[_Positive, _Positive, _Positive] | None = None


class _Step(_Model):
    periods: Annotated[int, Field(ge=1)]
    from_power: _PowerMb


class _Adaptive(_Model):
    at_most_percent: _Positive
    within5_percent: Annotated[float, Field(ge=0, le=1)]
    steps: Annotated[float, Field(ge=0, le=1)]
    kept_over: _PowerMb | None
    reason: str
    confidence: str
    rounds: Annotated[int, Field(ge=1)]
    passes: Annotated[int, Field(ge=1)]
    step: _Step | None = None  # tuners of before 2026-12 do not tell
    prior: str = ""
    curve: list[_Point] = []

    def record(self) -> Statement:
        return Statement(
            at_most_ratio=self.at_most_percent / 100,
            within_5_percent=self.within5_percent,
            steps=self.steps,
            confidence=self.confidence,
            rounds=self.rounds,
            passes=self.passes,
            reason=self.reason,
            step=None
            if self.step is None
            else StaircaseStep(self.step.periods, self.step.from_power),
            prior=self.prior,
        )


class _Limit(_Model):
    max_duration_ms: _Positive
    on: Statistic
    verdict: Literal["proven", "not proven", "none"]
    value_ms: _Positive
    at_most_ms: _Positive | None
    invocations: Annotated[int, Field(ge=1)]
    above: Annotated[int, Field(ge=0)]
    missing: Annotated[int, Field(ge=0)] | None


class _Output(_Model):
    lambda_arn: Annotated[str, Field(alias="lambdaARN")]
    power: _PowerMb
    cost: _Positive
    duration: _Positive
    strategy: Strategy
    original_power: int
    architecture: str
    region: str
    details: Annotated[list[_Detail], Field(min_length=1)]
    state_machine: _Cost
    warnings: list[str]
    adaptive: _Adaptive | None = None
    limit: _Limit | None = None
    architectures: _Architectures | None = None
    discard_top_bottom: Annotated[float, Field(ge=0, lt=0.5)] = 0.2
