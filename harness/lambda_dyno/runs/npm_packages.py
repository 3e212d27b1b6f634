"""Packages of npm, from a lock with hashes: fetched once, whole or not at all, and never run.

A folder has the name of what it is made of, so another release makes another one. It is made
beside its place and put there in one step, under a lock: two that want it at once wait for each
other, and one that is killed leaves a draft that the next one replaces.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lambda_dyno.core.errors import brief, told
from lambda_dyno.core.files import locked
from lambda_dyno.runs import process

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


class NotFetchedError(Exception):
    """The packages cannot be had; the message says why, in a line."""


@dataclass(frozen=True, slots=True)
class NpmPackages:
    """The packages of a lock.

    Attributes:
        source: Folder with package.json and package-lock.json.
        what: What they are, for the line that tells of the download.
    """

    source: Path
    what: str

    def place(self, folder: Path, name: str) -> Path:
        """Return the folder that holds them, or will: FOLDER/NAME-DIGEST."""
        content = b"".join((self.source / file).read_bytes() for file in _FILES)
        return folder / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}"

    def fetch(self, place: Path, tidy: Callable[[Path], None] = lambda _: None) -> None:
        """Fetch them into PLACE/node_modules, unless they are there.

        Args:
            place: As `place` says.
            tidy: Called with node_modules before it gets to its place.

        Raises:
            NotFetchedError: There is no npm, it fails, or nothing can be written there.
        """
        if is_there(place):
            return
        npm = shutil.which("npm")
        if npm is None:
            raise NotFetchedError("there is no `npm` on PATH")
        try:
            with locked(place.with_suffix(".lock")):
                if not is_there(place):
                    print(f"setup: {self.what} into {place} (once)", file=sys.stderr, flush=True)
                    self._make(npm, place, tidy)
        except OSError as error:
            raise NotFetchedError(told(error)) from error
        except process.DeadlineError as error:
            raise NotFetchedError(str(error)) from error

    def _make(self, npm: str, place: Path, tidy: Callable[[Path], None]) -> None:
        draft = place.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700, parents=True)
        try:
            for name in _FILES:
                shutil.copyfile(self.source / name, draft / name)
            done = process.run([npm, *_INSTALL], cwd=draft, timeout_s=_DEADLINE_S)
            if done.returncode:
                said = [line for line in done.stderr.splitlines() if line.strip()]
                raise NotFetchedError(brief((said or ["npm failed"])[0].strip(), most=300))
            tidy(draft / "node_modules")
            shutil.rmtree(place, ignore_errors=True)  # what somebody emptied by half
            draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def is_there(place: Path) -> bool:
    """Tell whether the packages of a place are there."""
    return (place / "node_modules").is_dir()
