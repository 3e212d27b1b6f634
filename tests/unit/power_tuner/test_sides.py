"""Architectures side by side: what is left out, and what is recommended of both."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from lambda_dyno.tune import output
from power_tuner.analyze import analyze
from power_tuner.request import parse
from power_tuner.samples import Sample
from power_tuner.sides import joint, why_left_out
from power_tuner.state import PowerState, TuningState
from tests.unit.power_tuner.test_copying import VERSION
from tests.unit.tuner_contract.test_machine_code import ARM, X86, zipped

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:shop"
PLAIN, NATIVE = zipped({"app.py": b"pass"}), zipped({"lib/fast.so": X86})
LAYERED = {"Configuration": {**VERSION, "Architectures": ["x86_64"]}}
LONE = {"Configuration": {**VERSION, "Architectures": ["x86_64"], "Layers": []}}


def tuned(
    architecture: str, durations_ms: dict[int, float], chance: random.Random, passes: int = 3
) -> TuningState:
    """Return what was measured on one architecture, with a noise of 5 %."""
    powers = []
    for memory_mb, mean_ms in durations_ms.items():
        drawn = [mean_ms * chance.lognormvariate(0, 0.05) for _ in range(passes)]
        samples = [Sample.of(ms, int(ms) + 1) for ms in drawn]
        powers.append(PowerState(memory_mb, samples=samples, attempts=passes))
    return TuningState(512, architecture, 3, None, powers)


def choice(own: TuningState, other: TuningState, **keys: Any) -> dict[str, Any]:
    """Return the joint recommendation."""
    raw = {"lambdaARN": ARN, "num": 5, "architectures": ["arm64", "x86_64"], **keys}
    request = parse(raw, (512,))
    sides = [(state, analyze(request, state, "https://example.com/")) for state in (own, other)]
    return joint(request, sides, {})


@pytest.mark.parametrize(
    ("original", "package", "layers", "words"),
    [
        (LONE, PLAIN, PLAIN, ""),
        (LONE, NATIVE, PLAIN, "give the one for arm64 with --package-arm64 FILE"),
        (LONE, b"", PLAIN, ""),  # another package was given
        (
            LAYERED,
            PLAIN,
            NATIVE,
            "its layer arn:aws:lambda:eu-west-1:123456789012:layer:libs:7 has",
        ),
        (LAYERED, b"", NATIVE, "its layer"),
        (LAYERED, PLAIN, zipped({"a.so": X86, "b.so": ARM}), ""),
        (LAYERED, PLAIN, b"no zip", "nobody can tell"),
        (LAYERED, PLAIN, OSError("denied"), "layers could not be looked into: denied"),
        ({"Configuration": {**VERSION, "PackageType": "Image"}}, b"", PLAIN, "container image"),
    ],
)
def test_what_cannot_be_measured_on_the_other_one_is_left_out(
    original: dict[str, Any], package: bytes, layers: bytes | OSError, words: str
) -> None:
    """With the reason: machine code in package or layers, or that nobody can tell."""

    def layer(_arn: str) -> bytes:
        if isinstance(layers, OSError):
            raise layers
        return layers

    said = why_left_out(original, package, layer, "arm64")
    assert (said == "") == (words == "")
    assert words in said


def test_size_and_architecture_are_recommended_together() -> None:
    """The other one at its own best size, with its own price, where it is shown to be better."""
    chance = random.Random(3)
    own = tuned("x86_64", {256: 40.0, 512: 20.0}, chance)
    other = tuned("arm64", {256: 36.0, 1024: 9.0}, chance)
    found = choice(own, other)
    assert found["recommended"]["architecture"] == "arm64"
    assert found["recommended"]["power"] in (256, 1024)
    assert found["sentence"].startswith("arm64 with ")
    assert "less expensive" in found["sentence"]
    rows = {row["architecture"]: row for row in found["measured"]}
    assert rows["arm64"]["prices"]["gbSecond"] < rows["x86_64"]["prices"]["gbSecond"]
    assert "durations" not in rows["arm64"]["details"][0]
    assert json.dumps(found)


def test_what_cannot_be_told_apart_is_kept() -> None:
    """A fifth slower at a fifth less is the same: so is the architecture."""
    chance = random.Random(4)
    own, other = tuned("x86_64", {512: 200.0}, chance), tuned("arm64", {512: 245.0}, chance)
    found = choice(own, other)
    assert found["recommended"]["architecture"] == "x86_64"
    assert found["sentence"].startswith("Keep x86_64, with 512 MB")
    # who wants speed is not told of prices
    fast = choice(own, tuned("arm64", {512: 150.0}, chance), strategy="speed")
    assert fast["recommended"]["architecture"] == "arm64"
    assert "faster" in fast["sentence"]


@pytest.mark.parametrize("passes", [2, 3, 8])
def test_a_change_that_gains_nothing_is_seldom_recommended(passes: int) -> None:
    """Of 400 pairs that cost the same, within the noise of sizes, at most one in ten is changed."""
    chance, changed = random.Random(5), 0
    for _ in range(400):
        # what each has of its own: another host
        one, two = (chance.lognormvariate(0, 0.03) for _ in range(2))
        own = tuned("x86_64", {512: 100 * one}, chance, passes)
        other = tuned("arm64", {512: 125 * two}, chance, passes)
        changed += choice(own, other)["recommended"]["architecture"] == "arm64"
    assert changed / 400 <= 0.10


def test_a_gain_of_a_fifth_is_found() -> None:
    """As where the same CPU time costs a fifth less: in nine of ten pairs, of three passes each."""
    chance, changed = random.Random(6), 0
    for _ in range(200):
        own, other = tuned("x86_64", {512: 100.0}, chance), tuned("arm64", {512: 100.0}, chance)
        changed += choice(own, other)["recommended"]["architecture"] == "arm64"
    assert changed / 200 >= 0.9


def test_the_state_carries_all_sides() -> None:
    """Through JSON and back; what is put out has none of them any more."""
    chance = random.Random(7)
    state = tuned("x86_64", {512: 100.0}, chance)
    state.others = [tuned("arm64", {256: 90.0, 512: 50.0}, chance)]
    state.left_out = {"arm64": "no"}
    raw = json.loads(json.dumps(state.to_json(1000)))
    again = TuningState.from_json(raw)
    assert [side.architecture for side in again.sides] == ["x86_64", "arm64"]
    assert [p.power for p in again.others[0].powers] == [256, 512]
    assert (raw["measured"], again.left_out) == (9, {"arm64": "no"})


def test_the_record_of_a_run_has_each_architecture() -> None:
    """As the command reads the output: best sizes, which is recommended, and why one is missing."""
    chance = random.Random(8)
    own, other = tuned("x86_64", {512: 100.0}, chance), tuned("arm64", {512: 60.0}, chance)
    request = parse({"lambdaARN": ARN, "num": 5, "architectures": ["arm64", "x86_64"]}, (512,))
    sides = [(state, analyze(request, state, "https://example.com/")) for state in (own, other)]
    whole = {**sides[0][1], "architectures": joint(request, sides, {})}
    found = output.parse(whole)
    assert [(one.architecture, one.power, one.is_recommended) for one in found.architectures] == [
        ("x86_64", 512, False),
        ("arm64", 512, True),
    ]
    assert (found.architecture, found.power) == ("x86_64", 512)
    first, second = found.architectures
    assert (first.cost_ratio, first.duration_ratio) == (None, None)
    for ratio in (second.cost_ratio, second.duration_ratio):
        assert ratio is not None
        assert ratio.low < ratio.ratio < ratio.high < 1
    alone = {**sides[0][1], "architectures": joint(request, sides[:1], {"arm64": "machine code"})}
    left = output.parse(alone).architectures[1]
    assert (left.power, left.left_out, left.is_recommended) == (None, "machine code", False)
