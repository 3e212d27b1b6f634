"""What a gate's test holds its measurements against: the fixture `slo`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambda_dyno.core.config import SLO_KEYS, SloSettings
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.results import (
    Check,
    LoadResult,
    RegressionResult,
    SmokeResult,
    TuningResult,
    Verdict,
)
from lambda_dyno.core.slo_keys import Evidence
from lambda_dyno.gates.slo import evaluate
from lambda_dyno.plugin.session import GateSession

Measured = LoadResult | TuningResult | SmokeResult | RegressionResult


class SloMissedError(Exception):
    """A limit is missed, or could not be judged; the message says which, a sentence each."""


@dataclass(frozen=True, slots=True)
class Slo:
    """The limits of a test: `[slo]` of dyno.toml, with what its marker says in their place.

    Attributes:
        limits: The limits; one that is None is not checked.
        marked: Keys that the test's own marker names.
        balanced_weight: Of the balanced strategy, as the function was tuned with.
    """

    limits: SloSettings
    marked: frozenset[str]
    balanced_weight: float
    _session: GateSession
    _on_checks: Callable[[Sequence[Check]], None]

    def check(self, *measured: Measured) -> Verdict:
        """Hold measurements against the limits; return the verdict if it is good enough.

        A load test that cannot be judged yet is repeated, up to `max_rounds` tests.

        Args:
            measured: Any of `load_result`, `tuning_result`, `smoke_result` and
                `regression_result`, whose limits are those of `[regression]`.

        Raises:
            SloMissedError: A limit is missed, or there is too little evidence and `inconclusive`
                of `[slo]` is "fail".
            UserError: There is nothing to hold them against.
        """
        verdict = self.verdict(*measured)
        wrong = ("fail",) if self.limits.inconclusive == "pass" else ("fail", "inconclusive")
        sentences = [_sentence(check) for check in verdict.checks if check.outcome in wrong]
        if sentences:
            raise SloMissedError("\n".join(sentences))
        return verdict

    def verdict(self, *measured: Measured) -> Verdict:
        """Return the verdict on measurements, whatever it is; see `check`."""
        self._require_limits(measured)
        checks: list[Check] = []
        for one in measured:
            checks += self._checks(one)
        self._session.keep_checks(checks)
        self._on_checks(checks)
        return Verdict.of(checks)

    def _checks(self, measured: Measured) -> Sequence[Check]:
        match measured:
            case LoadResult():
                return self._session.judge_load(measured, self.limits).checks
            case TuningResult():
                limits, weight = self.limits.answered_by("tuning"), self.balanced_weight
                return evaluate(limits, tuning=measured, balanced_weight=weight).checks
            case RegressionResult():
                return measured.as_checks()
            case SmokeResult():
                return (_smoke_check(measured),)

    def _require_limits(self, measured: Sequence[Measured]) -> None:
        """Make sure that every measurement has a limit, and every limit of the marker one.

        Raises:
            UserError: A gate that checks nothing would always be open.
        """
        if not measured:
            raise UserError("slo.check(): give it load_result, tuning_result or smoke_result")
        kinds = {_EVIDENCE[type(one)] for one in measured if type(one) in _EVIDENCE}
        for kind in sorted(kinds):
            if not self.limits.answered_by(kind).limits:
                keys = [key for key, declared in SLO_KEYS.items() if declared.needs == kind]
                raise UserError(
                    f"there is no limit to hold {kind}_result against: set one of "
                    f"{', '.join(keys)} under [slo] in dyno.toml, or by @pytest.mark.slo"
                )
        for key in sorted(self.marked & SLO_KEYS.keys()):
            if (needs := SLO_KEYS[key].needs) not in kinds:
                raise UserError(f"@pytest.mark.slo({key}=...) needs slo.check({needs}_result)")


# The other measurements have no limit in [slo]: a comparison's margins are part of it.
_EVIDENCE: Mapping[type, Evidence] = {LoadResult: "load", TuningResult: "tuning"}


def _sentence(check: Check) -> str:
    return check.reason if check.outcome == "fail" else f"not decided: {check.reason}"


def _smoke_check(smoke: SmokeResult) -> Check:
    """Return the smoke test as a check: not one assertion may fail."""
    failed = len(smoke.failures) or (0 if smoke.passed else 1)
    held = f"{smoke.held} of {smoke.assertions} assertions hold"
    return Check(
        name="smoke_failures",
        limit=0.0,
        measured=float(failed),
        outcome="pass" if smoke.passed else "fail",
        reason=held if smoke.passed else f"smoke test: {held}; {smoke.first_failure}",
    )


def properties(checks: Sequence[Check]) -> list[tuple[str, Any]]:
    """Return what JUnit shows of checks: value and limit as numbers, outcome and reason of each."""
    found: list[tuple[str, Any]] = []
    for check in checks:
        found += [
            *([] if check.measured is None else [(check.name, check.measured)]),
            (f"{check.name}.limit", check.limit),
            (f"{check.name}.outcome", check.outcome),
            (f"{check.name}.reason", check.reason),
        ]
    return found
