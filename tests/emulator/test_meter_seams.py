"""What the Lambda meter relies on in the embedded AWS; a new release may change it.

MiniStack's own worker scripts are run here as it runs them, without a server: each test names
the habit that the meter is built on, so that a failure says what to look at.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from ministack.core import lambda_runtime

from lambda_dyno.emulator import sandboxes
from lambda_emulator import workers
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.contract

RELEASE = f"MiniStack {version('ministack')}"
ID = "5d69d4ee-0c5b-4306-a9bc-206aa1e84847"

PYTHON = (
    "python3.13",
    (
        "def handler(event, context):\n"
        "    print('at work', context.aws_request_id, context.get_remaining_time_in_millis() > 0)\n"
        "    return event\n"
    ),
    "app.py",
)
NODE = (
    "nodejs22.x",
    (
        "exports.handler = async (event, context) => {\n"
        "  console.log('at work', context.awsRequestId, context.getRemainingTimeInMillis() > 0);\n"
        "  return event;\n"
        "};\n"
    ),
    "app.js",
)


class Worker:
    """A Lambda worker, started as MiniStack does but with pipes of our own."""

    def __init__(self, folder: Path, runtime: str, source: str, file: str) -> None:
        _, script = lambda_runtime._detect_runtime_binary(runtime)
        suffix = lambda_runtime._worker_script_extension(runtime)
        path = folder / f"_worker{suffix}"
        path.write_text(script)
        code = folder / "code"
        code.mkdir()
        (code / file).write_text(source)
        (folder / "meter.json").write_text('{"mode": "reported"}')
        program = sandboxes.environment(folder, Path(sys.executable), 0)["DYNO_SANDBOX"]
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "DYNO_FUNCTION": json.dumps({"Runtime": runtime}),
            "_LAMBDA_TIMEOUT": "3",
        }
        self._process = subprocess.Popen(
            [program, str(path)],
            cwd=code,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        init = {"code_dir": str(code), "module": "app", "handler": "handler", "memory": 512}
        self.ready = self.ask(init | {"env": {}, "function_name": "f", "arn": ""})

    def ask(self, message: dict[str, Any]) -> Any:
        """Send a line and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"{RELEASE}: the worker ended: {self._process.communicate()[1]}"
        return json.loads(line)

    def log(self) -> str:
        """End the worker and return all that it logged."""
        return self._process.communicate(timeout=HANGS_S)[1]


@pytest.mark.parametrize("function", [PYTHON, NODE], ids=["python", "nodejs"])
def test_worker_speaks_the_protocol_that_the_meter_reads(
    tmp_path: Path, function: tuple[str, str, str]
) -> None:
    """Init and invocations are JSON lines; the meter puts START, END and REPORT into the log."""
    worker = Worker(tmp_path, *function)
    assert worker.ready["status"] == "ready", f"{RELEASE} answers Init differently"
    answer = worker.ask({"event": {"n": 1}, "ctx": {"request_id": ID, "timeout_ms": 3000}})

    assert answer == {"status": "ok", "result": {"n": 1}}, f"{RELEASE} answers differently"
    lines = [line for line in worker.log().splitlines() if line]
    assert lines[0] == f"START RequestId: {ID} Version: $LATEST", (
        f"{RELEASE}: the meter does not see when an invocation starts (stdin, JSON lines)"
    )
    assert lines[1].lower() == f"at work {ID} true", f"{RELEASE}: handlers log elsewhere"
    assert lines[2] == f"END RequestId: {ID}"
    assert re.match(rf"REPORT RequestId: {ID}\tDuration: [\d.]+ ms\t", lines[3]), (
        f"{RELEASE}: the meter does not see when an invocation ends (stdout, JSON lines)"
    )
    assert "\tInit Duration: " in lines[3]


def test_envelope_of_an_invocation() -> None:
    """Event first, then the context with request id and timeout: the meter reads the tail."""
    source = inspect.getsource(lambda_runtime.Worker.invoke)

    assert re.search(r'envelope = \{\s*"event": event,\s*"ctx": \{', source), (
        f"{RELEASE}: the envelope's order changed; see Invocation in sandbox/function.py"
    )
    for key in ('"request_id"', '"timeout_ms"'):
        assert key in source, f"{RELEASE} does not pass {key} to workers any more"


def test_workers_are_started_by_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both functions that are replaced are asked, and the environment is passed on."""
    source = inspect.getsource(lambda_runtime.Worker._spawn)

    assert "{**os.environ, **env_vars}" in source, f"{RELEASE} does not pass its environment on"
    assert "_detect_runtime_binary(runtime)" in source, f"{RELEASE} finds programs differently"
    assert 'f"_worker{ext}"' in source, f"{RELEASE} names its worker scripts differently"
    assert 'os.path.join(self._tmpdir, "code.zip")' in source, f"{RELEASE} keeps no archive"
    assert 'f"layer_{len(layers_dirs)}.zip"' in source, f"{RELEASE} keeps no archive of layers"
    assert '"_LAMBDA_LAYERS_DIRS"' in source, f"{RELEASE} does not say where layers are"

    monkeypatch.setattr(
        lambda_runtime, "_detect_runtime_binary", lambda_runtime._detect_runtime_binary
    )
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(lambda_runtime.Worker, "_spawn", lambda worker: seen.append(worker.config))
    workers.sandboxed("/sandbox")
    config = {"Runtime": "python3.13", "Environment": {"Variables": {"A": "b"}}, "Timeout": 3}
    worker = lambda_runtime.Worker("f", config, b"")
    worker._spawn()

    assert lambda_runtime._detect_runtime_binary("python3.13")[0] == "/sandbox"
    assert lambda_runtime._detect_runtime_binary("java21")[0] == ""
    known = seen[0]["Environment"]["Variables"].pop("DYNO_FUNCTION")
    assert seen[0]["Environment"]["Variables"] == {"A": "b"}
    assert json.loads(known) == {"Runtime": "python3.13"}
    assert worker.config is config, "it is the function's own, and stays as it is"


def test_worker_that_answers_with_an_error_is_replaced() -> None:
    """The meter ends itself after a timeout and relies on a new worker being started."""
    source = inspect.getsource(lambda_runtime.Worker.invoke)

    assert 'response.get("status") == "error"' in source
    assert "self._proc.poll() is not None" in source, f"{RELEASE} does not notice a dead worker"


def test_timeout_is_known_by_its_words() -> None:
    """An answer of these words becomes Sandbox.Timedout."""
    from ministack.services import lambda_svc

    words = "Task timed out after 3.00 seconds"
    assert lambda_svc._RIE_TIMEOUT_TEXT_RE.fullmatch(words), (
        f"{RELEASE} words timeouts differently; see _died in sandbox/program.py"
    )


def test_log_is_taken_a_moment_after_the_answer() -> None:
    """The meter writes log first and answer then; the server waits this long for the first line."""
    waits = inspect.signature(lambda_runtime.Worker._drain_stderr_bounded).parameters

    assert waits["first_line_wait"].default >= 0.02, f"{RELEASE} waits less for the log"
    assert waits["idle_confirm"].default >= 0.002, f"{RELEASE} waits less between log lines"


def test_invocations_pass_one_function() -> None:
    """The one that refuses who names no tenant."""
    from ministack.services import lambda_svc

    parameters = list(inspect.signature(lambda_svc._invoke).parameters)
    assert parameters[:3] == ["name", "event", "headers"], f"{RELEASE} invokes differently"
    source = inspect.getsource(lambda_svc._invoke_with_response_stream)
    assert "await _invoke(name, event, headers, path_qualifier, query_params)" in source
    frame = inspect.signature(lambda_svc._es_encode_message)
    assert list(frame.parameters) == ["headers", "payload"], f"{RELEASE} frames streams differently"
    assert ".get(" in inspect.getsource(lambda_svc._durable_env_overlay), "it may have other names"


def test_answers_and_logs_pass_two_functions() -> None:
    """What a worker answers reaches the caller's answer, and the log's source is asked for."""
    from ministack.services import lambda_svc

    warm = inspect.getsource(lambda_svc._execute_function_warm)
    assert "worker.invoke(" in warm, f"{RELEASE} invokes workers differently"
    assert '"body": {' in warm, f"{RELEASE} answers errors differently"
    assert 'log_source == "rie"' in inspect.getsource(lambda_svc._emit_lambda_logs), (
        f"{RELEASE} adds its own START, END and REPORT to all logs"
    )
    assert "response = result_box[0]" in inspect.getsource(lambda_runtime.Worker.invoke)


def test_log_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader's thread and what takes its lines are replaced: bytes of any kind, all lines."""
    kind = lambda_runtime.Worker
    assert "for line in self._proc.stderr" in inspect.getsource(kind._read_stderr)
    assert "get_nowait()" in inspect.getsource(kind._drain_stderr)
    assert "_drain_stderr_bounded()" in inspect.getsource(kind.invoke)
    for name in ("_read_stderr", "_drain_stderr_bounded"):
        monkeypatch.setattr(kind, name, getattr(kind, name))
    workers.all_logged()
    worker = kind("f", {}, b"")
    source = "import os; os.write(2, b'a\\xff\\rb\\n' + b'x\\n' * 200_000)"
    worker._proc = subprocess.Popen(
        [sys.executable, "-c", source], stderr=subprocess.PIPE, text=True, bufsize=1
    )
    worker._read_stderr()
    worker._proc.wait()
    worker._proc.stderr.close()
    lines = worker._drain_stderr_bounded().split("\n")

    assert lines[0] == "a\N{REPLACEMENT CHARACTER}\rb", f"{RELEASE} opens the log differently"
    assert len(lines) == 200_001


def test_timeout_is_the_sandboxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """MiniStack's own is put off, and the function's goes beside the payload."""
    from ministack.services import lambda_svc

    kind = lambda_runtime.Worker
    assert 'timeout = self.config.get("Timeout", 30)' in inspect.getsource(kind.invoke)
    seen: list[Any] = []

    def invoke(worker: Any, *_: Any, **named: Any) -> dict[str, Any]:
        seen.extend((worker.config["Timeout"], named["durable"]))
        return {}

    monkeypatch.setattr(kind, "invoke", invoke)
    monkeypatch.setattr(lambda_svc, "_execute_function_warm", lambda_svc._execute_function_warm)
    workers.answered_as_on_aws()
    config = {"Timeout": 3}
    worker = kind("f", config, b"")
    worker.invoke({}, "id", durable={"A": "b"})

    assert seen[0] > 60
    assert seen[1] == {"A": "b", "DYNO_TIMEOUT": 3.0}
    assert worker.config is config
