"""Main's rows and results, from a store into a folder of this machine.

    FOLDER/v1/TABLE/RECORD_ID.parquet    a history: dyno history --store FOLDER
    FOLDER/results/RECORD_ID.json        results: dyno tune --prior FOLDER

Keys become names only in the one form that the store's own keys have. What is read is bounded, is
held against the schema in a folder of its own, and only then stands where others look.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.files import write_atomically
from lambda_dyno.core.private import make_folder
from lambda_dyno.core.reading import parse_json
from lambda_dyno.evidence.bucket import Bucket, Listed, TooLongError
from lambda_dyno.evidence.location import MAIN, Place
from lambda_dyno.evidence.outbox import RESULT
from lambda_dyno.history.schema import RECORD_ID, RUNS, TABLES, VERSION, run_of
from lambda_dyno.history.store import MOST_BYTES, Store, file_of
from lambda_dyno.runs import result_store
from lambda_dyno.runs.result_store import RESULTS

_KEY = re.compile(rf"(?P<table>{'|'.join(t.name for t in TABLES)})/(?P<id>[^/]+)\.parquet")
_MOST_RESULT_BYTES = 16_000_000
_MOST_NEW_BYTES = 4_000_000_000  # of one pull
_MOST_KEYS = 1_000_000
_BATCH = 200  # records
_MOST_LINES = 20
_AT_ONCE = 16

Say = Callable[[str], None]


@dataclass(slots=True)
class Pulled:
    """What a pull did.

    Attributes:
        new: Records that are new in the folder.
        there: Records that it had.
        results: Results among the new ones, which a tuning can begin with.
        refused: Why something was left out, a line each.
    """

    new: int = 0
    there: int = 0
    results: int = 0
    refused: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Record:
    """A record in the store: sizes of its files, by table."""

    record_id: str
    files: dict[str, Listed] = field(default_factory=dict)


def pull(
    bucket: Bucket, env: str, folder: Path, say: Say, progress: Callable[[int, int], None]
) -> Pulled:
    """Bring what main's runs found into a folder; what it has already is not read again.

    Args:
        bucket: Of the store.
        env: The environment.
        folder: It need not be there yet.
        say: Told in a line what is left out.
        progress: Told how many records are there, of how many.

    Raises:
        UserError: The store cannot be read, or DuckDB is not installed.
        OSError: The folder cannot be written.
    """
    pulled = Pulled()
    place = f"{bucket.store.prefix}{Place(env, MAIN)}/"
    wanted = list(_wanted(bucket, place, folder, pulled))
    make_folder(folder)
    incoming = folder / f".incoming.{os.getpid()}"
    try:
        for begin in range(0, len(wanted), _BATCH):
            progress(begin, len(wanted))
            shutil.rmtree(incoming, ignore_errors=True)
            batch = wanted[begin : begin + _BATCH]
            read = _Batch(bucket, place, env, incoming, folder, pulled)
            read.take(batch)
        progress(len(wanted), len(wanted))
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    for line in pulled.refused[:_MOST_LINES]:
        say(line)
    if len(pulled.refused) > _MOST_LINES:
        say(f"evidence: {len(pulled.refused) - _MOST_LINES:,} more are left out (--json has all)")
    return pulled


def _wanted(bucket: Bucket, place: str, folder: Path, pulled: Pulled) -> Iterator[_Record]:
    """Yield records of the store that the folder has not; what is none is told."""
    rows = f"{place}rows/v{VERSION}/"
    records: dict[str, _Record] = {}
    for number, listed in enumerate(bucket.list(rows)):
        if number >= _MOST_KEYS:
            raise UserError(f"{bucket.store.uri}: more than {_MOST_KEYS:,} objects below {rows}")
        name = listed.key.removeprefix(rows)
        found = _KEY.fullmatch(name)
        if found is None or not RECORD_ID.fullmatch(found["id"]):
            pulled.refused.append(_line(name, "its key is none of a record's file"))
        elif not 0 < listed.size_bytes <= MOST_BYTES:
            pulled.refused.append(
                _line(name, f"{listed.size_bytes:,} bytes; a record's file has {MOST_BYTES:,}")
            )
        else:
            record = records.setdefault(found["id"], _Record(found["id"]))
            record.files[found["table"]] = listed
    total = 0
    for record in records.values():
        if RUNS.name not in record.files:
            continue  # not there whole yet
        if file_of(folder, RUNS.name, record.record_id).exists():
            pulled.there += 1
            continue
        total += sum(listed.size_bytes for listed in record.files.values())
        if total > _MOST_NEW_BYTES:
            pulled.refused.append(
                f"evidence: more than {_MOST_NEW_BYTES:,} bytes are new: pull again for the rest"
            )
            return
        yield record


@dataclass(frozen=True, slots=True)
class _Batch:
    """Some records: read into a folder of their own, and what is sound of them moved."""

    bucket: Bucket
    place: str
    env: str
    incoming: Path
    folder: Path
    pulled: Pulled

    def take(self, records: Sequence[_Record]) -> None:
        """Bring records into the folder."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            problems = list(pool.map(self._download, records))
            read = []
            for record, problem in zip(records, problems, strict=True):
                if problem:
                    name = f"{RUNS.name}/{record.record_id}.parquet"
                    self.pulled.refused.append(_line(name, problem))
                else:
                    read.append(record.record_id)
            sound = self._sound(read)
            for record_id, (content, problem) in zip(
                sound, pool.map(self._result, sound), strict=True
            ):
                self._keep(record_id, content, problem)

    def _download(self, record: _Record) -> str:
        """Write a record's files; return why not, empty if it is done."""
        for table, listed in record.files.items():
            try:
                content = self.bucket.read(listed.key, most_bytes=listed.size_bytes)
            except TooLongError:
                content = None
            if content is None or len(content) != listed.size_bytes:
                return "it is not as long as the bucket says"
            path = file_of(self.incoming, table, record.record_id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return ""

    def _sound(self, record_ids: Sequence[str]) -> list[str]:
        """Return the records whose files are all what the schema declares, and of here."""
        store = Store(self.incoming, self.pulled.refused.append)
        sound = set()
        for row in store.runs():
            if row["env"] in ("", self.env):
                sound.add(row["record_id"])
            else:
                name = f"{RUNS.name}/{row['record_id']}.parquet"
                problem = f"it is of environment {brief(row['env'])}, and not of {self.env}"
                self.pulled.refused.append(_line(name, problem))
        sound &= set(record_ids)
        for table in TABLES:
            if table is not RUNS:
                sound -= store.unsound(table, sorted(sound))
        return sorted(sound)

    def _result(self, record_id: str) -> tuple[bytes, str]:
        """Return a record's result as it is kept, or why it is not; both empty: it has none."""
        run_id = run_of(record_id)
        key = f"{self.place}runs/{run_id}/{record_id}/{RESULT}"
        try:
            content = self.bucket.read(key, most_bytes=_MOST_RESULT_BYTES)
        except TooLongError as error:
            return b"", str(error)
        if content is None:
            return b"", ""
        try:
            parsed = parse_json(content.decode("utf-8", "replace"), RESULT)
            found = result_store.parse(parsed, RESULT)
        except UserError as error:
            return b"", brief(" ".join(str(error).split()), most=200)
        if found.run_id != run_id:
            return b"", f"it is of run {brief(found.run_id)}"
        return content, ""

    def _keep(self, record_id: str, result: bytes, problem: str) -> None:
        """Put a record where others look: its file in `runs` last."""
        if problem:
            self.pulled.refused.append(f"evidence: {record_id}: {RESULT} is left out: {problem}")
        if result:
            make_folder(self.folder / RESULTS)
            write_atomically(self.folder / RESULTS / f"{record_id}.json", result)
            self.pulled.results += 1
        for table in sorted(TABLES, key=lambda table: table is RUNS):
            source = file_of(self.incoming, table.name, record_id)
            if source.exists():
                target = file_of(self.folder, table.name, record_id)
                target.parent.mkdir(parents=True, exist_ok=True)
                source.replace(target)
        self.pulled.new += 1


def _line(name: str, problem: str) -> str:
    return f"evidence: {brief(name, most=120)} is left out: {problem}"


def as_json(pulled: Pulled, folder: Path) -> Mapping[str, object]:
    """Return what `dyno evidence pull --json` prints."""
    return {
        "folder": str(folder),
        "new": pulled.new,
        "there": pulled.there,
        "results": pulled.results,
        "refused": pulled.refused,
    }
