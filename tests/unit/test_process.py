"""Programs are run to their end: output, deadline, signals."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from harness import process


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def gone(pid: int) -> bool:
    """Whether a process ended, or does within seconds (its new parent has to reap it)."""
    try:
        psutil.Process(pid).wait(timeout=10)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def test_both_outputs_and_the_status_come_back(tmp_path: Path) -> None:
    """Each pipe is kept apart, and both go to the log."""
    log = tmp_path / "log"
    done = process.run(
        python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"),
        timeout_s=20,
        log=log,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert sorted(log.read_text().split()) == ["err", "out"]


def test_a_flood_on_standard_error_does_not_block() -> None:
    """A full pipe would hang a program that nobody reads (tftest does that)."""
    done = process.run(
        python("import sys; sys.stderr.write('x' * 1_000_000); print('done')"), timeout_s=20
    )
    assert done.stdout == "done\n"
    assert len(done.stderr) == 1_000_000


def test_lines_arrive_while_the_program_works() -> None:
    """Progress is live."""
    seen: list[tuple[str, float]] = []
    started = time.monotonic()
    process.run(
        python("import time; print('a', flush=True); time.sleep(0.5); print('b')"),
        timeout_s=20,
        on_line=lambda line: seen.append((line, time.monotonic() - started)),
    )
    assert [line for line, _ in seen] == ["a", "b"]
    assert seen[1][1] - seen[0][1] > 0.3


def test_a_program_past_its_deadline_is_interrupted_with_its_children(tmp_path: Path) -> None:
    """No grandchild stays behind."""
    pid_file = tmp_path / "pid"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(process.DeadlineError, match="within 1 s"):
        process.run(python(code), timeout_s=1)
    assert gone(int(pid_file.read_text()))


def test_ctrl_c_waits_for_the_programs_orderly_end() -> None:
    """The program gets one SIGINT and the time to finish what it does."""
    code = (
        "import signal, sys, time\n"
        "def stop(*_):\n"
        "    time.sleep(0.3); print('state saved', flush=True); sys.exit(0)\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "print('ready', flush=True)\n"
        "time.sleep(30)\n"
    )
    seen: list[str] = []

    def press(line: str) -> None:
        seen.append(line)
        if line == "ready":
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        process.run(python(code), timeout_s=20, on_line=press)
    assert seen == ["ready", "state saved"]


def test_standard_input_is_what_was_given() -> None:
    """And nothing when nothing was: a program that asks does not wait for a person."""
    code = "import sys; print(repr(sys.stdin.read()))"
    assert process.run(python(code), timeout_s=20, stdin="secret").stdout == "'secret'\n"
    assert process.run(python(code), timeout_s=20).stdout == "''\n"
