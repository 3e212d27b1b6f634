"""Files that are read, and what is right in them; what is wrong is in test_bad_inputs.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.cli import numbers
from lambda_dyno.core import reading
from lambda_dyno.core.errors import UserError
from lambda_dyno.environments import state_recovery
from lambda_dyno.terraform import trees


@pytest.mark.parametrize(
    ("content", "value"),
    [
        pytest.param(b'\xef\xbb\xbf{"a": 1}', {"a": 1}, id="byte-order-mark"),
        pytest.param(b'\r\n{"a":\r\n1}\r\n', {"a": 1}, id="windows"),
        pytest.param(rb'"\ud83d\ude00"', "\U0001f600", id="both-halves-of-a-character"),
        pytest.param(b"1" * 300, int("1" * 300), id="as-large-as-a-double"),
        pytest.param(b"1e308", 1e308, id="largest"),
        pytest.param(b"1e-400", 0.0, id="smallest"),
        pytest.param(b"null", None, id="null"),
        pytest.param(rb'"\u0000"', "\0", id="nul-in-a-text"),
        pytest.param(b"[" * 199 + b"]" * 199, None, id="199-levels"),
    ],
)
def test_json_is_read(tmp_path: Path, content: bytes, value: Any) -> None:
    """Whatever other programs read, too."""
    file = tmp_path / "file.json"
    file.write_bytes(content)
    link = tmp_path / "link"
    link.symlink_to(file)
    found = reading.read_json(link)
    assert found == value if value is not None or content == b"null" else isinstance(found, list)
    assert reading.problem_of_json(found) == ""


def test_toml_of_an_editor_of_windows_is_read(tmp_path: Path) -> None:
    """It begins with a byte order mark, and its lines end with two characters."""
    (tmp_path / "file.toml").write_bytes(b"\xef\xbb\xbf[load]\r\nduration_s = 1.0\r\n")
    assert reading.read_toml(tmp_path / "file.toml") == {"load": {"duration_s": 1.0}}


def test_a_pipe_that_a_shell_gives_is_read() -> None:
    """As in `dyno tune --payload <(jq ...)`."""
    end, other = os.pipe()
    os.write(other, b'{"a": 1}')
    os.close(other)
    try:
        assert reading.read_json(Path(f"/dev/fd/{end}")) == {"a": 1}
    finally:
        os.close(end)


def test_a_file_is_as_long_as_it_may_be(tmp_path: Path) -> None:
    """A byte more is too much."""
    (tmp_path / "file").write_bytes(b"12345")
    assert reading.read_bytes(tmp_path / "file", most_bytes=5) == b"12345"
    with pytest.raises(reading.UnreadableError, match="file: longer than 4 bytes"):
        reading.read_bytes(tmp_path / "file", most_bytes=4)


def test_a_state_is_what_terraform_reads(tmp_path: Path) -> None:
    """One that holds what no other file may is not put aside for being cut off."""
    state = tmp_path / "terraform.tfstate"
    state.write_text(f'{{"version": 4, "outputs": {{"a": {{"value": {"9" * 400}}}}}}}')
    before = state.read_text()
    state_recovery.restore_from_backup(state, lambda text: pytest.fail(text))
    assert state.read_text() == before


def test_a_folder_with_links_that_lead_somewhere_is_copied(tmp_path: Path) -> None:
    """To a file, beside, and twice to the same; what is left out may be anything."""
    folder = tmp_path / "modules"
    for name in ("one", "two", ".terraform"):
        (folder / name).mkdir(parents=True)
    (folder / "one" / "main.tf").touch()
    (folder / "two" / "main.tf").symlink_to("../one/main.tf")
    (folder / "two" / "first").symlink_to("../one")
    (folder / "two" / "second").symlink_to("../one")
    (folder / ".terraform" / "x").symlink_to("nowhere")
    trees.require_copyable(folder, "here", lambda name: name == ".terraform")
    with pytest.raises(UserError, match=r"here: .*/x is a link to nothing"):
        trees.require_copyable(folder, "here", lambda _: False)


@pytest.mark.parametrize(("text", "value"), [("128", 128), ("-1", -1), ("+7", 7), (" 5 ", 5)])
def test_a_whole_number_is_read(text: str, value: int) -> None:
    """With a sign, and with the space that stands behind a comma."""
    assert numbers.whole(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1.0), ("0.5", 0.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0)]
)
def test_a_number_is_read(text: str, value: float) -> None:
    """As people and other programs write it."""
    assert numbers.real(text) == value
