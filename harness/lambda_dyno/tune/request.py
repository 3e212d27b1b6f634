"""From the command line of `dyno tune` to what is to be done: an `TuneRequest`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core import reading
from lambda_dyno.core.config import Settings, load_env, with_overrides
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.function_name import FunctionName, parse_name
from lambda_dyno.tune import tuner_input, validation


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What the command line of `dyno tune` says.

    Attributes:
        flags: Values by the names in `tune.tuner_input.FLAGGED`; what was not given is not in it.
        function: Name or ARN of the function; None: `input_file` names it, or nobody does.
        tuner: ARN of a power tuner's state machine that is there; None: deploy one.
        input_file: File of the state machine's input; "-" is standard input.
        env: Environment that gives the settings; None: the built-in defaults.
        region: Over the settings'.
        keep: Whether to leave the power tuner standing.
        timeout_minutes: Over the settings'.
        packages: Files with the function's package, by architecture.
    """

    flags: Mapping[str, Any]
    function: str | None
    tuner: str | None
    input_file: str | None
    env: str | None
    region: str | None
    keep: bool
    timeout_minutes: float | None
    packages: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TuneRequest:
    """What to tune, and how.

    Attributes:
        function: The function.
        tuning_input: The state machine's input, checked, but for `lambdaARN`.
        settings: Where to work and how long to wait.
        tuner_arn: A power tuner that is there; empty: deploy one.
        packages: Files with the function's package, by architecture.
        env: The environment whose settings they are; empty: nobody's.
    """

    function: FunctionName
    tuning_input: Mapping[str, Any]
    settings: Settings
    tuner_arn: str = ""
    packages: Mapping[str, Path] = field(default_factory=dict)
    env: str = ""

    @property
    def region(self) -> str:
        """Where the function is: its ARN says, or the settings; empty: neither.

        Raises:
            UserError: They say different things.
        """
        said = self.settings.environment.region
        if said and self.function.region and said != self.function.region:
            raise UserError(
                f"{self.function.name} is in {self.function.region} by its ARN, and the region "
                f"is set to {said}: name one of them"
            )
        return self.function.region or said

    def for_lease(self) -> dict[str, Any]:
        """Return the settings without the payload: evidence has it, unless that is not wanted."""
        tuning = self.settings.tuning.model_copy(update={"payload": None, "payload_file": ""})
        return self.settings.model_copy(update={"tuning": tuning}).model_dump()

    def for_evidence(
        self, account: Account, tuning_input: Mapping[str, Any]
    ) -> dict[str, dict[str, Any]]:
        """Return the settings that a tuning has a use for, its whole input among them."""
        content = self.settings.model_dump(include={"environment", "report", "traffic"})
        content["environment"]["emulated"] = bool(account.endpoint)
        return {**content, "tuning": tuner_input.as_settings(tuning_input)}


def make(root: Path, line: CommandLine) -> TuneRequest:
    """Return what to do, with everything checked that can be without asking AWS.

    Args:
        root: Folder that holds `envs/`.
        line: The command line, with a function or an input file.

    Raises:
        UserError: Something in it is not allowed, or a file cannot be read.
    """
    settings, payload = _settings(root, line)
    name = line.function
    where = "command line"
    if line.input_file is None:
        request, settings = tuner_input.from_flags(settings, line.flags, payload)
    else:
        where = f"--input {line.input_file}"
        content = reading.read_argument(line.input_file, "--input")
        request = tuner_input.from_file(content, line.flags, where)
        name = name or request.get("lambdaARN")
        if not isinstance(name, str) or not name:
            raise UserError(
                f"{where}: lambdaARN: missing; name the function there or by --function"
            )
    assert name is not None
    validation.require_allowed(request, where)
    return TuneRequest(
        function=parse_name(name),
        tuning_input=request,
        settings=settings,
        tuner_arn=line.tuner or "",
        packages=line.packages,
        env=line.env or "",
    )


def _settings(root: Path, line: CommandLine) -> tuple[Settings, Any]:
    """Return the environment's settings and payload, or the defaults."""
    overrides = {
        "environment.region": line.region,
        "tuning.timeout_minutes": line.timeout_minutes,
        "tuning.prior": line.flags.get("prior"),
    }
    if line.env is None:
        return with_overrides(Settings(), overrides), {}
    env = load_env(root, line.env, overrides)
    replaced = line.input_file is not None or tuner_input.PAYLOADS & line.flags.keys()
    return env.settings, None if replaced else env.tuning_payload()
