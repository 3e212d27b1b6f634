"""Run a power tuner's state machine for a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lambda_dyno.aws import assumed_role, cpu_speed, lambda_function, traffic
from lambda_dyno.core.config import CLOUDWATCH
from lambda_dyno.core.function_name import parse_name
from lambda_dyno.core.progress import Step
from lambda_dyno.core.results import TuningResult
from lambda_dyno.gates import intervals
from lambda_dyno.gates.separation import settled
from lambda_dyno.run.run import Run
from lambda_dyno.runs import interrupts
from lambda_dyno.tune import client, output, preflight
from lambda_dyno.tune.client import FinishedExecution

AS_MANY = "as many sizes as the answer needs"  # what adaptive measuring measures, in words


def execute(
    run: Run, shown: Step, text: str, request: Mapping[str, Any], state_machine_arn: str
) -> FinishedExecution:
    """Run a state machine; an interrupt stops it and leaves time for its clean-up.

    Args:
        run: The run.
        shown: Where progress goes.
        text: What is measured.
        request: The state machine's input.
        state_machine_arn: Of a power tuner, which may be in another region than the environment.
    """
    said: list[str] = []
    there = assumed_role.account_for(run.account, request)
    request = preflight.within_account(request, there, said.append)
    for words in said:
        run.ui.note(words)
    account = replace(run.account, region=state_machine_arn.split(":")[3])
    with interrupts.raised_once(run.ui.warn), run.target.reported(run.project):
        finished = client.run(
            request,
            state_machine_arn=state_machine_arn,
            session=account.session,
            timeout_s=run.env.settings.tuning.timeout_minutes * 60,
            on_progress=lambda progress: shown.update(
                f"{progress.state}: {text}", progress.done, progress.total
            ),
        )
    found = lambda_function.differences_here(str(request["lambdaARN"]), there)
    finished.output.setdefault("warnings", []).extend([*said, *found])
    return finished


def result_of(run: Run, finished: FinishedExecution, request: Mapping[str, Any]) -> TuningResult:
    """Return what an execution found, its choice held against its evidence.

    Where this machine makes it doubtful, a warning says so.

    Args:
        run: The run.
        finished: The execution.
        request: Its input.

    Raises:
        StepError: It is no output of this project's power tuner.
    """
    parsed = output.parse(finished.output, execution_arn=finished.arn)
    there = assumed_role.account_for(run.account, request)
    storage_mb = lambda_function.ephemeral_storage_mb(parsed.function_arn, there)
    tuning = settled(intervals.known(replace(parsed, ephemeral_storage_mb=storage_mb)))
    doubt = cpu_speed.doubt(tuning, run.account, run.env.settings.tuning.balanced_weight)
    return replace(tuning, warnings=(*tuning.warnings, doubt)) if doubt else tuning


def add(run: Run, tuning: TuningResult, request: Mapping[str, Any]) -> None:
    """Take a tuning into a run's result, and how often the deployed function is invoked.

    Args:
        run: The run.
        tuning: What was found.
        request: The input of its execution.
    """
    settings = run.env.settings.traffic
    found = traffic.find(
        settings,
        parse_name(tuning.function_arn).name,
        run.env.deployed_name_prefix,
        assumed_role.account_for(run.account, request),
    )
    if found is not None and settings.invocations_per_month == CLOUDWATCH:
        say = run.ui.warn if found.invocations_per_month is None else run.ui.note
        say(found.source)
    run.add(tuning=tuning, traffic=found)
