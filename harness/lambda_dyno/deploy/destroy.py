"""Destroy a standing environment: what `dyno deploy` made, by Terraform and by the same state.

The state says what there is, so neither the sources that made it nor packages are needed: a root
of a provider and a backend and nothing else lets Terraform take all of it down, in the order that
the state has. Afterwards AWS is asked, service by service, whether it is gone. Whatever interrupts
it, the next call goes on with what the state still names; one where nothing is left does nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import botocore.exceptions

from lambda_dyno.aws import accounts
from lambda_dyno.aws import target as targets
from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.config import Env, known_envs, load_env
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.files import locked
from lambda_dyno.core.private import make_folder
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.results import Leftover
from lambda_dyno.deploy import deployed
from lambda_dyno.environments import account_bucket, leftovers, progress, state_contents
from lambda_dyno.environments.state_contents import Managed
from lambda_dyno.evidence.location import trust_of
from lambda_dyno.run import lifecycle
from lambda_dyno.terraform import provider, toolchain
from lambda_dyno.terraform.command import Terraform, TerraformError

# AWS refuses some things for as long as others are still going.
_RETRY_AFTER_S = (5.0, 15.0, 30.0)
_BARE = "destroy"


@dataclass(frozen=True, slots=True)
class Intent:
    """What would be destroyed, for whoever decides.

    Attributes:
        env: The environment.
        account_id: Its account.
        region: Its region.
        resources: What goes.
        lost: Data that goes with it, in words.
        kept: What stays, in words.
    """

    env: str
    account_id: str
    region: str
    resources: tuple[Managed, ...]
    lost: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What came of it.

    Attributes:
        env: The environment.
        gone: What was destroyed, such as "delete module.x".
        left: What is still there.
        kept: What stays, in words.
    """

    env: str
    gone: tuple[str, ...]
    left: tuple[Leftover, ...]
    kept: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what `dyno destroy --json` prints."""
        return {
            "env": self.env,
            "destroyed": list(self.gone),
            "leftovers": [asdict(one) for one in self.left],
            "kept": list(self.kept),
        }

    def check(self) -> None:
        """Raise what is wrong, if anything is.

        Raises:
            StepError: Something is left.
        """
        if self.left:
            names = "; ".join(f"{one.kind} {one.name}: {one.remove}" for one in self.left)
            raise StepError("destroy", f"left behind: {names}")


def require_no_pull_request(environ: Mapping[str, str] = os.environ) -> None:
    """Refuse to destroy what stands in a job of a pull request: its tree says what that is.

    Raises:
        UserError: We are in one.
    """
    event = environ.get("GITHUB_EVENT_NAME", "")
    if trust_of(environ).startswith("pr/") or event.startswith(("pull_request", "merge_group")):
        raise UserError(
            "a job of a pull request destroys nothing that stands; do it from the default branch, "
            "or by hand"
        )


@dataclass
class Destruction:
    """The end of one standing environment; `Destruction.prepare` makes it.

    Attributes:
        env: The environment and its settings.
        account: Where it is.
        folder: Working files of its deployments.
        backend: Of its state; empty: the bucket of the states is gone, and the state with it.
        ui: Where progress goes.
        tools: Terraform.
        others: First parts of the names of other environments, which stay.
    """

    env: Env
    account: accounts.Account
    folder: Path
    backend: Mapping[str, str]
    ui: Ui
    tools: toolchain.Toolchain
    others: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    @contextmanager
    def prepare(
        cls, project: Path, env_name: str, ui: Ui, region: str | None = None
    ) -> Iterator[Destruction]:
        """Check everything that is needed, and hold the environment against deployments.

        Args:
            project: Folder that holds `envs/`.
            env_name: The environment.
            ui: Where progress goes.
            region: Over dyno.toml's.

        Raises:
            UserError: Something is missing or wrong; nothing was destroyed.
        """
        require_no_pull_request()
        env = load_env(project, env_name, {"environment.region": region})
        tools = toolchain.prepare(project / ".cache")
        for warning in tools.warnings:
            ui.warn(warning)
        account = targets.of_project(env, project)
        folder = deployed.folder_of(project, env, account)
        make_folder(project / ".dyno")
        make_folder(folder)
        backend = _backend_of(env, account, folder)
        others = frozenset(
            load_env(project, name).deployed_name_prefix
            for name in known_envs(project)
            if name != env_name
        )
        with locked(folder.with_suffix(".lock")), lifecycle.signals_raise():
            yield cls(env, account, folder, backend, ui, tools, others)

    def intent(self) -> Intent:
        """Return what would be destroyed.

        Raises:
            UserError: The state cannot be read, or AWS would refuse a part of it.
        """
        resources = self._resources()
        protected = [one.name for one in resources if one.is_protected]
        if protected:
            raise UserError(
                f"{', '.join(protected)}: deletion protection is on, and AWS would refuse; turn it "
                f"off in envs/{self.env.name} and deploy that first"
            )
        return Intent(
            env=self.env.name,
            account_id=self.account.account_id,
            region=self.account.region,
            resources=tuple(resources),
            lost=tuple(self._lost(resources)),
            kept=tuple(self._kept()),
        )

    def run(self, intent: Intent, *, sleep: Callable[[float], None] = time.sleep) -> Destroyed:
        """Destroy what was shown, and look whether it is gone.

        Args:
            intent: What whoever decided has seen.
            sleep: Waits so many seconds.

        Raises:
            UserError: The state names something else by now.
            StepError: Something could not be destroyed; another call goes on from there.
        """
        changes: list[str] = []
        resources = self._resources()
        unseen = {one.address for one in resources} - {one.address for one in intent.resources}
        if unseen:
            raise UserError(
                f"envs/{self.env.name} was deployed meanwhile: {min(unseen)} is new; look again"
            )
        if resources:
            with self.ui.step("destroy", f"destroying {self.env.name}") as step:
                terraform = self._terraform()
                told = progress.resources(step, "destroying", changes)
                with lifecycle.shielded(self.ui):
                    destroy_in_tries(terraform, told, self.ui, sleep)
                step.update(f"{len(changes)} resources destroyed")
        with self.ui.step("verify", "looking for what is left") as step:
            left = self._left({one.name for one in intent.resources}, sleep)
            step.update("nothing left behind" if not left else f"{len(left)} left")
        if not left:
            self._forget_state()
        return Destroyed(self.env.name, tuple(changes), tuple(left), intent.kept)

    def _resources(self) -> list[Managed]:
        return state_contents.managed(*read_state(self.account, self.backend))

    def _lost(self, resources: Sequence[Managed]) -> Iterator[str]:
        client = self.account.session.client("dynamodb")
        for table in (one for one in resources if one.kind == "aws_dynamodb_table"):
            try:
                found = client.describe_table(TableName=table.name)["Table"]
            except botocore.exceptions.ClientError:
                yield f"table {table.name} with all its items"
                continue
            yield f"table {table.name} with about {found.get('ItemCount', 0):,} items"
        buckets = [one.name for one in resources if one.kind == "aws_s3_bucket"]
        yield from (f"bucket {name} with all that is in it" for name in buckets)

    def _kept(self) -> Iterator[str]:
        if "bucket" in self.backend:
            yield f"the state bucket s3://{self.backend['bucket']}, and the roles of a bootstrap"
        if self.env.settings.evidence.store:
            yield f"the evidence in {self.env.settings.evidence.store}"

    def _terraform(self) -> Terraform:
        return bare_terraform(self.folder, self.account, self.tools, self.backend)

    def _left(self, names: Collection[str], sleep: Callable[[float], None]) -> list[Leftover]:
        """Look for what has the environment's name; a late log line makes its own group again."""
        return leftovers.of_standing(
            self.account.session,
            self.env.deployed_name_prefix,
            removable=names,
            others=self.others,
            sleep=sleep,
        )

    def _forget_state(self) -> None:
        """Remove a state that names nothing any more; the bucket keeps its versions for a while."""
        if not self.backend:
            return
        if "path" in self.backend:
            path = Path(self.backend["path"])
            for one in (path, path.with_name(f"{path.name}.backup")):
                one.unlink(missing_ok=True)
            return
        s3 = self.account.session.client("s3")
        try:
            s3.delete_object(Bucket=self.backend["bucket"], Key=self.backend["key"])
        except botocore.exceptions.ClientError as error:
            self.ui.note(f"the empty state stays in the bucket: {errors.code(error)}")


def _backend_of(env: Env, account: accounts.Account, folder: Path) -> Mapping[str, str]:
    """Return the backend of an environment's state; nothing where its bucket is gone."""
    settings = env.settings.environment
    if not settings.emulated:
        name = account_bucket.name_of(account, settings.state_bucket)
        if account_bucket.look(account, name, must_be_own=not settings.state_bucket) == 404:
            return {}
    return deployed.backend_of(env, account, folder)


def read_state(account: accounts.Account, backend: Mapping[str, str]) -> tuple[str, str]:
    """Return the text of a backend's state, empty without one, and where it is.

    Raises:
        UserError: It cannot be read.
    """
    if not backend:
        return "", ""
    if "path" in backend:
        path = Path(backend["path"])
        return deployed.file_text(path), str(path)
    where = f"s3://{backend['bucket']}/{backend['key']}"
    return deployed.object_text(account, backend), where


def bare_terraform(
    folder: Path,
    account: accounts.Account,
    tools: toolchain.Toolchain,
    backend: Mapping[str, str],
) -> Terraform:
    """Return Terraform in a root of a provider and a backend alone, initialised.

    Args:
        folder: For the root and the logs.
        account: Where its resources are.
        tools: Terraform.
        backend: Of the state: a file, or an object in a bucket.
    """
    root = folder / _BARE
    shutil.rmtree(root, ignore_errors=True)
    make_folder(root)
    in_bucket = {"s3": {"use_lockfile": True, "skip_region_validation": True}}
    content = {
        "terraform": {
            "backend": in_bucket if "bucket" in backend else {"local": {}},
            "required_providers": {
                "aws": {"source": "hashicorp/aws", "version": provider.RANGE},
            },
        },
        "provider": {"aws": {"skip_region_validation": True}},
    }
    (root / "main.tf.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    terraform = Terraform(root, tools, account.program_environment(), logs)
    terraform.init(backend)
    return terraform


def destroy_in_tries(
    terraform: Terraform, on_change: Any, ui: Ui, sleep: Callable[[float], None]
) -> None:
    """Destroy all that a state names, in some tries if what fails may pass.

    Raises:
        TerraformError: Something could not be destroyed; the state still names it.
    """
    for wait_s in (*_RETRY_AFTER_S, None):
        try:
            terraform.destroy(on_change)
            return
        except TerraformError as error:
            if wait_s is None or not error.may_pass:
                raise
            ui.note(f"again in {wait_s:g} s, since this may pass: {str(error).splitlines()[0]}")
            sleep(wait_s)
