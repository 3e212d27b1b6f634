"""The load driver's own ceiling: what it makes on this machine when the API costs no time.

A driver that runs scripts for every request makes some hundred requests per second and no more,
and a reader of a report must be able to tell that limit from the API's. It is measured once per
machine, for some seconds, with the same collection against a server here that says yes to
everything at once, whatever address the collection names, and kept in `.cache/`.

What is measured is the CPU time that a request costs the driver: one process has one second of
it per second. A count of requests would depend on what else the machine does just then.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lambda_dyno.core.config import LOAD_USERS_MAX, LoadSettings
from lambda_dyno.core.errors import DynoError
from lambda_dyno.core.files import locked, write_json
from lambda_dyno.core.reading import UnreadableError, read_object
from lambda_dyno.core.results import LoadResult
from lambda_dyno.load import drivers, load_test
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api, ApiCredentials
from lambda_dyno.load.machine import usable_cores
from lambda_dyno.runs.ownership import temporary_folder

_SECONDS = 3.0
_REQUEST_TIMEOUT_MS = 2000  # also the end of a collection that asks until something is done
_USERS_PER_CORE = 8  # more do not make more requests, only wait for each other
_CACHE = "driver-ceiling.json"


def requests_per_s(cache: Path, files: CollectionFiles, *, signed: bool) -> float | None:
    """Return the driver's ceiling on this machine; None if it cannot be measured.

    Args:
        cache: Folder that keeps it between runs.
        files: What an iteration asks: scripts cost the driver more than requests.
        signed: Whether requests are signed, which costs the driver, too.
    """
    try:
        key = _key(files, signed)
        with locked(cache / f"{_CACHE}.lock"):
            known = _read(cache / _CACHE)
            if key not in known:
                known[key] = {
                    "requests_per_s": round(_measure(files, signed), 1),
                    "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
                }
                write_json(cache / _CACHE, known)
        return float(known[key]["requests_per_s"])
    except (DynoError, OSError, KeyError, TypeError, ValueError):
        return None  # a test without its ceiling is still a test


def at_least(ceiling: float | None, load: LoadResult) -> float | None:
    """Return a ceiling that is not below what a test has just made.

    The machine may have been busy with something else when the ceiling was measured.
    """
    return None if ceiling is None else max(ceiling, round(load.requests_per_s, 1))


def _key(files: CollectionFiles, signed: bool) -> str:
    """Return what the ceiling depends on: another one is another measurement."""
    parts = (
        drivers.DRIVER.check(),
        os.cpu_count(),
        _most_processes(),
        _hash_of(files),
        "signed" if signed else "unsigned",
    )
    return " ".join(map(str, parts))


def _hash_of(files: CollectionFiles) -> str:
    digest = hashlib.sha256()
    for path in files.paths().values():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _most_processes() -> int:
    """Return as many driver processes as there ever are here."""
    return min(LOAD_USERS_MAX, usable_cores())


def _measure(files: CollectionFiles, signed: bool) -> float:
    processes = _most_processes()
    users = min(LOAD_USERS_MAX, _USERS_PER_CORE * processes)
    profile = LoadSettings(
        virtual_users=users,
        ramp_up_s=0.0,
        duration_s=_SECONDS,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )
    keys = ApiCredentials("0" * 12, "test") if signed else None
    with temporary_folder() as folder, _server() as url:
        found = load_test.run(
            profile,
            Api(url, "us-east-1", keys),
            files,
            label="ceiling",
            memory_mb=128,
            folder=folder / "load",
            ready_s=0.0,
            only_here=True,
        )
    # The busiest process stands for all of them: rather too low a ceiling than too high a one.
    cpu_s = found.driver_cpu_ratio * found.duration_s * processes
    by_cpu_time = processes * found.requests / cpu_s if cpu_s else 0.0
    ceiling = max(by_cpu_time, found.requests_per_s)
    if not ceiling:
        raise ValueError("the driver made no request")
    return ceiling


def _read(path: Path) -> dict[str, Any]:
    with suppress(UnreadableError):
        return read_object(path)
    return {}


class _SaysYes(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        )

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _answer  # noqa: N815

    def log_message(self, *_arguments: Any) -> None:
        """Stay quiet."""


@contextmanager
def _server() -> Iterator[str]:
    """Run a server that says yes to everything at once, and yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _SaysYes) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
