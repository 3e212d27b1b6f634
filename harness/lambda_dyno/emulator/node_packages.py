"""The packages that AWS's Node.js runtime brings along: the AWS SDK for JavaScript, version 3.

Made once, beside the environments of the embedded AWS, by npm from a lock with hashes
(`lambda_emulator/node_runtime`). A function that imports a client that is not among them fails, as
it does without npm.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import lambda_emulator
from lambda_dyno.runs import npm_packages
from lambda_dyno.runs.npm_packages import NotFetchedError, NpmPackages

_SOURCE = Path(lambda_emulator.__file__).resolve().parent / "node_runtime"
_OF_COMPILERS = "dist-types"  # two thirds of it


def folder(environments: Path, *, again: bool = False) -> str:
    """Return the packages' folder, made if it is missing; empty if it cannot be had.

    Args:
        environments: Keeps them, and the embedded AWS's environments.
        again: Whether to try what has failed before: once is enough while servers start.
    """
    packages = NpmPackages(_SOURCE, "the AWS SDK for Node.js functions")
    place = packages.place(environments, "node")
    tried = place.with_suffix(".failed")
    if not npm_packages.is_there(place) and (again or not tried.exists()):
        try:
            packages.fetch(place, _without_types)
            tried.unlink(missing_ok=True)
        except (NotFetchedError, OSError) as error:
            _tell(tried, str(error))
    return str(place / "node_modules") if npm_packages.is_there(place) else ""


def _without_types(modules: Path) -> None:
    for types in sorted(modules.rglob(_OF_COMPILERS)):
        shutil.rmtree(types, ignore_errors=True)


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
