"""What a new version must show before it gets the calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.exceptions

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.config import Env
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.results import DEPLOYED, Check, LoadResult
from lambda_dyno.deploy.versions import Version
from lambda_dyno.run import api
from lambda_dyno.run.steps import gate, load, smoke

# How often a new version is asked by itself, before anybody else meets it.
_INVOCATIONS = 5


class CheckError(Exception):
    """A new version did not pass. The message is one sentence."""


@dataclass
class Proof:
    """The checks of one deployment.

    Attributes:
        env: The environment and its settings.
        account: Where it is.
        folder: For samples and logs.
        ui: Where progress goes.
        checks: What the last check measured.
    """

    env: Env
    account: Account
    folder: Path
    ui: Ui
    checks: tuple[Check, ...] = ()

    def invoke(self, function: str, version: Version) -> None:
        """Ask a version that nobody calls yet.

        Raises:
            CheckError: It fails.
        """
        where = str(version)
        payload = json.dumps(self.env.deploy_payload()).encode()
        client = self.account.session.client("lambda")
        with self.ui.step("invoke", f"asking {where} before anybody else does") as step:
            try:
                for _ in range(_INVOCATIONS):
                    answer = client.invoke(
                        FunctionName=function, Qualifier=version.number, Payload=payload
                    )
                    if answer.get("FunctionError"):
                        said = answer["Payload"].read().decode(errors="replace")[:300]
                        raise CheckError(f"{where} fails when it is invoked: {said}")
            except botocore.exceptions.ClientError as error:
                if not errors.is_denied(error):
                    raise StepError("invoke", str(error)) from error
                step.update(f"{where} was not asked: no permission for lambda:InvokeFunction")
                return
            step.update(f"{where} answers")

    def check(self, outputs: Mapping[str, Any], version: Version, share: str = "") -> None:
        """Smoke-test and load the API, and hold it against the SLOs.

        Raises:
            CheckError: An assertion or an SLO is missed.
            StepError: The check could not be made.
        """
        where = f"{version} with {share}" if share else str(version)
        self._smoke(outputs, where)
        found = self._load(outputs, version, where)
        verdict = gate.of_load(self.env.settings.slo, found, self.folder)
        self.checks = verdict.checks
        missed = [check.reason for check in verdict.checks if self._counts_against(check, found)]
        if missed:
            raise CheckError(f"{where} misses the SLOs: {'; '.join(missed)}")

    def _counts_against(self, check: Check, found: LoadResult) -> bool:
        """Whether a check keeps a version from its calls.

        An open one does not where `[slo]` says so. Where `[deploy]` alone does, something must
        have been measured all the same: by few requests, but not by a driver that was too busy.
        """
        if check.outcome != "inconclusive":
            return check.outcome != "pass"
        if self.env.settings.slo.inconclusive == "pass":
            return False
        measured = check.measured is not None and found.requests > 0 and not found.saturated
        return not measured or self.env.settings.deploy.inconclusive == "fail"

    def _smoke(self, outputs: Mapping[str, Any], where: str) -> None:
        with self.ui.step("smoke", f"asking every operation of {where}") as step:
            target = api.of_outputs(self.account, outputs)
            files = api.collection_of_deployment(self.env, "smoke")
            found = smoke.ask(target, files, self.folder / "logs", step)
            if not found.passed:
                raise CheckError(f"{where} fails the smoke test: {found.first_failure}")

    def _load(self, outputs: Mapping[str, Any], version: Version, where: str) -> LoadResult:
        profile = self.env.settings.deploy.load
        with self.ui.step("load", f"{profile.virtual_users} users on {where}") as step:
            found = load.once(
                profile,
                api.of_outputs(self.account, outputs),
                api.collection_of_deployment(self.env, "load"),
                label=DEPLOYED,
                memory_mb=version.memory_mb,
                folder=self.folder / "load",
                shown=step,
            )
            step.update(f"{where}: {found.requests:,} requests, {found.errors} errors")
        return found
