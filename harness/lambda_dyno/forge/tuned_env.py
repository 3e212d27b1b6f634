"""Which environment a proposal is for, and whether its Terraform would read the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lambda_dyno.core.config import SETTINGS_FILE, Env, known_envs, load_env, load_root
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.results import RunResult
from lambda_dyno.forge import tuned_file
from lambda_dyno.forge.tuned_file import Key
from lambda_dyno.gates import recommendation
from lambda_dyno.terraform import hcl
from lambda_dyno.terraform.naming import Names


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
    _require_read(project, settings_of(project, result))
    return result


def settings_of(project: Path, result: RunResult) -> Env:
    """Return the environment that a run is for, as this checkout has it.

    Of what the run says of itself only the name of its environment is believed, and where its root
    is, if the settings that lie there are of that name.

    Raises:
        UserError: There is no such environment.
    """
    known = known_envs(project)
    if result.env in known:
        return load_env(project, result.env)
    root = recommendation.root_of(result)
    if root and (project / root / SETTINGS_FILE).is_file():
        env = load_root(project, root)
        if env.name == result.env:
            return env
    raise UserError(
        f"not applied: run {result.run_id} was made for {result.env}, and there is no such "
        f"environment. Known: {', '.join(known) or 'none'}."
    )


def key_of(project: Path, env: Env) -> Key:
    """Return where an environment's root takes its function's memory size from."""
    names = Names.of(env.settings.environment)
    variable, _, inside = names.variable("memory_mb").partition(".")
    if not inside:
        return Key(variable)
    declared = hcl.read(project / env.root).variables.get(variable, {})
    default = names.values.get(variable, declared.get("default"))
    return Key(variable, inside, default if isinstance(default, dict) else {})


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
    roots = {name: project / load_env(project, name).root for name in known}
    tuned = [name for name, root in roots.items() if (root / tuned_file.NAME).is_file()]
    if len(tuned) == 1:
        return tuned[0]
    if not tuned:
        raise UserError(f"no environment has a {tuned_file.NAME}: there is nothing to roll back")
    raise UserError(f"give --env: {', '.join(tuned)} have a {tuned_file.NAME}")


def _require_read(project: Path, env: Env) -> None:
    """Make sure that Terraform will take what is written."""
    folder, key = project / env.root, key_of(project, env)
    if not tuned_file.declares_memory(folder, key):
        raise UserError(
            f"not applied: {env.root} declares no variable {key.variable}, which the file would set"
        )
    later = tuned_file.overriding(folder, key)
    if later:
        raise UserError(
            f"not applied: {env.root}/{later[0]} sets {key.variable} too, and Terraform takes the "
            "last file by name: remove it from there"
        )
