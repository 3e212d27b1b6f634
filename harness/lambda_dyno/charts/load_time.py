"""Rate, latency and errors of the load tests over their time, in three panels."""

from __future__ import annotations

from collections.abc import Sequence

from lambda_dyno.charts.drawing import WIDE, Size, Spec, filled
from lambda_dyno.charts.latency import STYLES
from lambda_dyno.core import formatting
from lambda_dyno.core.results import LoadResult, Moment

_PANELS = (
    ("Requests/s", lambda one: one.requests_per_s),
    ("Latency p95 (ms)", lambda one: one.p95_ms),
    ("Errors", lambda one: float(one.errors)),
)
_PANEL_HEIGHT = 84


def load_time_spec(loads: Sequence[LoadResult], size: Size = WIDE) -> Spec | None:
    """Return how the load tests went over time, or None if none has a time line."""
    shown = [load for load in loads if len(load.timeline) > 1]
    if not shown:
        return None
    styles = STYLES if len(shown) > 1 else STYLES[1:]
    looks = [{"colour": colour, "dash": dash} for colour, dash in styles]
    end_s = max(load.timeline[-1].start_s for load in shown)
    panels = []
    for title, read in _PANELS:
        points: list[Spec] = [
            {"test": index, "s": one.start_s, "value": value, **looks[index % len(looks)]}
            for index, load in enumerate(shown)
            for one in load.timeline
            if (value := read(one)) is not None
        ]
        top = max((float(point["value"]) for point in points), default=0.0)
        panels.append({"title": title, "points": points, "domain": [0, 1.1 * top or 1.0]})
    return filled(
        "load_time",
        {
            "width": size.width,
            "height": _PANEL_HEIGHT,
            "time_domain": [min(load.timeline[0].start_s for load in shown), end_s],
            "time_ticks": min(10, size.max_ticks),
            **{
                f"{key}_{number}": panel[key]
                for number, panel in enumerate(panels, start=1)
                for key in ("title", "points", "domain")
            },
            "tests": [
                {"text": _name(load), "y": -26 - 18 * (len(shown) - 1 - index), **look}
                for index, (load, look) in enumerate(zip(shown, looks, strict=False))
            ],
        },
    )


def _name(load: LoadResult) -> str:
    text = f"{load.label} {load.memory_mb} MB"
    worst = max(load.timeline, key=_p95)
    if worst.p95_ms is None:
        return text
    return f"{text}, p95 up to {formatting.milliseconds(worst.p95_ms)} ms at {worst.start_s:g} s"


def _p95(moment: Moment) -> float:
    return moment.p95_ms or 0.0
