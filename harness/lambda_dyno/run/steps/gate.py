"""Hold what was measured against the SLO."""

from __future__ import annotations

from lambda_dyno.core.results import Sample, Verdict
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
            samples=_samples_of_deployed(run) if limits.confidence else (),
            confidence=rounds.confidence_of_a_look(limits),
        )
        if run.result.regression:
            compared = regression.slo_checks(run.result.regression)
            verdict = Verdict.of((*verdict.checks, *compared))
        run.add(verdict=verdict)
        held = sum(check.outcome == "pass" for check in verdict.checks)
        shown.update(f"{verdict.outcome}: {held} of {len(verdict.checks)} checks hold")
    return verdict


def _samples_of_deployed(run: Run) -> list[Sample]:
    """Return every request of the load test at the deployed memory size."""
    paths = [
        run.folder.path / load.samples_path
        for load in run.result.load
        if load.label == slo.DEPLOYED and load.samples_path
    ]
    return read_samples(path for path in paths if path.exists())
