"""How far Terraform is, told in a step while it works."""

from __future__ import annotations

from collections.abc import Sequence

from lambda_dyno.core.progress import Step
from lambda_dyno.environments.environment import OnChange
from lambda_dyno.terraform.command import Change


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
