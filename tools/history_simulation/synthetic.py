"""A store of made-up runs, as many as are wanted, to see how long reading it takes.

Four functions in two environments, on main and on branches of pull requests; main changes its
level now and then. The newest 100 runs have their sizes and loads, too: lists and pages read the
table `runs` alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from lambda_dyno.history.schema import Row
from lambda_dyno.history.store import Store

_FUNCTIONS = ("checkout-api", "search-api", "thumbnails", "nightly-export")
_ENVS = ("dev", "prod")
_SIZES = (128, 256, 512, 1024, 1769)
_BEGIN = datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None)
# pragma: allowlist nextline secret: an alphabet
_LETTERS = "23456789bcdfghjkmnpqrstvwxz"
_STEP_EVERY = 150  # runs of a function on main


def write(folder: Path, count: int, seed: int = 1) -> None:
    """Write runs into a store.

    Args:
        folder: The store's.
        count: How many.
        seed: The same one makes the same runs.
    """
    Store(folder, print, durable=False).add_all(records(count, seed))


def records(count: int, seed: int) -> Iterator[tuple[str, Mapping[str, Sequence[Row]]]]:
    """Yield the id and the rows of each run, the oldest first."""
    chance = Random(seed)  # noqa: S311 - a simulation
    levels = {name: 40.0 * (at + 1) for at, name in enumerate(_FUNCTIONS)}
    for number in range(count):
        at = _BEGIN + timedelta(minutes=60 * number + chance.randrange(50))
        name = _FUNCTIONS[number % len(_FUNCTIONS)]
        if number % (_STEP_EVERY * len(_FUNCTIONS)) < len(_FUNCTIONS):
            levels[name] *= chance.choice((0.8, 0.9, 1.1, 1.25))
        record_id, tables = _record(chance, number, at, name, levels[name])
        yield record_id, tables if number >= count - 100 else {"runs": tables["runs"]}


def _record(
    chance: Random, number: int, at: datetime, name: str, level_ms: float
) -> tuple[str, Mapping[str, Sequence[Row]]]:
    suffix = "".join(chance.choice(_LETTERS) for _ in range(4))
    run_id = f"{at:%y%m%d-%H%M}-{suffix}"
    record_id = f"{run_id}_gate_{number:08x}"
    key = {"record_id": record_id, "run_id": run_id}
    duration_ms = level_ms * math.exp(chance.gauss(0, 0.05))
    on_main = chance.random() < 0.8
    tunings: list[Row] = [{**key, **_tuning(chance, size, duration_ms)} for size in _SIZES]
    now = next(row for row in tunings if row["is_deployed"])
    p95_ms = duration_ms * 2.2 * math.exp(chance.gauss(0, 0.07)) + 12
    run: Row = {
        **key,
        "mode": "gate",
        "recorded_at": at + timedelta(minutes=3),
        "started_at": at,
        "dyno_version": "0.1.0",
        "env": _ENVS[number // len(_FUNCTIONS) % len(_ENVS)],
        "function_name": name,
        "account_id": "123456789012",
        "region": "eu-west-1",
        "is_embedded": False,
        "architecture": "arm64",
        "branch": "main" if on_main else f"pull/{number // 40}",
        "git_sha": hashlib.sha256(str(number // 8).encode()).hexdigest()[:40],
        "is_dirty": False,
        "code_sha256": "",
        "outcome": "pass" if p95_ms < 500 else "fail",
        "error": "",
        "run_s": 180.0,
        "memory_mb": 512,
        "recommended_mb": 512,
        "duration_ms": now["duration_ms"],
        "duration_low_ms": now["duration_low_ms"],
        "duration_high_ms": now["duration_high_ms"],
        "cost_usd": now["cost_usd"],
        "memory_used_mb": now["memory_used_mb"],
        "p95_ms": p95_ms,
        "error_ratio": 0.0,
        "requests_per_s": 80.0,
        "judged": "deployed",
        "p95_limit_ms": 500.0,
        "cost_limit_usd": 2e-6,
        "settings_json": '{"tuning": {"num": 20}}',
    }
    load: Row = {**key, "label": "current", "memory_mb": 512, "loop": "closed", "p95_ms": p95_ms}
    return record_id, {"runs": [run], "tunings": tunings, "loads": [load]}


def _tuning(chance: Random, size: int, at_512_ms: float) -> Row:
    duration_ms = at_512_ms * (0.3 + 0.7 * 512 / size) * math.exp(chance.gauss(0, 0.01))
    cost_usd = size / 1024 * math.ceil(duration_ms) / 1000 * 0.0000133334
    return {
        "architecture": "arm64",
        "memory_mb": size,
        "is_deployed": size == 512,
        "is_recommended": size == 512,
        "strategy": "balanced",
        "invocations": 20,
        "cold_starts": 1,
        "errors": 0,
        "duration_ms": duration_ms,
        "duration_low_ms": duration_ms * 0.98,
        "duration_high_ms": duration_ms * 1.02,
        "cost_usd": cost_usd,
        "memory_used_mb": chance.randrange(80, 90),
        "currency": "USD",
    }
