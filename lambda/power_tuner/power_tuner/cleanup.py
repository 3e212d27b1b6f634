"""CleanUp: $LATEST gets its memory size back, and everything of the execution goes.

It runs at the end of every execution, after an error, and by a rule when the state machine
could not run it (stopped, timed out). Run twice, or with half of the work done, it does what
is left.
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from lambda_dyno.tuner_contract.marks import LOCK_ALIAS, Lock, is_measured, tuned
from power_tuner.errors import (
    AwsCallFailed,
    CleanUpFailed,
    FunctionChanged,
    FunctionGone,
    FunctionNotReady,
)
from power_tuner.function import Function, error_code
from power_tuner.lock import FunctionLock


class CleanUp:
    """Cleans up after one execution.

    Args:
        function: The function that it tuned.
        execution_arn: The execution.
    """

    def __init__(self, function: Function, execution_arn: str) -> None:
        self._function = function
        self._execution_arn = execution_arn
        self._lock = FunctionLock(function, execution_arn)

    def after_success(self, optimized: bool) -> None:
        """Remove what was there for measuring; an optimised $LATEST stays as it is.

        Prepare has put $LATEST back itself, so what it is now was somebody's deployment.
        """
        self._run(failed=False, restore=not optimized)

    def after_failure(self) -> None:
        """Remove everything, an optimised version and its alias included."""
        self._run(failed=True, restore=True)

    def _run(self, *, failed: bool, restore: bool) -> None:
        try:
            lock = self._mark_as_ended()
            if lock and restore and lock.memory_mb is not None:
                self._restore(lock.memory_mb, always=failed)
            if failed:
                self._forget_tuned()
            self._delete_versions()
            if lock:
                self._function.delete_alias(LOCK_ALIAS)
        except FunctionGone:
            return
        except (AwsCallFailed, FunctionNotReady) as error:
            raise CleanUpFailed(_leftovers(self._function.arn.text, error)) from error
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return  # the function is gone, and its versions and aliases with it
            raise CleanUpFailed(_leftovers(self._function.arn.text, error)) from error

    def _mark_as_ended(self) -> Lock | None:
        """Tell whatever still works for the execution to stop; return its lock, if it has one."""
        own = self._lock.own()
        if own is None:
            return None
        alias, lock = own
        if not lock.ended:
            try:
                self._function.update_alias(alias, Description=lock.at_end().text)
            except FunctionChanged:  # CleanUp runs elsewhere too: look again
                return self._mark_as_ended()
        return lock

    def _restore(self, memory_mb: int, *, always: bool) -> None:
        """Give $LATEST its memory size back.

        After a failure it is written even if it is there: that changes the RevisionId, and so
        refuses the change that a function of the stopped execution may be about to make.
        """
        config = self._function.settled()  # an update that failed must be undone as well
        if always or config["MemorySize"] != memory_mb:
            self._function.set_memory(memory_mb, config)

    def _forget_tuned(self) -> None:
        for version in list(self._function.versions()):
            made = tuned(version.description, self._execution_arn)
            if made is None:
                continue
            for alias in list(self._function.aliases()):
                if alias.version != version.number:
                    continue
                if made.previous_version:
                    self._function.update_alias(alias, FunctionVersion=made.previous_version)
                else:
                    self._function.delete_alias(alias.name)
            self._function.delete_version(version.number)

    def _delete_versions(self) -> None:
        for version in list(self._function.versions()):
            if is_measured(version.description, self._execution_arn):
                self._function.delete_version(version.number)


def _leftovers(function_arn: str, error: Exception) -> str:
    return (
        f"{function_arn} could not be cleaned up: {error}. Versions whose description begins "
        'with "dyno-tuner", the alias dyno-tuner-lock or another memory size may be left'
    )
