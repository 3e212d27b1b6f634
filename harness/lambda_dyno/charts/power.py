"""Duration and cost over memory, with the current and the recommended size marked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lambda_dyno.charts.drawing import INK, MUTED, WIDE, Size, Spec, filled
from lambda_dyno.core import formatting
from lambda_dyno.core.results import Point, PowerDetail, TuningResult

_CROWDED = 20  # sizes
_MOST_DOTS = 40  # of a size

Box = tuple[float, float, float, float]  # left, top, right, bottom


def power_spec(tuning: TuningResult | None, size: Size = WIDE) -> Spec | None:
    """Return duration and cost over memory, one above the other; None below two points.

    Two panels over one axis and not two axes in one panel: where the lines of two units
    cross means nothing, and looks as if it did.
    """
    if tuning is None:
        return None
    measured = [d for d in tuning.details if Point.of(d) is not None]
    if len(measured) < 2:
        return None
    scale = _MemoryScale.of([d.power for d in tuning.details], size)
    names = {tuning.current_power: "current", tuning.power: "recommended"}
    if tuning.current_power == tuning.power:
        names = {tuning.power: "current and recommended"}
    rows = [_row(detail, names.get(detail.power, ""), tuning.currency) for detail in measured]
    crowded = len(rows) > _CROWDED
    tops = {
        "duration": _top(row["duration_high"] for row in rows),
        "cost": _top(row["cost_high"] for row in rows),
    }
    return filled(
        "power",
        {
            "width": size.width,
            "height": size.panel_height,
            "memory_domain": [scale.low, scale.high],
            "memory_ticks": list(scale.ticks),
            "cost_title": f"Cost ({tuning.currency} per million invocations)",
            "point_size": 22 if crowded else 60,
            "point_border": 0 if crowded else 1.5,
            "sizes": rows,
            "band": [
                {"power": p.memory_mb, "low": p.low, "high": p.high}
                for p in tuning.curve
                if measured[0].power <= p.memory_mb <= measured[-1].power
            ],
            "dots": [dot for dot in dots(tuning) if dot["ms"] <= tops["duration"]],
            "rules": _rules(names, scale),
            "missing": [{"power": d.power} for d in tuning.details if d.excluded],
            **{f"{field}_domain": [0, top] for field, top in tops.items()},
            **{f"{field}_labels": _labels(field, rows, scale, top) for field, top in tops.items()},
        },
    )


def _top(values: Iterator[float]) -> float:
    return 1.22 * max(values) or 1.0


@dataclass(frozen=True, slots=True)
class _MemoryScale:
    """Logarithmic memory axis: where a power value is, and which values get a label."""

    low: float
    high: float
    ticks: tuple[int, ...]
    size: Size

    @classmethod
    def of(cls, powers: Sequence[int], size: Size) -> _MemoryScale:
        span = math.log2(max(powers) / min(powers))
        margin = 2 ** (max(span, 1) * 0.05)
        ticks = _spread(powers, span / size.max_ticks)
        return cls(min(powers) / margin, max(powers) * margin, ticks, size)

    def x(self, power: float) -> float:
        """Return the distance from the plot's left edge, in pixels."""
        return self.size.width * math.log(power / self.low) / math.log(self.high / self.low)


def _spread(powers: Sequence[int], distance: float) -> tuple[int, ...]:
    """Return power values at least `distance` doublings apart: the ends, then round ones."""
    ends = [min(powers), max(powers)]
    round_first = sorted(set(powers), key=lambda p: (not math.log2(p / 128).is_integer(), p))
    chosen: list[int] = []
    for power in [*ends, *round_first]:
        if all(abs(math.log2(power / other)) >= distance for other in chosen):
            chosen.append(power)
    return tuple(sorted(chosen))


def _row(detail: PowerDetail, name: str, currency: str) -> Spec:
    point = Point.of(detail)
    assert point is not None
    low, high = interval(detail) or (point.duration_ms, point.duration_ms)
    cost_low, cost_high = detail.cost_interval_usd or (point.cost_usd, point.cost_usd)
    duration = f"{formatting.milliseconds(point.duration_ms)} ms"
    cost = f"{formatting.per_million(point.cost_usd)} {currency}"
    memory = f"{detail.power} MB" + (f" ({name})" if name else "")
    return {
        "power": detail.power,
        "named": bool(name),
        "duration": point.duration_ms,
        "duration_label": duration,
        "duration_text": f"{memory}: {duration}",
        "duration_low": low,
        "duration_high": high,
        "cost": point.cost_usd * 1e6,
        "cost_low": cost_low * 1e6,
        "cost_high": cost_high * 1e6,
        "cost_label": cost,
        "cost_text": f"{memory}: {cost} per million invocations",
    }


def dots(tuning: TuningResult) -> list[Spec]:
    """Return single invocations, a few of each size, evenly by their rank; none of many sizes."""
    if len(tuning.details) > _CROWDED:
        return []
    found: list[Spec] = []
    for detail in tuning.details:
        ordered = sorted(_durations_ms(tuning, detail.power))
        step = max(1, -(-len(ordered) // _MOST_DOTS))
        found += [{"power": detail.power, "ms": ms} for ms in ordered[step // 2 :: step]]
    return found


def _durations_ms(tuning: TuningResult, power: int) -> Sequence[float]:
    """Return every duration measured at a size, in ms; empty if a result does not say."""
    details = tuning.raw.get("details")
    for entry in details if isinstance(details, list) else ():
        if isinstance(entry, Mapping) and entry.get("power") == power:
            found = entry.get("durations")
            numbers = found if isinstance(found, list) else []
            return [float(ms) for ms in numbers if isinstance(ms, int | float)]
    return ()


def interval(detail: PowerDetail) -> tuple[float, float] | None:
    """Return the 95 % interval of a size's duration, if it says something of the point drawn.

    Results of older releases have that of the mean alone. One cold start among few invocations
    moves the mean away from it and makes an interval that would fill the picture: that is none.
    """
    stats = detail.duration_ms
    if stats is None:
        return None
    if detail.duration_interval_ms is not None:
        return detail.duration_interval_ms
    low, high = stats.ci95
    holds = low <= stats.trimmed_mean <= high and high - low <= stats.trimmed_mean
    return (low, high) if holds else None


def _labels(field: str, rows: list[Spec], scale: _MemoryScale, top: float) -> list[Spec]:
    """Return the named rows, each with the place of its figure beside the point."""
    line = [
        (scale.x(row["power"]), scale.size.panel_height * (1 - row[field] / top)) for row in rows
    ]
    labels: list[Spec] = []
    taken: list[Box] = []
    for row, point in zip(rows, line, strict=True):
        if row["named"]:
            place, box = place_label(row[f"{field}_label"], point, line, taken, scale.size)
            taken.append(box)
            labels.append({**row, **place})
    return labels


def place_label(
    label: str,
    point: tuple[float, float],
    line: Sequence[tuple[float, float]],
    taken: Sequence[Box],
    size: Size,
) -> tuple[dict[str, Any], Box]:
    """Return where a point's label hides least: of the line, other labels, and itself.

    Args:
        label: Its text.
        point: The point, in pixels from the plot's top left.
        line: The points that the line joins.
        taken: Boxes of labels that are already placed.
        size: Size of the plot.

    Returns:
        Properties of the text mark, and the label's box.
    """
    width, height = 7.2 * len(label), 14.0
    on_line = [place for start, end in pairwise(line) for place in _between(start, end)]

    def box_of(below: int, left: int) -> Box:
        x = point[0] + (-8 - width if left else 8)
        y = point[1] + (9 if below else -6 - height)
        return (x, y, x + width, y + height)

    def penalty(corner: tuple[int, int]) -> float:
        box = box_of(*corner)
        hidden = sum(box[0] <= x <= box[2] and box[1] - 2 <= y <= box[3] for x, y in on_line)
        clashes = sum(_overlap(box, other) for other in taken)
        outside = box[0] < 0 or box[2] > size.width or box[1] < 0 or box[3] > size.panel_height
        return hidden + 100 * clashes + 50 * outside

    below, left = min(((0, 0), (0, 1), (1, 0), (1, 1)), key=penalty)  # of equal ones the first
    place = {
        "align": "right" if left else "left",
        "baseline": "top" if below else "bottom",
        "dx": -8 if left else 8,
        "dy": 9 if below else -6,
    }
    return place, box_of(below, left)


def _between(start: tuple[float, float], end: tuple[float, float]) -> Iterator[tuple[float, float]]:
    """Yield places on a straight line, some four pixels apart."""
    steps = max(2, int(math.dist(start, end) / 4))
    for step in range(steps + 1):
        part = step / steps
        yield start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _rules(names: Mapping[int, str], scale: _MemoryScale) -> list[Spec]:
    """Return the named sizes' rules; names stand above, in two lines if they would touch in one."""
    rules: list[Spec] = []
    spans: list[tuple[float, float]] = []
    for power, name in names.items():
        if not scale.low <= power <= scale.high:
            continue
        text = f"{name} {power} MB"
        width = 7.0 * len(text)
        left = scale.x(power)
        fits = left + width <= scale.size.width + 10
        span = (left, left + width) if fits else (left - width, left)
        line = int(any(span[0] < other[1] + 12 and other[0] < span[1] + 12 for other in spans))
        spans.append(span)
        plain = name == "current"
        rules.append(
            {
                "power": power,
                "text": text,
                "align": "left" if fits else "right",
                "dx": -1 if fits else 1,
                "dy": -5 - 16 * line,
                "weight": 400 if plain else 600,
                "colour": MUTED if plain else INK,
                "dash": [3, 3] if plain else [1, 0],
            }
        )
    return rules
