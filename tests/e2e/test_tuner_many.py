"""Fifty tunings of all kinds, half of them broken on purpose: nothing is left of any."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.support.tuner_stack import Execution, TunerStack

if TYPE_CHECKING:
    from tests.conftest import DeployFunction

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RUNS = 50
AT_ONCE = 4

CPU = """
import time

def handler(event, context):
    end = time.process_time() + 0.01
    while time.process_time() < end:
        pass
    return event
"""
SLEEPS = "import time\n\ndef handler(event, context):\n    time.sleep(0.1)\n"
LARGE = "def handler(event, context):\n    return len(bytes(range(256)) * 4096 * 200)\n"
FLAKY = """
import random

def handler(event, context):
    if random.random() < 0.2:
        raise OSError("now and then")
"""
FAILS = "def handler(event, context):\n    raise ValueError('always')\n"
NODE = "exports.handler = async (event) => event;\n"

FUNCTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "target-many-cpu": (CPU, {"MemorySize": 512}),
    "target-many-sleeps": (SLEEPS, {"MemorySize": 256}),
    "target-many-large": (LARGE, {"MemorySize": 1024}),
    "target-many-flaky": (FLAKY, {"LoggingConfig": {"LogFormat": "JSON"}}),
    "target-many-node": (NODE, {"Runtime": "nodejs20.x", "MemorySize": 384}),
    "target-many-fails": (FAILS, {}),
    "processor-many": (CPU, {}),
    "processor-many-fails": (FAILS, {}),
}
WORKING = ["cpu", "sleeps", "large", "flaky", "node"]


def whole(stack: TunerStack, choice: random.Random) -> Execution:
    """A tuning that can work out."""
    keys = choice.choice(
        [
            {"parallelInvocation": True},
            {"sequential": True, "sleepBetweenRunsMs": 20},
            {"onlyColdStarts": True},
            {"dryRun": True},
            {"preProcessorARN": stack.function_arn("processor-many")},
            {"strategy": "balanced", "num": 8},
        ]
    )
    function = f"target-many-{choice.choice(WORKING)}"
    return stack.tune(function, powerValues=[256, 512], payload={}, onConflict="wait", **keys)


def stopped(stack: TunerStack, choice: random.Random) -> Execution:
    """A tuning that is stopped somewhere."""
    function = f"target-many-{choice.choice(WORKING)}"
    execution = stack.start(function, powerValues=[128, 512], onConflict="wait")
    time.sleep(choice.uniform(0, 4))
    try:
        stack.stop(execution)
    except ClientError:
        assert not stack.is_running(execution)
    return stack.wait(execution)


def failing(stack: TunerStack, choice: random.Random) -> Execution:
    """A tuning that cannot work out."""
    function, keys = choice.choice(
        [
            ("fails", {}),
            ("cpu", {"num": 3}),
            ("cpu", {"powerValues": [64]}),
            ("cpu", {"payloadS3": "s3://nobodys/thing"}),
            ("sleeps", {"postProcessorARN": stack.function_arn("processor-many-fails")}),
            ("nothing", {}),
        ]
    )
    return stack.tune(
        f"target-many-{function}", **{"powerValues": [256], "onConflict": "wait", **keys}
    )


def inventory(stack: TunerStack) -> dict[str, Any]:
    """Return all that a tuning could leave behind or change."""
    logs = stack.session.client("logs").describe_log_groups()["logGroups"]
    return {
        "functions": {name: stack.snapshot(name) for name in FUNCTIONS},
        "rules": [r["Name"] for r in stack.session.client("events").list_rules()["Rules"]],
        "tuner": stack.leftovers(),
        "logs": sorted(
            name
            for group in logs
            # Lambda makes a function's own group with its first invocation, tuned or not
            if (name := group["logGroupName"]).removeprefix("/aws/lambda/") not in FUNCTIONS
        ),
    }


def test_fifty_runs(tuner_stack: TunerStack, deploy_function: DeployFunction) -> None:
    """After 50 mixed runs everything is as it was: versions, aliases, locks, rules, log groups."""
    for name, (source, config) in FUNCTIONS.items():
        deploy_function(tuner_stack.session, name, source, **config)
    before = inventory(tuner_stack)
    choice = random.Random(20261121)
    kinds: list[Callable[[TunerStack, random.Random], Execution]] = [whole, stopped, whole, failing]
    runs = [
        partial(kinds[number % len(kinds)], tuner_stack, random.Random(choice.random()))
        for number in range(RUNS)
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = list(pool.map(lambda run: run(), runs))
    for name in FUNCTIONS:
        tuner_stack.wait_until_clean(name, before["functions"][name])
    assert inventory(tuner_stack) == before

    both = zip(runs, ended, strict=True)
    outcomes = Counter((run.func.__name__, done.status) for run, done in both)
    assert outcomes["failing", "FAILED"] == 12
    # some are over before they are stopped
    assert outcomes["stopped", "ABORTED"] >= 8
    assert outcomes["whole", "SUCCEEDED"] >= 20
