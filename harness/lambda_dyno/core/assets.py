"""Where this project's own sources are: what is deployed or driven in other projects, too.

In a checkout they lie where everybody expects them; a wheel carries a copy beside the package
(pyproject.toml, force-include).
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]  # lambda_dyno/


def checkout() -> Path | None:
    """Return the clone of this project that the package is part of; None if it was installed."""
    folder = _PACKAGE.parents[1]
    return folder if (folder / "envs" / "_tuner").is_dir() else None


def root() -> Path:
    """Return the folder that holds envs/_tuner, modules/, lambda/power_tuner and postman/."""
    return checkout() or _PACKAGE / "assets"


def tuner_sources(project: Path) -> Path:
    """Return where a power tuner is deployed from: the project's own one, if it has one."""
    return project if (project / "envs" / "_tuner").is_dir() else root()
