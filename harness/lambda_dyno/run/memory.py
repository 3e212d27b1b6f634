"""The memory size that is deployed now, which a load test may change for a while."""

from __future__ import annotations

from lambda_dyno.aws import accounts, function_sizes, lambda_function
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.function_name import parse_name
from lambda_dyno.core.progress import Step
from lambda_dyno.environments import progress
from lambda_dyno.run.run import Run


def deploy(run: Run, memory_mb: int, step: Step) -> None:
    """Deploy a memory size, unless it is deployed already.

    Raises:
        StepError: Terraform failed, or the function has another size afterwards.
    """
    if run.folder.read_lease().memory_mb == memory_mb:
        return
    step.update(f"deploying {memory_mb} MB")
    if run.environment.may_change_size_alone and _ask_lambda(run, memory_mb):
        return
    run.environment.set_memory(memory_mb, progress.resources(step, f"deploying {memory_mb} MB"))
    require(run, memory_mb)


def _ask_lambda(run: Run, memory_mb: int) -> bool:
    """Deploy a memory size by Lambda's API, if its function is as Terraform made it."""
    name, alias = (
        str(run.result.outputs.get(f"function_{key}") or "") for key in ("name", "alias")
    )
    if not name or not alias:
        return False
    run.folder.update_lease(memory_mb=0)  # unknown, should this be killed half-way
    with accounts.errors_of("load"):
        client = run.account.session.client("lambda")
        done = function_sizes.deploy(client, name, alias, memory_mb)
    if done:
        run.folder.update_lease(memory_mb=memory_mb)
    return done


def deploy_declared(run: Run) -> None:
    """Deploy the memory size that the environment is declared with, if it has another."""
    declared = run.declared_memory_mb
    if run.folder.read_lease().memory_mb != declared:
        with run.step("memory", f"back to {declared} MB") as step:
            deploy(run, declared, step)


def require(run: Run, memory_mb: int) -> None:
    """Make sure that the root's variable memory_mb is the function's memory size.

    Raises:
        StepError: It is something else, so that what is measured would be told of another size.
    """
    name = parse_name(str(run.result.outputs["function_arn"]))
    found = lambda_function.look_up(name, run.account).memory_mb
    if found != memory_mb:
        variable = run.names.variable("memory_mb")
        raise StepError(
            "load",
            f"{run.env.root}: the variable {variable} does not set the function's memory "
            f"size: with {memory_mb} it has {found} MB. Use it there, or name it otherwise.",
        )
