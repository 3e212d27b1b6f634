"""What a smoke test and a load test come to. Latencies are milliseconds, ratios 0.0 to 1.0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
class SmokeAssertion:
    """An assertion of the smoke collection, and what became of it."""

    assertion: str
    outcome: Literal["held", "failed", "skipped"]
    message: str = ""  # what was, if it failed


@dataclass(frozen=True, slots=True)
class SmokeRequest:
    """A request of the smoke test. Its address, headers and bodies may hold secrets: left out."""

    request: str  # its name in the collection
    method: str  # empty: nothing was sent
    status: int  # HTTP status; 0 without an answer
    latency_ms: float | None
    assertions: tuple[SmokeAssertion, ...] = ()


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """Outcome of the smoke collection, counted as Postman's own command line counts.

    Attributes:
        requests: With those that scripts send.
        assertions: With those that are skipped.
        failures: What counts as failed.
        skipped: Assertions that the collection leaves out (`pm.test.skip`).
        names: Of the requests, each once, in the order in which they were first asked.
        asked: The requests one by one, the first 2,000; empty: the driver counts them only.
    """

    requests: int
    assertions: int
    failures: tuple[SmokeFailure, ...]
    skipped: int = 0
    names: tuple[str, ...] = ()
    asked: tuple[SmokeRequest, ...] = ()

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


@dataclass(frozen=True, slots=True)
class LatencyStats:
    """Latencies of a load test's requests as the client saw them, in milliseconds."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


DEPLOYED = "current"  # label of the load test at the memory size that is deployed


@dataclass(frozen=True, slots=True)
class RequestLoad:
    """One request of the collection in a load test; latencies of its answers in ms."""

    name: str
    requests: int
    errors: int
    p50_ms: float | None  # None: no answer
    p95_ms: float | None
    max_ms: float | None


@dataclass(frozen=True, slots=True)
class Moment:
    """A part of a load test's time; latencies of the answers to what began in it, in ms."""

    start_s: float
    requests_per_s: float
    errors: int
    p50_ms: float | None  # None: no answer
    p95_ms: float | None


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
    by_request: tuple[RequestLoad, ...] = ()  # as in the collection; none: an older result
    timeline: tuple[Moment, ...] = ()  # likewise
    prediction: Prediction | None = None  # None: nothing was tuned

    @property
    def late(self) -> str:
        """Why its latencies are this machine's own, in a sentence; empty if they are not."""
        answers = self.answers
        if answers is None or answers.late <= LATE_RATIO_MAX * answers.counted:
            return ""
        return (
            f"{100 * answers.late / answers.counted:.0f} % of the answers were late: this machine "
            f"is slower than AWS at {self.memory_mb:,} MB, so the latencies are its own"
        )

    @property
    def error_ratio(self) -> float:
        """Share of the requests that failed; 1.0 when there were none."""
        return self.errors / self.requests if self.requests else 1.0
