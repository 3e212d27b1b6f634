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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lambda_dyno.aws import accounts, function_lock
from lambda_dyno.aws import target as targets
from lambda_dyno.core.config import Env, load_env
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.files import locked, write_atomically
from lambda_dyno.core.private import make_folder
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.results import Check
from lambda_dyno.deploy import deployed, sources, versions
from lambda_dyno.deploy.proof import CheckError, Proof
from lambda_dyno.deploy.versions import Version
from lambda_dyno.environments import environment, progress
from lambda_dyno.load import collection_files
from lambda_dyno.run import lifecycle, preflight
from lambda_dyno.terraform import provider
from lambda_dyno.terraform.command import Terraform

Outcome = Literal["deployed", "unchanged", "rolled back", "failed"]

_CANARY_FILE = "zz-canary.auto.tfvars.json"


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


def _require_own_root(env: Env) -> None:
    """Make sure that a root is of this project: what stands is brought up to date by its alias.

    Raises:
        UserError: It lies elsewhere, or has names of its own.
    """
    settings = env.settings.environment
    for key in ("root", "variables", "outputs"):
        if getattr(settings, key):
            raise UserError(
                f"{env.where}: [environment] {key}: `dyno deploy` is for roots in envs/ with this "
                "project's names. Deploy yours as you do, and measure it: dyno run, or dyno run "
                "--url URL --function NAME"
            )


@dataclass
class Deployment:
    """One deployment of one standing environment; `Deployment.prepare` makes it.

    Attributes:
        env: The environment and its settings.
        account: Where it is.
        folder: Working files: copies of the sources, packages, logs.
        terraform: In the copy of the root.
        ui: Where progress goes.
        proof: What a new version must show.
    """

    env: Env
    account: accounts.Account
    folder: Path
    terraform: Terraform
    ui: Ui
    proof: Proof
    changes: list[str] = field(default_factory=list)

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
        _require_own_root(env)
        preflight.check_sources(project, env, sources.PACKAGES)
        tools = preflight.tools_of(project, ui)
        account = targets.of_project(env, project)
        folder = deployed.folder_of(project, env, account)
        make_folder(project / ".dyno")
        make_folder(folder)
        backend = deployed.backend_of(env, account, folder)
        with locked(folder.with_suffix(".lock")), lifecycle.signals_raise():
            root = sources.stage(project, folder, env)
            logs = folder / "logs"
            logs.mkdir(exist_ok=True)
            bounded = sources.boundary(env, account, backend, root)
            terraform = Terraform(root, tools, account.program_environment(bounded), logs)
            terraform.init(backend)
            if account.endpoint:
                untried = provider.check_embedded(
                    terraform.providers(),
                    f"envs/{env_name}",
                    s3_control=terraform.reaches_s3_control,
                )
                if untried:
                    ui.warn(untried)
            yield cls(env, account, folder, terraform, ui, Proof(env, account, folder, ui))

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
            UserError: The function is being tuned, or a secret is missing; nothing was changed.
            StepError: Terraform or a check could not be carried out; callers have the version
                before, if there is one.
        """
        collection_files.check_secrets(self.env.folder.parents[1], self.env)
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
            self.proof.check(outputs, newest)
        except CheckError as error:
            return self._result("failed", before, newest, outputs, str(error))
        outcome: Outcome = "unchanged" if before and not self.changes else "deployed"
        return self._result(outcome, before, newest, outputs, "")

    def _prove(self, before: Version, newest: Version, outputs: Mapping[str, Any]) -> None:
        """Take a new version from no calls to all of them.

        Raises:
            CheckError: It does not pass.
        """
        self.proof.invoke(outputs["function_name"], newest)
        settings = self.env.settings.deploy
        if settings.deployment == "canary":
            outputs = self._apply("shift", before, settings.canary_percent)
            self.proof.check(outputs, newest, f"{settings.canary_percent} % of the calls")
        outputs = self._apply("promote", None, 0)
        self.proof.check(outputs, newest)

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
            checks=self.proof.checks,
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
        return versions.live(self.account, outputs)

    def _newest(self, function: str) -> Version:
        return versions.newest(self.account, function)

    def _require_untuned(self, outputs: Mapping[str, Any]) -> None:
        """Refuse to deploy while a tuner has other memory sizes and versions on the function."""
        name = outputs.get("function_name")
        lock = function_lock.find(name, self.account.region, self.account) if name else None
        if lock is not None:
            raise UserError(
                f"{name} is being tuned, and a deployment would take the tuner's memory size and "
                f"versions for its own: {lock.execution_arn}. Deploy when it is over."
            )


_WORDS = {
    "publish": "deploying {env}",
    "shift": "giving the new version {percent} % of the calls",
    "promote": "giving the newest version all calls",
    "back": "giving all calls back to version {version}",
}


def _is_change(entry: Mapping[str, Any]) -> bool:
    return not set(entry["change"]["actions"]) <= {"no-op", "read"}
