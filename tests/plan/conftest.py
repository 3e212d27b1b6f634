"""Fixtures of the plan tests: throw-away root modules, planned against the embedded AWS."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
import tftest

from lambda_dyno.core.files import locked
from lambda_dyno.terraform import provider, toolchain
from lambda_dyno.terraform.packages import build

if TYPE_CHECKING:
    from lambda_dyno.emulator.server import LocalServer

PROJECT = Path(__file__).parents[2]
FUNCTIONS = ("crud_api", "power_tuner")
_DEADLINE_S = 300
# The examples leave the provider to their reader; the inventories are of the one that was tried.
_PROVIDER = {
    "terraform": {
        "required_providers": {"aws": {"source": "hashicorp/aws", "version": provider.RANGE}}
    }
}


class TerraformRoot(tftest.TerraformTest):  # type: ignore[misc]  # tftest has no types
    """tftest's wrapper with safe processes.

    The original waits forever when Terraform writes more errors than a pipe holds, knows no
    deadline, and takes every exit status but 1 and 11 for success.
    """

    def execute_command(self, cmd: str, *cmd_args: str) -> tftest.TerraformCommandOutput:
        """Run a Terraform command and return its output.

        Raises:
            TerraformTestError: It failed; `cmd_error` is what it wrote to stderr.
        """
        done = subprocess.run(
            [self.binary, cmd, *cmd_args],
            cwd=self.tfdir,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=False,
        )
        if done.returncode != 0:
            message = f"terraform {cmd} ended with {done.returncode}: {done.stdout}{done.stderr}"
            raise tftest.TerraformTestError(message, done.stderr)
        return tftest.TerraformCommandOutput(done.returncode, done.stdout, done.stderr)


class NewRoot(Protocol):
    """How `new_root` is called."""

    def __call__(self, main_tf: str) -> TerraformRoot:
        """Return a root module of that text, initialised."""


@pytest.fixture(scope="session")
def new_root(tmp_path_factory: pytest.TempPathFactory, embedded_aws: LocalServer) -> NewRoot:
    """A function that makes a root module beside the project's `modules/` and `build/`.

    Plans need the embedded AWS: the provider asks it who it is, and has state machines checked.
    """
    tools = toolchain.prepare(PROJECT / ".cache")
    base = tmp_path_factory.mktemp("plan")
    shutil.copytree(PROJECT / "modules", base / "modules")
    for name in FUNCTIONS:
        build(PROJECT / "lambda" / name, base / "build" / f"{name}.zip")

    def make(main_tf: str) -> TerraformRoot:
        folder = Path(tmp_path_factory.mktemp("root"))
        for shared in ("modules", "build"):
            (folder / shared).symlink_to(base / shared)
        (folder / "main.tf").write_text(main_tf)
        (folder / "provider_override.tf.json").write_text(json.dumps(_PROVIDER))
        root = TerraformRoot(
            str(folder),
            binary=str(tools.terraform),
            env={**tools.environment, **embedded_aws.environment()},
        )
        for name in set(tools.unset) - tools.environment.keys():
            root.env.pop(name, None)
        with locked(tools.lock):
            root.setup(backend=False)
        return root

    return make


@pytest.fixture(scope="session")
def readme_examples() -> dict[str, str]:
    """The Terraform example of every module's README, by module."""
    examples = {}
    for readme in sorted(PROJECT.glob("modules/*/README.md")):
        blocks = re.findall(r"^```hcl\n(.*?)^```$", readme.read_text(), re.S | re.M)
        examples[readme.parent.name] = "\n".join(blocks)
    return examples
