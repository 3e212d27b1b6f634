"""`dyno run`, `dyno up` and `dyno plan`: a new environment."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lambda_dyno.cli import attach
from lambda_dyno.cli.collection_options import (
    DataOption,
    FolderOption,
    LoadCollectionOption,
    PostmanEnvironmentOption,
    PostmanGlobalsOption,
    SmokeCollectionOption,
    collection_overrides,
)
from lambda_dyno.cli.completion import run_ids
from lambda_dyno.cli.load_options import (
    AtOption,
    DurationOption,
    PacingOption,
    PresetOption,
    RampOption,
    UsersOption,
    load_overrides,
)
from lambda_dyno.cli.support import (
    EnvOption,
    JsonOption,
    NumOption,
    PortOption,
    RegionOption,
    RootOption,
    StrategyOption,
    WaitOption,
    power_values,
    project,
    project_of_root,
    show,
    summary,
)
from lambda_dyno.core.errors import UserError
from lambda_dyno.report.terminal import TerminalUi

PowerOption = Annotated[
    str | None, typer.Option("--power", help="Power values in MB, such as 128,512,1024.")
]


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
    at: AtOption = None,
    preset: PresetOption = None,
    smoke_collection: SmokeCollectionOption = None,
    load_collection: LoadCollectionOption = None,
    folder: FolderOption = None,
    postman_environment: PostmanEnvironmentOption = None,
    postman_globals: PostmanGlobalsOption = None,
    data: DataOption = None,
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
    root: RootOption = None,
    port: PortOption = None,
    resume_id: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="RUN_ID",
            autocompletion=run_ids,
            help="Go on with a run that stopped half-way, from the last finished step and with "
            "its own settings.",
        ),
    ] = None,
    wait: WaitOption = False,
    url: attach.UrlOption = None,
    function: attach.FunctionOption = None,
    yes: attach.YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Deploy, tune, load, judge, report and take down: the whole line.

    Settings come from envs/ENV/dyno.toml; a flag overrides its key. Evidence is written to
    runs/RUN_ID/.

    With --url and --function, or the section attach in dyno.toml: the same for a function, and
    the API in front of it, that somebody else deployed (SAM, CDK, Serverless, the console).
    Nothing is deployed but the power tuner, which measures a copy; what will be sent, and what it
    costs at most, is said before.
    """
    from lambda_dyno.run import lifecycle, order, prepare

    if resume_id is not None:
        raise typer.Exit(_resume(context, resume_id, keep=keep, wait=wait, as_json=as_json))
    overrides = {
        **_tuning_overrides(power, num, strategy),
        **load_overrides(virtual_users, duration_s, ramp_up_s, pacing_ms, at, preset),
        **collection_overrides(
            "smoke", smoke_collection, None, postman_environment, postman_globals, data
        ),
        **collection_overrides(
            "load", load_collection, folder, postman_environment, postman_globals, data
        ),
        "regression.baseline": baseline,
        "environment.region": region,
        "attach.url": url,
        "attach.function": function,
    }
    attached = None if root is not None else attach.env_of(context, env, url, function)
    if attached is not None:
        attach.refuse(context)
        prepared = attach.prepare(attached, overrides, yes=yes)
    elif yes:
        raise UserError("--yes: it is for a run with --url and --function, or [attach]")
    else:
        if root is not None and (url or function):
            raise UserError("--root: it is deployed; --url and --function are there already")
        place, below = project_of_root(root)
        prepared = prepare.prepare(
            place, env, TerminalUi(), overrides=overrides, port=port, root=below
        )
    status = lifecycle.execute(prepared, lambda: order.whole_line(prepared), keep=keep)
    show(as_json, prepared.result.to_json(), lambda: summary(prepared))
    raise typer.Exit(status)


def _resume(context: typer.Context, run_id: str, *, keep: bool, wait: bool, as_json: bool) -> int:
    """Go on with a run and return the exit status."""
    from lambda_dyno.run import lifecycle, resume

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
    ui = TerminalUi()
    resumed = resume.prepare(project(), run_id, ui, waiting=ui.note if wait else None)
    status = lifecycle.execute(resumed.run, resumed.work, keep=keep)
    show(as_json, resumed.run.result.to_json(), lambda: summary(resumed.run))
    return status


def up(
    env: EnvOption = "local",
    region: RegionOption = None,
    root: RootOption = None,
    port: PortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deploy an environment and leave it standing."""
    from lambda_dyno.run import build, ending, lifecycle, prepare
    from lambda_dyno.run.steps import up as deploy

    overrides = {"environment.region": region}
    folder, below = project_of_root(root)
    prepared = prepare.prepare(
        folder, env, TerminalUi(), overrides=overrides, port=port, root=below, asks=False
    )
    with lifecycle.teardown_on_failure(prepared):
        deploy.step(prepared, build.step(prepared))
        ending.keep(prepared)
    result = prepared.result
    where = result.outputs.get("api_url") or result.outputs["function_arn"]
    lines = (
        f"{result.name_prefix} is up: {where}",
        f"go on:     dyno smoke|tune|load|gate|report --run {result.run_id}",
        f"take down: make down RUN={result.run_id}",
    )
    shown = ("run_id", "env", "name_prefix", "outputs")
    show(as_json, {name: getattr(result, name) for name in shown}, "\n".join(lines))


def plan(env: EnvOption = "local", root: RootOption = None, as_json: JsonOption = False) -> None:
    """Show what an environment would consist of; nothing is deployed."""
    from lambda_dyno.run import ending, prepare
    from lambda_dyno.run.steps import up as deploy

    folder, below = project_of_root(root)
    prepared = prepare.prepare(folder, env, TerminalUi(), root=below, asks=False)
    try:
        changes = deploy.plan(prepared)
    finally:
        ending.discard(prepared)
    show(as_json, changes, "\n".join(changes))


def _tuning_overrides(power: str | None, num: int | None, strategy: str | None) -> dict[str, Any]:
    return {
        "tuning.power_values": None if power is None else power_values(power),
        "tuning.num": num,
        "tuning.strategy": strategy,
    }
