"""The sweeper on this machine: what it takes, what it leaves, what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lambda_dyno.aws.target import endpoint_is_gone
from lambda_dyno.cleanup import sweeper
from lambda_dyno.cli.app import app
from lambda_dyno.core.errors import UserError
from lambda_dyno.emulator.loopback import free_port
from lambda_dyno.environments.leftovers import how_to_remove
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.runs import run_folder
from lambda_dyno.runs.run_folder import RunFolder


@pytest.fixture
def project(alone_with_orphans: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and no credentials to look elsewhere with."""
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    (tmp_path / "envs" / "local").mkdir(parents=True)
    (tmp_path / "envs" / "local" / "dyno.toml").write_text("[environment]\nemulated = true\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(project: Path, **lease: Any) -> RunFolder:
    """Make a run on an embedded AWS of its own, whose owner is gone."""
    folder = run_folder.create(
        project / "runs", "local", "dyno", timedelta(hours=1), own_server=True
    )
    folder.update_lease(**{"identity": "gone", "state": "up", **lease})
    return folder


def outcomes(project: Path, **options: Any) -> dict[str, str]:
    return {
        swept.run_id: swept.outcome for swept in sweeper.sweep(project, TerminalUi(), **options)
    }


def test_a_dead_owners_run_is_swept_and_told_in_its_result(project: Path) -> None:
    """What it had measured so far stays, with why nothing followed."""
    folder = new(project)
    (folder.path / ".result.json.77").touch()
    assert outcomes(project) == {folder.run_id: "swept"}
    assert folder.read_lease().state == "down"
    result = json.loads(folder.result.read_text())
    assert result["error"].startswith("swept: its process")
    assert result["leftovers"] == []
    assert not (folder.path / ".result.json.77").exists()
    assert list(folder.path.glob("reserve*")) == []
    assert outcomes(project) == {}


def test_a_dry_run_changes_nothing(project: Path) -> None:
    """It says what would go, and why."""
    folder = new(project)
    (outcome,) = outcomes(project, dry_run=True).values()
    assert outcome.startswith("would be swept: its process")
    assert folder.read_lease().state == "up"


def test_what_is_in_use_is_left_to_who_uses_it(project: Path) -> None:
    """Even if its lease has run out: somebody holds the lock."""
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    folder = new(project, expires_at=past)
    code = (
        "from pathlib import Path; from lambda_dyno.runs.run_folder import RunFolder\n"
        f"with RunFolder(Path({str(folder.path)!r})).locked(): print(1, flush=True); input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert outcomes(project) == {}
        holder.kill()
    assert outcomes(project) == {folder.run_id: "swept"}


@pytest.mark.parametrize(
    ("lease", "swept"),
    [
        pytest.param({}, True, id="owner-gone"),
        pytest.param({"host": "elsewhere"}, False, id="of-another-machine"),
        pytest.param({"namespace": "another"}, False, id="of-another-container"),
        pytest.param({"kept": True}, False, id="kept"),
        pytest.param(
            {"kept": True, "expires_at": "2026-01-01T00:00:00+00:00"}, True, id="kept-and-expired"
        ),
        pytest.param({"state": "down"}, False, id="down"),
    ],
)
def test_a_new_run_tidies_up_after_the_dead_of_this_machine(
    project: Path, lease: dict[str, Any], swept: bool
) -> None:
    """And leaves everything else alone."""
    folder = new(project, **lease)
    sweeper.sweep_dead_owners(project, TerminalUi())
    assert (folder.read_lease().state == "down") == (swept or lease.get("state") == "down")


def test_a_run_of_a_living_owner_is_never_tidied(project: Path) -> None:
    """Expired or not."""
    folder = new(project, expires_at="2026-01-01T00:00:00+00:00")
    folder.take_over()
    sweeper.sweep_dead_owners(project, TerminalUi())
    assert folder.read_lease().state == "up"


def test_an_account_that_cannot_be_reached_is_a_failure_that_names_it(project: Path) -> None:
    """The environment is still there, and somebody has to know."""
    folder = new(project, own_server=False, account_id="123412341234", region="eu-west-1")
    result = CliRunner().invoke(app, ["sweep", "--json"])
    assert result.exit_code == 3
    (row,) = json.loads(result.stdout)
    assert row["run_id"] == folder.run_id
    assert row["outcome"].startswith("failed: no AWS credentials")
    assert row["left"] == []
    assert folder.read_lease().state == "up"


def test_folders_of_runs_that_never_had_a_lease_go_after_a_while(project: Path) -> None:
    """Nothing was made in them; one that is about to be born is left."""
    folders = {name: project / "runs" / f"261121-100{n}-kkkk" for n, name in enumerate("abc")}
    for folder in folders.values():
        folder.mkdir(parents=True)
        (folder / "reserve").touch()
    (folders["b"] / "result.json").touch()
    for name in "ab":
        os.utime(folders[name], (time.time() - 3600,) * 2)
    sweeper.sweep(project, TerminalUi())
    assert [name for name, folder in folders.items() if folder.exists()] == ["b", "c"]


def test_listing_is_an_array_with_where_everything_is(project: Path) -> None:
    """Oldest first; an empty array without runs."""
    assert json.loads(CliRunner().invoke(app, ["ls", "--json"]).stdout) == []
    older, newer = new(project, started_at="2026-01-01T10:00:00+00:00"), new(project, kept=True)
    rows = json.loads(CliRunner().invoke(app, ["ls", "--json"]).stdout)
    assert [row["run_id"] for row in rows] == [older.run_id, newer.run_id]
    assert rows[1]["kept"] is True
    assert rows[1]["where"] == str(newer.path)
    assert set(rows[0]) >= {"env", "state", "owner", "expires_at", "account_id", "name_prefix"}


@pytest.mark.parametrize("hours", [-1.0, float("nan"), float("inf"), 1e300])
def test_an_age_that_is_none_is_refused(project: Path, hours: float) -> None:
    """Before anything is looked at."""
    with pytest.raises(UserError, match=r"--older-than .*: give hours, 0 to 100000"):
        sweeper.sweep(project, TerminalUi(), older_than_h=hours)


def test_only_an_embedded_aws_of_this_machine_is_ever_gone(project: Path) -> None:
    """An account that does not answer is there all the same."""
    assert endpoint_is_gone(f"http://127.0.0.1:{free_port()}")
    for endpoint in ("", "https://192.0.2.1", "http://localhost:9", "http://127.0.0.1"):
        assert not endpoint_is_gone(endpoint)


@pytest.mark.parametrize(
    ("arn", "command"),
    [
        ("arn:aws:sqs:eu-west-1:1:q", "aws sqs delete-queue --queue-url $(aws sqs get-queue-url "),
        ("arn:aws:sns:eu-west-1:1:t", "aws sns delete-topic --topic-arn arn:aws:sns:eu-west-1:1:t"),
        ("arn:aws:s3:::b", "aws s3 rb --force s3://b"),
        ("arn:aws:apigateway:eu-west-1::/apis/a1", "aws apigatewayv2 delete-api --api-id a1"),
        (
            "arn:aws:apigateway:eu-west-1::/restapis/a1/stages/x",
            "aws apigateway delete-rest-api --rest-api-id a1",
        ),
        ("arn:aws:lambda:eu-west-1:1:function:f", "aws lambda delete-function --function-name f"),
        ("arn:aws:braket:eu-west-1:1:job/x", "no command is known for braket: look for job/x"),
    ],
)
def test_a_resource_is_named_with_the_command_that_removes_it(arn: str, command: str) -> None:
    """By its ARN; what nobody thought of is named all the same."""
    assert how_to_remove(arn).startswith(command)
