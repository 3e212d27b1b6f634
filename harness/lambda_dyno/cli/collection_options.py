"""The flags that say what tests ask; their letters are those of Postman's own command line.

A file that a flag names is relative to the working folder; one in dyno.toml to that file's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lambda_dyno.core.errors import UserError, brief

_SEVERAL = "may be given several times: scenarios"

CollectionOption = Annotated[
    list[Path] | None,
    typer.Option("--collection", metavar="FILE", help=f"Postman collection; {_SEVERAL}."),
]
SmokeCollectionOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--smoke-collection",
        metavar="FILE",
        help="Postman collection of the smoke test; may be given several times, one after the "
        "other.",
    ),
]
LoadCollectionOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--load-collection",
        metavar="FILE",
        help=f"Postman collection of the load test; {_SEVERAL} of equal weight.",
    ),
]
FolderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--folder",
        metavar="NAME",
        help=f"Folder or request of the collection (of the load test's); {_SEVERAL}.",
    ),
]
PostmanEnvironmentOption = Annotated[
    Path | None,
    typer.Option("--postman-environment", "-e", metavar="FILE", help="Postman environment."),
]
PostmanGlobalsOption = Annotated[
    Path | None, typer.Option("--postman-globals", "-g", metavar="FILE", help="Postman globals.")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", "-d", metavar="FILE", help="Rows of iterations, JSON or CSV."),
]


def collection_overrides(
    section: str,
    collections: Sequence[Path] | None,
    folders: Sequence[str] | None,
    environment: Path | None,
    globals_file: Path | None,
    data: Path | None,
) -> dict[str, Any]:
    """Return the settings that the flags stand for, by "section.key".

    Args:
        section: "smoke" or "load".
        collections: Files; several are scenarios.
        folders: Of the one collection; each is a scenario.
        environment: Of Postman.
        globals_file: Of Postman.
        data: Rows of iterations.

    Raises:
        UserError: There are folders of several collections, or a flag is empty.
    """
    if collections and folders and len(collections) > 1:
        raise UserError("--folder: of one collection; name scenarios of several in dyno.toml")
    empty = next((folder for folder in folders or () if not folder.strip()), None)
    if empty is not None:
        raise UserError(f"--folder {brief(repr(empty))}: must be the name of a folder or a request")
    files = [_text(path) for path in collections or ()]
    named: dict[str, Any] = {
        "environment": environment and _text(environment),
        "globals": globals_file and _text(globals_file),
        "data": data and _text(data),
    }
    if files:
        named["collection"] = files[0]
    if folders:
        named["scenarios"] = [{"folder": folder} for folder in folders]
    elif files:
        named["scenarios"] = [{"collection": file} for file in files] if len(files) > 1 else []
    return {f"{section}.{name}": value for name, value in named.items() if value is not None}


def _text(path: Path) -> str:
    return str(path.absolute())
