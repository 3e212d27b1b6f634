"""Orders: a price for a basket, which takes a little computing."""

import hashlib
import json


def handler(event, context):
    """Answer GET /orders/{id}: of an HTTP API, a REST API, a function URL, or asked directly."""
    parameters = event.get("pathParameters") or {}
    order = str(parameters.get("id") or event.get("id") or "1")
    digest = order.encode()
    for _ in range(20_000):
        digest = hashlib.sha256(digest).digest()
    body = {"id": order, "price_usd": digest[0] % 90 + 10}
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }
