"""`dyno destroy` on the embedded AWS: what stands goes, what is not its own stays, and again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.deploy.bootstrap import bootstrap
from lambda_dyno.deploy.deploy import Deployment
from lambda_dyno.deploy.proof import Proof
from lambda_dyno.deploy.repository import Repository
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.emulator.server import LocalServer
from lambda_dyno.environments import leftovers
from lambda_dyno.report.terminal import TerminalUi
from tests.support.small_environment import without_tuner
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
OWNER = Repository("acme@1234/tuning@5678")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)


def dyno(project: Path, *arguments: str, **environ: str) -> Ended:
    done = subprocess.run(
        [sys.executable, "-m", "lambda_dyno", "destroy", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "harness"), **environ},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=HANGS_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def account(
    embedded_aws: LocalServer, new_aws_account: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> LocalSession:
    """An account of its own, which the environment's credentials name."""
    session = LocalSession(embedded_aws, new_aws_account())
    for name in [name for name in os.environ if name.startswith(("AWS_", "GITHUB_", "CI"))]:
        monkeypatch.delenv(name)
    for name, value in embedded_aws.environment(session.account_id).items():
        monkeypatch.setenv(name, value)
    return session


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own, with the real sources but for the tuner."""
    ignore = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__")
    for part in ("envs", "modules", "lambda", "postman"):
        shutil.copytree(PROJECT / part, tmp_path / part, ignore=ignore)
    (tmp_path / "node_modules").symlink_to(PROJECT / "node_modules")
    without_tuner(tmp_path)
    return tmp_path


@pytest.fixture
def state(project: Path, account: LocalSession) -> Path:
    """Where the state of the local environment is, in this account."""
    folder = project / ".dyno" / "deploy" / f"local-{account.account_id}-us-east-1"
    folder.mkdir(parents=True)
    return folder / "terraform.tfstate"


def state_of(*resources: dict[str, Any]) -> str:
    return json.dumps({"version": 4, "serial": 1, "lineage": "x", "resources": list(resources)})


def table(**attributes: Any) -> dict[str, Any]:
    return {
        "mode": "managed",
        "type": "aws_dynamodb_table",
        "name": "this",
        "module": "module.environment",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": [{"attributes": {"name": "dyno-local-items", **attributes}}],
    }


def test_nothing_goes_that_nobody_has_agreed_to(project: Path, state: Path) -> None:
    """Without a terminal and --yes, or under deletion protection."""
    state.write_text(state_of(table()))
    asked = dyno(project, "--env", "local")
    assert asked.status == 2
    assert "local in account" in asked.err
    assert "aws_dynamodb_table: dyno-local-items" in asked.err
    assert "lost: table dyno-local-items" in asked.err
    assert "--yes: say it where nobody can be asked" in asked.err
    state.write_text(state_of(table(deletion_protection_enabled=True)))
    refused = dyno(project, "--env", "local", "--yes")
    assert refused.status == 2
    assert "dyno-local-items: deletion protection is on" in refused.err


def test_where_nothing_stands_nothing_is_done(project: Path, account: LocalSession) -> None:
    """And AWS is asked all the same: what has the environment's name is told."""
    account.client("logs").create_log_group(logGroupName="/aws/lambda/dyno-local-crud-api")
    told = dyno(project, "--env", "local")
    assert told.status == 3
    assert "left behind: log group /aws/lambda/dyno-local-crud-api" in told.err


def test_only_its_own_is_found_and_only_a_log_group_is_removed(account: LocalSession) -> None:
    """Not a run's, not that of an environment whose name begins alike."""
    logs = account.client("logs")
    names = {
        "mine": "/aws/lambda/dyno-prod-crud-api",
        "unknown": "/aws/lambda/dyno-prod-other",
        "of another": "/aws/lambda/dyno-prod-eu-crud-api",
        "of a run": "/aws/lambda/dyno-prod-261201-0433-p2rw-crud-api",
        "stranger": "/aws/lambda/dyno-production",
    }
    for name in names.values():
        logs.create_log_group(logGroupName=name)
    left = leftovers.of_standing(
        account,
        "dyno-prod",
        removable={names["mine"]},
        others={"dyno-prod-eu", "dyno-test"},
        sleep=lambda _: None,
    )
    assert [one.name for one in left] == [names["unknown"]]
    stay = {row["logGroupName"] for row in logs.describe_log_groups()["logGroups"]}
    assert stay == set(names.values()) - {names["mine"]}


@pytest.mark.slow  # an apply and a destroy of the environment
def test_a_standing_environment_goes_and_again_nothing_is_left(
    project: Path, embedded_aws: LocalServer, account: LocalSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its state alone: the sources that made it have changed meanwhile."""
    for name, value in embedded_aws.environment().items():
        monkeypatch.setenv(name, value)
    session = LocalSession(embedded_aws)
    monkeypatch.setattr(Proof, "check", lambda *_: None)
    with Deployment.prepare(project, "local", TerminalUi(), {}) as deployment:
        assert deployment.run().outcome == "deployed"
    names = {row["FunctionName"] for row in session.client("lambda").list_functions()["Functions"]}
    assert "dyno-local-crud-api" in names
    (project / "modules" / "environment" / "main.tf").write_text("nonsense {")
    shutil.rmtree(project / "lambda")

    done = dyno(project, "--env", "local", "--yes", "--json")

    assert done.json["leftovers"] == []
    assert len(done.json["destroyed"]) > 10
    assert "lost: table dyno-local-" in done.err
    names = {row["FunctionName"] for row in session.client("lambda").list_functions()["Functions"]}
    assert "dyno-local-crud-api" not in names
    again = dyno(project, "--env", "local", "--json")  # nobody need be asked
    assert again.json == {"env": "local", "destroyed": [], "leftovers": [], "kept": []}


@pytest.mark.slow  # an apply and a destroy of the roles
def test_a_bootstrap_goes_once_nothing_stands_and_evidence_stays(
    project: Path, account: LocalSession
) -> None:
    """Roles, policies and the bucket with all versions; an interrupted one goes on."""
    never = dict.fromkeys(("athena_results", "other", "pr", "rows", "runs"), 0)
    bootstrap(
        project,
        "dev",
        TerminalUi(),
        repository=OWNER,
        keep_versions_days=0,
        evidence=True,
        evidence_end_days=never,
    )
    bucket = f"dyno-state-{account.account_id}-us-east-1"
    evidence = f"dyno-evidence-{account.account_id}-us-east-1"
    s3, iam = account.client("s3"), account.client("iam")
    s3.put_object(Bucket=evidence, Key="dev/main/x", Body=b"kept")

    # GIVEN an environment that stands WHEN its bootstrap is to go THEN nothing is touched
    deployed = "lambda-dyno/prod/deployed.tfstate"
    s3.put_object(Bucket=bucket, Key=deployed, Body=state_of(table()).encode())
    refused = dyno(project, "--env", "dev", "--bootstrap", "--yes")
    assert (refused.status, deployed in refused.err) == (2, True)
    assert "First dyno destroy of each environment" in refused.err
    assert iam.get_role(RoleName="github-dyno-dev-gate")
    s3.put_object(Bucket=bucket, Key=deployed, Body=state_of().encode())

    # GIVEN somebody else's object THEN neither
    s3.put_object(Bucket=bucket, Key="holidays.jpg", Body=b"x")
    refused = dyno(project, "--env", "dev", "--bootstrap", "--yes")
    assert (refused.status, "holidays.jpg" in refused.err) == (2, True)
    s3.delete_object(Bucket=bucket, Key="holidays.jpg")

    done = dyno(project, "--env", "dev", "--bootstrap", "--yes", "--json")

    assert done.json["leftovers"] == []
    assert f"delete bucket {bucket}" in done.json["destroyed"]
    assert f"the evidence store {evidence}" in done.json["kept"]
    assert not [r for r in iam.list_roles()["Roles"] if r["RoleName"].startswith("github-")]
    assert not iam.list_policies(Scope="Local")["Policies"]
    buckets = [row["Name"] for row in s3.list_buckets()["Buckets"]]
    assert buckets == [evidence]
    assert s3.get_object(Bucket=evidence, Key="dev/main/x")["Body"].read() == b"kept"
    again = dyno(project, "--env", "dev", "--bootstrap", "--yes", "--json")
    assert again.json["destroyed"] == []
