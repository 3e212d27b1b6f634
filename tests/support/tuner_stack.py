"""The power tuner on the embedded AWS, deployed by its own Terraform module."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.terraform import toolchain
from lambda_dyno.terraform.command import Terraform, TerraformError
from lambda_dyno.terraform.packages import build
from tests.support.waiting import HANGS_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_dyno.emulator.server import LocalServer

ROOT = Path(__file__).parents[2]
PREFIX = "dyno"

_MAIN_TF = """
terraform {{
  required_providers {{
    aws = {{
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }}
  }}
}}

provider "aws" {{
  default_tags {{
    tags = {{ "dyno:env" = "tests" }}
  }}
}}

module "packages" {{
  source = "{modules}/packages"

  name_prefix = "{prefix}"
  packages    = {{ power_tuner = {{ path = "{zip}", sha256_base64 = "{sha}" }} }}
}}

module "tuner" {{
  source = "{modules}/power_tuner"

  name_prefix             = "{prefix}"
  package                 = module.packages.packages["power_tuner"]
  tunable_function_arns   = ["arn:aws:lambda:us-east-1:{account}:function:target-*"]
  processor_function_arns = [
    "arn:aws:lambda:us-east-1:{account}:function:processor-*",
    "arn:aws:lambda:eu-west-1:{account}:function:processor-*",
  ]
  payload_bucket          = {{ name = "payloads-{account}" }}
  copies                  = {{
    role_arns  = ["arn:aws:iam::{account}:role/test-may-all"]
    layer_arns = ["arn:aws:lambda:us-east-1:{account}:layer:libs:*"]
  }}
}}

output "state_machine_arn" {{
  value = module.tuner.state_machine_arn
}}

output "role_arns" {{
  value = module.tuner.role_arns
}}
"""


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution that is over."""

    arn: str
    status: str
    output: dict[str, Any]
    error: str
    cause: str
    states: list[str]  # in the order in which they were entered


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a tuning must leave as it was."""

    configuration: dict[str, Any]
    versions: tuple[str, ...]
    aliases: dict[str, str]


class TunerStack:
    """A deployed tuner, and what tests do with it."""

    def __init__(
        self,
        session: LocalSession,
        terraform: Terraform,
        outputs: Mapping[str, Any],
        environment: Mapping[str, str],
    ):
        self.session = session
        self.environment = environment  # in which a program finds the account
        self.state_machine_arn: str = outputs["state_machine_arn"]
        self.role_arns: dict[str, str] = outputs["role_arns"]
        self._terraform = terraform
        self._states = session.client("stepfunctions")
        self._lambda = session.client("lambda")

    @classmethod
    def deploy(cls, server: LocalServer, account: str, folder: Path) -> TunerStack:
        """Apply the module in an account of the embedded AWS."""
        package = build(ROOT / "lambda" / "power_tuner", folder / "power_tuner.zip")
        (folder / "main.tf").write_text(
            _MAIN_TF.format(
                modules=ROOT / "modules",
                prefix=PREFIX,
                zip=package.path,
                sha=package.sha256_base64,
                account=account,
            )
        )
        terraform = Terraform(
            folder, toolchain.prepare(ROOT / ".cache"), server.environment(account), folder
        )
        terraform.init()
        session = LocalSession(server, account)
        return cls(session, terraform, terraform.apply(), server.environment(account))

    def plan(self) -> list[str]:
        """Return what another apply would change."""
        return self._terraform.plan()

    def destroy(self) -> None:
        """Take the module down.

        Tried twice, as cleanup/teardown.py does: a deletion that the provider sends
        again, because the busy machine took its answer away, is refused by the embedded AWS.
        """
        try:
            self._terraform.destroy()
        except TerraformError:
            self._terraform.destroy()

    def leftovers(self) -> list[str]:
        """Return what is left of the tuner itself in the account."""
        prefix = f"{PREFIX}-tuner"
        groups = self.session.client("logs").describe_log_groups(
            logGroupNamePrefix=f"/aws/lambda/{prefix}"
        )["logGroups"]
        rules = self.session.client("events").list_rules(NamePrefix=prefix)["Rules"]
        roles = self.session.client("iam").list_roles()["Roles"]
        functions = self._lambda.list_functions()["Functions"]
        names = [
            *(group["logGroupName"] for group in groups),
            *(rule["Name"] for rule in rules),
            *(role["RoleName"] for role in roles if role["RoleName"].startswith(prefix)),
            *(f["FunctionName"] for f in functions if f["FunctionName"].startswith(prefix)),
            *(m["name"] for m in self._states.list_state_machines()["stateMachines"]),
        ]
        return sorted(names)

    def copies(self) -> list[str]:
        """Return the copies of functions in the account, and their log groups."""
        functions = self._lambda.list_functions()["Functions"]
        groups = self.session.client("logs").describe_log_groups(
            logGroupNamePrefix=f"/aws/lambda/{PREFIX}-copy-"
        )["logGroups"]
        names = [row["FunctionName"] for row in functions]
        return [
            *(name for name in names if name.startswith(f"{PREFIX}-copy-")),
            *(group["logGroupName"] for group in groups),
        ]

    def function_arn(self, name: str, region: str = "us-east-1") -> str:
        """Return the ARN of a function of the account."""
        return f"arn:aws:lambda:{region}:{self.session.account_id}:function:{name}"

    def start(self, function: str, **keys: Any) -> str:
        """Start a tuning and return the execution's ARN."""
        tuning = {"lambdaARN": self.function_arn(function), "num": 5, **keys}
        started = self._states.start_execution(
            stateMachineArn=self.state_machine_arn, input=json.dumps(tuning)
        )
        return str(started["executionArn"])

    def tune(self, function: str, **keys: Any) -> Execution:
        """Tune a function and wait for the end, whatever that is."""
        return self.wait(self.start(function, **keys))

    def wait(self, execution_arn: str, deadline_s: float = HANGS_S) -> Execution:
        """Wait until an execution is over."""
        deadline = time.monotonic() + deadline_s
        while True:
            now = self._states.describe_execution(executionArn=execution_arn)
            if now["status"] != "RUNNING":
                break
            assert time.monotonic() < deadline, f"{execution_arn} still runs"
            time.sleep(0.05)
        return Execution(
            arn=execution_arn,
            status=now["status"],
            output=json.loads(now.get("output") or "{}"),
            error=now.get("error", ""),
            cause=now.get("cause", ""),
            states=self.states(execution_arn),
        )

    def seconds_in(self, state: str, execution_arn: str) -> float:
        """Return how long an execution was in a state that it entered once."""
        events = self._states.get_execution_history(executionArn=execution_arn)["events"]
        (entered, left) = (
            event["timestamp"]
            for event in events
            for kind in ("stateEnteredEventDetails", "stateExitedEventDetails")
            if event.get(kind, {}).get("name") == state
        )
        return float((left - entered).total_seconds())

    def states(self, execution_arn: str) -> list[str]:
        """Return the states that an execution has entered."""
        pages = self._states.get_paginator("get_execution_history").paginate(
            executionArn=execution_arn
        )
        return [
            event["stateEnteredEventDetails"]["name"]
            for page in pages
            for event in page["events"]
            if event["type"].endswith("StateEntered")
        ]

    def history(self, execution_arn: str) -> str:
        """Return all that an execution's history and the logs of the tuner's functions say."""
        pages = self._states.get_paginator("get_execution_history").paginate(
            executionArn=execution_arn
        )
        logs = self.session.client("logs")
        groups = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{PREFIX}-tuner")
        said = [
            logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
            for group in groups["logGroups"]
        ]
        return json.dumps([[page["events"] for page in pages], said], default=str)

    def is_running(self, execution_arn: str) -> bool:
        """Return whether an execution is not over yet."""
        execution = self._states.describe_execution(executionArn=execution_arn)
        return bool(execution["status"] == "RUNNING")

    def stop(self, execution_arn: str) -> None:
        """Stop an execution."""
        self._states.stop_execution(executionArn=execution_arn)

    def wait_for_state(self, execution_arn: str, state: str) -> None:
        """Wait until an execution is in a state."""
        deadline = time.monotonic() + HANGS_S
        while state not in self.states(execution_arn):
            assert time.monotonic() < deadline, f"{execution_arn} never came to {state}"
            time.sleep(0.02)

    def wait_for_version(self, function: str) -> None:
        """Wait until a tuning of a function has published something."""
        deadline = time.monotonic() + HANGS_S
        while not self._measured(function):
            assert time.monotonic() < deadline, f"nothing was published of {function}"
            time.sleep(0.05)

    def _measured(self, function: str) -> bool:
        pages = self._lambda.get_paginator("list_versions_by_function")
        return any(
            version.get("Description", "").startswith("dyno-tuner")
            and " tuned to " not in version["Description"]
            for page in pages.paginate(FunctionName=function)
            for version in page["Versions"]
        )

    def snapshot(self, function: str) -> Snapshot:
        """Return what a tuning of the function must leave as it is."""
        name = self.function_arn(function)
        self._lambda.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        config = self._lambda.get_function_configuration(FunctionName=name)
        for key in ("ResponseMetadata", "RevisionId", "LastModified"):
            config.pop(key)
        versions = self._lambda.list_versions_by_function(FunctionName=name)["Versions"]
        aliases = self._lambda.list_aliases(FunctionName=name)["Aliases"]
        return Snapshot(
            configuration=config,
            versions=tuple(version["Version"] for version in versions),
            aliases={alias["Name"]: alias["FunctionVersion"] for alias in aliases},
        )

    def revision(self, function: str) -> str:
        """Return the RevisionId of $LATEST, which every change of it changes."""
        name = self.function_arn(function)
        self._lambda.get_waiter("function_active_v2").wait(FunctionName=name)
        return str(self._lambda.get_function_configuration(FunctionName=name)["RevisionId"])

    def deliver_again(self, execution_arn: str) -> None:
        """Deliver the event of an execution's end to the clean-up once more.

        AWS does so a minute after the function failed, and once more after that; the embedded AWS
        does not.
        """
        answer = self._lambda.invoke(
            FunctionName=f"{PREFIX}-tuner-clean-up",
            Payload=json.dumps({"detail": {"executionArn": execution_arn}}),
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    def wait_until_clean(self, function: str, before: Snapshot) -> None:
        """Wait until a function is as it was: the rule's clean-up runs on its own."""
        deadline = time.monotonic() + HANGS_S
        while (now := self.snapshot(function)) != before:
            assert time.monotonic() < deadline, f"{now} is left of {before}"
            time.sleep(0.1)


def transitions(execution: Execution) -> Counter[str]:
    """Return how often each state was entered."""
    return Counter(execution.states)
