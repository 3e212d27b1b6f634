"""What is written twice, for Python and for Node.js workers, is the same."""

from __future__ import annotations

import json
import random
import subprocess
from typing import Any

import pytest

from lambda_dyno.emulator import sandboxes
from lambda_emulator.meter_path.dyno_meter import cfs, latency

pytestmark = pytest.mark.contract
FOLDER = sandboxes.METER_PATH / "node"


def in_node(expression: str, value: Any) -> Any:
    """Evaluate JavaScript with `input` set, and return its JSON."""
    program = (
        'const input = JSON.parse(require("fs").readFileSync(0, "utf8"));'
        f"process.stdout.write(JSON.stringify({expression}));"
    )
    completed = subprocess.run(
        ["node", "-e", program],
        input=json.dumps(value),
        capture_output=True,
        text=True,
        cwd=FOLDER,
        check=True,
    )
    return json.loads(completed.stdout)


def random_case(numbers: random.Random) -> tuple[list[Any], int, str]:
    """Return some steps, a memory size and an architecture."""
    steps: list[Any] = []
    for key in range(numbers.randint(1, 5)):
        steps.append([cfs.CPU, numbers.choice([0.5, 3, 17, 250]) * numbers.random(), 1.0])
        if numbers.random() < 0.3:
            steps[-1][2] = numbers.choice([3, 6, numbers.uniform(1, 9), 40])
        kind = numbers.random()
        if kind < 0.3:
            steps.append([cfs.WAIT, numbers.choice([0.4, 5, 90]) * numbers.random()])
        elif kind < 0.6:
            steps += [[cfs.CALL, key, 8 * numbers.random()], [cfs.ANSWER, key]]
    return steps, numbers.randint(128, 10_240), numbers.choice(["", "arm64", "x86_64"])


def test_cpu_models_agree() -> None:
    """200 made-up invocations take the same time in both."""
    numbers = random.Random(7)
    cases = [random_case(numbers) for _ in range(200)]
    theirs = in_node('input.map((c) => require("./cfs.js").durationMs(...c))', cases)

    for case, (mean_ms, std_ms) in zip(cases, theirs, strict=True):
        ours = cfs.duration_ms(*case)
        assert mean_ms == pytest.approx(ours[0], abs=1e-6), case
        assert std_ms == pytest.approx(ours[1], abs=1e-3)


def test_operations_are_read_alike() -> None:
    """Both find the same service and operation in a request."""
    scope = "Authorization: AWS4-HMAC-SHA256 Credential=A/20261120/us-east-1/{}/aws4_request"
    requests = [
        f"POST / HTTP/1.1\r\n{scope.format('dynamodb')}\r\nX-Amz-Target: D_1.PutItem\r\n\r\n{{}}",
        f"GET /b/k HTTP/1.1\r\n{scope.format('s3')}\r\n\r\n",
        f"GET /b?list-type=2 HTTP/1.1\r\n{scope.format('s3')}\r\n\r\n",
        f"POST / HTTP/1.1\r\n{scope.format('sqs')}\r\n\r\nAction=SendMessage&x=1",
        f"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\n{scope.format('lambda')}\r\n\r\n",
    ]
    theirs = in_node('input.map((r) => require("./latency.js").operationOf(r))', requests)

    assert theirs == [list(latency.operation_of(text.encode())) for text in requests]


@pytest.mark.parametrize(("queued_ms", "wait_ms"), [(0, 79.95), (20, 99.95)])
def test_what_the_meters_own_look_queued_for_does_not_shorten_a_wait(
    queued_ms: float, wait_ms: float
) -> None:
    """A wait of 100 ms on a busy machine; a look in its middle waited 20 ms for a core."""
    program = """(() => {
      const { Timeline } = require("./timeline.js");
      const reading = (wallMs, queueMs) =>
        ({ wallMs, cpuMs: 0, queueMs, helpersQueueMs: 0, processMs: Infinity });
      const readings = [reading(0, 0), reading(100, 20)];
      const timeline = new Timeline(() => readings.shift());
      timeline.begin();
      timeline.forgive(process.cpuUsage(), input);
      timeline.end();
      return timeline.steps();
    })()"""
    (kind, found_ms) = in_node(program, queued_ms)[-1]
    assert kind == cfs.WAIT
    assert found_ms == pytest.approx(wait_ms, abs=0.2)
