"""An ephemeral environment: Terraform applied from a copy, and taken down to nothing.

Teardown is registered (the lease says "creating") before the first resource is made, the
state is kept until looking has shown that nothing is left, and what is left is named.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.exceptions

from harness import leftovers, root_module, runs
from harness.aws import Account
from harness.build import Package
from harness.errors import StepError, UserError
from harness.results import Leftover
from harness.runs import Lease, RunFolder
from harness.terraform import Change, Terraform, TerraformError
from harness.toolchain import Toolchain

# What the harness reads of a root's outputs; a contract test holds this project's roots to it.
# Another project's root may have fewer: what is measured is the function, so that one is needed.
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

NEEDED_OUTPUTS = ("function_arn",)

# The same for a power tuner alone.
TUNER_OUTPUTS = ("account_id", "name_prefix", "region", "state_machine_arn")

DESTROY_ATTEMPTS = 3
_RETRY_AFTER_S = 5.0

# The root of a power tuner alone has a local backend; an override file is Terraform's own way
# to put another in its place.
_S3_BACKEND = {"terraform": {"backend": {"s3": {"use_lockfile": True}}}}

OnChange = Callable[[Change], None]


@dataclass(frozen=True)
class Environment:
    """One environment of one run.

    Attributes:
        folder: The run's folder.
        account: Where it is.
        toolchain: Terraform to work with.
    """

    folder: RunFolder
    account: Account
    toolchain: Toolchain

    @property
    def root(self) -> Path:
        """The run's copy of the root module."""
        return self.folder.terraform / "envs" / self.folder.read_lease().env

    def stage(
        self,
        project: Path,
        packages: dict[str, Package],
        variables: Mapping[str, Any] | None = None,
        folders: Sequence[str] = ("modules",),
    ) -> None:
        """Copy the root and what it refers to into the run's folder; write its variables.

        Args:
            project: Folder that holds `envs/`.
            packages: What `build` made, by function folder.
            variables: Further variables of the root.
            folders: Folders of the project that the root refers to; modules may be missing.

        Raises:
            UserError: Another of these folders is missing.
        """
        lease = self.folder.read_lease()
        ignore = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__")
        for source in (*map(Path, folders), Path("envs", lease.env)):
            if source == Path("modules") and not (project / source).is_dir():
                continue
            if not (project / source).is_dir():
                raise UserError(
                    f"envs/{lease.env}/dyno.toml: [environment] folders: {project / source} is "
                    "not a folder"
                )
            target = self.folder.terraform / source
            shutil.copytree(project / source, target, ignore=ignore, dirs_exist_ok=True)
        if lease.tuner_only and lease.backend:
            self._write_variables("backend_override.tf.json", _S3_BACKEND)
        written = {
            "name_prefix": lease.name_prefix,
            "tags": dict(runs.tags(lease)),
            "packages": {
                name: {
                    "path": str(package.path.resolve()),
                    "sha256_base64": package.sha256_base64,
                }
                for name, package in packages.items()
            },
            **(variables or {}),
        }
        # a root of another project may do without some of them
        declared = root_module.variables(self.root)
        taken = {name: value for name, value in written.items() if name in declared}
        self._write_variables("dyno.auto.tfvars.json", taken)

    def apply(self, on_change: OnChange | None = None) -> dict[str, Any]:
        """Create the environment and return its outputs.

        Raises:
            TerraformError: Something could not be made; `destroy` removes the rest.
            StepError: The root lacks an output.
        """
        lease = self.folder.read_lease()
        self.folder.update_lease(state="creating")
        terraform = self._terraform()
        terraform.init(lease.backend)
        outputs = terraform.apply(on_change)
        required = TUNER_OUTPUTS if lease.tuner_only else NEEDED_OUTPUTS
        missing = [name for name in required if name not in outputs]
        if missing:
            raise StepError("up", f"envs/{lease.env} has no output {', '.join(missing)}")
        self.folder.update_lease(state="up", memory_mb=int(outputs.get("memory_mb", 0)))
        if not outputs.get("api_url"):
            return outputs
        return {**outputs, "api_url": self.account.reachable(outputs["api_url"])}

    def set_memory(self, memory_mb: int, on_change: OnChange | None = None) -> None:
        """Deploy the function with another memory size, through Terraform.

        Raises:
            TerraformError: It could not be changed.
        """
        # The last file in the order of names wins, over the environment's own too.
        self._write_variables("zz-memory.auto.tfvars.json", {"memory_mb": memory_mb})
        self._terraform().apply(on_change)
        self.folder.update_lease(memory_mb=memory_mb)

    def plan(self) -> list[str]:
        """Return what an apply would change now; nothing right after one."""
        terraform = self._terraform()
        if not (self.root / ".terraform").is_dir():
            terraform.init(self.folder.read_lease().backend)
        return terraform.plan()

    def destroy(
        self,
        on_change: OnChange | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> list[Leftover]:
        """Take the environment down and return what is still there, by looking.

        Raises:
            TerraformError: Terraform could not remove everything, in `DESTROY_ATTEMPTS` tries.
        """
        self.folder.update_lease(state="destroying")
        terraform = self._terraform()
        for attempt in range(1, DESTROY_ATTEMPTS + 1):
            try:
                if not (self.root / ".terraform").is_dir():
                    terraform.init(self.folder.read_lease().backend)
                terraform.destroy(on_change)
                break
            except TerraformError as error:
                # Some things cannot go before others have; a root that is wrong stays wrong.
                if attempt == DESTROY_ATTEMPTS or error.command != "destroy":
                    self.folder.update_lease(state="left")
                    raise
                sleep(_RETRY_AFTER_S * attempt)
        return self.verify()

    def verify(self) -> list[Leftover]:
        """Look for what is left, and close the lease if that is nothing."""
        lease = self.folder.read_lease()
        session = self.account.session
        left = leftovers.find(session, lease.name_prefix, lease.run_id)
        if any(leftover.kind == "log group" for leftover in left):
            leftovers.delete_log_groups(session, left)
            left = leftovers.find(session, lease.name_prefix, lease.run_id)
        if left:
            self.folder.update_lease(state="left")
        else:
            self._remove_state(lease)
            self.folder.update_lease(state="down", kept=False)
        return left

    def _terraform(self) -> Terraform:
        return Terraform(
            self.root, self.toolchain, self.account.program_environment(), self.folder.logs
        )

    def _write_variables(self, name: str, values: dict[str, Any]) -> None:
        runs.write_atomically(self.root / name, json.dumps(values, indent=2) + "\n")

    def _remove_state(self, lease: Lease) -> None:
        """Remove the state of an environment that is proven to be gone."""
        if not lease.backend:
            return  # the local backend's file stays in the run's folder, empty
        self.account.session.client("s3").delete_object(
            Bucket=lease.backend["bucket"], Key=lease.backend["key"]
        )


def s3_backend(account: Account, bucket: str, env: str, run_id: str) -> dict[str, str]:
    """Return the settings of a run's S3 backend."""
    return {
        "bucket": bucket,
        "key": f"lambda-dyno/{env}/{run_id}.tfstate",
        "region": account.region,
    }


def state_bucket(account: Account, named: str) -> str:
    """Return the name of the bucket that holds the states: the named one, or the usual."""
    return named or f"dyno-state-{account.account_id}-{account.region}"


def has_bucket(account: Account, bucket: str) -> bool:
    """Whether the state bucket is there and the account's own, so that states may go into it."""
    try:
        account.session.client("s3").head_bucket(
            Bucket=bucket, ExpectedBucketOwner=account.account_id
        )
    except botocore.exceptions.ClientError:
        return False
    return True


def require_bucket(account: Account, bucket: str, env: str = "dev") -> None:
    """Make sure that the state bucket is there.

    Args:
        account: Whose it must be.
        bucket: Its name.
        env: The environment, for the advice.

    Raises:
        UserError: It is not, or is not ours.
    """
    try:
        account.session.client("s3").head_bucket(Bucket=bucket)
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 403:
            raise UserError(
                f"the state bucket {bucket} may not be used with these credentials (403). "
                "Name another one: state_bucket under [environment] in dyno.toml."
            ) from error
        location = (
            ""
            if account.region == "us-east-1"
            else f" --create-bucket-configuration LocationConstraint={account.region}"
        )
        raise UserError(
            f"the state bucket {bucket} does not exist. Make it once:\n"
            f"  make bootstrap ENV={env}\n"
            "or by hand:\n"
            f"  aws s3api create-bucket --bucket {bucket} --region {account.region}{location}\n"
            f"  aws s3api put-bucket-versioning --bucket {bucket} "
            "--versioning-configuration Status=Enabled\n"
            "or name another one: state_bucket under [environment] in dyno.toml."
        ) from error
