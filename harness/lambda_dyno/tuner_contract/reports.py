"""What Lambda reports of an invocation at the end of its log: the REPORT line.

A function logs in text or in JSON, as its logging configuration says. The log tail that an
invocation returns holds at most the last 4 KB, so it may start in the middle of a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_TEXT_REPORT = re.compile(r"REPORT RequestId: (?P<request_id>\S+)(?P<fields>[^\r\n]*)")
_DURATION = re.compile(
    r"(?P<kind>Billed Restore |Billed |Init |Restore |)Duration: (?P<ms>\d+(?:\.\d+)?) ms"
)
_MAX_MEMORY = re.compile(r"Max Memory Used: (?P<mb>\d+) MB")
_JSON = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Report:
    """One REPORT; parts that it does not have are 0."""

    request_id: str
    duration_ms: float
    billed_duration_ms: float
    init_duration_ms: float = 0.0
    restore_duration_ms: float = 0.0
    billed_restore_duration_ms: float = 0.0
    max_memory_used_mb: int = 0

    @property
    def total_ms(self) -> float:
        """What a caller waits for: the handler, and the start of its environment."""
        return self.duration_ms + self.init_duration_ms + self.restore_duration_ms

    @property
    def billed_ms(self) -> float:
        """What is paid for."""
        return self.billed_duration_ms + self.billed_restore_duration_ms

    @property
    def cold(self) -> bool:
        """Whether the invocation started an environment."""
        return self.init_duration_ms > 0 or self.restore_duration_ms > 0


def find(log: str, request_id: str = "") -> Report | None:
    """Return the REPORT of an invocation, or None if the log has none.

    Args:
        log: The log tail, decoded.
        request_id: The invocation's; if no REPORT carries it, the last one counts, since what
            a function prints itself comes before Lambda's own line.
    """
    found = sorted([*_json_reports(log), *_text_reports(log)], key=lambda item: item[0])
    reports = [report for _, report in found]
    own = [report for report in reports if request_id and report.request_id == request_id]
    candidates = own or reports
    return candidates[-1] if candidates else None


def _text_reports(log: str) -> Iterator[tuple[int, Report]]:
    """Find REPORT lines, with their positions."""
    for match in _TEXT_REPORT.finditer(log):
        fields = match["fields"]
        durations = {d["kind"].strip(): float(d["ms"]) for d in _DURATION.finditer(fields)}
        memory = _MAX_MEMORY.search(fields)
        report = Report(
            request_id=match["request_id"],
            duration_ms=durations.get("", 0.0),
            billed_duration_ms=durations.get("Billed", 0.0),
            init_duration_ms=durations.get("Init", 0.0),
            restore_duration_ms=durations.get("Restore", 0.0),
            billed_restore_duration_ms=durations.get("Billed Restore", 0.0),
            max_memory_used_mb=int(memory["mb"]) if memory else 0,
        )
        yield match.start(), report


def _json_reports(log: str) -> Iterator[tuple[int, Report]]:
    """Find JSON reports on one line, over many lines, and between other lines."""
    for position, value in _json_objects(log):
        record = value.get("record")
        if value.get("type") != "platform.report" or not isinstance(record, dict):
            continue
        metrics = record.get("metrics")
        if isinstance(metrics, dict):
            report = Report(
                request_id=str(record.get("requestId", "")),
                duration_ms=_number(metrics, "durationMs"),
                billed_duration_ms=_number(metrics, "billedDurationMs"),
                init_duration_ms=_number(metrics, "initDurationMs"),
                restore_duration_ms=_number(metrics, "restoreDurationMs"),
                billed_restore_duration_ms=_number(metrics, "billedRestoreDurationMs"),
                max_memory_used_mb=int(_number(metrics, "maxMemoryUsedMB")),
            )
            yield position, report


def _json_objects(log: str) -> Iterator[tuple[int, dict[str, Any]]]:
    position = log.find("{")
    while position >= 0:
        try:
            value, end = _JSON.raw_decode(log, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            if isinstance(value, dict):
                yield position, value
        position = log.find("{", end)


def _number(metrics: dict[str, Any], key: str) -> float:
    value = metrics.get(key, 0)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
