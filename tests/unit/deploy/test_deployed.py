"""What a standing environment's state tells, read from a state of the local backend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.config import Env, EnvironmentSettings, Settings
from lambda_dyno.core.errors import UserError
from lambda_dyno.deploy import deployed
from tests.support.aws_answers import Recorded

ENV = Env("local", Path("envs/local"), Settings(environment=EnvironmentSettings(emulated=True)))
ACCOUNT = Account("123456789012", "eu-west-1", "", {})


def write(project: Path, text: str) -> None:
    """Write the state that `dyno deploy` left."""
    folder = project / ".dyno" / "deploy" / "local-123456789012-eu-west-1"
    folder.mkdir(parents=True)
    (folder / "terraform.tfstate").write_text(text)


def test_outputs_are_those_of_the_state(tmp_path: Path) -> None:
    """By name, without what Terraform notes beside them."""
    state = {"version": 4, "outputs": {"memory_mb": {"value": 512, "type": "number"}}}
    write(tmp_path, json.dumps(state))
    assert deployed.read_outputs(tmp_path, ENV, ACCOUNT) == {"memory_mb": 512}


@pytest.mark.parametrize("state", [None, "", '{"version": 4, "outputs": {}}'])
def test_what_is_not_deployed_is_said_with_the_command(tmp_path: Path, state: str | None) -> None:
    """No state, an empty one, and one of an environment that was taken down."""
    if state is not None:
        write(tmp_path, state)
    with pytest.raises(UserError, match=r"not deployed in eu-west-1 .* dyno deploy --env local"):
        deployed.read_outputs(tmp_path, ENV, ACCOUNT)


@pytest.mark.parametrize("state", ["{", "[]", '{"outputs": {"a": 1}}'])
def test_a_broken_state_is_named(tmp_path: Path, state: str) -> None:
    """With its place."""
    write(tmp_path, state)
    with pytest.raises(UserError, match=r"terraform.tfstate: not a state of Terraform"):
        deployed.read_outputs(tmp_path, ENV, ACCOUNT)


def test_without_a_bucket_no_boundary_is_known() -> None:
    """The embedded AWS's states are files, and nobody bootstraps it for a deployment."""
    assert deployed.boundary_arn(ENV, ACCOUNT, {"path": "terraform.tfstate"}) == ""


@pytest.mark.parametrize(
    ("answers", "arn"),
    [
        ("bootstrapped", "arn:aws:iam::123456789012:policy/github-dyno-local-deploy-boundary"),
        ("bootstrapped-without-roles", ""),
        ("no-bootstrap", ""),
        ("bootstrap-denied", ""),
    ],
)
def test_the_boundary_is_the_bootstraps(answers: str, arn: str) -> None:
    """Where there is none, or it may not be read, the deployment goes on without."""
    recorded = Recorded(answers)
    account = Account("123456789012", "eu-west-1", "", {})
    vars(account)["session"] = recorded.session
    assert deployed.boundary_arn(ENV, account, {"bucket": "states", "key": "k"}) == arn
    assert recorded.asked == ["s3.GetObject"]
