"""The meter held against the CPU model: handlers that burn and sleep, on the embedded AWS.

What the model says of a handler's CPU and waiting time must be what its REPORT line says,
whatever else this machine does.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import statistics
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lambda_dyno.emulator import meter, server
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_emulator.meter_path.dyno_meter.cfs import CPU, WAIT, duration_ms

SIZES_MB = (128, 256, 487, 752, 1024, 1408, 1769, 3008, 5307, 10_240)
ROLE = "dyno-fidelity"

PYTHON = """
import hashlib, multiprocessing, threading, time

def burn(ms):
    end = time.thread_time() + ms / 1000
    while time.thread_time() < end:
        hashlib.pbkdf2_hmac("sha256", b"x", b"y", 400)

def handler(event, context):
    time.sleep(event["sleep_ms"] / 1000)
    if event["threads"] == 1:
        burn(event["cpu_ms"])
        return
    kind = multiprocessing.Process if event["processes"] else threading.Thread
    tasks = [kind(target=burn, args=(event["cpu_ms"],)) for _ in range(event["threads"])]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()
"""

NODE = """
exports.handler = async (event) => {
  if (event.sleep_ms) await new Promise((done) => setTimeout(done, event.sleep_ms));
  const begin = process.cpuUsage();
  for (;;) {
    const used = process.cpuUsage(begin);
    if ((used.user + used.system) / 1000 >= event.cpu_ms) return;
  }
};
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A handler's work."""

    runtime: str  # "python" or "nodejs"
    cpu_ms: float  # of each thread
    sleep_ms: float = 0.0
    threads: int = 1
    processes: bool = False  # in place of threads

    @property
    def words(self) -> str:
        """What it does, in words."""
        parts = [f"{self.cpu_ms:g} ms of CPU"] if self.cpu_ms else []
        parts += [f"{self.sleep_ms:g} ms of sleep"] if self.sleep_ms else []
        kind = "processes" if self.processes else "threads"
        wide = f", in each of {self.threads} {kind}" if self.threads > 1 else ""
        return f"{self.runtime}: {' and '.join(parts)}{wide}"

    def modelled_ms(self, memory_mb: int) -> float:
        """Return what the model says."""
        steps = ((WAIT, self.sleep_ms), (CPU, self.cpu_ms * self.threads, float(self.threads)))
        return duration_ms(steps, memory_mb)[0]


CASES = (
    *(Case(runtime, cpu_ms) for runtime in ("python", "nodejs") for cpu_ms in (2, 17, 100, 1000)),
    *(Case(runtime, 0, 50) for runtime in ("python", "nodejs")),
    *(Case(runtime, 17, 50) for runtime in ("python", "nodejs")),
    Case("python", 100, threads=4),
    Case("python", 1000, threads=4),
    Case("python", 1000, threads=4, processes=True),
)
COUNT = len(CASES) * len(SIZES_MB)


@dataclass(frozen=True, slots=True)
class Reading:
    """One case at one memory size: the model's duration and the meter's."""

    case: Case
    memory_mb: int
    modelled_ms: float
    reported_ms: float  # mean
    variation: float  # standard deviation over mean

    @property
    def error(self) -> float:
        """The meter's relative error."""
        return self.reported_ms / self.modelled_ms - 1

    @property
    def near(self) -> bool:
        """Whether it is within 3 % or 1 ms."""
        return abs(self.error) <= 0.03 or abs(self.reported_ms - self.modelled_ms) <= 1.0

    def to_json(self) -> dict[str, Any]:
        """Return everything."""
        return asdict(self) | {"error": self.error, "near": self.near}


def measure_here(repeats: int) -> Iterator[Reading]:
    """Run every case at every size on an embedded AWS of its own."""
    with tempfile.TemporaryDirectory(prefix="dyno-fidelity-") as folder:
        running = server.start(Path(folder), owner_pid=os.getpid())
        try:
            meter.set_mode(running.home, "reported")
            # the handlers burn until their CPU clock says so, whatever the core's speed
            meter.set_steady(running.home, steady=False)
            yield from measure(LocalSession(running), repeats=repeats)
        finally:
            server.stop(running.home)


def measure(
    session: LocalSession,
    cases: Sequence[Case] = CASES,
    sizes_mb: Sequence[int] = SIZES_MB,
    repeats: int = 5,
) -> Iterator[Reading]:
    """Deploy the handlers, run every case at every size, and delete them again.

    Args:
        session: An account of the embedded AWS; its meter should be in mode "reported".
        cases: What to run.
        sizes_mb: Memory sizes.
        repeats: Warm invocations of each.
    """
    lambdas = session.client("lambda")
    role = _role(session)
    try:
        for runtime in dict.fromkeys(case.runtime for case in cases):
            for size in sizes_mb:
                name = _deploy(lambdas, role, runtime, size)
                for _ in range(2):  # compiles
                    _invoke(lambdas, name, Case(runtime, 60, 1))
                for case in cases:
                    if case.runtime == runtime:
                        yield _reading(lambdas, name, case, size, repeats)
                lambdas.delete_function(FunctionName=name)
    finally:
        session.client("iam").delete_role(RoleName=ROLE)


def write(readings: Sequence[Reading], folder: Path) -> Path:
    """Write table and numbers into a folder; return the table's file."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [reading.to_json() for reading in readings]
    (folder / "meter.json").write_text(json.dumps(numbers, indent=1) + "\n")
    table = folder / "meter.md"
    table.write_text(as_markdown(readings))
    return table


def as_markdown(readings: Sequence[Reading]) -> str:
    """Return a table with a line per case: how far the meter is off at its worst size."""
    heads = ("handler", "sizes", "within 3 % or 1 ms", "mean error", "worst", "variation at most")
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for case in dict.fromkeys(reading.case for reading in readings):
        of_case = [reading for reading in readings if reading.case == case]
        worst = max(of_case, key=lambda reading: abs(reading.error))
        cells = (
            case.words,
            len(of_case),
            sum(reading.near for reading in of_case),
            f"{statistics.fmean(reading.error for reading in of_case):+.1%}",
            f"{worst.error:+.1%} ({worst.reported_ms - worst.modelled_ms:+.2f} ms)",
            f"{max(reading.variation for reading in of_case):.1%}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    near = sum(reading.near for reading in readings)
    lines += ["", f"{near} of {len(readings)} are within 3 % or 1 ms of the model."]
    return "\n".join(lines) + "\n"


def _reading(lambdas: Any, name: str, case: Case, size: int, repeats: int) -> Reading:
    durations = [_invoke(lambdas, name, case) for _ in range(repeats)]
    mean = statistics.fmean(durations)
    return Reading(case, size, case.modelled_ms(size), mean, statistics.pstdev(durations) / mean)


def _invoke(lambdas: Any, name: str, case: Case) -> float:
    answer = lambdas.invoke(FunctionName=name, LogType="Tail", Payload=json.dumps(asdict(case)))
    log = base64.b64decode(answer["LogResult"]).decode()
    found = re.search(r"^REPORT .*?\tDuration: ([\d.]+) ms", log, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{name} has no REPORT line; its log is:\n{log}")
    return float(found[1])


def _deploy(lambdas: Any, role: str, runtime: str, size: int) -> str:
    code = io.BytesIO()
    is_python = runtime == "python"
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr(
            "app.py" if is_python else "app.js", (PYTHON if is_python else NODE).lstrip()
        )
    name = f"dyno-fidelity-{runtime}-{size}"
    lambdas.create_function(
        FunctionName=name,
        Runtime="python3.13" if is_python else "nodejs22.x",
        Handler="app.handler",
        Role=role,
        MemorySize=size,
        Timeout=900,
        Code={"ZipFile": code.getvalue()},
    )
    return name


def _role(session: LocalSession) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = session.client("iam")
    return str(iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust)["Role"]["Arn"])
