"""`dyno tune --function`: measure any function that is there, with nothing deployed but the tuner.

The run is one like all others: a folder with a lease, teardown registered before apply, evidence
whatever happens. Its environment is a power tuner that may touch exactly one function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import botocore.exceptions

from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.core.errors import EXIT_PASS, StepError
from lambda_dyno.core.files import write_json
from lambda_dyno.core.results import TuningResult
from lambda_dyno.environments import progress
from lambda_dyno.run import build, tuner_execution
from lambda_dyno.run.run import Run
from lambda_dyno.terraform.packages import Package
from lambda_dyno.tune import client, output
from lambda_dyno.tuner_contract.keys import is_adaptive
from lambda_dyno.tuner_contract.values import ALL_POWER_VALUES, is_true


@dataclass
class FunctionTune:
    """A run that tunes a function that somebody else deployed; `prepare` makes it.

    Attributes:
        run: The run: its environment is the power tuner.
        function: The function, as it was found.
        tuning_input: The state machine's whole input.
        tuner_arn: A power tuner that is there; empty: one is deployed.
        tuner_variables: Of the tuner's root, if one is deployed.
        output: The state machine's output as it came; None before.
    """

    run: Run
    function: Function
    tuning_input: dict[str, Any]
    tuner_arn: str = ""
    tuner_variables: Mapping[str, Any] = field(default_factory=dict)
    output: dict[str, Any] | None = None

    def work(self) -> int:
        """Deploy the tuner, unless one was named, and measure; return the exit status."""
        self.run.ui.note(self.function.summary)
        if not self.tuner_arn:
            self._deploy_tuner(build.step(self.run))
        self._measure()
        return EXIT_PASS

    def _deploy_tuner(self, packages: dict[str, Package]) -> None:
        run = self.run
        with run.step("up", f"deploying the power tuner {run.result.name_prefix}") as step:
            run.environment.stage(run.mode.sources, packages, self.tuner_variables)
            outputs = run.environment.apply(progress.resources(step, "deploying"))
            run.add(outputs=outputs)
            step.update(
                f"power tuner {run.result.name_prefix} in {run.account.region}, for "
                f"{self.function.name} alone"
            )

    def _measure(self) -> None:
        """Measure the function, and keep the state machine's output as it came."""
        run = self.run
        machine = self.tuner_arn or run.result.outputs["state_machine_arn"]
        what = f"{self.function.label} at {_sizes(self.tuning_input)}"
        with run.step("tune", f"measuring {what}") as step:
            try:
                finished = tuner_execution.execute(run, step, what, self.tuning_input, machine)
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                raise StepError("tune", f"AWS refused, or did not answer: {error}") from error
            self.output = finished.output
            # kept before it is read: what was paid for is not lost if it cannot be
            write_json(self.output_path, self.output)
            if is_true(self.output.get("dryRun")):
                step.update(f"dry run of {what}")
                output.require_whole(self.output)
                return
            tuning = tuner_execution.result_of(run, finished, self.tuning_input)
            tuner_execution.add(run, tuning, self.tuning_input)
            step.update(f"{what}; {tuning.strategy}: {tuning.power} MB")
            output.require_whole(self.output)

    @property
    def output_path(self) -> Path:
        """File of the state machine's output."""
        return self.run.folder.path / "tuning.json"

    def dry_run_result(self) -> TuningResult | None:
        """Return the output of a dry run as a record that recommends nothing; None: no dry run."""
        if self.output is None or not is_true(self.output.get("dryRun")):
            return None
        nothing = {"power": self.output["originalPower"], "cost": 0.0, "duration": 0.0}
        return replace(output.parse({**self.output, **nothing}), power=0)


def _sizes(tuning_input: Mapping[str, Any]) -> str:
    """Return what is measured, in words that fit a line."""
    if is_adaptive(tuning_input):
        return tuner_execution.AS_MANY
    values = tuning_input.get("powerValues")
    if values == "ALL" or (isinstance(values, list) and len(values) > 12):
        count = len(ALL_POWER_VALUES) if values == "ALL" else len(set(map(str, values)))
        sizes = f"{count} memory sizes"
    elif values:
        sizes = f"{', '.join(map(str, values))} MB"
    else:
        sizes = "the tuner's default memory sizes"
    count = client.invocations_of(tuning_input)
    return f"{sizes}, {count} invocation{'s' if count != 1 else ''} each"
