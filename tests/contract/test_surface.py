"""What users build upon is still there, as the former release had it; more may have come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import surface

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.contract

OPTIONS = ("--env", "--keep", "--run-dir", "--baseline")
FIXTURES = (
    "dyno_environment",
    "smoke_result",
    "tuning_result",
    "load_result",
    "slo",
    "dyno_baseline",
    "regression_result",
)
MARKERS = ("gate", "slo(**limits)", "tuning(**settings)", "load(**settings)")


def lost(former: Any, now: Any, path: str = "") -> Iterator[str]:
    """Yield what was there and is gone or another one now."""
    if isinstance(former, dict) and isinstance(now, dict):
        for key, value in former.items():
            if key not in now:
                yield f"{path}/{key} is gone"
            else:
                yield from lost(value, now[key], f"{path}/{key}")
    elif isinstance(former, list) and isinstance(now, list) and not path.endswith("/default"):
        for value in former:
            if value not in now:
                yield f"{path}: {value} is gone"
    elif former != now:
        yield f"{path} was {former!r} and is {now!r}"


def test_what_users_build_upon_is_still_there() -> None:
    """Commands, flags, defaults, settings, exit statuses, `--json`, result.json, make targets."""
    former = json.loads(surface.RECORDED.read_text(encoding="utf-8"))
    now = json.loads(json.dumps(surface.present()))
    assert list(lost(former, now)) == []


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"run": {}}, ["/run/--num is gone"]),
        ({"run": {"--num": {"default": [2], "words": ["a", "b", "c"]}}}, []),
        (
            {"run": {"--num": {"default": [2, 3], "words": ["a"]}}},
            ["/run/--num/default was [2] and is [2, 3]", "/run/--num/words: b is gone"],
        ),
    ],
)
def test_a_loss_is_found(now: Any, said: list[str]) -> None:
    """Another default is one, and more words are none."""
    former = {"run": {"--num": {"default": [2], "words": ["a", "b"]}}}
    assert list(lost(former, now)) == said


def test_the_plugins_options_fixtures_and_markers_are_still_there(
    pytester: pytest.Pytester,
) -> None:
    """By both spellings of each option."""
    said = "\n".join(
        pytester.runpytest_inprocess(option).stdout.str()
        for option in ("--help", "--fixtures", "--markers")
    )
    wanted = [*OPTIONS, *(option.replace("--", "--dyno-", 1) for option in OPTIONS)]
    wanted += [f"\n{name}" for name in FIXTURES] + [f"@pytest.mark.{name}:" for name in MARKERS]
    assert [name for name in wanted if name not in said] == []
