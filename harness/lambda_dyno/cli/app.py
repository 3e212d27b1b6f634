"""The command `dyno`: parse, call, print. Decisions live in the modules it calls.

The result goes to standard output (`--json`: nothing else does); progress, warnings and
errors go to standard error.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from lambda_dyno import __version__
from lambda_dyno.cli import apply as cli_apply
from lambda_dyno.cli import bootstrap as cli_bootstrap
from lambda_dyno.cli import comment as cli_comment
from lambda_dyno.cli import deploy as cli_deploy
from lambda_dyno.cli import destroy as cli_destroy
from lambda_dyno.cli import doctor as cli_doctor
from lambda_dyno.cli import history as cli_history
from lambda_dyno.cli import notify as cli_notify
from lambda_dyno.cli import query as cli_query
from lambda_dyno.cli import run, standing, sweep, unforeseen
from lambda_dyno.cli import signal as cli_signal
from lambda_dyno.cli import tune as cli_tune
from lambda_dyno.cli.evidence import evidence_app
from lambda_dyno.cli.local import local_app
from lambda_dyno.cli.numbers import strict_numbers
from lambda_dyno.cli.support import EXIT_STATUS_HELP, unwrap_help
from lambda_dyno.cli.tuner import tuner_app
from lambda_dyno.core.errors import StepError
from lambda_dyno.report.streams import outlive_readers
from lambda_dyno.report.terminal import TerminalUi

app = typer.Typer(
    name="dyno",
    cls=unforeseen.Commands,
    help="Size AWS Lambda functions and keep them fast.\n\n"
    "`dyno run` is the whole line: build, up, smoke, tune, load, gate, report, down. The other "
    "commands are its steps, on an environment that `dyno up` or `dyno run --keep` left "
    "standing.\n\n" + EXIT_STATUS_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(local_app, name="local")
app.add_typer(evidence_app, name="evidence")
app.add_typer(tuner_app, name="tuner")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lambda-dyno {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Options of all commands; what each of them does is done by its callback."""


app.command(epilog=EXIT_STATUS_HELP)(run.run)
app.command()(run.up)
app.command()(standing.smoke)
app.command(help=cli_tune.HELP, epilog=EXIT_STATUS_HELP)(cli_tune.tune)
app.command()(standing.load)
app.command(epilog=EXIT_STATUS_HELP)(standing.gate)
app.command()(standing.report)
app.command()(standing.down)
app.command()(run.plan)
app.command(help=cli_comment.HELP)(cli_comment.comment)
app.command(help=cli_notify.HELP)(cli_notify.notify)
app.command()(cli_apply.apply)
app.command()(cli_apply.rollback)
app.command(help=cli_deploy.HELP)(cli_deploy.deploy)
app.command(help=cli_destroy.HELP)(cli_destroy.destroy)
app.command()(cli_bootstrap.bootstrap)
app.command(help=cli_doctor.HELP)(cli_doctor.doctor)
app.command(help=cli_history.HELP)(cli_history.history)
app.command(help=cli_history.COMPARE_HELP)(cli_history.compare)
app.command(help=cli_query.HELP)(cli_query.query)
app.command(help=cli_signal.HELP)(cli_signal.signal)
app.command()(sweep.ls)
app.command()(sweep.sweep)
for commands in (app, local_app, evidence_app, tuner_app):
    unwrap_help(commands)
    strict_numbers(commands)


def main() -> None:
    """Run the command line: whatever goes wrong ends in one line and an exit status."""
    outlive_readers()
    try:
        status: Any = app(prog_name="dyno", standalone_mode=False)
    except SystemExit as end:
        status = end.code
    except unforeseen.MISUSE as error:
        status = unforeseen.tell_misuse(error, TerminalUi())
    except Exception as error:
        status = unforeseen.tell(error, TerminalUi())
    try:
        if sys.stdout is not None:  # as with >&-
            sys.stdout.flush()
    except StepError as error:
        status = unforeseen.tell(error, TerminalUi())
    sys.exit(status)


if __name__ == "__main__":
    main()
