"""A release's tag, version and notes are of one piece."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lambda_dyno import __version__
from lambda_dyno.core.errors import UserError
from tools import release, with_provider

PROJECT = Path(__file__).parents[3]
TEXT = """# Changelog

## Unreleased

- Next.

## 1.2.3 (2026-12-01)

### Added

- This.

## 1.2.2

## 1.2.1

- That.
"""


def test_the_notes_are_the_section_of_the_version() -> None:
    """Without its head, and nothing of the others."""
    assert release.check("v1.2.3", TEXT, "1.2.3") == "### Added\n\n- This.\n"
    assert release.check("v1.2.1", TEXT, "1.2.1") == "- That.\n"


@pytest.mark.parametrize(
    ("tag", "version", "why"),
    [
        ("v1.2.4", "1.2.3", r"TAG=v1\.2\.4: the package is version 1\.2\.3"),
        ("1.2.3", "1.2.3", r"TAG=1\.2\.3: must be v and a version, such as v1\.2\.3"),
        ("v1.2", "1.2.3", "must be v and a version"),
        ("v1.2.3\n", "1.2.3", "must be v and a version"),
        ("", "1.2.3", "TAG=: must be v and a version"),
        ("v9.9.9", "9.9.9", r"CHANGELOG\.md: there is nothing under `## 9\.9\.9`"),
        ("v1.2.2", "1.2.2", r"nothing under `## 1\.2\.2`"),
    ],
)
def test_what_does_not_fit_is_refused(tag: str, version: str, why: str) -> None:
    """In a line, before anything is built."""
    with pytest.raises(UserError, match=why):
        release.check(tag, TEXT, version)


def test_this_version_has_its_notes(capsys: pytest.CaptureFixture[str]) -> None:
    """The one that is in the package now, as `make release-notes` prints them."""
    release.main(["check", f"v{__version__}"])
    assert capsys.readouterr().out == f"v{__version__}: version and changelog\n"
    with pytest.raises(SystemExit, match=r"^error: TAG=v0\.0\.0: the package is version"):
        release.main(["check", "v0.0.0"])


def test_all_roots_ask_for_another_provider_then(tmp_path: Path) -> None:
    """What CI's leg does to its checkout: no root is left behind, and nothing else changes."""
    for path in (*PROJECT.glob("envs/*/main.tf"), *PROJECT.glob("modules/*/examples/*/main.tf")):
        copy = tmp_path / path.relative_to(PROJECT)
        copy.parent.mkdir(parents=True)
        copy.write_text(path.read_text())
    changed = with_provider.change(tmp_path, "~> 6.0")
    assert {path.parts[-2] for path in changed} > {"local", "dev", "test", "prod", "_tuner"}
    for path in tmp_path.rglob("main.tf"):
        text = path.read_text()
        assert re.findall(r'"hashicorp/aws"\n\s+version = "(.+?)"', text) == ["~> 6.0"]
        original = (PROJECT / path.relative_to(tmp_path)).read_text()
        assert text.replace("~> 6.0", "~> 5.100") == original
