"""What a release is called and what is new in it: `python -m tools.release check|notes vX.Y.Z`.

The version is `lambda_dyno.__version__`, and nowhere else; a tag that says something else is a
mistake. The notes are the changelog's section of that version.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from lambda_dyno import __version__
from lambda_dyno.core.errors import UserError, brief

CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"
_TAG = re.compile(r"v(\d+\.\d+\.\d+)")


def check(tag: str, changelog: str, version: str = __version__) -> str:
    """Make sure that a tag is this version's, and return what is new in it.

    Args:
        tag: Of the release, such as "v1.2.3".
        changelog: The text of CHANGELOG.md.
        version: Of the package.

    Raises:
        UserError: The tag is none, or another version's, or nothing is said of that version.
    """
    found = _TAG.fullmatch(tag)
    if found is None:
        raise UserError(f"TAG={brief(tag)}: must be v and a version, such as v{version}")
    if found[1] != version:
        raise UserError(
            f"TAG={tag}: the package is version {version} (harness/lambda_dyno/__init__.py): "
            "they must be equal"
        )
    return notes(version, changelog)


def notes(version: str, changelog: str) -> str:
    """Return a version's section of the changelog, without its head.

    Raises:
        UserError: It has none, or an empty one.
    """
    sections = re.split(r"^## +", changelog, flags=re.MULTILINE)
    for section in sections[1:]:
        head, _, text = section.partition("\n")
        if head.split()[:1] == [version] and text.strip():
            return text.strip() + "\n"
    raise UserError(f"CHANGELOG.md: there is nothing under `## {version}`")


def main(arguments: Sequence[str] | None = None) -> None:
    """Check a tag, or print a release's notes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("check", "notes"))
    parser.add_argument("tag", help="such as v1.2.3")
    given = parser.parse_args(arguments)
    try:
        text = check(given.tag, CHANGELOG.read_text(encoding="utf-8"))
    except UserError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(text if given.what == "notes" else f"{given.tag}: version and changelog\n")


if __name__ == "__main__":
    main()
