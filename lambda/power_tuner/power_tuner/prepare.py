"""Prepare: check the input, lock the function, publish a version per power value.

$LATEST takes every memory size in turn and is published with each; its own size comes last,
so that it is back the moment publishing is over. A second attempt of this state goes on
where the first one ended: its lock and its versions are there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from lambda_dyno.tuner_contract import kinds
from lambda_dyno.tuner_contract.keys import TuningInput
from lambda_dyno.tuner_contract.marks import Lock, is_measured, measured_mark
from lambda_dyno.tuner_contract.values import ALL_POWER_VALUES, MEMORY_MB_MAX
from power_tuner.errors import (
    MAYBE_ENDED,
    AwsCallFailed,
    ExecutionEnded,
    FunctionBusy,
    FunctionNotReady,
    NotTunable,
    PowerRefused,
)
from power_tuner.function import Deadline, Function, check_unchanged, error_code, is_denied
from power_tuner.lock import FunctionLock
from power_tuner.payloads import Plan
from power_tuner.publishing import Configuration, Publisher
from power_tuner.state import PowerState, TuningState

BUSY_PAUSE_S = 2.0
_NEW_ACCOUNT_MB = 3008  # what the smallest accounts allow

# Why a function cannot be used at any memory size, by Lambda's reason codes.
_ANY_SIZE = frozenset(
    {
        "DisabledKMSKey",
        "DisallowedByVpcEncryptionControl",
        "EFSIOError",
        "EFSMountConnectivityError",
        "EFSMountFailure",
        "EniLimitExceeded",
        "ImageAccessDenied",
        "ImageDeleted",
        "InsufficientRolePermissions",
        "InvalidImage",
        "InvalidRuntime",
        "InvalidSecurityGroup",
        "InvalidStateKMSKey",
        "InvalidSubnet",
        "InvalidZipFileException",
        "KMSKeyAccessDenied",
        "KMSKeyNotFound",
        "SubnetOutOfIPAddresses",
    }
)
_DYING_LOCK_S = 20.0  # how long the rule gets to clean up after an execution that is over


class Preparation:
    """One entry into Prepare.

    Args:
        request: The checked input.
        plan: What each invocation will be sent.
        execution_arn: The execution.
        function: The function to tune.
        deadline: Until when this may take.
        is_running: Says whether another execution is running, by its ARN.
        clean_up_after: Runs CleanUp for an execution if it is over, by its ARN.
        original: What GetFunction answered of the function that `function` is a copy of; None: it
            is the function itself.
    """

    def __init__(
        self,
        request: TuningInput,
        plan: Plan,
        execution_arn: str,
        function: Function,
        deadline: Deadline,
        is_running: Callable[[str], bool],
        clean_up_after: Callable[[str], None],
        original: Mapping[str, Any] | None = None,
    ) -> None:
        self._request = request
        self._plan = plan
        self._execution_arn = execution_arn
        self._function = function
        self._deadline = deadline
        self._is_running = is_running
        self._clean_up_after = clean_up_after
        self._original = original
        self._problem: PowerRefused | FunctionNotReady | None = None  # why one is excluded
        self._lock = FunctionLock(function, execution_arn)
        self._publisher = Publisher(function, execution_arn)

    def run(self, state: TuningState | None) -> TuningState:
        """Return the state with a fresh version for each power value that needs one.

        A memory size that AWS does not give the function is excluded.

        Args:
            state: What there is already, when versions are published again; None at first.

        Raises:
            AwsCallFailed: No power value can be had, or a call failed for another reason.
            FunctionNotReady: The function cannot be used, whatever its memory size.
        """
        description = self._describe()
        self._take_lock()
        try:
            # a stop that came before the lock was cleaned up after before the lock, too
            self._check_running()
            config = self._function.settled()
            original = self._lock.note_memory(config["MemorySize"])
            if config["MemorySize"] == original:  # else an earlier attempt has changed it
                self._function.require_usable(config)
            if state is None:
                state = self._new_state(description, original)
                if self._original is not None:
                    from power_tuner.copying import check_same

                    state.copy = self._function.arn.text
                    state.warnings += check_same(description["Configuration"], config)
            self._publish(config, state, original)
            self._lock.forget_memory()
            self._wait_for_versions(state)
            self._check_running()
            self._require_any(state)
        except MAYBE_ENDED:
            self._clean_up_after(self._execution_arn)
            raise
        return state

    def _check_running(self) -> None:
        if not self._is_running(self._execution_arn):
            raise ExecutionEnded("the execution was stopped")

    def _describe(self) -> Mapping[str, Any]:
        if self._original is not None:
            return self._original
        arn = self._function.arn.text
        try:
            description = self._function.describe()
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                raise NotTunable(f"lambdaARN: there is no function {arn}") from error
            if is_denied(error):
                raise NotTunable(
                    f"lambdaARN: the tuner is not allowed to tune {arn}; its ARN must be among "
                    "the tunable_function_arns that the tuner was deployed with"
                ) from error
            raise
        if _reserved_concurrency(description) == 0:
            raise NotTunable(f"lambdaARN: {arn} has a reserved concurrency of 0: it cannot run")
        why = kinds.why_not(description["Configuration"])
        if why:
            raise NotTunable(f"lambdaARN: {arn} {why}")
        return description

    def _take_lock(self) -> None:
        """Take the lock, or raise `FunctionBusy` if another execution holds it."""
        over_since: float | None = None
        while (other := self._lock.take()) is not None:
            if self._is_running(other.execution_arn):
                if self._request.on_conflict == "fail":
                    raise FunctionBusy(busy(self._function.arn.text, other))
            elif over_since is None:
                over_since = self._deadline.clock()
            elif self._deadline.clock() - over_since > _DYING_LOCK_S:
                self._clean_up_after(other.execution_arn)
            self._deadline.pause(BUSY_PAUSE_S, f"{other.execution_arn} to end")

    def _new_state(self, description: Mapping[str, Any], original: int) -> TuningState:
        config = description["Configuration"]
        mode = self._request.invoke_mode
        architecture = (config.get("Architectures") or ["x86_64"])[0]
        code_sha256 = str(config.get("CodeSha256") or "")
        payload = "" if self._request.disable_payload_logs else self._checksum()
        former = self._request.prior
        why_not = former.why_not(code_sha256, architecture, payload) if former else ""
        uses_prior = former is not None and not why_not
        warnings = [*self._request.warnings, *kinds.warnings(config)]
        if why_not:
            warnings.append(f"prior: not used: {why_not}")
        most_mb = self._most_mb(original, warnings)
        return TuningState(
            original_power=original,
            architecture=architecture,
            timeout_s=int(config.get("Timeout") or 3),
            reserved_concurrency=_reserved_concurrency(description),
            powers=self._powers(original, most_mb, uses_prior=uses_prior),
            most_power=most_mb,
            streams=kinds.streams(config) if mode == "auto" else mode == "response_stream",
            warnings=warnings,
            code_sha256=code_sha256,
            payload=payload,
            uses_prior=uses_prior,
        )

    def _checksum(self) -> str:
        """Return the SHA-256 of what is sent, with the function that may change it."""
        text = f"{self._plan.checksum()} {self._request.pre_processor_arn}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _most_mb(self, original: int, warnings: list[str]) -> int:
        """Return the largest size that the account allows, if a larger one would be measured.

        A size that the input names is left out with the reason; ranges are cut.
        """
        request = self._request
        is_range = request.adaptive or request.power_values == ALL_POWER_VALUES
        wanted = request.max_power if request.adaptive else max(request.power_values)
        if not is_range or wanted <= max(original, _NEW_ACCOUNT_MB):
            return MEMORY_MB_MAX
        limit = self._function.memory_limit_mb(wanted)
        if limit is None or limit >= wanted:
            return MEMORY_MB_MAX
        if request.adaptive and request.min_power > limit:
            raise NotTunable(f"minPower: {request.min_power} MB; {_allows(limit)}")
        warnings.append(f"{_allows(limit)}, so no larger size is measured")
        return limit

    def _powers(self, original: int, most_mb: int, *, uses_prior: bool) -> list[PowerState]:
        request = self._request
        if request.adaptive:
            from power_tuner import adaptive  # who measures fixed numbers does not wait for it

            return adaptive.first(request, self._plan, original, most_mb, uses_prior=uses_prior)
        todo = range(-request.warm_up, request.invocations)
        sizes = [power for power in request.power_values if power <= most_mb]
        return [PowerState(power, todo=list(todo)) for power in sizes]

    def _publish(self, config: Mapping[str, Any], state: TuningState, original: int) -> None:
        published = self._already_published()
        wanted = [p for p in state.powers if not p.done]
        for power in sorted(wanted, key=lambda p: (p.power == original, p.power)):
            mark = measured_mark(self._execution_arn, power.power, state.batch)
            number = published.get(mark)
            if number is None:
                try:
                    config = self._publisher.set_memory(config, power.power)
                    config, number = self._publisher.publish(config, mark)
                except (PowerRefused, FunctionNotReady) as error:
                    self._exclude(power, error)
                    config = self._after_refusal(config)
                    continue
                published[mark] = number
            power.versions.append(number)
        self._publisher.set_memory(config, original)
        state.batch += 1

    def _already_published(self) -> dict[str, str]:
        """Return what an earlier attempt of this entry published: version numbers by mark."""
        return {
            version.description: version.number
            for version in self._function.versions()
            if is_measured(version.description, self._execution_arn)
        }

    def _wait_for_versions(self, state: TuningState) -> None:
        """Wait until all can be invoked; with SnapStart their snapshots are made side by side."""
        for power in state.powers:
            if power.versions and not power.done:
                try:
                    self._function.ready(power.versions[-1])
                except FunctionNotReady as error:
                    self._exclude(power, error)

    def _exclude(self, power: PowerState, error: PowerRefused | FunctionNotReady) -> None:
        """Leave a power value out that cannot be prepared, if others may be.

        Raises:
            AwsCallFailed, FunctionNotReady: They may not.
        """
        concerns_all = isinstance(error, FunctionNotReady) and error.reason_code in _ANY_SIZE
        if concerns_all or not self._request.allow_failures:
            raise _as_failure(error)
        power.excluded = power.failure = f"power value {power.power} MB: {error}"
        self._problem = self._problem or error

    def _after_refusal(self, before: Configuration) -> Configuration:
        """Return $LATEST's configuration, which an update that failed may have changed."""
        config = self._function.settled()
        check_unchanged(before, config)
        return config

    def _require_any(self, state: TuningState) -> None:
        """Raise why the first power value is excluded, if all are."""
        if self._problem is None or not all(power.excluded for power in state.powers):
            return
        raise _as_failure(self._problem)


def _allows(limit_mb: int) -> str:
    return (
        f"the account allows functions {limit_mb} MB at most, as new accounts do (a higher quota "
        "of Lambda can be asked for in the Service Quotas console)"
    )


def _as_failure(error: PowerRefused | FunctionNotReady) -> AwsCallFailed | FunctionNotReady:
    """Return what the execution fails with where a power value cannot be left out."""
    return AwsCallFailed(str(error)) if isinstance(error, PowerRefused) else error


def _reserved_concurrency(description: Mapping[str, Any]) -> int | None:
    reserved: int | None = (description.get("Concurrency") or {}).get(
        "ReservedConcurrentExecutions"
    )
    return reserved


def busy(function_arn: str, lock: Lock) -> str:
    """Return what is said to who finds a function locked by another execution."""
    return (
        f"{function_arn} is being tuned by {lock.execution_arn}; wait until that has ended, "
        'or give "onConflict": "wait"'
    )
