"""The package as others install it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.waiting import HANGS_S

PROJECT = Path(__file__).parents[2]


def build(folder: Path, project: Path = PROJECT) -> Path:
    """Build the wheel of a project into a folder, without any index, and return it."""
    offline = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    wheel = (sys.executable, "-m", "pip", "wheel", *offline, "--no-build-isolation")
    built = [*wheel, "--wheel-dir", str(folder), str(project)]
    subprocess.run(built, check=True, capture_output=True, timeout=HANGS_S)
    (package,) = folder.glob("*.whl")
    return package


def build_sdist(folder: Path) -> Path:
    """Build the source distribution into a folder, and return it."""
    built = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)]
    subprocess.run(built, cwd=PROJECT, check=True, capture_output=True, timeout=HANGS_S)
    (archive,) = folder.glob("*.tar.gz")
    return archive


def install(package: Path, environment: Path) -> Path:
    """Install a wheel as `pipx install` does, into an environment of its own.

    Returns:
        The environment's folder of programs.
    """
    made = [sys.executable, "-m", "venv", "--without-pip", str(environment)]
    subprocess.run(made, check=True, timeout=HANGS_S)
    programs = environment / "bin"
    uv = (str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--native-tls")
    install = [*uv, "--python", str(programs / "python"), str(package)]
    subprocess.run(install, check=True, timeout=HANGS_S)
    return programs


def install_oldest(package: Path, environment: Path) -> Path:
    """Install a wheel into an environment of its own, with the oldest libraries that it allows.

    Returns:
        The environment's Python.
    """
    made = [sys.executable, "-m", "venv", "--without-pip", str(environment)]
    subprocess.run(made, check=True, timeout=HANGS_S)
    python = environment / "bin" / "python"
    uv = (str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--native-tls")
    install = [*uv, "--resolution", "lowest-direct", "--python", str(python), str(package)]
    subprocess.run(install, check=True, timeout=HANGS_S)
    return python
