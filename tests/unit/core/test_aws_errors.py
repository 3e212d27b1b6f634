"""What a refusal of AWS is taken for."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from lambda_dyno.core import aws_errors as errors


def refusal(code: str) -> ClientError:
    """An error of S3 as boto3 raises it."""
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    return ClientError(answer, "GetObject")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "denied"),
    [
        ("AccessDenied", True),
        ("AccessDeniedException", True),
        ("KmsAccessDeniedException", True),
        ("UnauthorizedOperation", True),
        ("ExpiredToken", False),
        ("ResourceNotFoundException", False),
    ],
)
def test_a_missing_permission_has_several_codes(code: str, denied: bool) -> None:
    """Credentials that are no longer good are another matter."""
    assert errors.is_denied(refusal(code)) is denied


def test_an_error_without_words_has_a_code_and_a_status() -> None:
    """As a HEAD request's."""
    error = refusal("404")
    assert (errors.code(error), errors.message(error), errors.http_status(error)) == (
        "404",
        "",
        403,
    )
