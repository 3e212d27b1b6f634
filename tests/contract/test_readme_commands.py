"""Commands that the README shows: what is misspelt there is met in a reader's first minute."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from markdown_it import MarkdownIt

from lambda_dyno.cli.app import app

pytestmark = pytest.mark.contract

PROJECT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(str(p.relative_to(PROJECT)) for p in PROJECT.glob("docs/*.md"))]
_DYNO = re.compile(r"(?:uvx lambda-dyno|(?:\./|\.venv/bin/)?dyno)\s+(?P<rest>.+)")
_MAKE = re.compile(r"make\s+(?P<rest>.+)")
_ENDS = re.compile(r"\s+(?:&&|\|\|?|;|>|#).*")


def lines(page: str) -> list[str]:
    """Return the command lines of a page's blocks without a language."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    blocks = [
        token.content
        for token in MarkdownIt().parse(text)
        if token.type in ("fence", "code_block") and token.info.strip() in ("", "sh", "bash")
    ]
    return [
        part.strip()
        for block in blocks
        for line in block.replace("\\\n", " ").splitlines()
        for part in line.split("&&")
    ]


def commands(page: str) -> list[tuple[str, list[str]]]:
    """Return each command of `dyno` or make with its words."""
    found = []
    for line in lines(page):
        for program, pattern in (("dyno", _DYNO), ("make", _MAKE)):
            if match := pattern.match(line):
                found.append((program, shlex.split(_ENDS.sub("", match["rest"]), comments=True)))
    return found


def test_there_are_commands() -> None:
    """Or nothing would be looked at."""
    shown = {(program, words[0]) for program, words in commands("README.md")}
    assert {("make", "tune"), ("dyno", "tune"), ("dyno", "run")} <= shown


@pytest.mark.parametrize("page", PAGES)
def test_each_command_is_one(page: str) -> None:
    """With flags that it knows, values that they take, targets and variables of the Makefile."""
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    for program, words in commands(page):
        if program == "make":
            target, *given = words
            assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target
            for name, _, value in (word.partition("=") for word in given):
                assert re.search(rf"^{name} \?=", makefile, re.MULTILINE), (target, name)
                if name == "ARGS" and target == "tune":
                    known["run"].make_context("run", shlex.split(value))
            continue
        command = known[words[0]]
        rest = words[1:]
        while hasattr(command, "commands") and rest and rest[0] in command.commands:
            command, rest = command.commands[rest[0]], rest[1:]
        command.make_context(words[0], rest, resilient_parsing=False)
