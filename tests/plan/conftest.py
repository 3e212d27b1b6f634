"""The modules' examples, planned against the embedded AWS."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tftest

from lambda_dyno.core.files import locked
from lambda_dyno.terraform import toolchain

if TYPE_CHECKING:
    from lambda_dyno.emulator.server import LocalServer

PROJECT = Path(__file__).parents[2]
# The modules' examples, as "module/example".
EXAMPLES = sorted(
    f"{path.parents[2].name}/{path.parent.name}"
    for path in PROJECT.glob("modules/*/examples/*/main.tf")
)
_DEADLINE_S = 900


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


# Resources (values, mode, type) by address, as terraform show tells them.
Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def examples(
    tmp_path_factory: pytest.TempPathFactory, embedded_aws: LocalServer
) -> dict[str, Resources]:
    """One plan of all examples of the modules: their resources, by "module/example".

    Plans need the embedded AWS: the provider asks it who it is, and has state machines checked.
    """
    folder = tmp_path_factory.mktemp("plan")
    shutil.copytree(PROJECT / "modules", folder / "modules")
    calls = {name.replace("/", "_"): name for name in EXAMPLES}
    main = {
        "module": {
            call: {"source": "./modules/{}/examples/{}".format(*name.split("/"))}
            for call, name in calls.items()
        }
    }
    (folder / "main.tf.json").write_text(json.dumps(main))
    root = initialised(folder, embedded_aws)
    found: dict[str, Resources] = {name: {} for name in EXAMPLES}
    pending = list(root.plan(output=True, lock=False).root_module.child_modules.values())
    while pending:
        module = pending.pop()
        pending += module.child_modules.values()
        call, _, inner = module["address"].removeprefix("module.").partition(".")
        for name, resource in module.resources.items():
            found[calls[call]][f"{inner}.{name}"] = resource
    return found


def initialised(folder: Path, aws: LocalServer) -> TerraformRoot:
    """Return a root module after `terraform init`, to be planned against an embedded AWS."""
    tools = toolchain.prepare(PROJECT / ".cache")
    environment = {**tools.environment, **aws.environment()}
    root = TerraformRoot(str(folder), binary=str(tools.terraform), env=environment)
    for name in set(tools.unset) - tools.environment.keys():
        root.env.pop(name, None)
    with locked(tools.lock):
        root.setup(backend=False)
    return root
