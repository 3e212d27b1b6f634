"""What is in the pictures."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.charts import drawing, power
from lambda_dyno.charts.drawing import NARROW, WIDE, to_svg
from lambda_dyno.charts.latency import latency_spec
from lambda_dyno.charts.load_time import load_time_spec
from lambda_dyno.charts.power import interval, place_label, power_spec
from lambda_dyno.core.results import CurvePoint, Moment
from tests.support import report_samples as samples

CHARTS = Path(drawing.__file__).parent


def axis_values(spec: dict[str, Any] | None) -> list[float]:
    """The labelled values of the memory axis."""
    assert spec is not None
    values: list[float] = spec["vconcat"][1]["encoding"]["x"]["axis"]["values"]
    return values


def test_every_measured_size_is_a_point() -> None:
    """Both panels show the trimmed mean and the cost per million of each measured size."""
    spec = power_spec(samples.run().tuning)
    assert spec is not None
    duration, cost = (panel["data"]["values"] for panel in spec["vconcat"])
    assert [row["power"] for row in duration] == [128, 256, 512, 1024, 1769]
    assert [row["duration"] for row in duration] == [71.45, 27.51, 15.17, 10.32, 10.57]
    assert [round(row["cost"], 3) for row in cost] == [0.15, 0.117, 0.133, 0.183, 0.317]
    assert [row["power"] for row in duration if row["named"]] == [128, 512]


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_axis_labels_do_not_collide(size: Any) -> None:
    """However many sizes there are, labels keep their distance, and the ends have one."""
    spec = power_spec(samples.many_sizes(), size)
    ticks = axis_values(spec)
    assert {128, 3008} <= set(ticks)
    assert len(ticks) <= size.max_ticks + 1
    assert axis_values(power_spec(samples.run().tuning)) == [128, 256, 512, 1024, 1769]


@pytest.mark.parametrize(
    "tuning",
    [
        None,
        samples.tuning(samples.detail(512, 20.0), power=512, current=512),
        samples.tuning(samples.excluded(128, "x"), samples.detail(256, 9), power=256, current=128),
    ],
)
def test_fewer_than_two_points_are_no_curve(tuning: Any) -> None:
    """A curve needs two measured sizes."""
    assert power_spec(tuning) is None


def test_a_label_avoids_line_and_labels() -> None:
    """A figure goes to the side where neither the line nor another figure is."""
    falling = [(0.0, 20.0), (100.0, 80.0), (200.0, 100.0)]
    place, box = place_label("27.5 ms", falling[1], falling, [], WIDE)
    assert (place["align"], place["baseline"]) == ("left", "bottom")
    rising = [(0.0, 100.0), (100.0, 90.0), (200.0, 20.0)]
    place, _ = place_label("27.5 ms", rising[1], rising, [], WIDE)
    assert (place["align"], place["baseline"]) == ("right", "bottom")
    place, _ = place_label("27.5 ms", falling[1], falling, [box], WIDE)
    assert (place["align"], place["baseline"]) != ("left", "bottom")


def latency_line(spec: dict[str, Any] | None) -> list[dict[str, float]]:
    """The points that the line of the one load test joins."""
    assert spec is not None
    (line,) = [
        layer["data"]["values"]
        for layer in spec["layer"][0]["layer"]
        if layer["mark"]["type"] == "line"
    ]
    assert {point["test"] for point in line} == {0}
    return list(line)


def test_latency_line_follows_the_samples() -> None:
    """With samples the line ends where they end, by nearest rank."""
    values = [float(ms) for ms in range(1, 101)]
    load = samples.load("current", 128, values)
    line = latency_line(latency_spec((load,), {"current": values}))
    shares = [1 - 10 ** -point["nines"] for point in line]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.99)  # the last share that 100 samples can show
    assert line[-1]["ms"] == 99.0


def test_latency_line_without_samples_uses_the_percentiles() -> None:
    """Without samples the known percentiles are joined."""
    load = samples.run().load[0]
    assert load.latency_ms is not None
    line = latency_line(latency_spec((load,)))
    stats = load.latency_ms
    assert [point["ms"] for point in line] == [stats.p50, stats.p90, stats.p95, stats.p99]


def test_few_requests_show_no_far_percentile() -> None:
    """p95 and p99 of ten requests are not drawn: nothing was measured there."""
    load = samples.load("current", 128, [float(ms) for ms in range(1, 11)])
    line = latency_line(latency_spec((load,)))
    assert len(line) == 2  # p50 and p90


def test_no_answer_is_no_picture() -> None:
    """A load test without an answer has no latency to draw."""
    assert latency_spec((replace(samples.run().load[0], latency_ms=None),)) is None
    assert latency_spec(()) is None


@pytest.mark.parametrize(
    ("ci95", "drawn"),
    [
        ((90.0, 110.0), (90.0, 110.0)),
        ((13.0, 240.0), None),  # one cold start among ten
        ((120.0, 180.0), None),  # of a mean that is not the point
    ],
)
def test_only_telling_intervals_are_drawn(
    ci95: tuple[float, float], drawn: tuple[float, float] | None
) -> None:
    """An interval that is wider than its value, or beside it, is left out of the picture."""
    detail = samples.detail(128, 100.0)
    detail = replace(detail, duration_ms=replace(detail.duration_ms, ci95=ci95))
    assert interval(detail) == drawn
    assert interval(samples.excluded(128, "x")) is None


@pytest.mark.parametrize("file", sorted(CHARTS.glob("*.json")), ids=lambda path: path.name)
def test_every_colour_of_a_picture_has_a_dark_one(file: Path) -> None:
    """A colour that the page does not know stays light on a dark page."""
    colours = set(re.findall(r"#[0-9a-fA-F]{3,8}", file.read_text(encoding="utf-8")))
    assert colours
    assert colours <= set(drawing.DARK)


def test_a_value_that_a_picture_needs_and_nobody_gives_is_an_error() -> None:
    """A text such as "$width" that is left over would be drawn as an empty picture."""
    with pytest.raises(KeyError, match="width"):
        drawing.filled("latency", {})


def test_the_band_and_single_invocations_are_drawn() -> None:
    """The model's band between the measured sizes, and dots that are within the picture."""
    known = replace(
        samples.known(), curve=(*samples.known().curve, CurvePoint(10240, 9.0, 10.0, 12.0))
    )
    spec = power_spec(known)
    assert spec is not None
    duration, cost = spec["vconcat"]
    band, dots = (layer["data"]["values"] for layer in duration["layer"][1]["layer"][:2])
    assert [point["power"] for point in band] == [128, 256, 512, 1024, 1769]
    assert (band[2]["low"], band[2]["high"]) == (0.85 * 15.17, 1.2 * 15.17)
    assert {dot["power"] for dot in dots} == {128, 256, 512, 1024, 1769}
    assert max(dot["ms"] for dot in dots) < 100
    assert cost["data"]["values"][2]["cost_low"] == pytest.approx(0.92 * 0.1333336)
    svg = to_svg(spec)
    assert 'opacity="0.12"' in svg
    assert svg.count('opacity="0.22"') == len(dots)


def test_few_of_many_invocations_are_dots() -> None:
    """Evenly by rank; without single invocations there are none."""
    many = [{"power": d.power, "durations": list(range(1, 1001))} for d in samples.TUNING.details]
    assert len(power.dots(replace(samples.TUNING, raw={"details": many}))) == 5 * 40
    for raw in ({}, {"details": 3}, {"details": [3, {"power": 512, "durations": ["x", None]}]}):
        assert power.dots(replace(samples.TUNING, raw=raw)) == []


def test_one_slow_request_does_not_flatten_the_rest() -> None:
    """The line is cut off at twice the p99, and the legend says how long the longest took."""
    values = [100.0 + i / 100 for i in range(999)] + [20_060.0, 20_060.0]
    spec = latency_spec([samples.load("current", 128, values)], {"current": values}, {0.95: 150.0})
    assert spec is not None
    text = json.dumps(spec)
    assert "current 128 MB, max 20,060 ms" in text
    top = spec["layer"][0]["encoding"]["y"]["scale"]["domain"][1]
    assert 150.0 < top < 400.0
    assert max(one["ms"] for one in spec["layer"][0]["layer"][2]["data"]["values"]) == top


def test_a_load_over_time_is_drawn_in_three_panels() -> None:
    """Rate, p95 and errors; without a time line there is no picture."""
    assert load_time_spec(samples.LOAD) is None
    timeline = tuple(Moment(float(s), 80.0 + s, s % 2, 40.0, 60.0 + s) for s in range(15))
    spec = load_time_spec([replace(load, timeline=timeline) for load in samples.LOAD])
    assert spec is not None
    titles = [panel["title"]["text"] for panel in spec["vconcat"]]
    assert titles == ["Requests/s", "Latency p95 (ms)", "Errors"]
    assert "recommended 512 MB, p95 up to 74.0 ms at 14 s" in json.dumps(spec)
    assert drawing.to_svg(spec).startswith("<svg")
