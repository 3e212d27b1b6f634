"""Where payloads come from."""

from __future__ import annotations

from power_tuner.errors import PayloadNotRead
from power_tuner.payloads import PayloadPlan, plan
from power_tuner.request import TuningInput


def read_payloads(request: TuningInput) -> PayloadPlan:
    """Return which payload each invocation gets.

    Raises:
        InvalidInput: A weighted list does not fit.
        PayloadNotRead: There is no such object in S3, or it may not be read.
    """
    if request.payload_s3:
        raise PayloadNotRead("payloadS3: not supported yet")
    return plan(request.num, request.payload)
