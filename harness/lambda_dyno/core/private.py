"""Folders that only their owner may look into.

States and logs hold values that are nobody else's business, and Terraform writes them as the
umask has it: for everybody, usually. Nobody gets at them through a folder that is closed.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

_OTHERS = 0o077


def make_folder(path: Path) -> Path:
    """Make a folder, closed to others whatever the umask; one that is there is closed, too.

    Args:
        path: The folder; its parents are made as the umask has it.

    Returns:
        The path.

    Raises:
        OSError: It cannot be made. That one of somebody else cannot be closed is no error.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o7777
    if mode & _OTHERS:
        with contextlib.suppress(PermissionError):
            path.chmod(mode & ~_OTHERS)
    return path
