"""What a tuning needs of the account, as far as these credentials can tell before it begins."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import botocore.exceptions

from lambda_dyno.aws import existing_tuner, function_lock, lambda_function
from lambda_dyno.aws.accounts import Account
from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.progress import Ui
from lambda_dyno.tuner_contract import prices
from lambda_dyno.tuner_contract.keys import is_adaptive, most_passes
from lambda_dyno.tuner_contract.values import ALL_POWER_VALUES, integer, is_true, s3_location

# A run needs 7 executions at once to tune and one for each virtual user under load; two at a time
# and some callers of other functions fit into this.
_ENOUGH_CONCURRENCY = 50
_MANY_AT_ONCE = 1000  # what most accounts have; the tuner makes no more than 500 at once


def hints(
    function: Function, tuning_input: Mapping[str, Any], timeout_minutes: float
) -> Iterator[str]:
    """Yield what is good to know before anything is deployed."""
    longest_s = longest_measuring_s(function.timeout_s, tuning_input)
    if longest_s > timeout_minutes * 60:
        yield (
            f"measuring may take {longest_s / 60:,.0f} min if each invocation takes the "
            f"{function.timeout_s} s of the function's Timeout; after {timeout_minutes:g} min "
            "(--timeout-minutes) it ends, and what is not measured is left out"
        )


def longest_measuring_s(timeout_s: int, tuning_input: Mapping[str, Any]) -> float:
    """Return how long measuring takes, in seconds, if each invocation takes its time-out."""
    values = tuning_input.get("powerValues")
    sizes = len(ALL_POWER_VALUES) if values == "ALL" else len(set(map(str, values or ["default"])))
    one_by_one = _most_in_turn(tuning_input)
    if any(is_true(tuning_input.get(key)) for key in ("parallelInvocation", "onlyColdStarts")):
        return timeout_s
    # power values side by side, unless they are to come one after the other
    in_turn = sizes if is_true(tuning_input.get("sequential")) else 1
    pause_s = (integer(tuning_input.get("sleepBetweenRunsMs")) or 0) / 1000
    return in_turn * one_by_one * (timeout_s + pause_s)


def _most_in_turn(tuning_input: Mapping[str, Any]) -> int:
    """Return how many invocations follow each other, of passes of one."""
    if is_true(tuning_input.get("dryRun")):
        return 1
    if not is_adaptive(tuning_input):
        return integer(tuning_input.get("num")) or 1
    most = most_passes(
        tuning_input.get("confidence") or "default",
        tuning_input.get("strategy") or "cost",
        tuning_input.get("limitOn") or "p95",
    )
    return integer(tuning_input.get("maxInvocations")) or most


def warn_of_account(account: Account, region: str, ui: Ui) -> None:
    """Warn of a region without a price list, and of so few executions that a run is throttled.

    Of the latter nothing is said on a stand-in for AWS, nor without lambda:GetAccountSettings.
    """
    price = prices.unlisted(region)
    if price:
        ui.warn(price)
    limit = _limits(account, account.region).get("ConcurrentExecutions", _ENOUGH_CONCURRENCY)
    if limit < _ENOUGH_CONCURRENCY:
        ui.warn(
            f"account {account.account_id} allows {limit} concurrent executions of Lambda in "
            f"{account.region}, shared by all its functions: calls beyond that are throttled, "
            "which counts as errors. A run needs 7 to tune and one for each virtual user. Ask for "
            "more in the Service Quotas console (Lambda, Concurrent executions); until then set "
            "fewer virtual_users in [load], and make one run at a time"
        )


def within_account(
    tuning_input: Mapping[str, Any], account: Account, say: Callable[[str], None]
) -> Mapping[str, Any]:
    """Return an input that leaves half of what a small account may have at once to its others.

    As it is if it says itself how much, if the function has a concurrency of its own, if nobody
    may look, and on a stand-in for AWS.

    Args:
        tuning_input: The whole input.
        account: Whose credentials look.
        say: Told if less is made at once.
    """
    if integer(tuning_input.get("maxConcurrency")):
        return tuning_input
    arn = str(tuning_input["lambdaARN"])
    region = arn.split(":")[3]
    unreserved = _limits(account, region).get("UnreservedConcurrentExecutions", _MANY_AT_ONCE)
    if unreserved >= _MANY_AT_ONCE:
        return tuning_input
    client = account.session.client("lambda", region_name=region)
    try:
        reserved = client.get_function_concurrency(FunctionName=arn)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
        return tuning_input
    if "ReservedConcurrentExecutions" in reserved:
        return tuning_input
    most = max(1, unreserved // 2)
    say(
        f"the account has {unreserved} concurrent executions for all its functions together, so at "
        f"most {most} invocations are made at once (--max-concurrency)"
    )
    return {**tuning_input, "maxConcurrency": most}


def _limits(account: Account, region: str) -> Mapping[str, int]:
    """Return Lambda's limits by AWS's names; empty if nobody may look, or on a stand-in."""
    return {} if account.endpoint else _limits_by(account.session, region)


@functools.lru_cache(maxsize=4)
def _limits_by(session: Any, region: str) -> Mapping[str, int]:
    try:
        answer = session.client("lambda", region_name=region).get_account_settings()
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
        return {}
    return dict(answer["AccountLimit"])


def require(
    function: Function,
    tuning_input: Mapping[str, Any],
    account: Account,
    there: Account,
    *,
    tuner_arn: str,
) -> str:
    """Make sure that all that a tuning uses is there, and that nobody else tunes the function.

    Args:
        function: What is tuned.
        tuning_input: The whole input.
        account: Where the power tuner is, and what it reads.
        there: Where the function is.
        tuner_arn: The tuner that will be used, if it stands.

    Returns:
        The ARN of the payload's KMS key, if it has one.

    Raises:
        UserError: Something is not there, or the function is not free.
    """
    require_processors(tuning_input, account)
    payload_key_arn = require_payload(tuning_input, account)
    if tuner_arn:
        existing_tuner.require_tuner(tuner_arn, account)
    if not function.qualifier:  # while $LATEST takes other sizes, a copy of it would have one
        wait = tuning_input.get("onConflict") == "wait"
        function_lock.require_free(function, there, wait=wait, tuner_arn=tuner_arn)
    return payload_key_arn


def processors(tuning_input: Mapping[str, Any]) -> dict[str, str]:
    """Return the ARNs of the functions that change payloads and answers, by their keys."""
    keys = ("preProcessorARN", "postProcessorARN")
    return {key: tuning_input[key] for key in keys if tuning_input.get(key)}


def require_processors(tuning_input: Mapping[str, Any], account: Account) -> None:
    """Make sure that the functions that change payloads and answers are there.

    Raises:
        UserError: One is not.
    """
    for key, arn in processors(tuning_input).items():
        lambda_function.require_processor(arn, key, account)


def require_payload(tuning_input: Mapping[str, Any], account: Account) -> str:
    """Make sure that a payload in S3 is there, and return the ARN of its KMS key, if it has one.

    As far as these credentials can tell: the tuner reads it with its own role, so a refusal here
    says nothing.
    """
    location = s3_location(tuning_input.get("payloadS3") or "")
    if location is None:
        return ""
    bucket, key = location
    try:
        found = account.session.client("s3").head_object(Bucket=bucket, Key=key)
    except botocore.exceptions.ClientError as error:
        if errors.http_status(error) == 404:
            raise UserError(f"payloadS3: there is no object s3://{bucket}/{key}") from error
        return ""
    named = str(found.get("SSEKMSKeyId") or "")
    return named if named.startswith("arn:") else ""
