"""How near the local Lambda comes to AWS: the CPU model held against measured curves.

Pure but for `load_curves` and `write`. What is said of a curve:

- its function's CPU time, waiting time and width are fitted on every other memory size, and the
  errors are those of the sizes in between;
- the cheapest and the fastest size of the model are looked up in AWS's own numbers: what would
  choosing them have cost over the best choice?
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lambda_dyno.core.errors import UserError
from lambda_emulator.meter_path.dyno_meter.cfs import CPU, MB_PER_VCPU, WAIT, duration_ms

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
REFERENCE_CPU_MS = 17.3  # mean duration of cpu17ms from 1769 MB on
WIDTHS = (1.0, 1.3, 1.7, 2.0, 3.0, 4.0, 5.8)
NEAR = 0.10  # a choice this much off the best is a good one: AWS's own CPUs differ by more
_FIT_POINTS = 12
_WIDER = 0.02  # what more than one thread must explain better: noise looks like that too
_FIT_STEPS = (1.25, 1.08, 1.03)


@dataclass(frozen=True, slots=True)
class Curve:
    """One function's mean durations on AWS, by memory size."""

    name: str
    kind: str
    memory_mb: tuple[int, ...]  # ascending
    duration_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """What a function does, as the CPU model sees it."""

    cpu_ms: float
    blocked_ms: float
    width: float  # threads that run at once

    def duration_ms(self, memory_mb: int) -> float:
        """Return the modelled duration, with two waits between three pieces of work."""
        piece, wait = (CPU, self.cpu_ms / 3, self.width), (WAIT, self.blocked_ms / 2)
        return duration_ms((piece, wait, piece, wait, piece), memory_mb)[0]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the model says of one curve."""

    curve: Curve
    work: Work
    modelled_ms: tuple[float, ...]
    checked_mb: tuple[int, ...]  # sizes that the fit did not see; all if there are few
    median_error: float  # of the absolute relative errors at these sizes
    p90_error: float
    worst_error: float
    cheapest_mb: int  # by the model
    cheapest_regret: float  # what AWS would charge there, over its cheapest size
    fastest_mb: int
    fastest_regret: float  # how much longer AWS would take there than at its fastest size

    @property
    def agrees(self) -> bool:
        """Whether both choices are good ones by AWS's own numbers."""
        return self.cheapest_regret <= NEAR and self.fastest_regret <= NEAR

    def to_json(self) -> dict[str, Any]:
        """Return everything, and whether the choices agree."""
        return asdict(self) | {"agrees": self.agrees}


def load_curves(folder: Path) -> list[Curve]:
    """Read all measured curves of `tests/data`.

    Raises:
        UserError: The data is not there: it is part of the repository, not of the package.
    """
    curves_file, samples_file = folder / "aws-curves.json", folder / "samples/cpu17ms.csv.gz"
    if not curves_file.exists() or not samples_file.exists():
        raise UserError(f"{folder}: no measured curves; run this in a clone of the repository")
    curves = [_cpu17ms(samples_file)]
    for entry in json.loads(curves_file.read_text()):
        if entry["id"].endswith("/cpu17ms"):
            continue  # its samples say more
        points = sorted(zip(entry["power"], entry["duration_ms"], strict=True))
        curves.append(
            Curve(
                entry["id"], entry["cls"], tuple(p for p, _ in points), tuple(d for _, d in points)
            )
        )
    return curves


def _cpu17ms(file: Path) -> Curve:
    durations: dict[int, list[float]] = defaultdict(list)
    with gzip.open(file, "rt") as text:
        for row in csv.DictReader(text):
            durations[int(row["memory_mb"])].append(float(row["duration_ms"]))
    sizes = tuple(sorted(durations))
    means = tuple(statistics.fmean(durations[size]) for size in sizes)
    return Curve("demystifying-serverless-costs/cpu17ms", "cpu-short", sizes, means)


def compare(curve: Curve, work: Work | None = None) -> Comparison:
    """Hold the model against a curve.

    Args:
        curve: What AWS measured.
        work: What the function does; None fits it on every other size.
    """
    if work is None:
        few = len(curve.memory_mb) < 6
        seen = range(0, len(curve.memory_mb), 1 if few else 2)
        checked = seen if few else range(1, len(curve.memory_mb), 2)
        work = fit(curve, seen)
    else:
        checked = range(len(curve.memory_mb))
    modelled = tuple(work.duration_ms(size) for size in curve.memory_mb)
    errors = sorted(abs(modelled[i] / curve.duration_ms[i] - 1) for i in checked)
    cheapest, cheapest_regret = _choice(curve, modelled, _cost)
    fastest, fastest_regret = _choice(curve, modelled, lambda duration, _size: duration)
    return Comparison(
        curve=curve,
        work=work,
        modelled_ms=modelled,
        checked_mb=tuple(curve.memory_mb[i] for i in checked),
        median_error=errors[len(errors) // 2],
        p90_error=errors[int(0.9 * (len(errors) - 1))],
        worst_error=errors[-1],
        cheapest_mb=cheapest,
        cheapest_regret=cheapest_regret,
        fastest_mb=fastest,
        fastest_regret=fastest_regret,
    )


def fit(curve: Curve, indices: Iterable[int]) -> Work:
    """Find CPU time, waiting time and width that come nearest to the given points.

    Durations are linear in 1 / share of CPU but for the staircase, so a weighted regression for
    each width comes first; then small steps with the model itself.
    """
    points = [(curve.memory_mb[i], curve.duration_ms[i]) for i in indices]
    every = -(-len(points) // _FIT_POINTS)
    points = points[::every]
    candidates = [_descend(_regression(points, width), points) for width in WIDTHS]
    return min(
        candidates, key=lambda work: _misfit(work, points) + (_WIDER if work.width > 1 else 0)
    )


def _descend(work: Work, points: Sequence[tuple[int, float]]) -> Work:
    best, misfit = work, _misfit(work, points)
    for factor in _FIT_STEPS:
        improved = True
        while improved:
            improved = False
            for cpu, blocked in ((factor, 1), (1 / factor, 1), (1, factor), (1, 1 / factor)):
                tried = Work(best.cpu_ms * cpu, best.blocked_ms * blocked, best.width)
                value = _misfit(tried, points)
                if value < misfit - 1e-6:
                    best, misfit, improved = tried, value, True
    return best


def _regression(points: Sequence[tuple[int, float]], width: float) -> Work:
    rows = [(max(MB_PER_VCPU / size, 1 / width), duration) for size, duration in points]
    weights = [1 / duration**2 for _, duration in rows]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, rows, strict=True)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, rows, strict=True)) / total
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, rows, strict=True))
    slope = (
        sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, rows, strict=True))
        / spread
        if spread
        else 0.0
    )
    cpu_ms = max(0.0, slope)
    blocked_ms = mean_y - cpu_ms * mean_x
    if blocked_ms < 0:
        blocked_ms = 0.0
        squares = sum(w * x * x for w, (x, _) in zip(weights, rows, strict=True))
        cpu_ms = sum(w * x * y for w, (x, y) in zip(weights, rows, strict=True)) / squares
    return Work(cpu_ms, blocked_ms, width)


def _misfit(work: Work, points: Sequence[tuple[int, float]]) -> float:
    return statistics.fmean(abs(work.duration_ms(size) / took - 1) for size, took in points)


def _cost(duration: float, size: int) -> float:
    return math.ceil(duration) * size


def _choice(curve: Curve, modelled: Sequence[float], measure: Any) -> tuple[int, float]:
    """Return the model's best size and its regret in AWS's numbers."""
    sizes = range(len(curve.memory_mb))
    best = min(sizes, key=lambda i: measure(modelled[i], curve.memory_mb[i]))
    actual = [measure(curve.duration_ms[i], curve.memory_mb[i]) for i in sizes]
    return curve.memory_mb[best], actual[best] / min(actual) - 1


def compare_all(data: Path = DATA) -> list[Comparison]:
    """Hold the model against every measured curve.

    Raises:
        UserError: The data is not there.
    """
    first, *others = load_curves(data)
    reference = compare(first, Work(REFERENCE_CPU_MS, 0.0, 1.0))
    return [reference, *(compare(curve) for curve in others)]


def write(comparisons: Sequence[Comparison], folder: Path) -> list[Path]:
    """Write table, numbers and plots into a folder; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    table, numbers = folder / "fidelity.md", folder / "fidelity.json"
    table.write_text(as_markdown(comparisons))
    numbers.write_text(json.dumps([c.to_json() for c in comparisons], indent=1) + "\n")
    return [table, numbers, *_plots(comparisons, folder)]


def as_markdown(comparisons: Sequence[Comparison]) -> str:
    """Return the comparison as a table, one line per function."""
    heads = ["function", "CPU ms", "waits ms", "width", "median error", "90 %"]
    heads += ["cheapest MB (regret)", "fastest MB (regret)"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    lines += [
        _row(
            (
                c.curve.name,
                f"{c.work.cpu_ms:.1f}",
                f"{c.work.blocked_ms:.1f}",
                f"{c.work.width:g}",
                f"{c.median_error:.1%}",
                f"{c.p90_error:.1%}",
                f"{c.cheapest_mb} ({c.cheapest_regret:.1%})",
                f"{c.fastest_mb} ({c.fastest_regret:.1%})",
            )
        )
        for c in comparisons
    ]
    medians = sorted(c.median_error for c in comparisons)
    agreeing = sum(c.agrees for c in comparisons)
    lines.append("")
    lines.append(
        f"{len(comparisons)} functions: the median error is {medians[len(medians) // 2]:.1%} in "
        f"the middle one; for {agreeing} both choices are within {NEAR:.0%} of AWS's best."
    )
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plots(comparisons: Sequence[Comparison], folder: Path) -> list[Path]:
    import vl_convert

    files = []
    for comparison in comparisons:
        file = folder / (comparison.curve.name.replace("/", "-") + ".svg")
        file.write_text(vl_convert.vegalite_to_svg(chart(comparison)))
        files.append(file)
    return files


def chart(comparison: Comparison) -> dict[str, Any]:
    """Return a Vega-Lite chart of AWS's durations and the model's."""
    rows = []
    for who, values in (
        ("AWS", comparison.curve.duration_ms),
        ("model", comparison.modelled_ms),
    ):
        for size, value in zip(comparison.curve.memory_mb, values, strict=True):
            rows.append({"who": who, "memory": size, "duration": round(value, 2)})
    shared = {
        "x": {
            "field": "memory",
            "type": "quantitative",
            "scale": {"type": "log", "nice": False},
            "title": "memory size in MB",
        },
        "y": {
            "field": "duration",
            "type": "quantitative",
            "scale": {"type": "log", "nice": False},
            "title": "mean duration in ms",
        },
        "color": {"field": "who", "title": None, "scale": {"range": ["#d95f02", "#1b6ca8"]}},
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 640,
        "height": 320,
        "background": "white",
        "title": comparison.curve.name,
        "data": {"values": rows},
        "layer": [
            {
                "transform": [{"filter": "datum.who == 'AWS'"}],
                "mark": {"type": "point", "filled": True, "size": 28},
                "encoding": shared,
            },
            {
                "transform": [{"filter": "datum.who == 'model'"}],
                "mark": {"type": "line", "strokeWidth": 1.5},
                "encoding": shared,
            },
        ],
    }
