"""What a run measures and decides: frozen records and their JSON form.

`RunResult.to_json` is the shape of `result.json`; `schemas/result.schema.json` describes it
and a contract test holds the two together. Durations are milliseconds, money is USD,
memory is MB, ratios run from 0.0 to 1.0.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from lambda_dyno.records.load import (
    DEPLOYED,
    LATE_RATIO_MAX,
    Answers,
    LatencyStats,
    LoadResult,
    Loop,
    Moment,
    Prediction,
    Probe,
    RequestLoad,
    Sample,
    SmokeAssertion,
    SmokeFailure,
    SmokeRequest,
    SmokeResult,
    percentiles_ms,
)
from lambda_dyno.records.tuning import (
    EPHEMERAL_STORAGE_MB_FREE,
    Amount,
    ArchitectureOutcome,
    CurvePoint,
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
from lambda_dyno.records.verdict import (
    Check,
    Outcome,
    RegressionCheck,
    RegressionResult,
    SizeVerdict,
    Verdict,
    overall,
)
from lambda_dyno.tuner_contract.keys import Strategy

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "DEPLOYED",
    "EPHEMERAL_STORAGE_MB_FREE",
    "INTERRUPTED",
    "LATE_RATIO_MAX",
    "SAFE_RUN_ID",
    "SCHEMA_VERSION",
    "Advice",
    "Amount",
    "Answers",
    "ArchitectureOutcome",
    "Check",
    "CurvePoint",
    "DurationStats",
    "Expense",
    "LatencyStats",
    "Leftover",
    "LimitOutcome",
    "LoadResult",
    "Loop",
    "Moment",
    "Money",
    "Option",
    "Outcome",
    "PowerDetail",
    "Prediction",
    "Probe",
    "Ratio",
    "RegressionCheck",
    "RegressionResult",
    "RequestDetail",
    "RequestLoad",
    "RunResult",
    "Sample",
    "SizeCost",
    "SizeVerdict",
    "SmokeAssertion",
    "SmokeFailure",
    "SmokeRequest",
    "SmokeResult",
    "StaircaseStep",
    "StateMachineCost",
    "Statement",
    "Strategy",
    "Traffic",
    "TuningResult",
    "Verdict",
    "adapter",
    "overall",
    "percentiles_ms",
]

SCHEMA_VERSION = 1
_THIS_MACHINE = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])[:/]")
# An id that may be part of a path, a pull request's text and a commit's trailer, whoever chose it.
SAFE_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
INTERRUPTED = "interrupted"  # the error of a run that somebody stopped


@dataclass(frozen=True, slots=True)
class Option:
    """A memory size that one may choose, with what it takes and against the deployed one."""

    name: Literal["cheapest", "balanced", "fastest"]
    memory_mb: int
    duration_ms: float
    cost_usd: float  # of one invocation
    duration_ratio: Ratio | None  # None: it is the deployed size, or cannot be told
    cost_ratio: Ratio | None


@dataclass(frozen=True, slots=True)
class Advice:
    """What a run says of the deployed size, and how safe the recommended one is."""

    finding: Literal["optimised", "over-provisioned", "under-provisioned", "cannot tell"]
    risk: Literal["low", "medium", "high"]  # at the recommended size
    reasons: tuple[str, ...]  # of the risk
    options: tuple[Option, ...]


SET = "as [traffic] has it"  # the source of a number that the settings name


@dataclass(frozen=True, slots=True)
class Traffic:
    """How often the deployed function is invoked.

    Attributes:
        invocations_per_month: In 30 days; None: nobody knows.
        source: Where that is from, or why it is not known, in a few words.
    """

    invocations_per_month: float | None
    source: str


@dataclass(frozen=True, slots=True)
class SizeCost:
    """What one invocation costs at a memory size, after the discount.

    Attributes:
        memory_mb: The size.
        compute_usd: Duration and ephemeral storage.
        saved_usd: How much less that is than at the deployed size; None: not known.
    """

    memory_mb: int
    compute_usd: Amount
    saved_usd: Amount | None


@dataclass(frozen=True, slots=True)
class Expense:
    """Something that a run itself costs, at list prices."""

    what: str
    count: int  # of requests, invocations or transitions
    usd: Amount


@dataclass(frozen=True, slots=True)
class Money:
    """What the function costs, and what the recommendation saves; one place for all prices.

    Attributes:
        currency: Of all amounts here.
        discount: Share that is taken off every price.
        request_usd: Fee of one invocation.
        api: "REST" or "HTTP": the API Gateway in front of it; empty: none.
        api_usd: Its price of one request; None: none, or not known.
        sizes: The deployed size first, then those that one may choose.
        notes: What the prices rest on where they are no published ones.
        run: What the run itself costs.
        traffic: How often the function is invoked; None: nobody says.
    """

    currency: str
    discount: float
    request_usd: float
    api: str
    api_usd: float | None
    sizes: tuple[SizeCost, ...]
    notes: tuple[str, ...]
    run: tuple[Expense, ...]
    traffic: Traffic | None = None

    def size(self, memory_mb: int) -> SizeCost | None:
        """Return what is known of a memory size."""
        return next((one for one in self.sizes if one.memory_mb == memory_mb), None)


@dataclass(frozen=True, slots=True)
class Leftover:
    """A resource that is still there after teardown, and how to remove it."""

    kind: str  # such as "lambda function"
    name: str
    remove: str  # a command


@dataclass(frozen=True, slots=True)
class RunResult:
    """Everything of a run; what result.json holds.

    Parts whose step did not run (yet) are None.
    """

    run_id: str
    env: str
    git_sha: str
    started_at: str  # ISO 8601, UTC
    timings: dict[str, float]  # seconds by step
    name_prefix: str
    outputs: dict[str, Any]
    settings: dict[str, Any]
    smoke: SmokeResult | None = None
    tuning: TuningResult | None = None
    load: tuple[LoadResult, ...] = ()
    verdict: Verdict | None = None
    regression: RegressionResult | None = None  # against a baseline, if one was named
    leftovers: tuple[Leftover, ...] | None = None  # None until teardown looked
    error: str = ""
    advice: Advice | None = None  # None: nothing was tuned, or an older result
    endpoint: str = ""  # of the embedded AWS that it measured; empty: AWS, or an older release
    traffic: Traffic | None = None  # None: nobody asked
    api: str = ""  # "REST" or "HTTP": the API Gateway in front of the function; empty: none
    money: Money | None = None  # None: nothing was tuned, or an older result
    summary: tuple[str, ...] = ()  # the run in four lines; empty: an older result

    @property
    def on_embedded_aws(self) -> bool:
        """Whether it measured an embedded AWS, whatever its environment is called."""
        emulated = self.setting("environment", "emulated") is True
        api = str(self.outputs.get("api_url") or "")
        return bool(self.endpoint) or emulated or _THIS_MACHINE.match(api) is not None

    @property
    def function_arn(self) -> str:
        """The function of `dyno tune --function`; empty for an environment's own."""
        return str(self.setting("tuning", "function_arn", ""))

    def setting(self, section: str, key: str, default: Any = None) -> Any:
        """Return a setting that the run was made with; results of other releases may lack it."""
        keys = self.settings.get(section)
        return keys.get(key, default) if isinstance(keys, Mapping) else default

    def to_json(self) -> dict[str, Any]:
        """Return the content of result.json."""
        return {
            "schema_version": SCHEMA_VERSION,
            "summary": list(self.summary),
            "run_id": self.run_id,
            "env": self.env,
            "git_sha": self.git_sha,
            "started_at": self.started_at,
            "timings": self.timings,
            "environment": {
                "name_prefix": self.name_prefix,
                "outputs": self.outputs,
                "endpoint": self.endpoint,
                "api": self.api,
            },
            "settings": self.settings,
            "smoke": _plain(self.smoke),
            "tuning": _plain(self.tuning),
            "load": [_plain(result) for result in self.load],
            "verdict": _plain(self.verdict),
            "regression": _plain(self.regression),
            "advice": _plain(self.advice),
            "traffic": _plain(self.traffic),
            "money": _plain(self.money),
            "leftovers": None if self.leftovers is None else [_plain(x) for x in self.leftovers],
            "error": self.error,
        }


@functools.cache
def adapter() -> TypeAdapter[RunResult]:
    """Return what reads a result; making it takes longer than many readings.

    It is made here: pydantic 2.4 looks for the types by name in the module that makes it,
    so all that records are made of is imported here.
    """
    from pydantic import TypeAdapter

    return TypeAdapter(RunResult)


def _plain(record: Any) -> Any:
    """Return a dataclass as plain JSON types, or None."""
    return None if record is None else asdict(record)
