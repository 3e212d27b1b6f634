"""The power tuner's price list, read as data: before a tuner is deployed, and without one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambda_dyno.core import assets


def tuner_architecture(sources: Path, region: str) -> str:
    """Return the processor of the tuner's own functions: arm64 where the price list has it.

    Args:
        sources: Folder that the tuner is deployed from.
        region: Where it will be. One that is newer than the list may have no arm64; all regions
            have x86_64.
    """
    prices = _read(sources)
    known = _is_listed(prices, region)
    return "arm64" if known and f"arm64 in {region}" not in prices["assumed"] else "x86_64"


def unlisted(sources: Path, region: str) -> str:
    """Return what costs of a region rest on that the price list does not have; empty if it does.

    Args:
        sources: Folder that the tuner is deployed from.
        region: The function's.
    """
    prices = _read(sources)
    if _is_listed(prices, region):
        return ""
    found = (c for prefix, c in prices["billed_in"].items() if region.startswith(prefix))
    billed_in = next((f", which is billed in {currency}" for currency in found), "")
    return f"the price list has no {region}{billed_in}: costs are those of most regions, in USD"


def gb_second_usd(region: str, architecture: str) -> float:
    """Return the price of a gigabyte-second by this package's own list."""
    table = _read(assets.root())["gb_second"]
    prices = table.get(architecture, table["x86_64"])
    return float(prices.get(region, prices["default"]))


def _read(sources: Path) -> dict[str, Any]:
    file = sources / "lambda" / "power_tuner" / "power_tuner" / "prices.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _is_listed(prices: Mapping[str, Any], region: str) -> bool:
    return region in prices["default_in"] or region in prices["gb_second"]["x86_64"]
