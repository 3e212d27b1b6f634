"""The bucket of a store, as S3 has it: objects are added, listed and read; never replaced."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.config
import botocore.exceptions

from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.errors import DynoError, UserError, brief
from lambda_dyno.evidence.location import Store

_THERE = "PreconditionFailed"
_BUSY = ("ConditionalRequestConflict", "OperationAborted")
_TRIES = 3
_GONE = ("404", "NoSuchKey")
_CHUNK_BYTES = 1_000_000


class NotAddedError(DynoError):
    """An object was not added: AWS refused it, or did not answer."""


class TooLongError(UserError):
    """An object is longer than what is asked for ever is."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An object, as a listing has it."""

    key: str
    size_bytes: int


class Bucket:
    """A store's bucket, with the credentials of this process, wherever a run was."""

    def __init__(self, store: Store, environ: Mapping[str, str] = os.environ) -> None:
        self.store = store
        config = botocore.config.Config(
            connect_timeout=5,
            read_timeout=20,
            retries={"mode": "standard", "total_max_attempts": _TRIES},
            max_pool_connections=16,
        )
        try:
            session = boto3.Session(region_name=environ.get("AWS_REGION") or None)
            self._s3: Any = session.client("s3", config=config)
        except (botocore.exceptions.BotoCoreError, OSError, ValueError) as error:
            raise UserError(f"{store.uri}: AWS cannot be asked: {_line(error)}") from error
        self._s3.meta.events.register("before-call.s3.PutObject", _if_none_match)

    def add(self, key: str, content: bytes, sha256: str) -> bool:
        """Add an object, and return whether it is new; if it is there already, it stays.

        Args:
            key: Its whole key.
            content: What is in it.
            sha256: The content's digest, hexadecimal, which S3 holds it against.

        Raises:
            NotAddedError: It is not there.
        """
        digest = base64.b64encode(bytes.fromhex(sha256)).decode()
        for left in reversed(range(_TRIES)):
            try:
                self._s3.put_object(
                    Bucket=self.store.bucket, Key=key, Body=content, ChecksumSHA256=digest
                )
            except botocore.exceptions.ClientError as error:
                code = errors.code(error)
                if code == _THERE:
                    return False
                if code in _BUSY and left:
                    continue  # somebody else adds the same object right now
                raise NotAddedError(_refusal(self.store, key, error)) from error
            except (botocore.exceptions.BotoCoreError, OSError) as error:
                raise NotAddedError(f"{self.store.uri} does not answer: {_line(error)}") from error
            return True
        raise AssertionError

    def list(self, prefix: str) -> Iterator[Listed]:
        """Yield the objects below a prefix, in the order of their keys.

        Raises:
            UserError: They cannot be listed.
        """
        pages = self._s3.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self.store.bucket, Prefix=prefix):
                for row in page.get("Contents", ()):
                    yield Listed(str(row["Key"]), int(row["Size"]))
        except botocore.exceptions.ClientError as error:
            raise UserError(
                f"{self.store.uri} cannot be listed: {brief(errors.describe(error), most=300)}"
            ) from error
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise UserError(f"{self.store.uri} does not answer: {_line(error)}") from error

    def read(self, key: str, *, most_bytes: int) -> bytes | None:
        """Return what is in an object; None: there is none.

        What a listing or a header says of its size is not believed.

        Raises:
            TooLongError: It is longer than allowed; no more of it is read.
            UserError: It cannot be read.
        """
        try:
            body = self._s3.get_object(Bucket=self.store.bucket, Key=key)["Body"]
            content = bytearray()
            with body:
                while len(content) <= most_bytes:
                    part = body.read(_CHUNK_BYTES)
                    if not part:
                        return bytes(content)
                    content += part
        except botocore.exceptions.ClientError as error:
            if errors.code(error) in _GONE:
                return None
            raise UserError(
                f"{self.store.uri}: {brief(key)} cannot be read: "
                f"{brief(errors.describe(error), most=300)}"
            ) from error
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise UserError(f"{self.store.uri} does not answer: {_line(error)}") from error
        raise TooLongError(f"it is longer than {most_bytes:,} bytes")


def _if_none_match(params: dict[str, Any], **_: Any) -> None:
    """Ask for an object to be made, and none replaced: releases of boto3 before 1.35 cannot say."""
    params["headers"]["If-None-Match"] = "*"


def _refusal(store: Store, key: str, error: botocore.exceptions.ClientError) -> str:
    place = key.removeprefix(store.prefix)
    if errors.is_denied(error):
        return (
            f"{store.uri} refuses {brief(place, most=200)}: these credentials may not add there "
            "(dyno bootstrap --evidence gives roles that may)"
        )
    return (
        f"{store.uri} refuses {brief(place, most=200)}: {brief(errors.describe(error), most=300)}"
    )


def _line(error: Exception) -> str:
    return brief(" ".join(str(error).split()) or type(error).__name__, most=300)
