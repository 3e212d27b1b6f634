"""The replay of tuning policies: what it reads, what it prints, and that it is fair."""

from __future__ import annotations

import json
import random
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.tuner_policy.decide import Goal
from tools.tuner_bench import __main__ as bench
from tools.tuner_bench import curves, families, policies, replay, timing

FLAT = {"id": "sleeps", "power": [128, 1024, 3008], "duration_ms": [300, 300, 300], "cls": "cpu"}
BOUND = {"id": "cpu", "power": [128, 512, 1769], "duration_ms": [1382, 345.5, 100], "cls": "cpu"}


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "curves.json"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({}, "must be a list"),
        ([], "must be a list"),
        ([1], "curve 1"),
        ([FLAT, FLAT | {"power": [128]}], "curve 2"),
        ([FLAT | {"duration_ms": [1, 2, "x"]}], "curve 1"),
        ([FLAT | {"duration_ms": [1, 2, 0]}], "curve 1"),
        ([FLAT | {"power": [64, 1024, 3008]}], "curve 1"),
        ([FLAT | {"power": [128, 128, 128]}], "curve 1"),
    ],
)
def test_a_file_that_holds_no_curves_is_refused(content: Any, named: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=named):
        curves.read(written(tmp_path, content))


def test_durations_between_sizes_are_linear_in_the_share_of_cpu(tmp_path: Path) -> None:
    (curve,) = curves.read(written(tmp_path, [BOUND]))
    assert curve.duration_ms(256) == pytest.approx(1382 * 128 / 256, rel=0.01)
    assert curve.duration_ms(128) == 1382


def test_the_truth_of_a_fine_curve_is_smooth_and_its_scatter_is_noise() -> None:
    fine = [curve for curve in curves.read() if len(curve.sizes_mb) >= 20]
    coarse = [curve for curve in curves.read() if len(curve.sizes_mb) < 20]
    assert fine
    assert coarse
    assert all(0 < curve.scatter <= 0.6 for curve in fine if "cpu17ms" not in curve.id)
    assert all(curve.scatter == 0 for curve in coarse)


def test_steps_are_no_noise() -> None:
    """A table of 98 sizes that has them keeps them: its neighbours are off to the same side."""
    (stepped,) = (curve for curve in curves.read() if "cpu17ms" in curve.id)
    assert stepped.scatter == 0
    below, above = (stepped.duration_ms(size) for size in (690, 750))
    assert above < 0.8 * below


def test_families_are_curves_that_can_be_read(tmp_path: Path) -> None:
    made = families.curves(24, seed=3)
    assert made == families.curves(24, seed=3)
    assert {row["id"].split("/")[1] for row in made} == set(families.FAMILIES)
    read = curves.read(written(tmp_path, made))
    stepped = [curve for curve in read if "/stairs/" in curve.id]
    assert stepped
    assert not any(curve.scatter for curve in stepped)


def test_others_do_as_they_are_said_to(tmp_path: Path) -> None:
    """LPT invokes each of its sizes so often; both find what is plain."""
    flat, _ = curves.read(written(tmp_path, [FLAT, BOUND]))
    for policy, most in ((policies.lpt(10), 60), (policies.parrotfish, 100)):
        function = curves.Function(flat, random.Random(1))
        choice = policy(function, Goal(least_mb=128, most_mb=3008), "seed")
        assert choice.memory_mb == 128
        assert len(function.invoked) <= most
        assert set(function.invoked) <= set(range(128, 3009))


@pytest.mark.slow
def test_it_prints_what_is_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    choices = tmp_path / "choices.jsonl"
    flags = ["--strategy", "cost", "--repeats", "1", "--json", "--choices", str(choices)]
    path = written(tmp_path, [FLAT])
    monkeypatch.setattr("sys.argv", ["bench", "--curves", str(path), *flags])
    assert bench.main() == 0
    rows = json.loads(capsys.readouterr().out)["policies"]
    assert [row["name"] for row in rows if row["curves"] == "all"] == list(replay.NAMES)
    for row in rows:
        assert {"strategy", "invocations", "units", "sizes", "rounds", "usd"} <= set(row)
        assert set(row["regret"]) == {"mean", "median", "p90"}
        assert (row["coverage"] is None) == row["name"].startswith(("lpt", "parrot"))
    lines = [json.loads(line) for line in choices.read_text().splitlines()]
    assert len(lines) == len(replay.NAMES)
    assert all(line["chosen_mb"] in range(128, 3009) for line in lines)


@pytest.mark.slow
def test_a_replay_is_the_same_again(tmp_path: Path) -> None:
    (curve,) = curves.read(written(tmp_path, [BOUND]))
    assert replay.replay(curve, "cost", 0, 7) == replay.replay(curve, "cost", 0, 7)
    assert replay.replay(curve, "cost", 0, 7) != replay.replay(curve, "cost", 0, 8)


def test_decisions_are_timed_as_they_are_made() -> None:
    """Again and again the same one, whatever is in the caches."""
    curve = next(curve for curve in curves.read() if curve.id.endswith("nodejs22/arm64"))
    taken = list(islice(timing.decisions([curve]), 3))
    first = [take() for take in taken]
    assert timing.took_ms(taken[0], empty=True) > 0
    timing.empty_caches()
    assert [take() for take in taken] == first
