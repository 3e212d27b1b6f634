"""What is known of this machine's speed, and what the meter makes of it."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from lambda_dyno.core.errors import StepError
from lambda_dyno.emulator import meter
from lambda_emulator import calibrate

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_yardsticks_reference_is_in_the_data(architecture: str) -> None:
    """The CPU time of a million hashes on AWS is the median over the sizes below one vCPU."""
    curves = json.loads((DATA / "aws-curves.json").read_text())
    for (major, minor), reference_ms in calibrate.REFERENCE_MS[architecture].items():
        name = f"cpu-intensive/python{major}.{minor}/{architecture}"
        (curve,) = [entry for entry in curves if entry["id"].endswith(name)]
        points = zip(curve["power"], curve["duration_ms"], strict=True)
        cpu_ms = [took * size / 1769 for size, took in points if size < 1769]
        assert reference_ms == pytest.approx(statistics.median(cpu_ms), abs=1.0)


def calibration(variation: float) -> calibrate.Calibration:
    """Return what a machine twice as fast as AWS would give."""
    return calibrate.Calibration(170.0, variation, "3.11", {"x86_64": 340.0}, {"x86_64": 2.0})


def test_calibration_is_kept_and_inherited(tmp_path: Path) -> None:
    """The meter's settings get the factors; other servers may take them over."""
    meter.calibrate(tmp_path / "a", calibration(0.01))
    (tmp_path / "b").mkdir()
    meter.inherit_cpu_factors(tmp_path / "b", tmp_path / "a")

    for home in ("a", "b"):
        settings = json.loads((tmp_path / home / "meter.json").read_text())
        assert settings["cpu_factor"] == {"x86_64": 2.0}


def test_busy_machine_is_not_calibrated(tmp_path: Path) -> None:
    """Rounds that differ say nothing; nothing is changed."""
    with pytest.raises(StepError, match="varied by 12%"):
        meter.calibrate(tmp_path, calibration(0.12))
    assert not (tmp_path / "meter.json").exists()


def test_new_server_starts_in_the_usual_mode(tmp_path: Path) -> None:
    """Mode and trace end with a server; what is known of the machine stays."""
    meter.calibrate(tmp_path, calibration(0.01))
    meter.set_mode(tmp_path, "reported")
    meter.set_trace(tmp_path, tmp_path / "trace.jsonl")
    (tmp_path / "pools").mkdir()
    meter.start_afresh(tmp_path, tmp_path / "python")

    assert meter.mode(tmp_path) == "felt"
    assert not (tmp_path / "pools").exists()
    assert json.loads((tmp_path / "meter.json").read_text()) == {
        "cpu_factor": {"x86_64": 2.0},
        "machine": str(tmp_path / "python"),
    }
