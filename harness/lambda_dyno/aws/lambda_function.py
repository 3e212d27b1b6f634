"""A Lambda function that is there already, looked up."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import botocore.exceptions

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.function_name import FunctionName, parse_name
from lambda_dyno.core.results import EPHEMERAL_STORAGE_MB_FREE
from lambda_dyno.emulator import differences
from lambda_dyno.tuner_contract import kinds


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it is deployed now."""

    arn: str  # unqualified
    name: str
    region: str
    memory_mb: int
    architecture: str
    runtime: str  # empty for a container image
    timeout_s: int = 3
    kms_key_arn: str = ""  # of its environment variables; empty: AWS's own
    why_not: str = ""  # it cannot be tuned, to be read behind its name; empty if it can
    warnings: tuple[str, ...] = ()  # what its figures will leave out
    code_sha256: str = ""
    qualifier: str = ""  # version or alias whose figures these are; empty: those of $LATEST
    role_arn: str = ""
    layer_arns: tuple[str, ...] = ()
    in_vpc: bool = False
    why_no_copy: str = ""  # a copy of it would not be the same; empty if it would be

    @property
    def whole_arn(self) -> str:
        """With the version or alias."""
        return f"{self.arn}:{self.qualifier}" if self.qualifier else self.arn

    @property
    def label(self) -> str:
        """Name, with the version or alias."""
        return f"{self.name}:{self.qualifier}" if self.qualifier else self.name

    @property
    def summary(self) -> str:
        """The function in a line."""
        kind = self.runtime or "container image"
        return f"{self.label}: {self.memory_mb} MB, {self.architecture}, {kind}, {self.region}"


def differences_here(function_arn: str, account: Account) -> list[str]:
    """Return what of a function is not on the embedded AWS as it is on AWS; nothing on AWS.

    Nothing, too, where it may not be looked at.
    """
    if not account.endpoint:
        return []
    client = account.session.client("lambda")
    try:
        return differences.of(client.get_function_configuration(FunctionName=function_arn))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        return []


def ephemeral_storage_mb(function_arn: str, account: Account) -> int:
    """Return the size of a function's /tmp in MB; what is free where nobody may look."""
    region = parse_name(function_arn).region or account.region
    client = account.session.client("lambda", region_name=region)
    try:
        found = client.get_function_configuration(FunctionName=function_arn)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        return EPHEMERAL_STORAGE_MB_FREE
    return int((found.get("EphemeralStorage") or {}).get("Size") or EPHEMERAL_STORAGE_MB_FREE)


def look_up(name: FunctionName, account: Account) -> Function:
    """Return a function that can be invoked, or a version of it.

    Args:
        name: The function.
        account: Where it must be; its region is the function's.

    Raises:
        UserError: It is not there, or cannot be used.
    """
    if name.account_id and name.account_id != account.account_id:
        raise UserError(
            f"{name.name} is in account {name.account_id}, and the credentials are those of "
            f"{_place(account)}: use credentials of the function's account"
        )
    client = account.session.client("lambda")
    config = _configuration(client, name.name, account, name.qualifier)
    arn = unqualified(str(config["FunctionArn"]))
    partition = arn.split(":")[1]
    if name.partition not in ("", partition):
        raise UserError(
            f"{name.name} is in partition {name.partition} by its ARN, and {_place(account)} is in "
            f"{partition}: the function there is {arn}"
        )
    for state, reason in (("State", "StateReason"), ("LastUpdateStatus", "LastUpdateStatusReason")):
        if config.get(state) == "Failed":
            raise UserError(
                f"{name.name} cannot be invoked: its {state} is Failed "
                f"({config.get(reason) or 'no reason given'}). Deploy it again first."
            )
    return Function(
        arn=arn,
        name=name.name,
        region=account.region,
        memory_mb=int(config["MemorySize"]),
        architecture=(config.get("Architectures") or ["x86_64"])[0],
        runtime=config.get("Runtime", ""),
        timeout_s=int(config.get("Timeout") or 3),
        kms_key_arn=config.get("KMSKeyArn") or "",
        why_not=kinds.why_not(config),
        warnings=tuple(kinds.warnings(config)),
        code_sha256=str(config.get("CodeSha256") or ""),
        qualifier=name.qualifier,
        role_arn=str(config["Role"]),
        layer_arns=tuple(layer["Arn"] for layer in config.get("Layers") or ()),
        in_vpc=bool((config.get("VpcConfig") or {}).get("SubnetIds")),
        why_no_copy=kinds.why_no_copy(config),
    )


def require_tunable(function: Function, account: Account) -> list[str]:
    """Make sure that a function is of a kind that can be tuned, and return what to warn of.

    Raises:
        UserError: It is none.
    """
    client = account.session.client("lambda", region_name=function.region)
    why = function.why_not or _reserved_nothing(client, function.name)
    if why:
        raise UserError(f"{function.label} {why}.")
    return [*function.warnings, *_split(client, function)]


def streams_by_url(function: Function, account: Account) -> bool:
    """Return whether a function's URL streams its answers; False if nobody may look."""
    client = account.session.client("lambda", region_name=function.region)
    with contextlib.suppress(botocore.exceptions.ClientError):
        pages = client.get_paginator("list_function_url_configs").paginate(
            FunctionName=function.name
        )
        urls = [url for page in pages for url in page["FunctionUrlConfigs"]]
        return any(url.get("InvokeMode") == "RESPONSE_STREAM" for url in urls)
    return False


def require_processor(arn: str, key: str, account: Account) -> None:
    """Make sure that a pre- or post-processor is there.

    One that may not be looked at, in another account say, may still be invoked by the tuner.

    Args:
        arn: Its ARN, checked.
        key: The input's key, for the message.
        account: Whose credentials look.

    Raises:
        UserError: It is not there.
    """
    client = account.session.client("lambda", region_name=arn.split(":")[3])
    try:
        client.get_function_configuration(FunctionName=arn)
    except client.exceptions.ResourceNotFoundException as error:
        raise UserError(f"{key}: there is no function {arn}") from error
    except botocore.exceptions.ClientError as error:
        if not errors.is_denied(error):
            raise UserError(f"{key}: {arn} cannot be looked up: {error}") from error


def unqualified(arn: str) -> str:
    """Return a function's ARN without version or alias; anything else as it is."""
    return ":".join(arn.split(":")[:7])


def _reserved_nothing(client: Any, name: str) -> str:
    """Return why a function cannot run that may not; empty if it may, or nobody may look."""
    with contextlib.suppress(botocore.exceptions.ClientError):
        found = client.get_function_concurrency(FunctionName=name)
        if found.get("ReservedConcurrentExecutions") == 0:
            return "has a reserved concurrency of 0: it cannot run"
    return ""


def _split(client: Any, function: Function) -> list[str]:
    """Return that an alias sends some invocations to another version; nothing if nobody may look.

    What is looked up by an alias is the version that gets the rest.
    """
    if not function.qualifier or function.qualifier.isdecimal():
        return []
    with contextlib.suppress(botocore.exceptions.ClientError):
        alias = client.get_alias(FunctionName=function.name, Name=function.qualifier)
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return [
            f"alias {function.qualifier} sends {100 * share:g} % of its invocations to version "
            f"{number}: only version {alias['FunctionVersion']} is tuned"
            for number, share in weights.items()
        ]
    return []


def _configuration(client: Any, name: str, account: Account, qualifier: str = "") -> dict[str, Any]:
    shown = f"{name}:{qualifier}" if qualifier else name
    try:
        found: dict[str, Any] = client.get_function_configuration(FunctionName=shown)
    except client.exceptions.ResourceNotFoundException as error:
        raise UserError(f"there is no function {shown} in {_place(account)}") from error
    except botocore.exceptions.ClientError as error:
        if errors.is_denied(error):
            raise UserError(
                f"the credentials may not look at {shown} in {_place(account)}: "
                "lambda:GetFunctionConfiguration is denied"
            ) from error
        raise UserError(f"{shown} in {_place(account)} cannot be looked up: {error}") from error
    return found


def _place(account: Account) -> str:
    at = f" at {account.endpoint}" if account.endpoint else ""
    return f"{account.region} of account {account.account_id}{at}"
