"""Lambda functions of several files and layers, and what their callers see."""

from __future__ import annotations

import base64
import io
import json
import re
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from tests.support.waiting import RUN_HANGS_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_dyno.emulator.boto_session import LocalSession

_UNIX = 3


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

    @property
    def said(self) -> list[str]:
        """Return the lines of the log that are the function's own."""
        platform = ("START ", "END ", "REPORT ")
        return [line for line in self.log.splitlines() if line and not line.startswith(platform)]


def invoke(session: LocalSession, name: str, **event: Any) -> Answer:
    """Invoke a function and read its log tail."""
    config = Config(retries={"max_attempts": 0}, read_timeout=RUN_HANGS_S)
    lambdas = session.client("lambda", config=config)
    begin = time.perf_counter()
    answer = lambdas.invoke(FunctionName=name, LogType="Tail", Payload=json.dumps(event))
    felt_ms = (time.perf_counter() - begin) * 1000
    log = base64.b64decode(answer["LogResult"]).decode()
    return Answer(json.load(answer["Payload"]), answer.get("FunctionError"), log, felt_ms)


def archive(files: Mapping[str, str]) -> bytes:
    """Return an archive of texts; one whose name ends with "*" is a program, with "@" a link."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as written:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name.rstrip("*@"))
            entry.create_system = _UNIX
            mode = {"*": 0o100755, "@": 0o120777}.get(name[-1], 0o100644)
            entry.external_attr = mode << 16
            written.writestr(entry, text)
    return packed.getvalue()


def layer(session: LocalSession, name: str, files: Mapping[str, str]) -> str:
    """Publish a layer; return its ARN."""
    published = session.client("lambda").publish_layer_version(
        LayerName=name, Content={"ZipFile": archive(files)}
    )
    return str(published["LayerVersionArn"])
