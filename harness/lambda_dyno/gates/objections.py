"""What speaks against applying a run's recommendation, by the run alone.

The evidence for a size is what was measured at that size: a run in which the deployed size misses
an SLO, and the recommended one, loaded in the same run, meets them all, is what is to be applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lambda_dyno.core.config import MEMORY_SIZES_MB, Settings, parse_settings
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.results import Check, RunResult, TuningResult, Verdict
from lambda_dyno.gates import recommendation, slo
from lambda_dyno.gates.recommendation import Step


@dataclass(frozen=True, slots=True)
class Objection:
    """A reason against applying a run's recommendation."""

    text: str
    absolute: bool = False  # --force does not help: there is nothing to apply


def steps_to_apply(result: RunResult) -> tuple[Step, ...]:
    """Return how to put the recommendation into force, or why it should not be."""
    steps = recommendation.how_to_apply(result)
    against = objections(result) if steps and not result.function_arn else ()
    if against:
        reasons = "; ".join(objection.text for objection in against)
        return (Step(f"Not to be applied as it is: {reasons}."),)
    return steps


def objections(result: RunResult, *, settings: Settings | None = None) -> tuple[Objection, ...]:
    """Return what speaks against applying a run's recommendation, by the run alone.

    Args:
        result: The run.
        settings: Of the environment that it is for; None takes those of the run.
    """
    run = f"run {result.run_id}"
    if result.error:
        first = (result.error.strip().splitlines() or [""])[0]
        return (Objection(f"{run} failed: {first}", absolute=True),)
    tuning = result.tuning
    if tuning is None:
        return (Objection(f"{run} has no tuning, so it recommends nothing", absolute=True),)
    if tuning.power not in MEMORY_SIZES_MB:
        return (Objection(f"{run} recommends {tuning.power} MB, which Lambda has not", True),)
    settings = settings or _settings(result)
    reasons = _of_measurements(result, tuning, settings)
    if not settings.environment.emulated and result.on_embedded_aws:
        again = "tune it again" if result.function_arn else f"make tune ENV={result.env}"
        reasons.append(
            Objection(
                f"{run} measured the embedded AWS, which is no evidence for {result.env}: "
                f"{again}, with the account's credentials"
            )
        )
    return tuple(reasons)


def _settings(result: RunResult) -> Settings:
    try:
        return parse_settings(result.settings, f"run {result.run_id}")
    except UserError:
        return Settings()  # of another release; its verdict still counts


def _of_measurements(
    result: RunResult, tuning: TuningResult, settings: Settings
) -> list[Objection]:
    changes = tuning.power != tuning.current_power
    at_size = _at_recommended(result, tuning, settings) if changes else Verdict("pass", ())
    if result.function_arn:
        # It was not loaded where it stands: the deployment's own check judges the size, and puts
        # the calls back if it does not pass. The tuning alone can tell that it is too expensive.
        return _missed_at_size(at_size)
    if result.verdict is None:
        return [
            Objection(
                f"run {result.run_id} was not held against the SLOs: dyno gate --run "
                f"{result.run_id}"
            )
        ]
    loaded = any(load.memory_mb == tuning.power for load in result.load)
    if not loaded or not at_size.checks:
        return [*_of_deployed(result, result.verdict, settings), *_missed_at_size(at_size)]
    if at_size.outcome == "inconclusive" and settings.slo.inconclusive == "fail":
        why = _reasons(at_size.checks, "inconclusive")
        return [Objection(f"the SLOs could not be decided at the recommended size: {why}")]
    return _missed_at_size(at_size)


def _of_deployed(result: RunResult, verdict: Verdict, settings: Settings) -> list[Objection]:
    """Return what the verdict on the deployed size says of a size that was not loaded."""
    run = f"run {result.run_id}"
    if verdict.outcome == "fail":
        return [Objection(f"{run} misses its SLOs: {_reasons(verdict.checks, 'fail')}")]
    if verdict.outcome == "inconclusive" and settings.slo.inconclusive == "fail":
        why = _reasons(verdict.checks, "inconclusive") or "no SLO is set"
        return [Objection(f"{run} could not decide its SLOs: {why}")]
    return []


def _missed_at_size(verdict: Verdict) -> list[Objection]:
    missed = _reasons(verdict.checks, "fail")
    return [Objection(f"the recommended size misses the SLOs: {missed}")] if missed else []


def _at_recommended(result: RunResult, tuning: TuningResult, settings: Settings) -> Verdict:
    """Return the verdict on the recommended size: the gate's, or, without one, of the figures."""
    for size in result.verdict.sizes if result.verdict else ():
        if size.memory_mb == tuning.power and not result.function_arn:
            return Verdict(size.outcome, size.checks)
    load, at_size = slo.at_size(result.load, tuning, tuning.power)
    return slo.evaluate(
        settings.slo,
        load=load,
        tuning=at_size,
        balanced_weight=settings.tuning.balanced_weight,
    )


def _reasons(checks: Sequence[Check], outcome: str) -> str:
    return "; ".join(check.reason for check in checks if check.outcome == outcome)
