"""What an account allows, by its recorded answers."""

from __future__ import annotations

import pytest

from lambda_dyno.aws.accounts import Account
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.tune import preflight
from tests.support.aws_answers import Recorded


class Told(TerminalUi):
    """Keeps warnings."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def warnings(answers: str, endpoint: str = "") -> tuple[list[str], list[str]]:
    """Return what is warned of, and what the account was asked."""
    recorded = Recorded(answers)
    account = Account("123456789012", "eu-west-1", endpoint, {})
    vars(account)["session"] = recorded.session  # as if it had been made already
    told = Told()
    preflight.warn_of_account(account, account.region, told)
    return told.warnings, recorded.asked


def test_a_new_accounts_concurrency_is_warned_of() -> None:
    """With the figure, what follows, and what to do."""
    ((warning,), _) = warnings("new-account")
    assert "account 123456789012 allows 10 concurrent executions" in warning
    for words in ("in eu-west-1", "throttled", "Service Quotas", "virtual_users"):
        assert words in warning


@pytest.mark.parametrize("answers", ["usual-account", "account-settings-denied"])
def test_what_is_enough_or_not_told_is_no_warning(answers: str) -> None:
    """A role that may not ask is no reason to worry anybody."""
    assert warnings(answers) == ([], ["lambda.GetAccountSettings"])


def test_the_embedded_aws_is_not_asked() -> None:
    """Its limit is a setting."""
    assert warnings("new-account", endpoint="http://127.0.0.1:1") == ([], [])


def test_an_account_is_asked_for_its_limits_once() -> None:
    """The warning before a tuning and what it may make at once are of one answer."""
    recorded = Recorded("new-account")
    account = Account("123456789012", "eu-west-1", "", {})
    vars(account)["session"] = recorded.session
    preflight.warn_of_account(account, account.region, Told())
    said: list[str] = []
    function = "arn:aws:lambda:eu-west-1:123456789012:function:shop"
    found = preflight.within_account({"lambdaARN": function}, account, said.append)
    assert found["maxConcurrency"] == 5
    assert recorded.asked == ["lambda.GetAccountSettings", "lambda.GetFunctionConcurrency"]
