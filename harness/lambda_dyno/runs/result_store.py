"""result.json: what a run has found so far, written after every step, and read as a stranger's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.reading import MissingError, UnreadableError, read_json
from lambda_dyno.core.results import SCHEMA_VERSION, RunResult, adapter
from lambda_dyno.runs.run_folder import Lease, RunFolder

# The folder of results by record, where `dyno evidence pull` brings them.
RESULTS = "results"
_LARGEST_FIGURE = 1e15  # milliseconds: 30,000 years
# What somebody else's program said, a payload among it, as it came.
_NO_FIGURES = ("settings", "outputs", "tuning.raw")


def begun(lease: Lease, *, git_sha: str = "", links: Mapping[str, str] | None = None) -> RunResult:
    """Return the result of a run that has found nothing yet.

    Args:
        lease: The run's.
        git_sha: The commit that it measures; empty: not known.
        links: Web pages by what they are of.
    """
    return RunResult(
        run_id=lease.run_id,
        env=lease.env,
        git_sha=git_sha,
        started_at=lease.started_at,
        timings={},
        name_prefix=lease.name_prefix,
        outputs={},
        settings=lease.settings,
        endpoint=lease.endpoint,
        links=dict(links or {}),
    )


def read(folder: RunFolder) -> RunResult:
    """Return what a run has found so far; one that found nothing yet has an empty result.

    Raises:
        UserError: Its result.json cannot be read.
    """
    try:
        content = read_json(folder.result)
    except MissingError:
        return begun(folder.read_lease())
    except UnreadableError as error:
        raise UserError(f"{folder.result}: not the result of a run: {error.problem}") from error
    return parse(content, str(folder.result))


def write(folder: RunFolder, result: RunResult) -> None:
    """Write what a run has found so far; on a full disk the folder's reserve makes room.

    Raises:
        StepError: It cannot be written.
    """
    folder.write(folder.result.name, json.dumps(result.to_json(), indent=2) + "\n")


def parse(content: Any, source: str = "result.json") -> RunResult:
    """Return the run that `RunResult.to_json` wrote: `parse(run.to_json()) == run`.

    Args:
        content: The parsed content of a result.json.
        source: Where it came from, for the error message.

    Raises:
        UserError: It is not the content of a result.json of this schema version.
    """
    # Imported here: most commands make results and never read one back.
    from pydantic import ValidationError

    if not isinstance(content, Mapping):
        raise UserError(f"{source}: not the result of a run: it is {brief(repr(content))}")
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{source}: schema_version is {brief(repr(version))}, this release reads "
            f"{SCHEMA_VERSION}"
        )
    environment = content.get("environment")
    flat = {key: value for key, value in content.items() if key in RunResult.__slots__}
    flat |= dict(environment) if isinstance(environment, Mapping) else {}
    _require_figures(flat, source)
    try:
        return adapter().validate_python(flat)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{source}: {brief(key)}: {first['msg']}") from error


def _require_figures(content: Mapping[str, Any], source: str) -> None:
    """Make sure that figures can be reckoned with, and that settings are in sections.

    Raises:
        UserError: One is beyond all that is measured, or a section is none.
    """
    settings = content.get("settings")
    for section, keys in settings.items() if isinstance(settings, Mapping) else ():
        if not isinstance(keys, Mapping):
            raise UserError(
                f"{source}: settings.{brief(section)}: must be an object, not {brief(repr(keys))}"
            )
    waiting: list[tuple[str, Any]] = list(content.items())
    while waiting:
        key, value = waiting.pop()
        if key in _NO_FIGURES:
            continue
        if isinstance(value, Mapping):
            waiting += [(f"{key}.{brief(inner)}", part) for inner, part in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{key}.{index}", part) for index, part in enumerate(value)]
        elif isinstance(value, int | float) and abs(value) > _LARGEST_FIGURE:
            raise UserError(f"{source}: {key}: {brief(value)} is too large a number")
