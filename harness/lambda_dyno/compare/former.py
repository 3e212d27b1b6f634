"""`--prior`: what a former run measured of the same code, for a tuning to begin with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lambda_dyno.aws.accounts import Account
from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.reading import read_json
from lambda_dyno.core.results import RunResult
from lambda_dyno.runs import result_store, run_folder
from lambda_dyno.runs.result_store import RESULTS
from lambda_dyno.runs.run_folder import RunFolder
from lambda_dyno.tuner_contract.former import Former
from lambda_dyno.tuner_contract.keys import is_adaptive
from lambda_dyno.tuner_contract.values import WrongValueError

NEWEST = "newest"


def with_prior(
    tuning_input: Mapping[str, Any],
    wanted: str,
    runs: Path,
    function: Function,
    account: Account,
    ui: Ui,
) -> dict[str, Any]:
    """Return a tuning's input with what a former run measured.

    The power tuner holds it against code, architecture and payload once more, and says if it does
    not use it.

    Args:
        tuning_input: Without it.
        wanted: The run, or "newest": of those that measured this code; a folder that
            `dyno evidence pull` has written: the same of main's; empty: none.
        runs: Folder of all runs.
        function: What is tuned.
        account: Where; what the embedded AWS took says nothing of AWS.
        ui: Told which run it is.

    Raises:
        UserError: There is no such run, or it says nothing of this function.
    """
    if not wanted:
        return dict(tuning_input)
    if not is_adaptive(tuning_input):
        ui.note("prior: not used: fixed measuring has no use for a former run")
        return dict(tuning_input)
    if (Path(wanted) / RESULTS).is_dir():
        found = next(_of_folder(Path(wanted), function, account), None)
        if found is None:
            ui.note(f"no run of {function.name} with this code in {wanted}: measuring without one")
            return dict(tuning_input)
    elif wanted != NEWEST:
        try:
            folder = run_folder.find(runs, wanted, standing=False)
        except UserError as error:
            raise UserError(f"prior: {error}") from error
        found, problem = _of_run(folder, function, account)
        if found is None:
            raise UserError(f"prior: run {folder.run_id}: {problem}")
    else:
        found = next(_of_this_code(runs, function, account), None)
        if found is None:
            ui.note(f"no former run of {function.name} with this code: measuring without a prior")
            return dict(tuning_input)
    ui.note(f"beginning with what run {found.run} measured of the same code")
    return {**tuning_input, "prior": found.to_json()}


def _of_this_code(runs: Path, function: Function, account: Account) -> Iterator[Former]:
    for folder in reversed(run_folder.all_runs(runs)):
        try:
            found, _ = _of_run(folder, function, account)
        except UserError:
            continue  # a result that cannot be read is no reason not to tune
        if found is not None:
            yield found


def _of_folder(folder: Path, function: Function, account: Account) -> Iterator[Former]:
    """Yield what results say that `dyno evidence pull` brought, the newest first."""
    for path in sorted((folder / RESULTS).glob("*.json"), reverse=True):
        try:
            result = result_store.parse(read_json(path), str(path))
        except UserError:
            continue
        found, _ = _of_result(result, result.run_id, function, account)
        if found is not None:
            yield found


def _of_run(folder: RunFolder, function: Function, account: Account) -> tuple[Former | None, str]:
    """Return what a run measured of the function's code, or why it says nothing of it."""
    return _of_result(result_store.read(folder), folder.run_id, function, account)


def _of_result(
    result: RunResult, run_id: str, function: Function, account: Account
) -> tuple[Former | None, str]:
    raw = None if result.tuning is None else result.tuning.raw.get("prior")
    if raw is None:
        return None, "it holds nothing that a tuning could begin with"
    if result.on_embedded_aws != bool(account.endpoint):
        return None, "it was measured on the embedded AWS, or this is there and it was on AWS"
    try:
        found = Former.parse(raw)._replace(run=run_id)
    except WrongValueError as error:
        return None, f"result.json: tuning.raw.prior: {error}"
    problem = found.why_not(function.code_sha256, function.architecture, found.payload)
    return (None, problem) if problem else (found, "")
