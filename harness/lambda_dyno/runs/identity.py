"""Which process is meant: a pid alone may belong to somebody else by now."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import psutil


def identity(pid: int) -> str | None:
    """Return a word that only this life of this pid has, or None if no such process runs.

    A zombie counts as gone. Linux gives boot id and start time in ticks, which a change of the
    clock does not move; elsewhere it is the creation time.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if sys.platform == "linux":
            stat = Path(f"/proc/{pid}/stat").read_text()
            ticks = stat.rpartition(")")[2].split()[19]  # field 22, starttime
            return f"{_boot_id()}:{ticks}"
        return f"{process.create_time():.3f}"
    except (psutil.Error, OSError):
        return None


def is_alive(pid: int, known_identity: str) -> bool:
    """Tell whether the process that once was `pid` with this identity still runs."""
    return pid > 0 and identity(pid) == known_identity


def processes_with(argument_prefix: str) -> list[psutil.Process]:
    """Return the processes that have an argument which starts with `argument_prefix`.

    Workers of the embedded AWS run a script below the server's own temp folder, so this finds
    them even when the server is gone.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and any(
                argument.startswith(argument_prefix) for argument in process.cmdline()
            ):
                found.append(process)
    return found


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return "boot"
