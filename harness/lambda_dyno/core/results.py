"""What a run measures and decides: frozen records and their JSON form.

`RunResult.to_json` is the shape of `result.json`; `schemas/result.schema.json` describes it
and a contract test holds the two together. Durations are milliseconds, money is USD,
memory is MB, ratios run from 0.0 to 1.0.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

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
)
from lambda_dyno.records.money import (
    SET,
    Advice,
    Expense,
    Finding,
    Money,
    Option,
    SizeCost,
    Traffic,
)
from lambda_dyno.records.tuning import (
    EPHEMERAL_STORAGE_MB_FREE,
    Amount,
    ArchitectureOutcome,
    CurvePoint,
    DurationStats,
    LimitOutcome,
    Point,
    PowerDetail,
    Ratio,
    RequestDetail,
    StaircaseStep,
    StateMachineCost,
    Statement,
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
    "SET",
    "WEB_PAGE",
    "Advice",
    "Amount",
    "Answers",
    "ArchitectureOutcome",
    "Check",
    "CurvePoint",
    "DurationStats",
    "Expense",
    "Finding",
    "LatencyStats",
    "Leftover",
    "LimitOutcome",
    "LoadResult",
    "Loop",
    "Moment",
    "Money",
    "Option",
    "Outcome",
    "Point",
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
]

SCHEMA_VERSION = 1
# an address of nothing but names: it can end no attribute and no link
WEB_PAGE = re.compile(r"https?://[A-Za-z0-9.:-]+(?:/[\w.~%-]+)+", re.ASCII)
_THIS_MACHINE = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])[:/]")
# An id that may be part of a path, a pull request's text and a commit's trailer, whoever chose it.
SAFE_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
INTERRUPTED = "interrupted"  # the error of a run that somebody stopped


@dataclass(frozen=True, slots=True)
class TuningResult:
    """Outcome of one tuning."""

    function_arn: str
    power: int  # recommended memory size in MB
    cost: float  # USD per invocation at that size
    duration: float  # ms at that size
    strategy: Strategy
    current_power: int
    architecture: str
    region: str
    details: tuple[PowerDetail, ...]  # sorted by power
    state_machine: StateMachineCost
    warnings: tuple[str, ...] = ()
    raw: dict[str, Any] = field(default_factory=dict)  # the state machine's output as it came
    # size of better figures that the deployed one, which is kept, cannot be told from; 0: none
    kept_over: int = 0
    statement: Statement | None = None  # of adaptive measuring
    limit: LimitOutcome | None = None  # of strategy `limit`
    # what `power` and all else is of comes first; empty: no other one was asked for
    architectures: tuple[ArchitectureOutcome, ...] = ()
    curve: tuple[CurvePoint, ...] = ()  # likewise
    ephemeral_storage_mb: int = EPHEMERAL_STORAGE_MB_FREE

    @property
    def currency(self) -> str:
        """What its costs are in: USD by name, but in regions of China CNY."""
        prices = self.raw.get("prices")
        named = str(prices.get("currency")) if isinstance(prices, Mapping) else ""
        return named if re.fullmatch("[A-Z]{3}", named) else "USD"

    def detail(self, power: int) -> PowerDetail | None:
        """Return what was measured at a power value, or None if it was not."""
        return next((d for d in self.details if d.power == power), None)


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
    links: dict[str, str] = field(default_factory=dict)  # web pages by what they are of

    @property
    def on_embedded_aws(self) -> bool:
        """Whether it measured an embedded AWS, whatever its environment is called."""
        emulated = self.setting("environment", "emulated") is True
        api = str(self.outputs.get("api_url") or "")
        return bool(self.endpoint) or emulated or _THIS_MACHINE.match(api) is not None

    @property
    def function_arn(self) -> str:
        """The function that was there already, tuned or attached to; empty: the run's own."""
        tuned = self.setting("tuning", "function_arn", "")
        return str(tuned or self.setting("attach", "function", ""))

    @property
    def attached(self) -> bool:
        """Whether its function, and its API, are somebody else's."""
        return bool(self.setting("attach", "function", ""))

    @property
    def settings_env(self) -> str:
        """The environment whose settings it has; empty: none, as for `dyno tune --function`."""
        return "" if self.env.startswith("function ") else self.env

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
            "links": self.links,
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
