"""A YAML or JSON file of which one value changes, and nothing else: no comment, quote or space.

A parser finds where the value stands; the text around it is never written anew. Every change is
read back and held against what the file said before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.reading import parse_json

_MERGE = "<<"
_INTEGER = re.compile(r"[1-9][0-9]{0,8}")
_MOST_NODES = 200_000

Path = tuple[str, ...]


class TooManyError(UserError):
    """Anchors in anchors: a few lines that say billions of values."""

    def __init__(self) -> None:
        super().__init__(f"more than {_MOST_NODES:,} values: anchors in anchors")


@dataclass(frozen=True)
class Document:
    """A file's text and what it says.

    Attributes:
        text: The file's, as it is.
        where: What it is called in messages.
        root: What a YAML parser made of it.
    """

    text: str
    where: str
    root: yaml.MappingNode

    @classmethod
    def parse(cls, text: str, where: str) -> Document:
        """Read a file; JSON by its name, else YAML.

        Raises:
            UserError: It is not what its name says, or no mapping.
        """
        read = text
        if where.endswith(".json"):
            parse_json(text, where)
            # between values: within one JSON has it as \t, and YAML indents with none
            read = text.replace("\t", " ")
        try:
            root = yaml.compose(read, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            raise UserError(f"{where}: not YAML: {_problem(error)}") from error
        except RecursionError as error:
            raise UserError(f"{where}: not YAML that can be used: too many levels") from error
        if not isinstance(root, yaml.MappingNode):
            raise UserError(f"{where}: must be a mapping, as templates and settings are")
        return cls(text, where, root)

    def at(self, *path: str) -> yaml.Node | None:
        """Return what stands at a path of keys; None: nothing does.

        Raises:
            UserError: A key on the way is there twice.
        """
        node: yaml.Node | None = self.root
        for key in path:
            if not isinstance(node, yaml.MappingNode):
                return None
            node = self.member(node, key)
        return node

    def member(self, node: yaml.Node, key: str) -> yaml.Node | None:
        """Return the value of a mapping's key, from what it merges (`<<`) too; None: no such key.

        Raises:
            UserError: The key is there twice.
        """
        if not isinstance(node, yaml.MappingNode):
            return None
        own = [value for name, value in node.value if name.value == key]
        if len(own) > 1:
            raise UserError(f"{self.where}:{_line(own[1])}: {brief(key)} is there twice")
        if own:
            return own[0]  # type: ignore[no-any-return]
        for name, value in node.value:
            if name.value == _MERGE:
                for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    found = self.member(merged, key)
                    if found is not None:
                        return found
        return None

    def has_own(self, node: yaml.Node, key: str) -> bool:
        """Whether a mapping itself has a key, whatever it merges."""
        return isinstance(node, yaml.MappingNode) and any(k.value == key for k, _ in node.value)

    def line(self, node: yaml.Node) -> int:
        """Return the line that something begins on, from 1."""
        return _line(node)

    def replaced(self, path: Path, value: int) -> str:
        """Return the text with another number at a path, in the quotes that it has.

        Raises:
            UserError: More than that would change: the value is shared by an anchor.
        """
        node = self.at(*path)
        assert isinstance(node, yaml.ScalarNode)
        start, end = node.start_mark.index, node.end_mark.index
        quote = self.text[start] if self.text[start] in "'\"" else ""
        changed = f"{self.text[:start]}{quote}{value}{quote}{self.text[end:]}"
        return self._proven(changed, path, value)

    def inserted(self, path: Path, value: int) -> str:
        """Return the text with a new first key in the mapping that the path's last key is for.

        Raises:
            UserError: There is no such mapping, it is empty, or more would change.
        """
        *above, key = path
        mapping = self.at(*above)
        if not isinstance(mapping, yaml.MappingNode) or not mapping.value:
            name = ".".join(above)
            raise UserError(f"{self.where}: {name} has nothing in it: write {key}: {value} there")
        first = mapping.value[0][0]
        start = first.start_mark.index
        if mapping.flow_style:
            opening = mapping.start_mark.index + 1
            space = self.text[opening:start]
            name = f'"{key}"' if self.text[start] == '"' else key
            new = f"{name}: {value},{space or ' '}"
        else:
            begin = self.text.rfind("\n", 0, start) + 1
            if self.text[begin:start].strip():
                raise UserError(
                    f"{self.where}:{_line(first)}: write {key}: {value} there by hand: the "
                    "mapping begins within a line"
                )
            ending = "\r\n" if "\r\n" in self.text else "\n"
            new = f"{key}: {value}{ending}{self.text[begin:start]}"
        return self._proven(f"{self.text[:start]}{new}{self.text[start:]}", path, value)

    def _proven(self, changed: str, path: Path, value: int) -> str:
        """Return a changed text that says the same as before but for one number."""
        after = Document.parse(changed, self.where)
        try:
            before, now = dict(_said(self.root)), dict(_said(after.root))
        except TooManyError as error:
            raise UserError(f"{self.where}: {error}") from error
        before.pop(path, None)
        said = now.pop(path, None)
        if said is None or str(said[1]) != str(value) or before != now:
            raise UserError(
                f"{self.where}: {'.'.join(path)} cannot be changed alone: an anchor (&) shares it "
                "with others. Write it there by hand"
            )
        return changed


def number(node: yaml.Node | None) -> int | None:
    """Return the whole number that a scalar is, quoted or not; None: it is something else."""
    if not isinstance(node, yaml.ScalarNode) or node.tag.startswith("!"):
        return None
    return int(node.value) if _INTEGER.fullmatch(node.value) else None


def text_of(node: yaml.Node | None) -> str | None:
    """Return the text that a scalar without a tag is; None: it is something else."""
    if not isinstance(node, yaml.ScalarNode) or node.tag.startswith("!"):
        return None
    return str(node.value)


def spelled(node: yaml.Node) -> str:
    """Return how a value is written, in a few words."""
    if isinstance(node, yaml.ScalarNode):
        tag = f"{node.tag} " if node.tag.startswith("!") else ""
        return brief(f"{tag}{node.value}")
    return f"{node.tag} ..." if node.tag.startswith("!") else "a mapping or a list"


def nodes(node: yaml.Node) -> Iterator[yaml.Node]:
    """Yield a node and all below it, one that an anchor shares as often as it is used.

    Raises:
        TooManyError: There is no end to it.
    """
    waiting, count = [node], 0
    while waiting:
        one = waiting.pop()
        count += 1
        if count > _MOST_NODES:
            raise TooManyError
        yield one
        if isinstance(one, yaml.MappingNode):
            waiting += [part for pair in one.value for part in pair]
        elif isinstance(one, yaml.SequenceNode):
            waiting += one.value


def _said(root: yaml.Node) -> Iterator[tuple[Path, tuple[str, Any]]]:
    """Yield tag and value of each scalar by its path; of an empty mapping or list, too."""
    waiting: list[tuple[Path, yaml.Node]] = [((), root)]
    count = 0
    while waiting:
        path, node = waiting.pop()
        count += 1
        if count > _MOST_NODES:
            raise TooManyError
        if isinstance(node, yaml.ScalarNode):
            yield path, (node.tag, node.value)
        elif isinstance(node, yaml.MappingNode):
            yield (*path, "{}"), (node.tag, None)
            waiting += [((*path, str(key.value)), value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            yield (*path, "[]"), (node.tag, len(node.value))
            waiting += [((*path, str(index)), value) for index, value in enumerate(node.value)]


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error)
    where = f"line {mark.line + 1}: " if mark is not None else ""
    return brief(f"{where}{' '.join(str(what).split())}", most=200)
