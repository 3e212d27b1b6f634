"""What a Terraform that was killed leaves in its root, and what to make of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from lambda_dyno.core.reading import UnreadableError, read_bytes
from lambda_dyno.environments.state_bucket import StateLock
from lambda_dyno.runs.run_folder import Lease
from lambda_dyno.terraform.command import LONGEST_S

# A guard ends its program this long after the command's own deadline; nothing of ours holds a
# lock for longer, on whatever machine.
LONGEST_LOCK = timedelta(seconds=LONGEST_S + 600)

# Terraform puts this where it could not write the state.
ERRORED = "errored.tfstate"
_MOST_STATE_BYTES = 1_000_000_000
_BARE = "bare"


def has_root(root: Path) -> bool:
    """Whether a folder is a root module."""
    return any(root.glob("*.tf")) or any(root.glob("*.tf.json"))


def destroy_only_root(terraform: Path, state: Path, *, version: str) -> tuple[Path, dict[str, str]]:
    """Make a root of nothing but provider and backend, and return it with the backend's settings.

    All that is in the state is then what nobody wants any more. Terraform takes it down in the
    order that the state has, whatever happened to the root that made it.

    Args:
        terraform: Folder of the run's copies.
        state: The state's file.
        version: Of the AWS provider, as Terraform spells it; an older one than made the state
            cannot read it.
    """
    root = terraform / _BARE
    root.mkdir(parents=True, exist_ok=True)
    content = {
        "terraform": {
            "backend": {"local": {}},
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": version}},
        },
        "provider": {"aws": {"skip_region_validation": True}},
    }
    (root / "main.tf.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return root, {"path": str(state.resolve())}


def is_empty(content: bytes | None) -> bool:
    """Whether a state says for certain that nothing was made, or there is none.

    Args:
        content: The state, version 4; None: there is none.
    """
    try:
        return content is None or not _managed(content)
    except ValueError:
        return False


def arns(content: bytes) -> set[str]:
    """Return the ARNs of what a state manages; none of one that cannot be read.

    Args:
        content: The state, version 4.
    """
    try:
        found = [instance["attributes"].get("arn") for instance in _managed(content)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {arn for arn in found if isinstance(arn, str)}


def _managed(content: bytes) -> list[Any]:
    """Return the instances of what a state manages; data sources are read only.

    Raises:
        ValueError: It is no state.
    """
    try:
        state = json.loads(content)
        if not state["version"]:
            raise ValueError("no version")
        managed = [one for one in state["resources"] if one["mode"] != "data"]
        return [instance for one in managed for instance in one["instances"]]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("no state of Terraform's") from error


def restore_from_backup(state: Path, say: Callable[[str], None]) -> None:
    """Put the backup in the place of a local state that was cut off while it was written.

    What the backup does not know is found by its name afterwards.

    Args:
        state: The state's file.
        say: Told about it.
    """
    if not state.is_file() or _is_state(state):
        return
    backup = state.with_name(f"{state.name}.backup")
    state.replace(state.with_name(f"{state.name}.broken"))
    if _is_state(backup):
        shutil.copyfile(backup, state)
    say("the state was cut off while it was written; going on with the one before")


def owner_is_dead(lock: StateLock, lease: Lease, terraform: Path, now: datetime) -> bool:
    """Whether the owner of a lock on a state is proven dead. Ask only under the run's lock.

    On this machine: no process works in the run's copy of the root. On another one nobody can
    look; there the lease must have run out, and the lock be older than any command of ours.

    Args:
        lock: The lock.
        lease: The run's lease.
        terraform: Folder of the run's copies.
        now: The time.
    """
    here = lock.is_of_this_host and lease.is_of_these_processes
    if lease.adopted_at:
        here = here and lock.created >= datetime.fromisoformat(lease.adopted_at)
    if here:
        return not _works_in(terraform)
    return lease.expired(now) and now - lock.created > LONGEST_LOCK


def _is_state(path: Path) -> bool:
    try:  # what Terraform can read is a state, whatever else it holds
        content = json.loads(read_bytes(path, most_bytes=_MOST_STATE_BYTES))
    except (UnreadableError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "version" in content


def _works_in(folder: Path) -> bool:
    """Whether a process has its working folder there, as far as we may look."""
    inside = folder.resolve()
    for process in psutil.process_iter():
        try:
            where = Path(process.cwd())
        except (psutil.Error, OSError):
            continue
        if where == inside or inside in where.parents:
            return True
    return False
