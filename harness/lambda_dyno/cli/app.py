"""The command `dyno`: parse, call, print. Decisions live in the modules it calls.

The result goes to standard output (`--json`: nothing else does); progress, warnings and
errors go to standard error.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from lambda_dyno import __version__
from lambda_dyno.cli import apply as cli_apply
from lambda_dyno.cli import bootstrap as cli_bootstrap
from lambda_dyno.cli import comment as cli_comment
from lambda_dyno.cli import deploy as cli_deploy
from lambda_dyno.cli import tune as cli_tune
from lambda_dyno.cli import unforeseen
from lambda_dyno.cli.local import local_app
from lambda_dyno.cli.numbers import strict_numbers
from lambda_dyno.cli.support import (
    EXIT_STATUS_HELP,
    EnvOption,
    JsonOption,
    NumOption,
    PortOption,
    RegionOption,
    RunOption,
    StrategyOption,
    WaitOption,
    power_values,
    print_json,
    project,
    reopened,
    summary,
    unwrap_help,
)
from lambda_dyno.core.errors import DynoError, StepError, UserError
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.terminal import outlive_readers

app = typer.Typer(
    name="dyno",
    cls=unforeseen.Commands,
    help="Size AWS Lambda functions and keep them fast.\n\n"
    "`dyno run` is the whole line: build, up, smoke, tune, load, gate, report, down. The other "
    "commands are its steps, on an environment that `dyno up` or `dyno run --keep` left "
    "standing.\n\n" + EXIT_STATUS_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(local_app, name="local")

AnyRunOption = Annotated[str | None, typer.Option("--run", help="Run id; the newest if left out.")]
PowerOption = Annotated[
    str | None, typer.Option("--power", help="Power values in MB, such as 128,512,1024.")
]
UsersOption = Annotated[int | None, typer.Option("--virtual-users", help="Users at once.")]
DurationOption = Annotated[
    float | None, typer.Option("--duration-s", help="Seconds of load, ramp-up included.")
]
RampOption = Annotated[
    float | None, typer.Option("--ramp-up-s", help="Seconds until all users are there.")
]
PacingOption = Annotated[
    int | None, typer.Option("--pacing-ms", help="Least time of one user's iteration.")
]


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


@app.command(epilog=EXIT_STATUS_HELP)
def run(
    context: typer.Context,
    env: EnvOption = "local",
    keep: Annotated[bool, typer.Option(help="Leave the environment standing.")] = False,
    power: PowerOption = None,
    num: NumOption = None,
    strategy: StrategyOption = None,
    virtual_users: UsersOption = None,
    duration_s: DurationOption = None,
    ramp_up_s: RampOption = None,
    pacing_ms: PacingOption = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="WHAT",
            help="Also compare with a branch, tag, commit, run id or result.json: both are "
            "deployed side by side and measured in turns.",
        ),
    ] = None,
    region: RegionOption = None,
    port: PortOption = None,
    resume_id: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="RUN_ID",
            help="Go on with a run that stopped half-way, from the last finished step and with "
            "its own settings.",
        ),
    ] = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Deploy, tune, load, judge, report and take down: the whole line.

    Settings come from envs/ENV/dyno.toml; a flag overrides its key. Evidence is written to
    runs/RUN_ID/.
    """
    from lambda_dyno.run import lifecycle
    from lambda_dyno.run.run import Run

    if resume_id is not None:
        raise typer.Exit(_resume(context, resume_id, keep=keep, wait=wait, as_json=as_json))
    overrides = {
        **_tuning_overrides(power, num, strategy),
        **_load_overrides(virtual_users, duration_s, ramp_up_s, pacing_ms),
        "regression.baseline": baseline,
        "environment.region": region,
    }
    prepared = Run.prepare(project(), env, Ui(), overrides=overrides, port=port)
    status = lifecycle.execute(prepared, keep=keep)
    if as_json:
        print_json(prepared.result.to_json())
    else:
        summary(prepared)
    raise typer.Exit(status)


def _resume(context: typer.Context, run_id: str, *, keep: bool, wait: bool, as_json: bool) -> int:
    """Go on with a run and return the exit status."""
    from lambda_dyno.run import lifecycle
    from lambda_dyno.run.resume import Resumed

    own = ("resume_id", "keep", "wait", "as_json")
    given = [
        f"--{name.replace('_', '-')}"
        for name in context.params
        if name not in own
        and (source := context.get_parameter_source(name))
        and source.name == "COMMANDLINE"
    ]
    if given:
        raise UserError(f"{', '.join(given)}: a run goes on with its own settings")
    ui = Ui()
    resumed = Resumed.prepare_again(project(), run_id, ui, waiting=ui.note if wait else None)
    status = lifecycle.execute(resumed, keep=keep, work=resumed.work)
    if as_json:
        print_json(resumed.result.to_json())
    else:
        summary(resumed)
    return status


@app.command()
def up(
    env: EnvOption = "local",
    region: RegionOption = None,
    port: PortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deploy an environment and leave it standing."""
    from lambda_dyno.run import lifecycle
    from lambda_dyno.run.run import Run

    overrides = {"environment.region": region}
    prepared = Run.prepare(project(), env, Ui(), overrides=overrides, port=port)
    with lifecycle.teardown_on_failure(prepared):
        prepared.up(prepared.build())
        prepared.keep()
    result = prepared.result
    if as_json:
        print_json(
            {
                "run_id": result.run_id,
                "env": result.env,
                "name_prefix": result.name_prefix,
                "outputs": result.outputs,
            }
        )
        return
    where = result.outputs.get("api_url") or result.outputs["function_arn"]
    typer.echo(f"{result.name_prefix} is up: {where}")
    typer.echo(f"go on:     dyno smoke|tune|load|gate|report --run {result.run_id}")
    typer.echo(f"take down: make down RUN={result.run_id}")


@app.command()
def smoke(run_id: RunOption = None, wait: WaitOption = False, as_json: JsonOption = False) -> None:
    """Ask every operation of a standing environment's API once, refusals too."""
    with reopened(run_id, wait=wait) as opened:
        result = opened.smoke()
    if as_json:
        print_json(opened.result.to_json()["smoke"])
    else:
        typer.echo(result.counts)


app.command(help=cli_tune.HELP, epilog=EXIT_STATUS_HELP)(cli_tune.tune)


@app.command()
def load(
    run_id: RunOption = None,
    virtual_users: UsersOption = None,
    duration_s: DurationOption = None,
    ramp_up_s: RampOption = None,
    pacing_ms: PacingOption = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Load the API of a standing environment at its current and recommended memory size."""
    overrides = _load_overrides(virtual_users, duration_s, ramp_up_s, pacing_ms)
    with reopened(run_id, overrides, wait=wait) as opened:
        opened.load()
        opened.keep()
    if as_json:
        print_json(opened.result.to_json()["load"])
    else:
        summary(opened, parts=("load",))


@app.command(epilog=EXIT_STATUS_HELP)
def gate(run_id: RunOption = None, wait: WaitOption = False, as_json: JsonOption = False) -> None:
    """Hold what was measured against the SLO."""
    from lambda_dyno.run import lifecycle

    with reopened(run_id, wait=wait) as opened:
        opened.gate()
    if as_json:
        print_json(opened.result.to_json()["verdict"])
    else:
        summary(opened, parts=("verdict",))
    raise typer.Exit(lifecycle.exit_status(opened))


@app.command()
def report(
    run_id: Annotated[
        str | None, typer.Option("--run", help="Run id; the newest if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a run's report again from its result.json."""
    from lambda_dyno.run.run import Run

    opened = Run.reopen(project(), run_id, Ui(), standing=False)
    path = opened.report()
    if as_json:
        print_json(opened.result.to_json())
    else:
        typer.echo(str(path))


@app.command()
def down(
    run_id: RunOption = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a standing environment down and prove that nothing is left."""
    from lambda_dyno.run import lifecycle

    reopen = reopened(run_id, any_state=True, wait=wait)
    with reopen as opened, lifecycle.shielded(opened.ui):
        opened.down()
    if as_json:
        print_json({"run_id": opened.result.run_id, "leftovers": []})
    else:
        typer.echo(f"run {opened.result.run_id}: nothing left behind")


@app.command()
def plan(env: EnvOption = "local", as_json: JsonOption = False) -> None:
    """Show what an environment would consist of; nothing is deployed."""
    from lambda_dyno.run.run import Run

    prepared = Run.prepare(project(), env, Ui())
    try:
        changes = prepared.plan()
    finally:
        prepared.discard()
    if as_json:
        print_json(changes)
    else:
        typer.echo("\n".join(changes))


app.command()(cli_comment.comment)
app.command()(cli_apply.apply)
app.command()(cli_apply.rollback)
app.command(help=cli_deploy.HELP)(cli_deploy.deploy)
app.command()(cli_bootstrap.bootstrap)


@app.command()
def ls(as_json: JsonOption = False) -> None:
    """List runs and whether their environments stand: those here, and in the account's bucket."""
    from lambda_dyno.cleanup import sweeper

    rows = sweeper.listing(project(), Ui())
    if as_json:
        print_json(rows)
        return
    for row in rows:
        elsewhere = f"  {row['where']}" if row["where"].startswith("s3://") else ""
        typer.echo(
            f"{row['run_id']}  {row['env']:<6} {row['state']:<10} "
            f"{row['account_id']}  expires {row['expires_at']}  {row['owner']}{elsewhere}"
        )


@app.command()
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

    swept = sweeper.sweep(project(), Ui(), older_than_h=older_than_h, dry_run=dry_run)
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


for commands in (app, local_app):
    unwrap_help(commands)
    strict_numbers(commands)


def main() -> None:
    """Run the command line: whatever goes wrong ends in one line and an exit status."""
    outlive_readers()
    try:
        status: Any = app(prog_name="dyno", standalone_mode=False)
    except SystemExit as end:
        status = end.code
    except TyperException as error:
        status = unforeseen.tell_misuse(error, Ui())
    except Exception as error:
        status = _tell(error)
    try:
        if sys.stdout is not None:  # as with >&-
            sys.stdout.flush()
    except StepError as error:
        status = _tell(error)
    sys.exit(status)


def _tell(error: Exception) -> int:
    """Say what went wrong and return its exit status."""
    if not isinstance(error, DynoError):
        return unforeseen.tell(error, Ui())
    Ui().error(str(error), error.hint if isinstance(error, StepError) else "")
    return error.exit_code


def _tuning_overrides(power: str | None, num: int | None, strategy: str | None) -> dict[str, Any]:
    return {
        "tuning.power_values": None if power is None else power_values(power),
        "tuning.num": num,
        "tuning.strategy": strategy,
    }


def _load_overrides(
    virtual_users: int | None,
    duration_s: float | None,
    ramp_up_s: float | None,
    pacing_ms: int | None,
) -> dict[str, Any]:
    return {
        "load.virtual_users": virtual_users,
        "load.duration_s": duration_s,
        "load.ramp_up_s": ramp_up_s,
        "load.pacing_ms": pacing_ms,
    }


if __name__ == "__main__":
    main()
