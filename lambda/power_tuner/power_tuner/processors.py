"""Functions that run before and after each invocation, outside of what is measured."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from dataclasses import replace

from botocore.exceptions import ClientError

from lambda_dyno.tuner_contract.arns import FunctionArn
from lambda_dyno.tuner_contract.keys import TuningInput
from power_tuner.errors import FunctionGone, ProcessorFailed
from power_tuner.function import is_denied
from power_tuner.invoker import Invoker, Outcome
from power_tuner.payloads import is_json

_SHOWN_CHARS = 300


class WithProcessors:
    """An invoker with a pre- and a post-processor around it.

    Args:
        invoke: Invokes the function.
        request: Names the processors.
        invoker_in: Returns an invoker for a region.
    """

    def __init__(
        self, invoke: Invoker, request: TuningInput, invoker_in: Callable[[str], Invoker]
    ) -> None:
        self._invoke = invoke
        self._pre = request.pre_processor_arn
        self._post = request.post_processor_arn
        self._secret = request.disable_payload_logs
        self._pre_invoke = invoker_in(region_of(self._pre)) if self._pre else None
        self._post_invoke = invoker_in(region_of(self._post)) if self._post else None

    def __call__(self, function_arn: str, payload: bytes) -> Outcome:
        """Invoke pre-processor, function and post-processor; the outcome says what was sent.

        Raises:
            ProcessorFailed: A processor failed.
        """
        if self._pre_invoke:
            output = self._process(self._pre_invoke, "preProcessorARN", self._pre, payload)
            payload = payload if is_empty(output) else _as_json(output)
        outcome = replace(self._invoke(function_arn, payload), sent=payload)
        if self._post_invoke:
            answer = _as_json(outcome.payload)
            self._process(self._post_invoke, "postProcessorARN", self._post, answer)
        return outcome

    def _process(self, invoke: Invoker, key: str, arn: str, payload: bytes) -> bytes:
        try:
            outcome = invoke(arn, payload)
        except FunctionGone as error:
            raise ProcessorFailed(f"{key}: there is no function {arn}") from error
        except ClientError as error:
            if not is_denied(error):
                raise
            raise ProcessorFailed(
                f"{key}: the tuner is not allowed to invoke {arn}; its ARN must be among the "
                "processor_function_arns that the tuner was deployed with"
            ) from error
        # a processor is not measured: it may do without a REPORT
        if outcome.failed:
            words = f"{key}: {arn} failed with {outcome.error_type}"
            if not self._secret:
                sent = payload.decode(errors="replace")[:_SHOWN_CHARS]
                words += f": {outcome.error_message[:_SHOWN_CHARS]} (sent: {sent})"
            raise ProcessorFailed(words)
        return outcome.payload


def is_empty(output: bytes) -> bool:
    """Return whether a pre-processor gave nothing: no output, null or an empty string."""
    return output.strip() in (b"", b"null", b'""')


def _as_json(output: bytes) -> bytes:
    """Return an output as Lambda takes it: not every runtime's answer is JSON."""
    text = output.decode("utf-8-sig", errors="replace")
    if not text.strip() or is_json(text):
        return output.removeprefix(codecs.BOM_UTF8)
    return json.dumps(text, ensure_ascii=False).encode()


def region_of(arn: str) -> str:
    """Return the region of a function's ARN."""
    return FunctionArn.parse(arn).region
