"""Duration and cost over memory, with the current and the recommended size marked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lambda_dyno.core.results import PowerDetail, TuningResult
from lambda_dyno.report import formatting
from lambda_dyno.report.charts import BLUE, INK, MUTED, ORANGE, PAPER, WIDE, Size, Spec, document
from lambda_dyno.report.recommendation import Point


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
    rows = [_power_row(detail, names) for detail in measured]
    missing = [{"power": d.power} for d in tuning.details if d.excluded]
    panels = (
        _Panel("duration", "Duration (ms)", BLUE, bottom=False),
        _Panel("cost", "Cost (USD per million invocations)", ORANGE, bottom=True),
    )
    return document(
        "Duration and cost by memory size",
        spacing=14,
        vconcat=[_power_panel(p, rows, missing, names, scale, size) for p in panels],
    )


@dataclass(frozen=True, slots=True)
class _Panel:
    field: str
    title: str
    colour: str
    bottom: bool


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
        low, high = min(powers) / margin, max(powers) * margin
        ticks = _spread(powers, span / size.max_ticks)
        return cls(low, high, ticks, size)

    def x(self, power: float) -> float:
        """Return the distance from the plot's left edge."""
        return self.size.width * math.log(power / self.low) / math.log(self.high / self.low)

    @property
    def encoding(self) -> Spec:
        return {"type": "log", "base": 2, "domain": [self.low, self.high], "nice": False}


def _spread(powers: Sequence[int], distance: float) -> tuple[int, ...]:
    """Return power values at least `distance` doublings apart: the ends, then round ones."""
    ends = [min(powers), max(powers)]
    round_first = sorted(set(powers), key=lambda p: (not math.log2(p / 128).is_integer(), p))
    chosen: list[int] = []
    for power in [*ends, *round_first]:
        if all(abs(math.log2(power / other)) >= distance for other in chosen):
            chosen.append(power)
    return tuple(sorted(chosen))


def _power_row(detail: PowerDetail, names: Mapping[int, str]) -> Spec:
    point = Point.of(detail)
    assert point is not None
    name = names.get(detail.power, "")
    low, high = interval(detail) or (point.duration_ms, point.duration_ms)
    duration = f"{formatting.milliseconds(point.duration_ms)} ms"
    cost = f"{formatting.per_million(point.cost_usd)} USD"
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
        "cost_label": cost,
        "cost_text": f"{memory}: {cost} per million invocations",
    }


def _power_panel(
    panel: _Panel,
    rows: list[Spec],
    missing: list[Spec],
    names: Mapping[int, str],
    scale: _MemoryScale,
    size: Size,
) -> Spec:
    highest = max(max(row[panel.field], row.get(f"{panel.field}_high", 0)) for row in rows)
    top = 1.22 * highest or 1.0
    y_scale = {"domain": [0, top], "nice": False, "zero": True}
    x = {
        "field": "power",
        "type": "quantitative",
        "scale": scale.encoding,
        "axis": {
            "values": list(scale.ticks),
            "title": "Memory (MB)" if panel.bottom else None,
            "labels": panel.bottom,
            "ticks": panel.bottom,
            "grid": False,
            "format": "d",
            "labelOverlap": False,
        },
    }
    y = {
        "field": panel.field,
        "type": "quantitative",
        "scale": y_scale,
        "axis": {"title": None, "tickCount": 4, "domain": False, "ticks": False},
    }
    layers = [*_rules(names, scale, x), _line(panel, x, y), *_points(panel, rows, x, y)]
    layers += _value_labels(panel, rows, scale, x, y)
    if panel.field == "duration":
        layers[2:2] = [_whiskers(panel, x, y)]
        layers += [_missing(missing, x)] if missing else []
        layers += _rule_labels(names, scale, x)
    return {
        "name": panel.field,
        "title": {"text": panel.title, "anchor": "start", "frame": "group", "offset": 8},
        "width": size.width,
        "height": size.panel_height,
        "data": {"values": rows},
        "layer": layers,
    }


def _line(panel: _Panel, x: Spec, y: Spec) -> Spec:
    return {
        "mark": {
            "type": "line",
            "color": panel.colour,
            "strokeWidth": 2,
            "interpolate": "linear",
            "aria": False,
        },
        "encoding": {"x": x, "y": y},
    }


def interval(detail: PowerDetail) -> tuple[float, float] | None:
    """Return the 95 % interval of a size's mean, if it says something of the point drawn.

    The point is the trimmed mean. One cold start among few invocations moves the mean away
    from it and makes an interval that would fill the picture: that is none.
    """
    stats = detail.duration_ms
    if stats is None:
        return None
    low, high = stats.ci95
    holds = low <= stats.trimmed_mean <= high and high - low <= stats.trimmed_mean
    return (low, high) if holds else None


def _whiskers(panel: _Panel, x: Spec, y: Spec) -> Spec:
    encoding = {
        "x": x,
        "y": {**y, "field": f"{panel.field}_low"},
        "y2": {"field": f"{panel.field}_high"},
    }
    mark = {"type": "rule", "color": panel.colour, "strokeWidth": 1, "aria": False}
    return {"mark": mark, "encoding": encoding}


def _points(panel: _Panel, rows: list[Spec], x: Spec, y: Spec) -> list[Spec]:
    """Return the points. They are named: the report's script finds them by that."""
    crowded = len(rows) > 20
    return [
        {
            "name": f"{panel.field}_points",
            "mark": {
                "type": "point",
                "shape": "circle",
                "filled": True,
                "opacity": 1,
                "stroke": PAPER,
                "color": panel.colour,
            },
            "encoding": {
                "x": x,
                "y": y,
                "size": {
                    "condition": {"test": "datum.named", "value": 110},
                    "value": 22 if crowded else 60,
                },
                "strokeWidth": {
                    "condition": {"test": "datum.named", "value": 2},
                    "value": 0 if crowded else 1.5,
                },
                "description": {"field": f"{panel.field}_text"},
            },
        }
    ]


def _value_labels(
    panel: _Panel, rows: list[Spec], scale: _MemoryScale, x: Spec, y: Spec
) -> list[Spec]:
    """Return the figures beside the named points, each with a halo that keeps lines off."""
    layers: list[Spec] = []
    top = y["scale"]["domain"][1]
    line = [
        (scale.x(row["power"]), scale.size.panel_height * (1 - row[panel.field] / top))
        for row in rows
    ]
    taken: list[Box] = []
    for row, point in zip(rows, line, strict=True):
        if not row["named"]:
            continue
        label = row[f"{panel.field}_label"]
        place, box = place_label(label, point, line, taken, scale.size)
        taken.append(box)
        text = {"type": "text", "fontWeight": 600, "fontSize": 12, "aria": False, **place}
        encoding = {"x": x, "y": y, "text": {"field": f"{panel.field}_label"}}
        halo = {**text, "stroke": PAPER, "strokeWidth": 4, "strokeJoin": "round", "color": PAPER}
        layers += [
            {"data": {"values": [row]}, "mark": mark, "encoding": encoding}
            for mark in (halo, {**text, "color": INK})
        ]
    return layers


Box = tuple[float, float, float, float]  # left, top, right, bottom


def place_label(
    label: str,
    point: tuple[float, float],
    line: Sequence[tuple[float, float]],
    taken: Sequence[Box],
    size: Size,
) -> tuple[Spec, Box]:
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
    best: tuple[float, Spec, Box] | None = None
    for rank, (below, left) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        x = point[0] + (-8 - width if left else 8)
        y = point[1] + (9 if below else -6 - height)
        box = (x, y, x + width, y + height)
        hidden = sum(box[0] <= px <= box[2] and box[1] - 2 <= py <= box[3] for px, py in on_line)
        clashes = sum(_overlap(box, other) for other in taken)
        outside = x < 0 or x + width > size.width or y < 0 or y + height > size.panel_height
        penalty = hidden + 100 * clashes + 50 * outside + 0.1 * rank
        if best is None or penalty < best[0]:
            place = {
                "align": "right" if left else "left",
                "baseline": "top" if below else "bottom",
                "dx": -8 if left else 8,
                "dy": 9 if below else -6,
            }
            best = (penalty, place, box)
    assert best is not None
    return best[1], best[2]


def _between(start: tuple[float, float], end: tuple[float, float]) -> Iterator[tuple[float, float]]:
    """Yield places on a straight line, some four pixels apart."""
    steps = max(2, int(math.dist(start, end) / 4))
    for step in range(steps + 1):
        part = step / steps
        yield start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _rules(names: Mapping[int, str], scale: _MemoryScale, x: Spec) -> list[Spec]:
    return [
        {
            "data": {"values": [{"power": power}]},
            "mark": {
                "type": "rule",
                "color": MUTED if name == "current" else INK,
                "strokeDash": [3, 3] if name == "current" else [1, 0],
                "strokeWidth": 1,
                "aria": False,
            },
            "encoding": {"x": x},
        }
        for power, name in names.items()
        if scale.low <= power <= scale.high
    ]


def _rule_labels(names: Mapping[int, str], scale: _MemoryScale, x: Spec) -> list[Spec]:
    """Return the rules' names above the plot, in two lines if they would touch in one."""
    layers: list[Spec] = []
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
        mark = {
            "type": "text",
            "text": text,
            "align": "left" if fits else "right",
            "baseline": "bottom",
            "dx": -1 if fits else 1,
            "dy": -5 - 16 * line,
            "fontSize": 12,
            "fontWeight": 400 if plain else 600,
            "color": MUTED if plain else INK,
            "aria": False,
        }
        layers.append(
            {
                "data": {"values": [{"power": power}]},
                "mark": mark,
                "encoding": {"x": x, "y": {"value": 0}},
            }
        )
    return layers


def _missing(missing: list[Spec], x: Spec) -> Spec:
    """Return crosses on the axis at the sizes that could not be measured."""
    return {
        "data": {"values": missing},
        "mark": {
            "type": "text",
            "text": "✕",
            "color": MUTED,
            "fontSize": 13,
            "baseline": "bottom",
            "dy": -3,
            "description": "not measured",
        },
        "encoding": {"x": x, "y": {"datum": 0}},
    }
