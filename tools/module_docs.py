"""Write the examples and tables of the modules' READMEs and of the docs, or check them.

`python -m tools.module_docs` writes them, `--check` only tells which are out of date. The tables
stand between two marker lines; everything around them is written by people.

The parser reads what `terraform fmt` writes: attributes of a block are indented by two spaces.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from lambda_dyno.core.errors import EXIT_STEP_FAILED, UserError
from lambda_dyno.terraform import program, provider
from tools import evidence_docs, key_docs, schema_docs, settings_docs, settings_schema

BEGIN = "<!-- tables: begin (make docs) -->"
END = "<!-- tables: end -->"
KEYS_BEGIN = "<!-- keys: begin (make docs) -->"
KEYS_END = "<!-- keys: end -->"
EXAMPLE_BEGIN = "<!-- example: begin (make docs) -->"
EXAMPLE_END = "<!-- example: end -->"

_BLOCK = re.compile(
    r'^(?P<kind>variable|output) "(?P<name>[^"]+)" \{\n(?P<body>.*?)^\}$', re.S | re.M
)
_ATTRIBUTE = re.compile(
    r"^  (?P<name>[a-z_]+) += (?P<value>.*?)(?=\n  [^ \n})\]]|\n\n|\Z)", re.S | re.M
)
_RESOURCE = re.compile(r'^resource "(\w+)" "(\w+)"', re.M)
_CALL = re.compile(r'^module "(\w+)" \{\n  source = "([^"]+)"', re.M)
_NO_ESCAPE = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True)
class Block:
    """A variable or an output.

    Attributes:
        kind: "variable" or "output".
        name: Its name.
        attributes: Text of its attributes as in the file, by name.
    """

    kind: str
    name: str
    attributes: dict[str, str]

    @property
    def description(self) -> str:
        """The description without its quotes."""
        return _NO_ESCAPE.sub(r"\1", self.attributes.get("description", '""')[1:-1])


def read_blocks(folder: Path) -> list[Block]:
    """Return the variables and outputs of a module, in the order of the files."""
    blocks = []
    for path in (folder / "variables.tf", folder / "outputs.tf"):
        for match in _BLOCK.finditer(path.read_text()):
            attributes = {
                attribute["name"]: attribute["value"].strip()
                for attribute in _ATTRIBUTE.finditer(match["body"])
            }
            blocks.append(Block(match["kind"], match["name"], attributes))
    return blocks


def requirements(folder: Path) -> str:
    """Return the Markdown table of what a module needs, from its versions.tf."""
    text = (folder / "versions.tf").read_text()
    (terraform,) = re.findall(r'required_version = "([^"]+)"', text)
    (aws,) = re.findall(r'version = "([^"]+)"', text.partition("required_providers")[2])
    lines = ["## Requirements", "", "| name | versions | tried |", "|---|---|---|"]
    lines.append(f"| terraform | `{terraform}` | {program.PINNED} |")
    lines.append(
        f"| hashicorp/aws | `{aws}` | {provider.TRIED}; pin `{provider.RANGE}` in your root |"
    )
    return "\n".join(lines)


def resources(folder: Path) -> str:
    """Return the Markdown table of the resources and modules that a module consists of."""
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.tf")))
    rows = [f"| `{kind}.{name}` | resource |" for kind, name in _RESOURCE.findall(text)]
    rows += [f"| [`module.{name}`]({source}) | module |" for name, source in _CALL.findall(text)]
    return "\n".join(["## Resources", "", "| name | kind |", "|---|---|", *sorted(rows)])


def example(folder: Path) -> str:
    """Return a module's basic example in Markdown, as a root beside `modules/` would have it."""
    text = (folder / "examples" / "basic" / "main.tf").read_text()
    text = re.sub(r"^terraform \{\n.*?^\}\n\n", "", text, flags=re.S | re.M)
    shown = text.replace('source = "../.."', f'source = "./modules/{folder.name}"')
    return (
        f"```hcl\n{shown}```\n\n"
        "[examples](examples) has it ready for `terraform init && terraform plan`."
    )


def tables(blocks: list[Block]) -> str:
    """Return the Markdown tables of a module's inputs and outputs."""
    lines = ["## Inputs", "", "| name | description | type | default |", "|---|---|---|---|"]
    for block in blocks:
        if block.kind == "variable":
            kind = _code(block.attributes["type"])
            default = block.attributes.get("default")
            shown = _code(default) if default else "required"
            lines.append(f"| `{block.name}` | {_cell(block.description)} | {kind} | {shown} |")
    lines += ["", "## Outputs", "", "| name | description |", "|---|---|"]
    for block in blocks:
        if block.kind == "output":
            lines.append(f"| `{block.name}` | {_cell(block.description)} |")
    return "\n".join(lines)


def render(readme: str, text: str, begin: str = BEGIN, end: str = END) -> str:
    """Return a README with a text between two of its lines.

    Raises:
        ValueError: The lines are missing.
    """
    head, found, rest = readme.partition(begin)
    _, end_found, tail = rest.partition(end)
    if not (found and end_found):
        raise ValueError(f"needs the two lines {begin} and {end}")
    return f"{head}{begin}\n\n{text}\n\n{end}{tail}"


def update(modules: Path, *, check: bool) -> list[Path]:
    """Write the tables of all modules.

    Args:
        modules: Folder of the modules.
        check: Only look.

    Returns:
        The READMEs that were, or with `check` are, out of date.

    Raises:
        UserError: A README is missing or has no markers.
    """
    stale, problems = [], []
    for folder in sorted(path.parent for path in modules.glob("*/variables.tf")):
        readme = folder / "README.md"
        try:
            before = readme.read_text()
            parts = (requirements(folder), resources(folder), tables(read_blocks(folder)))
            after = render(before, "\n\n".join(parts))
            after = render(after, example(folder), EXAMPLE_BEGIN, EXAMPLE_END)
            if folder.name == "power_tuner":
                after = render(after, key_docs.table(), KEYS_BEGIN, KEYS_END)
        except (OSError, ValueError) as error:
            problems.append(f"{readme}: {error}")
            continue
        if before != after:
            stale.append(readme)
            if not check:
                readme.write_text(after)
    if problems:
        raise UserError("\n".join(problems))
    return stale


def update_history(page: Path, *, check: bool) -> list[Path]:
    """Write the tables of the history's schema, as `update` does those of the modules."""
    return _update(page, schema_docs.tables(), schema_docs.BEGIN, schema_docs.END, check=check)


def update_evidence(page: Path, columns: Path, *, check: bool) -> list[Path]:
    """Write what other engines have of the history's schema: Glue's columns, Snowflake's tables.

    Args:
        page: Docs with Snowflake's.
        columns: File with Glue's, of modules/evidence_queries.
        check: Only look.
    """
    begin, end = evidence_docs.BEGIN, evidence_docs.END
    stale = _update(page, evidence_docs.snowflake(), begin, end, check=check)
    made = evidence_docs.columns_json()
    if not columns.exists() or columns.read_text() != made:
        stale.append(columns)
        if not check:
            columns.write_text(made)
    return stale


def update_settings(page: Path, schema: Path, *, check: bool) -> list[Path]:
    """Write the tables of all settings, and their JSON Schema.

    Args:
        page: Docs with the tables.
        schema: File with the schema, which the package has.
        check: Only look.
    """
    begin, end = settings_docs.BEGIN, settings_docs.END
    stale = _update(page, settings_docs.tables(), begin, end, check=check)
    made = settings_schema.text()
    if not schema.exists() or schema.read_text() != made:
        stale.append(schema)
        if not check:
            schema.write_text(made)
    return stale


def _update(page: Path, tables: str, begin: str, end: str, *, check: bool) -> list[Path]:
    before = page.read_text()
    after = render(before, tables, begin, end)
    if before == after:
        return []
    if not check:
        page.write_text(after)
    return [page]


def _code(text: str) -> str:
    """Return code on one line, however it was broken."""
    flat = re.sub(r",(?=\})", "", re.sub(r"\s*\n\s*", ", ", text))
    flat = flat.replace("({, ", "({ ").replace("{, ", "{ ").replace(", })", " })")
    return f"`{_cell(re.sub(r' +', ' ', flat))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if stale")
    arguments = parser.parse_args()
    try:
        stale = update(Path("modules"), check=arguments.check)
        stale += update_history(Path("docs/history.md"), check=arguments.check)
        stale += update_evidence(
            Path("docs/evidence-queries.md"),
            Path("modules/evidence_queries/columns.json"),
            check=arguments.check,
        )
        stale += update_settings(
            Path("docs/settings.md"),
            Path("harness/lambda_dyno/schemas/dyno.schema.json"),
            check=arguments.check,
        )
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    for readme in stale:
        print(f"{readme} {'is out of date: run make docs' if arguments.check else 'written'}")
    if stale and arguments.check:
        sys.exit(EXIT_STEP_FAILED)


if __name__ == "__main__":
    main()
