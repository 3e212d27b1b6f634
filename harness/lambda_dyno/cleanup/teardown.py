"""Take a run's environment down, whoever asks: the run itself, `dyno down`, the sweeper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lambda_dyno.aws import accounts, residue, tuner_executions
from lambda_dyno.aws.target import Target
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.results import Leftover
from lambda_dyno.environments import leftovers
from lambda_dyno.environments.environment import Environment, OnChange
from lambda_dyno.runs.run_folder import Lease, RunFolder

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TakenDown:
    """What came of it.

    Attributes:
        left: What is still there.
        failure: Why it could not be taken down in order.
    """

    left: tuple[Leftover, ...]
    failure: StepError | None = None

    def check(self) -> None:
        """Raise what is wrong, if anything is.

        Raises:
            StepError: Something is left, or it did not go in order.
        """
        if self.failure:
            raise self.failure
        if self.left:
            names = ", ".join(f"{item.kind} {item.name}" for item in self.left)
            raise StepError("down", f"left behind: {names}")


def take_down(
    folder: RunFolder,
    target: Target,
    environment: Callable[[], Environment],
    *,
    say: Say,
    on_change: OnChange | None = None,
    prove: bool = True,
) -> TakenDown:
    """Take a run's environment down, and the embedded AWS that is its own.

    Only under the run's lock.

    Args:
        folder: The run's folder.
        target: Where the environment is.
        environment: Returns the environment; asked only if there is something to take down.
        say: Told what was out of the ordinary.
        on_change: Told about each resource that goes.
        prove: Whether Terraform must take down what ends with its embedded AWS anyway: what it
            cannot remove there would stay in an account.
    """
    lease = folder.read_lease()
    left: list[Leftover] = []
    failure: StepError | None = None
    if not lease.holds_resources or not target.alive():
        folder.update_lease(state="down", kept=False)
    elif prove or not target.ends_with_its_run:
        try:
            with accounts.errors_of("down"):
                left = _destroy(lease, environment(), say, on_change)
        except StepError as error:
            failure = error
    if target.ends_with_its_run:
        # What is still in it is told: in an account it would still be there.
        target.end()
        folder.update_lease(state="down", kept=False)
        if failure:
            text = f"{failure} (its embedded AWS was stopped)"
            failure = StepError("down", text, failure.hint)
    folder.remove_drafts()
    return TakenDown(tuple(left), failure)


def _destroy(
    lease: Lease, environment: Environment, say: Say, on_change: OnChange | None
) -> list[Leftover]:
    session = environment.account.session
    machine = f"{lease.name_prefix}-tuner"
    if lease.tuner_only:
        # A tuner goes on when its owner was killed, and puts the function back at the end.
        partition = session.get_partition_for_region(lease.region)
        home = f"arn:{partition}:states:{lease.region}:{lease.account_id}"
        say("ending tunings that run")
        tuner_executions.end_all(session, f"{home}:stateMachine:{machine}")
    left = environment.destroy(on_change, say=say)
    if lease.tuner_only:  # which may have copied a function in a VPC
        left += leftovers.interfaces(session, lease.name_prefix)
    for arn in _tuned(lease, session, machine):
        left += residue.clear(session, arn, machine, say)
    return left


def _tuned(lease: Lease, session: Any, machine: str) -> list[str]:
    """Return the functions that may have marks of a run's tuner.

    Of a run whose lease is the bucket's the functions themselves are asked.
    """
    if lease.function_arn:
        # one of another account is the tuner's to clean up after: its role is not asked for here
        return [lease.function_arn] if f":{lease.account_id}:" in lease.function_arn else []
    return residue.functions_of(session, machine) if lease.tuner_only and lease.adopted_at else []
