"""From flags and files to the state machine's input."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_dyno.core.config import Settings, TuningSettings, with_overrides
from lambda_dyno.core.errors import UserError
from lambda_dyno.tune.tuner_input import FLAGGED, as_settings, from_file, from_flags, from_settings
from lambda_dyno.tune.validation import require_allowed

ARN = "arn:aws:lambda:eu-west-1:111122223333:function:shop"

# What every input has when no flag is given: this project's defaults.
BASE = {"lambdaARN": "", "measuring": "adaptive", "strategy": "balanced", "payload": {}}
# What it has where a flag names sizes or a number: they are measured.
FIXED = {"powerValues": [128, 256, 512, 1024], "num": 10}

# Each flag by its name, a value, and what it makes of the input.
FLAGS: list[tuple[str, Any, dict[str, Any]]] = [
    ("power_values", [512, 128, 512], {**FIXED, "powerValues": [128, 512]}),
    ("num", 50, {**FIXED, "num": 50}),
    ("measuring", "fixed", FIXED),
    ("confidence", "sure", {"confidence": "sure"}),
    ("max_invocations", 30, {"maxInvocations": 30}),
    ("max_cost_usd", 0.5, {"maxCostUsd": 0.5}),
    ("min_power", 256, {"minPower": 256}),
    ("max_power", 3008, {"maxPower": 3008}),
    ("isolation", "clone", {"isolation": "clone"}),
    ("isolation", "alias", {"isolation": "alias"}),
    ("architectures", ["arm64", "x86_64"], {"architectures": ["arm64", "x86_64"]}),
    ("strategy", "speed", {"strategy": "speed"}),
    ("max_duration_ms", 200.0, {"maxDurationMs": 200.0}),
    ("limit_on", "mean", {"limitOn": "mean"}),
    ("balanced_weight", 0.8, {"balancedWeight": 0.8}),
    ("balanced_weight", 0.5, {}),
    ("invoke_mode", "response_stream", {"invokeMode": "response_stream"}),
    ("max_concurrency", 5, {"maxConcurrency": 5}),
    ("role_arn", "arn:aws:iam::1", {"roleArn": "arn:aws:iam::1"}),
    ("external_id", "x-1", {"externalId": "x-1"}),
    ("parallel_invocation", True, {"parallelInvocation": True}),
    ("parallel_invocation", False, {}),
    ("sequential", True, {"sequential": True}),
    ("sleep_between_runs_ms", 250, {"sleepBetweenRunsMs": 250}),
    ("discard_top_bottom", 0.0, {"discardTopBottom": 0.0}),
    ("discard_top_bottom", 0.2, {}),
    ("only_cold_starts", True, {**FIXED, "onlyColdStarts": True}),
    ("payload", {"n": 1}, {"payload": {"n": 1}}),
    ("payload", None, {"payload": None}),
    ("pre_processor_arn", ARN, {"preProcessorARN": ARN}),
    ("post_processor_arn", f"{ARN}:live", {"postProcessorARN": f"{ARN}:live"}),
    ("disable_payload_logs", True, {"disablePayloadLogs": True}),
    ("include_output_results", True, {"includeOutputResults": True}),
    ("allowed_exceptions", ["Busy", "Late"], {"allowedExceptions": ["Busy", "Late"]}),
    ("allow_failures", False, {"allowFailures": False}),
    ("allow_failures", True, {}),
    ("on_conflict", "wait", {"onConflict": "wait"}),
    ("dry_run", True, {**FIXED, "dryRun": True}),
    ("auto_optimize", True, {"autoOptimize": True}),
    ("auto_optimize_alias", "live", {"autoOptimizeAlias": "live"}),
]


@pytest.mark.parametrize(
    ("name", "value", "adds"), FLAGS, ids=[f"{name}={value}" for name, value, _ in FLAGS]
)
def test_a_flag_becomes_its_key(name: str, value: Any, adds: dict[str, Any]) -> None:
    """And nothing else changes; what is the state machine's default anyway is left out."""
    made, _ = from_flags(Settings(), {name: value}, {})
    base = {k: v for k, v in BASE.items() if k != "measuring" or "num" not in adds}
    assert made == {**base, **adds}


def test_adaptive_measuring_names_no_sizes_and_no_number() -> None:
    """Which it would not look at."""
    made, _ = from_flags(Settings(), {"measuring": "adaptive", "num": 50}, {})
    assert made == BASE


@pytest.mark.parametrize(
    "flags",
    [
        {"dry_run": True},
        {"dry_run": True, "measuring": "adaptive"},
        {"only_cold_starts": True},
        {"confidence": "sure"},
    ],
)
def test_what_a_flag_makes_of_the_defaults_is_allowed(flags: dict[str, Any]) -> None:
    """A dry run and cold starts alone are measured at sizes that are named."""
    made, _ = from_flags(Settings(), flags, {})
    require_allowed(made, "command line")


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ({"only_cold_starts": True, "measuring": "adaptive"}, "onlyColdStarts needs fixed"),
        ({"min_power": 1024, "max_power": 512}, "minPower: 1024 is more than maxPower, 512"),
        ({"strategy": "limit"}, "maxDurationMs: strategy limit needs it"),
        ({"max_duration_ms": 200.0}, "maxDurationMs: 200 is of strategy limit"),
        ({"strategy": "limit", "num": 9, "measuring": "fixed"}, "maxDurationMs: strategy limit"),
    ],
)
def test_what_cannot_be_together_is_told_before_a_tuner_is_deployed(
    flags: dict[str, Any], complaint: str
) -> None:
    """The state machine says the same; a mistake that is found here costs nothing."""
    made, _ = from_flags(Settings(), flags, {})
    with pytest.raises(UserError, match=complaint):
        require_allowed(made, "command line")


def test_a_former_run_is_named_in_the_settings_and_in_no_input() -> None:
    """It is looked up where runs are known; the evidence has its name."""
    made, changed = from_flags(Settings(), {"prior": "newest"}, {})
    assert made == BASE
    assert changed.tuning.prior == "newest"
    assert as_settings({**BASE, "prior": {"run": "261130-1200-bbbb"}})["prior"] == (
        "261130-1200-bbbb"
    )


def test_every_flag_is_in_the_table() -> None:
    """A key without a row above would be a key that nobody tries."""
    alone = {"payload_s3", "workload"}  # they take the place of the payload
    alone |= {"prior"}  # which names a run: it is looked up later
    assert {name for name, _, _ in FLAGS} | alone == FLAGGED.keys()


def test_a_workload_takes_the_place_of_the_environments_event() -> None:
    """The input has one thing that is measured."""
    workload = {"requests": [{"name": "a", "event": {}}]}
    made, _ = from_flags(Settings(), {"workload": workload}, {"from": "dyno.toml"})
    assert made == {k: v for k, v in BASE.items() if k != "payload"} | {"workload": workload}
    assert as_settings(made)["workload"] == "a"


def test_a_payload_in_s3_takes_the_place_of_the_environments_event() -> None:
    """The input has one payload."""
    made, _ = from_flags(Settings(), {"payload_s3": "s3://bucket/key"}, {"from": "dyno.toml"})
    assert made == {k: v for k, v in BASE.items() if k != "payload"} | {
        "payloadS3": "s3://bucket/key"
    }


def test_a_payload_of_the_command_line_takes_the_place_of_one_in_s3() -> None:
    """Also if it is JSON's null."""
    settings = with_overrides(Settings(), {"tuning.payload_s3": "s3://bucket/key"})
    made, _ = from_flags(settings, {"payload": None}, None)
    assert made == {**BASE, "payload": None}


def test_a_flag_overrides_the_key_of_an_environment() -> None:
    """The other keys of its dyno.toml stay."""
    settings = with_overrides(Settings(), {"tuning.num": 30, "tuning.sequential": True})
    made, changed = from_flags(settings, {"num": 7}, {"operation": "list"})
    payload = {"operation": "list"}
    fixed = {k: v for k, v in BASE.items() if k != "measuring"} | FIXED
    assert made == {**fixed, "num": 7, "sequential": True, "payload": payload}
    assert changed.tuning.num == 7


def test_a_flag_with_a_wrong_value_is_refused() -> None:
    """Whether an input file is there or not."""
    for make in (
        lambda: from_flags(Settings(), {"num": 4}, {}),
        lambda: from_file({"num": 50}, {"num": 4}, "input.json"),
    ):
        with pytest.raises(UserError, match=r"command line: \[tuning\] num: 4"):
            make()


SAMPLE = {
    "lambdaARN": ARN,
    "powerValues": [128, 256, 512, 1024, 2048, 3008],
    "num": 50,
    "payload": {"N": 1000000},
    "parallelInvocation": True,
    "strategy": "balanced",
}


def test_an_input_file_is_taken_as_it_is() -> None:
    """Nothing is added, and nothing unknown is lost: the tuner warns of it."""
    content = {**SAMPLE, "unknown": 1, "powerValues": "ALL"}
    assert from_file(content, {}, "input.json") == content


@pytest.mark.parametrize(
    ("flags", "changed"),
    [
        pytest.param({"num": 10}, {"num": 10}, id="num"),
        pytest.param({"strategy": "cost"}, {"strategy": "cost"}, id="strategy"),
        pytest.param({"payload": [1]}, {"payload": [1]}, id="payload"),
        pytest.param({"dry_run": True}, {"dryRun": True}, id="only-a-flag"),
    ],
)
def test_flags_override_the_keys_of_an_input_file(
    flags: dict[str, Any], changed: dict[str, Any]
) -> None:
    """Each its own key."""
    assert from_file(SAMPLE, flags, "input.json") == {**SAMPLE, **changed}


def test_a_flag_of_a_default_removes_the_files_key() -> None:
    """--no-parallel over a file that says parallelInvocation."""
    made = from_file(SAMPLE, {"parallel_invocation": False}, "input.json")
    assert made == {k: v for k, v in SAMPLE.items() if k != "parallelInvocation"}


def test_a_payload_flag_replaces_both_payloads_of_a_file() -> None:
    """payloadS3 would win over payload in the state machine."""
    content = {**SAMPLE, "payloadS3": "s3://bucket/key"}
    assert from_file(content, {"payload": 1}, "i") == {**SAMPLE, "payload": 1}
    made = from_file(content, {"payload_s3": "s3://other/key"}, "i")
    assert made == {k: v for k, v in SAMPLE.items() if k != "payload"} | {
        "payloadS3": "s3://other/key"
    }


@pytest.mark.parametrize("content", [[], "x", 1, None])
def test_an_input_that_is_no_object_is_refused(content: Any) -> None:
    """The message names the file and shows what is wanted."""
    with pytest.raises(UserError, match=r'--input x: .*JSON object, such as \{"lambdaARN"'):
        from_file(content, {}, "--input x")


def test_an_environments_function_is_measured_by_its_settings() -> None:
    """What `dyno run` sends: every key of [tuning] that is not the state machine's default."""
    settings = TuningSettings(power_values=[256, 128], num=20, on_conflict="wait")
    assert from_settings(settings, ARN, {"operation": "list"}) == {
        "lambdaARN": ARN,
        "powerValues": [128, 256],
        "num": 20,
        "strategy": "balanced",
        "onConflict": "wait",
        "payload": {"operation": "list"},
    }


def test_the_evidence_names_keys_as_dyno_toml_does() -> None:
    """And keeps what it does not know."""
    assert as_settings({**SAMPLE, "unknown": 1}) == {
        "function_arn": ARN,
        "power_values": SAMPLE["powerValues"],
        "num": 50,
        "payload": {"N": 1000000},
        "parallel_invocation": True,
        "strategy": "balanced",
        "unknown": 1,
    }


@pytest.mark.parametrize("value", [True, "true", 1])
def test_no_payload_is_in_the_evidence_if_none_may_be_logged(value: Any) -> None:
    """However the file says so."""
    assert "payload" not in as_settings({**SAMPLE, "disablePayloadLogs": value})
    assert "payload" in as_settings({**SAMPLE, "disablePayloadLogs": False})
