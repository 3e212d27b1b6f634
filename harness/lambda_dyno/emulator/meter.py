"""The Lambda meter, seen from outside: its settings while an embedded AWS runs.

The meter itself runs inside the Lambda workers, from the folder `meter_path`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

from lambda_dyno.core.errors import StepError
from lambda_dyno.core.files import write_atomically
from lambda_dyno.core.reading import UnreadableError, read_object
from lambda_dyno.core.results import Answers
from lambda_emulator.calibrate import Calibration
from lambda_emulator.meter_path.dyno_meter import answers

Mode = Literal["felt", "reported"]
"""`felt`: callers wait as long as on AWS. `reported`: the same REPORT line, without the wait."""


AwsLatency = Literal["modelled", "measured"]
"""`modelled`: what AWS takes, from a table. `measured`: what the embedded AWS took."""


def set_mode(home: Path, mode: Mode) -> None:
    """Switch the meter of the server in `home`; holds from the next invocation on."""
    _update(home, {"mode": mode})


def set_aws_latency(home: Path, source: AwsLatency) -> None:
    """Choose how long calls to the embedded AWS take; holds from the next invocation on."""
    _update(home, {"aws_latency": source})


def calibrate(home: Path, found: Calibration) -> None:
    """Let the meter of the server in `home` count CPU time in AWS's, from the next invocation on.

    Raises:
        StepError: The machine was too busy to tell how fast it is.
    """
    if not found.steady:
        raise StepError(
            "local",
            f"this machine's speed varied by {found.variation:.0%} while it was measured",
            hint="end what else runs, and calibrate again",
        )
    home.mkdir(parents=True, exist_ok=True)
    _update(home, {"cpu_factor": found.factors})


def inherit_cpu_factors(home: Path, from_home: Path) -> None:
    """Take over what `dyno local calibrate` found for another server; nothing if it did not."""
    factors = _read(from_home).get("cpu_factor")
    if factors:
        _update(home, {"cpu_factor": factors})


def set_trace(home: Path, file: Path | None) -> None:
    """Let the meter write a line of JSON about each invocation: its steps and its duration."""
    _update(home, {"trace": str(file.resolve()) if file else ""})


class AnswerCount:
    """The answers of a function from now on.

    Args:
        home: Folder of the server.
        function_name: The function.
    """

    def __init__(self, home: Path, function_name: str) -> None:
        self._path = home / answers.FOLDER / Path(function_name).name
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self._begin = len(self._kinds())

    def since(self) -> Answers:
        """Return what was counted since it began."""
        kinds = self._kinds()[self._begin :]
        late, cold, both = (
            kinds.count(kind) for kind in (answers.LATE, answers.COLD, answers.COLD_LATE)
        )
        return Answers(counted=len(kinds), late=late + both, cold=cold + both)

    def _kinds(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError:
            return b""


def set_steady(home: Path, *, steady: bool) -> None:
    """Choose whether CPU times are freed of this machine's unsteadiness; for new environments."""
    _update(home, {"steady": steady})


def start_afresh(home: Path, machine: Path) -> None:
    """Forget what holds for one life of a server; what is known of the machine stays.

    Args:
        home: The server's.
        machine: Where workers keep how fast the machine is, beyond the life of a server.
    """
    kept = {key: value for key, value in _read(home).items() if key == "cpu_factor"}
    (home / "meter.json").unlink(missing_ok=True)
    shutil.rmtree(home / "sandboxes", ignore_errors=True)  # counted for the latencies they draw
    shutil.rmtree(home / answers.FOLDER, ignore_errors=True)
    shutil.rmtree(home / "pools", ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    _update(home, {**kept, "machine": str(machine)})


def mode(home: Path) -> Mode:
    """Return the mode that the server in `home` is in."""
    return "reported" if _read(home).get("mode") == "reported" else "felt"


def aws_latency(home: Path) -> AwsLatency:
    """Return how long calls to the embedded AWS take in the server in `home`."""
    return "measured" if _read(home).get("aws_latency") == "measured" else "modelled"


def steady(home: Path) -> bool:
    """Return whether CPU times are freed of this machine's unsteadiness."""
    return _read(home).get("steady") is not False


def _read(home: Path) -> dict[str, Any]:
    try:
        return read_object(home / "meter.json")
    except UnreadableError:
        return {}


def _update(home: Path, changes: dict[str, Any]) -> None:
    # in one step: workers read the old or the new one, never a half
    write_atomically(home / "meter.json", json.dumps(_read(home) | changes, indent=2) + "\n")
