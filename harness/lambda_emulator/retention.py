"""How much the embedded AWS keeps of what nobody deletes: the newest logs and metrics.

Part of the server's program (`front.py`). MiniStack keeps every line of every invocation
in memory, each in a log stream of its own, and four points of metrics: 4.7 kB that never go (93 MB
in 20,000 invocations; with this 8 MB, and no more after the first thousands). On AWS retention ends
that; here the oldest go when there are too many.

MiniStack has no public place for it. What is replaced are the two functions that all ways into a
log and into a metric pass, under their account and region; tests/emulator/test_retention_seams.py
holds that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping
from itertools import islice
from typing import Any

# Invocations of a log group, 2 kB each; a tuning at ten sizes makes 1,000.
MOST_STREAMS = 2_000
# Lines of a stream, which only a caller of PutLogEvents fills.
MOST_EVENTS = 10_000
# Points of a metric, of which a function has four, 0.4 kB each.
MOST_POINTS = 2_000

# 2026/11/29/[$LATEST]0123456789abcdef0123456789abcdef: one invocation's
_OF_A_FUNCTION = re.compile(r"\d{4}/\d\d/\d\d/\[[^\]]*\][0-9a-f]{32}")
# How far to look for one behind the streams that somebody made, which are older and stay.
_LOOKED_AT = 100


def bound(
    *,
    most_streams: int = MOST_STREAMS,
    most_events: int = MOST_EVENTS,
    most_points: int = MOST_POINTS,
) -> None:
    """Let MiniStack forget the oldest of its logs and metrics from now on.

    Args:
        most_streams: Invocations that a log group keeps.
        most_events: Lines that a stream keeps.
        most_points: Points that a metric keeps.
    """
    from ministack.services import cloudwatch, cloudwatch_logs

    _bound_logs(cloudwatch_logs, most_streams, most_events)
    _bound_metrics(cloudwatch, most_points)


def _bound_logs(logs: Any, most_streams: int, most_events: int) -> None:
    hand_on: Callable[[str, str, list[Any]], None] = logs._fanout_to_subscription_filters

    def handed_on(group_name: str, stream_name: str, events: list[Any]) -> None:
        hand_on(group_name, stream_name, events)
        group = logs._log_groups.get(group_name)
        if group is None:
            return
        with logs._log_events_lock:
            _forget_streams(group["streams"], most_streams)
            stream = group["streams"].get(stream_name)
            gone = _forget_oldest(stream["events"], most_events) if stream else []
        for event in gone:  # what GetLogRecord finds; invocations have none
            logs._log_records.pop(event.get("eventId"), None)

    logs._fanout_to_subscription_filters = handed_on


def _bound_metrics(metrics: Any, most_points: int) -> None:
    find: Callable[[Any], list[Any]] = metrics._metric_bucket

    def found(key: Any) -> list[Any]:
        points = find(key)
        _forget_oldest(points, most_points)
        return points

    metrics._metric_bucket = found


def _forget_streams(streams: MutableMapping[str, Any], most: int) -> None:
    """Remove the oldest invocations; a dict keeps the order in which they came."""
    while len(streams) > most:
        oldest = next(filter(_OF_A_FUNCTION.fullmatch, islice(streams, _LOOKED_AT)), None)
        if oldest is None:
            return
        del streams[oldest]


def _forget_oldest(entries: list[Any], most: int) -> list[Any]:
    """Remove and return the oldest, a tenth more than there need be: not one each time."""
    if len(entries) <= most:
        return []
    count = len(entries) - most + most // 10
    gone = entries[:count]
    del entries[:count]
    return gone
