"""`dyno tune --function`: measure any function that is there, with nothing deployed but the tuner.

The run is one like all others: a folder with a lease, teardown registered before apply, evidence
whatever happens. Its environment is a power tuner that may touch exactly one function.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import botocore.exceptions

from lambda_dyno.aws import accounts, lambda_function
from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.cleanup import sweeper
from lambda_dyno.core import assets
from lambda_dyno.core.config import ALL_POWER_VALUES, Env, Settings
from lambda_dyno.core.errors import EXIT_PASS, StepError, UserError
from lambda_dyno.core.files import write_atomically
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.results import Leftover, TuningResult
from lambda_dyno.run import preflight, progress_adapters
from lambda_dyno.run.run import Run
from lambda_dyno.runs import result_store, run_folder
from lambda_dyno.runs.run_folder import TUNER_ENV
from lambda_dyno.state import account_bucket
from lambda_dyno.terraform.packages import Package
from lambda_dyno.terraform.toolchain import Toolchain
from lambda_dyno.tune import existing_tuner, function_lock, price_list, tuner
from lambda_dyno.tune.request import Order
from lambda_dyno.tune.tuner_input import as_settings
from lambda_dyno.tune.validation import integer, is_true, s3_location

# What this writes into the root's variables, beside what every environment gets.
TUNER_VARIABLES = (
    "architecture",
    "kms_key_arns",
    "payload_bucket",
    "processor_function_arns",
    "total_timeout_seconds",
    "tunable_function_arns",
)

# The state machine's own limit lies behind ours, so that it is the one who asked who stops it.
_LATER_S = 300
_LIMITS_S = (60, 604_800)


class FunctionTuning(Run):
    """A run that tunes a function that somebody else deployed.

    Use `FunctionTuning.prepare_order`, then `run.lifecycle.execute` with `work`.

    Attributes:
        function: The function, as it was found.
        tuning_input: The state machine's whole input.
        payload_key_arn: KMS key of the payload in S3; empty: it needs none, or nobody may look.
        output: The state machine's output as it came; None before.
    """

    packages = ("power_tuner",)

    function: Function
    tuning_input: dict[str, Any]
    tuner_arn: str
    payload_key_arn: str = ""
    output: dict[str, Any] | None = None

    @classmethod
    def prepare_order(
        cls,
        project: Path,
        order: Order,
        ui: Ui,
        *,
        account: accounts.Account | None = None,
        runs_folder: Path | None = None,
        server_home: Path | None = None,
    ) -> FunctionTuning:
        """Check everything that the order needs, then make the run's folder.

        Args:
            project: Folder that gets `runs/`.
            order: What to tune, and how.
            ui: Where progress goes.
            account: Where the function is; None finds what the credentials name.
            runs_folder: Folder of all runs; None is the project's `runs/`.
            server_home: Home of the embedded AWS that the account is in and that ends with
                somebody else; None: it does not.

        Raises:
            UserError: Something is missing or wrong; nothing was made.
        """
        if account is None:
            sweeper.tidy(project, ui, runs_folder)
            account = accounts.connect(_region(order))
        function = lambda_function.look_up(order.function, account)
        for words in lambda_function.require_tunable(function, account):
            ui.warn(f"{function.name}: {words}")
        for words in _hints(function, order):
            ui.note(words)
        price = price_list.unlisted(assets.tuner_sources(project), function.region)
        if price:
            ui.warn(price)
        tuning_input = {**order.tuning_input, "lambdaARN": function.arn}
        _require_processors(tuning_input, account)
        payload_key_arn = _require_payload(tuning_input, account)
        tools = None
        if order.tuner_arn:
            existing_tuner.require_tuner(order.tuner_arn, account)
        else:
            tools = preflight.tools_of(project, ui, node=False)
        wait = tuning_input.get("onConflict") == "wait"
        function_lock.require_free(function, account, wait=wait, tuner_arn=order.tuner_arn)
        preflight.warn_of_quotas(account, ui)
        bucket = "" if order.tuner_arn else _state_bucket(order.settings, account)

        folder = _new_folder(runs_folder or project / "runs", order, account, server_home)
        folder.update_lease(function_arn=function.arn, function_memory_mb=function.memory_mb)
        account_bucket.keep_state_in(bucket, folder, account)
        run = cls._new(project, order, folder, account, tools, ui, function, tuning_input)
        run.payload_key_arn = payload_key_arn
        return run

    @classmethod
    def _new(
        cls,
        project: Path,
        order: Order,
        folder: run_folder.RunFolder,
        account: accounts.Account,
        tools: Toolchain | None,
        ui: Ui,
        function: Function,
        tuning_input: dict[str, Any],
    ) -> FunctionTuning:
        env = Env(TUNER_ENV, project / "envs" / TUNER_ENV, order.settings)
        result = replace(
            result_store.begun(folder.read_lease(), git_sha=preflight.git_sha(project)),
            env=f"function {function.name}",
            settings=_evidence(order.settings, account, tuning_input),
        )
        run = cls(project, env, folder, account, tools, ui, result)
        run.function = function
        run.tuning_input = tuning_input
        run.tuner_arn = order.tuner_arn
        run.save()
        return run

    def work(self) -> int:
        """Deploy the tuner, unless one was named, and measure; return the exit status."""
        self.ui.note(self.function.summary)
        if not self.tuner_arn:
            self.up(self.build())
        self.measure()
        return EXIT_PASS

    def up(self, packages: dict[str, Package]) -> None:
        """Deploy the tuner."""
        with self._step("up", f"deploying the power tuner {self.result.name_prefix}") as step:
            self.environment.stage(self.sources, packages, self._variables())
            outputs = self.environment.apply(progress_adapters.resources(step, "deploying"))
            self._add(outputs=outputs)
            step.update(
                f"power tuner {self.result.name_prefix} in {self.account.region}, for "
                f"{self.function.name} alone"
            )

    def measure(self) -> dict[str, Any]:
        """Measure the function and return the state machine's output as it came."""
        machine = self.tuner_arn or self.result.outputs["state_machine_arn"]
        what = f"{self.function.name} at {_sizes(self.tuning_input)}"
        with self._step("tune", f"measuring {what}") as step:
            there = replace(self.account, region=machine.split(":")[3])
            try:
                finished = self._run_tuner(step, what, self.tuning_input, machine, there)
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                raise StepError("tune", f"AWS refused, or did not answer: {error}") from error
            self.output = finished.output
            # kept before it is read: what was paid for is not lost if it cannot be
            write_atomically(self.output_path, json.dumps(self.output, indent=2) + "\n")
            if is_true(self.output.get("dryRun")):
                step.update(f"dry run of {what}")
                tuner.require_whole(self.output)
                return self.output
            tuning = tuner.parse_output(self.output, execution_arn=finished.arn)
            self._add(tuning=tuning)
            step.update(f"{what}; {tuning.strategy}: {tuning.power} MB")
            tuner.require_whole(self.output)
        return self.output

    def down(self) -> tuple[Leftover, ...]:
        """Take the tuner down, unless it was there before, and look at the function."""
        if self.tuner_arn:
            self.folder.update_lease(state="down", kept=False)
            return ()
        return super().down()

    @property
    def sources(self) -> Path:
        """Folder that the tuner is deployed from."""
        return assets.tuner_sources(self.project)

    @property
    def output_path(self) -> Path:
        """File of the state machine's output."""
        return self.folder.path / "tuning.json"

    def dry_run_result(self) -> TuningResult | None:
        """Return the output of a dry run as a record that recommends nothing; None: no dry run."""
        if self.output is None or not is_true(self.output.get("dryRun")):
            return None
        nothing = {"power": self.output["originalPower"], "cost": 0.0, "duration": 0.0}
        return replace(tuner.parse_output({**self.output, **nothing}), power=0)

    def _variables(self) -> dict[str, Any]:
        """Return the root's variables: what this input needs, and nothing more."""
        location = s3_location(self.tuning_input.get("payloadS3") or "")
        seconds = self.env.settings.tuning.timeout_minutes * 60 + _LATER_S
        return {
            "architecture": price_list.tuner_architecture(self.sources, self.account.region),
            "kms_key_arns": sorted(
                {key for key in (self.function.kms_key_arn, self.payload_key_arn) if key}
            ),
            "payload_bucket": location
            and {"name": location[0], "key_pattern": _literally(location[1])},
            "processor_function_arns": sorted(
                {
                    lambda_function.unqualified(arn)
                    for arn in _processors(self.tuning_input).values()
                }
            ),
            "total_timeout_seconds": int(min(max(seconds, _LIMITS_S[0]), _LIMITS_S[1])),
            "tunable_function_arns": [self.function.arn],
        }


def _hints(function: Function, order: Order) -> Iterator[str]:
    """Yield what is good to know before anything is deployed."""
    minutes = order.settings.tuning.timeout_minutes
    longest_s = longest_measuring_s(function.timeout_s, order.tuning_input)
    if longest_s > minutes * 60:
        yield (
            f"measuring may take {longest_s / 60:,.0f} min if each invocation takes the "
            f"{function.timeout_s} s of the function's Timeout; after {minutes:g} min "
            "(--timeout-minutes) it ends, and what is not measured is left out"
        )


def longest_measuring_s(timeout_s: int, tuning_input: Mapping[str, Any]) -> float:
    """Return how long measuring takes, in seconds, if each invocation takes its time-out."""
    values = tuning_input.get("powerValues")
    sizes = len(ALL_POWER_VALUES) if values == "ALL" else len(set(map(str, values or ["default"])))
    one_by_one = 1 if is_true(tuning_input.get("dryRun")) else integer(tuning_input["num"]) or 1
    if any(is_true(tuning_input.get(key)) for key in ("parallelInvocation", "onlyColdStarts")):
        return timeout_s
    # power values side by side, unless they are to come one after the other
    in_turn = sizes if is_true(tuning_input.get("sequential")) else 1
    pause_s = (integer(tuning_input.get("sleepBetweenRunsMs")) or 0) / 1000
    return in_turn * one_by_one * (timeout_s + pause_s)


def _region(order: Order) -> str:
    """Return where the function is: its ARN says, or the settings."""
    said = order.settings.environment.region
    if said and order.function.region and said != order.function.region:
        raise UserError(
            f"{order.function.name} is in {order.function.region} by its ARN, and the region "
            f"is set to {said}: name one of them"
        )
    return order.function.region or said


def _new_folder(
    folder: Path, order: Order, account: accounts.Account, server_home: Path | None
) -> run_folder.RunFolder:
    settings = order.settings
    hours = max(settings.environment.lifetime_hours, settings.tuning.timeout_minutes / 60 + 1)
    return run_folder.create(
        folder,
        TUNER_ENV,
        settings.environment.name,
        timedelta(hours=hours),
        account_id=account.account_id,
        region=account.region,
        endpoint=account.endpoint,
        server_home=str(server_home.resolve()) if server_home else "",
        settings=_without_payload(settings).model_dump(),
    )


def _evidence(
    settings: Settings, account: accounts.Account, tuning_input: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the settings that this run has a use for, the input among them."""
    content = settings.model_dump(include={"environment", "report"})
    content["environment"]["emulated"] = bool(account.endpoint)
    return {**content, "tuning": as_settings(tuning_input)}


def _without_payload(settings: Settings) -> Settings:
    """The lease needs no payload; the evidence has it, unless that is not wanted."""
    tuning = settings.tuning.model_copy(update={"payload": None, "payload_file": ""})
    return settings.model_copy(update={"tuning": tuning})


def _state_bucket(settings: Settings, account: accounts.Account) -> str:
    """Return the bucket for the state; empty: it stays in the run's folder.

    Nobody makes a bucket to tune a function once. Where the account has the usual one, or the
    environment's settings name one, a state that outlives this machine is the better one.
    """
    named = settings.environment.state_bucket
    if named:
        return account_bucket.require(account, named)
    bucket = account_bucket.name_of(account, named)
    return bucket if account_bucket.exists(account, bucket) else ""


def _processors(tuning_input: Mapping[str, Any]) -> dict[str, str]:
    keys = ("preProcessorARN", "postProcessorARN")
    return {key: tuning_input[key] for key in keys if tuning_input.get(key)}


def _require_processors(tuning_input: Mapping[str, Any], account: accounts.Account) -> None:
    for key, arn in _processors(tuning_input).items():
        lambda_function.require_processor(arn, key, account)


def _require_payload(tuning_input: Mapping[str, Any], account: accounts.Account) -> str:
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
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            raise UserError(f"payloadS3: there is no object s3://{bucket}/{key}") from error
        return ""
    named = str(found.get("SSEKMSKeyId") or "")
    return named if named.startswith("arn:") else ""


def _literally(key: str) -> str:
    """Return an S3 key as IAM must read it to mean that key and no other."""
    return "".join(f"${{{letter}}}" if letter in "*?$" else letter for letter in key)


def _sizes(tuning_input: Mapping[str, Any]) -> str:
    """Return what is measured, in words that fit a line."""
    values = tuning_input.get("powerValues")
    if values == "ALL" or (isinstance(values, list) and len(values) > 12):
        count = len(ALL_POWER_VALUES) if values == "ALL" else len(set(map(str, values)))
        sizes = f"{count} memory sizes"
    elif values:
        sizes = f"{', '.join(map(str, values))} MB"
    else:
        sizes = "the tuner's default memory sizes"
    count = 1 if is_true(tuning_input.get("dryRun")) else tuning_input["num"]
    return f"{sizes}, {count} invocation{'s' if count != 1 else ''} each"
