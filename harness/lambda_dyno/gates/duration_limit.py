"""What was found of a limit on duration, in a sentence."""

from __future__ import annotations

from lambda_dyno.core import formatting
from lambda_dyno.core.results import LimitOutcome, TuningResult

_NUMBERS = ("none", "one", "two")


def sentence(tuning: TuningResult) -> str:
    """Return whether the recommended size keeps its limit, and how that is known; else empty."""
    found = tuning.limit
    if found is None:
        return ""
    limit = f"{formatting.milliseconds(found.max_duration_ms)} ms"
    value = f"{formatting.milliseconds(found.value_ms)} ms"
    if found.verdict == "none":
        return (
            f"No size keeps a {found.on} of at most {limit}: the fastest, {tuning.power} MB, has "
            f"{value}."
        )
    kept = f"{tuning.power} MB: {found.on} at most {limit}"
    if found.verdict == "proven":
        return f"{kept}, proven by {_counted(found)}."
    return f"{kept} is not proven: it has {value} in {_counted(found)}{_wanted(found)}."


def _counted(found: LimitOutcome) -> str:
    noun = "invocation" if found.invocations == 1 else "invocations"
    if found.on == "mean":
        most = f", at most {formatting.milliseconds(found.at_most_ms)} ms with 95 %"
        return f"{found.invocations:,} {noun}{most if found.at_most_ms else ''}"
    above = _NUMBERS[found.above] if found.above < len(_NUMBERS) else f"{found.above:,}"
    return f"{found.invocations:,} {noun} with {above} above"


def _wanted(found: LimitOutcome) -> str:
    if not found.missing:
        return ""
    return f"; {found.missing:,} more with none above would prove it"
