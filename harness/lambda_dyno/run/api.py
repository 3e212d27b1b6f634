"""The API of a run's environment: whether it can be asked, by whom, and what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lambda_dyno.aws.accounts import Account
from lambda_dyno.aws.target import signs_requests
from lambda_dyno.core.config import Env
from lambda_dyno.core.errors import UserError
from lambda_dyno.load import collection_files
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api, ApiCredentials
from lambda_dyno.run.run import Run


def why_not(run: Run, step: str) -> str:
    """Return why an environment's API cannot be asked, or an empty string.

    Args:
        run: The run.
        step: "smoke" or "load".
    """
    if not run.result.outputs.get("api_url"):
        attached = "no --url names an API"
        return attached if run.mode.attached else f"envs/{run.env.name} has no output api_url"
    return no_files(run.project, collection(run, step))


def no_files(project: Path, files: CollectionFiles) -> str:
    """Return that there is no collection, in words; empty: there is one."""
    path = files.collection
    if path.is_file():
        return ""
    return f"there is no {path.relative_to(project) if path.is_relative_to(project) else path}"


def require(run: Run, step: str) -> None:
    """Make sure that the API can be asked.

    Raises:
        UserError: It cannot.
    """
    reason = why_not(run, step)
    if reason:
        raise UserError(f"no {step} test: {reason}")


def collection(run: Run, step: str) -> CollectionFiles:
    """Return the files of what a "smoke" or a "load" test asks."""
    return files_of(run.project, run.env, step, attached=run.mode.attached)


def files_of(project: Path, env: Env, step: str, *, attached: bool = False) -> CollectionFiles:
    """Return the same for a run that need not be there yet.

    Who attaches to an API without any collection has its address asked.
    """
    files = collection_files.of_settings(project, env, step)
    steps = collection_files.STEPS
    if not attached or any(
        collection_files.of_settings(project, env, one).collection.exists() for one in steps
    ):
        return files
    return collection_files.of_address(step)


def collection_of_deployment(env: Env, step: str) -> CollectionFiles:
    """Return the same for the check of a deployment; where nothing is, this project's own."""
    files = collection_files.of_deployment(env.folder.parents[1], env, step)
    return files if files.collection.is_file() else collection_files.own(step)


def of(run: Run) -> Api:
    """Return the API of a run's environment."""
    found = of_outputs(run.account, run.result.outputs)
    return found if run.attached is None else replace(found, allowed=run.attached.allowed)


def of_outputs(account: Account, outputs: Mapping[str, Any]) -> Api:
    """Return an API, with keys that sign requests where it wants them signed.

    So does an embedded AWS in all accounts but one: whose API is meant is only in the
    signature.
    """
    signed = outputs["api_authorization"] == "AWS_IAM" or signs_requests(account)
    keys = ApiCredentials.of(account.session) if signed else None
    return Api(account.reachable(outputs["api_url"]), account.region, keys)
