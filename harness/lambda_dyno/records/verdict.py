"""What gates say: checks, verdicts and comparisons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a verdict."""

    name: str  # the key of [slo]
    limit: float
    measured: float | None
    outcome: Outcome
    reason: str  # a sentence that a reader understands on its own
    unit: str = ""
    now: float | None = None  # measured at the deployed size, if another one was judged


@dataclass(frozen=True, slots=True)
class SizeVerdict:
    """What the SLO gate says of one memory size, by what was measured there."""

    memory_mb: int
    label: str  # "current" or "recommended"
    judged: bool  # whether it decides the run's verdict
    outcome: Outcome
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the SLO gate says of a run."""

    outcome: Outcome
    checks: tuple[Check, ...]
    sizes: tuple[SizeVerdict, ...] = ()  # the deployed and the recommended one, if they differ

    @classmethod
    def of(cls, checks: Iterable[Check]) -> Verdict:
        """Make the verdict of checks: as bad as the worst; without any it is open."""
        every = tuple(checks)
        return cls(overall(check.outcome for check in every), every)


def overall(outcomes: Iterable[Outcome]) -> Outcome:
    """Return `fail` if any is, `pass` if all are and there are some, else `inconclusive`."""
    found = set(outcomes)
    if "fail" in found:
        return "fail"
    return "pass" if found == {"pass"} else "inconclusive"


@dataclass(frozen=True, slots=True)
class RegressionCheck:
    """One figure of a candidate against its baseline's."""

    name: str  # such as "p95"
    unit: str  # of the two figures
    baseline: float | None  # in the middle one of its blocks; None: not measured
    candidate: float | None
    ratio: float | None  # candidate / baseline
    ratio_low: float | None  # None: not bounded
    ratio_high: float | None
    outcome: Outcome
    reason: str  # a sentence that a reader understands on its own


@dataclass(frozen=True, slots=True)
class RegressionResult:
    """A candidate measured in turns with its baseline, on new sandboxes in every turn."""

    outcome: Outcome
    baseline: str  # in words, such as "main (1a2b3c4d5)"
    git_sha: str  # of the baseline
    baseline_run_id: str  # the run that its environment was
    pairs: int  # of blocks that were compared
    redone: int  # pairs that measured this machine, and were made again
    looks: int
    margin: float
    alpha: float
    risk: float
    turn_s: float
    requests: dict[str, int]  # that count, by version
    errors: dict[str, int]
    checks: tuple[RegressionCheck, ...]
    saturated: str = ""  # why the comparison was given up; empty if it was not

    def as_checks(self) -> tuple[Check, ...]:
        """Return its checks as lines of the gate's verdict."""
        return tuple(
            Check(f"{c.name}_ratio", 1 + self.margin, c.ratio, c.outcome, c.reason)
            for c in self.checks
        )
