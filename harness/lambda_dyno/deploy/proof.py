"""What a new version must show before it gets the calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.exceptions

from lambda_dyno.aws import errors
from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.config import Env
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.results import Check, LoadResult
from lambda_dyno.core.samples import read_samples
from lambda_dyno.deploy.versions import Version
from lambda_dyno.gates import slo
from lambda_dyno.load import collection_files, drivers, load_test
from lambda_dyno.load import progress as load_progress
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api, ApiCredentials

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
        payload = json.dumps(self.env.tuning_payload()).encode()
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
        load = self._load(outputs, version, where)
        limits = self.env.settings.slo.answered_by("load")
        path = self.folder / load.samples_path
        samples = read_samples([path]) if load.samples_path and path.exists() else []
        verdict = slo.evaluate(limits, load=(load,), samples=samples)
        self.checks = verdict.checks
        missed = [check.reason for check in verdict.checks if self._counts_against(check, load)]
        if missed:
            raise CheckError(f"{where} misses the SLOs: {'; '.join(missed)}")

    def _counts_against(self, check: Check, load: LoadResult) -> bool:
        """Whether a check keeps a version from its calls.

        An open one does not where `[slo]` says so. Where `[deploy]` alone does, something must
        have been measured all the same: by few requests, but not by a driver that was too busy.
        """
        if check.outcome != "inconclusive":
            return check.outcome != "pass"
        if self.env.settings.slo.inconclusive == "pass":
            return False
        measured = check.measured is not None and load.requests > 0 and not load.saturated
        return not measured or self.env.settings.deploy.inconclusive == "fail"

    def _smoke(self, outputs: Mapping[str, Any], where: str) -> None:
        with self.ui.step("smoke", f"asking every operation of {where}") as step:
            smoke = drivers.DRIVER.smoke(
                self._api(outputs),
                self._collection("smoke"),
                log=self.folder / "logs" / "smoke.log",
                timeout_s=120,
                on_wait=load_progress.readiness(step),
            )
            if not smoke.passed:
                first = smoke.failures[0] if smoke.failures else None
                said = f"{first.request}: {first.message}" if first else "no assertion was made"
                raise CheckError(f"{where} fails the smoke test: {said}")
            step.update(smoke.counts)

    def _load(self, outputs: Mapping[str, Any], version: Version, where: str) -> LoadResult:
        profile = self.env.settings.deploy.load
        with self.ui.step("load", f"{profile.virtual_users} users on {where}") as step:
            load = load_test.run(
                profile,
                self._api(outputs),
                self._collection("load"),
                label=slo.DEPLOYED,
                memory_mb=version.memory_mb,
                folder=self.folder / "load",
                on_wait=load_progress.readiness(step),
            )
            step.update(f"{where}: {load.requests:,} requests, {load.errors} errors")
        return load

    def _collection(self, step: str) -> CollectionFiles:
        """Return what a "smoke" or a "load" test asks; where nothing is, this project's own."""
        project = self.env.folder.parents[1]
        files = collection_files.of_deployment(project, self.env, step)
        return files if files.collection.is_file() else collection_files.own(step)

    def _api(self, outputs: Mapping[str, Any]) -> Api:
        signed = outputs["api_authorization"] == "AWS_IAM"
        keys = ApiCredentials.of(self.account.session) if signed else None
        return Api(self.account.reachable(outputs["api_url"]), self.account.region, keys)
