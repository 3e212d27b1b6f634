"""Another memory size of a function and its alias, as Terraform would deploy it, without Terraform.

Terraform's own version stays. Once the function has its size again, and the alias its version, the
state agrees with what is there: the versions of other sizes are gone then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lambda_dyno.core.errors import StepError

_WAIT = {"Delay": 0.1, "MaxAttempts": 600}
_MARK = "lambda-dyno: another memory size for a while"  # description of versions made here


@dataclass(frozen=True, slots=True)
class _Version:
    number: str
    memory_mb: int
    code_sha256: str
    is_ours: bool


def deploy(client: Any, function: str, alias: str, memory_mb: int) -> bool:
    """Give a function a memory size, and its alias a version that has it; return whether it can.

    It cannot where the alias has another version than Terraform's or one of these, or two.

    Args:
        client: Of Lambda.
        function: The function's name.
        alias: Of the version that Terraform published last.
        memory_mb: The size; that of Terraform's version brings back what was before.

    Raises:
        StepError: Callers would get another size than this.
    """
    versions = list(_published(client, function))
    own = max(
        (version for version in versions if not version.is_ours),
        key=lambda version: int(version.number),
        default=None,
    )
    others = [version.number for version in versions if version.is_ours]
    found = client.get_alias(FunctionName=function, Name=alias)
    weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
    if own is None or weights or found["FunctionVersion"] not in (own.number, *others):
        return False
    client.update_function_configuration(FunctionName=function, MemorySize=memory_mb)
    client.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig=_WAIT)
    number = own.number
    if own.memory_mb != memory_mb:
        published = client.publish_version(
            FunctionName=function, CodeSha256=own.code_sha256, Description=_MARK
        )
        number = str(published["Version"])
        client.get_waiter("published_version_active").wait(
            FunctionName=function, Qualifier=number, WaiterConfig=_WAIT
        )
    client.update_alias(FunctionName=function, Name=alias, FunctionVersion=number)
    for other in others:
        if other != number:
            client.delete_function(FunctionName=function, Qualifier=other)
    given = client.get_function_configuration(FunctionName=function, Qualifier=alias)["MemorySize"]
    if given != memory_mb:
        raise StepError("load", f"{function}:{alias} has {given} MB and not {memory_mb} MB")
    return True


def _published(client: Any, function: str) -> Iterator[_Version]:
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    for page in pages:
        for entry in page["Versions"]:
            if entry["Version"].isdigit():
                yield _Version(
                    entry["Version"],
                    int(entry["MemorySize"]),
                    str(entry["CodeSha256"]),
                    is_ours=entry.get("Description") == _MARK,
                )
