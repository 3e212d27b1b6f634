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
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.exceptions

from harness.errors import StepError, UserError
from harness.programs.owner import this_host
from harness.runs import RUN_ID, Lease

HOME = "lambda-dyno/"
_STATE, _LEASE, _LOCK = ".tfstate", ".lease.json", ".tfstate.tflock"
_KEY = re.compile(
    rf"{HOME}(?P<env>[^/]+)/(?P<run_id>{RUN_ID.pattern})(?P<kind>\.tfstate|\.lease\.json)"
)
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
        return self.host == this_host()

    @property
    def text(self) -> str:
        """Who has it, in words."""
        return f"{self.who} since {self.created:%Y-%m-%d %H:%M:%S UTC} ({self.operation})"


class StateBucket:
    """The objects of runs in one bucket.

    Args:
        session: A boto3 session of the bucket's account.
        bucket: Its name.
    """

    def __init__(self, session: Any, bucket: str) -> None:
        self._s3 = session.client("s3")
        self.name = bucket

    @classmethod
    def of(cls, session: Any, lease: Lease) -> StateBucket | None:
        """Return the bucket that a lease's state is in; None: the state is a file."""
        return cls(session, lease.backend["bucket"]) if lease.backend else None

    def publish(self, lease: Lease) -> None:
        """Put a run's lease beside its state, without what may be secret in its settings.

        Raises:
            StepError: The bucket does not take it.
        """
        content = asdict(lease) | {"settings": {}}
        try:
            self._s3.put_object(
                Bucket=self.name,
                Key=_beside(lease, _LEASE),
                Body=json.dumps(content, indent=2).encode() + b"\n",
                ContentType="application/json",
            )
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            raise StepError(
                "up",
                f"the lease cannot be put into the state bucket {self.name}: {code}",
                f"s3:PutObject on {_beside(lease, _LEASE)} is needed, as on the state itself.",
            ) from error

    def remove(self, lease: Lease) -> None:
        """Remove all objects of a run whose environment is proven to be gone; the lease last."""
        for end in (_LOCK, _STATE, _LEASE):
            self._s3.delete_object(Bucket=self.name, Key=_beside(lease, end))

    def leases(self) -> Iterator[Lease]:
        """Yield the leases of all runs that have an object here.

        For a state without a lease one is made up, of what the state says. What these credentials
        may not read is another environment's, and left out.
        """
        found: dict[str, set[str]] = {}
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=HOME)
        for page in pages:
            for row in page.get("Contents", ()):
                if match := _KEY.fullmatch(row["Key"]):
                    found.setdefault(row["Key"].removesuffix(match["kind"]), set()).add(
                        match["kind"]
                    )
        for stem, kinds in sorted(found.items()):
            try:
                lease = self._lease(stem) if _LEASE in kinds else None
                lease = lease or self._lease_from_state(stem)
            except botocore.exceptions.ClientError as error:
                if error.response["Error"]["Code"] != "AccessDenied":
                    raise
                continue
            if lease is not None:
                yield lease

    def lock(self, lease: Lease) -> StateLock | None:
        """Return the lock on a run's state, if there is one.

        Raises:
            StepError: There is one that cannot be read.
        """
        key = _beside(lease, _LOCK)
        content = self._read(key)
        if content is None:
            return None
        try:
            lock = json.loads(content)
            return StateLock(
                id=lock["ID"],
                who=lock["Who"],
                operation=lock["Operation"].removeprefix("OperationType"),
                created=_time(lock["Created"]),
                key=key,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StepError("down", f"s3://{self.name}/{key} is no lock of Terraform's") from error

    def release(self, lock: StateLock) -> None:
        """Remove a lock whose owner is proven dead."""
        self._s3.delete_object(Bucket=self.name, Key=lock.key)

    def _lease(self, stem: str) -> Lease | None:
        content = self._read(stem + _LEASE)
        try:
            return None if content is None else Lease.from_json(json.loads(content))
        except (ValueError, UserError, TypeError):
            return None  # of another release; the state says enough

    def _lease_from_state(self, stem: str) -> Lease | None:
        content = self._read(stem + _STATE)
        if content is None:
            return None
        match = _KEY.fullmatch(stem + _STATE)
        assert match is not None
        run_id, text = match["run_id"], content.decode(errors="replace")
        started = datetime.strptime(run_id[:11], "%y%m%d-%H%M").replace(tzinfo=UTC)
        prefix = re.search(rf"\b[a-z][a-z0-9-]*-{run_id}\b", text)
        expires = re.search(r'"dyno:expires": ?"([^"]+)"', text)
        region = re.search(rf'"arn:aws[a-z-]*:[a-z0-9-]+:([a-z0-9-]+):\d{{12}}:[^"]*{run_id}', text)
        return Lease(
            run_id=run_id,
            env=match["env"],
            name_prefix=prefix[0] if prefix else f"dyno-{run_id}",
            state="left",
            owner="unknown",
            host="unknown",
            pid=0,
            started_at=started.isoformat(),
            expires_at=expires[1] if expires else (started + LONGEST_LIFETIME).isoformat(),
            region=region[1] if region else "",
            backend={
                "bucket": self.name,
                "key": stem + _STATE,
                "region": self._s3.meta.region_name,
            },
        )

    def _read(self, key: str) -> bytes | None:
        """Return an object's content; None if there is no such object."""
        try:
            answer = self._s3.get_object(Bucket=self.name, Key=key)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return None
            raise
        content: bytes = answer["Body"].read()
        return content


def _beside(lease: Lease, end: str) -> str:
    return lease.backend["key"].removesuffix(_STATE) + end


def _time(text: str) -> datetime:
    """Return a time as Go writes it, with nanoseconds."""
    seconds = re.sub(r"\.\d+", "", text)
    return datetime.fromisoformat(seconds.replace("Z", "+00:00"))
