"""Programs and temporary folders on this machine whose owner is dead, and their end."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from lambda_dyno.runs import guard
from lambda_dyno.runs.ownership import Owner, marked_folders, marked_processes
from lambda_dyno.runs.process import GRACE_S

_KILL_S = 10.0
_POLL_S = 0.1


@dataclass(frozen=True)
class Orphans:
    """What dead owners left on this machine."""

    processes: tuple[tuple[psutil.Process, Owner], ...]
    folders: tuple[Path, ...]

    def __bool__(self) -> bool:
        return bool(self.processes or self.folders)

    @property
    def names(self) -> list[str]:
        """Return a word or two for each."""
        programs = []
        for process, _ in self.processes:
            with contextlib.suppress(psutil.Error):
                programs.append(f"{process.name()} (process {process.pid})")
        return [*programs, *map(str, self.folders)]


def find() -> Orphans:
    """Return what is known to have lost its owner; what may have one is left out."""
    return Orphans(
        tuple(pair for pair in marked_processes() if pair[1].lives is False),
        tuple(path for path, owner in marked_folders() if owner.lives is False),
    )


def end(found: Orphans, say: Callable[[str], None], *, grace_s: float = GRACE_S) -> None:
    """End the programs of dead owners in order and remove their folders.

    Terraform gets the time to finish the resource that it makes, and to write its state: what
    it is killed over is in no state.

    Args:
        found: What `find` returned.
        say: Told when that takes a while.
        grace_s: Seconds until what still runs is killed.
    """
    processes = [process for process, _ in found.processes]
    if processes:
        say(f"ending what a killed run left: {', '.join(found.names)}")
        guarded = {owner for process, owner in found.processes if _is_guard(process)}
        for process, owner in found.processes:
            if owner not in guarded:  # a guard has told its program already
                _signal(process, signal.SIGINT)
        _await(processes, grace_s)
        for process in processes:
            _signal(process, signal.SIGKILL)
        _await(processes, _KILL_S)
    for folder in found.folders:
        shutil.rmtree(folder, ignore_errors=True)


def _is_guard(process: psutil.Process) -> bool:
    try:
        return guard.__file__ in process.cmdline()
    except psutil.Error:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.Error):  # psutil refuses a recycled pid
        process.send_signal(number)


def _await(processes: list[psutil.Process], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not any(_runs(process) for process in processes):
            return
        time.sleep(_POLL_S)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
