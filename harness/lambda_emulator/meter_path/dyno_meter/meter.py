"""Meters the invocations of one Lambda worker, one after the other.

What it finds, the steps of an invocation, goes to the sandbox around the worker, as a line of JSON
ahead of the worker's own answer. The sandbox asks the model how long AWS would have taken, writes
the REPORT, makes callers wait, and sees to ends that no handler chooses.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import threading

from . import context as surroundings
from . import faults, hooks
from .cfs import duration_ms, scaled
from .clocks import Clocks
from .remaining import Remaining
from .settings import Settings
from .spin import spin_ms
from .timeline import Timeline
from .usage import Probe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .calls import Calls

_LOOK_EVERY_S = 0.1
_LOOK_AT_THREADS_EVERY_S = 0.005
_REST_AFTER_S = 2.0


class Meter:
    """The state of one worker: its function, and the invocation that it is at."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._settings = Settings({})
        self._probe = Probe()
        self._timeline = Timeline(self._probe.read)
        self._calls: Calls | None = None
        self._watch = _Watch(self)
        # the function
        self._module = self._handler_name = ""
        self._memory_mb = 128
        self._architecture = "x86_64"
        self._as_json = False
        self._snapstart = False
        self._start_cpu_ms: float | None = None
        self._initialised = False
        # the invocation
        self._request_id = ""
        self._remaining = Remaining(0.0, self._memory_mb, lambda: 0.0)
        self._error: tuple[str, str, list[str]] | None = None  # type, message and frames
        self._error_at_load = False
        self._before_ms = 0.0  # of a spin
        self.running = False

    # what the worker's streams tell

    def received(self, line: str) -> str:
        """Note what is asked for; return what the worker is to read."""
        if self._start_cpu_ms is None:
            return self._load(json.loads(line))
        context = _context_of(line)
        self._settings = Settings(context["dyno"])
        self._before_ms = spin_ms() if self._settings.steady else 0.0
        self._start(context)
        return line

    def answering(self, text: str) -> str:
        """Note an answer; return what to write."""
        if not text.startswith('{"status"'):
            return text
        if not self._initialised:
            return self._loaded(text)
        return self._end(text) if self.running else text

    # Init

    def _load(self, init: dict[str, Any]) -> str:
        orders = init.pop("dyno")
        self._settings = Settings(orders["settings"])
        self._memory_mb = int(init.get("memory") or 128)
        self._module, self._handler_name = init["module"], init["handler"]
        self._snapstart = bool(init.get("snapstart"))
        surroundings.remember_logs()
        surroundings.show_cpus(self._memory_mb)
        surroundings.take_semaphores()
        surroundings.count_mappings()
        self._architecture = orders["architecture"]
        surroundings.show_architecture(self._architecture)
        self._as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
        self._install_hooks(orders["seed"], orders["port"])
        self._start_cpu_ms = Clocks.process_ns() / 1e6
        self._timeline.begin()
        package = __name__.rpartition(".")[0]
        return json.dumps(init | {"module": f"{package}.entry", "handler": "handler"}) + "\n"

    def _install_hooks(self, seed: str, port: int) -> None:
        self._watch.start()
        hooks.install(self._timeline, self._probe, self._watch.hurry)
        os.register_at_fork(after_in_child=self._left_behind)
        if port:
            from .calls import Calls
            from .latency import LatencyModel

            self._calls = Calls(self._timeline, LatencyModel.load(seed, self._memory_mb), port)
            self._calls.enabled = self._settings.aws_latency_modelled
            self._calls.install()

    def load_handler(self) -> Callable[[Any, Any], Any]:
        """Import the function's module; return its handler with the meter around it."""
        from . import logs  # the worker has imported `logging` by now

        level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "")
        logs.install(lambda: self._request_id, as_json=self._as_json, level=level)
        # a version with SnapStart that cannot be loaded is not published
        function = faults.load(self._module, self._handler_name, strict=self._snapstart)
        self._error_at_load = getattr(function, "__module__", "") == faults.__name__

        def handler(event: Any, context: Any) -> Any:
            surroundings.complete_context(context, self._remaining.ms)
            try:
                return function(event, context)
            except Exception as error:
                self._error = faults.describe(error)
                raise

        return handler

    def _loaded(self, text: str) -> str:
        self._timeline.end()
        hooks.hook_loaded_modules(self._timeline)
        self._initialised = True
        self._say(start_cpu_ms=self._start_cpu_ms, steps=self._timeline.steps())
        return text

    # an invocation

    def _start(self, context: dict[str, Any]) -> None:
        self._request_id = context.get("request_id", "")
        timeout_ms = float(context.get("timeout_ms", 3000))
        self._error = None
        if self._calls is not None:
            self._calls.begin(enabled=self._settings.aws_latency_modelled)
        self.running = True
        self._watch.wake()
        self._timeline.begin()
        self._remaining = Remaining(timeout_ms, self._memory_mb, self._elapsed_ms)

    def _end(self, text: str) -> str:
        self._timeline.end()
        self.running = False
        failed = text.startswith('{"status": "error"')
        if failed:
            text = self._log_error(text)
        wall_ms = Clocks.wall_ns() / 1e6 - self._timeline.begin_wall_ms
        steps = self._timeline.steps()
        told: dict[str, Any] = {"steps": steps, "wall_ms": wall_ms, "failed": failed}
        if self._before_ms:
            told["spins_ms"] = self._before_ms, spin_ms()
        told["mapped_kb"] = surroundings.mapped_bytes[0] >> 10
        if not self._probe.has_schedstat:
            told["measured_by"] = self._probe.method
        if sys.platform != "linux":  # where the sandbox sees no memory; in bytes on macOS
            told["peak_kb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        self._say(**told)
        return text

    def _say(self, **told: Any) -> None:
        self._tell(json.dumps({"dyno": told}) + "\n")

    def _elapsed_ms(self) -> float:
        """Return what the invocation would have taken on AWS so far."""
        factor = self._settings.cpu_factor(self._architecture)

        def modelled_ms() -> float:
            steps = scaled(self._timeline.steps(), factor)
            return duration_ms(steps, self._memory_mb, self._architecture)[0]

        return self._timeline.leave_out(modelled_ms)

    def _log_error(self, text: str) -> str:
        """Log the traceback ahead of the report, as AWS does; the server would put it behind."""
        answer = json.loads(text)
        if self._error is None:  # the handler has returned, but what it returned is no JSON
            message = f"Unable to marshal response: {answer.get('error', '')}"
            self._error = faults.MARSHAL, message, []
        lines = faults.error_lines(self._request_id, *self._error, self._as_json)
        with contextlib.suppress(OSError):  # the function may have closed its log
            os.write(1, lines.encode(errors="replace"))
        kind, message, frames = self._error
        told = {
            "errorMessage": message,
            "errorType": kind,
            "requestId": self._request_id,
            "stackTrace": frames,
        }
        # what cannot be loaded is loaded again; else the environment goes on
        status = "error" if self._error_at_load else "ok"
        line = {"status": status, "error": message, "trace": "", "told": told}
        return json.dumps(line) + "\n"

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
    """A thread that looks at what runs side by side: nothing else tells when it begins and ends.

    What a thread waited for a core is only known once it runs again: a look at one that is alone
    would take that for another wait. It marks its own time.
    """

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
            if not meter.running and Clocks.monotonic_s() > busy_until:
                self._resting = True  # costs nothing until `wake`
                if not meter.running:
                    self._kick.wait()
                self._resting = False
            else:
                self._kick.wait(pause_s)
            self._kick.clear()
            pause_s = _LOOK_EVERY_S
            if meter.running:
                busy_until = Clocks.monotonic_s() + _REST_AFTER_S
                if meter.side_by_side:
                    meter.look()
                    pause_s = _LOOK_AT_THREADS_EVERY_S


def _context_of(line: str) -> dict[str, Any]:
    """Return an invocation's context without parsing its event, which may be megabytes."""
    _, found, tail = line.rpartition(', "ctx": {')
    try:
        content = json.loads("{" + tail.rstrip()[:-1]) if found else json.loads(line)["ctx"]
    except (ValueError, KeyError):
        content = json.loads(line).get("ctx")
    return content or {}
