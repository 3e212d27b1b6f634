"""Waiting for a function: until when, and what ends the wait."""

from __future__ import annotations

import codecs
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_dyno.tuner_contract.arns import FunctionArn
from power_tuner.errors import (
    AwsCallFailed,
    FunctionChanged,
    FunctionNotReady,
    PayloadNotRead,
    StillWaiting,
)
from power_tuner.function import Deadline, Function, check_unchanged
from power_tuner.sources import fetch
from tests.support.tuner_fakes import ARN, FakeLambda, FakeS3, error


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def function(left_s: float = 880, **config: Any) -> tuple[Function, FakeLambda, Clock]:
    api, clock = FakeLambda(), Clock()
    api.latest |= config
    deadline = Deadline(left_s, clock, clock.sleep)
    return Function(api, FunctionArn.parse(ARN), deadline), api, clock


@pytest.mark.parametrize(
    "config",
    [
        {"State": "Active", "LastUpdateStatus": "Successful"},
        {"State": "Inactive", "LastUpdateStatus": "Successful"},
        {"State": None, "LastUpdateStatus": None},
    ],
)
def test_ready_at_once(config: dict[str, Any]) -> None:
    """A function that can be updated is not waited for; old ones have no state at all."""
    ready, api, clock = function(**config)
    assert ready.ready()["MemorySize"] == 512
    assert len(api.calls) == 1
    assert clock.now == 0


def test_ready_after_an_update() -> None:
    """An update in progress is waited for."""
    ready, api, clock = function(LastUpdateStatus="InProgress")
    ready.ready()
    assert len(api.calls) == 2
    assert clock.now > 0


@pytest.mark.parametrize(
    "config",
    [
        {"State": "Failed", "StateReason": "no such subnet"},
        {"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "no such subnet"},
    ],
)
def test_failed(config: dict[str, Any]) -> None:
    """A function whose update failed ends the wait with Lambda's reason."""
    ready, _, _ = function(**config)
    with pytest.raises(FunctionNotReady, match="no such subnet"):
        ready.ready()


def test_never_ready() -> None:
    """A function that stays Pending is given up after ten minutes."""
    ready, _, clock = function(State="Pending")
    with pytest.raises(FunctionNotReady, match="still Pending"):
        ready.ready()
    assert 600 < clock.now < 620


def test_no_time_left() -> None:
    """A wait that the tuner's own function has no time for is left to a retry."""
    ready, _, clock = function(left_s=5, State="Pending")
    with pytest.raises(StillWaiting):
        ready.ready()
    assert clock.now <= 5


def test_update_in_the_way() -> None:
    """Somebody's update that is being applied is waited for; ours is refused if it changed."""
    ready, api, _ = function()
    config = ready.configuration()
    refusals = iter([error("ResourceConflictException", "UpdateFunctionConfiguration")] * 2)

    def refuse_twice(_number: int, name: str) -> None:
        if name == "UpdateFunctionConfiguration":
            for refusal in refusals:
                raise refusal

    api.before_call = refuse_twice
    assert ready.set_memory(1024, config)["MemorySize"] == 1024
    assert api.calls.count("UpdateFunctionConfiguration") == 3
    with pytest.raises(FunctionChanged):
        ready.set_memory(2048, config)  # the RevisionId of before


def test_only_memory_may_change() -> None:
    """What differs besides the memory size and what Lambda itself notes is named."""
    before = {"MemorySize": 128, "Timeout": 3, "RevisionId": "a", "ConfigSha256": "c"}
    after = {"MemorySize": 256, "Timeout": 9, "RevisionId": "b", "Layers": []}
    lambdas_own = {"RevisionId": "b", "ConfigSha256": "d", "State": "Pending", "SomethingNew": 1}
    check_unchanged(before, before | {"MemorySize": 256} | lambdas_own)
    with pytest.raises(FunctionChanged, match="Layers, Timeout"):
        check_unchanged(before, after)
    snapshot = {"SnapStart": {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}}
    check_unchanged(snapshot, {"SnapStart": {**snapshot["SnapStart"], "OptimizationStatus": "Off"}})
    with pytest.raises(FunctionChanged, match="Environment"):
        check_unchanged({"Environment": {"Variables": {"A": "1"}}}, {"Environment": {}})


def test_a_function_cannot_be_deleted() -> None:
    """Only a version can be deleted, never the function by a missing number."""
    deletes, api, _ = function()
    for number in ("", "$LATEST", "live"):
        with pytest.raises(ValueError, match="not the number of a version"):
            deletes.delete_version(number)
    assert not api.calls


# --- payloads in S3 -----------------------------------------------------------------------


def test_object_is_read() -> None:
    """An object's text is returned as it is."""
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert fetch(FakeS3('{"é": 1}'.encode(encoding)), "s3://bucket/key") == '{"é": 1}'
    for mark, encoding in ((codecs.BOM_UTF16_BE, "utf-16-be"), (codecs.BOM_UTF32_BE, "utf-32-be")):
        assert fetch(FakeS3(mark + "é".encode(encoding)), "s3://bucket/key") == "é"


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("AccessDenied", 403, "payload_bucket"),
        ("NoSuchKey", 404, "s3://bucket/key does not exist"),
        ("NoSuchBucket", 404, "s3://bucket/key does not exist"),
        ("SlowDown", 503, "Unknown error when trying to read s3://bucket/key"),
    ],
)
def test_object_is_not_read(code: str, status: int, words: str) -> None:
    """Missing permission, missing object and anything else are told apart."""
    with pytest.raises(PayloadNotRead, match=words):
        fetch(FakeS3(code=code, status=status), "s3://bucket/key")


@pytest.mark.parametrize(
    ("code", "message", "concerns"),
    [
        ("AccessDenied", "not authorized to perform: kms:Decrypt on the resource", True),
        ("KMS.DisabledException", "key is disabled", True),
        ("KMSAccessDeniedException", "no", True),
        ("InvalidParameterValueException", "the KMS key is invalid for CreateGrant", True),
        ("AccessDenied", "not authorized to perform: s3:GetObject on arn:aws:s3:::kms/k", False),
        ("AccessDenied", "assumed-role/KMS-Admin is not authorized to perform: x:Y", False),
    ],
)
def test_refusals_of_a_key(code: str, message: str, concerns: bool) -> None:
    """The key is named as the reason, with what to set, and never for another refusal."""
    s3 = FakeS3(code=code, status=403, message=message)
    with pytest.raises(PayloadNotRead, match="kms_key_arns" if concerns else "payload_bucket"):
        fetch(s3, "s3://bucket/key")
    tuned, api, _ = function()
    api.refused[1024] = error(code, "UpdateFunctionConfiguration", message)
    with pytest.raises(AwsCallFailed if concerns else ClientError, match=code[:3]) as caught:
        tuned.set_memory(1024, tuned.configuration())
    assert ("kms_key_arns" in str(caught.value)) is concerns


def test_object_that_is_too_large() -> None:
    """An object beyond what Lambda takes is refused before it is read."""
    with pytest.raises(PayloadNotRead, match="has 9000000 bytes"):
        fetch(FakeS3(b" " * 9_000_000), "s3://bucket/key")


def test_object_that_is_no_text() -> None:
    """An object that is not UTF-8 is refused."""
    with pytest.raises(PayloadNotRead, match="cannot be read"):
        fetch(FakeS3(b"\xff"), "s3://bucket/key")
