"""Go on with a run that stopped half-way: `dyno run --resume RUN_ID`.

While its environment stands, it goes on from the last finished step. If not, the environment is
made again, and a measurement is kept when what it measured is still the same: the packages, the
Terraform, the payload, the collections. The settings are the run's own in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lambda_dyno.aws import accounts, target
from lambda_dyno.compare import baseline
from lambda_dyno.core.config import Env, parse_settings
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.results import LoadResult
from lambda_dyno.emulator import server
from lambda_dyno.processes import orphans
from lambda_dyno.run import fingerprints, lifecycle, preflight
from lambda_dyno.run.run import Run, package_names
from lambda_dyno.runs import result_store, run_folder
from lambda_dyno.runs.run_folder import Lease, RunFolder
from lambda_dyno.tune import executions

_MEASURED = ("tune", "load")
_LOAD = "load "


class Resumed(Run):
    """A run that goes on. `Resumed.prepare_again`, then `pipeline.execute` with `work`.

    Attributes:
        stands: Whether its environment still does.
    """

    stands: bool = False

    @classmethod
    def prepare_again(
        cls,
        project: Path,
        run_id: str,
        ui: Ui,
        *,
        waiting: Callable[[str], None] | None = None,
    ) -> Resumed:
        """Check that a run can go on, and make it this process's.

        Args:
            project: Folder that holds `runs/`.
            run_id: The run.
            ui: Where progress goes.
            waiting: Told who holds the run, to wait for it; None: not to wait.

        Raises:
            UserError: It cannot: it is not there, finished, of another kind, or in use.
        """
        folder = run_folder.find(project / "runs", run_id, standing=False)
        with folder.locked(waiting=waiting):
            lease = folder.read_lease()
            result = result_store.read(folder)
            _require_resumable(lease, result.verdict is not None and not result.error)
            settings = parse_settings(lease.settings, f"runs/{run_id}/lease.json")
            env = Env(lease.env, project / "envs" / lease.env, settings)
            preflight.check_sources(project, env, package_names(project))
            compared_with = baseline.of_settings(project, env, folder.path.parent)
            tools = preflight.tools_of(project, ui, node=(project / "postman").is_dir())
            orphans.end(orphans.find(), ui.note)
            account, stands = _place(folder, lease)
            lifetime = timedelta(hours=settings.environment.lifetime_hours)
            now = datetime.now(UTC).replace(microsecond=0)
            folder.take_over(
                kept=False, expires_at=(now + lifetime).isoformat(), endpoint=account.endpoint
            )
            folder.remove_drafts()
            folder.make_reserve()
            run = cls(project, env, folder, account, tools, ui, result)
            if stands:
                run.environment.publish()  # it may stand longer now
            run.stands = stands
            run.baseline = compared_with
            run.result = replace(result, error="", verdict=None, leftovers=None)
            run.save()
        return run

    def work(self) -> int:
        """Do what is left of the whole line and return the exit status."""
        done = frozenset(self.folder.progress()) - {"inputs"}
        if self.stands:
            self._go_on(done)
        else:
            self._start_again(done)
        names = ", ".join(sorted(self.finished)) or "nothing"
        self.ui.note(f"finished before: {names}")
        return lifecycle.whole_line(self, skip=self.finished)

    def _go_on(self, done: frozenset[str]) -> None:
        """Use the environment that stands."""
        self.finished = done
        if "tune" not in done and (machine := self.own_tuner()):
            with accounts.errors_of("tune"):  # the killed run's own tuning has the function's lock
                executions.end_all(self.account.session, machine)
        # what was measured half is measured again
        self.result = replace(self.result, load=_finished_loads(self.result.load, done))

    def _start_again(self, done: frozenset[str]) -> None:
        """Take down what there is of the environment, and keep what is still true."""
        lease = self.folder.read_lease()
        if lease.holds_resources and not lease.own_server:
            self.down()
        packages = self.build()
        known = self.folder.progress().get("inputs")
        before = known if isinstance(known, dict) else {}
        now = fingerprints.of(self.env, self.sources, self.project, packages)
        kept: set[str] = set()
        for step in _MEASURED:
            finished = {name for name in done if name.partition(" ")[0] == step}
            changed = fingerprints.changed(step, before, now)
            if changed and finished:
                self.ui.note(f"{step}: measured again, since {', '.join(changed)} changed")
            elif finished:
                kept |= finished
        self.finished = frozenset(kept)
        self.result = replace(
            self.result,
            outputs={},
            smoke=None,
            regression=None,
            tuning=self.result.tuning if "tune" in kept else None,
            load=_finished_loads(self.result.load, self.finished),
            leftovers=None,
        )
        self.save()


def _finished_loads(loads: tuple[LoadResult, ...], done: frozenset[str]) -> tuple[LoadResult, ...]:
    return tuple(load for load in loads if f"{_LOAD}{load.label}" in done)


def _require_resumable(lease: Lease, finished: bool) -> None:
    """Make sure that there is something to go on with.

    Raises:
        UserError: There is not.
    """
    run = f"run {lease.run_id}"
    if lease.tuner_only:
        raise UserError(f"{run} tuned a function by its name: start it again with dyno tune")
    if lease.beside:
        raise UserError(f"{run} is the baseline of run {lease.beside}: resume that one")
    if lease.server_home:
        raise UserError(f"{run} is one of pytest's: run pytest again")
    if not lease.is_of_this_host:
        raise UserError(
            f"{run} is of the machine {lease.host}, and nobody here can tell whether it still "
            "works: resume it there, or start a new one"
        )
    if lease.adopted_at:
        raise UserError(f"{run} was swept here for another machine: start a new one")
    if finished:
        raise UserError(
            f"{run} is finished, so there is nothing to go on with: dyno report --run "
            f"{lease.run_id} shows it"
        )


def _place(folder: RunFolder, lease: Lease) -> tuple[accounts.Account, bool]:
    """Return where a run's environment is (to be), and whether it stands."""
    stands = lease.state == "up" and "up" in folder.progress()
    if not lease.own_server:
        return target.by_credentials(lease), stands
    if server.status(folder.server_home) is None or not stands:
        server.stop(folder.server_home)
        for state in folder.terraform.glob("envs/*/*terraform.tfstate*"):
            state.unlink()  # of what ended with the embedded AWS
        limit = lease.settings.get("environment", {}).get("account_concurrency")
        account = target.start_embedded(folder, lease.region, account_concurrency=limit)
        folder.update_lease(state="new")
        return account, False
    return target.in_embedded(folder.server_home, lease.account_id), True
