"""A check of the gate on its way to an outcome, and the numbers in its sentence."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_dyno.core.config import SLO_KEYS
from lambda_dyno.core.formatting import number
from lambda_dyno.core.results import Check, Outcome
from lambda_dyno.statistics.stats import CONFIDENCE, Interval


@dataclass(frozen=True, slots=True)
class CheckBuilder:
    """A check on its way to an outcome; a judge fills in what was measured, and ends it."""

    name: str
    limit: float
    unit: str
    measured: float | None = None
    interval: Interval | None = None
    confidence: float = CONFIDENCE

    @classmethod
    def of(cls, key: str, limit: float) -> CheckBuilder:
        """Begin the check of a limit of `[slo]`; a ratio has no unit in a result."""
        unit = SLO_KEYS[key].unit
        return cls(key, limit, "" if unit == "ratio" else unit)

    def compare(self, sentence: str, *, percent: bool = False) -> Check:
        """Return what the measured value, or its interval, says of the limit.

        Args:
            sentence: Has places for the measured value, its interval and the limit.
            percent: Whether to write the numbers as per cent.
        """
        if self.measured is None:
            return self.inconclusive(f"{self.name} was not measured: not a finite number")
        measured, limit = _tell_apart(self.measured, self.limit, percent)
        reason = sentence.format(measured, self._interval_text(), limit)
        interval = self.interval or Interval(self.measured, self.measured)
        if interval.high <= self.limit:
            return self._check("pass", reason)
        if interval.low > self.limit:
            return self._check("fail", reason)
        return self.inconclusive(f"{reason}: the limit is inside the interval, too few requests")

    def _interval_text(self) -> str:
        if self.interval is None:
            return ""
        low, high = (number(end) for end in (self.interval.low, self.interval.high))
        return f" ({self.confidence * 100:.4g} % interval {low} to {high})"

    def fail(self, reason: str) -> Check:
        """Return a missed check."""
        return self._check("fail", reason)

    def inconclusive(self, reason: str) -> Check:
        """Return a check that nothing can be said of."""
        return self._check("inconclusive", reason)

    def _check(self, outcome: Outcome, reason: str) -> Check:
        return Check(self.name, self.limit, self.measured, outcome, reason, self.unit)


def _tell_apart(measured: float, limit: float, percent: bool) -> tuple[str, str]:
    """Write two numbers with as many digits as it takes to see which is larger."""
    factor, sign = (100, " %") if percent else (1, "")
    for digits in (3, 4, 6, 17):
        texts = number(measured * factor, digits), number(limit * factor, digits)
        if texts[0] != texts[1] or measured == limit:
            break
    return texts[0] + sign, texts[1] + sign
