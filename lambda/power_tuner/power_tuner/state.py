"""What passes from state to state, and the size it may have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambda_dyno.tuner_contract.values import LIMIT_BYTES, MEMORY_MB_MAX, size_bytes
from power_tuner import samples
from power_tuner.samples import Sample

_SHORT_CHARS = 60


@dataclass(slots=True)
class PowerState:
    """What was measured at one power value so far."""

    power: int  # MB
    versions: list[str] = field(default_factory=list)  # published for it; the last one is used
    todo: list[int] = field(default_factory=list)  # numbers of the invocations still to make
    planned: int = 0  # passes, by adaptive measuring
    attempts: int = 0  # invocations that are done, whatever came of them
    samples: list[Sample] = field(default_factory=list)
    billed_ms: int = 0  # of all invocations, the failed and the discarded ones too
    max_memory_used_mb: int = 0
    errors: dict[str, int] = field(default_factory=dict)  # by type
    retries: int = 0
    discarded: int = 0  # were to be cold, and were not
    failure: str = ""  # the first one
    excluded: str = ""  # why this power value is out; empty if it is not

    @property
    def done(self) -> bool:
        """Whether there is nothing left to measure."""
        return bool(self.excluded) or not self.todo

    def to_json(self, digits: int | None, words: int | None = None) -> dict[str, Any]:
        """Return plain JSON.

        Args:
            digits: Durations are rounded to so many; None keeps all.
            words: Messages are cut to so many characters; None keeps all.
        """
        kept = self.samples if digits is None else samples.rounded(self.samples, digits)
        return {
            "power": self.power,
            "versions": self.versions,
            "todo": to_ranges(self.todo),
            "planned": self.planned,
            "attempts": self.attempts,
            "samples": samples.encode(kept) if kept else "",
            "billedMs": self.billed_ms,
            "maxMemoryUsed": self.max_memory_used_mb,
            "errors": self.errors,
            "retries": self.retries,
            "discarded": self.discarded,
            "failure": self.failure[:words],
            "excluded": self.excluded[:words],
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> PowerState:
        """Return what `to_json` wrote."""
        return cls(
            power=raw["power"],
            versions=list(raw["versions"]),
            todo=from_ranges(raw["todo"]),
            planned=raw["planned"],
            attempts=raw["attempts"],
            samples=samples.decode(raw["samples"]),
            billed_ms=raw["billedMs"],
            max_memory_used_mb=raw["maxMemoryUsed"],
            errors=dict(raw["errors"]),
            retries=raw["retries"],
            discarded=raw["discarded"],
            failure=raw["failure"],
            excluded=raw["excluded"],
        )


@dataclass(slots=True)
class Usage:
    """What the tuner itself used so far."""

    transitions: int = 0
    invocations: int = 0
    gb_seconds: float = 0.0

    def note_detour(self) -> None:
        """Count an Analyze that sent the execution elsewhere, and the Choice that did it.

        Its own time is lost with its output; it is short.
        """
        self.transitions += 2
        self.invocations += 1

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "transitions": self.transitions,
            "invocations": self.invocations,
            "gbSeconds": self.gb_seconds,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Usage:
        """Return what `to_json` wrote."""
        return cls(raw["transitions"], raw["invocations"], raw["gbSeconds"])


@dataclass(slots=True)
class TuningState:
    """All of it."""

    original_power: int  # MB
    architecture: str
    timeout_s: int  # the function's own
    reserved_concurrency: int | None
    powers: list[PowerState]
    copy: str = ""  # ARN of what is measured in the function's place; empty: the function itself
    most_power: int = MEMORY_MB_MAX  # that the account allows, as far as it was looked up
    # the same on other architectures, and why it is left out on others
    others: list[TuningState] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    batch: int = 0  # how often versions were published
    passes: int = 0  # of Measure
    usage: Usage = field(default_factory=Usage)
    warnings: list[str] = field(default_factory=list)
    timed_out: bool = False  # the input's time limit came before the end
    streams: bool = False  # the function's answers
    code_sha256: str = ""  # of the code that is measured
    payload: str = ""  # SHA-256 of what is sent; empty: nobody may know
    uses_prior: bool = False
    decision: dict[str, Any] | None = None  # of adaptive measuring, once it is made
    output: dict[str, Any] | None = None  # once analysed; what was measured is in it then

    @property
    def sides(self) -> list[TuningState]:
        """This one, and those of other architectures."""
        return [self, *self.others]

    def is_over(self, *, adaptive: bool) -> bool:
        """Whether there is nothing left to measure, or to decide, on this architecture."""
        done = all(power.done for power in self.powers)
        return done and (not adaptive or self.timed_out or self.decision is not None)

    def to_json(self, input_bytes: int) -> dict[str, Any]:
        """Return plain JSON that fits between two states beside the execution's input.

        Durations lose digits only if that is needed: 46 power values with 1000 invocations
        each keep all of them. The output loses the lists of durations and requests, then the
        ends of messages.

        Args:
            input_bytes: Size of the execution's input, see `size_bytes`.
        """
        room = LIMIT_BYTES - input_bytes
        for raw in self._forms():
            if size_bytes(raw) <= room:
                break
        return raw

    def _forms(self) -> Iterator[dict[str, Any]]:
        """Yield the state, then ever shorter forms of it."""
        if self.output is None:
            for digits in (None, 4, 3, 2):
                yield self._to_json(digits)
            yield self._to_json(1, _SHORT_CHARS)
        else:
            yield self._to_json()
            for words in (None, _SHORT_CHARS):
                yield self._to_json() | {"output": _shortened(self.output, words)}

    def _to_json(self, digits: int | None = None, words: int | None = None) -> dict[str, Any]:
        total = sum(len(power.samples) for side in self.sides for power in side.powers)
        warnings = self.warnings
        if digits is not None:
            rounded = f"there are so many durations that they are rounded to {digits} digits"
            warnings = [*(w for w in warnings if w != rounded), rounded]
        return {
            "originalPower": self.original_power,
            "architecture": self.architecture,
            "timeout": self.timeout_s,
            "reservedConcurrency": self.reserved_concurrency,
            "copy": self.copy,
            "mostPower": self.most_power,
            "others": [] if self.output else [s._to_json(digits, words) for s in self.others],
            "leftOut": self.left_out,
            "batch": self.batch,
            "passes": self.passes,
            "measured": total,
            "powers": [] if self.output else [p.to_json(digits, words) for p in self.powers],
            "usage": self.usage.to_json(),
            "warnings": warnings,
            "timedOut": self.timed_out,
            "streams": self.streams,
            "codeSha256": self.code_sha256,
            "payload": self.payload,
            "usesPrior": self.uses_prior,
            "decision": self.decision,
            "output": self.output,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> TuningState:
        """Return what `to_json` wrote."""
        return cls(
            original_power=raw["originalPower"],
            architecture=raw["architecture"],
            timeout_s=raw["timeout"],
            reserved_concurrency=raw["reservedConcurrency"],
            powers=[PowerState.from_json(power) for power in raw["powers"]],
            copy=raw["copy"],
            most_power=raw["mostPower"],
            others=[TuningState.from_json(other) for other in raw["others"]],
            left_out=dict(raw["leftOut"]),
            batch=raw["batch"],
            passes=raw["passes"],
            usage=Usage.from_json(raw["usage"]),
            warnings=list(raw["warnings"]),
            timed_out=raw["timedOut"],
            streams=raw["streams"],
            code_sha256=raw["codeSha256"],
            payload=raw["payload"],
            uses_prior=raw["usesPrior"],
            decision=raw["decision"],
            output=raw["output"],
        )


def _shortened(output: dict[str, Any], words: int | None) -> dict[str, Any]:
    return output | {
        "details": [
            {k: v for k, v in detail.items() if k not in ("durations", "requests")}
            | {"excluded": detail["excluded"][:words]}
            for detail in output["details"]
        ],
        "warnings": [warning[:words] for warning in output["warnings"]],
    }


def to_ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Return ascending numbers as `[first, last]` pairs, which are few where numbers are many."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def from_ranges(ranges: Iterable[Sequence[int]]) -> list[int]:
    """Return the numbers of `to_ranges`."""
    return [number for first, last in ranges for number in range(first, last + 1)]
