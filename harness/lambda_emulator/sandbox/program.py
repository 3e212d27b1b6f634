"""The program around one Lambda worker: between MiniStack, by three pipes, and the worker's socket.

MiniStack writes JSON lines to stdin, the function to load and then one line for each invocation,
and reads a line of answer for each from stdout, and the log from stderr. The worker gets the same
lines, with what the meter needs to know, and answers with the same ones, behind a line of what the
meter has found: {"dyno": {"steps": [["cpu", 12.3, 1.0]]}}.

The environment's processes run from an invocation's line to its answer. Else they are stopped, as
AWS freezes an environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from lambda_emulator.meter_path.dyno_meter import answers
from lambda_emulator.meter_path.dyno_meter.cfs import CPU, duration_ms, on_cores, scaled
from lambda_emulator.sandbox import report, tree, worker
from lambda_emulator.sandbox.function import ERROR, STREAMED, Function, Invocation, patience_s
from lambda_emulator.sandbox.log import Log
from lambda_emulator.sandbox.memory import Memory
from lambda_emulator.sandbox.places import Places, Tools
from lambda_emulator.sandbox.settings import Settings
from lambda_emulator.sandbox.steady import Sample
from lambda_emulator.sandbox.usage import Usage

INIT_S = 10.0  # of an Init that takes longer the rest is the first invocation's
_LOOK_EVERY_S = 0.02
_FULL_CPU_MB = 10_240  # Init is not throttled
# "Response payload size exceeded maximum allowed payload size (6291556 bytes)", AWS says.
MOST_ANSWER_BYTES = 6_291_556
MOST_STREAMED_BYTES = 200 << 20  # by a handler that streams, to a caller that reads a stream
_TOO_LARGE = "Function.ResponseSizeTooLarge"
_SIGNALS = {
    signal.SIGABRT: "aborted",
    signal.SIGALRM: "alarm clock",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGHUP: "hangup",
    signal.SIGILL: "illegal instruction",
    signal.SIGINT: "interrupt",
    signal.SIGKILL: "killed",
    signal.SIGPIPE: "broken pipe",
    signal.SIGQUIT: "quit",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGTERM: "terminated",
}  # Go's words: Lambda's supervisor is written in it


class _End(Enum):
    ANSWERED = 1
    TIMED_OUT = 2
    OVER_MEMORY = 3
    EXITED = 4


class Sandbox:
    """One execution environment."""

    def __init__(
        self, function: Function, tools: Tools, running: worker.Worker, interpreter: str
    ) -> None:
        self._function = function
        self._settings = Settings(Path(tools.settings))
        self._worker = running
        self._memory = Memory(running.pid)
        self._usage = Usage(running)
        self._steadier = self._settings.steadier(function, interpreter)
        self._scale = 1.0  # of the invocation's CPU time
        self._log = Log()
        self._told: dict[str, Any] = {}  # what the meter has found since it was last looked at
        self._ready = False
        self._init_ms: float | None = None

    def load(self, port: int, task: str) -> dict[str, Any]:
        """Let the worker load the function; return the answer to MiniStack.

        A function that ends the runtime while it is loaded fails its invocations, as on AWS.
        """
        begun = time.monotonic()
        dyno = {
            "architecture": self._function.architecture,
            "port": port,
            "seed": self._settings.seed(self._function.name),
            "settings": self._settings.content,
        }
        self._worker.send(self._function.orders(task, dyno), begun + INIT_S)
        end, answer = self._await(begun + INIT_S)
        self._freeze()
        if end is _End.ANSWERED:
            self._loaded()
        elif self._function.snapstart:  # it is not published if it cannot be loaded
            return {"status": "error", "error": self._reason(end)}
        return json.loads(answer) if self._function.snapstart else {"status": "ready", "cold": True}

    def invoke(self, line: bytes) -> tuple[bytes, bool]:
        """Let the worker answer an invocation, and report it.

        Returns:
            The answer to MiniStack, when it is due, and whether the environment goes on.
        """
        begun = time.monotonic()
        invocation = Invocation(line)
        # no sooner: a function with a whole core or more is no slower on AWS than here
        deadline = begun + invocation.timeout_s
        self._settings.refresh()
        if not self._function.quiet:
            self._log.write(
                report.start_line(
                    invocation.request_id, self._function.version, self._function.as_json
                )
            )
        self._scale = 1.0
        if self._steadier is not None:
            if not self._settings.felt:
                self._steadier.take_turn()
            self._steadier.begin(line)
        self._usage = Usage(self._worker)
        tree.thaw(self._worker.pid)
        end, answer = _End.ANSWERED, b""
        if not self._ready:
            end, answer = self._await(deadline, invocation)
            if end is _End.ANSWERED:
                self._loaded()
        if end is _End.ANSWERED:
            line_for_it = invocation.with_settings(self._settings.content)
            self._worker.send(line_for_it, begun + patience_s(invocation.timeout_s))
            end, answer = self._await(deadline, invocation)
        self._usage.look()
        self._freeze()
        if end is _End.ANSWERED:
            told = self._told
            self._memory.answered(int(told.get("mapped_kb", 0)), int(told.get("peak_kb", 0)))
        if end is _End.ANSWERED and self._over_memory():
            end = _End.OVER_MEMORY
        if "steps" not in self._told:
            self._told["steps"] = self._usage.steps()
        self._steady()
        if self._steadier is not None:
            self._steadier.end_turn()
        took_ms = self._duration_ms(self._function.memory_mb)
        return self._finish(invocation, begun, end, answer, took_ms)

    def _finish(
        self, invocation: Invocation, begun: float, end: _End, answer: bytes, took_ms: float
    ) -> tuple[bytes, bool]:
        timeout_ms = invocation.timeout_s * 1000
        if end is _End.ANSWERED and took_ms >= timeout_ms:
            end = _End.TIMED_OUT
        if end is _End.TIMED_OUT or took_ms > timeout_ms:
            took_ms = timeout_ms
        if self._settings.felt and end is _End.ANSWERED:
            late_ms = self._told.get("wall_ms", 0.0) - took_ms
            cold = self._init_ms is not None
            answers.note(str(self._settings.path), self._function.name, late_ms, cold=cold)
        if self._settings.felt:
            time.sleep(max(0.0, begun + took_ms / 1000 - time.monotonic()))
        if end is not _End.ANSWERED:
            return self._died(invocation, end, took_ms), False
        self._trace(invocation, took_ms)
        answer = _encodable(answer)
        failed = bool(self._told.get("failed"))
        if not failed and len(answer) > MOST_ANSWER_BYTES:
            streams = invocation.streams and bool(self._told.get("streamed"))
            too_large = _too_large(answer, MOST_STREAMED_BYTES if streams else MOST_ANSWER_BYTES)
            if too_large:
                self._log.write(too_large[0])
                answer, failed = too_large[1], True
        self._report(invocation, took_ms, report.ERROR if failed else report.SUCCESS)
        return answer, True

    def _died(self, invocation: Invocation, end: _End, took_ms: float) -> bytes:
        """Log and report an invocation that had no answer; return one."""
        if end is _End.TIMED_OUT:
            message = f"Task timed out after {invocation.timeout_s:.2f} seconds"
            self._log.write(f"{invocation.request_id} {message}\n")
            self._report(invocation, took_ms, report.TIMEOUT)
            told = f"RequestId: {invocation.request_id} Error: {message}"
            return _failure(message, {"errorType": "Sandbox.Timedout", "errorMessage": told})
        message = f"RequestId: {invocation.request_id} Error: {self._reason(end)}"
        self._log.write(f"{message}\nRuntime.ExitError\n")
        over = end is _End.OVER_MEMORY
        kind = "Runtime.OutOfMemory" if over else "Runtime.ExitError"
        self._report(invocation, took_ms, report.ERROR, kind)
        return _failure(message, {"errorType": "Runtime.ExitError", "errorMessage": message})

    def _reason(self, end: _End) -> str:
        if end is _End.OVER_MEMORY:
            return "Runtime exited with error: signal: killed"
        ended = self._worker.ended
        if ended is None:
            return "Runtime did not get ready in time"
        code = os.waitstatus_to_exitcode(ended)
        if code == 0:
            return "Runtime exited without providing a reason"
        if code > 0:
            return f"Runtime exited with error: exit status {code}"
        dumped = " (core dumped)" if os.WCOREDUMP(ended) else ""
        with contextlib.suppress(ValueError):
            number = signal.Signals(-code)
            return f"Runtime exited with error: signal: {_SIGNALS.get(number, number.name)}{dumped}"
        return f"Runtime exited with error: signal: {-code}{dumped}"

    def _report(
        self, invocation: Invocation, took_ms: float, status: str, error_type: str = ""
    ) -> None:
        memory_mb = self._function.memory_mb
        lines = report.report_lines(
            invocation.request_id,
            duration_ms=took_ms,
            memory_mb=memory_mb,
            max_memory_mb=min(max(1, self._memory.used_mb), memory_mb),
            init_ms=self._init_ms,
            status=status,
            error_type=error_type,
            measured_by=self._measured_by(),
            as_json=self._function.as_json,
        )
        self._init_ms = None
        if status != report.SUCCESS or not self._function.quiet:
            self._log.write(lines)
        self._log.hand_over()

    def _await(self, deadline: float, invocation: Invocation | None = None) -> tuple[_End, bytes]:
        """Wait for the worker's answer, or for what ends it instead.

        Args:
            deadline: When its time is over if this machine is as fast as AWS.
            invocation: Whose time is AWS's: it is not over while the model has some left.
        """
        self._told = {}
        while True:
            left_s = deadline - time.monotonic()
            for line in self._worker.lines(min(left_s, _LOOK_EVERY_S)):
                if line.startswith(b'{"dyno"'):
                    self._told |= json.loads(line)["dyno"]
                elif line.startswith(b'{"status"'):
                    return _End.ANSWERED, line
            if self._worker.ended is not None:
                return _End.EXITED, b""
            if left_s <= 0 and (invocation is None or self._is_over(invocation, -left_s)):
                return _End.TIMED_OUT, b""
            self._memory.look()
            self._usage.look()
            if self._over_memory():
                return _End.OVER_MEMORY, b""

    def _is_over(self, invocation: Invocation, late_s: float) -> bool:
        """Tell whether an invocation's time is over on AWS, as far as can be seen from outside."""
        if invocation.timeout_s + late_s >= patience_s(invocation.timeout_s):
            return True
        return self._modelled_ms(self._usage.steps()) >= invocation.timeout_s * 1000

    def _loaded(self) -> None:
        self._ready = True
        start_ms = self._told["start_cpu_ms"] * self._cpu_factor()
        self._init_ms = start_ms + self._duration_ms(_FULL_CPU_MB)

    def _over_memory(self) -> bool:
        return self._settings.memory_limit and self._memory.needed_mb > self._function.memory_mb

    def _freeze(self) -> None:
        if self._worker.ended is None:
            tree.freeze(self._worker.pid)

    def _cpu_factor(self) -> float:
        return self._settings.cpu_factor(self._function.architecture)

    def _steady(self) -> None:
        """Find what this machine's own unsteadiness has added to the CPU time."""
        # first calls are of their own kind
        if self._steadier is None or self._init_ms is not None or self._told.get("failed"):
            return
        works = [step for step in self._told["steps"] if step[0] == CPU]
        cpu_ms = sum(step[1] for step in works)
        width = sum(step[1] * step[2] for step in works) / (cpu_ms or 1.0)
        if "spins_ms" in self._told:
            own = Sample(self._function.memory_mb, cpu_ms, width, *self._told["spins_ms"])
            self._scale = self._steadier.scale(own, self._memory.needed_mb)

    def _steps(self) -> list[Any]:
        """Return what the meter found, in AWS's CPU time."""
        return scaled(self._told["steps"], self._cpu_factor() * self._scale)

    def _duration_ms(self, memory_mb: int) -> float:
        function = self._function
        steps = on_cores(self._steps(), function.memory_mb, function.architecture)
        return duration_ms(steps, memory_mb)[0]

    def _modelled_ms(self, steps: list[Any]) -> float:
        function = self._function
        steps = scaled(steps, self._cpu_factor())
        return duration_ms(steps, function.memory_mb, function.architecture)[0]

    def _measured_by(self) -> str:
        if self._steadier is not None and self._steadier.pooled_mb and self._scale != 1.0:
            return f"pool of {','.join(map(str, self._steadier.pooled_mb))} MB"
        return str(self._told.get("measured_by") or "")

    def _trace(self, invocation: Invocation, took_ms: float) -> None:
        if self._settings.trace:
            record = {
                "request_id": invocation.request_id,
                "function": self._function.name,
                "memory_mb": self._function.memory_mb,
                "duration_ms": took_ms,
                "cpu_scale": self._scale,
                "wall_ms": self._told.get("wall_ms"),
                "spins_ms": self._told.get("spins_ms"),
                "steps": self._steps(),
            }
            with open(self._settings.trace, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")


def _encodable(answer: bytes) -> bytes:
    """Return an answer without halves of UTF-16 pairs, which JSON may have and UTF-8 may not."""
    if b"\\ud" not in answer:
        return answer
    found = json.loads(answer)
    text = json.dumps(found, ensure_ascii=False)
    return text.encode("utf-8", "replace") + b"\n"


def _too_large(answer: bytes, most: int) -> tuple[str, bytes] | None:
    """Return what is logged and answered in the place of an answer that AWS refuses, if it does."""
    result = json.loads(answer).get("result")
    if isinstance(result, dict) and STREAMED in result:
        size = len(result[STREAMED]) * 3 // 4  # in base64
    else:
        size = len(json.dumps(result, ensure_ascii=False).encode())
    if size <= most:
        return None
    message = f"Response payload size exceeded maximum allowed payload size ({most} bytes)."
    told = {"errorType": _TOO_LARGE, "errorMessage": message}
    return f"[ERROR] {_TOO_LARGE}: {message}\n", _failure(message, told, "ok")


def _failure(message: str, told: dict[str, str], status: str = "error") -> bytes:
    """Return a line that tells an error; of the status "error" MiniStack ends the environment."""
    line = {"status": status, "error": message, "trace": "", ERROR: told}
    return json.dumps(line).encode() + b"\n"


def _requests() -> Iterator[bytes]:
    """Return the lines of stdin, each as soon as it is there."""
    with open(0, "rb", buffering=1 << 16, closefd=False) as stdin:
        while line := stdin.readline():
            yield line


def _say(answer: bytes) -> None:
    while answer:
        answer = answer[os.write(1, answer) :]


def _ended(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def main(orders: str, program: str) -> None:
    """Be the environment of a worker until MiniStack ends it.

    Args:
        orders: File with the `Tools` of this machine.
        program: MiniStack's worker program.
    """
    signal.signal(signal.SIGTERM, _ended)
    requests = _requests()
    running: worker.Worker | None = None
    try:
        tools = Tools(**json.loads(Path(orders).read_bytes()))
        first = next(requests, b"")
        if not first:
            return
        function = Function(json.loads(first), os.environ)
        pair = worker.channels()
        places = Places(function, tools, Path(program), pair[1].fileno())
        running, plan = worker.start(places, pair, Path(program).parent / "root")
        sandbox = Sandbox(function, tools, running, places.interpreter)
        answer = sandbox.load(tools.port, plan.task)
        _say(json.dumps(answer).encode() + b"\n")
        if answer["status"] != "ready":
            return
        for line in requests:
            said, goes_on = sandbox.invoke(line)
            _say(said)
            if not goes_on:
                return
    except (OSError, LookupError) as error:
        _say(json.dumps({"status": "error", "error": str(error)}).encode() + b"\n")
    finally:
        tree.kill(running.pid if running is not None and running.ended is None else None)
