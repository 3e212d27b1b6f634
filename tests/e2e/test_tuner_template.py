"""The power tuner by CloudFormation: deployed without Terraform, the same as the module's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_dyno.emulator.boto_session import LocalSession
from tests.support import stacks
from tests.support.waiting import HANGS_S

if TYPE_CHECKING:
    from lambda_dyno.emulator.server import LocalServer
    from tests.conftest import DeployFunction
    from tests.support.tuner_stack import TunerStack

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
CODE = """
def handler(event, context):
    return {"sum": sum(number * number for number in range(event["n"]))}
"""


def dyno(folder: Path, environment: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    """Run `dyno` in a folder that is no project."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "lambda_dyno", *arguments],
        cwd=folder,
        env={**inherited, **environment, "PYTHONPATH": str(PROJECT / "harness")},
        capture_output=True,
        text=True,
        timeout=HANGS_S,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow  # a stack of it tunes a SAM application in test_shapes.py
def test_a_stack_of_it_tunes_a_function(
    embedded_aws: LocalServer,
    new_aws_account: Callable[[], str],
    deploy_function: DeployFunction,
    tmp_path: Path,
) -> None:
    """The command writes it, CloudFormation deploys it, and `dyno tune --tuner` uses it."""
    account = new_aws_account()
    session, environment = LocalSession(embedded_aws, account), embedded_aws.environment(account)
    bucket = f"packages-{account}"
    session.client("s3").create_bucket(Bucket=bucket)
    deploy_function(session, "shop-orders", CODE)
    (tmp_path / "envs" / "local").mkdir(parents=True)
    (tmp_path / "envs" / "local" / "dyno.toml").touch()
    status, out, err = dyno(
        tmp_path,
        environment,
        *("tuner", "template", "--function", "shop-*", "--bucket", bucket),
        *("--output", "tuner.yaml", "--json"),
    )
    assert status == 0, err
    assert json.loads(out)["code"]["S3Bucket"] == bucket
    outputs = stacks.deploy(session, "dyno-tuner", (tmp_path / "tuner.yaml").read_text())
    status, out, err = dyno(
        tmp_path,
        environment,
        *("tune", "--function", "shop-orders", "--tuner", outputs["StateMachineArn"]),
        *("--power", "128,512", "--num", "5", "--payload", str(_event(tmp_path)), "--json"),
    )
    assert status == 0, err
    assert json.loads(out)["power"] in (128, 512)
    stacks.delete(session, "dyno-tuner")


def _event(folder: Path) -> Path:
    path = folder / "event.json"
    path.write_text('{"n": 1000}')
    return path


@pytest.mark.slow  # the module's own stack; what both spell: contract/test_tuner_template.py
def test_aws_has_the_same_of_both(
    embedded_aws: LocalServer,
    new_aws_account: Callable[[], str],
    tuner_stack: TunerStack,
    tmp_path: Path,
) -> None:
    """Functions, roles with their policies, state machine, rule and logs, one by one."""
    account = new_aws_account()
    session = LocalSession(embedded_aws, account)
    bucket = f"packages-{account}"
    session.client("s3").create_bucket(Bucket=bucket)
    of = f"arn:aws:lambda:us-east-1:{account}"
    status, _, err = dyno(
        tmp_path,
        embedded_aws.environment(account),
        *("tuner", "template", "--function", f"{of}:function:target-*", "--bucket", bucket),
        *("--processor", f"{of}:function:processor-*"),
        *("--processor", f"arn:aws:lambda:eu-west-1:{account}:function:processor-*"),
        *("--payload-bucket", f"payloads-{account}", "--output", "tuner.json"),
        *("--copy-role", f"arn:aws:iam::{account}:role/test-may-all"),
        *("--copy-layer", f"{of}:layer:libs:*"),
    )
    assert status == 0, err
    stacks.deploy(session, "dyno-tuner", (tmp_path / "tuner.json").read_text())
    by_template, by_module = made(session), made(tuner_stack.session)
    for kind, found in by_module.items():
        assert by_template[kind] == found, kind
    stacks.delete(session, "dyno-tuner")


def made(session: LocalSession) -> dict[str, Any]:
    """Return what is of a tuner in an account, whichever account that is."""
    client = session.client
    functions, iam, states = client("lambda"), client("iam"), client("stepfunctions")
    names = [one["FunctionName"] for one in functions.list_functions()["Functions"]]
    roles = [one["RoleName"] for one in iam.list_roles()["Roles"]]
    machines = states.list_state_machines()["stateMachines"]
    events = client("events")
    rules = events.list_rules(NamePrefix="dyno-tuner")["Rules"]
    groups = client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/dyno-tuner")
    found = {
        "functions": {
            name: _of_function(functions.get_function_configuration(FunctionName=name))
            for name in names
            if name.startswith("dyno-tuner")
        },
        "roles": {
            name: {
                "trust": iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"],
                "policies": {
                    policy: _sorted(iam.get_role_policy(RoleName=name, PolicyName=policy))
                    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
                },
            }
            for name in roles
            if name.startswith("dyno-tuner")
        },
        "machines": {
            one["name"]: json.loads(
                states.describe_state_machine(stateMachineArn=one["stateMachineArn"])["definition"]
            )
            for one in machines
        },
        "rules": {
            one["Name"]: {
                "pattern": json.loads(one["EventPattern"]),
                "description": one["Description"],
                "targets": [
                    {key: target[key] for key in ("Arn", "InputTransformer")}
                    for target in events.list_targets_by_rule(Rule=one["Name"])["Targets"]
                ],
            }
            for one in rules
        },
        "logs": {one["logGroupName"]: one["retentionInDays"] for one in groups["logGroups"]},
    }
    text = json.dumps(found, sort_keys=True).replace(session.account_id, "ACCOUNT")
    compared: dict[str, Any] = json.loads(text)
    return compared


def _of_function(configuration: dict[str, Any]) -> dict[str, Any]:
    kept = ("Runtime", "Handler", "Timeout", "MemorySize", "Architectures", "Role", "LoggingConfig")
    variables = dict(configuration["Environment"]["Variables"])
    variables.pop("COPY_TAGS")  # the provider's default tags; a stack has its own
    return {**{key: configuration[key] for key in kept}, "variables": variables}


def _sorted(answer: dict[str, Any]) -> Any:
    """Return a policy without what has no meaning: order, and lists of one."""
    statements = []
    for statement in answer["PolicyDocument"]["Statement"]:
        parts = {
            key: sorted(value)
            if isinstance(value, list)
            else [value]
            if key in ("Action", "Resource")
            else value
            for key, value in statement.items()
        }
        if "Condition" in parts:
            parts["Condition"] = json.loads(
                json.dumps(parts["Condition"]).replace("[", "").replace("]", "")
            )
        statements.append(parts)
    return sorted(statements, key=lambda one: one.get("Sid", ""))
