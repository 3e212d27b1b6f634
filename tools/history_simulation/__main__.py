"""`make bench-history`: what docs/history.md claims, simulated anew."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tools.history_simulation import critical, synthetic
from tools.history_simulation.rates import BETWEEN_RUNS, NOISE, rates

_HEADS = (
    "| noise | between runs | step | found | at most 2 runs off | a test that knows the place |",
    "|---|---|---|---|---|---|",
)


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="tools.history_simulation", description=__doc__)
    parser.add_argument("--histories", type=int, default=2000, help="for each row of the table")
    parser.add_argument("--seed", type=int, default=1, help="the same one draws the same")
    parser.add_argument("--critical", action="store_true", help="draw the critical values instead")
    parser.add_argument("--runs", type=int, metavar="N", help="write N made-up runs instead")
    parser.add_argument("--store", type=Path, default=Path("history"), help="into this store")
    options = parser.parse_args()
    if options.runs is not None:
        synthetic.write(options.store, options.runs, options.seed)
    elif options.critical:
        for count in critical.COUNTS:
            print(f"    ({count}, {critical.value(count, options.seed):.3f}),", flush=True)
    else:
        print(*_HEADS, sep="\n")
        for between_runs in (BETWEEN_RUNS, BETWEEN_RUNS / 2):
            for noise in json.loads(NOISE.read_text())["classes"]:
                for step in (0.0, 0.1, -0.1):
                    row = rates(noise, step, options.histories, options.seed, between_runs)
                    figures = (row.found, row.near, row.known_place)
                    shown = " | ".join(f"{figure:.1%}" for figure in figures)
                    print(f"| {noise} | {between_runs:.1%} | {step:+.0%} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
