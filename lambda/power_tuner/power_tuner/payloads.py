"""What each invocation is sent: conversion and weights, as aws-lambda-power-tuning has them."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from lambda_dyno.tuner_contract.values import is_weight, truthy, weights_of
from power_tuner.errors import InvalidInput

_MOST_BYTES = 6 * 1024 * 1024  # of a synchronous invocation
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class PayloadPlan:
    """Which payload each invocation of a power value gets: first the first share, then the next."""

    bodies: tuple[bytes, ...]  # JSON
    ends: tuple[int, ...]  # number of the invocation at which each share ends

    def index(self, invocation: int) -> int:
        """Return which payload an invocation gets, counted from 0.

        Args:
            invocation: Number of the invocation, from 0; past the last one it starts again.
        """
        return bisect_right(self.ends, invocation % self.ends[-1])

    def body(self, invocation: int) -> bytes:
        """Return what an invocation is sent: JSON, encoded once for all of them."""
        return self.bodies[self.index(invocation)]


def plan(num: int, payload: Any) -> PayloadPlan:
    """Share `num` invocations among the payloads.

    Args:
        num: Invocations per power value.
        payload: Any JSON value, or a weighted list.

    Raises:
        InvalidInput: A weighted list does not fit into `num` invocations.
    """
    weights = weights_of(payload)
    if not weights:
        return PayloadPlan(bodies=(_body(payload, 0),), ends=(num,))
    shares = _shares(num, weights)
    return PayloadPlan(
        bodies=tuple(_body(item["payload"], index) for index, item in enumerate(payload)),
        ends=tuple(accumulate(shares)),
    )


def as_json(payload: Any) -> str:
    """Return what is sent: a string that is JSON as it is, all else encoded as JSON."""
    if isinstance(payload, JsonText):
        return payload
    if isinstance(payload, str):
        text = payload.removeprefix(_BYTE_ORDER_MARK)  # as in a file that a shell has read
        if is_json(text):
            return text
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def is_json(text: str) -> bool:
    """Return whether a string is JSON (NaN and Infinity are not)."""
    try:
        _outline(text)
    except ValueError:
        return False
    return True


def from_text(text: str) -> Any:
    """Return what a text stands for: JSON if it is, else the text itself.

    JSON is not taken apart unless that is needed: a payload of 6 MB would be ten times as large.
    Left as text it is sent as it is.
    """
    text = text.removeprefix(_BYTE_ORDER_MARK)
    try:
        outline = _outline(text)
    except ValueError:
        return text
    weighted = (
        isinstance(outline, list)
        and bool(outline)
        and all(isinstance(item, _Outline) and item.weighted for item in outline)
    )
    # spaces do not count: what is too long with them may fit without
    needed = weighted or isinstance(outline, str) or len(text.encode()) > _MOST_BYTES
    return json.loads(text) if needed else JsonText(text)


class JsonText(str):
    """A string that is known to be JSON: looking again takes a second where CPU is scarce."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Outline:
    """What is kept of a JSON object."""

    weighted: bool  # whether it has weight and payload

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> _Outline:
        parts = dict(pairs)
        return cls(truthy(parts.get("weight")) and truthy(parts.get("payload")))


def _outline(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_Outline.of)
    except RecursionError as error:
        raise InvalidInput("payload: it is nested too deeply to be read") from error


def _body(payload: Any, index: int) -> bytes:
    try:
        body = as_json(payload).encode()
    except UnicodeEncodeError:  # half of a surrogate pair: no UTF-8, but JSON if it is escaped
        body = json.dumps(payload, separators=(",", ":")).encode()
    if len(body) > _MOST_BYTES:
        raise InvalidInput(
            f"payload: payload {index} has {len(body)} bytes; Lambda takes at most {_MOST_BYTES}"
        )
    return body


def _shares(num: int, weights: list[Any]) -> list[int]:
    if num < len(weights):
        raise InvalidInput(
            f'payload: You have {len(weights)} payloads and only "num"={num}. '
            'Please increase "num".'
        )
    if not all(is_weight(weight) for weight in weights):
        raise InvalidInput("payload: every weight must be a number")
    total = sum(weights)
    if total <= 0:
        raise InvalidInput("payload: the weights must add up to more than 0")
    shares = [math.floor(weight * num / total) for weight in weights]
    if min(shares) < 1:
        raise InvalidInput(
            f"payload: Invalid payload weight (num is too small): payload "
            f"{shares.index(min(shares))} would not be sent at all"
        )
    shares[-1] = num - sum(shares[:-1])
    return shares


def _refuse(constant: str) -> None:
    raise ValueError(constant)
