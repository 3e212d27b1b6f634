"""An ephemeral environment: Terraform applied from a copy, and taken down to nothing.

Teardown is registered (the lease says "creating") before the first resource is made, the
state is kept until looking has shown that nothing is left, and what is left is named.
"""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lambda_dyno.aws.accounts import Account
from lambda_dyno.aws.target import Target
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.files import named, write_json
from lambda_dyno.core.results import Leftover
from lambda_dyno.environments import leftovers, state_recovery
from lambda_dyno.environments.own_state import OwnState
from lambda_dyno.environments.state_bucket import StateBucket
from lambda_dyno.runs import run_folder
from lambda_dyno.runs.run_folder import Lease, RunFolder
from lambda_dyno.terraform import (
    lock_file,
    proofs,
    provider,
    root_module,
    root_override,
    toolchain,
)
from lambda_dyno.terraform.command import Change, Terraform, TerraformError
from lambda_dyno.terraform.naming import OURS, Names
from lambda_dyno.terraform.packages import Package
from lambda_dyno.terraform.toolchain import Toolchain

# What the harness reads of a root's outputs; a contract test holds this project's roots to it.
# Another project's root may have fewer: `root_module.checked` says which it needs.
REQUIRED_OUTPUTS = (
    "account_id",
    "api_authorization",
    "api_url",
    "architecture",
    "function_alias",
    "function_arn",
    "function_name",
    "log_format",
    "memory_mb",
    "name_prefix",
    "region",
    "state_machine_arn",
    "table_name",
)

# The same for a power tuner alone.
TUNER_OUTPUTS = ("account_id", "name_prefix", "region", "state_machine_arn")

_RETRY_AFTER_S = (2.0, 5.0, 10.0, 20.0)
DESTROY_ATTEMPTS = len(_RETRY_AFTER_S) + 1

# The copy of what is taken of a state from the bucket.
_ADOPTED = "adopted.tfstate"

# What the copies of a root and of its folders go without. A lock file comes along: whoever commits
# one wants those providers.
_LEFT_BEHIND = (".terraform", "*.tfstate*", "__pycache__")

# What Terraform advises somebody who calls it by hand.
_BY_FLAG = "Use a -var or -var-file command line argument to provide a value for this variable."

# A mark that `init` ran to its end in a root.
_INITIALISED = Path(".terraform", "dyno-initialised")

OnChange = Callable[[Change], None]
Say = Callable[[str], None]


def is_left_behind(name: str) -> bool:
    """Whether the copies of a root and of its folders go without what has this name."""
    return any(fnmatchcase(name, pattern) for pattern in _LEFT_BEHIND)


@functools.cache
def _toolchain_of(project: Path) -> Toolchain:
    return toolchain.prepare(project / ".cache")


def _silent(_text: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Environment:
    """One environment of one run.

    Attributes:
        folder: The run's folder.
        target: Where it is.
        toolchain: Terraform to work with.
        names: What the root calls what it is given, and what it tells.
    """

    folder: RunFolder
    target: Target
    toolchain: Toolchain
    names: Names = OURS

    @classmethod
    def of_project(cls, project: Path, folder: RunFolder, target: Target) -> Environment:
        """Return a run's environment with the Terraform of its project, looked for once.

        Raises:
            UserError: There is no Terraform.
        """
        return cls(folder, target, _toolchain_of(project))

    @property
    def account(self) -> Account:
        """The account that it is in."""
        return self.target.account

    @property
    def root(self) -> Path:
        """The run's copy of the root module."""
        return self.folder.terraform / self.folder.read_lease().root_path

    @property
    def _state(self) -> OwnState:
        return OwnState(self.folder, self.account)

    def stage(
        self,
        project: Path,
        packages: dict[str, Package],
        variables: Mapping[str, Any] | None = None,
        folders: Sequence[str] = ("modules",),
    ) -> list[str]:
        """Copy the root and what it refers to into the run's folder; write its variables.

        Args:
            project: Folder that holds `envs/`.
            packages: What `build` made, by function folder.
            variables: Further variables of the root.
            folders: Folders of the project that the root refers to; modules may be missing.

        Returns:
            A sentence on each setting and variable of the root that is not used.

        Raises:
            UserError: Another of these folders is missing, or something cannot be copied or is no
                Terraform.
        """
        lease = self.folder.read_lease()
        ignore = shutil.ignore_patterns(*_LEFT_BEHIND)
        for source in (*map(Path, folders), Path(lease.root_path)):
            if source == Path("modules") and not (project / source).is_dir():
                continue
            if not (project / source).is_dir():
                raise UserError(
                    f"{lease.root_path}/dyno.toml: [environment] folders: {project / source} is "
                    "not a folder"
                )
            target = self.folder.terraform / source
            try:
                shutil.copytree(project / source, target, ignore=ignore, dirs_exist_ok=True)
            except shutil.Error as error:
                raise UserError(f"{source}: {_first_problem(error)}") from error
        (self.root / _INITIALISED).unlink(missing_ok=True)
        notes = root_override.write(
            self.folder.terraform,
            self.root,
            in_bucket=bool(lease.backend),
            stand_in=bool(self.account.endpoint),
        )
        written = {
            "name_prefix": lease.name_prefix,
            "tags": dict(run_folder.tags(lease)),
            "packages": {
                name: {
                    "path": str(package.path.resolve()),
                    "sha256_base64": package.sha256_base64,
                }
                for name, package in packages.items()
            },
            **(variables or {}),
        }
        # a root of another project may do without some of them, or mean something else by them
        where = lease.root_path
        taken, misfits = root_module.given(self.root, written, self.names, where)
        self._write_variables(proofs.VARIABLES, taken)
        return notes + [f"{where}: {misfit}" for misfit in misfits]

    def apply(self, on_change: OnChange | None = None, *, say: Say = _silent) -> dict[str, Any]:
        """Create the environment and return its outputs.

        Args:
            on_change: Told about each resource.
            say: Told what of the root is not used.

        Raises:
            UserError: The root cannot be used as it is; nothing was made.
            TerraformError: Something could not be made; `destroy` removes the rest.
            StepError: The root lacks an output, or somebody else has written its state.
        """
        lease = self.folder.read_lease()
        where = lease.root_path
        with _mistakes_of_the_root(where):
            terraform = self._initialised(say)
            if not lease.tuner_only:  # that root is this project's own
                self._check_plan(terraform, where, say)
        self._state.require_own("up")
        lease = self.folder.update_lease(state="creating")
        self.publish()
        try:
            with self._state.noting():
                outputs = terraform.apply(on_change)
        except TerraformError as error:
            if _is_mistake(error) and self._made_nothing(lease):
                raise _mistake(where, error) from error
            raise
        if lease.tuner_only:
            missing = [name for name in TUNER_OUTPUTS if name not in outputs]
            if missing:
                raise StepError("up", f"{where} has no output {', '.join(missing)}")
        else:
            outputs = root_module.checked(outputs, self.account.region, where, self.names)
        self.folder.update_lease(state="up")
        self.publish()
        return {
            name: self.account.reachable(value) if isinstance(value, str) else value
            for name, value in outputs.items()
        }

    def _check_plan(self, terraform: Terraform, where: str, say: Say) -> None:
        """Make sure that a root can be used, by what Terraform would make of it.

        A plan takes the AWS provider seconds, so on an embedded AWS of its own, where a run meets
        nobody, the same files are planned once.

        Raises:
            UserError: The root cannot be used.
            TerraformError: There is no plan.
        """
        region = self.account.region
        alone = self.target.is_embedded
        name_prefix = "" if alone else self.folder.read_lease().name_prefix
        known = self._proof("planned-roots")
        if alone and known.is_there:
            return
        plan = terraform.plan_json()
        notes = root_module.check_plan(
            plan, region, where, name_prefix=name_prefix, names=self.names
        )
        for note in notes:
            say(f"{where}: {note}")
        if alone and not notes:
            known.keep()

    def publish(self) -> None:
        """Put the lease beside a state that is in S3, for those who have not the run's folder.

        Raises:
            StepError: The bucket does not take it.
        """
        lease = self.folder.read_lease()
        if bucket := StateBucket.of(self.account.session, lease):
            bucket.publish(lease)

    def set_memory(self, memory_mb: int, on_change: OnChange | None = None) -> None:
        """Deploy the function with another memory size, through Terraform.

        Raises:
            TerraformError: It could not be changed.
            StepError: Somebody else has written the state; nothing was changed.
        """
        self._state.require_own("load")
        self.folder.update_lease(memory_mb=0)  # unknown, should this be killed half-way
        values = root_module.memory_value(self.root, memory_mb, self.names)
        self._write_variables(proofs.MEMORY_VARIABLES, values)
        changed: list[Change] = []

        def noted(change: Change) -> None:
            changed.append(change)
            if on_change is not None:
                on_change(change)

        with self._state.noting():
            # its own state, locked, and minutes old: to look at all resources takes longer
            self._terraform(self.root).apply(noted, refresh=False)
        self.folder.update_lease(memory_mb=memory_mb)
        if self.target.is_embedded and proofs.is_size_alone(changed):
            self._proof("sized-roots").keep()

    @property
    def may_change_size_alone(self) -> bool:
        """Whether Lambda may be asked for another memory size, with the same result.

        On an embedded AWS of its own, once Terraform has shown for these files what it does; and
        not where Terraform has done so in this very environment.
        """
        by_terraform = (self.root / proofs.MEMORY_VARIABLES).exists()
        return self.target.is_embedded and not by_terraform and self._proof("sized-roots").is_there

    def _proof(self, what: str) -> proofs.Proof:
        return proofs.Proof(what, *self._of_proofs)

    @property
    def _of_proofs(self) -> tuple[Path, Path, str]:
        place = self.account.region
        if self.toolchain.program.is_opentofu:  # its providers have other addresses
            place = f"{place} by OpenTofu"
        return self.toolchain.lock.parent, self.folder.terraform, place

    def plan(self, *, say: Say = _silent) -> list[str]:
        """Return what an apply would change now; nothing right after one.

        Args:
            say: Told what nobody has tried.

        Raises:
            UserError: The root cannot be planned.
        """
        with _mistakes_of_the_root(self.folder.read_lease().root_path):
            return self._initialised(say).plan()

    def destroy(
        self,
        on_change: OnChange | None = None,
        *,
        say: Say = _silent,
        sleep: Callable[[float], None] = time.sleep,
    ) -> list[Leftover]:
        """Take the environment down and return what is still there, by looking.

        Only under the run's lock: nobody else may be at work on it.

        Args:
            on_change: Told about each resource that goes.
            say: Told what was out of the ordinary.
            sleep: Waits so many seconds.

        Raises:
            TerraformError: Terraform could not remove everything, in `DESTROY_ATTEMPTS` tries
                if it is something that passes.
        """
        lease = self.folder.update_lease(state="destroying", kept=False)
        self.folder.release_reserve("reserve")
        has_root = state_recovery.has_root(self.root)
        if lease.backend and (lease.adopted_at or not has_root or self._is_foreign(say)):
            return self._destroy_from_bucket(lease, on_change, say=say, sleep=sleep)
        if self._made_nothing(lease, say):
            return self.verify(say=say, sleep=sleep)
        try:
            root, backend = (
                (self.root, dict(lease.backend)) if has_root else self._bare_root(self.root)
            )
            gone = self._destroy_in_tries(root, backend, on_change, say, sleep)
        except _UnusableRootError:
            say("Terraform cannot use the root any more; going by the state alone")
            if lease.backend:
                return self._destroy_from_bucket(lease, on_change, say=say, sleep=sleep)
            gone = self._destroy_in_tries(*self._bare_root(self.root), on_change, say, sleep)
        return self.verify(say=say, sleep=sleep, gone=gone)

    def _made_nothing(self, lease: Lease, say: Say = _silent) -> bool:
        """Whether the state proves that Terraform has nothing to take down.

        What was made and is not in it, `verify` finds.
        """
        if not lease.backend:
            state_recovery.restore_from_backup(self.root / "terraform.tfstate", say)
        content = self._content_of_state(lease.backend)
        return (
            state_recovery.is_empty(content) and not (self.root / state_recovery.ERRORED).is_file()
        )

    def _destroy_from_bucket(
        self,
        lease: Lease,
        on_change: OnChange | None,
        *,
        say: Say,
        sleep: Callable[[float], None],
    ) -> list[Leftover]:
        """Destroy what of a state in the bucket is surely the run's, from a copy of that.

        So it is done without the root that made the state: who only has the state has the word of
        everybody who may write there. The object itself is not given to Terraform: it could be
        another one by then.
        """
        bucket = StateBucket(self.account.session, lease.backend["bucket"], self.account.endpoint)
        self._release_dead_lock(say)
        lock = bucket.take_lock(lease)
        try:
            taken = self._state.taken(bucket, lease, bucket.state(lease))
            for foreign in taken.foreign:
                say(f"{foreign.kind} {foreign.name}: {foreign.remove}")
            gone: set[str] = set()
            if taken.state is not None:
                root, backend = self._root_of_copy(taken.state)
                gone = self._destroy_in_tries(root, backend, on_change, say, sleep)
            return self.verify(say=say, sleep=sleep, besides=taken.foreign, gone=gone)
        finally:
            bucket.release(lock)

    def _root_of_copy(self, state: str) -> tuple[Path, dict[str, str]]:
        """Return a root and its backend for a state that was taken from the bucket."""
        self.folder.terraform.mkdir(parents=True, exist_ok=True)
        copy = self.folder.terraform / _ADOPTED
        copy.touch(mode=0o600)
        with named(copy):
            copy.write_text(state, encoding="utf-8")
        return state_recovery.destroy_only_root(self.folder.terraform, copy, version=provider.RANGE)

    def _is_foreign(self, say: Say) -> bool:
        if self._state.is_own():
            return False
        say("the state in the bucket is not as this run wrote it; taking what is surely the run's")
        return True

    def _destroy_in_tries(
        self,
        root: Path,
        backend: Mapping[str, str],
        on_change: OnChange | None,
        say: Say,
        sleep: Callable[[float], None],
    ) -> set[str]:
        """Destroy, in `DESTROY_ATTEMPTS` tries if what fails may pass; return the ARNs that went.

        Raises:
            TerraformError: Something could not be removed.
            _UnusableRootError: Terraform can make no sense of the run's root any more.
        """
        gone: set[str] = set()
        for tries, wait_s in enumerate((*_RETRY_AFTER_S, None)):
            try:
                gone |= state_recovery.arns(self._content_of_state(backend) or b"")
                # of an embedded AWS of its own the state knows all; if not, looking comes next
                refresh = not self.target.is_embedded or tries > 0
                self._destroy_once(root, backend, on_change, say, refresh=refresh)
                break
            except TerraformError as error:
                if root == self.root and self._is_unusable(root, error):
                    raise _UnusableRootError from error
                if wait_s is None or not error.may_pass:
                    self.folder.update_lease(state="left")
                    raise
                say(f"taking down again, since this may pass: {_first_line(error)}")
                sleep(wait_s)
        return gone

    def _content_of_state(self, backend: Mapping[str, str]) -> bytes | None:
        """Return the state that a root with this backend has; None: there is none yet."""
        if backend.get("bucket"):
            lease = self.folder.read_lease()
            return StateBucket(self.account.session, backend["bucket"]).state(lease)
        path = Path(backend.get("path") or self.root / "terraform.tfstate")
        return path.read_bytes() if path.is_file() else None

    def _is_unusable(self, root: Path, error: TerraformError) -> bool:
        """Whether it is the root that keeps Terraform from destroying, by its own judgement."""
        if error.is_of_aws or not state_recovery.has_root(root):
            return False
        return error.command == "init" or not self._terraform(root).is_valid()

    def verify(
        self,
        *,
        say: Say = _silent,
        sleep: Callable[[float], None] = time.sleep,
        besides: Sequence[Leftover] = (),
        gone: Collection[str] = (),
    ) -> list[Leftover]:
        """Look for what is left and remove what has the run's name; close the lease if all is gone.

        Args:
            say: Told what no state knew.
            sleep: Waits so many seconds.
            besides: What is left as well, whatever is found: the lease stays open then.
            gone: ARNs of what Terraform has destroyed: AWS's index of tags names them for long.
        """
        lease = self.folder.read_lease()
        session = self.account.session
        left = leftovers.find(session, lease.name_prefix, lease.run_id, gone=gone)
        if left:
            removed, left = leftovers.remove(
                session, lease.name_prefix, lease.run_id, gone=gone, sleep=sleep
            )
            for one in removed:
                if one.kind != "log group":  # a late log line makes its own again, always
                    say(f"removed what no state knew of: {one.kind} {one.name}")
        left += besides
        if left:
            self.folder.update_lease(state="left")
            return left
        if bucket := StateBucket.of(session, lease):
            bucket.remove(lease)  # of the local backend an empty file stays in the run's folder
        self.folder.update_lease(state="down", kept=False)
        return left

    def _destroy_once(
        self,
        root: Path,
        backend: Mapping[str, str],
        on_change: OnChange | None,
        say: Say,
        *,
        refresh: bool,
    ) -> None:
        terraform = self._terraform(root)
        if not backend.get("bucket"):
            state_recovery.restore_from_backup(self.root / "terraform.tfstate", say)
        self._init(terraform, root, backend)
        if backend.get("bucket"):  # of a copy of what is there, the lock is ours
            self._release_dead_lock(say)
        errored = self.root / state_recovery.ERRORED
        if errored.is_file():
            say("putting the state where it belongs that Terraform could not save")
            terraform.push_state(errored.resolve())
            errored.unlink()
        # of a copy the state in the bucket is not what Terraform writes, and may be anybody's
        with self._state.noting() if backend.get("bucket") else nullcontext():
            terraform.destroy(on_change, refresh=refresh)

    def _bare_root(self, root: Path) -> tuple[Path, dict[str, str]]:
        """Return a root and its backend for the local state of a root that cannot be used."""
        return state_recovery.destroy_only_root(
            self.folder.terraform,
            root / "terraform.tfstate",
            version=provider.of_root(root),
        )

    def _release_dead_lock(self, say: Say) -> None:
        """Release the state's lock if its owner is proven dead.

        A lock on a local state is the kernel's, and ends with its process.
        """
        lease = self.folder.read_lease()
        bucket = StateBucket.of(self.account.session, lease)
        lock = bucket.lock(lease) if bucket else None
        if bucket is None or lock is None:
            return
        if state_recovery.owner_is_dead(lock, lease, self.folder.terraform, datetime.now(UTC)):
            say(f"releasing the lock of a dead owner on the state: {lock.text}")
            bucket.release(lock)

    def _terraform(self, root: Path) -> Terraform:
        tools = self.toolchain
        if (self.folder.terraform / _ADOPTED).exists():
            tools = toolchain.with_aws_only(tools, self.folder.terraform)
        return Terraform(
            root,
            tools,
            self.account.program_environment(),
            self.folder.logs,
            one_provider=self.target.is_embedded,
            watch=self._why_gone,
        )

    def _initialised(self, say: Say = _silent) -> Terraform:
        """Return Terraform in the run's root, with a provider that can work here.

        Args:
            say: Told if nobody has tried that provider here.

        Raises:
            UserError: It cannot.
        """
        lease = self.folder.read_lease()
        terraform = self._terraform(self.root)
        self._init(terraform, self.root, lease.backend)
        root_override.require_own_backend(self.root, lease.backend)
        if self.account.endpoint:
            untried = provider.check_embedded(
                terraform.providers(), lease.root_path, s3_control=terraform.reaches_s3_control
            )
            if untried:
                say(untried)
        return terraform

    def _init(self, terraform: Terraform, root: Path, backend: Mapping[str, str]) -> None:
        """Initialise a root once, to the end."""
        done = root / _INITIALISED
        if done.exists():
            return
        alone = self.target.is_embedded and not backend and root == self.root
        known = proofs.Initialised(*self._of_proofs, root) if alone else None
        if known is None or not known.restore():
            terraform.init(backend)
            if known is not None:
                known.keep()
        done.parent.mkdir(exist_ok=True)
        done.touch()

    def _why_gone(self) -> str:
        """Return why there is nobody to ask: the embedded AWS has ended. Empty: there is."""
        return "" if self.target.alive() else "the embedded AWS has ended, and everything in it"

    def _write_variables(self, name: str, values: dict[str, Any]) -> None:
        write_json(self.root / name, values)


class _UnusableRootError(Exception):
    """Terraform can make no sense of the run's root."""


@contextmanager
def _mistakes_of_the_root(where: str) -> Iterator[None]:
    """Tell a mistake in the root, found before anything is made, as the user's.

    Args:
        where: The root, for the message.

    Raises:
        UserError: There is one.
        TerraformError: AWS refused something, or Terraform was ended.
    """
    try:
        yield
    except TerraformError as error:
        if _is_mistake(error):
            raise _mistake(where, error) from error
        raise


def _is_mistake(error: TerraformError) -> bool:
    """Whether a root is wrong: AWS did not refuse anything, and Terraform was not ended."""
    return bool(error.diagnostics) and not error.is_of_aws


def _mistake(where: str, error: TerraformError) -> UserError:
    of_lock = lock_file.explain(where, error.line)
    if of_lock:
        return UserError(of_lock)
    advice = f"Give it a default, or a value in {where}/terraform.tfvars."
    return UserError(f"{where}: {error.line.replace(_BY_FLAG, advice)}")


def _first_problem(error: shutil.Error) -> str:
    """Return what could not be copied, and why, in one line."""
    problem = error.args[0][0]
    return f"{problem[0]} cannot be copied: {problem[2]}" if len(problem) == 3 else str(problem)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
