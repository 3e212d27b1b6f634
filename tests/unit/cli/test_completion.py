"""What a shell completes: environments, runs, queries; quickly, and without a word on errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lambda_dyno.cli import completion

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for env in ("dev", "local", "prod"):
        (tmp_path / "envs" / env).mkdir(parents=True)
        (tmp_path / "envs" / env / "dyno.toml").write_text("")
    for run, file in (("261201-0001-aaaa", "result.json"), ("261202-0001-bbbb", "lease.json")):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / file).write_text("")
    (tmp_path / "runs" / run / "result.json").write_text("")
    (tmp_path / "src" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "src" / "deep")
    return tmp_path


def test_names_are_those_of_the_project(project: Path) -> None:
    """From any folder of it; runs the newest first."""
    assert completion.env_names("") == ["dev", "local", "prod"]
    assert completion.env_names("p") == ["prod"]
    assert completion.run_ids("") == ["261202-0001-bbbb"]
    assert completion.finished_run_ids("26") == ["261202-0001-bbbb", "261201-0001-aaaa"]
    assert "best-size" in completion.query_names("best")


def test_outside_of_a_project_there_is_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no error."""
    monkeypatch.chdir(tmp_path)
    assert completion.env_names("") == completion.run_ids("") == []


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("dyno run --env ", {"dev", "local", "prod"}),
        ("dyno smoke --run ", {"261202-0001-bbbb"}),
        ("dyno dest", {"destroy"}),
    ],
)
def test_a_shell_is_answered(project: Path, words: str, wanted: set[str]) -> None:
    """As bash asks: by the environment of the command itself; nothing heavy is imported."""
    heavy = ("boto3", "botocore", "requests", "duckdb", "vl_convert")
    code = (
        "import sys\nfrom lambda_dyno.__main__ import main\n"
        "try:\n    main()\n"
        f"finally:\n    print([x for x in {heavy!r} if x in sys.modules], file=sys.stderr)"
    )
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PYTHONPATH": str(PROJECT / "harness"),
        "_DYNO_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert set(done.stdout.split()) == wanted, done.stderr
    assert done.stderr.strip() == "[]"
