"""Whether a folder can be copied, found out before anything is made of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from lambda_dyno.core.errors import UserError, brief

# More would not be somebody's Terraform or a function's source, but a home folder or a disk.
_MOST_ENTRIES = 100_000


def require_copyable(folder: Path, where: str, is_left_out: Callable[[str], bool]) -> None:
    """Make sure that a folder, with what its links lead to, can be copied and packed.

    Args:
        folder: The folder.
        where: What refers to it, for messages.
        is_left_out: Whether an entry of this name is not copied.

    Raises:
        UserError: Something in it cannot be: a link to nothing or to a folder around it, a pipe,
            a name that is not UTF-8, or what may not be read.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - what is too long for a path is none, either
        what = "is not a folder" if os.path.lexists(folder) else "is not there"
        raise UserError(f"{where}: {brief(folder, most=300)} {what}")
    count = 0
    waiting: list[tuple[Path, tuple[Path, ...]]] = [(folder, (folder.resolve(),))]
    while waiting:
        here, around = waiting.pop()
        for entry in _entries(here, where):
            if is_left_out(entry.name):
                continue
            count += 1
            if count > _MOST_ENTRIES:
                raise UserError(f"{where}: {folder} has more than {_MOST_ENTRIES:,} files")
            problem, inside = _looked_at(entry, around)
            if problem:
                raise UserError(f"{where}: {brief(entry.path, most=300)} {problem}")
            if inside is not None:
                waiting.append((Path(entry.path), (*around, inside)))


def _entries(folder: Path, where: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(
            f"{where}: {brief(folder, most=300)} cannot be read: {error.strerror}"
        ) from error


def _looked_at(entry: os.DirEntry[str], around: tuple[Path, ...]) -> tuple[str, Path | None]:
    """Return what is wrong with an entry, and its real folder if it is one.

    Args:
        entry: The entry.
        around: The real folders that it is in, or was reached through.
    """
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8", None
    try:
        mode = os.stat(entry.path).st_mode  # noqa: PTH116 - what a link leads to
    except FileNotFoundError:
        return "is a link to nothing", None
    except OSError as error:  # such as a link to itself
        return f"cannot be read: {error.strerror}", None
    if stat.S_ISDIR(mode):
        real = Path(entry.path).resolve()
        return ("is a link to a folder around it", None) if real in around else ("", real)
    if not stat.S_ISREG(mode):
        return "is neither a file nor a folder", None
    return ("", None) if os.access(entry.path, os.R_OK) else ("may not be read", None)
