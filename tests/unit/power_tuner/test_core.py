"""The tuner's arithmetic, with numbers worked by hand."""

from __future__ import annotations

import base64
import itertools
import json
import math
import random
import struct

import pytest

from lambda_dyno.tuner_contract import prices
from lambda_dyno.tuner_contract.keys import Strategy
from lambda_dyno.tuner_contract.marks import (
    Lock,
    execution_name,
    is_measured,
    measured_mark,
    tuned,
    tuned_mark,
)
from lambda_dyno.tuner_contract.prices import lookup
from lambda_dyno.tuner_contract.values import room_bytes, size_bytes
from power_tuner import visualization
from power_tuner.analyze import analyze
from power_tuner.request import parse
from power_tuner.samples import Sample, decode, encode, rounded
from power_tuner.state import PowerState, TuningState, from_ranges, to_ranges
from power_tuner.stats import percentile, summarise, trimmed_mean
from power_tuner.strategies import Candidate, best

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:dyno-tuner:run-1"


# --- statistics ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "trim", "expected"),
    [
        # int(10 × 0.2) = 2 off each end: 3..8
        ([10, 1, 9, 2, 8, 3, 7, 4, 6, 5], 0.2, 5.5),
        # int(5 × 0.2) = 1: the outlier goes, and so does the lowest
        ([1, 2, 3, 4, 1000], 0.2, 3.0),
        ([1, 2, 3, 4, 1000], 0.0, 202.0),
        # int(4 × 0.2) = 0: too few to discard
        ([1, 2, 3, 1000], 0.2, 251.5),
        ([1, 2, 3, 4, 5], 0.4, 3.0),
        ([7], 0.4, 7.0),
    ],
)
def test_trimmed_mean(values: list[float], trim: float, expected: float) -> None:
    """The trimmed mean leaves int(n × share) values off each end."""
    assert trimmed_mean(values, trim) == pytest.approx(expected)


def test_percentiles_interpolate() -> None:
    """Percentiles are interpolated between the two nearest values."""
    assert percentile([10, 20, 30, 40, 50], 50) == 30
    # position 4 × 0.95 = 3.8: 40 + 0.8 × 10
    assert percentile([10, 20, 30, 40, 50], 95) == pytest.approx(48)
    assert percentile([5], 99) == 5


def test_summary_by_hand() -> None:
    """Mean, deviation and interval are those of the textbook."""
    summary = summarise([[2, 4, 4, 4, 5, 5, 7, 9]], 0.2)
    assert summary.mean == 5
    # squares of the differences add up to 32; 32 / 7 = 4.571; its root is 2.138
    assert summary.std_dev == pytest.approx(2.13809, abs=1e-5)
    # t for 7 degrees of freedom is 2.365: 2.365 × 2.138 / √8 = 1.788
    assert summary.ci95 == pytest.approx((5 - 1.78777, 5 + 1.78777), abs=1e-4)
    assert (summary.min, summary.max, summary.p50) == (2, 9, 4.5)


def test_interval_of_many_samples_is_normal() -> None:
    """Far from a few samples the interval's factor comes close to 1.96."""
    values = [0.0, 1.0] * 500
    summary = summarise([values], 0)
    half = summary.ci95[1] - summary.mean
    assert half == pytest.approx(1.9623 * summary.std_dev / 1000**0.5, rel=1e-4)


def test_one_sample_has_no_spread() -> None:
    """A single sample has no deviation, and an interval of itself."""
    summary = summarise([[3.5]], 0.2)
    assert summary.std_dev == 0
    assert summary.ci95 == (3.5, 3.5)


# --- strategies ---------------------------------------------------------------------------


def test_strategies_and_their_ties() -> None:
    """Cost prefers the faster of equally cheap ones, speed the cheaper of equally fast ones."""
    slow = Candidate(128, cost=1.0, duration=30)
    fast = Candidate(256, cost=1.0, duration=20)
    dear = Candidate(512, cost=2.0, duration=10)
    dearer = Candidate(1024, cost=3.0, duration=10)
    all_of_them = [slow, fast, dearer, dear]
    assert best(all_of_them, "cost", 0.5) is fast
    assert best(all_of_them, "speed", 0.5) is dear


@pytest.mark.parametrize("strategy", ["cost", "balanced"])
@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
@pytest.mark.parametrize("region", ["us-east-1", "ap-east-1", "cn-north-1"])
def test_equal_cost_is_equal(region: str, arch: str, strategy: Strategy) -> None:
    """However the GB-second price divides: twice the memory for half the time costs the same."""
    priced = lookup(region, arch)
    sizes = (128, 192, 320, 512, 768, 1769, 3008)
    wrong = []
    for slow, fast in itertools.combinations(sizes, 2):
        shared = math.gcd(slow, fast)
        for factor in (1, 3, 7, 10, 50, 123):
            candidates = [
                Candidate(power, priced.invocation(power, ms), ms)
                for power, ms in (
                    (slow, fast // shared * factor),
                    (fast, slow // shared * factor),
                )
            ]
            if best(candidates, strategy, 1.0).power != fast:
                wrong.append((slow, fast, factor))
    assert wrong == []


def test_ties_do_not_depend_on_the_order() -> None:
    """Balanced, a tie is as for what weighs; sizes that are the same in all: the smallest."""
    slow, fast = Candidate(128, 1, 30), Candidate(256, 1, 20)
    dear, dearer = Candidate(512, 2, 10), Candidate(1024, 3, 10)
    for order in itertools.permutations([slow, fast, dear, dearer]):
        assert best(order, "balanced", 1.0) is fast
        assert best(order, "balanced", 0.0) is dear
    # 0.1 × 5/10 + 0.9 × 1 is 0.1 × 1 + 0.9 × 17/18, in tenths as they were written
    equal = [Candidate(128, 5, 18), Candidate(256, 10, 17)]
    assert best(equal, "balanced", 0.1).power == best(equal[::-1], "balanced", 0.1).power == 128
    same = [Candidate(256, 1, 1), Candidate(128, 1, 1)]
    assert {best(same, strategy, 0.5).power for strategy in ("cost", "speed", "balanced")} == {128}


@pytest.mark.parametrize(("weight", "power"), [(1.0, 128), (0.0, 1024), (0.5, 512)])
def test_balanced(weight: float, power: int) -> None:
    """Balanced weighs shares of the greatest cost and of the greatest duration."""
    candidates = [
        Candidate(128, cost=1.0, duration=100),  # at 0.5: 0.125 + 0.5 = 0.625
        Candidate(512, cost=2.0, duration=40),  # 0.25 + 0.2 = 0.45
        Candidate(1024, cost=4.0, duration=30),  # 0.5 + 0.15 = 0.65
    ]
    assert best(candidates, "balanced", weight).power == power


def test_balanced_with_zeros() -> None:
    """A function that costs and takes nothing is no division by zero."""
    assert best([Candidate(128, 0.0, 0.0)], "balanced", 0.5).power == 128


# --- prices -------------------------------------------------------------------------------


def test_published_prices() -> None:
    """1 ms of 128 MB is an eighth of a GB for a thousandth of a second."""
    virginia = lookup("us-east-1", "x86_64")
    assert virginia.per_ms(128) == pytest.approx(0.0000166667 / 8 / 1000)
    assert virginia.invocation(1024, 100.2) == pytest.approx(101 * 0.0000166667 / 1000)
    assert lookup("us-east-1", "arm64").gb_second == pytest.approx(0.0000133334)


def test_regions_differ() -> None:
    """Regions have prices of their own, unknown ones the default."""
    assert lookup("af-south-1", "x86_64").gb_second == pytest.approx(0.0000221)
    assert lookup("xx-new-1", "x86_64").gb_second == pytest.approx(0.0000166667)
    assert lookup("sa-east-1", "x86_64").state_transition == pytest.approx(0.0000375)


@pytest.mark.parametrize("region", ["cn-north-1", "cn-northwest-1"])
def test_china_pays_in_yuan(region: str) -> None:
    """Prices of China are in CNY."""
    assert lookup(region, "x86_64").currency == "CNY"
    assert lookup(region, "x86_64").gb_second == pytest.approx(0.000113477)
    assert lookup("eu-west-1", "x86_64").currency == "USD"


def test_price_file_is_whole() -> None:
    """Every region's prices are there for both architectures, with sources, and make sense."""
    table = prices.table()
    x86, arm = table["gb_second"]["x86_64"], table["gb_second"]["arm64"]
    assert x86.keys() == arm.keys()
    # Arm costs four fifths everywhere, up to rounding
    assert all(arm[region] / x86[region] == pytest.approx(0.8, rel=0.005) for region in x86)
    named = set(x86) - {"default"}
    assert not named & set(table["default_in"])
    for kind in ("request", "state_transition", "currency"):
        # but GovCloud, of which only Step Functions' price was to be had
        others = {region for region in table[kind] if not region.startswith("us-gov-")}
        assert others <= named | set(table["default_in"]) | {"default"}
    assert prices.checked_on() == min(source["as_of"] for source in table["sources"])
    assert all(source["source"] and source["as_of"] for source in table["sources"])
    for kind in ("request", "state_transition", "currency"):
        assert "default" in table[kind]


def test_assumed_prices_are_told() -> None:
    """A price that is no published one says on what it rests."""
    assert "four fifths" in lookup("cn-north-1", "arm64").assumed
    assert lookup("eu-west-1", "arm64").assumed == ""
    assert lookup("af-south-1", "x86_64").assumed == ""


@pytest.mark.parametrize(
    "region", ["mx-central-1", "ap-southeast-7", "ap-east-2", "eusc-de-east-1", "us-gov-west-1"]
)
def test_a_region_beyond_the_price_list_is_told(region: str) -> None:
    """Its price is the usual one, and a wrong figure for it is not put out without a word."""
    assert f"the price list has no {region}" in lookup(region, "arm64").assumed


# --- visualization ------------------------------------------------------------------------


def test_visualization_url() -> None:
    """The hash has powers as int16, durations and costs as float32, sorted by power."""
    candidates = [Candidate(256, 0.5, 20.0), Candidate(128, 0.25, 40.0)]
    url = visualization.url("https://example.com/", candidates, "eu-west-1")
    base, _, data = url.partition("#")
    powers, durations, costs = (base64.b64decode(part) for part in data.split(";"))
    assert base == "https://example.com/"
    assert struct.unpack("<2h", powers) == (128, 256)
    assert struct.unpack("<2f", durations) == (40.0, 20.0)
    assert struct.unpack("<2f", costs) == (0.25, 0.5)


def test_visualization_in_china() -> None:
    """In China the page is told that prices are in CNY, before the hash."""
    url = visualization.url("https://example.com/", [Candidate(128, 1, 1)], "cn-north-1")
    assert url.startswith("https://example.com/?currency=CNY#")


# --- samples and state --------------------------------------------------------------------


def test_samples_survive() -> None:
    """What is encoded comes back, sorted by duration."""
    numbers = random.Random(1)
    samples = [
        Sample.of(
            numbers.uniform(0.5, 900_000), numbers.randint(1, 900_000), cold=numbers.random() < 0.1
        )
        for _ in range(500)
    ]
    assert decode(encode(samples)) == sorted(samples)
    assert decode(encode([])) == []
    assert decode("") == []


def test_rounding_keeps_digits() -> None:
    """Rounded samples keep so many significant digits."""
    assert rounded([Sample(123_456, 124)], 2) == [Sample(120_000, 120)]
    assert rounded([Sample(0, 0)], 3) == [Sample(0, 0)]


def _state(powers: int, num: int) -> TuningState:
    numbers = random.Random(2)
    measured = []
    for index in range(powers):
        power = PowerState(128 + 64 * index, versions=[str(index + 1)], attempts=num)
        power.samples = [Sample.of(numbers.lognormvariate(4, 1), 60) for _ in range(num)]
        measured.append(power)
    return TuningState(512, "arm64", 30, None, measured)


def test_46_values_with_1000_invocations_fit_exactly() -> None:
    """The largest ordinary tuning passes between states without losing a digit."""
    state = _state(46, 1000)
    raw = state.to_json(input_bytes=1000)
    assert len(json.dumps(raw)) < 262_144
    back = TuningState.from_json(raw)
    assert back.powers[45].samples == sorted(state.powers[45].samples)


def test_more_than_that_loses_digits_and_fits() -> None:
    """Far more samples are rounded until they fit beside the input."""
    state = _state(46, 1500)
    raw = state.to_json(input_bytes=190_000)
    assert size_bytes(raw) + 190_000 < 262_144
    back = TuningState.from_json(raw).powers[0].samples
    assert len(back) == 1500
    exact = sorted(state.powers[0].samples)[750].duration_ms
    assert back[750].duration_ms == pytest.approx(exact, rel=0.02)
    (warning,) = TuningState.from_json(raw).to_json(190_000)["warnings"]
    assert "rounded" in warning


@pytest.mark.parametrize("powers", [2, 46])
def test_worst_case_fits(powers: int) -> None:
    """Beside the largest input that is accepted there is room for the longest state and output."""
    state = _state(powers, 1500)
    for index, power in enumerate(state.powers):
        power.errors = {"E" * 100: 1}
        power.failure = "値" * 600
        power.excluded = power.failure if index else ""
    largest = room_bytes(powers)
    assert largest > 200_000
    assert size_bytes(state.to_json(largest)) + largest < 262_144
    request = parse(
        {
            "lambdaARN": "arn:aws:lambda:eu-west-1:123456789012:function:shop",
            "num": 1500,
            "powerValues": [power.power for power in state.powers],
            "includeOutputResults": True,
        },
        (),
    )
    state.output = analyze(request, state, "https://lambda-power-tuning.show/")
    assert size_bytes(state.to_json(largest)) + largest < 262_144


def test_output_keeps_what_fits() -> None:
    """Durations are left out of the output only where there is no room for them."""
    output = {"details": [{"durations": [1.5] * 5000, "excluded": ""}], "warnings": []}
    state = _state(1, 5)
    state.output = output
    assert state.to_json(1_000)["output"] == output
    assert state.to_json(240_000)["output"]["details"] == [{"excluded": ""}]
    assert state.output == output


def test_size_counts_bytes() -> None:
    """Step Functions counts the bytes of UTF-8, and half a surrogate pair is no error."""
    assert size_bytes({"a": "é"}) == len('{"a": "é"}'.encode())
    assert size_bytes("\ud800") == 5


def test_ranges() -> None:
    """Numbers still to do are stored as ranges."""
    assert to_ranges([0, 1, 2, 5, 7, 8]) == [[0, 2], [5, 5], [7, 8]]
    assert from_ranges([[0, 2], [5, 5]]) == [0, 1, 2, 5]
    assert to_ranges([]) == []


# --- marks --------------------------------------------------------------------------------


def test_lock_survives_its_description() -> None:
    """A lock says whose it is, what to go back to, and whether its execution is over."""
    lock = Lock(EXECUTION)
    assert Lock.parse(lock.text) == lock
    ended = lock.with_memory(1024).at_end()
    assert Lock.parse(ended.text) == ended
    assert Lock.parse("somebody's own alias") is None


def test_longest_lock_fits() -> None:
    """The longest names that AWS allows fit into a description."""
    execution = f"arn:aws-us-gov:states:us-gov-west-1:123456789012:execution:{'m' * 80}:{'e' * 80}"
    assert len(Lock(execution, 10_240, ended=True).text) <= 256
    assert len(tuned_mark(execution, 10_240, "a" * 128, "12345")) <= 256
    assert is_measured(measured_mark(execution, 128, 0), execution)
    assert execution_name(execution) != execution_name(execution.replace(":ee", ":ef"))


def test_marks_tell_executions_apart() -> None:
    """A version is known as one execution's, and measured ones from the one that is kept."""
    other = EXECUTION.replace("run-1", "run-10")
    mark = measured_mark(EXECUTION, 256, 0)
    assert is_measured(mark, EXECUTION)
    assert not is_measured(mark, other)
    assert not is_measured("v25 of the shop", EXECUTION)
    kept = tuned_mark(EXECUTION, 256, "live", "7")
    assert not is_measured(kept, EXECUTION)
    made = tuned(kept, EXECUTION)
    assert made is not None
    assert (made.alias, made.previous_version) == ("live", "7")
    first = tuned(tuned_mark(EXECUTION, 256, "live", ""), EXECUTION)
    assert first is not None
    assert first.previous_version == ""
    assert tuned(kept, other) is None
    assert tuned(mark, EXECUTION) is None
