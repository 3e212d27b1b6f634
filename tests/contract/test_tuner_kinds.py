"""Which functions can be tuned: the command line and the state machine have one opinion."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_dyno.tuner_contract import kinds
from power_tuner.errors import NotTunable
from tests.unit.power_tuner.test_traces import World

pytestmark = pytest.mark.contract

SNAP_START = {"ApplyOn": "PublishedVersions"}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "managed-instances": (
        {"CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": {}}},
        "Lambda Managed Instances",
    ),
    "tenants": ({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}, "tenant id"),
    "durable": ({"DurableConfig": {"ExecutionTimeout": 60}}, "durable function"),
    "no-reports": ({"LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN"}}, "INFO"),
    "edge": ({"MasterArn": "arn:main"}, "tune arn:main"),
    **{
        state: ({"State": state, "StateReason": "so it is"}, f"State is {state} (so it is)")
        for state in (
            "ActiveNonInvocable", "Deactivated", "Deactivating", "Deleting", "Failed", "New",
        )
    },
}  # fmt: skip

ALLOWED: dict[str, dict[str, Any]] = {
    "old": {"State": None, "LastUpdateStatus": None, "LoggingConfig": None},
    "pending": {"State": "Pending", "LastUpdateStatus": "InProgress"},
    "inactive": {"State": "Inactive"},
    "empty": {"CapacityProviderConfig": {}, "TenancyConfig": None, "DurableConfig": None},
    "json": {"LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "INFO"}},
    "text": {"LoggingConfig": {"LogFormat": "Text", "SystemLogLevel": "WARN"}},
    "application-warn": {"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}},
    "image": {"PackageType": "Image"},
    "java": {"Runtime": "java21", "SnapStart": SNAP_START},
    "snap-start-off": {"Runtime": "python3.13", "SnapStart": {"ApplyOn": "None"}},
}

WARNED: dict[str, tuple[dict[str, Any], str]] = {
    "snap-start": ({"Runtime": "python3.13", "SnapStart": SNAP_START}, "for each restore"),
    "snap-start-image": ({"SnapStart": SNAP_START}, "for keeping a snapshot"),
    "package": ({"PackageType": "Wasm"}, "PackageType Wasm is not known"),
}


@pytest.mark.parametrize(("config", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_tuned_is_refused_first(config: dict[str, Any], why: str) -> None:
    """By the state machine too: before it changes anything, with the reason."""
    assert why in kinds.why_not(config)
    world = World()
    world.api.latest |= config
    before = world.api.picture()
    with pytest.raises(NotTunable) as caught:
        world.prepare()
    assert why in str(caught.value)
    assert (world.api.picture(), world.api.calls) == (before, ["GetFunction"])


@pytest.mark.parametrize("config", ALLOWED.values(), ids=ALLOWED.keys())
def test_all_else_can_be_tuned(config: dict[str, Any]) -> None:
    """Without a word."""
    assert kinds.why_not(config) == ""
    assert kinds.warnings(config) == []


@pytest.mark.parametrize(("mode", "streams"), [("RESPONSE_STREAM", True), ("buffered", False)])
def test_the_web_adapter_says_whether_answers_are_streamed(mode: str, streams: bool) -> None:
    """Unless the input does."""
    world = World()
    world.api.latest["Environment"] = {"Variables": {"AWS_LWA_INVOKE_MODE": mode}}
    assert world.prepare().streams is streams
    assert World().prepare(invokeMode="response_stream").streams


@pytest.mark.parametrize(("config", "words"), WARNED.values(), ids=WARNED.keys())
def test_what_the_figures_leave_out_is_said(config: dict[str, Any], words: str) -> None:
    """In the state machine's output as well."""
    assert kinds.why_not(config) == ""
    world = World()
    world.api.latest |= config
    [warning] = world.prepare().warnings
    assert words in warning
    assert kinds.warnings(config) == [warning]
