"""Measured curves: mean durations by memory size, from the repository or from a file of one's own.

A file is a list of rows as in `tests/data/aws-curves.json`: {id, power: [MB], duration_ms: [mean]},
and if known cls (its family), arch ("arm64" or "x86_64") and width (threads or processes that
run at once). Other keys are ignored.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.reading import read_json
from lambda_dyno.tuner_contract.values import MEMORY_MB_MAX, MEMORY_MB_MIN

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
ARCHITECTURES = ("arm64", "x86_64")
_MOST_THREADS = 1024


@dataclass(frozen=True, slots=True)
class Curve:
    """One function's mean durations on AWS, by memory size."""

    name: str
    kind: str  # its family
    memory_mb: tuple[int, ...]  # ascending
    duration_ms: tuple[float, ...]
    architecture: str = "x86_64"
    width: float | None = None  # threads or processes that run at once, if that is known


def load_curves(folder: Path = DATA) -> list[Curve]:
    """Read all measured curves of `tests/data`.

    Raises:
        UserError: The data is not there: it is part of the repository, not of the package.
    """
    curves_file, samples_file = folder / "aws-curves.json", folder / "samples/cpu17ms.csv.gz"
    if not curves_file.exists() or not samples_file.exists():
        raise UserError(f"{folder}: no measured curves; run this in a clone of the repository")
    listed = read_curves(curves_file)
    # the samples of this one say more than its row
    return [_cpu17ms(samples_file), *(c for c in listed if not c.name.endswith("/cpu17ms"))]


def read_curves(file: Path) -> list[Curve]:
    """Read a file of curves.

    Raises:
        UserError: It cannot be read, or a row of it is none: which, and what is allowed.
    """
    rows = read_json(file)
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{file}: must be a list of curves, [{{id, power, duration_ms}}, ...]")
    return [_curve(row, f"{file}: curve {number}") for number, row in enumerate(rows, 1)]


def _curve(row: Any, where: str) -> Curve:
    if not isinstance(row, dict):
        raise UserError(f"{where}: must be an object with id, power and duration_ms")
    name = row.get("id")
    if not isinstance(name, str) or not name.strip():
        raise UserError(f"{where}: id: must be a name")
    where = f"{where} ({brief(name)})"
    sizes = _numbers(row, "power", where)
    durations = _numbers(row, "duration_ms", where)
    if len(sizes) != len(durations):
        raise UserError(
            f"{where}: {len(sizes)} sizes in power, {len(durations)} means in duration_ms"
        )
    for size in sizes:
        if size != int(size) or not MEMORY_MB_MIN <= size <= MEMORY_MB_MAX:
            limits = f"{MEMORY_MB_MIN} to {MEMORY_MB_MAX}"
            raise UserError(f"{where}: power: {size:g} MB: must be whole, {limits}")
    if not all(duration > 0 for duration in durations):
        raise UserError(f"{where}: duration_ms: {min(durations):g}: must be more than 0")
    repeats = defaultdict(list)
    for size, duration in zip(sizes, durations, strict=True):
        repeats[int(size)].append(duration)
    if len(repeats) < 2:
        raise UserError(f"{where}: power: one size is no curve; give two or more")
    points = sorted((size, statistics.fmean(means)) for size, means in repeats.items())
    kind = row.get("cls") or "unclassified"
    if not isinstance(kind, str):
        raise UserError(f"{where}: cls: must be a name")
    width = row.get("width")
    if width is not None and not (_is_number(width) and 1 <= width <= _MOST_THREADS):
        raise UserError(f"{where}: width: must be 1 to {_MOST_THREADS}")
    return Curve(
        name=name,
        kind=kind,
        memory_mb=tuple(size for size, _ in points),
        duration_ms=tuple(duration for _, duration in points),
        architecture=_architecture(row, name, where),
        width=width,
    )


def _architecture(row: dict[str, Any], name: str, where: str) -> str:
    given = row.get("arch")
    if given is None:
        return "arm64" if "arm64" in name.lower() else "x86_64"
    if given not in ARCHITECTURES:
        raise UserError(f"{where}: arch: {brief(str(given))}: must be {' or '.join(ARCHITECTURES)}")
    return str(given)


def _numbers(row: dict[str, Any], key: str, where: str) -> list[float]:
    values = row.get(key)
    if not isinstance(values, list) or not values:
        raise UserError(f"{where}: {key}: must be a list of numbers")
    for value in values:
        if not _is_number(value):
            raise UserError(f"{where}: {key}: {brief(json.dumps(value))}: must be a number")
    return values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _cpu17ms(file: Path) -> Curve:
    durations: dict[int, list[float]] = defaultdict(list)
    with gzip.open(file, "rt") as text:
        for row in csv.DictReader(text):
            durations[int(row["memory_mb"])].append(float(row["duration_ms"]))
    sizes = tuple(sorted(durations))
    means = tuple(statistics.fmean(durations[size]) for size in sizes)
    return Curve("demystifying-serverless-costs/cpu17ms", "cpu-short", sizes, means)
