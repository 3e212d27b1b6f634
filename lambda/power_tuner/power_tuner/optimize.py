"""Optimize: $LATEST takes the best power value, and an alias a version that has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lambda_dyno.tuner_contract.marks import tuned_mark
from power_tuner.errors import MAYBE_ENDED, ChangedMeanwhile
from power_tuner.function import Function
from power_tuner.lock import FunctionLock
from power_tuner.publishing import Publisher


class Optimization:
    """Applies the result of one execution, which still holds the function's lock.

    Whoever is stopped in the middle leaves marks from which CleanUp puts everything back.

    Args:
        function: The function.
        execution_arn: The execution.
        clean_up_after: Runs CleanUp for an execution if it is over, by its ARN.
    """

    def __init__(
        self, function: Function, execution_arn: str, clean_up_after: Callable[[str], None]
    ) -> None:
        self._function = function
        self._execution_arn = execution_arn
        self._lock = FunctionLock(function, execution_arn)
        self._publisher = Publisher(function, execution_arn)
        self._clean_up_after = clean_up_after

    def apply(self, power: int, alias_name: str) -> None:
        """Set the memory size, and point the alias at a version that has it.

        Args:
            power: The best power value, MB.
            alias_name: The alias to make or move; empty for none.
        """
        try:
            config = self._function.ready()
            self._lock.note_memory(config["MemorySize"])
            config = self._publisher.set_memory(config, power)
            if alias_name:
                self._point_alias(alias_name, power, config)
                self._lock.held()
        except MAYBE_ENDED:
            self._clean_up_after(self._execution_arn)
            raise

    def _point_alias(self, name: str, power: int, config: Mapping[str, Any]) -> None:
        alias = next((a for a in self._function.aliases() if a.name == name), None)
        mark = tuned_mark(self._execution_arn, power, name, alias.version if alias else "")
        _, number = self._publisher.publish(config, mark)
        self._function.ready(number)
        if alias is not None:
            self._function.update_alias(alias, FunctionVersion=number)
        elif self._function.create_alias(name, number) is None:
            raise ChangedMeanwhile(f"autoOptimizeAlias: somebody else made the alias {name}")
