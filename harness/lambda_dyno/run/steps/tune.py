"""Measure the function at every power value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lambda_dyno.aws import existing_tuner, lambda_function
from lambda_dyno.aws import target as targets
from lambda_dyno.compare import former
from lambda_dyno.core.config import TuningSettings
from lambda_dyno.core.errors import EXIT_INTERRUPTED, StepError
from lambda_dyno.core.function_name import parse_name
from lambda_dyno.core.results import EACH, LOADED, TunedFunction, TuningResult
from lambda_dyno.run import function_prepare, lifecycle, tuner_execution, workload
from lambda_dyno.run.run import Run
from lambda_dyno.tune import client, output, tuner_input, validation
from lambda_dyno.tune.request import TuneRequest
from lambda_dyno.tuner_contract.keys import is_adaptive


def step(run: Run) -> TuningResult:
    """Measure with the environment's own power tuner, or with one that is made for this.

    Where the root tells several functions, each is measured; what is returned is of the one that
    the API's load goes to.

    Raises:
        StepError: The tuning failed, or not everything that was asked for was measured.
    """
    machine = own_tuner(run)
    tuning = _with_own_tuner(run, machine) if machine else _with_temporary_tuner(run)
    for name in _others(run):
        _tune_other(run, name, machine)
    run.folder.mark("tune")
    return tuning


def _with_own_tuner(run: Run, machine: str) -> TuningResult:
    """Measure the function that is loaded by a power tuner of the environment."""
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
    return tuning


def _others(run: Run) -> list[str]:
    """Return the names of the functions that are not loaded; none, where there is one function."""
    functions = run.result.outputs.get(EACH) or {}
    return sorted(functions.keys() - {run.result.outputs.get(LOADED)})


def _tune_other(run: Run, name: str, machine: str) -> None:
    """Measure a function that is not loaded, with an event of its own.

    Raises:
        StepError: As `step`.
    """
    arn = str(run.result.outputs[EACH][name])
    settings = run.env.settings.tuning
    now_mb = lambda_function.look_up(parse_name(arn), run.account).memory_mb
    tuning = settings.model_copy(
        update={
            "workload": "",
            "prior": "",
            "payload_file": "",
            "power_values": sorted({*settings.power_values, now_mb}),
        }
    )
    request = tuner_input.from_settings(tuning, arn, run.env.payload_of(name))
    where = f"{run.env.where}: [tuning]"
    validation.require_allowed(request, where)
    if not settings.has_payload and name not in settings.payload_files:
        run.ui.note(f"{name} is tuned with the event {{}}: [tuning.payload_files] {name} names one")
    if machine:
        what = f"{name}: {measured_words(request)}"
        with run.step("tune", f"measuring {what}") as shown:
            finished = tuner_execution.execute(run, shown, what, request, machine)
            found = tuner_execution.result_of(run, finished, request)
            _add_other(run, name, found)
            shown.update(f"{name}: {found.strategy}: {found.power} MB")
            output.require_whole(finished.output)
        return
    request.pop("lambdaARN")
    order = TuneRequest(parse_name(arn), tuning_input=request, settings=run.env.settings)
    with run.timed(f"tune {name}"):
        _add_other(run, name, _measured_beside(run, order))


def _add_other(run: Run, name: str, tuning: TuningResult) -> None:
    kept = [one for one in run.result.functions if one.name != name]
    found = sorted([*kept, TunedFunction(name, tuning)], key=lambda one: one.name)
    run.add(functions=tuple(found))


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
    with run.timed("tune"):
        return _measured_beside(run, _order(run), lambda found: tuner_execution.add(run, found, {}))


def _measured_beside(
    run: Run, order: TuneRequest, add: Callable[[TuningResult], None] = lambda _: None
) -> TuningResult:
    """Tune a function by a run of its own, whose only resource is the power tuner.

    Args:
        run: The run that it is for; no step is around it, since it has steps of its own.
        order: What to tune.
        add: Takes what was found, though it may not be all that was asked for.
    """
    beside = function_prepare.prepare(
        run.project,
        order,
        run.ui,
        target=targets.beside(run.target),
        runs_folder=run.folder.path.parent,
        beside=run.folder.run_id,
    )
    status = lifecycle.execute(beside.run, beside.work, keep=False, recorded=False)
    if status == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    result = beside.run.result
    if result.tuning is not None:
        add(result.tuning)
    if result.tuning is None or result.error:
        raise StepError(
            "tune", result.error or "no result", f"see {beside.run.folder.path / 'logs'}"
        )
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
    validation.require_allowed(request, f"{run.env.where}: [tuning]")
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
