"""The regression gate: is a candidate slower or more expensive than its baseline?

Both versions are measured in turns, in blocks of some seconds each (A B, B A, A B, ...), so that
what the machine and the network do in the meantime meets both. Two neighbouring blocks are a pair,
and a pair gives one ratio of each figure: of p50, of p95, of the mean cost. The ratios of the
pairs, as logarithms, are what is tested (`statistics.signed_rank`). Requests of one
connection or sandbox depend on each other; pairs do not, provided that **every block runs on
sandboxes of its own**. That is the one thing that the measuring must see to: with the same
sandboxes in all blocks, what differs between sandboxes looks like a difference between versions,
and no statistics can tell (docs/gates.md has the figures).

Every check has one of three outcomes:

- `pass`: no worse than the margin, shown: the upper bound of the ratio is below 1 + margin. It
  is a test of non-inferiority; a difference that was merely not seen is no pass;
- `fail`: worse, shown, and by more than is allowed: the lower bound of the ratio is above 1 and
  the estimate is at least 1 + margin;
- `inconclusive`: neither, more pairs are wanted.

The rates of error, over all checks and all looks of a run together:

- `alpha`: most runs that fail although nothing got worse. The checks share it by Holm's method;
- `risk`: most runs that pass although a figure is worse by the margin or more. All checks must
  pass, so they need not share it.

Looking again after more pairs is another chance to err, so looks share both rates: the first
spends `FIRST_LOOK` of them, each further one the same share of what is left. However many there
are, the sum stays below the rate. Only that looks come at fixed numbers of pairs is required.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from types import MappingProxyType
from typing import Literal

from lambda_dyno.core.formatting import number
from lambda_dyno.core.regression_defaults import ALPHA, MARGIN, RISK, WARM_UP_S
from lambda_dyno.core.results import (
    Outcome,
    RegressionCheck,
    Sample,
    overall,
)
from lambda_dyno.statistics.quantiles import smooth_percentile
from lambda_dyno.statistics.signed_rank import SignedRank, least_pairs
from lambda_dyno.statistics.spending import holm_levels, spent
from lambda_dyno.statistics.stats import Interval, finite

Version = Literal["baseline", "candidate"]

# What stands for the logarithm of a ratio when only one version of a pair answered.
_BEYOND = math.log(1e6)


def turns(pairs: int) -> list[Version]:
    """Return whose turn it is, for so many pairs of blocks: A B, B A, A B, ...

    Who is first alternates, so that a steady trend favours nobody.
    """
    order: tuple[Version, Version] = ("baseline", "candidate")
    return [version for pair in range(pairs) for version in (order[pair % 2], order[1 - pair % 2])]


@dataclass(frozen=True, slots=True)
class Block:
    """What one version did in one of its turns, on sandboxes that no other block used.

    Attributes:
        latencies_ms: Of every warm request, in any order; infinite for one without a good
            answer, which is then slower than all others.
        costs_usd: Price of each warm invocation; empty if it was not measured.
        cold_ms: Duration of each cold start, init included; empty if it was not measured.
    """

    latencies_ms: Sequence[float]
    costs_usd: Sequence[float] = ()
    cold_ms: Sequence[float] = ()

    @classmethod
    def of(
        cls,
        samples: Iterable[Sample],
        *,
        warm_up_s: float = WARM_UP_S,
        costs_usd: Sequence[float] = (),
        cold_ms: Sequence[float] = (),
    ) -> Block:
        """Make a block of the requests of one turn.

        Args:
            samples: All its requests; `start_ms` counts from the beginning of the turn.
            warm_up_s: What begins earlier is left out: new sandboxes start cold.
            costs_usd: As the attribute.
            cold_ms: As the attribute.
        """
        latencies = tuple(
            math.inf if sample.error else sample.response_ms
            for sample in samples
            if sample.start_ms >= warm_up_s * 1000
        )
        return cls(latencies, tuple(costs_usd), tuple(cold_ms))


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a block that is compared.

    Attributes:
        word: How a sentence names it.
        of: The attribute of a block that it is a figure of.
        estimate: From the sorted values, at least `least`, to the figure.
        least: Fewest values that a block must have.
        unit: Of the figure in a sentence.
        factor: What it is multiplied with there.
    """

    word: str
    of: str
    estimate: Callable[[Sequence[float]], float]
    least: int
    unit: str = "ms"
    factor: float = 1.0


def _percentile(q: float) -> Figure:
    return Figure(
        word=f"p{q * 100:g}",
        of="latencies_ms",
        estimate=lambda ordered: smooth_percentile(ordered, q),
        least=math.ceil(1 / (1 - q)),
    )


FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        "p50": _percentile(0.5),
        "p90": _percentile(0.9),
        "p95": _percentile(0.95),
        "p99": _percentile(0.99),
        "cost": Figure("cost", "costs_usd", fmean, 1, "USD per million", 1e6),
        "cold": Figure("the median cold start", "cold_ms", median, 1),
    }
)
CHECKS = ("p50", "p95", "cost")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What all the pairs say of all the figures."""

    checks: tuple[RegressionCheck, ...]
    pairs: int

    @property
    def outcome(self) -> Outcome:
        """As bad as the worst check's."""
        return overall(check.outcome for check in self.checks)

    @property
    def more_would_help(self) -> bool:
        """Whether it is open for want of pairs, and not because something was not measured."""
        return self.outcome == "inconclusive" and all(c.ratio is not None for c in self.checks)


def in_currency(check: RegressionCheck, currency: str) -> RegressionCheck:
    """Return a check with its money called by its name; the figures are in it already."""
    if check.name != "cost" or currency == "USD":
        return check
    words = (text.replace("USD", currency) for text in (check.unit, check.reason))
    unit, reason = words
    return replace(check, unit=unit, reason=reason)


def undecided(check: RegressionCheck, reason: str) -> RegressionCheck:
    """Return a check of measurements that prove nothing."""
    return replace(check, outcome="inconclusive", reason=f"{FIGURES[check.name].word}: {reason}")


def compare(
    baseline: Sequence[Block],
    candidate: Sequence[Block],
    *,
    checks: Sequence[str] = CHECKS,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    risk: float = RISK,
    look: int = 1,
) -> Comparison:
    """Compare two versions.

    Args:
        baseline: Its blocks in the order of time.
        candidate: As many; the i-th was measured next to the baseline's i-th.
        checks: Which of `FIGURES` to compare.
        margin: How much worse a figure may be: 0.05 is 5 %.
        alpha: Most runs that may fail although nothing got worse, over all checks and looks.
        risk: Most runs that may pass although a figure is worse by the margin.
        look: 1 for the first judgement of these versions, 2 for the one after more pairs, ...
    """
    if len(baseline) != len(candidate):
        raise ValueError(f"{len(baseline)} blocks of one, {len(candidate)} of the other")
    if not checks or len(set(checks)) < len(checks) or not set(checks) <= set(FIGURES):
        raise ValueError(f"checks must be some of {', '.join(FIGURES)}: {checks}")
    rules = _Rules(margin, spent(alpha, look), spent(risk, look), len(checks))
    sources = {FIGURES[name].of for name in checks}
    ordered = {of: (_sorted(baseline, of), _sorted(candidate, of)) for of in sources}
    measured = {name: _measure(FIGURES[name], *ordered[FIGURES[name].of]) for name in checks}
    p_values = {name: one.ranks.p_value() if one.ranks else 1.0 for name, one in measured.items()}
    levels = holm_levels(p_values, rules.alpha)
    found = tuple(_judge(name, measured[name], levels[name], rules) for name in checks)
    return Comparison(found, len(baseline))


@dataclass(frozen=True, slots=True)
class _Rules:
    margin: float
    alpha: float  # of this look
    risk: float  # of this look
    checks: int


@dataclass(frozen=True, slots=True)
class _Measured:
    """A figure of all pairs; `ranks` is None when it cannot be told, for the `missing` reason."""

    ranks: SignedRank | None
    missing: str = ""
    baseline: float | None = None
    candidate: float | None = None


_Ordered = Sequence[Sequence[float]]  # sorted values of each block


def _sorted(blocks: Iterable[Block], of: str) -> _Ordered:
    return [sorted(getattr(block, of)) for block in blocks]


def _measure(figure: Figure, baseline: _Ordered, candidate: _Ordered) -> _Measured:
    """Return the log ratios of one figure, or why there are none."""
    for version, blocks in (("baseline", baseline), ("candidate", candidate)):
        if not any(blocks):
            return _Measured(None, f"{figure.word} of the {version} was not measured")
        # leaving such a block out would forgive a version its slowest turns
        for turn, values in enumerate(blocks, start=1):
            if len(values) < figure.least:
                return _Measured(
                    None,
                    f"{figure.word} cannot be judged: block {turn} of the {version} has "
                    f"{len(values)} values, at least {figure.least} in each block are needed",
                )
    before, after = (list(map(figure.estimate, blocks)) for blocks in (baseline, candidate))
    if min(*before, *after) <= 0:
        return _Measured(None, f"{figure.word} cannot be judged: it is 0 in a block")
    ranks = SignedRank.of(list(map(_log_ratio, before, after)))
    return _Measured(ranks, "", median(before), median(after))


def _log_ratio(baseline: float, candidate: float) -> float:
    if baseline == candidate:
        return 0.0
    if math.isinf(baseline) or math.isinf(candidate):
        return _BEYOND if math.isinf(candidate) else -_BEYOND
    return math.log(candidate / baseline)


def _judge(name: str, measured: _Measured, alpha: float, rules: _Rules) -> RegressionCheck:
    """Hold one figure's ratio against the margin.

    The ratio's low bound is wrong with probability `alpha`, the high one with `rules.risk`.
    """
    figure, ranks = FIGURES[name], measured.ranks
    check = RegressionCheck(
        name=name,
        unit=figure.unit,
        baseline=finite(measured.baseline, figure.factor),
        candidate=finite(measured.candidate, figure.factor),
        ratio=None,
        ratio_low=None,
        ratio_high=None,
        outcome="inconclusive",
        reason=measured.missing,
    )
    if ranks is None:
        return check
    ratio = math.exp(ranks.estimate)
    interval = Interval(math.exp(ranks.lower_bound(alpha)), math.exp(ranks.upper_bound(rules.risk)))
    outcome: Outcome = "inconclusive"
    if interval.high <= 1 + rules.margin:
        outcome = "pass"
    elif interval.low > 1 and ratio >= 1 + rules.margin:
        outcome = "fail"
    return replace(
        check,
        ratio=ratio,
        ratio_low=interval.low or None,
        ratio_high=finite(interval.high),
        outcome=outcome,
        reason=_sentence(figure, measured, ranks.pairs, interval, outcome, rules),
    )


def _sentence(
    figure: Figure,
    measured: _Measured,
    pairs: int,
    interval: Interval,
    outcome: Outcome,
    rules: _Rules,
) -> str:
    """Say what the pairs say of one figure."""
    least = least_pairs(rules.alpha / rules.checks)
    if outcome == "inconclusive" and pairs < least:
        return (
            f"{figure.word}: cannot tell yet: at least {least} pairs of blocks are needed, "
            f"not {pairs}"
        )
    after, before = (
        number(value * figure.factor) if value is not None else "unknown"
        for value in (measured.candidate, measured.baseline)
    )
    span, allowed = change(interval), f"{number(rules.margin * 100)} %"
    seen = f"({after} against {before} {figure.unit}, {pairs} pairs of blocks)"
    return {
        "pass": f"{figure.word} is no more than {allowed} worse than the baseline: {span} {seen}",
        "fail": f"{figure.word} is {span} than the baseline, {allowed} allowed {seen}",
        "inconclusive": f"{figure.word}: cannot tell yet: {span} than the baseline, {allowed} "
        f"allowed {seen}",
    }[outcome]


def change(interval: Interval) -> str:
    """Return in words how much worse or better a ratio in this interval is.

    Examples: "8 to 14 % worse", "2 % better to 9 % worse", "3 to 5 % better", "unchanged".
    """
    low, high = (_percent(end) for end in (interval.low, interval.high))
    if low == high == "0":
        return "unchanged"
    if interval.low >= 1:
        return f"{_span(low, high)} % worse"
    if interval.high <= 1:
        return f"{_span(high, low)} % better"
    return f"{low} % better to {high} % worse"


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _percent(ratio: float) -> str:
    """Return how far a ratio is from 1, in per cent, with one decimal below ten."""
    distance = abs(ratio - 1) * 100
    if distance > 1000:
        return "more than 1,000"
    return f"{distance:.0f}" if distance >= 9.95 else f"{distance:.1f}".removesuffix(".0")
