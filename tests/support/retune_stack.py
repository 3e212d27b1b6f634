"""The retune module on an embedded AWS that tells EventBridge of alarms and aliases."""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_dyno.emulator import server
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.terraform import toolchain
from lambda_dyno.terraform.command import Terraform
from lambda_dyno.terraform.packages import build
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
TELLING = Path(__file__).with_name("telling_aws.py")
ACCOUNT = "210987654321"
REGION = "us-east-1"
BUCKET = f"evidence-{ACCOUNT}"
PREFIX = "evidence/dev/main/"
NOTICES = "notices"

_MAIN_TF = """
terraform {{
  required_providers {{
    aws = {{
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }}
  }}
}}

provider "aws" {{}}

module "retune" {{
  source = "./modules/retune"

  name_prefix      = "shop"
  max_cost_usd     = {max_cost_usd}
  notice_topic_arn = "arn:aws:sns:{region}:{account}:{notices}"
  store            = {{ bucket = "{bucket}", environment = "dev", prefix = "evidence/" }}
  copied_with      = {{ role_arns = ["arn:aws:iam::{account}:role/test-may-all"] }}
  package          = {{ path = "{retune.path}", sha256_base64 = "{retune.sha256_base64}" }}
  tuner_package    = {{ path = "{tuner.path}", sha256_base64 = "{tuner.sha256_base64}" }}
  functions        = jsondecode({functions})
}}

output "role_arns" {{
  value = module.retune.role_arns
}}

output "rule_names" {{
  value = module.retune.rule_names
}}

output "state_machine_arn" {{
  value = module.retune.state_machine_arn
}}

output "table_name" {{
  value = module.retune.table_name
}}

output "tuner_state_machine_arn" {{
  value = module.retune.tuner_state_machine_arn
}}
"""


@dataclass(frozen=True)
class Ended:
    """An execution of the state machine that is over."""

    arn: str
    status: str
    input: dict[str, Any]
    output: dict[str, Any]
    error: str


@dataclass(frozen=True)
class RetuneStack:
    """A deployed module, and what tests do with it."""

    local: server.LocalServer
    session: LocalSession
    terraform: Terraform
    outputs: dict[str, Any]
    log: Path

    @classmethod
    def deploy(
        cls, local: server.LocalServer, log: Path, folder: Path, functions: dict[str, Any]
    ) -> RetuneStack:
        """Apply the module."""
        packages = {
            name: build(ROOT / "lambda" / folder_name, folder / f"{folder_name}.zip")
            for name, folder_name in {"retune": "retune", "tuner": "power_tuner"}.items()
        }
        shutil.copytree(ROOT / "modules", folder / "modules")
        (folder / "main.tf").write_text(
            _MAIN_TF.format(
                account=ACCOUNT,
                region=REGION,
                bucket=BUCKET,
                notices=NOTICES,
                max_cost_usd=0.000025,
                functions=json.dumps(json.dumps(functions)),
                **packages,
            )
        )
        # ten at once keep this server busy for so long that the provider asks again
        environment = local.environment(ACCOUNT) | {"TF_CLI_ARGS_apply": "-parallelism=3"}
        terraform = Terraform(folder, toolchain.prepare(ROOT / ".cache"), environment, folder)
        terraform.init()
        return cls(local, LocalSession(local, ACCOUNT), terraform, terraform.apply(), log)

    def put_payload(self, name: str, payload: Any) -> dict[str, str]:
        """Put another version of a payload; return what the module takes."""
        key = f"{PREFIX}payloads/{name}.json"
        put = self.session.client("s3").put_object(
            Bucket=BUCKET, Key=key, Body=json.dumps(payload).encode()
        )
        return {"key": key, "version_id": put["VersionId"]}

    def set_alarm(self, name: str, state: str = "ALARM") -> None:
        """Set an alarm to a state."""
        self.session.client("cloudwatch").set_alarm_state(
            AlarmName=name, StateValue=state, StateReason="a test"
        )

    def executions(self, arn: str = "") -> list[dict[str, Any]]:
        """Return the executions, of this module's state machine or another one."""
        pages = self.session.client("stepfunctions").get_paginator("list_executions")
        found = pages.paginate(stateMachineArn=arn or self.outputs["state_machine_arn"])
        return [row for page in found for row in page["executions"]]

    def tunings(self) -> list[dict[str, Any]]:
        """Return the executions of the power tuner."""
        return self.executions(self.outputs["tuner_state_machine_arn"])

    def ended(self, after: set[str], count: int) -> list[Ended]:
        """Wait until so many executions are over that were not there before."""

        def new() -> list[dict[str, Any]]:
            rows = self.executions()
            return [row for row in rows if row["executionArn"] not in after]

        assert wait_until(
            lambda: len([row for row in new() if row["status"] != "RUNNING"]) >= count
        ), new()
        return [self.end_of(row["executionArn"]) for row in new()]

    def end_of(self, arn: str) -> Ended:
        """Return how an execution has ended."""
        found = self.session.client("stepfunctions").describe_execution(executionArn=arn)
        return Ended(
            arn,
            found["status"],
            json.loads(found["input"]),
            json.loads(found.get("output") or "{}"),
            found.get("error", ""),
        )

    def known(self) -> set[str]:
        """Return the executions that there are."""
        return {row["executionArn"] for row in self.executions()}

    def start(self, **keys: Any) -> Ended:
        """Start an execution as a rule does, and wait for its end."""
        states = self.session.client("stepfunctions")
        event = {"id": "c4c1c1c9-6542", "time": "2026-12-01T13:00:00Z"}
        arn = states.start_execution(
            stateMachineArn=self.outputs["state_machine_arn"],
            input=json.dumps({"event": event, **keys}),
        )["executionArn"]
        assert wait_until(lambda: self.end_of(arn).status != "RUNNING")
        return self.end_of(arn)

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the rows in the store, by id."""
        s3 = self.session.client("s3")
        prefix = f"{PREFIX}retunings/v1/"
        keys = [
            row["Key"]
            for row in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        ]
        return {
            key.removeprefix(prefix).removesuffix(".json"): json.load(
                s3.get_object(Bucket=BUCKET, Key=key)["Body"]
            )
            for key in keys
        }

    def items(self) -> dict[str, dict[str, Any]]:
        """Return the items of the table, by id."""
        found = self.session.client("dynamodb").scan(TableName=self.outputs["table_name"])
        return {item["id"]["S"]: item for item in found["Items"]}

    def end_lease(self, function: str) -> None:
        """Let a function's day be over."""
        self.session.client("dynamodb").update_item(
            TableName=self.outputs["table_name"],
            Key={"id": {"S": f"lease#{function}"}},
            UpdateExpression="SET ends_at_s = :then",
            ExpressionAttributeValues={":then": {"N": "1"}},
        )

    def left(self) -> list[str]:
        """Return what a tuning must not leave: copies, their logs, executions that run."""
        functions = self.session.client("lambda").list_functions()["Functions"]
        logs = self.session.client("logs")
        groups = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/shop-copy-")["logGroups"]
        runs = [*self.executions(), *self.tunings()]
        names = [row["FunctionName"] for row in functions]
        return [
            *(name for name in names if name.startswith("shop-copy-")),
            *(group["logGroupName"] for group in groups),
            *(row["executionArn"] for row in runs if row["status"] == "RUNNING"),
        ]

    def granted(self) -> dict[str, set[tuple[str, str]]]:
        """Return actions and resources by role, as the policies have them."""
        iam = self.session.client("iam")
        found: dict[str, set[tuple[str, str]]] = {}
        for name, arn in self.outputs["role_arns"].items():
            policy = iam.get_role_policy(RoleName=arn.rpartition("/")[2], PolicyName="own-work")[
                "PolicyDocument"
            ]
            found[name] = {
                (action, resource)
                for statement in policy["Statement"]
                for action in _list(statement["Action"])
                for resource in _list(statement["Resource"])
            }
        return found

    def asked(self) -> dict[str, set[tuple[str, str, bool]]]:
        """Return what IAM was asked for by each role: action, resource, whether allowed."""
        roles = {arn.rpartition("/")[2]: name for name, arn in self.outputs["role_arns"].items()}
        found = defaultdict(set)
        for line in self.log.read_text().rpartition("\n")[0].splitlines():  # what is whole
            answer = json.loads(line)
            role = answer["principal"].partition(":assumed-role/")[2].partition("/")[0]
            if role in roles:
                asked = (answer["action"], answer["resource"], answer["allowed"])
                found[roles[role]].add(asked)
        return found


def start_server(home: Path) -> tuple[server.LocalServer, Path]:
    """Start an embedded AWS; return it and the log of what IAM was asked."""
    log = home / "asked.jsonl"
    log.touch()
    local = server.start(
        home / "aws", owner_pid=os.getpid(), program=(str(TELLING), str(log)), region=REGION
    )
    return local, log


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
