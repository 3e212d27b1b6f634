"""What a tuning measures and chooses. Durations are milliseconds, money is USD, memory is MB."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

EPHEMERAL_STORAGE_MB_FREE = 512  # of a function's /tmp, which every function has


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
        """Whether it is below 1 with 95 %, on one side, its logarithm being about normal."""
        if not 0 < self.ratio < self.high:
            return self.ratio < 1
        half = math.log(self.high / self.ratio)
        return math.log(self.ratio) + 1.6449 / 1.96 * half < 0


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
class Point:
    """Duration and price at one memory size."""

    power: int
    duration_ms: float
    cost_usd: float

    @classmethod
    def of(cls, detail: PowerDetail | None) -> Point | None:
        """Return the point of a power value, or None if it was not measured."""
        if detail is None or detail.duration_ms is None or detail.cost_usd is None:
            return None
        return cls(detail.power, detail.duration_ms.trimmed_mean, detail.cost_usd)


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
        duration_ratio: To that of the function's own architecture, at either's best size; None: it
            is the own one, or was left out.
        cost_ratio: Likewise.
    """

    architecture: str
    is_recommended: bool
    power: int | None = None
    cost: float | None = None
    duration: float | None = None
    left_out: str = ""
    duration_ratio: Ratio | None = None
    cost_ratio: Ratio | None = None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Duration at one memory size by adaptive measuring's model, measured or not, in ms."""

    memory_mb: int
    low: float  # of 95 %
    middle: float
    high: float
