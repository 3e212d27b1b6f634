"""What is too long for a run's object is named, and stops no look into the bucket."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

from lambda_dyno.environments.state_bucket import StateBucket

HONEST, LONG = "260101-1000-kkkk", "260102-1000-mmmm"


class S3:
    """A bucket of objects: content, and the length that S3 says they have."""

    meta = SimpleNamespace(region_name="eu-west-1")

    def __init__(self, objects: dict[str, tuple[bytes, int]]) -> None:
        self._objects = objects

    def get_paginator(self, _: str) -> Any:
        pages = [{"Contents": [{"Key": key} for key in self._objects]}]
        return SimpleNamespace(paginate=lambda **_: pages)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        content, length = self._objects[Key]
        return {"ContentLength": length, "Body": io.BytesIO(content)}


def test_an_object_that_is_too_long_is_named_and_the_next_one_is_read() -> None:
    """Whether it stands in a lease's place or in a state's; it is not even fetched."""
    lease = {
        "run_id": HONEST,
        "name_prefix": f"dyno-{HONEST}",
        "expires_at": "2026-01-01T12:00:00+00:00",
    }
    body = json.dumps(lease).encode()
    for end in (".lease.json", ".tfstate"):
        objects = {
            f"lambda-dyno/dev/{LONG}{end}": (b"{}", 60_000_000),
            f"lambda-dyno/dev/{HONEST}.lease.json": (body, len(body)),
        }
        clients = {"s3": S3(objects)}
        session = SimpleNamespace(client=clients.__getitem__)
        leases, others = StateBucket(session, "states").leases()
        assert [one.run_id for one in leases] == [HONEST]
        (other,) = others
        assert LONG in other.where
        assert "60000000 bytes" in other.why
