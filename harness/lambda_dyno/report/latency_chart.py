"""Latency over percentile: how the load tests' requests were spread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lambda_dyno.core.results import LoadResult
from lambda_dyno.report import formatting
from lambda_dyno.report.charts import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PURPLE,
    WIDE,
    Size,
    Spec,
    document,
)
from lambda_dyno.statistics.stats import percentile

_LOAD_STYLES = ((MUTED, [5, 3]), (BLUE, [1, 0]), (ORANGE, [8, 2]), (GREEN, [2, 2]), (PURPLE, [6]))
_SHARES = (0.5, 0.9, 0.95, 0.99, 0.999, 0.9999)
_FEW_SHARES = (0.5, 0.95, 0.99, 0.999)


def latency_spec(
    loads: Sequence[LoadResult],
    samples: Mapping[str, Sequence[float]] | None = None,
    limits_ms: Mapping[float, float] | None = None,
    size: Size = WIDE,
) -> Spec | None:
    """Return latency over percentile of each load test, or None if nothing was answered.

    The horizontal axis spreads the tail: each further step leaves out a tenth of what the
    step before left out. It ends where the number of requests ends.

    Args:
        loads: The load tests.
        samples: Latencies in ms by the test's label, for a line finer than the percentiles.
        limits_ms: SLO limits in ms by share, such as 0.95, drawn as marks.
        size: Room for the picture.
    """
    answered = [load for load in loads if load.latency_ms is not None]
    if not answered:
        return None
    lines = {load.label: _curve(load, (samples or {}).get(load.label)) for load in answered}
    end = max(share for line in lines.values() for share, _ in line)
    styles = {
        load.label: _LOAD_STYLES[index % len(_LOAD_STYLES)] for index, load in enumerate(answered)
    }
    if len(answered) == 1:
        styles = {answered[0].label: _LOAD_STYLES[1]}
    limits = {share: ms for share, ms in (limits_ms or {}).items() if share <= end}
    x, y = _latency_axes(lines, limits, end, size)
    layers = [_limit_layer(limits, x, y)] if limits else []
    for load in answered:
        layers += _latency_layers(load, lines[load.label], styles[load.label], x, y)
    return document(
        "Latency by percentile of the load tests",
        title={"text": "Latency (ms)", "anchor": "start", "frame": "group", "offset": 8},
        width=size.width,
        height=size.panel_height + 20,
        layer=layers + _key(answered, styles),
    )


def _curve(load: LoadResult, values: Sequence[float] | None) -> list[tuple[float, float]]:
    """Return (share, latency) pairs: from the samples, or from the percentiles without them.

    A share that as few requests cannot show (p99 of 20) is left out.
    """
    assert load.latency_ms is not None
    if values and len(values) > 1:
        ordered = sorted(values)
        return [(share, percentile(ordered, share)) for share in _shares(len(ordered))]
    stats = load.latency_ms
    answered = max(2, load.requests - load.errors)
    known = ((0.5, stats.p50), (0.9, stats.p90), (0.95, stats.p95), (0.99, stats.p99))
    return [(share, ms) for share, ms in known if share <= 1 - 1 / answered]


def _shares(count: int) -> list[float]:
    """Return shares, ascending, that draw the line of so many samples.

    Evenly spread over the axis for the bulk, then one for each of the last samples.
    """
    last = min(count - 1, 25)
    bulk_end = math.log10(count / (last + 1)) if count > last + 1 else 0.0
    steps = 80 if bulk_end else 0
    bulk = [1 - 10 ** (-bulk_end * step / steps) for step in range(1, steps)]
    tail = [1 - left / count for left in range(last, 0, -1)]
    return [round(share, 9) for share in (*bulk, *tail) if share > 0]


def _nines(share: float) -> float:
    """Return the place on the percentile axis: 0 for 0 %, 1 for 90 %, 2 for 99 %."""
    return -math.log10(1 - share)


def _latency_axes(
    lines: Mapping[str, list[tuple[float, float]]],
    limits: Mapping[float, float],
    end: float,
    size: Size,
) -> tuple[Spec, Spec]:
    highest = max(ms for line in lines.values() for _, ms in line)
    # A limit far above everything measured would press the lines flat: it is left outside.
    near = [ms for ms in limits.values() if ms <= 2.5 * highest]
    top = 1.12 * max([highest, *near]) or 1.0
    shares = _SHARES if size.max_ticks > 5 else _FEW_SHARES
    ticks = [share for share in shares if share <= end + 1e-9]
    labels = {f"{_nines(share):.3f}": f"p{share * 100:g}" for share in ticks}
    chosen = " : ".join(f"format(datum.value, '.3f') == '{k}' ? '{v}'" for k, v in labels.items())
    x = {
        "field": "nines",
        "type": "quantitative",
        "scale": {"domain": [0, _nines(end)], "nice": False},
        "axis": {
            "values": [_nines(share) for share in ticks],
            "labelExpr": f"{chosen} : ''",
            "title": "Percentile of requests",
            "grid": True,
        },
    }
    y = {
        "field": "ms",
        "type": "quantitative",
        "scale": {"domain": [0, top], "nice": False},
        "axis": {"title": None, "tickCount": 5, "domain": False, "ticks": False},
    }
    return x, y


def _latency_layers(
    load: LoadResult,
    line: list[tuple[float, float]],
    style: tuple[str, list[int]],
    x: Spec,
    y: Spec,
) -> list[Spec]:
    assert load.latency_ms is not None
    colour, dash = style
    stats = load.latency_ms
    end = x["scale"]["domain"][1]
    known = {0.5: stats.p50, 0.9: stats.p90, 0.95: stats.p95, 0.99: stats.p99}
    points = [
        {
            "nines": _nines(share),
            "ms": ms,
            "text": f"{load.label}, {load.memory_mb} MB, p{share * 100:g}: "
            f"{formatting.milliseconds(ms)} ms",
        }
        for share, ms in known.items()
        if _nines(share) <= end + 1e-9
    ]
    return [
        {
            "data": {"values": [{"nines": _nines(share), "ms": ms} for share, ms in line]},
            "mark": {
                "type": "line",
                "color": colour,
                "strokeDash": dash,
                "strokeWidth": 2,
                "interpolate": "linear",
                "aria": False,
            },
            "encoding": {"x": x, "y": y},
        },
        {
            "data": {"values": points},
            "mark": {
                "type": "point",
                "shape": "circle",
                "filled": True,
                "opacity": 1,
                "size": 55,
                "color": colour,
                "stroke": PAPER,
                "strokeWidth": 1.5,
            },
            "encoding": {"x": x, "y": y, "description": {"field": "text"}},
        },
    ]


def _limit_layer(limits: Mapping[float, float], x: Spec, y: Spec) -> Spec:
    top = y["scale"]["domain"][1]
    values = [
        {
            "nines": _nines(share),
            "ms": ms,
            "text": f"SLO {formatting.milliseconds(ms)}",
            "description": f"SLO limit of p{share * 100:g}: {formatting.milliseconds(ms)} ms",
        }
        for share, ms in limits.items()
        if ms <= top
    ]
    encoding = {"x": x, "y": y}
    return {
        "data": {"values": values},
        "layer": [
            {
                "mark": {
                    "type": "tick",
                    "orient": "horizontal",
                    "size": 34,
                    "thickness": 2,
                    "color": INK,
                },
                "encoding": {**encoding, "description": {"field": "description"}},
            },
            {
                "mark": {
                    "type": "text",
                    "baseline": "bottom",
                    "dy": -5,
                    "color": INK,
                    "fontSize": 11,
                    "aria": False,
                },
                "encoding": {**encoding, "text": {"field": "text"}},
            },
        ],
    }


def _key(loads: Sequence[LoadResult], styles: Mapping[str, tuple[str, list[int]]]) -> list[Spec]:
    """Return which line is which, above the plot, where no line comes."""
    layers: list[Spec] = []
    for index, load in enumerate(loads):
        colour, dash = styles[load.label]
        place = -8 - 18 * (len(loads) - 1 - index)
        text = f"{load.label} {load.memory_mb} MB" + (" (saturated)" if load.saturated else "")
        line = {"type": "rule", "color": colour, "strokeDash": dash, "strokeWidth": 2}
        words = {"type": "text", "text": text, "align": "left", "fontSize": 12, "color": INK}
        one: Spec = {"values": [{}]}
        layers += [
            {
                "data": one,
                "mark": {**line, "aria": False},
                "encoding": {"x": {"value": 0}, "x2": {"value": 28}, "y": {"value": place}},
            },
            {
                "data": one,
                "mark": {**words, "baseline": "middle", "aria": False},
                "encoding": {"x": {"value": 36}, "y": {"value": place}},
            },
        ]
    return layers
