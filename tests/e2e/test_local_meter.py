"""The Lambda meter on the embedded AWS: what a caller sees of a function's memory size."""

from __future__ import annotations

import base64
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from harness.local import meter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.local.server import LocalServer
    from harness.local.session import LocalSession

pytestmark = pytest.mark.e2e

SOURCE = """
import time

def handler(event, context):
    print("handler at work")
    end = time.thread_time() + event.get("cpu_ms", 0) / 1000
    while time.thread_time() < end:
        pass
    time.sleep(event.get("sleep_ms", 0) / 1000)
    if "fail" in event:
        raise ValueError(event["fail"])
    return event
"""


@dataclass(frozen=True)
class Answer:
    """One invocation as its caller sees it."""

    payload: Any
    error: str | None
    log: str
    felt_ms: float

    def report(self, name: str) -> float | None:
        """Return a number of the REPORT line."""
        found = re.search(rf"\t{name}: ([\d.]+) M?m?[Bs]+", self.log)
        return float(found[1]) if found else None

    @property
    def duration_ms(self) -> float:
        """Return what the REPORT line gives as Duration."""
        duration = self.report("Duration")
        assert duration is not None, self.log
        return duration


def invoke(session: LocalSession, name: str, **event: Any) -> Answer:
    """Invoke a function and read its log tail."""
    lambdas = session.client("lambda")
    begin = time.perf_counter()
    answer = lambdas.invoke(FunctionName=name, LogType="Tail", Payload=json.dumps(event))
    felt_ms = (time.perf_counter() - begin) * 1000
    log = base64.b64decode(answer["LogResult"]).decode()
    return Answer(json.load(answer["Payload"]), answer.get("FunctionError"), log, felt_ms)


@pytest.fixture
def reported(embedded_aws: LocalServer) -> Iterator[None]:
    """The meter reports without making callers wait, for the time of a test."""
    meter.set_mode(embedded_aws.home, "reported")
    yield
    meter.set_mode(embedded_aws.home, "felt")


@pytest.fixture(scope="module")
def small(aws_session: LocalSession, deploy_function: Any) -> str:
    """A function of 128 MB with a timeout of 2 s."""
    return str(deploy_function(aws_session, "small", SOURCE, MemorySize=128, Timeout=2))


def test_log_tail_is_that_of_aws(aws_session: LocalSession, deploy_function: Any) -> None:
    """START, the handler's own lines, END and REPORT, cold with Init Duration and warm without."""
    name = deploy_function(aws_session, "fresh", SOURCE, MemorySize=256)
    cold, warm = invoke(aws_session, name), invoke(aws_session, name)

    for answer in (cold, warm):
        lines = answer.log.splitlines()
        assert [line.split(" RequestId")[0] for line in lines] == [
            "START",
            "handler at work",
            "END",
            "REPORT",
        ]
        ids = re.findall(r"RequestId: ([0-9a-f-]{36})", answer.log)
        assert len(set(ids)) == 1
        assert answer.report("Memory Size") == 256
        assert 10 < (answer.report("Max Memory Used") or 0) < 256
    init_ms = cold.report("Init Duration")
    assert init_ms is not None
    assert 20 < init_ms < 3000
    assert cold.report("Billed Duration") == pytest.approx(cold.duration_ms + init_ms, abs=1.02)
    assert warm.report("Init Duration") is None


# AWS's own means for 17 ms of CPU time: data set cpu17ms
@pytest.mark.parametrize(("memory_mb", "aws_ms"), [(128, 223), (487, 49), (752, 22.6)])
def test_duration_follows_the_memory_size(
    aws_session: LocalSession, deploy_function: Any, memory_mb: int, aws_ms: float
) -> None:
    """A function of 17 ms CPU time takes what it took on AWS, and callers feel it."""
    name = deploy_function(aws_session, f"size-{memory_mb}", SOURCE, MemorySize=memory_mb)
    invoke(aws_session, name)
    answer = invoke(aws_session, name, cpu_ms=17)

    assert answer.duration_ms == pytest.approx(aws_ms, rel=0.15)
    assert answer.felt_ms >= answer.duration_ms


def test_reported_mode_does_not_wait(aws_session: LocalSession, small: str, reported: None) -> None:
    """Without the wait the REPORT is the same, and the caller gets his answer early."""
    invoke(aws_session, small)
    answer = invoke(aws_session, small, cpu_ms=50)

    assert answer.duration_ms == pytest.approx(50 * 1769 / 128, rel=0.05)
    assert answer.felt_ms < 0.8 * answer.duration_ms


def test_sleeping_is_not_stretched(aws_session: LocalSession, small: str) -> None:
    """Waiting takes as long at 128 MB as anywhere."""
    invoke(aws_session, small)

    assert invoke(aws_session, small, sleep_ms=80).duration_ms == pytest.approx(81, abs=8)


@pytest.mark.parametrize("event", [{"sleep_ms": 9000}, {"cpu_ms": 400}], ids=["sleeps", "modelled"])
def test_timeout_is_reported_as_on_aws(
    aws_session: LocalSession, small: str, event: dict[str, int]
) -> None:
    """An invocation that would take longer than the timeout ends there, with its REPORT."""
    answer = invoke(aws_session, small, **event)

    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 2.00 seconds" in answer.payload["errorMessage"]
    assert answer.duration_ms == 2000
    assert "\tStatus: timeout" in answer.log
    assert 1900 < answer.felt_ms < 4000
    assert invoke(aws_session, small).error is None, "the next one gets a new environment"


def test_failed_invocation_is_reported_too(aws_session: LocalSession, small: str) -> None:
    """The traceback stands before END, and the REPORT ends the log."""
    answer = invoke(aws_session, small, fail="no good")

    assert answer.error == "Unhandled"
    assert answer.payload["errorMessage"] == "no good"
    assert answer.log.index("[ERROR] ValueError: no good") < answer.log.index("END RequestId")
    assert answer.log.splitlines()[-1].startswith("REPORT RequestId")


def test_json_log_format(aws_session: LocalSession, deploy_function: Any) -> None:
    """A function with LogFormat JSON gets platform.start and platform.report."""
    name = deploy_function(
        aws_session, "as-json", SOURCE, MemorySize=512, LoggingConfig={"LogFormat": "JSON"}
    )
    log = invoke(aws_session, name, cpu_ms=2).log

    events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert [event["type"] for event in events] == ["platform.start", "platform.report"]
    metrics = events[1]["record"]["metrics"]
    assert metrics["memorySizeMB"] == 512
    assert metrics["billedDurationMs"] == pytest.approx(
        metrics["durationMs"] + metrics["initDurationMs"], abs=1.02
    )
