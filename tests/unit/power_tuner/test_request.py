"""The input of the state machine: aws-lambda-power-tuning's keys with their edge cases."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lambda_dyno.tuner_contract.arns import FunctionArn
from lambda_dyno.tuner_contract.keys import TuningInput, is_cloned
from power_tuner.errors import InvalidInput
from power_tuner.request import parse

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:shop"
DEFAULTS = (512, 128)


def parsed(**keys: Any) -> TuningInput:
    return parse({"lambdaARN": ARN, "num": 10, **keys}, DEFAULTS)


def refusal(raw: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse(raw, DEFAULTS)
    return str(caught.value)


def test_defaults_are_those_of_lpt() -> None:
    """An input of function and num gets LPT's defaults and the deploy-time power values."""
    request = parsed()
    assert request.power_values == (128, 512)
    assert (request.strategy, request.balanced_weight) == ("cost", 0.5)
    assert request.discard_top_bottom == 0.2
    assert request.sleep_between_runs_ms == 0
    assert not request.parallel_invocation
    assert not request.auto_optimize
    assert not request.warnings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([1024, "512", " 128 ", 512], (128, 512, 1024)),
        ([128.0], (128,)),
        ("ALL", tuple(range(128, 10_241, 64))),
        ([], (128, 512)),
        ("", (128, 512)),
        (None, (128, 512)),
    ],
)
def test_power_values(given: Any, expected: tuple[int, ...]) -> None:
    """Power values come as numbers or strings, once each and sorted; ALL is 159 of them."""
    assert parsed(powerValues=given).power_values == expected


def test_all_is_159_values() -> None:
    """ "ALL" stands for LPT's 46 values, to 3008 MB, and in the same steps to 10,240 MB."""
    values = parsed(powerValues="ALL").power_values
    assert len(values) == 159
    assert values[:46] == tuple(range(128, 3009, 64))


@pytest.mark.parametrize(
    "given", [[127], [10241], [128.5], ["x"], [True], [None], 128, {"a": 1}, "all"]
)
def test_power_values_out_of_range(given: Any) -> None:
    """A power value that Lambda would refuse is refused first, by the name of its key."""
    assert refusal({"lambdaARN": ARN, "num": 10, "powerValues": given}).startswith("powerValues: ")


@pytest.mark.parametrize("num", [5, "5", 5.0, " 7 ", 10_000])
def test_num_is_a_number_or_a_string_of_one(num: Any) -> None:
    """A numeric string is a number."""
    assert parsed(num=num).num == int(num)


@pytest.mark.parametrize("num", [None, 4, 0, -5, "4", "x", 5.5, True, math.inf, []])
def test_num_below_five(num: Any) -> None:
    """A missing or small num is refused with LPT's words."""
    assert "Missing num or num below 5" in refusal({"lambdaARN": ARN, "num": num})


@pytest.mark.parametrize(
    ("arn", "words"),
    [
        (None, "Missing or empty lambdaARN"),
        ("", "Missing or empty lambdaARN"),
        ("shop", "is not the ARN of a Lambda function"),
        ("arn:aws:s3:::bucket", "is not the ARN of a Lambda function"),
        (17, "is not the ARN of a Lambda function"),
        (f"{ARN}:a b", "is not the ARN of a Lambda function"),
    ],
)
def test_bad_function(arn: Any, words: str) -> None:
    """What is no function's ARN is refused."""
    assert words in refusal({"lambdaARN": arn, "num": 5})


@pytest.mark.parametrize("qualifier", ["25", "live"])
def test_a_version_or_an_alias_is_measured_by_a_copy(qualifier: str) -> None:
    """By default; as versions of the function itself, or changing it, it cannot be."""
    raw = {"lambdaARN": f"{ARN}:{qualifier}", "num": 5}
    parsed = parse(raw, (128,))
    assert parsed.cloned
    assert is_cloned(raw)
    assert parsed.function.whole == f"{ARN}:{qualifier}"
    assert "isolation clone measures a copy" in refusal({**raw, "isolation": "alias"})
    assert "is not touched" in refusal({**raw, "autoOptimize": True})
    assert "is not touched" in refusal(
        {"lambdaARN": ARN, "num": 5, "isolation": "clone", "autoOptimize": True}
    )


@pytest.mark.parametrize("raw", [{"lambdaARN": ARN}, {"lambdaARN": f"{ARN}:$LATEST"}, {}])
def test_the_function_itself_is_measured_by_versions_of_it(raw: dict[str, Any]) -> None:
    """Unless a copy is asked for."""
    assert not is_cloned(raw)
    assert is_cloned({**raw, "isolation": "clone"})


def test_latest_is_the_function_itself() -> None:
    """$LATEST is what is tuned, so its ARN is as good as the function's."""
    function = parse({"lambdaARN": f"{ARN}:$LATEST", "num": 5}, (128,)).function
    assert function.text == ARN


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_function_of_any_partition(partition: str) -> None:
    """ARNs of China and GovCloud are ARNs."""
    arn = FunctionArn.parse(f"arn:{partition}:lambda:cn-north-1:123456789012:function:f")
    assert (arn.region, arn.name, arn.qualifier) == ("cn-north-1", "f", "")


@pytest.mark.parametrize(
    ("key", "given", "attribute", "expected"),
    [
        ("balancedWeight", 0.3, "balanced_weight", 0.3),
        ("balancedWeight", -1, "balanced_weight", 0.0),
        ("balancedWeight", 7, "balanced_weight", 1.0),
        ("balancedWeight", "0.25", "balanced_weight", 0.25),
        ("discardTopBottom", 0, "discard_top_bottom", 0.0),
        ("discardTopBottom", 0.9, "discard_top_bottom", 0.4),
        ("discardTopBottom", -0.1, "discard_top_bottom", 0.0),
        ("sleepBetweenRunsMs", 50, "sleep_between_runs_ms", 50),
        ("sleepBetweenRunsMs", "50", "sleep_between_runs_ms", 50),
        ("sleepBetweenRunsMs", "soon", "sleep_between_runs_ms", 0),
        ("sleepBetweenRunsMs", -3, "sleep_between_runs_ms", 0),
    ],
)
def test_numbers_are_clamped(key: str, given: Any, attribute: str, expected: float) -> None:
    """Weights and shares are clamped, and a sleep that is no number is none."""
    assert getattr(parsed(**{key: given}), attribute) == expected


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("strategy", "cheap"),
        ("strategy", ["cost"]),
        ("balancedWeight", "half"),
        ("discardTopBottom", True),
        ("parallelInvocation", "yes"),
        ("onConflict", "queue"),
        ("isolation", "copy"),
        ("allowedExceptions", "ValueError"),
        ("allowedExceptions", [1]),
        ("preProcessorARN", "my-function"),
        ("autoOptimizeAlias", "12"),
        ("autoOptimizeAlias", "a b"),
        ("payloadS3", 3),
    ],
)
def test_wrong_values_name_their_key(key: str, given: Any) -> None:
    """A wrong value is refused before anything is changed; the message begins with its key."""
    assert refusal({"lambdaARN": ARN, "num": 5, key: given}).startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("given", "expected"), [(True, True), ("true", True), (1, True), ("0", False)]
)
def test_flags(given: Any, expected: bool) -> None:
    """Flags may come from a shell."""
    assert parsed(parallelInvocation=given).parallel_invocation is expected


def test_null_is_absent() -> None:
    """A key with null has its default."""
    assert parsed(strategy=None, dryRun=None, powerValues=None).strategy == "cost"


def test_cold_starts_are_not_trimmed() -> None:
    """With onlyColdStarts nothing is discarded, and asking for it is pointed out."""
    assert parsed(onlyColdStarts=True).discard_top_bottom == 0.0
    asked = parsed(onlyColdStarts=True, discardTopBottom=0.1)
    assert asked.discard_top_bottom == 0.0
    assert any("discardTopBottom" in warning for warning in asked.warnings)


def test_dry_run_invokes_once() -> None:
    """A dry run invokes once per power value, whatever num is."""
    assert parsed(dryRun=True).invocations == 1
    assert parsed().invocations == 10


def test_unknown_keys_become_warnings() -> None:
    """Unknown keys are ignored, as LPT does, but not in silence."""
    assert parsed(powerValue=[128]).warnings == ("powerValue: not a key of the input, ignored",)


def test_many_unknown_keys() -> None:
    """Any number of unknown keys makes a short list of warnings."""
    warnings = parsed(**{f"key{number:03}" + "x" * 500: 1 for number in range(100)}).warnings
    assert len(warnings) == 21
    assert max(map(len, warnings)) < 130
    assert warnings[-1] == "80 more keys are not known, and ignored"


@pytest.mark.parametrize("key", ["strategy", "onConflict", "preProcessorARN", "autoOptimizeAlias"])
def test_empty_strings_are_absent(key: str) -> None:
    """An empty string is no value, as in LPT."""
    assert parsed(**{key: ""}) == parsed()


def test_input_that_is_no_object() -> None:
    """An input that is no JSON object is refused."""
    assert "must be a JSON object" in refusal([])
