"""Tune the function of an environment that has no power tuner of its own.

A tuner is deployed beside it, measures, and is taken down, as `dyno tune --function` does it: with
a run folder, a lease and a report of its own.
"""

from __future__ import annotations

from lambda_dyno.aws import lambda_function
from lambda_dyno.core.errors import EXIT_INTERRUPTED, StepError
from lambda_dyno.core.results import TuningResult
from lambda_dyno.run import lifecycle
from lambda_dyno.run.function_tuning import FunctionTuning
from lambda_dyno.run.run import Run
from lambda_dyno.tune import tuner_input as tuning_input
from lambda_dyno.tune import validation as tuning_checks
from lambda_dyno.tune.request import Order


def tune(run: Run) -> TuningResult:
    """Deploy a power tuner beside an environment, measure its function, and take it down.

    Args:
        run: The run whose environment stands; its settings say what to measure.

    Raises:
        StepError: It failed, or something of the tuner is left.
    """
    arn = str(run.result.outputs["function_arn"])
    request = tuning_input.from_settings(run.tuning_settings(), arn, run.env.tuning_payload())
    request.pop("lambdaARN", None)
    tuning_checks.require_allowed(request, f"envs/{run.env.name}/dyno.toml: [tuning]")
    order = Order(
        function=lambda_function.parse_name(arn), tuning_input=request, settings=run.env.settings
    )
    beside = FunctionTuning.prepare_order(
        run.project,
        order,
        run.ui,
        account=run.account,
        runs_folder=run.folder.path.parent,
        server_home=run.folder.embedded_home,
    )
    status = lifecycle.execute(beside, keep=False, work=beside.work)
    if status == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    if beside.result.tuning is not None:
        run.keep_tuning(beside.result.tuning)  # though it may not be all that was asked for
    if beside.result.tuning is None or beside.result.error:
        raise StepError(
            "tune", beside.result.error or "no result", f"see {beside.folder.path / 'logs'}"
        )
    return beside.result.tuning
