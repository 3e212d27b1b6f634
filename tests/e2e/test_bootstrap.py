"""`dyno bootstrap` on the embedded AWS: from nothing, again, beside others, and refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_dyno.aws import accounts
from lambda_dyno.core.config import load_env
from lambda_dyno.core.errors import UserError
from lambda_dyno.deploy import deployed, evidence_bucket
from lambda_dyno.deploy.bootstrap import ISSUER, Bucket, bootstrap, find_or_make_bucket
from lambda_dyno.deploy.repository import Repository
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.report.terminal import TerminalUi
from tests.support import github_server
from tests.support.github_server import Hosted
from tests.support.waiting import HANGS_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_dyno.emulator.server import LocalServer

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
IMMUTABLE = Repository("acme@1234/tuning@5678")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own, with the real sources."""
    ignore = shutil.ignore_patterns(".terraform*", "*.tfstate*")
    for part in ("envs", "modules"):
        shutil.copytree(PROJECT / part, tmp_path / part, ignore=ignore)
    return tmp_path


@pytest.fixture
def account(
    embedded_aws: LocalServer, new_aws_account: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> LocalSession:
    """An account of its own, which the environment's credentials name."""
    session = LocalSession(embedded_aws, new_aws_account())
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in embedded_aws.environment(session.account_id).items():
        monkeypatch.setenv(name, value)
    return session


def dyno(project: Path, *arguments: str) -> dict[str, Any]:
    """Run `dyno bootstrap` as a user does, and return what it prints.

    The lifecycle rule is left out: the provider watches a new one for 55 s.
    """
    done = subprocess.run(
        [sys.executable, "-m", "lambda_dyno", "bootstrap", "--env", "dev", "--json", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "harness")},
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow  # two applies; what is made is planned in tests/plan/test_bootstrap_plan.py
def test_it_prepares_an_account_once_and_again_changes_nothing(
    project: Path, account: LocalSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN an empty account WHEN it is bootstrapped twice, the second time with no flag.

    THEN the bucket is safe, holds the bootstrap's own state, and nothing changes any more. The
    roles trust the subject that GitHub says it sends, on the branch that it says is the default.
    """
    subject = {"use_default": True, "sub_claim_prefix": "repo:acme@1234/tuning@5678"}
    with github_server.running() as github:
        github.hosted.append(Hosted(former=("acme/was",), default_branch="trunk", subject=subject))
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        first = dyno(project, "--repo", "acme/was", "--keep-versions", "0")
    assert first["repository"] == "acme@1234/tuning@5678"
    tune = account.client("iam").get_role(RoleName="github-dyno-dev-tune")["Role"]
    (statement,) = tune["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"]["StringEquals"][f"{ISSUER}:sub"] in (
        "repo:acme@1234/tuning@5678:environment:dyno-tune",
        ["repo:acme@1234/tuning@5678:environment:dyno-tune"],
    )

    plan = account.client("iam").get_role(RoleName="github-dyno-dev-plan")["Role"]
    assert ":ref:refs/heads/trunk" in json.dumps(plan["AssumeRolePolicyDocument"])

    bucket = f"dyno-state-{account.account_id}-us-east-1"
    assert first["bucket"] == {"name": bucket, "made": True, "managed": True}
    s3 = account.client("s3")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    (ownership,) = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert ownership == {"ObjectOwnership": "BucketOwnerEnforced"}
    (state,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert state["Key"] == "lambda-dyno/bootstrap/dev.tfstate"

    # whoever deploys from elsewhere bounds the roles as the workflow must
    env, there = load_env(project, "dev"), accounts.connect("us-east-1")
    backend = deployed.backend_of(env, there, project)
    boundary = deployed.boundary_arn(env, there, backend)
    (policy,) = (
        policy
        for policy in account.client("iam").list_policies(Scope="Local")["Policies"]
        if policy["Arn"] == boundary
    )
    assert "deploy" in policy["PolicyName"]

    roles = {name: f"github-dyno-dev-{name}" for name in ("plan", "gate", "main", "deploy", "tune")}
    arn = f"arn:aws:iam::{account.account_id}:role"
    assert first["role_arns"] == {name: f"{arn}/{role}" for name, role in roles.items()}
    commands = {(v["name"], v["environment"]): v["value"] for v in first["variables"]}
    assert commands["AWS_REGION", ""] == "us-east-1"
    assert commands["DYNO_GATE_ROLE_ARN", ""] == f"{arn}/{roles['gate']}"
    assert commands["DYNO_DEPLOY_ROLE_ARN", "dev"] == f"{arn}/{roles['deploy']}"
    assert commands["DYNO_TUNE_ROLE_ARN", ""] == f"{arn}/{roles['tune']}"

    second = dyno(project)
    assert second["changes"] == []
    assert second["bucket"]["made"] is False
    assert {**second, "changes": 0, "bucket": 0} == {**first, "changes": 0, "bucket": 0}


@pytest.mark.slow
def test_it_adopts_its_bucket_and_leaves_what_others_made(
    project: Path, account: LocalSession
) -> None:
    """GIVEN a bucket made by hand and the account's OIDC provider WHEN dev is bootstrapped.

    THEN the bucket is set up, and the roles trust the provider, which nobody touches.
    """
    bucket = f"dyno-state-{account.account_id}-us-east-1"
    s3, iam = account.client("s3"), account.client("iam")
    s3.create_bucket(Bucket=bucket)
    provider = iam.create_open_id_connect_provider(
        Url=f"https://{ISSUER}", ClientIDList=["sts.amazonaws.com"]
    )["OpenIDConnectProviderArn"]

    done = bootstrap(project, "dev", TerminalUi(), repository=IMMUTABLE, keep_versions_days=0)

    assert done.bucket == Bucket(bucket, made=False, managed=True)
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert not [change for change in done.changes if "provider" in change]
    for name, arn in done.role_arns.items():
        role = iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Federated": provider}
        subjects = statement["Condition"]["StringEquals"][f"{ISSUER}:sub"]
        assert "repo:acme@1234/tuning@5678:" in json.dumps(subjects), name

    # another environment of the account uses the bucket as it is
    there = find_or_make_bucket(accounts.connect(""), load_env(project, "test"))
    assert there == Bucket(bucket, made=False, managed=False)


@pytest.mark.slow  # two applies
def test_an_evidence_store_is_made_once_and_stays(project: Path, account: LocalSession) -> None:
    """GIVEN a bucket of a bootstrap that was killed WHEN dev is bootstrapped, and again.

    THEN it is adopted and set up, and a bootstrap that is not told again changes nothing of it.
    """
    name = f"dyno-evidence-{account.account_id}-us-east-1"
    s3 = account.client("s3")
    s3.create_bucket(Bucket=name)
    tags = [{"Key": "dyno:bootstrap", "Value": "dev"}]
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    iam = account.client("iam")
    retune = iam.create_role(RoleName="shop-retune", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    never = dict.fromkeys(("athena_results", "other", "pr", "rows", "runs"), 0)

    done = bootstrap(
        project,
        "dev",
        TerminalUi(),
        repository=IMMUTABLE,
        keep_versions_days=0,
        evidence=True,
        evidence_end_days=never,
        retune_role_arns=[retune],
    )
    assert done.evidence == f"s3://{name}"
    assert retune in s3.get_bucket_policy(Bucket=name)["Policy"]
    assert iam.list_role_policies(RoleName="shop-retune")["PolicyNames"] == [
        "add-evidence-dev-retunings"
    ]
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert "AddOnly" in s3.get_bucket_policy(Bucket=name)["Policy"]
    (policy,) = (
        found
        for found in iam.list_role_policies(RoleName="github-dyno-dev-gate")["PolicyNames"]
        if "evidence" in found
    )
    assert policy == "add-evidence-dev-pr"

    again = bootstrap(project, "dev", TerminalUi())
    assert (again.changes, again.evidence) == ((), done.evidence)
    (project / "envs" / "dev" / "dyno.toml").write_text('[evidence]\nstore = "s3://another"\n')
    with pytest.raises(UserError, match=r"stays there: s3://another cannot take its place"):
        bootstrap(project, "dev", TerminalUi(), evidence=True)


def test_an_evidence_bucket_is_this_environments_own(
    project: Path, account: LocalSession, embedded_aws: LocalServer
) -> None:
    """Whoever else has it, it is refused before anything is made."""
    env, there = load_env(project, "dev"), accounts.connect("us-east-1")
    name = f"dyno-evidence-{account.account_id}-us-east-1"
    found = evidence_bucket.find(there, env, {})
    assert (found.store.uri, found.is_there) == (f"s3://{name}", False)

    with pytest.raises(UserError, match=r"--retune-role .*: not the ARN of a role, such as"):
        bootstrap(project, "dev", TerminalUi(), evidence=True, retune_role_arns=["retune"])
    s3 = account.client("s3")
    s3.create_bucket(Bucket=name)
    with pytest.raises(UserError, match=rf"{name} is there, and no bootstrap has made it"):
        bootstrap(project, "dev", TerminalUi(), evidence=True)
    for owner, refused in (("test", True), ("dev", False)):
        tags = [{"Key": "dyno:bootstrap", "Value": owner}]
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
        if refused:
            with pytest.raises(UserError, match="the bootstrap of test made it: name another one"):
                bootstrap(project, "dev", TerminalUi(), evidence=True)
        else:
            assert evidence_bucket.find(there, env, {}).is_there

    other = LocalSession(embedded_aws, "987654321097")
    other.client("s3").create_bucket(Bucket="somebodys-evidence")
    (project / "envs" / "dev" / "dyno.toml").write_text(
        '[evidence]\nstore = "s3://somebodys-evidence/x"\n'
    )
    with pytest.raises(UserError, match=r"somebodys-evidence belongs to another account"):
        bootstrap(project, "dev", TerminalUi(), evidence=True)
    assert [row["Name"] for row in s3.list_buckets()["Buckets"]] == [name]


def test_a_bucket_that_dyno_toml_names_stays_as_the_team_made_it(
    project: Path, account: LocalSession
) -> None:
    """It keeps states for others, with settings of its own; a new one is ours."""
    account.client("s3").create_bucket(Bucket=f"team-{account.account_id}")
    name_bucket(project, f"team-{account.account_id}")
    name_bucket(project, f"mine-{account.account_id}", env="test")

    found = [
        find_or_make_bucket(accounts.connect(""), load_env(project, e)) for e in ("dev", "test")
    ]
    assert found[0] == Bucket(f"team-{account.account_id}", made=False, managed=False)
    assert found[1] == Bucket(f"mine-{account.account_id}", made=True, managed=True)
    # what a bootstrap that was killed right then finds
    again = find_or_make_bucket(accounts.connect(""), load_env(project, "test"))
    assert again == Bucket(f"mine-{account.account_id}", made=False, managed=True)


def test_nothing_is_made_where_something_stands_in_the_way(
    project: Path, account: LocalSession, embedded_aws: LocalServer
) -> None:
    """A foreign bucket, a local environment, a provider without AWS's audience: one clear error."""
    with pytest.raises(UserError, match=r"needs no bootstrap. Name .* ENV=dev"):
        bootstrap(project, "local", TerminalUi())

    taken = f"dyno-state-{account.account_id}-us-east-1"
    other = LocalSession(embedded_aws, "987654321098")
    other.client("s3").create_bucket(Bucket=taken)
    with pytest.raises(UserError, match=rf"{taken} belongs to another account, .*state_bucket"):
        bootstrap(project, "dev", TerminalUi(), repository=IMMUTABLE)

    name_bucket(project, f"mine-{account.account_id}")
    provider = account.client("iam").create_open_id_connect_provider(
        Url=f"https://{ISSUER}", ClientIDList=["somebody-else"]
    )["OpenIDConnectProviderArn"]
    with pytest.raises(UserError, match=rf"{provider} does not take tokens for sts.amazonaws.com"):
        bootstrap(project, "dev", TerminalUi(), repository=IMMUTABLE)
    assert account.client("iam").list_roles()["Roles"] == []
    assert account.client("s3").list_buckets()["Buckets"] == []


def test_nothing_is_made_when_github_cannot_tell_the_subject(
    project: Path, account: LocalSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Roles that nobody can assume would be worse than none: status 2, and the lines to run."""
    with github_server.running() as github:
        github.hosted.append(Hosted(private=True))
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        for name in ("GITHUB_TOKEN", "GH_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("GH_CONFIG_DIR", str(project))
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "lambda_dyno",
                "bootstrap",
                "--env",
                "dev",
                "--repo",
                "acme/tuning",
            ],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(PROJECT / "harness")},
            capture_output=True,
            text=True,
            timeout=HANGS_S,
        )
    assert done.returncode == 2, done.stderr
    assert "make bootstrap ENV=dev REPO=acme/tuning ARGS=--no-immutable-subject" in done.stderr
    assert account.client("s3").list_buckets()["Buckets"] == []
    assert account.client("iam").list_roles()["Roles"] == []


def name_bucket(project: Path, name: str, env: str = "dev") -> None:
    """Name a state bucket in an environment's settings."""
    (project / "envs" / env / "dyno.toml").write_text(f'[environment]\nstate_bucket = "{name}"\n')
