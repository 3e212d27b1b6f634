"""Terraform behind one class: every non-zero exit is an error, with a deadline and progress.

python-terraform knows how each command's options are spelled; how a program is run (pipes,
deadline, signals, environment) is decided here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import python_terraform

from lambda_dyno.core.errors import StepError
from lambda_dyno.core.files import locked
from lambda_dyno.runs import process
from lambda_dyno.terraform import attached, stand_in
from lambda_dyno.terraform.outputs import flat
from lambda_dyno.terraform.toolchain import Toolchain

_APPLY_TIMEOUT_S = 1800.0
LONGEST_S = _APPLY_TIMEOUT_S + process.GRACE_S  # until a guard has ended what holds a lock
PLAN_TIMEOUT_S = 300.0
INIT_TIMEOUT_S = 600.0  # the first one may download 700 MB of provider

_PLAN = "dyno.tfplan"
# What these print has sensitive values in clear, and logs are evidence that is handed on.
_SECRET = ("output", "show")
_WITH_PROVIDER = ("apply", "destroy", "plan", "show")
_CHANGES = 2  # exit status of plan -detailed-exitcode when there is something to do


@dataclass(frozen=True, slots=True)
class Change:
    """One resource change as Terraform reports it while it works."""

    action: str  # "create", "update", "delete"
    address: str
    done: int  # resources finished so far
    total: int  # resources of the plan; 0 while unknown


OnChange = Callable[[Change], None]


class TerraformError(StepError):
    """A Terraform command failed.

    Attributes:
        command: The command, such as "apply".
        log: The file that holds its whole output.
        diagnostics: What Terraform said of its mistakes; none if it was ended, or did not say it
            in JSON.
    """

    def __init__(
        self,
        command: str,
        message: str,
        log: Path,
        diagnostics: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__("terraform", f"terraform {command}: {message}", f"the whole output: {log}")
        self.command = command
        self.log = log
        self.diagnostics = tuple(diagnostics)

    @property
    def may_pass(self) -> bool:
        """Whether the same command may succeed a little later.

        What AWS says of an order of things, of load and of itself passes: a conflict, a
        dependency, a throttle, an internal error. A refusal, credentials that are no good and a
        mistake in the root do not.
        """
        return _STAYS.search(str(self)) is None

    @property
    def is_of_aws(self) -> bool:
        """Whether AWS refused something, or did not answer: the root may be right."""
        return _OF_AWS.search(str(self)) is not None

    @property
    def line(self) -> str:
        """The first mistake in one line: the file and line, and what is wrong."""
        if not self.diagnostics:
            return " ".join(str(self).split())
        first = min(self.diagnostics, key=_position)  # Terraform tells them in any order
        more = len(self.diagnostics) - 1
        also = f" (and {more} more: {self.log})" if more else ""
        return f"{_place(first)}{_said(first)}{also}"


# How the AWS provider and the S3 backend quote an answer of AWS's, and what goes before it.
_OF_AWS = re.compile(r"api error|https? response error|operation error|StatusCode|RequestID")

# What does not pass by waiting, in the words of AWS and of Terraform's diagnostics.
_STAYS = re.compile(
    r"AccessDenied|AuthFailure|ExpiredToken|InvalidClientTokenId|InvalidAccessKeyId|"
    r"is not authorized to perform|No valid credential|NoSuchBucket|OptInRequired|"
    r"RequestExpired|SignatureDoesNotMatch|UnauthorizedOperation|UnrecognizedClient|"
    r"requested provider .* does not|state snapshot was created by|unsupported state|"
    r"prevent_destroy|Instance cannot be destroyed"
)


class Terraform:
    """Runs Terraform in one root module.

    Args:
        root: Folder of the root module.
        toolchain: Program and configuration to use.
        environment: The whole environment for Terraform, credentials included.
        logs: Folder for `terraform-COMMAND.log`.
        one_provider: Whether a command may share one process of the AWS provider (`attached`).
        watch: Says why there is no use in going on, such as an embedded AWS that is gone:
            Terraform would ask it for minutes. Empty: there is.
    """

    def __init__(
        self,
        root: Path,
        toolchain: Toolchain,
        environment: Mapping[str, str],
        logs: Path,
        *,
        one_provider: bool = False,
        watch: Callable[[], str] | None = None,
    ) -> None:
        self._root = root
        self._one_provider = one_provider
        self._watch = watch
        self._toolchain = toolchain
        self._environment = {
            **{k: v for k, v in environment.items() if k not in toolchain.unset},
            **toolchain.environment,
        }
        # not for `init`: what that fetches may be at any host
        self._with_provider = self._environment | stand_in.variables(self._environment)
        self._logs = logs
        self._spelling = python_terraform.Terraform(
            working_dir=str(root), terraform_bin_path=str(toolchain.terraform)
        )

    @property
    def reaches_s3_control(self) -> bool:
        """Whether an AWS that stands in, on this machine, is asked for S3 Control by name."""
        return stand_in.S3_CONTROL in self._with_provider

    def init(self, backend: Mapping[str, str] | None = None) -> None:
        """Initialise the root with the given backend settings.

        Raises:
            TerraformError: The provider or the backend cannot be had.
        """
        with locked(self._toolchain.lock):  # the provider cache takes one writer at a time
            self._run("init", INIT_TIMEOUT_S, backend_config=dict(backend or {}), json=True)

    def providers(self) -> dict[str, str]:
        """Return the versions that `init` chose, by the provider's address.

        Raises:
            TerraformError: Terraform cannot tell.
        """
        told = json.loads(self._run("version", PLAN_TIMEOUT_S, json=True).stdout)
        selected: dict[str, str] = told.get("provider_selections") or {}
        return selected

    def is_valid(self) -> bool:
        """Whether Terraform can make sense of the root, whatever is in its state."""
        completed = self._run("validate", PLAN_TIMEOUT_S, allowed=(0, 1), json=True)
        try:
            return json.loads(completed.stdout)["valid"] is True
        except (ValueError, KeyError):
            return False

    def apply(self, on_change: OnChange | None = None, *, refresh: bool = True) -> dict[str, Any]:
        """Create or change what the root describes, and return its outputs by name.

        Sensitive outputs are left out: Terraform does not tell them here, and no report needs them.

        Args:
            on_change: Told of each resource.
            refresh: Whether to look first what has become of all resources; without it, the state
                is believed.

        Raises:
            TerraformError: Something could not be made; what was made is in the state.
        """
        done = self._run("apply", _APPLY_TIMEOUT_S, _Follow(on_change), **_applied(refresh=refresh))
        # The last event has the outputs: no need to start Terraform once more for them.
        outputs = [event["outputs"] for event in _events(done.stdout) if event["type"] == "outputs"]
        told = outputs[-1] if outputs else {}
        return flat({name: output["value"] for name, output in told.items() if "value" in output})

    def destroy(self, on_change: OnChange | None = None, *, refresh: bool = True) -> None:
        """Remove everything in the state.

        Args:
            on_change: As in `apply`, as is `refresh`.
            refresh: Whether to look first; what is gone already is gone either way.

        Raises:
            TerraformError: Something could not be removed; it is still in the state.
        """
        self._run("destroy", _APPLY_TIMEOUT_S, _Follow(on_change), **_applied(refresh=refresh))

    def plan(self) -> list[str]:
        """Return the addresses of the resources that an apply would change; empty: none.

        Raises:
            TerraformError: There is no plan.
        """
        completed = self._run(
            "plan", PLAN_TIMEOUT_S, allowed=(0, _CHANGES), json=True, detailed_exitcode=True
        )
        changes = [
            f"{event['change']['action']} {event['change']['resource']['addr']}"
            for event in _events(completed.stdout)
            if event.get("type") == "planned_change"
        ]
        if completed.returncode == _CHANGES and not changes:
            changes = ["outputs only"]
        return changes

    def plan_json(self) -> dict[str, Any]:
        """Return what an apply would do now, as `terraform show -json` tells it.

        Raises:
            TerraformError: There is no plan.
        """
        file = self._root / _PLAN  # the same every time, so that a killed one leaves no heap
        try:
            self._run("plan", PLAN_TIMEOUT_S, out=str(file.resolve()), json=True)
            shown = self._run("show", PLAN_TIMEOUT_S, arguments=(str(file.resolve()),), json=True)
        finally:
            file.unlink(missing_ok=True)
        found: dict[str, Any] = json.loads(shown.stdout)
        return found

    def push_state(self, file: Path) -> None:
        """Put a state that Terraform could not save, and left in a file, where it belongs.

        Raises:
            TerraformError: There is one that it does not follow on, or it cannot be written.
        """
        self._run("state push", PLAN_TIMEOUT_S, arguments=(str(file),))

    def forget(self, addresses: Sequence[str]) -> None:
        """Take resources out of the state; they stay, and nobody manages them.

        Raises:
            TerraformError: One of them is not in the state, or it cannot be written.
        """
        self._run("state rm", PLAN_TIMEOUT_S, arguments=tuple(addresses))

    def outputs(self) -> dict[str, Any]:
        """Return the outputs in the state by name; none without a state.

        Raises:
            TerraformError: The state cannot be read.
        """
        completed = self._run("output", PLAN_TIMEOUT_S, json=True)
        found: dict[str, dict[str, Any]] = json.loads(completed.stdout)
        return flat({name: output["value"] for name, output in found.items()})

    def _provider(self) -> AbstractContextManager[dict[str, str]]:
        return attached.provider(self._root, self._with_provider)

    def _run(
        self,
        command: str,
        timeout_s: float,
        follow: _Follow | None = None,
        *,
        allowed: tuple[int, ...] = (0,),
        arguments: tuple[str, ...] = (),
        **options: Any,
    ) -> process.Completed:
        flags = {
            name: python_terraform.IsFlagged if value is True else value
            for name, value in options.items()
        }
        if command == "validate":
            flags |= {"no_color": python_terraform.IsFlagged}
        elif command not in ("output", "show", "state list", "state push", "state rm", "version"):
            flags |= {"input": False, "no_color": python_terraform.IsFlagged}
        argv = self._spelling.generate_cmd_string(command, *arguments, **flags)
        log = self._logs / f"terraform-{command.split(maxsplit=1)[0]}.log"
        environment = self._environment if command == "init" else self._with_provider
        attach = self._one_provider and command in _WITH_PROVIDER
        try:
            with self._provider() if attach else nullcontext({}) as more:
                completed = process.run(
                    argv,
                    cwd=self._root,
                    env={**environment, **more},
                    timeout_s=timeout_s,
                    log=log,
                    on_line=follow.line if follow else None,
                    watch=self._watch,
                    secret=command in _SECRET,
                )
        except (process.DeadlineError, process.AbandonedError) as error:
            raise TerraformError(command, str(error), log) from error
        if completed.returncode not in allowed:
            told = replace(completed, stdout="") if command in _SECRET else completed
            mistakes = _mistakes(told.stdout)
            raise TerraformError(command, _reason(told, mistakes), log, mistakes)
        return completed


def _applied(*, refresh: bool) -> dict[str, Any]:
    """Return the options of what changes resources."""
    return {"json": True, "auto_approve": True, **({} if refresh else {"refresh": False})}


class _Follow:
    """Turns the events of `apply -json` into `Change`s."""

    def __init__(self, on_change: OnChange | None) -> None:
        self._on_change = on_change
        self._done = self._total = 0

    def line(self, line: str) -> None:
        if self._on_change is None:
            return
        for event in _events(line):
            kind = event.get("type")
            if kind == "change_summary" and event["changes"].get("operation") == "plan":
                changes = event["changes"]
                self._total = changes["add"] + changes["change"] + changes["remove"]
            elif kind in ("apply_start", "apply_complete"):
                hook = event["hook"]
                if hook["action"] == "read":
                    continue  # data sources are no part of the plan's count
                self._done += kind == "apply_complete"
                self._on_change(
                    Change(hook["action"], hook["resource"]["addr"], self._done, self._total)
                )


def _events(text: str) -> list[dict[str, Any]]:
    """Return the JSON events among the lines of an output."""
    events = []
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                events.append(json.loads(line))
            except ValueError:
                continue  # a line cut short when Terraform was killed
    return events


def _mistakes(stdout: str) -> list[dict[str, Any]]:
    """Return the errors among the diagnostics of a command that tells them in JSON."""
    found = (e["diagnostic"] for e in _events(stdout) if e.get("type") == "diagnostic")
    return [diagnostic for diagnostic in found if diagnostic["severity"] == "error"]


def _reason(completed: process.Completed, mistakes: Sequence[Mapping[str, Any]]) -> str:
    """Return why a command failed: Terraform's own diagnostics, or the end of its output."""
    if mistakes:
        return "\n".join(
            f"{_where(mistake)}{mistake['summary']}: {mistake.get('detail', '')}".rstrip(": \n")
            for mistake in mistakes
        )
    tail = (completed.stderr.strip() or completed.stdout.strip()).splitlines()[-15:]
    ended = (
        f"ended by signal {-completed.returncode}"
        if completed.returncode < 0
        else f"exit status {completed.returncode}"
    )
    return "\n".join([ended, *tail])


def _where(diagnostic: Mapping[str, Any]) -> str:
    place = diagnostic.get("address") or ""
    return f"{place}: " if place else ""


def _place(diagnostic: Mapping[str, Any]) -> str:
    """Return a diagnostic's file and line, or its address."""
    found = diagnostic.get("range")
    return f"{found['filename']}:{found['start']['line']}: " if found else _where(diagnostic)


def _position(diagnostic: Mapping[str, Any]) -> tuple[bool, str, int]:
    """Return where a diagnostic stands, for sorting; what has no place comes last."""
    found = diagnostic.get("range")
    return (False, found["filename"], found["start"]["line"]) if found else (True, "", 0)


def _said(diagnostic: Mapping[str, Any]) -> str:
    """Return a diagnostic in one line."""
    text = f"{diagnostic['summary']}: {diagnostic.get('detail', '')}"
    return " ".join(text.split()).rstrip(":")
