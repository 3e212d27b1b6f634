"""The four lines that page, comment, job summary, terminal and JSON show of a run first.

Verdict, change with its money, speed, finding with its risk. One function makes them, so that no
two places differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lambda_dyno.core import formatting
from lambda_dyno.core.errors import brief
from lambda_dyno.core.formatting import SYMBOLS
from lambda_dyno.core.results import INTERRUPTED, Check, LoadResult, RunResult
from lambda_dyno.gates import phrases, recommendation
from lambda_dyno.gates.advice import advised, finding, risk
from lambda_dyno.gates.phrases import Status
from lambda_dyno.money import bill, words

_WORDS: dict[Status, str] = {
    "pass": "PASS",
    "fail": "MISSED",
    "inconclusive": "UNDECIDED",
    "error": "FAILED",
    "none": "NOT JUDGED",
}
_MOST_OF_AN_ERROR = 160


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in four lines, none of them empty."""

    status: Status
    head: str  # of the first line; the rest of it is what it is about
    about: tuple[str, ...]
    change: str
    speed: str
    finding: str

    @property
    def verdict(self) -> str:
        """The first line."""
        return " · ".join((self.head, *self.about))

    @property
    def lines(self) -> tuple[str, ...]:
        """The four lines, in order."""
        return self.verdict, self.change, self.speed, self.finding


def completed(result: RunResult) -> RunResult:
    """Return a run with all that follows from what it found so far."""
    known = replace(advised(result), money=bill.of_result(result))
    return replace(known, summary=of(known).lines)


def of(result: RunResult) -> Summary:
    """Return a run in four lines."""
    if result.tuning is not None and (result.advice is None or result.money is None):
        # of an older release
        result = replace(advised(result), money=result.money or bill.of_result(result))
    status = phrases.headline(result).status
    return Summary(
        status,
        _head(result, status),
        tuple(_about(result)),
        _change(result),
        _speed(result),
        _finding(result),
    )


# --- verdict --------------------------------------------------------------------------------


def _head(result: RunResult, status: Status) -> str:
    """Return the verdict, and what decided it."""
    if result.error == INTERRUPTED:
        return f"{SYMBOLS[status]} INTERRUPTED before its end"
    return f"{SYMBOLS[status]} {_WORDS[status]}: {_why(result, status)}"


def is_said_whole(error: str) -> bool:
    """Tell whether the first line has all of what stopped a run."""
    text = error.strip()
    return error == INTERRUPTED or (len(text) <= _MOST_OF_AN_ERROR and "\n" not in text)


def _why(result: RunResult, status: Status) -> str:
    if status == "error":
        first = (result.error.strip().splitlines() or [""])[0]
        return brief(first, most=_MOST_OF_AN_ERROR)
    if status == "none":
        return "not held against SLOs"
    assert result.verdict is not None
    checks = result.verdict.checks
    if not checks:
        return "no SLO is set"
    if status == "pass":
        return f"all {len(checks)} SLOs are met" if len(checks) > 1 else "the SLO is met"
    open_ones = [check for check in checks if check.outcome == status]
    more = f", and {len(open_ones) - 1} more of {len(checks)}" if len(open_ones) > 1 else ""
    if status == "fail":
        return _missed(open_ones[0]) + more
    return f"{phrases.check_title(open_ones[0].name)} lacks evidence{more}"


def _missed(check: Check) -> str:
    title = phrases.check_title(check.name)
    limit, measured = (phrases.check_value(check, one) for one in (check.limit, check.measured))
    return f"{title} {measured}, limit {limit}"


def _about(result: RunResult) -> Iterator[str]:
    """Yield the function, where it was measured, its size, the commit and the run."""
    name = function_name(result)
    if name:
        yield name
    where = result.settings_env
    if result.on_embedded_aws:
        where = f"{where} (embedded AWS)" if where else "embedded AWS"
    if where:
        yield where
    now = result.tuning.current_power if result.tuning else result.outputs.get("memory_mb")
    sizes = result.verdict.sizes if result.verdict else ()
    judged_mb = next((size.memory_mb for size in sizes if size.judged), now)
    if judged_mb:
        yield f"{judged_mb} MB"
    if result.git_sha:
        yield f"commit {formatting.commit(result.git_sha)}"
    yield f"run {result.run_id}"


def function_name(result: RunResult) -> str:
    """Return the name of the function that was measured; empty: that is not known."""
    arn = result.function_arn or (result.tuning.function_arn if result.tuning else "")
    named = arn or str(result.outputs.get("function_arn") or "")
    parts = named.split(":")
    return ":".join(parts[6:]) if len(parts) > 6 else str(result.outputs.get("function_name") or "")


# --- change and speed -----------------------------------------------------------------------


def _change(result: RunResult) -> str:
    tuning = result.tuning
    if tuning is None:
        return "No change: nothing was tuned."
    if tuning.detail(tuning.power) is None:
        return "No change: a dry run recommends nothing."
    now, new = tuning.current_power, tuning.power
    other = next((x for x in tuning.architectures[1:] if x.is_recommended), None)
    if other is not None:  # which size is best on the own one is told below
        return f"Change {tuning.architecture} with {now} MB → {recommendation.on(other, tuning)}."
    if new == now:
        costs = words.month(result.money, now) if result.money else ""
        return f"Keep {now} MB: {costs or 'what it costs is not known'}."
    money = words.change(result.money, now, new) if result.money else ""
    return f"Change {now} → {new} MB: {money or recommendation.cost_change(tuning)}."


def _speed(result: RunResult) -> str:
    """Return duration and p95 under load, now and at the recommended size."""
    tuning = result.tuning
    parts = []
    if tuning is not None and tuning.detail(tuning.power) is not None:
        parts.append(recommendation.speed_change(tuning))
    parts += _under_load(result.load)
    return f"{'; '.join(parts)}." if parts else "Speed: nothing was measured."


def _under_load(loads: tuple[LoadResult, ...]) -> Iterator[str]:
    answered = [load for load in loads if load.latency_ms is not None]
    if not answered:
        return
    texts = []
    for load in dict.fromkeys((answered[0].label, answered[-1].label)):
        one = next(x for x in answered if x.label == load)
        assert one.latency_ms is not None
        doubt = " (saturated)" if one.saturated else " (late answers)" if one.late else ""
        texts.append(
            f"{formatting.milliseconds(one.latency_ms.p95)} ms at {one.memory_mb} MB{doubt}"
        )
    yield f"p95 under load {' → '.join(texts)}"


# --- finding --------------------------------------------------------------------------------


def _finding(result: RunResult) -> str:
    tuning, advice = result.tuning, result.advice
    if tuning is None or advice is None:
        return "Whether its memory size is right is not known: nothing was tuned."
    return f"{finding(advice, tuning)} {risk(advice, tuning)}"
