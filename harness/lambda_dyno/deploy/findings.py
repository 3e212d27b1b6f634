"""What `dyno doctor` says of one thing that the product needs, or can do without."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["ok", "missing", "optional", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        name: What it is, in a word or three.
        state: "ok"; "missing": something does not work without it; "optional": it is not there,
            and only what the text names needs it; "unknown": it cannot be told.
        text: What is there, or what is not, in a sentence.
        fix: How to get it; empty: there is nothing to do.
    """

    name: str
    state: State
    text: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what `dyno doctor --json` prints of it."""
        return {"name": self.name, "state": self.state, "text": self.text, "fix": self.fix}


def all_there(findings: Iterable[Finding]) -> bool:
    """Whether nothing is missing."""
    return all(finding.state != "missing" for finding in findings)
