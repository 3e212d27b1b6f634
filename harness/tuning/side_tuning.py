"""Tune the function of an environment that has no power tuner of its own.

A tuner is deployed beside it, measures, and is taken down, as `dyno tune --function` does it: with
a run folder, a lease and a report of its own.
"""

from __future__ import annotations

from harness.errors import EXIT_INTERRUPTED, StepError
from harness.line import pipeline
from harness.line.run import Run
from harness.results import TuningResult
from harness.tuning import checks as tuning_checks
from harness.tuning import functions
from harness.tuning import input as tuning_input
from harness.tuning.function_tuning import FunctionTuning
from harness.tuning.order import Order


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
        function=functions.parse_name(arn), tuning_input=request, settings=run.env.settings
    )
    beside = FunctionTuning.prepare_order(
        run.project,
        order,
        run.ui,
        account=run.account,
        runs_folder=run.folder.path.parent,
        server_home=run.folder.embedded_home,
    )
    status = pipeline.execute(beside, keep=False, work=beside.work)
    if status == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    if beside.result.tuning is not None:
        run.keep_tuning(beside.result.tuning)  # though it may not be all that was asked for
    if beside.result.tuning is None or beside.result.error:
        raise StepError(
            "tune", beside.result.error or "no result", f"see {beside.folder.path / 'logs'}"
        )
    return beside.result.tuning
