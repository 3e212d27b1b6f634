"""`--prior`: which former run a tuning begins with, and why not with another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lambda_dyno.aws.accounts import Account
from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.compare.former import with_prior
from lambda_dyno.core.errors import UserError
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.runs import result_store, run_folder
from tests.support.report_samples import detail, tuning

SHA, OTHER = "A" * 43 + "=", "B" * 43 + "="
ADAPTIVE = {"measuring": "adaptive"}
PRIOR = {
    "codeSha256": SHA,
    "architecture": "x86_64",
    "payload": "0" * 64,
    "sizes": [{"power": 128, "durationMs": 100.5, "passes": 4, "variance": 0.01}],
}
FUNCTION = Function("arn", "shop", "eu-west-1", 128, "x86_64", "python3.12", code_sha256=SHA)

Former = Callable[..., str]


@pytest.fixture
def former(tmp_path: Path) -> Former:
    """Keep a run that measured; return its id."""

    def keep(prior: Any, *, endpoint: str = "") -> str:
        folder = run_folder.create(tmp_path, "dev", "dyno", timedelta(hours=1), endpoint=endpoint)
        found = tuning(detail(128, 100.0), power=128, current=128, raw={"prior": prior})
        begun = result_store.begun(folder.read_lease())
        result_store.write(folder, replace(begun, tuning=found))
        return folder.run_id

    return keep


def asked(wanted: str, runs: Path, raw: Any = ADAPTIVE, endpoint: str = "") -> dict[str, Any]:
    account = cast(Account, SimpleNamespace(endpoint=endpoint))
    return with_prior(raw, wanted, runs, FUNCTION, account, TerminalUi())


def test_a_run_or_the_newest_of_the_same_code_is_taken(former: Former, tmp_path: Path) -> None:
    first = former(PRIOR)
    former(PRIOR | {"codeSha256": OTHER})
    former(None)
    former(PRIOR, endpoint="http://127.0.0.1:4566")
    for wanted in (first, "newest"):
        made = asked(wanted, tmp_path)
        assert made["prior"] == {**PRIOR, "run": first}
    assert asked("", tmp_path) == ADAPTIVE


@pytest.mark.parametrize(
    ("prior", "endpoint", "why"),
    [
        (None, "", "nothing that a tuning could begin with"),
        (PRIOR | {"architecture": "arm64"}, "", "arm64"),
        (PRIOR | {"sizes": 1}, "", "sizes"),
        (PRIOR, "http://127.0.0.1:4566", "embedded AWS"),
    ],
)
def test_a_run_that_says_nothing_of_it_is_refused(
    former: Former, tmp_path: Path, prior: Any, endpoint: str, why: str
) -> None:
    """If it is named; else it is only not the newest one."""
    run_id = former(prior, endpoint=endpoint)
    with pytest.raises(UserError, match=why):
        asked(run_id, tmp_path)
    assert asked("newest", tmp_path) == ADAPTIVE
    with pytest.raises(UserError, match=r"prior: RUN=.*: no such run"):
        asked("../../etc", tmp_path)


def test_fixed_measuring_has_no_use_for_it(former: Former, tmp_path: Path) -> None:
    assert asked(former(PRIOR), tmp_path, raw={"num": 5}) == {"num": 5}


def test_results_of_main_are_taken_from_a_folder(former: Former, tmp_path: Path) -> None:
    """The newest that measured this code; what is no result, or of the embedded AWS, is passed."""
    first = former(PRIOR)
    pulled = tmp_path / "main" / "results"
    pulled.mkdir(parents=True)
    content = (tmp_path / first / "result.json").read_text()
    for name, text in (
        ("261201-1000-aaaa_run_00000001", content),
        ("261202-1000-aaaa_run_00000002", content.replace(SHA, OTHER)),
        ("261203-1000-aaaa_run_00000003", "{"),
        (
            "261204-1000-aaaa_run_00000004",
            content.replace('"endpoint": ""', '"endpoint": "http://127.0.0.1:1"'),
        ),
    ):
        (pulled / f"{name}.json").write_text(text)
    assert asked(str(pulled.parent), tmp_path)["prior"] == {**PRIOR, "run": first}
    (pulled / "261201-1000-aaaa_run_00000001.json").unlink()
    assert asked(str(pulled.parent), tmp_path) == ADAPTIVE
