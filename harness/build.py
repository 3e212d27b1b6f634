"""Zips of the Lambda functions: the same bytes for the same source, wherever it is built."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from harness import trees
from harness.errors import UserError
from harness.writing import named

# The oldest time that a zip can hold; a real one would change the hash at every check-out.
_ENTRY_TIME = (1980, 1, 1, 0, 0, 0)
_ENTRY_MODE = 0o100644 << 16  # Lambda needs files that everybody can read
_UNIX = 3  # zipfile would name the system that builds

_SKIPPED_FOLDERS = frozenset({"__pycache__", "tests"})
_SKIPPED_SUFFIXES = frozenset({".pyc", ".pyo"})


@dataclass(frozen=True, slots=True)
class Package:
    """A function's zip.

    Attributes:
        path: Where the zip is.
        sha256_base64: Hash of its bytes in the form that Lambda and Terraform use.
        size_bytes: Size of the zip.
    """

    path: Path
    sha256_base64: str
    size_bytes: int


def build(source: Path, target_zip: Path) -> Package:
    """Zip a function's folder, and leave the zip alone when nothing changed.

    The folder's content is at the root of the zip. Byte code, tests and hidden files stay out.

    Args:
        source: Folder such as lambda/crud_api.
        target_zip: The zip to write; its folder is made when it is missing.

    Returns:
        The zip and its hash.

    Raises:
        UserError: The folder is missing or holds nothing to zip.
    """
    content = _zip_bytes(source, _required_files(source))
    if not target_zip.is_file() or target_zip.read_bytes() != content:
        _replace(target_zip, content)
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return Package(path=target_zip, sha256_base64=digest, size_bytes=len(content))


def require_packable(source: Path) -> None:
    """Make sure that a function's folder can be zipped.

    Raises:
        UserError: It is missing, holds nothing to zip, or something that cannot be.
    """
    trees.require_copyable(source, "the function's package", lambda name: not _wanted(Path(name)))
    _required_files(source)


def _required_files(source: Path) -> list[Path]:
    files = _files(source)
    if not files:
        raise UserError(f"{source}: no files to put into the function's package")
    return files


def _files(source: Path) -> list[Path]:
    """Return what belongs into the package, relative to the folder and sorted by its name."""
    found = (path.relative_to(source) for path in source.rglob("*") if path.is_file())
    return sorted((path for path in found if _wanted(path)), key=lambda path: path.as_posix())


def _wanted(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return (
        not hidden
        and path.suffix not in _SKIPPED_SUFFIXES
        and _SKIPPED_FOLDERS.isdisjoint(path.parts[:-1])
    )


def _zip_bytes(source: Path, files: list[Path]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.as_posix(), _ENTRY_TIME)
            entry.external_attr = _ENTRY_MODE
            entry.create_system = _UNIX
            # Stored, not deflated: zlib's output differs between its builds, and a few
            # kilobytes of source load as fast.
            entry.compress_type = zipfile.ZIP_STORED
            archive.writestr(entry, (source / path).read_bytes())
    return buffer.getvalue()


def _replace(target: Path, content: bytes) -> None:
    """Write the zip in one step, so that a reader never sees half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    with named(target):
        draft.write_bytes(content)
        draft.replace(target)
