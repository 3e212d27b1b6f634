"""The kinds of resources that environments consist of: how to list, name and remove them.

resource_kinds.toml has a row for each. A kind without a listing is found by its tag only, and is
then named and left, with its command.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Any

from lambda_dyno.core.results import Leftover

_BATCH = 1000  # objects that S3 deletes at once
LOG_GROUP = "log group"

Deletion = Callable[[Any, str], object]  # with a client, of the one that is named


@dataclass(frozen=True, slots=True)
class Listing:
    """How a service lists what it has of a kind.

    Attributes:
        operation: Of the client.
        rows: Where its answer has them.
        delete: The operation that removes one; without an argument a name in `_DELETIONS`, of
            what does it where that takes several operations.
        argument: Of that operation.
        name: Where a row has the name that people gave; empty: the row is the name.
        id: Where it has what ARNs name it by; empty: by its name.
        target: Where it has what that takes; empty: the id.
        questions: Arguments of the operation; with several, it is called so often.
    """

    operation: str
    rows: str
    delete: str
    argument: str = ""
    name: str = ""
    id: str = ""
    target: str = ""
    questions: Sequence[Mapping[str, str]] = ({},)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource.

    Attributes:
        name: For people.
        client: boto3's name of the service.
        arn: Service and beginning of the last part of its ARNs.
        command: Removes one by its {id}, or its {arn}.
        listed: What follows in the ARNs of those that the listing has, the id as a group.
        listing: None: the service is not asked.
    """

    name: str
    client: str
    arn: tuple[str, str]
    command: str
    listed: str = ""
    listing: Listing | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A resource that exists.

    Attributes:
        leftover: What it is, and the command that removes it.
        id: What its ARN has of it.
        delete: Removes it, or raises a ClientError.
    """

    leftover: Leftover
    id: str
    delete: Callable[[], object]


def _delete_rule(client: Any, name: str) -> None:
    rows = _rows(client, "list_targets_by_rule", "Targets", Rule=name)
    targets = [target["Id"] for target in rows]
    if targets:
        client.remove_targets(Rule=name, Ids=targets, Force=True)
    client.delete_rule(Name=name, Force=True)


def _delete_role(client: Any, name: str) -> None:
    for policy in _rows(client, "list_role_policies", "PolicyNames", RoleName=name):
        client.delete_role_policy(RoleName=name, PolicyName=policy)
    rows = _rows(client, "list_attached_role_policies", "AttachedPolicies", RoleName=name)
    for policy in list(rows):
        client.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    client.delete_role(RoleName=name)


def _delete_bucket(client: Any, name: str) -> None:
    keys = [
        {"Key": row["Key"]} for row in _rows(client, "list_objects_v2", "Contents", Bucket=name)
    ]
    for start in range(0, len(keys), _BATCH):
        client.delete_objects(Bucket=name, Delete={"Objects": keys[start : start + _BATCH]})
    client.delete_bucket(Bucket=name)


_DELETIONS: Mapping[str, Deletion] = {
    "event rule": _delete_rule,
    "iam role": _delete_role,
    "s3 bucket": _delete_bucket,
}


def _kinds() -> Iterator[Kind]:
    text = resources.files(__package__).joinpath("resource_kinds.toml").read_text("utf-8")
    for row in tomllib.loads(text)["kind"]:
        listing = row.pop("list", None)
        yield Kind(**row, listing=listing and Listing(**listing))


KINDS = {kind.name: kind for kind in _kinds()}


def listed(kind: Kind, session: Any, log_groups: Sequence[str] | None = None) -> list[Found]:
    """Return what an account has of a kind, in the order of its names.

    Args:
        kind: One with a listing.
        session: A boto3 session.
        log_groups: Parts of the names of the log groups that are wanted; None: all in the usual
            places. Accounts have thousands, and CloudWatch lists 50 at a time, ten times a second.

    Raises:
        ClientError: The service cannot be asked.
    """
    assert kind.listing is not None
    listing, client = kind.listing, session.client(kind.client)
    questions = listing.questions
    if kind.name == LOG_GROUP and log_groups is not None:
        questions = [{"logGroupNamePattern": part} for part in log_groups]
    found: dict[str, Found] = {}
    for question in questions:
        for row in _rows(client, listing.operation, listing.rows, **question):
            name = row[listing.name] if listing.name else row
            known_as = row[listing.id] if listing.id else name
            target = row[listing.target] if listing.target else known_as
            leftover = Leftover(kind.name, name, kind.command.format(id=known_as, arn=target))
            found[target] = Found(leftover, known_as, _deletion(client, listing, target))
    return [found[target] for target in sorted(found)]


def listed_as(arn: str) -> tuple[str, str] | None:
    """Return by which kind, and as which `Found.id`, an ARN's resource is listed if it exists.

    A part of a resource, such as an API's stage, is there when the resource is. None is a kind
    that no list decides.
    """
    kind = _kind_of(arn)
    if kind is None or not kind.listing:
        return None
    match = re.fullmatch(kind.listed, _rest_of(arn, kind))
    return (kind.name, match[1]) if match else None


def how_to_remove(arn: str) -> str:
    """Return the command that removes what an ARN names."""
    kind = _kind_of(arn)
    if kind is None:
        service, resource = arn.split(":", 5)[2::3]
        return f"no command is known for {service}: look for {resource} in the AWS console"
    known = listed_as(arn)
    return kind.command.format(id=known[1] if known else _rest_of(arn, kind), arn=arn)


def _kind_of(arn: str) -> Kind | None:
    parts = arn.split(":", 5)
    for kind in KINDS.values():
        service, start = kind.arn
        if parts[2] == service and parts[-1].startswith(start):
            return kind
    return None


def _rest_of(arn: str, kind: Kind) -> str:
    return arn.split(":", 5)[-1].removeprefix(kind.arn[1])


def _rows(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    if not client.can_paginate(operation):  # list_buckets of older SDKs
        yield from getattr(client, operation)(**arguments).get(key, ())
        return
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page.get(key, ())


def _deletion(client: Any, listing: Listing, target: str) -> Callable[[], object]:
    if not listing.argument:
        return partial(_DELETIONS[listing.delete], client, target)
    return partial(getattr(client, listing.delete), **{listing.argument: target})
