"""Where payloads come from: the input, or an object in S3."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambda_dyno.tuner_contract.keys import TuningInput
from lambda_dyno.tuner_contract.values import decode, s3_location
from power_tuner.aws import client
from power_tuner.errors import PayloadNotRead
from power_tuner.function import concerns_kms
from power_tuner.payloads import Plan, WorkloadPlan, adaptive_plan, from_text, plan

_FORBIDDEN = 403
_ABSENT = 404
_MOST_BYTES = 8_000_000  # has to fit into the tuner's own memory


def read_payloads(request: TuningInput, region: str, execution: str) -> Plan:
    """Return what each invocation gets.

    Args:
        request: The checked input.
        region: To read S3 from.
        execution: Which execution it is: each fills a workload's templates in its own way.

    Raises:
        InvalidInput: A weighted list does not fit, or a payload is too big.
        PayloadNotRead: There is no such object in S3, or it may not be read.
    """
    if request.workload is not None:
        return WorkloadPlan(request.workload, execution)
    payload = request.payload
    if request.payload_s3:
        payload = from_text(fetch(client("s3", region), request.payload_s3))
    return adaptive_plan(payload) if request.adaptive else plan(request.num, payload)


def fetch(s3: Any, uri: str) -> str:
    """Return an object's text.

    Args:
        s3: An S3 client.
        uri: s3://bucket/key, the key URL-encoded if it needs that.
    """
    bucket, key = parse_uri(uri)
    try:
        found = s3.get_object(Bucket=bucket, Key=key)
        size = found.get("ContentLength", 0)
        if size > _MOST_BYTES:
            raise PayloadNotRead(
                f"payloadS3: s3://{bucket}/{key} has {size} bytes; Lambda takes payloads of 6 MB, "
                f"and an object may have {_MOST_BYTES} with all spaces and weights"
            )
        return decode(found["Body"].read())
    except ClientError as error:
        raise PayloadNotRead(_reason(error, f"s3://{bucket}/{key}")) from error
    except (BotoCoreError, UnicodeError) as error:
        raise PayloadNotRead(f"payloadS3: s3://{bucket}/{key} cannot be read: {error}") from error


def parse_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key."""
    location = s3_location(uri)
    if location is None:
        raise PayloadNotRead(
            f"payloadS3: Invalid S3 path {uri!r}, not a string in the format s3://BUCKET/KEY"
        )
    return location


def _reason(error: ClientError, where: str) -> str:
    if concerns_kms(error):
        return (
            f"payloadS3: {where} is encrypted with a KMS key that the tuner may not use; the key's "
            "ARN must be among the kms_key_arns that the tuner was deployed with, and the key's "
            f"policy must let IAM decide: {error}"
        )
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status == _FORBIDDEN:
        return (
            f"payloadS3: Permission denied when trying to read {where}. The tuner must be "
            "deployed with this bucket and key in its payload_bucket setting"
        )
    if status == _ABSENT:
        return f"payloadS3: {where} does not exist"
    return f"payloadS3: Unknown error when trying to read {where}: {error}"
