"""What a refusal of AWS says, as boto3 hands it over."""

from __future__ import annotations

from botocore.exceptions import ClientError

# One permission that is missing; every service has its own word.
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "KmsAccessDeniedException",
        "UnauthorizedOperation",
    }
)


def code(error: ClientError) -> str:
    """Return the code of an error, such as "ResourceNotFoundException"."""
    return str(error.response["Error"]["Code"])


def message(error: ClientError) -> str:
    """Return AWS's own words on an error; empty without any."""
    return str(error.response["Error"].get("Message", ""))


def describe(error: ClientError) -> str:
    """Return code and words, as in "NoSuchBucket: The specified bucket does not exist"."""
    return f"{code(error)}: {message(error)}"


def http_status(error: ClientError) -> int:
    """Return the HTTP status: all that a HEAD request says, whose answer has no body."""
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def is_denied(error: ClientError) -> bool:
    """Whether the credentials lack a permission."""
    return code(error) in _DENIED
