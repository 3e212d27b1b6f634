"""Answers of AWS, recorded in tests/data/aws_answers, given to real boto3 clients.

The real requests are made and signed, and the answers are parsed as botocore parses those of
AWS; only the wire between is replaced.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import boto3
import botocore.awsrequest

ANSWERS = Path(__file__).parents[1] / "data" / "aws_answers"


class _Body(io.BytesIO):
    """A body as urllib3 hands it to botocore."""

    def stream(self, **_: Any) -> Any:
        yield self.read()


class Recorded:
    """A session for an account that answers as recorded.

    Args:
        scenarios: Names of files; of an operation's answers the last file's are given, one for
            each request, the last of them again and again. An operation that no file has fails.

    Attributes:
        session: A boto3 session of eu-west-1.
        asked: Every request, such as "api-gateway.GetRestApis".
    """

    def __init__(self, *scenarios: str) -> None:
        self.asked: list[str] = []
        self._answers: dict[str, list[dict[str, Any]]] = {}
        for name in scenarios:
            self._answers |= json.loads((ANSWERS / f"{name}.json").read_text())["answers"]
        self.session = boto3.Session("AKIAEXAMPLE", "not-a-key", region_name="eu-west-1")
        self.session.events.register("before-send", self._answer)

    def _answer(self, request: Any, event_name: str, **_: Any) -> Any:
        operation = event_name.removeprefix("before-send.")
        self.asked.append(operation)
        answers = self._answers[operation]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        body = answer["body"]
        text = body if isinstance(body, str) else json.dumps(body)
        return botocore.awsrequest.AWSResponse(
            request.url, answer["status"], answer.get("headers", {}), _Body(text.encode())
        )
