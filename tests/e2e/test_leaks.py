"""Nothing leaks: whatever is killed, the next sweep or the next run leaves nothing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from lambda_dyno.aws import accounts, residue
from lambda_dyno.aws.target import of_lease
from lambda_dyno.cleanup import sweeper
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.emulator.server import LocalServer
from lambda_dyno.environments import leftovers
from lambda_dyno.environments.account_bucket import keep_state_in
from lambda_dyno.environments.environment import Environment
from lambda_dyno.environments.resource_kinds import KINDS
from lambda_dyno.environments.state_bucket import StateBucket
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.runs import run_folder
from lambda_dyno.runs.run_folder import RunFolder
from lambda_dyno.terraform import toolchain
from lambda_dyno.tuner_contract.marks import LOCK_ALIAS, VERSION_MARK
from tests.conftest import DeployFunction
from tests.e2e.test_run import inventory
from tests.support.waiting import HANGS_S, wait_until

pytestmark = pytest.mark.e2e

LISTED = {kind.name for kind in KINDS.values() if kind.listing}

PROJECT = Path(__file__).parents[2]

# One resource of AWS, and something that takes as long as it is told to.
ROOT = """
terraform {
  backend "s3" {
    use_lockfile = true
  }
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  default_tags {
    tags = var.tags
  }
}

variable "name_prefix" { type = string }
variable "tags" { type = map(string) }

resource "aws_s3_bucket" "this" {
  bucket        = "${var.name_prefix}-packages-1"
  force_destroy = true
}

resource "terraform_data" "slow" {
  depends_on = [aws_s3_bucket.this]
  provisioner "local-exec" {
    command = "sleep SECONDS"
  }
}

output "function_arn" { value = "none" }
"""
# The same with nothing of AWS: Terraform starts no provider, which takes it most of its time.
ROOT_WITHOUT_PROVIDER = """
terraform {
  backend "s3" {
    use_lockfile = true
  }
}

variable "name_prefix" { type = string }
variable "tags" { type = map(string) }

resource "terraform_data" "this" {
  input = var.name_prefix
}

resource "terraform_data" "slow" {
  depends_on = [terraform_data.this]
  provisioner "local-exec" {
    command = "sleep SECONDS"
  }
}

output "function_arn" { value = "none" }
"""


@dataclass
class Place:
    """A project with a small root, and an account with a state bucket."""

    project: Path
    temp: Path
    server: LocalServer
    account_id: str

    @property
    def session(self) -> LocalSession:
        return LocalSession(self.server, self.account_id)

    @property
    def bucket(self) -> str:
        return f"dyno-state-{self.account_id}-{self.server.region}"

    def objects(self) -> list[str]:
        """Return what is in the state bucket, without what is the same for all."""
        found = self.session.client("s3").list_objects_v2(Bucket=self.bucket).get("Contents", ())
        return sorted(row["Key"].rpartition("/")[2].partition(".")[2] for row in found)

    def buckets(self) -> list[str]:
        rows = self.session.client("s3").list_buckets()["Buckets"]
        return [row["Name"] for row in rows if row["Name"] != self.bucket]

    def write_root(self, seconds: int, text: str = ROOT) -> None:
        root = self.project / "envs" / "tiny"
        root.mkdir(parents=True, exist_ok=True)
        (root / "main.tf").write_text(text.replace("SECONDS", str(seconds)))
        (root / "dyno.toml").write_text('[environment]\nname = "leak"\n')

    def environment(self, **lease: Any) -> Environment:
        """Make a run of the tiny root, as `dyno up` does, up to the apply."""
        account = accounts.connect("")
        folder = run_folder.create(
            self.project / "runs",
            "tiny",
            "leak",
            timedelta(hours=1),
            account_id=account.account_id,
            region=account.region,
            endpoint=account.endpoint,
            **lease,
        )
        if "backend" not in lease:
            keep_state_in(self.bucket, folder, account)
        tools = toolchain.prepare(PROJECT / ".cache")
        environment = Environment(folder, of_lease(folder.read_lease(), folder), tools)
        environment.stage(self.project, {})
        return environment


@pytest.fixture
def place(
    tmp_path: Path,
    embedded_aws: LocalServer,
    new_aws_account: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """A place of one's own, in which nothing is left at the end."""
    temp = Path(tempfile.mkdtemp(prefix="lk-", dir="/tmp"))  # short: Terraform's sockets are there
    made = Place(tmp_path, temp, embedded_aws, new_aws_account())
    for name, value in embedded_aws.environment(made.account_id).items():
        monkeypatch.setenv(name, value)
    # whatever a killed program leaves in its temporary folder shows here
    monkeypatch.setattr("tempfile.tempdir", str(temp))
    (tmp_path / "modules").mkdir()
    made.write_root(0)
    made.session.client("s3").create_bucket(Bucket=made.bucket)
    before = inventory()
    yield made
    assert made.objects() == []
    assert inventory() == before
    assert list(temp.iterdir()) == []
    temp.rmdir()
    assert [p for p in psutil.process_iter(["cwd"]) if _is_in(p, tmp_path)] == []


def _is_in(process: psutil.Process, folder: Path) -> bool:
    return process.pid != os.getpid() and str(process.info["cwd"] or "").startswith(str(folder))


def sweep(place: Place, **options: Any) -> list[sweeper.Swept]:
    return sweeper.sweep(place.project, TerminalUi(), **options)


def expired() -> str:
    return (datetime.now(UTC) - timedelta(minutes=1)).isoformat()


@pytest.mark.parametrize(
    ("what", "root"),
    [
        pytest.param("dyno", ROOT, marks=pytest.mark.slow, id="dyno"),
        pytest.param("everything", ROOT, marks=pytest.mark.slow, id="everything"),
        pytest.param("everything", ROOT_WITHOUT_PROVIDER, id="everything, without provider"),
    ],
)
def test_a_run_killed_in_the_middle_of_its_apply_is_swept(
    place: Place, what: str, root: str
) -> None:
    """By itself `dyno` leaves Terraform an orderly end; killed too, it leaves its lock."""
    place.write_root(60, root)
    buckets = 1 if root is ROOT else 0
    with start_up(place) as dyno:
        assert wait_until(lambda: "terraform_data.slow" in terraform_log(place))
        assert wait_until(lambda: len(place.buckets()) == buckets)
        family = [psutil.Process(dyno.pid), *psutil.Process(dyno.pid).children(recursive=True)]
        assert any(process.name() == "terraform" for process in family)
        doomed = family if what == "everything" else family[:1]
        for do in (psutil.Process.suspend, psutil.Process.kill):
            for process in doomed:  # a helper of Terraform may end at any moment
                with contextlib.suppress(psutil.NoSuchProcess):
                    do(process)
    assert "lease.json" in place.objects()
    assert ("tfstate.tflock" in place.objects()) or what == "dyno"

    place.write_root(0, root)
    would = sweep(place, dry_run=True)
    assert "its process" in would[-1].reason
    assert len(place.buckets()) == buckets

    # the next run's start does it as well as `dyno sweep`
    swept = (
        sweep(place)
        if what == "everything"
        else sweeper.sweep_dead_owners(place.project, TerminalUi())
    )
    assert swept is None or [row.outcome for row in swept if row.run_id] == ["swept"]
    (folder,) = run_folder.all_runs(place.project / "runs")
    assert folder.read_lease().state == "down"
    assert place.buckets() == []
    assert sweep(place) == []


@pytest.mark.parametrize(
    ("root", "made"),
    [
        pytest.param(ROOT_WITHOUT_PROVIDER, "terraform_data.this", id="without provider"),
        pytest.param(ROOT, "aws_s3_bucket.this", marks=pytest.mark.slow, id="AWS"),
    ],
)
def test_ctrl_c_in_the_middle_of_an_apply_takes_down_what_it_made(
    place: Place, root: str, made: str
) -> None:
    """Terraform ends in order, and what stands by then goes."""
    place.write_root(60, root)
    with start_up(place) as dyno:
        for told in ("terraform_data.slow", f"{made}: Creation complete"):
            assert wait_until(lambda told=told: told in terraform_log(place))
        dyno.send_signal(signal.SIGINT)
        assert dyno.wait(HANGS_S) == 130
    (folder,) = run_folder.all_runs(place.project / "runs")
    assert folder.read_lease().state == "down"
    destroyed = (folder.path / "logs" / "terraform-destroy.log").read_text()
    assert f"{made}: Destruction complete" in destroyed
    assert place.buckets() == []


def start_up(place: Place) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "lambda_dyno", "up", "--env", "tiny"],
        cwd=place.project,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "harness"), "TMPDIR": str(place.temp)},
        stderr=subprocess.DEVNULL,
    )


def terraform_log(place: Place) -> str:
    return "".join(
        path.read_text() for path in place.project.glob("runs/*/logs/terraform-apply.log")
    )


@pytest.mark.slow
def test_an_environment_whose_folder_is_elsewhere_is_found_in_the_bucket(place: Place) -> None:
    """Listed as long as it may stand, taken down by its state alone when it expired."""
    environment = place.environment()
    environment.apply()
    lease = environment.folder.read_lease()
    elsewhere = replace(place, project=place.project / "elsewhere")
    elsewhere.write_root(0)

    (row,) = sweeper.listing(elsewhere.project, TerminalUi())
    assert row["where"] == f"s3://{place.bucket}/lambda-dyno/tiny/{lease.run_id}.tfstate"
    assert (row["run_id"], row["name_prefix"]) == (lease.run_id, lease.name_prefix)
    assert sweep(elsewhere) == []

    # a machine that was switched off in the middle of an apply
    place.session.client("s3").put_object(
        Bucket=place.bucket,
        Key=f"lambda-dyno/tiny/{lease.run_id}.tfstate.tflock",
        Body=json.dumps(
            {
                "ID": "f3b1",
                "Operation": "OperationTypeApply",
                "Who": "runner@gone",
                "Created": "2026-01-01T10:00:00.123456789Z",
            }
        ),
    )
    bucket = StateBucket(place.session, place.bucket)
    bucket.publish(replace(lease, expires_at=expired(), host="gone"))
    (swept,) = sweep(elsewhere)
    assert (swept.run_id, swept.outcome) == (lease.run_id, "swept")
    assert place.buckets() == []
    assert RunFolder(elsewhere.project / "runs" / lease.run_id).read_lease().state == "down"


def test_what_no_state_knows_is_removed_by_its_name(
    place: Place, deploy_function: DeployFunction
) -> None:
    """Terraform was killed before it wrote its first state; this is all that it had made."""
    environment = place.environment()
    lease = environment.folder.update_lease(state="creating")
    make_all_kinds(place.session, lease.name_prefix)
    deploy_function(place.session, f"{lease.name_prefix}-crud-api", "def handler(e, c): pass")
    found = {leftover.kind for leftover in leftovers.find(place.session, lease.name_prefix, "x")}
    assert found == LISTED

    told: list[str] = []
    left = environment.destroy(say=told.append)
    assert left == []
    assert f"removed what no state knew of: iam role {lease.name_prefix}-role" in told
    assert len(told) == len(LISTED) - 1  # a log group is nothing out of the ordinary
    place.session.client("iam").delete_role_policy(RoleName="test-may-all", PolicyName="all")
    place.session.client("iam").delete_role(RoleName="test-may-all")


def make_all_kinds(session: LocalSession, prefix: str) -> None:
    """Make one resource of each kind but a function, each with what is in the way of its end."""
    trust = {"Version": "2012-10-17", "Statement": []}
    allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::x/*"}
    policy = {"Version": "2012-10-17", "Statement": [allow]}
    iam, events, s3 = session.client("iam"), session.client("events"), session.client("s3")
    role = iam.create_role(RoleName=f"{prefix}-role", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(
        RoleName=f"{prefix}-role", PolicyName="own", PolicyDocument=json.dumps(policy)
    )
    events.put_rule(Name=f"{prefix}-rule", ScheduleExpression="rate(1 day)")
    events.put_targets(
        Rule=f"{prefix}-rule", Targets=[{"Id": "a", "Arn": "arn:aws:sns:us-east-1:1:x"}]
    )
    s3.create_bucket(Bucket=f"{prefix}-packages-1")
    s3.put_object(Bucket=f"{prefix}-packages-1", Key="x.zip", Body=b"x")
    session.client("apigateway").create_rest_api(name=f"{prefix}-api")
    session.client("apigatewayv2").create_api(Name=f"{prefix}-http", ProtocolType="HTTP")
    session.client("logs").create_log_group(logGroupName=f"/aws/lambda/{prefix}-crud-api")
    session.client("stepfunctions").create_state_machine(
        name=f"{prefix}-tuner",
        roleArn=role["Role"]["Arn"],
        definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
    )
    session.client("dynamodb").create_table(
        TableName=f"{prefix}-items",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_what_has_neither_state_nor_lease_is_named_with_the_command(place: Place) -> None:
    """A tag can be copied, so it is not removed; what has time left is not even named."""
    sqs = place.session.client("sqs")
    tags = {"dyno:run": "260101-1000-kkkk", "dyno:expires": "2026-01-01T14:00:00+00:00"}
    queue = sqs.create_queue(QueueName="of-a-run", tags=tags)["QueueUrl"]
    later = {**tags, "dyno:run": "260101-1000-mmmm", "dyno:expires": "2999-01-01T00:00:00+00:00"}
    standing = sqs.create_queue(QueueName="stands", tags=later)["QueueUrl"]
    logs = place.session.client("logs")
    logs.create_log_group(logGroupName="/aws/lambda/dyno-260102-1000-kkkk-crud-api")
    logs.create_log_group(logGroupName="/aws/lambda/somebody-elses-260102-1000")
    try:
        by_tag, by_name = sweep(place)
    finally:
        sqs.delete_queue(QueueUrl=queue)
        sqs.delete_queue(QueueUrl=standing)
        for group in logs.describe_log_groups()["logGroups"]:
            logs.delete_log_group(logGroupName=group["logGroupName"])
    assert (by_tag.run_id, by_tag.reason) == (
        "260101-1000-kkkk",
        "expired at 2026-01-01T14:00:00+00:00",
    )
    assert by_tag.left[0].remove.startswith("aws sqs delete-queue --queue-url $(aws sqs get-queue")
    assert by_name.left[0].remove == (
        "aws logs delete-log-group --log-group-name /aws/lambda/dyno-260102-1000-kkkk-crud-api"
    )
    assert not by_tag.is_gone


def test_marks_of_a_tuner_that_is_gone_are_named_and_cleared(
    place: Place, deploy_function: DeployFunction
) -> None:
    """Named if nobody knows whose they are; cleared, memory size included, for a run."""
    name = deploy_function(place.session, "theirs", "def handler(e, c): pass", MemorySize=256)
    functions = place.session.client("lambda")
    execution = "arn:aws:states:us-east-1:1:execution:leak-1-tuner:5d8c"
    functions.create_alias(
        FunctionName=name,
        Name=LOCK_ALIAS,
        FunctionVersion="$LATEST",
        Description=f"{execution} 128 held",
    )
    functions.publish_version(
        FunctionName=name, Description=f"{VERSION_MARK}leak-1-tuner:5d8c 256 MB 0"
    )
    (swept,) = sweep(place)
    kinds = [leftover.kind for leftover in swept.left]
    assert kinds == ["lambda alias", "lambda version", "memory size"]

    arn = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
    assert residue.clear(place.session, arn, "leak-1-tuner", lambda _: None) == []
    assert functions.get_function_configuration(FunctionName=name)["MemorySize"] == 128
    assert sweep(place) == []
    functions.delete_function(FunctionName=name)
    place.session.client("iam").delete_role_policy(RoleName="test-may-all", PolicyName="all")
    place.session.client("iam").delete_role(RoleName="test-may-all")


@pytest.mark.slow
def test_a_state_that_could_not_be_saved_is_saved_before_the_teardown(place: Place) -> None:
    """Terraform leaves it in a file; and one that was cut off is replaced by its backup."""
    environment = place.environment()
    environment.apply()
    s3 = place.session.client("s3")
    key = environment.folder.read_lease().backend["key"]
    state = s3.get_object(Bucket=place.bucket, Key=key)["Body"].read()
    s3.delete_object(Bucket=place.bucket, Key=key)
    errored = environment.root / "errored.tfstate"
    errored.write_bytes(state)

    told: list[str] = []
    assert environment.destroy(say=told.append) == []
    assert not errored.exists()
    assert told == ["putting the state where it belongs that Terraform could not save"]
    assert place.buckets() == []


def test_an_environment_ends_with_its_embedded_aws(place: Place) -> None:
    """A lease whose endpoint nobody listens at any more holds nothing."""
    environment = place.environment(kept=True)
    environment.folder.update_lease(state="up", endpoint="http://127.0.0.1:9", expires_at=expired())
    (swept,) = sweep(place)
    assert swept.outcome == "swept: it ended with its embedded AWS"
    assert environment.folder.read_lease().state == "down"
