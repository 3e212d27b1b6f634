"""Deploy a standing environment, and let a new version of its function prove itself first.

    publish -> [invoke] -> [shift a share] -> check -> promote -> check
                  └──────────── fails ───────────> back to the version before

Terraform makes every change, of the alias too: the variable `canary` holds the alias at the
version that callers have, while the new one is published; then it gives the new one its share;
then it is gone, and the new version gets all calls. So after each step the state, the variables
and what is deployed agree. With `deployment = "all-at-once"` there is no share; a version that
does not pass its check loses the calls again all the same.

A standing environment has a name and a state of its own (`deploy.bootstrap`), no lease
and no expiry: `dyno sweep` never sees it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import botocore.exceptions

from lambda_dyno.aws import accounts, errors
from lambda_dyno.aws import target as targets
from lambda_dyno.core.config import Env, load_env
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.files import locked, write_atomically, write_json
from lambda_dyno.core.private import make_folder
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.results import Check, LoadResult
from lambda_dyno.deploy import deployed
from lambda_dyno.deploy.bootstrap import deployed_name_prefix
from lambda_dyno.environments import environment, progress
from lambda_dyno.gates import slo
from lambda_dyno.load import collection_files, drivers, load_test
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api, ApiCredentials
from lambda_dyno.load.samples import read_samples
from lambda_dyno.run import lifecycle, preflight, progress_adapters
from lambda_dyno.terraform import provider, root_module, toolchain
from lambda_dyno.terraform.command import Terraform
from lambda_dyno.terraform.packages import build
from lambda_dyno.tune import function_lock

Outcome = Literal["deployed", "unchanged", "rolled back", "failed"]

# The functions that this project's environments deploy: folders of lambda/.
_PACKAGES = ("crud_api", "power_tuner")
_CANARY_FILE = "zz-canary.auto.tfvars.json"
_STATE = ("*.tfstate", "*.tfstate.*", ".terraform", ".terraform.lock.hcl")
# How often a new version is asked by itself, before anybody else meets it.
_INVOCATIONS = 5


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of the function."""

    number: str
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deployment came to.

    Attributes:
        env: The environment.
        outcome: "rolled back" if a new version did not pass its check and lost the calls again;
            "failed" if there is no version before that could have them.
        before: The version that callers had; None if there was none.
        version: The newest one.
        checks: What the last check measured.
        reason: Why it did not pass; empty if it did.
        changes: What Terraform changed, such as "update module.x".
        api_url: Where the API is.
    """

    env: str
    outcome: Outcome
    before: Version | None
    version: Version
    checks: tuple[Check, ...]
    reason: str
    changes: tuple[str, ...]
    api_url: str

    @property
    def passed(self) -> bool:
        """Whether the newest version has all calls, rightly."""
        return not self.reason

    def to_json(self) -> dict[str, Any]:
        """Return what `dyno deploy --json` prints."""
        return {
            "env": self.env,
            "outcome": self.outcome,
            "version": self.version.number,
            "memory_mb": self.version.memory_mb,
            "version_before": self.before.number if self.before else None,
            "memory_mb_before": self.before.memory_mb if self.before else None,
            "checks": [
                {
                    "name": check.name,
                    "outcome": check.outcome,
                    "measured": check.measured,
                    "limit": check.limit,
                    "reason": check.reason,
                }
                for check in self.checks
            ],
            "reason": self.reason,
            "changes": list(self.changes),
            "api_url": self.api_url,
        }


class CheckError(Exception):
    """A new version did not pass. The message is one sentence."""


@dataclass
class Deployment:
    """One deployment of one standing environment; `Deployment.prepare` makes it.

    Attributes:
        env: The environment and its settings.
        account: Where it is.
        folder: Working files: copies of the sources, packages, logs.
        terraform: In the copy of the root.
        ui: Where progress goes.
    """

    env: Env
    account: accounts.Account
    folder: Path
    terraform: Terraform
    ui: Ui
    changes: list[str] = field(default_factory=list)
    checks: tuple[Check, ...] = ()

    @classmethod
    @contextmanager
    def prepare(
        cls, project: Path, env_name: str, ui: Ui, overrides: Mapping[str, Any]
    ) -> Iterator[Deployment]:
        """Check everything that is needed, and hold the environment against other deployments.

        Args:
            project: Folder that holds `envs/`, `modules/` and `lambda/`.
            env_name: The environment.
            ui: Where progress goes.
            overrides: Settings from the command line, by "section.key".

        Raises:
            UserError: Something is missing or wrong; nothing was made.
        """
        env = load_env(project, env_name, overrides)
        preflight.check_sources(project, env, _PACKAGES)
        collection_files.check(project, env)
        drivers.DRIVER.check()
        tools = toolchain.prepare(project / ".cache")
        for warning in tools.warnings:
            ui.warn(warning)
        account = targets.of_project(env, project)
        folder = deployed.folder_of(project, env, account)
        make_folder(project / ".dyno")
        make_folder(folder)
        backend = deployed.backend_of(env, account, folder)
        with locked(folder.with_suffix(".lock")), lifecycle.signals_raise():
            root = _stage(project, folder, env)
            logs = folder / "logs"
            logs.mkdir(exist_ok=True)
            bounded = _boundary(env, account, backend, root)
            terraform = Terraform(root, tools, account.program_environment(bounded), logs)
            terraform.init(backend)
            if account.endpoint:
                provider.check_embedded(terraform.providers(), env_name)
            yield cls(env, account, folder, terraform, ui)

    def plan(self) -> dict[str, Any]:
        """Return what a deployment would change, as `terraform show -json` tells it."""
        with self.ui.step("plan", "asking Terraform") as step:
            plan = self.terraform.plan_json()
            changed = [c for c in plan.get("resource_changes", ()) if _is_change(c)]
            step.update(f"{len(changed)} resources to change")
        return plan

    def run(self) -> Deployed:
        """Deploy, check, and put the calls back to the version before if it does not pass.

        Raises:
            UserError: The function is being tuned; nothing was changed.
            StepError: Terraform or a check could not be carried out; callers have the version
                before, if there is one.
        """
        known = self._known()
        self._require_untuned(known)
        before = self._live(known)
        outputs = self._apply("publish", before, 0)
        newest = self._newest(outputs["function_name"])
        if before is None or before.number == newest.number:
            return self._judged(before, newest, outputs)
        try:
            self._prove(before, newest, outputs)
        except CheckError as error:
            self._apply("back", before, 0)
            return self._result("rolled back", before, newest, outputs, str(error))
        except BaseException:
            # Also Ctrl-C: nobody shall be left with a version that nobody has judged.
            with lifecycle.shielded(self.ui):
                self._apply("back", before, 0)
            raise
        return self._result("deployed", before, newest, outputs, "")

    def _judged(
        self, before: Version | None, newest: Version, outputs: Mapping[str, Any]
    ) -> Deployed:
        """Check an environment in which no other version could have the calls."""
        try:
            self._check(outputs, newest)
        except CheckError as error:
            return self._result("failed", before, newest, outputs, str(error))
        outcome: Outcome = "unchanged" if before and not self.changes else "deployed"
        return self._result(outcome, before, newest, outputs, "")

    def _prove(self, before: Version, newest: Version, outputs: Mapping[str, Any]) -> None:
        """Take a new version from no calls to all of them.

        Raises:
            CheckError: It does not pass.
        """
        self._invoke(outputs["function_name"], newest)
        settings = self.env.settings.deploy
        if settings.deployment == "canary":
            outputs = self._apply("shift", before, settings.canary_percent)
            self._check(outputs, newest, f"{settings.canary_percent} % of the calls")
        outputs = self._apply("promote", None, 0)
        self._check(outputs, newest)

    def _result(
        self,
        outcome: Outcome,
        before: Version | None,
        newest: Version,
        outputs: Mapping[str, Any],
        reason: str,
    ) -> Deployed:
        return Deployed(
            env=self.env.name,
            outcome=outcome,
            before=before,
            version=newest,
            checks=self.checks,
            reason=reason,
            changes=tuple(dict.fromkeys(self.changes)),
            api_url=self.account.reachable(outputs["api_url"]),
        )

    # Terraform

    def _apply(self, name: str, stable: Version | None, percent: int) -> dict[str, Any]:
        """Apply the root; the alias stays with a version but for a share, if one is given."""
        canary = {"stable_version": stable.number, "percent": percent} if stable else None
        root = self.folder / "terraform" / "envs" / self.env.name
        write_atomically(root / _CANARY_FILE, json.dumps({"canary": canary}) + "\n")
        text = _WORDS[name].format(
            percent=percent, version=stable.number if stable else "", env=self.env.name
        )
        with self.ui.step(name, text) as step:
            changed: list[str] = []
            outputs = self.terraform.apply(progress.resources(step, text, changed))
            missing = [key for key in environment.REQUIRED_OUTPUTS if key not in outputs]
            if missing:
                raise StepError(name, f"envs/{self.env.name} has no output {', '.join(missing)}")
            self.changes += changed
            step.update(f"{text}: {progress.counted(changed)}")
        return outputs

    # What is deployed

    def _known(self) -> dict[str, Any]:
        """Return the outputs of the last deployment; none before the first."""
        return self.terraform.outputs()

    def _live(self, outputs: Mapping[str, Any]) -> Version | None:
        """Return the version that the alias gives its calls to; None before the first time."""
        name, alias = outputs.get("function_name"), outputs.get("function_alias")
        if not name or not alias:
            return None
        client = self.account.session.client("lambda")
        try:
            number = str(client.get_alias(FunctionName=name, Name=alias)["FunctionVersion"])
        except client.exceptions.ResourceNotFoundException:
            return None
        return next((v for v in self._versions(name) if v.number == number), None)

    def _require_untuned(self, outputs: Mapping[str, Any]) -> None:
        """Refuse to deploy while a tuner has other memory sizes and versions on the function."""
        name = outputs.get("function_name")
        lock = function_lock.find(name, self.account.region, self.account) if name else None
        if lock is not None:
            raise UserError(
                f"{name} is being tuned, and a deployment would take the tuner's memory size and "
                f"versions for its own: {lock.execution_arn}. Deploy when it is over."
            )

    def _newest(self, function: str) -> Version:
        return max(self._versions(function), key=lambda version: int(version.number))

    def _versions(self, function: str) -> list[Version]:
        """Return the published versions of a function."""
        pages = self.account.session.client("lambda").get_paginator("list_versions_by_function")
        return [
            Version(entry["Version"], int(entry["MemorySize"]))
            for page in pages.paginate(FunctionName=function)
            for entry in page["Versions"]
            if entry["Version"].isdigit()
        ]

    # Checks

    def _invoke(self, function: str, version: Version) -> None:
        """Ask a version that nobody calls yet.

        Raises:
            CheckError: It fails.
        """
        where = f"version {version.number} ({version.memory_mb:,} MB)"
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

    def _check(self, outputs: Mapping[str, Any], version: Version, share: str = "") -> None:
        """Smoke-test and load the API, and hold it against the SLOs.

        Raises:
            CheckError: An assertion or an SLO is missed.
            StepError: The check could not be made.
        """
        where = f"version {version.number} ({version.memory_mb:,} MB)"
        where += f" with {share}" if share else ""
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
                on_wait=progress_adapters.readiness(step),
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
                on_wait=progress_adapters.readiness(step),
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


_WORDS = {
    "publish": "deploying {env}",
    "shift": "giving the new version {percent} % of the calls",
    "promote": "giving the newest version all calls",
    "back": "giving all calls back to version {version}",
}


def _boundary(
    env: Env, account: accounts.Account, backend: Mapping[str, str], root: Path
) -> dict[str, str]:
    """Return the variable with the bootstrap's boundary, unless somebody says another."""
    name = "permissions_boundary_arn"
    if os.environ.get(f"TF_VAR_{name}") or name not in root_module.variables(root):
        return {}
    arn = deployed.boundary_arn(env, account, backend)
    return {f"TF_VAR_{name}": arn} if arn else {}


def _is_change(entry: Mapping[str, Any]) -> bool:
    return not set(entry["change"]["actions"]) <= {"no-op", "read"}


def _stage(project: Path, folder: Path, env: Env) -> Path:
    """Copy the sources anew, so that nothing of an older deployment stays; return the root."""
    sources = folder / "terraform"
    root = sources / "envs" / env.name
    kept = root / ".terraform"
    ignore = shutil.ignore_patterns(*_STATE, "__pycache__")
    if sources.exists():
        for path in (*sources.glob("modules"), *root.glob("*")):
            if path != kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for part in (Path("modules"), Path("envs", env.name)):
        shutil.copytree(project / part, sources / part, ignore=ignore, dirs_exist_ok=True)
    packages = {
        name: build(project / "lambda" / name, folder / "build" / f"{name}.zip")
        for name in _PACKAGES
    }
    variables = {
        "name_prefix": deployed_name_prefix(env),
        "tags": {"dyno:env": env.name},
        "packages": {
            name: {"path": str(package.path.resolve()), "sha256_base64": package.sha256_base64}
            for name, package in packages.items()
        },
    }
    write_json(root / "dyno.auto.tfvars.json", variables)
    return root
