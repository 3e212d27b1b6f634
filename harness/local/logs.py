"""How much of its functions' logs the embedded AWS keeps: the newest, as much as people look at.

Part of the server's program (`front.py`), so it imports nothing of the harness. MiniStack keeps
every line of every invocation in memory, each in a log stream of its own: 2.6 kB that never go, so
a server of days under load takes gigabytes. On AWS a log group's retention would end that; here the
oldest streams of a group go when there are too many.

MiniStack has no public place for it. What is replaced is the one function that both ways into a log
pass last, under its account and region; tests/contract/test_log_seams.py holds that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping
from itertools import islice
from typing import Any

# Of a log group: 2.6 kB each, so 5 MB; a tuning at ten sizes makes 1,000.
MOST_STREAMS = 2_000
# Of one stream, which only a caller of PutLogEvents fills.
MOST_EVENTS = 10_000

# 2026/11/29/[$LATEST]0123456789abcdef0123456789abcdef: one invocation's
_OF_A_FUNCTION = re.compile(r"\d{4}/\d\d/\d\d/\[[^\]]*\][0-9a-f]{32}")
# How far to look for one behind the streams that somebody made, which are older and stay.
_LOOKED_AT = 100

Group = MutableMapping[str, Any]


def bound(most_streams: int = MOST_STREAMS, most_events: int = MOST_EVENTS) -> None:
    """Let MiniStack forget the oldest of its logs from now on.

    Args:
        most_streams: Invocations that a log group keeps.
        most_events: Lines that a stream keeps.
    """
    from ministack.services import cloudwatch_logs

    logs: Any = cloudwatch_logs
    hand_on: Callable[[str, str, list[Any]], None] = logs._fanout_to_subscription_filters

    def handed_on(group_name: str, stream_name: str, events: list[Any]) -> None:
        hand_on(group_name, stream_name, events)
        group = logs._log_groups.get(group_name)
        if group is None:
            return
        with logs._log_events_lock:
            _forget_streams(group["streams"], most_streams)
            stream = group["streams"].get(stream_name)
            gone = _forget_events(stream["events"], most_events) if stream else []
        for event in gone:  # what GetLogRecord finds; invocations have none
            logs._log_records.pop(event.get("eventId"), None)

    logs._fanout_to_subscription_filters = handed_on


def _forget_streams(streams: Group, most: int) -> None:
    """Remove the oldest invocations; a dict keeps the order in which they came."""
    while len(streams) > most:
        oldest = next(filter(_OF_A_FUNCTION.fullmatch, islice(streams, _LOOKED_AT)), None)
        if oldest is None:
            return
        del streams[oldest]


def _forget_events(events: list[Any], most: int) -> list[Any]:
    """Remove and return the oldest lines, a tenth more than there need be: not at each line."""
    if len(events) <= most:
        return []
    count = len(events) - most + most // 10
    gone = events[:count]
    del events[:count]
    return gone
