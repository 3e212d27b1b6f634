"""Items for the table, so that `list` has real work to do: the same ones every time."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

DEFAULT_ITEMS = 100

_COLOURS = ("amber", "blue", "crimson", "green", "ivory", "violet")


def seed(session: Any, table_name: str, items: int = DEFAULT_ITEMS) -> int:
    """Write items `seed-00000`, `seed-00001`, ... into a table.

    Seeding again writes the same items over themselves, so it changes nothing.

    Args:
        session: A boto3 session.
        table_name: The table; its key is the string `id`.
        items: How many.

    Returns:
        How many items were written.
    """
    table = session.resource("dynamodb").Table(table_name)
    with table.batch_writer() as batch:
        for number in range(items):
            batch.put_item(Item=seed_item(number))
    return items


def seed_item(number: int) -> dict[str, Any]:
    """Return one item, about 350 bytes with all the types that JSON has."""
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return {
        "id": f"seed-{number:05d}",
        "name": f"Item {number}",
        "price": Decimal(int(digest[:6], 16)).scaleb(-2),
        "stock": int(digest[6:9], 16),
        "active": number % 3 != 0,
        "tags": [_COLOURS[int(digest[9 + i], 16) % len(_COLOURS)] for i in range(3)],
        "size": {"width_mm": int(digest[12:15], 16), "height_mm": int(digest[15:18], 16)},
        "note": None,
        "checksum": digest,
    }
