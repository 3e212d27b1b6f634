"""`dyno deploy`: bring a standing environment up to date, and prove that it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from lambda_dyno.cli.support import (
    EXIT_STATUS_HELP,
    EnvOption,
    JsonOption,
    RegionOption,
    print_json,
    project,
)
from lambda_dyno.core.errors import EXIT_PASS, EXIT_SLO_MISSED
from lambda_dyno.core.files import write_atomically
from lambda_dyno.report.terminal import TerminalUi

HELP = f"""
Deploy a standing environment through Terraform, and check that it holds its SLOs.

A new version of the function is published without calls, asked by itself, and then gets all of \
them, or with `deployment = "canary"` under \\[deploy] in dyno.toml first a share. A smoke and a \
load test judge it; if it does not pass, callers have the version before again.

The environment has no expiry: it is what your users call. With --plan-json nothing is deployed.

{EXIT_STATUS_HELP.strip()}
"""


def deploy(
    env: EnvOption = "local",
    plan_json: Annotated[
        Path | None,
        typer.Option(
            help="Only plan, and write what changes there, as `dyno comment` takes it: names, "
            "numbers and booleans, no text that may be a secret."
        ),
    ] = None,
    duration_s: Annotated[float | None, typer.Option(help="Seconds of each load test.")] = None,
    virtual_users: Annotated[int | None, typer.Option(help="Users at once.")] = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deploy a standing environment through Terraform, and check that it holds its SLOs."""
    from lambda_dyno.deploy.deploy import Deployment

    overrides: dict[str, Any] = {
        "environment.region": region,
        "deploy.load.duration_s": duration_s,
        "deploy.load.virtual_users": virtual_users,
    }
    with Deployment.prepare(project(), env, TerminalUi(), overrides) as deployment:
        if plan_json is not None:
            _tell_plan(deployment.plan(), plan_json, as_json=as_json)
            return
        done = deployment.run()
    if as_json:
        print_json(done.to_json())
    else:
        before = f" in place of {done.before.number}" if done.before else ""
        typer.echo(
            f"{env} {done.outcome}: version {done.version.number} at {done.version.memory_mb} MB"
            f"{before if done.outcome == 'deployed' else ''}, {done.api_url}"
        )
        if done.reason:
            typer.echo(done.reason)
    if done.outcome == "rolled back":
        TerminalUi().error(
            f"callers have version {done.before.number if done.before else '?'} again",
            f"take the change back in the sources, too: dyno rollback --env {env}, or git revert",
        )
    raise typer.Exit(EXIT_PASS if done.passed else EXIT_SLO_MISSED)


def _tell_plan(plan: dict[str, Any], path: Path, *, as_json: bool) -> None:
    from lambda_dyno.review import plan_summary

    # CI hands the file on, to whoever may read its artefacts: nothing of it may be a secret
    public = plan_summary.public(plan, "terraform show -json")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(public) + "\n", mode=0o600)
    parsed = plan_summary.parse(public, str(path))
    if as_json:
        rows = [{"action": c.action, "address": c.address, "what": c.what} for c in parsed.changes]
        print_json(rows)
        return
    for change in parsed.changes:
        typer.echo(f"{change.action:<8} {change.address}  {change.what}".rstrip())
    typer.echo(plan_summary.summary(parsed))
