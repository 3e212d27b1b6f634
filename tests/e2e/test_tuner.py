"""The power tuner on the embedded AWS: what it measures, and that nothing is left of it."""

from __future__ import annotations

import base64
import json
import os
import signal
import struct
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lambda_dyno.core.errors import StepError
from lambda_dyno.emulator import server
from lambda_dyno.tune import client, output
from tests.support.tuner_stack import TunerStack
from tests.support.waiting import HANGS_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import DeployFunction

pytestmark = pytest.mark.e2e

FAST = "def handler(event, context):\n    return event\n"

CPU = """
import time

def handler(event, context):
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
"""

SLEEPS = """
import time

def handler(event, context):
    time.sleep(event or 0.3)
"""

NEEDS_200_MB = """
def handler(event, context):
    return len(bytes(range(256)) * 4096 * 200)
"""

RETHROWS = """
def handler(event, context):
    if "said" in event:
        raise RuntimeError(event["said"])
"""

# What other programs, and other functions, were ended with.
WORDS = (
    "Task timed out after 3.00 seconds",
    "ffmpeg: signal: killed",
    "RequestId: 53ab7e8c-6a0b-4a0e Error: Runtime exited with error: signal: killed",
    "CUDA out of memory",
)

RAISES = """
def handler(event, context):
    raise KeyError("not today")
"""

CHECKS_PAYLOAD = """
def handler(event, context):
    assert event["prepared"]["order"] in (1, 2), event
    return event["prepared"]["order"]
"""

PREPARES = """
def handler(event, context):
    return {"prepared": event}
"""

CHECKS_ANSWER = """
def handler(event, context):
    assert event in (1, 2), event
"""

NODE = """
exports.handler = async (event, context) => {
  // the embedded AWS has no meter for Node.js: this is what Lambda writes in JSON
  const metrics = { durationMs: 7.5, billedDurationMs: 8, maxMemoryUsedMB: 60 };
  const record = { requestId: context.awsRequestId, metrics };
  console.error(JSON.stringify({ type: "platform.report", record }));
  return { seen: event.order };
};
"""

STREAMS = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  for (let part = 0; part < event.mb; part++) stream.write(Buffer.alloc(1 << 20));
  stream.end();
});
"""


@pytest.fixture(scope="module")
def target(tuner_stack: TunerStack, deploy_function: DeployFunction) -> Callable[..., str]:
    """A function that deploys a target once and returns its name."""
    deployed: set[str] = set()

    def make(name: str, source: str, **config: Any) -> str:
        name = f"target-{name}" if not name.startswith("processor") else name
        if name not in deployed:
            deploy_function(tuner_stack.session, name, source, **config)
            deployed.add(name)
        return name

    return make


def test_curve(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """A CPU-bound function is measured along its curve, in four states, and left as it was."""
    function = target("cpu", CPU, MemorySize=512)
    before = tuner_stack.snapshot(function)
    done = tuner_stack.tune(function, powerValues=[128, 512, 1024], num=6, strategy="speed")
    assert done.status == "SUCCEEDED", done
    assert tuner_stack.snapshot(function) == before

    output = done.output
    durations = {d["power"]: d["duration"]["trimmedMean"] for d in output["details"]}
    assert output["power"] == 1024
    assert durations[128] > 3 * durations[1024]
    assert [d["count"] for d in output["details"]] == [6, 6, 6]
    assert all(d["coldStarts"] == 1 for d in output["details"])
    assert output["originalPower"] == output["current"]["power"] == 512
    costs = {d["power"]: d["cost"] for d in output["details"]}
    assert output["current"]["savingPerMillion"] == pytest.approx((costs[512] - costs[1024]) * 1e6)

    assert done.states == ["Prepare", "Measure", "Analyze", "CleanUp"]
    assert output["tuner"]["transitions"] == 4
    assert output["stateMachine"]["executionCost"] == pytest.approx(4 * 0.000025)


def test_adaptive_measuring(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """Rounds of publishing and measuring go by the evidence, and leave nothing behind."""
    function = target("grows", NEEDS_200_MB, MemorySize=512)
    before = tuner_stack.snapshot(function)
    done = tuner_stack.tune(
        function, num=None, measuring="adaptive", strategy="cost", maxPower=3008
    )
    assert done.status == "SUCCEEDED", done
    assert tuner_stack.snapshot(function) == before

    powers = {row["power"]: row for row in done.output["details"]}
    assert powers[128]["excluded"], "it needs more memory"
    assert done.output["originalPower"] == 512 in powers
    assert done.output["power"] >= 220
    assert powers[done.output["power"]]["count"] >= 2
    said = done.output["adaptive"]
    assert done.states.count("PrepareAgain") == said["rounds"] - 1
    assert sum(row["invocations"] for row in powers.values()) <= said["passes"] <= 22
    parsed = output.parse(done.output)
    assert parsed.statement is not None
    assert parsed.statement.at_most_ratio == said["atMostPercent"] / 100


@pytest.mark.slow  # three tunings
def test_a_limit_is_proven_and_a_former_tuning_is_begun_with(
    tuner_stack: TunerStack, target: Callable[..., str]
) -> None:
    """What a tuning put out is what the next one of the same code and payload begins with."""
    function = target("limited", SLEEPS, MemorySize=256)
    keys = {"num": None, "measuring": "adaptive", "maxPower": 1024, "payload": 0.05}
    limited = {"strategy": "limit", "maxDurationMs": 400, "limitOn": "p50"}
    first = tuner_stack.tune(function, **keys, **limited)
    assert first.status == "SUCCEEDED", first
    assert first.output["limit"]["verdict"] == "proven"
    found = output.parse(first.output).limit
    assert found is not None
    assert found.value_ms <= 400
    assert found.above == 0
    assert found.invocations >= 6

    again = tuner_stack.tune(function, **keys, strategy="cost", prior=first.output["prior"])
    assert again.output["adaptive"]["prior"] == "given"
    assert again.output["adaptive"]["passes"] < first.output["adaptive"]["passes"]
    other = {**keys, "payload": 0.06}
    third = tuner_stack.tune(function, **other, strategy="cost", prior=first.output["prior"])
    assert third.output["adaptive"]["prior"] == ""
    assert "prior: not used: another payload was sent" in third.output["warnings"]


@pytest.mark.slow
def test_payloads_and_processors(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """Weighted payloads come from S3 through the pre-processor, answers to the post-processor.

    One of them is in another region, and neither is in the statistics.
    """
    function = target("checks", CHECKS_PAYLOAD)
    pre = target("processor-pre", PREPARES, region="eu-west-1")
    post = target("processor-post", CHECKS_ANSWER)
    s3, bucket = tuner_stack.session.client("s3"), f"payloads-{tuner_stack.session.account_id}"
    other = f"others-{tuner_stack.session.account_id}"
    s3.create_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=other)
    weighted = [{"weight": 3, "payload": {"order": 1}}, {"weight": 2, "payload": {"order": 2}}]
    s3.put_object(Bucket=bucket, Key="two orders.json", Body=json.dumps(weighted).encode())
    try:
        done = tuner_stack.tune(
            function,
            powerValues=[128],
            payloadS3=f"s3://{bucket}/two%20orders.json",
            payload="not used",
            preProcessorARN=tuner_stack.function_arn(pre, "eu-west-1"),
            postProcessorARN=tuner_stack.function_arn(post),
        )
        missing = tuner_stack.tune(function, payloadS3=f"s3://{bucket}/none.json")
        foreign = tuner_stack.tune(function, payloadS3=f"s3://{other}/a.json")
    finally:
        s3.delete_object(Bucket=bucket, Key="two orders.json")
        s3.delete_bucket(Bucket=bucket)
        s3.delete_bucket(Bucket=other)
    assert done.status == "SUCCEEDED", done
    detail = done.output["details"][0]
    assert (detail["count"], detail["invocations"], detail["errors"]) == (5, 5, 0)
    assert done.output["warnings"][0] == "payload: not used, payloadS3 wins over it"
    assert (missing.error, foreign.error) == ("PayloadNotRead", "PayloadNotRead")
    assert "does not exist" in missing.cause
    assert "payload_bucket" in foreign.cause


@pytest.mark.slow
def test_nodejs_with_json_logs(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """A Node.js function that logs in JSON is measured like any other."""
    function = target("node", NODE, Runtime="nodejs20.x", LoggingConfig={"LogFormat": "JSON"})
    done = tuner_stack.tune(function, powerValues=[256, 512], payload={"order": 1})
    assert done.status == "SUCCEEDED", done
    assert [d["count"] for d in done.output["details"]] == [5, 5]
    assert all(d["maxMemoryUsed"] for d in done.output["details"])


@pytest.mark.slow
def test_answers_of_more_than_6_mb(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """Are streamed; the Lambda Web Adapter's setting says so, or the input."""
    function = target("streams", STREAMS, Runtime="nodejs22.x")
    keys: dict[str, Any] = {"powerValues": [512, 1024], "payload": {"mb": 7}}
    done = tuner_stack.tune(function, invokeMode="response_stream", **keys)
    assert [d["count"] for d in done.output["details"]] == [5, 5], done
    too_large = tuner_stack.tune(function, **keys)
    assert too_large.error == "NothingMeasured"
    assert '"invokeMode": "response_stream"' in too_large.cause

    variables = {"Variables": {"AWS_LWA_INVOKE_MODE": "response_stream"}}
    adapted = target("adapted", STREAMS, Runtime="nodejs22.x", Environment=variables)
    assert tuner_stack.tune(adapted, **keys).status == "SUCCEEDED"


@pytest.mark.slow
def test_words_of_other_programs_kill_no_power_value(
    tuner_stack: TunerStack, target: Callable[..., str]
) -> None:
    """A function that passes on how something else ended has failed, and was not killed."""
    name = target("target-rethrows", RETHROWS)
    payload: list[dict[str, Any]] = [{"weight": 1, "payload": {"said": words}} for words in WORDS]
    payload.append({"weight": 16, "payload": {"fine": 1}})
    done = tuner_stack.tune(name, powerValues=[256, 512], num=20, payload=payload)
    assert done.status == "SUCCEEDED", done
    found = [(row["count"], row["errors"], row["excluded"]) for row in done.output["details"]]
    assert found == [(16, 4, ""), (16, 4, "")]


def test_one_power_value_is_too_small(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """A function that needs more memory than 128 MB is tuned among the others, which says why.

    autoOptimize without an alias sets the best size and publishes nothing.
    """
    function = target("big", NEEDS_200_MB)
    done = tuner_stack.tune(function, powerValues=[128, 512], autoOptimize=True)
    assert done.status == "SUCCEEDED", done
    low, high = done.output["details"]
    assert "signal: killed" in low["excluded"]
    assert (low["count"], low["errors"], high["count"]) == (0, 1, 5)
    assert done.output["power"] == 512
    assert done.output["optimized"] == {"power": 512, "alias": None}
    after = tuner_stack.snapshot(function)
    assert after.configuration["MemorySize"] == 512
    assert (after.versions, after.aliases) == (("$LATEST",), {})


@pytest.mark.slow
def test_lpt_input_and_cost(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """An input as LPT's users write it works, at a quarter of the steps that LPT's design takes."""
    done = tuner_stack.tune(
        target("fast", FAST),
        powerValues=["128", "256", "512", "1024", "1536", 3008],
        num="10",
        payload="{}",
        strategy="balanced",
        balancedWeight=0.5,
        includeOutputResults=True,
        comment="ignored",
    )
    assert done.status == "SUCCEEDED", done
    output = done.output
    assert [stat["value"] for stat in output["stats"]] == [128, 256, 512, 1024, 1536, 3008]
    assert {"power", "cost", "duration"} <= output.keys()
    page, _, curve = output["stateMachine"]["visualization"].partition("#")
    assert page == "https://lambda-power-tuning.show/"
    drawn = zip("hff", map(base64.b64decode, curve.split(";")), strict=True)
    powers, durations, costs = (struct.unpack(f"<6{kind}", numbers) for kind, numbers in drawn)
    assert list(powers) == [stat["value"] for stat in output["stats"]]
    assert durations == pytest.approx([stat["averageDuration"] for stat in output["stats"]])
    assert costs == pytest.approx([stat["averagePrice"] for stat in output["stats"]])
    assert output["warnings"] == ["comment: not a key of the input, ignored"]

    # LPT: 3N + 6 transitions; what the tuner's own functions take is this machine's
    assert output["tuner"]["transitions"] <= (3 * 6 + 6) / 4
    assert output["stateMachine"]["lambdaCost"] > 0
    assert output["tuner"]["cost"] > 0


@pytest.mark.slow
def test_allowed_exceptions(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """Allowed errors count as measured; between two invocations in series it sleeps."""
    # the embedded AWS has one error type for whatever a Python function raises
    done = tuner_stack.tune(
        target("raises", RAISES),
        powerValues=[128],
        allowedExceptions=["KeyError", "Runtime.HandlerError"],
        sleepBetweenRunsMs=300,
        sequential=True,
        discardTopBottom=0,
    )
    assert done.status == "SUCCEEDED", done
    assert tuner_stack.seconds_in("Measure", done.arn) >= 4 * 0.3
    (detail,) = done.output["details"]
    assert (detail["count"], detail["errors"], detail["excluded"]) == (5, 5, "")
    assert detail["duration"]["trimmedMean"] == pytest.approx(detail["duration"]["mean"])


@pytest.mark.slow
def test_cold_starts_only(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """With onlyColdStarts every measurement is cold; more versions are made when it takes more."""
    function = target("cold", FAST)
    tuner_stack.session.client("lambda").put_function_concurrency(
        FunctionName=function, ReservedConcurrentExecutions=3
    )
    before = tuner_stack.snapshot(function)
    done = tuner_stack.tune(function, powerValues=[128], onlyColdStarts=True)
    assert done.status == "SUCCEEDED", done
    detail = done.output["details"][0]
    assert (detail["count"], detail["coldStarts"]) == (5, 5)
    assert done.states.count("PrepareAgain") >= 1
    assert done.output["tuner"]["transitions"] == len(done.states)
    assert tuner_stack.snapshot(function) == before


@pytest.mark.slow
def test_parallel_with_reserved_concurrency(
    tuner_stack: TunerStack, target: Callable[..., str]
) -> None:
    """Parallel invocations stay below the function's reserved concurrency: none is refused."""
    function = target("reserved", SLEEPS)
    tuner_stack.session.client("lambda").put_function_concurrency(
        FunctionName=function, ReservedConcurrentExecutions=3
    )
    done = tuner_stack.tune(function, powerValues=[128, 256], parallelInvocation=True)
    assert done.status == "SUCCEEDED", done
    assert [(d["count"], d["retries"]) for d in done.output["details"]] == [(5, 0), (5, 0)]


@pytest.mark.slow  # waits as long as a throttled tuner does
def test_throttled(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """More invocations at once than the account may have are retried, counted, not measured."""
    num = server.ACCOUNT_CONCURRENCY + 2  # and Measure's own function is one more
    done = tuner_stack.tune(
        target("slow", SLEEPS), powerValues=[128], num=num, parallelInvocation=True
    )
    assert done.status == "SUCCEEDED", done
    detail = done.output["details"][0]
    assert (detail["count"], detail["errors"]) == (num, 0)
    assert detail["retries"] > 0
    assert detail["duration"]["trimmedMean"] < 1000


@pytest.mark.slow  # by a clock of their own: tests/unit/power_tuner/test_measure.py
def test_two_passes(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """What one pass of Measure has no time for is measured by the next."""
    function = target("slow", SLEEPS)
    lambdas, measure = tuner_stack.session.client("lambda"), "dyno-tuner-measure"
    timeout = lambdas.get_function_configuration(FunctionName=measure)["Timeout"]
    # 4 s of it are kept to put out what was measured, and 12 invocations take 36 s; a busy machine
    # needs more than a few to answer the first of them
    lambdas.update_function_configuration(FunctionName=measure, Timeout=34)
    lambdas.get_waiter("function_updated_v2").wait(FunctionName=measure, WaiterConfig={"Delay": 1})
    try:
        done = tuner_stack.tune(function, powerValues=[128], num=12, payload=3)
    finally:
        lambdas.update_function_configuration(FunctionName=measure, Timeout=timeout)
    assert done.status == "SUCCEEDED", done
    assert done.output["details"][0]["count"] == 12
    assert done.output["tuner"]["passes"] == done.states.count("Measure") >= 2
    assert done.output["tuner"]["transitions"] == len(done.states)


def test_auto_optimize(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """autoOptimize sets the best size and moves the alias to a version that has it."""
    function = target("optimised", NEEDS_200_MB)
    done = tuner_stack.tune(
        function,
        powerValues=[128, 512],
        autoOptimize=True,
        autoOptimizeAlias="best",
    )
    assert done.status == "SUCCEEDED", done
    assert done.output["optimized"] == {"power": 512, "alias": "best"}
    assert done.output["tuner"]["transitions"] == len(done.states)
    after = tuner_stack.snapshot(function)
    assert after.configuration["MemorySize"] == 512
    (version,) = set(after.versions) - {"$LATEST"}
    assert after.aliases == {"best": version}


@pytest.mark.slow
def test_dry_run(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """A dry run invokes once per power value, of the module's own, and recommends nothing."""
    done = tuner_stack.tune(target("fast", FAST), dryRun=True, autoOptimize=True)
    assert done.status == "SUCCEEDED", done
    assert done.output["dryRun"] is True
    assert "power" not in done.output
    measured = [(d["power"], d["count"]) for d in done.output["details"]]
    assert measured == [(power, 1) for power in (128, 256, 512, 1024, 1536, 3008)]


def test_client(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """The client reports progress, and returns what was measured."""
    seen: list[client.TuningProgress] = []
    tuning_input = {
        "lambdaARN": tuner_stack.function_arn(target("fast", FAST)),
        "powerValues": [128, 256],
        "num": 5,
    }
    finished = client.run(
        tuning_input,
        state_machine_arn=tuner_stack.state_machine_arn,
        session=tuner_stack.session,
        timeout_s=HANGS_S,
        on_progress=seen.append,
    )
    result = output.parse(finished.output, execution_arn=finished.arn)
    assert [(d.power, d.count) for d in result.details] == [(128, 5), (256, 5)]
    assert result.power in (128, 256)
    assert {"Prepare"} <= {progress.state for progress in seen}
    assert all(progress.total == 10 for progress in seen)


def test_client_is_interrupted(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """Ctrl-C stops the execution, and returns once it is cleaned up after."""
    function = target("slow", SLEEPS)
    before = tuner_stack.snapshot(function)
    tuning_input = {
        "lambdaARN": tuner_stack.function_arn(function),
        "powerValues": [128, 256],
        "num": 30,
    }
    interrupt = threading.Timer(2.5, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        client.run(
            tuning_input,
            state_machine_arn=tuner_stack.state_machine_arn,
            session=tuner_stack.session,
            timeout_s=HANGS_S,
        )
    assert tuner_stack.snapshot(function) == before


def test_roles_are_narrow(tuner_stack: TunerStack) -> None:
    """Every role names its actions, and resources of this account; Analyze has only its log."""
    iam, account = tuner_stack.session.client("iam"), tuner_stack.session.account_id
    for state, arn in tuner_stack.role_arns.items():
        policy = iam.get_role_policy(RoleName=arn.rpartition("/")[2], PolicyName="own-work")
        statements = policy["PolicyDocument"]["Statement"]
        assert {statement["Effect"] for statement in statements} == {"Allow"}
        for statement in statements:
            resources = statement["Resource"]
            for resource in [resources] if isinstance(resources, str) else resources:
                assert f":{account}:" in resource or f"-{account}" in resource, (state, resource)
            actions = statement["Action"]
            assert "*" not in "".join(actions)
        if state == "analyze":
            assert [statement["Sid"] for statement in statements] == ["Log"]


@pytest.mark.slow
def test_plan_is_empty(tuner_stack: TunerStack, target: Callable[..., str]) -> None:
    """Terraform has nothing to change after an apply, and after tunings."""
    tuner_stack.tune(target("fast", FAST), powerValues=[128])
    assert tuner_stack.plan() == []


def test_client_tells_why(tuner_stack: TunerStack) -> None:
    """A tuning that fails is an error with the state machine's cause, and a hint."""
    tuning_input = {
        "lambdaARN": tuner_stack.function_arn("target-none"),
        "powerValues": [128],
        "num": 5,
    }
    with pytest.raises(StepError, match="NotTunable: lambdaARN: there is no function") as caught:
        client.run(
            tuning_input,
            state_machine_arn=tuner_stack.state_machine_arn,
            session=tuner_stack.session,
            timeout_s=HANGS_S,
        )
    assert "tunable_function_arns" in caught.value.hint
