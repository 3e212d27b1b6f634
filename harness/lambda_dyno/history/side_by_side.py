"""`dyno compare` as text, at any width, and for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from lambda_dyno.core import formatting
from lambda_dyno.core.errors import brief
from lambda_dyno.history.commits import Between
from lambda_dyno.history.comparison import Comparison, Delta
from lambda_dyno.history.series import METRICS, Key, Record

_MOST_SETTINGS = 20
_VALUE = 8
_UNIT = max(len(metric.unit) for metric in METRICS)


_wrapped = partial(formatting.wrapped, hang=3)


def lines(found: Comparison, code: Between, width: int) -> Iterator[str]:
    """Yield what is shown of a comparison.

    Args:
        found: The comparison.
        code: What lies between the two commits.
        width: Of the terminal, in columns.
    """
    for side, records in (("A", found.before), ("B", found.after)):
        yield from _wrapped(f"{side}  {_side(records)}", width)
    for other in found.others:
        yield from _wrapped(f"Not shown: {other} (--function, --env)", width)
    yield ""
    for metric, delta in found.figures:
        if delta.before is not None or delta.after is not None:
            a, b = metric.shown(delta.before), metric.shown(delta.after)
            yield from _row(metric.title, a, b, metric.unit, delta, width)
    yield from _basis([delta for _, delta in found.figures], width)
    if found.sizes:
        duration, cost = METRICS[:2]
        yield ""
        yield "By memory size: duration, then cost"
        for size, of_duration, of_cost in found.sizes:
            for title, metric, delta in (
                (f"{size:,} MB", duration, of_duration),
                ("", cost, of_cost),
            ):
                a, b = metric.shown(delta.before), metric.shown(delta.after)
                yield from _row(title, a, b, metric.unit, delta, width)
    yield ""
    yield from _what_changed(found, code, width)


def _side(records: Sequence[Record]) -> str:
    newest = records[-1]
    key = Key.of(newest)
    sha = str(newest["git_sha"])[:9]
    several = f"{len(records)} runs, the newest " if len(records) > 1 else "run "
    parts = [
        f"{brief(key.function_name)} on {brief(key.place)}",
        f"{several}{newest['run_id']} of {newest['started_at']:%Y-%m-%d %H:%M}",
        f"commit {sha}{'+' if newest['is_dirty'] else ''}" if sha else "no commit",
        brief(key.branch),
    ]
    return " · ".join(filter(None, parts))


def _row(title: str, a: str, b: str, unit: str, delta: Delta, width: int) -> Iterator[str]:
    """Yield a figure of both sides and its change; in a narrow terminal in two lines."""
    head = f"  {title:<14}{a:>{_VALUE}} → {b:>{_VALUE}} {unit:<{_UNIT}}"
    change = _change(delta)
    if len(head) + 2 + len(change) <= width:
        yield f"{head}  {change}".rstrip()
        return
    yield from _wrapped(" ".join(f"{title} {a} → {b} {unit}".split()), width, "  ")
    if change:
        yield from _wrapped(change, width, "    ")


def _change(delta: Delta) -> str:
    if delta.ratio is None:
        return ""
    text = f"{formatting.change(delta.ratio)} %"
    if delta.low is None or delta.high is None:
        return f"{text} (no interval)"
    ends = f"{formatting.change(delta.low)} to {formatting.change(delta.high)} %"
    alike = f" {formatting.SYMBOLS['inconclusive']}" if delta.low <= 1 <= delta.high else ""
    return f"{text} ({ends}){alike}"


def _basis(deltas: Sequence[Delta], width: int) -> list[str]:
    """Return what the intervals hold for."""
    found = {delta.basis for delta in deltas if delta.ratio is not None}
    if "runs" in found:
        text = "Intervals are of 95 %, with what runs of this function differ by of themselves."
    elif "run" in found:
        text = (
            "Intervals are of 95 % and hold within the two runs alone: too few runs are known to "
            "say how much they differ of themselves (eight at least)."
        )
    else:
        text = "No intervals: too few runs are known to say how much they differ of themselves."
    alike = any(delta.low is not None and delta.low <= 1 <= (delta.high or 0) for delta in deltas)
    if alike:
        text += f" {formatting.SYMBOLS['inconclusive']}: the two cannot be told apart."
    return _wrapped(text, width)


def _what_changed(found: Comparison, code: Between, width: int) -> Iterator[str]:
    for title, changed in (("Differs", found.facts), ("Settings", found.settings)):
        if changed:
            yield f"{title}:"
            for line in changed[:_MOST_SETTINGS]:
                yield from _wrapped(line, width, "  ")
            if len(changed) > _MOST_SETTINGS:
                yield f"  and {len(changed) - _MOST_SETTINGS} more"
    if not found.settings:
        yield "Settings: the same"
    if code.problem:
        yield from _wrapped(f"Code: {code.problem}", width)
    elif not code.commits:
        yield from _wrapped(f"Code: no commit between them. {code.files}".rstrip(), width)
    else:
        count = len(code.commits) + code.more
        words = f"Code: {count} commit{'s' if count > 1 else ''}; {code.files}".rstrip("; ")
        yield from _wrapped(words, width)
        for commit in code.commits:
            yield from _wrapped(brief(commit, most=200), width, "  ")
        if code.more:
            yield f"  and {code.more} more"


def as_json(found: Comparison, code: Between) -> dict[str, Any]:
    """Return a comparison for programs."""
    return {
        "before": [record["run_id"] for record in found.before],
        "after": [record["run_id"] for record in found.after],
        "figures": {metric.column: asdict(delta) for metric, delta in found.figures},
        "sizes": {
            str(size): {"duration_ms": asdict(duration), "cost_usd": asdict(cost)}
            for size, duration, cost in found.sizes
        },
        "differs": list(found.facts),
        "settings": list(found.settings),
        "code": asdict(code),
    }
