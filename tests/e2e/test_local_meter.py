"""The Lambda meter on the embedded AWS: what a caller sees of a function's memory size."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lambda_dyno.emulator import meter, server
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.emulator.differences import own_file_system
from lambda_dyno.emulator.model import Work, predict
from tests.support.functions import invoke
from tests.support.waiting import RUN_HANGS_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lambda_dyno.emulator.server import LocalServer

pytestmark = pytest.mark.e2e

SOURCE = """
import time

def handler(event, context):
    print("handler at work")
    end = time.thread_time() + event.get("cpu_ms", 0) / 1000
    while time.thread_time() < end:
        pass
    time.sleep(event.get("sleep_ms", 0) / 1000)
    if "fail" in event:
        raise ValueError(event["fail"])
    return event
"""


NODE_SOURCE = """
exports.handler = async (event, context) => {
  console.log("handler at work");
  const begin = process.cpuUsage();
  for (;;) {
    const used = process.cpuUsage(begin);
    if ((used.user + used.system) / 1000 >= (event.cpu_ms || 0)) break;
  }
  if (event.sleep_ms) await new Promise((done) => setTimeout(done, event.sleep_ms));
  if (event.fail) throw new RangeError(event.fail);
  if (event.exit) process.exit(event.exit);
  return event;
};
"""

NODE_HELPERS_SOURCE = """
const { execFileSync } = require("child_process");
const { pbkdf2 } = require("crypto");
const BURN = "while (process.cpuUsage().user < 3e5);";
exports.handler = async (event) => {
  if (event.child) execFileSync(process.execPath, ["-e", BURN]);
  if (!event.threads) return;
  const hash = (done) => pbkdf2("x", "y", 3e5, 32, "sha256", done);
  await Promise.all([1, 2, 3, 4].map(() => new Promise(hash)));
};
"""

WIDE_SOURCE = """
import hashlib, multiprocessing, threading, time

def burn(ms):
    end = time.thread_time() + ms / 1000
    while time.thread_time() < end:
        hashlib.pbkdf2_hmac("sha256", b"x", b"y", 2000)

def handler(event, context):
    kind = multiprocessing.Process if event["processes"] else threading.Thread
    tasks = [kind(target=burn, args=(event["cpu_ms"],)) for _ in range(4)]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()
"""

PLATFORM_SOURCE = """
import os, platform, sys

def handler(event, context):
    if "mb" in event:
        block = bytearray(event["mb"] * 1024 * 1024)
        for index in range(0, len(block), 4096):
            block[index] = 1
        return len(block)
    if "exit" in event:
        sys.exit(event["exit"])
    if "die" in event:
        os.kill(os.getpid(), 9)
    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "left_ms": context.get_remaining_time_in_millis(),
        "log_group": context.log_group_name,
        "environment": dict(os.environ),
    }
"""

HOLD_SOURCE = """
import time, urllib.request

def handler(event, context):
    end = time.thread_time() + event.get("cpu_ms", 0) / 1000
    while time.thread_time() < end:
        pass
    if "at" in event:
        urllib.request.urlopen(event["at"]).read()
    return event["n"]
"""

ENVIRONMENT_SOURCE = """
import os

def handler(event, context):
    return dict(os.environ)
"""

NODE_ENVIRONMENT_SOURCE = "exports.handler = async () => ({ ...process.env });"

SCAN_SOURCE = """
import boto3

table = boto3.client("dynamodb")

def handler(event, context):
    for _ in range(event["scans"]):
        table.scan(TableName="items")
"""


class Gate:
    """A place where functions wait until they are let through."""

    def __init__(self) -> None:
        self.here = 0
        self.opened = threading.Event()
        counting = threading.Lock()
        gate = self

        class Waiting(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with counting:  # two hundred at once
                    gate.here += 1
                gate.opened.wait()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 200

        self._server = Server(("127.0.0.1", 0), Waiting)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Let all through, and nobody in any more."""
        self.opened.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Functions wait there."""
    made = Gate()
    yield made
    made.close()


@pytest.fixture
def reported(embedded_aws: LocalServer) -> Iterator[None]:
    """The meter reports without making callers wait, for the time of a test."""
    meter.set_mode(embedded_aws.home, "reported")
    yield
    meter.set_mode(embedded_aws.home, "felt")


@pytest.fixture(scope="module")
def small(aws_session: LocalSession, deploy_function: Any) -> str:
    """A function of 128 MB with a timeout of 2 s."""
    return str(deploy_function(aws_session, "small", SOURCE, MemorySize=128, Timeout=2))


def test_log_tail_is_that_of_aws(aws_session: LocalSession, deploy_function: Any) -> None:
    """START, the handler's own lines, END and REPORT, cold with Init Duration and warm without."""
    name = deploy_function(aws_session, "fresh", SOURCE, MemorySize=256)
    cold, warm = invoke(aws_session, name), invoke(aws_session, name)

    for answer in (cold, warm):
        lines = answer.log.splitlines()
        assert [line.split(" RequestId")[0] for line in lines] == [
            "START",
            "handler at work",
            "END",
            "REPORT",
        ]
        ids = re.findall(r"RequestId: ([0-9a-f-]{36})", answer.log)
        assert len(set(ids)) == 1
        assert answer.report("Memory Size") == 256
        assert 10 < (answer.report("Max Memory Used") or 0) < 256
    init_ms = cold.report("Init Duration")
    assert init_ms is not None
    assert 20 < init_ms < 10_000
    assert cold.report("Billed Duration") == pytest.approx(cold.duration_ms + init_ms, abs=1.02)
    assert warm.report("Init Duration") is None


# AWS's own means for 17 ms of CPU time: data set cpu17ms
@pytest.mark.parametrize(
    ("memory_mb", "aws_ms"),
    [(128, 223), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((487, 49), (752, 22.6)))],
)
def test_duration_follows_the_memory_size(
    aws_session: LocalSession, deploy_function: Any, memory_mb: int, aws_ms: float
) -> None:
    """A function of 17 ms CPU time takes what it took on AWS, and callers feel it."""
    name = deploy_function(aws_session, f"size-{memory_mb}", SOURCE, MemorySize=memory_mb)
    invoke(aws_session, name)
    answers = [invoke(aws_session, name, cpu_ms=17) for _ in range(5)]

    # a busy machine has now and then one that takes another period of CPU
    assert median(a.duration_ms for a in answers) == pytest.approx(aws_ms, rel=0.15)
    assert all(a.felt_ms >= a.duration_ms for a in answers)


STEADY_SOURCES = {
    "python3.13": """
def handler(event, context):
    return sum(i * i % 7 for i in range(VERSION * 50_000))
""",
    "nodejs22.x": """
exports.handler = async () => {
  let text = "";
  for (let i = 0; i < VERSION * 100; i += 1) text = JSON.stringify(Array(2000).fill({ i }));
  return text.length;
};
""",
}


POOL = "Measured By: pool of 256,1024 MB"


@pytest.mark.slow
@pytest.mark.parametrize(
    "runtime", ["python3.13", pytest.param("nodejs22.x", marks=pytest.mark.slow)]
)
def test_sizes_with_the_same_demand_have_one_level(
    embedded_aws: LocalServer,
    aws_session: LocalSession,
    deploy_function: Any,
    reported: None,
    runtime: str,
) -> None:
    """Two versions of one code, of two sizes: the REPORT says so; another code begins anew."""
    meter.set_steady(embedded_aws.home, steady=True)
    lambdas = aws_session.client("lambda")
    try:

        def deploy(version: str) -> str:
            source = STEADY_SOURCES[runtime].replace("VERSION", version)
            return str(deploy_function(aws_session, "steady", source, Runtime=runtime))

        name = deploy("1")

        def version(memory_mb: int) -> str:
            lambdas.update_function_configuration(FunctionName=name, MemorySize=memory_mb)
            return f"{name}:{lambdas.publish_version(FunctionName=name)['Version']}"

        both = [version(256), version(1024)]
        found: list[str] = []
        # a noisy machine's first figures may look unlike: more of them tell
        while len(found) < 120 and not (found and all(POOL in log for log in found[-2:])):
            found += [invoke(aws_session, one).log for one in both]
        assert [log.count(POOL) for log in found[-2:]] == [1, 1]
        assert not any("Measured By" in log for log in found[:4])

        deploy("2")
        other = version(512)
        assert not any("Measured By" in invoke(aws_session, other).log for _ in range(12))
    finally:
        meter.set_steady(embedded_aws.home, steady=False)


@pytest.mark.slow  # that nobody waits then: test_late_answers_are_counted in test_workload.py
def test_reported_mode_does_not_wait(aws_session: LocalSession, small: str, reported: None) -> None:
    """Without the wait the REPORT is the same, and the caller gets his answer early."""
    invoke(aws_session, small)
    answers = [invoke(aws_session, small, cpu_ms=50) for _ in range(5)]

    assert median(a.duration_ms for a in answers) == pytest.approx(50 * 1769 / 128, rel=0.05)
    assert min(answer.felt_ms for answer in answers) < 0.8 * answers[0].duration_ms


def test_sleeping_is_not_stretched(aws_session: LocalSession, small: str) -> None:
    """Waiting takes as long at 128 MB as anywhere."""
    invoke(aws_session, small)

    # 80 ms of CPU time would take 1,100 ms
    assert 80 <= invoke(aws_session, small, sleep_ms=80).duration_ms < 1000


def test_an_invocation_ends_at_its_timeout(aws_session: LocalSession, small: str) -> None:
    """And the next one gets a new environment."""
    answer = invoke(aws_session, small, sleep_ms=25_000)

    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 2.00 seconds" in answer.payload["errorMessage"]
    assert 1900 < answer.felt_ms < 20_000
    assert invoke(aws_session, small).error is None


@pytest.mark.parametrize("event", [{"sleep_ms": 9000}, {"cpu_ms": 400}], ids=["sleeps", "modelled"])
def test_timeout_is_reported_as_on_aws(
    aws_session: LocalSession, small: str, event: dict[str, int]
) -> None:
    """An invocation that would take longer than the timeout ends there, with its REPORT."""
    answer = invoke(aws_session, small, **event)

    assert answer.payload["errorType"] == "Sandbox.Timedout"
    assert answer.duration_ms == 2000
    assert "\tStatus: timeout" in answer.log


def test_failed_invocation_is_reported_too(aws_session: LocalSession, small: str) -> None:
    """The traceback stands before END, and the REPORT ends the log."""
    answer = invoke(aws_session, small, fail="no good")

    assert answer.error == "Unhandled"
    assert answer.payload["errorMessage"] == "no good"
    assert answer.log.index("[ERROR] ValueError: no good") < answer.log.index("END RequestId")
    assert answer.log.splitlines()[-1].startswith("REPORT RequestId")
    again = invoke(aws_session, small)
    assert (again.error, again.report("Init Duration")) == (None, None), "it goes on, warm"


@pytest.mark.slow
def test_json_log_format(aws_session: LocalSession, deploy_function: Any) -> None:
    """A function with LogFormat JSON gets platform.start and platform.report."""
    name = deploy_function(
        aws_session, "as-json", SOURCE, MemorySize=512, LoggingConfig={"LogFormat": "JSON"}
    )
    log = invoke(aws_session, name, cpu_ms=2).log

    events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert [event["type"] for event in events] == ["platform.start", "platform.report"]
    metrics = events[1]["record"]["metrics"]
    assert metrics["memorySizeMB"] == 512
    assert metrics["billedDurationMs"] == pytest.approx(
        metrics["durationMs"] + metrics["initDurationMs"], abs=1.02
    )


def test_nodejs_functions_are_metered(aws_session: LocalSession, deploy_function: Any) -> None:
    """A Node.js function has the same log, durations, errors and exits, with its own options."""
    name = deploy_function(
        aws_session,
        "in-node",
        NODE_SOURCE,
        Runtime="nodejs22.x",
        MemorySize=256,
        Environment={"Variables": {"NODE_OPTIONS": "--enable-source-maps"}},
    )
    cold = invoke(aws_session, name)
    assert [line.split(" RequestId")[0] for line in cold.log.splitlines() if line] == [
        "START",
        "handler at work",
        "END",
        "REPORT",
    ]
    assert cold.report("Init Duration") is not None
    (expected,) = predict(Work(17), [256])
    answers = [invoke(aws_session, name, cpu_ms=17) for _ in range(3)]
    durations = [answer.duration_ms for answer in answers]
    assert median(durations) == pytest.approx(expected.duration_ms.mean, rel=0.15)
    assert all(answer.felt_ms >= answer.duration_ms for answer in answers)
    invoke(aws_session, name, sleep_ms=1)  # compiles
    assert 59 < invoke(aws_session, name, sleep_ms=60).duration_ms < 300

    failed = invoke(aws_session, name, fail="no good")
    assert failed.error == "Unhandled"
    assert '"errorType":"RangeError"' in failed.log
    ended = invoke(aws_session, name, exit=3)
    assert "exit status 3" in ended.payload["errorMessage"]
    assert "\tError Type: Runtime.ExitError" in ended.log


@pytest.mark.parametrize(
    ("runtime", "variables"),
    [
        ("python3.13", {"PYTHONPATH": "lib:/opt/python"}),
        ("nodejs22.x", {"NODE_OPTIONS": "--enable-source-maps"}),
        ("nodejs22.x", {"PATH": os.path.dirname(shutil.which("node") or "")}),
    ],
    ids=["python-path", "node-options", "path"],
)
def test_own_environment_does_not_lose_the_meter(
    aws_session: LocalSession,
    deploy_function: Any,
    reported: None,
    runtime: str,
    variables: dict[str, str],
) -> None:
    """A function may set what the meter is loaded through; it finds its own value."""
    source = ENVIRONMENT_SOURCE if runtime.startswith("python") else NODE_ENVIRONMENT_SOURCE
    name = deploy_function(
        aws_session,
        "own-environment",
        source,
        Runtime=runtime,
        Environment={"Variables": variables},
    )
    answer = invoke(aws_session, name)

    assert answer.duration_ms > 0
    assert answer.report("Init Duration")
    assert variables.items() <= answer.payload.items()
    assert not [name for name in answer.payload if name.startswith("DYNO_")]


_PY, _JS = "def handler(event, context):\n    ", "exports.handler = async () => {"


@pytest.mark.parametrize(
    ("source", "handler", "message", "kind"),
    [
        (
            "import nowhere\n",
            "app.handler",
            "Unable to import module 'app': No module named 'nowhere'",
            "Runtime.ImportModuleError",
        ),
        (
            f"{_PY}pass\n",
            "app.nope",
            "Handler 'nope' missing on module 'app'",
            "Runtime.HandlerNotFound",
        ),
        (
            "def handler(:\n",
            "app.handler",
            "Syntax error in module 'app': invalid syntax (app.py, line 1)",
            "Runtime.UserCodeSyntaxError",
        ),
        (
            f"{_PY}return object()\n",
            "app.handler",
            "Unable to marshal response: Object of type object is not JSON serializable",
            "Runtime.MarshalError",
        ),
        (f"{_PY}raise KeyError('id')\n", "app.handler", "'id'", "KeyError"),
        (f"import os\n{_PY}os._exit(4)\n", "app.handler", "exit status 4", "Runtime.ExitError"),
        (
            "require('nowhere');",
            "app.handler",
            "Error: Cannot find module 'nowhere'",
            "Runtime.ImportModuleError",
        ),
        (
            f"{_JS}}}",
            "app.nope",
            "app.nope is undefined or not exported",
            "Runtime.HandlerNotFound",
        ),
        (_JS, "app.handler", "SyntaxError: ", "Runtime.UserCodeSyntaxError"),
        (f"{_JS} throw 'words' }}", "app.handler", "words", "string"),
        (f"{_JS} throw undefined }}", "app.handler", "handled", "string"),
        (f"{_JS} return 10n }}", "app.handler", "Unable to stringify response body", "Error"),
        (
            f"{_JS} Promise.reject(new Error('lost')); await new Promise(() => {{}}) }}",
            "app.handler",
            "Error: lost",
            "Runtime.UnhandledPromiseRejection",
        ),
        (
            f"{_JS} setTimeout(() => nowhere(), 1); await new Promise(() => {{}}) }}",
            "app.handler",
            "nowhere is not defined",
            "ReferenceError",
        ),
    ],
)
def test_errors_are_told_in_words_of_aws(
    aws_session: LocalSession,
    deploy_function: Any,
    reported: None,
    source: str,
    handler: str,
    message: str,
    kind: str,
) -> None:
    """Message, and in the log the type, are AWS's; START and REPORT are there in any case."""
    runtime = "nodejs22.x" if source.startswith(("exports", "require")) else "python3.13"
    name = deploy_function(aws_session, "fails", source, Handler=handler, Runtime=runtime)
    answer = invoke(aws_session, name)

    assert answer.error == "Unhandled"
    assert message in answer.payload["errorMessage"]
    assert answer.payload["errorType"] == kind
    assert kind in answer.log
    assert answer.log.startswith("START RequestId")
    assert answer.report("Init Duration")


@pytest.mark.slow
@pytest.mark.parametrize(
    "processes",
    [
        pytest.param(False, id="threads"),
        pytest.param(True, id="processes", marks=pytest.mark.slow),
    ],
)
def test_work_of_four_is_four_wide(
    aws_session: LocalSession, deploy_function: Any, reported: None, processes: bool
) -> None:
    """Four threads or processes gain from vCPUs that this machine need not have."""
    durations = []
    for memory_mb in (1769, 10_240):
        name = f"wide-{memory_mb}-{processes}".lower()
        deploy_function(aws_session, name, WIDE_SOURCE, MemorySize=memory_mb)
        invoke(aws_session, name, cpu_ms=10, processes=processes)
        answer = invoke(aws_session, name, cpu_ms=150, processes=processes)
        durations.append(answer.duration_ms)

    assert durations[0] > 560, "600 ms of CPU time"
    # A quarter; more where a busy machine lets some of the four begin when others are done.
    assert 145 < durations[1] < 0.8 * durations[0]


@pytest.mark.slow  # without a server: tests/contract/test_meter_node_model.py
def test_threads_and_children_of_nodejs_count(
    aws_session: LocalSession, deploy_function: Any, reported: None
) -> None:
    """Four helpers gain from vCPUs; a child that is waited for has the function's CPU share."""
    durations = {}
    for memory_mb in (128, 1769, 10_240):
        deploy_function(
            aws_session,
            f"helped-{memory_mb}",
            NODE_HELPERS_SOURCE,
            Runtime="nodejs22.x",
            MemorySize=memory_mb,
        )
        invoke(aws_session, f"helped-{memory_mb}")
        kind = "child" if memory_mb == 128 else "threads"
        answers = [invoke(aws_session, f"helped-{memory_mb}", **{kind: True}) for _ in range(3)]
        # where a busy machine ran the four one by one, nothing could overlap
        durations[memory_mb] = min(answer.duration_ms for answer in answers)

    assert 1.5 < durations[1769] / durations[10_240] < 6
    assert durations[128] > 0.9 * 300 * 1769 / 128, "300 ms of CPU time"


@pytest.mark.slow
def test_waiting_for_the_embedded_aws_does_not_count(
    aws_session: LocalSession,
    embedded_aws: LocalServer,
    deploy_function: Any,
    reported: None,
    tmp_path: Path,
) -> None:
    """Ten scans take ten times AWS's latency, unless that is turned off."""
    aws_session.client("dynamodb").create_table(
        TableName="items",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    name = deploy_function(aws_session, "scans", SCAN_SOURCE, MemorySize=1769)
    invoke(aws_session, name, scans=1)
    meter.set_trace(embedded_aws.home, tmp_path / "trace.jsonl")
    modelled = invoke(aws_session, name, scans=10)
    meter.set_aws_latency(embedded_aws.home, "measured")
    invoke(aws_session, name, scans=10)
    meter.set_aws_latency(embedded_aws.home, "modelled")
    meter.set_trace(embedded_aws.home, None)

    assert modelled.duration_ms > 25, "ten times about 3 ms, and the CPU time of boto3"
    lines = (tmp_path / "trace.jsonl").read_text().splitlines()
    answers = [sum(step[0] == "answer" for step in json.loads(line)["steps"]) for line in lines]
    assert answers == [10, 0]


def test_memory_limit_ends_the_environment(
    aws_session: LocalSession, deploy_function: Any, reported: None
) -> None:
    """Who uses more than the memory size is killed, and only that invocation is lost."""
    name = deploy_function(aws_session, "memory", PLATFORM_SOURCE, MemorySize=128)
    fits = invoke(aws_session, name, mb=40)
    assert fits.error is None
    assert 70 <= (fits.report("Max Memory Used") or 0) <= 128

    killed = invoke(aws_session, name, mb=300)
    assert killed.error == "Unhandled"
    assert "Runtime exited with error: signal: killed" in killed.payload["errorMessage"]
    assert killed.report("Max Memory Used") == 128
    assert "\tStatus: error\tError Type: Runtime.OutOfMemory" in killed.log
    assert invoke(aws_session, name).report("Init Duration") is not None


@pytest.mark.slow
def test_ends_that_the_handler_chooses(
    aws_session: LocalSession, deploy_function: Any, reported: None
) -> None:
    """sys.exit is a Runtime.ExitError; a killed worker costs one invocation and no more."""
    name = deploy_function(aws_session, "ends", PLATFORM_SOURCE, MemorySize=256)
    left = invoke(aws_session, name, exit=2)
    assert "Runtime exited with error: exit status 2" in left.payload["errorMessage"]
    assert "\tError Type: Runtime.ExitError" in left.log
    assert invoke(aws_session, name, die=1).error == "Unhandled"
    assert invoke(aws_session, name).error is None


def test_surroundings_are_those_of_aws(
    aws_session: LocalSession, deploy_function: Any, reported: None
) -> None:
    """Architecture, vCPUs, environment and context are the function's, not this machine's."""
    name = deploy_function(
        aws_session,
        "surroundings",
        PLATFORM_SOURCE,
        MemorySize=5307,
        Architectures=["arm64"],
        Timeout=7,
    )
    seen = invoke(aws_session, name).payload

    assert seen["machine"] == "aarch64"
    assert seen["cpus"] == 3
    assert 2000 < seen["left_ms"] <= 7000
    assert seen["log_group"] == f"/aws/lambda/{name}"
    environment = seen["environment"]
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "5307"
    assert environment["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert environment["_HANDLER"] == "app.handler"
    assert environment["PYTHONPATH"] == "/var/runtime" or not own_file_system()
    assert not {"DYNO_FUNCTION", "DYNO_OWNER", "AUTH", "GATEWAY_PORT"} & set(environment)


@pytest.mark.slow
def test_concurrency_is_that_of_a_new_account(
    aws_session: LocalSession, deploy_function: Any, reported: None, gate: Gate
) -> None:
    """Ten at once get ten environments, each its own REPORT; the eleventh gets a 429."""
    name = deploy_function(aws_session, "crowd", HOLD_SOURCE, MemorySize=1769)
    crowd = [{"n": n, "at": gate.url} for n in range(server.ACCOUNT_CONCURRENCY)]
    with ThreadPoolExecutor(len(crowd)) as pool:
        answering = [pool.submit(invoke, aws_session, name, **event) for event in crowd]
        try:
            assert wait_until(lambda: gate.here == len(crowd))
            with pytest.raises(ClientError) as refused:
                invoke(aws_session, name, n=10)
        finally:
            gate.opened.set()
        answers = [future.result() for future in answering]

    assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert refused.value.response["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert [answer.payload for answer in answers] == list(range(10))
    assert all(answer.report("Init Duration") for answer in answers)
    ids = [re.findall(r"REPORT RequestId: (\S+)", answer.log) for answer in answers]
    assert all(len(found) == 1 for found in ids)
    assert len({found[0] for found in ids}) == len(crowd)


def test_reserved_concurrency_throttles(
    aws_session: LocalSession, deploy_function: Any, reported: None, gate: Gate
) -> None:
    """A function with one reserved execution runs once at a time."""
    name = deploy_function(aws_session, "reserved", HOLD_SOURCE)
    aws_session.client("lambda").put_function_concurrency(
        FunctionName=name, ReservedConcurrentExecutions=1
    )
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(invoke, aws_session, name, n=1, at=gate.url)
        try:
            assert wait_until(lambda: gate.here == 1)
            with pytest.raises(ClientError) as refused:
                invoke(aws_session, name, n=2)
        finally:
            gate.opened.set()
        assert first.result().payload == 1

    assert refused.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


@pytest.mark.slow
def test_two_hundred_at_once(
    gate: Gate, deploy_function: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With the limit raised, 200 run at once: none is lost, none counted twice, all are steady."""
    home = tmp_path_factory.mktemp("two-hundred")
    session = LocalSession(server.start(home, owner_pid=os.getpid(), account_concurrency=200))
    meter.set_mode(home, "reported")
    meter.set_steady(home, steady=False)  # the handler works until its CPU clock says so
    try:
        name = deploy_function(session, "crowd", HOLD_SOURCE, MemorySize=1769, Timeout=900)
        with ThreadPoolExecutor(200) as pool:
            events = [{"n": n, "at": gate.url, "cpu_ms": 20} for n in range(200)]
            answering = [pool.submit(invoke, session, name, **event) for event in events]
            try:
                assert wait_until(lambda: gate.here == 200, RUN_HANGS_S)
            finally:
                gate.opened.set()
            answers = [future.result() for future in answering]
            again = list(pool.map(lambda n: invoke(session, name, n=n, cpu_ms=20), range(200)))
    finally:
        server.stop(home)

    assert [answer.payload for answer in (*answers, *again)] == [*range(200), *range(200)]
    ids = re.findall(r"REPORT RequestId: (\S+)", "".join(a.log for a in (*answers, *again)))
    assert len(ids) == len(set(ids)) == 400
    assert sum(answer.report("Init Duration") is not None for answer in (*answers, *again)) == 200
    (expected,) = predict(Work(20), [1769])
    durations = sorted(answer.duration_ms for answer in again)
    assert durations[100] == pytest.approx(expected.duration_ms.mean, rel=0.03)
