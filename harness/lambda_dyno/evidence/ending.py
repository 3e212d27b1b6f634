"""What a run does for the store at its end, and what is made up for later."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lambda_dyno.core.errors import DynoError, UserError, brief, told
from lambda_dyno.core.files import write_json
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.reading import UnreadableError, read_object
from lambda_dyno.core.results import RunResult
from lambda_dyno.evidence import outbox, sending
from lambda_dyno.evidence.location import Place, Store, trust_of
from lambda_dyno.evidence.outbox import Entry
from lambda_dyno.history import record, rows
from lambda_dyno.history.schema import RUNS, VERSION, run_of
from lambda_dyno.history.store import files_of
from lambda_dyno.runs import result_store, run_folder
from lambda_dyno.runs.run_folder import Lease, RunFolder

_NOTE = "evidence.json"  # in a run's folder: which of its records were queued
PUSH = "dyno evidence push makes up for it"


@dataclass(frozen=True, slots=True)
class Queued:
    """What of a run was put into the outbox.

    Attributes:
        entry: The record that waits.
        left: What stays on this machine: names with reasons.
    """

    entry: Entry
    left: Mapping[str, str]


def add(result: RunResult, folder: RunFolder, record_id: str, uri: str, ui: Ui) -> None:
    """Add a run to its store. Whatever goes wrong is said in one line, and is no error.

    Args:
        result: The run.
        folder: Its folder, with the report written.
        record_id: Its record in the history; empty: nothing was measured.
        uri: The store; empty: there is none.
        ui: Shows how far it is.
    """
    if not uri or not record_id:
        return
    try:
        queued = queue(result, folder, record_id, uri, os.environ)
        if queued.left:
            ui.note(f"evidence that stays here: {_left(queued.left)}")
        with ui.step("evidence", f"adding it to {uri}") as step:
            sent = sending.send_within(
                queued.entry,
                lambda done, total: step.update(f"adding it to {uri}", done, total),
            )
            if sent.problem:
                step.update(f"not added yet: {sent.problem}; {PUSH}")
                raise sending.StillWaitsError
            step.update(f"{sent.added} files added below {queued.entry.place} of {uri}")
    except sending.StillWaitsError:
        return
    except KeyboardInterrupt:
        ui.note(f"evidence not added yet: interrupted; {PUSH}")
    except DynoError as error:
        ui.note(f"evidence not added yet: {error}; {PUSH}")
    except Exception as error:
        what = told(error) if isinstance(error, OSError) else brief(repr(error), most=200)
        ui.note(f"evidence not added yet: {what}; {PUSH}")


def queue(
    result: RunResult, folder: RunFolder, record_id: str, uri: str, environ: Mapping[str, str]
) -> Queued:
    """Put a run into the outbox.

    Args:
        result: The run.
        folder: Its folder.
        record_id: The record, which is in the outbox once.
        uri: The store.
        environ: The process's environment, which says how far the run is trusted.

    Raises:
        UserError: The store or the environment has no name that a key can have.
        OSError: It cannot be written.
    """
    from lambda_dyno.evidence import contents  # brings what draws, which is there by then

    runs = folder.path.parent
    store = Store.parse(uri)
    place = Place.parse(f"{_env(folder.read_lease())}/{trust_of(environ)}")
    found = contents.of_run(result, folder.path)
    history = record.folder(runs, environ)
    kept = files_of(history, record_id) if history is not None else {}
    entry = outbox.add(runs, record_id, store, place, found.files, kept)
    _note(folder, record_id)
    return Queued(entry, found.left)


def unqueued(runs: Path, say: Callable[[str], None]) -> Iterator[tuple[RunFolder, RunResult, str]]:
    """Yield runs that have a store and found something, and never got into the outbox.

    Such as of a command that was killed just then, or on a full disk.

    Args:
        runs: Folder of all runs.
        say: Told which runs cannot be read.

    Yields:
        The run's folder, its result and its store.
    """
    for folder in run_folder.all_runs(runs):
        try:
            lease = folder.read_lease()
            uri = _store_of(lease)
            if not uri or lease.beside or _records(folder) or _is_at_work(lease):
                continue
            result = result_store.read(folder)
        except UserError as error:
            say(f"evidence of {folder.run_id} is left alone: {error}")
            continue
        if rows.has_figures(result):
            yield folder, result, uri


def record_of(folder: RunFolder, environ: Mapping[str, str]) -> str:
    """Return the newest record that the history has of a run, or the id of a new one."""
    history = record.folder(folder.path.parent, environ)
    if history is not None:
        files = (history / f"v{VERSION}" / RUNS.name).glob(f"{folder.run_id}_*.parquet")
        own = [path for path in files if run_of(path.stem) == folder.run_id]
        if own:
            return max(own, key=lambda path: path.stat().st_mtime).stem
    return record.new_id(folder.run_id, "run")


def _left(left: Mapping[str, str]) -> str:
    return "; ".join(f"{brief(name)} ({why})" for name, why in left.items())


def _env(lease: Lease) -> str:
    return (lease.settings_env or "function") if lease.tuner_only else lease.env


def _store_of(lease: Lease) -> str:
    section = lease.settings.get("evidence")
    uri = section.get("store", "") if isinstance(section, dict) else ""
    return uri if isinstance(uri, str) else ""


def _is_at_work(lease: Lease) -> bool:
    """Whether a command may still measure in the run's environment, and queue it at its end."""
    return lease.state != "down" and not lease.kept and lease.owner_lives()


def _records(folder: RunFolder) -> list[str]:
    """Return the records of a run that were queued."""
    try:
        found = read_object(folder.path / _NOTE).get("records")
    except UnreadableError:
        return []
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def _note(folder: RunFolder, record_id: str) -> None:
    write_json(folder.path / _NOTE, {"records": [*_records(folder), record_id]})
