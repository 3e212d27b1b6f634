"""What of a run's folder is evidence, and in which form it leaves this machine.

Reports, charts, latencies and the result; never states, leases, logs, packages or what was sent to
a function. Payloads in settings are replaced by their hashes, as in the history, and a file in
which a key or a token is found stays here.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lambda_dyno.artefacts import committed, power_values, writing
from lambda_dyno.core.reading import UnreadableError, read_bytes
from lambda_dyno.core.results import RunResult
from lambda_dyno.evidence.outbox import RESULT
from lambda_dyno.history import rows

_REPORTS = ("report.html", "report.md", "junit.xml", power_values.NAME)
_MOST_RAW = 256_000_000  # of a load test's latencies, before they are packed
_MOST_BYTES = 64_000_000  # of a file as it is sent


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a run that are added to the store.

    Attributes:
        files: Their bytes by name, such as "charts/power.svg".
        left: Names of those that stay here, each with the reason.
    """

    files: dict[str, bytes]
    left: dict[str, str]


def of_run(result: RunResult, folder: Path) -> Contents:
    """Return a run's evidence; what is not there, or cannot be read, is left out.

    Args:
        result: The run.
        folder: Its folder, with the report written.
    """
    found = Contents({}, {})
    page = _page(folder)
    _take(found, RESULT, _result(result), page)
    for path in _paths(result, folder):
        name = path.relative_to(folder).as_posix()
        try:
            content = read_bytes(path, most_bytes=_MOST_RAW)
        except UnreadableError as error:
            found.left[name] = error.problem
            continue
        _take(found, name, content, page)
    return found


def _take(found: Contents, name: str, plain: bytes, page: bytes) -> None:
    """Take a file among those that are added, or say why it stays."""
    is_packed = name.endswith(".jsonl")
    sent_as = f"{name}.gz" if is_packed else name
    if committed.holds_secret(plain, name, page):
        found.left[sent_as] = "a key or token seems to be in it"
        return
    content = gzip.compress(plain, 6, mtime=0) if is_packed else plain
    if len(content) > _MOST_BYTES:
        found.left[sent_as] = f"longer than {_MOST_BYTES:,} bytes"
    else:
        found.files[sent_as] = content


def _page(folder: Path) -> bytes:
    """Return report.md; empty where it cannot be read, which is said when its turn comes."""
    try:
        return read_bytes(folder / "report.md", most_bytes=_MOST_RAW)
    except UnreadableError:
        return b""


def _result(result: RunResult) -> bytes:
    content = result.to_json()
    content["settings"] = json.loads(rows.settings_json(result.settings))
    return f"{json.dumps(content, indent=2)}\n".encode()


def _paths(result: RunResult, folder: Path) -> Iterator[Path]:
    names = (*_REPORTS, *writing.names(result, folder))
    yield from (path for name in names if (path := folder / name).is_file())
    for pattern in ("charts/*.svg", "charts/*.png", "load/*.jsonl"):
        for path in sorted(folder.glob(pattern)):
            if path.is_file() and not path.is_symlink() and not path.name.endswith(".part.jsonl"):
                yield path
