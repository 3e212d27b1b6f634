"""`dyno history`: what runs found, over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lambda_dyno.cli.support import JsonOption, print_json, project
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.report.terminal import TerminalUi

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store", metavar="FOLDER", help="Folder of the history, in the place of runs/history."
    ),
]

_LISTED = 15  # runs, where nobody says how many

HELP = """
What runs found, over time: trends with their changes, and the newest runs.

Each run adds a record to runs/history (DYNO_HISTORY names another folder, or turns it off). A \
trend is of one function in one environment and branch; the embedded AWS and AWS are never mixed. \
A change is told where the figures before and after differ by more than runs scatter, at 1 in 100 \
false alarms per trend; it takes four runs after it, and ten in all. One that is several times as \
large as what runs differ by is told at once, after three runs.

Columns: ✓ ✗ ? is the verdict; a + behind a commit means changes that were not committed; \
128→512 means that 128 MB are deployed and 512 MB recommended. Figures are of the deployed size.

Examples:

\b
  dyno history
  dyno history --function crud-api --env dev --branch main --last 50
  dyno history --json | jq '.[].duration_ms'
  dyno history --html                 (writes the trends page, and prints its path)
  dyno compare 261201-0215-k3f9 261203-1840-bw7t
"""


def history(
    function: Annotated[
        str, typer.Option(metavar="NAME", help="Of this function, as the list calls it.")
    ] = "",
    env: Annotated[str, typer.Option(metavar="NAME", help="Of this environment.")] = "",
    branch: Annotated[str, typer.Option(metavar="NAME", help="Of this git branch.")] = "",
    on: Annotated[
        Literal["aws", "embedded"] | None, typer.Option(help="Measured on AWS or embedded AWS.")
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(min=1, help="Most runs to list: 15, with --json all, if left out."),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Write the trends page.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replaced by `HELP`."""
    from rich.console import Console

    from lambda_dyno.history import listing, record, series

    place = record.place(store, project)
    wanted = series.Wanted(function, env, branch, on or "")
    records = [one for one in record.read(place, TerminalUi().note) if wanted.takes(one)]
    newest = records[::-1]
    if as_json:
        print_json([listing.as_json(one) for one in newest[:last]])
        return
    if not records:
        chosen = f" with {brief(wanted.words, most=200)}" if wanted.words else ""
        raise UserError(f"{place}: no run{chosen}. Each run adds one: make tune, dyno tune")
    found = series.series_of(records)
    if html:
        from lambda_dyno.history import page  # brings Jinja: much of the time of a list

        typer.echo(str(page.write(place, found, Path.cwd(), wanted.words)))
        return
    listed = newest[: last or _LISTED]
    typer.echo("\n".join(listing.lines(found, listed, Console().width)))


COMPARE_HELP = """
Two runs, or two commits, of the history side by side: figures, curves, settings, code.

A and B are run ids (dyno history lists them), commits, branches or tags. Of a commit all runs \
count, and their mean is compared. A change has the 95 % interval of what runs of this function \
differ by of themselves, if eight of them are known; a ? behind it means that the two cannot be \
told apart. Runs of the embedded AWS and of AWS do not compare.

To measure two versions in turns, which tells smaller differences: dyno run --baseline main.

Examples:

\b
  dyno compare 261201-0215-k3f9 261203-1840-bw7t
  dyno compare main HEAD --env dev
  dyno compare 1b98e3c0 4f00d2aa --json
"""


def compare(
    before: Annotated[str, typer.Argument(metavar="A", help="Run id, commit, branch or tag.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The same.")],
    function: Annotated[str, typer.Option(metavar="NAME", help="Of this function.")] = "",
    env: Annotated[str, typer.Option(metavar="NAME", help="Of this environment.")] = "",
    on: Annotated[
        Literal["aws", "embedded"] | None, typer.Option(help="Measured on AWS or embedded AWS.")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replaced by `COMPARE_HELP`."""
    from rich.console import Console

    from lambda_dyno.history import named, record, series, side_by_side

    place = record.place(store, project)
    wanted = series.Wanted(function, env, "", on or "")
    note = TerminalUi().note
    found, code = named.compare(place, (before, after), wanted, Path.cwd(), note)
    if as_json:
        print_json(side_by_side.as_json(found, code))
    else:
        typer.echo("\n".join(side_by_side.lines(found, code, Console().width)))
