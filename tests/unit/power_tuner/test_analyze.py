"""Analyze: the execution's output, LPT's part of it and this project's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from power_tuner.analyze import analyze
from power_tuner.request import parse
from power_tuner.samples import Sample
from power_tuner.state import PowerState, TuningState

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:shop"
GB_MS = 0.0000166667 / 1000


def output(durations: dict[int, list[float]], original: int = 128, **keys: Any) -> dict[str, Any]:
    tuning = {"lambdaARN": ARN, "num": 5, "powerValues": list(durations)}
    request = parse(tuning | keys, (128,))
    powers = []
    for power, values in durations.items():
        samples = [Sample.of(value, value) for value in values]
        powers.append(
            PowerState(
                power,
                samples=samples,
                attempts=len(values),
                billed_ms=sum(sample.billed_ms for sample in samples),
                excluded="" if values else "too small",
            )
        )
    state = TuningState(original, "x86_64", 3, None, powers, passes=1)
    return analyze(request, state, "https://example.com/")


def test_lpt_output() -> None:
    """power, cost, duration and stateMachine are LPT's, by hand."""
    result = output({128: [100, 100, 100, 100, 900], 1024: [10.5] * 5}, strategy="speed")
    assert result["power"] == 1024
    assert result["duration"] == 10.5
    assert result["cost"] == pytest.approx(11 * GB_MS)
    # 1300 ms of 128 MB and 55 ms of 1024 MB
    assert result["stateMachine"]["lambdaCost"] == pytest.approx((1300 / 8 + 55) * GB_MS)
    assert result["stateMachine"]["visualization"].startswith("https://example.com/#")
    assert "stats" not in result


def test_price_of_the_trimmed_mean() -> None:
    """The price is that of the trimmed mean of billed durations, rounded up to a millisecond."""
    result = output({1024: [10, 20, 21, 22, 900]})
    assert result["duration"] == pytest.approx(21)
    assert result["cost"] == pytest.approx(21 * GB_MS)


@pytest.mark.parametrize(
    ("durations", "strategy"),
    [
        # 9 ms of 128 MB are 6 ms of 192 MB
        ({128: [9] * 5, 192: [6] * 5}, "cost"),
        # 0.164 + 0.77 and 0.246 + 0.688 are the same, and not in floats
        ({128: [0.164, 0.77], 256: [0.246, 0.688]}, "speed"),
    ],
)
def test_ties_are_exact(durations: dict[int, list[float]], strategy: str) -> None:
    """Equal cost gives the faster, equal speed the less expensive; figures stay JSON numbers."""
    result = output(durations, strategy=strategy, discardTopBottom=0, includeOutputResults=True)
    assert result["power"] == (192 if strategy == "cost" else 128)
    assert json.loads(json.dumps(result)) == result


def test_a_cost_without_a_billed_duration_is_pointed_out() -> None:
    """As of functions that are not paid for by their duration: 0 is no cost."""
    request = parse({"lambdaARN": ARN, "num": 5, "powerValues": [128, 256]}, ())
    powers = [
        PowerState(128, samples=[Sample.of(100, 0)] * 5, attempts=5),
        PowerState(256, samples=[Sample.of(100, 100)] * 5, attempts=5),
    ]
    state = TuningState(128, "x86_64", 3, None, powers)
    [warning] = analyze(request, state, "https://example.com/")["warnings"]
    assert warning.startswith("128 MB: a REPORT says nothing of a billed duration")


def test_output_results() -> None:
    """includeOutputResults adds LPT's stats per power value."""
    result = output({128: [80] * 5, 1024: [10] * 5}, includeOutputResults=True)
    assert result["stats"] == [
        {"value": 128, "averagePrice": pytest.approx(10 * GB_MS), "averageDuration": 80},
        {"value": 1024, "averagePrice": pytest.approx(10 * GB_MS), "averageDuration": 10},
    ]


def test_excluded_values_are_not_chosen() -> None:
    """An excluded power value is in the details, not among the candidates."""
    result = output({128: [], 1024: [10] * 5}, includeOutputResults=True)
    assert result["power"] == 1024
    assert [stat["value"] for stat in result["stats"]] == [1024]
    assert result["details"][0]["excluded"] == "too small"
    assert result["details"][0]["duration"] is None


@pytest.mark.parametrize(
    ("colds", "retries", "keys", "said"),
    [
        ((9, 2), 22, {"parallelInvocation": True}, ["do not compare. Throttled"]),
        ((9, 2), 0, {}, ["9 cold starts in 10 invocations at 128 MB, 2 cold starts in 10 "]),
        ((10, 10), 5, {"parallelInvocation": True}, []),
        ((4, 1), 0, {"discardTopBottom": 0.4}, []),  # none is in either mean
        ((3, 1), 0, {"discardTopBottom": 0}, []),
        ((4, 1), 0, {"discardTopBottom": 0}, ["do not compare"]),
    ],
)
def test_uneven_cold_starts(
    colds: tuple[int, int], retries: int, keys: dict[str, Any], said: list[str]
) -> None:
    """Power values whose means have more or fewer cold starts in them are pointed out."""
    tuning = {"lambdaARN": ARN, "num": 10, "powerValues": [128, 256], **keys}
    powers = [
        PowerState(
            power,
            samples=[Sample.of(100 + n, 100, cold=n < cold) for n in range(10)],
            attempts=10,
            retries=retries,
        )
        for power, cold in zip((128, 256), colds, strict=True)
    ]
    state = TuningState(128, "x86_64", 3, None, powers, passes=1)
    warnings = analyze(parse(tuning, (128,)), state, "https://example.com/")["warnings"]
    assert len(warnings) == len(said)
    assert all(words in warning for words, warning in zip(said, warnings, strict=True))


def test_where_the_function_stands() -> None:
    """The current power value's saving is per million invocations."""
    result = output({128: [160] * 5, 1024: [10] * 5}, original=128)
    assert result["current"]["power"] == 128
    # 160 ms of 1/8 GB against 10 ms of 1 GB: 20 - 10 = 10 GB ms each
    assert result["current"]["savingPerMillion"] == pytest.approx(10 * GB_MS * 1e6)
    assert result["current"]["fasterBy"] == 150


def test_current_power_that_was_not_measured() -> None:
    """A current power value that is not among the measured ones is named, without figures."""
    result = output({256: [10] * 5}, original=128)
    assert result["current"] == {"power": 128, "measured": False}


def test_dry_run_has_no_analysis() -> None:
    """A dry run says what it measured, and recommends nothing."""
    result = output({128: [80], 1024: [10]}, dryRun=True)
    assert result["dryRun"] is True
    assert "power" not in result
    assert [detail["count"] for detail in result["details"]] == [1, 1]


def test_request_fee_is_apart() -> None:
    """The fee per request is reported on its own, never inside a cost."""
    prices = output({128: [8] * 5})["prices"]
    assert prices["requestsPerMillion"] == pytest.approx(0.20)
    assert prices["currency"] == "USD"


def test_china() -> None:
    """In China prices are in CNY, and so says the visualization's address, before its hash."""
    arn = "arn:aws-cn:lambda:cn-north-1:123456789012:function:shop"
    result = output({128: [8] * 5}, lambdaARN=arn)
    assert result["prices"]["currency"] == "CNY"
    assert result["cost"] == pytest.approx(0.000113477 / 1000)  # 8 ms of an eighth of a GB
    assert result["stateMachine"]["visualization"].startswith("https://example.com/?currency=CNY#")


def test_a_price_that_nobody_published_is_a_warning() -> None:
    """A region beyond the price list, such as Europe's own partition, which pays in EUR."""
    arn = "arn:aws-eusc:lambda:eusc-de-east-1:123456789012:function:shop"
    result = output({128: [8] * 5}, lambdaARN=arn)
    (warning,) = [text for text in result["warnings"] if "price" in text]
    assert warning == (
        "the price is no published one: that of most regions, in USD, since the price list has "
        "no eusc-de-east-1, which is billed in EUR"
    )
    assert result["prices"]["checked"] < "2024"  # the oldest source's month
    assert not any("price" in text for text in output({128: [8] * 5})["warnings"])


def test_strategy_ties() -> None:
    """Of equally cheap power values the faster one is taken, of equally fast ones the cheaper."""
    # 80 ms of an eighth of a GB is 10 ms of a whole one
    equally_cheap = {128: [80] * 5, 1024: [10] * 5}
    assert output(equally_cheap, strategy="cost")["power"] == 1024
    equally_fast = {256: [10] * 5, 512: [10] * 5}
    assert output(equally_fast, strategy="speed")["power"] == 256


def test_raw_durations() -> None:
    """Every duration is put out, unless there are too many for the output."""
    result = output({128: [3, 1, 2, 5, 4]})
    assert result["details"][0]["durations"] == [3, 1, 2, 5, 4]
    assert result["details"][0]["coldAt"] == []
    many = output({128: [1.0] * 3000, 256: [1.0] * 3000})
    assert "durations" not in many["details"][0]


def test_the_cheapest_size_that_keeps_a_limit_is_the_best() -> None:
    """What is proven comes before what only seems so, and the fastest is named if nothing does."""
    many = {128: [400.0] * 60, 256: [190.0] * 60, 512: [110.0] * 10, 1024: [60.0] * 60}
    limited = {"strategy": "limit", "limitOn": "p95"}
    found = output(many, **limited, maxDurationMs=200)
    assert (found["power"], found["limit"]["verdict"]) == (256, "proven")
    assert (found["limit"]["invocations"], found["limit"]["above"]) == (60, 0)
    found = output({128: [400.0] * 60, 512: [90.0] * 10}, **limited, maxDurationMs=200)
    assert (found["power"], found["limit"]["verdict"]) == (512, "not proven")
    assert found["limit"]["missing"] == 49
    found = output(many, **limited, maxDurationMs=20)
    assert (found["power"], found["limit"]["verdict"]) == (1024, "none")
    assert found["limit"]["valueMs"] == 60
    found = output(many, strategy="limit", limitOn="mean", maxDurationMs=200)
    assert (found["power"], found["limit"]["verdict"]) == (256, "proven")
    assert found["limit"]["atMostMs"] <= 200
