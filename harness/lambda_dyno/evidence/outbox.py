"""What waits to be added to a store: a folder for each record, with copies of its files.

    runs/outbox/RECORD_ID/entry.json    store, place, and a line for each file
    runs/outbox/RECORD_ID/0, 1, ...     the files; one that is gone has been added

A folder is made under another name and renamed, so it is there whole or not at all. A file goes
when the store has it, the folder when it has all of them. Nobody needs a lock: whoever else adds
the same file is told that it is there already.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.files import write_json
from lambda_dyno.core.private import make_folder
from lambda_dyno.core.reading import UnreadableError, read_object
from lambda_dyno.evidence.location import Place, Store
from lambda_dyno.history.schema import RUNS, TABLES, VERSION, run_of

RESULT = "result.json"
MANIFEST = "manifest.json"
_ENTRY = "entry.json"
_PROBLEM = "problem"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_FILES = 10_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that is to be added.

    Attributes:
        key: Below the place.
        size_bytes: How long it is.
        sha256: Its digest, hexadecimal.
    """

    key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A record that waits, whole or in part.

    Attributes:
        folder: Where its files are.
        store: Where it goes.
        place: Below that.
        queued_at: Since when, ISO 8601, UTC.
        files: In the order in which they are added: the row in `runs` is the last.
    """

    folder: Path
    store: Store
    place: Place
    queued_at: str
    files: tuple[Waiting, ...]

    @property
    def record_id(self) -> str:
        """The record."""
        return self.folder.name

    @property
    def left(self) -> list[tuple[Path, Waiting]]:
        """What is not there yet, with where it is."""
        paths = ((self.folder / str(number), file) for number, file in enumerate(self.files))
        return [(path, file) for path, file in paths if path.exists()]

    def key(self, file: Waiting) -> str:
        """Return a file's key in the bucket."""
        return f"{self.store.prefix}{self.place}/{file.key}"

    @property
    def problem(self) -> str:
        """Why the last try failed; empty: there was none yet."""
        with contextlib.suppress(OSError):
            return brief((self.folder / _PROBLEM).read_text(encoding="utf-8"), most=300)
        return ""

    def note(self, problem: str) -> None:
        """Keep why a try failed; that it cannot be kept is no error."""
        with contextlib.suppress(OSError):
            (self.folder / _PROBLEM).write_text(problem, encoding="utf-8")

    def remove(self) -> None:
        """Forget it: the store has it."""
        gone = self.folder.with_name(f".{self.record_id}.gone.{os.getpid()}")
        with contextlib.suppress(OSError):
            self.folder.rename(gone)  # an entry is whole, or none
            shutil.rmtree(gone, ignore_errors=True)


def folder_of(runs: Path) -> Path:
    """Return the outbox of a folder of runs."""
    return runs / "outbox"


def add(
    runs: Path,
    record_id: str,
    store: Store,
    place: Place,
    evidence: Mapping[str, bytes],
    rows: Mapping[str, bytes],
) -> Entry:
    """Put a record into the outbox, and return it.

    Args:
        runs: Folder of all runs.
        record_id: The record.
        store: Where it goes.
        place: Below that.
        evidence: The run's files by name.
        rows: Its rows by table, as Parquet files.

    Raises:
        OSError: It cannot be written.
    """
    run_id = run_of(record_id)
    contents = {f"runs/{run_id}/{record_id}/{name}": data for name, data in evidence.items()}
    digests = {key: _sha256(data) for key, data in contents.items()}
    listing = {"record_id": record_id, "files": digests}
    contents[f"runs/{run_id}/{record_id}/{MANIFEST}"] = (json.dumps(listing) + "\n").encode()
    order = [table.name for table in TABLES if table is not RUNS] + [RUNS.name]
    contents |= {
        f"rows/v{VERSION}/{name}/{record_id}.parquet": rows[name] for name in order if name in rows
    }
    outbox = make_folder(folder_of(runs))
    draft = outbox / f".{record_id}.{os.getpid()}"
    files = tuple(
        Waiting(key, len(data), digests.get(key) or _sha256(data)) for key, data in contents.items()
    )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = Entry(outbox / record_id, store, place, now, files)
    try:
        _write_entry(draft, entry, contents.values())
        draft.rename(entry.folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)  # such as on a full disk
        raise
    return entry


def _write_entry(draft: Path, entry: Entry, contents: Iterable[bytes]) -> None:
    """Write an entry's files into a draft of its folder, the list of them last."""
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    for number, data in enumerate(contents):
        _write(draft / str(number), data)
    write_json(
        draft / _ENTRY,
        {
            "store": entry.store.uri,
            "place": str(entry.place),
            "queued_at": entry.queued_at,
            "files": [asdict(file) for file in entry.files],
        },
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def entries(runs: Path, say: Callable[[str], None]) -> Iterator[Entry]:
    """Yield what waits, oldest first.

    Args:
        runs: Folder of all runs.
        say: Told of what is there and is no entry.
    """
    for folder in sorted(folder_of(runs).glob("[!.]*")):
        if not run_of(folder.name) or folder.is_symlink():
            say(f"outbox/{brief(folder.name)} is left alone: it is no record's")
            continue
        try:
            yield _read(folder)
        except UserError as error:
            say(f"outbox/{brief(folder.name)} is left alone: {error}")


def _read(folder: Path) -> Entry:
    """Return an entry as it was written.

    Raises:
        UserError: It is none.
    """
    try:
        content = read_object(folder / _ENTRY)
    except UnreadableError as error:
        raise UserError(error.problem) from error
    texts = [content.get(name) for name in ("store", "place", "queued_at")]
    listed = content.get("files")
    if not all(isinstance(text, str) for text in texts) or not isinstance(listed, list):
        raise UserError(f"{_ENTRY} lacks store, place, queued_at or files")
    if len(listed) > _MOST_FILES:
        raise UserError(f"{_ENTRY} has more than {_MOST_FILES:,} files")
    store, place, queued_at = map(str, texts)
    return Entry(
        folder,
        Store.parse(store, f"{_ENTRY}: store"),
        Place.parse(place),
        brief(queued_at),
        tuple(_file(part, folder.name) for part in listed),
    )


def _file(part: Any, record_id: str) -> Waiting:
    match part:
        case {"key": str(key), "size_bytes": int(size_bytes), "sha256": str(sha256)}:
            if _is_key(key, record_id) and size_bytes >= 0 and _SHA256.fullmatch(sha256):
                return Waiting(key, size_bytes, sha256)
    raise UserError(f"{_ENTRY}: {brief(part)} is no file of record {record_id}")


def _is_key(key: str, record_id: str) -> bool:
    tables = {f"rows/v{VERSION}/{table.name}/{record_id}.parquet" for table in TABLES}
    if key in tables:
        return True
    prefix = f"runs/{run_of(record_id)}/{record_id}/"
    parts = key.removeprefix(prefix).split("/")
    return key.startswith(prefix) and len(parts) <= 3 and all(map(_NAME.fullmatch, parts))


def _write(path: Path, data: bytes) -> None:
    """Write a file that outlives a loss of power."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
