"""Latency over percentile: how the load tests' requests were spread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lambda_dyno.charts.drawing import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    PURPLE,
    WIDE,
    Size,
    Spec,
    filled,
)
from lambda_dyno.core import formatting
from lambda_dyno.core.results import LoadResult
from lambda_dyno.core.samples import percentiles_ms

STYLES = ((MUTED, [5, 3]), (BLUE, [1, 0]), (ORANGE, [8, 2]), (GREEN, [2, 2]), (PURPLE, [6]))
_CUT_ABOVE = 2.0  # times the largest p99, or limit that is near
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
    lines = [_curve(load, (samples or {}).get(load.label)) for load in answered]
    end = max(share for line in lines for share, _ in line)
    styles = [STYLES[index % len(STYLES)] for index in range(len(answered))]
    if len(answered) == 1:
        styles = [STYLES[1]]
    looks = [{"colour": colour, "dash": dash} for colour, dash in styles]
    limits = {share: ms for share, ms in (limits_ms or {}).items() if share <= end}
    highest = max(ms for line in lines for _, ms in line)
    # A limit far above everything measured would press the lines flat: it is left outside. So
    # would one slow request among thousands: the lines are cut off above, and the legend says so.
    near = [ms for ms in limits.values() if ms <= 2.5 * highest]
    tall = _CUT_ABOVE * max([*(_known(load)[0.99] for load in answered), *near])
    top = 1.12 * max([min(highest, tall), *near]) or 1.0
    ticks = [s for s in (_SHARES if size.max_ticks > 5 else _FEW_SHARES) if s <= end + 1e-9]
    return filled(
        "latency",
        {
            "width": size.width,
            "height": size.panel_height + 20,
            "percentile_domain": [0, _nines(end)],
            "percentile_ticks": [_nines(share) for share in ticks],
            "percentile_labels": _labels(ticks),
            "latency_domain": [0, top],
            "limits": _limits(limits, top),
            "lines": [
                {"test": index, "nines": _nines(share), "ms": min(ms, top), **looks[index]}
                for index, line in enumerate(lines)
                for share, ms in line
            ],
            "points": [
                {**point, **look}
                for load, look in zip(answered, looks, strict=True)
                for point in _points(load, end)
            ],
            "tests": [  # which line is which, above the plot, where no line comes
                {"text": _name(load, line, top), "y": -8 - 18 * (len(answered) - 1 - index), **look}
                for index, (load, line, look) in enumerate(zip(answered, lines, looks, strict=True))
            ],
        },
    )


def _curve(load: LoadResult, values: Sequence[float] | None) -> list[tuple[float, float]]:
    """Return (share, latency) pairs: from the samples, or from the percentiles without them.

    A share that as few requests cannot show (p99 of 20) is left out.
    """
    if values and len(values) > 1:
        shares = _shares(len(values))
        return list(zip(shares, percentiles_ms(values, shares), strict=True))
    answered = max(2, load.requests - load.errors)
    return [(share, ms) for share, ms in _known(load).items() if share <= 1 - 1 / answered]


def _known(load: LoadResult) -> dict[float, float]:
    """Return the percentiles of the result by share, in ms."""
    stats = load.latency_ms
    assert stats is not None
    return {0.5: stats.p50, 0.9: stats.p90, 0.95: stats.p95, 0.99: stats.p99}


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


def _labels(ticks: Sequence[float]) -> str:
    """Return the expression that names the axis' ticks, such as p99."""
    labels = {f"{_nines(share):.3f}": f"p{share * 100:g}" for share in ticks}
    chosen = " : ".join(f"format(datum.value, '.3f') == '{k}' ? '{v}'" for k, v in labels.items())
    return f"{chosen} : ''"


def _points(load: LoadResult, end: float) -> list[Spec]:
    return [
        {
            "nines": _nines(share),
            "ms": ms,
            "text": f"{load.label}, {load.memory_mb} MB, p{share * 100:g}: "
            f"{formatting.milliseconds(ms)} ms",
        }
        for share, ms in _known(load).items()
        if _nines(share) <= _nines(end) + 1e-9
    ]


def _limits(limits: Mapping[float, float], top: float) -> list[Spec]:
    return [
        {
            "nines": _nines(share),
            "ms": ms,
            "text": f"SLO {formatting.milliseconds(ms)}",
            "description": f"SLO limit of p{share * 100:g}: {formatting.milliseconds(ms)} ms",
        }
        for share, ms in limits.items()
        if ms <= top
    ]


def _name(load: LoadResult, line: Sequence[tuple[float, float]], top_ms: float) -> str:
    longest = max(ms for _, ms in line)
    if load.latency_ms is not None:
        longest = max(longest, load.latency_ms.max)
    more = f", max {formatting.milliseconds(longest)} ms" if longest > top_ms else ""
    return f"{load.label} {load.memory_mb} MB{' (saturated)' if load.saturated else ''}{more}"
