"""Measured invocations, and a form of them small enough to pass from state to state.

Step Functions lets 256 KB pass between states. 46 power values with 1000 samples each would
not fit as JSON, so samples are sorted by duration and stored as differences in a variable
number of bytes, compressed, in base64: about one and a half bytes each.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

_US_PER_MS = 1000


@dataclass(frozen=True, slots=True, order=True)
class Sample:
    """One measured invocation."""

    duration_us: int  # with the start of its environment; REPORT has at most 3 decimals of a ms
    billed_ms: int
    cold: bool = False
    request: int = 0  # of a workload: its position

    @property
    def duration_ms(self) -> float:
        """The duration in milliseconds."""
        return self.duration_us / _US_PER_MS

    @classmethod
    def of(
        cls, duration_ms: float, billed_ms: float, *, cold: bool = False, request: int = 0
    ) -> Sample:
        """Return a sample from what REPORT says."""
        return cls(round(duration_ms * _US_PER_MS), math.ceil(billed_ms), cold, request)


def encode(samples: Iterable[Sample]) -> str:
    """Return samples as a short string; their order is not kept."""
    ordered = sorted(samples)
    durations = bytearray()
    extras = bytearray()
    requests = bytearray()
    previous = 0
    for sample in ordered:
        _put(durations, sample.duration_us - previous)
        previous = sample.duration_us
        difference = sample.billed_ms - _ceil_ms(sample.duration_us)
        _put(extras, _zigzag(difference) << 1 | sample.cold)
        _put(requests, sample.request)
    packed = bytearray()
    _put(packed, len(ordered))
    packed += durations + extras + requests
    return base64.b85encode(zlib.compress(bytes(packed), 9)).decode()


def decode(text: str) -> list[Sample]:
    """Return the samples of `encode`, sorted by duration."""
    if not text:
        return []
    numbers = _numbers(zlib.decompress(base64.b85decode(text)))
    count = next(numbers)
    duration_us = 0
    durations = []
    for _ in range(count):
        duration_us += next(numbers)
        durations.append(duration_us)
    samples = []
    for duration_us in durations:
        extra = next(numbers)
        billed_ms = _ceil_ms(duration_us) + _unzigzag(extra >> 1)
        samples.append(Sample(duration_us, billed_ms, bool(extra & 1)))
    return [replace(sample, request=next(numbers)) for sample in samples]


def rounded(samples: Iterable[Sample], digits: int) -> list[Sample]:
    """Return samples with durations of so many significant digits: they encode shorter."""
    return [
        Sample(
            _significant(sample.duration_us, digits),
            _significant(sample.billed_ms, digits),
            sample.cold,
            sample.request,
        )
        for sample in samples
    ]


def _significant(value: int, digits: int) -> int:
    return round(value, digits - len(str(abs(value)))) if value else 0


def _ceil_ms(duration_us: int) -> int:
    return -(-duration_us // _US_PER_MS)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _unzigzag(value: int) -> int:
    return value >> 1 if not value & 1 else -((value + 1) >> 1)


def _put(target: bytearray, value: int) -> None:
    while value > 0x7F:
        target.append(value & 0x7F | 0x80)
        value >>= 7
    target.append(value)


def _numbers(packed: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            yield value
            value = shift = 0
