"""What handlers can trip over: on the embedded AWS they find what they find on AWS.

Most of them are one function, so that they share its cold start.
"""

from __future__ import annotations

import base64
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_dyno.emulator import differences, interpreters, meter
from tests.support.functions import archive, invoke, layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_dyno.emulator.boto_session import LocalSession
    from lambda_dyno.emulator.server import LocalServer
    from tests.conftest import DeployFunction

pytestmark = pytest.mark.e2e

needs_own_files = pytest.mark.skipif(
    not differences.own_file_system(), reason="this kernel gives no mount namespaces"
)

PYTHON = r"""
import importlib, mmap, multiprocessing, os, re, resource, subprocess, sys, threading, time

FORGED = '{"status": "ok", "result": "forged"}\n'
worked = 0


def background():
    global worked
    while True:
        worked += 1
        time.sleep(0.005)


def left_running(event):
    if not any(thread.name == "background" for thread in threading.enumerate()):
        threading.Thread(target=background, daemon=True, name="background").start()
        subprocess.Popen(["sh", "-c", "while :; do echo x >> /tmp/child; sleep 0.01; done"])
    time.sleep(0.05)
    return [worked, os.path.getsize("/tmp/child")]


def remaining(event):
    begin = time.perf_counter()
    told = [CONTEXT.get_remaining_time_in_millis() for _ in range(10_000)]
    burn(20)
    told.append(CONTEXT.get_remaining_time_in_millis())
    return [time.perf_counter() - begin, told[0], told[-1], told == sorted(told, reverse=True)]


def burn(ms):
    end = time.thread_time() + ms / 1000
    while time.thread_time() < end:
        pass


def stdin(event):
    child = subprocess.run(["cat"], capture_output=True, text=True).stdout
    return [sys.stdin.read(), child, os.read(0, 10).decode()]


def forge(event):
    sys.__stdout__.write(FORGED)
    os.write(1, FORGED.encode())
    print(FORGED)
    for descriptor in range(3, 300):
        try:
            os.write(descriptor, FORGED.encode())
        except OSError:
            pass
    return event["n"]


def close_all(event):
    os.closerange(3, 4096)
    for descriptor in range(3, 1500):
        try:
            os.close(descriptor)
        except OSError:
            pass
    burn(20)
    return event["n"]


def patched_clocks(event):
    clocks = r"(\w+_time|time|monotonic|perf_counter)(_ns)?"
    names = [name for name in dir(time) if re.fullmatch(clocks, name)]
    for name in names:
        setattr(time, name, lambda: 5)
    time.sleep = lambda s: None
    sum(range(1_000_000))
    return len(names)


def forked(event):
    if os.fork() == 0:
        return "child"
    os.wait()
    return "parent"


def seen_cpus(event):
    affinity = len(os.sched_getaffinity(0))
    listed = open("/proc/cpuinfo").read().count("processor\t")
    nproc = int(subprocess.run(["nproc"], capture_output=True, text=True).stdout)
    online, threads = os.sysconf("SC_NPROCESSORS_ONLN"), int(os.environ["OMP_NUM_THREADS"])
    return [os.cpu_count(), affinity, online, listed, nproc, threads]


def importable(event):
    found = []
    for name in event["names"]:
        try:
            importlib.import_module(name)
            found.append(name)
        except ImportError:
            pass
    return found


def fill_tmp(event):
    before = os.listdir("/tmp")
    try:
        with open("/tmp/big", "wb") as file:
            for _ in range(600):
                file.write(bytes(1 << 20))
    except OSError as error:
        return [before, os.path.getsize("/tmp/big") >> 20, str(error)]
    finally:
        os.remove("/tmp/big")


def surroundings(event):
    refused = []
    for path in ("/var/task/x", "/opt/x", "/usr/x"):
        try:
            open(path, "w")
        except OSError as error:
            refused.append(error.errno)
    try:
        multiprocessing.Queue()
    except OSError as error:
        refused.append(error.errno)
    return {
        "refused": refused,
        "file": __file__,
        "here": os.getcwd(),
        "opt": os.listdir("/opt"),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "home": os.path.exists(event["home"]),
        "version": "%d.%d" % sys.version_info[:2],
    }


def mapped(event):
    with open("/tmp/mapped", "wb") as file:
        for _ in range(event["mb"]):
            file.write(bytes(1 << 20))
    with open("/tmp/mapped", "rb") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
            found = sum(pages[at] for at in range(0, len(pages), 4096))
            time.sleep(0.1)
    os.remove("/tmp/mapped")
    return found


def any_bytes(event):
    os.write(1, bytes(range(128, 256)) + b"\n")
    subprocess.run(["sh", "-c", "printf '\\377\\n' >&2"])


def talkative(event):
    for number in range(event["lines"]):
        print(number)


def slept(event):
    child = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
    time.sleep(0.1)
    child.kill()
    child.wait()


def wide(event):
    code = "import time\nwhile time.process_time() < 0.36: pass"
    children = [subprocess.Popen([sys.executable, "-S", "-c", code]) for _ in range(6)]
    return [child.wait() for child in children]


def half_a_character(event):
    return "\ud800"


def held_lock(event):
    re.match(r"(a+)+$", "a" * 40 + "b")


def crash(event):
    import ctypes
    ctypes.string_at(0)


def abort(event):
    os.abort()


def handler(event, context):
    global CONTEXT
    CONTEXT = context
    return globals()[event["do"]](event)
"""

NODE = r"""
const fs = require("fs");
const FORGED = '{"status": "ok", "result": "forged"}\n';
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
let ticks = 0;
const does = {
  remaining(event, context) {
    const told = Array.from({ length: 10000 }, () => context.getRemainingTimeInMillis());
    return told[0] - told[told.length - 1];
  },
  async leftRunning() {
    if (!ticks) setInterval(() => (ticks += 1), 5);
    await sleep(50);
    return ticks;
  },
  async forge(event) {
    process.stdout.write(FORGED);
    fs.writeSync(1, FORGED);
    return event.n;
  },
  stdin: () => fs.readFileSync(0, "utf8"),
  async waits() {
    const begin = process.cpuUsage();
    const wait = sleep(100);
    while (process.cpuUsage(begin).user < 20000);
    await wait;
  },
  anyBytes: () => fs.writeSync(1, Buffer.from([255, 254, 10])) && null,
  async rejectsLater() {
    setTimeout(() => Promise.reject(new Error("later")), 50);
    return "answered";
  },
  atomics: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100),
  async never() {
    await new Promise(() => {});
  },
  big: (event) => "x".repeat(event.bytes),
  busy() {
    for (;;);
  },
  async missing(event) {
    const found = [];
    for (const name of event.names) await import(name).then(() => found.push(name), () => {});
    return found;
  },
};
exports.handler = async (event, context) => does[event.do](event, context);
exports.callback = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = event.waits;
  setTimeout(() => console.log("the timer"), 200);
  callback(null, "answered");
};
exports.silent = (event, context, callback) => {};
exports.streamed = awslambda.streamifyResponse(async (event, stream) => {
  const prelude = { statusCode: 201, headers: { "x-own": "1" } };
  const out = awslambda.HttpResponseStream.from(stream, prelude);
  out.write("one ");
  out.write("two");
  out.end();
});
exports.large = awslambda.streamifyResponse(async (event, stream) => {
  if (event.fails) throw new RangeError("no more");
  for (let part = 0; part < event.mb; part++) stream.write(Buffer.alloc(1 << 20, 255));
  stream.end();
});
"""


@pytest.fixture(scope="module", autouse=True)
def reported(embedded_aws: LocalServer) -> Iterator[None]:
    """Nobody waits longer than a function works."""
    meter.set_mode(embedded_aws.home, "reported")
    yield
    meter.set_mode(embedded_aws.home, "felt")


@pytest.fixture(scope="module")
def python(aws_session: LocalSession, deploy_function: DeployFunction) -> str:
    """The function in Python: 256 MB, 30 s."""
    config = {"MemorySize": 256, "Timeout": 30, "EphemeralStorage": {"Size": 512}}
    return deploy_function(aws_session, "python", PYTHON, **config)


@pytest.fixture(scope="module")
def node(aws_session: LocalSession, deploy_function: DeployFunction) -> str:
    """The function in Node.js: 256 MB, 30 s."""
    config = {"Runtime": "nodejs22.x", "MemorySize": 256, "Timeout": 30}
    return deploy_function(aws_session, "node", NODE, **config)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["python", "node"])
def test_asking_for_the_time_left_costs_nothing(
    aws_session: LocalSession, request: pytest.FixtureRequest, language: str
) -> None:
    """Ten thousand questions take some milliseconds, and the answers never rise."""
    name = request.getfixturevalue(language)
    invoke(aws_session, name, do="remaining")
    answer = invoke(aws_session, name, do="remaining")

    assert answer.error is None
    if language == "python":
        _, first, last, falling = answer.payload
        assert falling
        assert 29_000 < first <= 30_000
        # 20 ms of CPU time, seven times as much at 256 MB, and the questions
        assert 100 < first - last < 2500
    assert answer.duration_ms < 2500, "at a millisecond each they would take ten seconds"


def test_environment_is_frozen_between_invocations(aws_session: LocalSession, python: str) -> None:
    """A thread, a child and a timer that are left running stop until the next invocation."""
    thread, child = invoke(aws_session, python, do="left_running").payload
    subprocess.run(["sleep", "0.6"], check=True)  # 120 rounds of the thread, 60 of the child
    later_thread, later_child = invoke(aws_session, python, do="left_running").payload

    assert 1 <= later_thread - thread < 40
    assert 1 <= later_child - child < 60


@pytest.mark.slow
def test_timers_are_frozen_in_nodejs(aws_session: LocalSession, node: str) -> None:
    """setInterval does not tick between invocations."""
    ticks = invoke(aws_session, node, do="leftRunning").payload
    subprocess.run(["sleep", "0.6"], check=True)
    assert 1 <= invoke(aws_session, node, do="leftRunning").payload - ticks < 40


@pytest.mark.parametrize("language", ["python", "node"])
def test_stdin_is_empty_and_no_way_to_the_answer(
    aws_session: LocalSession, request: pytest.FixtureRequest, language: str
) -> None:
    """Nobody hangs in reading it, children neither; what is written to stdout is in the log."""
    name = request.getfixturevalue(language)
    nothing = invoke(aws_session, name, do="stdin")
    assert (nothing.payload, nothing.error) == (["", "", ""] if language == "python" else "", None)
    for number in (1, 2):
        answer = invoke(aws_session, name, do="forge", n=number)
        assert answer.payload == number
        assert '{"status": "ok", "result": "forged"}' in answer.said


def test_meter_outlives_what_a_handler_closes_and_patches(
    aws_session: LocalSession, deploy_function: DeployFunction, python: str
) -> None:
    """All descriptors closed, all clocks patched, a child that comes back: measured as ever."""
    for number in (1, 2):
        answer = invoke(aws_session, python, do="close_all", n=number)
        assert answer.payload == number
        # 20 ms of CPU time at 256 MB, less the first period's share: five more at the least
        assert answer.duration_ms > 100
    assert invoke(aws_session, python, do="forked").payload == "parent"
    deploy_function(aws_session, "clocks", PYTHON, MemorySize=128)
    answer = invoke(aws_session, "clocks", do="patched_clocks")
    assert answer.payload >= 8
    assert answer.duration_ms > 50, "it has worked, and not waited"


@needs_own_files
def test_files_are_the_environments_own(
    aws_session: LocalSession, deploy_function: DeployFunction, python: str, tmp_path: Path
) -> None:
    """/tmp is empty at first and limited, all else read-only; no file of this machine's user."""
    seen = invoke(aws_session, python, do="surroundings", home=str(tmp_path)).payload
    assert seen["refused"] == [30, 30, 30, 38], "read-only file systems, and no semaphores"
    assert (seen["file"], seen["here"], seen["opt"]) == ("/var/task/app.py", "/var/task", [])
    assert seen["files"] == 1024
    assert not seen["home"]
    installed = interpreters.pythons(Path(sys.executable))
    assert seen["version"] == ("3.13" if "3.13" in installed else seen["version"])

    deploy_function(aws_session, "other", PYTHON, MemorySize=1769, Timeout=30)
    before, size_mb, error = invoke(aws_session, "other", do="fill_tmp").payload
    assert before == []
    assert 500 <= size_mb <= 512
    assert "No space left on device" in error


@needs_own_files
@pytest.mark.slow
def test_mapped_files_are_not_the_functions_memory(
    aws_session: LocalSession, deploy_function: DeployFunction
) -> None:
    """300 MB mapped at 256 MB: the kernel takes such pages back."""
    name = deploy_function(aws_session, "mapped", PYTHON, MemorySize=256, Timeout=120)
    answer = invoke(aws_session, name, do="mapped", mb=300)

    assert answer.error is None, answer.log
    assert answer.report("Max Memory Used") == 256


COLLECTED = r"""
const live = [];
exports.handler = async () => {
  for (let i = live.length; i < 1_000_000; i++) live.push({ i, s: { i } });
  for (let r = 0; r < 40; r++) {
    const junk = [];
    for (let i = 0; i < 20_000; i++) junk.push({ r, i, x: { i } });
    live[r] = junk[r];
  }
};
"""


@pytest.mark.slow
def test_heap_near_its_limit_is_collected_as_on_aws(
    aws_session: LocalSession, deploy_function: DeployFunction
) -> None:
    """By Node.js's own collector, which has AWS's limits: the same work takes more CPU time."""
    names, cpu_ms = {}, {160: math.inf, 512: math.inf}
    for memory_mb in cpu_ms:
        config: dict[str, Any] = {"Runtime": "nodejs22.x", "MemorySize": memory_mb, "Timeout": 300}
        names[memory_mb] = deploy_function(aws_session, f"heap-{memory_mb}", COLLECTED, **config)
        invoke(aws_session, names[memory_mb])
    for _ in range(20):  # in turns: the least of each is what a busy machine leaves to measure
        for memory_mb, name in names.items():
            took_ms = invoke(aws_session, name).duration_ms * memory_mb / 1769
            cpu_ms[memory_mb] = min(cpu_ms[memory_mb], took_ms)

    assert cpu_ms[160] > 1.25 * cpu_ms[512]


@needs_own_files
@pytest.mark.slow
def test_function_sees_its_vcpus(
    aws_session: LocalSession, deploy_function: DeployFunction
) -> None:
    """By every way in which a program asks, native ones included."""
    deploy_function(aws_session, "wide", PYTHON, MemorySize=5307)

    assert invoke(aws_session, "wide", do="seen_cpus").payload == [3] * 6


def test_packages_are_the_functions_own(aws_session: LocalSession, python: str, node: str) -> None:
    """And those of AWS's runtime: boto3 and the SDK, but nothing of this project's."""
    ours = ["pydantic", "requests", "yaml", "rich", "pytest", "psutil", "ministack", "lambda_dyno"]
    runtime = ["boto3", "botocore", "urllib3", "dateutil"]
    found = invoke(aws_session, python, do="importable", names=[*ours, *runtime])
    assert found.payload == runtime

    sdk = ["@aws-sdk/client-dynamodb", "@aws-sdk/lib-dynamodb", "@smithy/node-http-handler"]
    found = invoke(aws_session, node, do="missing", names=["newman", "lodash", *sdk])
    assert found.payload == sdk


LOGGING = """
import logging
logging.basicConfig(level=logging.DEBUG)
logger = logging.getLogger("own")

def handler(event, context):
    logger.info("unseen")
    logging.getLogger().setLevel(logging.INFO)
    logger.info("seen %s", 1)
    return context.aws_request_id
"""


@pytest.mark.slow
def test_messages_of_pythons_logging(
    aws_session: LocalSession, deploy_function: DeployFunction
) -> None:
    """The runtime's handler is there first; JSON where the function's log format is that."""
    answer = invoke(aws_session, deploy_function(aws_session, "logging", LOGGING))
    (line,) = answer.said
    level, _, request_id, message = line.split("\t")
    assert (level, request_id, message) == ("[INFO]", answer.payload, "seen 1")

    config = {"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"}}
    answer = invoke(aws_session, deploy_function(aws_session, "logging", LOGGING, **config))
    records = [json.loads(line) for line in answer.said]
    own = [record for record in records if "logger" in record]
    assert [record["message"] for record in own] == ["unseen", "seen 1"]
    assert own[0]["requestId"] == answer.payload


@pytest.mark.parametrize(
    ("do", "words"), [("crash", "signal: segmentation fault"), ("abort", "signal: aborted")]
)
def test_ends_from_outside_are_reported(
    aws_session: LocalSession, python: str, do: str, words: str
) -> None:
    """A handler that dies of a signal has its REPORT."""
    answer = invoke(aws_session, python, do=do)

    assert words in answer.payload["errorMessage"]
    assert "\tStatus: error" in answer.log
    assert answer.duration_ms < 30_000


@pytest.mark.parametrize("language", ["python", "node"])
def test_log_takes_any_bytes(
    aws_session: LocalSession, request: pytest.FixtureRequest, language: str
) -> None:
    """What is no UTF-8 is replaced, as in CloudWatch; the environment goes on."""
    name = request.getfixturevalue(language)
    does = "any_bytes" if language == "python" else "anyBytes"
    for _ in range(2):
        answer = invoke(aws_session, name, do=does)
        assert answer.error is None
        assert "\N{REPLACEMENT CHARACTER}" in answer.said[0]
        assert answer.duration_ms > 0


def test_long_log_is_its_invocations_own(aws_session: LocalSession, python: str) -> None:
    """Of 40,000 lines the last ones and the REPORT are in the tail, and none in the next one's."""
    long = invoke(aws_session, python, do="talkative", lines=40_000)
    assert long.said[-1] == "39999"
    assert long.duration_ms > 0
    assert invoke(aws_session, python, do="talkative", lines=1).said == ["0"]


@pytest.mark.slow
def test_time_runs_by_awss_clock(
    aws_session: LocalSession, deploy_function: DeployFunction
) -> None:
    """2.2 s of CPU time take 0.4 at 10,240 MB, however few cores this machine has."""
    name = deploy_function(aws_session, "wide", PYTHON, MemorySize=10_240, Timeout=1)
    answer = invoke(aws_session, name, do="wide")

    assert (answer.payload, answer.error) == ([0] * 6, None)
    assert 360 < answer.duration_ms < 1000


def test_sleep_is_as_long_as_asked_for(aws_session: LocalSession, python: str, node: str) -> None:
    """Whatever a child does meanwhile, and however late this machine wakes the sleeper."""
    assert invoke(aws_session, python, do="slept").duration_ms >= 100
    assert 100 <= invoke(aws_session, node, do="atomics").duration_ms < 150


def test_answer_that_is_no_utf8(aws_session: LocalSession, python: str) -> None:
    """Half a character of JSON's is replaced, not the answer."""
    assert invoke(aws_session, python, do="half_a_character").payload == "?"


def test_rejection_after_the_answer_ends_nodejs(aws_session: LocalSession, node: str) -> None:
    """In the next invocation, with the status that the runtime has for it."""
    assert invoke(aws_session, node, do="rejectsLater").payload == "answered"
    subprocess.run(["sleep", "0.1"], check=True)  # the timer is due when the environment thaws
    answer = invoke(aws_session, node, do="leftRunning")
    assert answer.error == "Unhandled"
    assert re.search("exit status 128|UnhandledPromiseRejection", answer.log)


@pytest.mark.parametrize("do", ["held_lock", "busy"])
def test_end_of_a_busy_loop_is_reported(
    aws_session: LocalSession, deploy_function: DeployFunction, do: str
) -> None:
    """Although it holds Python's lock, or its event loop never comes by."""
    source, runtime = (PYTHON, "python3.13") if do == "held_lock" else (NODE, "nodejs22.x")
    config = {"Runtime": runtime, "MemorySize": 256, "Timeout": 2}
    name = deploy_function(aws_session, "endless", source, **config)
    answer = invoke(aws_session, name, do=do)

    assert answer.payload["errorType"] == "Sandbox.Timedout"
    assert answer.duration_ms == 2000
    assert "\tStatus: timeout" in answer.log
    assert invoke(aws_session, name, do="stdin").error is None


@pytest.mark.slow
def test_answers_are_as_large_as_on_aws(aws_session: LocalSession, node: str) -> None:
    """6 MB and 100 bytes, counted as they are sent."""
    assert invoke(aws_session, node, do="big", bytes=6_291_554).error is None
    refused = invoke(aws_session, node, do="big", bytes=6_291_555)
    assert refused.error == "Unhandled"
    assert "exceeded maximum allowed payload size" in refused.payload["errorMessage"]


@pytest.mark.slow
def test_busy_machine_does_not_shorten_a_wait(aws_session: LocalSession, node: str) -> None:
    """A timer of 100 ms, with 20 ms of CPU time meanwhile."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        answers = [invoke(aws_session, node, do="waits") for _ in range(3)]
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()

    assert all(answer.duration_ms > 99 for answer in answers)


@pytest.mark.slow
def test_end_of_an_invocation_in_nodejs(
    aws_session: LocalSession, deploy_function: DeployFunction
) -> None:
    """A callback waits for the event loop unless told otherwise; no answer is null, or an error."""
    config: dict[str, Any] = {"Runtime": "nodejs22.x", "MemorySize": 1769}
    deploy_function(aws_session, "callback", NODE, Handler="app.callback", **config)
    waited = invoke(aws_session, "callback", waits=True)
    assert (waited.payload, waited.said) == ("answered", ["the timer"])
    assert waited.duration_ms > 200
    at_once = invoke(aws_session, "callback", waits=False)
    assert at_once.payload == "answered"
    assert at_once.duration_ms < 200

    deploy_function(aws_session, "callback", NODE, Handler="app.silent", **config)
    assert invoke(aws_session, "callback").payload is None
    deploy_function(aws_session, "callback", NODE, Handler="app.handler", **config)
    never = invoke(aws_session, "callback", do="never")
    assert "Runtime.NodeJsExit" in never.log


@pytest.mark.slow
def test_responses_can_be_streamed(
    aws_session: LocalSession, deploy_function: DeployFunction
) -> None:
    """By `awslambda`; the prelude says status and headers."""
    config: dict[str, Any] = {"Runtime": "nodejs22.x", "Handler": "app.streamed"}
    deploy_function(aws_session, "streamed", NODE, **config)
    prelude, _, body = invoke(aws_session, "streamed").payload.partition("\0" * 8)

    assert prelude == '{"statusCode":201,"headers":{"x-own":"1"}}'
    assert body == "one two"


@pytest.mark.slow
def test_invocations_with_a_response_stream(
    aws_session: LocalSession, deploy_function: DeployFunction
) -> None:
    """Bytes of more than 6 MB in pieces, then the log; Invoke has no more than 6 MB of them."""
    config: dict[str, Any] = {"Runtime": "nodejs22.x", "Handler": "app.large", "MemorySize": 1769}
    deploy_function(aws_session, "large", NODE, **config)
    pieces, end = streamed(aws_session, "large", mb=7)
    assert len(pieces) > 1
    assert b"".join(pieces) == b"\xff" * (7 << 20)
    assert "ErrorCode" not in end
    assert "REPORT RequestId" in base64.b64decode(end["LogResult"]).decode()
    assert "exceeded maximum" in invoke(aws_session, "large", mb=7).payload["errorMessage"]

    pieces, end = streamed(aws_session, "large", fails=True)
    assert (pieces, end["ErrorCode"]) == ([], "Unhandled")
    assert json.loads(end["ErrorDetails"])["errorType"] == "RangeError"

    deploy_function(aws_session, "plain", NODE, **config | {"Handler": "app.handler"})
    pieces, _ = streamed(aws_session, "plain", do="big", bytes=10)
    assert json.loads(b"".join(pieces)) == "x" * 10
    _, end = streamed(aws_session, "plain", do="big", bytes=6_291_555)
    assert "exceeded maximum" in end["ErrorDetails"], "it streams no more than it is asked"


def streamed(session: LocalSession, name: str, **event: Any) -> tuple[list[bytes], dict[str, Any]]:
    """Invoke a function by InvokeWithResponseStream; return the pieces and the closing event."""
    answer = session.client("lambda").invoke_with_response_stream(
        FunctionName=name, LogType="Tail", Payload=json.dumps(event)
    )
    events = list(answer["EventStream"])
    assert set(events[-1]) == {"InvokeComplete"}
    return [one["PayloadChunk"]["Payload"] for one in events[:-1]], events[-1]["InvokeComplete"]


@needs_own_files
@pytest.mark.slow
def test_package_is_as_it_was_packed(
    aws_session: LocalSession, deploy_function: DeployFunction
) -> None:
    """Programs can be run, links are links, and layers are at /opt, the later before the former."""
    source = """
import os, subprocess, common, deep, sys
def handler(event, context):
    run = lambda *command: subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return [run("/var/task/bin/tool"), os.readlink("/var/task/link"), os.access("plain", os.X_OK),
            common.which, deep.here, run("layered"), sorted(os.listdir("/opt"))]
"""
    tool = "#!/bin/sh\necho tool\n"
    first = layer(
        aws_session,
        "first",
        {
            "python/common.py": "which = 'first'",
            "python/lib/python3.13/site-packages/deep.py": "here = 'deep'",
            "bin/layered*": "#!/bin/sh\necho layered\n",
        },
    )
    second = layer(aws_session, "second", {"python/common.py": "which = 'second'", "data": "x"})
    code = archive({"app.py": source, "bin/tool*": tool, "plain": tool, "link@": "bin/tool"})
    deploy_function(aws_session, "packed", code, Layers=[first, second])

    assert invoke(aws_session, "packed").payload == [
        *("tool", "bin/tool", False, "second", "deep", "layered"),
        ["bin", "data", "python"],
    ]


@needs_own_files
@pytest.mark.slow
def test_layers_are_found_by_nodejs(
    aws_session: LocalSession, deploy_function: DeployFunction
) -> None:
    """By ES modules as by CommonJS, and by their paths."""
    packages = layer(
        aws_session,
        "packages",
        {
            "nodejs/node_modules/alpha/index.js": "module.exports = 'alpha';",
            "nodejs/node_modules/@own/beta/index.mjs": "export default 'beta';",
            "nodejs/node_modules/@own/beta/package.json": '{"exports": "./index.mjs"}',
            "nodejs/util.mjs": "export const util = 'util';",
        },
    )
    source = """
import { createRequire } from "module";
import alpha from "alpha";
import beta from "@own/beta";
import { util } from "/opt/nodejs/util.mjs";
export const handler = async () => [alpha, beta, util, createRequire(import.meta.url)("alpha")];
"""
    code = archive({"index.mjs": source})
    config: dict[str, Any] = {"Runtime": "nodejs22.x", "Handler": "index.handler"}
    deploy_function(aws_session, "layered", code, Layers=[packages], **config)

    assert invoke(aws_session, "layered").payload == ["alpha", "beta", "util", "alpha"]


@pytest.mark.slow
def test_tenant_must_be_named(aws_session: LocalSession, deploy_function: DeployFunction) -> None:
    """Where a function isolates its tenants."""
    name = deploy_function(
        aws_session,
        "tenants",
        "def handler(event, context):\n    return event\n",
        TenancyConfig={"TenantIsolationMode": "PER_TENANT"},
    )
    lambdas = aws_session.client("lambda")
    with pytest.raises(lambdas.exceptions.InvalidParameterValueException, match="tenant ID"):
        lambdas.invoke(FunctionName=name)
    assert lambdas.invoke(FunctionName=name, TenantId="blue")["StatusCode"] == 200


def test_log_group_has_one_report(aws_session: LocalSession, node: str) -> None:
    """The sandbox's START, END and REPORT, and no others."""
    answer = invoke(aws_session, node, do="stdin")
    (request_id,) = set(re.findall(r"RequestId: (\S+)", answer.log))
    events = aws_session.client("logs").filter_log_events(
        logGroupName=f"/aws/lambda/{node}", filterPattern=f'"{request_id}"'
    )["events"]
    words = [event["message"].split(" RequestId")[0] for event in events]
    assert words == ["START", "END", "REPORT"]
