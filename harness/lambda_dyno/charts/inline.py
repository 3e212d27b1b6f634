"""Curves as pictures that Markdown can hold without uploading anything.

GitHub and GitLab draw Mermaid's XY charts in comments, summaries and files; see
docs/adr/20261120-apply-under-review.md. That chart has one scale and no legend, so duration
and cost are a chart each. Where nothing draws Mermaid, bars of characters tell the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lambda_dyno.core import formatting
from lambda_dyno.core.results import LoadResult, Point, TuningResult

# More labels than this run into each other in 640 pixels.
_MOST_POINTS = 14
_BAR = 24

# Mermaid's own line is almost as light as its paper.
_INIT = (
    '%%{init: {"xyChart": {"width": 640, "height": 240}, '
    '"themeVariables": {"xyChart": {"plotColorPalette": "#2a7fb8"}}}}%%'
)


def points(tuning: TuningResult) -> list[Point]:
    """Return what was measured, thinned out evenly where it is too much for a picture.

    The smallest, the largest, the current and the recommended size always stay.
    """
    measured = [point for detail in tuning.details if (point := Point.of(detail))]
    if len(measured) <= _MOST_POINTS:
        return measured
    last = len(measured) - 1
    keep = {round(i * last / (_MOST_POINTS - 3)) for i in range(_MOST_POINTS - 2)}
    must = {tuning.current_power, tuning.power}
    return [p for i, p in enumerate(measured) if i in keep or p.power in must]


def curve(tuning: TuningResult) -> str:
    """Return two charts as fenced Mermaid; empty with fewer than two measured sizes."""
    shown = points(tuning)
    if len(shown) < 2:
        return ""
    labels = [f"{point.power} {_mark(point.power, tuning)}".rstrip() for point in shown]
    durations, costs = [p.duration_ms for p in shown], [_cost(p) for p in shown]
    unit = f"{tuning.currency} per million"
    return "\n\n".join(
        (
            _chart("Duration by memory size in MB", "ms", labels, durations, max(durations)),
            _chart("Cost by memory size in MB", unit, labels, costs, max(costs)),
        )
    )


def latencies(loads: Sequence[LoadResult]) -> str:
    """Return a chart of percentiles for each load test, all of one scale; empty without answers."""
    answered = [(load, load.latency_ms) for load in loads if load.latency_ms is not None]
    most = max((latency.p99 for _, latency in answered), default=0.0)
    return "\n\n".join(
        _chart(
            f"Latency under load at {load.memory_mb} MB",
            "ms",
            ("p50", "p90", "p95", "p99"),
            (latency.p50, latency.p90, latency.p95, latency.p99),
            most,
        )
        for load, latency in answered
    )


def bars(tuning: TuningResult) -> str:
    """Return the curve as lines of bars; empty with fewer than two measured sizes."""
    shown = points(tuning)
    if len(shown) < 2:
        return ""
    longest, highest = max(p.duration_ms for p in shown), max(map(_cost, shown))
    return "\n".join(_line(p, longest, highest, tuning) for p in shown)


def _line(point: Point, longest: float, highest: float, tuning: TuningResult) -> str:
    duration = f"{formatting.milliseconds(point.duration_ms):>7} ms"
    cost = f"{formatting.per_million(point.cost_usd):>7} {tuning.currency}"
    bars = _bar(point.duration_ms, longest), _bar(_cost(point), highest)
    mark = _mark(point.power, tuning)
    return f"{point.power:>6} MB  {bars[0]} {duration}  {bars[1]} {cost}  {mark}".rstrip()


def _chart(
    title: str, unit: str, labels: Sequence[str], values: Sequence[float], most: float
) -> str:
    """Return a line as fenced Mermaid.

    Args:
        title: Above it.
        unit: Of its values.
        labels: One for each value.
        values: At least two.
        most: What the axis must have room for.
    """
    axis = ", ".join(f'"{label}"' for label in labels)
    return "\n".join(
        (
            "```mermaid",
            _INIT,
            "xychart-beta",
            f'    title "{title}"',
            f"    x-axis [{axis}]",
            f'    y-axis "{unit}" 0 --> {_plain(_round_above(most))}',
            f"    line [{', '.join(map(_plain, values))}]",
            "```",
        )
    )


def _round_above(value: float) -> float:
    """Return a round number that an axis can end at, at most a quarter above; 1 for nothing."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    steps = (1, 1.2, 1.5, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9, 10)
    return next(step * power for step in steps if step * power >= value * (1 - 1e-9))


def _cost(point: Point) -> float:
    return point.cost_usd * 1e6


def _mark(power: int, tuning: TuningResult) -> str:
    if power == tuning.power:
        return "best"
    return "now" if power == tuning.current_power else ""


def _plain(value: float) -> str:
    """Return a number without an exponent, which Mermaid does not read."""
    return f"{value:.6f}".rstrip("0").rstrip(".") or "0"


def _bar(value: float, most: float) -> str:
    eighths = round(8 * _BAR * value / most) if most > 0 else 0
    full, rest = divmod(max(1, eighths), 8)
    return ("█" * full + " ▏▎▍▌▋▊▉"[rest].strip()).ljust(_BAR)
