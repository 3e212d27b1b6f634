"""What the power tuner writes on a function, so that everything of it can be found again.

- While a function is tuned it carries an alias, the lock. Creating an alias either works or
  says that there is one, so of two executions just one gets it. Its description says which
  execution, and the memory size to go back to, so that whoever cleans up knows.
- Every version that the tuner publishes says in its description for which execution.
- A temporary copy has a name that follows from the execution's, which its description tells: where
  the two do not fit together, it is none.

Lambda allows 256 characters for a description; the longest ARN of an execution has 219.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import NamedTuple

from lambda_dyno.tuner_contract.values import ARCHITECTURES

LOCK_ALIAS = "dyno-tuner-lock"
VERSION_MARK = "dyno-tuner "  # starts the description of every version that it publishes
_COPY_MARK = "dyno-tuner copy for "
_NAME_CHARS = 75
_HASH_CHARS = 16
_LOCK = re.compile(r"(?P<execution>arn:\S+) (?P<memory>\d+|-) (?P<state>held|ended)")
_TUNED = re.compile(
    VERSION_MARK + r"(?P<execution>\S+) tuned to (?P<power>\d+) MB"
    r"(?:, alias (?P<alias>\S+) was at (?P<previous>\S+))?"
)


@dataclass(frozen=True, slots=True)
class Lock:
    """What the lock's description says."""

    execution_arn: str
    memory_mb: int | None = None  # to go back to; None while the tuner does not change it
    ended: bool = False  # the execution is over: whatever still works for it must stop

    @property
    def machine(self) -> str:
        """Name of the state machine."""
        return self.execution_arn.split(":")[-2]

    @property
    def text(self) -> str:
        """The description."""
        state = "ended" if self.ended else "held"
        return f"{self.execution_arn} {self.memory_mb or '-'} {state}"

    @classmethod
    def parse(cls, text: str) -> Lock | None:
        """Return the lock of a description; None if it is none of this tuner."""
        match = _LOCK.fullmatch(text)
        if match is None:
            return None
        memory = match["memory"]
        return cls(
            execution_arn=match["execution"],
            memory_mb=None if memory == "-" else int(memory),
            ended=match["state"] == "ended",
        )

    def with_memory(self, memory_mb: int | None) -> Lock:
        """Return the lock with the memory size to go back to, or with none."""
        return replace(self, memory_mb=memory_mb)

    def at_end(self) -> Lock:
        """Return the lock of an execution that is over."""
        return replace(self, ended=True)


class Tuned(NamedTuple):
    """What the description of the version that autoOptimizeAlias keeps says."""

    alias: str
    previous_version: str  # that the alias was at before; empty if there was no such alias


def execution_name(execution_arn: str) -> str:
    """Return STATE_MACHINE:EXECUTION, which tells executions of one function apart.

    One that would leave too little room in a description ends with a hash instead.
    """
    name = ":".join(execution_arn.split(":")[-2:])
    if len(name) <= _NAME_CHARS:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_CHARS]
    return f"{name[: _NAME_CHARS - _HASH_CHARS - 1]}~{digest}"


def measured_mark(execution_arn: str, power: int, batch: int) -> str:
    """Return the description of a version that is there to be measured.

    Args:
        execution_arn: Of the execution that publishes it.
        power: Its memory size in MB.
        batch: Which of several versions of this memory size, from 0.
    """
    return f"{VERSION_MARK}{execution_name(execution_arn)} {power} MB {batch}"


def is_measured(description: str, execution_arn: str) -> bool:
    """Return whether a version was published by an execution to be measured."""
    return is_of(description, execution_arn) and _TUNED.fullmatch(description) is None


def is_measured_by(description: str, machine: str) -> bool:
    """Return whether a version was published by any execution of a state machine, to be measured.

    One of autoOptimizeAlias is there to stay.

    Args:
        description: Of the version.
        machine: Name of the state machine.
    """
    ours = description.startswith(f"{VERSION_MARK}{machine}:")
    return ours and " tuned to " not in description


def tuned_mark(execution_arn: str, power: int, alias: str, previous_version: str) -> str:
    """Return the description of the version that autoOptimizeAlias keeps."""
    return (
        f"{VERSION_MARK}{execution_name(execution_arn)} tuned to {power} MB, "
        f"alias {alias} was at {previous_version or 'nothing'}"
    )


def tuned(description: str, execution_arn: str) -> Tuned | None:
    """Return what an execution's `tuned_mark` says; None for any other description."""
    match = _TUNED.fullmatch(description)
    if match is None or not is_of(description, execution_arn):
        return None
    previous = match["previous"] or ""
    return Tuned(match["alias"] or "", "" if previous == "nothing" else previous)


def is_of(description: str, execution_arn: str) -> bool:
    """Return whether a version was published by an execution."""
    return description.startswith(f"{VERSION_MARK}{execution_name(execution_arn)} ")


def copy_name(execution_arn: str, architecture: str) -> str:
    """Return the name of an execution's copy of the function, for one architecture.

    It begins as all names of the tuner's environment do, so that a run's teardown finds it.
    """
    machine = execution_arn.split(":")[-2]
    digest = hashlib.sha256(f"{execution_arn} {architecture}".encode()).hexdigest()
    return f"{machine.removesuffix('-tuner')}-copy-{digest[:_HASH_CHARS]}"


def copy_names(execution_arn: str) -> tuple[str, ...]:
    """Return the names of all copies that an execution may have made."""
    return tuple(copy_name(execution_arn, architecture) for architecture in ARCHITECTURES)


def copy_mark(execution_arn: str) -> str:
    """Return the description of an execution's copies."""
    return f"{_COPY_MARK}{execution_arn}"


def copied_for(name: str, description: str) -> str:
    """Return the ARN of the execution that a function is a copy for; empty if it is none."""
    execution_arn = description.removeprefix(_COPY_MARK)
    if execution_arn == description or execution_arn.count(":") != 7:
        return ""
    return execution_arn if name in copy_names(execution_arn) else ""
