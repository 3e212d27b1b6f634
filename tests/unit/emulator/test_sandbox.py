"""Parts of the sandbox around a Lambda worker that need no worker."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import lambda_emulator
from lambda_emulator.sandbox import bytecode, package, runtimes, tree, usage, worker
from lambda_emulator.sandbox.function import Function, Invocation
from lambda_emulator.sandbox.memory import Memory
from lambda_emulator.sandbox.places import Places, Tools
from tests.support.functions import archive
from tests.support.waiting import HANGS_S

INIT = {"module": "app", "handler": "handler", "memory": 512, "function_name": "f", "env": {}}


def function(code: Path, configuration: dict[str, Any] | None = None, **init: Any) -> Function:
    """Return a function as MiniStack tells of it."""
    environ = {"DYNO_FUNCTION": json.dumps(configuration or {}), "AUTH": "true", "TZ": ":UTC"}
    return Function(INIT | {"code_dir": str(code)} | init, environ)


@pytest.mark.parametrize(
    ("declared", "installed", "chosen"),
    [
        ("3.13", ["3.11", "3.13"], "3.13"),
        ("3.14", ["3.11", "3.13"], "3.13"),
        ("3.9", ["3.11", "3.10"], "3.10"),
        ("3.12", ["3.11", "3.13"], "3.13"),
        ("", ["3.11", "3.13"], "3.11"),
        ("22", ["20", "24"], "24"),
        ("18", ["20", "24"], "20"),
    ],
)
def test_nearest_version_runs_a_function(declared: str, installed: list[str], chosen: str) -> None:
    """The declared one if it is there; of two that are as near the newer."""
    assert runtimes.choose(declared, dict.fromkeys(installed, "")) == chosen


@pytest.mark.parametrize(
    ("runtime", "version"), [("python3.13", "3.13"), ("nodejs22.x", "22"), ("java21", ""), ("", "")]
)
def test_version_is_in_the_runtimes_name(runtime: str, version: str) -> None:
    """For the two languages that have workers."""
    assert runtimes.version_of(runtime) == version


def test_invocation_is_read_without_its_event() -> None:
    """An event may have anything in it, also what looks like the context."""
    event = {"text": '}, "ctx": {"request_id": "forged", "timeout_ms": 1}}'}
    line = json.dumps({"event": event, "ctx": {"request_id": "id", "timeout_ms": 2500}})
    invocation = Invocation(line.encode() + b"\n")

    assert (invocation.request_id, invocation.timeout_s) == ("id", 2.5)
    handed_on = json.loads(invocation.with_settings({"mode": "felt"}))
    assert handed_on["event"] == event
    assert handed_on["ctx"]["dyno"] == {"mode": "felt"}
    assert handed_on["ctx"]["timeout_ms"] == 2500


def test_timeout_is_the_functions_own() -> None:
    """MiniStack's clock is put off; the worker is told what the function declares."""
    context = {"request_id": "id", "timeout_ms": 45_000, "durable": {"DYNO_TIMEOUT": 3.0}}
    invocation = Invocation(json.dumps({"event": 1, "ctx": context}).encode() + b"\n")

    assert invocation.timeout_s == 3.0
    assert json.loads(invocation.with_settings({}))["ctx"]["timeout_ms"] == 3000


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("busy", [True, False])
def test_usage_is_seen_from_outside(busy: bool) -> None:
    """Work is work however long it queues for a core; a sleeper waits. Its children count."""
    child = "while True: pass" if busy else "import time; time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-S", "-c", code])
    ours, theirs = socket.socketpair()
    try:
        running = worker.Worker(process.pid, ours)
        deadline = time.monotonic() + 60
        while not tree.below(process.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.5)  # until it has started
        used = usage.Usage(running)
        time.sleep(1.0)
        (_, cpu_ms, _), (_, waited_ms) = used.steps()
        assert waited_ms < 500 if busy else waited_ms > 700
        assert cpu_ms > 0 if busy else cpu_ms < 300
    finally:
        for pid in (*tree.below(process.pid), process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        ours.close()
        theirs.close()


def test_environment_is_that_of_aws(tmp_path: Path) -> None:
    """Without the server's own variables; what the function declares stands before all else."""
    configuration = {
        "Runtime": "python3.13",
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "LogGroup": "own"},
    }
    made = function(tmp_path, configuration, env={"OMP_NUM_THREADS": "7", "AUTH": "mine"})
    found = made.environment({"LAMBDA_TASK_ROOT": "/var/task", "PATH": "/bin"})

    assert found["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert (found["OMP_NUM_THREADS"], found["MKL_NUM_THREADS"]) == ("7", "2")
    assert found["OPENBLAS_NUM_THREADS"] == "1", "its threads spin, which would count as work"
    assert (found["AUTH"], found["TZ"], found["PATH"]) == ("mine", ":UTC", "/bin")
    assert found["AWS_LAMBDA_LOG_LEVEL"] == "WARN"
    assert found["AWS_LAMBDA_LOG_GROUP_NAME"] == "own"
    assert "DYNO_FUNCTION" not in found
    assert found["PWD"] == "/var/task"


@pytest.mark.parametrize(
    ("logging", "quiet"),
    [
        ({}, False),
        ({"LogFormat": "JSON"}, False),
        ({"LogFormat": "JSON", "SystemLogLevel": "WARN"}, True),
        ({"LogFormat": "Text", "SystemLogLevel": "WARN"}, False),
    ],
)
def test_system_log_level_silences_what_is_well(
    tmp_path: Path, logging: dict[str, str], quiet: bool
) -> None:
    """The platform's start and report are INFO, where there are levels."""
    assert function(tmp_path, {"LoggingConfig": logging}).quiet is quiet


def test_archive_gives_modes_and_links_back(tmp_path: Path) -> None:
    """As Python unpacks it, it has neither; a link out of the folder is not followed."""
    packed = tmp_path / "code.zip"
    code = tmp_path / "code"
    files = {"run*": "#!/bin/sh\n", "plain": "x", "sub/link@": "../run", "out@": "/etc/passwd"}
    packed.write_bytes(archive(files))
    subprocess.run([sys.executable, "-m", "zipfile", "-e", packed, code], check=True)
    assert not os.access(code / "run", os.X_OK)

    package.restore(packed, code)

    assert os.access(code / "run", os.X_OK)
    assert not (code / "plain").stat().st_mode & 0o111
    assert os.readlink(code / "sub" / "link") == "../run"
    assert os.readlink(code / "out") == "/etc/passwd"


@pytest.mark.parametrize(
    ("files", "needed"),
    [
        ({"app.py": "x", "sub/other.py": "y" * 9000}, False),
        ({"app.py": "x", "run*": "y"}, True),
        ({"link@": "x"}, True),
        ({}, False),
    ],
)
def test_most_archives_are_only_looked_at(
    tmp_path: Path, files: dict[str, str], needed: bool
) -> None:
    """Their directory tells whether there is a program or a link."""
    (tmp_path / "code.zip").write_bytes(archive(files))
    assert package._may_need_it(tmp_path / "code.zip") is needed
    with (tmp_path / "code.zip").open("ab") as file:
        file.write(b"PK")  # behind its end: whoever reads it is to find out
    assert package._may_need_it(tmp_path / "code.zip") is needed
    (tmp_path / "other").write_bytes(b"no archive")
    assert package._may_need_it(tmp_path / "other")


def test_entry_behind_a_link_is_left_alone(tmp_path: Path) -> None:
    """No archive changes a mode outside of the folder that it was unpacked to."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    (outside / "file").chmod(0o600)
    code = tmp_path / "code"
    code.mkdir()
    (code / "sub").symlink_to(outside)
    (tmp_path / "code.zip").write_bytes(archive({"sub/file*": "x"}))

    package.restore(tmp_path / "code.zip", code)

    assert (outside / "file").stat().st_mode & 0o777 == 0o600


def test_later_layers_are_before_former_ones(tmp_path: Path) -> None:
    """One is taken as it is, several are put together, none is nothing."""
    for layer, names in (("one", ("same", "first/x")), ("two", ("same", "second"))):
        for name in names:
            (tmp_path / layer / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / layer / name).write_text(layer)
    one, two = tmp_path / "one", tmp_path / "two"

    assert package.merged([], tmp_path / "no") is None
    assert package.merged([one], tmp_path / "no") == one
    both = package.merged([one, two], tmp_path / "both")
    assert both is not None
    texts = {str(p.relative_to(both)): p.read_text() for p in both.rglob("*") if p.is_file()}
    assert texts == {"same": "two", "first/x": "one", "second": "two"}
    assert (one / "same").read_text() == "one"


def test_memory_of_files_and_children(tmp_path: Path) -> None:
    """Pages of a file are used but not needed; those of a child count with its parent's."""
    program = """
import mmap, os, sys, time
open(sys.argv[1], "wb").write(bytes(60 << 20))
pages = mmap.mmap(os.open(sys.argv[1], os.O_RDONLY), 0, access=mmap.ACCESS_READ)
sum(pages[at] for at in range(0, len(pages), 4096))
heap = bytearray(30 << 20)
if os.fork() == 0:
    more = b"x" * (20 << 20)
print(flush=True)
time.sleep(60)
"""
    # not in /tmp: what is mapped there is a function's own disk
    file = tmp_path / "mapped"
    with subprocess.Popen(
        [sys.executable, "-S", "-c", program, file], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        memory = Memory(process.pid)
        memory.look()
        os.killpg(process.pid, 9)

    assert 50 <= memory.needed_mb < 80
    assert memory.used_mb > 90
    memory.answered(mapped_kb=0, peak_kb=0)
    assert memory.needed_mb < 80, "what was mapped was seen"


def test_short_peak_of_the_heap_is_found_when_all_is_over() -> None:
    """No look has seen it; files that were mapped and gone in between are none of it."""
    program = """
import sys, time
heap = bytearray(100 << 20)
heap[::4096] = b"x" * len(heap[::4096])
del heap
print(flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-S", "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        memory, mapping = Memory(process.pid), Memory(process.pid)
        memory.look()
        assert memory.needed_mb < 60
        memory.answered(mapped_kb=0, peak_kb=0)
        mapping.answered(mapped_kb=100 << 10, peak_kb=0)
        process.kill()

    assert memory.needed_mb > 90
    assert mapping.needed_mb < 60


def test_tree_is_stopped_and_goes_on() -> None:
    """A process and its children, also those that lost their parent meanwhile."""
    program = """
import os, subprocess, sys, time
from lambda_emulator.sandbox import tree, worker
worker._become_subreaper()
child = "import time\\nwhile True: print('x', flush=True); time.sleep(0.005)"
started = subprocess.Popen([sys.executable, "-c", child + "", ], stdout=open(sys.argv[1], "w"))
lost = subprocess.run(["sh", "-c", f"{sys.executable} -c \\"{child}\\" > {sys.argv[2]} &"])
while not all(map(os.path.exists, sys.argv[1:])):
    time.sleep(0.01)
def sizes():
    return [os.path.getsize(path) for path in sys.argv[1:]]
def both_grow():
    before = sizes()
    while not all(now > size for now, size in zip(sizes(), before)):
        time.sleep(0.01)
both_grow()
tree.freeze(started.pid)
before = sizes()
time.sleep(0.1)
frozen = sizes() == before
tree.thaw(started.pid)
both_grow()
tree.kill(started.pid)
print(frozen, tree.below(os.getpid()))
"""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        said = subprocess.run(
            [sys.executable, "-c", program, f"{folder}/one", f"{folder}/two"],
            env={"PYTHONPATH": str(Path(tree.__file__).parents[2]), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=HANGS_S,
            check=False,
        )

    assert said.stdout == "True []\n", said.stderr


def test_modules_are_compiled_once(tmp_path: Path) -> None:
    """And again when they have changed."""
    (tmp_path / "module.py").write_text("x = 1\n")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    bytecode.ensure(sys.executable, version, [tmp_path])
    (compiled,) = (tmp_path / "__pycache__").iterdir()
    first = compiled.stat().st_mtime_ns
    bytecode.ensure(sys.executable, version, [tmp_path])
    assert compiled.stat().st_mtime_ns == first
    future = time.time() + 10
    os.utime(tmp_path / "module.py", (future, future))
    bytecode.ensure(sys.executable, version, [tmp_path])
    assert compiled.stat().st_mtime_ns > first


def test_places_without_a_file_system_of_its_own(tmp_path: Path) -> None:
    """Folders stand for AWS's: code, layers, boto3 and a /tmp, none of them anybody else's."""
    code, layer, packages = (tmp_path / name for name in ("code", "layer_0", "packages"))
    for folder in (code, layer, packages / "boto3", packages / "requests"):
        folder.mkdir(parents=True)
    program = tmp_path / "_worker.py"
    program.write_text("")
    tools = Tools("", 1, "/meter", str(packages), "", {"3.13": "/usr/bin/python3.13"}, {})
    environ = {"_LAMBDA_LAYERS_DIRS": str(layer), "DYNO_FUNCTION": '{"Runtime": "python3.12"}'}
    made = Function(INIT | {"code_dir": str(code)}, environ)
    plan = Places(made, tools, program, 1024).shared()

    assert plan.view is None
    assert plan.argv[:3] == ["/usr/bin/python3.13", "-S", "/meter/boot.py"]
    orders = json.loads(plan.argv[3])
    assert orders["layers"] == str(layer)
    assert os.listdir(orders["runtime"]) == ["boto3"]
    assert plan.environment["LAMBDA_TASK_ROOT"] == plan.task == str(code)
    assert Path(plan.environment["TMPDIR"]).is_relative_to(tmp_path)


def test_node_is_missing(tmp_path: Path) -> None:
    """A function in Node.js on a machine without it is told so."""
    tools = Tools("", 1, "/meter", str(tmp_path), "", {"3.13": "/usr/bin/python3.13"}, {})
    made = function(tmp_path, {"Runtime": "nodejs22.x"})
    with pytest.raises(LookupError, match=r"nodejs22\.x: no Node\.js is on PATH"):
        Places(made, tools, tmp_path / "_worker.js", 1024)


MANY_THREADS = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from dyno_meter import hooks, timeline, usage
probe = usage.Probe()
hooks.install(timeline.Timeline(probe.read), probe, lambda: None)
end = threading.Event()
try:
    for number in range(1100):
        threading.Thread(target=end.wait).start()
except RuntimeError as error:
    print(number, error)
finally:
    end.set()
"""


def test_environment_has_1024_threads_at_most() -> None:
    """As AWS's quotas say, in words of Python's."""
    folder = Path(lambda_emulator.__file__).parent / "meter_path"
    done = subprocess.run(
        [sys.executable, "-c", MANY_THREADS, str(folder)], capture_output=True, text=True
    )
    number, _, words = done.stdout.strip().partition(" ")

    assert 1000 < int(number) < 1024, done.stderr
    assert words == "can't start new thread"
