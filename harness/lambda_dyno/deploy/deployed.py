"""A standing environment as `dyno deploy` left it: where it is, and what its state tells.

The outputs are read from the state itself, so that who only wants to know them needs neither
Terraform nor more permissions than to read one object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.exceptions

from lambda_dyno.aws import accounts, existing_tuner
from lambda_dyno.aws import target as targets
from lambda_dyno.aws.target import Target
from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.config import Env, load_env
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.reading import UnreadableError, parse_json, read_text
from lambda_dyno.deploy.bootstrap import bootstrap_state_key, deployed_state_key
from lambda_dyno.environments import account_bucket
from lambda_dyno.run import workload
from lambda_dyno.terraform.outputs import flat
from lambda_dyno.tune import request
from lambda_dyno.tune.request import CommandLine, TuneRequest


def folder_of(project: Path, env: Env, account: accounts.Account) -> Path:
    """Return the folder of a deployment's working files; it need not be there."""
    return project / ".dyno" / "deploy" / f"{env.name}-{account.account_id}-{account.region}"


def backend_of(env: Env, account: accounts.Account, folder: Path) -> dict[str, str]:
    """Return the settings of the backend: a file here, or the bucket of the states.

    Raises:
        UserError: There is no such bucket.
    """
    settings = env.settings.environment
    if settings.emulated:
        return {"path": str(folder / "terraform.tfstate")}
    bucket = account_bucket.require(account, settings.state_bucket, env.name)
    return {"bucket": bucket, "key": deployed_state_key(env), "region": account.region}


def read_outputs(project: Path, env: Env, account: accounts.Account) -> dict[str, Any]:
    """Return the outputs of an environment's root as they were last applied.

    Raises:
        UserError: It is not deployed, or its state cannot be read.
    """
    backend = backend_of(env, account, folder_of(project, env, account))
    text = file_text(Path(backend["path"])) if "path" in backend else object_text(account, backend)
    outputs = _outputs(text, backend)
    if not outputs:
        raise UserError(
            f"envs/{env.name} is not deployed in {account.region} of account "
            f"{account.account_id}: dyno deploy --env {env.name}"
        )
    return outputs


def to_tune(
    project: Path, line: CommandLine, note: Callable[[str], None]
) -> tuple[TuneRequest, Target]:
    """Return what `dyno tune --deployed` is to do, and where.

    Raises:
        UserError: The environment is not deployed, names no function, or has no payload.
    """
    assert line.env is not None
    named = line.flags.get("workload")
    env = load_env(project, line.env, {"environment.region": line.region, "tuning.workload": named})
    account = targets.of_project(env, project)
    outputs = read_outputs(project, env, account)
    machine = existing_tuner.of_outputs(outputs, line.env, account, note)
    function = outputs.get("function_arn")
    if not function:
        raise UserError(f"envs/{line.env} tells no function_arn: deploy it with that output")
    flags = line.flags
    if machine and "isolation" not in flags and outputs.get("tuner_isolation") == "clone":
        flags = {**flags, "isolation": "clone"}
    if not {"payload", "payload_s3"} & flags.keys() and not env.settings.tuning.has_payload:
        flags = {**flags, "workload": workload.of_deployed(env, account, outputs, note)}
    there = replace(
        line, flags=flags, function=function, tuner=machine or None, region=account.region
    )
    return request.make(project, there), targets.of_account(account)


def boundary_arn(env: Env, account: accounts.Account, backend: Mapping[str, str]) -> str:
    """Return the permissions boundary that a deployment must give the roles it makes.

    The deploy role of the workflows may write no role without it, so whoever deploys from
    elsewhere gives them the same one.

    Args:
        env: The environment.
        account: Where it is.
        backend: Of its state, as `backend_of` returns it.

    Returns:
        What `dyno bootstrap` made; empty where the state is no bucket's, where there was no
        bootstrap with a repository, or where these credentials may not read its state.

    Raises:
        UserError: What is there is no state.
    """
    if "bucket" not in backend:
        return ""
    place = {"bucket": backend["bucket"], "key": bootstrap_state_key(env.name)}
    try:
        text = object_text(account, place)
    except UserError:
        return ""
    arns = _outputs(text, place).get("boundary_arns") or {}
    return str(arns.get("deploy") or "")


def _outputs(text: str, backend: Mapping[str, str]) -> dict[str, Any]:
    """Return the outputs in a state's text; none if it is empty."""
    try:
        state = parse_json(text or "{}", "state")
        return flat({name: row["value"] for name, row in (state.get("outputs") or {}).items()})
    except (AttributeError, KeyError, TypeError, UnreadableError) as error:
        where = backend.get("path") or f"s3://{backend['bucket']}/{backend['key']}"
        raise UserError(f"{where}: not a state of Terraform: {error}") from error


def file_text(path: Path) -> str:
    """Return the text of a state that is a file; empty: there is none."""
    return read_text(path) if path.exists() else ""


def object_text(account: accounts.Account, backend: Mapping[str, str]) -> str:
    """Return the text of a state in a bucket; empty: there is none.

    Raises:
        UserError: It cannot be read.
    """
    s3 = account.session.client("s3")
    try:
        answer = s3.get_object(Bucket=backend["bucket"], Key=backend["key"])
        return str(answer["Body"].read().decode())
    except s3.exceptions.NoSuchKey:
        return ""
    except botocore.exceptions.ClientError as error:
        raise UserError(
            f"the state s3://{backend['bucket']}/{backend['key']} cannot be read: "
            f"{errors.code(error)}"
        ) from error
