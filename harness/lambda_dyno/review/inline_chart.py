"""The curve of a tuning as a picture that a comment can hold without uploading anything.

GitHub draws Mermaid's XY charts in comments and job summaries; see
docs/adr/20261120-apply-under-review.md. That chart has one scale and no legend, so duration
and cost are a chart each. Where nothing draws Mermaid, bars of characters tell the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lambda_dyno.core import formatting
from lambda_dyno.core.results import Point, TuningResult

# More labels than this run into each other in 640 pixels.
_MOST_POINTS = 14
_BAR = 24

_SIZE = '%%{init: {"xyChart": {"width": 640, "height": 240}}}%%'


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


def mermaid(tuning: TuningResult) -> str:
    """Return two charts as fenced Mermaid; empty with fewer than two measured sizes."""
    shown = points(tuning)
    if len(shown) < 2:
        return ""
    return "\n\n".join(
        (
            _chart("Duration by memory size in MB", "ms", shown, tuning, _duration),
            _chart(
                "Cost by memory size in MB", f"{tuning.currency} per million", shown, tuning, _cost
            ),
        )
    )


def bars(tuning: TuningResult) -> str:
    """Return the curve as lines of bars; empty with fewer than two measured sizes."""
    shown = points(tuning)
    if len(shown) < 2:
        return ""
    longest, highest = (max(read(p) for p in shown) for read in (_duration, _cost))
    return "\n".join(_line(p, longest, highest, tuning) for p in shown)


def _line(point: Point, longest: float, highest: float, tuning: TuningResult) -> str:
    duration = f"{formatting.milliseconds(point.duration_ms):>7} ms"
    cost = f"{formatting.per_million(point.cost_usd):>7} {tuning.currency}"
    bars = _bar(point.duration_ms, longest), _bar(_cost(point), highest)
    mark = _mark(point.power, tuning)
    return f"{point.power:>6} MB  {bars[0]} {duration}  {bars[1]} {cost}  {mark}".rstrip()


def _chart(
    title: str,
    unit: str,
    shown: Sequence[Point],
    tuning: TuningResult,
    read: Callable[[Point], float],
) -> str:
    labels = ", ".join(f'"{p.power} {_mark(p.power, tuning)}"'.replace(' "', '"') for p in shown)
    values = ", ".join(_plain(read(p)) for p in shown)
    top = _plain(max(read(p) for p in shown) * 1.05 or 1.0)
    return "\n".join(
        (
            "```mermaid",
            _SIZE,
            "xychart-beta",
            f'    title "{title}"',
            f"    x-axis [{labels}]",
            f'    y-axis "{unit}" 0 --> {top}',
            f"    line [{values}]",
            "```",
        )
    )


def _duration(point: Point) -> float:
    return point.duration_ms


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
