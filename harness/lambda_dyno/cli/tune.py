"""`dyno tune`: the function of a standing environment, or any function that is there."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lambda_dyno.cli import tune_options as opt
from lambda_dyno.cli.support import (
    RunOption,
    WaitOption,
    power_values,
    print_json,
    project,
    reopened,
    show,
    summary,
    workplace,
)
from lambda_dyno.core import reading
from lambda_dyno.core.errors import UserError
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.tuner_contract.keys import KEYS

if TYPE_CHECKING:
    from lambda_dyno.run.function_tune import FunctionTune
    from lambda_dyno.run.run import Run
    from lambda_dyno.tune.request import CommandLine

# A line per paragraph: rich wraps them, and keeps the breaks of examples.
HELP = """
Measure a function at every power value, and say which is best.

Without --function: the function of a standing environment (`dyno up`, `dyno run --keep`).

With --function: any function that is there. Nothing is deployed but the power tuner, \
which may touch that function alone and is taken down afterwards whatever happens. The \
function stays as it was: its memory size, and no version and no alias more. While versions are \
published, $LATEST runs through all sizes, the smallest first, for whoever calls it without a \
version or an alias; with --isolation clone a temporary copy does, and the function is not \
touched. A version or an alias (NAME:25, NAME:live) is always measured by a copy. It works in the \
account and region that your credentials name (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL).

With --deployed --env NAME: the function that `dyno deploy` keeps there, by the power tuner that \
stands beside it. It is called as often as the tuning says, with real data: with those requests \
of the load test that only read (GET, HEAD) or that \\[tuning] safe names, or with a payload. \
`dyno apply` then proposes what was found.

Examples:

\b
  dyno tune --function my-function --payload event.json
  dyno tune --function my-function --power 128,512,1024 --num 50
  dyno tune --function my-function --power ALL --parallel --json >out.json
  dyno tune --function my-function --payload-s3 s3://my-bucket/event.json
  dyno tune --function my-function --only-cold-starts --strategy speed
  dyno tune --function my-function:live
  dyno tune --function my-function --architectures arm64,x86_64
  dyno tune --function my-function --strategy limit --max-duration-ms 200 --limit-on p95
  dyno tune --function my-function --prior newest     (after another one of the same code)
  dyno tune --function my-function --auto-optimize --auto-optimize-alias live
  dyno tune --function my-function --keep     (the next one with --tuner ARN)
  dyno tune --input sample-execution-input.json

The last one takes the input file of aws-lambda-power-tuning's execute.sh as it is. Several \
payloads with weights are a list in the payload's file:

\b
  [{"payload": {"id": 1}, "weight": 3}, {"payload": {"id": 2}, "weight": 1}]

Settings come from \\[tuning] in envs/ENV/dyno.toml with --env, else from built-in \
defaults; a flag overrides its key. Evidence is written to runs/RUN_ID/.
"""


_PARTS = (
    "summary",
    "options",
    "architectures",
    "money",
    "memory",
)  # of what is printed of a tuning


@opt.with_keys
def tune(
    run_id: RunOption = None,
    wait: WaitOption = False,
    function: opt.Function = None,
    deployed: opt.Deployed = False,
    tuner: opt.Tuner = None,
    input_file: opt.InputFile = None,
    env: opt.Env = None,
    region: opt.Region = None,
    package_arm64: opt.PackageArm64 = None,
    package_x86_64: opt.PackageX86 = None,
    keep: opt.Keep = False,
    timeout_minutes: opt.TimeoutMinutes = None,
    as_json: opt.OutputJson = False,
    **keys: Any,
) -> None:
    """Replaced by `HELP`."""
    from lambda_dyno.tune import request

    given = {name: value for name, value in keys.items() if value not in (None, [])}
    payloads = [name for name in ("payload", "payload_s3", "workload") if name in given]
    if len(payloads) > 1:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in payloads)
        raise UserError(f"{flags}: give one of them, not both")
    if given.get("payload") == "-" and input_file == "-":
        raise UserError("--payload - and --input -: only one of them can read standard input")
    if "power_values" in given:
        given["power_values"] = power_values(given["power_values"])
    if "payload" in given:
        given["payload"] = reading.read_argument(given["payload"], "--payload")
    if "workload" in given:
        of_env = function is None and input_file is None  # its API turns requests into events
        path = given["workload"]
        given["workload"] = (
            str(Path(path).absolute()) if of_env else reading.read_argument(path, "--workload")
        )
    if "architectures" in given:
        given["architectures"] = sorted(
            {part.strip() for part in given["architectures"].split(",")}
        )
    files = {"arm64": package_arm64, "x86_64": package_x86_64}
    packages = {name: Path(path).absolute() for name, path in files.items() if path}
    line = request.CommandLine(
        given, function, tuner, input_file, env, region, keep, timeout_minutes, packages
    )
    if deployed:
        _require_alone(run_id, line, wait=wait)
        raise typer.Exit(_tune_deployed(line, as_json=as_json))
    if function is None and input_file is None:
        _tune_standing(run_id, line, wait=wait, as_json=as_json)
    elif wait:
        raise UserError("--wait: it is for a standing environment; here --on-conflict wait")
    elif run_id is not None:
        raise UserError("--run: it names a standing environment; --function and --input do not")
    else:
        raise typer.Exit(_tune_function(line, as_json=as_json))


def _tune_standing(run_id: str | None, line: CommandLine, *, wait: bool, as_json: bool) -> None:
    """Tune the function of a standing environment."""
    from lambda_dyno.run.steps import tune as step_of

    needs_function = {
        "--tuner": line.tuner is not None,
        "--env": line.env is not None,
        "--region": line.region is not None,
        "--keep": line.keep,
        "--package-arm64": "arm64" in line.packages,
        "--package-x86-64": "x86_64" in line.packages,
        **{
            key.flag.partition("/")[0]: key.field in line.flags
            for key in KEYS
            if key.flag and not key.setting and key.field not in ("workload", "prior")
        },
    }
    wrong = [flag for flag, is_given in needs_function.items() if is_given]
    if wrong:
        raise UserError(f"{', '.join(wrong)}: say which function with --function NAME_OR_ARN")
    overrides = {f"tuning.{name}": value for name, value in line.flags.items()}
    overrides["tuning.timeout_minutes"] = line.timeout_minutes
    found = before = None
    try:
        with reopened(run_id, overrides, wait=wait) as opened:
            found, before = opened, opened.result.tuning
            step_of.step(opened)
    finally:  # what was measured before time was up is told, too
        if found is not None and found.result.tuning is not before:
            show(
                as_json,
                found.result.to_json()["tuning"],
                lambda: summary(found, parts=_PARTS),
            )


def _require_alone(run_id: str | None, line: CommandLine, *, wait: bool) -> None:
    """Refuse what --deployed has no place for."""
    against = {
        "--run": run_id is not None,
        "--wait": wait,
        "--function": line.function is not None,
        "--tuner": line.tuner is not None,
        "--input": line.input_file is not None,
        "--keep": line.keep,
    }
    wrong = [flag for flag, is_given in against.items() if is_given]
    if wrong:
        raise UserError(f"--deployed: it says function and tuner; leave {', '.join(wrong)} out")
    if line.env is None:
        raise UserError("--deployed: say of which environment, such as --env prod")
    changing = [name for name in ("auto_optimize", "auto_optimize_alias") if name in line.flags]
    if changing:
        raise UserError(
            f"--{changing[0].replace('_', '-')}: the memory size of envs/{line.env} is "
            f"Terraform's. Propose what was found: dyno apply --env {line.env}"
        )


def _tune_deployed(line: CommandLine, *, as_json: bool) -> int:
    """Tune the function of an environment that `dyno deploy` keeps; return the exit status."""
    from lambda_dyno.deploy import deployed
    from lambda_dyno.run import function_prepare

    order, target = deployed.to_tune(project(), line, TerminalUi().note)
    tuned = function_prepare.prepare(project(), order, TerminalUi(), target=target)
    return _execute(tuned, line, as_json=as_json)


def _tune_function(line: CommandLine, *, as_json: bool) -> int:
    """Tune a function that is there and return the exit status."""
    from lambda_dyno.run import function_prepare
    from lambda_dyno.tune import request, workload_file

    folder = workplace()
    line = workload_file.with_file_of_env(folder, line)
    tuned = function_prepare.prepare(folder, request.make(folder, line), TerminalUi())
    return _execute(tuned, line, as_json=as_json)


def _execute(tuned: FunctionTune, line: CommandLine, *, as_json: bool) -> int:
    """Tune, print what was found and return the exit status."""
    from lambda_dyno.run import lifecycle

    status = lifecycle.execute(tuned.run, tuned.work, keep=line.keep)
    if tuned.output is not None:
        if as_json:
            print_json(tuned.output)
        else:
            _print_result(tuned)
    if line.keep:
        _say_how_to_use_again(tuned, sys.stderr if as_json else sys.stdout)
    return status


def _print_result(tuned: FunctionTune) -> None:
    """Print what was found for people: table, recommendation, cost, curve, evidence."""
    from rich.console import Console

    from lambda_dyno.report import console

    assert tuned.output is not None
    out = Console(highlight=False)
    dry = tuned.dry_run_result()
    if dry is not None:
        console.print_dry_run(dry, out)
    else:
        console.print_summary(tuned.run.result, out, tuned.run.report_path, parts=_PARTS)
    curve = (tuned.output.get("stateMachine") or {}).get("visualization")
    lines = (
        _optimized(tuned),
        f"Curve: {curve}" if curve else "",
        f"Report: {tuned.run.report_path}",
    )
    for line in filter(None, lines):
        out.print(line, soft_wrap=True, markup=False)


def _optimized(tuned: FunctionTune) -> str:
    """Return what was changed, if that was asked for; empty if nothing was."""
    optimized = (tuned.output or {}).get("optimized")
    if not isinstance(optimized, Mapping):
        return ""
    alias = optimized.get("alias")
    also = f", and the alias {alias} is at a version with it" if alias else ""
    return f"{tuned.function.name} has {optimized.get('power')} MB now{also}."


def _say_how_to_use_again(tuned: FunctionTune, stream: Any) -> None:
    machine = tuned.run.result.outputs.get("state_machine_arn")
    lease = tuned.run.folder.read_lease()
    if not machine or lease.state != "up":
        return
    name = tuned.function.name
    lines = (
        f"The power tuner stands until {lease.expires_at}. It may tune {name} alone:",
        f"  dyno tune --function {tuned.function.arn} --tuner {machine}",
        f"Take it down: {_how_to_take_down(tuned.run)}",
    )
    print(*lines, sep="\n", file=stream)


def _how_to_take_down(run: Run) -> str:
    """Return a command for another shell, which need not have this one's credentials set."""
    from lambda_dyno.emulator import server

    run_id, endpoint = run.folder.run_id, run.account.endpoint
    has_makefile = (run.project / "Makefile").is_file()
    command = f"make down RUN={run_id}" if has_makefile else f"dyno down --run {run_id}"
    local = server.status(server.project_home(run.project))
    if endpoint and local is not None and local.endpoint == endpoint:
        return f'eval "$(dyno local env)" && {command}'
    names = ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION")
    values = [f"{name}={shlex.quote(os.environ[name])}" for name in names if os.environ.get(name)]
    return " ".join([*values, command])
