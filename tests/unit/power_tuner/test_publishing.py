"""Changing and publishing $LATEST, by answers of AWS that the embedded one never gives."""

from __future__ import annotations

import pytest
from botocore.config import Config

from lambda_dyno.tuner_contract.arns import FunctionArn
from power_tuner.errors import AwsCallFailed, ExecutionEnded, FunctionChanged, StillWaiting
from power_tuner.function import Deadline, Function
from power_tuner.publishing import Publisher
from tests.support.aws_answers import Recorded
from tests.support.tuner_fakes import ARN, EXECUTIONS

CONFIG = {
    "Runtime": "python3.13",
    "Handler": "shop.handler",
    "Timeout": 3,
    "MemorySize": 1024,
    "CodeSha256": "code",
    "PackageType": "Zip",
    "Architectures": ["arm64"],
    "RevisionId": "r1",
}


class Case:
    """A publisher whose function answers as recorded, and a clock that only sleep moves."""

    def __init__(self, answers: str, left_s: float = 880.0) -> None:
        self.recorded = Recorded(answers)
        self.now = 0.0
        client = self.recorded.session.client(
            "lambda", config=Config(retries={"mode": "standard", "total_max_attempts": 2})
        )
        deadline = Deadline(left_s, lambda: self.now, self.sleep)
        function = Function(client, FunctionArn.parse(ARN), deadline)
        self.publisher = Publisher(function, f"{EXECUTIONS}:one")

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def asked(self, operation: str) -> int:
        return self.recorded.asked.count(f"lambda.{operation}")


def test_an_update_in_progress_is_waited_for() -> None:
    """PublishVersion may be refused though the last read said that the update is over."""
    case = Case("publish-in-progress")
    config, number = case.publisher.publish(CONFIG, "mine")
    assert (number, config["RevisionId"]) == ("7", "r3")
    assert case.asked("PublishVersion") == 3
    assert 0 < case.now < 1
    with pytest.raises(StillWaiting):
        Case("publish-in-progress", left_s=0.1).publisher.publish(CONFIG, "mine")


def test_a_stale_read_is_told_from_a_change() -> None:
    """Nothing but the RevisionId differs, and the lock is ours: tried again with the newest."""
    case = Case("publish-stale-read")
    _, number = case.publisher.publish(CONFIG, "mine")
    assert number == "7"
    assert case.asked("PublishVersion") == 3
    case = Case("memory-stale-read")
    assert case.publisher.set_memory(CONFIG, 2048)["RevisionId"] == "r4"


@pytest.mark.parametrize(
    ("answers", "error", "words", "attempts"),
    [
        ("publish-after-deployment", FunctionChanged, "changed CodeSha256", 1),
        ("publish-other-memory", FunctionChanged, "the memory size", 1),
        ("publish-refused-for-ever", FunctionChanged, "by somebody else", 4),
        ("publish-without-lock", ExecutionEnded, "was stopped", 1),
    ],
)
def test_a_change_is_no_stale_read(
    answers: str, error: type[Exception], words: str, attempts: int
) -> None:
    """A deployment, another memory size, a lost lock: nothing more is published."""
    case = Case(answers)
    with pytest.raises(error, match=words):
        case.publisher.publish(CONFIG, "mine")
    assert case.asked("PublishVersion") == attempts


def test_throttling_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """By botocore, as the tuner sets it up."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    case = Case("publish-throttled")
    assert case.publisher.publish(CONFIG, "mine")[1] == "7"
    assert case.asked("PublishVersion") == case.asked("GetFunctionConfiguration") == 2


@pytest.mark.parametrize("answers", ["memory-above-limit", "memory-above-limit-2"])
def test_the_memory_limit_of_a_new_account_is_named(answers: str) -> None:
    """No API tells it, so the refusal must: size, limit, and what to do."""
    with pytest.raises(AwsCallFailed) as caught:
        Case(answers).publisher.set_memory(CONFIG, 4096)
    said = str(caught.value)
    assert "cannot have 4096 MB" in said
    assert "3008 MB at most" in said
    assert "new accounts" in said
    assert "Service Quotas" in said
