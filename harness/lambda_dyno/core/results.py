"""What a run measures and decides: frozen records and their JSON form.

`RunResult.to_json` is the shape of `result.json`; `schemas/result.schema.json` describes it
and a contract test holds the two together. Durations are milliseconds, money is USD,
memory is MB, ratios run from 0.0 to 1.0.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from lambda_dyno.statistics.stats import percentile
from lambda_dyno.tuner_contract.keys import Strategy

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA_VERSION = 1
EPHEMERAL_STORAGE_MB_FREE = 512  # of a function's /tmp, which every function has
_THIS_MACHINE = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])[:/]")
# An id that may be part of a path, a pull request's text and a commit's trailer, whoever chose it.
SAFE_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
INTERRUPTED = "interrupted"  # the error of a run that somebody stopped


Outcome = Literal["pass", "fail", "inconclusive"]
Loop = Literal["closed", "open"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One request of a load test."""

    start_ms: float
    latency_ms: float
    user: int
    iteration: int
    request: str  # its name in the collection
    status: int  # HTTP status; 0 without an answer
    error: str  # kind of failure; empty if all is well
    wait_ms: float = 0.0  # from when it was due to when it began

    @property
    def response_ms(self) -> float:
        """Time from when the request was due to its answer, as whoever asks feels it."""
        return self.wait_ms + self.latency_ms

    @property
    def answered(self) -> bool:
        """Whether an answer arrived, good or bad."""
        return self.status > 0


@dataclass(frozen=True, slots=True)
class DurationStats:
    """Durations of one power value's measured invocations, in milliseconds."""

    mean: float
    trimmed_mean: float  # the mean without the top and bottom share; what the tuner compares
    p50: float
    p95: float
    p99: float
    min: float
    max: float
    std_dev: float
    ci95: tuple[float, float]  # 95 % confidence interval of the mean


@dataclass(frozen=True, slots=True)
class RequestDetail:
    """One request of a workload at one power value, in milliseconds and USD."""

    name: str
    count: int  # measured invocations
    trimmed_mean: float
    p50: float
    min: float
    max: float
    cost_usd: float  # of one invocation


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure over that of the deployed size, with its 95 % interval."""

    ratio: float
    low: float
    high: float

    @property
    def is_apart(self) -> bool:
        """Whether the two can be told apart."""
        return self.low > 1 or self.high < 1

    @property
    def is_likely_less(self) -> bool:
        """Whether it is below 1 with 90 %, on one side, its logarithm being about normal."""
        if not 0 < self.ratio < self.high:
            return self.ratio < 1
        half = math.log(self.high / self.ratio)
        return math.log(self.ratio) + 1.2816 / 1.96 * half < 0


@dataclass(frozen=True, slots=True)
class Amount:
    """Money, in a currency that stands beside it, with its 95 % interval."""

    middle: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half of the interval's width, of the longer side."""
        return max(self.high - self.middle, self.middle - self.low)

    @property
    def is_apart(self) -> bool:
        """Whether it can be told from nothing."""
        return self.low > 0 or self.high < 0

    def times(self, factor: float) -> Amount:
        """Return so many of it; the factor is 0 or more."""
        return Amount(self.middle * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class PowerDetail:
    """Everything measured at one power value.

    A power value that could not be measured has `count` 0, `duration_ms` None and its
    reason in `excluded`.
    """

    power: int  # memory size in MB
    count: int  # measured invocations
    duration_ms: DurationStats | None
    billed_ms_mean: float | None
    cost_usd: float | None  # one invocation's price at the trimmed mean of the billed duration
    cold_starts: int
    errors: int  # invocations that failed; not measured unless their type was allowed
    max_memory_used_mb: int | None
    errors_by_type: dict[str, int] = field(default_factory=dict)
    retries: int = 0  # throttles and service errors, retried and not measured
    excluded: str = ""
    billed_ms_trimmed_mean: float | None = None  # what cost_usd follows from
    requests: tuple[RequestDetail, ...] = ()  # of a workload
    # 95 % intervals, of warm invocations; None: too few, or an older result
    duration_interval_ms: tuple[float, float] | None = None
    cost_interval_usd: tuple[float, float] | None = None
    duration_ratio: Ratio | None = None  # to the deployed size's; None at that size, too
    cost_ratio: Ratio | None = None
    cold_ms: float | None = None  # mean of the cold starts that were measured
    # of one warm invocation, in the tuning's currency: duration and ephemeral storage, and how much
    # less that is than at the deployed size; None: too few, or an older result
    compute_usd: Amount | None = None
    saved_usd: Amount | None = None


@dataclass(frozen=True, slots=True)
class StateMachineCost:
    """What the tuning itself cost."""

    execution_arn: str
    execution_cost_usd: float
    lambda_cost_usd: float
    visualization: str  # URL of the interactive curve


@dataclass(frozen=True, slots=True)
class StaircaseStep:
    """Which step of the scheduler the recommended size is on.

    Attributes:
        periods: The function ends within so many periods of 20 ms.
        from_mb: The smallest size at which it does, of those that were looked at.
    """

    periods: int
    from_mb: int


@dataclass(frozen=True, slots=True)
class Statement:
    """How sure adaptive measuring is of its choice.

    Attributes:
        at_most_ratio: So much worse than the best size of all it is at most, with 95 %.
        within_5_percent: Probability that it is no more than 5 % worse.
        steps: Probability that durations come in steps of 20 ms of the scheduler.
        confidence: What was asked for: "default" or "sure".
        rounds: Times that sizes were published.
        passes: Invocations, or passes of the workload, at all sizes, cold ones among them.
        reason: Why it ended.
        step: The step that the recommended size is on; None: it is on none, or on a late one.
        prior: The run whose samples it began with; "given" if that is not known; empty: none.
    """

    at_most_ratio: float
    within_5_percent: float
    steps: float
    confidence: str
    rounds: int
    passes: int
    reason: str
    step: StaircaseStep | None = None
    prior: str = ""


@dataclass(frozen=True, slots=True)
class LimitOutcome:
    """Whether the recommended size keeps the limit of strategy `limit`.

    Attributes:
        max_duration_ms: The limit, in ms, of warm invocations.
        on: "mean" (trimmed), "p50" or "p95".
        verdict: "proven" with 95 %, "not proven", or "none": no size keeps it.
        value_ms: The mean or percentile as it was measured.
        at_most_ms: What the mean is at most; None: not a mean, or too few invocations.
        invocations: That were counted at this size.
        above: That took longer than the limit.
        missing: How many more would prove it if none were above; None: of a mean, or too many.
    """

    max_duration_ms: float
    on: str
    verdict: str
    value_ms: float
    at_most_ms: float | None
    invocations: int
    above: int
    missing: int | None


@dataclass(frozen=True, slots=True)
class ArchitectureOutcome:
    """What is best on one architecture, of several that were measured.

    Attributes:
        architecture: Which.
        is_recommended: Whether it is the best of all, or the function's own and none was shown to
            be better.
        power: Its best memory size in MB; None: it was left out.
        cost: USD per invocation there.
        duration: ms there.
        left_out: Why it was; empty: it was not.
    """

    architecture: str
    is_recommended: bool
    power: int | None = None
    cost: float | None = None
    duration: float | None = None
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Duration at one memory size by adaptive measuring's model, measured or not, in ms."""

    memory_mb: int
    low: float  # of 95 %
    middle: float
    high: float


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
class SmokeFailure:
    """What is wrong with a request of the smoke collection.

    Attributes:
        request: Its name.
        assertion: What should have been.
        message: What was.
        kind: "assertion" if one of the collection does not hold; "request" (no answer), "script"
            (of the collection, with an error) or "run" (which came to no end).
    """

    request: str
    assertion: str
    message: str
    kind: str = "assertion"


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """Outcome of the smoke collection, counted as Postman's own command line counts.

    Attributes:
        requests: With those that scripts send.
        assertions: With those that are skipped.
        failures: What counts as failed.
        skipped: Assertions that the collection leaves out (`pm.test.skip`).
    """

    requests: int
    assertions: int
    failures: tuple[SmokeFailure, ...]
    skipped: int = 0

    @property
    def passed(self) -> bool:
        """Whether every assertion held, and there were some."""
        return self.assertions > self.skipped and not self.failures

    @property
    def held(self) -> int:
        """How many assertions held."""
        failed = sum(failure.kind == "assertion" for failure in self.failures)
        return max(0, self.assertions - self.skipped - failed)

    @property
    def counts(self) -> str:
        """What was counted, such as "55 requests, 110 of 112 assertions hold"."""
        of_all = "" if self.held == self.assertions else f" of {self.assertions}"
        noun = "request" if self.requests == 1 else "requests"
        return f"{self.requests} {noun}, {self.held}{of_all} assertions hold"

    @property
    def first_failure(self) -> str:
        """What is wrong with the API, in a line."""
        if not self.failures:
            return "the smoke collection asserted nothing"
        first = self.failures[0]
        more = f" (and {len(self.failures) - 1} more)" if len(self.failures) > 1 else ""
        return f"{first.request}: {first.assertion}: {first.message}{more}"


def percentiles_ms(latencies_ms: Iterable[float], shares: Iterable[float]) -> list[float]:
    """Return the percentiles of latencies in any order, a share being 0 to 1."""
    ordered = sorted(latencies_ms)
    return [percentile(ordered, share) for share in shares]


@dataclass(frozen=True, slots=True)
class LatencyStats:
    """Latencies of a load test's requests as the client saw them, in milliseconds."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, latencies_ms: Iterable[float]) -> LatencyStats | None:
        """Return the summary of latencies in any order, or None if there is none."""
        ordered = sorted(latencies_ms)
        if not ordered:
            return None
        p50, p90, p95, p99 = percentiles_ms(ordered, (0.5, 0.9, 0.95, 0.99))
        return cls(mean=fmean(ordered), p50=p50, p90=p90, p95=p95, p99=p99, max=ordered[-1])


DEPLOYED = "current"  # label of the load test at the memory size that is deployed


@dataclass(frozen=True, slots=True)
class Answers:
    """What the embedded AWS counted of a load test, its warm-up included.

    An answer is held back until its modelled time; it is late if this machine took longer.
    """

    counted: int
    late: int
    cold: int  # of new environments


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that was asked alone, one after the other, before the load began."""

    request: str  # its name in the collection
    count: int
    p50_ms: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a tuning says of a load test, beside what was measured.

    The median: of the tuned duration by request, in the load's proportions, and the API's own time.
    """

    p50_ms: float | None  # None: nothing can be said
    low_ms: float | None  # what a measured median may be to agree
    high_ms: float | None
    api_ms: float | None  # of it: the API's own time, and the way there and back
    measured_low_ms: float | None  # 95 % interval of the measured median
    measured_high_ms: float | None
    outcome: Literal["agrees", "differs", "open"]
    reason: str = ""  # why it differs, or why nothing can be said


# Of the answers: above, the latencies are this machine's own.
LATE_RATIO_MAX = 0.1


@dataclass(frozen=True, slots=True)
class LoadResult:
    """One load test at one memory size.

    Latencies are of all requests that got an answer; `errors` counts requests without one, with
    a status of 400 or more that no assertion wants, and whose assertions failed. What began
    during the warm-up is in neither.
    """

    label: str  # "current" or "recommended"
    memory_mb: int
    virtual_users: int  # in an open loop the most iterations that may be under way at once
    ramp_up_s: float
    duration_s: float  # measured wall time
    requests: int
    errors: int
    errors_by_kind: dict[str, int]
    latency_ms: LatencyStats | None  # None without a single answer
    requests_per_s: float
    driver_cpu_ratio: float  # share of its core that the busiest driver process used
    machine_cpu_ratio: float  # share of all cores that were busy during the test
    saturated: str = ""  # why the figures measure this machine and not the API; empty if not
    samples_path: str = ""  # file with every latency, relative to the run's folder
    loop: Loop = "closed"
    profile: str = ""  # what was asked for, in words
    arrivals_per_s: float | None = None  # iterations that began per second, in an open loop
    warm_up_s: float = 0.0  # left out at the beginning of each round
    warm_up_requests: int = 0  # how many were left out
    warm_up_errors: int = 0  # how many of those had failed
    rounds: int = 1  # tests, one after the other, whose requests are all in here
    # what the driver makes on this machine when the API costs no time; None: not measured
    ceiling_requests_per_s: float | None = None
    # there and back to the API without asking anything; None: not measured
    round_trip_ms: float | None = None
    probe: Probe | None = None  # None: nothing was asked before
    answers: Answers | None = None  # None: nobody counted, as on AWS
    prediction: Prediction | None = None  # None: nothing was tuned

    @property
    def late(self) -> str:
        """Why its latencies are this machine's own, in a sentence; empty if they are not."""
        answers = self.answers
        if answers is None or answers.late <= LATE_RATIO_MAX * answers.counted:
            return ""
        return (
            f"{answers.late / answers.counted:.0%} of the answers were late: this machine is "
            f"slower than AWS at {self.memory_mb:,} MB, so the latencies are its own"
        )

    @property
    def error_ratio(self) -> float:
        """Share of the requests that failed; 1.0 when there were none."""
        return self.errors / self.requests if self.requests else 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a verdict."""

    name: str  # the key of [slo]
    limit: float
    measured: float | None
    outcome: Outcome
    reason: str  # a sentence that a reader understands on its own
    unit: str = ""
    now: float | None = None  # measured at the deployed size, if another one was judged


@dataclass(frozen=True, slots=True)
class SizeVerdict:
    """What the SLO gate says of one memory size, by what was measured there."""

    memory_mb: int
    label: str  # "current" or "recommended"
    judged: bool  # whether it decides the run's verdict
    outcome: Outcome
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the SLO gate says of a run."""

    outcome: Outcome
    checks: tuple[Check, ...]
    sizes: tuple[SizeVerdict, ...] = ()  # the deployed and the recommended one, if they differ

    @classmethod
    def of(cls, checks: Iterable[Check]) -> Verdict:
        """Make the verdict of checks: as bad as the worst; without any it is open."""
        every = tuple(checks)
        return cls(overall(check.outcome for check in every), every)


def overall(outcomes: Iterable[Outcome]) -> Outcome:
    """Return `fail` if any is, `pass` if all are and there are some, else `inconclusive`."""
    found = set(outcomes)
    if "fail" in found:
        return "fail"
    return "pass" if found == {"pass"} else "inconclusive"


@dataclass(frozen=True, slots=True)
class RegressionCheck:
    """One figure of a candidate against its baseline's."""

    name: str  # such as "p95"
    unit: str  # of the two figures
    baseline: float | None  # in the middle one of its blocks; None: not measured
    candidate: float | None
    ratio: float | None  # candidate / baseline
    ratio_low: float | None  # None: not bounded
    ratio_high: float | None
    outcome: Outcome
    reason: str  # a sentence that a reader understands on its own


@dataclass(frozen=True, slots=True)
class RegressionResult:
    """A candidate measured in turns with its baseline, on new sandboxes in every turn."""

    outcome: Outcome
    baseline: str  # in words, such as "main (1a2b3c4d5)"
    git_sha: str  # of the baseline
    baseline_run_id: str  # the run that its environment was
    pairs: int  # of blocks that were compared
    redone: int  # pairs that measured this machine, and were made again
    looks: int
    margin: float
    alpha: float
    risk: float
    turn_s: float
    requests: dict[str, int]  # that count, by version
    errors: dict[str, int]
    checks: tuple[RegressionCheck, ...]
    saturated: str = ""  # why the comparison was given up; empty if it was not


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

    It is made here: pydantic 2.4 looks for the types by name in the module that makes it.
    """
    from pydantic import TypeAdapter

    return TypeAdapter(RunResult)


def _plain(record: Any) -> Any:
    """Return a dataclass as plain JSON types, or None."""
    return None if record is None else asdict(record)
