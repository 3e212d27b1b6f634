"""Settings of an environment: `envs/NAME/dyno.toml`, validated on load.

Every key has a default here, so a file names only what differs. An unknown key, a wrong
type or a value out of range is one `UserError` that names file, key and what is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MEMORY_MB_MIN = 128
MEMORY_MB_MAX = 10_240

PowerValue = Annotated[int, Field(ge=MEMORY_MB_MIN, le=MEMORY_MB_MAX)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class EnvironmentSettings(_Section):
    """Where a run lives, and for how long."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,15}$")] = "dyno"
    emulated: bool = False  # start the embedded AWS unless AWS_ENDPOINT_URL is set
    region: str = ""  # empty: what the AWS SDK finds (AWS_REGION, the profile)
    lifetime_hours: Annotated[float, Field(gt=0, le=72)] = 4.0  # until `dyno sweep` may take it
    state_bucket: str = ""  # empty: dyno-state-ACCOUNT-REGION


class TuningSettings(_Section):
    """What the power tuner measures. Names as in aws-lambda-power-tuning."""

    power_values: Annotated[list[PowerValue], Field(min_length=1)] = [128, 256, 512, 1024]
    num: Annotated[int, Field(ge=5, le=10_000)] = 10
    strategy: Literal["cost", "speed", "balanced"] = "balanced"
    balanced_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    parallel_invocation: bool = False
    discard_top_bottom: Annotated[float, Field(ge=0, le=0.4)] = 0.2
    payload: Any = None  # the event; or payload_file
    payload_file: str = ""  # relative to the folder of dyno.toml
    timeout_minutes: Annotated[float, Field(gt=0)] = 60.0

    @field_validator("power_values")
    @classmethod
    def _once_and_sorted(cls, values: list[int]) -> list[int]:
        return sorted(set(values))


class LoadSettings(_Section):
    """A load test: so many users, for so long."""

    virtual_users: Annotated[int, Field(ge=1, le=200)] = 10
    ramp_up_s: Annotated[float, Field(ge=0)] = 10.0
    duration_s: Annotated[float, Field(gt=0, le=3600)] = 120.0  # ramp-up included
    pacing_ms: Annotated[int, Field(ge=0)] = 0  # least time of one user's iteration
    request_timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = 30_000

    @model_validator(mode="after")
    def _ramp_fits(self) -> LoadSettings:
        if self.ramp_up_s >= self.duration_s:
            raise ValueError(
                f"ramp_up_s ({self.ramp_up_s:g}) must be less than duration_s ({self.duration_s:g})"
            )
        return self


class SloSettings(_Section):
    """Limits of the gate, inclusive; a key that is left out is not checked."""

    latency_p95_ms: Annotated[float | None, Field(gt=0)] = None
    latency_p99_ms: Annotated[float | None, Field(gt=0)] = None
    error_ratio: Annotated[float | None, Field(ge=0, le=1)] = None
    cost_per_million_usd: Annotated[float | None, Field(gt=0)] = None
    # how much worse (by the strategy's own measure) the deployed memory may be than the best:
    # 0.1 allows ten per cent
    distance_from_best: Annotated[float | None, Field(ge=0)] = None


class ReportSettings(_Section):
    """How the evidence looks."""

    title: str = "Lambda Dyno"
    png: bool = True


class Settings(_Section):
    """All settings of an environment."""

    environment: EnvironmentSettings = EnvironmentSettings()
    tuning: TuningSettings = TuningSettings()
    load: LoadSettings = LoadSettings()
    slo: SloSettings = SloSettings()
    report: ReportSettings = ReportSettings()


@dataclass(frozen=True, slots=True)
class Env:
    """One of the roots below envs/: its folder and its settings."""

    name: str
    folder: Path
    settings: Settings
