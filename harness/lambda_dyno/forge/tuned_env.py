"""Which environment a proposal is for, and whether its Terraform would read the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lambda_dyno.core.config import known_envs, load_env
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.results import RunResult
from lambda_dyno.forge import tuned_file


def of_run(project: Path, result: RunResult, env: str | None) -> RunResult:
    """Return a run as one of the environment that it is for, which must be one of ours.

    A run of `dyno tune --function` is for the standing environment that the function is of.

    Args:
        project: Folder that holds `envs/`.
        result: The run.
        env: What the environment must be; None: any.

    Raises:
        UserError: It is for no environment, for another one, or its root has no memory_mb that
            the file would set.
    """
    known = known_envs(project)
    run = f"run {result.run_id}"
    if function := result.function_arn:
        own = standing_env(
            function, {name: load_env(project, name).deployed_name_prefix for name in known}
        )
        if not own:
            raise UserError(
                f"not applied: {run} tuned {function}, which is of no environment in envs/; set "
                "its memory where it is declared"
            )
        result = replace(result, env=own)
    if env is not None and env != result.env:
        raise UserError(f"not applied: {run} was made for {result.env}, not for {brief(env)}")
    if result.env not in known:
        raise UserError(
            f"not applied: {run} was made for {result.env}, and there is no such environment. "
            f"Known: {', '.join(known) or 'none'}."
        )
    _require_read(project, result.env)
    return result


def standing_env(function_arn: str, prefixes: Mapping[str, str]) -> str:
    """Return the environment that a function belongs to; empty if it is of none.

    Args:
        function_arn: What `dyno tune --function` tuned.
        prefixes: Start of the names of each standing environment, by the environment's name.
    """
    name = function_arn.rpartition(":")[2]
    found = [env for env, prefix in prefixes.items() if name.startswith(f"{prefix}-")]
    return max(found, key=lambda env: len(prefixes[env]), default="")


def to_roll_back(project: Path, env: str | None) -> str:
    """Return the environment to roll back; None takes the one that was tuned.

    Raises:
        UserError: There is no such environment, or none or several were tuned.
    """
    known = known_envs(project)
    if env is not None:
        if env not in known:
            raise UserError(
                f"ENV={brief(env)}: no such environment. Known: {', '.join(known) or 'none'}."
            )
        return env
    tuned = [name for name in known if (project / "envs" / name / tuned_file.NAME).is_file()]
    if len(tuned) == 1:
        return tuned[0]
    if not tuned:
        raise UserError(f"no environment has a {tuned_file.NAME}: there is nothing to roll back")
    raise UserError(f"give --env: {', '.join(tuned)} have a {tuned_file.NAME}")


def _require_read(project: Path, env: str) -> None:
    """Make sure that Terraform will take what is written."""
    folder = project / "envs" / env
    if not tuned_file.declares_memory(folder):
        raise UserError(
            f"not applied: envs/{env} declares no variable memory_mb, which the file would set"
        )
    later = tuned_file.overriding(folder)
    if later:
        raise UserError(
            f"not applied: envs/{env}/{later[0]} sets memory_mb too, and Terraform takes the last "
            "file by name: remove it from there"
        )
