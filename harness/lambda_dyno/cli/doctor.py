"""`dyno doctor`: what is there, what is missing, and how to get it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lambda_dyno.cli.support import JsonOption, RegionOption, project, show
from lambda_dyno.core.errors import EXIT_USER_ERROR, UserError

if TYPE_CHECKING:
    from lambda_dyno.core.config import Env
    from lambda_dyno.deploy.findings import Finding

HELP = """
Say what is there, what is missing, and how to get it.

Looks at programs (Node.js, Terraform or OpenTofu, git), at what is fetched once, and, if there \
are credentials, at the account: region, quotas, state bucket. With --env also at what that \
environment needs: its account or none, its bucket, the roles and variables of GitHub's workflows. \
Nothing is changed, made or downloaded, and no credentials are no error. With --fetch, what is \
fetched once is fetched now: for images and caches of CI.

Exit status: 0 nothing is missing, 2 something is.

Examples:

\b
  dyno doctor
  AWS_PROFILE=dev dyno doctor --env dev
  dyno doctor --json
  dyno doctor --fetch
"""

_MARKS = {"ok": "✓", "missing": "✗", "optional": "–", "unknown": "?"}


def doctor(
    env: Annotated[
        str | None, typer.Option("--env", help="Environment: a folder of envs/.")
    ] = None,
    region: RegionOption = None,
    fetch: Annotated[
        bool,
        typer.Option("--fetch", help="First fetch Terraform, the load driver, the embedded AWS."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Replaced by `HELP`."""
    from lambda_dyno.deploy import doctor_account, doctor_machine
    from lambda_dyno.deploy.findings import all_there

    folder = _folder(env)
    chosen = _chosen(folder, env)
    if fetch:
        doctor_machine.fetch(folder)
    found = [
        *doctor_machine.findings(folder),
        *doctor_account.findings(chosen, region or "", folder),
    ]
    good = all_there(found)
    value = {"ok": good, "findings": [finding.to_json() for finding in found]}
    show(as_json, value, lambda: _print(found))
    if not good:
        raise typer.Exit(EXIT_USER_ERROR)


def _folder(env: str | None) -> Path:
    """Return the project's folder; outside of any, the working folder.

    Raises:
        UserError: An environment is named, and there is no project.
    """
    try:
        return project()
    except UserError:
        if env is not None:
            raise
        return Path.cwd()


def _chosen(folder: Path, env: str | None) -> Env | None:
    from lambda_dyno.core.config import load_env

    return None if env is None else load_env(folder, env)


def _print(found: Sequence[Finding]) -> None:
    """Print a line for each; on a terminal its text has a column of its own."""
    from rich.console import Console

    from lambda_dyno.core.errors import printable
    from lambda_dyno.report.streams import paragraph

    out = Console(highlight=False)
    width = max(len(finding.name) for finding in found)
    for finding in found:
        start = f"{_MARKS[finding.state]} {finding.name:<{width}}  "
        for number, text in enumerate(_texts(finding)):
            shown = paragraph(printable(text, "\n"), out, indent=len(start))
            begin = start if number == 0 else " " * len(start)
            out.print(f"{begin}{shown}", markup=False, soft_wrap=True)


def _texts(finding: Finding) -> Iterator[str]:
    yield finding.text
    if finding.fix:
        yield f"→ {finding.fix}"
