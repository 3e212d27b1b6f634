"""What the command line, and pytest-xdist, say of a test process, and the AWS that follows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_dyno.aws import shared_emulator
from lambda_dyno.aws import target as targets
from lambda_dyno.aws.target import Target
from lambda_dyno.core.config import EnvironmentSettings


@dataclass(frozen=True)
class GateOptions:
    """What the command line, and pytest-xdist, say of this process.

    Attributes:
        project: Folder that holds `envs/`.
        env: The environment's name.
        keep: Whether the environment stays.
        runs_folder: Folder of all runs.
        worker: Of pytest-xdist, such as "gw1"; empty without it.
        shared: Folder of what the workers of a session share; None without workers.
        owner_pid: Process that a shared embedded AWS ends with.
        workers: How many there are.
        baseline: What to compare with; empty for what `[regression]` names, if anything.
    """

    project: Path
    env: str
    keep: bool
    runs_folder: Path
    worker: str = ""
    shared: Path | None = None
    owner_pid: int | None = None
    workers: int = 1
    baseline: str = ""

    @property
    def overrides(self) -> dict[str, Any]:
        """Settings from the command line, by "section.key"."""
        return {"regression.baseline": self.baseline or None}

    @property
    def account_id(self) -> str:
        """The account on a shared embedded AWS: one for each worker."""
        number = "".join(letter for letter in self.worker if letter.isdigit())
        return f"{int(number or 0) + 1:012d}"


def shared_target(options: GateOptions, settings: EnvironmentSettings) -> Target | None:
    """Return the embedded AWS of all workers, which runs then; None: a worker needs none of it.

    From now on the process that started this worker knows that it may have an environment.

    Args:
        options: Of this process.
        settings: Of the environment.
    """
    if options.shared is None:
        return None
    shared_emulator.announce(options.shared)
    if not targets.wants_embedded(settings):
        return None
    return targets.start_shared(
        shared_emulator.home_of(options.shared),
        settings,
        account_id=options.account_id,
        runs=options.workers,
        owner_pid=None if options.keep else options.owner_pid,
    )
