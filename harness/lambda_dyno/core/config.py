"""Settings of an environment: `envs/NAME/dyno.toml`, validated on load.

Every key has a default here, so a file names only what differs. An unknown key, a wrong
type or a value out of range is one `UserError` that names file, key and what is allowed.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from lambda_dyno.core import addresses
from lambda_dyno.core import regression_defaults as defaults
from lambda_dyno.core.asked_settings import (
    VARIABLES_MAX,
    CollectionSettings,
    OAuth2Settings,
    Secret,
    SmokeSettings,
    VariableName,
)
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.function_name import parse_name
from lambda_dyno.core.reading import problem_of_json, read_json, read_toml
from lambda_dyno.core.regions import is_region
from lambda_dyno.core.section import Section as _Section
from lambda_dyno.core.slo_keys import Evidence, SloKey
from lambda_dyno.tuner_contract.arns import EXAMPLE, FUNCTION_ARN
from lambda_dyno.tuner_contract.keys import KEYS, OF_FIXED, Key, TuningInput
from lambda_dyno.tuner_contract.values import ALL_POWER_VALUES, MEMORY_MB_MAX, MEMORY_MB_MIN

SETTINGS_FILE = "dyno.toml"
_SETTINGS_BYTES_MAX = 1_000_000
_COMPLAINTS_MAX = 10

MEMORY_SIZES_MB = range(MEMORY_MB_MIN, MEMORY_MB_MAX + 1)

S3_URI = re.compile(r"s3://(?P<bucket>[^/\s]+)/(?P<key>.+)")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# A folder below the project, such as infra/app; of a Terraform root its name is a part of ours.
ROOT = re.compile(
    r"(?!envs/|runs/|\.)[\w.-]{1,64}(?:/(?!\.{1,2}(?:/|$))[\w.-]{1,64}){0,15}", re.ASCII
)
# Of several functions: it is a row's name, and a key of the file that has their sizes.
FUNCTION_KEY = re.compile(r"[A-Za-z0-9_][\w.-]{0,139}", re.ASCII)
_NAME_OF_HCL = re.compile(r"[A-Za-z_][\w-]{0,127}", re.ASCII)
_OURS = re.compile(
    r"memory_mb|name_prefix|packages|tags|packages\.[\w.-]{1,140}\.(?:path|sha256_base64)", re.ASCII
)
_OUTPUTS = (
    *("api_authorization", "api_url", "function_alias", "function_arn", "state_machine_arn"),
    "table_name",
)
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
STORE_URI = re.compile(
    rf"s3://(?P<bucket>{_BUCKET.pattern})(?:/(?P<prefix>{_PART}(?:/{_PART}){{0,7}})/?)?"
)
# What no bucket's name may begin with.
_RESERVED = ("xn--", "sthree-", "amzn-s3-demo-")


def _zero_or_more_than(least: float) -> AfterValidator:
    """Refuse what is so little that nothing could be divided by it; 0 stays 0."""

    def check(value: float) -> float:
        if 0 < value < least:
            raise ValueError(f"must be 0, or at least {least:g}")
        return value

    return AfterValidator(check)


class EnvironmentSettings(_Section):
    """Where a run lives, and for how long."""

    # up to 15 characters: with a dash and a run's id 32, which leave room for all that names end in

    # first part of the names of all that is made
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,14}$")] = "dyno"
    emulated: bool = False  # start the embedded AWS unless AWS_ENDPOINT_URL is set
    # of the embedded AWS: invocations at once before callers get a 429; 10 as in a new account
    account_concurrency: Annotated[int, Field(ge=1, le=1000)] = 10
    region: str = ""  # empty: what the AWS SDK finds (AWS_REGION, the profile)
    lifetime_hours: Annotated[float, Field(ge=0.01, le=72)] = 4.0  # until `dyno sweep` may take it
    state_bucket: str = ""  # empty: dyno-state-ACCOUNT-REGION
    # folder of the Terraform root, below the project, such as infra/app; empty: beside dyno.toml
    root: str = ""
    # what the root calls our variables: name_prefix, memory_mb, tags, packages, or
    # "packages.NAME.path"; with a dot what is inside of a map, such as memory_mb = "memory.orders"
    variables: Annotated[dict[str, str], Field(max_length=100)] = {}
    # where the root tells ours: function_arn, api_url, ...; with dots what is inside of an output,
    # such as function_arn = "functions.orders"
    outputs: Annotated[dict[str, str], Field(max_length=20)] = {}
    # of further variables of the root: what they are set to; no secrets, they are in the evidence
    values: Annotated[dict[str, Any], Field(max_length=200)] = {}
    # of several that the output function_arn tells: which one the API's load goes to; empty: the
    # first by name
    function: Annotated[str, Field(max_length=140)] = ""
    # folders that the root refers to by relative paths, such as ../../NAME: a run works on a copy
    folders: Annotated[list[str], Field(max_length=100)] = ["modules"]
    seed_items: Annotated[int, Field(ge=0, le=100_000)] = 0  # put into the table before measuring

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, value: str) -> str:
        if f"{value}-".startswith(_RESERVED):
            raise ValueError(f"{value!r}: S3 keeps names that begin with {', '.join(_RESERVED)}")
        return value

    @field_validator("region")
    @classmethod
    def _region(cls, value: str) -> str:
        if value and not is_region(value):
            raise ValueError(f'"{brief(value)}" is no AWS region, such as eu-west-1')
        return value

    @field_validator("state_bucket")
    @classmethod
    def _bucket(cls, value: str) -> str:
        if value and not _BUCKET.fullmatch(value):
            raise ValueError(
                f'"{brief(value)}" is not the name of an S3 bucket: 3 to 63 small letters, '
                "digits, dots and dashes"
            )
        return value

    @field_validator("root")
    @classmethod
    def _root(cls, value: str) -> str:
        if value and not ROOT.fullmatch(value):
            raise ValueError(
                f"{brief(repr(value))} is not a folder below the project, such as infra/app"
            )
        return value

    @field_validator("variables")
    @classmethod
    def _variables(cls, values: dict[str, str]) -> dict[str, str]:
        for ours, theirs in values.items():
            if not _OURS.fullmatch(ours):
                raise ValueError(
                    f"{brief(repr(ours))} is none of ours: memory_mb, name_prefix, packages, tags, "
                    '"packages.NAME.path", "packages.NAME.sha256_base64"'
                )
            name, _, inside = theirs.partition(".")
            if not _NAME_OF_HCL.fullmatch(name) or (inside and ours != "memory_mb"):
                raise ValueError(f"{ours}: {brief(repr(theirs))} is not the name of a variable")
        if len(set(values.values())) < len(values):
            raise ValueError("two of ours by one name of the root")
        return values

    @field_validator("outputs")
    @classmethod
    def _outputs(cls, values: dict[str, str]) -> dict[str, str]:
        for ours, theirs in values.items():
            if ours not in _OUTPUTS:
                raise ValueError(f"{brief(repr(ours))} is none of ours: {', '.join(_OUTPUTS)}")
            if not _NAME_OF_HCL.fullmatch(theirs.partition(".")[0]):
                raise ValueError(
                    f"{ours}: {brief(repr(theirs))} is not the name of an output, such as "
                    "functions or functions.orders"
                )
        return values

    @field_validator("values")
    @classmethod
    def _values(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name, value in values.items():
            if not _NAME_OF_HCL.fullmatch(name):
                raise ValueError(f"{brief(repr(name))} is not the name of a variable")
            if problem := problem_of_json(value):
                raise ValueError(f"{name}: {problem}; a variable's value is JSON here")
        return values

    @field_validator("folders")
    @classmethod
    def _below_the_project(cls, values: list[str]) -> list[str]:
        for value in values:
            parts = PurePosixPath(value).parts
            if not parts or value.startswith("/") or ".." in parts:
                raise ValueError(
                    f"{brief(repr(value))} is not a folder below the project, such as modules"
                )
            if parts[0] in ("envs", "runs"):
                raise ValueError(f"{brief(repr(value))} is not for the root to refer to")
        return values


def _annotation(key: Key) -> Any:
    """Return the type of a key of [tuning]."""
    match key.kind:
        case "flag":
            return bool
        case "choice":
            return Literal[key.allowed]
        case "amount":
            least, most = key.allowed
            return Annotated[float, Field(ge=least, le=most), _zero_or_more_than(1e-6)]
        case "count" | "integer" | "milliseconds" | "share":
            least, most = key.allowed
            number = float if key.kind == "share" else int
            return Annotated[number, Field(ge=least, le=most)]
        case "power values":
            return Annotated[list[int], Field(min_length=1, max_length=len(ALL_POWER_VALUES))]
        case "architectures":
            word = Annotated[str, Field(pattern=f"^({'|'.join(key.allowed)})$")]
            return Annotated[list[word], Field(max_length=len(key.allowed))]
        case "error types":
            return Annotated[list[str], Field(max_length=100)]
        case "json":
            return Any
        case _:
            return str


if TYPE_CHECKING:

    class _TuningKeys(_Section, TuningInput):  # type: ignore[misc]
        """What `create_model` makes, for the type checker."""

else:
    _TuningKeys = create_model(
        "_TuningKeys",
        __base__=_Section,
        **{key.field: (_annotation(key), key.initial) for key in KEYS if key.setting},
    )


def _means_fixed(tuning: Mapping[str, Any]) -> bool:
    """Whether keys of [tuning] ask for fixed measuring without saying so.

    Who names sizes or a number of invocations wants them measured, and cold starts are no samples
    of adaptive measuring.
    """
    cold = tuning.get("only_cold_starts") is True
    return "measuring" not in tuning and (cold or bool(OF_FIXED & tuning.keys()))


def _sizes_in_order(values: list[int], what: str) -> list[int]:
    wrong = [value for value in values if value not in MEMORY_SIZES_MB]
    if wrong:
        raise ValueError(
            f"{brief(', '.join(map(str, wrong)))} MB is not allowed: "
            f"a {what} is {MEMORY_SIZES_MB[0]} to {MEMORY_SIZES_MB[-1]} MB"
        )
    return sorted(set(values))


def _require_json(value: Any) -> Any:
    problem = problem_of_json(value)
    if problem:
        raise ValueError(f"{problem}; a payload is JSON")
    return value


class TuningSettings(_TuningKeys):  # type: ignore[misc,unused-ignore]
    """What the power tuner measures. Names as in aws-lambda-power-tuning."""

    # and the keys of tuner_contract/keys.py

    # what is measured where there is no payload: "load", what the load test sends, or the file of a
    # workload; empty: "load" where there is a load test
    workload: str = ""  # type: ignore[assignment,unused-ignore]  # the tuner's is read of it
    # a run's id, "newest", or a folder that `dyno evidence pull` wrote: what adaptive measuring
    # begins with, if the code is the same
    prior: Annotated[str, Field(max_length=64)] = ""  # type: ignore[assignment,unused-ignore]
    # names of requests of the tests that may be repeated with the real data of a function
    # that was not deployed by the run, beside those that only read (GET, HEAD)
    safe: Annotated[list[str], Field(max_length=1000)] = []
    payload_file: str = ""  # the event, or payload, or payload_s3; relative to dyno.toml's folder
    # where the output function_arn tells several: the event of each one that is not loaded, by its
    # name; files, as payload_file
    payload_files: Annotated[dict[str, str], Field(max_length=100)] = {}
    timeout_minutes: Annotated[float, Field(ge=0.01, le=1440)] = 60.0  # of a tuning, whole

    @field_validator("payload_files")
    @classmethod
    def _of_functions(cls, values: dict[str, str]) -> dict[str, str]:
        for name, file in values.items():
            if not FUNCTION_KEY.fullmatch(name) or not file:
                raise ValueError(f"{brief(repr(name))} is not the name of a function, with a file")
        return values

    _is_json = field_validator("payload")(_require_json)

    @model_validator(mode="before")
    @classmethod
    def _fixed_where_it_is_meant(cls, values: Any) -> Any:
        if isinstance(values, dict) and _means_fixed(values):
            return {**values, "measuring": "fixed"}
        return values

    @model_validator(mode="after")
    def _one_payload(self) -> TuningSettings:
        given = {
            "payload": self.payload is not None,
            "payload_file": bool(self.payload_file),
            "payload_s3": bool(self.payload_s3),
            "workload": bool(self.workload),
        }
        if sum(given.values()) > 1:
            names = " or ".join(name for name, is_given in given.items() if is_given)
            raise ValueError(f"give {names}, not both")
        return self

    @property
    def has_payload(self) -> bool:
        """Whether it says what a function is called with."""
        return self.payload is not None or bool(self.payload_file or self.payload_s3)

    @field_validator("power_values", mode="before")
    @classmethod
    def _all_power_values(cls, values: Any) -> Any:
        return list(ALL_POWER_VALUES) if values == "ALL" else values

    @field_validator("power_values")
    @classmethod
    def _allowed_once_and_sorted(cls, values: list[int]) -> list[int]:
        return _sizes_in_order(values, "power value")

    @field_validator("payload_s3")
    @classmethod
    def _s3_uri(cls, value: str) -> str:
        if value and not S3_URI.fullmatch(value):
            raise ValueError(
                f"{brief(value)} is not an S3 URI, such as s3://bucket/folder/payload.json"
            )
        return value

    @field_validator("pre_processor_arn", "post_processor_arn")
    @classmethod
    def _function_arn(cls, value: str) -> str:
        if value and not FUNCTION_ARN.fullmatch(value):
            raise ValueError(
                f"{brief(value)} is not the ARN of a Lambda function, such as {EXAMPLE}"
            )
        return value


class LoadStage(_Section):
    """Part of a load test, in which the level goes in a straight line to `level`."""

    # users; in an open loop iterations per second
    level: Annotated[float, Field(ge=0, le=1000), _zero_or_more_than(0.01)]
    duration_s: Annotated[float, Field(ge=0, le=3600), _zero_or_more_than(0.01)]  # 0: a jump


LOAD_SECONDS_MAX = 3600.0
LOAD_USERS_MAX = 200
PACING_MS_MAX = 3_600_000  # Node takes a timer of 2^31 ms for one of 1 ms
LATENCY_MS_MAX = 900_000  # an invocation ends after 15 minutes

# Load tests by name. A key that is given beside the name comes before the preset's.
LOAD_PRESETS: Mapping[str, Mapping[str, Any]] = {
    # what this project's forerunners ran: ten users for two minutes, ramp-up included, who list the
    # whole table (postman/forerunners.postman_collection.json), at two memory sizes
    "forerunners": {
        "at": [128, 1024],
        "loop": "closed",
        "virtual_users": 10,
        "ramp_up_s": 10.0,
        "duration_s": 120.0,
        "warm_up_s": 0.0,
    },
}


# Of an embedded AWS, whose function, API and users share one machine: without a pace they would
# measure its end, and not the API.
LOCAL_PACING_MS = 2000


class LoadSettings(CollectionSettings):
    """A load test: so many users, or so many arrivals, for so long."""

    preset: Literal["", "forerunners"] = ""  # a load by name; a key beside it comes first
    # closed: each user sends its next request after the last answer; open: iterations begin at
    # planned moments, whatever the API does
    loop: Literal["closed", "open"] = "closed"
    # in an open loop the most iterations that are under way at once
    virtual_users: Annotated[int, Field(ge=1, le=LOAD_USERS_MAX)] = 10
    arrivals_per_s: Annotated[float | None, Field(ge=0.01, le=1000)] = None  # iterations, open loop
    spacing: Literal["even", "poisson"] = "even"  # of the arrivals in an open loop
    # until all users are there
    ramp_up_s: Annotated[float, Field(ge=0, le=LOAD_SECONDS_MAX)] = 10.0
    duration_s: Annotated[float, Field(ge=0.1, le=LOAD_SECONDS_MAX)] = 120.0  # ramp-up included
    # in the place of ramp-up and duration
    stages: Annotated[list[LoadStage], Field(max_length=100)] = []
    # requests that begin before are left out
    warm_up_s: Annotated[float, Field(ge=0, le=LOAD_SECONDS_MAX)] = 0.0
    # least time of one user's iteration, closed loop; of an embedded AWS 2000 if nothing is said
    pacing_ms: Annotated[int, Field(ge=0, le=PACING_MS_MAX)] = 0
    # memory sizes in MB to load the API at; none: the deployed and the recommended one
    at: Annotated[list[int], Field(max_length=20)] = []
    request_timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = 30_000  # to the last byte

    @field_validator("at")
    @classmethod
    def _memory_sizes(cls, values: list[int]) -> list[int]:
        return _sizes_in_order(values, "memory size")

    @model_validator(mode="before")
    @classmethod
    def _filled_in(cls, given: Any) -> Any:
        """Put in what a preset says, and what follows from stages."""
        if not isinstance(given, Mapping):
            return given
        filled = {**LOAD_PRESETS.get(str(given.get("preset")), {}), **given}
        stages = _stages(filled.get("stages"))
        if stages:
            filled.setdefault("ramp_up_s", 0.0)
            total, peak = math.fsum(stage.duration_s for stage in stages), _peak(stages)
            if total:  # what cannot be is told of the stages, not of what follows from them
                filled.setdefault("duration_s", total)
            if peak and filled.get("loop", "closed") == "closed":
                filled.setdefault("virtual_users", peak)
        return filled

    @model_validator(mode="after")
    def _fits_together(self) -> LoadSettings:
        if self.stages:
            self._check_stages()
        elif self.ramp_up_s >= self.duration_s:
            raise ValueError(
                f"ramp_up_s ({self.ramp_up_s:g}) must be less than duration_s ({self.duration_s:g})"
            )
        if self.warm_up_s >= self.duration_s:
            raise ValueError(
                f"warm_up_s ({self.warm_up_s:g}) must be less than the test's {self.duration_s:g} s"
            )
        if self.loop == "closed" and self.arrivals_per_s is not None:
            raise ValueError('arrivals_per_s needs loop = "open": a closed loop has virtual_users')
        if self.loop == "open" and (self.arrivals_per_s is None) == (not self.stages):
            raise ValueError('loop = "open" needs arrivals_per_s or stages, and not both')
        return self

    def _check_stages(self) -> None:
        total = math.fsum(stage.duration_s for stage in self.stages)
        peak = _peak(self.stages)
        if not 0 < total <= LOAD_SECONDS_MAX or not any(stage.level for stage in self.stages):
            raise ValueError(
                f"stages must last up to {LOAD_SECONDS_MAX:g} s and have a level above 0"
            )
        if self.loop == "closed" and self.virtual_users != peak:
            raise ValueError(
                f"stages have up to {peak} users, and virtual_users is {self.virtual_users}: "
                "leave it out"
            )
        if self.duration_s != total:
            raise ValueError(
                f"stages last {total:g} s, and duration_s is {self.duration_s:g}: leave it out"
            )


def _peak(stages: Sequence[LoadStage]) -> int:
    return math.ceil(max(stage.level for stage in stages))


def _stages(given: Any) -> list[LoadStage]:
    """Return stages as they were given; none if they are not valid, which is told elsewhere."""
    try:
        return TypeAdapter(list[LoadStage]).validate_python(given or [])
    except ValidationError:
        return []


class SloSettings(_Section):
    """Limits of the gate, inclusive; a key that is left out is not checked."""

    # of the API under load, as its users see it; needs a load test
    latency_p95_ms: Annotated[
        float | None,
        Field(ge=0.001, le=LATENCY_MS_MAX),
        SloKey("Latency p95", "ms", needs="load", brief="p95 {:g} ms", quantile=0.95),
    ] = None
    # the same
    latency_p99_ms: Annotated[
        float | None,
        Field(ge=0.001, le=LATENCY_MS_MAX),
        SloKey("Latency p99", "ms", needs="load", brief="p99 {:g} ms", quantile=0.99),
    ] = None
    # of the requests of a load test
    error_ratio: Annotated[
        float | None,
        Field(ge=0, le=1),
        SloKey("Errors", "ratio", needs="load", brief="errors {:.4g}"),
    ] = None
    # of a million invocations, by tuning
    cost_per_million_usd: Annotated[
        float | None,
        Field(ge=1e-6, le=1e9),
        SloKey("Cost per million", "USD", needs="tuning", brief="{:g} per million"),
    ] = None
    # how much worse (by the strategy's own measure) the deployed memory may be than the best:
    # 0.1 allows ten per cent
    distance_from_best: Annotated[
        float | None,
        Field(ge=0, le=1e6),
        SloKey("Distance from best", "ratio", needs="tuning", brief="{:.0%} from the best"),
    ] = None
    # the memory size that is held against them: the one that is deployed, or the one that the
    # tuning recommends, for an environment that looks for its size
    judge: Literal["deployed", "recommended"] = "deployed"
    # of the intervals that latencies and errors are judged by; 0 compares what was measured
    confidence: Annotated[float, Field(ge=0, le=0.999999)] = 0.95
    # load tests at most, one after the other, until latencies and errors can be judged
    max_rounds: Annotated[int, Field(ge=1, le=20)] = 3
    # what a verdict without enough evidence, after the last round, means for the exit status
    inconclusive: Literal["fail", "pass"] = "fail"

    @property
    def limits(self) -> Mapping[str, float]:
        """The limits that are set, by key, in the order of the keys."""
        values = {key: getattr(self, key) for key in SLO_KEYS}
        return {key: value for key, value in values.items() if value is not None}

    def answered_by(self, evidence: Evidence) -> SloSettings:
        """Return these settings without the limits that need another kind of measurement."""
        others = [key for key, declared in SLO_KEYS.items() if declared.needs != evidence]
        return self.model_copy(update=dict.fromkeys(others))


SLO_KEYS: Mapping[str, SloKey] = {
    name: declared
    for name, field in SloSettings.model_fields.items()
    for declared in field.metadata
    if isinstance(declared, SloKey)
}


class RegressionSettings(_Section):
    """A comparison with a baseline (`--baseline`); docs/gates.md has its rates of error."""

    baseline: str = ""  # branch, tag, commit, run id or result.json; empty: no comparison
    # what may not become worse
    checks: Annotated[list[Literal["p50", "p90", "p95", "p99", "cost"]], Field(min_length=1)] = [
        "p50",
        "p95",
        "cost",
    ]
    # how much worse each may be
    margin: Annotated[float, Field(ge=0.001, le=1)] = defaults.MARGIN
    # most runs that fail although equal
    alpha: Annotated[float, Field(ge=1e-6, lt=0.5)] = defaults.ALPHA
    # most runs that pass although worse
    risk: Annotated[float, Field(ge=1e-6, lt=0.5)] = defaults.RISK
    # of blocks, until each look
    pairs: Annotated[int, Field(ge=1, le=1000)] = defaults.PAIRS_PER_LOOK
    # at most, while it cannot be told
    looks: Annotated[int, Field(ge=1, le=10)] = defaults.MOST_LOOKS
    # of a block, warm-up included
    turn_s: Annotated[float, Field(ge=0.1, le=600)] = defaults.TURN_S
    # of each: its sandboxes are new
    warm_up_s: Annotated[float, Field(ge=0, le=600)] = defaults.WARM_UP_S
    invocations: Annotated[int, Field(ge=1, le=1000)] = 20  # per block, for its cost

    @model_validator(mode="after")
    def _can_decide(self) -> RegressionSettings:
        if len(set(self.checks)) < len(self.checks):
            raise ValueError(f"checks: each only once, not {', '.join(self.checks)}")
        if self.warm_up_s >= self.turn_s:
            raise ValueError(
                f"warm_up_s ({self.warm_up_s:g}) must be less than turn_s ({self.turn_s:g})"
            )
        least = self._least_pairs()
        if self.pairs < least:
            raise ValueError(
                f"pairs: {self.pairs} can never fail a check at alpha = {self.alpha:g} with "
                f"{len(self.checks)} checks: at least {least}"
            )
        return self

    def _least_pairs(self) -> int:
        """Fewest pairs with which the first look can fail a check, or pass one."""
        from lambda_dyno.statistics.signed_rank import least_pairs
        from lambda_dyno.statistics.spending import spent

        strictest = min(spent(self.alpha, 1) / len(self.checks), spent(self.risk, 1))
        return least_pairs(strictest)


class DeployLoadSettings(LoadSettings):
    """The load of a deployment's check: about 20 requests/s, since others use that API."""

    virtual_users: Annotated[int, Field(ge=1, le=LOAD_USERS_MAX)] = 2
    # until all users are there
    ramp_up_s: Annotated[float, Field(ge=0, le=LOAD_SECONDS_MAX)] = 0.0
    duration_s: Annotated[float, Field(ge=0.1, le=LOAD_SECONDS_MAX)] = 30.0
    pacing_ms: Annotated[int, Field(ge=0, le=PACING_MS_MAX)] = 1000


class DeploySettings(_Section):
    """How a standing environment gets a new version of its function (`dyno deploy`)."""

    # canary: a share of the calls first
    deployment: Literal["all-at-once", "canary"] = "all-at-once"
    # share of the calls that the new version gets until it is judged
    canary_percent: Annotated[int, Field(ge=1, le=99)] = 10
    load: DeployLoadSettings = DeployLoadSettings()  # in the place of [load]
    # the event that a new version is asked with before anybody calls it; none: [tuning] payload
    payload: Any = None
    # what too few requests for a verdict mean; so small a load seldom shows an error_ratio of
    # 0.001, which the gate has shown before the merge
    inconclusive: Literal["fail", "pass"] = "pass"

    _is_json = field_validator("payload")(_require_json)


CLOUDWATCH = "cloudwatch"
INVOCATIONS_MAX = 1e13  # a month: no function has so many


def _number_or_cloudwatch(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value in (None, CLOUDWATCH) or (number and 0 <= value <= INVOCATIONS_MAX):
        return value
    raise ValueError(
        f"{brief(repr(value))} is neither a number from 0 to {INVOCATIONS_MAX:g} nor "
        f'"{CLOUDWATCH}", which asks for the invocations of the last 30 days'
    )


_NAME_OR_ARN = re.compile(r"(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?[\w-]{0,140}")


def _name_or_arn(value: str) -> str:
    if _NAME_OR_ARN.fullmatch(value):
        return value
    raise ValueError(f'"{brief(value)}" is neither the name nor the ARN of a Lambda function')


class TrafficSettings(_Section):
    """How often the function is invoked, and what is paid for it: for money a month."""

    # or "cloudwatch": those of the last 30 days
    invocations_per_month: Annotated[
        Annotated[float, Field(ge=0, le=INVOCATIONS_MAX)] | Literal["cloudwatch"] | None,
        BeforeValidator(_number_or_cloudwatch),
    ] = None
    # whose, for "cloudwatch": a name or ARN; empty: the function that is tuned, and for one that a
    # run makes the one of the same name that `dyno deploy` keeps
    function: Annotated[str, AfterValidator(_name_or_arn)] = ""
    # taken off every list price: of an EDP, or of a Savings Plan
    discount: Annotated[float, Field(ge=0, le=1)] = 0.0


class AttachSettings(_Section):
    """A function, and the API in front of it, that somebody else deployed: docs/attach.md."""

    url: str = ""  # of the API; empty: the function is tuned, and nothing is loaded
    function: str = ""  # name or ARN, with a version or an alias if that is what the API calls
    # where requests may go beside an API, function URL or domain of this account: names, each with
    # a port or without, such as "api.example.com"
    hosts: Annotated[list[str], Field(max_length=50)] = []
    # whether requests are signed; empty: as the function URL has it, else "NONE"
    authorization: Literal["", "NONE", "AWS_IAM"] = ""
    # ARN of a power tuner's state machine that stands, for roles that may deploy none; empty: one
    # is deployed, and taken down
    tuner: str = ""
    # measure the function itself where its API is in use, and not a temporary copy of it
    in_place: bool = False
    # requests to the API that one run may make; above, it asks, or wants --yes
    max_requests: Annotated[int, Field(ge=1, le=10_000_000)] = 20_000
    # what one run may cost by the price lists; likewise
    max_cost_usd: Annotated[float, Field(ge=0.01, le=10_000)] = 1.0

    @field_validator("function")
    @classmethod
    def _named(cls, value: str) -> str:
        if value:
            _parsed(parse_name, value)
        return value

    @field_validator("hosts")
    @classmethod
    def _places(cls, values: list[str]) -> list[str]:
        return [_parsed(addresses.parse_host, value).place for value in values]

    @property
    def is_set(self) -> bool:
        """Whether there is something to attach to."""
        return bool(self.url or self.function)


_Parsed = TypeVar("_Parsed")


def _parsed(parse: Callable[[str], _Parsed], text: str) -> _Parsed:
    """Return what a text means; a refusal becomes one of pydantic's."""
    try:
        return parse(text)
    except UserError as error:
        raise ValueError(str(error)) from None


class ReportSettings(_Section):
    """How the evidence looks."""

    title: str = "Lambda Dyno"  # of the pages
    png: bool = True  # charts as PNG, too
    pdf: bool = True  # if the extra `pdf` is installed


class EvidenceSettings(_Section):
    """Where evidence is kept beside the run's own folder."""

    # a folder of the project, such as "reports/history", that each run's files for people are
    # copied into, to be committed; empty: nowhere
    commit: Annotated[str, Field(pattern=r"^(\w[\w.-]*(/\w[\w.-]*)*)?$", max_length=200)] = ""
    # the evidence store, s3://BUCKET or s3://BUCKET/PREFIX, that each run is added to at its end;
    # empty: none
    store: str = ""

    @field_validator("store")
    @classmethod
    def _store_uri(cls, value: str) -> str:
        if value and not STORE_URI.fullmatch(value):
            raise ValueError(
                f'"{brief(value)}" is no bucket with a prefix, such as s3://acme-evidence or '
                "s3://acme-evidence/shop"
            )
        return value


class Settings(_Section):
    """All settings of an environment."""

    environment: EnvironmentSettings = EnvironmentSettings()
    attach: AttachSettings = AttachSettings()
    tuning: TuningSettings = TuningSettings()
    smoke: SmokeSettings = SmokeSettings()
    load: LoadSettings = LoadSettings()
    slo: SloSettings = SloSettings()
    regression: RegressionSettings = RegressionSettings()
    deploy: DeploySettings = DeploySettings()
    report: ReportSettings = ReportSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    traffic: TrafficSettings = TrafficSettings()
    # variables of collections whose values are in the environment, such as token = "env:SHOP_TOKEN"
    secrets: Annotated[dict[VariableName, Secret], Field(max_length=VARIABLES_MAX)] = {}
    # variables of collections that hold a token of a token server, which is renewed in time
    oauth2: Annotated[dict[VariableName, OAuth2Settings], Field(max_length=VARIABLES_MAX)] = {}

    @model_validator(mode="after")
    def _each_variable_once(self) -> Settings:
        both = sorted(self.secrets.keys() & self.oauth2.keys())
        if both:
            raise ValueError(f"{', '.join(both)}: under [secrets] or [oauth2], not both")
        return self

    @model_validator(mode="before")
    @classmethod
    def _paced_locally(cls, given: Any) -> Any:
        """Give the users of an embedded AWS a pace, unless they have one."""
        sections = given if isinstance(given, Mapping) else {}
        environment, load = sections.get("environment"), sections.get("load", {})
        local = isinstance(environment, Mapping) and environment.get("emulated") is True
        if not local or not isinstance(load, Mapping):
            return given
        return {**given, "load": {"pacing_ms": LOCAL_PACING_MS, **load}}


@dataclass(frozen=True, slots=True)
class Env:
    """One of the roots below envs/: its folder and its settings."""

    name: str
    folder: Path
    settings: Settings

    @property
    def root(self) -> str:
        """Where its Terraform root is, from the project's folder: "envs/dev"."""
        return self.settings.environment.root or f"envs/{self.name}"

    @property
    def where(self) -> str:
        """Its file, from the project's folder, for messages."""
        beside = self.folder.name != self.name or self.folder.parent.name != "envs"
        return f"{self.root if beside else f'envs/{self.name}'}/{SETTINGS_FILE}"

    @property
    def deployed_name_prefix(self) -> str:
        """The start of the names of its standing environment, such as "dyno-prod"."""
        return f"{self.settings.environment.name}-{self.name.lower().replace('_', '-')}"

    def deploy_payload(self) -> Any:
        """Return the event that a new version is asked with first."""
        own = self.settings.deploy.payload
        return self.tuning_payload() if own is None else own

    @property
    def workload_file(self) -> Path | None:
        """The file of [tuning] workload; None: it names none."""
        named = self.settings.tuning.workload
        return self.folder / named if named not in ("", "load") else None

    def tuning_payload(self) -> Any:
        """Return the event that the function is tuned with.

        Raises:
            UserError: `payload_file` cannot be read, or is not JSON.
        """
        tuning = self.settings.tuning
        if not tuning.payload_file:
            return {} if tuning.payload is None else tuning.payload
        return self._event(tuning.payload_file, "payload_file")

    def payload_of(self, function: str) -> Any:
        """Return the event that another function of the environment is tuned with.

        Args:
            function: Its name in the output function_arn.

        Raises:
            UserError: Its file cannot be read, or is not JSON.
        """
        named = self.settings.tuning.payload_files.get(function)
        if named is None:
            return self.tuning_payload()
        return self._event(named, f"payload_files.{function}")

    def _event(self, named: str, key: str) -> Any:
        where = f"{self.folder / SETTINGS_FILE}: [tuning] {key}"
        return read_json(self.folder / named, where=f"{where}: {brief(named)}")


def known_envs(project: Path) -> list[str]:
    """Return the names of the environments of a project, sorted."""
    # with what is a link to nothing: whoever asks for that environment is told so
    folders = (project / "envs").glob("*")
    return sorted(path.name for path in folders if os.path.lexists(path / SETTINGS_FILE))


def folder_of(project: Path, name: str, root: str) -> Path:
    """Return the folder of an environment's settings: in envs/, or the root that has them beside.

    Args:
        project: Folder that holds `envs/`.
        name: The environment's name.
        root: `[environment] root`; empty: none is named.
    """
    folder = project / "envs" / name
    beside = root and not os.path.lexists(folder / SETTINGS_FILE)
    return project / root if beside else folder


def load_root(project: Path, root: str, overrides: Mapping[str, Any] | None = None) -> Env:
    """Load the settings that lie beside a Terraform root, which is the environment's name, too.

    Args:
        project: Folder that the root is below.
        root: The root, from there.
        overrides: As in `load_env`.

    Raises:
        UserError: There is no such folder or file, or a value is not allowed.
    """
    if not ROOT.fullmatch(root):
        raise UserError(f"--root {brief(root, most=300)}: not a folder below the project")
    name = re.sub(r"[^a-z0-9-]", "-", root.rpartition("/")[2].lower()).strip("-")[:32] or "root"
    where = f"{root}/{SETTINGS_FILE}"
    content = read_toml(project / where, most_bytes=_SETTINGS_BYTES_MAX, where=where)
    section = content.get("environment", {})
    named = section.get("root", root) if isinstance(section, dict) else root
    if named != root:
        raise UserError(f"{where}: [environment] root: {brief(named)}: it is {root} itself")
    settings = parse_settings(content, where)
    given = {**(overrides or {}), "environment.root": root}
    return Env(name, project / root, with_overrides(settings, given))


def load_env(project: Path, name: str, overrides: Mapping[str, Any] | None = None) -> Env:
    """Load and validate the settings of an environment.

    Args:
        project: Folder that holds `envs/`.
        name: The environment's name.
        overrides: Values from the command line by "section.key"; a None is no override.

    Raises:
        UserError: There is no such environment, its file cannot be read, or a key or value
            in it (or an override) is not allowed.
    """
    known = known_envs(project)
    if name not in known:
        raise UserError(
            f"ENV={brief(name)}: no such environment. Known: {', '.join(known) or 'none'}."
        )
    folder = project / "envs" / name
    where = str((folder / SETTINGS_FILE).relative_to(project))
    content = read_toml(folder / SETTINGS_FILE, most_bytes=_SETTINGS_BYTES_MAX, where=where)
    settings = parse_settings(content, where)
    return Env(name=name, folder=folder, settings=with_overrides(settings, overrides or {}))


def parse_settings(content: Mapping[str, Any], where: str) -> Settings:
    """Validate settings that were read from `where`.

    Raises:
        UserError: A line for every key or value that is not allowed.
    """
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise UserError("\n".join(f"{where}: {line}" for line in _complaints(error))) from error


def with_overrides(
    settings: Settings, overrides: Mapping[str, Any], where: str = "command line"
) -> Settings:
    """Return the settings with other values in the place of the file's.

    Args:
        settings: The file's.
        overrides: Values by "section.key", or "deploy.load.key"; a None is no override.
        where: Where they come from, for the message.

    Raises:
        UserError: A value is not allowed; the message names the key.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    content = settings.model_dump()
    _make_way(content["load"], given)
    for key, value in given.items():
        *sections, name = key.split(".")
        table = content
        for section in sections:
            table = table[section]
        table[name] = value
    if _means_fixed({key.removeprefix("tuning."): value for key, value in given.items()}):
        content["tuning"]["measuring"] = "fixed"
    payloads = ("payload", "payload_file", "payload_s3", "workload")
    if any(f"tuning.{name}" in given for name in payloads):
        for name in payloads:  # one of them replaces whichever the file has
            content["tuning"][name] = given.get(f"tuning.{name}", None if name == "payload" else "")
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise UserError("\n".join(f"{where}: {c}" for c in _complaints(error))) from error


def _make_way(load: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Forget what a preset or stages that are given now replace."""
    if "load.preset" in given:
        kept = {"request_timeout_ms", *CollectionSettings.model_fields}
        for name in load.keys() - kept:
            load.pop(name)
    elif given.get("load.stages"):
        loop = given.get("load.loop", load["loop"])
        replaced = {"preset", "duration_s", "ramp_up_s", "arrivals_per_s"}
        for name in replaced | ({"virtual_users"} if loop == "closed" else set()):
            load.pop(name)
    if given.get("load.loop") == "closed":
        load.pop("arrivals_per_s", None)


def _complaints(error: ValidationError) -> list[str]:
    """Turn pydantic's findings into lines that name the key and what is allowed."""
    complaints = [_complaint(finding) for finding in error.errors()]
    more = len(complaints) - _COMPLAINTS_MAX
    return complaints[:_COMPLAINTS_MAX] + ([f"and {more} more"] if more > 0 else [])


def _complaint(finding: Any) -> str:
    path = [str(part) for part in finding["loc"]]
    section, key = (path[0] if path else ""), ".".join(path[1:])
    value = brief(json.dumps(finding["input"], default=str))
    label = brief(f"[{section}] {key}".strip(), most=160) if section else "file"
    match finding["type"]:
        case "extra_forbidden":
            return f"{label}: unknown key; allowed: {_allowed_keys(path[:-1])}"
        case "value_error":
            return f"{label}: {finding['ctx']['error']}"
        case _:
            return (
                f"{label}: {value} is not allowed: {finding['msg'].replace('Input should', 'must')}"
            )


def _allowed_keys(path: Sequence[str]) -> str:
    """Return what the table at a path may have, such as ("load", "scenarios", "0")."""
    kind: Any = Settings
    for part in path:
        # of a list or a table of tables the path has the place or the name
        fields = getattr(kind, "model_fields", None)
        kind = fields[part].annotation if fields else get_args(kind)[-1]
    if not path:
        return ", ".join(f"[{name}]" for name in kind.model_fields)
    return ", ".join(sorted(kind.model_fields))
