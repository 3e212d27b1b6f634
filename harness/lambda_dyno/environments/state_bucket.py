"""What a state bucket holds of a run: its state, Terraform's lock on it, and its lease.

    lambda-dyno/ENV/RUN_ID.lease.json       put before anything is made, removed last
    lambda-dyno/ENV/RUN_ID.tfstate          Terraform's
    lambda-dyno/ENV/RUN_ID.tfstate.tflock   Terraform's, while it works

The lease is there so that an environment can be found, judged and taken down when the run's
folder is on another machine, or on none any more: Terraform writes the first state some twenty
seconds after it made the first resource.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import botocore.exceptions

from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.regions import REGION
from lambda_dyno.runs.run_folder import RUN_ID, Lease, LeaseState, began, parse_time, who

HOME = "lambda-dyno/"
_STATE, _LEASE, _LOCK = ".tfstate", ".lease.json", ".tfstate.tflock"
_KEY = re.compile(
    rf"{HOME}(?P<env>[A-Za-z0-9_][A-Za-z0-9_-]{{0,63}})/(?P<run_id>{RUN_ID.pattern})(?P<kind>\.tfstate|\.lease\.json)"
)
# Longer ones are none; the states of this project's roots have some 300 kB.
_MOST_LEASE, _MOST_STATE = 1_000_000, 50_000_000
_LOCKED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_GONE = ("NoSuchKey", "404", "NoSuchBucket")
# The longest lifetime that an environment may be given, for those whose lease is not there.
LONGEST_LIFETIME = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class StateLock:
    """A lock that Terraform has, or had, on a state."""

    id: str
    who: str  # user@host
    operation: str
    created: datetime
    key: str  # of the object

    @property
    def host(self) -> str:
        """The machine that took it."""
        return self.who.rpartition("@")[2]

    @property
    def is_of_this_host(self) -> bool:
        """Whether a process of this machine took it."""
        return self.host == who().rpartition("@")[2]

    @property
    def text(self) -> str:
        """Who has it, in words."""
        return f"{self.who} since {self.created:%Y-%m-%d %H:%M:%S UTC} ({self.operation})"


@dataclass(frozen=True, slots=True)
class NoLease:
    """An object in a lease's place that is none."""

    where: str
    why: str


class StateBucket:
    """The objects of runs in one bucket.

    Args:
        session: A boto3 session of the bucket's account.
        bucket: Its name.
        endpoint: Of an embedded AWS that the session is of; empty for AWS.
    """

    def __init__(self, session: Any, bucket: str, endpoint: str = "") -> None:
        self._s3 = session.client("s3")
        self.name = bucket
        self.endpoint = endpoint

    @classmethod
    def of(cls, session: Any, lease: Lease) -> StateBucket | None:
        """Return the bucket that a lease's state is in; None: the state is a file."""
        return cls(session, lease.backend["bucket"], lease.endpoint) if lease.backend else None

    def publish(self, lease: Lease) -> None:
        """Put beside a run's state what of its lease others need: whose, where, until when.

        Raises:
            StepError: The bucket does not take it.
        """
        said = ("run_id", "name_prefix", "env", "started_at", *_FORMS)
        content = {name: value for name, value in asdict(lease).items() if name in said}
        try:
            self._s3.put_object(
                Bucket=self.name,
                Key=_beside(lease, _LEASE),
                Body=json.dumps(content, indent=2).encode() + b"\n",
                ContentType="application/json",
            )
        except botocore.exceptions.ClientError as error:
            raise StepError(
                "up",
                f"the lease cannot be put into the state bucket {self.name}: {errors.code(error)}",
                f"s3:PutObject on {_beside(lease, _LEASE)} is needed, as on the state itself.",
            ) from error

    def remove(self, lease: Lease) -> None:
        """Remove all objects of a run whose environment is proven to be gone; the lease last."""
        for end in (_LOCK, _STATE, _LEASE):
            self._s3.delete_object(Bucket=self.name, Key=_beside(lease, end))

    def leases(self) -> tuple[list[Lease], list[NoLease]]:
        """Return the leases of all runs that have an object here, and what is no lease.

        Every pull request may write here, so nothing that an object says becomes a path, a key,
        or a name of something else: which run it is, and where its objects are, says the object's
        key; its name must end with the run's id; it expires no later than any run may; and what
        a lease has beside that (folders, endpoints, functions, keys) is not read at all. For a
        state without a lease one is made up. What these credentials may not read is another
        environment's, and left out.
        """
        leases, others = [], []
        for stem, kinds in sorted(self._stems().items()):
            try:
                leases.append(self._lease(stem, kinds))
            except _NoLeaseError as error:
                others.append(NoLease(f"s3://{self.name}/{stem}{_LEASE}", str(error)))
            except botocore.exceptions.ClientError as error:
                if not errors.is_denied(error):
                    raise
        return leases, others

    def _stems(self) -> dict[str, set[str]]:
        """Return the kinds of objects that there are of each run, by the key without its end."""
        found: dict[str, set[str]] = {}
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=HOME)
        for page in pages:
            for row in page.get("Contents", ()):
                match = _KEY.fullmatch(row["Key"])
                if match and began(match["run_id"]):
                    stem = row["Key"].removesuffix(match["kind"])
                    found.setdefault(stem, set()).add(match["kind"])
        return found

    def _lease(self, stem: str, kinds: Collection[str]) -> Lease:
        """Return the lease of a run's objects.

        Raises:
            _NoLeaseError: What is there says nothing that could be believed.
        """
        match = _KEY.fullmatch(stem + _LEASE)
        assert match is not None
        run_id = match["run_id"]
        started = began(run_id)
        assert started is not None
        said = self._said(stem, kinds, run_id)
        latest = started + LONGEST_LIFETIME
        expires = min(parse_time(said.get("expires_at", "")) or latest, latest)
        return Lease(
            run_id=run_id,
            env=match["env"],
            name_prefix=said["name_prefix"],
            state=cast("LeaseState", said.get("state", "left")),
            owner=said.get("owner", "unknown"),
            host=said.get("host", "unknown"),
            pid=0,
            started_at=started.isoformat(),
            expires_at=expires.isoformat(),
            worker=said.get("worker", ""),
            account_id=said.get("account_id", ""),
            region=said.get("region", ""),
            endpoint=self.endpoint,
            backend={
                "bucket": self.name,
                "key": stem + _STATE,
                "region": self._s3.meta.region_name,
            },
        )

    def _said(self, stem: str, kinds: Collection[str], run_id: str) -> dict[str, str]:
        """Return what is read of a lease, or else of a state: texts of a known form."""
        problem = "it cannot be read"
        readers = {_LEASE: (_parsed_lease, _MOST_LEASE), _STATE: (_parsed_state, _MOST_STATE)}
        for kind, (parsed, most_bytes) in readers.items():
            if kind not in kinds:
                continue
            try:
                return parsed(self._read(stem + kind, most_bytes) or b"", run_id)
            except (ValueError, RecursionError) as error:
                problem = f"it is no {kind.strip('.')} of a run: {_brief(error)}"
        raise _NoLeaseError(problem)

    def state(self, lease: Lease) -> bytes | None:
        """Return a run's state as it is; None: there is none.

        Raises:
            StepError: It is longer than any of a run.
        """
        try:
            return self._read(_beside(lease, _STATE), _MOST_STATE)
        except ValueError as error:
            raise StepError("down", f"{self.address(lease)}: {error}") from error

    def address(self, lease: Lease) -> str:
        """Return where a run's state is, as s3://BUCKET/KEY."""
        return f"s3://{self.name}/{_beside(lease, _STATE)}"

    def take_lock(self, lease: Lease) -> StateLock:
        """Lock a run's state as Terraform does, so that nobody else works on it.

        Raises:
            StepError: Somebody has the lock.
        """
        now = datetime.now(UTC)
        lock = StateLock(
            id=str(uuid.uuid4()),
            who=who(),
            operation="Apply",
            created=now,
            key=_beside(lease, _LOCK),
        )
        content = {
            "ID": lock.id,
            "Operation": "OperationTypeApply",
            "Info": "dyno sweep",
            "Who": lock.who,
            "Version": "",
            "Created": now.isoformat(),
            "Path": f"{self.name}/{_beside(lease, _STATE)}",
        }
        try:
            self._s3.put_object(
                Bucket=self.name, Key=lock.key, Body=json.dumps(content).encode(), IfNoneMatch="*"
            )
        except botocore.exceptions.ClientError as error:
            if errors.code(error) not in _LOCKED:
                raise
            held = self.lock(lease)
            whose = held.text if held else "somebody"
            raise StepError("down", f"the state is locked by {whose}") from error
        return lock

    def lock(self, lease: Lease) -> StateLock | None:
        """Return the lock on a run's state, if there is one.

        Raises:
            StepError: There is one that cannot be read.
        """
        key = _beside(lease, _LOCK)
        try:
            content = self._read(key, _MOST_LEASE)
            if content is None:
                return None
            lock = json.loads(content)
            return StateLock(
                id=lock["ID"],
                who=lock["Who"],
                operation=lock["Operation"].removeprefix("OperationType"),
                created=_time(lock["Created"]),
                key=key,
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise StepError("down", f"s3://{self.name}/{key} is no lock of Terraform's") from error

    def release(self, lock: StateLock) -> None:
        """Remove a lock whose owner is proven dead."""
        self._s3.delete_object(Bucket=self.name, Key=lock.key)

    def _read(self, key: str, most_bytes: int) -> bytes | None:
        """Return an object's content; None if there is no such object.

        Raises:
            ValueError: It is longer than it may be.
        """
        try:
            answer = self._s3.get_object(Bucket=self.name, Key=key)
        except botocore.exceptions.ClientError as error:
            if errors.code(error) in _GONE:
                return None
            raise
        if answer["ContentLength"] > most_bytes:
            answer["Body"].close()
            raise ValueError(f"it has {answer['ContentLength']} bytes, {most_bytes} at most")
        content: bytes = answer["Body"].read()
        return content


class _NoLeaseError(Exception):
    """What is there is no lease. The message says why."""


# What is read of a lease, and the form that each text must have. The rest is not the bucket's to
# say: paths, endpoints, functions, processes.
_FORMS = {
    "account_id": re.compile(r"[0-9]{12}"),
    "expires_at": re.compile(r"[0-9T:.+-]{10,40}"),
    "host": re.compile(r"[\w.-]{1,64}", re.ASCII),
    "owner": re.compile(r"[\w.@+-]{1,64}", re.ASCII),
    "state": re.compile(r"creating|up|destroying|left"),
    "region": REGION,
    "worker": re.compile(r"gw[0-9]{1,4}"),
}
_NAME = r"[a-z][a-z0-9-]{0,30}"


def _parsed_lease(content: bytes, run_id: str) -> dict[str, str]:
    """Return what is read of a lease; what is of no known form counts as not said.

    Raises:
        ValueError: It is none, or of another run.
    """
    lease = json.loads(content)
    if not isinstance(lease, dict):
        raise ValueError("not an object")
    prefix = lease.get("name_prefix")
    if not isinstance(prefix, str) or not re.fullmatch(rf"{_NAME}-{run_id}", prefix):
        raise ValueError("name_prefix is not the run's")
    if lease.get("run_id") != run_id:
        raise ValueError("run_id is another run's")
    if parse_time(str(lease.get("expires_at"))) is None:
        raise ValueError("expires_at is no time with its zone")
    said = {"name_prefix": prefix}
    for name, form in _FORMS.items():
        value = lease.get(name)
        if isinstance(value, str) and form.fullmatch(value):
            said[name] = value
    return said


def _parsed_state(content: bytes, run_id: str) -> dict[str, str]:
    """Return what a state tells of its run: names in it end with the run's id."""
    text = content.decode(errors="replace")
    prefix = re.search(rf"\b({_NAME}-{run_id})\b", text)
    expires = re.search(r'"dyno:expires": ?"([0-9T:.+-]{10,40})"', text)
    place = re.search(
        rf'"arn:aws[a-z-]*:[a-z0-9-]+:([a-z]{{2,4}}(?:-[a-z]+)+-\d{{1,2}}):(\d{{12}}):[^"]*{run_id}',
        text,
    )
    said = {"name_prefix": prefix[1] if prefix else f"dyno-{run_id}"}
    if expires and parse_time(expires[1]):
        said["expires_at"] = expires[1]
    if place:
        said |= {"region": place[1], "account_id": place[2]}
    return said


def _brief(error: Exception) -> str:
    return type(error).__name__ if isinstance(error, RecursionError) else ascii(str(error))[1:80]


def _beside(lease: Lease, end: str) -> str:
    return lease.backend["key"].removesuffix(_STATE) + end


def _time(text: str) -> datetime:
    """Return a time as Go writes it, with nanoseconds."""
    seconds = re.sub(r"\.\d+", "", text)
    return datetime.fromisoformat(seconds.replace("Z", "+00:00"))
