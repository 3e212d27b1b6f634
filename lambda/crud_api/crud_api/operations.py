"""The operations of /DynamoDBManager, which are those of a direct invocation, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crud_api.errors import BadRequest, NotFound, one_of
from crud_api.parameters import check_parameters
from crud_api.store import Store

REQUEST_KEYS = frozenset({"operation", "tableName", "payload"})


def run(request: Any, store: Store) -> Any:
    """Run `{"operation", "tableName"?, "payload"?}` and return what boto3 returns.

    Raises:
        ApiError: The request is wrong, or DynamoDB refuses it.
    """
    if not isinstance(request, dict):
        raise BadRequest('The request must be a JSON object with "operation" and "payload".')
    unknown = request.keys() - REQUEST_KEYS
    if unknown:
        raise BadRequest(
            f"Unknown key in the request: {one_of(unknown)}. Allowed are {one_of(REQUEST_KEYS)}."
        )
    if "operation" not in request:
        raise BadRequest(f'"operation" is missing. Use one of {one_of(OPERATIONS)}.')
    name = request["operation"]
    operation = OPERATIONS.get(name) if isinstance(name, str) else None
    if operation is None:
        raise BadRequest(f"Unknown operation {_shown(name)}. Use one of {one_of(OPERATIONS)}.")
    _check_table(request.get("tableName", store.table_name), "tableName", store)
    return operation(request.get("payload"), store)


def _check_table(name: Any, where: str, store: Store) -> None:
    if name != store.table_name:
        raise BadRequest(
            f'"{where}" {_shown(name)} is refused: the only table here is "{store.table_name}".'
            f' Leave "{where}" out.'
        )


def _shown(value: Any) -> str:
    """Return a value for a message, if it is short enough to be of use."""
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 80 else f'"{value[:77]}..."'
    return f"of type {type(value).__name__}"


def _parameters(operation: str, payload: Any, store: Store) -> dict[str, Any]:
    if isinstance(payload, dict) and "TableName" in payload:  # as boto3's client takes it
        payload = dict(payload)
        _check_table(payload.pop("TableName"), "TableName", store)
    return check_parameters(operation, payload)


def _create(payload: Any, store: Store) -> Any:
    return store.put_item(**_parameters("create", payload, store))


def _read(payload: Any, store: Store) -> Any:
    answer = store.get_item(**_parameters("read", payload, store))
    if "Item" not in answer:
        raise NotFound("There is no item with this key.")
    return answer


def _update(payload: Any, store: Store) -> Any:
    return store.update_item(**_parameters("update", payload, store))


def _delete(payload: Any, store: Store) -> Any:
    return store.delete_item(**_parameters("delete", payload, store))


def _list(payload: Any, store: Store) -> Any:
    return store.scan(**_parameters("list", {} if payload is None else payload, store))


def _echo(payload: Any, _store: Store) -> Any:
    return payload


def _ping(_payload: Any, _store: Store) -> Any:
    return "pong"


OPERATIONS: dict[str, Callable[[Any, Store], Any]] = {
    "create": _create,
    "read": _read,
    "update": _update,
    "delete": _delete,
    "list": _list,
    "echo": _echo,
    "ping": _ping,
}
