"""How near the local Lambda comes to AWS: the CPU model held against measured curves.

Pure but for `compare_all` (a process for each core) and `write`. What is said of a curve:

- its function's CPU time, waiting and width are fitted on all sizes, which gives its errors; and
  on every other size, which gives those of the sizes in between, that the fit has not seen;
- the cheapest and the fastest size of the model are looked up in AWS's own numbers: what would
  choosing them have cost over the best choice?
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import random
import re
import signal
import statistics
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lambda_dyno.core.errors import printable
from tools.fidelity.curves import Curve
from tools.fidelity.fit import Work, fit

_DRAWS = 200
NEAR = 0.10  # a choice this much off the best is a good one: AWS's own CPUs differ by more
_PACES = (0.98, 1.0, 1.02)  # what execution environments differ by (cfs.SANDBOXES)
_FEWEST_BETWEEN = 6  # sizes that leave enough to be fitted on when every other one is left out
_NAME_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the model says of one curve. Errors are relative, and absolute values."""

    curve: Curve
    work: Work
    modelled_ms: tuple[float, ...]
    median_error: float
    p90_error: float
    worst_error: float
    between_median_error: float | None  # of sizes that the fit did not see; None if there are few
    between_p90_error: float | None
    cheapest_mb: int  # by the model
    cheapest_regret: float  # what AWS would charge there, over its cheapest size
    fastest_mb: int
    fastest_regret: float  # how much longer AWS would take there than at its fastest size
    # The regret of a model that is the truth, if only sizes scatter as they do here: in the middle,
    # and at most with 95 %. None if there are too few sizes to tell scatter.
    scatter_regret: float | None
    scatter_regret_at_most: float | None

    @property
    def misses(self) -> bool:
        """Whether its cheapest size costs more than `NEAR` over AWS's."""
        return self.cheapest_regret > NEAR

    @property
    def misses_by_scatter(self) -> bool:
        """Whether it would miss as much if the model were the truth."""
        most = self.scatter_regret_at_most
        return self.misses and most is not None and self.cheapest_regret <= most

    @property
    def agrees(self) -> bool:
        """Whether both choices are good ones by AWS's own numbers."""
        return self.cheapest_regret <= NEAR and self.fastest_regret <= NEAR

    def to_json(self) -> dict[str, Any]:
        """Return everything, whether the choices agree, and whether scatter explains a miss."""
        told = {"agrees": self.agrees, "misses_by_scatter": self.misses_by_scatter}
        return asdict(self) | told


@dataclass(frozen=True, slots=True)
class Family:
    """Curves of one kind and architecture; an error is that of the middle curve."""

    name: str
    curves: int
    median_error: float
    p90_error: float
    worst_p90_error: float
    between_median_error: float | None
    between_p90_error: float | None
    cheapest_regret: float  # middle
    worst_cheapest_regret: float
    cheapest_near: int  # curves whose cheapest size costs at most NEAR over the best
    misses_by_scatter: int  # of the others those whose own scatter explains as much
    fastest_regret: float
    worst_fastest_regret: float


def compare(curve: Curve, work: Work | None = None) -> Comparison:
    """Hold the model against a curve.

    Args:
        curve: What AWS measured.
        work: What the function does; None finds it, and holds sizes between others, too.
    """
    between: list[float] = []
    sizes = range(len(curve.memory_mb))
    if work is None:
        work = fit(curve)
        if len(sizes) >= _FEWEST_BETWEEN:
            between = _errors(curve, fit(curve, sizes[::2]), sizes[1::2])
    modelled = tuple(work.duration_ms(size) for size in curve.memory_mb)
    errors = _errors(curve, work, sizes)
    costs = [_cost_of(work, size) for size in curve.memory_mb]
    cheapest, cheapest_regret = _choice(curve, costs, _cost)
    scatter_regrets = _scatter_regrets(curve, modelled, cheapest)
    fastest, fastest_regret = _choice(curve, modelled, lambda duration, _size: duration)
    return Comparison(
        curve=curve,
        work=work,
        modelled_ms=modelled,
        median_error=statistics.median(errors),
        p90_error=_p90(errors),
        worst_error=errors[-1],
        between_median_error=statistics.median(between) if between else None,
        between_p90_error=_p90(between) if between else None,
        cheapest_mb=cheapest,
        cheapest_regret=cheapest_regret,
        fastest_mb=fastest,
        fastest_regret=fastest_regret,
        scatter_regret=scatter_regrets[_DRAWS // 2] if scatter_regrets else None,
        scatter_regret_at_most=scatter_regrets[int(0.95 * _DRAWS)] if scatter_regrets else None,
    )


def _scatter_regrets(curve: Curve, modelled: Sequence[float], cheapest_mb: int) -> list[float]:
    """Return the regrets of a size, ascending, in curves as the model has it that scatter as this.

    A size's own scatter is what it is off from its neighbours on both sides, once both are divided
    by the model: what changes slowly with memory is the model's fault, and no scatter.
    """
    offs = [math.log(took / at) for took, at in zip(curve.duration_ms, modelled, strict=True)]
    places = [math.log(size) for size in curve.memory_mb]
    scatter: list[float] = []
    for i in range(1, len(offs) - 1):
        share = (places[i] - places[i - 1]) / (places[i + 1] - places[i - 1])
        between = (1 - share) * offs[i - 1] + share * offs[i + 1]
        # of three independent ones, each with the same variance
        scatter.append((offs[i] - between) / math.sqrt(1 + share**2 + (1 - share) ** 2))
    if not scatter:
        return []
    draws = random.Random(curve.name)  # noqa: S311 - a simulation, the same again for each curve
    regrets = []
    for _ in range(_DRAWS):
        costs = {
            size: _cost(took * math.exp(draws.choice((-1, 1)) * draws.choice(scatter)), size)
            for size, took in zip(curve.memory_mb, modelled, strict=True)
        }
        regrets.append(costs[cheapest_mb] / min(costs.values()) - 1)
    return sorted(regrets)


def compare_all(curves: Sequence[Curve]) -> Iterator[Comparison]:
    """Hold the model against curves, on all cores, in their order."""
    with ProcessPoolExecutor(
        mp_context=multiprocessing.get_context("spawn"), initializer=_follow_the_starter
    ) as processes:
        yield from processes.map(compare, curves)


def _follow_the_starter() -> None:
    """Leave Ctrl-C to the process that started this one, and end with it, however that ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_starter, daemon=True).start()


def _end_with_the_starter() -> None:
    starter = multiprocessing.parent_process()
    if starter is not None:
        starter.join()
        os._exit(1)


def families(comparisons: Iterable[Comparison]) -> list[Family]:
    """Return what holds for the curves of each kind and architecture, and last for all."""
    members: dict[str, list[Comparison]] = defaultdict(list)
    for one in comparisons:
        members[f"{one.curve.kind}, {one.curve.architecture}"].append(one)
    everything = [one for family in members.values() for one in family]
    return [
        *(_family(name, members[name]) for name in sorted(members)),
        _family("all", everything),
    ]


def _family(name: str, members: Sequence[Comparison]) -> Family:
    cheapest = [one.cheapest_regret for one in members]
    fastest = [one.fastest_regret for one in members]
    return Family(
        name=name,
        curves=len(members),
        median_error=statistics.median(one.median_error for one in members),
        p90_error=statistics.median(one.p90_error for one in members),
        worst_p90_error=max(one.p90_error for one in members),
        between_median_error=_middle(one.between_median_error for one in members),
        between_p90_error=_middle(one.between_p90_error for one in members),
        cheapest_regret=statistics.median(cheapest),
        worst_cheapest_regret=max(cheapest),
        cheapest_near=sum(not one.misses for one in members),
        misses_by_scatter=sum(one.misses_by_scatter for one in members),
        fastest_regret=statistics.median(fastest),
        worst_fastest_regret=max(fastest),
    )


def _middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _errors(curve: Curve, work: Work, sizes: Iterable[int]) -> list[float]:
    """Return the absolute relative errors at these sizes, ascending."""
    return sorted(
        abs(work.duration_ms(curve.memory_mb[i]) / curve.duration_ms[i] - 1) for i in sizes
    )


def _p90(ascending: Sequence[float]) -> float:
    return ascending[int(0.9 * (len(ascending) - 1))]


def _cost(duration: float, size: int) -> float:
    return math.ceil(duration) * size


def _cost_of(work: Work, size: int) -> float:
    """Return a size's modelled cost on cores of several speeds: none are cheap by a hair."""
    paces = (replace(work, cpu_ms=work.cpu_ms * pace) for pace in _PACES)
    return statistics.fmean(_cost(paced.duration_ms(size), size) for paced in paces)


def _choice(
    curve: Curve, modelled: Sequence[float], measure: Callable[[float, int], float]
) -> tuple[int, float]:
    """Return the size with the least of what is modelled, and its regret in AWS's numbers."""
    best = min(range(len(modelled)), key=modelled.__getitem__)
    actual = [
        measure(took, size) for took, size in zip(curve.duration_ms, curve.memory_mb, strict=True)
    ]
    return curve.memory_mb[best], actual[best] / min(actual) - 1


def write(comparisons: Sequence[Comparison], folder: Path) -> list[Path]:
    """Write tables, numbers and plots into a folder; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    table, numbers = folder / "fidelity.md", folder / "fidelity.json"
    table.write_text(f"{as_markdown(comparisons)}\n{by_family(families(comparisons))}")
    numbers.write_text(json.dumps([c.to_json() for c in comparisons], indent=1) + "\n")
    return [table, numbers, *_plots(comparisons, folder)]


def as_markdown(comparisons: Sequence[Comparison]) -> str:
    """Return the comparison as a table, one line per function."""
    heads = ["function", "CPU ms", "waits ms", "width", "besides", "median error", "90 %"]
    heads += ["between: median", "90 %", "cheapest MB (regret)", "scatter's own"]
    heads += ["fastest MB (regret)"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for c in comparisons:
        cells = [_cell(c.curve.name), f"{c.work.cpu_ms:.1f}", f"{c.work.blocked_ms:.1f}"]
        cells += [f"{c.work.width:g}", _besides(c.work)]
        cells += [_percent(c.median_error), _percent(c.p90_error)]
        cells += [_percent(c.between_median_error), _percent(c.between_p90_error)]
        cells += [
            f"{c.cheapest_mb} ({_percent(c.cheapest_regret)})",
            _percent(c.scatter_regret)
            and f"{c.scatter_regret:.0%} to {c.scatter_regret_at_most:.0%}",
            f"{c.fastest_mb} ({_percent(c.fastest_regret)})",
        ]
        lines.append(_row(cells))
    agreeing = sum(c.agrees for c in comparisons)
    lines.append("")
    lines.append(
        f"{len(comparisons)} functions; for {agreeing} both choices are within {NEAR:.0%} of "
        "AWS's best. Between: errors of every other size, fitted without it. Scatter's own: the "
        "cheapest size's regret, in the middle and at most with 95 %, if the model were the truth "
        "and sizes scattered about it as they do here."
    )
    misses = [c for c in comparisons if c.misses]
    if misses:
        by_scatter = sum(c.misses_by_scatter for c in misses)
        lines.append(
            f"{len(misses)} cheapest sizes cost more than {NEAR:.0%} over AWS's best; the scatter "
            f"of the measurements alone would make as much of {by_scatter} of them."
        )
    return "\n".join(lines) + "\n"


def by_family(found: Sequence[Family]) -> str:
    """Return errors and regret as a table, one line per family."""
    heads = ["family", "curves", "median error", "90 %", "worst 90 %", "between: median", "90 %"]
    heads += [f"cheapest within {NEAR:.0%}", "missed by scatter", "its regret: middle", "worst"]
    heads += ["fastest's regret: middle", "worst"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for one in found:
        cells = [_cell(one.name), str(one.curves)]
        cells += map(_percent, (one.median_error, one.p90_error, one.worst_p90_error))
        cells += map(_percent, (one.between_median_error, one.between_p90_error))
        cells += [f"{one.cheapest_near} of {one.curves}", str(one.misses_by_scatter)]
        cells += map(_percent, (one.cheapest_regret, one.worst_cheapest_regret))
        cells += map(_percent, (one.fastest_regret, one.worst_fastest_regret))
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def _besides(work: Work) -> str:
    """Name what was found beside CPU time, waiting and width."""
    parts = ["equal threads"] if work.equal and work.width > 1 else []
    parts += [f"{work.architecture} cores"] if work.architecture else []
    parts += [f"network {work.transfer_ms:.0f} ms"] if work.transfer_ms else []
    parts += [f"heap {work.live_mb:.0f} MB"] if work.live_mb else []
    return ", ".join(parts)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plots(comparisons: Sequence[Comparison], folder: Path) -> list[Path]:
    import vl_convert

    files = []
    for number, comparison in enumerate(comparisons, 1):
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", comparison.curve.name)[:_NAME_LENGTH]
        file = folder / f"{number:03d}-{name}.svg"
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
        "title": printable(comparison.curve.name),
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
