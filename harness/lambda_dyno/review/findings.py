"""What of a run is worth a message: a missed SLO, a recommendation that moves, a regression."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lambda_dyno.gates import summary
from lambda_dyno.report import markdown
from lambda_dyno.review import deltas
from lambda_dyno.review.comment_parts import Review

# a client of its own accord makes a link of an address
_ADDRESS = re.compile(r"(?<=\w)(?=://|\.\w)")


def title(review: Review) -> str:
    """Return the run's verdict, plain text."""
    return plain(summary.of(review.result).verdict)


def findings(review: Review) -> tuple[str, ...]:
    """Return a line for each finding, plain text; none: nobody needs to be told."""
    return tuple(plain(line) for line in _all(review))


def _all(review: Review) -> Iterator[str]:
    result, main = review.result, review.baseline
    found = summary.of(result)
    if found.status == "fail" and result.verdict is not None:
        for check in result.verdict.checks:
            if check.outcome == "fail":
                yield f"Missed: {check.reason}"
    tuning = result.tuning
    if tuning is not None and tuning.current_power not in (None, tuning.power):
        yield f"Recommended: {tuning.current_power} → {tuning.power} MB. {found.change}"
    if main is None:
        return
    if tuning is not None and main.tuning is not None and tuning.current_power:
        table = deltas.memory_table(tuning, main.tuning)
        for row, detail in zip(table.rows, tuning.details, strict=True):
            if detail.power == tuning.current_power:
                duration = row.cells[-2].text
                if duration.startswith("+"):
                    yield f"Slower than main's run {main.run_id}: {duration} at {detail.power} MB"
    loads = deltas.latency_table(result.load, review.samples, main, review.baseline_samples)
    for row in loads.rows if loads is not None else ():
        if row.cells[-1].text.startswith("+"):
            name = row.cells[0].text
            yield f"Slower than main's run {main.run_id}: p95 {row.cells[-1].text} ({name})"


def plain(text: str) -> str:
    """Return text on one line in which nothing is a mention or an address."""
    line = " ".join(markdown.visible(text).split())
    return _ADDRESS.sub("\u200b", line).replace("@", "@\u200b")
