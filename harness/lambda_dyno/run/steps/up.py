"""Deploy the environment, or tell what it would consist of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lambda_dyno.aws import apis, lambda_function
from lambda_dyno.aws.accounts import Account
from lambda_dyno.compare import fingerprints
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.function_name import parse_name
from lambda_dyno.environments import progress, test_data
from lambda_dyno.environments.environment import OnChange
from lambda_dyno.run import build
from lambda_dyno.run.run import Run
from lambda_dyno.terraform.command import Change
from lambda_dyno.terraform.packages import Package


def step(
    run: Run, packages: dict[str, Package], *, meanwhile: Callable[[], None] | None = None
) -> None:
    """Deploy the environment and fill its table.

    Args:
        run: The run.
        packages: What `build` made.
        meanwhile: Called while Terraform waits for a Lambda function that it makes.

    Raises:
        StepError: Terraform failed, or the root lacks an output that it needs.
    """
    settings = run.env.settings.environment
    with run.step("up", f"deploying {run.result.name_prefix}") as shown:
        _stage(run, packages)
        run.folder.note_inputs(
            fingerprints.of(run.env, run.mode.sources, run.project, packages), run.finished
        )
        outputs = _completed(
            run.environment.apply(
                _while_it_waits(progress.resources(shown, "deploying"), meanwhile),
                say=run.ui.note,
            ),
            run.account,
            run.result.name_prefix,
        )
        run.folder.update_lease(memory_mb=outputs["memory_mb"])
        run.add(outputs=outputs, api=_api_kind(run, str(outputs.get("api_url") or "")))
        if settings.seed_items:
            if not outputs.get("table_name"):
                raise StepError("up", "[environment] seed_items needs an output table_name")
            shown.update("filling the table")
            test_data.seed(run.account.session, outputs["table_name"], settings.seed_items)
        where = outputs.get("api_url") or outputs["function_arn"]
        shown.update(
            f"{run.result.name_prefix} at {outputs['memory_mb']} MB in "
            f"{run.account.region}: {where}"
        )
    run.folder.mark("up")


def _completed(outputs: Mapping[str, Any], account: Account, name_prefix: str) -> dict[str, Any]:
    """Return a root's outputs with what its function tells.

    Args:
        outputs: With `function_arn`.
        account: Where the function is.
        name_prefix: Of the environment.

    Raises:
        StepError: `function_arn` names no function that can be measured.
    """
    try:
        name = parse_name(str(outputs["function_arn"]))
        function = lambda_function.look_up(name, account)
    except UserError as error:
        raise StepError("up", f"the output function_arn: {error}") from error
    known: dict[str, Any] = {
        "account_id": account.account_id,
        "architecture": function.architecture,
        "function_arn": function.arn,
        "function_name": function.name,
        "memory_mb": function.memory_mb,
        "name_prefix": name_prefix,
        "region": account.region,
    }
    if outputs.get("api_url"):
        known["api_authorization"] = outputs.get("api_authorization") or "NONE"
    return {**outputs, **known}


def _api_kind(run: Run, url: str) -> str:
    """Return which of API Gateway's two kinds is in front of the function; empty: none."""
    if not url:
        return ""
    form = apis.form_of(run.account.reachable(url), run.account)
    return apis.BILLED_AS.get(form.kind, "") if form.api_id else ""


def _while_it_waits(on_change: OnChange, meanwhile: Callable[[], None] | None) -> OnChange:
    """Let something be done once, as soon as Terraform waits.

    The AWS provider waits five seconds for each function, whatever AWS says, and all at once.
    """
    called = False

    def changed(change: Change) -> None:
        nonlocal called
        on_change(change)
        if meanwhile is not None and not called and ".aws_lambda_function." in f".{change.address}":
            called = True
            meanwhile()

    return changed


def plan(run: Run) -> list[str]:
    """Return what the environment would consist of."""
    with run.step("plan", "asking Terraform") as shown:
        _stage(run, build.build(run))
        changes = run.environment.plan(say=run.ui.note)
        shown.update(f"{len(changes)} resources")
    return changes


def _stage(run: Run, packages: dict[str, Package]) -> None:
    """Copy what is deployed into the run's folder, and say what of it is not used."""
    folders = run.env.settings.environment.folders
    tuning = run.env.settings.tuning
    copies = tuning.isolation == "clone" or tuning.architectures
    variables = {"tuner_copies": True} if copies else {}
    for note in run.environment.stage(run.mode.sources, packages, variables, folders):
        run.ui.note(note)
