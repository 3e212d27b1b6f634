"""What a run takes from this machine: programs, and the commit that it measures."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.environments import toolchain
from harness.environments.toolchain import Toolchain
from harness.progress import Ui


def tools_of(project: Path, ui: Ui, *, node: bool = True) -> Toolchain:
    """Return Terraform, and make sure that Newman can run if it is needed."""
    from harness.load import newman

    if node:
        newman.check_node()
    tools = toolchain.prepare(project / ".cache")
    for warning in tools.warnings:
        ui.warn(warning)
    return tools


def git_sha(project: Path) -> str:
    """Return the commit of a working tree, with "+changes" if it differs; empty: no git."""
    try:
        sha = _git(project, "rev-parse", "HEAD")
        return f"{sha}+changes" if _git(project, "status", "--porcelain") else sha
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(project: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=project, capture_output=True, text=True, timeout=20, check=True
    ).stdout.strip()
