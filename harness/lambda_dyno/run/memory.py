"""The memory size that is deployed now, which a load test may change for a while."""

from __future__ import annotations

from lambda_dyno.aws import lambda_function
from lambda_dyno.core.errors import StepError
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
    run.environment.set_memory(memory_mb, progress.resources(step, f"deploying {memory_mb} MB"))
    require(run, memory_mb)


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
    name = lambda_function.parse_name(str(run.result.outputs["function_arn"]))
    found = lambda_function.look_up(name, run.account).memory_mb
    if found != memory_mb:
        raise StepError(
            "load",
            f"envs/{run.env.name}: the variable memory_mb does not set the function's memory "
            f"size: with {memory_mb} it has {found} MB. Use it there, or name it otherwise.",
        )
