"""Every root on the embedded AWS: what it makes is what it describes, and no more than needed."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.terraform import toolchain
from lambda_dyno.terraform.command import Terraform
from lambda_dyno.terraform.packages import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lambda_dyno.emulator.server import LocalServer

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
ENVIRONMENTS = ("dev", "local", "prod", "test")
FUNCTIONS = ("crud_api", "power_tuner")

# The S3 backend has tests of its own; here each root keeps its state beside itself.
LOCAL_BACKEND = 'terraform {\n  backend "local" {}\n}\n'


def apply_and_plan(
    name: str, folder: Path, packages: dict[str, Any], server: LocalServer, account: str
) -> list[str]:
    """Apply a root in its own account and return what a second apply would change."""
    for source in ("modules", f"envs/{name}"):
        shutil.copytree(PROJECT / source, folder / source)
    root = folder / "envs" / name
    (root / "backend_override.tf").write_text(LOCAL_BACKEND)
    environment = {**os.environ, **server.environment(account)}
    for variable, value in {
        "name_prefix": f"replan-{name}",
        "tags": {"dyno:run": "replan", "dyno:env": name},
        "packages": packages,
    }.items():
        environment[f"TF_VAR_{variable}"] = value if isinstance(value, str) else json.dumps(value)
    tools = toolchain.prepare(PROJECT / ".cache")
    terraform = Terraform(root, tools, environment, logs=folder)
    terraform.init()
    terraform.apply()
    return terraform.plan()


def statements(session: LocalSession) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every statement of every role's inline policies."""
    iam = session.client("iam")
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        assert not iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                yield name, statement


def as_list(value: Any) -> list[str]:
    """Return a policy's one value or list of values as a list."""
    return value if isinstance(value, list) else [value]


@pytest.mark.slow  # four applies; test_run.py plans one root again after its apply
def test_every_root_plans_nothing_after_apply(
    embedded_aws: LocalServer, new_aws_account: Callable[[], str], tmp_path: Path
) -> None:
    """GIVEN each root applied in an account of its own WHEN it is planned again.

    THEN nothing is to change, and every role has exact actions on named resources only.
    """
    packages = {}
    for name in FUNCTIONS:
        package = build(PROJECT / "lambda" / name, tmp_path / f"{name}.zip")
        packages[name] = {"path": str(package.path), "sha256_base64": package.sha256_base64}
    accounts = {name: new_aws_account() for name in ENVIRONMENTS}

    with ThreadPoolExecutor(len(ENVIRONMENTS)) as pool:
        plans = {
            name: pool.submit(
                apply_and_plan, name, tmp_path / name, packages, embedded_aws, accounts[name]
            )
            for name in ENVIRONMENTS
        }
    assert {name: plan.result() for name, plan in plans.items()} == {
        key: [] for key in ENVIRONMENTS
    }

    for account in accounts.values():
        found = list(statements(LocalSession(embedded_aws, account)))
        assert len({role for role, _ in found}) == 7  # six functions and the state machine
        for role, statement in found:
            assert statement["Effect"] == "Allow"
            assert not [action for action in as_list(statement["Action"]) if "*" in action], role
            assert "*" not in as_list(statement["Resource"]), role
