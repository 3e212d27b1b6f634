"""`dyno query`: SQL over what runs found, the same text as in Athena."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lambda_dyno.cli.completion import query_names
from lambda_dyno.cli.history import StoreOption
from lambda_dyno.cli.support import JsonOption, print_json, project
from lambda_dyno.core.errors import UserError
from lambda_dyno.report.terminal import TerminalUi

HELP = """
Ask the history in SQL: a query by its name, or one of your own.

The named queries are those that modules/evidence_queries makes in Athena, text for text; here \
DuckDB runs them over runs/history. Tables are runs, tunings, samples, loads and checks \
(docs/history.md has their columns), each with store_env, the environment.

A query of your own is one SELECT in a file. It sees these rows and nothing else: no other file, \
nothing to write.

Examples:

\b
  dyno query --list
  dyno query savings-not-taken
  dyno query p95-by-commit --csv > p95.csv
  dyno query runs-a-week --json | jq '.[].runs'
  dyno query best-size --sql          (the text, for Athena or anything else)
  dyno query --file mine.sql --store downloaded/history
"""


def query(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="A named query; --list shows them.", autocompletion=query_names
        ),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the named queries.")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="Q.SQL", help="A SELECT of your own.")
    ] = None,
    show_sql: Annotated[bool, typer.Option("--sql", help="Print the text, run nothing.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV on stdout.")] = False,
) -> None:
    """Replaced by `HELP`."""
    from rich.console import Console

    from lambda_dyno.history import answers, queries, record
    from lambda_dyno.history.store import Store

    if (name is not None) + listed + (file is not None) != 1:
        raise UserError("give a query's name, or --file Q.SQL, or --list, and one of them only")
    if as_json and as_csv:
        raise UserError("--json and --csv: give one of them")
    if listed:
        every = queries.named().values()
        if as_json:
            print_json([{"name": each.name, "answers": each.answers} for each in every])
        else:
            longest = max(len(each.name) for each in every)
            typer.echo("\n".join(f"{each.name:<{longest}}  {each.answers}" for each in every))
        return
    wanted = queries.find(name) if name is not None else queries.of_file(file or Path())
    if show_sql:
        typer.echo(wanted.text, nl=False)
        return
    place = record.place(store, project)
    found = queries.ask(Store(place, TerminalUi().note), wanted)
    if as_json:
        print_json(answers.as_json(found))
    elif as_csv:
        typer.echo(answers.as_csv(found), nl=False)
    else:
        typer.echo("\n".join(answers.lines(found, Console().width)))
