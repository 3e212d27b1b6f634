"""Find environments that should be gone, and take them down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness import runs
from harness.errors import DynoError, UserError
from harness.progress import Ui
from harness.run import Run
from harness.runs import Lease


def listing(folder: Path) -> list[dict[str, Any]]:
    """Return a row for each run, oldest first.

    Args:
        folder: Folder of all runs.
    """
    return [
        {
            "run_id": lease.run_id,
            "env": lease.env,
            "state": lease.state,
            "kept": lease.kept,
            "owner": f"{lease.owner}@{lease.host}",
            "account_id": lease.account_id,
            "region": lease.region,
            "endpoint": lease.endpoint,
            "started_at": lease.started_at,
            "expires_at": lease.expires_at,
        }
        for lease in (run.read_lease() for run in runs.all_runs(folder))
    ]


def why(lease: Lease, now: datetime, older_than: timedelta | None) -> str:
    """Return why an environment should be gone; empty if it may stand.

    Args:
        lease: The environment's lease.
        now: The time.
        older_than: Age from which everything goes, expired or not; None: only the lease counts.
    """
    if not lease.holds_resources and not lease.own_server:
        return ""
    if lease.state == "down":
        return ""
    age = now - datetime.fromisoformat(lease.started_at)
    if older_than is not None and age >= older_than:
        return f"older than {older_than}"
    if lease.expired(now):
        return f"expired at {lease.expires_at}"
    if not lease.kept and not lease.owner_lives():
        return f"its process {lease.pid} is gone"
    return ""


def sweep(
    project: Path, ui: Ui, *, older_than_h: float | None = None, dry_run: bool = False
) -> list[dict[str, str]]:
    """Take down every environment that should be gone.

    Args:
        project: Folder that holds `runs/`.
        ui: Where progress goes.
        older_than_h: Age in hours from which everything goes, expired or not.
        dry_run: Only say what would go.

    Returns:
        A row for each: `run_id`, `reason` and `outcome`.

    Raises:
        UserError: `older_than_h` is negative.
    """
    if older_than_h is not None and older_than_h < 0:
        raise UserError(f"--older-than {older_than_h:g}: give hours, 0 or more")
    older_than = None if older_than_h is None else timedelta(hours=older_than_h)
    rows = []
    for folder in runs.all_runs(project / "runs"):
        lease = folder.read_lease()
        reason = why(lease, datetime.now(UTC), older_than)
        if reason:
            outcome = f"would be swept: {reason}" if dry_run else _take_down(project, lease, ui)
            rows.append({"run_id": lease.run_id, "reason": reason, "outcome": outcome})
    return rows


def _take_down(project: Path, lease: Lease, ui: Ui) -> str:
    ui.note(f"sweeping {lease.run_id} ({lease.env})")
    try:
        run = Run.reopen(project, lease.run_id, ui)
        with run.folder.locked():
            run.down()
    except DynoError as error:
        return f"failed: {error}"
    return "swept"
