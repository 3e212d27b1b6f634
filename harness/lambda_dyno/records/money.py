"""What a run advises, and what that is in money: amounts with their intervals, in USD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lambda_dyno.records.tuning import Amount, Ratio

Finding = Literal["optimised", "over-provisioned", "under-provisioned", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Option:
    """A memory size that one may choose, with what it takes and against the deployed one."""

    name: Literal["cheapest", "balanced", "fastest"]
    memory_mb: int
    duration_ms: float
    cost_usd: float  # of one invocation
    duration_ratio: Ratio | None  # None: it is the deployed size, or cannot be told
    cost_ratio: Ratio | None


@dataclass(frozen=True, slots=True)
class Advice:
    """What a run says of the deployed size, and how safe the recommended one is."""

    finding: Finding
    risk: Literal["low", "medium", "high"]  # at the recommended size
    reasons: tuple[str, ...]  # of the risk
    options: tuple[Option, ...]


SET = "as [traffic] has it"  # the source of a number that the settings name


@dataclass(frozen=True, slots=True)
class Traffic:
    """How often the deployed function is invoked.

    Attributes:
        invocations_per_month: In 30 days; None: nobody knows.
        source: Where that is from, or why it is not known, in a few words.
    """

    invocations_per_month: float | None
    source: str


@dataclass(frozen=True, slots=True)
class SizeCost:
    """What one invocation costs at a memory size, after the discount.

    Attributes:
        memory_mb: The size.
        compute_usd: Duration and ephemeral storage.
        saved_usd: How much less that is than at the deployed size; None: not known.
    """

    memory_mb: int
    compute_usd: Amount
    saved_usd: Amount | None


@dataclass(frozen=True, slots=True)
class Expense:
    """Something that a run itself costs, at list prices."""

    what: str
    count: int  # of requests, invocations or transitions
    usd: Amount


@dataclass(frozen=True, slots=True)
class Money:
    """What the function costs, and what the recommendation saves; one place for all prices.

    Attributes:
        currency: Of all amounts here.
        discount: Share that is taken off every price.
        request_usd: Fee of one invocation.
        api: "REST" or "HTTP": the API Gateway in front of it; empty: none.
        api_usd: Its price of one request; None: none, or not known.
        sizes: The deployed size first, then those that one may choose.
        notes: What the prices rest on where they are no published ones.
        run: What the run itself costs.
        traffic: How often the function is invoked; None: nobody says.
    """

    currency: str
    discount: float
    request_usd: float
    api: str
    api_usd: float | None
    sizes: tuple[SizeCost, ...]
    notes: tuple[str, ...]
    run: tuple[Expense, ...]
    traffic: Traffic | None = None

    def size(self, memory_mb: int) -> SizeCost | None:
        """Return what is known of a memory size."""
        return next((one for one in self.sizes if one.memory_mb == memory_mb), None)
