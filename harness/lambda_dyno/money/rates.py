"""What an invocation is billed by: duration, request, ephemeral storage, and the API before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from lambda_dyno.core.results import EPHEMERAL_STORAGE_MB_FREE, TuningResult
from lambda_dyno.tuner_contract import prices

_MB_PER_GB = 1024
_MS_PER_S = 1000
# Both are in one list: what was never priced in dollars has none of most regions' prices either.
_ASSUMED_IN = "USD"


@dataclass(frozen=True, slots=True)
class Rates:
    """The prices of one region and architecture, in its currency, exact.

    Attributes:
        listed: Lambda's own.
        storage_gb_second: Of ephemeral storage above what is free; 0: not known.
        api: "REST", "HTTP" or nothing.
        api_request: Of one request; None: there is no API Gateway, or no price.
        notes: What of it is assumed, or left out.
    """

    listed: prices.Prices
    storage_gb_second: Fraction
    api: str
    api_request: Fraction | None
    notes: tuple[str, ...]

    def storage_per_ms(self, ephemeral_storage_mb: int) -> Fraction:
        """Return what a millisecond of a function's ephemeral storage costs; 512 MB are free."""
        beyond = max(0, ephemeral_storage_mb - EPHEMERAL_STORAGE_MB_FREE)
        return self.storage_gb_second * beyond / _MB_PER_GB / _MS_PER_S

    def compute_per_ms(self, memory_mb: int, ephemeral_storage_mb: int) -> float:
        """Return what a millisecond costs, storage included."""
        return float(self.listed.per_ms(memory_mb) + self.storage_per_ms(ephemeral_storage_mb))


def of(region: str, architecture: str, *, api: str = "", ephemeral_storage_mb: int = 0) -> Rates:
    """Return the prices of a region.

    Args:
        region: Such as eu-west-1.
        architecture: x86_64 or arm64.
        api: "REST" or "HTTP": the API Gateway in front of the function; empty: none.
        ephemeral_storage_mb: Of the function: what is not paid for needs no price.
    """
    listed, table = prices.lookup(region, architecture), prices.table()
    notes = [f"{architecture} in {region}: {listed.assumed}"] if listed.assumed else []

    def of_list(found: Mapping[str, Fraction], what: str) -> Fraction | None:
        if region in found:
            return found[region]
        missing = f"the price list has no {what} in {region}"
        if listed.currency != _ASSUMED_IN:
            notes.append(f"{missing}: it is left out")
            return None
        notes.append(f"{missing}: that of us-east-1 is taken")
        return found["default"]

    storage = Fraction(0)
    if ephemeral_storage_mb > EPHEMERAL_STORAGE_MB_FREE:
        storage = of_list(table["ephemeral_gb_second"], "ephemeral storage") or storage
    of_api = table["api_request"].get(api)
    request = None if of_api is None else of_list(of_api, f"{api} API")
    return Rates(listed, storage, api, request, tuple(notes))


def of_tuning(tuning: TuningResult, api: str = "") -> Rates:
    """Return the prices of a function that was tuned."""
    return of(
        tuning.region,
        tuning.architecture,
        api=api,
        ephemeral_storage_mb=tuning.ephemeral_storage_mb,
    )
