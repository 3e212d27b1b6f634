"""Main's last runs in one line, of what `dyno history --json` printed where they were made.

It is JSON, not the store: a comment is written beside a token, of files that a stranger may have
written, and those are not given to a reader of Parquet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lambda_dyno.core import formatting
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.reading import read_json

FILE = "history.json"
_MOST = 10
_FIGURES = (("p95_ms", "p95"), ("duration_ms", "duration"), ("cost_usd", "cost"))


def of_folder(folder: Path, env: str) -> str:
    """Return a line of the last ten runs of an environment; empty without two runs of it.

    Args:
        folder: May have the list, as `FILE`.
        env: The environment.
    """
    path = folder / FILE
    if not path.is_file():
        return ""
    try:
        found = read_json(path)
    except UserError:
        return ""
    return line(found, env) if isinstance(found, list) else ""


def line(runs: Sequence[Any], env: str) -> str:
    """Return a line of the last ten runs of an environment; empty without two runs of it.

    Args:
        runs: As `dyno history --json` has them, the newest first.
        env: The environment.
    """
    ours = [run for run in runs if isinstance(run, dict) and run.get("env") == env][:_MOST]
    parts = []
    for key, name in _FIGURES:
        values = [run[key] for run in reversed(ours) if _is_figure(run.get(key))]
        if len(values) > 1:
            last = values[-1]
            told = formatting.usd(last) if key == "cost_usd" else formatting.milliseconds(last)
            unit = "" if key == "cost_usd" else " ms"
            parts.append(f"{name} {formatting.sparkline(values)} {told}{unit}")
    return f"Main's last {len(ours)} runs: {', '.join(parts)}." if parts else ""


def _is_figure(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0
