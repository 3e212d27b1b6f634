"""The steps of `dyno run` one by one, on an environment that stands."""

from __future__ import annotations

from typing import Annotated

import typer

from lambda_dyno.cli.collection_options import (
    CollectionOption,
    DataOption,
    FolderOption,
    PostmanEnvironmentOption,
    PostmanGlobalsOption,
    collection_overrides,
)
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
    JsonOption,
    RunOption,
    WaitOption,
    project,
    reopened,
    show,
    summary,
)
from lambda_dyno.report.terminal import TerminalUi


def smoke(
    run_id: RunOption = None,
    collection: CollectionOption = None,
    folder: FolderOption = None,
    postman_environment: PostmanEnvironmentOption = None,
    postman_globals: PostmanGlobalsOption = None,
    data: DataOption = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask every operation of a standing environment's API once, refusals too."""
    from lambda_dyno.run.steps import smoke as step_of

    overrides = collection_overrides(
        "smoke", collection, folder, postman_environment, postman_globals, data
    )
    with reopened(run_id, overrides, wait=wait) as opened:
        result = step_of.step(opened)
    show(as_json, opened.result.to_json()["smoke"], result.counts)


def load(
    run_id: RunOption = None,
    virtual_users: UsersOption = None,
    duration_s: DurationOption = None,
    ramp_up_s: RampOption = None,
    pacing_ms: PacingOption = None,
    at: AtOption = None,
    preset: PresetOption = None,
    collection: CollectionOption = None,
    folder: FolderOption = None,
    postman_environment: PostmanEnvironmentOption = None,
    postman_globals: PostmanGlobalsOption = None,
    data: DataOption = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Load the API of a standing environment at its current and recommended memory size."""
    from lambda_dyno.run import ending
    from lambda_dyno.run.steps import load as step_of

    overrides = {
        **load_overrides(virtual_users, duration_s, ramp_up_s, pacing_ms, at, preset),
        **collection_overrides(
            "load", collection, folder, postman_environment, postman_globals, data
        ),
    }
    with reopened(run_id, overrides, wait=wait) as opened:
        step_of.step(opened)
        ending.keep(opened)
    show(
        as_json,
        opened.result.to_json()["load"],
        lambda: summary(opened, parts=("load", "requests")),
    )


def gate(run_id: RunOption = None, wait: WaitOption = False, as_json: JsonOption = False) -> None:
    """Hold what was measured against the SLO."""
    from lambda_dyno.run import order
    from lambda_dyno.run.steps import gate as step_of

    with reopened(run_id, wait=wait) as opened:
        step_of.step(opened)
    show(as_json, opened.result.to_json()["verdict"], lambda: summary(opened, parts=("verdict",)))
    raise typer.Exit(order.exit_status(opened))


def report(
    run_id: Annotated[
        str | None, typer.Option("--run", help="Run id; the newest if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a run's report again from its result.json."""
    from lambda_dyno.run import ending
    from lambda_dyno.run.run import Run

    opened = Run.open(project(), run_id, TerminalUi(), standing=False)
    path = ending.report(opened)
    show(as_json, opened.result.to_json(), str(path))


def down(
    run_id: RunOption = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a standing environment down and prove that nothing is left."""
    from lambda_dyno.run import ending, lifecycle

    reopen = reopened(run_id, any_state=True, wait=wait)
    with reopen as opened, lifecycle.shielded(opened.ui):
        ending.down(opened)
    show(
        as_json,
        {"run_id": opened.result.run_id, "leftovers": []},
        f"run {opened.result.run_id}: nothing left behind",
    )
