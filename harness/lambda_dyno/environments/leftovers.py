"""Look for what a teardown left behind, by name and by tag, and remove what is surely ours.

A destroy that ends with status 0 says that Terraform is content, not that nothing is there: what
Terraform made in the moment when it was killed is in no state, and nor is a log group that a
late log line made again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import botocore.exceptions

from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.results import Leftover
from lambda_dyno.environments.resource_kinds import (
    KINDS,
    LOG_GROUP,
    Found,
    how_to_remove,
    listed,
    listed_as,
)
from lambda_dyno.runs import run_folder
from lambda_dyno.runs.run_folder import RUN_ID

EXPIRES_TAG = "dyno:expires"
RUN_TAG = "dyno:run"

_OF_LAMBDA = "AWS Lambda VPC ENI-"  # how Lambda begins the description of its interfaces

# Some things go only after others, or take a while; API Gateway deletes one API in 30 seconds.
_LOOK_AFTER_S = (0.0, 1.0, 2.0, 5.0, 10.0, 31.0)


@dataclass(frozen=True, slots=True)
class UntrackedRun:
    """What an account has of one run.

    Attributes:
        run_id: The run, by names and tags.
        leftovers: Its resources.
        expires_at: What their tags say; empty if none of them has one.
    """

    run_id: str
    leftovers: tuple[Leftover, ...]
    expires_at: str


def find(
    session: Any, name_prefix: str, run_id: str, *, gone: Collection[str] = ()
) -> list[Leftover]:
    """Return all resources of a run that exist.

    Args:
        session: A boto3 session.
        name_prefix: First part of the names of everything in the environment.
        run_id: Value of the tag `dyno:run`.
        gone: ARNs of what has been destroyed, whatever the index of tags says.

    A service that cannot be asked is a leftover too: nobody knows.
    """
    tagged = [arn for arn, _ in _tagged(session, RUN_TAG, run_id) if arn not in gone]
    others = [listed_as(arn) for arn in tagged if name_prefix not in arn]
    groups = {one[1] for one in others if one and one[0] == LOG_GROUP}
    account = _look(session, [name_prefix, *sorted(groups)])
    named = [one for one in account.found if _has_prefix(one.leftover.name, name_prefix)]
    return [
        *(one.leftover for one in named),
        *account.unknown,
        # What the services themselves no longer list (their names carry the prefix) is gone.
        *_untracked(account, (arn for arn in tagged if name_prefix not in arn), named),
    ]


def interfaces(session: Any, name_prefix: str) -> list[Leftover]:
    """Return the network interfaces that Lambda made for functions of a run in a VPC.

    A copy of a function shares those of the function, as a rule, so none is the answer where they
    may not be looked at.

    Args:
        session: A boto3 session.
        name_prefix: First part of the names of everything in the environment.
    """
    client = session.client("ec2")
    wanted = {"Name": "description", "Values": [f"{_OF_LAMBDA}{name_prefix}-*"]}
    try:
        pages = client.get_paginator("describe_network_interfaces").paginate(Filters=[wanted])
        found = [row for page in pages for row in page["NetworkInterfaces"]]
    except botocore.exceptions.ClientError:
        return []
    return [
        Leftover(
            "network interface",
            f"{row['NetworkInterfaceId']} ({row['Description']})",
            "Lambda removes it by itself within 20 minutes; then `dyno sweep` ends the run",
        )
        for row in found
        if row.get("Description", "").startswith(f"{_OF_LAMBDA}{name_prefix}-")
    ]


def remove(
    session: Any,
    name_prefix: str,
    run_id: str,
    *,
    gone: Collection[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[list[Leftover], list[Leftover]]:
    """Remove what has a run's name, and return what was removed and what is left.

    The prefix ends with the run's id, so nothing else can have it; one that does not is refused.
    What only a tag ties to the run is left: a tag can be copied.

    Args:
        session: A boto3 session.
        name_prefix: First part of the names of everything in the environment.
        run_id: Value of the tag `dyno:run`.
        gone: ARNs of what has been destroyed, whatever the index of tags says.
        sleep: Waits so many seconds.

    Raises:
        StepError: The prefix is not the run's.
    """
    if not RUN_ID.fullmatch(run_id) or not name_prefix.endswith(f"-{run_id}"):
        raise StepError("down", f"{name_prefix!r} is no name of run {run_id!r}: nothing is removed")
    removed: dict[tuple[str, str], Leftover] = {}
    for wait_s in _LOOK_AFTER_S:
        sleep(wait_s)
        refused = False
        for one in _look(session, [name_prefix]).found:
            if not _has_prefix(one.leftover.name, name_prefix):
                continue
            try:
                one.delete()
                removed[one.leftover.kind, one.leftover.name] = one.leftover
            except botocore.exceptions.ClientError as error:
                refused = refused or errors.is_denied(error) or errors.code(error) == "ExpiredToken"
        left = find(session, name_prefix, run_id, gone=gone)
        if not left or refused:
            break
    names = {(leftover.kind, leftover.name) for leftover in left}
    return [leftover for key, leftover in removed.items() if key not in names], left


def of_standing(
    session: Any,
    name_prefix: str,
    *,
    removable: Collection[str],
    others: Collection[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> list[Leftover]:
    """Return what an account still has of a standing environment, by name.

    Its name has no run's id, so what has it need not be its own: nothing is removed but a log
    group that its state had, and a late line has made again.

    Args:
        session: A boto3 session.
        name_prefix: First part of the names of everything in the environment.
        removable: Names of log groups that its state had.
        others: First parts of the names of environments that stay, which may begin like its own.
        sleep: Waits so many seconds.

    A service that cannot be asked is a leftover too: nobody knows.
    """
    longer = [other for other in others if other.startswith(f"{name_prefix}-")]

    def is_its_own(name: str) -> bool:
        of_others = any(_has_prefix(name, other) for other in longer)
        is_of_a_run = run_folder.OF_A_RUN.search(name) is not None
        return _has_prefix(name, name_prefix) and not of_others and not is_of_a_run

    left: list[Leftover] = []
    for wait_s in _LOOK_AFTER_S:
        sleep(wait_s)
        account = _look(session, [name_prefix])
        named = [one for one in account.found if is_its_own(one.leftover.name)]
        left = [*(one.leftover for one in named), *account.unknown]
        mine = [
            one
            for one in named
            if one.leftover.kind == LOG_GROUP and one.leftover.name in removable
        ]
        for one in mine:
            with suppress(botocore.exceptions.ClientError):
                one.delete()
        if not mine:
            break
    return left


def ids(session: Any, name_prefix: str, run_id: str) -> set[str]:
    """Return names and ids of what AWS itself says is a run's, by name or by tag.

    Args:
        session: A boto3 session.
        name_prefix: First part of the names of everything in the environment.
        run_id: Value of the tag `dyno:run`.
    """
    found = _look(session, [name_prefix]).found
    known = {one.id for one in found if _has_prefix(one.leftover.name, name_prefix)}
    for arn, _tags in _tagged(session, RUN_TAG, run_id):
        known.add(arn)
        if match := re.search(r":apigateway:[^:]*::/(?:restapis|apis)/([a-z0-9]+)$", arn):
            known.add(match[1])
    return known


def survey(session: Any) -> list[UntrackedRun]:
    """Return everything in an account that is some run's, by names and by tags, run by run."""
    account = _look(session)
    rows: dict[str, list[Leftover]] = {}
    named: list[Found] = []
    for one in account.found:
        match = run_folder.OF_A_RUN.search(one.leftover.name)
        if match is not None:
            named.append(one)
            rows.setdefault(match[1], []).append(one.leftover)
    expires: dict[str, str] = {}
    strangers: dict[str, list[str]] = {}
    for arn, tags in _tagged(session, EXPIRES_TAG):
        run_id = tags.get(RUN_TAG, "")
        if RUN_ID.fullmatch(run_id):
            expires[run_id] = max(expires.get(run_id, ""), tags[EXPIRES_TAG])
            if run_id not in arn:
                strangers.setdefault(run_id, []).append(arn)
    for run_id, arns in strangers.items():
        found_strangers = list(_untracked(account, arns, named))
        if found_strangers:
            rows.setdefault(run_id, []).extend(found_strangers)
    return [
        UntrackedRun(run_id, tuple(leftovers), expires.get(run_id, ""))
        for run_id, leftovers in sorted(rows.items())
    ]


def _has_prefix(name: str, name_prefix: str) -> bool:
    """Whether the last part of a name, which may be a path, begins with the prefix."""
    last = name.rpartition("/")[2]
    return last == name_prefix or last.startswith(f"{name_prefix}-")


@dataclass(frozen=True, slots=True)
class _Account:
    """What the services list, whosever it is.

    Attributes:
        found: Everything of the kinds in KINDS.
        unknown: The kinds that could not be listed, as leftovers: nobody knows.
        listed: The kinds that could.
    """

    found: tuple[Found, ...]
    unknown: tuple[Leftover, ...]
    listed: frozenset[str]


def _look(session: Any, log_groups: Sequence[str] | None = None) -> _Account:
    """List everything; of the log groups only those with one of these parts in their names."""
    found: list[Found] = []
    unknown: list[Leftover] = []
    known: set[str] = set()
    for kind in KINDS.values():
        if kind.listing is None:
            continue
        try:
            found += listed(kind, session, log_groups)
            known.add(kind.name)
        except botocore.exceptions.ClientError as error:
            reason = f"cannot be listed: {errors.code(error)}"
            unknown.append(Leftover(f"unknown {kind.name}", "*", reason))
    return _Account(tuple(found), tuple(unknown), frozenset(known))


def _tagged(
    session: Any, key: str, value: str | None = None
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield ARN and tags of what has a tag; nothing without the permission to ask."""
    client = session.client("resourcegroupstaggingapi")
    wanted = {"Key": key} if value is None else {"Key": key, "Values": [value]}
    try:
        for page in client.get_paginator("get_resources").paginate(TagFilters=[wanted]):
            for row in page["ResourceTagMappingList"]:
                yield row["ResourceARN"], {tag["Key"]: tag["Value"] for tag in row["Tags"]}
    except botocore.exceptions.ClientError:
        return  # the look by name has been made


def _untracked(
    account: _Account, arns: Iterable[str], named: Iterable[Found]
) -> Iterator[Leftover]:
    """Yield what exists of the resources that only a tag ties to a run, without those named.

    AWS's index of tags names what is gone for minutes to hours, so wherever a service lists what
    it has, the list decides. Asking for the one thing would not do: a role that may read what has
    a tag is denied what is gone, for that has none.
    """
    existing = {(one.leftover.kind, one.id) for one in account.found}
    existing -= {(one.leftover.kind, one.id) for one in named}
    for arn in arns:
        as_listed = listed_as(arn)
        if as_listed and as_listed[0] in account.listed and as_listed not in existing:
            continue
        yield Leftover("tagged resource", arn, how_to_remove(arn))
