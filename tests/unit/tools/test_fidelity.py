"""The local Lambda held against AWS's own measurements."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lambda_dyno.core.errors import UserError
from tools.fidelity import meter, model

DATA = Path(__file__).parents[2] / "data"


def test_model_is_true_to_the_reference_function() -> None:
    """98 sizes of cpu17ms: the middle error at most 3 %, nine in ten at most 10 %."""
    curve, *_ = model.load_curves(DATA)
    comparison = model.compare(curve, model.Work(model.REFERENCE_CPU_MS, 0.0, 1.0))

    assert len(comparison.checked_mb) == 98
    assert comparison.median_error <= 0.03
    assert comparison.p90_error <= 0.10
    assert comparison.cheapest_regret <= 0.03


def test_model_knows_functions_that_it_was_not_fitted_on() -> None:
    """DynamoDB at small sizes, S3 at all sizes, sleeping: errors of sizes the fit did not see."""
    curves = {curve.name: curve for curve in model.load_curves(DATA)}
    limits = {
        "cebert-dec/light/python3.12/x86_64": 0.10,
        "cebert-dec/memory-intensive/rust/arm64": 0.15,
        "cebert-nov/memory-intensive/rust/x86_64": 0.05,
        "memfigless/sebs-sleepOperation": 0.01,
        "raw/mbwilding-s3-writes/nodejs18x-arm64-2023-10-17a": 0.06,
    }
    for name, limit in limits.items():
        assert model.compare(curves[name]).median_error <= limit, name


def test_fit_finds_what_a_function_does() -> None:
    """From the durations of made-up work, its CPU and waiting time come back."""
    work = model.Work(cpu_ms=400.0, blocked_ms=150.0, width=1.0)
    sizes = (128, 256, 512, 1024, 1769, 3008)
    curve = model.Curve("made-up", "cpu", sizes, tuple(work.duration_ms(s) for s in sizes))
    found = model.fit(curve, range(len(sizes)))

    assert found.cpu_ms == pytest.approx(400, rel=0.05)
    assert found.blocked_ms == pytest.approx(150, rel=0.2)
    assert found.width == 1.0


def test_regret_is_told_in_awss_numbers() -> None:
    """What the model chooses is looked up in what AWS measured."""
    curve = model.Curve("made-up", "cpu", (128, 1769), (100.0, 90.0))
    comparison = model.compare(curve, model.Work(cpu_ms=50.0, blocked_ms=0.0, width=1.0))

    assert comparison.fastest_mb == 1769
    assert comparison.fastest_regret == 0.0
    assert comparison.cheapest_regret == pytest.approx(
        0.0 if comparison.cheapest_mb == 128 else 90 * 1769 / (100 * 128) - 1
    )


def test_report_has_a_line_and_a_plot_per_function(tmp_path: Path) -> None:
    """Table, numbers and an SVG are written."""
    curve, *_ = model.load_curves(DATA)
    comparison = model.compare(curve, model.Work(17.3, 0.0, 1.0))
    table, numbers, plot = model.write([comparison], tmp_path / "new")

    assert curve.name in table.read_text()
    assert json.loads(numbers.read_text())[0]["agrees"] is True
    assert plot.read_text().startswith("<svg")


def test_missing_data_is_said(tmp_path: Path) -> None:
    """Outside of a clone there is nothing to compare with."""
    with pytest.raises(UserError, match="clone of the repository"):
        model.load_curves(tmp_path)


def test_meter_is_judged_case_by_case(tmp_path: Path) -> None:
    """A handler's worst size is in its line; far is what is neither within 3 % nor 1 ms."""
    short, long = meter.Case("nodejs", 2), meter.Case("python", 100, threads=4)
    readings = [
        meter.Reading(short, 128, 2.0, 2.9, 0.01),
        meter.Reading(long, 128, 5500.0, 5600.0, 0.001),
        meter.Reading(long, 1769, 400.0, 440.0, 0.02),
    ]
    table = meter.write(readings, tmp_path).read_text()

    assert [reading.near for reading in readings] == [True, True, False]
    assert "| nodejs: 2 ms of CPU | 1 | 1 | +45.0% | +45.0% (+0.90 ms) | 1.0% |" in table
    assert "in each of 4 threads | 2 | 1 | +5.9% | +10.0% (+40.00 ms) | 2.0% |" in table
    assert "2 of 3 are within 3 % or 1 ms" in table
    assert len(json.loads((tmp_path / "meter.json").read_text())) == 3
