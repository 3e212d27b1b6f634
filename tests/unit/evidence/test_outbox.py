"""The outbox: whole or not at all, and nothing of it becomes a key unchecked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.evidence import outbox
from lambda_dyno.evidence.location import Place, Store
from lambda_dyno.evidence.outbox import Entry

RECORD = "261201-1000-k3f9_run_0123abcd"
STORE, PLACE = Store("acme-evidence", "shop/"), Place("dev", "pr/12")
ROWS = {"runs": b"PAR1 runs", "tunings": b"PAR1 tunings"}


def add(runs: Path, record_id: str = RECORD) -> Entry:
    return outbox.add(runs, record_id, STORE, PLACE, {"report.md": b"# report"}, ROWS)


def entries(runs: Path) -> tuple[list[Entry], list[str]]:
    said: list[str] = []
    return list(outbox.entries(runs, said.append)), said


def test_what_is_added_is_there_again(tmp_path: Path) -> None:
    """The files first, then what lists them, then rows, and the row in `runs` last."""
    entry = add(tmp_path)
    assert entries(tmp_path) == ([entry], [])
    run = f"runs/261201-1000-k3f9/{RECORD}"
    keys = [entry.key(file) for file in entry.files]
    assert keys == [
        f"shop/dev/pr/12/{run}/report.md",
        f"shop/dev/pr/12/{run}/manifest.json",
        f"shop/dev/pr/12/rows/v1/tunings/{RECORD}.parquet",
        f"shop/dev/pr/12/rows/v1/runs/{RECORD}.parquet",
    ]
    contents = {entry.key(file).rpartition("/")[2]: path.read_bytes() for path, file in entry.left}
    assert contents[f"{RECORD}.parquet"] == ROWS["runs"]
    manifest = json.loads(contents["manifest.json"])
    assert manifest == {
        "record_id": RECORD,
        "files": {f"{run}/report.md": hashlib.sha256(b"# report").hexdigest()},
    }
    assert entry.folder.parent.stat().st_mode & 0o077 == 0


def test_a_file_that_is_gone_has_been_added(tmp_path: Path) -> None:
    """And when all are, the entry goes."""
    entry = add(tmp_path)
    path, _ = entry.left[0]
    path.unlink()
    assert len(entry.left) == 3
    entry.note("refused")
    assert entries(tmp_path)[0][0].problem == "refused"
    entry.remove()
    assert entries(tmp_path) == ([], [])
    assert list(outbox.folder_of(tmp_path).iterdir()) == []


def test_what_was_killed_while_it_was_made_is_no_entry(tmp_path: Path) -> None:
    """Nor in the way of another try."""
    draft = outbox.folder_of(tmp_path) / f".{RECORD}.4711"
    draft.mkdir(parents=True)
    (draft / "0").write_text("half")
    assert entries(tmp_path) == ([], [])
    assert add(tmp_path).left


def tampered(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        content = json.loads((folder / "entry.json").read_text())
        change(content)
        (folder / "entry.json").write_text(json.dumps(content))

    return apply


def key(text: str) -> Callable[[Path], object]:
    return tampered(lambda content: content["files"][0].update(key=text))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder: (folder / "entry.json").unlink(), id="none"),
        pytest.param(lambda folder: (folder / "entry.json").write_text("{"), id="no JSON"),
        pytest.param(lambda folder: (folder / "entry.json").write_text("[]"), id="no object"),
        pytest.param(tampered(lambda content: content.pop("place")), id="no place"),
        pytest.param(tampered(lambda content: content.update(place="dev/main/x")), id="place"),
        pytest.param(tampered(lambda content: content.update(store="acme")), id="store"),
        pytest.param(tampered(lambda content: content.update(files={})), id="no list"),
        pytest.param(tampered(lambda content: content["files"].append("x")), id="no file"),
        pytest.param(
            tampered(lambda content: content["files"][0].update(sha256="x")), id="no digest"
        ),
        pytest.param(key("rows/v1/runs/other_run_0123abcd.parquet"), id="another record"),
        pytest.param(key(f"rows/v2/runs/{RECORD}.parquet"), id="another version"),
        pytest.param(key(f"rows/v1/packed/{RECORD}.parquet"), id="no table"),
        pytest.param(key(f"runs/261201-1000-k3f9/{RECORD}/../../x"), id="dots"),
        pytest.param(key(f"runs/261201-1000-k3f9/{RECORD}/a/b/c/d"), id="deep"),
        pytest.param(key(f"runs/261201-1000-k3f9/{RECORD}/"), id="no name"),
        pytest.param(key("runs/261201-1000-zzzz/x/report.md"), id="another run"),
        pytest.param(key("report.md"), id="no prefix"),
    ],
)
def test_what_is_no_entry_is_named_and_left_alone(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    """One line each; the others are there."""
    change(add(tmp_path).folder)
    whole = add(tmp_path, "261201-1000-k3f9_run_99999999")
    found, said = entries(tmp_path)
    assert found == [whole]
    assert len(said) == 1
    assert RECORD in said[0] and "is left alone" in said[0] and "\n" not in said[0]


def test_a_folder_of_another_name_is_left_alone(tmp_path: Path) -> None:
    """And so is a link."""
    real = add(tmp_path).folder
    (real.parent / "261201-1000-k3f9_run_0000aaaa").symlink_to(real)
    (real.parent / "notes").mkdir()
    found, said = entries(tmp_path)
    assert [entry.folder for entry in found] == [real]
    assert len(said) == 2


def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a record that waits already replaced."""
    entry = add(tmp_path)
    with pytest.raises(OSError, match="not empty"):
        add(tmp_path)
    monkeypatch.setattr(outbox, "write_json", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        add(tmp_path, "261201-1000-k3f9_run_99999999")
    assert entries(tmp_path) == ([entry], [])
    assert list(outbox.folder_of(tmp_path).iterdir()) == [entry.folder]
