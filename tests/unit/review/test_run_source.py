"""A review of an artefact: a folder that a stranger may have filled."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.review import run_source
from tests.support.review_project import good_run


def evidence(folder: Path, *names: str) -> Path:
    """Return a folder as the artefact `evidence` is unpacked."""
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "result.json").write_text(json.dumps(good_run().to_json()))
    return folder


def test_the_one_run_of_an_artefact_is_found(tmp_path: Path) -> None:
    """Its folder's name is nobody's business."""
    name = "$(touch x); --output=y"
    found = run_source.find(tmp_path, f"{evidence(tmp_path / 'evidence', name)}/")
    assert found.result.env == "dev"
    assert found.folder == tmp_path / "evidence" / name


def test_of_several_runs_one_must_be_named(tmp_path: Path) -> None:
    """None is taken by chance; one that is named is."""
    folder = evidence(tmp_path / "evidence", "a", "b")
    with pytest.raises(UserError, match=r"evidence: has the results of 2 runs; name one"):
        run_source.find(tmp_path, f"{folder}/")
    assert run_source.find(tmp_path, f"{folder}/a").folder == folder / "a"


def test_an_empty_artefact_is_said(tmp_path: Path) -> None:
    """The run ended before it had a result."""
    folder = evidence(tmp_path / "evidence", "a")
    shutil.rmtree(folder / "a")
    with pytest.raises(UserError, match=r"result\.json: cannot be read: No such file"):
        run_source.find(tmp_path, f"{folder}/")


def test_latencies_are_read_from_inside_only(tmp_path: Path) -> None:
    """A path in the result that leads out leads nowhere."""
    folder = evidence(tmp_path / "evidence", "a") / "a"
    content = json.loads((folder / "result.json").read_text())
    (tmp_path / "secret.jsonl").write_text("{}\n")
    assert content["load"]
    for load in content["load"]:
        load["samples_path"] = "../../secret.jsonl"
    (folder / "result.json").write_text(json.dumps(content))
    assert run_source.find(tmp_path, f"{folder}/").samples() == {}
