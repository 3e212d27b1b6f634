"""What the process that controls pytest-xdist's workers does for their environments.

A worker takes its environment down itself. When it cannot (it crashed, or was killed), whoever
started it does, at the end of the session. So that none is killed in the middle of its
teardown, which pytest-xdist does ten seconds after an interrupt, the end of the session waits for
them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from lambda_dyno.aws import shared_emulator as gate_shared
from lambda_dyno.core.errors import DynoError
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.run import ending, lifecycle
from lambda_dyno.run.run import Run
from lambda_dyno.runs.run_folder import Lease, RunFolder, all_runs

_POLL_S = 0.5
_TOLD_S = 10.0
_NOTICED_S = 4.0  # the evidence is written before the teardown begins
# A teardown of a large environment, tried again after errors that pass.
_PATIENCE_S = 1800.0


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
        return gate_shared.shared_folder(self._runs)

    def runs(self) -> list[RunFolder]:
        """Return the runs of this process and its workers, oldest first."""
        self._pids |= gate_shared.announced(self.shared)
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
            self._interrupt()
        told = time.monotonic() - _TOLD_S + 3
        deadline = time.monotonic() + _PATIENCE_S
        while (working := self._working()) and time.monotonic() < deadline:
            if time.monotonic() - told > _TOLD_S:
                told = time.monotonic()
                names = ", ".join(lease.worker or str(lease.pid) for lease in working)
                self._say(f"dyno: waiting for {names} to take down what is there")
            time.sleep(_POLL_S)

    def _interrupt(self) -> None:
        """Interrupt the workers that have not noticed: Ctrl-C in a terminal reaches them, too."""
        deadline = time.monotonic() + _NOTICED_S
        while self._working() and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        for lease in self._working():
            if lease.state != "destroying":
                # not SIGINT: a shell starts what is in the background with that ignored
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(lease.pid, signal.SIGTERM)

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
            gate_shared.remove(self.shared)
        return problems

    def _leases(self) -> list[Lease]:
        return [
            lease for run in self.runs() if (lease := run.read_lease()).is_open and not lease.kept
        ]

    def _working(self) -> list[Lease]:
        return [
            lease
            for lease in self._leases()
            if lease.pid != os.getpid() and lease.owner_lives() and gate_shared.runs(lease.pid)
        ]

    def _orphans(self) -> list[Lease]:
        """Return the environments that nobody takes down any more."""
        working = {lease.run_id for lease in self._working()}
        return [lease for lease in self._leases() if lease.run_id not in working]

    def _take_down(self, lease: Lease) -> str:
        """Take a crashed worker's environment down; return what is wrong, or nothing."""
        self._say(f"dyno: taking down what {lease.worker or lease.pid} left: {lease.name_prefix}")
        ui = TerminalUi()
        try:
            run = Run.open(self._project, lease.run_id, ui, runs_folder=self._runs)
            with run.folder.locked(), lifecycle.shielded(ui):
                if not run.result.error:
                    run.fail(RuntimeError("the process that it belongs to ended before its time"))
                ending.down(run)
                ending.report(run)
        except (DynoError, KeyboardInterrupt) as error:
            return f"run {lease.run_id}: {error or 'teardown was abandoned'}"
        return ""
