"""The table: boto3's calls with plain JSON values, and DynamoDB's errors told apart."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from crud_api.codec import Number, from_attributes, to_attributes
from crud_api.errors import ApiError, BadRequest, Conflict, TooManyRequests

_OBJECTS_SENT = ("Item", "Key", "ExclusiveStartKey", "ExpressionAttributeValues")
_OBJECTS_RECEIVED = ("Item", "Attributes", "LastEvaluatedKey")

_THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)
# what is wrong with the request itself; DynamoDB's message says it well
_REFUSED = frozenset(
    {"ItemCollectionSizeLimitExceededException", "SerializationException", "ValidationException"}
)


class Store:
    """One table, and no other.

    Args:
        client: botocore's DynamoDB client, or a fake of it.
        table_name: The table.
        number: What makes a number of the table's digits.
    """

    def __init__(self, client: Any, table_name: str, number: Number) -> None:
        self._client = client
        self.table_name = table_name
        self._number = number

    def put_item(self, **parameters: Any) -> dict[str, Any]:
        """Write an item. Parameters and answer as of boto3's `Table.put_item`."""
        return self._call(self._client.put_item, parameters)

    def get_item(self, **parameters: Any) -> dict[str, Any]:
        """Read an item. Parameters and answer as of boto3's `Table.get_item`."""
        return self._call(self._client.get_item, parameters)

    def update_item(self, **parameters: Any) -> dict[str, Any]:
        """Change an item. Parameters and answer as of boto3's `Table.update_item`."""
        return self._call(self._client.update_item, parameters)

    def delete_item(self, **parameters: Any) -> dict[str, Any]:
        """Delete an item. Parameters and answer as of boto3's `Table.delete_item`."""
        return self._call(self._client.delete_item, parameters)

    def scan(self, **parameters: Any) -> dict[str, Any]:
        """Read a page of items. Parameters and answer as of boto3's `Table.scan`."""
        return self._call(self._client.scan, parameters)

    def _call(self, method: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        sent = dict(parameters)
        for name in _OBJECTS_SENT:
            if name in sent:
                sent[name] = to_attributes(sent[name])
        try:
            answer: dict[str, Any] = method(TableName=self.table_name, **sent)
        except ClientError as error:
            known = self._known_error(error)
            if known is None:
                raise
            raise known from None
        return self._received(answer)

    def _received(self, answer: dict[str, Any]) -> dict[str, Any]:
        number = self._number
        for name in _OBJECTS_RECEIVED:
            if name in answer:
                answer[name] = from_attributes(answer[name], number)
        if "Items" in answer:
            answer["Items"] = [from_attributes(item, number) for item in answer["Items"]]
        metrics = answer.get("ItemCollectionMetrics")
        if metrics and "ItemCollectionKey" in metrics:
            metrics["ItemCollectionKey"] = from_attributes(metrics["ItemCollectionKey"], number)
        return answer

    def _known_error(self, error: ClientError) -> ApiError | None:
        """Return what the caller is told of an error of DynamoDB, or None if it is not theirs."""
        code = error.response["Error"]["Code"]
        if code == "ConditionalCheckFailedException":
            item = error.response.get("Item")
            details = {"Item": from_attributes(item, self._number)} if item else {}
            return Conflict("The condition does not hold.", details=details)
        if code == "TransactionConflictException":
            return Conflict("Another write on this item is under way. Try again.")
        if code in _THROTTLED:
            return TooManyRequests("The table is busy. Try again later.")
        if code in _REFUSED:
            return BadRequest(f"DynamoDB refuses the request: {error.response['Error']['Message']}")
        return None
