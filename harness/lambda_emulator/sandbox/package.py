"""A function's code and layers as they were packed: programs can be run, links are links.

MiniStack unpacks archives as Python does, which leaves out both. Where nothing of an archive is a
program or a link, nothing is touched.
"""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

_UNIX = 3  # who made the archive, in its entries
_LONGEST_LINK = 4096
_END, _ENTRY = b"PK\x05\x06", b"PK\x01\x02"  # of an archive: its end, an entry of its directory
_END_BYTES = 22 + 65_535  # with the longest comment


def restore(archive: Path, folder: Path) -> None:
    """Give files their modes and links their targets, as an archive has them.

    Args:
        archive: What was unpacked.
        folder: Where it was unpacked to.
    """
    if not _may_need_it(archive):
        return
    from zipfile import BadZipFile, ZipFile  # most archives need no more than a look

    try:
        with ZipFile(archive) as packed:
            entries = [entry for entry in packed.infolist() if entry.create_system == _UNIX]
            for entry in entries:
                mode = entry.external_attr >> 16
                if not (stat.S_ISLNK(mode) or mode & 0o111):
                    continue
                path = folder / entry.filename
                if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
                    continue
                if stat.S_ISLNK(mode) and entry.file_size < _LONGEST_LINK:
                    target = packed.read(entry)
                    path.unlink()
                    os.symlink(target, os.fsencode(path))
                else:
                    path.chmod(0o755)
    except (BadZipFile, OSError):
        return  # as it was unpacked: the worker says what is wrong with it


def _may_need_it(archive: Path) -> bool:
    """Tell whether some entry of an archive may be a program or a link, by its directory alone."""
    try:
        with archive.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _END_BYTES))
            tail = file.read()
            end = tail.rfind(_END)
            length, begin = struct.unpack_from("<LL", tail, max(0, end) + 12)
            if end < 0 or begin + length > size:
                return True  # of a form that others may read
            file.seek(begin)
            entries = file.read(length)
    except (OSError, struct.error):
        return True
    at = 0
    while entries.startswith(_ENTRY, at):
        attributes, lengths = (
            struct.unpack_from("<L", entries, at + 38),
            struct.unpack_from("<HHH", entries, at + 28),
        )
        mode = attributes[0] >> 16
        if stat.S_ISLNK(mode) or (mode & 0o111 and not stat.S_ISDIR(mode)):
            return True
        at += 46 + sum(lengths)
    return bool(at != length)


def merged(layers: list[Path], into: Path) -> Path | None:
    """Return a folder with the files of all layers, of those that are the same the later's.

    Args:
        layers: The unpacked layers in their order.
        into: Where to put the files together if there are several layers; must not exist.
    """
    if len(layers) < 2:
        return layers[0] if layers else None
    for layer in layers:
        for parent, folders, files in os.walk(layer):
            target = into / Path(parent).relative_to(layer)
            target.mkdir(parents=True, exist_ok=True)
            for name in (*folders, *files):
                source, link = Path(parent, name), target / name
                if source.is_dir() and not source.is_symlink():
                    continue
                link.unlink(missing_ok=True)
                os.link(source, link, follow_symlinks=False)
    return into


def unlink_layers(code: Path) -> None:
    """Remove the links to layers that MiniStack has put beside a function's own Node.js packages.

    They lead to where it has unpacked them, which the function does not see; `linked` says where
    they are found instead.
    """
    folder = code / "node_modules"
    if folder.is_dir() and not folder.is_symlink():
        for entry in folder.iterdir():
            if entry.is_symlink() and os.readlink(entry).startswith(f"{code.parent}{os.sep}"):
                entry.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()


def linked(sources: list[tuple[Path, str]]) -> dict[str, str]:
    """Return the Node.js packages that are found by name: their names, and where they are seen.

    ES modules are looked for in the folders above the one that imports them and nowhere else, so
    all packages must be in one folder there.

    Args:
        sources: Folders of packages, and where the function sees them; of a name the first counts.
    """
    found: dict[str, str] = {}
    for folder, seen in sources:
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            if entry.name.startswith("."):
                continue
            names = [entry.name]
            if entry.name.startswith("@"):
                names = [f"{entry.name}/{child.name}" for child in entry.iterdir()]
            for name in names:
                found.setdefault(name, f"{seen}/{name}")
    return found
