"""What a run finds: programs of this machine, and its sources."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from lambda_dyno.compare import baseline
from lambda_dyno.compare.baseline import Baseline
from lambda_dyno.core.config import Env
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.progress import Ui
from lambda_dyno.environments import environment
from lambda_dyno.load import collection_files
from lambda_dyno.runs.run_folder import check_place
from lambda_dyno.terraform import packages as build
from lambda_dyno.terraform import root_module, toolchain, trees
from lambda_dyno.terraform.naming import Names
from lambda_dyno.terraform.toolchain import Toolchain
from lambda_dyno.tune import workload_file


def check_sources(sources: Path, env: Env, packages: Sequence[str]) -> None:
    """Make sure that an environment can be made of what is there, as far as that can be seen.

    Args:
        sources: Folder that holds `envs/`, `modules/` and `lambda/`.
        env: The environment.
        packages: Folders of lambda/ that become packages.

    Raises:
        UserError: A folder is missing or cannot be copied, a package is empty, the root is none,
            or the tuner would not take the payload.
    """
    from lambda_dyno.tune import tuner_input as tuning_input
    from lambda_dyno.tune import validation as tuning_checks

    try:
        str(sources.resolve()).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{brief(sources.resolve(), most=300)}: the project's path is not UTF-8, and Terraform "
            "cannot be told of it: move it"
        ) from error
    collection_files.check(sources, env)
    where = env.where
    payload = env.tuning_payload()
    for function in env.settings.tuning.payload_files:
        env.payload_of(function)
    if env.workload_file is not None:
        named = f"{where}: [tuning] workload: {brief(env.settings.tuning.workload)}"
        workload_file.read(env.workload_file, named)
    request = tuning_input.from_settings(env.settings.tuning, "", payload)
    tuning_checks.require_allowed(request, f"{where}: [tuning]")
    root, names = sources / env.root, Names.of(env.settings.environment)
    trees.require_copyable(root, env.root, environment.is_left_behind)
    root_module.check(root, names)
    packed = {name: {"path": "", "sha256_base64": ""} for name in packages}
    root_module.given(root, {"packages": packed}, names, where)
    for folder in env.settings.environment.folders:
        if folder != "modules" or os.path.lexists(sources / folder):
            trees.require_copyable(
                sources / folder, f"{where}: [environment] folders", environment.is_left_behind
            )
    for name in packages:
        build.require_packable(sources / "lambda" / name)
    for name in sorted(root_module.packages(root, names) - set(packages)):
        raise UserError(
            f"{env.root}: var.{names.variable('packages')}[{json.dumps(name)}] is the folder "
            f"lambda/{name}, and "
            f"{'that is a file' if (sources / 'lambda' / name).exists() else 'there is none'}"
        )


def compared_with(project: Path, env: Env, runs: Path) -> Baseline | None:
    """Return what a run whose folder will be in `runs` is compared with; None: nothing.

    Raises:
        UserError: The folder can keep no run, or the settings name a baseline that is none.
    """
    check_place(runs)
    return baseline.of_settings(project, env, runs)


def tools_of(project: Path, ui: Ui, *, node: bool = True) -> Toolchain:
    """Return Terraform, and make sure that the load driver can run if it is needed."""
    from lambda_dyno.load import drivers

    if node:
        drivers.DRIVER.check()
    tools = toolchain.prepare(project / ".cache")
    for warning in tools.warnings:
        ui.warn(warning)
    return tools
