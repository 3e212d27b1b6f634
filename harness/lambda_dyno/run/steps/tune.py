"""Measure the function at every power value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_dyno.aws import existing_tuner, lambda_function
from lambda_dyno.aws import target as targets
from lambda_dyno.compare import former
from lambda_dyno.core.config import TuningSettings
from lambda_dyno.core.errors import EXIT_INTERRUPTED, StepError
from lambda_dyno.core.function_name import parse_name
from lambda_dyno.core.results import TuningResult
from lambda_dyno.run import function_prepare, lifecycle, tuner_execution, workload
from lambda_dyno.run.run import Run
from lambda_dyno.tune import client, output, tuner_input, validation
from lambda_dyno.tune.request import TuneRequest
from lambda_dyno.tuner_contract.keys import is_adaptive


def step(run: Run) -> TuningResult:
    """Measure with the environment's own power tuner, or with one that is made for this.

    Raises:
        StepError: The tuning failed, or not everything that was asked for was measured.
    """
    machine = own_tuner(run)
    if not machine:
        return _with_temporary_tuner(run)
    settings = tuning_settings(run)
    request = _with_prior(run, _input(run, settings))
    what = measured_words(request)
    with run.step("tune", f"measuring {what}") as shown:
        finished = tuner_execution.execute(run, shown, what, request, machine)
        tuning = tuner_execution.result_of(run, finished, request)
        tuner_execution.add(run, tuning, request)
        sizes = ", ".join(str(detail.power) for detail in tuning.details)
        shown.update(f"{sizes} MB measured; {settings.strategy}: {tuning.power} MB")
        output.require_whole(finished.output)
    run.folder.mark("tune")
    return tuning


def measured_words(request: Mapping[str, Any]) -> str:
    """Return what a tuning's input measures, in words that fit a line."""
    if is_adaptive(request):
        return tuner_execution.AS_MANY
    sizes = ", ".join(map(str, request["powerValues"]))
    return f"{sizes} MB, {client.invocations_of(request)} invocations each"


def tuning_settings(run: Run) -> TuningSettings:
    """Return `[tuning]` with the deployed memory size among the power values.

    Whoever asks how much worse than the best it is needs it measured; so are the sizes that are
    loaded, to say what is to be expected of them. Adaptive measuring chooses its own beside them.
    """
    settings = run.env.settings.tuning
    if run.attached is not None:
        settings = run.attached.within(settings)
    sizes = sorted({*settings.power_values, run.declared_memory_mb, *run.env.settings.load.at})
    return settings.model_copy(update={"power_values": sizes})


def own_tuner(run: Run) -> str:
    """Return the ARN of the environment's own power tuner; empty if it has none."""
    return existing_tuner.of_outputs(run.result.outputs, run.env.name, run.account, run.ui.note)


def _with_temporary_tuner(run: Run) -> TuningResult:
    """Measure with a power tuner that is deployed beside an environment, and destroyed again.

    It is done as `dyno tune --function` does it: with a run folder, a lease and a report of its
    own.

    Raises:
        StepError: It failed, or something of the tuner is left.
    """
    with run.timed("tune"):  # no step around it: it is a run with steps of its own
        beside = function_prepare.prepare(
            run.project,
            _order(run),
            run.ui,
            target=targets.beside(run.target),
            runs_folder=run.folder.path.parent,
        )
        status = lifecycle.execute(beside.run, beside.work, keep=False, recorded=False)
        if status == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
        result = beside.run.result
        if result.tuning is not None:
            tuner_execution.add(
                run, result.tuning, {}
            )  # though it may not be all that was asked for
        if result.tuning is None or result.error:
            raise StepError(
                "tune", result.error or "no result", f"see {beside.run.folder.path / 'logs'}"
            )
        run.folder.mark("tune")
    return result.tuning


def _input(run: Run, settings: TuningSettings) -> dict[str, Any]:
    """Return the state machine's input: what is measured is what is loaded."""
    request = tuner_input.from_settings(
        settings,
        str(run.result.outputs["function_arn"]),
        run.env.tuning_payload(),
        workload.of(run),
    )
    if is_adaptive(request) and (at := run.env.settings.load.at):
        request["powerValues"] = sorted(at)  # to predict the load there
    validation.require_allowed(request, f"envs/{run.env.name}/dyno.toml: [tuning]")
    return request


def _with_prior(run: Run, request: dict[str, Any]) -> dict[str, Any]:
    """Return the input with what the run that [tuning] prior names measured of the same code."""
    wanted = run.env.settings.tuning.prior
    if not wanted:
        return request
    name = parse_name(request["lambdaARN"])
    function = lambda_function.look_up(name, run.account)
    runs = run.folder.path.parent
    return former.with_prior(request, wanted, runs, function, run.account, run.ui)


def _order(run: Run) -> TuneRequest:
    """Return what a tuner beside an environment is to measure."""
    arn = str(run.result.outputs["function_arn"])
    request = _input(run, tuning_settings(run))
    request.pop("lambdaARN", None)
    return TuneRequest(function=parse_name(arn), tuning_input=request, settings=run.env.settings)
