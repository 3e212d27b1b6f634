"""The function that is tuned: the calls of the Lambda API, with waits and errors told apart.

Version numbers are appended to the ARN rather than given as a qualifier: policies then see
the version, and a role can be allowed to delete versions without being allowed to delete the
function itself.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lambda_dyno.tuner_contract.arns import FunctionArn
from lambda_dyno.tuner_contract.values import USABLE_STATES
from power_tuner.errors import (
    AwsCallFailed,
    FunctionChanged,
    FunctionGone,
    FunctionNotReady,
    PowerRefused,
    StillWaiting,
)

_FIRST_PAUSE_S = 0.15
_LONGEST_PAUSE_S = 3.0
_STALE_PAUSE_S = 1.0

# What Lambda answers where a quota that no API tells is lower than the 10,240 MB of others.
_MEMORY_LIMIT = re.compile(r"(?i)memorysize.*less than or equal to (?P<mb>\d+)", re.DOTALL)
# A refusal that has to do with the size of the memory; a vCPU comes with so much of it.
_SIZE_WORDS = re.compile(r"(?i)memor|vcpu")
# One that has to do with a customer managed key: an action, a code, or what Lambda says of it.
_KMS_WORDS = re.compile(r"kms:[A-Z]|\bKMS(?:\.| key| Exception|[A-Za-z]+Exception)")
# Images are optimised and snapshots taken within minutes.
_LONGEST_WAIT_S = 600.0

# What somebody's deployment can change, beside the memory size. All else is Lambda's own, such as
# ConfigSha256 or State: it changes with the memory size, and there is more of it every year.
_DEPLOYED = (
    "Architectures",
    "CapacityProviderConfig",
    "CodeSha256",
    "DeadLetterConfig",
    "Description",
    "DurableConfig",
    "EphemeralStorage",
    "FileSystemConfigs",
    "Handler",
    "ImageConfigResponse",
    "KMSKeyArn",
    "Layers",
    "LoggingConfig",
    "PackageType",
    "Role",
    "Runtime",
    "TenancyConfig",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
)


def error_code(error: Exception) -> str:
    """Return the code of an AWS error, such as ResourceNotFoundException; else nothing."""
    if not isinstance(error, ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_denied(error: Exception) -> bool:
    """Return whether IAM refused the call."""
    return error_code(error) in {"AccessDenied", "AccessDeniedException"}


def concerns_kms(error: Exception) -> bool:
    """Return whether a refusal has to do with a customer managed key."""
    return _KMS_WORDS.search(f"{error_code(error)} {error}") is not None


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a Lambda function must be done, on its own clock."""

    at: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @property
    def left_s(self) -> float:
        """Seconds that are left, negative when it is over."""
        return self.at - self.clock()

    def pause(self, seconds: float, waiting_for: str) -> None:
        """Sleep, or raise `StillWaiting` when there is no time for it."""
        if seconds >= self.left_s:
            raise StillWaiting(f"no time left to wait for {waiting_for}")
        self.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Version:
    """A published version."""

    number: str
    description: str


@dataclass(frozen=True, slots=True)
class Alias:
    """An alias."""

    name: str
    version: str
    description: str
    revision_id: str


class Function:
    """One Lambda function.

    Args:
        client: A boto3 Lambda client of the function's region.
        arn: The function's.
        deadline: Until when this may wait.
    """

    def __init__(self, client: Any, arn: FunctionArn, deadline: Deadline) -> None:
        self._client = client
        self.arn = arn
        self._deadline = deadline

    def describe(self) -> Mapping[str, Any]:
        """Return configuration and reserved concurrency in one call (GetFunction)."""
        answer: Mapping[str, Any] = self._client.get_function(FunctionName=self.arn.text)
        return answer

    def configuration(self, version: str = "") -> Mapping[str, Any]:
        """Return the configuration of $LATEST or of a version."""
        try:
            answer: Mapping[str, Any] = self._client.get_function_configuration(
                FunctionName=self._qualified(version)
            )
        except ClientError as error:
            raise self._gone(error) from error
        return answer

    def ready(self, version: str = "") -> Mapping[str, Any]:
        """Wait until $LATEST or a version can be used, and return its configuration.

        Raises:
            FunctionNotReady: Its creation or last update failed, or takes too long.
            StillWaiting: It takes longer than this Lambda function has time.
        """
        config = self.settled(version)
        self.require_usable(config, version)
        return config

    def require_usable(self, config: Mapping[str, Any], version: str = "") -> None:
        """Raise `FunctionNotReady` if a settled configuration is of no use."""
        broken = {
            "LastUpdateStatus": config.get("LastUpdateStatus") == "Failed",
            "State": (config.get("State") or "Active") not in USABLE_STATES,
        }
        for status, is_broken in broken.items():
            if is_broken:
                raise FunctionNotReady(
                    f"{self._qualified(version)} cannot be used: its {status} is "
                    f"{config[status]} ({config.get(f'{status}Reason') or 'no reason given'})",
                    config.get(f"{status}ReasonCode") or "",
                )

    def settled(self, version: str = "") -> Mapping[str, Any]:
        """Wait until nothing is being done to $LATEST or a version, whatever comes of it.

        Raises:
            FunctionNotReady: It takes too long.
            StillWaiting: It takes longer than this Lambda function has time.
        """
        pause = _FIRST_PAUSE_S
        waited_s = 0.0
        while True:
            config = self.configuration(version)
            state = config.get("State") or "Active"
            update = config.get("LastUpdateStatus") or "Successful"
            if state != "Pending" and update != "InProgress":
                return config
            if waited_s > _LONGEST_WAIT_S:
                raise FunctionNotReady(
                    f"{self._qualified(version)} is still {state}, its last update {update}, after "
                    f"{waited_s:.0f} s"
                )
            self._deadline.pause(pause, f"{self._qualified(version)} to become active")
            waited_s += pause
            pause = min(pause * 1.2, _LONGEST_PAUSE_S)

    def set_memory(self, memory_mb: int, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """Set the memory size of $LATEST, wait, and return the new configuration.

        Args:
            memory_mb: The new size.
            config: What it has now; if it has changed since, the update is refused.

        Raises:
            FunctionChanged: Somebody else changed the function.
            FunctionNotReady: The update was taken, and failed.
            PowerRefused: The function may not have this size.
        """
        try:
            self._when_free(
                self._client.update_function_configuration,
                FunctionName=self.arn.text,
                MemorySize=memory_mb,
                RevisionId=config["RevisionId"],
            )
        except ClientError as error:
            raise self._refused(error, memory_mb) from error
        updated = self.ready()
        check_unchanged(config, updated)
        return updated

    def memory_limit_mb(self, wanted_mb: int) -> int | None:
        """Return what AWS allows at most, if that is less than a size; None: it is not.

        No API tells it. An update is refused for its size before its RevisionId is looked at,
        which no function has here: so nothing is ever changed.
        """
        try:
            self._client.update_function_configuration(
                FunctionName=self.arn.text, MemorySize=wanted_mb, RevisionId=str(uuid.uuid4())
            )
        except ClientError as error:
            limit = _MEMORY_LIMIT.search(str(error))
            return int(limit["mb"]) if limit else None
        return None

    def publish(self, description: str, config: Mapping[str, Any]) -> Version:
        """Publish $LATEST as a version.

        Lambda publishes nothing when code and configuration are those of the newest version:
        it answers with that version, whose description is another then.

        Args:
            description: The version's.
            config: What $LATEST has now; if it has changed since, nothing is published.

        Raises:
            FunctionChanged: Somebody else changed the function, or `config` was read too early.
            PowerRefused: There can be no version of this memory size.
        """
        try:
            answer = self._when_free(
                self._client.publish_version,
                FunctionName=self.arn.text,
                Description=description,
                CodeSha256=config["CodeSha256"],
                RevisionId=config["RevisionId"],
            )
        except ClientError as error:
            raise self._refused(error, config["MemorySize"]) from error
        return Version(number=answer["Version"], description=answer.get("Description", ""))

    def read_again(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return $LATEST's configuration a moment later, if but its RevisionId is another.

        A read may be older than the newest write, Lambda's own included.

        Args:
            config: What was read before.

        Raises:
            FunctionChanged: More differs: somebody else changed the function.
        """
        self._deadline.pause(_STALE_PAUSE_S, "a newer RevisionId")
        newer = self.ready()
        check_unchanged(config, newer)
        if newer["MemorySize"] != config["MemorySize"]:
            raise FunctionChanged(
                f"somebody else changed the memory size of {self.arn.text} while it was being tuned"
            )
        return newer

    def versions(self) -> Iterator[Version]:
        """Yield all published versions."""
        arguments = {"FunctionName": self.arn.text}
        while True:
            page = self._client.list_versions_by_function(**arguments)
            for item in page["Versions"]:
                if item["Version"] != "$LATEST":
                    yield Version(item["Version"], item.get("Description", ""))
            if not page.get("NextMarker"):
                return
            arguments["Marker"] = page["NextMarker"]

    def delete_version(self, number: str) -> None:
        """Delete a version; one that is gone already is fine."""
        if not number.isdecimal():
            raise ValueError(f"not the number of a version: {number!r}")
        _unless_gone(self._client.delete_function, FunctionName=self._qualified(number))

    def aliases(self) -> Iterator[Alias]:
        """Yield all aliases."""
        arguments = {"FunctionName": self.arn.text}
        while True:
            page = self._client.list_aliases(**arguments)
            for item in page["Aliases"]:
                yield _alias(item)
            if not page.get("NextMarker"):
                return
            arguments["Marker"] = page["NextMarker"]

    def create_alias(self, name: str, version: str, description: str = "") -> Alias | None:
        """Create an alias; None if there is one of this name already."""
        try:
            return _alias(
                self._client.create_alias(
                    FunctionName=self.arn.text,
                    Name=name,
                    FunctionVersion=version,
                    Description=description,
                )
            )
        except ClientError as error:
            if error_code(error) == "ResourceConflictException":
                return None
            raise self._gone(error) from error

    def update_alias(self, alias: Alias, **changes: str) -> Alias:
        """Change an alias, provided that nobody else has."""
        try:
            return _alias(
                self._client.update_alias(
                    FunctionName=self.arn.text,
                    Name=alias.name,
                    RevisionId=alias.revision_id,
                    **changes,
                )
            )
        except ClientError as error:
            raise self._changed(error) from error

    def delete_alias(self, name: str) -> None:
        """Delete an alias; one that is gone already is fine."""
        _unless_gone(self._client.delete_alias, FunctionName=self.arn.text, Name=name)

    def _when_free(self, call: Callable[..., Any], **arguments: str | int) -> Any:
        """Change $LATEST, waiting for updates that are being applied."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return call(**arguments)
            except ClientError as error:
                if error_code(error) != "ResourceConflictException":
                    raise self._changed(error) from error
                # another update is being applied; whether it was ours shows after it
                self._deadline.pause(pause, "an update in progress")
                pause = min(pause * 1.2, _LONGEST_PAUSE_S)

    def _qualified(self, version: str) -> str:
        return f"{self.arn.text}:{version}" if version else self.arn.text

    def _refused(self, error: Exception, memory_mb: int) -> Exception:
        """Return what a refused change of $LATEST means; the error itself if it is anything."""
        said = str(error).replace(self.arn.text, "").replace(self.arn.name, "")
        if concerns_kms(error):
            return AwsCallFailed(
                f"{self.arn.text} is encrypted with a customer managed KMS key that the tuner may "
                "not use; the key's ARN must be among the kms_key_arns that the tuner was deployed "
                f"with, and the key's policy must let IAM decide: {error}"
            )
        limit = _MEMORY_LIMIT.search(said)
        if limit:
            return PowerRefused(
                f"{self.arn.text} cannot have {memory_mb} MB: AWS allows {limit['mb']} MB at most "
                "here, as it does in new accounts (3008). Leave out larger power values, or ask "
                "for a higher quota of Lambda in the Service Quotas console"
            )
        if _SIZE_WORDS.search(said) and not is_denied(error):
            return PowerRefused(f"{self.arn.text} cannot have {memory_mb} MB: {error}")
        return error

    def _gone(self, error: Exception) -> Exception:
        if error_code(error) == "ResourceNotFoundException":
            return FunctionGone(f"{self.arn.text} was deleted while it was being tuned")
        return error

    def _changed(self, error: Exception) -> Exception:
        # a stale RevisionId, or a CodeSha256 that is not that of $LATEST
        other_code = "codesha256" in str(error).lower()
        if error_code(error) == "PreconditionFailedException" or other_code:
            return FunctionChanged(f"{self.arn.text} was changed by somebody else meanwhile")
        return self._gone(error)


def check_unchanged(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raise `FunctionChanged` if more than the memory size differs."""
    changed = different(before, after)
    if changed:
        raise FunctionChanged(
            f"somebody else changed {', '.join(changed)} of the function while it was being tuned"
        )


def different(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return in which parts, beside the memory size, two configurations differ."""
    one, other = _deployed(first), _deployed(second)
    return sorted(key for key in one if one[key] != other[key])


def _deployed(config: Mapping[str, Any]) -> dict[str, Any]:
    parts = {key: config.get(key) for key in _DEPLOYED}
    # beside these are Lambda's words on a key that it may not use, and on a snapshot's state
    parts["Environment"] = (config.get("Environment") or {}).get("Variables")
    parts["SnapStart"] = (config.get("SnapStart") or {}).get("ApplyOn")
    return parts


def _alias(item: Mapping[str, Any]) -> Alias:
    return Alias(
        name=item["Name"],
        version=item["FunctionVersion"],
        description=item.get("Description", ""),
        revision_id=item.get("RevisionId", ""),
    )


def _unless_gone(call: Callable[..., Any], **arguments: str) -> None:
    try:
        call(**arguments)
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
