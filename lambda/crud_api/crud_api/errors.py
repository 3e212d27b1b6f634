"""The errors a caller can meet. Directly invoked, they are the error types of the invocation.

The message is for the caller: it names what is wrong and what is allowed, nothing internal.
"""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """Base of all errors that are answered on purpose.

    Attributes:
        status: HTTP status of the answer.
        headers: Further HTTP headers of the answer.
        details: Further fields of the answer's body.
    """

    status = 500

    def __init__(
        self,
        message: str,
        *,
        headers: dict[str, str] | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.headers = headers or {}
        self.details = details or {}


class BadRequest(ApiError):  # noqa: N818 - Lambda shows the class's name to the caller
    """The request cannot be understood, or is not allowed."""

    status = 400


class NotFound(ApiError):  # noqa: N818
    """There is no such item or route."""

    status = 404


class MethodNotAllowed(ApiError):  # noqa: N818
    """The route exists, but not with this method."""

    status = 405


class Conflict(ApiError):  # noqa: N818
    """A condition does not hold, or another writer was faster."""

    status = 409


class TooManyRequests(ApiError):  # noqa: N818
    """The table is throttled, even after retries."""

    status = 429


class InternalError(ApiError):
    """Anything else. The log has the cause, under the request id."""

    status = 500


def one_of(names: Any) -> str:
    """Return names as a sorted list for a message."""
    return ", ".join(sorted(names))
