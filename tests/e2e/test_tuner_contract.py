"""The power tuner's contract on the embedded AWS, row by row: inputs, payloads, functions."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tuner_stack import Execution, TunerStack
from tests.support.waiting import RUN_HANGS_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import DeployFunction

pytestmark = pytest.mark.e2e

FAST = "def handler(event, context):\n    return event\n"

WANTS_TEXT = """
def handler(event, context):
    assert event == "plain text, no JSON: é 値", event
"""

FAILS = """
def handler(event, context):
    raise ValueError("no good: " + str(event))
"""

# All that can stand in the way of finding REPORT in the last 4 KB of a log.
AWKWARD = """
import json, sys

def handler(event, context):
    assert len(event["ключ"]) == 60_000 and event["smile"] == "\\U0001F600"
    print("x" * 10_000)
    for request_id in ("fake", context.aws_request_id):
        fields = f"RequestId: {request_id}\\tDuration: 99999.00 ms\\tBilled Duration: 99999 ms"
        print(f"REPORT {fields}\\tInit Duration: 99999.00 ms", file=sys.stderr)
        metrics = {"durationMs": 99999, "billedDurationMs": 99999}
        record = {"requestId": request_id, "metrics": metrics}
        print(json.dumps({"type": "platform.report", "record": record}), file=sys.stderr)
    return "y" * 1_000_000
"""

# pragma: allowlist nextline secret: it must not show up
SECRET = "4711-secret"
MADE = "0815-made"
MAKES = f"""
def handler(event, context):
    return {{"made": "{MADE}", "of": event}}
"""


@pytest.fixture(scope="module")
def target(tuner_stack: TunerStack, deploy_function: DeployFunction) -> Callable[..., str]:
    """A function that deploys a function once and returns its name."""
    deployed: set[str] = set()

    def make(name: str, source: str, **config: Any) -> str:
        if name not in deployed:
            deploy_function(tuner_stack.session, name, source, **config)
            deployed.add(name)
        return name

    return make


@pytest.mark.slow
def test_values_as_they_come(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """Numeric strings, duplicates, no order, values to be clamped, unknown keys, a plain text."""
    done = tuner_stack.tune(
        target("target-text", WANTS_TEXT),
        powerValues=["256", 128, "256", " 128 "],
        num="6",
        payload="plain text, no JSON: é 値",
        strategy="balanced",
        balancedWeight=7,  # 1: all cost
        discardTopBottom=0.9,  # 0.4: int(6 × 0.4) = 2 off each end
        sleepBetweenRunsMs="soon",
        color="blue",
    )
    assert done.status == "SUCCEEDED", done
    output = done.output
    assert [(d["power"], d["count"], d["errors"]) for d in output["details"]] == [
        (128, 6, 0),
        (256, 6, 0),
    ]
    cheapest = min(output["details"], key=lambda detail: detail["cost"])
    assert output["power"] == cheapest["power"]
    for detail in output["details"]:
        middle = sorted(detail["durations"])[2:4]
        assert detail["duration"]["trimmedMean"] == pytest.approx(sum(middle) / 2)
    assert output["warnings"] == [
        "color: not a key of the input, ignored",
        "sleepBetweenRunsMs: 'soon' is not a number, taken as 0",
    ]


ECHOES = """
import json

def handler(event, context):
    print("sent: " + json.dumps(event))
"""


@pytest.mark.slow
def test_payloads_are_shared_out(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """Weights are relative, the last one fills up; text that is JSON is sent as what it says.

    A list without weights is a payload itself.
    """
    function, started = target("target-echoes", ECHOES), int(time.time() * 1000)
    payloads = ['{"a": 1}', "no JSON", [{"weight": 0, "payload": 1}]]
    weighted = [{"weight": w, "payload": p} for w, p in zip((30, 10, 35), payloads, strict=True)]
    done = tuner_stack.tune(function, powerValues=[256], num=8, payload=weighted)
    assert done.status == "SUCCEEDED", done
    got = Counter(
        text.removeprefix("sent: ").strip()
        for text in logged(tuner_stack, started, f"/aws/lambda/{function}")
        if text.startswith("sent: ")
    )
    # 8 x 30 / 75 = 3.2, 8 x 10 / 75 = 1.07, the rest
    assert got == {'{"a": 1}': 3, '"no JSON"': 1, '[{"weight": 0, "payload": 1}]': 4}


@pytest.mark.parametrize("qualifier", ["25", "live"])
def test_qualified_function(
    tuner_stack: TunerStack, target: Callable[..., str], qualifier: str
) -> None:
    """A version or an alias that is not there, or is to be measured as it is, is refused."""
    name = target("target-fast", FAST)
    arn = f"{tuner_stack.function_arn(name)}:{qualifier}"
    done = tuner_stack.tune(name, lambdaARN=arn)
    assert (done.status, done.error) == ("FAILED", "NotTunable")
    assert done.cause == f"lambdaARN: there is no function {arn}"
    done = tuner_stack.tune(name, lambdaARN=arn, isolation="alias")
    assert (done.status, done.error) == ("FAILED", "InvalidInput")
    assert "isolation clone measures a copy of it" in done.cause


def test_kinds_that_cannot_be_tuned(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """A state machine that is started directly says so as well; $LATEST is the function itself."""
    name = target("target-fast", FAST)
    done = tuner_stack.tune(f"{name}:$LATEST", powerValues=[256], dryRun=True)
    assert (done.status, done.output["lambdaARN"]) == ("SUCCEEDED", tuner_stack.function_arn(name))
    quiet = target(
        "target-quiet", FAST, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "WARN"}
    )
    done = tuner_stack.tune(quiet)
    assert (done.status, done.error) == ("FAILED", "NotTunable")
    assert "at the system log level WARN" in done.cause


@pytest.mark.slow
def test_payloads_in_s3_that_cannot_be_read(
    tuner_stack: TunerStack, target: Callable[..., str]
) -> None:
    """A malformed address, a foreign bucket and a missing object have errors of their own."""
    account = tuner_stack.session.account_id
    own, other = f"payloads-{account}", f"others-{account}"
    s3 = tuner_stack.session.client("s3")
    for bucket in (own, other):
        s3.create_bucket(Bucket=bucket)
    try:
        causes = [
            tuner_stack.tune(target("target-fast", FAST), payloadS3=uri).cause
            for uri in (f"{own}/a.json", f"s3://{other}/a.json", f"s3://{own}/none.json")
        ]
    finally:
        for bucket in (own, other):
            s3.delete_bucket(Bucket=bucket)
    malformed, forbidden, missing = causes
    assert "Invalid S3 path" in malformed
    assert "Permission denied" in forbidden and "payload_bucket" in forbidden
    assert missing == f"payloadS3: s3://{own}/none.json does not exist"


@pytest.mark.parametrize("key", ["preProcessorARN", "postProcessorARN"])
def test_processor_that_fails(
    tuner_stack: TunerStack, target: Callable[..., str], key: str
) -> None:
    """A processor that fails fails the run, with its name and words, and leaves nothing."""
    function, processor = target("target-fast", FAST), target("processor-fails", FAILS)
    before = tuner_stack.snapshot(function)
    arn = tuner_stack.function_arn(processor)
    done = tuner_stack.tune(function, powerValues=[128], payload="order 7", **{key: arn})
    assert (done.status, done.error) == ("FAILED", "ProcessorFailed")
    assert done.cause.startswith(f"{key}: {arn} failed")
    assert "no good: order 7" in done.cause
    assert tuner_stack.snapshot(function) == before


def test_failures_may_be_forbidden(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """With allowFailures false the first failure of the function fails the run."""
    function = target("target-fails", FAILS)
    weighted = [{"weight": 1, "payload": "order 1"}, {"weight": 4, "payload": "order 2"}]
    done = tuner_stack.tune(function, powerValues=[128], payload=weighted, allowFailures=False)
    assert (done.status, done.error) == ("FAILED", "InvocationFailed")
    assert "power value 128 MB, payload 0" in done.cause
    assert "no good: order 1" in done.cause


@pytest.mark.parametrize("failing", ["function", "pre-processor"])
def test_payloads_stay_secret(
    tuner_stack: TunerStack, target: Callable[..., str], failing: str
) -> None:
    """With disablePayloadLogs no payload is in a log, an error, or an output of any state."""
    makes = target("processor-makes", MAKES)
    fails = target("target-fails", FAILS), target("processor-fails", FAILS)
    pre = makes if failing == "function" else fails[1]
    started = int(time.time() * 1000)
    done = tuner_stack.tune(
        fails[0],
        powerValues=[128],
        payload={"pin": SECRET},
        preProcessorARN=tuner_stack.function_arn(pre),
        disablePayloadLogs=True,
    )
    assert done.status == "FAILED"
    assert "ValueError" in done.cause or "Runtime.HandlerError" in done.cause
    texts = [*logged(tuner_stack, started, "/aws/lambda/dyno-tuner"), *put_out(tuner_stack, done)]
    assert texts
    assert [text for text in texts if SECRET in text or MADE in text] == []


def logged(stack: TunerStack, since_ms: int, prefix: str) -> list[str]:
    """Return what functions have logged to groups whose names begin so."""
    logs = stack.session.client("logs")
    return [
        event["message"]
        for group in logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
        for event in logs.filter_log_events(logGroupName=group["logGroupName"], startTime=since_ms)[
            "events"
        ]
    ]


def put_out(stack: TunerStack, done: Execution) -> list[str]:
    """Return what an execution's history has beside the inputs, in which the payload must be."""
    pages = stack.session.client("stepfunctions").get_paginator("get_execution_history")
    return [
        json.dumps({k: v for k, v in details.items() if k not in ("input", "parameters")})
        for page in pages.paginate(executionArn=done.arn)
        for event in page["events"]
        for details in event.values()
        if isinstance(details, dict)
    ]


@pytest.mark.slow
def test_awkward_function(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """A name of 64 characters, a payload of 200 KB beyond ASCII, a long log that tells lies."""
    function = target("target-" + "n" * 57, AWKWARD)
    payload = {"ключ": "値" * 60_000, "smile": "\U0001f600", "more": "x" * 20_000}
    assert len(json.dumps(payload, ensure_ascii=False).encode()) > 200_000
    done = tuner_stack.tune(function, powerValues=[512], payload=payload)
    assert done.status == "SUCCEEDED", done
    (detail,) = done.output["details"]
    assert (detail["count"], detail["errors"], detail["coldStarts"]) == (5, 0, 1)
    assert detail["duration"]["max"] < 99_999


@pytest.mark.slow
def test_input_that_leaves_no_room(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """An input beside which the measurements would not fit is refused first."""
    done = tuner_stack.tune(target("target-fast", FAST), payload="x" * 255_000)
    assert (done.status, done.error) == ("FAILED", "InvalidInput")
    assert "payloadS3" in done.cause


@pytest.mark.slow
def test_function_with_everything(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """JSON logs, tags, versions, aliases and all kinds of concurrency are as they were."""
    name = target(
        "target-everything",
        FAST,
        MemorySize=512,
        Architectures=["arm64"],
        Description="the shop",
        Environment={"Variables": {"A": "1"}},
        EphemeralStorage={"Size": 1024},
        LoggingConfig={"LogFormat": "JSON"},
        Tags={"team": "shop"},
    )
    lambdas = tuner_stack.session.client("lambda")
    lambdas.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    lambdas.publish_version(FunctionName=name, Description="release 1")
    lambdas.create_alias(FunctionName=name, Name="live", FunctionVersion="1", Description="all")
    lambdas.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=1
    )
    lambdas.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=4)
    before = everything(lambdas, name)
    # version 1 is what $LATEST is: Lambda would not publish it again, and it is not ours
    done = tuner_stack.tune(name, powerValues=[512], parallelInvocation=True)
    assert done.status == "SUCCEEDED", done
    assert done.output["details"][0]["coldStarts"] >= 1
    assert done.output["details"][0]["retries"] == 0
    assert done.output["architecture"] == "arm64"
    assert done.output["prices"]["gbSecond"] == 0.0000133334
    assert everything(lambdas, name) == before


def everything(lambdas: Any, name: str) -> dict[str, Any]:
    """Return all that Lambda says of a function, but for what every change of it changes."""
    function = lambdas.get_function(FunctionName=name)
    known = {
        "function": function,
        "versions": lambdas.list_versions_by_function(FunctionName=name)["Versions"],
        "aliases": lambdas.list_aliases(FunctionName=name)["Aliases"],
        "provisioned": lambdas.get_provisioned_concurrency_config(
            FunctionName=name, Qualifier="live"
        ),
        "concurrency": lambdas.get_function_concurrency(FunctionName=name),
        "tags": lambdas.list_tags(Resource=function["Configuration"]["FunctionArn"]),
    }
    for part in known.values():
        if isinstance(part, dict):
            part.pop("ResponseMetadata", None)
    for config in (function["Configuration"], known["versions"][0]):
        assert config["Version"] == "$LATEST"
        del config["RevisionId"], config["LastModified"]
    del function["Code"]  # an address that changes each time
    return known


@pytest.mark.slow
def test_snapstart(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """Versions of a function with SnapStart are waited for, and restored ones measured."""
    name = target("target-snap", FAST, SnapStart={"ApplyOn": "PublishedVersions"})
    before = tuner_stack.snapshot(name)
    done = tuner_stack.tune(name, powerValues=[128, 256])
    assert done.status == "SUCCEEDED", done
    assert [(d["count"], d["retries"]) for d in done.output["details"]] == [(5, 0), (5, 0)]
    assert tuner_stack.snapshot(name) == before


@pytest.mark.slow
def test_alias_moves(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """autoOptimizeAlias moves an alias that is there to a version with the best size."""
    name = target("target-alias", FAST, MemorySize=1024)
    lambdas = tuner_stack.session.client("lambda")
    lambdas.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    lambdas.publish_version(FunctionName=name)
    lambdas.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    done = tuner_stack.tune(
        name, powerValues=[128, 1024], autoOptimize=True, autoOptimizeAlias="live"
    )
    assert done.status == "SUCCEEDED", done
    assert done.output["optimized"] == {"power": 128, "alias": "live"}
    after = tuner_stack.snapshot(name)
    assert after.configuration["MemorySize"] == 128
    assert after.aliases.keys() == {"live"}
    assert set(after.versions) == {"$LATEST", "1", after.aliases["live"]}
    moved = lambdas.get_function_configuration(FunctionName=name, Qualifier="live")
    assert moved["MemorySize"] == 128


@pytest.mark.slow
def test_all_power_values(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """ "ALL" measures 159 power values in as many states as two, and its output fits."""
    function = target("target-all", FAST)
    # a laptop starts a process for each size that is invoked at once
    tuner_stack.session.client("lambda").put_function_concurrency(
        FunctionName=function, ReservedConcurrentExecutions=8
    )
    before = tuner_stack.snapshot(function)
    started = tuner_stack.start(function, powerValues="ALL", includeOutputResults=True)
    done = tuner_stack.wait(started, deadline_s=RUN_HANGS_S)
    assert done.status == "SUCCEEDED", done
    assert [d["power"] for d in done.output["details"]] == list(range(128, 10_241, 64))
    assert {(d["count"], d["errors"]) for d in done.output["details"]} == {(5, 0)}
    assert done.states == ["Prepare", "Measure", "Analyze", "CleanUp"]
    assert len(json.dumps(done.output)) < 262_144 / 2
    # LPT: 3 × 159 + 6 transitions
    assert done.output["tuner"]["cost"] < (3 * 159 + 6) * 0.000025 / 4
    assert tuner_stack.snapshot(function) == before
