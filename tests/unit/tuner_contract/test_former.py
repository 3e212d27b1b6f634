"""What a former tuning measured, read as a stranger's."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from lambda_dyno.tuner_contract.former import Former
from lambda_dyno.tuner_contract.values import WrongValueError

SHA, OTHER = "A" * 43 + "=", "B" * 43 + "="
RAW: dict[str, Any] = {
    "run": "261130-1200-bbbb",
    "codeSha256": SHA,
    "architecture": "arm64",
    "payload": "0" * 64,
    "sizes": [{"power": 128, "durationMs": 100.5, "passes": 4, "variance": 0.01}],
}


def test_it_is_read_as_it_was_written() -> None:
    assert Former.parse(json.loads(json.dumps(RAW))).to_json() == RAW
    assert Former.parse({key: value for key, value in RAW.items() if key != "run"}).run == ""


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda raw: raw.update(run="../../etc"), "run"),
        (lambda raw: raw.update(codeSha256="x"), "codeSha256"),
        (lambda raw: raw.update(architecture="mips"), "architecture"),
        (lambda raw: raw.update(payload=None), "payload"),
        (lambda raw: raw.update(sizes=[]), "sizes"),
        (lambda raw: raw.update(sizes=raw["sizes"] * 2), "once"),
        (lambda raw: raw.update(sizes=[raw["sizes"][0]] * 47), "1 to 46"),
        (lambda raw: raw["sizes"][0].update(power=64), "power"),
        (lambda raw: raw["sizes"][0].update(durationMs=0), "durationMs"),
        (lambda raw: raw["sizes"][0].update(durationMs=float("nan")), "durationMs"),
        (lambda raw: raw["sizes"][0].update(durationMs=True), "durationMs"),
        (lambda raw: raw["sizes"][0].update(passes=0), "passes"),
        (lambda raw: raw["sizes"][0].update(variance=-1), "variance"),
        (lambda raw: raw["sizes"][0].update(variance=float("inf")), "variance"),
    ],
)
def test_what_is_none_is_refused(change: Callable[[Any], None], named: str) -> None:
    raw = copy.deepcopy(RAW)
    change(raw)
    with pytest.raises(WrongValueError, match=named):
        Former.parse(raw)
    with pytest.raises(WrongValueError):
        Former.parse([raw])


@pytest.mark.parametrize(
    ("code", "architecture", "payload", "why"),
    [
        (SHA, "arm64", "0" * 64, ""),
        (OTHER, "arm64", "0" * 64, "other code"),
        (SHA, "x86_64", "0" * 64, "arm64"),
        (SHA, "arm64", "1" * 64, "another payload"),
        (SHA, "arm64", "", "disablePayloadLogs"),
    ],
)
def test_it_says_nothing_of_anything_else(
    code: str, architecture: str, payload: str, why: str
) -> None:
    said = Former.parse(RAW).why_not(code, architecture, payload)
    assert why in said
    assert bool(said) is bool(why)
