"""Hold what was measured against the SLO."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lambda_dyno.core.config import SloSettings
from lambda_dyno.core.results import (
    DEPLOYED,
    Check,
    LoadResult,
    Sample,
    TunedFunction,
    TuningResult,
    Verdict,
)
from lambda_dyno.core.samples import read_samples
from lambda_dyno.gates import slo
from lambda_dyno.run.run import Run


def step(run: Run) -> Verdict:
    """Hold what was measured against the SLO, and against the baseline if there is one."""
    with run.step("gate", "holding the results against the SLO") as shown:
        load, tuning = run.result.load, run.result.tuning
        memory_mb = slo.judged_mb(run.env.settings.slo, load, tuning)
        verdict = _verdict(run, load, tuning)
        if tuning is not None and tuning.power != tuning.current_power and verdict.checks:
            recommended = _verdict(run, *slo.at_size(load, tuning, tuning.power))
            verdict = slo.side_by_side(tuning, verdict, recommended, memory_mb)
        others = [check for function in run.result.functions for check in _of_other(run, function)]
        compared = run.result.regression.as_checks() if run.result.regression else ()
        if others or compared:
            every = (*verdict.checks, *others, *compared)
            verdict = replace(Verdict.of(every), sizes=verdict.sizes)
        run.add(verdict=verdict)
        held = sum(check.outcome == "pass" for check in verdict.checks)
        elsewhere = "".join(
            f"; {size.outcome} at {size.memory_mb:,} MB"
            for size in verdict.sizes
            if not size.judged
        )
        where = f" at {memory_mb:,} MB" if memory_mb else ""
        shown.update(
            f"{verdict.outcome}: {held} of {len(verdict.checks)} checks hold{where}{elsewhere}"
        )
    return verdict


def _of_other(run: Run, function: TunedFunction) -> Iterator[Check]:
    """Yield the checks of a function that is not loaded: its tuning answers some limits."""
    limits = run.env.settings.slo.answered_by("tuning")
    weight = run.env.settings.tuning.balanced_weight
    for check in slo.evaluate(limits, tuning=function.tuning, balanced_weight=weight).checks:
        name, reason = f"{check.name} of {function.name}", f"{function.name}: {check.reason}"
        yield replace(check, name=name, reason=reason)


def of_load(limits: SloSettings, load: LoadResult, folder: Path) -> Verdict:
    """Hold one load test against those limits that it can answer; its samples are in `folder`."""
    samples = _samples([load], folder)
    return slo.evaluate(limits.answered_by("load"), load=(load,), samples=samples)


def _verdict(run: Run, load: Sequence[LoadResult], tuning: TuningResult | None) -> Verdict:
    limits = run.env.settings.slo
    return slo.evaluate(
        limits,
        load=load,
        tuning=tuning,
        balanced_weight=run.env.settings.tuning.balanced_weight,
        samples=_samples(load, run.folder.path) if limits.confidence else (),
        confidence=slo.confidence_of_a_look(limits),
    )


def _samples(loads: Iterable[LoadResult], folder: Path) -> list[Sample]:
    """Return every request of the load tests at the memory size that is judged."""
    paths = [
        folder / load.samples_path for load in loads if load.label == DEPLOYED and load.samples_path
    ]
    return read_samples(path for path in paths if path.exists())
