"""`make bench-gate`: the simulation's command line, its tables in the terminal and in the docs."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from lambda_dyno.charts.drawing import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    Spec,
    document,
    to_svg,
)
from lambda_dyno.core import formatting
from lambda_dyno.core.errors import EXIT_PASS, EXIT_SLO_MISSED
from lambda_dyno.report.console import print_table
from tools.gate_simulation.gate import (
    CURVE,
    PROJECT,
    RUNS,
    SEED,
    STEPS,
    Share,
    Tally,
    bench,
    targets,
)
from tools.gate_simulation.noise import Effect
from tools.gate_simulation.tables import Report, markdown, tables, with_interval
from tools.gate_simulation.widths import widths

CHART = "images/gate-error-rates.svg"
_BLOCK = "<!-- {}: begin (make bench-gate ARGS=--write-docs) -->\n{}<!-- {}: end -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulation and print its tables; exit with 1 if a target was missed."""
    options = _parser().parse_args(arguments)
    begin = time.monotonic()
    progress = _show if sys.stderr.isatty() else None
    tallies = bench(
        runs=options.runs, seed=options.seed, workers=options.workers, progress=progress
    )
    found = widths(runs=max(20, options.runs // 5), seed=options.seed, workers=options.workers)
    reached = targets(tallies)
    report = Report(tallies, found, reached, options.runs, options.seed, time.monotonic() - begin)
    if options.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print_report(report)
    if options.write_docs:
        write_docs(report, PROJECT / "docs")
    missed = any(target.outcome == "missed" for target in reached)
    return EXIT_SLO_MISSED if missed else EXIT_PASS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-gate", description="How often are the gates wrong? A simulation."
    )
    parser.add_argument("--runs", type=_positive, default=RUNS, help="per case (%(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of chance (%(default)s)")
    parser.add_argument(
        "--workers", type=_positive, default=os.cpu_count() or 1, help="processes (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--write-docs", action="store_true", help="renew the tables and the chart of docs/gates.md"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _show(share: float) -> None:
    print(f"\r{share:4.0%}", end="\r" if share == 1 else "", file=sys.stderr, flush=True)


def print_report(report: Report) -> None:
    """Print the tables and the targets."""
    console = Console()
    for table in tables(report).values():
        print_table(console, table)
    for target in report.targets:
        console.print(
            f"{target.outcome}: {target.text}: {with_interval(target.share)}",
            highlight=False,
            soft_wrap=True,
        )
    console.print(
        f"{report.runs:,} runs per case, seed {report.seed}, "
        f"{formatting.seconds(report.elapsed_s)}",
        highlight=False,
    )


# --- docs -----------------------------------------------------------------------------------


def write_docs(report: Report, docs: Path) -> None:
    """Put the tables between their markers in docs/gates.md, and the chart beside it."""
    path = docs / "gates.md"
    text = path.read_text(encoding="utf-8")
    for name, table in tables(report).items():
        text = replaced(text, name, markdown(table))
    text = replaced(text, "run", _provenance(report))
    path.write_text(text, encoding="utf-8")
    (docs / CHART).parent.mkdir(exist_ok=True)
    (docs / CHART).write_text(to_svg(chart(report)) + "\n", encoding="utf-8")


def replaced(text: str, name: str, content: str) -> str:
    """Return a text with what is between the markers of a name replaced.

    Raises:
        ValueError: It has no such markers.
    """
    begin, end = _BLOCK.format(name, "\0", name).split("\0")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    if not pattern.search(text):
        raise ValueError(f"no markers for {name}")
    return pattern.sub(lambda _: begin + content + end, text)


def _provenance(report: Report) -> str:
    most = max(len(tally.trials) for tally in report.tallies)
    met = "\n".join(
        f"- {target.text}: {with_interval(target.share)}, {target.outcome}"
        for target in report.targets
    )
    return (
        f"{report.runs:,} simulated runs per row ({most:,} for the interleaved ones), seed "
        f"{report.seed}.\nTargets:\n\n{met}\n"
    )


def chart(report: Report) -> Spec:
    """Return how often each rule says fail, over how much worse p95 truly is."""
    lines: tuple[tuple[str, Callable[[Effect], Share], str, list[int]], ...] = (
        (
            "regression gate",
            lambda effect: _of_curve(report, effect).share("fail"),
            BLUE,
            [1, 0],
        ),
        (
            "naive rule",
            lambda effect: report.find("two load tests", "naive", effect).share("fail"),
            ORANGE,
            [8, 3],
        ),
    )
    effects = sorted((*STEPS, *CURVE), key=lambda effect: effect.size)
    x = {
        "field": "worse",
        "type": "quantitative",
        "scale": {"domain": [0, 20], "nice": False},
        "axis": {"title": "How much worse p95 truly is (%)", "tickCount": 8, "grid": False},
    }
    y = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 100], "nice": False},
        "axis": {"title": None, "tickCount": 5, "domain": False, "ticks": False},
    }
    layers: list[Spec] = []
    for name, share, colour, dash in lines:
        values = [
            {
                "worse": effect.size * 100,
                "share": share(effect).value * 100,
                "text": f"{name}: fails {formatting.percent(share(effect).value)} of the runs when "
                f"p95 is {formatting.percent(effect.size)} worse",
            }
            for effect in effects
        ]
        layers += _line(name, values, colour, dash, x, y)
    return document(
        description="How often the gates fail a candidate, over how much worse its p95 truly is",
        title={
            "text": "Runs that fail (%)",
            "anchor": "start",
            "frame": "group",
            "offset": 8,
        },
        width=640,
        height=260,
        layer=layers,
    )


def _of_curve(report: Report, effect: Effect) -> Tally:
    case = "interleaved" if effect in STEPS else "interleaved, other changes"
    return report.find(case, "regression", effect)


def _line(
    name: str, values: list[dict[str, Any]], colour: str, dash: list[int], x: Spec, y: Spec
) -> list[Spec]:
    """Return a line with its points and its name."""
    encoding = {"x": x, "y": y}
    # named where the lines are far from each other
    named = next(value for value in values if value["worse"] >= 7.5)
    above = name != "naive rule"
    return [
        {
            "data": {"values": values},
            "mark": {"type": "line", "color": colour, "strokeDash": dash, "aria": False},
            "encoding": encoding,
        },
        {
            "data": {"values": values},
            "mark": {
                "type": "point",
                "shape": "circle",
                "filled": True,
                "opacity": 1,
                "size": 55,
                "color": colour,
                "stroke": PAPER,
                "strokeWidth": 1.5,
            },
            "encoding": {**encoding, "description": {"field": "text"}},
        },
        {
            "data": {"values": [named]},
            "mark": {
                "type": "text",
                "text": name,
                "align": "right" if above else "left",
                "dx": -10 if above else 10,
                "dy": -4 if above else 8,
                "fontSize": 12,
                "color": INK if above else MUTED,
                "aria": False,
            },
            "encoding": encoding,
        },
    ]


if __name__ == "__main__":
    sys.exit(main())
