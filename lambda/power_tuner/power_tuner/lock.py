"""The lock on a function: who may change it, and whether that one still may."""

from __future__ import annotations

from lambda_dyno.tuner_contract.marks import LOCK_ALIAS, Lock
from power_tuner.errors import ExecutionEnded, FunctionChanged
from power_tuner.function import Alias, Function


class FunctionLock:
    """The lock of one function, as one execution sees it.

    Args:
        function: The function.
        execution_arn: The execution that asks.
    """

    def __init__(self, function: Function, execution_arn: str) -> None:
        self._function = function
        self._execution_arn = execution_arn

    def find(self) -> tuple[Alias, Lock] | None:
        """Return the lock, whoever holds it; None if the function is free."""
        for alias in self._function.aliases():
            if alias.name == LOCK_ALIAS:
                # somebody's own alias of that name: held, by whom nobody knows
                return alias, Lock.parse(alias.description) or Lock(execution_arn="unknown")
        return None

    def own(self) -> tuple[Alias, Lock] | None:
        """Return the lock if this execution holds it."""
        found = self.find()
        return found if found and found[1].execution_arn == self._execution_arn else None

    def take(self) -> Lock | None:
        """Take the lock, and return the one that is in the way if there is one."""
        while True:
            if self._function.create_alias(LOCK_ALIAS, "$LATEST", Lock(self._execution_arn).text):
                return None
            found = self.find()
            if found is None:  # given back between the two calls
                continue
            # a second attempt of the same state finds its own lock
            return None if found[1].execution_arn == self._execution_arn else found[1]

    def note_memory(self, memory_mb: int) -> int:
        """Write down the memory size to go back to; return the one that is written down.

        A second attempt of a state finds what the first one wrote, and $LATEST at any size.
        """
        alias, lock = self.held()
        if lock.memory_mb is not None:
            return lock.memory_mb
        self._write(alias, lock.with_memory(memory_mb))
        return memory_mb

    def forget_memory(self) -> None:
        """Cross it out: $LATEST is back, and what becomes of it now is somebody else's doing."""
        alias, lock = self.held()
        self._write(alias, lock.with_memory(None))

    def _write(self, alias: Alias, lock: Lock) -> None:
        try:
            self._function.update_alias(alias, Description=lock.text)
        except FunctionChanged as error:
            raise ExecutionEnded("the execution was stopped") from error

    def held(self) -> tuple[Alias, Lock]:
        """Return the lock, or raise `ExecutionEnded` if this execution must stop working."""
        own = self.own()
        if own is None or own[1].ended:
            raise ExecutionEnded("the execution was stopped")
        return own
