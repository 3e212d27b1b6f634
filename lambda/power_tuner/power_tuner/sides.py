"""Architectures side by side: a copy for each, and one recommendation for size and architecture.

A side is a tuning of its own, with its sizes, its samples and its decision; the one of the
function's own architecture leads. What cannot be measured on the other one is left out, and why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

from lambda_dyno.tuner_contract.keys import TuningInput
from lambda_dyno.tuner_contract.machine_code import UnreadablePackageError, why_not_on
from lambda_dyno.tuner_policy.posterior import Measured
from power_tuner.state import PowerState, TuningState

Description = Mapping[str, Any]  # what GetFunction answers

# As between sizes: another one must be better by so much, with so much probability
# (tuner_policy.decide). Of the noise of one invocation something is known before (posterior).
_BETTER_BY = 0.02
_SHOWN = 0.95
_NOISE_SD, _NOISE_SAMPLES = 0.12, 2
# What the execution environments of one size have of their own, beside the noise (posterior).
_OWN_SD = 0.03
_Z95 = 1.959964
_RANKS = {"proven": 0, "not proven": 1, "none": 2}  # of a limit's verdicts


def why_left_out(
    original: Description, package: bytes, layer: Callable[[str], bytes], architecture: str
) -> str:
    """Return why a function's own package cannot be measured on another architecture; or nothing.

    Args:
        original: The function.
        package: Its package; empty for another one that was given.
        layer: Returns a layer's package by its ARN, or raises an OSError.
        architecture: The other one.
    """
    config = original["Configuration"]
    if config.get("PackageType") == "Image":
        return "it is a container image of one architecture"
    flag = f"--package-{architecture.replace('_', '-')}"
    try:
        words = why_not_on(package, architecture) if package else ""
        if words:
            return f"its package {words}: give the one for {architecture} with {flag} FILE"
        for one in config.get("Layers") or ():
            words = why_not_on(layer(one["Arn"]), architecture)
            if words:
                return f"its layer {one['Arn']} {words}"
    except UnreadablePackageError as error:
        return f"nobody can tell whether there is machine code in it: {error}"
    except OSError as error:
        return f"its layers could not be looked into: {error}"
    return ""


def on(original: Description, architecture: str, code_sha256: str) -> Description:
    """Return a function as it is on another architecture, with the package that it has there."""
    config = original["Configuration"]
    other = {**config, "Architectures": [architecture], "CodeSha256": code_sha256}
    return {**original, "Configuration": other}


def joint(
    request: TuningInput,
    sides: Sequence[tuple[TuningState, dict[str, Any]]],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    """Return what is best of all architectures and sizes, as JSON for the output.

    Args:
        request: The checked input.
        sides: State and output of each; the function's own architecture first.
        left_out: Why, by architecture.
    """
    own, *others = sides
    best, probability, kept_over = own, None, ""
    for other in others:
        chance = _chance_of_better(request, own, other)
        if _passes(own[1]) > _passes(other[1]):
            continue
        if chance >= _SHOWN or _passes(own[1]) < _passes(other[1]):
            best, probability = other, chance
        elif _gain(request, own[1], other[1]) > 0:
            kept_over = other[0].architecture
    return {
        "recommended": _row(*best),
        "probability": None if probability is None else round(probability, 3),
        "keptOver": kept_over or None,
        "measured": [
            _row(*side) | _more(side[1]) | (_ratios(own, side) if side is not own else {})
            for side in sides
        ],
        "leftOut": dict(left_out),
        "sentence": _sentence(own, best, kept_over, left_out),
    }


def _row(state: TuningState, output: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "architecture": state.architecture,
        "power": output["power"],
        "cost": output["cost"],
        "duration": output["duration"],
    }


def _ratios(
    own: tuple[TuningState, dict[str, Any]], other: tuple[TuningState, dict[str, Any]]
) -> dict[str, list[float]]:
    """Return how the other one's best size differs from the own one's: low, middle, high of 95 %.

    Prices are known, so the interval of a cost is as wide as that of its duration.
    """
    variance = sum(_variance(state, output["power"]) for state, output in (own, other))
    apart = _Z95 * math.sqrt(variance)
    return {
        f"{key}Ratio": [
            float(f"{math.exp(_log_ratio(other[1][key], own[1][key]) + off):.4g}")
            for off in (-apart, 0.0, apart)
        ]
        for key in ("duration", "cost")
    }


def _more(output: Mapping[str, Any]) -> dict[str, Any]:
    shown = ("adaptive", "limit", "prices", "timedOut")
    # the lists are long, and those of the function's own architecture are in the output anyway
    lists = ("coldAt", "durations", "requestAt", "requests")
    details = [{k: v for k, v in row.items() if k not in lists} for row in output["details"]]
    return {key: output[key] for key in shown if key in output} | {"details": details}


def _passes(output: Mapping[str, Any]) -> int:
    """Return how well a limit is kept; the same where there is none."""
    return -_RANKS[output["limit"]["verdict"]] if "limit" in output else 0


def _gain(request: TuningInput, own: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Return by how much the other one is better: ln of the ratio of what counts."""
    cost = _log_ratio(own["cost"], other["cost"])
    duration = _log_ratio(own["duration"], other["duration"])
    return _weight(request) * cost + (1 - _weight(request)) * duration


def _weight(request: TuningInput) -> float:
    """Return how much cost counts beside duration."""
    if request.strategy == "balanced":
        return request.balanced_weight
    return 0.0 if request.strategy == "speed" else 1.0


def _log_ratio(first: float, second: float) -> float:
    return math.log(first / second) if first > 0 and second > 0 else 0.0


def _chance_of_better(
    request: TuningInput,
    own: tuple[TuningState, dict[str, Any]],
    other: tuple[TuningState, dict[str, Any]],
) -> float:
    """Return how likely it is that the other one is better by more than what counts as nothing.

    Prices are known, so what is uncertain of a cost is its duration, at either size.
    """
    variance = sum(_variance(state, output["power"]) for state, output in (own, other))
    gain = _gain(request, own[1], other[1])
    return NormalDist(0, math.sqrt(variance)).cdf(gain - _BETTER_BY)


def _variance(state: TuningState, memory_mb: int) -> float:
    """Return the variance of ln(mean duration) at a size."""
    power = next(power for power in state.powers if power.power == memory_mb)
    requests = _warm(power)
    measured = Measured.of_requests(memory_mb, list(requests.values()))
    known = measured.passes - 1
    noise = (_NOISE_SAMPLES * _NOISE_SD**2 + known * measured.variance) / (_NOISE_SAMPLES + known)
    return noise / measured.passes + _OWN_SD**2


def _warm(power: PowerState) -> dict[int, list[float]]:
    samples = [sample for sample in power.samples if not sample.cold] or power.samples
    requests: dict[int, list[float]] = {}
    for sample in samples:
        requests.setdefault(sample.request, []).append(sample.duration_ms)
    return requests


def _sentence(
    own: tuple[TuningState, dict[str, Any]],
    best: tuple[TuningState, dict[str, Any]],
    kept_over: str,
    left_out: Mapping[str, str],
) -> str:
    now, size = own[0].architecture, own[1]["power"]
    out = "".join(f" {name} was left out: {why}." for name, why in sorted(left_out.items()))
    if best is not own:
        cost = 1 - best[1]["cost"] / own[1]["cost"] if own[1]["cost"] else 0.0
        time = best[1]["duration"] / own[1]["duration"] - 1 if own[1]["duration"] else 0.0
        return (
            f"{best[0].architecture} with {best[1]['power']} MB: {_percent(cost, 'less', 'more')} "
            f"expensive and {_percent(time, 'slower', 'faster')} than {now} with {size} MB.{out}"
        )
    if kept_over:
        return (
            f"Keep {now}, with {size} MB: that {kept_over} would be better by more than "
            f"{100 * _BETTER_BY:.0f} % was not shown.{out}"
        )
    return f"Keep {now}, with {size} MB.{out}"


def _percent(share: float, positive: str, negative: str) -> str:
    return f"{100 * abs(share):.0f} % {positive if share >= 0 else negative}"
