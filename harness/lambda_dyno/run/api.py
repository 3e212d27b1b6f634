"""The API of a run's environment: whether it can be asked, by whom, and what."""

from __future__ import annotations

from collections.abc import Mapping
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
        return f"{run.env.root} has no output {run.names.output('api_url')}"
    path = collection(run, step).collection
    if not path.is_file():
        where = path.relative_to(run.project) if path.is_relative_to(run.project) else path
        return f"there is no {where}"
    return ""


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
    return collection_files.of_settings(run.project, run.env, step)


def collection_of_deployment(env: Env, step: str) -> CollectionFiles:
    """Return the same for the check of a deployment; where nothing is, this project's own."""
    files = collection_files.of_deployment(env.folder.parents[1], env, step)
    return files if files.collection.is_file() else collection_files.own(step)


def of(run: Run) -> Api:
    """Return the API of a run's environment."""
    return of_outputs(run.account, run.result.outputs)


def of_outputs(account: Account, outputs: Mapping[str, Any]) -> Api:
    """Return an API, with keys that sign requests where it wants them signed.

    So does an embedded AWS in all accounts but one: whose API is meant is only in the
    signature.
    """
    signed = outputs["api_authorization"] == "AWS_IAM" or signs_requests(account)
    keys = ApiCredentials.of(account.session) if signed else None
    return Api(account.reachable(outputs["api_url"]), account.region, keys)
