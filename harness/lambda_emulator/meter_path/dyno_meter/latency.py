"""How long AWS's services take to answer a Lambda function. Pure but for reading its table.

`latency.json` has medians and spreads per service and operation, with sources.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re

from .cfs import MB_PER_VCPU
from .size import transfer_stretch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TARGET = re.compile(rb"\r\nx-amz-target: *([^\r\n]+)", re.IGNORECASE)
_SCOPE = re.compile(rb"Credential=[^/\s]+/\d+/[^/]+/([^/]+)/aws4_request")
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_RPC_PATH = re.compile(rb"^/service/[^/]+/operation/(\w+)")
# Five parts of a normal distribution that are equally likely: each has its turn.
_CUTS = (-math.inf, -0.8416, -0.2533, 0.2533, 0.8416, math.inf)
_INVOKE_PATH = re.compile(rb"^/\d{4}-\d\d-\d\d/functions/[^/]+/(invocations|invoke-async)")


def operation_of(request: bytes) -> tuple[str, str]:
    """Return (service, operation) of an HTTP request to AWS; "" for what is not known.

    Args:
        request: The request's beginning: first line, headers, and the body of query protocols.
    """
    head, _, body = request.partition(b"\r\n\r\n")
    scope = _SCOPE.search(head)
    service = scope[1].decode() if scope else ""
    target = _TARGET.search(head)
    if target:
        return service, target[1].decode().rpartition(".")[2].strip()
    method, _, rest = head.partition(b" ")
    path, _, query = rest.partition(b" ")[0].partition(b"?")
    for pattern, text in ((_RPC_PATH, path), (_ACTION, body), (_ACTION, query)):
        found = pattern.search(text)
        if found:
            return service, found[1].decode()
    if service == "s3":
        return service, _s3_operation(method.decode(), path, query)
    if service == "lambda" and _INVOKE_PATH.match(path):
        return service, "Invoke"
    return service, ""


def _s3_operation(method: str, path: bytes, query: bytes) -> str:
    of_object = path.strip(b"/").count(b"/") > 0
    if method == "GET" and not of_object:
        return "ListObjectsV2"
    if method == "POST":
        return "DeleteObjects" if b"delete" in query else "PostObject"
    names = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
    return names.get(method, "") if of_object else ""


class LatencyModel:
    """Draws latencies, the same ones for the same seed.

    Of five invocations each has its first call in another fifth of the distribution, in any order;
    so for the second call, and each by itself. So a few invocations have the distribution's mean:
    what one environment draws makes no memory size look slower. Single draws are distributed as the
    table says, and the calls of one invocation know nothing of each other.
    """

    def __init__(self, table: dict[str, Any], seed: str, memory_mb: int = MB_PER_VCPU) -> None:
        import random

        self._services = table["services"]
        self._default = table["default"]
        # a service's own time for a KB stays; that of the network, the default's, follows memory
        self._narrow_ms_per_kb = self._default["ms_per_kb"] * (transfer_stretch(memory_mb) - 1)
        self._random = random.Random(seed)  # noqa: S311 - no secret depends on it
        self._parts: dict[int, list[tuple[float, float]]] = {}  # still to come, by call's number
        self._call = 0

    @classmethod
    def load(cls, seed: str, memory_mb: int = MB_PER_VCPU) -> LatencyModel:
        """Return the model of this package's own table, for a function of this memory size."""
        path = os.path.join(os.path.dirname(__file__), "latency.json")
        with open(path, encoding="utf-8") as file:
            return cls(json.load(file), seed, memory_mb)

    def begin(self) -> None:
        """Note that an invocation begins: its calls are counted from here."""
        self._call = 0

    def _normal(self) -> float:
        parts = self._parts.setdefault(self._call, [])
        self._call += 1
        if not parts:
            parts += itertools.pairwise(_CUTS)
            self._random.shuffle(parts)
        low, high = parts.pop()
        while True:
            value = self._random.gauss(0.0, 1.0)
            if low <= value < high:
                return value

    def draw_ms(self, service: str, operation: str, sent_bytes: int = 0) -> float | None:
        """Return one call's latency in ms; None where the real time is to be kept."""
        entry = self._entry(service, operation)
        if entry.get("as_measured"):
            return None
        spread = math.exp(self._normal() * entry["sigma"])
        return float(entry["median_ms"] * spread + self._transfer_ms(entry, sent_bytes))

    def transfer_ms(self, service: str, operation: str, received_bytes: int) -> float:
        """Return how long so much of an answer's body takes to arrive."""
        return self._transfer_ms(self._entry(service, operation), received_bytes)

    def _transfer_ms(self, entry: dict[str, Any], size: int) -> float:
        return float(size / 1024 * (entry["ms_per_kb"] + self._narrow_ms_per_kb))

    def _entry(self, service: str, operation: str) -> dict[str, Any]:
        known = self._services.get(service, {})
        of_service = known.get("default", {})
        return {**self._default, **of_service, **known.get("operations", {}).get(operation, {})}
