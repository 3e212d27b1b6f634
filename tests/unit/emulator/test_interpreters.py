"""Which interpreters are found on a machine, and what is said of a function that needs others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.emulator import differences, interpreters

LAYER = "arn:aws:lambda:us-east-1:580247275435:layer"


def program(path: Path, text: str = "") -> Path:
    """Make a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_versions_are_found_by_their_names(tmp_path: Path) -> None:
    """On PATH and in the folders of version managers; no program that only finds a version."""
    own = program(tmp_path / "own" / "bin" / "python3")
    on_path = program(tmp_path / "bin" / "python3.90")
    program(tmp_path / "bin" / "python3.9")  # boto3 needs 3.10
    program(tmp_path / "shims" / "python3.91")
    managed = program(tmp_path / ".pyenv" / "versions" / "3.92.1" / "bin" / "python3.92")
    program(tmp_path / ".pyenv" / "versions" / "3.92.1" / "bin" / "python3.92-config")
    environ = {"PATH": f"{tmp_path / 'shims'}:{tmp_path / 'bin'}", "HOME": str(tmp_path)}
    found = interpreters.pythons(own, environ)

    assert next(iter(found.values())) == str(own)
    assert {v: p for v, p in found.items() if v.startswith("3.9") and len(v) > 3} == {
        "3.90": str(on_path),
        "3.92": str(managed),
    }


def test_nodes_are_asked_where_no_name_tells(tmp_path: Path) -> None:
    """The folder's name, a header, or the program itself."""
    plain = program(tmp_path / "plain" / "bin" / "node", "echo v21.3.0")
    headed = program(tmp_path / "headed" / "bin" / "node", "exit 1")
    header = tmp_path / "headed" / "include" / "node" / "node_version.h"
    header.parent.mkdir(parents=True)
    header.write_text("#define NODE_MAJOR_VERSION 23\n")
    managed = program(tmp_path / ".nvm" / "versions" / "node" / "v18.20.1" / "bin" / "node")
    broken = program(tmp_path / "broken" / "bin" / "node", "exit 1")
    folders = ":".join(str(path.parent) for path in (broken, plain, headed))

    assert interpreters.nodes({"PATH": folders, "HOME": str(tmp_path)}) == {
        "21": str(plain),
        "23": str(headed),
        "18": str(managed),
    }


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"Runtime": "python3.13"}, []),
        (
            {"Runtime": "python3.99"},
            ["Python 3.99 is not installed here: Python 3.13"],
        ),
        ({"Runtime": "nodejs24.x"}, ["Node.js 24 is not installed here: Node.js 22"]),
        ({"Runtime": "java21"}, ["java21 is not metered here"]),
        ({"PackageType": "Image"}, ["a container image is not metered here"]),
        (
            {"Layers": [{"Arn": f"{LAYER}:LambdaInsightsExtension:2"}]},
            ["extensions do not run here"],
        ),
        (
            {"Layers": [{"Arn": f"{LAYER}:AWSSDKPandas-Python313:4"}]},
            ["OpenBLAS has one thread here"],
        ),
        ({"FileSystemConfigs": [{}]}, ["its file system"]),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, ["SnapStart: restores take no time"]),
        ({"KMSKeyArn": "arn:aws:kms:us-east-1:1:key/x"}, ["KMS: "]),
    ],
)
def test_who_tunes_is_told_of_differences(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], words: list[str]
) -> None:
    """Only of those that the function meets."""
    monkeypatch.setattr(interpreters, "pythons", lambda _own: {"3.11": "", "3.13": ""})
    monkeypatch.setattr(interpreters, "nodes", lambda: {"22": ""})
    monkeypatch.setattr(differences.node_packages, "folder", lambda _environments: "/sdk")
    monkeypatch.setattr(differences, "own_file_system", lambda: True)
    found = differences.of(config)

    assert len(found) == len(words)
    assert all(text.startswith(start) for text, start in zip(found, words, strict=True))
