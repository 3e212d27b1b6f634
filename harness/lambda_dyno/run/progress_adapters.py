"""How long work is told while it goes on: from its events to a step's progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lambda_dyno.core.progress import Step
from lambda_dyno.environments.environment import OnChange
from lambda_dyno.load.samples import LoadProgress
from lambda_dyno.terraform.command import Change

if TYPE_CHECKING:
    from lambda_dyno.load.drivers.newman import NotReady


def resources(step: Step, text: str, changes: list[str] | None = None) -> OnChange:
    """Return what shows Terraform's progress in a step.

    Args:
        step: The step.
        text: What it does.
        changes: Gets a line for each resource that changes, such as "create aws_s3_object.code".
    """

    def changed(change: Change) -> None:
        line = f"{change.action} {change.address}"
        if changes is not None and line not in changes:  # told again when it is done
            changes.append(line)
        of = f" of {change.total}" if change.total else ""
        step.update(f"{text}: {change.done}{of} resources, {line}")

    return changed


def counted(changes: Sequence[str]) -> str:
    """Return how many resources changed, in words."""
    return f"{len(changes)} changes" if changes else "nothing to change"


def load(step: Step, text: str) -> Callable[[LoadProgress], None]:
    """Return what shows how far a load test is."""

    def progressed(done: LoadProgress) -> None:
        step.update(
            f"{text}: {done.requests} requests, {done.errors} errors",
            done.elapsed_s,
            done.duration_s,
        )

    return progressed


def readiness(step: Step) -> Callable[[NotReady], None]:
    """Return what shows that an API is waited for, and what it answers."""

    def waiting(seen: NotReady) -> None:
        step.update(
            f"waiting until the API is ready; last answer: {seen.last}",
            seen.elapsed_s,
            seen.timeout_s,
        )

    return waiting
