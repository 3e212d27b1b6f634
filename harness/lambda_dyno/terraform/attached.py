"""One process of the AWS provider for all of a Terraform command, where that is safe.

Terraform starts a provider anew for each of its walks (schema, validation, plan, apply), and this
one builds the schema of 1,500 resources each time: of the 4.3 s of CPU time that another memory
size takes, 2. It can use a provider that runs already instead (`TF_REATTACH_PROVIDERS`: "Running
Terraform With A Provider in Debug Mode" in HashiCorp's plugin documentation), which the provider's
own flag `-debug` is for.

All of a root's configurations of the provider meet in the one process then, and the last one that
is configured holds. So only a root that has a single one gets it, and only on the embedded AWS.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lambda_dyno.core.errors import UserError
from lambda_dyno.core.reading import UnreadableError, read_object
from lambda_dyno.runs import process
from lambda_dyno.terraform import hcl

_VARIABLE = "TF_REATTACH_PROVIDERS"
_TOLD = re.compile(rf"{_VARIABLE}='(.+)'")
_PROGRAM = ".terraform/providers/registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws_v*"
_START_S = 30.0  # it takes 0.2 s
# Configured twice, as a plan and its apply do, these fail; nothing here is encrypted anyway.
_OF_TLS = "AWS_CA_BUNDLE"
# By itself it would log every request, bodies and all: Terraform tells it not to.
_QUIET = dict.fromkeys(("TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_SDK"), "OFF")
_OWN_CONNECTIONS = {"custom_ca_bundle", "http_proxy", "https_proxy"}


@contextmanager
def provider(root: Path, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Run the AWS provider of an initialised root; yield what lets Terraform use it.

    Args:
        root: Folder of the root module.
        environment: Of Terraform: the provider finds its endpoint and keys there.

    Yields:
        Environment variables; none where the root cannot do with one provider, or it does not
        start: Terraform starts its own then.
    """
    programs = list(root.glob(_PROGRAM))
    if len(programs) != 1 or not _has_one_configuration(root):
        yield {}
        return
    told: list[str] = []
    ready = threading.Event()

    def listen(line: str) -> None:
        if found := _TOLD.search(line):
            told.append(found[1])
            ready.set()

    own = {name: value for name, value in environment.items() if name != _OF_TLS} | _QUIET
    log = Path(os.devnull)
    argv = (str(programs[0]), "-debug")
    with process.talking(argv, env=own, log=log, on_line=listen, end_s=0.0) as running:
        waited_s = 0.0
        while not ready.wait(0.05) and not running.ended and waited_s < _START_S:
            waited_s += 0.05
        yield {_VARIABLE: told[0]} if told else {}


def _has_one_configuration(root: Path) -> bool:
    """Whether all resources of the AWS provider have one configuration, and an ordinary one."""
    try:
        configured = hcl.read(root).aws_providers
        manifest = root / ".terraform" / "modules" / "modules.json"
        modules = read_object(manifest).get("Modules", []) if manifest.is_file() else []
        folders = {root / module["Dir"] for module in modules if module["Dir"] != "."}
        if any(hcl.read(folder).aws_providers for folder in folders):
            return False
    except (UserError, UnreadableError, OSError, LookupError, TypeError, AttributeError):
        return False
    plain = all(_OWN_CONNECTIONS.isdisjoint(body) for _, body in configured)
    return plain and len({str(body.get("alias", "")) for _, body in configured}) <= 1
