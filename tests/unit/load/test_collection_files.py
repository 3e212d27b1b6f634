"""lambda_dyno.load.collection_files: what is told of files before anything is made."""

from __future__ import annotations

import codecs
import json
import os
from pathlib import Path

import pytest

from lambda_dyno.core.config import Env, load_env
from lambda_dyno.core.errors import UserError
from lambda_dyno.load import collection_files
from lambda_dyno.load.collection_files import CollectionFiles

REQUEST = {"name": "r", "request": {"method": "GET", "url": "{{baseUrl}}"}}
FINE = {"info": {"name": "c"}, "item": [REQUEST]}


def text(content: object) -> bytes:
    return json.dumps(content).encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "theirs.json"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(text(FINE), id="v2.1"),
        pytest.param(codecs.BOM_UTF8 + text(FINE), id="byte order mark"),
        pytest.param(codecs.BOM_UTF16_LE + json.dumps(FINE).encode("utf-16-le"), id="UTF-16"),
        pytest.param(text({"collection": FINE}), id="in a wrapper"),
        pytest.param(text({"item": [{"item": [{"item": [REQUEST]}]}]}), id="in folders"),
        pytest.param(text({"item": [{"request": "{{baseUrl}}"}]}), id="text alone, no name"),
        pytest.param(text({"name": "c", "order": ["r"], "requests": [{"id": "r"}]}), id="v1"),
        pytest.param(b'{"info": "\xe9", "item": [{"request": "{{baseUrl}}"}]}', id="Latin-1"),
    ],
)
def test_a_collection_of_any_format_will_do(path: Path, content: bytes) -> None:
    """Whatever Newman reads."""
    path.write_bytes(content)
    CollectionFiles(path).check()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(codecs.BOM_UTF8 + b" \n", "is empty", id="a mark alone"),
        pytest.param(b"{", "not JSON: Expecting property name", id="not JSON"),
        pytest.param(b"\x00\xff\x01", "not JSON", id="no text"),
        pytest.param(b"[" * 100_000, "not JSON: nested too deeply", id="too deep"),
        pytest.param(text([FINE]), "must be a JSON object, not a list", id="a list"),
        pytest.param(text("x"), "must be a JSON object, not text", id="text"),
        pytest.param(b"null", "must be a JSON object, not null", id="null"),
        pytest.param(b"7", "must be a JSON object, not a number", id="a number"),
        pytest.param(text({"values": []}), "must have `item`", id="an environment"),
        pytest.param(text({"name": "c", "requests": [{}]}), "must have `item`", id="half a v1"),
        pytest.param(text({"item": []}), "the collection has no request", id="nothing in it"),
        pytest.param(text({"item": [{"item": []}]}), "has no request", id="an empty folder"),
        pytest.param(text({"item": [{"name": "r"}]}), "has no request", id="an item without one"),
        pytest.param(text({"item": "r"}), "has no request", id="no list"),
        pytest.param(text({"name": "c", "order": [], "requests": []}), "no request", id="v1"),
    ],
)
def test_a_collection_that_cannot_run_is_named(path: Path, content: bytes, said: str) -> None:
    """In one line with its file."""
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        CollectionFiles(path).check()
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", ["nothing", "a folder"])
def test_a_file_that_cannot_be_read_is_named(path: Path, make: str) -> None:
    """As the system says it."""
    if make == "a folder":
        path.mkdir()
    with pytest.raises(UserError, match=rf"{path}: cannot be read: (No such|Is a directory)"):
        CollectionFiles(path).check()


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_a_collection_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(UserError, match=rf"{path}: cannot be read: it is a pipe, not a file"):
        CollectionFiles(path).check()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("environment", text({"values": []}), "", id="environment"),
        pytest.param("environment", text({"environment": {"values": []}}), "", id="wrapped"),
        pytest.param("environment", text([{"key": "a", "value": "b"}]), "", id="a list"),
        pytest.param("environment", text({"a": "b"}), "a list `values`", id="keys and values"),
        pytest.param("globals", text({"globals": {"values": []}}), "", id="globals"),
        pytest.param("globals", b"a,b", "not JSON", id="globals as CSV"),
        pytest.param("data", text([{"a": 1}]), "", id="rows"),
        pytest.param("data", codecs.BOM_UTF8 + b"a,b\n1,2\n", "", id="CSV"),
        pytest.param("data", b"a,b\n", "has no row", id="CSV without rows"),
        pytest.param("data", text([]), "has no row", id="no rows"),
        pytest.param("data", text({"a": 1}), "a JSON list of objects, or CSV", id="an object"),
        pytest.param("data", text([1]), "a JSON list of objects, or CSV", id="numbers"),
        pytest.param("data", b"", "is empty", id="no data"),
    ],
)
def test_the_files_beside_it_are_looked_at(
    tmp_path: Path, path: Path, name: str, content: bytes, said: str
) -> None:
    """Environment, globals and rows; where they are named is in the message."""
    path.write_bytes(text(FINE))
    (tmp_path / "beside").write_bytes(content)
    files = CollectionFiles(path, **{name: tmp_path / "beside"})
    if not said:
        return files.check()
    with pytest.raises(UserError) as caught:
        files.check({name: f"envs/dev/dyno.toml: [load] {name}"})
    assert str(caught.value).startswith(
        f"envs/dev/dyno.toml: [load] {name}: {tmp_path / 'beside'}: "
    )
    assert said in str(caught.value)
    return None


def env_of(project: Path, settings: str) -> Env:
    folder = project / "envs" / "dev"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dyno.toml").write_text(settings)
    return load_env(project, "dev")


def test_settings_name_the_files(tmp_path: Path) -> None:
    """Relative to the folder of dyno.toml; without any there is the usual place alone."""
    env = env_of(tmp_path, "")
    usual = tmp_path / "postman" / "load.postman_collection.json"
    assert collection_files.of_settings(tmp_path, env, "load") == CollectionFiles(usual)

    env = env_of(
        tmp_path,
        '[smoke]\ncollection = "../../mine.json"\ndata = "rows.csv"\n'
        '[load]\nenvironment = "e.json"\nglobals = "g.json"\napi_variable = "host"\n'
        '[deploy.load]\nenvironment = "prod.json"\n',
    )
    files = collection_files.of_settings(tmp_path, env, "smoke")
    assert files.collection.resolve() == tmp_path / "mine.json"
    assert files.data == env.folder / "rows.csv"
    files = collection_files.of_settings(tmp_path, env, "load")
    expected = CollectionFiles(usual, env.folder / "e.json", env.folder / "g.json", None, "host")
    assert files == expected
    deployed = collection_files.of_deployment(tmp_path, env, "load")
    assert deployed == CollectionFiles(
        usual, env.folder / "prod.json", env.folder / "g.json", None, "host"
    )


@pytest.mark.parametrize(
    ("settings", "files", "said"),
    [
        ("", {}, ""),
        ("", {"postman/smoke.postman_collection.json": text(FINE)}, ""),
        (
            "",
            {"postman/smoke.postman_collection.json": b"{"},
            "smoke.postman_collection.json: not JSON",
        ),
        (
            '[load]\ncollection = "none.json"',
            {},
            "envs/dev/dyno.toml: [load] collection: ",
        ),
        (
            '[load]\ndata = "none.csv"',
            {"postman/load.postman_collection.json": text(FINE)},
            "envs/dev/dyno.toml: [load] data: ",
        ),
        (
            '[deploy.load]\nglobals = "none.json"',
            {"postman/load.postman_collection.json": text(FINE)},
            "envs/dev/dyno.toml: [deploy.load] globals: ",
        ),
    ],
    ids=["none", "fine", "broken", "no such collection", "no such rows", "no such globals"],
)
def test_all_of_a_project_are_looked_at(
    tmp_path: Path, settings: str, files: dict[str, bytes], said: str
) -> None:
    """A collection that is not there is no test; whatever is named must be there."""
    env = env_of(tmp_path, settings)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    if not said:
        return collection_files.check(tmp_path, env)
    with pytest.raises(UserError) as caught:
        collection_files.check(tmp_path, env)
    assert said in str(caught.value)
    return None
