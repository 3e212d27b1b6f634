"""Find environments that should be gone, and take them down.

They are found by what killed runs cannot take along:

1. programs and temporary folders of this machine, by the mark of their dead owner;
2. leases in `runs/`;
3. leases and states in the account's state bucket, whose run folder is elsewhere;
4. names and tags of resources, and a tuner's marks on functions that stay.

Of the first three everything is taken down, and so are copies of functions whose tunings are over:
their names prove what they are. What else is found by the last alone has no state and no lease
left, so nobody knows that it is ours: it is named, with the command that removes it.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from lambda_dyno.aws import accounts, residue
from lambda_dyno.aws import shared_emulator as gate_shared
from lambda_dyno.aws.target import endpoint_is_gone
from lambda_dyno.cleanup import teardown
from lambda_dyno.cleanup.evidence import note_end
from lambda_dyno.cleanup.reachable import Accounts
from lambda_dyno.core.errors import DynoError, StepError, UserError
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.results import Leftover
from lambda_dyno.environments import leftovers
from lambda_dyno.environments.environment import Environment
from lambda_dyno.environments.state_bucket import LONGEST_LIFETIME, StateBucket
from lambda_dyno.runs import orphans, run_folder
from lambda_dyno.runs.run_folder import InUseError, Lease, RunFolder

# What may be in the folder of a run that was killed before it had a lease.
_BEFORE_THE_LEASE = ("lock", *run_folder.RESERVES)
_STARTING_S = 600.0
_MOST_HOURS = 100_000  # eleven years


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of something that should be gone.

    Attributes:
        run_id: The run; empty for what no run is known of.
        reason: Why it should be gone.
        outcome: "swept", "would be swept", "skipped" (it is nothing that could be swept), "left"
            or "failed", and what there is to say.
        left: What is still there, with the commands that remove it.
    """

    run_id: str
    reason: str
    outcome: str
    left: tuple[Leftover, ...] = ()

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it is left, or nothing was to be done."""
        return self.outcome.startswith(("swept", "would be swept", "skipped"))

    def to_json(self) -> dict[str, Any]:
        """Return what `dyno sweep --json` prints of it."""
        return {
            "run_id": self.run_id,
            "reason": self.reason,
            "outcome": self.outcome,
            "left": [asdict(leftover) for leftover in self.left],
        }


def listing(project: Path, ui: Ui, runs_folder: Path | None = None) -> list[dict[str, Any]]:
    """Return a row for each run here, and for each in a state bucket that is not, oldest first.

    Args:
        project: Folder that holds `envs/`.
        ui: Where warnings go.
        runs_folder: Folder of all runs; None is the project's `runs/`.
    """
    where = runs_folder or project / "runs"
    for problem in run_folder.unreadable(where):
        ui.warn(f"left out: {problem}")
    folders = run_folder.all_runs(where)
    rows = [_row(folder.read_lease(), str(folder.path)) for folder in folders]
    here = {row["run_id"] for row in rows}
    for bucket in Accounts(project, ui, quiet=True).state_buckets():
        leases, others = bucket.leases()
        rows += [_row(one, bucket.address(one)) for one in leases if one.run_id not in here]
        for other in others:
            ui.warn(f"{other.where} is left alone: {other.why}")
    return sorted(rows, key=lambda row: (row["started_at"], row["run_id"]))


def why(lease: Lease, now: datetime, older_than: timedelta | None) -> str:
    """Return why an environment should be gone; empty if it may stand.

    Args:
        lease: The environment's lease.
        now: The time.
        older_than: Age from which everything goes, expired or not; None: only the lease counts.
    """
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
    project: Path,
    ui: Ui,
    *,
    older_than_h: float | None = None,
    dry_run: bool = False,
    runs_folder: Path | None = None,
) -> list[Swept]:
    """Take down everything that should be gone, and name what is left.

    Args:
        project: Folder that holds `envs/` and `runs/`.
        ui: Where progress goes.
        older_than_h: Age in hours from which everything goes, expired or not.
        dry_run: Only say what would go.
        runs_folder: Folder of all runs; None is the project's `runs/`.

    Raises:
        UserError: `older_than_h` is negative.
    """
    if older_than_h is not None and not 0 <= older_than_h <= _MOST_HOURS:
        raise UserError(f"--older-than {older_than_h:g}: give hours, 0 to {_MOST_HOURS}")
    older_than = None if older_than_h is None else timedelta(hours=older_than_h)
    folder = runs_folder or project / "runs"
    sweeper = _Sweeper(project, folder, ui, older_than=older_than, dry_run=dry_run)
    return [*sweeper.machine(), *sweeper.here(), *sweeper.in_accounts()]


def sweep_dead_owners(project: Path, ui: Ui, runs_folder: Path | None = None) -> None:
    """Take down what owners of this machine left that are dead; a warning if that fails.

    A new run begins with it, so that a killed one leaks until the next at most. It takes a
    moment when there is nothing to do.

    Args:
        project: Folder that holds `runs/`.
        ui: Where progress goes.
        runs_folder: Folder of all runs; None is the project's `runs/`.
    """
    sweeper = _Sweeper(project, runs_folder or project / "runs", ui, only_dead=True)
    for swept in (*sweeper.machine(), *sweeper.here()):
        if not swept.is_gone:
            ui.warn(f"run {swept.run_id} is still there ({swept.reason}): {swept.outcome}")


@dataclass
class _Sweeper:
    """One sweep."""

    project: Path
    runs: Path
    ui: Ui
    older_than: timedelta | None = None
    dry_run: bool = False
    only_dead: bool = False  # what expired has the time until somebody sweeps
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def _accounts(self) -> Accounts:
        return Accounts(self.project, self.ui)

    def machine(self) -> Iterator[Swept]:
        """Sweep programs and temporary folders."""
        found = orphans.find()
        if not found:
            return
        names = tuple(found.names)
        reason = "the owner is gone"
        if self.dry_run:
            yield Swept("", reason, f"would be swept: {', '.join(names)}")
            return
        orphans.end(found, self.ui.note)
        yield Swept("", reason, f"swept: {', '.join(names)}")

    def here(self) -> Iterator[Swept]:
        """Sweep the runs whose folder is here, and name those whose lease cannot be read."""
        for problem in run_folder.unreadable(self.runs):
            yield Swept("", "a lease that cannot be read", f"skipped: {problem}")
        for folder in run_folder.all_runs(self.runs):
            lease = folder.read_lease()
            reason = self._why(lease)
            if reason and self.dry_run:
                yield Swept(lease.run_id, reason, f"would be swept: {reason}")
            elif reason:
                swept = self._take_down(folder, reason)
                if swept is not None:
                    yield swept
            elif lease.state == "down" and not self.dry_run and not self.only_dead:
                with contextlib.suppress(InUseError), folder.locked():
                    folder.remove_drafts()
        if not self.dry_run:
            self._remove_uninitialised()
            gate_shared.clear_away(self.runs)

    def in_accounts(self) -> Iterator[Swept]:
        """Sweep what only the accounts of the credentials know of."""
        for account, buckets in self._accounts.with_buckets():
            try:
                with accounts.errors_of("sweep"):
                    for bucket in buckets:
                        yield from self._in_bucket(bucket)
                    yield from self._copies(account)
                    yield from self._by_name_and_tag(account)
            except StepError as error:
                yield Swept("", f"account {account.account_id}", f"failed: {error}")

    def _why(self, lease: Lease) -> str:
        if self.only_dead and (lease.owner_lives() or not lease.is_of_this_host):
            return ""
        return why(lease, self.now, self.older_than)

    def _take_down(self, folder: RunFolder, reason: str) -> Swept | None:
        """Take a run's environment down; None: somebody else is at it."""
        run_id = folder.run_id
        try:
            with folder.locked():
                lease = folder.read_lease()
                if not self._why(lease):
                    return None  # whoever had the lock has just done it
                self.ui.note(f"sweeping {run_id} ({lease.env}): {reason}")
                return self._locked_take_down(folder, lease, reason)
        except InUseError:
            return None  # its owner lives, or another sweeper is faster
        except DynoError as error:
            return Swept(run_id, reason, f"failed: {error}")

    def _locked_take_down(self, folder: RunFolder, lease: Lease, reason: str) -> Swept:
        target = self._accounts.target_of(lease, folder)
        target.clear_if_abandoned()
        if not target.is_embedded and lease.holds_resources and endpoint_is_gone(lease.endpoint):
            folder.update_lease(state="down", kept=False)
            folder.remove_drafts()
            note_end(folder, reason, ())
            return Swept(lease.run_id, reason, "swept: it ended with its embedded AWS")
        taken = teardown.take_down(
            folder,
            target,
            lambda: Environment.of_project(self.project, folder, target),
            say=self.ui.note,
            prove=False,
        )
        if taken.failure:
            return Swept(lease.run_id, reason, f"failed: {taken.failure}")
        note_end(folder, reason, taken.left)
        if taken.left:
            return Swept(lease.run_id, reason, f"left: {len(taken.left)}", taken.left)
        return Swept(lease.run_id, reason, "swept")

    def _in_bucket(self, bucket: StateBucket) -> Iterator[Swept]:
        """Sweep the runs that a bucket knows and this machine does not."""
        leases, others = bucket.leases()
        for other in others:
            reason = "an object in a lease's place"
            yield Swept("", reason, f"skipped: {other.where}: {other.why}")
        for lease in leases:
            if (self.runs / lease.run_id / "lease.json").exists():
                continue
            # Whether its owner lives, only its own machine knows: what counts is its expiry.
            reason = why(replace(lease, kept=True), self.now, self.older_than)
            if reason and self.dry_run:
                yield Swept(lease.run_id, reason, f"would be swept: {reason}")
            elif reason:
                swept = self._take_down(run_folder.adopt(self.runs, lease), reason)
                if swept is not None:
                    yield swept

    def _copies(self, account: accounts.Account) -> Iterator[Swept]:
        """Sweep the copies of functions whose tunings are over."""
        for name, execution_arn in list(residue.orphaned_copies(account.session)):
            reason = f"a copy for a tuning that is over: {execution_arn}"
            if self.dry_run:
                yield Swept("", reason, f"would be swept: {name}")
                continue
            residue.remove_copy(account.session, name)
            yield Swept("", reason, f"swept: {name}")

    def _by_name_and_tag(self, account: accounts.Account) -> Iterator[Swept]:
        """Name what has neither state nor lease."""
        session = account.session
        for stray in leftovers.survey(session):
            folder = RunFolder(self.runs / stray.run_id)
            if (folder.path / "lease.json").is_file():
                swept = self._again(folder, account)
                if swept is not None:
                    yield swept
                continue
            began = run_folder.began(stray.run_id)
            if began is None:
                continue  # a name or a tag of that form, and no run's
            expires = stray.expires_at or (began + LONGEST_LIFETIME).isoformat()
            reason = self._why_stray(began, expires)
            if reason:
                count = f"{len(stray.leftovers)} resources without a state or a lease"
                yield Swept(stray.run_id, reason, f"left: {count}", stray.leftovers)
        machines = {
            row["name"]
            for page in session.client("stepfunctions")
            .get_paginator("list_state_machines")
            .paginate()
            for row in page["stateMachines"]
        }
        marked = residue.on_functions(
            session,
            lambda machine: machine not in machines,
            run_folder.is_of_a_run,
        )
        if marked:
            reason = "marks of a tuner that is gone"
            yield Swept("", reason, f"left: {len(marked)} on functions", tuple(marked))

    def _again(self, folder: RunFolder, account: accounts.Account) -> Swept | None:
        """Remove what was made while a killed run's environment was taken down already."""
        lease = folder.read_lease()
        if lease.state != "down" or (lease.account_id, lease.endpoint) != (
            account.account_id,
            account.endpoint,
        ):
            return None
        reason = "made after its environment was taken down"
        if self.dry_run:
            return Swept(lease.run_id, reason, f"would be swept: {reason}")
        _, left = leftovers.remove(account.session, lease.name_prefix, lease.run_id)
        outcome = f"left: {len(left)}" if left else "swept"
        return Swept(lease.run_id, reason, outcome, tuple(left))

    def _why_stray(self, began: datetime, expires_at: str) -> str:
        expires = run_folder.parse_time(expires_at)
        if expires is None:
            return ""
        if self.older_than is not None and self.now - began >= self.older_than:
            return f"older than {self.older_than}"
        return f"expired at {expires.isoformat()}" if self.now >= expires else ""

    def _remove_uninitialised(self) -> None:
        """Remove folders of runs that were killed before they had a lease, and made nothing."""
        for path in self.runs.glob("[0-9]*"):
            if not path.is_dir() or (path / "lease.json").exists():
                continue
            names = [entry.name for entry in path.iterdir()]
            unborn = all(n in _BEFORE_THE_LEASE or n.startswith(".lease.json.") for n in names)
            if unborn and time.time() - path.stat().st_mtime > _STARTING_S:
                shutil.rmtree(path, ignore_errors=True)


def _row(lease: Lease, where: str) -> dict[str, Any]:
    return {
        "run_id": lease.run_id,
        "env": lease.env,
        "name_prefix": lease.name_prefix,
        "state": lease.state,
        "kept": lease.kept,
        "owner": f"{lease.owner}@{lease.host}",
        "worker": lease.worker,
        "account_id": lease.account_id,
        "region": lease.region,
        "endpoint": lease.endpoint,
        "started_at": lease.started_at,
        "expires_at": lease.expires_at,
        "where": where,
    }
