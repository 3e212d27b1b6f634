"""`make bench-gate`: how often are the gates wrong?

Every case is simulated many times on real noise (`noise`): a function is drawn,
two versions of it are load-tested, and the gates judge, the very same code as in a run. What
changed between the versions is known, so every verdict is right or wrong:

- the regression gate (`lambda_dyno.compare.regression`), with up to `MOST_LOOKS` looks;
- the SLO gate (`lambda_dyno.gates.slo`), one load test against a limit;
- the naive rule: fail if the p95 of one load test is more than 10 % above the other's.

A case's runs are seeded one by one, so results do not depend on the number of processes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from lambda_dyno.compare.regression import CHECKS, Block, compare
from lambda_dyno.core.config import SloSettings
from lambda_dyno.core.formatting import number
from lambda_dyno.core.regression_defaults import MARGIN, MOST_LOOKS, RISK
from lambda_dyno.core.results import DEPLOYED, LoadResult, Outcome, Sample
from lambda_dyno.core.samples import latency_stats
from lambda_dyno.gates.slo import evaluate
from lambda_dyno.statistics.stats import percentile, rate_interval
from tools.gate_simulation.noise import (
    AWS,
    CALM,
    INTERLEAVED,
    LOCAL,
    NO_EFFECT,
    RESTLESS,
    Design,
    Drift,
    Effect,
    Noise,
    Profile,
    Session,
    Turn,
    cached_noises,
)

PROJECT = Path(__file__).parents[2]
DATA = PROJECT / "tests" / "data" / "samples"
Result = TypeVar("Result")
SEED = 20261120
RUNS = 500
NAIVE_THRESHOLD = 0.10
# What the targets are about: p95 alone is 10 % worse, and p50 is not.
REGRESSION = Effect("some", 0.10)
AT_MARGIN = Effect("all", MARGIN)
MOST_FALSE_ALARMS = 0.01
LEAST_FOUND = 0.95

STEPS = (NO_EFFECT, *(Effect("some", size) for size in (0.05, 0.10, 0.20)))
CURVE = tuple(Effect("some", size) for size in (0.025, 0.075, 0.125, 0.15))
KINDS = (Effect("all", 0.05), Effect("all", 0.10), Effect("slowest", 0.10))


@dataclass(frozen=True, slots=True)
class Case:
    """One way to measure, and what is tried on it.

    Attributes:
        name: For people and files.
        judges: Keys of `JUDGES`.
        noise: Kind of noise, a key of `read_noises`.
        profile: The load test of each version.
        design: How the versions are measured.
        drift: What the machine does meanwhile.
        effects: What the candidate does worse, one after the other on the same draws.
        more: How many times the usual number of runs.
    """

    name: str
    judges: tuple[str, ...]
    noise: str = "cpu17ms"
    profile: Profile = AWS
    design: Design = INTERLEAVED
    drift: Drift = CALM
    effects: tuple[Effect, ...] = STEPS
    more: int = 1


# As load tests are usually made: at one go, each on the sandboxes that it finds.
_AT_ONE_GO = Design(blocks=1, warm_up_s=5.0, fresh=False, interleaved=False)
CASES = (
    Case("interleaved", ("regression", "naive"), more=4),
    Case("interleaved, other changes", ("regression",), effects=CURVE + KINDS),
    Case("at the margin", ("p95 alone",), effects=(AT_MARGIN,), more=2),
    Case("same sandboxes", ("regression",), design=Design(fresh=False)),
    Case("two load tests", ("naive",), design=_AT_ONE_GO, effects=STEPS + CURVE),
    Case("interleaved, restless", ("regression", "naive"), drift=RESTLESS),
    Case(
        "one after the other, restless",
        ("regression", "naive"),
        drift=RESTLESS,
        design=Design(interleaved=False),
    ),
    Case("interleaved, local profile, restless", ("regression",), profile=LOCAL, drift=RESTLESS),
    Case("interleaved, s3writes", ("regression",), noise="s3writes"),
    Case("one load test", ("slo",), design=_AT_ONE_GO),
    Case("one load test, new sandboxes", ("slo",), design=Design(interleaved=False)),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One verdict.

    Attributes:
        judge: Who said it.
        effect: What was true.
        first: What was said at the first look.
        last: What was said in the end.
        requests: That were made for it, of both versions, warm-up left out.
        looks: How many it took.
    """

    judge: str
    effect: Effect
    first: Outcome
    last: Outcome
    requests: int
    looks: int = 1


@dataclass(frozen=True, slots=True)
class Share:
    """How often something happened, and the 95 % interval of how often it does."""

    events: int
    runs: int

    @property
    def value(self) -> float:
        """The share, 0.0 to 1.0."""
        return self.events / self.runs

    @property
    def interval(self) -> tuple[float, float]:
        """The exact interval of the share."""
        interval = rate_interval(self.events, self.runs)
        return interval.low, interval.high


@dataclass(frozen=True, slots=True)
class Tally:
    """All verdicts of one judge on one effect of one case."""

    case: str
    judge: str
    effect: Effect
    trials: tuple[Trial, ...]

    def share(self, outcome: Outcome) -> Share:
        """Return how often that was said in the end."""
        return Share(sum(trial.last == outcome for trial in self.trials), len(self.trials))

    def first(self, outcome: Outcome) -> Share:
        """Return how often that was said at the first look."""
        return Share(sum(trial.first == outcome for trial in self.trials), len(self.trials))

    def requests(self, q: float) -> int:
        """Return a percentile of the requests that were made."""
        return int(percentile(sorted(trial.requests for trial in self.trials), q))

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain types."""
        shares = {
            outcome: {
                "share": self.share(outcome).value,
                "interval95": self.share(outcome).interval,
                "share_at_first_look": self.first(outcome).value,
            }
            for outcome in ("pass", "fail", "inconclusive")
        }
        return {
            "case": self.case,
            "judge": self.judge,
            "effect": asdict(self.effect),
            "runs": len(self.trials),
            **shares,
            "requests_p50": self.requests(0.5),
            "requests_p90": self.requests(0.9),
            "looks_mean": sum(trial.looks for trial in self.trials) / len(self.trials),
        }


# --- the judges -----------------------------------------------------------------------------


def regression_trial(
    measured: Pairs, effect: Effect, judge: str = "regression", checks: Sequence[str] = CHECKS
) -> Trial:
    """Let the regression gate look, and measure more, until it says pass or fail."""
    first: Outcome | None = None
    for look in range(1, MOST_LOOKS + 1):
        baseline, candidate = measured.blocks(look, effect)
        found = compare(baseline, candidate, checks=checks, look=look).outcome
        first = first or found
        if found != "inconclusive":
            break
    requests = sum(len(block.latencies_ms) for block in chain(baseline, candidate))
    return Trial(judge, effect, first or found, found, requests, look)


def naive_trial(measured: Pairs, effect: Effect) -> Trial:
    """Compare two p95s with a threshold."""
    of_version = [
        sorted(chain.from_iterable(block.latencies_ms for block in blocks))
        for blocks in measured.blocks(1, effect)
    ]
    before, after = (percentile(latencies, 0.95) for latencies in of_version)
    found: Outcome = "fail" if after > (1 + NAIVE_THRESHOLD) * before else "pass"
    return Trial("naive", effect, found, found, sum(map(len, of_version)))


def slo_trial(measured: Pairs, effect: Effect) -> Trial:
    """Hold one load test against a limit.

    Without an effect the limit is 10 % above the function's true p95, so that it holds. With
    one, the true p95 is above the limit by the effect's size.
    """
    session = measured.session
    true_ms = session.noise.percentile(0.95)
    limit_ms = true_ms / (1 + effect.size) if effect.size else true_ms * 1.10
    latencies = list(chain.from_iterable(block.latencies_ms for block in measured.blocks(1)[0]))
    users = session.source.choices(range(session.profile.users), k=len(latencies))
    samples = [
        Sample(moment, latency, user, 0, "read", 200, "")
        for moment, (latency, user) in enumerate(zip(latencies, users, strict=True))
    ]
    load = LoadResult(
        label=DEPLOYED,
        memory_mb=1024,
        virtual_users=session.profile.users,
        ramp_up_s=0.0,
        duration_s=session.profile.duration_s,
        requests=len(samples),
        errors=0,
        errors_by_kind={},
        latency_ms=latency_stats(latencies),
        requests_per_s=len(samples) / session.profile.duration_s,
        driver_cpu_ratio=0.0,
        machine_cpu_ratio=0.0,
    )
    found = evaluate(SloSettings(latency_p95_ms=limit_ms), load=[load], samples=samples).outcome
    return Trial("slo", effect, found, found, len(samples))


class Pairs:
    """The turns of a session, measured when they are asked for, the same for all effects."""

    def __init__(self, session: Session, *, in_time: bool = False) -> None:
        self.session = session
        self._in_time = in_time  # the order of time matters; else sorting once saves much
        self._turns: tuple[list[Turn], list[Turn]] = ([], [])
        self._baseline: list[Block] = []
        self._candidate: dict[Effect, list[Block]] = {}

    def blocks(self, look: int, effect: Effect = NO_EFFECT) -> tuple[list[Block], list[Block]]:
        """Return the blocks of both versions after so many rounds of measuring."""
        while len(self._turns[0]) < look * self.session.design.blocks:
            baseline, candidate = self.session.measure()
            self._turns[0].extend(baseline)
            self._turns[1].extend(candidate)
        worse = self._candidate.setdefault(effect, [])
        self._extend(self._baseline, self._turns[0], NO_EFFECT)
        self._extend(worse, self._turns[1], effect)
        end = look * self.session.design.blocks
        return self._baseline[:end], worse[:end]

    def _extend(self, blocks: list[Block], turns: Sequence[Turn], effect: Effect) -> None:
        session = self.session
        for turn in turns[len(blocks) :]:
            latencies = turn.with_effect(effect, session.noise, session.source)
            if not self._in_time:
                latencies.sort()
            # the duration that is billed, at any price
            blocks.append(Block(latencies, [math.ceil(ms) for ms in latencies]))


Judge = Callable[[Pairs, Effect], Trial]
JUDGES: Mapping[str, Judge] = MappingProxyType(
    {
        "regression": regression_trial,
        "p95 alone": partial(regression_trial, judge="p95 alone", checks=("p95",)),
        "naive": naive_trial,
        "slo": slo_trial,
    }
)


# --- running --------------------------------------------------------------------------------


def simulate(case: Case, noises: Sequence[Noise], seed: int, run: int) -> list[Trial]:
    """Return every judge's verdict on every effect, of one run of a case."""
    source = Random(f"{seed} {case.name} {run}")  # noqa: S311 - noise, not secrets
    noise = source.choice(noises)
    measured = Pairs(
        Session(source, noise, case.profile, case.design, case.drift), in_time="slo" in case.judges
    )
    return [JUDGES[judge](measured, effect) for effect in case.effects for judge in case.judges]


def _simulate_some(case: Case, data: Path, seed: int, runs: range) -> list[Trial]:
    noises = cached_noises(data)[case.noise]
    return [trial for run in runs for trial in simulate(case, noises, seed, run)]


def bench(
    cases: Iterable[Case] = CASES,
    *,
    runs: int = RUNS,
    seed: int = SEED,
    workers: int = 1,
    data: Path = DATA,
    progress: Callable[[float], None] | None = None,
) -> list[Tally]:
    """Simulate cases.

    Args:
        cases: Which.
        runs: How often each; a case that asks for more gets that many times as many.
        seed: Of chance; the same seed gives the same figures.
        workers: Processes; 1 uses this one.
        data: Folder of the measured samples.
        progress: Called with the share that is done.

    Returns:
        A tally for every case, judge and effect.
    """
    cases = list(cases)
    chunks = [
        (case, data, seed, range(begin, min(begin + 20, runs * case.more)))
        for case in cases
        for begin in range(0, runs * case.more, 20)
    ]
    found: dict[str, list[Trial]] = {case.name: [] for case in cases}
    results = in_processes(_simulate_some, chunks, workers)
    for done, (position, trials) in enumerate(results, start=1):
        found[chunks[position][0].name] += trials
        if progress is not None:
            progress(done / len(chunks))
    return [
        Tally(case.name, judge, effect, tuple(_of(found[case.name], judge, effect)))
        for case in cases
        for judge in case.judges
        for effect in case.effects
    ]


def _of(trials: Iterable[Trial], judge: str, effect: Effect) -> Iterator[Trial]:
    return (trial for trial in trials if trial.judge == judge and trial.effect == effect)


def in_processes(
    function: Callable[..., Result], calls: Sequence[tuple[Any, ...]], workers: int
) -> Iterator[tuple[int, Result]]:
    """Call a function with each of the arguments; yield the call's position and its result.

    Args:
        function: One that another process can import.
        calls: The arguments.
        workers: Processes; 1 uses this one.
    """
    if workers <= 1:
        yield from enumerate(function(*call) for call in calls)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(function, *call): index for index, call in enumerate(calls)}
        for future in as_completed(futures):
            yield futures[future], future.result()


# --- targets --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """What the regression gate has to reach with the default profile.

    Attributes:
        text: The target as a sentence.
        share: What was reached.
        limit: Of the share.
        at_least: Whether the share has to be at least the limit, or at most.
    """

    text: str
    share: Share
    limit: float
    at_least: bool = False

    @property
    def outcome(self) -> Literal["met", "missed", "unclear"]:
        """Whether it was met; "unclear" if it was not, which may be chance in so few runs."""
        low, high = self.share.interval
        if self.at_least:
            met, possible = self.share.value >= self.limit, high >= self.limit
        else:
            met, possible = self.share.value <= self.limit, low <= self.limit
        if met:
            return "met"
        return "unclear" if possible else "missed"


def targets(tallies: Iterable[Tally]) -> list[Target]:
    """Return the targets and what was reached of them, with the default profile on AWS."""
    found = {(tally.case, tally.judge, tally.effect): tally for tally in tallies}
    alarms = found["interleaved", "regression", NO_EFFECT].share("fail")
    passes = found["at the margin", "p95 alone", AT_MARGIN].share("pass")
    hits = found["interleaved", "regression", REGRESSION].first("fail")
    most_alarms, most_passes, least_found = (
        f"{number(rate * 100)} %" for rate in (MOST_FALSE_ALARMS, RISK, LEAST_FOUND)
    )
    return [
        Target(
            f"false alarms when nothing changed: at most {most_alarms} of the runs",
            alarms,
            MOST_FALSE_ALARMS,
        ),
        Target(
            f"passes of the check of p95 at the margin, {number(MARGIN * 100)} % worse: at most "
            f"{most_passes}",
            passes,
            RISK,
        ),
        Target(
            f"p95 alone 10 % worse: found in at least {least_found} of the runs, at the first look",
            hits,
            LEAST_FOUND,
            at_least=True,
        ),
    ]
