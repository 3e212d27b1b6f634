"""What a run measures its function with: what its load test sends, unless the settings say else.

Tuning, comparison and prediction take the same one; it is in the run's folder, for readers.
"""

from __future__ import annotations

import json
from typing import Any

from lambda_dyno.aws import apis
from lambda_dyno.core.config import SETTINGS_FILE, TuningSettings
from lambda_dyno.core.errors import StepError, UserError, brief
from lambda_dyno.core.reading import UnreadableError, read_object
from lambda_dyno.load import drivers, workload_file
from lambda_dyno.load import progress as load_progress
from lambda_dyno.load.recording import workload_of
from lambda_dyno.run import api
from lambda_dyno.run.run import Run
from lambda_dyno.tuner_contract.values import WrongValueError
from lambda_dyno.tuner_contract.workload import Workload

_FILE = "workload.json"
_ITERATION_S = 120.0


def of(run: Run, *, recorded: bool = False) -> dict[str, Any] | None:
    """Return the workload of a run, or None where its settings name a payload.

    Args:
        run: The run; its environment stands.
        recorded: Whether one that was recorded before will do.

    Raises:
        UserError: There is no load test to record, or the file of a workload is none.
        StepError: Nothing could be recorded.
    """
    tuning = run.env.settings.tuning
    if has_payload(tuning):
        return None
    path = run.env.workload_file
    if path is not None:
        where = f"envs/{run.env.name}/{SETTINGS_FILE}: [tuning] workload: {brief(tuning.workload)}"
        return workload_file.read(path, where, _form(run))
    why_not = api.why_not(run, "load")
    if why_not and tuning.workload:
        raise UserError(f'envs/{run.env.name}: [tuning] workload = "load": {why_not}')
    if why_not:
        return None
    if recorded:
        try:
            return read_object(run.folder.path / _FILE)
        except UnreadableError:
            pass
    return _record(run)


def has_payload(tuning: TuningSettings) -> bool:
    """Whether the settings say what a function is called with."""
    return tuning.payload is not None or bool(tuning.payload_file or tuning.payload_s3)


def _form(run: Run) -> apis.ApiForm:
    url = str(run.result.outputs.get("api_url") or "")
    return apis.form_of(url, run.account) if url else workload_file.SOME_API


def _record(run: Run) -> dict[str, Any]:
    """Record an iteration of the load test."""
    with run.step("workload", "recording what the load test sends") as shown:
        recording = drivers.DRIVER.record(
            api.of(run),
            api.collection(run, "load"),
            log=run.folder.logs / "workload.log",
            timeout_s=_ITERATION_S,
            on_wait=load_progress.readiness(shown),
        )
        made = workload_of(recording, _form(run))
        try:
            workload = Workload.parse(made.workload)
        except WrongValueError as error:
            raise StepError(
                "workload",
                f"the load test makes no workload: {error}",
                "Look at its collection, or name a payload or a workload under [tuning].",
            ) from error
        run.folder.write(_FILE, json.dumps(made.workload, indent=1) + "\n")
        count = len(workload.requests)
        shown.update(f"{count} request{'s' if count != 1 else ''} of an iteration of the load test")
    for note in made.notes:
        run.ui.note(note)
    return made.workload
