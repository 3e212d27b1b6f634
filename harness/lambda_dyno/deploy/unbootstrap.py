"""Take back what `dyno bootstrap` made: roles, policies, and the bucket of the states at the end.

The state of a bootstrap is in the bucket that it describes, so the bucket goes last, and not by
Terraform: first Terraform forgets it, then it destroys the rest, then the bucket's versions and the
bucket are deleted. Until then each step can be done again. A bucket that holds a state of anything
that stands is not touched; nor is one that somebody else made, or that has other objects.

Evidence stays: a store is made to keep what was measured, by versions and by a lock if it has one.
Terraform forgets it, and a later bootstrap adopts it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.exceptions

from lambda_dyno.aws import accounts
from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.config import Env, load_env
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.files import locked
from lambda_dyno.core.private import make_folder
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.results import Leftover
from lambda_dyno.deploy import bootstrap, destroy
from lambda_dyno.deploy.bucket_owner import bucket_owner
from lambda_dyno.deploy.destroy import Destroyed, Intent
from lambda_dyno.environments import account_bucket, progress, state_bucket, state_contents
from lambda_dyno.environments.state_contents import Managed
from lambda_dyno.run import lifecycle
from lambda_dyno.terraform import toolchain

_STATE_BYTES_MAX = 50_000_000
_BATCH = 1000  # versions that S3 deletes at once
_SHOWN_MAX = 5
# What of the bootstrap's state is the two buckets: Terraform forgets them.
_BUCKET_KINDS = "aws_s3_bucket"
_EVIDENCE = "module.evidence_store"  # and an index


@dataclass
class Unbootstrap:
    """The end of one environment's bootstrap; `Unbootstrap.prepare` makes it.

    Attributes:
        env: The environment and its settings.
        account: Its account.
        folder: Working files.
        bucket: Name of the bucket of the states; empty: it is gone.
        managed: Whether this environment's bootstrap made the bucket, so that it goes, too.
        ui: Where progress goes.
        tools: Terraform.
    """

    env: Env
    account: accounts.Account
    folder: Path
    bucket: str
    managed: bool
    ui: Ui
    tools: toolchain.Toolchain

    @classmethod
    @contextmanager
    def prepare(
        cls, project: Path, env_name: str, ui: Ui, region: str | None = None
    ) -> Iterator[Unbootstrap]:
        """Check everything that is needed, and hold the bootstrap against another one.

        Args:
            project: Folder that holds `envs/`.
            env_name: The environment.
            ui: Where progress goes.
            region: Over dyno.toml's.

        Raises:
            UserError: Something is missing or wrong; nothing was destroyed.
        """
        destroy.require_no_pull_request()
        env = load_env(project, env_name, {"environment.region": region})
        bootstrap.require_account(env)
        tools = toolchain.prepare(project / ".cache")
        account = accounts.connect(env.settings.environment.region)
        stem = f"{env_name}-{account.account_id}-{account.region}"
        folder = make_folder(project / ".dyno") / "bootstrap" / stem
        make_folder(folder.parent)
        make_folder(folder)
        with locked(folder.with_suffix(".lock")), lifecycle.signals_raise():
            name, managed = _bucket(account, env)
            yield cls(env, account, folder, name, managed, ui, tools)

    def intent(self) -> Intent:
        """Return what would be destroyed.

        Raises:
            UserError: Something stands whose state is in the bucket, or the state cannot be read.
        """
        resources = self._resources()
        kept = [f"the evidence store {name}" for name in _evidence_buckets(resources)]
        lost = []
        if self.bucket and self.managed:
            self._require_empty()
            lost.append(f"bucket {self.bucket} with all versions of all states")
        elif self.bucket:
            self._require_nothing_of_its_own()
            kept.append(f"the bucket {self.bucket}: this environment's bootstrap did not make it")
        going = tuple(one for one in resources if not _is_of_bucket(one))
        return Intent(
            env=self.env.name,
            account_id=self.account.account_id,
            region=self.account.region,
            resources=going,
            lost=tuple(lost),
            kept=tuple(kept),
        )

    def run(self, intent: Intent, *, sleep: Callable[[float], None] = time.sleep) -> Destroyed:
        """Destroy what was shown, and look whether it is gone.

        Args:
            intent: What whoever decided has seen.
            sleep: Waits so many seconds.

        Raises:
            UserError: Something was deployed meanwhile.
            StepError: Something could not be destroyed; another call goes on from there.
        """
        changes: list[str] = []
        with lifecycle.shielded(self.ui):
            if self.bucket:
                self._destroy_roles(changes, sleep)
                self._end_state(changes)
        with self.ui.step("verify", "looking for what is left") as step:
            left = [*self._left_roles(), *self._left_bucket()]
            step.update("nothing left behind" if not left else f"{len(left)} left")
        return Destroyed(self.env.name, tuple(changes), tuple(left), intent.kept)

    # The state of the bootstrap

    @property
    def _backend(self) -> dict[str, str]:
        key = bootstrap.bootstrap_state_key(self.env.name)
        return {"bucket": self.bucket, "key": key, "region": self.account.region}

    def _resources(self) -> list[Managed]:
        if not self.bucket:
            return []
        return state_contents.managed(*destroy.read_state(self.account, self._backend))

    def _destroy_roles(self, changes: list[str], sleep: Callable[[float], None]) -> None:
        resources = self._resources()
        if not resources:
            return
        with self.ui.step("destroy", "destroying the roles") as step:
            terraform = destroy.bare_terraform(self.folder, self.account, self.tools, self._backend)
            forgotten = dict.fromkeys(one.address for one in resources if _is_of_bucket(one))
            if forgotten:
                terraform.forget(tuple(forgotten))
            if len(forgotten) < len({one.address for one in resources}):
                told = progress.resources(step, "destroying", changes)
                destroy.destroy_in_tries(terraform, told, self.ui, sleep)
            step.update(f"{len(changes)} resources destroyed")

    def _end_state(self, changes: list[str]) -> None:
        """Remove the bucket, or of one that stays the state of the bootstrap."""
        s3 = self.account.session.client("s3")
        if not self.managed:
            s3.delete_object(Bucket=self.bucket, Key=self._backend["key"])
            return
        self._require_empty()  # a deployment may have begun meanwhile
        with self.ui.step("bucket", f"emptying {self.bucket}") as step:
            count = 0
            for batch in _versions(s3, self.bucket):
                answer = s3.delete_objects(Bucket=self.bucket, Delete={"Objects": batch})
                if answer.get("Errors"):
                    first = answer["Errors"][0]
                    raise StepError(
                        "destroy", f"s3://{self.bucket}/{first['Key']}: {first['Code']}"
                    )
                count += len(batch)
                step.update(f"{count:,} versions deleted")
            s3.delete_bucket(Bucket=self.bucket)
            changes.append(f"delete bucket {self.bucket}")
            step.update(f"{self.bucket} deleted, with {count:,} versions of its objects")

    # What else is in the bucket

    def _require_empty(self) -> None:
        """Make sure that nothing stands whose state is in the bucket, and that all in it is ours.

        Raises:
            UserError: Something does, or somebody else's objects are there.
        """
        own = self._backend["key"]
        standing, strangers = [], []
        for key, size in self._objects(""):
            if not key.startswith(state_bucket.HOME):
                strangers.append(key)
            elif key != own and self._says_that_something_stands(key, size):
                standing.append(key)
        if standing:
            raise UserError(
                f"s3://{self.bucket} has states of what stands: {_some(standing)}. First dyno "
                "destroy of each environment, and dyno sweep of runs"
            )
        if strangers:
            raise UserError(
                f"s3://{self.bucket} has objects that are no states: {_some(strangers)}. Take them "
                "elsewhere, or delete them, first"
            )

    def _require_nothing_of_its_own(self) -> None:
        """Make sure of the same where the bucket stays, for the environment's own keys."""
        prefix = f"{state_bucket.HOME}{self.env.name}/"
        standing = [
            key
            for key, size in self._objects(prefix)
            if self._says_that_something_stands(key, size)
        ]
        if standing:
            raise UserError(
                f"s3://{self.bucket} has states of what stands: {_some(standing)}. First dyno "
                f"destroy --env {self.env.name}, and dyno sweep of runs"
            )

    def _objects(self, prefix: str) -> Iterator[tuple[str, int]]:
        s3 = self.account.session.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            for row in page.get("Contents", ()):
                yield row["Key"], row["Size"]

    def _says_that_something_stands(self, key: str, size: int) -> bool:
        """Whether an object is a run's lease, or a state with a resource; or cannot be read."""
        if not key.endswith(".tfstate"):
            return key.endswith(".lease.json")
        if size > _STATE_BYTES_MAX:
            return True
        where = {"bucket": self.bucket, "key": key}
        try:
            return bool(state_contents.managed(*destroy.read_state(self.account, where)))
        except UserError:
            return True

    # What is left

    def _left_roles(self) -> list[Leftover]:
        prefix = f"github-{self.env.deployed_name_prefix}-"
        iam = self.account.session.client("iam")
        try:
            roles = [
                row["RoleName"]
                for page in iam.get_paginator("list_roles").paginate()
                for row in page["Roles"]
                if row["RoleName"].startswith(prefix)
            ]
            policies = [
                row["Arn"]
                for page in iam.get_paginator("list_policies").paginate(Scope="Local")
                for row in page["Policies"]
                if row["PolicyName"].startswith(prefix)
            ]
        except botocore.exceptions.ClientError as error:
            return [Leftover("unknown iam role", "*", f"cannot be listed: {errors.code(error)}")]
        return [
            *(
                Leftover("iam role", name, f"aws iam delete-role --role-name {name}")
                for name in roles
            ),
            *(
                Leftover("iam policy", arn, f"aws iam delete-policy --policy-arn {arn}")
                for arn in policies
            ),
        ]

    def _left_bucket(self) -> list[Leftover]:
        if not (self.bucket and self.managed):
            return []
        if account_bucket.look(self.account, self.bucket, must_be_own=False) == 404:
            return []
        return [
            Leftover("s3 bucket", self.bucket, f"aws s3api delete-bucket --bucket {self.bucket}")
        ]


def _bucket(account: accounts.Account, env: Env) -> tuple[str, bool]:
    """Return the bucket of the states, empty if it is gone, and whether the bootstrap made it.

    Raises:
        UserError: It is somebody else's.
    """
    named = env.settings.environment.state_bucket
    name = account_bucket.name_of(account, named)
    status = account_bucket.look(account, name, must_be_own=not named)
    if status == 404:
        return "", False
    if status != 200:
        raise UserError(f"the state bucket {name} cannot be looked at ({status})")
    return name, bucket_owner(account.session.client("s3"), name) == env.name


def _is_of_bucket(one: Managed) -> bool:
    return one.kind.startswith(_BUCKET_KINDS) or one.address.startswith(_EVIDENCE)


def _evidence_buckets(resources: Sequence[Managed]) -> list[str]:
    found = (one for one in resources if one.address.startswith(_EVIDENCE))
    return sorted({one.name for one in found if one.kind == _BUCKET_KINDS})


def _versions(s3: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    """Yield all versions of all objects, and marks of deleted ones, in batches."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        rows = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        found = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in rows]
        for start in range(0, len(found), _BATCH):
            yield found[start : start + _BATCH]


def _some(keys: Sequence[str]) -> str:
    shown = ", ".join(json.dumps(key) for key in keys[:_SHOWN_MAX])
    return shown + (f" and {len(keys) - _SHOWN_MAX} more" if len(keys) > _SHOWN_MAX else "")
