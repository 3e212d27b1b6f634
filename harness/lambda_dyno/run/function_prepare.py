"""Check everything that tuning a function needs, before anything is made."""

from __future__ import annotations

from pathlib import Path

from lambda_dyno.aws import accounts, assumed_role, lambda_function
from lambda_dyno.aws.target import Target, of_account
from lambda_dyno.cleanup import sweeper
from lambda_dyno.compare import former
from lambda_dyno.core.config import Env, Settings
from lambda_dyno.core.progress import Ui
from lambda_dyno.environments import account_bucket
from lambda_dyno.run import preflight
from lambda_dyno.run.function_tune import FunctionTune
from lambda_dyno.run.run import Run
from lambda_dyno.runs.mode import RunMode
from lambda_dyno.runs.run_folder import TUNER_ENV
from lambda_dyno.tune import function_copies, tuner_root
from lambda_dyno.tune import preflight as tuning_preflight
from lambda_dyno.tune.request import TuneRequest
from lambda_dyno.tuner_contract.keys import is_cloned


def prepare(
    project: Path,
    order: TuneRequest,
    ui: Ui,
    *,
    target: Target | None = None,
    runs_folder: Path | None = None,
    beside: str = "",
) -> FunctionTune:
    """Check everything that the order needs, then make the run's folder.

    Args:
        project: Folder that gets `runs/`.
        order: What to tune, and how.
        ui: Where progress goes.
        target: Where the function is; None finds what the credentials name.
        runs_folder: Folder of all runs; None is the project's `runs/`.
        beside: The run of an environment that it is for; empty: it is for itself.

    Raises:
        UserError: Something is missing or wrong; nothing was made.
    """
    if target is None:
        sweeper.sweep_dead_owners(project, ui, runs_folder)
        target = of_account(accounts.connect(order.region))
    account = target.account
    there = assumed_role.account_for(account, order.tuning_input)
    function = lambda_function.look_up(order.function, there)
    for words in lambda_function.require_tunable(function, there):
        ui.warn(f"{function.name}: {words}")
    minutes = order.settings.tuning.timeout_minutes
    for words in tuning_preflight.hints(function, order.tuning_input, minutes):
        ui.note(words)
    tuning_input = {**order.tuning_input, "lambdaARN": function.whole_arn}
    runs = runs_folder or project / "runs"
    wanted = order.settings.tuning.prior
    tuning_input = former.with_prior(tuning_input, wanted, runs, function, account, ui)
    chosen = tuning_input.get("invokeMode") or "auto"
    if chosen == "auto" and lambda_function.streams_by_url(function, there):
        ui.note(f"{function.name}: its URL streams, so its answers are streamed here, too")
        tuning_input["invokeMode"] = "response_stream"
    if is_cloned(tuning_input):
        function_copies.require(function, tuning_input)
    packages = function_copies.packages(order.packages, tuning_input, stands=bool(order.tuner_arn))
    payload_key_arn = tuning_preflight.require(
        function, tuning_input, account, there, tuner_arn=order.tuner_arn
    )
    tools = None if order.tuner_arn else preflight.tools_of(project, ui, node=False)
    tuning_preflight.warn_of_account(account, function.region, ui)

    settings = order.settings
    run = Run.create(
        RunMode.of_tuner(project, deploys=not order.tuner_arn),
        project,
        Env(TUNER_ENV, project / "envs" / TUNER_ENV, settings),
        target,
        ui,
        tools=tools,
        runs_folder=runs_folder,
        lifetime_hours=max(
            settings.environment.lifetime_hours, settings.tuning.timeout_minutes / 60 + 1
        ),
        bucket="" if order.tuner_arn else _state_bucket(settings, account),
        settings=order.for_lease(),
        function_arn=function.arn,
        settings_env=order.env,
        beside=beside,
    )
    run.add(env=f"function {function.label}", settings=order.for_evidence(account, tuning_input))
    variables = tuner_root.variables(
        function,
        tuning_input,
        region=run.account.region,
        timeout_minutes=minutes,
        payload_key_arn=payload_key_arn,
        copy_packages=packages,
    )
    return FunctionTune(run, function, tuning_input, order.tuner_arn, variables)


def _state_bucket(settings: Settings, account: accounts.Account) -> str:
    """Return the bucket for the state; empty: it stays in the run's folder.

    Nobody makes a bucket to tune a function once. Where the account has the usual one, or the
    environment's settings name one, a state that outlives this machine is the better one.
    """
    named = settings.environment.state_bucket
    if named:
        return account_bucket.require(account, named)
    bucket = account_bucket.name_of(account, named)
    return bucket if account_bucket.exists(account, bucket) else ""
