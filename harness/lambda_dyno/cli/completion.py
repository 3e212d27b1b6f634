"""What a shell completes after an option: names that are here, looked up without any import.

A completion that takes long is none, and one that fails says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_MOST = 50


def env_names(incomplete: str) -> list[str]:
    """Return the environments of the project."""
    return _beginning(incomplete, (path.parent.name for path in _in_project("envs/*/dyno.toml")))


def run_ids(incomplete: str) -> list[str]:
    """Return the runs of the project, the newest first."""
    found = {path.parent.name for path in _in_project("runs/*/lease.json")}
    return _beginning(incomplete, sorted(found, reverse=True))


def finished_run_ids(incomplete: str) -> list[str]:
    """Return the runs of the project that have a result, the newest first."""
    found = {path.parent.name for path in _in_project("runs/*/result.json")}
    return _beginning(incomplete, sorted(found, reverse=True))


def query_names(incomplete: str) -> list[str]:
    """Return the named queries."""
    from lambda_dyno.core import assets

    files = (assets.root() / "modules" / "evidence_queries" / "queries").glob("*.sql")
    return _beginning(incomplete, sorted(path.stem for path in files))


def _in_project(pattern: str) -> Iterator[Path]:
    with suppress(OSError):
        here = Path.cwd()
        for folder in (here, *here.parents):
            if any(folder.glob("envs/*/dyno.toml")):
                yield from sorted(folder.glob(pattern))
                return


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)][:_MOST]
