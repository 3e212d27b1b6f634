"""What a run says, in sentences: headline, verdict lines, load.

Pure functions of `RunResult`; what follows for the memory size is in `recommendation`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from lambda_dyno.core import formatting
from lambda_dyno.core.config import SLO_KEYS
from lambda_dyno.core.results import (
    INTERRUPTED,
    Check,
    LoadResult,
    Outcome,
    RunResult,
    SizeVerdict,
    Verdict,
)

# What a check's reason says of how much it rests on.
_EVIDENCE = re.compile(r"(?<![\d,.])\d[\d,]* (?:of \d[\d,]* )?(?:requests?|invocations)(?! cost)\b")

Status = Literal["pass", "fail", "inconclusive", "error", "none"]

STYLES: dict[Status, str] = {  # in a terminal, in rich's words
    "pass": "green",
    "fail": "red",
    "error": "red",
    "inconclusive": "yellow",
    "none": "dim",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """The run in a few words."""

    status: Status
    text: str

    @property
    def symbol(self) -> str:
        """A sign for the status, for readers who scan."""
        return formatting.SYMBOLS[self.status]


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """One check of the gate, written out."""

    outcome: Outcome
    title: str
    limit: str
    measured: str
    reason: str
    sizes: Mapping[str, str] = field(default_factory=dict)  # by size, if there are two
    elsewhere: str = ""  # what it is at the size that was not judged
    margin: str = ""  # between what was measured and the limit, in per cent of the limit
    used: float | None = None  # share of the limit that was measured, 0 to 1
    evidence: str = ""  # of how much, such as "1,180 requests"

    @property
    def symbol(self) -> str:
        """A sign for the outcome."""
        return formatting.SYMBOLS[self.outcome]

    @property
    def why(self) -> str:
        """The reason where one is needed; of what is met, how much it rests on."""
        return self.evidence if self.outcome == "pass" else self.reason

    @property
    def sentence(self) -> str:
        """The line for a place without columns."""
        if self.outcome != "pass":
            return self.reason
        margin = f", {self.margin} left" if self.margin else ""
        evidence = f", {self.evidence}" if self.evidence else ""
        return f"{self.measured}, limit {self.limit}{margin}{evidence}"


# --- headline -------------------------------------------------------------------------------


def headline(result: RunResult) -> Headline:
    """Return the run's outcome in a few words; an error comes before any verdict."""
    if result.error == INTERRUPTED:
        return Headline("error", "Interrupted before its end")
    if result.error:
        return Headline("error", "The run failed")
    if result.verdict is None:
        return Headline("none", "Not checked against SLOs")
    verdict = result.verdict
    text = _describe_verdict(verdict)
    judged = next((size for size in verdict.sizes if size.judged), None)
    for other in verdict.sizes:
        if judged is not None and other.outcome != verdict.outcome and not other.judged:
            there = _describe_verdict(other)
            text += f" at {judged.memory_mb:,} MB; {there[:1].lower()}{there[1:]}"
            text += f" at {other.memory_mb:,} MB"
    return Headline(verdict.outcome, text)


def _describe_verdict(verdict: Verdict | SizeVerdict) -> str:
    total = len(verdict.checks)
    if not total:
        return "No SLO is set"
    of_all = {
        outcome: sum(check.outcome == outcome for check in verdict.checks)
        for outcome in ("pass", "fail", "inconclusive")
    }
    if verdict.outcome == "fail":
        missed = of_all["fail"]
        return f"{missed} of {total} SLOs {'is' if missed == 1 else 'are'} missed"
    if verdict.outcome == "inconclusive":
        return f"Not decided: {of_all['inconclusive']} of {total} SLOs without enough evidence"
    return "The SLO is met" if total == 1 else f"All {total} SLOs are met"


def verdict_lines(
    verdict: Verdict | None, loads: Sequence[LoadResult] = ()
) -> tuple[VerdictLine, ...]:
    """Return one line per check, what needs attention first.

    Args:
        verdict: Of a run.
        loads: Load tests that are shown beside it, with why they say nothing: that is said once.
    """
    if verdict is None:
        return ()
    order = {"fail": 0, "inconclusive": 1, "pass": 2}
    checks = sorted(verdict.checks, key=lambda check: order[check.outcome])
    why = {text.rstrip(".") for load in loads for text in (load.saturated, load.late) if text}
    return tuple(_verdict_line(_brief(check, why), verdict.sizes) for check in checks)


def _brief(check: Check, said: Collection[str]) -> Check:
    reason = check.reason
    for text in said:
        reason = reason.replace(text, "see Under load")
    return replace(check, reason=reason)


def check_title(name: str) -> str:
    """Return what a check is called; an unknown one by its key."""
    key, _, function = name.partition(" of ")  # of several functions
    if key in SLO_KEYS:
        return f"{SLO_KEYS[key].title}{f' of {function}' if function else ''}"
    compared = re.fullmatch(r"(p\d+|cost)_ratio", name)
    if compared:
        return f"{compared[1].replace('cost', 'Cost')} against the baseline"
    return name.replace("_", " ")


def _verdict_line(check: Check, sizes: Sequence[SizeVerdict]) -> VerdictLine:
    found = {size: one for size in sizes for one in size.checks if one.name == check.name}
    cells = {
        size: f"{formatting.SYMBOLS[one.outcome]} {check_value(one, one.measured)}"
        for size, one in found.items()
    }
    elsewhere = (f"{cells[size]} at {size.memory_mb:,} MB" for size in found if not size.judged)
    return VerdictLine(
        outcome=check.outcome,
        title=check_title(check.name),
        limit=check_value(check, check.limit),
        measured=check_value(check, check.measured),
        reason=check.reason,
        sizes={
            f"{size.memory_mb:,} MB {size.label}": cells.get(size, formatting.MISSING)
            for size in sizes
        },
        elsewhere=", ".join(elsewhere),
        margin=_margin(check),
        used=_used(check),
        evidence=", ".join(_EVIDENCE.findall(check.reason)),
    )


def _used(check: Check) -> float | None:
    if check.measured is None or not check.limit > 0:
        return None
    return check.measured / check.limit


def _margin(check: Check) -> str:
    """Return how much of the limit is left, such as "74 %"; with a sign if it is exceeded."""
    used = _used(check)
    if used is None:
        return ""
    left = round((1 - used) * 100)
    return f"{left} %".replace("-", "−") if used <= 1 or left else "−1 %"


def check_value(check: Check, value: float | None) -> str:
    """Return a limit or a measured value with its unit."""
    if value is None:
        return "not measured"
    declared = SLO_KEYS.get(check.name.partition(" of ")[0])
    unit = declared.unit if declared else "ratio" if check.name.endswith("_ratio") else check.unit
    match unit:
        case "ms":
            return f"{formatting.milliseconds(value)} ms"
        case "USD":
            return f"{formatting.usd(value)} {check.unit or 'USD'}"
        case "ratio":
            return formatting.percent(value)
        case _:
            return f"{formatting.rounded(value)} {unit}".rstrip()
