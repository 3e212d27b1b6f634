"""Compiled modules for the interpreter of a function: workers see their packages read-only.

Without them every cold start would compile botocore, which takes half a second. They are written
beside their sources, once for each version of Python that functions declare.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

_DEADLINE_S = 300.0


def ensure(interpreter: str, version: str, folders: list[Path]) -> None:
    """Compile what is not compiled yet, or changed since; what is read-only stays as it is.

    Args:
        interpreter: The program.
        version: Its version, as "3.13".
        folders: Of packages.
    """
    tag = f"cpython-{version.replace('.', '')}"
    for folder in folders:
        if _is_compiled(folder, tag):
            continue
        with suppress(OSError):
            _compile(interpreter, folder, tag)


def _compile(interpreter: str, folder: Path, tag: str) -> None:
    import subprocess  # once for all environments: the others need not pay for it

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # two that start at once
        if not _is_compiled(folder, tag):
            command = [interpreter, "-I", "-S", "-m", "compileall", "-q", str(folder)]
            with suppress(subprocess.SubprocessError):
                subprocess.run(command, timeout=_DEADLINE_S, check=False, capture_output=True)
    finally:
        os.close(descriptor)


def _is_compiled(folder: Path, tag: str) -> bool:
    """Tell whether the modules right in a folder are; those below were compiled with them."""
    for source in folder.glob("*.py"):
        compiled = source.with_name("__pycache__") / f"{source.stem}.{tag}.pyc"
        try:
            if compiled.stat().st_mtime < source.stat().st_mtime:
                return False
        except OSError:
            return False
    return True
