"""The program behind `make bench-tuner`: the tuner's own decisions, replayed on measured curves."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from lambda_dyno.cli import unforeseen
from lambda_dyno.core.errors import EXIT_INTERRUPTED, UserError
from lambda_dyno.core.files import write_atomically
from lambda_dyno.core.progress import Step
from lambda_dyno.report.terminal import TerminalUi
from tools.tuner_bench import tables
from tools.tuner_bench.curves import CURVES, Curve, read
from tools.tuner_bench.replay import STRATEGIES, Replayed, replay

_DEFAULT = ("cost", "speed", "balanced")
Job = tuple[Curve, str, int, int]


def run(jobs: Sequence[Job], step: Step) -> list[Replayed]:
    """Return all replays, made on all cores, in the jobs' order."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found: list[Replayed] = []
        for done, made in enumerate(pool.map(_replay, jobs, chunksize=2), 1):
            found += made
            step.update("replaying", done, len(jobs))
    return found


def _replay(job: Job) -> list[Replayed]:
    return replay(*job)


def _jobs(curves: Sequence[Curve], given: argparse.Namespace) -> Iterator[Job]:
    for strategy in given.strategy or _DEFAULT:
        for repeat in range(given.repeats):
            for curve in curves:
                yield curve, strategy, repeat, given.seed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench-tuner ARGS=...", description=__doc__)
    parser.add_argument(
        "--curves",
        type=Path,
        default=CURVES,
        help="JSON list of objects with id, power [MB], duration_ms, cls; default: the project's",
    )
    parser.add_argument(
        "--strategy",
        action="append",
        choices=STRATEGIES,
        help="may be repeated; default: cost, speed and balanced. Limits are drawn within a curve",
    )
    parser.add_argument("--repeats", type=_count, default=2, help="of each curve (default 2)")
    parser.add_argument("--seed", type=int, default=1, help="of all chance (default 1)")
    parser.add_argument("--choices", type=Path, help="file for a line of JSON per replay")
    parser.add_argument("--json", action="store_true", help="print JSON in place of tables")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError("must be 1 to 10000")
    return int(text)


def _write_choices(path: Path | None, found: Sequence[Replayed]) -> None:
    """Write a line for each replay.

    Raises:
        UserError: The file cannot be written.
    """
    if path is None:
        return
    try:
        write_atomically(path, "".join(json.dumps(one.to_line()) + "\n" for one in found))
    except OSError as error:
        raise UserError(f"--choices {path}: {error.strerror or error}") from error


def main() -> int:
    """Run the program and return its exit status."""
    given = _parser().parse_args()
    ui = TerminalUi()
    curves = read(given.curves)
    _write_choices(given.choices, ())  # before minutes of work, should it be impossible
    with ui.step("bench", f"{len(curves)} curves") as step:
        found = run(list(_jobs(curves, given)), step)
        step.update(f"{len(found):,} replays")
    _write_choices(given.choices, found)
    rows = tables.summarise(found)
    print(json.dumps({"policies": rows}, indent=2) if given.json else tables.as_text(rows))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        sys.exit(unforeseen.tell(error, TerminalUi()))
