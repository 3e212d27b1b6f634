"""`dyno local`: an AWS on this machine, whose Lambdas feel their memory size."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lambda_dyno.cli.support import (
    JsonOption,
    PortOption,
    RegionOption,
    memory_sizes,
    project_with_environments,
    show,
)
from lambda_dyno.core import assets
from lambda_dyno.core.errors import EXIT_PASS, EXIT_STEP_FAILED, UserError
from lambda_dyno.report.terminal import TerminalUi

if TYPE_CHECKING:
    from lambda_dyno.emulator.server import LocalServer

ModeChoice = Literal["felt", "reported"]
LatencyChoice = Literal["modelled", "measured"]

local_app = typer.Typer(
    help="An AWS on this machine, whose Lambdas feel their memory size. In a project it is the "
    "project's own, and yours elsewhere.",
    no_args_is_help=True,
)


@local_app.command("start")
def local_start(
    port: PortOption = None,
    region: RegionOption = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            help="Lambda invocations at once before callers get a 429, 1 to 1000; "
            "10 if left out, as in a new AWS account."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start the embedded AWS, or say where it runs already."""
    from lambda_dyno.emulator import server

    started = server.start(
        _local_home(),
        port=port,
        region=region or "us-east-1",
        account_concurrency=concurrency,
    )
    where = f"{started.endpoint} (process {started.pid}, account {started.account_id})"
    how = 'point tools at it: eval "$(dyno local env)"'
    show(as_json, started.to_json(), f"{where}\n{how}")


@local_app.command("stop")
def local_stop(as_json: JsonOption = False) -> None:
    """Stop the embedded AWS and everything in it."""
    from lambda_dyno.emulator import server

    stopped = server.stop(_local_home())
    show(
        as_json,
        {"stopped": stopped},
        "stopped" if stopped else f"none was running in {_local_home()}",
    )


@local_app.command("status")
def local_status(as_json: JsonOption = False) -> None:
    """Say whether the embedded AWS runs, and where; exit status 3 if it does not."""
    from lambda_dyno.emulator import server

    running = server.status(_local_home())
    value = {"running": running is not None, **(running.to_json() if running else {})}
    where = f"{running.endpoint} (process {running.pid})" if running else ""
    show(as_json, value, where or f"none runs in {_local_home()}")
    # 3 as in `systemctl status`; 1 is a missed SLO's alone
    raise typer.Exit(EXIT_PASS if running else EXIT_STEP_FAILED)


@local_app.command("logs")
def local_logs(
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=100_000, help="How many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Print the end of the embedded AWS's log."""
    from lambda_dyno.emulator import server

    tail = server.log_tail(_local_home(), lines)
    show(as_json, tail.splitlines(), tail)


@local_app.command("env")
def local_env(as_json: JsonOption = False) -> None:
    """Print the shell lines that point any AWS tool at the embedded AWS."""
    import shlex

    variables = _running().environment()
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines.append("unset AWS_PROFILE AWS_SESSION_TOKEN AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
    show(as_json, variables, "\n".join(lines))


@local_app.command("meter")
def local_meter(
    mode: Annotated[
        ModeChoice | None,
        typer.Option(help="felt: callers wait as on AWS. reported: same REPORT, without the wait."),
    ] = None,
    aws_latency: Annotated[
        LatencyChoice | None,
        typer.Option(
            help="How long the function's calls to AWS take. modelled: as on AWS. measured: as "
            "long as the embedded AWS takes."
        ),
    ] = None,
    steady: Annotated[
        bool | None,
        typer.Option(
            "--steady/--as-it-is",
            help="Whether CPU times are freed of this machine's own unsteadiness, or reported as "
            "they are; for environments that start from now on.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say how the Lambdas of the running embedded AWS are metered, or change it.

    Holds from the next invocation on, until the embedded AWS is stopped.
    """
    from lambda_dyno.emulator import meter

    home = _running().home
    if mode is not None:
        meter.set_mode(home, mode)
    if aws_latency is not None:
        meter.set_aws_latency(home, aws_latency)
    if steady is not None:
        meter.set_steady(home, steady=steady)
    settings = {
        "mode": meter.mode(home),
        "aws_latency": meter.aws_latency(home),
        "steady": meter.steady(home),
    }
    said = settings | {"steady": "yes" if settings["steady"] else "no"}
    show(as_json, settings, "\n".join(f"{name}: {value}" for name, value in said.items()))


@local_app.command("calibrate")
def local_calibrate(as_json: JsonOption = False) -> None:
    """Measure this machine's speed, so that its 128 MB resembles AWS's.

    Takes two seconds; holds for every embedded AWS of this project from then on.
    """
    from lambda_dyno.emulator import meter
    from lambda_emulator import calibrate

    ui = TerminalUi()
    with ui.step("local", "measuring this machine") as step:
        found = calibrate.calibrate(lambda done, total: step.update("measuring", done, total))
        meter.calibrate(_local_home(), found)
        step.update(f"a CPU second here is {found.factors['x86_64']:.2f} s on AWS (x86_64)")
    counts = "{}: 1 ms of CPU here counts as {:.2f} ms"
    show(as_json, found.to_json(), "\n".join(counts.format(*one) for one in found.factors.items()))


@local_app.command("model")
def local_model(
    cpu_ms: Annotated[float, typer.Option("--cpu-ms", help="CPU time of one invocation.")],
    memory_mb: Annotated[str, typer.Option("--memory-mb", help="Sizes, such as 128,752,1024.")],
    threads: Annotated[int, typer.Option(help="Threads or processes that share the work.")] = 1,
    blocked_ms: Annotated[float, typer.Option("--blocked-ms", help="Time spent waiting.")] = 0.0,
    transfer_ms: Annotated[
        float,
        typer.Option("--transfer-ms", help="Network time at 1769 MB; bandwidth follows memory."),
    ] = 0.0,
    live_mb: Annotated[
        float,
        typer.Option("--live-mb", help="Live data of a heap that is collected, as the JVM's."),
    ] = 0.0,
    architecture: Annotated[
        Literal["arm64", "x86_64"], typer.Option(help="Whose cores: they differ above 2048 MB.")
    ] = "x86_64",
    as_json: JsonOption = False,
) -> None:
    """Say how long work takes at a memory size, by the model of AWS's CPU share.

    Also which size is the cheapest, and whether that hangs on how fast the CPU is: by 15 % of
    CPU time, as cores differ and machines are busy.
    """
    from lambda_dyno.emulator import model

    work = model.Work(cpu_ms, threads, blocked_ms, transfer_ms, live_mb, architecture)
    predictions = model.predict(work, memory_sizes(memory_mb, "--memory-mb", "128,752,1024"))
    show(
        as_json,
        [prediction.to_json() for prediction in predictions],
        "\n".join(model.lines(predictions)),
    )


@local_app.command("fidelity")
def local_fidelity(
    folder: Annotated[Path, typer.Option("--output", help="Where table and plots go.")] = Path(
        "runs/fidelity"
    ),
    curves: Annotated[
        Path | None,
        typer.Option(
            help="Curves of your own in place of the repository's: JSON rows of id, power (MB) and "
            "duration_ms; if known cls (family), arch, width (threads at once)."
        ),
    ] = None,
    with_meter: Annotated[
        bool, typer.Option("--meter", help="Also hold the meter against the model; minutes.")
    ] = False,
    repeats: Annotated[
        int, typer.Option(min=2, max=1000, help="Invocations of each case and size.")
    ] = 3,
    as_json: JsonOption = False,
) -> None:
    """Hold the model against measured curves of AWS; write tables by curve and family, and plots.

    Fits CPU time, waiting and width of each curve, half a second for each.
    """
    checkout = assets.checkout()
    if checkout is None:
        raise UserError("there are no measured curves here: run this in a clone of the repository")
    options = [*(["--meter"] if with_meter else []), *(["--json"] if as_json else [])]
    options += ["--curves", str(curves)] if curves is not None else []
    # -P: a folder `tools` of the user's is another one
    program = [sys.executable, "-P", "-m", "tools.fidelity", *options]
    program += ["--output", str(folder), "--repeats", str(repeats)]
    places = os.pathsep.join((str(checkout), str(checkout / "harness")))
    os.execve(  # noqa: S606 - no shell is the point
        sys.executable, program, {**os.environ, "PYTHONPATH": places}
    )


def _running() -> LocalServer:
    """Return the server that runs.

    Raises:
        UserError: None does.
    """
    from lambda_dyno.emulator import server

    home = _local_home()
    running = server.status(home)
    if running is None:
        raise UserError(f"no embedded AWS runs in {home}. Start it: dyno local start")
    return running


def _local_home() -> Path:
    """Return the home of the project's server; outside of any project, of the user's own.

    A folder in which runs were made is no project for that: the server would be another one after
    the first.
    """
    from lambda_dyno.emulator import server

    found = project_with_environments()
    if found is not None:
        return server.project_home(found)
    try:
        return server.project_home(Path.home())
    except RuntimeError as error:  # no HOME, and a user id that nobody knows
        raise UserError("there is no home folder: set HOME, or change into a project") from error
