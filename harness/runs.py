"""Runs on disk: one folder each, with the lease that says whose it is and until when.

    runs/RUN_ID/
      lease.json        who owns the environment, where it is, what state it is in
      result.json       what was measured so far, then report.html, report.md, junit.xml, ...
      terraform/        a copy of envs/NAME and modules, with the state of the local backend
      build/            the packages that were deployed
      logs/             output of Terraform, Newman, the embedded AWS

The copy lets `down` work however the sources change meanwhile.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import psutil

from harness.errors import UserError

# The root of `dyno tune --function`: a power tuner alone, no environment.
TUNER_ENV = "_tuner"

LeaseState = Literal["new", "creating", "up", "destroying", "down", "left"]

# 32 characters of prefix, less a dash and a run id: IAM takes 64 for a role.
_LONGEST_NAME = 15

# Without look-alikes and vowels: easy to read out, never a word.
_ALPHABET = "23456789bcdfghjkmnpqrstvwxz"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who owns an environment, where it is and until when. Times are ISO 8601, UTC."""

    run_id: str
    env: str
    name_prefix: str
    state: LeaseState
    owner: str
    host: str
    pid: int
    pid_started: float  # tells a recycled process id from the owner
    started_at: str
    expires_at: str
    account_id: str = ""
    region: str = ""
    endpoint: str = ""  # of an embedded AWS; empty for AWS
    own_server: bool = False  # the embedded AWS belongs to this run and ends with it
    server_home: str = ""  # folder of an embedded AWS that other runs are in, too; empty: none
    backend: dict[str, str] = field(default_factory=dict)
    kept: bool = False
    memory_mb: int = 0  # deployed now
    settings: dict[str, Any] = field(default_factory=dict)

    def expired(self, now: datetime) -> bool:
        """Whether the lease has run out."""
        return now >= datetime.fromisoformat(self.expires_at)

    def owner_lives(self) -> bool:
        """Whether the process that made the environment still runs, as far as we can see."""
        if self.host != socket.gethostname():
            return True  # cannot know: only the expiry counts
        return _process_started(self.pid) == self.pid_started

    @property
    def holds_resources(self) -> bool:
        """Whether there may be something to take down."""
        return self.state not in ("new", "down")

    @property
    def tuner_only(self) -> bool:
        """Whether this is a power tuner alone, without API and function of its own."""
        return self.env == TUNER_ENV


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def run_id(self) -> str:
        """The run's id, which is the folder's name."""
        return self.path.name

    @property
    def logs(self) -> Path:
        """Folder of logs, made when asked for."""
        folder = self.path / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def build(self) -> Path:
        """Folder of packages."""
        return self.path / "build"

    @property
    def load(self) -> Path:
        """Folder of raw latencies."""
        return self.path / "load"

    @property
    def terraform(self) -> Path:
        """Folder that holds the copies of envs/NAME and modules."""
        return self.path / "terraform"

    @property
    def server_home(self) -> Path:
        """Folder of the run's own embedded AWS."""
        return self.path / "local"

    @property
    def result(self) -> Path:
        """File of everything measured."""
        return self.path / "result.json"

    def read_lease(self) -> Lease:
        """Return the lease.

        Raises:
            UserError: There is none, or it cannot be read.
        """
        path = self.path / "lease.json"
        try:
            return Lease(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path}: not the lease of a run: {error}") from error

    def write_lease(self, lease: Lease) -> Lease:
        """Write the lease so that a reader never sees half of it, and return it."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path / "lease.json", json.dumps(asdict(lease), indent=2) + "\n")
        return lease

    def update_lease(self, **changes: Any) -> Lease:
        """Change some fields of the lease."""
        return self.write_lease(replace(self.read_lease(), **changes))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands off this run's environment.

        Raises:
            UserError: Another command works on it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / "lock"
        with path.open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.seek(0)
                holder = handle.read().strip() or "another command"
                raise UserError(
                    f"run {self.run_id} is in use by {holder}; wait for it or end it first"
                ) from None
            handle.truncate(0)
            handle.write(f"process {os.getpid()} of {getpass.getuser()}")
            handle.flush()
            yield


def create(runs: Path, env: str, name: str, lifetime: timedelta, **lease: Any) -> RunFolder:
    """Make the folder of a new run, with its lease.

    Args:
        runs: Folder of all runs.
        env: The environment's name.
        name: First part of every resource's name.
        lifetime: Time until the sweeper may take the environment down.
        lease: Further fields of the lease.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    folder = _new_folder(runs, now)
    folder.write_lease(
        Lease(
            run_id=folder.run_id,
            env=env,
            name_prefix=f"{name}-{folder.run_id}",
            state="new",
            owner=getpass.getuser(),
            host=socket.gethostname(),
            pid=os.getpid(),
            pid_started=_process_started(os.getpid()),
            started_at=now.isoformat(),
            expires_at=(now + lifetime).isoformat(),
            **lease,
        )
    )
    return folder


def with_worker(name: str, worker: str) -> str:
    """Return the first part of names with a parallel worker's in it, such as "dyno-gw0".

    Args:
        name: What an environment's resources are called.
        worker: The worker; empty if there is one only.
    """
    if not worker:
        return name
    room = _LONGEST_NAME - len(worker) - 1
    return f"{name[:room].rstrip('-')}-{worker}"


def find(runs: Path, run_id: str | None, *, standing: bool, tuner_only: bool = True) -> RunFolder:
    """Return a run's folder.

    Args:
        runs: Folder of all runs.
        run_id: The run; None is the newest.
        standing: Whether only runs whose environment stands count for "the newest".
        tuner_only: Whether runs of a power tuner alone count for it, too.

    Raises:
        UserError: There is no such run.
    """
    if run_id is not None:
        folder = RunFolder(runs / run_id)
        if Path(run_id).name != run_id or not (folder.path / "lease.json").is_file():
            known = ", ".join(run.run_id for run in all_runs(runs)[-5:]) or "none"
            raise UserError(f"RUN={run_id}: no such run. The newest: {known}.")
        return folder
    candidates = [
        run
        for run in all_runs(runs)
        if (lease := run.read_lease()) and (not standing or lease.state == "up")
        if tuner_only or not lease.tuner_only
    ]
    if not candidates:
        what = "run with a standing environment" if standing else "run"
        raise UserError(
            f"there is no {what} yet. Make one: dyno up --env local, or make tune KEEP=1."
        )
    return candidates[-1]


def all_runs(runs: Path) -> list[RunFolder]:
    """Return all runs, oldest first; folders without a readable lease are left out."""
    found: list[tuple[str, RunFolder]] = []
    for path in runs.glob("*/lease.json"):
        folder = RunFolder(path.parent)
        try:
            found.append((folder.read_lease().started_at + folder.run_id, folder))
        except UserError:
            continue
    return [folder for _, folder in sorted(found, key=lambda pair: pair[0])]


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content in one step."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def tags(lease: Lease) -> Mapping[str, str]:
    """Return the tags of everything that belongs to a run."""
    return {"dyno:run": lease.run_id, "dyno:env": lease.env, "dyno:expires": lease.expires_at}


def _new_folder(runs: Path, now: datetime) -> RunFolder:
    runs.mkdir(parents=True, exist_ok=True)
    while True:
        suffix = "".join(secrets.choice(_ALPHABET) for _ in range(4))
        path = runs / f"{now:%y%m%d-%H%M}-{suffix}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return RunFolder(path)


def _process_started(pid: int) -> float:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0
