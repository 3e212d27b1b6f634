"""A Lambda API in memory, strict where AWS is: for trying every order in which things can go."""

# ruff: noqa: N803 - the arguments have AWS's names

from __future__ import annotations

import copy
import io
import itertools
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
ARN = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:shop"
EXECUTIONS = f"arn:aws:states:eu-west-1:{ACCOUNT}:execution:dyno-tuner"


def error(code: str, operation: str, message: str = "no") -> ClientError:
    """Return an error as botocore raises it."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class FakeLambda:
    """One function behind the calls of the Lambda API that the tuner makes.

    Attributes:
        before_call: Called with number and name of every call before it has any effect; an
            error that it raises is the call's.
        calls: The names of all calls.
        versions_pend: Whether versions take a while to become active: images are optimised,
            snapshots taken.
        refused: What an update to a memory size is refused with, by size.
        failing: What the configuration says after an update to a memory size, by size.
        broken: What the configuration of a version says, by its memory size.
    """

    def __init__(self, memory_mb: int = 512) -> None:
        self._revisions = itertools.count(1)
        self.before_call: Callable[[int, str], None] = lambda _number, _name: None
        self.calls: list[str] = []
        self.exists = True
        self.versions_pend = False
        self.refused: dict[int, ClientError] = {}
        self.failing: dict[int, dict[str, str]] = {}
        self.broken: dict[int, dict[str, str]] = {}
        self.latest: dict[str, Any] = {
            "FunctionName": "shop",
            "FunctionArn": ARN,
            "MemorySize": memory_mb,
            "CodeSha256": "code",
            "Timeout": 3,
            "State": "Active",
            "LastUpdateStatus": "Successful",
        }
        self._touch(self.latest)
        self.concurrency: dict[str, int] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.aliases: dict[str, dict[str, Any]] = {}
        self._next_version = itertools.count(1)

    # --- what tests look at -----------------------------------------------------------------

    def picture(self) -> dict[str, Any]:
        """Return everything that a tuning must leave as it was."""
        latest = {k: v for k, v in self.latest.items() if k != "RevisionId"}
        return copy.deepcopy(
            {
                "latest": latest,
                "versions": {n: v["Description"] for n, v in self.versions.items()},
                "aliases": {n: a["FunctionVersion"] for n, a in self.aliases.items()},
            }
        )

    def deploy(self) -> None:
        """Do what somebody's deployment does."""
        self.latest["CodeSha256"] += "+"
        self._touch(self.latest)

    # --- the API ----------------------------------------------------------------------------

    def get_function(self, FunctionName: str) -> dict[str, Any]:
        self._enter("GetFunction", FunctionName)
        return {"Configuration": dict(self.latest), "Concurrency": dict(self.concurrency)}

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:
        self._enter("GetFunctionConfiguration", FunctionName)
        number = _version_of(FunctionName)
        config = dict(self._version(number) if number else self.latest)
        if number:
            self.versions[number]["State"] = "Active"  # by the next look
            config |= self.broken.get(config["MemorySize"], {})
        if not number and self.latest["LastUpdateStatus"] == "InProgress":
            self.latest["LastUpdateStatus"] = "Successful"  # by the next look
            self.latest.update(self.failing.get(self.latest["MemorySize"], {}))
            self._touch(self.latest)
        return config

    def update_function_configuration(
        self,
        FunctionName: str,
        MemorySize: int,
        RevisionId: str,
    ) -> dict[str, Any]:
        self._enter("UpdateFunctionConfiguration", FunctionName)
        if MemorySize in self.refused:  # before anything else is looked at
            raise self.refused[MemorySize]
        self._check(self.latest, RevisionId, "UpdateFunctionConfiguration")
        self.latest["MemorySize"] = MemorySize
        self.latest["LastUpdateStatus"] = "InProgress"
        self.latest.pop("LastUpdateStatusReason", None)
        self._touch(self.latest)
        return dict(self.latest)

    def publish_version(
        self,
        FunctionName: str,
        Description: str,
        CodeSha256: str,
        RevisionId: str,
    ) -> dict[str, Any]:
        self._enter("PublishVersion", FunctionName)
        self._check(self.latest, RevisionId, "PublishVersion")
        if CodeSha256 != self.latest["CodeSha256"]:
            code, words = "InvalidParameterValueException", "CodeSHA256 is different in $LATEST"
            raise error(code, "PublishVersion", words)
        if self.versions:
            newest = self.versions[max(self.versions, key=int)]
            if all(newest[k] == self.latest[k] for k in ("MemorySize", "CodeSha256")):
                return dict(newest)
        number = str(next(self._next_version))
        self.versions[number] = {**self.latest, "Version": number, "Description": Description}
        if self.versions_pend:
            self.versions[number]["State"] = "Pending"
        return dict(self.versions[number])

    def list_versions_by_function(self, FunctionName: str, **_page: str) -> dict[str, Any]:
        self._enter("ListVersionsByFunction", FunctionName)
        latest = {**self.latest, "Version": "$LATEST", "Description": ""}
        return {"Versions": [latest, *(dict(v) for v in self.versions.values())]}

    def delete_function(self, FunctionName: str) -> None:
        self._enter("DeleteFunction", FunctionName)
        number = _version_of(FunctionName)
        assert number, "the function itself must never be deleted"
        self._version(number)
        if any(alias["FunctionVersion"] == number for alias in self.aliases.values()):
            raise error("ResourceConflictException", "DeleteFunction")
        del self.versions[number]

    def list_aliases(self, FunctionName: str, **_page: str) -> dict[str, Any]:
        self._enter("ListAliases", FunctionName)
        return {"Aliases": [dict(alias) for alias in self.aliases.values()]}

    def create_alias(
        self,
        FunctionName: str,
        Name: str,
        FunctionVersion: str,
        Description: str,
    ) -> dict[str, Any]:
        self._enter("CreateAlias", FunctionName)
        if Name in self.aliases:
            raise error("ResourceConflictException", "CreateAlias")
        self._check_version(FunctionVersion, "CreateAlias")
        self.aliases[Name] = {
            "Name": Name,
            "FunctionVersion": FunctionVersion,
            "Description": Description,
        }
        self._touch(self.aliases[Name])
        return dict(self.aliases[Name])

    def update_alias(
        self,
        FunctionName: str,
        Name: str,
        RevisionId: str,
        **changes: str,
    ) -> dict[str, Any]:
        self._enter("UpdateAlias", FunctionName)
        alias = self._alias(Name, "UpdateAlias")
        self._check(alias, RevisionId, "UpdateAlias")
        self._check_version(changes.get("FunctionVersion", "$LATEST"), "UpdateAlias")
        alias.update(changes)
        self._touch(alias)
        return dict(alias)

    def delete_alias(self, FunctionName: str, Name: str) -> None:
        self._enter("DeleteAlias", FunctionName)
        self._alias(Name, "DeleteAlias")
        del self.aliases[Name]

    # --- how it works -----------------------------------------------------------------------

    def _enter(self, operation: str, name: str) -> None:
        assert name.startswith(ARN)
        self.calls.append(operation)
        self.before_call(len(self.calls), operation)
        if not self.exists:
            raise error("ResourceNotFoundException", operation)

    def _touch(self, record: dict[str, Any]) -> None:
        record["RevisionId"] = f"r{next(self._revisions)}"

    def _check(self, record: dict[str, Any], revision: str, operation: str) -> None:
        if record["RevisionId"] != revision:
            raise error("PreconditionFailedException", operation)

    def _check_version(self, number: str, operation: str) -> None:
        if number != "$LATEST" and number not in self.versions:
            raise error("ResourceNotFoundException", operation)

    def _version(self, number: str) -> dict[str, Any]:
        if number not in self.versions:
            raise error("ResourceNotFoundException", "GetFunctionConfiguration")
        return self.versions[number]

    def _alias(self, name: str, operation: str) -> dict[str, Any]:
        if name not in self.aliases:
            raise error("ResourceNotFoundException", operation)
        return self.aliases[name]


class FakeS3:
    """An S3 that has one object, or answers with an error."""

    def __init__(
        self, body: bytes = b"", code: str = "", status: int = 200, message: str = "no"
    ) -> None:
        self._body = body
        self._code = code
        self._status = status
        self._message = message

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if self._code:
            raise ClientError(
                {
                    "Error": {"Code": self._code, "Message": self._message},
                    "ResponseMetadata": {"HTTPStatusCode": self._status},
                },
                "GetObject",
            )
        return {"Body": io.BytesIO(self._body), "ContentLength": len(self._body)}


def _version_of(name: str) -> str:
    return name.removeprefix(ARN).removeprefix(":")
