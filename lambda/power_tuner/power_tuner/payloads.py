"""What each invocation is sent: conversion and weights, as aws-lambda-power-tuning has them."""

from __future__ import annotations

import hashlib
import json
import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, ClassVar, Protocol

from lambda_dyno.tuner_contract.values import is_weight, pass_of, truthy, weights_of
from lambda_dyno.tuner_contract.workload import Replay, Workload, status_of
from power_tuner.errors import InvalidInput

_MOST_BYTES = 6 * 1024 * 1024  # of a synchronous invocation
_BYTE_ORDER_MARK = "\ufeff"


class Plan(Protocol):
    """What each invocation of a power value is sent. Its number counts from 0."""

    @property
    def several(self) -> bool:
        """Whether the first invocations alone say too little."""

    @property
    def length(self) -> int:
        """Return how many invocations a pass has: one of each, by the weights."""

    @property
    def warm_up(self) -> int:
        """Return how many find a power value's environment cold."""

    def lane(self, invocation: int) -> int:
        """Return which invocations follow each other: those with the same number here."""

    def request(self, invocation: int) -> int:
        """Return which request of a workload it is; 0 where there is none."""

    def name(self, invocation: int) -> str:
        """Return what to call what it is sent."""

    def body(self, invocation: int, power: int = 0) -> bytes:
        """Return what it is sent: JSON.

        Raises:
            LinkError: It needs an earlier answer that is not there.
        """

    def first(self, invocation: int, power: int) -> list[int]:
        """Return the invocations that must be made again before it, for their answers."""

    def answered(self, invocation: int, power: int, answer: bytes) -> str:
        """Take an answer of a function that did not fail; return what is wrong with it, or ""."""

    def withheld(self, invocation: int, power: int) -> list[str]:
        """Return the texts that no message may show."""

    def checksum(self) -> str:
        """Return the SHA-256 of all that is sent, as text."""


@dataclass(frozen=True, slots=True)
class PayloadPlan:
    """Which payload each invocation of a power value gets: first the first share, then the next."""

    bodies: tuple[bytes, ...]  # JSON
    ends: tuple[int, ...]  # number of the invocation at which each share ends
    apart: bool = False  # whether each payload is a figure of its own

    warm_up: ClassVar[int] = 1

    @property
    def several(self) -> bool:
        """Whether there is more than one payload: the first ones come first."""
        return len(self.bodies) > 1

    @property
    def length(self) -> int:
        """Return how often payloads are sent until all shares are done; one alone: once."""
        return self.ends[-1] if self.several else 1

    def index(self, invocation: int) -> int:
        """Return which payload an invocation gets, counted from 0.

        Args:
            invocation: Number of the invocation, from 0; past the last one it starts again.
        """
        return bisect_right(self.ends, invocation % self.ends[-1])

    def lane(self, invocation: int) -> int:
        """Return the invocation itself: none needs another one."""
        return invocation

    def request(self, invocation: int) -> int:
        """Return 0: what weights share out is one figure, as in aws-lambda-power-tuning."""
        return self.index(invocation) if self.apart else 0

    def name(self, invocation: int) -> str:
        """Return which payload it is."""
        return f"payload {self.index(invocation)}"

    def body(self, invocation: int, power: int = 0) -> bytes:  # noqa: ARG002
        """Return what an invocation is sent: JSON, encoded once for all of them."""
        return self.bodies[self.index(invocation)]

    def first(self, _invocation: int, _power: int) -> list[int]:
        """Return nothing: no payload needs an answer."""
        return []

    def answered(self, _invocation: int, _power: int, _answer: bytes) -> str:
        """Return nothing: whatever is answered is right."""
        return ""

    def withheld(self, _invocation: int, _power: int) -> list[str]:
        """Return nothing: whoever gave the payload may see it."""
        return []

    def checksum(self) -> str:
        """Return the SHA-256 of the payloads and their shares."""
        found = hashlib.sha256(repr(self.ends if self.several else ()).encode())
        for body in self.bodies:
            found.update(hashlib.sha256(body).digest())
        return found.hexdigest()


class WorkloadPlan:
    """The requests of a workload, pass after pass, the same at every power value.

    Args:
        workload: What is asked.
        seed: Another one for each execution, so that each makes items of its own.
    """

    several = True

    def __init__(self, workload: Workload, seed: str) -> None:
        self._workload = workload
        self._seed = seed
        self.length = self.warm_up = len(workload.places)
        self._replays: dict[int, Replay] = {}

    def lane(self, invocation: int) -> int:
        """Return the first invocation of its sequence."""
        return invocation - self._workload.place(invocation).step

    def request(self, invocation: int) -> int:
        """Return the position of its request among the workload's."""
        return self._workload.place(invocation).request

    def name(self, invocation: int) -> str:
        """Return its request's name."""
        return f"request `{self._workload.requests[self.request(invocation)].name}`"

    def body(self, invocation: int, power: int = 0) -> bytes:
        """Return its event, filled.

        Raises:
            LinkError: An earlier answer lacks what it needs.
        """
        return _body(self._replay(power).event(invocation), self.request(invocation))

    def first(self, invocation: int, power: int) -> list[int]:
        """Return what was made in another pass of Measure, whose answers are gone."""
        return self._replay(power).missing(invocation)

    def answered(self, invocation: int, power: int, answer: bytes) -> str:
        """Keep an answer for who needs it, and say whether it is another one than was recorded."""
        self._replay(power).answered(invocation, answer)
        wanted = self._workload.requests[self.request(invocation)].status
        status = status_of(answer)
        if not (wanted and status) or status == wanted:
            return ""
        return f"it answers {status}, and {wanted} when the workload was made"

    def withheld(self, invocation: int, power: int) -> list[str]:
        """Return what came from earlier answers: a token, perhaps."""
        return self._replay(power).values(invocation)

    def checksum(self) -> str:
        """Return the SHA-256 of the workload; templates count, not what is filled in."""
        return hashlib.sha256(repr(self._workload).encode()).hexdigest()

    def _replay(self, power: int) -> Replay:
        return self._replays.setdefault(power, Replay(self._workload, self._seed, power))


def adaptive_plan(payload: Any) -> PayloadPlan:
    """Return a plan whose passes have each payload as often as the weights say.

    Raises:
        InvalidInput: They are no weights, or differ too much for a pass of a hundred.
    """
    shared = plan(pass_of(weights_of(payload)), payload)
    return replace(shared, apart=shared.several)


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
