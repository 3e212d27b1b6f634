"""`dyno evidence`: what waits for the evidence store, and what main has there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lambda_dyno.cli.support import JsonOption, print_json, project, show
from lambda_dyno.core.errors import EXIT_STEP_FAILED, UserError
from lambda_dyno.core.files import short_path
from lambda_dyno.report.terminal import TerminalUi

if TYPE_CHECKING:
    from lambda_dyno.evidence.outbox import Entry

evidence_app = typer.Typer(
    name="evidence",
    help="The evidence store, a bucket that only grows: store under evidence in dyno.toml.",
    no_args_is_help=True,
)

RunsOption = Annotated[
    Path | None,
    typer.Option("--run-dir", metavar="FOLDER", help="Folder of all runs, in the place of runs."),
]

PUSH_HELP = """
Add what runs have left to the store: what failed or was interrupted at a run's end.

Each run adds its rows and its files at its end. What could not be added waits in runs/outbox. \
Nothing is ever replaced: what is there already stays, so this may be done again at any time.

Examples:

\b
  dyno evidence push --dry-run
  dyno evidence push
"""


@evidence_app.command(help=PUSH_HELP)
def push(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be added, and add nothing.")
    ] = False,
    run_dir: RunsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replaced by `PUSH_HELP`."""
    from lambda_dyno.evidence import ending, outbox, sending
    from lambda_dyno.evidence.bucket import Bucket
    from lambda_dyno.evidence.location import Store

    runs, ui = _runs(run_dir), TerminalUi()
    late = list(ending.unqueued(runs, ui.note))
    if dry_run:
        waiting = [_row(entry) for entry in outbox.entries(runs, ui.note)]
        told = [f"{folder.run_id}: not in the outbox yet, for {uri}" for folder, _, uri in late]
        queued_late = [{"run_id": folder.run_id, "store": uri} for folder, _, uri in late]
        show(
            as_json,
            {"waiting": waiting, "not_queued": queued_late},
            "\n".join([*map(_line, waiting), *told]) or "nothing waits",
        )
        return
    for folder, result, uri in late:
        try:
            ending.queue(result, folder, ending.record_of(folder, os.environ), uri, os.environ)
        except (UserError, OSError) as error:
            ui.warn(f"evidence of {folder.run_id} cannot be queued: {error}")
    rows: list[dict[str, Any]] = []
    buckets: dict[Store, Bucket] = {}
    for entry in outbox.entries(runs, ui.note):
        if entry.store not in buckets:
            buckets[entry.store] = Bucket(entry.store)
        row, words = _row(entry), f"adding it to {entry.store.uri}"
        with suppress(sending.StillWaitsError), ui.step(entry.record_id, words) as step:
            sent = sending.send(entry, buckets[entry.store], partial(step.update, words))
            step.update(
                sent.problem or f"{sent.added} files added, {sent.there} were there already"
            )
            if sent.problem:
                raise sending.StillWaitsError
        rows.append({**row, "added": sent.added, "there": sent.there, "problem": sent.problem})
    failed = sum(bool(row["problem"]) for row in rows)
    text = f"{len(rows) - failed} records added" + (f", {failed} still wait" if failed else "")
    show(as_json, rows, text if rows else "nothing waits")
    if failed:
        raise typer.Exit(EXIT_STEP_FAILED)


@evidence_app.command()
def status(run_dir: RunsOption = None, as_json: JsonOption = False) -> None:
    """Say what waits for the store, since when, and why; nobody is asked."""
    from lambda_dyno.evidence import ending, outbox

    runs, note = _runs(run_dir), TerminalUi().note
    rows = [_row(entry) for entry in outbox.entries(runs, note)]
    late = [
        {"run_id": folder.run_id, "store": uri} for folder, _, uri in ending.unqueued(runs, note)
    ]
    lines = [*map(_line, rows), *(f"{row['run_id']}: not in the outbox yet" for row in late)]
    text = "\n".join([*lines, "dyno evidence push adds it"]) if lines else "nothing waits"
    show(as_json, {"waiting": rows, "not_queued": late}, text)


PULL_HELP = """
Bring what main's runs found into a folder: rows, and results that a tuning can begin with.

Only what is below ENV/main of the store is read, which only the roles of the default branch may \
add to. Each file is held against the schema before others see it; what is none of a run's is \
left out, with a line.

Examples:

\b
  dyno evidence pull --env dev
  dyno history --store .dyno/evidence/dev
  dyno tune --function my-function --prior .dyno/evidence/dev
"""


@evidence_app.command(help=PULL_HELP)
def pull(
    env: Annotated[str, typer.Option("--env", help="Environment: a folder of envs/.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FOLDER", help="In the place of .dyno/evidence/ENV."),
    ] = None,
    store: Annotated[
        str, typer.Option(metavar="URI", help="s3://BUCKET/PREFIX, over dyno.toml's.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Replaced by `PULL_HELP`."""
    from lambda_dyno.core.config import load_env
    from lambda_dyno.evidence import pulling
    from lambda_dyno.evidence.bucket import Bucket
    from lambda_dyno.evidence.location import Store

    root = project()
    settings = load_env(root, env, {"evidence.store": store or None}).settings
    if not settings.evidence.store:
        raise UserError(
            f"envs/{env}/dyno.toml: [evidence] store: it names no store; give s3://BUCKET/PREFIX "
            "there, or by --store"
        )
    found = Store.parse(settings.evidence.store)
    folder = to or root / ".dyno" / "evidence" / env
    ui = TerminalUi()
    words = f"reading main's runs in {found.uri}"
    with ui.step("evidence", words) as step:
        pulled = pulling.pull(
            Bucket(found),
            env,
            folder,
            ui.note,
            lambda done, total: step.update(words, done, total),
        )
        step.update(
            f"{pulled.new} records are new, {pulled.there} were there, "
            f"{len(pulled.refused)} lines of what is left out"
        )
    if as_json:
        print_json(pulling.as_json(pulled, folder))
    else:
        typer.echo(str(short_path(folder)))


def _runs(run_dir: Path | None) -> Path:
    return run_dir if run_dir is not None else project() / "runs"


def _row(entry: Entry) -> dict[str, Any]:
    left = entry.left
    return {
        "record_id": entry.record_id,
        "store": entry.store.uri,
        "place": str(entry.place),
        "queued_at": entry.queued_at,
        "files": len(left),
        "bytes": sum(file.size_bytes for _, file in left),
        "problem": entry.problem,
    }


def _line(row: dict[str, Any]) -> str:
    return "".join(_words(row))


def _words(row: dict[str, Any]) -> Iterator[str]:
    yield f"{row['record_id']}: {row['files']} files, {row['bytes']:,} bytes for "
    yield f"{row['store']}/{row['place']}, since {row['queued_at']}"
    if row["problem"]:
        yield f": {row['problem']}"
