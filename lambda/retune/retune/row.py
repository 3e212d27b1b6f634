"""The row that a retuning adds to the evidence store, and where."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from retune import outcome
from retune.errors import RowNotWritten

SCHEMA = "v1"
CAUSES = ("alarm", "alias", "schedule", "traffic")
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_TEXT = re.compile(r"[\x20-\x7e]{0,512}")


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its name in the store, and what is in it."""

    id: str
    content: dict[str, Any]

    def key(self, store_prefix: str) -> str:
        """Return the object's key; the prefix, such as `dyno/dev/main/`, ends with a slash."""
        return f"{store_prefix}retunings/{SCHEMA}/{self.id}.json"

    @property
    def body(self) -> bytes:
        """One line of JSON, as Athena and DuckDB read it."""
        return json.dumps(self.content, allow_nan=False, sort_keys=True).encode() + b"\n"


def make(event: Mapping[str, Any], ended_at: str) -> Row:
    """Return the row of a retuning, whether it came to figures or not.

    Args:
        event: What the state machine passes: `retuning`, `function`, `request` and `outcome`.
        ended_at: When the tuning was over, as ISO 8601.

    Raises:
        RowNotWritten: Something in it has not the form that it must have.
    """
    retuning, function, request = event["retuning"], event["function"], event["request"]
    result: Mapping[str, Any] = event["outcome"]
    if request["cause"] not in CAUSES:
        raise RowNotWritten(f"{request['cause']!r} is no cause: {', '.join(CAUSES)}")
    content: dict[str, Any] = {
        "retuning_id": _id(retuning["id"]),
        "execution_arn": _text(retuning["execution_arn"]),
        "started_at": _text(retuning["started_at"]),
        "ended_at": ended_at,
        "env": _text(function["environment"]),
        "function_key": _text(request["function"]),
        "function_arn": _text(function["arn"]),
        "function_name": _text(function["name"]),
        "alias": _text(function["alias"]),
        "cause": request["cause"],
        "alarm": _text(request.get("alarm", "")),
        "event_id": _text(request["event"]["id"]),
        "event_at": _text(request["event"]["time"]),
        "payload_key": _text(function["payload"]["key"]),
        "payload_version_id": _text(function["payload"]["versionId"]),
        "max_cost_usd": function["input"]["maxCostUsd"],
    }
    if "failure" in result:
        content |= {"outcome": "failed", "error": outcome.error_name(result["failure"])}
    else:
        content |= {"outcome": "tuned", "error": "", **outcome.figures(result["tuning"])}
    return Row(content["retuning_id"], content)


def notice(row: Row, key: str) -> dict[str, Any]:
    """Return what is told of a row: which function, why, what came of it, and where the row is."""
    said = ("function_key", "function_arn", "env", "cause", "alarm", "event_id", "outcome", "error")
    figures = ("memory_mb", "recommended_mb", "at_most_percent")
    content = row.content
    name = f"{content['function_name']}:{content['alias']}"
    words = (
        outcome.sentence(name, content)
        if content["outcome"] == "tuned"
        else f"{name}: the tuning failed with {content['error']}. Nothing was changed."
    )
    return {
        **{name: content[name] for name in said},
        **{name: content[name] for name in figures if name in content},
        "retuning_id": row.id,
        "row": key,
        "sentence": words,
    }


def _id(value: Any) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise RowNotWritten("the execution's name is none that can name a row")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not _TEXT.fullmatch(value):
        raise RowNotWritten("a text of the event is none that a row takes")
    return value
