"""Whose is it? A mark that processes and temporary folders carry, and whether its owner lives.

Everything that a run starts beside itself carries the mark of the process that started it. So
what a dead owner left is found by looking at this machine alone, even when the run's folder is
gone, full or broken. The mark names the pid namespace too: a process of a container that shares
our /tmp is not dead only because we cannot see it.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from lambda_dyno.runs.identity import identity, is_alive

VARIABLE = "DYNO_OWNER"
_FOLDER = "dyno-own-"
# A Unix socket's path has at most 104 characters on macOS, 108 on Linux; Terraform puts its
# sockets, such as plugin1234567890, right below TMPDIR.
_LONGEST_BASE = 36


@dataclass(frozen=True, slots=True)
class Owner:
    """One life of one process.

    Attributes:
        namespace: The pid namespace that `pid` counts in; "0" where there are none.
        pid: Its process id.
        identity: A word that only this life of the pid has; it changes with a reboot.
    """

    namespace: str
    pid: int
    identity: str

    @classmethod
    def this_process(cls) -> Owner:
        """Return the process that asks."""
        pid = os.getpid()
        return cls(pid_namespace(), pid, identity(pid) or "")

    @classmethod
    def parse(cls, mark: str) -> Owner | None:
        """Return the owner that a mark names; None if it is no mark."""
        parts = mark.split(":", 2)
        if len(parts) != 3 or not parts[1].isdigit():
            return None
        return cls(parts[0], int(parts[1]), parts[2])

    @property
    def mark(self) -> str:
        """The mark, for `VARIABLE`."""
        return f"{self.namespace}:{self.pid}:{self.identity}"

    @property
    def lives(self) -> bool | None:
        """Whether the process still runs; None: it cannot be known from here."""
        if self.namespace != pid_namespace():
            return None
        return is_alive(self.pid, self.identity)

    @property
    def _folder_start(self) -> str:
        # tempfile adds letters, digits and underscores, never a dash
        return f"{_FOLDER}{self.mark.replace(':', '_')}-"

    def temp_folder(self) -> Path | None:
        """Make a folder for a program's temporary files, or return None if that fails.

        It is only ours to read, its path is short, and its name says whose it is.
        """
        try:
            return Path(tempfile.mkdtemp(prefix=self._folder_start, dir=temp_base()))
        except OSError:
            return None  # a full disk: the program then takes the usual place, and may fail


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a temporary folder of this process, which others remove if it is killed."""
    folder = Owner.this_process().temp_folder() or Path(tempfile.mkdtemp())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def pid_namespace() -> str:
    """Return the name of this process's pid namespace; "0" where there are none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        return "0"


def this_user() -> str:
    """Return the name of the user; the number where there is none, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def this_host() -> str:
    """Return the name of this machine; a container with processes of its own is another one."""
    return socket.gethostname()


def temp_base() -> Path:
    """Return the folder for temporary folders: the usual one, unless its path is too long."""
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) <= _LONGEST_BASE else Path("/tmp")  # noqa: S108 - mkdtemp


def marked_processes() -> list[tuple[psutil.Process, Owner]]:
    """Return this machine's processes that carry a mark, as far as we may look."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            owner = Owner.parse(process.environ().get(VARIABLE, ""))
            if owner is not None and process.pid != os.getpid():
                found.append((process, owner))
    return found


def marked_folders() -> list[tuple[Path, Owner]]:
    """Return our user's temporary folders that carry a mark."""
    found = []
    with contextlib.suppress(OSError), os.scandir(temp_base()) as entries:
        for entry in entries:
            if not entry.name.startswith(_FOLDER):
                continue
            mark = entry.name.removeprefix(_FOLDER).partition("-")[0].replace("_", ":")
            owner = Owner.parse(mark)
            # one that its owner removes just now hides none of the others
            with contextlib.suppress(OSError):
                folder = entry.stat(follow_symlinks=False)
                if owner and stat.S_ISDIR(folder.st_mode) and folder.st_uid == os.getuid():
                    found.append((Path(entry.path), owner))
    return found
