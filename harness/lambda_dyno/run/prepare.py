"""Check everything that a new run of an environment needs, before anything is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambda_dyno.aws import target as targets
from lambda_dyno.aws.target import Target
from lambda_dyno.cleanup import sweeper
from lambda_dyno.core.config import SETTINGS_FILE, Env, load_env, load_root
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.progress import Ui
from lambda_dyno.environments import account_bucket
from lambda_dyno.load import collection_files
from lambda_dyno.run import preflight
from lambda_dyno.run.run import Run
from lambda_dyno.runs.mode import MachineGuard, NobodyElse, RunMode
from lambda_dyno.tune import preflight as tuning_preflight


def prepare(
    project: Path,
    env_name: str,
    ui: Ui,
    *,
    overrides: Mapping[str, Any] | None = None,
    port: int | None = None,
    worker: str = "",
    runs_folder: Path | None = None,
    target: Target | None = None,
    guard: MachineGuard | None = None,
    root: str = "",
    asks: bool = True,
) -> Run:
    """Check everything a run needs, then make its folder (and its embedded AWS).

    Until it is kept, the embedded AWS ends with this process, however that ends.

    Args:
        project: Folder that holds `envs/`.
        env_name: The environment.
        ui: Where progress goes.
        overrides: Settings from the command line, by "section.key".
        port: For the embedded AWS; None takes a free one.
        worker: Which of several at once this is; in lease and tags, and the run's id counts it.
        runs_folder: Folder of all runs; None is the project's `runs/`.
        target: Where it is to be; None: where the settings say.
        guard: Of this machine; None: nobody else measures on it.
        root: Folder of the Terraform root below the project; empty: as the settings say.
        asks: Whether its API will be asked, so that the secrets of the tests must be there.

    Raises:
        UserError: Something is missing or wrong; nothing was made.
    """
    env = _env(project, env_name, overrides, root)
    if env.settings.attach.is_set:
        raise UserError(
            f"envs/{env_name} is attached to what is there ([attach] in its {SETTINGS_FILE}), and "
            f"has nothing to deploy: dyno run --env {env_name}"
        )
    if port is not None:
        targets.check_port(port)
    mode = RunMode(project, guard=guard or NobodyElse())
    preflight.check_sources(project, env, mode.package_names())
    if asks:
        collection_files.check_secrets(project, env)
    all_runs = runs_folder or project / "runs"
    compared_with = preflight.compared_with(project, env, all_runs)
    tools = preflight.tools_of(project, ui, node=(project / "postman").is_dir())
    settings = env.settings.environment
    sweeper.sweep_dead_owners(project, ui, runs_folder)
    where = target or targets.of_settings(settings, port)
    bucket = ""
    if isinstance(where, Target):
        if not settings.emulated:
            bucket = account_bucket.require(where.account, settings.state_bucket, env_name)
        tuning_preflight.warn_of_account(where.account, where.account.region, ui)
    run = Run.create(
        mode,
        project,
        env,
        where,
        ui,
        tools=tools,
        runs_folder=runs_folder,
        bucket=bucket,
        worker=worker,
    )
    run.baseline = compared_with
    return run


def _env(project: Path, name: str, overrides: Mapping[str, Any] | None, root: str) -> Env:
    """Return the environment whose settings are beside a root, or in envs/."""
    if not root:
        return load_env(project, name, overrides)
    if (project / root / SETTINGS_FILE).is_file():
        return load_root(project, root, overrides)
    return load_env(project, name, {**(overrides or {}), "environment.root": root})
