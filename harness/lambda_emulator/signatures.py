"""Signatures of root keys, which MiniStack lets in without a look: of whom, and whether right."""

from __future__ import annotations

import hashlib
import re
import time
from urllib.parse import urlsplit

from ministack.core import router, sigv4

from lambda_emulator.request import Refusal, Request
from lambda_emulator.tokens import same

_BUCKETS = re.compile(r"/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.")
_NOT_BUCKETS = ("/v20180820/", "/iceberg")  # S3's management and tables
_SHA256 = re.compile(r"[0-9a-f]{64}")


def key_of(request: Request) -> str | Refusal:
    """Return the access key that MiniStack takes the request to be of; empty for none.

    Refused is what could be read in two ways, and what has a signature of nobody.
    """
    names = request.signed_in_query
    if "authorization" in request.repeated or (names and request.signed_in_header):
        return Refusal("IncompleteSignature", "The request is signed twice.")
    if len(names) != len(set(names)) or any(
        len(values) != 1 for name, values in request.query.items() if name.lower() in names
    ):
        return Refusal("IncompleteSignature", "The query has a part of its signature twice.")
    key = router.extract_access_key_id(
        {"authorization": request.authorization}, dict(request.query)
    )
    if not key and (names or request.signed_in_header):
        return Refusal("IncompleteSignature", "The signature names no access key.")
    return str(key)


def names_object(request: Request) -> bool:
    """Tell whether it is about an object of a bucket, and not about the bucket or S3 itself."""
    return (
        not request.path.startswith(_NOT_BUCKETS)
        and _BUCKETS.match(request.path) is not None
        and router.detect_service(
            request.method, request.path, dict(request.headers), dict(request.query)
        )
        == "s3"
    )


def signature_of(request: Request, key: str) -> sigv4.HeaderSignature | Refusal:
    """Return the parts of a root key's signature, header or query; other forms are refused."""
    if request.signed_in_header:
        algorithm = request.authorization.partition(" ")[0]
        found = sigv4.parse_header_signature(request.headers)
    else:
        algorithm = request.one("X-Amz-Algorithm")
        found = sigv4.parse_query_signature(request.query)
    if algorithm != "AWS4-HMAC-SHA256":
        return Refusal("IncompleteSignature", "Account keys sign with AWS4-HMAC-SHA256.")
    if isinstance(found, tuple):
        return Refusal(*found)
    if found.access_key_id != key:
        return Refusal("IncompleteSignature", "The signature is another key's.")
    unsigned = _steering(request) - set(found.signed_headers.lower().split(";"))
    if unsigned:
        return Refusal("AccessDenied", f"Not signed: {', '.join(sorted(unsigned))}.")
    return found


def _steering(request: Request) -> set[str]:
    """Return the headers that choose what is done: an address must not be good for more.

    A presigned address says nothing of its body, and MiniStack looks for an action in a form.
    """
    names = {"x-amz-target"}
    if request.is_form and not request.signed_in_header:
        names.add("content-type")
    return names & request.headers.keys()


def needs_body(request: Request, signature: sigv4.HeaderSignature) -> bool:
    """Tell whether a signature is of the body too, and not only of what the client says of it.

    S3's clients say so in a header, and objects are large: they are not read twice.
    """
    if signature.service != "s3":
        return True
    return request.signed_in_header and not request.headers.get("x-amz-content-sha256")


def wrong_signature(
    request: Request, signature: sigv4.HeaderSignature, secret: str, body: bytes
) -> Refusal | None:
    """Refuse a request whose signature was not made with the secret.

    Args:
        request: The request.
        signature: Its parts.
        secret: The server's.
        body: As it arrived, if the signature needs it.
    """
    promised = request.headers.get("x-amz-content-sha256", "")
    if signature.service != "s3" and _SHA256.fullmatch(promised):
        found = hashlib.sha256(body).hexdigest()
        if not same(promised, found):
            return Refusal("SignatureDoesNotMatch", "The body is not the one that was signed.")
    _, to_sign = sigv4.header_signing_documents(
        signature,
        request.method,
        request.raw_path,
        request.query,
        request.headers,
        body,
        presigned=not request.signed_in_header,
    )
    expected = sigv4.calculate_signature(
        secret, signature.date_stamp, signature.region, signature.service, to_sign
    )
    return None if same(expected, signature.signature) else _mismatch()


def wrong_old_presign(request: Request, secret: str) -> Refusal | None:
    """Refuse a presigned address of an object in the older form, boto3's default, if it is wrong.

    Its signature is of method, path and expiry only, so it is good for objects only.
    """
    from botocore.auth import HmacV1Auth
    from botocore.awsrequest import HTTPHeaders
    from botocore.credentials import Credentials

    expires = request.one("Expires")
    if request.signed_in_header or not names_object(request):
        return Refusal("IncompleteSignature", "Account keys sign with AWS4-HMAC-SHA256.")
    if not expires.isdecimal() or int(expires) < time.time():
        return Refusal("AccessDenied", "Request has expired")

    class Signer(HmacV1Auth):  # type: ignore[misc]  # botocore has no types
        def _get_date(self) -> str:
            return expires  # what was signed in the place of the date

    headers = HTTPHeaders()
    for name, value in request.headers.items():
        headers[name] = value
    address = urlsplit(f"http://host{request.raw_path}?{request.raw_query}")
    signer = Signer(Credentials(request.one("AWSAccessKeyId"), secret))
    expected = signer.get_signature(request.method, address, headers)
    return None if same(expected, request.one("Signature")) else _mismatch()


def _mismatch() -> Refusal:
    return Refusal(
        "SignatureDoesNotMatch",
        "The signature is not made with this server's secret. `dyno local env` tells the keys.",
    )
