"""Go on with a run that stopped half-way: `dyno run --resume RUN_ID`.

While its environment stands, it goes on from the last finished step. If not, the environment is
made again, and a measurement is kept when what it measured is still the same: the packages, the
Terraform, the payload, the collections. The settings are the run's own in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lambda_dyno.aws import accounts, tuner_executions
from lambda_dyno.aws import target as targets
from lambda_dyno.aws.target import NewEmulator, Target
from lambda_dyno.compare import baseline, fingerprints
from lambda_dyno.core.config import Env, parse_settings
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.results import LoadResult, RunResult
from lambda_dyno.run import attach_prepare, build, ending, order, preflight
from lambda_dyno.run.run import Run
from lambda_dyno.run.steps import attach, tune
from lambda_dyno.runs import orphans, result_store, run_folder
from lambda_dyno.runs.mode import RunMode
from lambda_dyno.runs.run_folder import ATTACHED_ENV, Lease, RunFolder

_MEASURED = ("tune", "load")
_LOAD = "load "


@dataclass
class Resumed:
    """A run that goes on; `prepare` makes it.

    Attributes:
        run: The run.
        stands: Whether its environment still does.
    """

    run: Run
    stands: bool

    def work(self) -> int:
        """Do what is left of the whole line and return the exit status."""
        run = self.run
        done = frozenset(run.folder.progress()) - {"inputs"}
        if self.stands:
            self._go_on(done)
        else:
            self._start_again(done)
        names = ", ".join(sorted(run.finished)) or "nothing"
        run.ui.note(f"finished before: {names}")
        return order.whole_line(run, skip=run.finished)

    def _go_on(self, done: frozenset[str]) -> None:
        """Use the environment that stands."""
        run = self.run
        run.finished = done
        if "tune" not in done and (machine := tune.own_tuner(run)):
            with accounts.errors_of("tune"):  # the killed run's own tuning has the function's lock
                tuner_executions.end_all(run.account.session, machine)
        # what was measured half is measured again
        run.result = replace(run.result, load=_finished_loads(run.result.load, done))

    def _start_again(self, done: frozenset[str]) -> None:
        """Take down what there is of the environment, and keep what is still true."""
        run = self.run
        if run.folder.read_lease().holds_resources and not run.target.ends_with_its_run:
            ending.down(run)
        if run.attached is not None:
            now = attach.inputs(run, run.attached)
        else:
            packages = build.step(run)
            now = fingerprints.of(run.env, run.mode.sources, run.project, packages)
        known = run.folder.progress().get("inputs")
        before = known if isinstance(known, dict) else {}
        kept: set[str] = set()
        for step in _MEASURED:
            finished = {name for name in done if name.partition(" ")[0] == step}
            changed = fingerprints.changed(step, before, now)
            if changed and finished:
                run.ui.note(f"{step}: measured again, since {', '.join(changed)} changed")
            elif finished:
                kept |= finished
        run.finished = frozenset(kept)
        run.add(
            outputs={},
            smoke=None,
            regression=None,
            tuning=run.result.tuning if "tune" in kept else None,
            load=_finished_loads(run.result.load, run.finished),
            leftovers=None,
        )


def prepare(
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
        target = targets.of_lease(lease, folder)
        _require_resumable(lease, target, result.verdict is not None and not result.error)
        settings = parse_settings(lease.settings, f"runs/{run_id}/lease.json")
        env = Env(lease.env, project / "envs" / lease.env, settings)
        if lease.attached:
            return _attached(project, env, folder, target, result, ui)
        mode = RunMode(project)
        preflight.check_sources(project, env, mode.package_names())
        compared_with = baseline.of_settings(project, env, folder.path.parent)
        tools = preflight.tools_of(project, ui, node=(project / "postman").is_dir())
        orphans.end(orphans.find(), ui.note)
        target, stands = _where(folder, lease, target)
        lifetime = timedelta(hours=settings.environment.lifetime_hours)
        now = datetime.now(UTC).replace(microsecond=0)
        folder.take_over(
            kept=False,
            expires_at=(now + lifetime).isoformat(),
            endpoint=target.account.endpoint,
        )
        folder.remove_drafts()
        folder.make_reserve()
        run = Run(mode, project, env, folder, target, ui, result, tools)
        if stands:
            run.environment.publish()  # it may stand longer now
        run.baseline = compared_with
        run.add(error="", verdict=None, leftovers=None)
    return Resumed(run, stands)


def _attached(
    project: Path, env: Env, folder: RunFolder, target: Target, result: RunResult, ui: Ui
) -> Resumed:
    """Return a run that is attached to a function: whatever it may send is checked anew.

    Raises:
        UserError: It may not go on.
    """
    name = None if env.name == ATTACHED_ENV else env.name
    env, found = attach_prepare.checked(project, env, name, target.account, ui, confirm=None)
    attach_prepare.check_tools(project, found, ui)
    orphans.end(orphans.find(), ui.note)
    now = datetime.now(UTC).replace(microsecond=0)
    lifetime = timedelta(hours=env.settings.environment.lifetime_hours)
    folder.take_over(kept=False, state="new", expires_at=(now + lifetime).isoformat())
    folder.remove_drafts()
    folder.make_reserve()
    run = Run(RunMode.of_attached(project), project, env, folder, target, ui, result)
    run.attached = found
    run.add(error="", verdict=None, leftovers=None)
    return Resumed(run, stands=False)


def _finished_loads(loads: tuple[LoadResult, ...], done: frozenset[str]) -> tuple[LoadResult, ...]:
    return tuple(load for load in loads if f"{_LOAD}{load.label}" in done)


def _require_resumable(lease: Lease, target: Target, finished: bool) -> None:
    """Make sure that there is something to go on with.

    Raises:
        UserError: There is not.
    """
    run = f"run {lease.run_id}"
    if lease.tuner_only:
        raise UserError(f"{run} tuned a function by its name: start it again with dyno tune")
    if lease.beside:
        raise UserError(f"{run} is the baseline of run {lease.beside}: resume that one")
    if target.is_embedded and not target.ends_with_its_run:
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


def _where(folder: RunFolder, lease: Lease, target: Target) -> tuple[Target, bool]:
    """Return where a run's environment is (to be), and whether it stands."""
    stands = lease.state == "up" and "up" in folder.progress()
    if not target.ends_with_its_run or (stands and target.alive()):
        return target, stands
    target.end()
    for state in folder.terraform.glob("envs/*/*terraform.tfstate*"):
        state.unlink()  # of what ended with the embedded AWS
    limit = lease.settings.get("environment", {}).get("account_concurrency")
    started = NewEmulator(lease.region, account_concurrency=limit).start(folder)
    folder.update_lease(state="new")
    return started, False
