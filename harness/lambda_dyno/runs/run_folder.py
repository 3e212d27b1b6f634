"""Runs on disk: one folder each, with the lease that says whose it is and until when.

    runs/RUN_ID/
      lease.json        who owns the environment, where it is, what state it is in
      lock              held by the command that works on the environment, with its name
      reserve*          space for the teardown and the evidence, should the disk be full
      progress.json     the finished steps, for `dyno run --resume`
      result.json       what was measured so far, then report.html, report.md, junit.xml, ...
      terraform/        a copy of envs/NAME and modules, with the state of the local backend
      build/            the packages that were deployed
      logs/             output of Terraform, the load driver, the embedded AWS

The copy lets `down` work however the sources change meanwhile. The folder is closed to other users
of the machine, since states hold what is in them in clear.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TextIO, get_args

from lambda_dyno.core.errors import StepError, UserError, brief
from lambda_dyno.core.files import lock_file, try_lock, write_atomically
from lambda_dyno.core.private import make_folder
from lambda_dyno.core.reading import UnreadableError, parse_json, read_object
from lambda_dyno.runs.ownership import Owner, pid_namespace, this_host, this_user

# The root of `dyno tune --function`: a power tuner alone, no environment.
TUNER_ENV = "_tuner"
# An attached run without an environment's settings.
ATTACHED_ENV = "_attached"

LeaseState = Literal["new", "creating", "up", "destroying", "down", "left"]

# Without look-alikes and vowels: easy to read out, never a word.
# pragma: allowlist nextline secret: an alphabet
_ALPHABET = "23456789bcdfghjkmnpqrstvwxz"
_SUFFIX_CHARS = 4

# A run's id: its minute (UTC) and four characters; modules/github_oidc counts on the shape.
RUN_ID = re.compile(rf"\d{{6}}-\d{{4}}-[{_ALPHABET}]{{{_SUFFIX_CHARS}}}")
# A run's id in a resource's name, such as dyno-251120-0915-k3f9-crud-api.
OF_A_RUN = re.compile(rf"(?:^|[-/])({RUN_ID.pattern})(?=$|[-/])")

# What a teardown with its evidence needs on a full disk: a Terraform state and its backup, the
# report and the logs come to 1 MB. Somebody else may take what is given free, so a little more
# is kept back for the run's own records.
RESERVES = {"reserve": 4_000_000, "reserve-last": 250_000}
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOCK_POLL_S = 0.2
_LARGEST = 2**31 - 1  # process id, or megabytes
_LONGEST_NAME = 255  # bytes, of all file systems that matter here


def is_of_a_run(name: str) -> bool:
    """Whether a resource of this name is some run's."""
    return OF_A_RUN.search(name) is not None


def who() -> str:
    """Return this user and this machine as a lock on a state names them: user@host."""
    return f"{this_user()}@{this_host()}"


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
    started_at: str
    expires_at: str
    namespace: str = ""  # that the pid counts in
    identity: str = ""  # tells a recycled process id from the owner
    worker: str = ""  # of pytest-xdist, such as gw1
    account_id: str = ""
    region: str = ""
    endpoint: str = ""  # of an embedded AWS; empty for AWS
    own_server: bool = False  # the embedded AWS belongs to this run and ends with it
    server_home: str = ""  # folder of an embedded AWS that other runs are in, too; empty: none
    backend: dict[str, str] = field(default_factory=dict)
    kept: bool = False
    memory_mb: int = 0  # deployed now
    settings: dict[str, Any] = field(default_factory=dict)
    function_arn: str = ""  # that a power tuner alone tunes
    beside: str = ""  # run that this is the baseline of, and that has the evidence
    adopted_at: str = ""  # when its folder was made again from the state bucket; empty: never
    settings_env: str = ""  # whose settings a power tuner alone follows; empty: nobody's
    state_sha256: str = ""  # of the state in the bucket as this run wrote it last; empty: none yet

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Lease:
        """Return the lease that another release may have written: keys that it has not are left.

        Raises:
            UserError: It is no lease.
        """
        known = {entry.name: entry for entry in fields(cls)}
        missing = [
            name
            for name, entry in known.items()
            if entry.default is MISSING and entry.default_factory is MISSING and name not in content
        ]
        if missing:
            raise UserError(f"not the lease of a run: it has no {', '.join(missing)}")
        for name, entry in known.items():
            if name in content and not _fits(str(entry.type), content[name]):
                raise UserError(f"not the lease of a run: {name} is {brief(repr(content[name]))}")
        lease = cls(**{name: value for name, value in content.items() if name in known})
        for name in ("started_at", "expires_at"):
            text = getattr(lease, name)
            if parse_time(text) is None:
                raise UserError(
                    f"not the lease of a run: {name} is {brief(repr(text))}, which is no time with "
                    "its zone"
                )
        return lease

    def expired(self, now: datetime) -> bool:
        """Whether the lease has run out."""
        return now >= datetime.fromisoformat(self.expires_at)

    @property
    def is_of_this_host(self) -> bool:
        """Whether the owner is, or was, a process of this machine."""
        return self.host == this_host()

    @property
    def is_of_these_processes(self) -> bool:
        """Whether the owner's process numbers mean here what they meant to it."""
        return self.is_of_this_host and self.namespace == pid_namespace()

    def owner_lives(self) -> bool:
        """Whether the process that made the environment still runs, as far as we can see."""
        if not self.is_of_this_host:
            return True  # cannot know: only the expiry counts
        return Owner(self.namespace, self.pid, self.identity).lives is not False

    @property
    def holds_resources(self) -> bool:
        """Whether there may be something to take down."""
        return self.state not in ("new", "down")

    @property
    def is_open(self) -> bool:
        """Whether there may be something to take down, or an embedded AWS to end."""
        return self.holds_resources or (self.own_server and self.state != "down")

    def is_in(self, home: Path) -> bool:
        """Whether the environment may be in the shared embedded AWS of a folder."""
        return self.holds_resources and self.server_home == str(home.resolve())

    @property
    def tuner_only(self) -> bool:
        """Whether this is a power tuner alone, without API and function of its own."""
        return self.env == TUNER_ENV

    @property
    def attached(self) -> bool:
        """Whether its function, and its API, are somebody else's."""
        attach = self.settings.get("attach")
        named = isinstance(attach, dict) and bool(attach.get("function"))
        return named and not self.tuner_only


def _fits(kind: str, value: Any) -> bool:
    """Whether a value is of the type that a field of the lease is declared with."""
    match kind:
        case "str":
            return isinstance(value, str)
        case "int":
            return type(value) is int and 0 <= value <= _LARGEST
        case "bool":
            return isinstance(value, bool)
        case "LeaseState":
            return value in get_args(LeaseState)
        case "dict[str, str]":
            return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        case _:
            return isinstance(value, dict)


def parse_time(text: str) -> datetime | None:
    """Return a time with its zone; None if a text is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def began(run_id: str) -> datetime | None:
    """Return the minute in which a run began, by its id; None if it is no run's id."""
    if not RUN_ID.fullmatch(run_id):
        return None
    try:
        return datetime.strptime(run_id[:11], "%y%m%d-%H%M").replace(tzinfo=UTC)
    except ValueError:
        return None  # such as the 99th of a month


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

    def mark(self, step: str) -> None:
        """Note that a step is finished, and what it found is kept."""
        self._write_progress({**self.progress(), step: True})

    def note_inputs(self, inputs: Mapping[str, str], finished: Iterable[str] = ()) -> None:
        """Note what the environment is made of.

        Args:
            inputs: Hashes, by what they are of.
            finished: Steps that were finished before and are still true.
        """
        self._write_progress({"inputs": dict(inputs), **dict.fromkeys(finished, True)})

    def progress(self) -> dict[str, Any]:
        """Return the finished steps as keys, and what they worked on as "inputs"."""
        try:
            return read_object(self.path / "progress.json")
        except UnreadableError:
            return {}

    def _write_progress(self, content: Mapping[str, Any]) -> None:
        self.write("progress.json", json.dumps(content, indent=2) + "\n")

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
            return Lease.from_json(read_object(path))
        except UnreadableError as error:
            raise UserError(f"{path}: not the lease of a run: {error.problem}") from error
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

    def write_lease(self, lease: Lease) -> Lease:
        """Write the lease so that a reader never sees half of it, and return it."""
        make_folder(self.path)
        self.write("lease.json", json.dumps(asdict(lease), indent=2) + "\n")
        if lease.state == "down":
            while self.release_reserve():
                pass
        return lease

    def take_over(self, **changes: Any) -> Lease:
        """Make this process the owner, and change some fields of the lease."""
        return self.update_lease(**_owned_by_this_process(), **changes)

    def write(self, name: str, text: str) -> None:
        """Replace a file of the run in one step; on a full disk the reserve makes room.

        Raises:
            StepError: It cannot be written.
        """
        path = self.path / name
        try:
            self.with_reserve(lambda: write_atomically(path, text))
        except OSError as error:
            raise StepError(
                "disk",
                f"{path}: {error.strerror}",
                "Make room, then `dyno sweep` takes down what is left.",
            ) from error

    def with_reserve(self, do: Callable[[], object]) -> None:
        """Do something that writes, and again with each reserve if the disk is full."""
        while True:
            try:
                do()
            except OSError as error:
                if error.errno not in _FULL or not self.release_reserve():
                    raise
            else:
                return

    def make_reserve(self) -> None:
        """Take the space that the teardown may need."""
        for name, size in RESERVES.items():
            with (self.path / name).open("wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, size)
                else:
                    file.write(secrets.token_bytes(size))

    def release_reserve(self, *names: str) -> bool:
        """Give the next reserve's space free, or the named one's; return whether there was any."""
        for name in names or RESERVES:
            with contextlib.suppress(OSError):
                (self.path / name).unlink()
                return True
        return False

    def remove_drafts(self) -> None:
        """Remove what a command that was killed had not finished writing.

        Only under the lock. The latencies of a load test that was not finished are no
        measurement: those of one that was are in a file of their own.
        """
        drafts = [
            *self.path.glob(".*.[0-9]*"),
            *self.path.glob("build/.*.[0-9]*"),
            *self.path.glob("terraform/envs/*/.*.json.[0-9]*"),
            # says who has the kernel's lock on a local state, which ended with its process
            *self.path.glob("terraform/envs/*/.terraform.tfstate.lock.info"),
            *self.path.glob("load/*.part.jsonl"),
            *self.path.glob("local/*.new"),
        ]
        with contextlib.suppress(UserError):
            if self.read_lease().state == "down":  # states of what is proven to be gone
                drafts += self.path.glob("terraform/envs/*/errored.tfstate")
        for draft in drafts:
            with contextlib.suppress(OSError):
                draft.unlink()

    def update_lease(self, **changes: Any) -> Lease:
        """Change some fields of the lease."""
        return self.write_lease(replace(self.read_lease(), **changes))

    @contextmanager
    def locked(self, *, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
        """Keep other commands off this run's environment. The lock ends with its process.

        Args:
            waiting: Told once who holds the lock, before it is waited for; None: not waiting.

        Raises:
            UserError: Another command works on it.
        """
        make_folder(self.path)
        with lock_file(self.path / "lock") as handle:
            if not try_lock(handle):
                holder = f"run {self.run_id} is in use by {_holder(handle)}"
                if waiting is None:
                    raise InUseError(f"{holder}; wait for it (--wait) or end it first")
                waiting(f"{holder}; waiting for it")
                while not try_lock(handle):
                    time.sleep(_LOCK_POLL_S)
            with contextlib.suppress(OSError):  # a full disk: it is locked all the same
                # not by the buffer, which would try again when it is closed
                os.ftruncate(handle.fileno(), 0)
                os.pwrite(handle.fileno(), json.dumps(_this_command()).encode(), 0)
            yield


class InUseError(UserError):
    """Another command works on the environment."""


def check_place(runs: Path) -> None:
    """Make sure that a run's folder can be made.

    Args:
        runs: Folder of all runs; it need not be there yet.

    Raises:
        UserError: It cannot.
    """
    there = next(place for place in (runs, *runs.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise UserError(f"{there}: runs cannot be kept there: it is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{there}: runs cannot be kept there: {os.strerror(errno.EACCES)}")


def create(
    runs: Path, env: str, name: str, lifetime: timedelta, *, worker: str = "", **lease: Any
) -> RunFolder:
    """Make the folder of a new run, with its lease.

    Args:
        runs: Folder of all runs.
        env: The environment's name.
        name: First part of every resource's name.
        lifetime: Time until the sweeper may take the environment down.
        worker: Of pytest-xdist; the runs of one session's workers have neighbouring ids.
        lease: Further fields of the lease.

    Raises:
        UserError: There is no room for it.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        folder = _new_folder(runs, now, worker)
    except OSError as error:
        raise UserError(f"{runs}: a run cannot be kept there: {error.strerror}") from error
    try:
        folder.make_reserve()
    except OSError as error:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise UserError(f"{runs}: a run cannot be kept there: {error.strerror}") from error
    folder.write_lease(
        Lease(
            run_id=folder.run_id,
            env=env,
            name_prefix=f"{name}-{folder.run_id}",
            state="new",
            **_owned_by_this_process(),
            worker=worker,
            started_at=now.isoformat(),
            expires_at=(now + lifetime).isoformat(),
            **lease,
        )
    )
    return folder


def adopt(runs: Path, lease: Lease) -> RunFolder:
    """Make the folder of a run whose own is elsewhere, or gone, to take its environment down.

    Args:
        runs: Folder of all runs.
        lease: As the state bucket has it.
    """
    folder = RunFolder(runs / lease.run_id)
    now = datetime.now(UTC).replace(microsecond=0)
    folder.write_lease(
        replace(
            lease,
            **_owned_by_this_process(),
            state="destroying",
            kept=False,
            adopted_at=now.isoformat(),
        )
    )
    return folder


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
        if not _is_name(run_id) or not _has_lease(folder.path):
            known = ", ".join(run.run_id for run in all_runs(runs)[-5:]) or "none"
            raise UserError(f"RUN={brief(run_id)}: no such run. The newest: {known}.")
        return folder
    candidates = [
        run
        for run in all_runs(runs)
        if (lease := run.read_lease()) and (not standing or lease.state == "up")
        if not lease.beside and (tuner_only or not lease.tuner_only)
    ]
    if not candidates:
        what = "run with a standing environment" if standing else "run"
        raise UserError(
            f"there is no {what} yet. Make one: dyno up --env local, or make tune KEEP=1."
        )
    return candidates[-1]


def _is_name(text: str) -> bool:
    """Whether a text can be the name of something in a folder."""
    return Path(text).name == text and "\0" not in text and len(os.fsencode(text)) <= _LONGEST_NAME


def unreadable(runs: Path) -> list[str]:
    """Return why a lease cannot be read, for each that cannot."""
    found = []
    for folder in _with_lease(runs):
        try:
            folder.read_lease()
        except UserError as error:
            found.append(str(error))
    return found


def _with_lease(runs: Path) -> list[RunFolder]:
    """Return the folders that have a lease, be it a link to nothing."""
    return [RunFolder(path) for path in sorted(runs.glob("*")) if _has_lease(path)]


def _has_lease(folder: Path) -> bool:
    return os.path.lexists(folder / "lease.json")


def all_runs(runs: Path) -> list[RunFolder]:
    """Return all runs, oldest first; folders without a readable lease are left out."""
    found: list[tuple[str, RunFolder]] = []
    for folder in _with_lease(runs):
        try:
            found.append((folder.read_lease().started_at + folder.run_id, folder))
        except UserError:
            continue
    return [folder for _, folder in sorted(found, key=lambda pair: pair[0])]


def tags(lease: Lease) -> Mapping[str, str]:
    """Return the tags of everything that belongs to a run."""
    named = {"dyno:run": lease.run_id, "dyno:env": lease.env, "dyno:expires": lease.expires_at}
    return named | ({"dyno:worker": lease.worker} if lease.worker else {})


def _owned_by_this_process() -> dict[str, Any]:
    """Return the fields of a lease that say whose it is."""
    owner = Owner.this_process()
    return {
        "owner": this_user(),
        "host": this_host(),
        "pid": owner.pid,
        "namespace": owner.namespace,
        "identity": owner.identity,
    }


def _new_folder(runs: Path, now: datetime, worker: str) -> RunFolder:
    runs.mkdir(parents=True, exist_ok=True)
    suffix = _worker_suffix(worker)
    while True:
        path = runs / f"{now:%y%m%d-%H%M}-{suffix or _random_suffix()}"
        suffix = ""
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return RunFolder(path)


def _random_suffix() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX_CHARS))


def _worker_suffix(worker: str) -> str:
    """Return the last part of a run's id for a worker: never the same for two of a session.

    It counts on from a number that the session alone has. Empty if there is no session.
    """
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
    number = re.search(r"\d+$", worker)
    if not session or number is None:
        return ""
    base = int.from_bytes(hashlib.sha256(session.encode()).digest()[:8], "big")
    value = (base + int(number[0])) % len(_ALPHABET) ** _SUFFIX_CHARS
    letters = []
    for _ in range(_SUFFIX_CHARS):
        value, digit = divmod(value, len(_ALPHABET))
        letters.append(_ALPHABET[digit])
    return "".join(reversed(letters))


def _this_command() -> dict[str, Any]:
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return {
        "pid": os.getpid(),
        "owner": this_user(),
        "host": this_host(),
        "since": datetime.now(UTC).strftime("%H:%M:%S UTC"),
        "command": command if len(command) <= 100 else f"{command[:97]}...",
    }


def _holder(handle: TextIO) -> str:
    """Return who holds a lock, in words."""
    handle.seek(0)
    try:
        held = parse_json(handle.read(10_000), "lock")
        return (
            f"process {held['pid']} of {held['owner']} on {held['host']} since {held['since']} "
            f"({held['command']})"
        )
    except (UnreadableError, ValueError, KeyError, TypeError):
        return "another command"
