"""Hold what was measured against the SLO."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lambda_dyno.core.config import SloSettings
from lambda_dyno.core.results import DEPLOYED, LoadResult, Sample, Verdict
from lambda_dyno.core.samples import read_samples
from lambda_dyno.gates import regression, slo
from lambda_dyno.load import rounds
from lambda_dyno.run.run import Run


def step(run: Run) -> Verdict:
    """Hold what was measured against the SLO, and against the baseline if there is one."""
    with run.step("gate", "holding the results against the SLO") as shown:
        limits = run.env.settings.slo
        verdict = slo.evaluate(
            limits,
            load=run.result.load,
            tuning=run.result.tuning,
            balanced_weight=run.env.settings.tuning.balanced_weight,
            samples=_samples(run.result.load, run.folder.path) if limits.confidence else (),
            confidence=rounds.confidence_of_a_look(limits),
        )
        if run.result.regression:
            compared = regression.slo_checks(run.result.regression)
            verdict = Verdict.of((*verdict.checks, *compared))
        run.add(verdict=verdict)
        held = sum(check.outcome == "pass" for check in verdict.checks)
        shown.update(f"{verdict.outcome}: {held} of {len(verdict.checks)} checks hold")
    return verdict


def of_load(limits: SloSettings, load: LoadResult, folder: Path) -> Verdict:
    """Hold one load test against those limits that it can answer; its samples are in `folder`."""
    samples = _samples([load], folder)
    return slo.evaluate(limits.answered_by("load"), load=(load,), samples=samples)


def _samples(loads: Iterable[LoadResult], folder: Path) -> list[Sample]:
    """Return every request of the load tests at the deployed memory size."""
    paths = [
        folder / load.samples_path for load in loads if load.label == DEPLOYED and load.samples_path
    ]
    return read_samples(path for path in paths if path.exists())
