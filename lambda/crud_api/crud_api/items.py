"""The items as resources: what /items and /items/{id} do."""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from typing import Any

from crud_api.errors import BadRequest, Conflict, NotFound, one_of
from crud_api.store import Store

DEFAULT_PAGE_SIZE = 25
MAX_PAGE_SIZE = 1000
_LIST_KEYS = frozenset({"limit", "next"})


def list_items(query: dict[str, str], store: Store) -> dict[str, Any]:
    """Return a page of items, and in "next" where the next page starts if there is one."""
    unknown = query.keys() - _LIST_KEYS
    if unknown:
        raise BadRequest(
            f"Unknown query parameter: {one_of(unknown)}. Allowed are {one_of(_LIST_KEYS)}."
        )
    parameters: dict[str, Any] = {"Limit": _page_size(query)}
    if "next" in query:
        parameters["ExclusiveStartKey"] = {"id": _last_id(query["next"])}
    answer = store.scan(**parameters)
    page: dict[str, Any] = {"items": answer["Items"]}
    if "LastEvaluatedKey" in answer:
        page["next"] = _token(answer["LastEvaluatedKey"]["id"])
    return page


def create_item(body: Any, store: Store) -> dict[str, Any]:
    """Create an item and return it; without an id it gets one.

    Raises:
        Conflict: There is an item with this id.
    """
    item = {"id": uuid.uuid4().hex, **_object(body)}
    _check_id(item["id"])
    try:
        store.put_item(Item=item, ConditionExpression="attribute_not_exists(id)")
    except Conflict:
        raise Conflict("There is an item with this id. Use PUT to replace it.") from None
    return item


def get_item(item_id: str, store: Store) -> dict[str, Any]:
    """Return an item."""
    # who has just written an item reads what was written
    answer = store.get_item(Key={"id": item_id}, ConsistentRead=True)
    if "Item" not in answer:
        raise NotFound("There is no item with this id.")
    item: dict[str, Any] = answer["Item"]
    return item


def put_item(item_id: str, body: Any, store: Store) -> tuple[dict[str, Any], bool]:
    """Replace an item or create it; return it, and whether it is new."""
    item = {"id": item_id, **_object(body)}
    if item["id"] != item_id:
        raise BadRequest('"id" in the body must be the id in the path. Leave it out.')
    answer = store.put_item(Item=item, ReturnValues="ALL_OLD")
    return item, "Attributes" not in answer


def delete_item(item_id: str, store: Store) -> None:
    """Delete an item."""
    try:
        store.delete_item(Key={"id": item_id}, ConditionExpression="attribute_exists(id)")
    except Conflict:
        raise NotFound("There is no item with this id.") from None


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object: the item.")
    return body


def _check_id(value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise BadRequest('"id" must be a string that is not empty. Leave it out to get one.')


def _page_size(query: dict[str, str]) -> int:
    text = query.get("limit", str(DEFAULT_PAGE_SIZE))
    # isascii: isdigit takes digits of all scripts
    size = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise BadRequest(f'"limit" must be a whole number from 1 to {MAX_PAGE_SIZE}.')
    return size


def _token(last_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([last_id]).encode()).decode().rstrip("=")


def _last_id(token: str) -> str:
    """Return the id in a page token."""
    try:
        padded = token + "=" * (-len(token) % 4)
        (last_id,) = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        last_id = None
    if not isinstance(last_id, str) or not last_id:
        raise BadRequest('"next" must be what the page before gave as "next".')
    return last_id
