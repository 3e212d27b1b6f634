"""Check everything that an attached run needs, and say what it will do, before anything is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lambda_dyno.attach import main_settings, plan
from lambda_dyno.attach.plan import AttachPlan
from lambda_dyno.aws import existing_tuner, lambda_function
from lambda_dyno.aws import target as targets
from lambda_dyno.aws.accounts import Account
from lambda_dyno.cleanup import sweeper
from lambda_dyno.core.config import (
    SETTINGS_FILE,
    Env,
    Settings,
    load_env,
    with_overrides,
)
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.function_name import parse_name
from lambda_dyno.core.progress import Ui
from lambda_dyno.load import collection_files, drivers
from lambda_dyno.run import api, preflight
from lambda_dyno.run.run import Run
from lambda_dyno.runs.mode import MachineGuard, RunMode
from lambda_dyno.runs.run_folder import ATTACHED_ENV
from lambda_dyno.tune import function_copies, tuner_input, workload_file
from lambda_dyno.tune import preflight as tuning_preflight
from lambda_dyno.tune import validation as tuning_checks

Confirm = Callable[[str], bool]  # asked whether to go on above a limit


def prepare(
    project: Path,
    env_name: str | None,
    ui: Ui,
    *,
    overrides: Mapping[str, Any] | None = None,
    confirm: Confirm | None = None,
    worker: str = "",
    runs_folder: Path | None = None,
    guard: MachineGuard | None = None,
) -> Run:
    """Check everything that an attached run needs, then make its folder.

    Args:
        project: Folder that gets `runs/`.
        env_name: The environment whose settings it has; None: the built-in ones.
        ui: Where progress goes.
        overrides: Settings from the command line, by "section.key".
        confirm: Asked about what is above the limits; None: nobody may be asked.
        worker: As in `prepare.prepare`.
        runs_folder: Folder of all runs; None is the project's `runs/`.
        guard: Of this machine; None: nobody else measures on it.

    Raises:
        UserError: Something is missing, wrong or not allowed; nothing was made or sent.
    """
    env = _env(project, env_name, overrides or {})
    sweeper.sweep_dead_owners(project, ui, runs_folder)
    target = targets.of_account(_account(env, project))
    given = overrides is not None and overrides.get("attach.url") is not None
    url_named = "--url" if given else plan.of_file(env)
    env, found = checked(
        project, env, env_name, target.account, ui, confirm=confirm, url_named=url_named
    )
    check_tools(project, found, ui)
    tuning_preflight.warn_of_account(target.account, found.function.region, ui)
    run = Run.create(
        RunMode.of_attached(project, guard=guard),
        project,
        env,
        target,
        ui,
        tools=None,
        runs_folder=runs_folder,
        worker=worker,
    )
    run.attached = found
    if env_name is None:
        run.add(env=f"function {found.function.label}")
    return run


def checked(
    project: Path,
    env: Env,
    env_name: str | None,
    account: Account,
    ui: Ui,
    *,
    confirm: Confirm | None,
    url_named: str = "[attach] url",
) -> tuple[Env, AttachPlan]:
    """Return an environment as an attached run has it, and what that will do; it is told.

    Args:
        project: Folder of the collections.
        env: With the settings of the file and the command line, or of a run that goes on.
        env_name: Its name in `envs/`; None: it is none of them.
        account: Where the function is.
        ui: Told what will be done.
        confirm: As in `prepare`.
        url_named: What names the URL, for messages.

    Raises:
        UserError: It is not allowed, or not confirmed.
    """
    where = f"envs/{env_name}/{SETTINGS_FILE}" if env_name else "command line"
    proposed = main_settings.is_proposal(os.environ)
    settings = main_settings.limited(env.settings, env_name, project, os.environ, ui.note)
    plan.require_possible(settings, where)
    name = parse_name(settings.attach.function)
    function = lambda_function.look_up(name, account)
    lambda_function.require_tunable(function, account)
    if settings.attach.tuner:
        existing_tuner.require_tuner(settings.attach.tuner, account, f"{where}: [attach] tuner")
    env = replace(env, settings=plan.effective(settings, function))
    _check_files(project, env, where)
    _require_copy(env.settings, function)
    every = {
        step: api.files_of(project, env, step, attached=True) for step in collection_files.STEPS
    }
    files = {step: one for step, one in every.items() if not api.no_files(project, one)}
    found = plan.make(env, function, account, files, where=url_named)
    for line in found.lines:
        ui.note(line)
    if found.warning:
        ui.warn(found.warning)
    _confirm(found, confirm, proposed=proposed)
    return replace(env, settings=found.settings), found


def check_tools(project: Path, found: AttachPlan, ui: Ui) -> None:
    """Make sure that what the run starts is here: Node.js for an API, Terraform for a tuner.

    Raises:
        UserError: It is not.
    """
    if not found.settings.attach.tuner:
        preflight.tools_of(project, ui, node=found.api is not None)
    elif found.api is not None:
        drivers.DRIVER.check()


def _confirm(found: AttachPlan, confirm: Confirm | None, *, proposed: bool) -> None:
    """Make sure that somebody wants what is above the limits.

    Raises:
        UserError: Nobody does, or may.
    """
    above = found.spending.above(found.settings.attach)
    if not above:
        return
    text = "; ".join(above)
    if proposed:
        raise UserError(
            f"{text}: in a pull request the default branch's limits hold, without --yes. Take "
            "fewer users, a shorter test or more pacing_ms"
        )
    if confirm is None or not confirm(text):
        raise UserError(
            f"{text}: take fewer users, a shorter test or more pacing_ms, raise the limit in "
            "dyno.toml, or say --yes"
        )
    if found.allowed is not None:
        found.allowed.requests_left = max(
            found.allowed.requests_left, found.spending.total_requests
        )


def _env(project: Path, name: str | None, overrides: Mapping[str, Any]) -> Env:
    if name is not None:
        return load_env(project, name, overrides)
    settings = with_overrides(Settings(), overrides)
    return Env(ATTACHED_ENV, project / "envs" / ATTACHED_ENV, settings)


def _account(env: Env, project: Path) -> Account:
    """Return the account of the function, in the region that its ARN or the settings name.

    Raises:
        UserError: They name different ones, or there are no credentials.
    """
    settings = env.settings
    if not settings.attach.function:
        plan.require_possible(settings, "command line")
    named, said = parse_name(settings.attach.function).region, settings.environment.region
    if named and said and named != said:
        raise UserError(
            f"{brief(settings.attach.function)} is in {named} by its ARN, and the region is set to "
            f"{said}: name one of them"
        )
    environment = settings.environment.model_copy(update={"region": named or said})
    there = replace(env, settings=settings.model_copy(update={"environment": environment}))
    return targets.of_project(there, project)


def _check_files(project: Path, env: Env, where: str) -> None:
    """Look at all files that the run takes.

    Raises:
        UserError: One cannot be used.
    """
    collection_files.check(project, env)
    collection_files.check_secrets(project, env)
    if env.workload_file is not None:
        named = f"{where}: [tuning] workload: {brief(env.settings.tuning.workload)}"
        workload_file.read(env.workload_file, named, safe=env.settings.tuning.safe)
    request = tuner_input.from_settings(env.settings.tuning, "", env.tuning_payload())
    tuning_checks.require_allowed(request, f"{where}: [tuning]")


def _require_copy(settings: Settings, function: lambda_function.Function) -> None:
    """Make sure that a copy can be made where one is to be measured.

    Raises:
        UserError: None can.
    """
    if settings.attach.in_place:
        return
    try:
        function_copies.require(
            function, tuner_input.from_settings(settings.tuning, function.whole_arn, {})
        )
    except UserError as error:
        raise UserError(
            f"{error}. [attach] in_place = true measures the function itself: its $LATEST has "
            "other memory sizes meanwhile, for whoever calls it without a version or an alias"
        ) from error
