"""The roles of GitHub's workflows at their work, on an AWS whose IAM asks what AWS asks.

Each role does what its workflow does, as a real run. What IAM was asked is then held against
the role's policy: an action that is missing stops the run, and one too many fails here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from lambda_dyno.deploy import bootstrap
from lambda_dyno.report.terminal import TerminalUi
from tests.support import oidc_aws
from tests.support.oidc_attempts import ASKED, GATE_RUN, NOT_ASKED, REFUSED
from tests.support.oidc_aws import StrictAws, claims
from tests.support.small_environment import without_tuner
from tests.support.waiting import RUN_HANGS_S

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3 * RUN_HANGS_S)]

PROJECT = Path(__file__).parents[2]
ACCOUNT = "210987654321"
REPOSITORY = bootstrap.Repository("acme/tuning")
# Without lifecycle rules: the provider watches new ones for 55 s.
NEVER = {"athena_results": 0, "other": 0, "pr": 0, "rows": 0, "runs": 0}
STORE_ARN = f"arn:aws:s3:::dyno-evidence-{ACCOUNT}-us-east-1"
STORE = f"dyno-evidence-{ACCOUNT}-us-east-1"
# A run that asks for everything, and is over soon.
SETTINGS = """
[environment]
seed_items = 5

[evidence]
store = "s3://dyno-evidence-210987654321-us-east-1"

[tuning]
power_values = [128, 1024]
num = 5
safe = ["list"]

[deploy]
payload = { operation = "list", payload = {} }

[load]
virtual_users = 2
ramp_up_s = 1.0
duration_s = 2.0
"""

REFUSALS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


@dataclass(frozen=True)
class Prepared:
    """A bootstrapped account and a project of its own."""

    aws: StrictAws
    done: bootstrap.Bootstrapped
    project: Path

    def session(self, role: str, subject: str) -> dict[str, str]:
        """Return the environment of a workflow that has assumed a role."""
        return self.aws.assume(self.done.role_arns[role], claims(subject))

    def granted(self, role: str) -> set[str]:
        """Return the actions of a role's policy."""
        document = self.aws.session.client("iam").get_role_policy(
            RoleName=self.name(role), PolicyName="own-work"
        )["PolicyDocument"]
        found = set()
        for statement in document["Statement"]:
            actions = statement["Action"]
            found |= set([actions] if isinstance(actions, str) else actions)
        return found

    def name(self, role: str) -> str:
        """Return a role's name."""
        return self.done.role_arns[role].rpartition("/")[2]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """One account for all tests here: bootstrapped, with roles for acme/tuning."""
    home = tmp_path_factory.mktemp("oidc")
    project = home / "project"
    ignore = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__")
    for part in ("envs", "modules", "lambda", "postman"):
        shutil.copytree(PROJECT / part, project / part, ignore=ignore)
    (project / "node_modules").symlink_to(PROJECT / "node_modules")
    (project / "envs" / "dev" / "dyno.toml").write_text(SETTINGS)
    strict = oidc_aws.start(home, ACCOUNT)
    try:
        with only(strict.local.environment(ACCOUNT)):
            done = bootstrap.bootstrap(
                project,
                "dev",
                TerminalUi(),
                repository=REPOSITORY,
                keep_versions_days=0,
                evidence=True,
                evidence_end_days=NEVER,
            )
        yield Prepared(strict, done, project)
    finally:
        oidc_aws.stop(strict)


class only(pytest.MonkeyPatch):  # noqa: N801 - reads as a statement: with only(environment)
    """The process's environment, with nothing of AWS in it but what is given."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__()
        self._wanted = environment

    def __enter__(self) -> None:
        for name in [name for name in os.environ if name.startswith(("AWS_", "TF_VAR_"))]:
            self.delenv(name)
        for name, value in self._wanted.items():
            self.setenv(name, value)

    def __exit__(self, *_: object) -> None:
        self.undo()


PULL_REQUEST = "repo:acme/tuning:pull_request"
MAIN = "repo:acme/tuning:ref:refs/heads/main"
REVIEWED = "repo:acme/tuning:environment:dev"
SWEEP = "repo:acme/tuning:environment:dyno-sweep"
TUNE = "repo:acme/tuning:environment:dyno-tune"
OF_MAIN = "repo:acme/tuning:environment:dyno-main"


def test_only_the_exact_subjects_get_in(prepared: Prepared) -> None:
    """Another repository, a fork, a branch, an audience, a missing claim: all stay outside."""
    allowed = {
        "plan": (PULL_REQUEST, MAIN),
        "gate": (PULL_REQUEST, SWEEP),
        "main": (OF_MAIN,),
        "deploy": (REVIEWED,),
        "tune": (TUNE,),
    }
    for role, subjects in allowed.items():
        for subject in subjects:
            session = prepared.session(role, subject)
            identity = oidc_aws.client(session, "sts").get_caller_identity()
            assert f":assumed-role/{prepared.name(role)}/" in identity["Arn"]

    good = claims(PULL_REQUEST)
    strangers = [
        claims("repo:acme/shop:pull_request"),
        claims("repo:mallory/tuning:pull_request"),  # a fork's own
        claims("repo:acme/tuning-2:pull_request"),
        claims("repo:acme/tuning:ref:refs/heads/feature"),
        claims("repo:acme/tuning:ref:refs/tags/main"),
        claims("repo:Acme/tuning:pull_request"),
        claims("repo:acme@1/tuning@2:pull_request"),  # a later repository of that name
        claims("repo:acme/tuning:environment:prod"),
        claims("repo:acme/tuning:*"),
        claims(""),
        {**good, "aud": "https://github.com/acme"},
        {**good, "iss": "https://token.actions.example.com"},
        {name: value for name, value in good.items() if name != "aud"},
        {name: value for name, value in good.items() if name != "sub"},
    ]
    everybody = {PULL_REQUEST, MAIN, REVIEWED, SWEEP, TUNE, OF_MAIN}
    for role, arn in prepared.done.role_arns.items():
        others = sorted(everybody - set(allowed[role]))
        for stranger in [*strangers, *map(claims, others)]:
            with pytest.raises(botocore.exceptions.ClientError) as refused:
                prepared.aws.assume(arn, stranger)
            assert refused.value.response["Error"]["Code"] == "AccessDenied", (role, stranger)


def test_the_state_bucket_takes_tls_only(prepared: Prepared) -> None:
    """Over plain HTTP even a role that may read the states is refused."""
    session = prepared.session("plan", PULL_REQUEST)
    s3 = oidc_aws.client(session, "s3")
    s3.head_bucket(Bucket=prepared.done.bucket.name)
    s3.meta.events.register(
        "before-sign.s3", lambda request, **_: request.headers.add_header("x-plain-http", "1")
    )
    with pytest.raises(botocore.exceptions.ClientError, match="403"):
        s3.head_bucket(Bucket=prepared.done.bucket.name)


KEYS = {
    "main": "dev/main/rows/v1/runs/{}.parquet",
    "pr": "dev/pr/12/rows/v1/runs/{}.parquet",
    "other": "dev/other/runs/{}.html",
    "retunings": "dev/main/retunings/v1/{}.json",
    "prod": "prod/main/runs/{}.html",
    "athena": "athena-results/{}.csv",
}
NEW = {"IfNoneMatch": "*"}


@pytest.mark.parametrize(
    ("role", "subject", "adds", "reads"),
    [
        ("gate", PULL_REQUEST, {"pr"}, set()),
        ("plan", PULL_REQUEST, set(), set()),
        ("main", OF_MAIN, {"main"}, {"main", "retunings"}),
        ("tune", TUNE, {"main"}, {"main", "retunings"}),
        ("deploy", REVIEWED, {"main"}, {"main", "retunings"}),
    ],
)
def test_a_role_adds_to_the_evidence_and_never_replaces(
    prepared: Prepared, role: str, subject: str, adds: set[str], reads: set[str]
) -> None:
    """GIVEN a store by `dyno bootstrap --evidence` WHEN a role adds, replaces, reads and deletes.

    THEN it adds below its own keys alone, and each object that is there stays as it is.
    """
    s3 = oidc_aws.client(prepared.session(role, subject), "s3")
    root = prepared.aws.session.client("s3")
    tried = set()
    for name, form in KEYS.items():
        there = {"Bucket": STORE, "Key": form.format(f"there-{role}")}
        root.put_object(**there, Body=b"first")
        fresh = {"Bucket": STORE, "Key": form.format(f"new-{role}")}
        if allowed(lambda at=fresh: s3.put_object(**at, **NEW, Body=b"new")):  # type: ignore[misc]
            tried.add(name)
            with pytest.raises(botocore.exceptions.ClientError, match="PreconditionFailed"):
                s3.put_object(**there, **NEW, Body=b"second")
        for refused in (
            lambda at=there: s3.put_object(**at, Body=b"second"),  # type: ignore[misc]
            lambda at=there: s3.put_object(**at, IfMatch="*", Body=b"second"),  # type: ignore[misc]
            lambda at=there: s3.delete_object(**at),  # type: ignore[misc]
            lambda at=there: s3.put_object_acl(**at, ACL="public-read"),  # type: ignore[misc]
        ):
            assert not allowed(refused), (role, name)
        assert allowed(lambda at=there: s3.get_object(**at)) == (name in reads), name  # type: ignore[misc]
        assert root.get_object(**there)["Body"].read() == b"first"
        below = there["Key"].rpartition("/")[0] + "/"
        listed = allowed(lambda at=below: s3.list_objects_v2(Bucket=STORE, Prefix=at))  # type: ignore[misc]
        assert listed == (name in reads), name
    assert tried == adds
    for refused in (
        lambda: s3.list_objects_v2(Bucket=STORE),
        lambda: s3.put_bucket_policy(Bucket=STORE, Policy="{}"),
        lambda: s3.delete_bucket_policy(Bucket=STORE),
        lambda: s3.delete_bucket_lifecycle(Bucket=STORE),
        lambda: s3.delete_bucket(Bucket=STORE),
    ):
        assert not allowed(refused), role


def test_who_may_do_everything_replaces_no_evidence(prepared: Prepared) -> None:
    """An administrator's role is refused by the bucket's policy, in parts as in one piece."""
    iam, sts = prepared.aws.session.client("iam"), prepared.aws.session.client("sts")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
    }
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    made = iam.create_role(
        RoleName="admin",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]
    iam.put_role_policy(
        RoleName="admin",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    keys = sts.assume_role(RoleArn=made["Arn"], RoleSessionName="admin")["Credentials"]
    admin = oidc_aws.client(
        {
            **prepared.aws.local.environment(ACCOUNT),
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        },
        "s3",
    )
    for name in ("main", "pr", "retunings"):
        at = {"Bucket": STORE, "Key": KEYS[name].format("admin")}
        assert not allowed(lambda at=at: admin.put_object(**at, **NEW, Body=b"new"))  # type: ignore[misc]
    at = {"Bucket": STORE, "Key": KEYS["other"].format("admin")}
    admin.put_object(**at, **NEW, Body=b"new")
    assert not allowed(lambda: admin.put_object(**at, Body=b"second"))
    assert not allowed(lambda: admin.delete_object(**at))
    begun = admin.create_multipart_upload(**at)["UploadId"]
    part = admin.upload_part(**at, UploadId=begun, PartNumber=1, Body=b"second")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    assert not allowed(
        lambda: admin.complete_multipart_upload(**at, UploadId=begun, MultipartUpload=parts)
    )
    source = {"Bucket": STORE, "Key": KEYS["other"].format("there-gate")}
    assert not allowed(lambda: admin.copy_object(**at, CopySource=source))
    assert admin.get_object(**at)["Body"].read() == b"new"
    # what Athena writes may be replaced
    at = {"Bucket": STORE, "Key": KEYS["athena"].format("admin")}
    for body in (b"first", b"second"):
        admin.put_object(**at, Body=body)
    admin.delete_object(**at)


def allowed(ask: Callable[[], object]) -> bool:
    """Whether IAM lets a request through; whatever else it comes to is no matter of IAM's."""
    try:
        ask()
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in REFUSALS:
            return False
        raise
    return True


@pytest.mark.slow  # as below; the whole line is in test_run.py
def test_the_gate_role_does_a_whole_run_and_may_do_nothing_else(prepared: Prepared) -> None:
    """GIVEN the gate role WHEN it runs the whole line THEN nothing is refused, nor left over.

    AND every action of its policy was asked for, and what is not a run's own is refused.
    """
    session = prepared.session("gate", PULL_REQUEST)
    before = len(list(prepared.aws.answers()))
    boundary = prepared.done.boundary_arns["gate"]
    # two loads, whatever the tuning recommends: another size is deployed between them
    sizes = ["--power", "128,1024", "--strategy", "cost", "--num", "10", "--at", "128,1024"]
    pulled = {**session, "GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/pull/12/merge"}
    done = run(prepared.project, pulled, boundary, "run", "--env", "dev", *sizes, "--json")
    assert done.returncode in (0, 1) and done.stdout, done.stderr
    result = json.loads(done.stdout)
    assert (result["error"], result["leftovers"]) == ("", []), done.stderr
    assert {load["memory_mb"] for load in result["load"]} == {128, 1024}

    assert added(prepared, "dev/pr/12/", result["run_id"]) >= {"result.json", "manifest.json"}

    answers = list(prepared.aws.answers(before))
    assert [answer for answer in answers if not answer.allowed] == []
    roles = {answer.role for answer in answers}
    prefix = f"dyno-{result['run_id']}"
    assert roles >= {f"{prefix}-crud-api", f"{prefix}-tuner-measure"}, "bounded roles at work"
    hold_against_policy(prepared, "gate", answers)

    assert_refused(prepared, "gate", session)
    assert_bounded(prepared, session, boundary)

    # the account is not the gate's alone: what others have there does not stop its sweep
    prepared.aws.session.client("s3").put_object(
        Bucket=prepared.done.bucket.name, Key="lambda-dyno/prod/251120-0915-k3f9.lease.json"
    )
    swept = run(prepared.project, session, boundary, "sweep")
    assert swept.returncode == 0, swept.stdout + swept.stderr


@pytest.mark.slow  # the committed list is held against the policies by a plan test, too
def test_the_deploy_role_deploys_the_tune_role_measures_and_the_plan_role_only_looks(
    prepared: Prepared, tmp_path: Path
) -> None:
    """GIVEN a standing environment WHEN it is deployed, tuned, a release planned and deployed.

    THEN each role was asked for what it has, and what is not its own is refused.
    """
    before = len(list(prepared.aws.answers()))
    project = tmp_path / "project"
    shutil.copytree(prepared.project, project, symlinks=True)
    looker = prepared.session("plan", PULL_REQUEST)
    deployer = prepared.session("deploy", REVIEWED)
    tuner = prepared.session("tune", TUNE)

    def dyno(session: Mapping[str, str], *arguments: str) -> dict[str, Any]:
        boundary = prepared.done.boundary_arns["deploy"]
        done = run(project, session, boundary, "deploy", "--env", "dev", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        found: Any = json.loads(done.stdout)
        return {row["address"]: row["action"] for row in found} if arguments else found

    assert dyno(deployer)["outcome"] == "deployed"
    weekly = {**tuner, "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "schedule"}
    tuned = run(project, weekly, "", "tune", "--deployed", "--env", "dev", "--json")
    assert tuned.returncode == 0, tuned.stderr
    run_id = max(path.parent for path in (project / "runs").glob("*/result.json")).name
    assert added(prepared, "dev/main/", run_id) >= {"result.json", "manifest.json"}
    assert {row["power"] for row in json.loads(tuned.stdout)["details"]} == {128, 1024}
    other_release(project)
    planned = dyno(looker, "--plan-json", "plan.json")
    assert (
        planned["module.environment.module.service.module.function.aws_lambda_function.this"]
        == "update"
    )
    assert dyno(deployer)["outcome"] == "deployed"

    answers = list(prepared.aws.answers(before))
    assert [answer for answer in answers if not answer.allowed] == []
    for role, session in (("deploy", deployer), ("plan", looker), ("tune", tuner)):
        hold_against_policy(prepared, role, answers)
        assert_refused(prepared, role, session)


def added(prepared: Prepared, place: str, run_id: str) -> set[str]:
    """Return the names of a run's files in the store; its rows are there, too."""
    objects = prepared.aws.session.client("s3").list_objects_v2(Bucket=STORE, Prefix=place)
    keys = [row["Key"].removeprefix(place) for row in objects["Contents"]]
    assert [key for key in keys if key.startswith(f"rows/v1/runs/{run_id}_")]
    return {key.rpartition("/")[2] for key in keys if key.startswith(f"runs/{run_id}/")}


def run(
    project: Path, session: Mapping[str, str], boundary: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run `dyno` as a workflow does."""
    bounded = {"TF_VAR_permissions_boundary_arn": boundary} if boundary else {}
    with only({**session, **bounded}):
        return subprocess.run(
            [sys.executable, "-m", "lambda_dyno", *arguments],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(PROJECT / "harness")},
            capture_output=True,
            text=True,
            timeout=RUN_HANGS_S,
            check=False,
        )


def other_release(project: Path) -> None:
    """Change the function's code and memory and the API's routes; the tuner goes."""
    handler = project / "lambda" / "crud_api" / "crud_api" / "handler.py"
    handler.write_text(handler.read_text() + "\n# another release\n")
    routes = project / "modules" / "service" / "routes.json"
    routes.write_text(json.dumps({**json.loads(routes.read_text()), "/more": ["GET"]}))
    root = project / "envs" / "dev"
    (root / "tuned.auto.tfvars.json").write_text('{"memory_mb": 1024}')
    without_tuner(project)


def hold_against_policy(prepared: Prepared, role: str, answers: list[oidc_aws.Answer]) -> None:
    """Compare what a role was asked for with what it has, and with the committed list."""
    own = [answer for answer in answers if answer.role == prepared.name(role)]
    # of the store, which is another module's: a run adds to it, and asks for nothing else
    of_store = {answer.action for answer in own if answer.resource.startswith(STORE_ARN)}
    assert of_store <= {"s3:PutObject"}
    assert of_store or role not in ("gate", "tune")
    asked = {answer.action for answer in own if not answer.resource.startswith(STORE_ARN)}
    asked.discard("sts:GetCallerIdentity")  # needs no permission
    known = json.loads(ASKED.read_text()) if ASKED.exists() else {}
    if "DYNO_RECORD" in os.environ:
        ASKED.write_text(json.dumps({**known, role: sorted(asked)}, indent=2) + "\n")
    else:
        again = f"DYNO_RECORD=1 pytest {Path(__file__).name} writes {ASKED.name} again"
        assert sorted(asked - set(NOT_ASKED[role])) == known[role], again
    needless = prepared.granted(role) - asked - set(NOT_ASKED[role])
    assert sorted(needless) == [], f"no run of {role} asks for these"


def assert_refused(prepared: Prepared, role: str, session: Mapping[str, str]) -> None:
    """Try what a role must not do; each try is refused by IAM, not by something missing."""
    names = {
        "account": ACCOUNT,
        "bucket": prepared.done.bucket.name,
        "role": prepared.name(role),
        "deploy_role_arn": prepared.done.role_arns["deploy"],
        "boundary": prepared.done.boundary_arns.get(role, ""),
        "foreign_api": foreign_api(prepared),
    }
    accepted = []
    for service, operation, parameters in REFUSED[role](names):
        try:
            getattr(oidc_aws.client(session, service), operation)(**parameters)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in REFUSALS:
                continue
            accepted.append(f"{service}.{operation} {parameters}: {error}")
        else:
            accepted.append(f"{service}.{operation} {parameters}")
    assert accepted == []


def foreign_api(prepared: Prepared) -> str:
    """Return the id of an API that is somebody else's."""
    apis = prepared.aws.session.client("apigateway")
    return str(apis.create_rest_api(name="shop", tags={"team": "shop"})["id"])


def assert_bounded(prepared: Prepared, session: Mapping[str, str], boundary: str) -> None:
    """A role that the gate role makes for itself can do no more than the boundary says."""
    iam = oidc_aws.client(session, "iam")
    name = f"{GATE_RUN}-mine"
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
    }
    made = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        PermissionsBoundary=boundary,
        Tags=[
            {"Key": "dyno:env", "Value": "dev"},
            {"Key": "dyno:expires", "Value": "2026-11-20T12:00:00+00:00"},
        ],
    )["Role"]
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.put_role_policy(
        RoleName=name,
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    keys = prepared.aws.session.client("sts").assume_role(
        RoleArn=made["Arn"], RoleSessionName="mine"
    )["Credentials"]
    mine = {
        **session,
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
    for service, operation, parameters in (
        ("iam", "create_user", {"UserName": "mallory"}),
        ("s3", "list_buckets", {}),
        ("dynamodb", "scan", {"TableName": "shop-orders"}),
        ("lambda", "get_function", {"FunctionName": "dyno-dev-crud-api"}),
        ("lambda", "delete_function", {"FunctionName": f"{GATE_RUN}-crud-api"}),
    ):
        with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
            getattr(oidc_aws.client(mine, service), operation)(**parameters)
    with pytest.raises(botocore.exceptions.ClientError, match="ResourceNotFound"):
        oidc_aws.client(mine, "dynamodb").scan(TableName=f"{GATE_RUN}-items")
    iam.delete_role_policy(RoleName=name, PolicyName="all")
    iam.delete_role(RoleName=name)
