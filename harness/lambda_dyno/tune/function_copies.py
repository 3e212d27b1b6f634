"""Copies of a function that are measured in its place: whether they can be, and of which code."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.reading import read_bytes
from lambda_dyno.tuner_contract import machine_code
from lambda_dyno.tuner_contract.values import is_true

_PACKAGE_BYTES_MAX = 250 * 1024 * 1024  # unpacked: what Lambda takes


def require(function: Function, tuning_input: Mapping[str, Any]) -> None:
    """Make sure that a copy of the function can be measured.

    Raises:
        UserError: It cannot, or the input wants the function itself changed.
    """
    if tuning_input.get("isolation") == "alias":
        raise UserError(
            f"--isolation alias: {function.label} is a version or an alias, and a published "
            "version cannot take another memory size. Leave --isolation out: a copy is measured"
        )
    if is_true(tuning_input.get("autoOptimize")):
        raise UserError(
            f"--auto-optimize: a copy of {function.label} is measured, and the function itself is "
            "not touched. Set its memory size where it is deployed"
        )
    if function.why_no_copy:
        raise UserError(f"{function.label} {function.why_no_copy}.")


def packages(
    named: Mapping[str, Path], tuning_input: Mapping[str, Any], *, stands: bool
) -> dict[str, dict[str, str]]:
    """Return path and SHA-256 of the packages for other architectures, by architecture.

    Args:
        named: Their files, as the user gave them.
        tuning_input: The whole input.
        stands: Whether a power tuner is used that stands already.

    Raises:
        UserError: One cannot be read, works on another architecture, or is not asked for.
    """
    found = {}
    for architecture, path in named.items():
        flag = f"--package-{architecture.replace('_', '-')} {brief(str(path))}"
        if architecture not in (tuning_input.get("architectures") or ()):
            raise UserError(f"{flag}: measure {architecture}, too: --architectures arm64,x86_64")
        if stands:
            raise UserError(
                f"{flag}: a package goes with a tuner that is deployed for it, and one that stands "
                "is used. Tune the function by name: --function NAME, without --tuner"
            )
        content = read_bytes(path, most_bytes=_PACKAGE_BYTES_MAX, where=flag)
        try:
            why = machine_code.why_not_on(content, architecture)
        except machine_code.UnreadablePackageError as error:
            raise UserError(f"{flag}: {error}") from error
        if why:
            raise UserError(f"{flag}: it {why}, and so does not work on {architecture}")
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        found[architecture] = {"path": str(path), "sha256_base64": digest}
    return found
