"""What a deployment applies: a copy of the root and its modules, with packages and variables."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.config import Env
from lambda_dyno.core.files import write_json
from lambda_dyno.deploy import deployed
from lambda_dyno.terraform import root_module
from lambda_dyno.terraform.packages import build

# The functions that this project's environments deploy: folders of lambda/.
PACKAGES = ("crud_api", "power_tuner")
_STATE = ("*.tfstate", "*.tfstate.*", ".terraform", ".terraform.lock.hcl")


def stage(project: Path, folder: Path, env: Env) -> Path:
    """Copy the sources anew, so that nothing of an older deployment stays; return the root."""
    sources = folder / "terraform"
    root = sources / "envs" / env.name
    kept = root / ".terraform"
    ignore = shutil.ignore_patterns(*_STATE, "__pycache__")
    if sources.exists():
        for path in (*sources.glob("modules"), *root.glob("*")):
            if path != kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for part in (Path("modules"), Path("envs", env.name)):
        shutil.copytree(project / part, sources / part, ignore=ignore, dirs_exist_ok=True)
    packages = {
        name: build(project / "lambda" / name, folder / "build" / f"{name}.zip")
        for name in PACKAGES
    }
    variables: dict[str, Any] = {
        "name_prefix": env.deployed_name_prefix,
        "tags": {"dyno:env": env.name},
        "packages": {
            name: {"path": str(package.path.resolve()), "sha256_base64": package.sha256_base64}
            for name, package in packages.items()
        },
    }
    if "tuner_copies" in root_module.variables(root):
        # what stands has callers, who must not meet the sizes that are measured
        variables["tuner_copies"] = True
    write_json(root / "dyno.auto.tfvars.json", variables)
    return root


def boundary(env: Env, account: Account, backend: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the variable with the bootstrap's boundary, unless somebody says another."""
    name = "permissions_boundary_arn"
    if os.environ.get(f"TF_VAR_{name}") or name not in root_module.variables(root):
        return {}
    arn = deployed.boundary_arn(env, account, backend)
    return {f"TF_VAR_{name}": arn} if arn else {}
