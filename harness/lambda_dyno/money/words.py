"""Sentences about money: what a change saves at one's own traffic, and what a run itself cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lambda_dyno.core import formatting
from lambda_dyno.core.results import Amount, Expense, Money, SizeCost, TuningResult
from lambda_dyno.money import run_cost

MILLION = 1_000_000
# Of a month, where nobody says how often the function is invoked.
USUAL_TRAFFIC = (MILLION, 10 * MILLION, 100 * MILLION)
_EXAMPLE = USUAL_TRAFFIC[1]


def amount(value: Amount, currency: str, *, signed: bool = False) -> str:
    """Return an amount with half of its interval, such as "34.1 USD ± 9.5".

    Half is rounded up to two digits, so that the bounds stay outside, and the amount to the same
    place; without an interval the amount stands alone.
    """
    if value.half <= 0:
        return f"{_plain(value.middle, formatting.usd(abs(value.middle)), signed)} {currency}"
    half, places = _rounded_up(value.half, value.middle)
    text = f"{round(abs(value.middle), places):,.{max(0, places)}f}"
    return f"{_plain(value.middle, text, signed)} {currency} ± {half:,.{max(0, places)}f}"


def _plain(value: float, text: str, signed: bool) -> str:
    is_nothing = not text.strip("0.,")
    sign = "−" if value < 0 else "+" if signed else ""
    return text if is_nothing else f"{sign}{text}"


def _rounded_up(half: float, middle: float) -> tuple[float, int]:
    """Return half of an interval rounded up to two digits, and its decimal places.

    No more than cents, and no more than four digits of what it is around.
    """
    places = 1 - math.floor(math.log10(half))
    places = min(places, 2) if half >= 1 else places
    if middle:
        places = min(places, max(0, 3 - math.floor(math.log10(abs(middle)))))
    scale = 10.0**places
    return math.ceil(half * scale - 1e-9) / scale, places


def invocations(count: float) -> str:
    """Return a number of invocations, such as "10 million"."""
    if count >= MILLION:
        return f"{formatting.number(count / MILLION)} million"
    return f"{count:,.0f}"


def traffic_of(money: Money) -> tuple[float, str]:
    """Return how many invocations a month amounts are of, and how a sentence says so."""
    known = None if money.traffic is None else money.traffic.invocations_per_month
    if known is None:
        return _EXAMPLE, f" at {invocations(_EXAMPLE)} invocations"
    return known, ""


def change(money: Money, now_mb: int, new_mb: int) -> str:
    """Return what a change of the memory size saves a month; empty: that is not known.

    Such as "saves 34.1 USD a month ± 9.5 (−11 % of compute, −5 % of this function's bill)".
    """
    now, new = money.size(now_mb), money.size(new_mb)
    if now is None or new is None or new.saved_usd is None:
        return ""
    count, at = traffic_of(money)
    if money.discount >= 1:
        return f"costs 0 {money.currency} a month at any size, by a discount of 100 %"
    saved = new.saved_usd.times(count)
    shares = _shares(money, now, new.saved_usd.middle)
    value = amount(_absolute(saved), f"{money.currency} a month")
    if count == 0:
        return f"costs 0 {money.currency} a month at any size, at no invocations ({shares})"
    if not saved.is_apart:
        more = "less" if saved.middle > 0 else "more"
        return f"costs about the same: {value} {more}{at}, within the noise ({shares})"
    if saved.middle > 0:
        return f"saves {value}{at} ({shares})"
    return f"costs {value} more{at} ({shares})"


def _absolute(value: Amount) -> Amount:
    if value.middle >= 0:
        return value
    return Amount(-value.middle, -value.high, -value.low)


def _shares(money: Money, now: SizeCost, saved_usd: float) -> str:
    compute = now.compute_usd.middle
    bill = compute + money.request_usd
    parts = [
        f"{formatting.change(1 - saved_usd / whole)} % of {what}"
        for whole, what in ((compute, "compute"), (bill, "this function's bill"))
        if whole > 0
    ]
    return ", ".join(parts)


def month(money: Money, memory_mb: int) -> str:
    """Return what the function costs a month at a size; empty: it was not measured."""
    size = money.size(memory_mb)
    if size is None:
        return ""
    count, at = traffic_of(money)
    value = amount(bill(money, size).times(count), f"{money.currency} a month")
    return f"this function costs {value}{at}, requests included{beside(money, count)}"


def beside(money: Money, count: float) -> str:
    """Return what API Gateway costs beside so many invocations; empty: there is none."""
    if money.api_usd is None:
        return ""
    return (
        f"; the {money.api} API before it {formatting.usd(money.api_usd * count)} "
        f"{money.currency}, at any size"
    )


def bill(money: Money, size: SizeCost) -> Amount:
    """Return what one invocation costs, its request included."""
    fee = money.request_usd
    own = size.compute_usd
    return Amount(own.middle + fee, own.low + fee, own.high + fee)


def sentence(money: Money | None, tuning: TuningResult) -> str:
    """Return what the recommendation means in money; empty: that is not known."""
    if money is None:
        return ""
    if tuning.power == tuning.current_power:
        said = month(money, tuning.power)
    else:
        said = change(money, tuning.current_power, tuning.power)
        said = f"that {said}" if said else ""
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def basis(money: Money) -> tuple[str, ...]:
    """Return what the amounts rest on, a sentence each."""
    said = []
    if money.traffic is not None:
        count = money.traffic.invocations_per_month
        number = "" if count is None else f"{count:,.0f} invocations a month, "
        said.append(f"Traffic: {number}{money.traffic.source}.")
    if money.traffic is None:
        said.append(
            "[traffic] invocations_per_month is not set, so months are examples; it takes a "
            'number, or "cloudwatch".'
        )
    off = formatting.percent(money.discount)
    less = f" less a discount of {off}" if money.discount else ""
    said.append(
        f"On-demand prices of the first tier{less}, without the free tier; intervals are those of "
        "the measured durations, not of the traffic."
    )
    return (*said, *(f"{note}." for note in money.notes))


def of_run(money: Money, *, embedded: bool = False) -> str:
    """Return what a run itself costs; empty: nothing of it is known.

    Args:
        money: Of the run.
        embedded: Whether it ran on the embedded AWS, where nothing is paid for.
    """
    verb = "would cost" if embedded else "cost"
    said = spent(f"This run itself {verb}", money.run, money.currency)
    return said and f"{said[:-1]}; the table behind it, logs and data transfer are not in it."


def spent(head: str, expenses: Sequence[Expense], currency: str) -> str:
    """Return a sum with its parts, as a sentence; empty if there are none."""
    if not expenses:
        return ""
    parts = ", ".join(
        f"{formatting.usd(one.usd.middle)} for {one.count:,} {one.what}" for one in expenses
    )
    return f"{head} {amount(run_cost.total(tuple(expenses)), currency)}: {parts}."
