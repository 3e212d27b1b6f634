"""What the process that controls pytest-xdist's workers does for their environments.

A worker takes its environment down itself. When it cannot (it crashed, or was killed), whoever
started it does, at the end of the session. So that none is killed in the middle of its
teardown, which pytest-xdist does ten seconds after an interrupt, the end of the session waits for
them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from harness import pipeline
from harness.errors import DynoError
from harness.local import server
from harness.progress import Ui
from harness.run import Run
from harness.runs import Lease, RunFolder, all_runs

_POLL_S = 0.2
_TOLD_S = 10.0
# A teardown of a large environment, tried again after errors that pass.
_PATIENCE_S = 1800.0

PREFIX = ".gate-"


def shared_folder(runs_folder: Path, owner_pid: int) -> Path:
    """Return the folder of what the workers of one session share; it is made when needed."""
    return runs_folder / f"{PREFIX}{owner_pid}"


class Workers:
    """The workers of one session.

    Args:
        project: Folder that holds `envs/`.
        runs_folder: Folder of all runs.
        say: Writes a line for people.
    """

    def __init__(self, project: Path, runs_folder: Path, say: Callable[[str], None]) -> None:
        self._project = project
        self._runs = runs_folder
        self._say = say
        self._pids: set[int] = set()

    @property
    def shared(self) -> Path:
        """Folder of what the workers share."""
        return shared_folder(self._runs, os.getpid())

    def add(self, pid: int) -> None:
        """Know a worker by its process."""
        self._pids.add(pid)

    def runs(self) -> list[RunFolder]:
        """Return the runs of this process and its workers, oldest first."""
        ours = self._pids | {os.getpid()}
        return [
            folder
            for folder in all_runs(self._runs)
            if (lease := folder.read_lease()).pid in ours and lease.is_of_this_host
        ]

    def wait(self, *, interrupt: bool) -> None:
        """Wait until no living worker has an environment any more.

        Args:
            interrupt: Whether to tell them to stop what they do.
        """
        if interrupt:
            for lease in self._working():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(lease.pid, signal.SIGINT)
        deadline = time.monotonic() + _PATIENCE_S
        told = 0.0
        while (working := self._working()) and time.monotonic() < deadline:
            if time.monotonic() - told > _TOLD_S:
                told = time.monotonic()
                names = ", ".join(lease.worker or str(lease.pid) for lease in working)
                self._say(f"dyno: waiting for {names} to take down what is there")
            time.sleep(_POLL_S)

    def clean_up(self, *, keep: bool) -> list[str]:
        """Take down what crashed workers left, and end what the workers shared.

        Args:
            keep: Whether environments that were kept still need the shared embedded AWS.

        Returns:
            A sentence for each thing that is left.
        """
        problems = [problem for lease in self._orphans() if (problem := self._take_down(lease))]
        kept = keep and any(run.read_lease().kept for run in self.runs())
        if self.shared.is_dir() and not kept:
            server.stop(self.shared / "aws")
            shutil.rmtree(self.shared, ignore_errors=True)
        return problems

    def _leases(self) -> list[Lease]:
        return [lease for run in self.runs() if _open(lease := run.read_lease())]

    def _working(self) -> list[Lease]:
        return [
            lease
            for lease in self._leases()
            if lease.pid != os.getpid() and lease.owner_lives() and _runs(lease.pid)
        ]

    def _orphans(self) -> list[Lease]:
        """Return the environments that nobody takes down any more."""
        working = {lease.run_id for lease in self._working()}
        return [lease for lease in self._leases() if lease.run_id not in working]

    def _take_down(self, lease: Lease) -> str:
        """Take a crashed worker's environment down; return what is wrong, or nothing."""
        self._say(f"dyno: taking down what {lease.worker or lease.pid} left: {lease.name_prefix}")
        ui = Ui()
        try:
            run = Run.reopen(self._project, lease.run_id, ui, runs_folder=self._runs)
            with run.folder.locked(), pipeline.shielded(ui):
                run.down()
        except (DynoError, KeyboardInterrupt) as error:
            return f"run {lease.run_id}: {error or 'teardown was abandoned'}"
        return ""


def _open(lease: Lease) -> bool:
    return not lease.kept and (lease.holds_resources or (lease.own_server and _served(lease)))


def _served(lease: Lease) -> bool:
    return lease.state != "down"


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def clear_away(runs_folder: Path) -> list[Path]:
    """Remove what sessions whose process is gone have shared; return the folders.

    Args:
        runs_folder: Folder of all runs.
    """
    gone = []
    for folder in runs_folder.glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX)
        home = folder / "aws"
        in_use = server.status(home) is not None and not server.is_abandoned(home)
        if not pid.isdigit() or _runs(int(pid)) or in_use:
            continue  # its session lives, or an environment in it was kept
        server.stop(home)
        shutil.rmtree(folder, ignore_errors=True)
        gone.append(folder)
    return gone
