"""The packages that AWS's Node.js runtime brings along: the AWS SDK for JavaScript, version 3.

Made once, beside the environments of the embedded AWS, by npm from a lock with hashes
(`lambda_emulator/node_runtime`). A function that imports a client that is not among them fails, as
it does without npm.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

import lambda_emulator
from lambda_dyno.core.files import locked
from lambda_dyno.runs import process

_SOURCE = Path(lambda_emulator.__file__).resolve().parent / "node_runtime"
_FILES = ("package.json", "package-lock.json")
_DEADLINE_S = 600.0
# As pip's: no scripts of others run, and a registry that is not reached is told soon.
_INSTALL = (
    "ci",
    "--ignore-scripts",
    "--omit=dev",
    "--omit=optional",
    "--no-audit",
    "--no-fund",
    "--no-progress",
    "--loglevel=error",
    "--fetch-retries=1",
)
_OF_COMPILERS = "dist-types"  # two thirds of it


def folder(environments: Path, *, again: bool = False) -> str:
    """Return the packages' folder, made if it is missing; empty if it cannot be had.

    Args:
        environments: Keeps them, and the embedded AWS's environments.
        again: Whether to try what has failed before: once is enough while servers start.
    """
    place = environments / f"node-{_name()}"
    packages, tried = place / "node_modules", place.with_suffix(".failed")
    if not packages.is_dir() and (again or not tried.exists()):
        try:
            with locked(place.with_suffix(".lock")):
                if not packages.is_dir():
                    _make(place)
                    tried.unlink(missing_ok=True)
        except (OSError, process.DeadlineError, _Failure) as error:
            _tell(tried, str(error))
    return str(packages) if packages.is_dir() else ""


class _Failure(Exception):  # noqa: N818 - internal
    """npm did not get the packages."""


def _name() -> str:
    return hashlib.sha256(b"".join((_SOURCE / n).read_bytes() for n in _FILES)).hexdigest()[:16]


def _make(place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise _Failure("no npm on PATH")
    print("setup: the AWS SDK for Node.js functions (once)", file=sys.stderr, flush=True)
    draft = place.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        for name in _FILES:
            shutil.copyfile(_SOURCE / name, draft / name)
        done = process.run([npm, *_INSTALL], cwd=draft, timeout_s=_DEADLINE_S)
        if done.returncode:
            raise _Failure((done.stderr.strip().splitlines() or ["npm failed"])[0])
        for types in sorted((draft / "node_modules").rglob(_OF_COMPILERS)):
            shutil.rmtree(types, ignore_errors=True)
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _tell(tried: Path, why: str) -> None:
    print(
        f"warning: Node.js functions find no AWS SDK here, as they do on AWS: {why}",
        file=sys.stderr,
        flush=True,
    )
    try:
        tried.write_text(f"{why}\n", encoding="utf-8")
    except OSError:
        return
