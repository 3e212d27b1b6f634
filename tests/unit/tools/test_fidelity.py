"""The local Lambda held against AWS's own measurements."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lambda_dyno.core.errors import UserError
from tools.fidelity import curves, fit, meter, model

DATA = Path(__file__).parents[2] / "data"


def test_model_is_true_to_the_reference_function() -> None:
    """98 sizes of cpu17ms: the middle error at most 3 %, nine in ten at most 10 %."""
    curve, *_ = curves.load_curves(DATA)
    comparison = model.compare(curve, fit.Work(17.3, 0.0))  # its mean from 1769 MB on

    assert len(curve.memory_mb) == 98
    assert comparison.median_error <= 0.03
    assert comparison.p90_error <= 0.10
    assert comparison.cheapest_regret <= 0.03


@pytest.mark.slow
def test_model_knows_functions_that_it_was_not_fitted_on() -> None:
    """DynamoDB at small sizes, S3 at all sizes, sleeping: errors of sizes the fit did not see."""
    known = {curve.name: curve for curve in curves.load_curves(DATA)}
    limits = {
        "cebert-dec/light/python3.12/x86_64": 0.10,
        "cebert-dec/memory-intensive/rust/arm64": 0.15,
        "cebert-nov/memory-intensive/rust/x86_64": 0.05,
        "memfigless/sebs-sleepOperation": 0.01,
        "raw/mbwilding-s3-writes/nodejs18x-arm64-2023-10-17a": 0.06,
    }
    for name, limit in limits.items():
        found = model.compare(known[name])
        assert found.between_median_error is None or found.between_median_error <= limit, name
        assert found.median_error <= limit, name


@pytest.mark.slow
def test_fit_finds_what_a_function_does() -> None:
    """From the durations of made-up work, its CPU and waiting time come back."""
    work = fit.Work(cpu_ms=400.0, blocked_ms=150.0, width=1.0)
    sizes = (128, 256, 512, 1024, 1769, 3008)
    curve = curves.Curve("made-up", "cpu", sizes, tuple(work.duration_ms(s) for s in sizes))
    found = fit.fit(curve)

    assert found.cpu_ms == pytest.approx(400, rel=0.05)
    assert found.blocked_ms == pytest.approx(150, rel=0.2)
    assert found.width == 1.0


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(fit.Work(8000.0, 0.0, 6.0, equal=True), marks=pytest.mark.slow),
        pytest.param(fit.Work(900.0, 40.0, architecture="arm64"), marks=pytest.mark.slow),
        fit.Work(900.0, 300.0, live_mb=121.6),
        pytest.param(fit.Work(2000.0, 50.0, transfer_ms=4000.0), marks=pytest.mark.slow),
    ],
)
def test_fit_finds_what_memory_changes(work: fit.Work) -> None:
    """Equal processes, newer cores, a heap near the limit, the network: all sizes within 2 %."""
    sizes = (128, 192, 256, 512, 1024, 1769, 3008, 4096, 5120, 7168, 8192, 8704, 9216, 10_240)
    durations = tuple(work.duration_ms(size) for size in sizes)
    curve = curves.Curve("made-up", "cpu", sizes, durations, "arm64")
    assert model.compare(curve).worst_error <= 0.02


def test_fit_believes_a_width_that_is_known() -> None:
    """Three processes are three, whatever the noise."""
    sizes = (128, 1024, 2048, 4096, 10_240)
    durations = tuple(fit.Work(900.0, 0.0, 3.0, equal=True).duration_ms(size) for size in sizes)
    assert fit.fit(curves.Curve("made-up", "cpu", sizes, durations, width=3)).width == 3


def test_curves_of_ones_own_are_read(tmp_path: Path) -> None:
    """Sizes in any order, repeated or as decimals; family and architecture may be missing."""
    file = tmp_path / "mine.json"
    row = {"id": "a/arm64|b\n", "power": [512, 128.0, 128], "duration_ms": [10, 30, 50.0], "x": {}}
    file.write_text(json.dumps([row]))
    (curve,) = curves.read_curves(file)

    assert (curve.memory_mb, curve.duration_ms) == ((128, 512), (40.0, 10))
    assert (curve.kind, curve.architecture) == ("unclassified", "arm64")
    found = model.compare(curve)
    assert "a/arm64\\|b\\n |" in model.as_markdown([found])
    assert model.families([found])[-1].curves == 1
    files = model.write([found], tmp_path / "out")
    assert files[-1].name == "001-a-arm64-b-.svg"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[", "not JSON"),
        ("{}", "must be a list of curves"),
        ("[]", "must be a list of curves"),
        ("[1]", "curve 1: must be an object"),
        ('[{"power": [128]}]', "curve 1: id: must be a name"),
        ('[{"id": "a", "power": 3}]', "curve 1 .a.: power: must be a list"),
        ('[{"id": "a", "power": [128, true], "duration_ms": [1, 2]}]', "power: true: must be a n"),
        ('[{"id": "a", "power": [128, 64], "duration_ms": [1, 2]}]', "64 MB: must be whole, 128"),
        ('[{"id": "a", "power": [128, 256], "duration_ms": [1]}]', "2 sizes in power, 1 means"),
        ('[{"id": "a", "power": [128, 256], "duration_ms": [1, null]}]', "null: must be a number"),
        ('[{"id": "a", "power": [128, 256], "duration_ms": [1, 0]}]', "must be more than 0"),
        ('[{"id": "a", "power": [128, 128], "duration_ms": [1, 2]}]', "one size is no curve"),
        ('[{"id": "a", "power": [1e3, 512], "duration_ms": [1, 2], "arch": "arm"}]', "arch: arm"),
        ('[{"id": "a", "power": [1e3, 512], "duration_ms": [1, 2], "width": 0}]', "width: must be"),
        ('[{"id": "a", "power": [1e3, 512], "duration_ms": [1, 2], "cls": 1}]', "cls: must be"),
    ],
)
def test_curves_that_are_none_are_refused(tmp_path: Path, content: str, problem: str) -> None:
    """In one line, with the curve and the key."""
    file = tmp_path / "mine.json"
    file.write_text(content)
    with pytest.raises(UserError, match=problem) as raised:
        curves.read_curves(file)
    assert "\n" not in str(raised.value)


def test_regret_is_told_in_awss_numbers() -> None:
    """What the model chooses is looked up in what AWS measured."""
    curve = curves.Curve("made-up", "cpu", (128, 1769), (100.0, 90.0))
    comparison = model.compare(curve, fit.Work(cpu_ms=50.0, blocked_ms=0.0, width=1.0))

    assert comparison.fastest_mb == 1769
    assert comparison.fastest_regret == 0.0
    assert comparison.cheapest_regret == pytest.approx(
        0.0 if comparison.cheapest_mb == 128 else 90 * 1769 / (100 * 128) - 1
    )


def test_scatter_of_the_measurements_is_told_from_the_model() -> None:
    """A model that is the truth misses where neighbours differ; a wrong one where they do not."""
    work = fit.Work(cpu_ms=400.0, blocked_ms=100.0)
    sizes = tuple(range(128, 1536, 64))
    smooth = [work.duration_ms(size) for size in sizes]
    noisy = [took * (0.6 if place % 5 == 3 else 1.0) for place, took in enumerate(smooth)]
    true = model.compare(curves.Curve("noisy", "cpu", sizes, tuple(noisy)), work)
    steep = tuple(took * 1000 / size for took, size in zip(smooth, sizes, strict=True))
    wrong = model.compare(curves.Curve("steep", "cpu", sizes, steep), work)
    exact = model.compare(curves.Curve("smooth", "cpu", sizes, tuple(smooth)), work)

    assert true.misses
    assert true.misses_by_scatter
    assert true.scatter_regret is not None
    assert true.scatter_regret > 0.3
    assert wrong.misses
    assert not wrong.misses_by_scatter
    assert (exact.cheapest_regret, exact.scatter_regret_at_most) == (
        0.0,
        pytest.approx(0, abs=0.02),
    )
    table = model.as_markdown([true, wrong, exact])
    assert "2 cheapest sizes cost more than 10% over AWS's best; the scatter" in table
    assert "would make as much of 1 of them" in table
    assert [f.misses_by_scatter for f in model.families([true, wrong, exact])] == [1, 1]


def test_report_has_a_line_and_a_plot_per_function(tmp_path: Path) -> None:
    """Table, numbers and an SVG are written."""
    curve, *_ = curves.load_curves(DATA)
    comparison = model.compare(curve, fit.Work(17.3, 0.0, 1.0))
    table, numbers, plot = model.write([comparison], tmp_path / "new")

    assert curve.name in table.read_text()
    assert "| cpu-short, x86_64 | 1 |" in table.read_text()
    assert json.loads(numbers.read_text())[0]["agrees"] is True
    assert plot.read_text().startswith("<svg")


def test_missing_data_is_said(tmp_path: Path) -> None:
    """Outside of a clone there is nothing to compare with."""
    with pytest.raises(UserError, match="clone of the repository"):
        curves.load_curves(tmp_path)


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
