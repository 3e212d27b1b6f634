"""`dyno ls` and `dyno sweep`: what stands, and what should be gone."""

from __future__ import annotations

from typing import Annotated

import typer

from lambda_dyno.cli.support import JsonOption, print_json, project
from lambda_dyno.core.errors import StepError
from lambda_dyno.report.terminal import TerminalUi


def ls(as_json: JsonOption = False) -> None:
    """List runs and whether their environments stand: those here, and in the account's bucket."""
    from lambda_dyno.cleanup import sweeper

    rows = sweeper.listing(project(), TerminalUi())
    if as_json:
        print_json(rows)
        return
    if not rows:
        typer.echo("no runs here, and no environment that stands")
    for row in rows:
        elsewhere = f"  {row['where']}" if row["where"].startswith("s3://") else ""
        typer.echo(
            f"{row['run_id']}  {row['env']:<6} {row['state']:<10} "
            f"{row['account_id']}  expires {row['expires_at']}  {row['owner']}{elsewhere}"
        )


def sweep(
    older_than_h: Annotated[
        float | None, typer.Option("--older-than", help="Hours since the start, over the expiry.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take down what expired or lost its owner, and name what nobody can take down safely.

    It looks for programs, for runs here, and in the account of your credentials for state
    objects, names and tags.
    """
    from lambda_dyno.cleanup import sweeper

    swept = sweeper.sweep(project(), TerminalUi(), older_than_h=older_than_h, dry_run=dry_run)
    if as_json:
        print_json([row.to_json() for row in swept])
    elif not swept:
        typer.echo("nothing to sweep")
    else:
        for row in swept:
            typer.echo(f"{row.run_id or row.reason}: {row.outcome}")
            for leftover in row.left:
                typer.echo(f"  {leftover.kind} {leftover.name}: {leftover.remove}")
    if not all(row.is_gone for row in swept):
        raise typer.Exit(StepError.exit_code)
