"""That a function is as it was: what of it a run could have changed, before and after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lambda_dyno.aws import lambda_function
from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.function_name import parse_name
from lambda_dyno.core.reading import UnreadableError, read_object
from lambda_dyno.runs.run_folder import RunFolder

_FILE = "function-before.json"
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What of a function a tuning touches while it lasts, and puts back.

    Attributes:
        memory_mb: Of $LATEST.
        architecture: The same.
        code_sha256: The same.
        versions: Numbers of its versions.
        aliases: Their versions, by name.
    """

    memory_mb: int
    architecture: str
    code_sha256: str
    versions: tuple[str, ...]
    aliases: Mapping[str, str]

    @property
    def words(self) -> str:
        """The snapshot in words."""
        counts = ((len(self.versions), "version"), (len(self.aliases), "alias"))
        told = [
            f"{count} {noun if count == 1 else f'{noun}es' if noun == 'alias' else f'{noun}s'}"
            for count, noun in counts
        ]
        return f"{self.memory_mb} MB, {' and '.join(told)}"


def look(function_arn: str, account: Account) -> Snapshot:
    """Return how a function is just now.

    Args:
        function_arn: With or without a version or alias, which is left out.
        account: Where it is.

    Raises:
        UserError: It is not there.
        ClientError: These credentials may not list its versions and aliases.
    """
    arn = lambda_function.unqualified(function_arn)
    found = lambda_function.look_up(parse_name(arn), account)
    client = account.session.client("lambda")
    versions = client.get_paginator("list_versions_by_function").paginate(FunctionName=arn)
    aliases = client.get_paginator("list_aliases").paginate(FunctionName=arn)
    return Snapshot(
        memory_mb=found.memory_mb,
        architecture=found.architecture,
        code_sha256=found.code_sha256,
        versions=tuple(
            str(one["Version"])
            for page in versions
            for one in page["Versions"]
            if one["Version"] != "$LATEST"
        ),
        aliases={
            str(one["Name"]): str(one["FunctionVersion"])
            for page in aliases
            for one in page["Aliases"]
        },
    )


def changes(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """Return what is not as it was, in words; none: all of it is."""
    said = [
        f"{what} {was} → {now}"
        for what, was, now in (
            ("memory", f"{before.memory_mb} MB", f"{after.memory_mb} MB"),
            ("architecture", before.architecture, after.architecture),
        )
        if was != now
    ]
    if before.code_sha256 != after.code_sha256:
        said.append("its code is another")
    more = [one for one in after.versions if one not in before.versions]
    fewer = [one for one in before.versions if one not in after.versions]
    for noun, versions in (("new versions", more), ("versions that are gone", fewer)):
        if versions:
            said.append(f"{noun}: {', '.join(versions[:_MOST_SHOWN])}")
    names = sorted({*before.aliases, *after.aliases})
    moved = [
        f"{name} ({before.aliases.get(name, 'none')} → {after.aliases.get(name, 'none')})"
        for name in names
        if before.aliases.get(name) != after.aliases.get(name)
    ]
    if moved:
        said.append(f"aliases: {', '.join(moved[:_MOST_SHOWN])}")
    return tuple(said)


def keep(folder: RunFolder, snapshot: Snapshot) -> None:
    """Keep a snapshot for the end of the run, which another process may see to."""
    folder.write(_FILE, json.dumps(asdict(snapshot), indent=1) + "\n")


def kept(folder: RunFolder) -> Snapshot | None:
    """Return the snapshot of a run's beginning; None: it had not come so far."""
    try:
        found: dict[str, Any] = read_object(folder.path / _FILE)
        return Snapshot(**{**found, "versions": tuple(found["versions"])})
    except (UnreadableError, KeyError, TypeError):
        return None


def require(folder: RunFolder, function_arn: str, account: Account) -> Snapshot | None:
    """Make sure that a function is as it was at the beginning of a run; return how that is.

    Raises:
        UserError: It is not: what is different. A deployment meanwhile looks the same.
    """
    before = kept(folder)
    if before is None:
        return None
    found = changes(before, look(function_arn, account))
    if found:
        raise UserError(
            f"{function_arn} is not as it was: {'; '.join(found)}. If nobody has deployed it "
            "meanwhile, that is the tuner's: dyno sweep looks for what it left"
        )
    return before
