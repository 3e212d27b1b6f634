"""Copy a run's files for people into a folder of the project, to be committed.

Only what has no settings, outputs, logs, answers' bodies or states is copied, and nothing in
which a key or a token is found. Nothing is committed here: whoever owns the repository does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from lambda_dyno.artefacts import power_values, writing
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.files import write_atomically
from lambda_dyno.core.results import SAFE_RUN_ID, RunResult

_SECRETS = re.compile(
    rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY|\bgh[pousr]_[A-Za-z0-9]{36}"
    rb"|\bgithub_pat_\w{30,}|\bxox[abp]-[\w-]{10,}|(?i:aws_secret_access_key|aws_session_token)"
    rb"|\bglpat-[\w-]{20,}|https://hooks\.slack\.com/services/\w"
    rb"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|(?i:\bbearer )[\w.~+/-]{16,}"
)
_VARIABLES = re.compile(r"SECRET|TOKEN|PASSWORD|WEBHOOK|_KEY$", re.IGNORECASE)
_LEAST_OF_A_SECRET = 12  # characters: shorter values are in many a text


def copy(result: RunResult, run_folder: Path, project: Path, place: str) -> tuple[Path, list[str]]:
    """Copy the files of a run to PROJECT/PLACE/RUN_ID.

    Args:
        result: The run.
        run_folder: Its folder, the files written.
        project: Folder of the project.
        place: `[evidence] commit`, not empty.

    Returns:
        The folder, and what was left out of it since it seems to hold a secret.

    Raises:
        UserError: The place is outside the project (by a link), or the run's id is no name.
        OSError: A file cannot be written.
    """
    target = folder_of(result.run_id, project, place)
    left = []
    page = (run_folder / "report.md").read_bytes()
    for source in _sources(result, run_folder):
        content = source.read_bytes()
        if holds_secret(content, source.name, page):
            left.append(source.name)
            (target / source.name).unlink(missing_ok=True)
            continue
        target.mkdir(parents=True, exist_ok=True)
        write_atomically(target / source.name, content)
    return target, left


def folder_of(run_id: str, project: Path, place: str) -> Path:
    """Return where a run's files go.

    Raises:
        UserError: It is outside the project (by a link), or the run's id is no name.
    """
    root = project.resolve()
    target = (root / place / run_id).resolve()
    inside = target.is_relative_to(root) and ".git" not in map(str.lower, target.parts)
    if not SAFE_RUN_ID.fullmatch(run_id) or not inside or target != root / place / run_id:
        raise UserError(
            f"[evidence] commit: {place} must be a folder inside the project, and no link"
        )
    return target


def _sources(result: RunResult, run_folder: Path) -> Iterator[Path]:
    names = [*writing.names(result, run_folder), power_values.NAME]
    yield from (path for name in names if (path := run_folder / name).is_file())


def holds_secret(content: bytes, name: str, page: bytes) -> bool:
    """Whether a run's file holds a key or a token: by its form, or one of this process's own.

    Args:
        content: What is in it.
        name: Of the file.
        page: What is in report.md: a PDF is packed, and what it says is there, too.
    """
    return _is_secret(content) or (name.endswith(".pdf") and _is_secret(page))


def _is_secret(content: bytes) -> bool:
    own = (
        value.encode(errors="replace")
        for name, value in os.environ.items()
        if _VARIABLES.search(name) and len(value) >= _LEAST_OF_A_SECRET
    )
    return bool(_SECRETS.search(content)) or any(value in content for value in own)
