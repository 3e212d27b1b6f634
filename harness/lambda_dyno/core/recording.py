"""Iterations of a collection as a load driver sent them: nothing of them is for a log."""

from __future__ import annotations

from dataclasses import dataclass, field

# Where a test has several scenarios, the name of each goes before its requests': "Browse / list".
SCENARIO_MARK = " / "


@dataclass(frozen=True, slots=True)
class Sent:
    """A request of an iteration, and what came back."""

    name: str
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    status: int  # 0: no answer
    answer_headers: tuple[tuple[str, str], ...] = field(repr=False)
    answer: str = field(repr=False)
    by_script: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    """One iteration, or two that began with the same variables.

    Attributes:
        iterations: Their requests.
        secrets: Values that auth was made with.
        weight: How often it is made beside the others.
        others: Of further scenarios, if a test has several.
    """

    iterations: tuple[tuple[Sent, ...], ...] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    weight: int = 1
    others: tuple[Recording, ...] = field(default=(), repr=False)

    @property
    def scenarios(self) -> tuple[Recording, ...]:
        """All scenarios, this one first."""
        return (self, *self.others)
