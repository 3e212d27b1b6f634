"""What MiniStack's Athena does otherwise than AWS's: projection, IAM, and running at all.

Part of the server's program (`front.py`). MiniStack reads a table's location and knows no partition
projection: here each partition is read from where `storage.location.template` says, and has its
key as a column. It runs queries by DuckDB if its environment has one, which ours has not: it takes
66 MB, and few ask Athena. Who has the history's extra has DuckDB beside the product, and that one
is lent to the server, which runs by the same Python. A query then reads the copies of its own
tables' files and nothing else of this machine: else a function in its sandbox whose role may ask
Athena could read its user's files.

IAM is asked for the workgroup that a query or its execution belongs to, not for all.
tests/emulator/test_athena_seams.py holds what this relies on.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, DistributionFinder, MetadataPathFinder
from pathlib import Path
from typing import Any
from urllib.parse import quote

_LENT = ("duckdb", "_duckdb")
_SETTINGS = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET temp_directory = ''",
    "SET memory_limit = '1GB'",
    "SET python_enable_replacements = false",
)
# MiniStack turns it off itself, which the lock would refuse
_OPTIMIZER = "SET disabled_optimizers = 'type_pushdown'"

_database: ContextVar[str] = ContextVar("database", default="default")
_table: ContextVar[Mapping[str, Any]] = ContextVar("table")
_folders: ContextVar[Sequence[str]] = ContextVar("folders", default=())


def projected() -> None:
    """Let MiniStack read projected partitions from where they are from now on."""
    from ministack.services import athena, glue

    rewrite, refer = athena._rewrite_data_paths, athena._table_references
    copy = athena._materialize_table_files

    async def rewritten(query: str, database: str, catalog: str | None = None) -> Any:
        _database.set(database or "default")
        found = await rewrite(query, database, catalog)
        _folders.set(found[2])
        return found

    def referred(query: str) -> Iterator[Any]:
        for reference in refer(query):
            name = f"{reference.database or _database.get()}/{reference.table}"
            _table.set(glue._tables.get(name) or {})
            yield reference

    def copied(location: str, folders: list[str]) -> list[str]:
        table = _table.get({})
        parameters = table.get("Parameters") or {}
        if str(parameters.get("projection.enabled", "")).lower() != "true":
            files: list[str] = copy(location, folders)
            return files
        root = Path(tempfile.mkdtemp(prefix="ministack-athena-"))
        folders.append(str(root))
        found = []
        for partition in partitions(table):
            place = _place(location, parameters, partition)
            into = root.joinpath(*(f"{k}={quote(v, safe='')}" for k, v in partition.items()))
            for path in map(Path, copy(place, folders)):
                target = into / path.relative_to(folders[-1])
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
                found.append(str(target))
        return found

    athena._rewrite_data_paths = rewritten
    athena._table_references = referred
    athena._materialize_table_files = copied


def partitions(table: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the partitions that a table's parameters project, values by key.

    Raises:
        ValueError: A key has another type than enum.
    """
    parameters = table.get("Parameters") or {}
    keys = [str(key["Name"]) for key in table.get("PartitionKeys") or ()]
    values = []
    for key in keys:
        kind = parameters.get(f"projection.{key}.type")
        if kind != "enum":
            raise ValueError(f"projection.{key}.type is {kind}: the embedded AWS knows enum alone")
        values.append(str(parameters.get(f"projection.{key}.values", "")).split(","))
    for each in itertools.product(*values):
        yield dict(zip(keys, each, strict=True))


def _place(location: str, parameters: Mapping[str, Any], partition: Mapping[str, str]) -> str:
    usual = "/".join([location.rstrip("/"), *(f"{key}=${{{key}}}" for key in partition)])
    place = str(parameters.get("storage.location.template") or usual)
    for key, value in partition.items():
        place = place.replace(f"${{{key}}}", value)
    return place


def asked_by_workgroup() -> None:
    """Let MiniStack ask IAM for the workgroup of what a request names from now on, not for all."""
    from ministack.core import iam_actions
    from ministack.services import athena

    extract = iam_actions.extract_resource_arn

    def extracted(service: str, *request: Any) -> Any:
        found = extract(service, *request)
        if service != "athena" or found != "*":
            return found
        *_, body, _, _, _ = request
        try:
            asked = json.loads(body)
            run = athena._executions.get(asked.get("QueryExecutionId")) or {}
            named = athena._named_queries.get(asked.get("NamedQueryId")) or {}
        except (ValueError, TypeError, AttributeError):
            return found
        workgroup = run.get("WorkGroup") or named.get("WorkGroup")
        return athena._arn_workgroup(workgroup) if workgroup else found

    iam_actions.extract_resource_arn = extracted


def run_by(folder: str) -> None:
    """Let MiniStack run queries by the DuckDB of a folder from now on, each within its files.

    Args:
        folder: Of packages, one of which is DuckDB; empty: there is none.
    """
    from ministack.services import athena

    if not folder:
        return
    sys.meta_path.append(_Lent(folder))
    athena._duckdb_available = True  # it is imported with the first query
    run = athena._run_duckdb

    async def ran(*arguments: Any) -> Any:
        _lock()
        return await run(*arguments)

    athena._run_duckdb = ran


class _Lent(DistributionFinder):
    """Finds DuckDB and its version in another environment, and nothing else there."""

    def __init__(self, folder: str) -> None:
        self._path = [folder]

    def find_spec(self, name: str, path: Any = None, _target: Any = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, self._path) if name in _LENT and path is None else None

    def find_distributions(
        self, context: DistributionFinder.Context | None = None
    ) -> Iterable[Distribution]:
        if context is None or context.name not in _LENT:
            return ()
        there = DistributionFinder.Context(name=context.name, path=self._path)
        return MetadataPathFinder.find_distributions(there)


def _lock() -> None:
    """Let each connection of DuckDB's read the files of its query alone; done once."""
    import duckdb

    connect = duckdb.connect
    if getattr(connect, "is_locked", False):
        return

    def connected(*arguments: Any, **named: Any) -> Any:
        connection = connect(*arguments, **named)
        for setting in _SETTINGS:
            connection.execute(setting)
        with suppress(duckdb.Error):  # an older one has no such optimizer
            connection.execute(_OPTIMIZER)
        places = ", ".join("'" + str(Path(f)).replace("'", "''") + "'" for f in _folders.get())
        connection.execute(f"SET allowed_directories = [{places}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        return connection

    connected.is_locked = True  # type: ignore[attr-defined]
    duckdb.connect = connected
