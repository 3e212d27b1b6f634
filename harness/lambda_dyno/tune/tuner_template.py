"""The power tuner as a CloudFormation template, for accounts without Terraform.

The same state machine, functions, roles and defaults as `modules/power_tuner`: they are read from
the module's own files, so there is nothing to keep in step but how CloudFormation spells a
resource. tests/contract/test_tuner_template.py holds the two together.

Sources: the resource types in the CloudFormation Template Reference (AWS::Lambda::Function,
AWS::StepFunctions::StateMachine, AWS::Events::Rule, AWS::IAM::Role, AWS::Logs::LogGroup).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.reading import parse_json, read_text
from lambda_dyno.terraform import hcl
from lambda_dyno.tuner_contract.arns import EXAMPLE

_BARE = re.compile(r"[A-Za-z0-9_*-]{1,140}")  # a function's name, * anywhere in it
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_BUCKET_KEYS = re.compile(r"[\w!.'()*/=:@+ -]{1,512}", re.ASCII)
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_VARIABLE = r'^variable "{}" \{{\n(.*?)^\}}$'
_RULE = re.compile(r'regex\("(.*?)", .*?error_message = "(.*?)"', re.S)
_HOME = "${AWS::Region}:${AWS::AccountId}"
_POLICY_VERSION = "2012-10-17"


@dataclass(frozen=True, slots=True)
class TunerTemplate:
    """What a template is to be of; the fields are the variables of `modules/power_tuner`.

    Attributes:
        functions: What may be tuned: names, with * for any characters, in the stack's own account
            and region, or ARNs.
        name_prefix: Start of all names.
        architecture: Of the tuner's own functions.
        copy_roles: ARNs of the roles that copies of functions (isolation clone) may be given;
            none: no copies.
        copy_layers: ARNs of the layers of what is copied.
        copies_in_vpc: Whether a copy is placed into a VPC.
        payload_bucket: Bucket that payloadS3 may name; empty: no payloads from S3.
        payload_keys: Which keys of it, as a pattern.
        processors: Pre- and post-processors, as `functions`.
        kms_keys: ARNs of the keys of functions and payloads.
        assumable_roles: ARNs of roles in other accounts, for functions there.
        permissions_boundary: Of all roles; empty: none.
    """

    functions: tuple[str, ...]
    name_prefix: str = "dyno"
    architecture: str = "arm64"
    copy_roles: tuple[str, ...] = ()
    copy_layers: tuple[str, ...] = ()
    copies_in_vpc: bool = False
    payload_bucket: str = ""
    payload_keys: str = "*"
    processors: tuple[str, ...] = ()
    kms_keys: tuple[str, ...] = ()
    assumable_roles: tuple[str, ...] = ()
    permissions_boundary: str = ""


@dataclass(frozen=True, slots=True)
class ModuleFiles:
    """What `modules/power_tuner` says, as it is written there.

    Attributes:
        functions: Memory and time of each state's function, by its name.
        permissions: The text of permissions.yaml, whose lists are not filled in.
        definition: The text of the state machine, whose functions are not filled in.
        variables: The text of variables.tf.
        defaults: Of the variables, by name.
    """

    functions: Mapping[str, Mapping[str, int]]
    permissions: str
    definition: str
    variables: str = field(repr=False)
    defaults: Mapping[str, Any]

    @classmethod
    def read(cls, module: Path) -> ModuleFiles:
        """Read them.

        Args:
            module: Folder of the module.

        Raises:
            UserError: A file is missing, or not what it should be.
        """
        return cls(
            functions=yaml.safe_load(read_text(module / "functions.yaml")),
            permissions=read_text(module / "permissions.yaml"),
            definition=read_text(module / "state_machine.asl.json"),
            variables=read_text(module / "variables.tf"),
            defaults={
                name: body.get("default") for name, body in hcl.read(module).variables.items()
            },
        )

    def require(self, variable: str, value: str, flag: str) -> None:
        """Make sure that a value is one that the module takes, by the module's own rule.

        Raises:
            UserError: It is not.
        """
        block = re.search(_VARIABLE.format(variable), self.variables, re.M | re.S)
        rule = _RULE.search(block[1]) if block else None
        assert rule is not None, variable
        if not re.fullmatch(rule[1], value):
            raise UserError(f"{flag} {brief(value)}: {rule[2]}")


def check(wanted: TunerTemplate, files: ModuleFiles) -> None:
    """Make sure that a template can be made.

    Args:
        wanted: As the command line has it.
        files: Of the module, which has the rules.

    Raises:
        UserError: A value is not allowed; the message names its flag.
    """
    files.require("name_prefix", wanted.name_prefix, "--name-prefix")
    if wanted.architecture not in ("arm64", "x86_64"):
        raise UserError(f"--architecture {brief(wanted.architecture)}: arm64 or x86_64")
    if not wanted.functions:
        raise UserError("--function: say which functions may be tuned, such as --function 'shop-*'")
    for flag, variable, names in (
        ("--function", "tunable_function_arns", wanted.functions),
        ("--processor", "processor_function_arns", wanted.processors),
    ):
        for name in names:
            if name.startswith("arn:"):
                files.require(variable, name, flag)
            elif not _BARE.fullmatch(name):
                raise UserError(
                    f"{flag} {brief(name)}: neither a function's name (* stands for any "
                    f"characters) nor its ARN, such as {EXAMPLE}"
                )
    if wanted.functions and all(set(name) == {"*"} for name in wanted.functions):
        raise UserError(
            "--function '*': the tuner could change every function of the account; name them, or "
            "begin the pattern with what their names have in common, such as 'shop-*'"
        )
    for flag, variable, arns in (
        ("--kms-key", "kms_key_arns", wanted.kms_keys),
        ("--assumable-role", "assumable_role_arns", wanted.assumable_roles),
        ("--copy-role", "assumable_role_arns", wanted.copy_roles),
    ):
        for arn in arns:
            files.require(variable, arn, flag)
    for arn in wanted.copy_layers:
        if not re.fullmatch(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:layer:[\w*-]+:[0-9*]+", arn):
            raise UserError(f"--copy-layer {brief(arn)}: not the ARN of a layer's version")
    if (wanted.copy_layers or wanted.copies_in_vpc) and not wanted.copy_roles:
        raise UserError("--copy-layer and --copies-in-vpc: say with --copy-role what copies get")
    if wanted.payload_bucket and not _BUCKET.fullmatch(wanted.payload_bucket):
        raise UserError(f"--payload-bucket {brief(wanted.payload_bucket)}: no name of a bucket")
    if not _BUCKET_KEYS.fullmatch(wanted.payload_keys):
        raise UserError(f"--payload-keys {brief(wanted.payload_keys)}: no pattern of keys")
    if wanted.permissions_boundary and not re.fullmatch(
        r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+", wanted.permissions_boundary
    ):
        raise UserError(
            f"--permissions-boundary {brief(wanted.permissions_boundary)}: not the ARN of a policy"
        )


def render(wanted: TunerTemplate, files: ModuleFiles, code: Any) -> dict[str, Any]:
    """Return the template.

    Args:
        wanted: What `check` has passed.
        files: Of the module.
        code: `Code` of the functions: where the package is in S3, or the path of its zip, which
            `aws cloudformation package` uploads.
    """
    parts = _Parts(wanted, files)
    resources: dict[str, Any] = {}
    for name in files.functions:
        resources[f"{_logical(name)}Logs"] = parts.log_group(name)
        resources[f"{_logical(name)}Role"] = parts.role(name)
        resources[f"{_logical(name)}Function"] = parts.function(name, code)
    resources["StateMachineRole"] = parts.state_machine_role()
    resources["StateMachine"] = parts.state_machine()
    resources["EndedRule"] = parts.rule()
    resources["EndedRulePermission"] = parts.permission()
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Power tuner of Lambda Dyno. Made by `dyno tuner template`; the state "
        "machine, roles and functions are those of modules/power_tuner.",
        "Resources": resources,
        "Outputs": {
            "StateMachineArn": {
                "Description": "dyno tune --function NAME --tuner ARN",
                "Value": {"Ref": "StateMachine"},
            }
        },
    }


@dataclass(frozen=True, slots=True)
class _Parts:
    """The resources of a template, as CloudFormation spells what main.tf and iam.tf say."""

    wanted: TunerTemplate
    files: ModuleFiles

    @property
    def _name(self) -> str:
        return f"{self.wanted.name_prefix}-tuner"

    @property
    def _clean_up_arn(self) -> Any:
        return _function_arn(f"{self._name}-clean-up")

    def log_group(self, name: str) -> dict[str, Any]:
        """Return what a function logs to: one that Lambda makes by itself has no retention."""
        return _resource(
            "AWS::Logs::LogGroup",
            LogGroupName=f"/aws/lambda/{self._name}-{name}",
            RetentionInDays=self.files.defaults["log_retention_days"],
        )

    def function(self, name: str, code: Any) -> dict[str, Any]:
        """Return the function of a state."""
        size = self.files.functions[name]
        memory_mb = size.get("memory_mb", self.files.defaults["measure_memory_mb"])
        if self.wanted.copy_roles:
            memory_mb = size.get("memory_with_copies_mb", memory_mb)
        return _resource(
            "AWS::Lambda::Function",
            FunctionName=f"{self._name}-{name}",
            Role=_attribute(f"{_logical(name)}Role"),
            Runtime="python3.13",
            Handler=f"power_tuner.handlers.{name.replace('-', '_')}.handler",
            Architectures=[self.wanted.architecture],
            MemorySize=memory_mb,
            Timeout=size["timeout_seconds"],
            Code=code,
            Environment={"Variables": self._variables()},
            LoggingConfig={
                "LogFormat": "JSON",
                "LogGroup": {"Ref": f"{_logical(name)}Logs"},
            },
        )

    def _variables(self) -> dict[str, Any]:
        defaults = self.files.defaults
        return {
            "ARCHITECTURE": self.wanted.architecture,
            "CLEAN_UP_FUNCTION": self._clean_up_arn,
            "COPY_PACKAGES": "{}",
            "COPY_ROLE_ARNS": json.dumps(list(self.wanted.copy_roles), separators=(",", ":")),
            "COPY_TAGS": "{}",
            "DEFAULT_POWER_VALUES": ",".join(map(str, defaults["default_power_values"])),
            "TOTAL_TIMEOUT_SECONDS": str(defaults["total_timeout_seconds"]),
            "VISUALIZATION_URL": defaults["visualization_url"],
        }

    def role(self, name: str) -> dict[str, Any]:
        """Return the role of a state's function."""
        group = f"arn:${{AWS::Partition}}:logs:{_HOME}:log-group:/aws/lambda/{self._name}-{name}"
        log = {
            "Sid": "Log",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [{"Fn::Sub": f"{group}:*"}],  # the group's streams
        }
        return self._role(
            f"{self._name}-{name}",
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}},
            [log, *self._statements(name)],
        )

    def state_machine_role(self) -> dict[str, Any]:
        """Return the role of the state machine, which may invoke the states' functions."""
        invoke = {
            "Sid": "InvokeStates",
            "Effect": "Allow",
            "Action": ["lambda:InvokeFunction"],
            "Resource": [_attribute(f"{_logical(name)}Function") for name in self.files.functions],
        }
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "states.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        }
        return self._role(f"{self._name}-states", trust, [invoke])

    def _role(
        self, name: str, trust: Mapping[str, Any], statements: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        boundary = self.wanted.permissions_boundary
        return _resource(
            "AWS::IAM::Role",
            RoleName=name,
            AssumeRolePolicyDocument={
                "Version": _POLICY_VERSION,
                "Statement": [{"Action": "sts:AssumeRole", **trust}],
            },
            Policies=[
                {
                    "PolicyName": "own-work",
                    "PolicyDocument": {"Version": _POLICY_VERSION, "Statement": list(statements)},
                }
            ],
            **({"PermissionsBoundary": boundary} if boundary else {}),
        )

    def _statements(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield what permissions.yaml gives a function; what is of nothing is left out."""
        lists = self._resources()
        text = _PLACEHOLDER.sub(lambda found: json.dumps(lists[found[1]]), self.files.permissions)
        listed = sorted(yaml.safe_load(text), key=lambda statement: str(statement["sid"]))
        for statement in listed:
            if name not in statement["roles"] or not statement["resources"]:
                continue
            made = {
                "Sid": statement["sid"],
                "Effect": "Allow",
                "Action": statement["actions"],
                "Resource": statement["resources"],
            }
            if via := statement.get("via"):
                services = {"Fn::Sub": f"{via}.*.${{AWS::URLSuffix}}"}
                values = [f"{via}.*.amazonaws.com", services]
                made["Condition"] = {"StringLike": {"kms:ViaService": values}}
            if to := statement.get("to"):
                made["Condition"] = {"StringEquals": {"iam:PassedToService": [to]}}
            yield made

    def _resources(self) -> dict[str, list[Any]]:
        """Return what the statements are about: iam.tf has the same list."""
        wanted = self.wanted
        functions = [_function_arn(name) for name in wanted.functions]
        versions = [_function_arn(f"{name}:*") for name in wanted.functions]
        has_copies = bool(wanted.copy_roles)
        copies = f"{wanted.name_prefix}-copy-*"
        bucket, keys = wanted.payload_bucket, wanted.payload_keys
        logs = f"arn:${{AWS::Partition}}:logs:{_HOME}:log-group:/aws/lambda/{copies}"
        machine = f"arn:${{AWS::Partition}}:states:{_HOME}:execution:{self._name}:*"
        return {
            "assumable_roles": list(wanted.assumable_roles),
            "clean_up_function": [self._clean_up_arn],
            "copied_versions": versions if has_copies else [],
            "copies": [_function_arn(copies)] if has_copies else [],
            "copies_in_vpc": ["*"] if wanted.copies_in_vpc else [],
            "copy_layers": list(wanted.copy_layers),
            "copy_packages": [],
            "copy_roles": list(wanted.copy_roles),
            "executions": [{"Fn::Sub": machine}],
            "function_keys": list(wanted.kms_keys),
            "functions": functions,
            "logs_of_copies": [{"Fn::Sub": logs}] if has_copies else [],
            "payload_buckets": [_bucket_arn(bucket)] if bucket else [],
            "payload_keys": list(wanted.kms_keys) if bucket else [],
            "payload_objects": [_bucket_arn(f"{bucket}/{keys}")] if bucket else [],
            "processors": [
                _function_arn(f"{name}{end}") for name in wanted.processors for end in ("", ":*")
            ],
            "versions": versions,
            "versions_of_copies": [_function_arn(f"{copies}:*")] if has_copies else [],
        }

    def state_machine(self) -> dict[str, Any]:
        """Return the state machine; its definition's `${prepare_arn}` are substitutions here."""
        definition = parse_json(self.files.definition, "state_machine.asl.json")
        definition["TimeoutSeconds"] = self.files.defaults["total_timeout_seconds"]
        return _resource(
            "AWS::StepFunctions::StateMachine",
            StateMachineName=self._name,
            RoleArn=_attribute("StateMachineRole"),
            Definition=definition,
            DefinitionSubstitutions={
                f"{name.replace('-', '_')}_arn": _attribute(f"{_logical(name)}Function")
                for name in self.files.functions
            },
        )

    def rule(self) -> dict[str, Any]:
        """Return what starts the clean-up after executions that could not do it themselves."""
        return _resource(
            "AWS::Events::Rule",
            Name=f"{self._name}-ended",
            Description="Starts the clean-up after power tunings that were stopped, timed out or "
            "failed.",
            EventPattern={
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {
                    "stateMachineArn": [{"Ref": "StateMachine"}],
                    "status": ["ABORTED", "FAILED", "TIMED_OUT"],
                },
            },
            Targets=[
                {
                    "Id": "clean-up",
                    "Arn": _attribute("CleanUpFunction"),
                    "InputTransformer": {
                        "InputPathsMap": {"execution": "$.detail.executionArn"},
                        "InputTemplate": '{"detail": {"executionArn": <execution>}}',
                    },
                }
            ],
        )

    def permission(self) -> dict[str, Any]:
        """Return what lets the rule invoke the clean-up."""
        return _resource(
            "AWS::Lambda::Permission",
            Action="lambda:InvokeFunction",
            FunctionName={"Ref": "CleanUpFunction"},
            Principal="events.amazonaws.com",
            SourceArn=_attribute("EndedRule"),
        )


def _resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def _logical(name: str) -> str:
    """Return a function's name as logical ids have it: CleanUp."""
    return "".join(part.capitalize() for part in name.split("-"))


def _attribute(logical_id: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [logical_id, "Arn"]}


def _function_arn(name: str) -> Any:
    """Return the ARN of a function by its name, in the stack's account; an ARN stays as it is."""
    if name.startswith("arn:"):
        return name
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:lambda:{_HOME}:function:{name}"}


def _bucket_arn(name: str) -> dict[str, str]:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{name}"}
