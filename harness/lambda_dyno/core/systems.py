"""Which operating systems this runs on: locks, process groups and signals are POSIX's."""

from __future__ import annotations

import sys


def refusal(platform: str = "") -> str:
    """Return why it does not run on a system, for a person; empty: it does.

    Args:
        platform: As Python names it, such as "linux"; empty: this one.
    """
    if (platform or sys.platform) != "win32":
        return ""
    return (
        "Lambda Dyno runs on Linux and macOS. On Windows: WSL 2, with the project in its own file "
        "system (https://learn.microsoft.com/windows/wsl/install)"
    )
