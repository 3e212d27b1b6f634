"""The environment of the embedded AWS: a Python with MiniStack that is nobody else's.

MiniStack pins botocore, and so do other people's packages. It is a process anyway, so it has a
virtual environment of its own, made once: by `make setup` in a checkout's `.cache`, elsewhere at
the first use in the user's cache folder. `lambda_emulator/requirements.lock` pins what is in it.
Environments have the name of what they are made of, so that another release makes another one;
all of them may be removed when no embedded AWS runs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import lambda_emulator
from lambda_dyno.core import cache
from lambda_dyno.core.errors import UserError, brief, told
from lambda_dyno.core.files import locked
from lambda_dyno.emulator import node_packages
from lambda_dyno.runs import process

LOCK = Path(lambda_emulator.__file__).with_name("requirements.lock")
_DEADLINE_S = 900.0
# Would let pip install elsewhere, or Python look elsewhere.
_ELSEWHERE = ("PIP_PREFIX", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH")


def python(folder: Path | None = None) -> Path:
    """Return the Python that runs the embedded AWS; its environment is made if it is missing.

    Args:
        folder: Keeps the environments; None: as `environments_folder` says.

    Raises:
        UserError: It is missing and cannot be made.
    """
    place = (folder or environments_folder()) / _name()
    program = place / "bin" / "python"
    if program.exists():
        return program
    cache.make(place.parent)
    try:
        with locked(place.with_suffix(".lock")):
            if not program.exists():
                _make(place)
    except OSError as error:
        raise UserError(
            f"the embedded AWS cannot be installed: {told(error)}. Set XDG_CACHE_HOME to a folder "
            "that can be written"
        ) from error
    return program


def is_there() -> bool:
    """Whether the embedded AWS has its environment already.

    Raises:
        UserError: There is no place for it.
    """
    return (environments_folder() / _name() / "bin" / "python").exists()


def environments_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that keeps the environments: a checkout's, or else the user's.

    Raises:
        UserError: There is neither.
    """
    return cache.folder_of("emulator", environ)


def lent() -> dict[str, str]:
    """Return the variables by which a server finds packages of ours that it may use.

    That is DuckDB, if it is here: by it the embedded Athena runs queries, and it needs nothing
    else. In the server's own environment it would cost everybody 66 MB.
    """
    found = importlib.util.find_spec("duckdb")
    if found is None or found.origin is None:
        return {}
    return {"DYNO_DUCKDB": str(Path(found.origin).parents[1])}


def _name() -> str:
    """Return what an environment is called that has these packages for this Python."""
    made_of = (LOCK.read_text(encoding="utf-8"), sys.version, sys.base_prefix, platform.machine())
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]


def _make(place: Path) -> None:
    """Make an environment beside its place, and put it there in one step."""
    print(f"setup: the embedded AWS into {place} (once)", file=sys.stderr, flush=True)
    draft = place.with_suffix(".draft")
    places = (os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent))
    uv = shutil.which("uv", path=os.pathsep.join(places))
    try:
        # uv takes a second; where its own download fails (a proxy's private certificate authority,
        # an index that only pip's configuration names), pip does the same, more slowly
        failure = (_by_uv(uv, draft) if uv else "no uv") and _by_pip(draft)
        if failure:
            raise UserError(
                "the embedded AWS cannot be installed: pip does not get its packages "
                f"({brief(failure, most=300)}). It needs a package index that pip reaches, once"
            )
        shutil.rmtree(place, ignore_errors=True)  # its Python is gone
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _by_uv(uv: str, draft: Path) -> str:
    """Make an environment by uv; return why it cannot be, or an empty text."""
    # compiled, as pip does: else the first servers would do it, in the time that they get to start
    install = [uv, "pip", "sync", "--quiet", "--native-tls", "--compile-bytecode"]
    return _run(_venv(draft, "--without-pip")) or _run(
        [*install, "--require-hashes", "--python", str(draft / "bin" / "python"), str(LOCK)]
    )


def _by_pip(draft: Path) -> str:
    """Make an environment by its own pip; return why it cannot be, or an empty text."""
    pip = [str(draft / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    return _run(_venv(draft)) or _run(
        [*pip, "install", "--quiet", "--require-hashes", "-r", str(LOCK)]
    )


def _venv(draft: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "venv", "--clear", *options, str(draft)]


def _run(argv: list[str]) -> str:
    """Run a program; return the last line of what it says if it fails, and else an empty text."""
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    try:
        done = process.run(argv, env=environment, timeout_s=_DEADLINE_S)
    except process.DeadlineError as error:
        return str(error)
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return (said or [f"it ended with {done.returncode}"])[-1] if done.returncode else ""


def make() -> None:
    """Make the environment, and fetch what AWS's Node.js runtime brings, unless they are there.

    Raises:
        UserError: The environment cannot be made.
    """
    python()
    node_packages.folder(environments_folder(), again=True)


def main() -> None:
    """Make the environment, for `make setup`."""
    try:
        make()
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
