"""The program behind `dyno local fidelity`, which passes its options on."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import typer

from lambda_dyno.cli import unforeseen
from lambda_dyno.cli.support import print_json
from lambda_dyno.core.errors import EXIT_INTERRUPTED, printable
from lambda_dyno.report.terminal import TerminalUi
from tools.fidelity import curves, meter, model


def run(
    folder: Path, *, curves_file: Path | None, with_meter: bool, repeats: int, as_json: bool
) -> None:
    """Write table and plots into a folder, and print the table.

    Args:
        folder: Made if it is missing.
        curves_file: Measured curves; None takes the repository's.
        with_meter: Also hold the meter against the model, which takes minutes.
        repeats: Invocations of each case and size, at least 2.
        as_json: Print numbers in place of the table.
    """
    ui, readings, comparisons = TerminalUi(), [], []
    measured = curves.load_curves() if curves_file is None else curves.read_curves(curves_file)
    folder.mkdir(parents=True, exist_ok=True)  # before a minute's work, should it be impossible
    with ui.step("local", "fitting AWS's own measurements") as step:
        for comparison in model.compare_all(measured):
            comparisons.append(comparison)
            step.update(printable(comparison.curve.name), len(comparisons), len(measured))
        written = model.write(comparisons, folder)
        step.update(f"{len(comparisons)} functions compared: {written[0]}")
    families = model.families(comparisons)
    table = f"{model.as_markdown(comparisons)}\n{model.by_family(families)}"
    if with_meter:
        with ui.step("local", "holding the meter against the model") as step:
            for reading in meter.measure_here(repeats):
                readings.append(reading)
                step.update(reading.case.words, len(readings), meter.COUNT)
            step.update(f"{len(readings)} readings: {meter.write(readings, folder)}")
        table += "\n" + meter.as_markdown(readings)
    if as_json:
        print_json(
            {
                "model": [comparison.to_json() for comparison in comparisons],
                "families": [asdict(family) for family in families],
                "meter": [reading.to_json() for reading in readings],
            }
        )
    else:
        typer.echo(table)


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="python -m tools.fidelity", description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--curves", type=Path)
    parser.add_argument("--meter", action="store_true")
    parser.add_argument("--repeats", type=int, required=True)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    try:
        run(
            given.output,
            curves_file=given.curves,
            with_meter=given.meter,
            repeats=given.repeats,
            as_json=given.json,
        )
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        sys.exit(unforeseen.tell(error, TerminalUi()))


if __name__ == "__main__":
    main()
