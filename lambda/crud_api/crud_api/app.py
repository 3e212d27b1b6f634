"""The function: tells the two forms of events apart, answers, logs."""

from __future__ import annotations

from typing import Any

from crud_api import http, log, operations
from crud_api.codec import exact_number, native_number
from crud_api.errors import ApiError, BadRequest, InternalError
from crud_api.store import Store


class App:
    """The function with its client.

    Args:
        client: DynamoDB client.
        table_name: The only table that the function serves.
    """

    def __init__(self, client: Any, table_name: str) -> None:
        # HTTP answers are written here, with exact numbers; what a direct invocation
        # returns is written by the Lambda runtime, which knows no decimals
        self._http_store = Store(client, table_name, exact_number)
        self._direct_store = Store(client, table_name, native_number)

    def handle(self, event: Any, request_id: str) -> Any:
        """Answer an event of API Gateway or of a direct invocation.

        Raises:
            ApiError: A direct invocation failed. Its caller sees the error's type and message.
        """
        if http.is_http(event):
            return self._handle_http(event, request_id)
        return self._handle_direct(event, request_id)

    def _handle_http(self, event: dict[str, Any], request_id: str) -> dict[str, Any]:
        route = http.route_name(event)
        try:
            response = http.respond(event, self._http_store)
        except Exception as error:
            response = http.error_response(_reported(error, request_id, route), request_id)
        log.write("INFO", "request", request_id, route=route, status=response.status)
        return http.to_gateway(response)

    def _handle_direct(self, event: Any, request_id: str) -> Any:
        operation = _operation_name(event)
        try:
            answer = operations.run(event, self._direct_store)
        except Exception as error:
            known = _reported(error, request_id, operation)
            log.write("INFO", "invocation", request_id, operation=operation, status=known.status)
            raise known from None
        log.write("INFO", "invocation", request_id, operation=operation, status=200)
        return answer


def _reported(error: Exception, request_id: str, what: str) -> ApiError:
    """Return what the caller is told; an unexpected error is logged and hidden behind its id."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, RecursionError):
        return BadRequest("The request is nested too deep.")
    log.write("ERROR", "unexpected error", request_id, during=what, **log.cause_of(error))
    return InternalError(f"Something went wrong here. The log has more under {request_id}.")


def _operation_name(event: Any) -> str:
    """Return the operation for the log if it is one: anything else may be anybody's data."""
    name = event.get("operation") if isinstance(event, dict) else None
    return name if isinstance(name, str) and name in operations.OPERATIONS else "unknown"
