"""`dyno tune --function` on functions that the tests deploy themselves, with boto3."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from typer.testing import CliRunner

from lambda_dyno.cli.app import app
from lambda_dyno.core.errors import UserError
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.emulator.server import LocalServer
from lambda_dyno.runs import run_folder
from lambda_dyno.tuner_contract.marks import LOCK_ALIAS
from tests.support import functions
from tests.support.waiting import HANGS_S

if TYPE_CHECKING:
    from tests.conftest import DeployFunction

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]

# 20 ms of CPU; without N it needs more memory than the smallest power value has.
CPU = """
import os, time

def handler(event, context):
    if not event["N"] and int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) < 256:
        raise MemoryError("128 MB is too little for me")
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    return event["N"]
"""

# An execution of a state machine that was taken down before it had cleaned up.
GONE = "arn:aws:states:us-east-1:111122223333:execution:gone-tuner:5d8c"

SLEEPS = """
import time

def handler(event, context):
    time.sleep(0.1)
"""


@dataclass(frozen=True)
class Place:
    """A project and an account of one's own, with two functions in it."""

    project: Path
    session: LocalSession
    environment: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `dyno`; it finds the account by its environment alone."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        with (self.project / "stderr").open("a") as stderr:
            return subprocess.Popen(
                [sys.executable, "-m", "lambda_dyno", *arguments],
                cwd=self.project,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env={**inherited, **self.environment, "PYTHONPATH": str(PROJECT / "harness")},
            )

    def dyno(self, *arguments: str) -> tuple[int, str]:
        """Run `dyno` to its end and return its exit status and standard output."""
        process = self.start(*arguments)
        output = process.communicate(timeout=HANGS_S)[0]
        return process.returncode, output

    @property
    def stderr(self) -> str:
        """All that was written to standard error so far."""
        return (self.project / "stderr").read_text()

    def arn(self, function: str) -> str:
        """Return the ARN of a function."""
        return f"arn:aws:lambda:us-east-1:{self.session.account_id}:function:{function}"

    def inventory(self) -> dict[str, Any]:
        """Return everything in the account that a tuning could leave behind or change."""
        client = self.session.client
        functions = client("lambda")
        names = [row["FunctionName"] for row in functions.list_functions()["Functions"]]
        return {
            "functions": {name: self._function(functions, name) for name in names},
            "roles": [row["RoleName"] for row in client("iam").list_roles()["Roles"]],
            "machines": client("stepfunctions").list_state_machines()["stateMachines"],
            "rules": client("events").list_rules()["Rules"],
            "buckets": [row["Name"] for row in client("s3").list_buckets()["Buckets"]],
            # Lambda makes a function's own group with its first invocation, tuned or not
            "logs": [
                row["logGroupName"]
                for row in client("logs").describe_log_groups()["logGroups"]
                if row["logGroupName"].removeprefix("/aws/lambda/") not in names
            ],
        }

    def _function(self, functions: Any, name: str) -> tuple[Any, ...]:
        config = functions.get_function_configuration(FunctionName=name)
        versions = functions.list_versions_by_function(FunctionName=name)["Versions"]
        aliases = functions.list_aliases(FunctionName=name)["Aliases"]
        return (
            {k: v for k, v in config.items() if k not in ("RevisionId", "LastModified")}
            | {"ResponseMetadata": None},
            [version["Version"] for version in versions],
            [(alias["Name"], alias["FunctionVersion"]) for alias in aliases],
        )


@pytest.fixture
def place(
    tmp_path: Path,
    embedded_aws: LocalServer,
    new_aws_account: Callable[[], str],
    deploy_function: DeployFunction,
) -> Iterator[Place]:
    """A place of one's own; afterwards everything in it is as it was."""
    ignore = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__")
    for part in ("envs", "modules", "lambda"):
        shutil.copytree(PROJECT / part, tmp_path / part, ignore=ignore)
    account = new_aws_account()
    session = LocalSession(embedded_aws, account)
    for name, source in {"cpu": CPU, "sleeps": SLEEPS}.items():
        deploy_function(session, name, source, MemorySize=512)
        session.client("lambda").get_waiter("function_active_v2").wait(FunctionName=name)
    made = Place(tmp_path, session, embedded_aws.environment(account))
    before = made.inventory()
    yield made
    assert made.inventory() == before


def lpt_sample(place: Place, function: str) -> dict[str, Any]:
    """Return an input of the shape of aws-lambda-power-tuning's sample-execution-input.json."""
    return {
        "lambdaARN": place.arn(function),
        "powerValues": [128, 1024],
        "num": 5,
        "payload": {"N": 1000000},
        "parallelInvocation": True,
        "strategy": "balanced",
    }


@pytest.mark.slow  # three applies
def test_a_tuner_is_deployed_kept_used_again_and_taken_down(place: Place) -> None:
    """GIVEN an input file of aws-lambda-power-tuning WHEN it is tuned with --keep.

    THEN --json prints the state machine's output alone, --tuner uses the same tuner again for
    this function and no other, and `dyno down` leaves nothing, not even of a client that was
    killed in the middle of a tuning.
    """
    sample = write(place, "sample.json", lpt_sample(place, "cpu"))
    status, output = place.dyno("tune", "--input", sample, "--keep", "--json")
    assert status == 0, place.stderr
    result = json.loads(output)
    at = {detail["power"]: detail for detail in result["details"]}
    assert at.keys() == {128, 1024}
    assert all(detail["count"] == 5 for detail in at.values())
    # all at once means all cold: their initialisation, at full CPU, is in both durations
    assert at[128]["duration"]["trimmedMean"] > at[1024]["duration"]["trimmedMean"]
    assert result["stateMachine"]["executionCost"] == pytest.approx(4 * 0.000025)
    assert result["strategy"] == "balanced"

    [folder] = run_folder.all_runs(place.project / "runs")
    lease = folder.read_lease()
    assert (lease.state, lease.kept, lease.backend) == ("up", True, {})
    evidence = json.loads(folder.result.read_text())
    schema = json.loads(
        (PROJECT / "harness" / "lambda_dyno" / "schemas" / "result.schema.json").read_text()
    )
    jsonschema.validate(evidence, schema)
    assert evidence["env"] == "function cpu"
    assert evidence["tuning"]["raw"] == result
    assert evidence["settings"]["tuning"]["parallel_invocation"] is True
    assert (folder.path / "report.html").exists()
    machine = evidence["environment"]["outputs"]["state_machine_arn"]
    assert f"--tuner {machine}" in place.stderr

    again = ["tune", "--function", "cpu", "--tuner", machine, "--power", "128,256"]
    weighted = [{"payload": {"N": 0}, "weight": weight} for weight in (1, 4)]
    payload = ["--payload", write(place, "weighted.json", weighted)]
    status, output = place.dyno(*again, *payload, "--num", "5", "--strategy", "speed")
    assert status == 0, place.stderr
    assert "strategy speed" in output
    assert "128 MB was excluded: " in output
    assert "128 MB is too little for me" in output
    assert "This run itself would cost " in " ".join(output.split())
    assert "Curve: https://lambda-power-tuning.show/#" in output

    status, output = place.dyno("tune", "--function", "sleeps", "--tuner", machine)
    assert (status, output) == (3, "")
    assert "NotTunable" in place.stderr
    assert place.dyno("smoke", "--run", folder.run_id)[0] == 2
    assert "is a power tuner alone" in place.stderr

    killed = place.start(*again, *payload, "--num", "500")
    wait_for_versions(place, killed, "cpu", 3)
    killed.kill()
    killed.communicate(timeout=HANGS_S)
    assert place.dyno("down")[0] == 0, place.stderr
    assert folder.read_lease().state == "down"


@pytest.mark.slow
def test_ctrl_c_in_the_middle_stops_cleans_up_and_takes_down(place: Place) -> None:
    """A second Ctrl-C of an impatient hand is held back; the state is in the account's bucket."""
    bucket = f"dyno-state-{place.session.account_id}-us-east-1"
    s3, functions = place.session.client("s3"), place.session.client("lambda")
    s3.create_bucket(Bucket=bucket)
    process = place.start("tune", "--function", "sleeps", "--num", "500", "--power", "128,256")
    wait_for_versions(place, process, "sleeps", 3)
    aliases = functions.list_aliases(FunctionName="sleeps")["Aliases"]
    states = [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    second = place.dyno("tune", "--function", "sleeps")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=HANGS_S)[0]

    assert (process.returncode, output) == (130, ""), place.stderr
    assert [alias["Name"] for alias in aliases] == [LOCK_ALIAS]
    assert second == (2, "")
    assert "error: sleeps is being tuned: arn:aws:states:us-east-1:" in place.stderr
    [folder] = run_folder.all_runs(place.project / "runs")
    kept = f"lambda-dyno/_tuner/{folder.run_id}"
    assert sorted(states) == [f"{kept}.lease.json", f"{kept}.tfstate"]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    s3.delete_bucket(Bucket=bucket)
    evidence = json.loads(folder.result.read_text())
    assert (evidence["error"], evidence["leftovers"]) == ("interrupted", [])
    assert folder.read_lease().state == "down"


@pytest.mark.slow
def test_a_key_of_the_function_s_own_and_how_to_take_a_kept_tuner_down(
    place: Place, deploy_function: DeployFunction
) -> None:
    """The roles may use the key through Lambda alone; the printed command needs nothing else."""
    key = f"arn:aws:kms:us-east-1:{place.session.account_id}:key/1234abcd-12ab-34cd"
    deploy_function(place.session, "sealed", CPU, MemorySize=512, KMSKeyArn=key)
    payload = write(place, "payload.json", {"N": 1})
    status, output = place.dyno(
        "tune", "--function", "sealed", "--payload", payload, "--dry-run", "--power=512", "--keep"
    )
    assert status == 0, place.stderr
    iam = place.session.client("iam")
    [folder] = run_folder.all_runs(place.project / "runs")
    policies = {
        state: iam.get_role_policy(
            RoleName=f"{folder.read_lease().name_prefix}-tuner-{state}", PolicyName="own-work"
        )["PolicyDocument"]
        for state in ("prepare", "measure", "optimize", "clean-up", "analyze")
    }
    using = {
        state: [row for row in policy["Statement"] if key in row["Resource"]]
        for state, policy in policies.items()
    }
    assert {state for state, rows in using.items() if rows} == {"prepare", "optimize", "clean-up"}
    for rows in filter(None, using.values()):
        assert rows[0]["Condition"] == {"StringLike": {"kms:ViaService": "lambda.*.amazonaws.com"}}
    command = re.search(r"Take it down: (.*)", output)
    assert command is not None, output
    assert command[1].startswith(f"AWS_ENDPOINT_URL={place.environment['AWS_ENDPOINT_URL']} ")
    credentials = {k: v for k, v in place.environment.items() if k.startswith(("AWS_A", "AWS_S"))}
    said = command[1].replace("dyno ", f"{sys.executable} -m lambda_dyno ")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    subprocess.run(
        ["bash", "-c", said],
        cwd=place.project,
        env={**inherited, **credentials, "PYTHONPATH": str(PROJECT / "harness")},
        check=True,
        timeout=HANGS_S,
    )
    assert folder.read_lease().state == "down"
    place.session.client("lambda").delete_function(FunctionName="sealed")
    place.session.client("logs").delete_log_group(logGroupName="/aws/lambda/sealed")


def role_in(session: LocalSession, trusted: str) -> str:
    """Make a role that another account may assume, by an external id, to tune any function."""
    iam = session.client("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{trusted}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "x-1"}},
    }
    may = {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}
    policy = {"Version": "2012-10-17"}
    made = iam.create_role(
        RoleName="tuned-by-others",
        AssumeRolePolicyDocument=json.dumps({**policy, "Statement": [trust]}),
    )
    iam.put_role_policy(
        RoleName="tuned-by-others",
        PolicyName="tune",
        PolicyDocument=json.dumps({**policy, "Statement": [may]}),
    )
    return str(made["Role"]["Arn"])


@pytest.mark.slow  # an apply
def test_a_function_of_another_account(
    place: Place,
    embedded_aws: LocalServer,
    new_aws_account: Callable[[], str],
    deploy_function: DeployFunction,
) -> None:
    """GIVEN a role there that wants an external id WHEN it is tuned by it, or stopped.

    THEN the tuner is deployed here, and the function there is as it was.
    """
    other = Place(place.project, LocalSession(embedded_aws, new_aws_account()), {})
    deploy_function(other.session, "theirs", CPU, MemorySize=512)
    other.session.client("lambda").get_waiter("function_active_v2").wait(FunctionName="theirs")
    role = role_in(other.session, place.session.account_id)
    before = other.inventory()
    payload = write(place, "n.json", {"N": 200_000})
    tune = ["tune", "--function", other.arn("theirs"), "--role-arn", role, "--power", "128,256"]
    tune += ["--payload", str(payload)]
    status, _ = place.dyno(*tune, "--num", "5")
    assert status == 2
    assert f"--role-arn {role}: these credentials cannot assume it" in place.stderr

    status, output = place.dyno(*tune, "--external-id", "x-1", "--num", "5", "--json")
    assert status == 0, place.stderr
    measured = json.loads(output)
    assert measured["lambdaARN"] == other.arn("theirs")
    assert [detail["count"] for detail in measured["details"]] == [5, 5]
    assert other.inventory() == before

    running = place.start(*tune, "--external-id", "x-1", "--num", "400")
    lambdas = other.session.client("lambda")
    deadline = time.monotonic() + 120
    while len(lambdas.list_versions_by_function(FunctionName="theirs")["Versions"]) < 3:
        assert time.monotonic() < deadline, place.stderr
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=HANGS_S)
    assert other.inventory() == before


@pytest.mark.slow
def test_what_was_measured_survives_the_time_limit(place: Place) -> None:
    """Printed, kept and reported, with a status that says that it is not all; hinted at before."""
    arguments = ["--function", "sleeps", "--num", "1000", "--power", "128,256", "--json"]
    status, output = place.dyno("tune", *arguments, "--timeout-minutes", "0.3")
    assert status == 3, place.stderr
    result = json.loads(output)
    assert result["timedOut"] is True
    assert [5 <= detail["count"] < 1000 for detail in result["details"]] == [True, True]
    assert "128 MB: " in place.stderr + str(result["warnings"])
    said = " ".join(place.stderr.split())
    assert "measuring may take 500 min if each invocation takes the 30 s" in said
    assert "time was up before all was measured; what was measured is kept" in said
    [folder] = run_folder.all_runs(place.project / "runs")
    evidence = json.loads(folder.result.read_text())
    assert evidence["tuning"]["raw"] == result
    assert "time was up" in evidence["error"]
    assert (folder.path / "report.html").exists()
    assert folder.read_lease().state == "down"


def test_what_is_not_there_is_refused_before_anything_is_made(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Function, version, processor, payload and tuner: each is looked up first."""
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(place.project)
    account = place.session.account_id
    bucket = f"own-{account}"
    machines = f"arn:aws:states:us-east-1:{account}:stateMachine:"
    elsewhere = place.arn("cpu").replace("us-east-1", "eu-west-1")
    with others_in_the_account(place, bucket):
        for arguments, complaint in {
            "--function nope": f"there is no function nope in us-east-1 of account {account}",
            f"--function {elsewhere}": f"no function cpu in eu-west-1 of account {account}",
            f"--function {place.arn('cpu').replace(account, '9' * 12)}": "is in account 999999999",
            f"--function {place.arn('cpu').replace('arn:aws:', 'arn:aws-cn:')}": (
                "cpu is in partition aws-cn by its ARN, and us-east-1 of account "
            ),
            "--function cpu:nowhere": "there is no function cpu:nowhere",
            "--function cpu:99": "there is no function cpu:99",
            f"--function cpu --payload-s3 s3://{bucket}/no.json": "there is no object s3://own-",
            f"--function cpu --pre-processor {place.arn('nope')}": "preProcessorARN: there is no",
            "--function cpu --tuner nope": "not the ARN of a state machine",
            f"--function cpu --tuner {machines}nope": "there is no such state machine in us-east-1",
            f"--function cpu --tuner {machines}other": "it is no power tuner of Lambda Dyno",
            f"--function cpu --tuner {machines.replace(account, '9' * 12)}x": "is in account 9999",
            "--function sleeps": (
                f"sleeps still has marks of a tuning that is over: {GONE}. Remove them:\n"
                "  aws lambda delete-alias --region us-east-1 --function-name sleeps "
                f"--name {LOCK_ALIAS}\n"
                "  aws lambda update-function-configuration --region us-east-1 "
                "--function-name sleeps --memory-size 256"
            ),
        }.items():
            result = CliRunner().invoke(app, ["tune", *arguments.split()])
            assert isinstance(result.exception, UserError), arguments
            assert complaint in str(result.exception)
    assert not (place.project / "runs").exists()


def test_kinds_that_cannot_be_tuned_are_refused_before_anything_is_made(
    place: Place, deploy_function: DeployFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their configuration; what the figures will leave out is said as early."""
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(place.project)
    functions = place.session.client("lambda")
    kinds: dict[str, dict[str, Any]] = {
        "quiet": {"LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN"}},
        "tenants": {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}},
        "durable": {"DurableConfig": {"ExecutionTimeout": 60}},
        "streams": {"SnapStart": {"ApplyOn": "PublishedVersions"}},
        "reserved": {},
    }
    for name, config in kinds.items():
        deploy_function(place.session, name, SLEEPS, **config)
    functions.put_function_concurrency(FunctionName="reserved", ReservedConcurrentExecutions=0)
    functions.create_function_url_config(
        FunctionName="streams", AuthType="NONE", InvokeMode="RESPONSE_STREAM"
    )
    split_alias(functions, "streams")
    for name, complaint in {
        "quiet": "quiet logs in JSON at the system log level WARN",
        "tenants": "tenants isolates its tenants",
        "durable": "durable is a durable function",
        "reserved": "reserved has a reserved concurrency of 0",
        "streams:split": "not the ARN of a state machine",
        "streams:$LATEST": "not the ARN of a state machine",
    }.items():
        arguments = ["--function", place.arn(name), "--tuner", "nope"]
        result = CliRunner().invoke(app, ["tune", *arguments])
        assert isinstance(result.exception, UserError), arguments
        assert complaint in str(result.exception)
        split = "alias split sends 30 % of its invocations to version 1: only version 2 is tuned"
        assert (split in result.stderr) == (name == "streams:split")
    assert "warning: streams: SnapStart: what AWS charges" in result.stderr
    assert "streams: its URL streams, so its answers are streamed here, too" in result.stderr
    assert not (place.project / "runs").exists()
    for name in kinds:
        functions.delete_function(FunctionName=name)


def split_alias(client: Any, name: str) -> None:
    """Make two versions, and an alias that has a part of its invocations at the first."""
    client.publish_version(FunctionName=name)
    client.update_function_configuration(FunctionName=name, Description="another one")
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    second = client.publish_version(FunctionName=name)["Version"]
    weights = {"AdditionalVersionWeights": {"1": 0.3}}
    client.create_alias(
        FunctionName=name, Name="split", FunctionVersion=second, RoutingConfig=weights
    )


@contextmanager
def others_in_the_account(place: Place, bucket: str) -> Iterator[None]:
    """Make a version with an alias, a lock, a bucket and a state machine."""
    functions, s3 = place.session.client("lambda"), place.session.client("s3")
    states = place.session.client("stepfunctions")
    version = functions.publish_version(FunctionName="cpu")["Version"]
    functions.create_alias(FunctionName="cpu", Name="live", FunctionVersion=version)
    functions.create_alias(
        FunctionName="sleeps",
        Name=LOCK_ALIAS,
        FunctionVersion="$LATEST",
        Description=f"{GONE} 256 held",
    )
    s3.create_bucket(Bucket=bucket)
    machine = states.create_state_machine(
        name="other",
        roleArn=f"arn:aws:iam::{place.session.account_id}:role/test-may-all",
        definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
    )["stateMachineArn"]
    yield
    states.delete_state_machine(stateMachineArn=machine)
    s3.delete_bucket(Bucket=bucket)
    functions.delete_alias(FunctionName="sleeps", Name=LOCK_ALIAS)
    functions.delete_alias(FunctionName="cpu", Name="live")
    functions.delete_function(FunctionName="cpu", Qualifier=version)


def write(place: Place, name: str, content: Any) -> str:
    """Write a file of JSON and return its path."""
    path = place.project / name
    path.write_text(json.dumps(content))
    return str(path)


def wait_for_versions(
    place: Place, process: subprocess.Popen[str], function: str, count: int
) -> None:
    """Wait until the tuner has published what it measures."""
    functions = place.session.client("lambda")
    deadline = time.monotonic() + 90
    while len(functions.list_versions_by_function(FunctionName=function)["Versions"]) < count:
        assert process.poll() is None, place.stderr
        assert time.monotonic() < deadline, place.stderr
        time.sleep(0.1)


@pytest.mark.slow  # an apply
def test_a_version_is_tuned_by_a_copy(place: Place) -> None:
    """GIVEN a version whose code $LATEST has no more WHEN it is named THEN a copy is measured.

    A word of `--isolation` that it cannot be is refused first.
    """
    lambdas = place.session.client("lambda")
    lambdas.publish_version(FunctionName="cpu")
    lambdas.create_alias(FunctionName="cpu", Name="live", FunctionVersion="1")
    broken = functions.archive({"app.py": "def handler(event, context):\n    raise OSError\n"})
    lambdas.update_function_code(FunctionName="cpu", ZipFile=broken)
    lambdas.get_waiter("function_updated_v2").wait(FunctionName="cpu")
    payload = ["--payload", write(place, "payload.json", {"N": 1})]
    refused = ["tune", "--function", "cpu:live", "--isolation", "alias"]
    assert place.dyno(*refused)[0] == 2
    assert "cpu:live is a version or an alias" in place.stderr
    before = lambdas.get_function_configuration(FunctionName="cpu")["RevisionId"]
    sizes = ["--power", "256,512", "--num", "5", "--json"]
    status, output = place.dyno("tune", "--function", "cpu:live", *payload, *sizes)
    assert status == 0, place.stderr
    result = json.loads(output)
    assert result["lambdaARN"] == f"{place.arn('cpu')}:live"
    assert [(row["count"], row["errors"]) for row in result["details"]] == [(5, 0), (5, 0)]
    assert lambdas.get_function_configuration(FunctionName="cpu")["RevisionId"] == before
    lambdas.delete_alias(FunctionName="cpu", Name="live")
    lambdas.delete_function(FunctionName="cpu", Qualifier="1")
    working = functions.archive({"app.py": CPU})
    lambdas.update_function_code(FunctionName="cpu", ZipFile=working)
    lambdas.get_waiter("function_updated_v2").wait(FunctionName="cpu")


@pytest.mark.slow  # an apply
def test_a_package_for_the_other_architecture(place: Place) -> None:
    """GIVEN a function with machine code WHEN it has a package for arm64 THEN both are measured.

    A package that does not work there, or is not asked for, is refused first.
    """
    elf = "\x7fELF\x02\x01\x01" + "\0" * 11 + "{}\0" + "\0" * 44
    app = "def handler(event, context):\n    return event\n"
    native = functions.archive({"app.py": app, "fast.so": elf.format("\x3e")})
    lambdas = place.session.client("lambda")
    before = lambdas.get_function(FunctionName="cpu")["Configuration"]["CodeSha256"]
    lambdas.update_function_code(FunctionName="cpu", ZipFile=native)
    lambdas.get_waiter("function_updated_v2").wait(FunctionName="cpu")
    wrong, right = place.project / "x86.zip", place.project / "arm64.zip"
    wrong.write_bytes(native)
    right.write_bytes(functions.archive({"app.py": app, "pure.py": "pass\n" * 9}))
    both = ["tune", "--function", "cpu", "--architectures", "arm64,x86_64"]
    assert place.dyno(*both, "--package-arm64", str(wrong))[0] == 2
    assert "it has machine code for x86_64 (fast.so), and so does not work on arm64" in place.stderr
    assert place.dyno("tune", "--function", "cpu", "--package-arm64", str(right))[0] == 2
    assert "measure arm64, too: --architectures arm64,x86_64" in place.stderr
    sizes = ["--power", "256,512", "--num", "5", "--json"]
    status, output = place.dyno(*both, "--package-arm64", str(right), *sizes)
    assert status == 0, place.stderr
    found = json.loads(output)["architectures"]
    assert [row["architecture"] for row in found["measured"]] == ["x86_64", "arm64"]
    assert found["leftOut"] == {}
    [folder] = run_folder.all_runs(place.project / "runs")
    evidence = json.loads(folder.result.read_text())
    assert [row["architecture"] for row in evidence["tuning"]["architectures"]] == [
        "x86_64",
        "arm64",
    ]
    lambdas.update_function_code(FunctionName="cpu", ZipFile=functions.archive({"app.py": CPU}))
    lambdas.get_waiter("function_updated_v2").wait(FunctionName="cpu")
    assert lambdas.get_function(FunctionName="cpu")["Configuration"]["CodeSha256"] == before
