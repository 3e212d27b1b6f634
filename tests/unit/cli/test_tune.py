"""`dyno tune --function`: mistakes that are found without asking AWS."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from lambda_dyno.cli.app import app
from lambda_dyno.core.errors import UserError

if TYPE_CHECKING:
    from click.testing import Result

ARN = "arn:aws:lambda:eu-west-1:111122223333:function:shop"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project to work in, and nobody who could be asked for credentials."""
    for folder in ("modules", "envs/staging"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "envs" / "staging" / "dyno.toml").write_text("[tuning]\nnum = 8\n")
    (tmp_path / "not.json").write_text("{")
    (tmp_path / "nan.json").write_text('{"n": NaN}')
    (tmp_path / "list.json").write_text("[1]")
    many = [{"payload": n, "weight": 1} for n in range(1, 12)]
    (tmp_path / "many.json").write_text(json.dumps(many))
    (tmp_path / "small.json").write_text(json.dumps({"lambdaARN": ARN, "num": 4}))
    (tmp_path / "nameless.json").write_text(json.dumps({"num": 10}))
    (tmp_path / "big.json").write_text(json.dumps("x" * 300_000))
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


def dyno(*arguments: str, stdin: str | bytes = "") -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, list(arguments), input=stdin)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param("--function a/b", "'a/b' is neither the name of a Lambda", id="name"),
        pytest.param("--function f --power 100", "100 MB is not allowed", id="power"),
        pytest.param("--function f --power many", "--power many: give memory sizes", id="words"),
        pytest.param("--function f --num 4", "[tuning] num: 4", id="num"),
        pytest.param("--function f --strategy fast", 'strategy: "fast"', id="strategy"),
        pytest.param("--function f --balanced-weight 2", "balanced_weight: 2", id="weight"),
        pytest.param("--function f --payload no.json", "no.json: cannot be read", id="no-file"),
        pytest.param("--function f --payload not.json", "not.json: not JSON", id="not-json"),
        pytest.param("--function f --payload nan.json", "NaN is no JSON value", id="nan"),
        pytest.param(
            "--function f --num 10 --payload many.json",
            "11 payloads with weights do not fit",
            id="weights",
        ),
        pytest.param("--function f --payload big.json", "put the payload into S3", id="big"),
        pytest.param(
            "--function f --payload a --payload-s3 s3://b/k", "give one of them", id="two-payloads"
        ),
        pytest.param("--function f --payload-s3 s3://b", "s3://b is not an S3 URI", id="s3"),
        pytest.param("--function f --post-processor p", "p is not the ARN of a", id="processor"),
        pytest.param("--function f --auto-optimize-alias 1", "autoOptimizeAlias: '1'", id="alias"),
        pytest.param("--function f --on-conflict x", 'on_conflict: "x"', id="conflict"),
        pytest.param("--function f --env nowhere", "Known: staging", id="env"),
        pytest.param("--function f --run r", "--run: it names a standing", id="run"),
        pytest.param("--input no.json", "--input no.json: cannot be read", id="no-input"),
        pytest.param("--input list.json", "--input list.json: a tuning's input is", id="list"),
        pytest.param("--input small.json", "--input small.json: num: 4", id="input-num"),
        pytest.param("--input nameless.json", "lambdaARN: missing", id="nameless"),
        pytest.param("--input - --payload -", "only one of them", id="two-stdin"),
        pytest.param("--deployed", "say of which environment", id="deployed-where"),
        pytest.param(
            "--deployed --env staging --function f --tuner t",
            "it says function and tuner; leave --function, --tuner out",
            id="deployed-function",
        ),
        pytest.param(
            "--deployed --env staging --auto-optimize",
            "Terraform's. Propose what was found: dyno apply --env staging",
            id="deployed-optimize",
        ),
        pytest.param("--deployed --env staging", "no AWS credentials", id="deployed-workload"),
        pytest.param("--function f --workload no.json", "no.json: cannot be read", id="workload"),
        pytest.param(
            "--function f --workload list.json",
            'workload: must be an object with a list, such as {"requests":',
            id="no-workload",
        ),
        pytest.param(
            "--function f --payload list.json --workload list.json",
            "--payload and --workload: give one of them",
            id="payload-and-workload",
        ),
        pytest.param(
            "--deployed --env staging --payload list.json", "no AWS credentials", id="deployed"
        ),
        pytest.param("--dry-run", "--dry-run: say which function", id="dry-run"),
        pytest.param("--keep --tuner x", "--tuner, --keep: say which function", id="keep"),
        pytest.param("--function f --region eu-west-1", "no AWS credentials", id="credentials"),
        pytest.param(f"--function {ARN} --region us-east-1", "name one of them", id="region"),
    ],
)
def test_a_mistake_is_one_error_and_makes_nothing(
    project: Path, arguments: str, complaint: str
) -> None:
    """A UserError, which ends with status 2, and no run."""
    result = dyno("tune", *arguments.split())
    assert isinstance(result.exception, UserError)
    assert complaint in str(result.exception)
    assert result.stdout == ""
    assert not (project / "runs").exists()


def test_input_and_payload_can_come_from_standard_input(project: Path) -> None:
    """`-` reads it; here up to the mistake in it."""
    result = dyno("tune", "--input", "-", stdin='{"lambdaARN": "f", "num": 1}')
    assert "--input -: num: 1 is not allowed" in str(result.exception)
    result = dyno("tune", "--function", "f", "--payload", "-", stdin="{")
    assert "--payload -: not JSON" in str(result.exception)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_files_of_windows_are_read(project: Path, encoding: str) -> None:
    """A byte order mark is no mistake, in files and on standard input."""
    content = (project / "small.json").read_text().encode(encoding)
    (project / "small.json").write_bytes(content)
    assert "--input small.json: num: 4" in str(dyno("tune", "--input", "small.json").exception)
    assert "--input -: num: 4" in str(dyno("tune", "--input", "-", stdin=content).exception)
    (project / "many.json").write_bytes((project / "many.json").read_text().encode(encoding))
    result = dyno("tune", "--function", "f", "--num", "10", "--payload", "many.json")
    assert "11 payloads with weights do not fit" in str(result.exception)


def test_the_help_teaches_by_examples(project: Path) -> None:
    """Every option and the exit statuses are there, and examples in one piece."""
    result = dyno("tune", "--help")
    text = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
    assert result.exit_code == 0
    assert "dyno tune --function my-function --payload event.json\n" in re.sub(" +\n", "\n", text)
    assert "[tuning] in envs/ENV/dyno.toml" in text
    assert "130 interrupted" in text
    assert "…" not in text  # no name is cut in 80 columns


def test_a_function_is_tuned_from_any_folder(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`uvx lambda-dyno tune --function NAME` needs no project; what is wrong then is not that."""
    assert project
    empty = tmp_path_factory.mktemp("empty")
    monkeypatch.chdir(empty)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(empty))
    result = CliRunner().invoke(app, ["tune", "--function", ARN, "--region", "eu-west-1"])
    assert isinstance(result.exception, UserError)
    assert str(result.exception).startswith("no AWS credentials")
    assert [path.name for path in empty.iterdir() if not path.name.startswith(".")] in (
        [],
        ["runs"],
    )
