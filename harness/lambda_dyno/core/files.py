"""What writing files has in common: an error that says which file it is about, and no waiting."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


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


def write_atomically(path: Path, text: str, *, mode: int | None = None) -> None:
    """Replace a file's content in one step.

    Args:
        path: The file.
        text: Its new content.
        mode: Its permissions, such as 0o600, whatever the umask; None: as the umask has them.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with named(path), partial.open("w", encoding="utf-8") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)  # before there is anything in it to read
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # a lease outlives a loss of power
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    partial.replace(path)
