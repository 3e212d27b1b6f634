"""The packages that AWS's Node.js runtime brings along: the AWS SDK for JavaScript, version 3."""

from __future__ import annotations

from pathlib import Path


def folder(python: Path) -> str:
    """Return the folder of the packages beside the embedded AWS's Python; empty if there is none.

    Args:
        python: What runs the embedded AWS, in its environment.
    """
    packages = python.parents[1] / "node" / "node_modules"
    return str(packages) if packages.is_dir() else ""
