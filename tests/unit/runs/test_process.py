"""Programs are run to their end: output, deadline, signals."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from lambda_dyno.aws import accounts
from lambda_dyno.runs import orphans, process
from tests.support.waiting import HANGS_S, wait_until


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def gone(pid: int) -> bool:
    """Whether a process ended, or does within seconds (its new parent has to reap it)."""
    try:
        psutil.Process(pid).wait(timeout=HANGS_S)
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
        timeout_s=HANGS_S,
        log=log,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert sorted(log.read_text().split()) == ["err", "out"]


def test_a_flood_on_standard_error_does_not_block() -> None:
    """A full pipe would hang a program that nobody reads (tftest does that)."""
    done = process.run(
        python("import sys; sys.stderr.write('x' * 1_000_000); print('done')"), timeout_s=HANGS_S
    )
    assert done.stdout == "done\n"
    assert len(done.stderr) == 1_000_000


def test_lines_arrive_while_the_program_works(tmp_path: Path) -> None:
    """Progress is live: the program goes on only when its first line was seen."""
    seen: list[str] = []
    heard = tmp_path / "heard"

    def hear(line: str) -> None:
        seen.append(line)
        heard.touch()

    code = (
        "import os, time\n"
        "print('a', flush=True)\n"
        f"while not os.path.exists({str(heard)!r}): time.sleep(0.01)\n"
        "print('b')"
    )
    process.run(python(code), timeout_s=HANGS_S, on_line=hear)
    assert seen == ["a", "b"]


def test_a_program_past_its_deadline_is_interrupted_with_its_children(tmp_path: Path) -> None:
    """No grandchild stays behind."""
    pid_file = tmp_path / "pid"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(process.DeadlineError, match="within 3 s"):
        process.run(python(code), timeout_s=3)
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
        process.run(python(code), timeout_s=HANGS_S, on_line=press)
    assert seen == ["ready", "state saved"]


def test_standard_input_is_what_was_given() -> None:
    """And nothing when nothing was: a program that asks does not wait for a person."""
    code = "import sys; print(repr(sys.stdin.read()))"
    assert process.run(python(code), timeout_s=HANGS_S, stdin="secret").stdout == "'secret'\n"
    assert process.run(python(code), timeout_s=HANGS_S).stdout == "''\n"


OWNER = """
import sys
from pathlib import Path
from lambda_dyno.runs import process
process.run([sys.executable, "-c", Path({program!r}).read_text()], timeout_s=240)
"""

# A Terraform, as far as that matters: it has a helper that ignores SIGINT, talks all the time,
# and needs a while to put things in order.
PROGRAM = """
import os, signal, subprocess, sys, time
from pathlib import Path

def stop(*_):
    time.sleep(0.3)
    print("saving", flush=True)
    Path({folder!r}, "saved").write_text("in order")
    sys.exit(0)

signal.signal(signal.SIGINT, signal.SIG_IGN)  # the helper inherits that, from its first moment on
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
signal.signal(signal.SIGINT, stop)
Path(os.environ["TMPDIR"], "socket").touch()
draft = Path({folder!r}, "draft")
draft.write_text(f"{{os.getpid()}} {{helper.pid}} {{os.getppid()}} {{os.environ['TMPDIR']}}")
draft.rename(Path({folder!r}, "started"))
while True:
    print("working", flush=True)
    time.sleep(0.05)
"""


@pytest.fixture
def killed_owner(
    alone_with_orphans: None, tmp_path: Path
) -> Iterator[Callable[..., tuple[list[int], Path]]]:
    """A function that kills a process while it runs `PROGRAM`, and more of its kin if asked.

    Returns the pids of the program, its helper and its guard, and the temporary folder.
    """
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(folder=str(tmp_path)))
    pids: list[int] = []
    folders: list[Path] = []

    def kill(*also: str) -> tuple[list[int], Path]:
        owner = subprocess.Popen([sys.executable, "-c", OWNER.format(program=str(program))])
        with owner:
            assert wait_until((tmp_path / "started").exists)
            words = (tmp_path / "started").read_text().split()
            pids.extend(map(int, words[:3]))
            folders.append(Path(words[3]))
            kin = dict(zip(("program", "helper", "guard"), pids, strict=True))
            owner.kill()
            for name in also:
                os.kill(kin[name], signal.SIGKILL)
        return pids, folders[0]

    yield kill
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_program_whose_owner_is_killed_ends_in_order(
    killed_owner: Callable[..., tuple[list[int], Path]], tmp_path: Path
) -> None:
    """It is interrupted, not cut off by a broken pipe; its helper and its folder go with it."""
    pids, temp = killed_owner()
    assert all(gone(pid) for pid in pids)
    assert (tmp_path / "saved").read_text() == "in order"
    assert not temp.exists()


def test_a_program_that_lost_its_guard_too_is_found_by_its_mark(
    killed_owner: Callable[..., tuple[list[int], Path]],
) -> None:
    """Whoever looks next ends it and removes its folder."""
    pids, temp = killed_owner("guard", "program")
    helper = pids[1]
    assert temp.exists()
    found = orphans.find()
    ours = [pair for pair in found.processes if pair[0].pid == helper]
    assert len(ours) == 1
    assert temp in found.folders
    orphans.end(orphans.Orphans(tuple(ours), (temp,)), lambda _: None, grace_s=0.5)
    assert gone(helper)
    assert not temp.exists()


def test_what_has_an_owner_is_no_orphan() -> None:
    """Neither a program of ours nor its folder is touched."""
    seen: list[bool] = []

    def look(line: str) -> None:
        pid, folder = line.split()
        found = orphans.find()
        seen.append(Path(folder) in found.folders)
        seen.append(int(pid) in [process.pid for process, _ in found.processes])

    code = "import os, time; print(os.getpid(), os.environ['TMPDIR'], flush=True); time.sleep(0.5)"
    assert process.run(python(code), timeout_s=HANGS_S, on_line=look).returncode == 0
    assert seen == [False, False]


def test_a_killed_guard_takes_its_program_along() -> None:
    """Nobody is left to end it."""
    pids: list[int] = []

    def kill(line: str) -> None:
        program, its_guard = map(int, line.split())
        pids.append(program)
        os.kill(its_guard, signal.SIGKILL)

    code = "import os, time; print(os.getpid(), os.getppid(), flush=True); time.sleep(60)"
    done = process.run(python(code), timeout_s=HANGS_S, on_line=kill)
    assert done.returncode == -signal.SIGKILL
    assert gone(pids[0])


def test_a_program_that_a_signal_ended_says_so() -> None:
    """As if nothing stood between."""
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert process.run(python(code), timeout_s=HANGS_S).returncode == -signal.SIGTERM


def test_nothing_goes_on_when_there_is_no_use_in_it() -> None:
    """What a program works with may be gone; then it is killed at once."""
    started = time.monotonic()
    with pytest.raises(process.AbandonedError, match="the embedded AWS is gone"):
        process.run(
            python(
                "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"
            ),
            timeout_s=30,
            watch=lambda: "the embedded AWS is gone",
        )
    assert time.monotonic() - started < 29


def test_a_full_disk_loses_the_log_and_nothing_else(tmp_path: Path) -> None:
    """The output is still read, or the program would wait for ever."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    done = process.run(python("print('x' * 200_000)"), timeout_s=HANGS_S, log=full)
    assert len(done.stdout) == 200_001


def test_a_failing_listener_is_told_after_the_end() -> None:
    """It does not stop the program or the reading."""

    def fail(_: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        process.run(python("print('a'); print('b')"), timeout_s=HANGS_S, on_line=fail)


def test_a_program_that_is_not_there_is_named() -> None:
    """Before anything is started."""
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        process.run(["no-such-program"], timeout_s=5)


def test_no_program_gets_what_speaks_for_the_job(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With it a provider or a collection could write to the repository, or become another role."""
    names = (
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ACTIONS_RUNTIME_TOKEN",
        "GITHUB_TOKEN",
        "GH_TOKEN",
    )
    for name in (*names, "GITHUB_REPOSITORY"):
        monkeypatch.setenv(name, "hunter2")
    given = dict(os.environ)  # as the account hands it over
    # the guard is the program's parent: what it has can be read from its own /proc
    both = "cat /proc/$PPID/environ; env" if Path("/proc").is_dir() else "env"
    ours = accounts.Account("1", "eu-west-1", "", {}).program_environment()
    told = [
        process.run(["sh", "-c", both], env=env, timeout_s=HANGS_S).stdout
        for env in (None, given, ours)
    ]
    with process.talking(["sh", "-c", both], env=given, log=tmp_path / "l", on_line=told.append):
        pass
    for name in names:
        assert name not in "".join(told)
    assert "GITHUB_REPOSITORY=hunter2" in told[0]
    assert given["GITHUB_TOKEN"] == "hunter2"
