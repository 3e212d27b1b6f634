"""What is written twice, for Python and for Node.js workers, is the same."""

from __future__ import annotations

import json
import math
import random
import subprocess
from typing import Any

import pytest

from lambda_dyno.emulator import worker_shims
from lambda_emulator.meter_path.dyno_meter import cfs, latency, report, steady

pytestmark = pytest.mark.contract
FOLDER = worker_shims.NODE_METER.parent


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


def test_steadied_figures_agree() -> None:
    """100 made-up pools of samples: the same slope, the same CPU time, the same sizes pooled."""
    numbers = random.Random(9)
    cases = []
    for _ in range(100):
        spread, follows = numbers.choice([0.01, 0.2]), numbers.choice([0.2, 0.9])
        levels = {size: 20 * numbers.choice([1, 1, 1, 1.3]) for size in (128, 512, 1024)}
        samples = []
        for _ in range(numbers.randint(1, 60)):
            core, size = math.exp(numbers.gauss(0, spread)), numbers.choice(list(levels))
            cpu_ms = levels[size] * core**follows * numbers.choice([1, 1, 1, 2.5])
            spins = [core * numbers.uniform(1, 1.1) for _ in range(2)]
            samples.append([size, cpu_ms, numbers.choice([1.0, 1.0, 2.0]), *spins])
        cases.append([samples, numbers.choice([None, 0.2, 0.8])])
    program = """(() => {
      const { estimate, slope } = require("./steady.js");
      return input.map(([rows, known]) => {
        const samples = rows.map(([memoryMb, cpuMs, width, beforeMs, afterMs]) =>
          ({ memoryMb, cpuMs, width, beforeMs, afterMs }));
        const now = slope(samples);
        const found = estimate(samples, samples.at(-1), 1, now, known);
        return [now, found.cpuMs, found.pooledMb];
      });
    })()"""
    for (rows, known), (slope, cpu_ms, pooled_mb) in zip(
        cases, in_node(program, cases), strict=True
    ):
        samples = [steady.Sample(*row) for row in rows]
        now = steady.slope(samples)
        ours = steady.estimate(samples, samples[-1], 1.0, now, known)
        assert slope == (None if now is None else pytest.approx(now))
        assert cpu_ms == pytest.approx(ours.cpu_ms)
        assert pooled_mb == list(ours.pooled_mb)


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


def test_reports_are_written_alike() -> None:
    """The same lines in text, and the same record in JSON."""
    facts = {"durationMs": 12.3456, "memoryMb": 128, "maxMemoryMb": 51, "initMs": 98.7}
    for as_json in (False, True):
        theirs = in_node(
            'require("./report.js").reportLines("id", input)', facts | {"asJson": as_json}
        )
        ours = report.report_lines(
            "id",
            duration_ms=12.3456,
            memory_mb=128,
            max_memory_mb=51,
            init_ms=98.7,
            as_json=as_json,
        )
        if as_json:
            assert json.loads(theirs)["record"] == json.loads(ours)["record"]
        else:
            assert theirs == ours


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
