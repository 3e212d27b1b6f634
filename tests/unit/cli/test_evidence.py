"""`dyno evidence`, as people and programs call it, and what a run's end does for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from lambda_dyno.core.config import Env, parse_settings
from lambda_dyno.evidence import sending
from lambda_dyno.history.schema import TABLES
from lambda_dyno.run import ending
from lambda_dyno.run.run import Run
from lambda_dyno.runs import result_store, run_folder
from tests.support import report_samples as samples
from tests.support import s3_server
from tests.support.bad_inputs import Ended, dyno
from tests.support.s3_server import S3Server
from tests.support.waiting import HANGS_S

URI = "s3://acme-evidence/shop"
SETTINGS = parse_settings({"evidence": {"store": URI}}, "test")


class QuietUi:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def step(self, name: str, text: str) -> Any:
        ui = self

        class Step:
            def __enter__(self) -> Any:
                self.text = text
                return self

            def __exit__(self, *_: object) -> None:
                ui.said.append(self.text)

            def update(self, text: str, *_: float | None) -> None:
                self.text = text

        return Step()

    def note(self, text: str, style: str = "") -> None:
        self.said.append(text)


class Ending:
    """A run that has measured, and is at its end."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.env = Env("dev", project, SETTINGS)
        self.ui = QuietUi()
        self.folder = run_folder.create(
            project / "runs", "dev", "dyno", timedelta(hours=1), settings=SETTINGS.model_dump()
        )
        self.folder.update_lease(state="down")
        self.result = replace(samples.run(env="dev"), run_id=self.folder.run_id)
        result_store.write(self.folder, self.result)

    def remember(self) -> list[str]:
        ending.remember(cast(Run, self))
        return self.ui.said


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """The AWS of this process."""
    with s3_server.running() as server:
        for name, value in environment(server).items():
            monkeypatch.setenv(name, value)
        for name in ("GITHUB_ACTIONS", "GITLAB_CI", "CODEBUILD_BUILD_ID", "DYNO_HISTORY"):
            monkeypatch.delenv(name, raising=False)
        yield server


def environment(server: S3Server) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",  # pragma: allowlist secret
    }


@pytest.fixture
def run(tmp_path: Path) -> Ending:
    """A run of dev, in a project."""
    (tmp_path / "envs" / "dev").mkdir(parents=True)
    (tmp_path / "envs" / "dev" / "dyno.toml").write_text(f'[evidence]\nstore = "{URI}"\n')
    return Ending(tmp_path)


def evidence(run: Ending, server: S3Server, *arguments: str) -> Ended:
    return dyno(run.project, "evidence", *arguments, **environment(server))


def test_a_run_adds_its_rows_and_files_at_its_end(
    s3: S3Server, run: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a pull request below its own keys."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_REF", "refs/pull/12/merge")
    said = run.remember()
    assert len(said) == 1 and said[0].endswith(f"added below dev/pr/12 of {URI}")
    keys = [key.removeprefix("acme-evidence/shop/dev/pr/12/") for key in s3.asked]
    rows = [key.split("/")[2] for key in keys if key.startswith("rows/v1/")]
    assert rows[-1] == "runs" and set(rows) <= {table.name for table in TABLES}
    assert keys[-1].startswith("rows/v1/runs/")
    names = [key.rpartition("/")[2] for key in keys if key.startswith(f"runs/{run.result.run_id}/")]
    assert names == ["result.json", "manifest.json"]
    assert json.loads(evidence(run, s3, "status", "--json").out) == {
        "waiting": [],
        "not_queued": [],
    }


def test_an_upload_that_fails_is_a_line_and_is_made_up_for(s3: S3Server, run: Ending) -> None:
    """The run is what it was; push adds what waits, once."""
    s3.refused = 1
    (said,) = run.remember()
    assert said.startswith("not added yet: s3://acme-evidence/shop refuses dev/other/runs/")
    assert said.endswith("dyno evidence push makes up for it") and "\n" not in said
    waits = json.loads(evidence(run, s3, "status", "--json").out)["waiting"]
    assert [(row["place"], row["store"]) for row in waits] == [("dev/other", URI)]
    assert "may not add there" in waits[0]["problem"]
    assert waits[0]["record_id"] in evidence(run, s3, "push", "--dry-run").out
    assert s3.objects == {}

    s3.refused = 1
    again = evidence(run, s3, "push")
    assert (again.status, again.out) == (3, "0 records added, 1 still wait\n")
    pushed = json.loads(evidence(run, s3, "push", "--json").out)
    assert [(row["added"], row["there"], row["problem"]) for row in pushed] == [
        (waits[0]["files"], 0, "")
    ]
    assert len(s3.objects) == waits[0]["files"]
    assert evidence(run, s3, "push").out == "nothing waits\n"


def test_whatever_goes_wrong_fails_no_run(
    s3: S3Server, run: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment without a name for keys, a full disk, an interrupt, a fault of ours."""

    def refuse(error: BaseException) -> Any:
        def fail(*_: object, **_more: object) -> Any:
            raise error

        return fail

    for error, words in (
        (OSError(28, "No space left on device"), "No space left on device"),
        (KeyboardInterrupt(), "interrupted"),
        (RuntimeError("oh"), "RuntimeError('oh')"),
    ):
        monkeypatch.setattr(sending, "send_within", refuse(error))
        run.ui.said.clear()
        assert run.remember()[-1] == (
            f"evidence not added yet: {words}; dyno evidence push makes up for it"
        )
    run.ui.said.clear()
    run.folder.update_lease(env="a/b")
    assert "is no place of a store" in run.remember()[0]


def test_without_a_store_nothing_is_asked(s3: S3Server, run: Ending) -> None:
    """Nor put anywhere."""
    run.env = Env("dev", run.project, parse_settings({}, "test"))
    assert run.remember() == []
    assert (s3.asked, (run.project / "runs" / "outbox").exists()) == ([], False)


def test_a_run_that_was_killed_before_it_was_queued_is_found(s3: S3Server, run: Ending) -> None:
    """By its result; one that a command is still at work on is not."""
    run.folder.update_lease(state="up")
    assert evidence(run, s3, "push").out == "nothing waits\n"
    run.folder.update_lease(state="down")
    told = json.loads(evidence(run, s3, "push", "--dry-run", "--json").out)
    assert told["not_queued"] == [{"run_id": run.result.run_id, "store": URI}]
    assert evidence(run, s3, "push").out == "1 records added\n"
    assert evidence(run, s3, "push").out == "nothing waits\n"
    names = {key.rpartition("/")[2] for key in s3.objects}
    assert names == {"result.json", "manifest.json"}


def test_a_run_of_no_store_is_never_sent(s3: S3Server, run: Ending) -> None:
    """What it was made with counts, and not what dyno.toml says today."""
    run.folder.update_lease(settings=parse_settings({}, "test").model_dump())
    assert evidence(run, s3, "push").out == "nothing waits\n"
    for value in ("s3://Acme", 1, ["s3://acme"]):
        run.folder.update_lease(settings={"evidence": {"store": value}})
        assert evidence(run, s3, "push").out == "nothing waits\n"
    assert s3.asked == []


def test_an_upload_that_is_killed_loses_nothing(s3: S3Server, run: Ending) -> None:
    """What the store has by then is not sent again, and the rest is by the next command."""
    s3.refused = 1
    run.remember()
    (waits,) = json.loads(evidence(run, s3, "status", "--json").out)["waiting"]
    s3.asked.clear()
    s3.stalls_from = 3
    command = [sys.executable, "-m", "lambda_dyno", "evidence", "push"]
    with subprocess.Popen(
        command, cwd=run.project, env={**os.environ, **environment(s3)}, stderr=subprocess.DEVNULL
    ) as pushing:
        ends_at = time.monotonic() + HANGS_S
        while len(s3.asked) < 3 and time.monotonic() < ends_at:
            time.sleep(0.01)
        pushing.kill()
    assert (len(s3.asked), len(s3.objects)) == (3, 2)
    s3.stalls_from = None
    (left,) = json.loads(evidence(run, s3, "status", "--json").out)["waiting"]
    assert left["files"] == waits["files"] - 2
    assert evidence(run, s3, "push").out == "1 records added\n"
    assert len(s3.objects) == waits["files"]
    assert len(s3.asked) == 3 + left["files"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pull", "--env", "dev", "--store", "acme"), "[evidence] store"),
        (("pull", "--env", "../x"), "no such environment"),
        (("pull",), "--env"),
        (("push", "--run-dir"), "--run-dir"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    s3: S3Server, run: Ending, arguments: tuple[str, ...], said: str
) -> None:
    """Before anything is asked."""
    ended = evidence(run, s3, *arguments)
    assert ended.status == 2
    assert len(ended.lines) == 1 and said in ended.lines[0], ended.err
    assert s3.asked == []


def test_an_environment_without_a_store_cannot_be_pulled(s3: S3Server, run: Ending) -> None:
    """The line names file and key."""
    (run.project / "envs" / "dev" / "dyno.toml").write_text("")
    ended = evidence(run, s3, "pull", "--env", "dev")
    assert ended.status == 2
    assert "envs/dev/dyno.toml: [evidence] store: it names no store" in ended.err
