"""A temporary copy of the function, which is measured in its place.

What is tuned is then never touched: callers of $LATEST meet no other memory size, and a version
can be tuned, which cannot take another one. The copy has no trigger, no URL, no policy and no
reserved concurrency. It is made in one call, with a name that follows from the execution's: so
whoever cleans up knows it without being told, and deletes it whole.

Environment variables go from one answer of Lambda into one request, and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from lambda_dyno.tuner_contract import kinds
from lambda_dyno.tuner_contract.arns import FunctionArn
from lambda_dyno.tuner_contract.marks import copied_for, copy_mark, copy_name, copy_names
from power_tuner.errors import AwsCallFailed, CleanUpFailed, NotTunable, without
from power_tuner.function import different, error_code, is_denied
from power_tuner.settings import Settings

Description = Mapping[str, Any]  # what GetFunction answers

_SECONDS = 120  # for the download of a package
_LATE_LOGS_S = 3.0  # what a function logged last comes in after it is gone
_CHUNK = 1 << 20
# Taken over as they are. Not among them: triggers, whose work nobody measures (DeadLetterConfig is
# for asynchronous invocations), and the log group, so that the copy's logs go with it.
_SAME = (
    "Architectures",
    "EphemeralStorage",
    "FileSystemConfigs",
    "Handler",
    "KMSKeyArn",
    "MemorySize",
    "PackageType",
    "Role",
    "Runtime",
    "Timeout",
)
_LOGGING = ("ApplicationLogLevel", "LogFormat", "SystemLogLevel")
_VPC = ("Ipv6AllowedForDualStack", "SecurityGroupIds", "SubnetIds")
_OTHERWISE = frozenset({"DeadLetterConfig", "Description", "LoggingConfig"})

# Which permission of the tuner a refusal is about, by the action that it names.
_CURES = {
    "iam:PassRole": "give a copy the function's role {role}: its ARN must be among",
    "lambda:GetLayerVersion": "give a copy the function's layers: their ARNs must be among",
    "ec2:": "place a copy into the function's VPC: in_vpc must be true in",
}


class Original:
    """The function as it is to be copied: of $LATEST, a version, or the one an alias is at.

    Args:
        client: A boto3 Lambda client of the function's region.
        arn: The function's, with the version or alias.
    """

    def __init__(self, client: Any, arn: FunctionArn) -> None:
        self._client = client
        self.arn = arn

    def describe(self, settings: Settings) -> Description:
        """Return what a copy is made of, checked.

        Raises:
            NotTunable: It is not there, may not be looked at, or cannot be copied.
        """
        arn = self.arn.whole
        try:
            found: Description = self._client.get_function(FunctionName=arn)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                raise NotTunable(f"lambdaARN: there is no function {arn}") from error
            if is_denied(error):
                raise NotTunable(
                    f"lambdaARN: the tuner is not allowed to copy {arn}; its ARN must be among "
                    "the tunable_function_arns that the tuner was deployed with, and copies must "
                    f"be set: {error}"
                ) from error
            raise
        config = found["Configuration"]
        if (found.get("Concurrency") or {}).get("ReservedConcurrentExecutions") == 0:
            raise NotTunable(f"lambdaARN: {arn} has a reserved concurrency of 0: it cannot run")
        why = kinds.why_not(config) or kinds.why_no_copy(config)
        if why:
            raise NotTunable(f"lambdaARN: {arn} {why}")
        if config["Role"] not in settings.copy_role_arns:
            raise NotTunable(_not_allowed("iam:PassRole", config["Role"]))
        return found


class Copier:
    """Makes and removes the copies of one execution.

    Args:
        client: A boto3 Lambda client of the function's region.
        execution_arn: The execution.
        arn: The function's.
    """

    def __init__(self, client: Any, execution_arn: str, arn: FunctionArn) -> None:
        self._client = client
        self._execution_arn = execution_arn
        self._arn = arn

    def copy(
        self, original: Description, code: Mapping[str, Any], tags: Mapping[str, str]
    ) -> FunctionArn:
        """Make a copy, unless an earlier attempt has, and return its ARN.

        Args:
            original: The function, on the architecture that is wanted.
            code: As CreateFunction takes it.
            tags: Of the copy.

        Raises:
            NotTunable: Lambda refuses it; there is none.
        """
        config = original["Configuration"]
        architecture = (config.get("Architectures") or ["x86_64"])[0]
        copy = self._named(copy_name(self._execution_arn, architecture))
        if self._is_there(copy):
            return copy
        wanted = as_request(config) | {
            "FunctionName": copy.name,
            "Description": copy_mark(self._execution_arn),
            "Code": code,
            "Tags": dict(tags),
        }
        try:
            self._client.create_function(**wanted)
        except ClientError as error:
            raise NotTunable(_refused(error, self._arn, config)) from error
        return copy

    def _named(self, name: str) -> FunctionArn:
        return FunctionArn.parse(self._arn.text.removesuffix(self._arn.name) + name)

    def _is_there(self, copy: FunctionArn) -> bool:
        try:
            config = self._client.get_function_configuration(FunctionName=copy.text)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return False
            if is_denied(error):
                raise NotTunable(_not_allowed("", "")) from error
            raise
        if not copied_for(copy.name, config.get("Description", "")):
            raise NotTunable(f"{copy.text} is in the way: it is no copy of this execution")
        return True

    def remove(self, logs: Any, sleep: Callable[[float], None] = time.sleep) -> None:
        """Delete what copies there are, and their log groups.

        Args:
            logs: A boto3 client of CloudWatch Logs in the function's region.
            sleep: Waits so many seconds.

        Raises:
            CleanUpFailed: Something of them is left.
        """
        names = copy_names(self._execution_arn)
        there = [self._delete(name) for name in names]
        groups = [self._delete_logs(logs, name) for name in names]
        if any(there) or any(groups):
            sleep(_LATE_LOGS_S)  # a function that logs after its group is gone makes it again
            for name in names:
                self._delete_logs(logs, name)

    def _delete(self, name: str) -> bool:
        return self._done(self._client.delete_function, FunctionName=self._named(name).text)

    def _delete_logs(self, logs: Any, name: str) -> bool:
        return self._done(logs.delete_log_group, logGroupName=f"/aws/lambda/{name}")

    def _done(self, call: Callable[..., Any], **arguments: str) -> bool:
        """Delete something, and return whether it was there."""
        try:
            call(**arguments)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return False
            raise CleanUpFailed(
                f"the copy of {self._arn.whole} could not be deleted: {error}. The function "
                f"{' or '.join(copy_names(self._execution_arn))} or its log group may be left"
            ) from error
        return True


def as_request(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of CreateFunction that make the same function, but for name and code.

    Args:
        config: As GetFunction answers.
    """
    wanted = {key: config[key] for key in _SAME if config.get(key)}
    if config.get("Layers"):
        wanted["Layers"] = [layer["Arn"] for layer in config["Layers"]]
    parts = {
        "Environment": _part(config, "Environment", ("Variables",)),
        "LoggingConfig": _part(config, "LoggingConfig", _LOGGING),
        "SnapStart": _part(config, "SnapStart", ("ApplyOn",)),
        "TracingConfig": _part(config, "TracingConfig", ("Mode",)),
        "VpcConfig": _part(config, "VpcConfig", _VPC),
        "ImageConfig": (config.get("ImageConfigResponse") or {}).get("ImageConfig"),
    }
    return wanted | {key: part for key, part in parts.items() if part}


def package_of(original: Description) -> bytes:
    """Return the package of a function; an image has none.

    Raises:
        NotTunable: It cannot be read, or is not what the configuration says.
    """
    config = original["Configuration"]
    if config.get("PackageType") == "Image":
        return b""
    package = _download(str((original.get("Code") or {}).get("Location") or ""))
    if sha256(package) != config["CodeSha256"]:
        raise NotTunable(
            f"lambdaARN: the package of {config['FunctionArn']} is not the one that its "
            "CodeSha256 names: it was deployed this moment. Tune it again"
        )
    return package


def code_of(original: Description, package: bytes) -> dict[str, Any]:
    """Return the code of a function as CreateFunction takes it."""
    code = original.get("Code") or {}
    if not package:
        return {"ImageUri": code["ResolvedImageUri"]}
    key = code.get("SourceKMSKeyArn")
    return {"ZipFile": package} | ({"SourceKMSKeyArn": key} if key else {})


def layer_reader(client: Any) -> Callable[[str], bytes]:
    """Return what reads a layer's package by its ARN, and raises an OSError where that fails."""

    def read(arn: str) -> bytes:
        try:
            found = client.get_layer_version_by_arn(Arn=arn)
            return _download(str(found["Content"]["Location"]))
        except (ClientError, NotTunable) as error:
            raise OSError(f"{arn}: {error}") from error

    return read


def sha256(package: bytes) -> str:
    """Return a package's checksum as Lambda writes it."""
    return base64.b64encode(hashlib.sha256(package).digest()).decode()


def check_same(original: Mapping[str, Any], copy: Mapping[str, Any]) -> list[str]:
    """Make sure that a copy is what it is a copy of, and return what to warn of.

    Args:
        original: Configuration of the function.
        copy: Of its copy, once it can be used.

    Raises:
        AwsCallFailed: It is not.
    """
    wrong = [
        key
        for key in different(original, copy)
        # some answers have an empty part where others have none
        if key not in _OTHERWISE and (original.get(key) or copy.get(key))
    ]
    if wrong:
        raise AwsCallFailed(f"the copy is not the same as the function: {', '.join(wrong)} differ")
    runtime, newer = (
        (one.get("RuntimeVersionConfig") or {}).get("RuntimeVersionArn") for one in (original, copy)
    )
    if runtime and newer and runtime != newer:
        words = (
            "isolation: the copy runs on a newer version of the runtime than the function, whose "
            "runtime management holds it back or which was published before"
        )
        return [words]
    return []


def _part(config: Mapping[str, Any], name: str, keys: tuple[str, ...]) -> dict[str, Any]:
    found = config.get(name) or {}
    if name == "SnapStart" and found.get("ApplyOn") != "PublishedVersions":
        return {}
    return {key: found[key] for key in keys if found.get(key)}


def _download(address: str) -> bytes:
    """Return a package from the address that GetFunction told, which is good for ten minutes."""
    parts = urlsplit(address)
    local = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1")
    if parts.scheme != "https" and not local:
        raise NotTunable(
            "lambdaARN: Lambda tells no address of its package, so it cannot be copied"
        )
    read = bytearray()
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:  # noqa: S310 - see above
            while chunk := answer.read(_CHUNK):
                read += chunk
                if len(read) > kinds.COPY_BYTES_MAX:
                    raise NotTunable("lambdaARN: its package is larger than its CodeSize says")
    except (OSError, http.client.HTTPException) as error:
        # no word of the address: it is a key to the package
        what = f"HTTP {error.code}" if hasattr(error, "code") else type(error).__name__
        raise NotTunable(f"lambdaARN: its package could not be read from S3: {what}") from error
    return bytes(read)


def _refused(error: ClientError, arn: FunctionArn, config: Mapping[str, Any]) -> str:
    """Return what it means that a copy cannot be made, without any environment variable."""
    variables = (config.get("Environment") or {}).get("Variables") or {}
    said = without(str(error), map(str, variables.values()))
    if is_denied(error):
        return f"{_not_allowed(said, config['Role'])}: {said}"
    return f"isolation: no copy of {arn.whole} can be made: {said}"


def _not_allowed(said: str, role: str) -> str:
    for action, words in _CURES.items():
        if action in said:
            return f"isolation: the tuner may not {words.format(role=role)} copies of the tuner"
    return "isolation: the tuner may make no copies: it was deployed without the variable copies"
