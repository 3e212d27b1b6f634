"""Files that others read or hold meanwhile: replaced in one step, locked, named in errors."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Give an error inside the name of the file that is written: on a full disk it has none.

    Args:
        path: The file, and not the draft of it that takes its place.

    Raises:
        OSError: As inside, with that name.
    """
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def lock_file(path: Path) -> Iterator[TextIO]:
    """Open a file that is locked, and hold it; made if it is missing, and never emptied.

    Raises:
        OSError: It cannot be opened, or is no file: a pipe would be waited for.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a file, which a lock is", str(path))
    with os.fdopen(handle, "r+", encoding="utf-8") as file:
        yield file


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold an advisory lock on a file; other processes wait. It ends with the process.

    Args:
        path: The file; made if it is missing, and its folder too.
        shared: Whether others may hold it at the same time that ask for no more either.

    Raises:
        OSError: It cannot be opened, or is no file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with lock_file(path) as handle:
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


def try_lock(handle: TextIO) -> bool:
    """Take the advisory lock of an open file, if nobody has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_atomically(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Replace a file's content in one step: readers see the old or the new one, never a half.

    Args:
        path: The file.
        content: Its new content; text becomes UTF-8.
        mode: Its permissions, such as 0o600, whatever the umask; None: as the umask has them.

    Raises:
        OSError: It cannot be written; the file is as it was, and the draft of it is gone.
    """
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with named(path):
            with partial.open("wb") as file:
                if mode is not None:
                    os.fchmod(file.fileno(), mode)  # before there is anything in it to read
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # a lease outlives a loss of power
            partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def write_if_changed(path: Path, content: str | bytes) -> None:
    """Replace a file's content as `write_atomically` does, unless it is that already.

    What is on the disk is not waited for again: for two dozen files that is half a second.

    Raises:
        OSError: As `write_atomically`.
    """
    data = content.encode() if isinstance(content, str) else content
    with contextlib.suppress(OSError):
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    write_atomically(path, data)


def write_json(path: Path, value: Any, *, mode: int | None = None) -> None:
    """Replace a file's content by a value as JSON; the rest as `write_atomically`."""
    write_atomically(path, json.dumps(value, indent=2) + "\n", mode=mode)


def short_path(path: Path) -> Path:
    """Return a path as a person writes it: relative to the working folder if it is below it."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except (ValueError, OSError):
        return path
