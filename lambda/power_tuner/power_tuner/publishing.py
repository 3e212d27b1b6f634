"""Changing $LATEST and publishing it, under the lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from lambda_dyno.tuner_contract.marks import measured_mark
from lambda_dyno.tuner_contract.values import MEMORY_MB_MIN
from power_tuner.errors import FunctionChanged
from power_tuner.function import Function, Version, check_unchanged
from power_tuner.lock import FunctionLock

Configuration = Mapping[str, Any]
T = TypeVar("T")

_STALE_READS = 3  # how often a change may be refused although nobody else made one


class Publisher:
    """Publishes versions of one function for one execution.

    Every change names the RevisionId that it is based on. Whoever cleans up after a stopped
    execution changes $LATEST, then deletes versions: what this still does is either refused for
    its RevisionId or found. The lock is looked at as well, to stop soon.

    Args:
        function: The function.
        execution_arn: The execution.
    """

    def __init__(self, function: Function, execution_arn: str) -> None:
        self._function = function
        self._execution_arn = execution_arn
        self._lock = FunctionLock(function, execution_arn)

    def set_memory(self, config: Configuration, memory_mb: int) -> Configuration:
        """Give $LATEST a memory size, and return its configuration afterwards.

        Args:
            config: Its configuration now.
            memory_mb: The size; nothing is done if it is that already.
        """
        if config["MemorySize"] == memory_mb:
            return config
        self._lock.held()
        return self._change(config, lambda newest: self._function.set_memory(memory_mb, newest))

    def publish(self, config: Configuration, mark: str) -> tuple[Configuration, str]:
        """Publish $LATEST as a version of the tuning's own.

        If the newest version is the same but for its description, Lambda publishes none and
        answers with that one. It may be warm, have provisioned concurrency or real traffic, and
        whoever made it keeps it; a version of another memory size in between helps.

        Args:
            config: Its configuration now.
            mark: The version's description.

        Returns:
            Its configuration afterwards, and the version's number.
        """
        config, version = self._publish(config, mark)
        if version.description != mark:
            memory_mb = config["MemorySize"]
            # a smaller one, since a larger one may be more than the account is allowed
            spacer = memory_mb - 1 if memory_mb > MEMORY_MB_MIN else memory_mb + 1
            config = self.set_memory(config, spacer)
            config, _ = self._publish(config, measured_mark(self._execution_arn, spacer, 0))
            config = self.set_memory(config, memory_mb)
            config, version = self._publish(config, mark)
        return config, version.number

    def _publish(self, config: Configuration, mark: str) -> tuple[Configuration, Version]:
        version = self._change(config, lambda newest: self._function.publish(mark, newest))
        self._lock.held()
        after = self._function.ready()  # publishing may have given $LATEST another RevisionId
        check_unchanged(config, after)
        return after, version

    def _change(self, config: Configuration, change: Callable[[Configuration], T]) -> T:
        """Change $LATEST; read it again if that is refused for a RevisionId that was too old.

        The lock is looked at after each read: who cleans up ends the lock first and changes
        $LATEST then, so either is noticed, and never taken for a stale read.
        """
        for _ in range(_STALE_READS):
            try:
                return change(config)
            except FunctionChanged:
                config = self._function.read_again(config)
                self._lock.held()
        return change(config)
