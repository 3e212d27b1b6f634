"""Keeps one embedded AWS: starts it, and clears up behind it whatever happens.

`python -m lambda_dyno.emulator.supervisor` reads its orders as JSON from stdin (see `Orders`), puts
itself into the background, starts the server, writes down which processes these are (into the
file that is named, and as one JSON line to stdout, in this order: whoever ordered may be killed
meanwhile), and carries on. The server and its workers carry its mark, so that they are found
should it be killed before anything is written (`processes.orphans`).
Then it waits for the first of: the server ends, SIGTERM, the owner is gone (SIGUSR1: there is
no owner any more). Then server and workers are ended and the temp folder is removed. It is a
process of its own since a server that was started for one run must not outlive a `kill -9` of
that run, on Linux and macOS alike.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lambda_dyno.core.files import named
from lambda_dyno.processes.identity import identity, is_alive, processes_with
from lambda_dyno.processes.ownership import VARIABLE, Owner

POLL_S = 0.5  # how often the owner is looked at
TERM_GRACE_S = 3.0  # what the server gets to end by itself


@dataclass(frozen=True, slots=True)
class Orders:
    """What to run, and for whom."""

    command: list[str]
    environment: dict[str, str]
    log: str  # file that gets the server's output
    temp: str  # folder of the server's temporary files; removed at the end
    state_file: str  # gets `state` with the processes
    state: dict[str, Any]
    owner_pid: int | None
    owner_identity: str | None


def end_server(pid: int, pid_identity: str, temp: Path, grace_s: float = TERM_GRACE_S) -> None:
    """End the server and all its workers, and remove its temp folder. Safe to call again.

    Only processes that are known to be ours are touched: the server by pid and identity, its
    workers as its children or by the temp folder in their command line.
    """
    doomed = processes_with(f"{temp}{os.sep}")
    if is_alive(pid, pid_identity):
        with contextlib.suppress(psutil.Error):
            server = psutil.Process(pid)
            doomed += server.children(recursive=True)
            server.terminate()
            _gone([server], grace_s)
            if is_alive(pid, pid_identity):
                server.kill()
                _gone([server], grace_s)
    doomed += processes_with(f"{temp}{os.sep}")
    for process in doomed:
        with contextlib.suppress(psutil.Error):  # psutil refuses a recycled pid
            process.kill()
    _gone(doomed, grace_s)
    shutil.rmtree(temp, ignore_errors=True)


def _gone(processes: list[psutil.Process], timeout_s: float) -> None:
    """Wait until the processes have ended; a zombie of another parent has ended too."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not any(p.is_running() and identity(p.pid) for p in processes):
            return
        time.sleep(0.01)


def _supervise(server: subprocess.Popen[bytes], orders: Orders, wakeup: int) -> None:
    """Return when it is time to end the server."""
    owner = orders.owner_pid
    while server.poll() is None:
        select.select([wakeup], [], [], POLL_S)
        owner_is_gone = owner is not None and not is_alive(owner, orders.owner_identity or "")
        # Read after the look: an owner that lets go and ends at once has let go.
        signals = _read_all(wakeup)
        if signal.SIGTERM in signals:
            return
        if signal.SIGUSR1 in signals:
            owner, owner_is_gone = None, False
        if owner_is_gone:
            return


def _read_all(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1024)
    except BlockingIOError:
        return b""


def _signals_as_bytes() -> int:
    """Let SIGTERM and SIGCHLD show up as bytes on the returned file descriptor."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP, signal.SIGUSR1)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    return read_end


def run(orders: Orders) -> None:
    """Start the server as ordered, announce it, and stay until it has ended."""
    wakeup = _signals_as_bytes()
    with Path(orders.log).open("ab") as log:
        server = subprocess.Popen(
            orders.command,
            env={**orders.environment, VARIABLE: Owner.this_process().mark},
            cwd=orders.temp,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        server_identity = identity(server.pid) or ""
        me = os.getpid()
        announcement: dict[str, Any] = {
            "pid": server.pid,
            "identity": server_identity,
            "supervisor_pid": me,
            "supervisor_identity": identity(me),
        }
        write_private(Path(orders.state_file), {**orders.state, **announcement})
        os.write(1, json.dumps(announcement).encode() + b"\n")
        for descriptor in (0, 1, 2):  # let go of the starter's terminal and pipes
            os.dup2(log.fileno(), descriptor)
    try:
        _supervise(server, orders, wakeup)
    finally:
        end_server(server.pid, server_identity, Path(orders.temp))
        server.wait()


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Write a file that only its owner may read; readers see the old or the new one."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    with named(path):
        draft.write_text(json.dumps(content, indent=2) + "\n")
        draft.replace(path)


def main() -> None:
    """Read the orders, go into the background and run them."""
    orders = Orders(**json.load(sys.stdin))
    if os.fork():
        os._exit(0)  # the starter waits for this one only: no zombie is left to it
    os.setsid()
    run(orders)


if __name__ == "__main__":
    main()
