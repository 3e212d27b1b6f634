"""Optimize: $LATEST takes the best power value, and an alias a version that has it."""

from __future__ import annotations

from power_tuner.errors import TunerError
from power_tuner.function import Function
from power_tuner.lock import FunctionLock
from power_tuner.marks import tuned_mark


class Optimization:
    """Applies the result of one execution, which still holds the function's lock.

    Whoever is stopped in the middle leaves marks from which CleanUp puts everything back.

    Args:
        function: The function.
        execution_arn: The execution.
    """

    def __init__(self, function: Function, execution_arn: str) -> None:
        self._function = function
        self._execution_arn = execution_arn
        self._lock = FunctionLock(function, execution_arn)

    def apply(self, power: int, alias_name: str) -> None:
        """Set the memory size, and point the alias at a version that has it.

        Args:
            power: The best power value, MB.
            alias_name: The alias to make or move; empty for none.
        """
        self._lock.held()
        config = self._function.ready()
        if config["MemorySize"] != power:
            config = self._function.set_memory(power, config)
        self._lock.held()
        if alias_name:
            self._point_alias(alias_name, power)
            self._lock.held()

    def _point_alias(self, name: str, power: int) -> None:
        alias = next((a for a in self._function.aliases() if a.name == name), None)
        previous = alias.version if alias else ""
        mark = tuned_mark(self._execution_arn, power, name, previous)
        version = self._function.publish(mark, self._function.configuration())
        self._function.ready(version.number)
        if alias is not None:
            self._function.update_alias(alias, FunctionVersion=version.number)
        elif self._function.create_alias(name, version.number) is None:
            raise TunerError(f"autoOptimizeAlias: somebody else made the alias {name} meanwhile")
