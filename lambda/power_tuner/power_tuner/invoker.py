"""One invocation: sent, retried while Lambda itself refuses it, and read."""

from __future__ import annotations

import base64
import contextlib
import json
import random
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ClientError, HTTPClientError, ReadTimeoutError
from botocore.exceptions import ConnectionError as AwsConnectionError

from lambda_dyno.tuner_contract import reports
from lambda_dyno.tuner_contract.reports import Report
from power_tuner.errors import FunctionGone
from power_tuner.function import Deadline, error_code

# Lambda did not run the function: asking again measures nothing twice.
_RETRIED = frozenset(
    {
        "EC2ThrottledException",
        "ENILimitReachedException",
        "EFSMountTimeoutException",
        "InternalFailure",
        "ProvisionedConcurrencyConfigNotFoundException",
        "RequestTimeout",
        "ResourceConflictException",  # the version is Pending
        "ResourceNotReadyException",
        "ServiceException",
        "ServiceUnavailable",
        "SnapStartNotReadyException",
        "SnapStartTimeoutException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# The function's concurrency, or the account's, is taken: whose turn it is shows with time alone.
# It ran into something that this version meets each time, and others may not.
_HOPELESS = frozenset({"SnapStartException"})
_THROTTLED = frozenset({"ThrottlingException", "TooManyRequestsException"})
_MOST_TRIES = 12
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 20.0
_PATIENCE_S = 120.0
_CHUNK_BYTES = 65_536
_LONGEST_TYPE = 100

# The function's environment was ended from outside: this memory size is no good, whatever
# the function itself would say to it. Lambda's own failures have types that no runtime gives to
# an exception; what an exception says, such as that something else was killed, is no evidence.
_KILLED_TYPES = frozenset(
    {"Extension.Crash", "Runtime.ExitError", "Runtime.OutOfMemory", "Sandbox.Timedout"}
)
# Lambda's older answers have no type, and the embedded AWS has one for all: there the message
# must be Lambda's from its first word to its last.
_KILLED_WORDS = (
    (
        "Sandbox.Timedout",
        re.compile(
            r"(?:[\dT:.-]+Z )?(?:RequestId: )?(?:(?P<id>[\w-]+) )?(?:Error: )?"
            r"Task timed out after [\d.]+ seconds"
        ),
    ),
    (
        "Runtime.ExitError",
        re.compile(
            r"RequestId: (?P<id>\S+) "
            r"(?:Error: Runtime exited.*|Process exited before completing request)"
        ),
    ),
)
_EMBEDDED_TYPE = "Runtime.HandlerError"
_TOO_LARGE = "Function.ResponseSizeTooLarge"
_STREAM_IT = ' ("invokeMode": "response_stream" measures a handler that streams its answer)'
NO_REPORT = "NoReport"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one invocation."""

    report: Report | None  # None if the log tail holds none
    payload: bytes = b""  # the function's answer
    error_type: str = ""  # empty if the function succeeded
    error_message: str = ""
    killed: bool = False  # by Lambda: out of memory, out of time
    retries: int = 0
    sent: bytes | None = None  # by a pre-processor, in the place of the payload

    @property
    def failed(self) -> bool:
        """Whether the function failed; one without a REPORT may have succeeded."""
        return self.error_type not in ("", NO_REPORT)


class Invoker(Protocol):
    """Invokes a function."""

    def __call__(self, function_arn: str, payload: bytes) -> Outcome:
        """Invoke, and return what came of it."""


class GaveUpError(Exception):
    """Lambda refused an invocation again and again.

    Attributes:
        retries: How often it was asked again.
        out_of_time: There was no time for another try; the invocation is still to be done.
    """

    def __init__(self, message: str, retries: int, *, out_of_time: bool) -> None:
        super().__init__(message)
        self.retries = retries
        self.out_of_time = out_of_time


class LambdaInvoker:
    """Invokes through boto3.

    Args:
        client: A Lambda client that does not retry by itself: a retry must be counted.
        deadline: Until when an invocation may be tried again.
        longest_s: Seconds that an invocation can take. Throttles are waited out as long as one
            of the others is answered within that time and two minutes.
        keeps_answers: Whether a successful function's answer is of interest. Many at once may
            be large.
        streams: Whether answers are streamed: as soon as they come, and of more than 6 MB.
        jitter: Returns a number from 0 to its argument.
    """

    def __init__(
        self,
        client: Any,
        deadline: Deadline,
        *,
        longest_s: float = 0.0,
        keeps_answers: bool = True,
        streams: bool = False,
        jitter: Callable[[float], float] = lambda most: random.uniform(0, most),  # noqa: S311
    ) -> None:
        self._client = client
        self._deadline = deadline
        self._patience_s = longest_s + _PATIENCE_S
        self._keeps_answers = keeps_answers
        self._streams = streams
        self._jitter = jitter
        self._answered_at = deadline.clock()

    def __call__(self, function_arn: str, payload: bytes) -> Outcome:
        """Invoke, and return what came of it.

        Raises:
            GaveUpError: Lambda refused it too often, or time is up.
            FunctionGone: There is no such function or version.
        """
        retries = 0
        while True:
            try:
                outcome = self._invoke(function_arn, payload, retries)
                self._answered_at = self._deadline.clock()
                return outcome
            except ReadTimeoutError as error:
                # it ran, and nobody knows for how long: not to be sent again
                return Outcome(None, error_type="NoAnswer", error_message=str(error), killed=True)
            except (ClientError, AwsConnectionError, HTTPClientError) as error:
                self._check(error, function_arn)
                retries += 1
                self._pause(error, retries)

    def _invoke(self, function_arn: str, payload: bytes, retries: int) -> Outcome:
        arguments = {"FunctionName": function_arn, "LogType": "Tail", "Payload": payload}
        if self._streams:
            answer, body = self._streamed(self._client.invoke_with_response_stream(**arguments))
        else:
            answer = self._client.invoke(**arguments)
            body = self._body(answer)
        return read(answer, body, retries)

    def _streamed(self, answer: Any) -> tuple[dict[str, Any], bytes]:
        """Return a streamed answer as Invoke would have it: its last event has log and error."""
        parts = []
        end: dict[str, Any] = {}
        for event in answer["EventStream"]:
            end = event.get("InvokeComplete", end)
            if self._keeps_answers and "PayloadChunk" in event:
                parts.append(event["PayloadChunk"]["Payload"])
        whole = {**answer, "LogResult": end.get("LogResult")}
        code = end.get("ErrorCode")
        if not code:
            return whole, b"".join(parts)
        details = str(end.get("ErrorDetails") or "")
        body = (
            details
            if _is_error(details)
            else json.dumps({"errorType": code, "errorMessage": details})
        )
        return whole | {"FunctionError": code}, body.encode()

    def _body(self, answer: Any) -> bytes:
        body: Any = answer["Payload"]
        if self._keeps_answers or answer.get("FunctionError"):
            content: bytes = body.read()
            return content
        while body.read(_CHUNK_BYTES):  # to its end: the connection is used again
            pass
        return b""

    def _check(self, error: Exception, function_arn: str) -> None:
        if not isinstance(error, ClientError):
            return
        code = error_code(error)
        if code == "ResourceNotFoundException":
            raise FunctionGone(
                f"{function_arn} does not exist: deleted while it was being tuned"
            ) from error
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _HOPELESS:
            raise GaveUpError(f"Lambda cannot run it: {error}", 0, out_of_time=False) from error
        if code not in _RETRIED and status < 500:
            raise error

    def _pause(self, error: Exception, retries: int) -> None:
        pause = self._jitter(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(retries, 10)))
        out_of_time = pause >= self._deadline.left_s
        hopeless = retries >= _MOST_TRIES
        if error_code(error) in _THROTTLED:
            hopeless = self._deadline.clock() - self._answered_at > self._patience_s
        if hopeless or out_of_time:
            raise GaveUpError(
                f"Lambda refused the invocation {retries} times: {error}",
                retries,
                out_of_time=out_of_time,
            ) from error
        self._deadline.sleep(pause)


def read(answer: Any, payload: bytes, retries: int = 0) -> Outcome:
    """Return what an Invoke response says."""
    log = base64.b64decode(answer.get("LogResult") or "").decode(errors="replace")
    request_id = answer.get("ResponseMetadata", {}).get("RequestId", "")
    report = reports.find(log, request_id)
    if answer.get("FunctionError"):
        error_type, message = _error(payload)
        ids = {known for known in (request_id, report.request_id if report else "") if known}
        killed = _was_killed(error_type, message, ids, log)
        if error_type == _TOO_LARGE and "EventStream" not in answer:
            message += _STREAM_IT
        return Outcome(report, payload, error_type, message, killed, retries)
    if report is None:
        return Outcome(
            None,
            payload,
            NO_REPORT,
            "the end of the invocation's log holds no REPORT line (a function that logs in JSON "
            "leaves it out at the system log level WARN)",
            retries=retries,
        )
    return Outcome(report, payload, retries=retries)


def _is_error(details: str) -> bool:
    """Return whether a streamed answer's ErrorDetails are what Invoke would have answered."""
    with contextlib.suppress(ValueError):
        found = json.loads(details)
        return isinstance(found, dict) and not {"errorType", "errorMessage"}.isdisjoint(found)
    return False


def _error(payload: bytes) -> tuple[str, str]:
    """Return type and message of a failed invocation's answer."""
    try:
        error = json.loads(payload)
    except ValueError:
        error = None
    if not isinstance(error, dict):
        return "Unknown", payload[:500].decode(errors="replace")
    message = str(error.get("errorMessage", ""))
    error_type = error.get("errorType") or _ended_by_lambda(message) or "Unknown"
    return str(error_type)[:_LONGEST_TYPE], message


def _was_killed(error_type: str, message: str, request_ids: Collection[str], log: str) -> bool:
    """Return whether Lambda ended the environment, rather than the function its invocation.

    Args:
        error_type: The error's.
        message: The error's.
        request_ids: Of the invocation: a function may pass on what Lambda said of another.
        log: The tail, where a runtime writes down what the function raised.
    """
    if error_type == _EMBEDDED_TYPE:
        return _ended_by_lambda(message, request_ids) != ""
    if message and error_type == "Sandbox.Timedout":
        # the embedded AWS has this type for an exception with these words as well
        raised = rf'(?:\[ERROR\] \S+: |"errorMessage": ?"){re.escape(message)}'
        return re.search(raised, log) is None
    return error_type in _KILLED_TYPES


def _ended_by_lambda(message: str, request_ids: Collection[str] = ()) -> str:
    """Return the type of Lambda's own failure whose whole message this is; empty if it is none.

    Args:
        message: The error's.
        request_ids: One of them must be in it, if there are any.
    """
    for error_type, pattern in _KILLED_WORDS:
        match = pattern.fullmatch(message.strip())
        if match and (not request_ids or match["id"] in (None, *request_ids)):
            return error_type
    return ""
