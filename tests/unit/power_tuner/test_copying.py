"""Temporary copies: what is taken over, what is refused, and that nothing of one is ever left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from lambda_dyno.tuner_contract.arns import FunctionArn
from lambda_dyno.tuner_contract.marks import copied_for, copy_mark, copy_name, copy_names
from power_tuner import copying
from power_tuner.errors import AwsCallFailed, CleanUpFailed, NotTunable, TunerError, without
from power_tuner.function import Deadline
from power_tuner.handlers import clean_up, prepare
from tests.support.tuner_fakes import ARN, EXECUTIONS, FakeLambda, error

EXECUTION = f"{EXECUTIONS}:first"
ROLE = "arn:aws:iam::123456789012:role/shop"
PACKAGE = b"the package of version 3"
VALUE = "of-nobodys-business"
VERSION: dict[str, Any] = {
    "FunctionArn": f"{ARN}:3",
    "FunctionName": "shop",
    "Version": "3",
    "Description": "what it was",
    "Runtime": "python3.13",
    "Role": ROLE,
    "Handler": "app.handler",
    "CodeSha256": copying.sha256(PACKAGE),
    "CodeSize": len(PACKAGE),
    "Timeout": 9,
    "MemorySize": 768,
    "PackageType": "Zip",
    "Architectures": ["arm64"],
    "State": "Active",
    "LastUpdateStatus": "Successful",
    "Environment": {"Variables": {"TOKEN": VALUE}},
    "KMSKeyArn": "",
    "Layers": [{"Arn": "arn:aws:lambda:eu-west-1:123456789012:layer:libs:7", "CodeSize": 8}],
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "VpcId": "vpc-1"},
    "TracingConfig": {"Mode": "Active"},
    "EphemeralStorage": {"Size": 1024},
    "SnapStart": {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"},
    "LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "INFO", "LogGroup": "/of/the/shop"},
    "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:eu-west-1:123456789012:late"},
    "RuntimeVersionConfig": {"RuntimeVersionArn": "arn:aws:lambda:eu-west-1::runtime:old"},
}
ADDRESS = "https://awslambda-eu-west-1-tasks.s3.eu-west-1.amazonaws.com/shop?X-Amz-Signature=5ec"


class Context:
    """Lambda's."""

    memory_limit_in_mb = 512

    def get_remaining_time_in_millis(self) -> int:
        return 600_000


class Copying:
    """An account with one function, which may be copied, behind the handlers of the tuner.

    Attributes:
        made, deleted: The calls of Prepare and of CleanUp on copies, and those on the original.
        stop_at: Number of the call of Prepare before which the execution is stopped, and the rule
            cleans up.
        refuse: What CreateFunction is refused with.
    """

    def __init__(self, **config: Any) -> None:
        self.original = {**VERSION, **config}
        self.copies: dict[str, FakeLambda] = {}
        self.groups: set[str] = set()
        self.tags: Mapping[str, str] = {}
        self.wanted: dict[str, Any] = {}
        self.made: list[str] = []
        self.deleted: list[str] = []
        self.calls = 0
        self.stop_at = 0
        self.status = "RUNNING"
        self.refuse: ClientError | None = None
        self.cleaning = False
        self.package = PACKAGE
        self.raw = {"lambdaARN": f"{ARN}:3", "num": 5, "powerValues": [128, 512]}

    # what the tuner calls

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(FunctionName: str, **arguments: Any) -> Any:  # noqa: N803
            operation = "".join(part.title() for part in name.split("_"))
            self._enter(operation)
            copy = self._copy(FunctionName)
            if copy is None:
                raise error("ResourceNotFoundException", operation)
            suffix = FunctionName.removeprefix(self._arn_of(FunctionName))
            return getattr(copy, name)(FunctionName=ARN + suffix, **arguments)

        return call

    def get_function(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        self._enter("GetFunction")
        assert FunctionName == f"{ARN}:3"
        return {"Configuration": self.original, "Code": {"Location": ADDRESS}, "Concurrency": {}}

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        self._enter("GetFunctionConfiguration")
        copy = self._copy(FunctionName)
        if copy is None:
            raise error("ResourceNotFoundException", "GetFunctionConfiguration")
        suffix = FunctionName.removeprefix(self._arn_of(FunctionName))
        return copy.get_function_configuration(FunctionName=ARN + suffix)

    def create_function(
        self,
        FunctionName: str,  # noqa: N803
        Code: dict[str, Any],  # noqa: N803
        Tags: Mapping[str, str],  # noqa: N803
        **config: Any,
    ) -> None:
        self._enter("CreateFunction")
        if self.refuse is not None:
            raise self.refuse
        self.wanted, self.tags = {**config, "Code": Code}, Tags
        made = FakeLambda()
        layers = [{"Arn": arn, "CodeSize": 8} for arn in config.pop("Layers", [])]
        made.latest |= config | {"CodeSha256": copying.sha256(Code["ZipFile"]), "Layers": layers}
        made.latest["VpcConfig"] = {**config["VpcConfig"], "VpcId": "vpc-1"}
        self.copies[FunctionName] = made
        self.groups.add(f"/aws/lambda/{FunctionName}")

    def delete_function(self, FunctionName: str) -> None:  # noqa: N803
        self._enter("DeleteFunction")
        name = FunctionName.split(":")[6]
        assert len(FunctionName.split(":")) == 7
        if self.copies.pop(name, None) is None:
            raise error("ResourceNotFoundException", "DeleteFunction")

    def delete_log_group(self, logGroupName: str) -> None:  # noqa: N803
        if logGroupName not in self.groups:
            raise error("ResourceNotFoundException", "DeleteLogGroup")
        self.groups.remove(logGroupName)

    def describe_execution(self, executionArn: str) -> dict[str, str]:  # noqa: N803
        assert executionArn == EXECUTION
        return {"status": self.status, "input": json.dumps(self.raw)}

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803
        assert json.loads(Payload) == {"detail": {"executionArn": EXECUTION}}
        self._clean_up()
        return {}

    # what tests do

    def prepare(self, **event: Any) -> dict[str, Any]:
        with self._connected():
            return prepare.handler({"input": self.raw, "execution": EXECUTION, **event}, Context())

    def tune(self) -> dict[str, Any]:
        state = self.prepare()
        state["output"] = {"stateMachine": {}}
        event = {"input": self.raw, "execution": EXECUTION, "state": state}
        self.cleaning = True
        with self._connected():
            return clean_up.handler(event, Context())

    def stop(self) -> None:
        self.status, self.stop_at = "ABORTED", 0
        self._clean_up()

    def _clean_up(self) -> None:
        before, self.cleaning = self.cleaning, True
        with self._connected():
            clean_up.handler({"detail": {"executionArn": EXECUTION}}, Context())
        self.cleaning = before

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Put this account behind the handlers, without any wait."""
        settings = replace(prepare.SETTINGS, copy_role_arns=(ROLE,), copy_tags={"dyno:run": "r"})
        with (
            patch.object(prepare, "client", lambda *_: self),
            patch.object(clean_up, "client", lambda *_: self),
            patch.object(prepare, "clean_up_after", lambda _: lambda _arn: self._clean_up()),
            patch.object(prepare, "SETTINGS", settings),
            patch.object(prepare, "Deadline", lambda at: Deadline(at, sleep=lambda _: None)),
            patch.object(copying, "_download", lambda _: self.package),
            patch.object(copying, "_LATE_LOGS_S", 0),
        ):
            yield

    def _enter(self, operation: str) -> None:
        (self.deleted if self.cleaning else self.made).append(operation)
        self.calls += not self.cleaning
        if self.stop_at and self.calls == self.stop_at:
            self.stop()

    def _copy(self, arn: str) -> FakeLambda | None:
        return self.copies.get(arn.split(":")[6])

    @staticmethod
    def _arn_of(arn: str) -> str:
        return ":".join(arn.split(":")[:7])


def left(world: Copying) -> list[str]:
    return [*world.copies, *world.groups]


def test_a_copy_is_the_same_but_for_what_is_its_own() -> None:
    """Everything that changes how it works; no trigger, no log group of the function's."""
    world = Copying()
    state = world.prepare()
    assert world.wanted == {
        "Architectures": ["arm64"],
        "Code": {"ZipFile": PACKAGE},
        "Description": copy_mark(EXECUTION),
        "Environment": {"Variables": {"TOKEN": VALUE}},
        "EphemeralStorage": {"Size": 1024},
        "Handler": "app.handler",
        "Layers": ["arn:aws:lambda:eu-west-1:123456789012:layer:libs:7"],
        "LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "INFO"},
        "MemorySize": 768,
        "PackageType": "Zip",
        "Role": ROLE,
        "Runtime": "python3.13",
        "SnapStart": {"ApplyOn": "PublishedVersions"},
        "Timeout": 9,
        "TracingConfig": {"Mode": "Active"},
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    }
    assert world.tags == {"dyno:run": "r"}
    assert [*world.copies] == [copy_name(EXECUTION, "arm64")]
    assert state["copy"] == ARN.replace(":shop", f":{copy_name(EXECUTION, 'arm64')}")
    assert state["originalPower"] == 768
    assert state["architecture"] == "arm64"
    assert VALUE not in json.dumps(state)


def test_a_tuning_leaves_nothing_of_its_copy() -> None:
    """Neither function nor log group."""
    world = Copying()
    world.tune()
    assert left(world) == []


CALLS = len([None for world in [Copying()] for _ in [world.prepare()] for _ in world.made])


@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_stopped_at_any_call(number: int) -> None:
    """The rule's clean-up comes before the call, and what is made after it goes as well."""
    world = Copying()
    world.stop_at = number
    with pytest.raises((TunerError, ClientError)):
        world.prepare()
    assert world.status == "ABORTED"
    assert left(world) == []


@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_another_attempt_goes_on_with_the_copy(number: int) -> None:
    """A state that is killed anywhere finds what it has made."""
    world = Copying()

    def killed(_operation: str) -> None:
        world.calls += 1
        if world.calls == number:
            raise RuntimeError("killed")

    with patch.object(world, "_enter", killed), pytest.raises(RuntimeError):
        world.prepare()
    world.raw["powerValues"] = [128, 512]
    state = world.prepare(retries=1)
    assert [power["versions"] != [] for power in state["powers"]] == [True, True]
    assert len(world.copies) == 1
    world.stop()
    assert left(world) == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"SigningJobArn": "arn:aws:signer:eu-west-1:1:job"}, "would not be signed"),
        ({"CapacityProviderConfig": {"a": 1}}, "Managed Instances"),
        ({"TenancyConfig": {"a": 1}}, "isolates its tenants"),
        ({"DurableConfig": {"a": 1}}, "durable"),
        ({"PackageType": "Wasm"}, "PackageType Wasm is not known"),
        ({"CodeSize": 60_000_000}, "has 60 MB, and Lambda takes 52 MB"),
        (
            {"Role": "arn:aws:iam::123456789012:role/other"},
            "may not give a copy the function's role",
        ),
        (
            {"Environment": {"Error": {"ErrorCode": "AccessDeniedException"}}},
            "environment variables cannot be read (AccessDeniedException)",
        ),
        ({"CodeSha256": "another"}, "not the one that its CodeSha256 names"),
    ],
)
def test_what_cannot_be_copied_is_refused_first(config: dict[str, Any], words: str) -> None:
    """Before anything is created, and with the reason."""
    world = Copying(**config)
    with pytest.raises(NotTunable) as caught:
        world.prepare()
    assert words in str(caught.value)
    assert "CreateFunction" not in world.made
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        ("AccessDeniedException", f"not authorized to perform: iam:PassRole on {ROLE}", ROLE),
        (
            "AccessDeniedException",
            "not authorized: lambda:GetLayerVersion",
            "the function's layers",
        ),
        ("AccessDeniedException", "not authorized: ec2:DescribeSubnets", "in_vpc must be true"),
        ("AccessDeniedException", "not authorized: lambda:CreateFunction", "variable copies"),
        ("InvalidParameterValueException", f"Value {VALUE} is no good", "Value [...] is no good"),
        ("CodeStorageExceededException", "Code storage limit exceeded", "Code storage limit"),
    ],
)
def test_a_refused_copy_says_what_to_do(code: str, message: str, words: str) -> None:
    """And no environment variable."""
    world = Copying()
    world.refuse = error(code, "CreateFunction", message)
    with pytest.raises(NotTunable) as caught:
        world.prepare()
    assert words in str(caught.value)
    assert VALUE not in str(caught.value)
    assert left(world) == []


def test_a_copy_that_is_not_the_same_is_not_measured() -> None:
    """Whatever made it another; a newer runtime is said."""
    same = {key: value for key, value in VERSION.items() if key != "DeadLetterConfig"}
    assert copying.check_same(VERSION, {**same, "Description": "a copy", "MemorySize": 128}) == []
    with pytest.raises(AwsCallFailed, match="Environment, Timeout differ"):
        copying.check_same(VERSION, {**same, "Timeout": 3, "Environment": {}})
    newer = {"RuntimeVersionConfig": {"RuntimeVersionArn": "arn:aws:lambda:eu-west-1::runtime:new"}}
    (words,) = copying.check_same(VERSION, {**same, **newer})
    assert "newer version of the runtime" in words


def test_an_image_is_copied_by_its_digest() -> None:
    """What it is called now may be another image tomorrow."""
    code = {"ImageUri": "1.dkr.ecr/shop:latest", "ResolvedImageUri": "1.dkr.ecr/shop@sha256:5ec"}
    image = {**VERSION, "PackageType": "Image", "Runtime": None, "Handler": None, "Layers": []}
    image["ImageConfigResponse"] = {"ImageConfig": {"Command": ["app.handler"]}}
    assert copying.code_of({"Configuration": image, "Code": code}, b"") == {
        "ImageUri": "1.dkr.ecr/shop@sha256:5ec"
    }
    wanted = copying.as_request(image)
    assert wanted["ImageConfig"] == {"Command": ["app.handler"]}
    assert not {"Handler", "Layers", "Runtime"} & wanted.keys()


@pytest.mark.parametrize("address", ["", "file:///etc/passwd", "http://example.com/package.zip"])
def test_a_package_is_read_from_lambda_s_own_address_only(address: str) -> None:
    """By TLS, or from the embedded AWS on this machine."""
    with pytest.raises(NotTunable, match="no address of its package"):
        copying._download(address)


def test_what_cannot_be_deleted_is_said() -> None:
    """The state machine tries again, and so does the rule."""
    world = Copying()
    world.prepare()
    denied = error("AccessDeniedException", "DeleteFunction", "lambda:DeleteFunction is denied")
    copier = copying.Copier(world, EXECUTION, FunctionArn.parse(ARN))
    with (
        patch.object(Copying, "delete_function", side_effect=denied),
        pytest.raises(CleanUpFailed, match="lambda:DeleteFunction is denied"),
    ):
        copier.remove(world, sleep=lambda _: None)


def test_a_copy_is_known_by_name_and_description_together() -> None:
    """A name that does not follow from the execution is somebody's own function."""
    for name in copy_names(EXECUTION):
        assert name.startswith("dyno-copy-")
        assert copied_for(name, copy_mark(EXECUTION)) == EXECUTION
        assert copied_for(name, copy_mark(f"{EXECUTIONS}:second")) == ""
        assert copied_for(f"{name}x", copy_mark(EXECUTION)) == ""
        assert copied_for(name, "") == ""
    longest = f"{EXECUTION.rpartition(':')[0].replace('dyno', 'd' * 40)}:{'x' * 80}"
    assert len(copy_names(longest)[0]) <= 64
    assert len(copy_mark(longest)) <= 256


def test_the_longer_secret_goes_first() -> None:
    """One that is part of another would leave the rest of it."""
    assert without("no: token-2024", ["token", "token-2024"]) == "no: [...]"
    assert without("a cat", ["a", "cat"]) == "a cat", "too short to be one"
