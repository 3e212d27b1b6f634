"""Whether traffic has changed: two weeks of invocations, held against a factor.

Weeks, since a day of a weekend is a third of another one; and against what was the last time that
it had changed, since traffic that grows a tenth each week never doubles within one.
"""

from __future__ import annotations

from dataclasses import dataclass

DAYS = 7


@dataclass(frozen=True, slots=True)
class Traffic:
    """What has become of a function's traffic.

    Attributes:
        invocations: Of the last seven days.
        before: Of the seven days that it is held against; None: none are known yet.
        ratio: Of the two; None: not known.
        changed: Whether that is a change by the factor.
    """

    invocations: float
    before: float | None
    ratio: float | None
    changed: bool


def compare(
    invocations: float, before: float | None, factor: float, least_invocations: float
) -> Traffic:
    """Hold a week of invocations against a former one.

    Args:
        invocations: Of the last seven days.
        before: Of the former seven days; None: there are none.
        factor: More or less by so much is a change, above 1.
        least_invocations: Fewer in both weeks are no traffic that a change could be told of.
    """
    if before is None:
        return Traffic(invocations, None, None, changed=False)
    ratio = invocations / before if before > 0 else None
    if max(invocations, before) < least_invocations:
        return Traffic(invocations, before, ratio, changed=False)
    changed = invocations >= factor * before or invocations * factor <= before
    return Traffic(invocations, before, ratio, changed)
