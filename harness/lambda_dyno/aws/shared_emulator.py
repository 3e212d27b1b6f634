"""The folder of what the workers of one pytest session share, in the folder of all runs.

    runs/.gate-PID/
      aws/        home of the embedded AWS, in which each worker has an account of its own
      turn.lock   held by the worker that loads an API, so that no other disturbs it
      workers/    a file per worker, named like its process

PID is the process that started the workers. The embedded AWS ends with it, however it ends; what
stays of the folder then goes with the next session or sweep.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil

from lambda_dyno.emulator import server
from lambda_dyno.runs.run_folder import all_runs

_PREFIX = ".gate-"


def shared_folder(runs_folder: Path) -> Path:
    """Return the folder of this process's workers; it is made when it is needed."""
    return runs_folder / f"{_PREFIX}{os.getpid()}"


def announce(shared: Path) -> None:
    """Tell who started this worker that it may have environments from now on."""
    folder = shared / "workers"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(os.getpid())).touch()


def announced(shared: Path) -> set[int]:
    """Return the processes of the workers that may have environments."""
    return {int(path.name) for path in (shared / "workers").glob("[0-9]*")}


def home_of(shared: Path) -> Path:
    """Return the home of the embedded AWS."""
    return shared / "aws"


def remove(shared: Path) -> None:
    """End the embedded AWS and remove the folder."""
    server.stop(home_of(shared))
    shutil.rmtree(shared, ignore_errors=True)


def clear_away(runs_folder: Path) -> list[Path]:
    """Remove what sessions whose process is gone have shared; return the folders.

    One with an environment that was kept is left until that is taken down.
    """
    gone = []
    for folder in runs_folder.glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX)
        if not pid.isdigit() or runs(int(pid)) or _is_used(folder, runs_folder):
            continue
        remove(folder)
        gone.append(folder)
    return gone


def _is_used(folder: Path, runs_folder: Path) -> bool:
    """Whether there is an environment on the folder's embedded AWS."""
    home = home_of(folder)
    if server.status(home) is None:
        return False
    return any(run.read_lease().is_in(home) for run in all_runs(runs_folder))


def runs(pid: int) -> bool:
    """Whether a process runs, and is not merely waiting to be forgotten."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
