"""The keys of a tuning's input: one row for each, which everything else follows.

From a row come the field of the power tuner's checked input and how it is read, the key of [tuning]
in dyno.toml, the flag of `dyno tune`, the check before a tuner is deployed, and the rows of the
tables in the READMEs. docs/recipes/tuner-input-key.md shows how to add one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal, NamedTuple

from lambda_dyno.tuner_contract.arns import FunctionArn
from lambda_dyno.tuner_contract.former import Former
from lambda_dyno.tuner_contract.readers import Kind, read
from lambda_dyno.tuner_contract.values import (
    ARCHITECTURES,
    MEMORY_MB_MAX,
    MEMORY_MB_MIN,
    NUM_MIN,
    WrongValueError,
    is_true,
)
from lambda_dyno.tuner_contract.workload import Workload

Strategy = Literal["cost", "speed", "balanced", "limit"]
Statistic = Literal["mean", "p50", "p95"]  # what a limit is on

# Panels of the help. Long names apart from long values: two columns of both do not fit.
_INPUT = "What is measured"
_MANNER = "How it is measured"
_EFFECT = "What happens to the function"
_OUTPUT = "Output"


class Key(NamedTuple):
    """A key of the input."""

    field: str  # of `TuningInput`, of [tuning] and in the evidence of a run
    default: Any  # what the state machine takes for a key that is left out; MISSING: it is required
    name: str  # in the input
    kind: Kind
    allowed: tuple[Any, ...] = ()  # words of a choice; least and most of a number
    setting: bool = True  # whether [tuning] has it: a whole run has no use for some
    setting_default: Any = None  # of [tuning], where it is another one
    flag: str = ""  # of `dyno tune`, as typer takes it; empty: it has none
    panel: str = ""  # of the help, that the flag is in
    metavar: str | None = None  # short: in 80 columns the longest names need the room
    help: str = ""  # of the flag
    about: str = ""  # in the module's README; empty: as the help
    values: str = ""  # in the module's README; empty: as the kind says

    @property
    def initial(self) -> Any:
        """What [tuning] has if a file does not say it."""
        default = self.default if self.setting_default is None else self.setting_default
        return list(default) if isinstance(default, tuple) else default

    def read(self, raw: Mapping[str, Any]) -> Any:
        """Return the key's value in an input; None if it says nothing.

        Raises:
            WrongValueError: It cannot have the value that it has.
        """
        value = raw.get(self.name)
        if value is None and self.default is not MISSING:
            return None
        return read(self.kind, value, self.allowed)


def _key(name: str, kind: Kind, default: Any = MISSING, **columns: Any) -> Any:
    return field(default=default, metadata={"name": name, "kind": kind, **columns})


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningInput:
    """A checked input. Names follow the keys of the input; the payload is read on its own."""

    # fmt: off
    function: FunctionArn = _key(
        "lambdaARN", "function", setting=False, values="ARN, required",
        about="the function; a version or an alias of it is measured by a copy (`isolation`)",
    )
    # MB, ascending, each once
    power_values: tuple[int, ...] = _key(
        "powerValues", "power values", default=(), setting_default=[128, 256, 512, 1024],
        flag="--power", panel=_INPUT, metavar="MB",
        help="Power values in MB, such as 128,512,1024; ALL is 128 to 10240 in steps of 64.",
        about='what to measure; none: `default_power_values`; `"ALL"`: 128 to 10240 in steps of '
        "64, as far as the account allows; with `adaptive`: these as well",
    )
    num: int = _key(
        "num", "count", allowed=(NUM_MIN, 10_000), setting_default=10,
        flag="--num", panel=_INPUT, metavar="N",
        help="Invocations per power value, at least 5.",
        about="invocations per power value",
    )
    measuring: Literal["fixed", "adaptive"] = _key(
        "measuring", "choice", "fixed", allowed=("fixed", "adaptive"),
        setting_default="adaptive",
        flag="--measuring", panel=_INPUT, metavar="WORD",
        help="adaptive: sizes and invocations as the answer needs them, with a statement of how "
        "sure it is; fixed, the default with --power or --num: those.",
        about="`adaptive` chooses sizes and invocations itself, needs no `num`, and says how sure "
        "it is",
    )
    confidence: Literal["default", "sure"] = _key(
        "confidence", "choice", "default", allowed=("default", "sure"),
        flag="--confidence", panel=_INPUT, metavar="WORD",
        help="Of adaptive measuring: default, or sure, which takes twice as much.",
        about="of `adaptive`: when it is known well enough",
    )
    # whole passes where there is a workload
    max_invocations: int = _key(
        "maxInvocations", "integer", 0, allowed=(0, 10_000),
        flag="--max-invocations", panel=_INPUT, metavar="N",
        help="Of adaptive measuring: about so many at most, cold ones among them; of a "
        "workload: passes.",
        values="0 to 10000; 0: 20, with `sure` 60",
    )
    max_cost_usd: float = _key(
        "maxCostUsd", "amount", 0.0, allowed=(0, 1_000_000),
        flag="--max-cost-usd", panel=_INPUT, metavar="USD",
        help="Of adaptive measuring: measure no more once the function has cost so much.",
        values="0 to 1000000; 0: no limit",
    )
    min_power: int = _key(
        "minPower", "integer", MEMORY_MB_MIN, allowed=(MEMORY_MB_MIN, MEMORY_MB_MAX),
        flag="--min-power", panel=_INPUT, metavar="MB",
        help="Of adaptive measuring: the smallest memory size allowed.",
    )
    max_power: int = _key(
        "maxPower", "integer", MEMORY_MB_MAX, allowed=(MEMORY_MB_MIN, MEMORY_MB_MAX),
        flag="--max-power", panel=_INPUT, metavar="MB",
        help="Of adaptive measuring: the largest memory size allowed.",
    )
    # [tuning] has one, too, which names the run
    prior: Former | None = _key(
        "prior", "prior", None, setting=False,
        flag="--prior", panel=_INPUT, metavar="RUN_ID",
        help="Of adaptive measuring: begin with what a former run measured of the same code and "
        "payload: its RUN_ID, or newest.",
        about="of `adaptive`: `prior` of a former tuning's output, which is used if code, "
        "architecture and payload are the same",
        values="such an object",
    )
    architectures: tuple[str, ...] = _key(
        "architectures", "architectures", default=(), allowed=ARCHITECTURES,
        flag="--architectures", panel=_INPUT, metavar="LIST",
        help="arm64,x86_64: measure a copy for each, and recommend size and architecture together.",
        about="measure a copy for each, at the sizes each wants, and recommend size and "
        "architecture together; the function's own is always among them",
        values="list of `arm64`, `x86_64`",
    )
    strategy: Strategy = _key(
        "strategy", "choice", "cost", allowed=("cost", "speed", "balanced", "limit"),
        setting_default="balanced",
        flag="--strategy", panel=_INPUT, metavar="WORD",
        help="What is best: cost, speed, balanced, or limit: the cheapest size that keeps "
        "--max-duration-ms.",
        about="what counts; `limit`: the cheapest size that keeps `maxDurationMs`",
    )
    max_duration_ms: float = _key(
        "maxDurationMs", "amount", 0.0, allowed=(0, 900_000),
        flag="--max-duration-ms", panel=_INPUT, metavar="MS",
        help="Of strategy limit: warm invocations take at most so long, by --limit-on.",
        about="for `limit`: how long warm invocations may take, by `limitOn`",
        values="above 0, to 900000; 0: no limit",
    )
    limit_on: Statistic = _key(
        "limitOn", "choice", "p95", allowed=("mean", "p50", "p95"),
        flag="--limit-on", panel=_INPUT, metavar="WORD",
        help="Of strategy limit: mean, p50, or p95 (the default), which takes at least 59 "
        "invocations to prove.",
        about="for `limit`: what may be no longer; `p95` takes at least 59 invocations to prove",
    )
    balanced_weight: float = _key(
        "balancedWeight", "share", 0.5, allowed=(0, 1),
        flag="--balanced-weight", panel=_INPUT, metavar="W",
        help="Of strategy balanced: 0 is speed alone, 1 is cost alone.",
        about="for `balanced`: 1 is all cost, 0 all speed",
    )
    parallel_invocation: bool = _key(
        "parallelInvocation", "flag", default=False,
        flag="--parallel/--no-parallel", panel=_MANNER,
        help="All invocations of a power value at once.",
        about="all invocations at once, as many as reserved concurrency and `measure_memory_mb` "
        "allow",
    )
    sequential: bool = _key(
        "sequential", "flag", default=False,
        flag="--sequential/--no-sequential", panel=_MANNER,
        help="One power value after the other, not side by side.",
    )
    max_concurrency: int = _key(
        "maxConcurrency", "integer", 0, allowed=(0, 500),
        flag="--max-concurrency", panel=_MANNER, metavar="N",
        help="Invocations at once at most; not given: all that is to be measured, but half of "
        "what a small account allows.",
        about="invocations at once at most; 0: as many as there are, up to `measure_memory_mb` and "
        "the reserved concurrency",
    )
    only_cold_starts: bool = _key(
        "onlyColdStarts", "flag", default=False,
        flag="--only-cold-starts/--no-only-cold-starts", panel=_MANNER,
        help="Measure invocations of new execution environments only.",
        about="every measured invocation starts an environment; nothing is trimmed",
    )
    payload: Any = _key(
        "payload", "json", None,
        flag="--payload", panel=_INPUT, metavar="FILE",
        help="File with the event as JSON, or a list of payloads with weights; - reads "
        "standard input.",
        about='sent each time; a list of `{"weight", "payload"}` is shared out by weight',
    )
    payload_s3: str = _key(
        "payloadS3", "s3", "",
        flag="--payload-s3", panel=_INPUT, metavar="URI",
        help="The same in S3: s3://bucket/key.",
        about="the payload, from `payload_bucket`; wins over `payload`",
    )
    # [tuning] has one, too, which says where it comes from
    workload: Workload | None = _key(
        "workload", "workload", None, setting=False,
        flag="--workload", panel=_INPUT, metavar="FILE",
        help="File with a workload: requests with weights, sequences and templates.",
        about="requests with weights, sequences and templates in the place of a payload; `num` is "
        "rounded up to whole passes, after one that warms up",
    )
    invoke_mode: Literal["auto", "buffered", "response_stream"] = _key(
        "invokeMode", "choice", "auto", allowed=("auto", "buffered", "response_stream"),
        flag="--invoke-mode", panel=_MANNER, metavar="WORD",
        help="buffered, or response_stream, for answers that are streamed or have more than 6 MB; "
        "auto finds it by the function's URL and the Lambda Web Adapter.",
        about="`response_stream`: by InvokeWithResponseStream, for answers that are streamed or "
        "have more than 6 MB; `auto`: as the Lambda Web Adapter in it is set, else `buffered`",
    )
    pre_processor_arn: str = _key(
        "preProcessorARN", "processor", "",
        flag="--pre-processor", panel=_INPUT, metavar="ARN",
        help="ARN of a function that is invoked before each invocation with its payload; "
        "what it returns is sent instead.",
        about="run before each invocation; its output replaces the payload",
    )
    post_processor_arn: str = _key(
        "postProcessorARN", "processor", "",
        flag="--post-processor", panel=_INPUT, metavar="ARN",
        help="ARN of a function that is invoked after each invocation with its output.",
        about="run after each invocation; it gets the answer",
    )
    # a value is measured by one invocation of the tuner, which ends after 15 minutes
    sleep_between_runs_ms: int = _key(
        "sleepBetweenRunsMs", "milliseconds", 0, allowed=(0, 600_000),
        flag="--sleep-between-runs-ms", panel=_INPUT, metavar="MS",
        help="Pause between the invocations of a power value, without --parallel.",
        about="between two invocations in series",
    )
    discard_top_bottom: float = _key(
        "discardTopBottom", "share", 0.2, allowed=(0, 0.4),
        flag="--discard-top-bottom", panel=_INPUT, metavar="SHARE",
        help="Share of the invocations, 0 to 0.4, that is left out of the mean at each end.",
        about="share that the trimmed mean leaves out at each end",
    )
    # [tuning] has neither: the memory size of an environment's function is Terraform's
    auto_optimize: bool = _key(
        "autoOptimize", "flag", default=False, setting=False,
        flag="--auto-optimize/--no-auto-optimize", panel=_EFFECT,
        help="Set the function to the best power value.",
        about="set `$LATEST` to the best",
    )
    auto_optimize_alias: str = _key(
        "autoOptimizeAlias", "alias", "", setting=False,
        flag="--auto-optimize-alias", panel=_EFFECT, metavar="NAME",
        help="With --auto-optimize: publish a version, and make or move this alias to it.",
        about="with `autoOptimize`: point this alias at a version that has the best",
    )
    disable_payload_logs: bool = _key(
        "disablePayloadLogs", "flag", default=False,
        flag="--disable-payload-logs", panel=_OUTPUT,
        help="No payload in logs, errors and evidence.",
        about="no payload, and no message of the function, in errors",
    )
    include_output_results: bool = _key(
        "includeOutputResults", "flag", default=False,
        flag="--include-output-results", panel=_OUTPUT,
        help="Add stats, the averages of every power value, to the output.",
        about="adds LPT's `stats`",
    )
    allowed_exceptions: tuple[str, ...] = _key(
        "allowedExceptions", "error types", default=(),
        flag="--allowed-exception", panel=_INPUT, metavar="TYPE",
        help="Type of an error that counts as measured; may be given several times.",
        about="failures that count as measured",
    )
    allow_failures: bool = _key(
        "allowFailures", "flag", default=True,
        flag="--allow-failures/--no-allow-failures", panel=_MANNER,
        help="Leave a power value out that fails, or fail with it. The first is the default.",
        about="false: the first failure fails the execution",
    )
    # a run of a whole environment has no use for this: it recommends nothing
    dry_run: bool = _key(
        "dryRun", "flag", default=False, setting=False,
        flag="--dry-run", panel=_MANNER,
        help="One invocation per power value, and no recommendation.",
    )
    on_conflict: Literal["fail", "wait"] = _key(
        "onConflict", "choice", "fail", allowed=("fail", "wait"),
        flag="--on-conflict", panel=_EFFECT, metavar="WORD",
        help="When the function is being tuned already: fail or wait.",
        about="what to do while another execution tunes the function",
    )
    isolation: Literal["alias", "clone"] = _key(
        "isolation", "choice", "alias", allowed=("alias", "clone"),
        flag="--isolation", panel=_EFFECT, metavar="WORD",
        help="alias: versions of the function itself; clone, the default for a version or an "
        "alias: those of a temporary copy, so that the function is not touched.",
        about="`alias` publishes versions of the function itself, `clone` of a temporary copy "
        "(default with a version or an alias in `lambdaARN`); see Copies",
    )
    role_arn: str = _key(
        "roleArn", "role", "", setting=False,
        flag="--role-arn", panel=_INPUT, metavar="ARN",
        help="ARN of a role in the function's account, if that is another one: assumed for the "
        "function's calls alone, by the tuner and by this command.",
        about="a role in the function's account, of `assumable_role_arns`: assumed for the "
        "function's calls alone",
        values="ARN",
    )
    external_id: str = _key(
        "externalId", "external id", "", setting=False,
        flag="--external-id", panel=_INPUT, metavar="ID",
        help="What the trust policy of --role-arn wants as sts:ExternalId.",
        about="that the trust policy of `roleArn` wants",
        values="text",
    )
    # from the execution's start to the end of measuring
    time_limit_s: float = _key(
        "timeLimitSeconds", "seconds", math.inf, setting=False,
        values="above 0; 4 minutes (a tenth, if that is less) before `total_timeout_seconds`",
        about="measuring ends so long after the execution's start; what is not finished is left "
        "out",
    )
    # fmt: on
    warnings: tuple[str, ...] = ()

    @property
    def adaptive(self) -> bool:
        """Whether sizes and invocations are chosen on the way."""
        return self.measuring == "adaptive" and not self.dry_run

    @property
    def cloned(self) -> bool:
        """Whether a temporary copy is measured, and not the function itself."""
        return self.isolation == "clone" or self.function.of_version or bool(self.architectures)

    @property
    def invocations(self) -> int:
        """Invocations to measure per power value: whole passes of a workload."""
        num = 1 if self.dry_run else self.num
        return num if self.workload is None else self.workload.whole_passes(num)

    @property
    def warm_up(self) -> int:
        """Invocations before them: a pass of a workload, whose requests each start something.

        Where all are invoked at once, or each is to be cold, there is nothing to warm up.
        """
        at_once = self.parallel_invocation or self.only_cold_starts or self.dry_run
        return 0 if self.workload is None or at_once else len(self.workload.places)


KEYS = tuple(Key(f.name, f.default, **f.metadata) for f in fields(TuningInput) if f.metadata)


# Fields that say what fixed measuring measures; adaptive measuring needs none of them.
OF_FIXED = frozenset({"num", "power_values"})
# Passes that adaptive measuring makes at most, cold ones among them, if the input does not say.
MOST_PASSES = {"default": 20, "sure": 60}
# What counting adds to that: three sizes, each until it is proven or given up.
MOST_OF_PROOF = {"mean": 120, "p50": 120, "p95": 372}


def most_passes(confidence: str, strategy: str, limit_on: str) -> int:
    """Return how many passes adaptive measuring makes at most, if the input does not say."""
    return MOST_PASSES[confidence] + (MOST_OF_PROOF[limit_on] if strategy == "limit" else 0)


def is_adaptive(raw: Mapping[str, Any]) -> bool:
    """Whether an input, as JSON gave it, leaves sizes and invocations to the tuner."""
    return raw.get("measuring") == "adaptive" and not is_true(raw.get("dryRun"))


def is_cloned(raw: Mapping[str, Any]) -> bool:
    """Whether an input, as JSON gave it, has a temporary copy of the function measured."""
    try:
        of_version = FunctionArn.parse(raw.get("lambdaARN")).of_version
    except WrongValueError:
        of_version = False
    return raw.get("isolation") == "clone" or of_version or bool(raw.get("architectures"))


def is_needless(key: Key, raw: Mapping[str, Any]) -> bool:
    """Whether a key says nothing in this input."""
    return key.field == "num" and is_adaptive(raw)


def conflict(values: Mapping[str, Any]) -> str:
    """Return what cannot be together in an input, and why; empty if all can.

    Args:
        values: The input's values as they were read, by field; what it leaves out is not there.
    """
    cold = values.get("only_cold_starts", False)
    workload = values.get("workload")
    if workload is not None:
        if values.get("payload") is not None or values.get("payload_s3"):
            return "workload: it takes the place of payload and payloadS3: give one of them"
        if cold and workload.linked:
            return (
                "workload: with onlyColdStarts no request can have part of an earlier answer "
                "($response): each is invoked by itself, until it is cold"
            )
    problem = _conflict_of_limit(values) or _conflict_of_copies(values)
    if values.get("prior") is not None and values.get("measuring") != "adaptive":
        return "prior: fixed measuring has no use for it: give measuring adaptive, or leave it out"
    if problem or values.get("measuring") != "adaptive" or values.get("dry_run"):
        return problem
    if cold:
        return "measuring: adaptive compares warm invocations: onlyColdStarts needs fixed"
    least = values.get("min_power", MEMORY_MB_MIN)
    most = values.get("max_power", MEMORY_MB_MAX)
    return f"minPower: {least} is more than maxPower, {most}" if least > most else ""


def _conflict_of_copies(values: Mapping[str, Any]) -> str:
    function, isolation = values.get("function"), values.get("isolation")
    role_arn = values.get("role_arn", "")
    if values.get("external_id") and not role_arn:
        return "externalId: it is for roleArn, which is missing"
    if role_arn and function is not None and role_arn.split(":")[4] != function.account_id:
        return f"roleArn: {role_arn} is in another account than the function, {function.account_id}"
    of_version = function is not None and function.of_version
    if role_arn and (isolation == "clone" or values.get("architectures") or of_version):
        return "roleArn: a copy (isolation clone) can only be made in the tuner's own account"
    of_version = function.whole if function is not None and function.of_version else ""
    if of_version and isolation == "alias":
        return (
            f"isolation: {of_version} names a version or an alias, and a published version "
            "cannot take another memory size: isolation clone measures a copy of it"
        )
    both = values.get("architectures")
    if both and isolation == "alias":
        return (
            "architectures: each is measured by a copy of the function, so not with isolation alias"
        )
    if values.get("auto_optimize") and (of_version or both or isolation == "clone"):
        return (
            "autoOptimize: with isolation clone, and for a version, an alias or architectures, a "
            "copy is measured and the function itself is not touched"
        )
    return ""


def _conflict_of_limit(values: Mapping[str, Any]) -> str:
    limited, most_ms = values.get("strategy") == "limit", values.get("max_duration_ms", 0)
    if limited and not most_ms:
        return "maxDurationMs: strategy limit needs it: so many ms at most, above 0"
    if most_ms and not limited:
        return f"maxDurationMs: {most_ms:g} is of strategy limit: give that, or no limit"
    return ""
