"""What of an AWS account the product uses: credentials, quotas, the state bucket, roles.

Everything is only read, and nothing is waited for longer than some seconds: an account that is not
there, or may not be looked at, is no error.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import botocore.exceptions
from botocore.config import Config
from botocore.parsers import ResponseParserError

from lambda_dyno.aws import accounts
from lambda_dyno.aws.accounts import Account, NoCredentialsError
from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.config import Env
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.deploy import bootstrap
from lambda_dyno.deploy.findings import Finding
from lambda_dyno.environments import account_bucket

_SOON = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 2})
_GH_S = 15.0
_SMALL = 50  # concurrent executions: a run warns below
_QUOTA = "Service Quotas, AWS Lambda, Concurrent executions (L-B99A9384)"


def findings(env: Env | None, region: str, project: Path) -> Iterator[Finding]:
    """Yield what is there.

    Args:
        env: The environment whose account it is; None: any that the credentials name.
        region: Over the environment's and the profile's; empty: theirs.
        project: Folder in which `gh` finds the repository.
    """
    if env is not None and env.settings.environment.emulated:
        text = f"envs/{env.name} runs on the embedded AWS: it needs none"
        yield Finding("AWS account", "ok", text)
        return
    wanted = region or (env.settings.environment.region if env else "")
    try:
        account = accounts.connect(wanted)
    except NoCredentialsError as error:
        yield Finding("AWS account", "unknown", str(error))
        return
    except UserError as error:
        yield Finding("AWS account", "missing", str(error))
        return
    at = f" at {account.endpoint}" if account.endpoint else ""
    yield Finding("AWS account", "ok", f"{account.account_id} in {account.region}{at}")
    yield _asked("Lambda quotas", partial(_quotas, account))
    yield _asked("State bucket", partial(_bucket, account, env))
    if env is not None:
        yield _asked("Roles for GitHub", partial(_roles, account, env))
        yield _variables(project, env)


def _asked(name: str, look: Callable[[], Finding]) -> Finding:
    """Return what a look finds; that AWS refuses it, or does not answer, is not the end."""
    try:
        return look()
    except botocore.exceptions.ClientError as error:
        said = errors.describe(error)
    except (botocore.exceptions.BotoCoreError, ResponseParserError) as error:
        said = str(error)
    return Finding(name, "unknown", brief(" ".join(said.split()), most=300))


def _quotas(account: Account) -> Finding:
    """Return how much may run at once. AWS tells nobody the largest memory size."""
    client = account.session.client("lambda", config=_SOON)
    limit = client.get_account_settings()["AccountLimit"]
    total, free = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    text = f"{total} concurrent executions, {free} of them for functions without a share of theirs"
    if account.endpoint:
        return Finding("Lambda quotas", "ok", text)
    memory = "; memory sizes up to 10,240 MB, or 3,008 in a new account, which a tuning finds out"
    if free < _SMALL:
        few = f"{text}: a tuning needs 7, and a load test one for each user{memory}"
        return Finding("Lambda quotas", "optional", few, _QUOTA)
    return Finding("Lambda quotas", "ok", f"{text}{memory}")


def _bucket(account: Account, env: Env | None) -> Finding:
    name = "State bucket"
    named = env.settings.environment.state_bucket if env else ""
    bucket = account_bucket.name_of(account, named)
    status = account_bucket.look(account, bucket, must_be_own=not named, config=_SOON)
    if status == 200:
        return Finding(name, "ok", bucket)
    make = f"dyno bootstrap --env {env.name if env else 'ENV'}"
    if status == 404:
        text = f"{bucket} is not there; dyno tune --function does without"
        return Finding(name, "missing" if env else "optional", text, make)
    text = f"{bucket} may not be used with these credentials, or is another account's ({status})"
    other = "another one: state_bucket under [environment] in dyno.toml"
    return Finding(name, "missing" if env else "optional", text, other)


def _roles(account: Account, env: Env) -> Finding:
    iam = account.session.client("iam", config=_SOON)
    wanted = bootstrap.role_names(env)
    absent = [role for role in wanted if not _is_role(iam, role)]
    if not absent:
        return Finding("Roles for GitHub", "ok", ", ".join(wanted))
    text = f"{', '.join(absent)} not there: GitHub's workflows cannot work in this account"
    fix = f"dyno bootstrap --env {env.name} --repo OWNER/NAME"
    return Finding("Roles for GitHub", "optional", text, fix)


def _is_role(iam: Any, name: str) -> bool:
    try:
        iam.get_role(RoleName=name)
    except botocore.exceptions.ClientError as error:
        if errors.code(error) == "NoSuchEntity":
            return False
        raise
    return True


def _variables(project: Path, env: Env) -> Finding:
    """Return which variables the repository lacks, as far as `gh` tells."""
    name = "GitHub variables"
    gh = shutil.which("gh")
    if gh is None:
        text = "there is no `gh` on PATH to look"
        return Finding(name, "unknown", text, "https://cli.github.com/")
    try:
        done = subprocess.run(
            [gh, "variable", "list", "--json", "name"],
            cwd=project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_GH_S,
            check=False,
        )
        there = {str(row["name"]) for row in json.loads(done.stdout or "[]")}
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as error:
        return Finding(name, "unknown", f"gh does not tell: {brief(error)}")
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[0]
        return Finding(name, "unknown", f"gh does not tell: {brief(said, most=200)}")
    absent = sorted(set(bootstrap.variable_names()) - there)
    if not absent:
        return Finding(name, "ok", "all that the workflows need")
    fix = f"dyno bootstrap --env {env.name} --repo OWNER/NAME prints the lines that set them"
    return Finding(name, "optional", f"{', '.join(absent)} not set", fix)
