"""One invocation: what is retried, what is read from the answer."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from power_tuner.errors import FunctionGone
from power_tuner.function import Deadline
from power_tuner.invoker import GaveUpError, LambdaInvoker

REPORT = "REPORT RequestId: r-1\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\t"


def answer(payload: Any = None, log: str = REPORT, error: str = "") -> dict[str, Any]:
    body = {
        "StatusCode": 200,
        "Payload": io.BytesIO(json.dumps(payload).encode()),
        "LogResult": base64.b64encode(log.encode()).decode(),
        "ResponseMetadata": {"RequestId": "r-1"},
    }
    return body | ({"FunctionError": error} if error else {})


def refusal(code: str, status: int = 429) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "Invoke",
    )


class FakeLambda:
    """Answers invocations with what it is given, the last for ever."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.calls: list[dict[str, Any]] = []

    def invoke_with_response_stream(self, **arguments: Any) -> Any:
        return self.invoke(**arguments)

    def invoke(self, **arguments: Any) -> Any:
        self.calls.append(arguments)
        given = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(given, Exception):
            raise given
        return given


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def invoker(
    *answers: Any, left_s: float = 1000, **options: Any
) -> tuple[LambdaInvoker, FakeLambda, Clock]:
    clock, client = Clock(), FakeLambda(*answers)
    deadline = Deadline(left_s, clock, clock.sleep)
    return LambdaInvoker(client, deadline, jitter=lambda most: most, **options), client, clock


def test_success() -> None:
    """The tail of the log is asked for, and its REPORT read."""
    invoke, client, _ = invoker(answer({"a": 1}))
    outcome = invoke("arn:1", b'{"x":1}')
    assert client.calls == [{"FunctionName": "arn:1", "LogType": "Tail", "Payload": b'{"x":1}'}]
    assert outcome.report is not None
    assert outcome.report.duration_ms == 12.34
    assert (outcome.payload, outcome.failed, outcome.retries) == (b'{"a": 1}', False, 0)


@pytest.mark.parametrize(
    "error",
    [
        refusal("TooManyRequestsException"),
        refusal("ServiceException", 500),
        refusal("ResourceConflictException", 409),
        refusal("EC2ThrottledException", 502),
        refusal("SomethingNew", 503),
        ConnectTimeoutError(endpoint_url="https://lambda"),
    ],
)
def test_refusals_are_retried_and_counted(error: Exception) -> None:
    """Throttles and service errors are retried with growing pauses, and counted."""
    invoke, client, clock = invoker(error, error, answer())
    assert invoke("arn:1", b"1").retries == 2
    assert len(client.calls) == 3
    assert clock.slept == [0.5, 1.0]


def test_pauses_have_a_limit_and_an_end() -> None:
    """After twelve tries it is given up; no pause is longer than 20 seconds."""
    invoke, client, clock = invoker(refusal("ServiceException", 500), left_s=10_000)
    with pytest.raises(GaveUpError) as caught:
        invoke("arn:1", b"1")
    assert len(client.calls) == 12
    assert max(clock.slept) == 20
    assert (caught.value.retries, caught.value.out_of_time) == (12, False)


def test_throttles_are_waited_out() -> None:
    """A throttle is no reason to give up as long as others of the function are answered."""
    throttled = refusal("TooManyRequestsException")
    invoke, _, clock = invoker(*[throttled] * 40, answer(), left_s=10_000)
    pause = clock.sleep
    others = iter(range(100))

    def others_are_answered(seconds: float) -> None:
        pause(seconds)
        if next(others) % 5 == 0:
            invoke._answered_at = clock()  # what an answer in another thread does

    invoke._deadline = Deadline(10_000, clock, others_are_answered)
    assert invoke("arn:1", b"1").retries == 40


@pytest.mark.parametrize(("longest_s", "given_up_at"), [(0, 120), (60, 180)])
def test_throttles_for_good(longest_s: float, given_up_at: float) -> None:
    """Nothing answered for as long as an invocation can take, and two minutes: it is hopeless."""
    throttled = refusal("TooManyRequestsException")
    invoke, _, clock = invoker(throttled, left_s=10_000, longest_s=longest_s)
    with pytest.raises(GaveUpError) as caught:
        invoke("arn:1", b"1")
    assert not caught.value.out_of_time
    assert given_up_at < clock.now <= given_up_at + 20


def test_answers_of_no_interest() -> None:
    """A large answer is read to its end, not kept; that of a function which failed is."""
    large = answer("x" * 1_000_000)
    invoke, _, _ = invoker(large, keeps_answers=False)
    assert invoke("arn:1", b"1").payload == b""
    assert large["Payload"].read() == b""
    failed = answer({"errorType": "ValueError", "errorMessage": "no"}, error="Unhandled")
    invoke, _, _ = invoker(failed, keeps_answers=False)
    assert invoke("arn:1", b"1").error_message == "no"


def test_no_time_to_retry() -> None:
    """A retry that would come too late is left to the next pass."""
    invoke, _, _ = invoker(refusal("TooManyRequestsException"), left_s=0.2)
    with pytest.raises(GaveUpError) as caught:
        invoke("arn:1", b"1")
    assert caught.value.out_of_time


def test_deleted_function() -> None:
    """A version that is gone is not retried."""
    invoke, client, _ = invoker(refusal("ResourceNotFoundException", 404))
    with pytest.raises(FunctionGone, match=r"arn:1 does not exist"):
        invoke("arn:1", b"1")
    assert len(client.calls) == 1


def test_a_snapshot_that_cannot_be_used() -> None:
    """The version is no good, others may be: it is given up, not retried."""
    invoke, client, _ = invoker(refusal("SnapStartException", 400))
    with pytest.raises(GaveUpError, match="SnapStartException") as caught:
        invoke("arn:1", b"1")
    assert (caught.value.retries, caught.value.out_of_time, len(client.calls)) == (0, False, 1)


def test_denied() -> None:
    """What IAM refuses is not retried."""
    invoke, client, _ = invoker(refusal("AccessDeniedException", 403))
    with pytest.raises(ClientError):
        invoke("arn:1", b"1")
    assert len(client.calls) == 1


def test_no_answer_in_time() -> None:
    """An invocation without an answer has run: it is not sent again."""
    invoke, client, _ = invoker(ReadTimeoutError(endpoint_url="https://lambda"))
    outcome = invoke("arn:1", b"1")
    assert outcome.killed
    assert outcome.failed
    assert len(client.calls) == 1


@pytest.mark.parametrize(
    ("payload", "error_type", "killed"),
    [
        ({"errorType": "ValueError", "errorMessage": "boom"}, "ValueError", False),
        ({"errorType": "Sandbox.Timedout", "errorMessage": "x"}, "Sandbox.Timedout", True),
        (
            {"errorMessage": "2026-11-20T22:43:00Z r-1 Task timed out after 3.00 seconds"},
            "Sandbox.Timedout",
            True,
        ),
        (
            {
                "errorType": "Runtime.ExitError",
                "errorMessage": "Error: Runtime exited with error: signal: killed",
            },
            "Runtime.ExitError",
            True,
        ),
        ({"errorType": "Runtime.OutOfMemory", "errorMessage": "x"}, "Runtime.OutOfMemory", True),
        ({"errorType": "Extension.Crash", "errorMessage": "x"}, "Extension.Crash", True),
        (
            {"errorMessage": "RequestId: r-1 Process exited before completing request"},
            "Runtime.ExitError",
            True,
        ),
        # the embedded AWS has one type for all, and Lambda's message
        (
            {
                "errorType": "Runtime.HandlerError",
                "errorMessage": "RequestId: r-1 Error: Runtime exited with error: signal: killed",
            },
            "Runtime.HandlerError",
            True,
        ),
        # what a function says of something else is an error of its own
        *(
            ({"errorType": error_type, "errorMessage": message}, error_type, False)
            for error_type in ("ChildFailed", "Error", "Runtime.HandlerError")
            for message in (
                "child: 2026-05-01T00:00:00Z r-9 Task timed out after 3.00 seconds",
                "ffmpeg: signal: killed",
                "CUDA out of memory, falling back",
                "RequestId: r-9 Error: Runtime exited with error: exit status 1",
                "Runtime exited",
            )
        ),
        ({"errorMessage": "child: Task timed out after 3.00 seconds"}, "Unknown", False),
        ({"errorMessage": "no type"}, "Unknown", False),
        ("text", "Unknown", False),
    ],
)
def test_function_errors(payload: Any, error_type: str, killed: bool) -> None:
    """A FunctionError answers 200: its type is read, and whether Lambda killed the function."""
    invoke, _, _ = invoker(answer(payload, error="Unhandled"))
    outcome = invoke("arn:1", b"1")
    assert (outcome.error_type, outcome.killed, outcome.failed) == (error_type, killed, True)


@pytest.mark.parametrize(
    ("written", "killed"),
    [
        ("r-1 Task timed out after 3.00 seconds\n\n", True),
        ("[ERROR] RuntimeError: Task timed out after 3.00 seconds\nTraceback\n", False),
        ('{"errorMessage": "Task timed out after 3.00 seconds", "errorType": "X"}\n', False),
        ('ERROR Invoke Error {"errorMessage":"Task timed out after 3.00 seconds"}\n', False),
    ],
)
def test_a_time_out_of_something_else_is_no_time_out(written: str, killed: bool) -> None:
    """The embedded AWS types an error by its words; the log tells whether it was raised."""
    error = {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 3.00 seconds"}
    invoke, _, _ = invoker(answer(error, log=written + REPORT, error="Unhandled"))
    assert invoke("arn:1", b"1").killed is killed


def test_no_report() -> None:
    """An answer without a REPORT is no failure of the function, and no measurement."""
    invoke, _, _ = invoker(answer(1, log="all that was printed"))
    outcome = invoke("arn:1", b"1")
    assert (outcome.report, outcome.error_type, outcome.failed) == (None, "NoReport", False)


def stream(*pieces: bytes, log: str = REPORT, **end: str) -> dict[str, Any]:
    """An answer of InvokeWithResponseStream."""
    complete = {"LogResult": base64.b64encode(log.encode()).decode(), **end}
    events = [{"PayloadChunk": {"Payload": piece}} for piece in pieces]
    return {
        "EventStream": iter([*events, {"InvokeComplete": complete}]),
        "ResponseMetadata": {"RequestId": "r-1"},
    }


def test_streamed_answers() -> None:
    """The closing event has the REPORT; the pieces are kept where somebody wants them."""
    invoke, _, _ = invoker(stream(b"on", b"e"), streams=True)
    outcome = invoke("f", b"{}")
    assert outcome.report is not None
    assert (outcome.report.duration_ms, outcome.payload) == (12.34, b"one")
    invoke, _, _ = invoker(stream(b"on", b"e"), streams=True, keeps_answers=False)
    assert invoke("f", b"{}").payload == b""


@pytest.mark.parametrize(
    ("code", "details", "found"),
    [
        ("Unhandled", '{"errorType": "ValueError", "errorMessage": "no"}', ("ValueError", "no")),
        ("Unhandled", '{"errorType": "Runtime.ExitError"}', ("Runtime.ExitError", "")),
        ("Runtime.StreamError", "broken off", ("Runtime.StreamError", "broken off")),
        ("Runtime.StreamError", '{"code": 1}', ("Runtime.StreamError", '{"code": 1}')),
        (
            "Unhandled",
            '{"errorMessage": "2026-11-30T01:02:03.004Z r-1 Task timed out after 3.00 seconds"}',
            ("Sandbox.Timedout", "2026-11-30T01:02:03.004Z r-1 Task timed out after 3.00 seconds"),
        ),
    ],
)
def test_errors_of_streamed_answers(code: str, details: str, found: tuple[str, str]) -> None:
    """As Invoke would have told them, even after the first pieces."""
    answered = stream(b"some", ErrorCode=code, ErrorDetails=details)
    invoke, _, _ = invoker(answered, streams=True)
    outcome = invoke("f", b"{}")
    assert (outcome.error_type, outcome.error_message) == found
    assert outcome.failed
    assert outcome.killed == (found[0] in ("Runtime.ExitError", "Sandbox.Timedout"))


def test_an_answer_that_is_too_large_says_how_to_measure_it() -> None:
    """Lambda refuses it whole, and streams it."""
    told = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": "Response payload size"}
    invoke, _, _ = invoker(answer(told, error="Unhandled"))
    assert '"invokeMode": "response_stream"' in invoke("f", b"{}").error_message


def test_a_stream_that_breaks_off_has_no_report() -> None:
    """And is no measurement."""
    broken = {"EventStream": iter([{"PayloadChunk": {"Payload": b"x"}}])}
    invoke, _, _ = invoker(broken, streams=True)
    assert invoke("f", b"{}").error_type == "NoReport"
