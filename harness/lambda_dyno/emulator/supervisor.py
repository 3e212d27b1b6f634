"""Keeps one embedded AWS: starts it, and clears up behind it whatever happens.

`python -m lambda_dyno.emulator.supervisor` reads its orders as JSON from stdin (see `Orders`), puts
itself into the background, starts the server, writes down which processes these are (whoever
ordered may be killed meanwhile), lets go of its starter's pipes, and carries on. The server and
its workers carry its mark, so that they are found should it be killed before anything is written
(`runs.orphans`).
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from lambda_dyno.emulator import server_state
from lambda_dyno.emulator.server_state import ServerState
from lambda_dyno.runs.guard import signals_as_bytes
from lambda_dyno.runs.identity import identity, is_alive, processes_with
from lambda_dyno.runs.ownership import VARIABLE, Owner

POLL_S = 0.5  # how often the owner is looked at
TERM_GRACE_S = 3.0  # what the server gets to end by itself
_SANDBOX_GRACE_S = 1.0


@dataclass(frozen=True, slots=True)
class Orders:
    """What to run, and for whom."""

    command: list[str]
    environment: dict[str, str]
    home: str  # of the server; its log and its temporary files are there
    state: dict[str, Any]  # a `ServerState` that says nothing yet of the processes


def log_of(home: Path) -> Path:
    """Return the file that gets the server's output."""
    return home / "server.log"


def temp_of(home: Path) -> Path:
    """Return the folder of the server's temporary files, which is removed at the end."""
    return home / "tmp"


def end_server(pid: int, pid_identity: str, home: Path, grace_s: float = TERM_GRACE_S) -> None:
    """End the server and all its workers, and remove its temp folder. Safe to call again.

    Only processes that are known to be ours are touched: the server by pid and identity, its
    workers as its children or by the temp folder in their command line.
    """
    temp = temp_of(home)
    doomed = processes_with(f"{temp}{os.sep}")
    if is_alive(pid, pid_identity):
        with contextlib.suppress(psutil.Error):
            server = psutil.Process(pid)
            doomed += server.children(recursive=True)
            server.terminate()
            _gone([server], grace_s)
            doomed.append(server)
    doomed += processes_with(f"{temp}{os.sep}")
    # by TERM a sandbox ends all that its function has started; nobody else knows of that
    for end, patience_s in (
        (psutil.Process.terminate, _SANDBOX_GRACE_S),
        (psutil.Process.kill, grace_s),
    ):
        for process in doomed:
            with contextlib.suppress(psutil.Error):  # psutil refuses a recycled pid
                end(process)
        _gone(doomed, patience_s)
    shutil.rmtree(temp, ignore_errors=True)


def _gone(processes: list[psutil.Process], timeout_s: float) -> None:
    """Wait until the processes have ended; a zombie of another parent has ended too."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not any(p.is_running() and identity(p.pid) for p in processes):
            return
        time.sleep(0.01)


def _supervise(server: subprocess.Popen[bytes], state: ServerState, signals: int) -> None:
    """Return when it is time to end the server."""
    while server.poll() is None:
        select.select([signals], [], [], POLL_S)
        orphaned = state.orphaned
        # Read after the look: an owner that lets go and ends at once has let go.
        arrived = _read_all(signals)
        if signal.SIGUSR1 in arrived:
            state, orphaned = replace(state, owner_pid=None), False
        if orphaned or signal.SIGTERM in arrived:
            return


def _read_all(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1024)
    except BlockingIOError:
        return b""


def run(orders: Orders) -> None:
    """Start the server as ordered, write it down, and stay until it has ended."""
    home, me = Path(orders.home), os.getpid()
    signals = signals_as_bytes(signal.SIGUSR1)
    os.set_blocking(signals, False)
    with log_of(home).open("wb") as log:
        server = subprocess.Popen(
            orders.command,
            env={**orders.environment, VARIABLE: Owner.this_process().mark},
            cwd=temp_of(home),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        state = replace(
            ServerState(**orders.state),
            pid=server.pid,
            identity=identity(server.pid) or "",
            supervisor_pid=me,
            supervisor_identity=identity(me) or "",
        )
        server_state.write(home, state)
        for descriptor in (0, 1, 2):  # let go of the starter's terminal and pipes
            os.dup2(log.fileno(), descriptor)
    try:
        _supervise(server, state, signals)
    finally:
        end_server(state.pid, state.identity, home)
        server.wait()


def main() -> None:
    """Read the orders, go into the background and run them."""
    orders = Orders(**json.load(sys.stdin))
    if os.fork():
        os._exit(0)  # the starter waits for this one only: no zombie is left to it
    os.setsid()
    run(orders)


if __name__ == "__main__":
    main()
