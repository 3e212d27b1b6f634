"""The file that a run lays over its copy of a root: where the state is, who the provider is.

Terraform merges a file *_override.tf.json over what a module says. So a root with `cloud {}`,
with a backend of its own, or whose provider names a profile or assumes a role can be used as it is,
and a run touches neither that state nor that account: its state is where its lease says, and it
works with the run's own credentials.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lambda_dyno.core.errors import UserError
from lambda_dyno.core.files import write_json
from lambda_dyno.terraform import hcl

# Override files are read in the order of their names, so this one is the last.
NAME = "zz_dyno_override.tf.json"

# Whose credentials a provider works with. The run's are looked after: what is in its account.
_CREDENTIALS = frozenset(
    {
        "access_key",
        "assume_role",
        "assume_role_with_web_identity",
        "profile",
        "secret_key",
        "shared_config_files",
        "shared_credentials_file",
        "shared_credentials_files",
        "token",
    }
)
# Where it works: not on a stand-in for AWS on this machine.
_PLACE = frozenset(
    {
        "allowed_account_ids",
        "custom_ca_bundle",
        "endpoints",
        "forbidden_account_ids",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "sts_region",
        "use_dualstack_endpoint",
        "use_fips_endpoint",
    }
)
# Bucket, key and region come with `init`; the harness knows regions that Terraform does not.
_S3 = {"use_lockfile": True, "skip_region_validation": True}
_BLOCKS = frozenset({"assume_role", "assume_role_with_web_identity", "endpoints"})


def write(copies: Path, root: Path, *, in_bucket: bool, stand_in: bool) -> list[str]:
    """Lay the run's settings over the copies of a root and of its modules.

    Args:
        copies: Folder of all copies.
        root: The root among them.
        in_bucket: Whether the state is in the state bucket, or in the root's folder.
        stand_in: Whether the run works on a stand-in for AWS.

    Returns:
        A sentence on each setting of a provider that is not used.

    Raises:
        UserError: A file of the root is no Terraform.
    """
    notes = []
    removed = _CREDENTIALS | _PLACE if stand_in else _CREDENTIALS
    for folder in _modules(copies):
        (folder / NAME).unlink(missing_ok=True)  # of a run that goes on: what it says is no root's
        try:
            module = hcl.read(folder)
        except UserError:
            if folder == root:
                raise
            continue  # nobody may use it, and if the root does, Terraform says so
        providers, not_used = _providers(module, removed)
        content: dict[str, Any] = {"provider": providers} if providers else {}
        if folder == root:
            backend = {"s3": _S3} if in_bucket else {"local": {}}
            content["terraform"] = {"backend": backend}
        if content:
            write_json(folder / NAME, content)
        place = folder.relative_to(copies)
        notes += [f"{place}: {setting} of the provider is not used" for setting in not_used]
    return notes


def require_own_backend(root: Path, backend: Mapping[str, str]) -> None:
    """Make sure that an initialised root keeps its state where the run's lease says.

    Args:
        root: Folder of the root.
        backend: The lease's settings of the bucket; empty: the state is in the root's folder.

    Raises:
        UserError: It is somewhere else, so that nothing may be done with it.
    """
    try:
        text = (root / ".terraform" / "terraform.tfstate").read_text(encoding="utf-8")
        chosen = json.loads(text)["backend"]
    except FileNotFoundError:
        chosen = {"type": "local"}
    config = chosen.get("config") or {}
    if backend.get("bucket"):
        place = {key: config.get(key) for key in ("bucket", "key")}
        own = chosen["type"] == "s3" and place == {k: backend[k] for k in place}
    else:
        own = chosen["type"] == "local"
    if not own:
        raise UserError(
            f"{_named(root)}: Terraform chose the backend {chosen['type']} of the root, and a "
            f"run has a state of its own: a file that sorts after {NAME} says so. Rename it."
        )


def _named(root: Path) -> str:
    return f"envs/{root.name}" if root.parent.name == "envs" else root.name


def _modules(copies: Path) -> Iterator[Path]:
    """Yield the folders that hold Terraform, without what `init` fetched."""
    found = {path.parent for pattern in ("*.tf", "*.tf.json") for path in copies.rglob(pattern)}
    yield from sorted(
        folder for folder in found if ".terraform" not in folder.relative_to(copies).parts
    )


def _providers(
    module: hcl.Module, removed: frozenset[str]
) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Return what to lay over a module's providers, and what is then not used."""
    found: dict[str, list[dict[str, Any]]] = {}
    not_used = []
    for name, body in module.aws_providers:
        dynamic = {label for block in hcl.bodies(body.get("dynamic")) for label in block}
        settings = sorted(removed & (body.keys() | dynamic))
        if not settings:
            continue
        over: dict[str, Any] = {key: None for key in settings if key not in _BLOCKS}
        blocks = [key for key in settings if key in _BLOCKS]
        if blocks:  # repeated for nothing: the only way for an override to have none of them
            over["dynamic"] = {key: {"for_each": [], "content": {}} for key in blocks}
        if "alias" in body:
            over["alias"] = body["alias"]
        found.setdefault(name, []).append(over)
        not_used += settings
    return found, sorted(set(not_used))
