"""Meters the invocations of one Lambda worker, one after the other."""

from __future__ import annotations

import json
import os
import threading
import time

from . import answers, faults, hooks, report
from . import context as surroundings
from .cfs import CPU, duration_ms
from .log import Log
from .settings import Settings, function_configuration
from .timeline import Timeline
from .usage import Probe, memory_mb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .calls import Calls

# The embedded AWS starts its own clock before it writes the invocation, and kills at the end.
_EARLIER_S = 0.025
_FULL_CPU_MB = 10_240  # Init is not throttled
_LOOK_EVERY_S = 0.1
_LOOK_AT_THREADS_EVERY_S = 0.005
_REST_AFTER_S = 2.0
_FOR_EVER_S = 3600.0


class Meter:
    """The state of one worker: its function, and the invocation that it is at."""

    def __init__(self, settings: Settings, port: str) -> None:
        self._settings = settings
        self._port = port
        self._pid = os.getpid()
        self._log = Log()
        self._answers = os.dup(1)
        self._probe = Probe()
        self._timeline = Timeline(self._probe.read)
        self._calls: Calls | None = None
        self._watch = _Watch(self)
        self._ending = threading.Lock()
        # the function
        self._module = self._handler_name = ""
        self._version = "$LATEST"
        self._memory_mb = 128
        self._architecture = "x86_64"
        self._as_json = False
        self._snapstart = False
        self._start_cpu_ms: float | None = None
        self._initialised = False
        # the invocation
        self._init_ms: float | None = None
        self._request_id = ""
        self._peak_mb = 0  # of memory, since the environment was made
        self._timeout_s = 3.0
        self._error: tuple[str, str, list[str]] | None = None  # type, message and frames
        self.running = self._dying = False
        self.begun = self.deadline = 0.0

    # what the worker's streams tell

    def received(self, line: str) -> str:
        """Note what the embedded AWS asks for; return what the worker is to read."""
        if self._start_cpu_ms is None:
            return self._load(json.loads(line))
        self._start(_context_of(line))
        return line

    def answering(self, text: str) -> str:
        """Hold back an answer until its time has come; return what to write."""
        if os.getpid() != self._pid or not text.startswith('{"status"'):
            return text
        if not self._initialised:
            return self._loaded(text)
        if self._dying:
            time.sleep(_FOR_EVER_S)  # the watch has answered already, and ends this worker
        return self._end(text) if self.running else text

    # Init

    def _load(self, init: dict[str, Any]) -> str:
        self._version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        self._memory_mb = int(init.get("memory") or 128)
        self._module, self._handler_name = init["module"], init["handler"]
        configuration: dict[str, Any] = {}
        self._snapstart = bool(init.get("snapstart"))
        if not self._snapstart:  # the embedded AWS waits for Init then, and cannot answer
            configuration = function_configuration(init.get("arn", ""), self._version, self._port)
        surroundings.prepare_environment(f"{self._module}.{self._handler_name}", configuration)
        surroundings.show_cpus(self._memory_mb)
        self._architecture = (configuration.get("Architectures") or ["x86_64"])[0]
        surroundings.show_architecture(self._architecture)
        self._as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
        self._settings.refresh()
        self._install_hooks(init.get("function_name", ""))
        self._start_cpu_ms = time.process_time_ns() / 1e6
        self._timeline.begin()
        package = __name__.rpartition(".")[0]
        return json.dumps(init | {"module": f"{package}.entry", "handler": "handler"}) + "\n"

    def _install_hooks(self, function_name: str) -> None:
        self._watch.start()
        hooks.install(self._timeline, self._probe, self._watch.hurry)
        os.register_at_fork(after_in_child=self._left_behind)
        self._hook_exit()
        if self._port:
            from .calls import Calls
            from .latency import LatencyModel

            model = LatencyModel.load(self._settings.sandbox_seed(function_name))
            self._calls = Calls(self._timeline, model, int(self._port))
            self._calls.enabled = self._settings.aws_latency_modelled
            self._calls.install()

    def _hook_exit(self) -> None:
        """Report an invocation that ends the process without ado."""
        exit_now = os._exit

        def exit_reported(status: int) -> None:
            if self.running and os.getpid() == self._pid:
                self._exited(status)
            exit_now(status)

        os._exit = exit_reported  # type: ignore[assignment]

    def load_handler(self) -> Callable[[Any, Any], Any]:
        """Import the function's module; return its handler with the meter around it."""
        # a version with SnapStart that cannot be loaded is not published
        function = faults.load(self._module, self._handler_name, strict=self._snapstart)

        def handler(event: Any, context: Any) -> Any:
            surroundings.complete_context(context, self.remaining_ms)
            try:
                return function(event, context)
            except SystemExit as error:
                self._exited(error.code)
                raise
            except Exception as error:
                self._error = faults.describe(error)
                raise
            except BaseException as error:  # nobody catches it: it ends the process
                kind, message, frames = faults.describe(error)
                self._log.write("".join([*frames, f"{kind}: {message}\n"]))
                self._exited(1)
                raise

        return handler

    def _loaded(self, text: str) -> str:
        self._timeline.end()
        hooks.hook_loaded_modules(self._timeline)
        self._initialised = True
        if self._start_cpu_ms is not None:
            own_ms = duration_ms(self._steps(), _FULL_CPU_MB)[0]
            self._init_ms = self._start_cpu_ms * self._cpu_factor() + own_ms
        return text

    # an invocation

    def _start(self, context: dict[str, Any]) -> None:
        self._request_id = context.get("request_id", "")
        self._timeout_s = float(context.get("timeout_ms", 3000)) / 1000
        self._error = None
        self._settings.refresh()
        if self._calls is not None:
            self._calls.enabled = self._settings.aws_latency_modelled
        self._log.write(report.start_line(self._request_id, self._version, self._as_json))
        self.begun = time.monotonic()
        self.deadline = self.begun + self._timeout_s - _EARLIER_S
        self.running = True
        self._watch.wake()
        self._timeline.begin()

    def _end(self, text: str) -> str:
        self._timeline.end()
        if self.over_memory():
            self.out_of_memory()
        steps = self._steps()
        took_ms = duration_ms(steps, self._memory_mb)[0]
        if self._settings.trace:
            self._trace(steps, took_ms)
        if took_ms >= self._timeout_s * 1000:
            if self._settings.felt:
                time.sleep(_FOR_EVER_S)  # the watch ends it when the time is up
            self.time_out()
        failed = text.startswith('{"status": "error"')
        if failed:
            text = self._log_error(text)
        if self._settings.felt:
            due_ms = self._timeline.begin_wall_ms + took_ms
            name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
            late_ms = time.perf_counter_ns() / 1e6 - due_ms
            answers.note(self._settings.path, name, late_ms, cold=self._init_ms is not None)
            _sleep_until(due_ms)
        with self._ending:
            self.running = False
            self._report(took_ms, report.ERROR if failed else report.SUCCESS)
        return text

    def remaining_ms(self) -> float:
        """Return what is left of the timeout, on the modelled clock."""
        self._timeline.mark()
        return self._timeout_s * 1000 - duration_ms(self._steps(), self._memory_mb)[0]

    def _cpu_factor(self) -> float:
        return self._settings.cpu_factor(self._architecture)

    def _steps(self) -> list[Any]:
        factor = self._cpu_factor()
        steps = self._timeline.steps()
        if factor == 1.0:
            return steps
        return [(CPU, s[1] * factor, s[2]) if s[0] == CPU else s for s in steps]

    def _trace(self, steps: list[Any], took_ms: float) -> None:
        record = {
            "request_id": self._request_id,
            "function": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
            "memory_mb": self._memory_mb,
            "duration_ms": took_ms,
            "wall_ms": time.perf_counter_ns() / 1e6 - self._timeline.begin_wall_ms,
            "steps": steps,
        }
        with open(self._settings.trace, "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(json.dumps(record) + "\n")

    def _report(
        self, took_ms: float, status: str, error_type: str = "", max_memory_mb: int | None = None
    ) -> None:
        self.over_memory()  # brings the peak up to date
        lines = report.report_lines(
            self._request_id,
            duration_ms=took_ms,
            memory_mb=self._memory_mb,
            max_memory_mb=max_memory_mb or min(self._peak_mb, self._memory_mb),
            init_ms=self._init_ms,
            status=status,
            error_type=error_type,
            measured_by="" if self._probe.has_schedstat else self._probe.method,
            as_json=self._as_json,
        )
        self._init_ms = None
        self._log.write(lines)
        self._log.hand_over()

    def _log_error(self, text: str) -> str:
        """Log the traceback ahead of the report, as AWS does; the server would put it behind."""
        answer = json.loads(text)
        if self._error is None:  # the handler has returned, but what it returned is no JSON
            message = f"Unable to marshal response: {answer.get('error', '')}"
            self._error = faults.MARSHAL, message, []
        self._log.write(report.error_lines(self._request_id, *self._error, self._as_json))
        return json.dumps(answer | {"error": self._error[1], "trace": ""}) + "\n"

    # ends that the handler does not choose

    def time_out(self) -> None:
        """End the invocation and this worker: its time is up."""
        message = f"Task timed out after {self._timeout_s:.2f} seconds"
        self._die(message, self._timeout_s * 1000, report.TIMEOUT, "", f"{message}\n")

    def out_of_memory(self) -> None:
        """End the invocation and this worker: it used more than its memory size."""
        message = "Runtime exited with error: signal: killed"
        self._die_of_exit(message, "Runtime.OutOfMemory", self._memory_mb)

    def over_memory(self) -> bool:
        """Tell whether the function now uses, or has used, more than it may."""
        now_mb, peak_mb = memory_mb()
        children_mb = self._probe.children_memory_mb()
        self._peak_mb = max(self._peak_mb, peak_mb, now_mb + children_mb)
        return self._settings.memory_limit and self._peak_mb > self._memory_mb

    def _exited(self, code: object) -> None:
        status = 0 if code is None else code if isinstance(code, int) else 1
        reason = "" if status == 0 else f" with error: exit status {status}"
        self._die_of_exit(f"Runtime exited{reason or ' without providing a reason'}")

    def _die_of_exit(
        self, message: str, reported: str = "Runtime.ExitError", max_memory_mb: int | None = None
    ) -> None:
        self._timeline.end()
        took_ms = duration_ms(self._steps(), self._memory_mb)[0]
        took_ms = min(took_ms, self._timeout_s * 1000)
        text = f"RequestId: {self._request_id} Error: {message}"
        error = f"{text}\nRuntime.ExitError\n"
        self._die(text, took_ms, report.ERROR, reported, error, max_memory_mb)

    def _die(
        self,
        message: str,
        took_ms: float,
        status: str,
        error_type: str,
        logged: str,
        max_memory_mb: int | None = None,
    ) -> None:
        with self._ending:
            if not self.running:
                return  # the answer came in the last moment
            self._dying = True
            self.running = False
            self._log.write(f"{self._request_id} {logged}" if status == report.TIMEOUT else logged)
            self._report(took_ms, status, error_type, max_memory_mb)
            answer = json.dumps({"status": "error", "error": message, "trace": ""})
            os.write(self._answers, answer.encode() + b"\n")
            os._exit(1)

    def _left_behind(self) -> None:
        """Do nothing any more: this is a child process of the handler's."""
        self._timeline.active = False
        if self._calls is not None:
            self._calls.enabled = False

    @property
    def side_by_side(self) -> bool:
        """Whether several threads or processes of the handler's were seen."""
        return self._timeline.side_by_side

    def look(self) -> None:
        """Mark the timeline for the watch."""
        self._timeline.mark(by_meter=True)

    def leave_out_this_thread(self) -> None:
        """Do not count the calling thread's time as the function's."""
        self._probe.leave_out(threading.get_native_id())


class _Watch:
    """A thread that ends invocations whose time or memory is up, and looks at threads."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._kick = threading.Event()
        self._resting = False

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name="dyno-meter").start()

    def wake(self) -> None:
        """An invocation has begun. A watch that does not rest finds out by itself."""
        if self._resting:
            self._kick.set()

    def hurry(self) -> None:
        """Look now."""
        self._kick.set()

    def _run(self) -> None:
        meter = self._meter
        meter.leave_out_this_thread()
        pause_s, busy_until = _LOOK_EVERY_S, 0.0
        while True:
            if not meter.running and time.monotonic() > busy_until:
                self._resting = True  # costs nothing until `wake`
                if not meter.running:
                    self._kick.wait()
                self._resting = False
            else:
                self._kick.wait(pause_s)
            self._kick.clear()
            if meter.running:
                busy_until = time.monotonic() + _REST_AFTER_S
                pause_s = self._look()
            else:
                pause_s = _LOOK_EVERY_S

    def _look(self) -> float:
        """Look after the running invocation; return when to look again."""
        meter = self._meter
        now = time.monotonic()
        left_s = meter.deadline - now
        if left_s <= 0:
            meter.time_out()
        young_s = meter.begun + _LOOK_EVERY_S - now
        if young_s > 0 and not meter.side_by_side:
            return min(young_s, left_s)
        if meter.over_memory():
            meter.out_of_memory()
        # What a thread waited for a core is only known once it runs again: a look at one that is
        # alone would take that for another wait. It marks its own time.
        pause_s = _LOOK_EVERY_S
        if meter.side_by_side:
            meter.look()
            pause_s = _LOOK_AT_THREADS_EVERY_S
        return max(0.001, min(pause_s, left_s))


def _context_of(line: str) -> dict[str, Any]:
    """Return an invocation's context without parsing its event, which may be megabytes."""
    _, found, tail = line.rpartition(', "ctx": {')
    try:
        content = json.loads("{" + tail.rstrip()[:-1]) if found else json.loads(line)["ctx"]
    except (ValueError, KeyError):
        content = json.loads(line).get("ctx")
    return content or {}


def _sleep_until(wall_ms: float) -> None:
    left_ms = wall_ms - time.perf_counter_ns() / 1e6
    if left_ms > 0:
        time.sleep(left_ms / 1000)
