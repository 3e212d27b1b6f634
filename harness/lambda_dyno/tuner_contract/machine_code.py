"""Machine code in a package or a layer: on which architecture it works, by the headers in it.

Little is read: the directory of the archive, the first bytes of each file, and archives within it
(a Java function's jars) as far as a limit. Nothing is unpacked.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

# e_machine of the ELF header, 2 bytes at 18 (System V ABI; AMD64 and AArch64 supplements).
_MACHINES = {b"\x3e\x00": "x86_64", b"\xb7\x00": "arm64"}
_HEADER_BYTES = 20
_MOST_FILES = 100_000
_MOST_INNER_BYTES = 64 * 1024 * 1024  # of all archives within one
_SHOWN_CHARS = 80


class UnreadablePackageError(ValueError):
    """Nobody can tell what is in a package."""


def why_not_on(package: bytes, architecture: str) -> str:
    """Return why a package cannot work on an architecture, behind its name; empty if it can.

    It can if it has no machine code, or as many kinds of it as there are architectures: then it is
    made for both.

    Args:
        package: A zip.
        architecture: "arm64" or "x86_64".

    Raises:
        UnreadablePackageError: It is no zip, or has too much in it to look at.
    """
    room = [_MOST_INNER_BYTES]
    for found in _archives(package, room, depth=1):
        if found and architecture not in found:
            machine, name = next(iter(found.items()))
            return f"has machine code for {machine} ({name[:_SHOWN_CHARS]})"
    return ""


def _archives(package: bytes, room: list[int], *, depth: int) -> Iterator[dict[str, str]]:
    """Yield for an archive, and those in it, an example of each kind of machine code."""
    found: dict[str, str] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_FILES:
                raise UnreadablePackageError(f"it has {len(entries):,} files")
            for entry in entries:
                if entry.is_dir() or entry.file_size < _HEADER_BYTES:
                    continue
                with archive.open(entry) as file:
                    head = file.read(_HEADER_BYTES)
                    if head.startswith(b"PK\x03\x04") and depth:
                        inner = head + file.read(room[0] + 1)
                        room[0] -= len(inner)
                        if room[0] < 0:
                            raise UnreadablePackageError("the archives in it are too large")
                        yield from _archives(inner, room, depth=depth - 1)
                machine = _MACHINES.get(head[18:20]) if head.startswith(b"\x7fELF") else None
                if machine:
                    found.setdefault(machine, entry.filename)
    except UnreadablePackageError:
        raise
    except Exception as error:  # zipfile meets damage with a dozen kinds of errors
        raise UnreadablePackageError(f"it cannot be read as a zip: {error}") from error
    yield found
