"""Let the roots of a checkout ask for another AWS provider: `-m tools.with_provider VERSION`.

For CI's leg that runs one that the roots do not ask for, in a checkout that is thrown away.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lambda_dyno.terraform import provider

PROJECT = Path(__file__).resolve().parents[1]
_ROOTS = ("envs/*/main.tf", "modules/*/examples/*/main.tf")


def change(project: Path, wanted: str) -> list[Path]:
    """Let all roots and examples ask for a version, and return their files.

    Args:
        project: Folder that holds envs/ and modules/.
        wanted: A constraint, as Terraform spells it.
    """
    changed = []
    for path in sorted(path for pattern in _ROOTS for path in project.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        other = text.replace(f'version = "{provider.RANGE}"', f'version = "{wanted}"')
        if other != text:
            path.write_text(other, encoding="utf-8")
            changed.append(path)
    return changed


def main(arguments: Sequence[str] | None = None) -> None:
    """Change this checkout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help='such as "~> 6.0"')
    given = parser.parse_args(arguments)
    for path in change(PROJECT, given.version):
        sys.stdout.write(f"{path.relative_to(PROJECT)}: {given.version}\n")


if __name__ == "__main__":
    main()
