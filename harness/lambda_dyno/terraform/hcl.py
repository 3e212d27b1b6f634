"""What the files of a Terraform module declare, read by HashiCorp's own parser.

Only what is written there is known: an expression is its text, such as "var.region".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pygohcl

from lambda_dyno.core.errors import UserError
from lambda_dyno.core.reading import read_object, read_text

_PLACE = re.compile(r"^invalid HCL: [^:]*:(\d+),[^:]*: ")
_NEXT = ", tmp.hcl:"  # the parser's name for its input, before a second mistake
_AWS = re.compile(r"^(?:registry\.terraform\.io/)?hashicorp/aws$")


@dataclass(frozen=True, slots=True)
class Module:
    """The declarations of one folder.

    Attributes:
        variables: Attributes of each variable, by name.
        outputs: Attributes of each output, by name.
        aws_providers: Each configuration of the AWS provider: its local name and its attributes.
    """

    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    aws_providers: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def files(folder: Path) -> list[Path]:
    """Return the files of a module in Terraform's order; files of editors are none."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.endswith((".tf", ".tf.json")) and not path.name.startswith((".", "#"))
    )


def read(folder: Path) -> Module:
    """Return what a module declares.

    Raises:
        UserError: A file cannot be read, or is no HCL.
    """
    contents = [_load(path) for path in files(folder)]
    local_names = _aws_names(contents)
    module = Module()
    for content in contents:
        for kind, found in (("variable", module.variables), ("output", module.outputs)):
            for name, body in _labelled(content, kind):
                found.setdefault(name, {}).update(body)  # an override file has a part
        module.aws_providers.extend(
            (name, body) for name, body in _labelled(content, "provider") if name in local_names
        )
    return module


def bodies(block: Any) -> list[dict[str, Any]]:
    """Return the bodies of a block that may be there once, several times or not at all."""
    several = block if isinstance(block, list) else [block]
    return [body for body in several if isinstance(body, dict)]


def _load(path: Path) -> dict[str, Any]:
    if path.suffix == ".json":
        return read_object(path)
    try:
        content = pygohcl.loads(read_text(path))
    except pygohcl.HCLParseError as error:
        place = _PLACE.match(str(error))
        line = f":{place[1]}" if place else ""
        said = " ".join(_PLACE.sub("", str(error)).partition(_NEXT)[0].split())
        raise UserError(f"{path}{line}: {said}") from error
    except pygohcl.HCLInternalError as error:
        raise UserError(f"{path}: cannot be read as Terraform: {error}") from error
    return content if isinstance(content, dict) else {}


def _labelled(content: Mapping[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield label and body of each block of a kind with one label."""
    for blocks in bodies(content.get(kind)):
        for label, block in blocks.items():
            for body in bodies(block):
                yield label, body


def _aws_names(contents: list[dict[str, Any]]) -> set[str]:
    """Return the local names of the AWS provider: aws, unless required_providers says another."""
    names = {"aws"}
    for content in contents:
        for terraform in bodies(content.get("terraform")):
            for required in bodies(terraform.get("required_providers")):
                for name, provider in required.items():
                    source = provider.get("source", "") if isinstance(provider, dict) else ""
                    if source and _AWS.match(str(source)):
                        names.add(name)
                    elif source:
                        names.discard(name)
    return names
