"""Meters the invocations of one Python worker of the embedded AWS.

A worker reads JSON lines from stdin and answers with JSON lines on stdout: first the function
to load, then one line per invocation. The meter stands between: it sees the line that starts an
invocation and the answer that ends it, and holds the answer back until the time is over that
AWS would have taken. What the handler logs goes to stderr, and so do the platform's lines.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from . import report
from .cfs import duration_ms
from .settings import Settings, function_configuration
from .usage import Usage, max_memory_mb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

# The embedded AWS starts its own clock before it writes the invocation, and kills at the end.
_EARLIER_S = 0.025
_OF_THE_SERVER = (
    "AUTH",
    "BIND_HOST",
    "GATEWAY_PORT",
    "SFTP_ENABLED",
    "IOT_MTLS_ENABLED",
    "LAMBDA_ACCOUNT_CONCURRENCY",
    "DOCKER_HOST",
    "DYNO_METER",
    "PYTHONPATH",
    "MINISTACK_ACCOUNT_ID",
    "MINISTACK_HOST",
    "MINISTACK_REGION",
)


def install() -> None:
    """Put the meter between this worker and the embedded AWS."""
    meter = Meter(Settings(os.environ["DYNO_METER"]), os.environ.get("GATEWAY_PORT", ""))
    sys.stdin = _Requests(sys.stdin, meter)
    sys.stdout = _Responses(sys.stdout, meter)


class _Requests:
    """Stdin that tells the meter what is read."""

    def __init__(self, stream: TextIO, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    def readline(self, *arguments: int) -> str:
        line = self._stream.readline(*arguments)
        if line:
            self._meter.received(line)
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Responses:
    """Stdout that asks the meter before an answer is written."""

    def __init__(self, stream: TextIO, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    def write(self, text: str) -> int:
        return self._stream.write(self._meter.answering(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Meter:
    """The state of one worker: its function, and the invocation that it is at."""

    def __init__(self, settings: Settings, port: str) -> None:
        self._settings = settings
        self._port = port
        self._pid = os.getpid()
        self._log = os.dup(2)  # whatever the handler does with stderr
        self._answers = os.dup(1)
        self._initialised = False
        self._begin: Usage | None = None
        self._init_begin: Usage | None = None
        self._init_ms: float | None = None
        self._as_json = False
        self._memory_mb = 128
        self._version = "$LATEST"
        self._request_id = ""
        self._timeout_s = 3.0
        self._deadline: float | None = None
        self._ending = threading.Lock()

    def received(self, line: str) -> None:
        """Note what the embedded AWS asks for."""
        message = json.loads(line)
        if self._init_begin is None:
            self._load(message)
        else:
            self._start(message.get("ctx") or {})

    def answering(self, text: str) -> str:
        """Hold back an answer until its time has come; return what to write."""
        if os.getpid() != self._pid or not text.startswith('{"status"'):
            return text
        if not self._initialised:
            return self._loaded(text)
        if self._begin is None:
            return text
        return self._end(text)

    def _load(self, init: dict[str, Any]) -> None:
        self._version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        self._memory_mb = int(init.get("memory") or 128)
        for name in _OF_THE_SERVER:
            os.environ.pop(name, None)
        log_format = os.environ.get("AWS_LAMBDA_LOG_FORMAT")
        if log_format is None and not init.get("snapstart"):
            found = function_configuration(init.get("arn", ""), self._version, self._port)
            log_format = (found.get("LoggingConfig") or {}).get("LogFormat")
        self._as_json = (log_format or "").upper() == "JSON"
        if self._as_json:
            os.environ.setdefault("AWS_LAMBDA_LOG_FORMAT", "JSON")
        self._init_begin = Usage()

    def _loaded(self, text: str) -> str:
        now, begin = Usage(), self._init_begin
        assert begin is not None
        blocked_ms = _blocked_ms(begin, now)
        self._init_ms = now.cpu_ms + blocked_ms  # from the interpreter's start, at full CPU
        self._initialised = True
        return text

    def _start(self, context: dict[str, Any]) -> None:
        self._request_id = context.get("request_id", "")
        self._timeout_s = float(context.get("timeout_ms", 3000)) / 1000
        self._settings.refresh()
        self._write_log(report.start_line(self._request_id, self._version, self._as_json))
        if self._deadline is None:
            threading.Thread(target=self._watch, daemon=True, name="dyno-meter").start()
        self._deadline = time.monotonic() + self._timeout_s - _EARLIER_S
        self._begin = Usage()

    def _end(self, text: str) -> str:
        begin, now = self._begin, Usage()
        assert begin is not None
        cpu_ms = now.cpu_ms - begin.cpu_ms
        wall_ms = now.wall_ms - begin.wall_ms
        parallelism = (cpu_ms + now.queue_ms - begin.queue_ms) / wall_ms if wall_ms else 1.0
        took_ms = duration_ms(cpu_ms, _blocked_ms(begin, now), self._memory_mb, parallelism)
        if took_ms >= self._timeout_s * 1000:
            if self._settings.felt:
                time.sleep(3600)  # the watch ends it when the time is up
            self._time_out()
        failed = text.startswith('{"status": "error"')
        if failed:
            text = self._log_trace(text)
        if self._settings.felt:
            self._sleep_until(begin.wall_ms + took_ms)
        with self._ending:
            self._begin = None
            self._report(took_ms, report.ERROR if failed else report.SUCCESS)
        return text

    def _report(self, took_ms: float, status: str) -> None:
        lines = report.report_lines(
            self._request_id,
            duration_ms=took_ms,
            memory_mb=self._memory_mb,
            max_memory_mb=max_memory_mb(),
            init_ms=self._init_ms,
            status=status,
            as_json=self._as_json,
        )
        self._init_ms = None
        self._write_log(lines)
        self._wait_until_read()

    def _log_trace(self, text: str) -> str:
        """Log the traceback ahead of the report, as AWS does; the server would put it behind."""
        answer = json.loads(text)
        trace = answer.get("trace", "").rstrip()
        if not trace:
            return text
        kind = trace.rpartition("\n")[2].partition(":")[0]
        self._write_log(f"[ERROR] {kind}: {answer.get('error', '')}\n{trace}\n")
        return json.dumps(answer | {"trace": ""}) + "\n"

    def _watch(self) -> None:
        """End an invocation whose time is up. All have the same timeout, so this never is late."""
        while True:
            left_s = (self._deadline or 0.0) - time.monotonic()
            if left_s <= 0:
                if self._begin is not None:
                    self._time_out()
                left_s = self._timeout_s - _EARLIER_S
            time.sleep(left_s)

    def _time_out(self) -> None:
        with self._ending:
            if self._begin is None:
                return  # the answer came in the last moment
            message = f"Task timed out after {self._timeout_s:.2f} seconds"
            self._write_log(f"{self._request_id} {message}\n\n")
            self._report(self._timeout_s * 1000, report.TIMEOUT)
            answer = json.dumps({"status": "error", "error": message, "trace": ""})
            os.write(self._answers, answer.encode() + b"\n")
            os._exit(1)

    @staticmethod
    def _sleep_until(wall_ms: float) -> None:
        left_ms = wall_ms - time.perf_counter_ns() / 1e6
        if left_ms > 0:
            time.sleep(left_ms / 1000)

    def _write_log(self, text: str) -> None:
        sys.stderr.flush()
        os.write(self._log, text.encode())

    def _wait_until_read(self) -> None:
        """Wait until the embedded AWS has the log: it reads log and answer from two pipes."""
        try:
            import fcntl
            import struct
            import termios

            for _ in range(200):
                waiting = fcntl.ioctl(self._log, termios.FIONREAD, b"\0\0\0\0")
                if not struct.unpack("i", waiting)[0]:
                    return
                time.sleep(0.0002)
        except (OSError, ImportError):
            time.sleep(0.002)


def _blocked_ms(begin: Usage, end: Usage) -> float:
    """Return the time in which nothing of the process ran and nothing wanted to."""
    busy_ms = end.cpu_ms - begin.cpu_ms + end.queue_ms - begin.queue_ms
    return max(0.0, end.wall_ms - begin.wall_ms - busy_ms)
