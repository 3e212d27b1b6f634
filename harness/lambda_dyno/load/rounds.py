"""The rounds of a load test: the same again, until the SLO can be judged or enough is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lambda_dyno.core.config import SloSettings
from lambda_dyno.core.results import Answers, LoadResult, Sample, Verdict
from lambda_dyno.core.samples import latency_stats, read_samples, write_samples
from lambda_dyno.load.samples import appended, by_request, timeline


def more_would_help(verdict: Verdict, load: LoadResult) -> bool:
    """Whether a check is open for want of requests, and not because the test proves nothing."""
    return (
        load.requests > 0
        and not load.saturated
        and not load.late
        and any(check.outcome == "inconclusive" for check in verdict.checks)
    )


class LoadSeries:
    """A load test and its further rounds, taken as one.

    Args:
        run_round: Runs the load test once, under the name that it is given: it writes
            NAME.jsonl into the folder.
        folder: Where the samples are.
        label: Of the result; LABEL.jsonl has the samples of all rounds.
        judge: Returns the verdict on what was measured so far (`gates.slo.of_load`).
    """

    def __init__(
        self,
        run_round: Callable[[str], LoadResult],
        folder: Path,
        label: str,
        judge: Callable[[SloSettings, LoadResult, Sequence[Sample]], Verdict],
    ) -> None:
        self._run_round = run_round
        self._judge = judge
        self._folder = folder
        self.label = label
        self.result = replace(run_round(label), label=label)
        self.samples = read_samples([folder / f"{label}.jsonl"])

    def add_round(self) -> LoadResult:
        """Run the load test once more and return the result of all rounds."""
        name = f"{self.label}-round-{self.result.rounds + 1}"
        found = self._run_round(name)
        part = self._folder / f"{name}.jsonl"
        self.samples = appended(self.samples, read_samples([part]))
        write_samples(self.samples, self._folder / f"{self.label}.jsonl")
        part.unlink()
        self.result = merged(self.result, found, self.samples)
        return self.result

    def judge(self, limits: SloSettings) -> Verdict:
        """Return the verdict on what was measured so far."""
        return self._judge(limits, self.result, self.samples)

    def decide(
        self,
        limits: SloSettings,
        on_round: Callable[[LoadResult, Verdict], None] = lambda _found, _verdict: None,
    ) -> Verdict:
        """Judge, and ask for more requests for as long as they can help.

        Args:
            limits: The SLO; `max_rounds` is the cap.
            on_round: Told, before another round, what was measured and why it does not do.
        """
        verdict = self.judge(limits)
        while self.result.rounds < limits.max_rounds and more_would_help(verdict, self.result):
            on_round(self.result, verdict)
            self.add_round()
            verdict = self.judge(limits)
        return verdict


def _both(first: Answers | None, second: Answers | None) -> Answers | None:
    if first is None or second is None:
        return first or second
    return Answers(
        first.counted + second.counted, first.late + second.late, first.cold + second.cold
    )


def merged(first: LoadResult, second: LoadResult, samples: list[Sample]) -> LoadResult:
    """Return the result of a test and one more round of it.

    Args:
        first: All rounds before.
        second: The new one.
        samples: The requests of all rounds.
    """
    kinds = {**first.errors_by_kind}
    for kind, count in second.errors_by_kind.items():
        kinds[kind] = kinds.get(kind, 0) + count
    rounds = first.rounds + second.rounds
    duration_s = first.duration_s + second.duration_s
    measured_s = duration_s - rounds * first.warm_up_s
    return replace(
        first,
        duration_s=duration_s,
        requests=first.requests + second.requests,
        errors=first.errors + second.errors,
        errors_by_kind=dict(sorted(kinds.items())),
        latency_ms=latency_stats(sample.response_ms for sample in samples if sample.answered),
        requests_per_s=len(samples) / measured_s if measured_s > 0 else 0.0,
        driver_cpu_ratio=max(first.driver_cpu_ratio, second.driver_cpu_ratio),
        machine_cpu_ratio=max(first.machine_cpu_ratio, second.machine_cpu_ratio),
        # one round that measured this machine is enough to spoil them all
        saturated=first.saturated or second.saturated,
        answers=_both(first.answers, second.answers),
        warm_up_requests=first.warm_up_requests + second.warm_up_requests,
        warm_up_errors=first.warm_up_errors + second.warm_up_errors,
        rounds=rounds,
        by_request=by_request(samples),
        timeline=timeline(samples),
    )
