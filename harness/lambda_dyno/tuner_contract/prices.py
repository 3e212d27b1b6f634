"""Prices by region and architecture, read from prices.json.

Money is exact: sizes that cost the same must compare as the same. Floats begin where it is put
out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

_FILE = Path(__file__).with_name("prices.json")
_MB_PER_GB = 1024
_MS_PER_S = 1000


class Prices(NamedTuple):
    """What things cost in one region, in its currency, exactly as the price list has it."""

    gb_second: Fraction
    request: Fraction
    state_transition: Fraction
    currency: str
    assumed: str  # on what the prices rest if they are no published ones

    def per_ms(self, memory_mb: int) -> Fraction:
        """Return what a millisecond of a function of this memory size costs."""
        return self.gb_second * memory_mb / _MB_PER_GB / _MS_PER_S

    def invocation(self, memory_mb: int, billed_ms: float | Fraction) -> Fraction:
        """Return what one invocation costs, its duration rounded up to a millisecond."""
        return math.ceil(billed_ms) * self.per_ms(memory_mb)


def lookup(region: str, architecture: str) -> Prices:
    """Return the prices of a region.

    Args:
        region: Such as eu-west-1. One that the file does not name has the default prices, in USD,
            and `assumed` says so.
        architecture: x86_64 or arm64.
    """
    listed = table()
    compute = listed["gb_second"].get(architecture, listed["gb_second"]["x86_64"])
    return Prices(
        gb_second=_of(compute, region),
        request=_of(listed["request"], region),
        state_transition=_of(listed["state_transition"], region),
        currency=listed["currency"].get(region, listed["currency"]["default"]),
        assumed=_assumed(listed, region, architecture),
    )


def unlisted(region: str) -> str:
    """Return what the costs of a region rest on that the list does not have; empty if it does."""
    missing = _missing(table(), region)
    return f"{missing}: costs are those of most regions, in USD" if missing else ""


def tuner_architecture(region: str) -> str:
    """Return the processor of the tuner's own functions: arm64 where the price list has it.

    A region that is newer than the list may have no arm64; all regions have x86_64.
    """
    return "x86_64" if lookup(region, "arm64").assumed else "arm64"


def checked_on() -> str:
    """Return how old the prices may be: the month of their oldest source, such as 2023-12."""
    return str(min(source["as_of"] for source in table()["sources"]))


def _assumed(table: Mapping[str, Any], region: str, architecture: str) -> str:
    if missing := _missing(table, region):
        return f"that of most regions, in USD, since {missing}"
    return str(table["assumed"].get(f"{architecture} in {region}", ""))


def _missing(table: Mapping[str, Any], region: str) -> str:
    """Return that the list has no such region, and its currency if that is known."""
    if region in table["default_in"] or region in table["gb_second"]["x86_64"]:
        return ""
    billed_in = next((c for p, c in table["billed_in"].items() if region.startswith(p)), "")
    also = f", which is billed in {billed_in}" if billed_in else ""
    return f"the price list has no {region}{also}"


def _of(prices: Mapping[str, Fraction], region: str) -> Fraction:
    return prices.get(region, prices["default"])


@cache
def table() -> dict[str, Any]:
    """Return the price list, its prices exact."""
    listed: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"), parse_float=Fraction)
    return listed
