"""What a run measures its function with: what its load test sends, unless the settings say else.

Tuning, comparison and prediction take the same one; it is in the run's folder, for readers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from lambda_dyno.aws import apis
from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.config import SETTINGS_FILE, Env
from lambda_dyno.core.errors import StepError, UserError, brief
from lambda_dyno.core.reading import UnreadableError, read_object
from lambda_dyno.load import collection_files, drivers
from lambda_dyno.load import progress as load_progress
from lambda_dyno.run import api
from lambda_dyno.run.run import Run
from lambda_dyno.runs.ownership import temporary_folder
from lambda_dyno.tune import workload_file
from lambda_dyno.tune.recorded_workload import workload_of
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
    if tuning.has_payload:
        return None
    path = run.env.workload_file
    if path is not None:
        where = f"envs/{run.env.name}/{SETTINGS_FILE}: [tuning] workload: {brief(tuning.workload)}"
        safe = tuning.safe if run.mode.attached else None
        return workload_file.read(path, where, _form(run), safe=safe)
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


def of_deployed(
    env: Env, account: Account, outputs: Mapping[str, Any], note: Callable[[str], None]
) -> dict[str, Any]:
    """Return what a function with real data may be tuned with: nothing in it may write.

    Args:
        env: The environment; its settings name no payload.
        account: Where it is.
        outputs: Of its root.
        note: Told what is left out.

    Raises:
        UserError: There is nothing that is safe.
        StepError: The API does not answer.
    """
    tuning, path = env.settings.tuning, env.workload_file
    where = f"envs/{env.name}/{SETTINGS_FILE}: [tuning] workload"
    url = str(outputs.get("api_url") or "")
    form = apis.form_of(account.reachable(url), account) if url else workload_file.SOME_API
    if path is not None:
        named = f"{where}: {brief(tuning.workload)}"
        return workload_file.read(path, named, form, safe=tuning.safe)
    files = collection_files.of_settings(env.folder.parents[1], env, "load")
    if not url or not files.collection.is_file():
        missing = "the environment has no output api_url" if not url else "there is no load test"
        raise UserError(
            f"{where}: nothing says what the deployed function may be called with: {missing}. "
            "Name a payload that only reads under [tuning], or with --payload"
        )
    with temporary_folder() as folder:
        recording = drivers.DRIVER.record(
            api.of_outputs(account, {"api_authorization": "NONE", **outputs}),
            files,
            log=folder / "workload.log",
            timeout_s=_ITERATION_S,
            safe=tuning.safe,
        )
    made = workload_of(recording, form, safe=tuning.safe)
    if not made.workload["requests"]:
        asked = [f"{one.name} ({one.status or 'no answer'})" for one in recording.iterations[0]]
        raise UserError(f"{where}: {workload_file.none_is_safe(asked)}")
    for text in made.notes:
        note(text)
    return made.workload


def _form(run: Run) -> apis.ApiForm:
    if run.attached is not None and run.attached.api is not None:
        return apis.form_of(run.attached.api.root, run.account)
    url = run.account.reachable(str(run.result.outputs.get("api_url") or ""))
    return apis.form_of(url, run.account) if url else workload_file.SOME_API


def _record(run: Run) -> dict[str, Any] | None:
    """Record an iteration of the load test; an API that passed the smoke test is ready.

    Where nothing of it reaches the function, and nobody has asked for it, there is no workload.
    """
    smoke = run.result.smoke
    safe = run.env.settings.tuning.safe if run.mode.attached else None
    with run.step("workload", "recording what the load test sends") as shown:
        with run.target.reported(run.project):  # what is sent matters, not how long it takes
            recording = drivers.DRIVER.record(
                api.of(run),
                api.collection(run, "load"),
                log=run.folder.logs / "workload.log",
                timeout_s=_ITERATION_S,
                on_wait=load_progress.readiness(shown),
                ready_s=0.0 if smoke is not None and smoke.passed else None,
                safe=safe,
            )
        made = workload_of(recording, _form(run), safe=safe)
        nothing = not made.workload["requests"]
        if nothing and not run.env.settings.tuning.workload:
            shown.update("nothing of the load test goes to the function: tuning with the event {}")
            return None
        try:
            workload = Workload.parse(made.workload)
        except WrongValueError as error:
            raise StepError(
                "workload",
                "nothing of the load test goes to the function, so it makes no workload"
                if nothing
                else f"the load test makes no workload: {error}",
                "Look at its collection, or name a payload or a workload under [tuning].",
            ) from error
        run.folder.write(_FILE, json.dumps(made.workload, indent=1) + "\n")
        count = len(workload.requests)
        shown.update(f"{count} request{'s' if count != 1 else ''} of an iteration of the load test")
    for note in made.notes:
        run.ui.note(note)
    return made.workload
