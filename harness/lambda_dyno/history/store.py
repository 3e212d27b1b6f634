"""The store: a folder of Parquet files that only grows, one set of files for each record.

    STORE/v1/TABLE/RECORD_ID.parquet    written once, in one step, never changed
    STORE/v1/packed.parquet             the rows of `runs` in one file, for speed; may be deleted

Whatever lies there may be somebody else's: names are matched before they are opened, types and
values are held against the schema, and DuckDB can reach nothing but this folder (`engine`). A
file that cannot be read costs its own record and a line, never the store.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambda_dyno.core.errors import UserError, brief, told
from lambda_dyno.core.private import make_folder
from lambda_dyno.history import engine
from lambda_dyno.history.schema import PACKED, RUNS, TABLES, VERSION, Row, Table, run_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SUFFIX = ".parquet"
_NO_VALUE = "a value is none that a run can have"
MOST_BYTES = 64_000_000  # of a record's file; the largest of ours has 1
# So many records are read one by one in a third of a second; more are packed.
_PACKED_FROM = 500


class Store:
    """A folder with the history.

    Args:
        folder: It need not be there yet.
        say: Told in a line what cannot be read.
        durable: Whether what is written outlives a loss of power, which takes time.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], *, durable: bool = True) -> None:
        self._durable = durable
        self.path = folder
        self._folder = folder.absolute() / f"v{VERSION}"
        self._say = say

    def add(self, record_id: str, tables: Mapping[str, Sequence[Row]]) -> None:
        """Write the rows of a record; it is there whole or not at all.

        Args:
            record_id: A new one.
            tables: Its rows by table; a table without rows gets no file.

        Raises:
            UserError: DuckDB is not installed.
            OSError: It cannot be written.
        """
        self.add_all([(record_id, tables)])

    def add_all(self, records: Iterable[tuple[str, Mapping[str, Sequence[Row]]]]) -> None:
        """Write the rows of records, each as `add` does."""
        if not self.path.is_dir():  # one that is shared stays so
            make_folder(self.path)
        errors = engine.load().Error
        try:
            with engine.within(self._folder) as connection:
                for record_id, tables in records:
                    for table in TABLES:
                        if rows := tables.get(table.name):
                            self._write(connection, table, rows, self._file(table, record_id))
                packed = engine.count(connection, self._packed) if _is_ours(self._packed) else 0
                if len(self._record_ids()) - packed >= _PACKED_FROM:
                    self._runs(connection)
        except errors as error:
            raise OSError(str(error).partition("\n")[0]) from error

    def runs(self) -> list[dict[str, Any]]:
        """Return the rows of `runs`, without settings, oldest first.

        Raises:
            UserError: DuckDB is not installed, or the folder cannot be looked into.
        """
        self._say_other_versions()
        if not self._folder.is_dir():
            return []
        with engine.within(self._folder) as connection:
            found = self._runs(connection)
        return sorted(found, key=lambda row: (row["started_at"], row["recorded_at"]))

    def rows(self, table: Table, record_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the rows of some records in a table, in the order in which they were written."""
        names = (self._file(table, record_id) for record_id in record_ids if run_of(record_id))
        with engine.within(self._folder) as connection:
            return self._read(connection, table, [path for path in names if _is_file(path)])

    def unsound(self, table: Table, record_ids: Sequence[str]) -> set[str]:
        """Return those of some records that have a file in a table with a row that is none of ours.

        Whoever asks for rows gets the others; who takes a record over wants all of it, or nothing.
        """
        names = (self._file(table, record_id) for record_id in record_ids if run_of(record_id))
        paths = [path for path in names if path.exists()]
        if not paths:
            return set()
        with engine.within(self._folder) as connection:
            return self._unsound(connection, table, paths)

    def _unsound(
        self, connection: DuckDBPyConnection, table: Table, paths: Sequence[Path]
    ) -> set[str]:
        found, unread = self._readable(connection, table, paths)
        read = Counter(name for name, row in found if row["record_id"] == name == _id_of(row))
        readable = [path for path in paths if path.stem not in unread]
        wrong = [path for path in readable if engine.count(connection, path) != read[path.stem]]
        for path in wrong:
            self._refuse(path, _NO_VALUE)
        return unread | {path.stem for path in wrong}

    # Records

    def _file(self, table: Table, record_id: str) -> Path:
        return file_of(self._folder.parent, table.name, record_id)

    def _write(
        self, connection: DuckDBPyConnection, table: Table, rows: Sequence[Row], path: Path
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            engine.write(connection, table, rows, draft, durable=self._durable)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def _record_ids(self) -> set[str]:
        """Return the records that are there, by the names of their files in `runs`.

        Raises:
            UserError: The folder cannot be looked into.
        """
        try:
            with os.scandir(self._folder / RUNS.name) as entries:
                return {
                    entry.name.removesuffix(_SUFFIX)
                    for entry in entries
                    if entry.name.endswith(_SUFFIX)
                    and run_of(entry.name.removesuffix(_SUFFIX))
                    and entry.is_file(follow_symlinks=False)
                }
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise UserError(f"the history cannot be read: {told(error)}") from error

    def _read(
        self, connection: DuckDBPyConnection, table: Table, paths: Sequence[Path]
    ) -> list[dict[str, Any]]:
        """Return the rows of files; of one that cannot be read, a line says why."""
        found, unread = self._readable(connection, table, paths)
        rows = [row for name, row in found if row["record_id"] == name == _id_of(row)]
        if table is RUNS:
            read = unread | {row["record_id"] for row in rows}
            for path in paths:
                if path.stem not in read:
                    self._refuse(path, _NO_VALUE)
        return rows

    def _readable(
        self, connection: DuckDBPyConnection, table: Table, paths: Sequence[Path]
    ) -> tuple[list[tuple[str, dict[str, Any]]], set[str]]:
        """Return rows with their files' names, and the names of files that cannot be read.

        Files are read together; where that fails, each half by itself, down to the one at fault.
        """
        if not paths:
            return [], set()
        try:
            return list(engine.read(connection, table, paths)), set()
        except (ValueError, engine.load().Error) as error:
            if len(paths) == 1:
                self._refuse(paths[0], str(error))
                return [], {paths[0].stem}
        half = len(paths) // 2
        first, second = (
            self._readable(connection, table, part) for part in (paths[:half], paths[half:])
        )
        return first[0] + second[0], first[1] | second[1]

    def _refuse(self, path: Path, problem: str) -> None:
        where = path.relative_to(self._folder.parent)
        self._say(f"history: {where} is left out: {brief(' '.join(problem.split()), most=160)}")

    def _say_other_versions(self) -> None:
        with suppress(OSError):
            for path in sorted(self.path.iterdir()):
                number = path.name.removeprefix("v")
                if path.name == f"v{number}" and number.isdecimal() and number != str(VERSION):
                    newer = int(number) > VERSION
                    cure = "update lambda-dyno to read it" if newer else "this one cannot read it"
                    self._say(
                        f"history: {brief(path.name)}/ is left out: "
                        f"{'a newer' if newer else 'an older'} release wrote it; {cure}"
                    )

    # Many records in one file

    @property
    def _packed(self) -> Path:
        return self._folder / f"{PACKED.name}{_SUFFIX}"

    def _runs(self, connection: DuckDBPyConnection) -> list[dict[str, Any]]:
        """Return the rows of all records; if many are not packed yet, pack them."""
        there = self._record_ids()
        packed = {
            row["record_id"]: row
            for row in self._read_packed(connection)
            if row["record_id"] in there
        }
        others = there - packed.keys()
        paths = [path for name in sorted(others) if _is_file(path := self._file(RUNS, name))]
        rows = [*packed.values(), *self._read(connection, RUNS, paths)]
        if len(others) >= _PACKED_FROM and rows:
            with suppress(OSError, engine.load().Error):  # only slower without it
                self._write(connection, PACKED, rows, self._packed)
        return rows

    def _read_packed(self, connection: DuckDBPyConnection) -> Iterable[dict[str, Any]]:
        if not _is_ours(self._packed):
            return []
        try:
            found = engine.read(connection, PACKED, [self._packed])
        except (ValueError, engine.load().Error):
            return []
        return [row for _, row in found if row["record_id"] == _id_of(row)]


def file_of(place: Path, table: str, record_id: str) -> Path:
    """Return where a history has the rows of a record in a table."""
    return place / f"v{VERSION}" / table / f"{record_id}{_SUFFIX}"


def files_of(place: Path, record_id: str) -> dict[str, bytes]:
    """Return the files of a record by table; those that are there and can be read.

    Args:
        place: The folder of a history.
        record_id: The record.
    """
    found = {}
    for table in TABLES if run_of(record_id) else ():
        path = file_of(place.absolute(), table.name, record_id)
        with suppress(OSError):
            if _is_file(path):
                found[table.name] = path.read_bytes()
    return found


def _id_of(row: Mapping[str, Any]) -> str:
    """Return a row's record id if it is one, and of the row's run; else an empty string."""
    record_id, run_id = row["record_id"], row["run_id"]
    return record_id if record_id and run_id and run_of(record_id) == run_id else ""


def _is_ours(path: Path) -> bool:
    """Whether something is a file, and no link."""
    return path.is_file() and not path.is_symlink()


def _is_file(path: Path) -> bool:
    """Whether something is a file, no link, and not larger than a record's ever is."""
    return _is_ours(path) and path.stat().st_size <= MOST_BYTES
