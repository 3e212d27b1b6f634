"""Where a file says how much memory a function gets: the same question for four tools.

CloudFormation and SAM templates, serverless.yml of the Serverless Framework, cdk.json of the CDK,
and *.tfvars.json of Terraform. Pure: from a file's text to a `Place`, and to the text with another
size. What is ambiguous is refused, and said how to name it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import yaml

from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.declared.document import Document, Path, nodes, number, spelled, text_of

Tool = Literal["CloudFormation", "Serverless Framework", "CDK", "Terraform"]

_FUNCTIONS = ("AWS::Serverless::Function", "AWS::Lambda::Function")
_OF_LAMBDA_MB = 128  # https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
_OF_SERVERLESS_MB = 1024  # https://www.serverless.com/framework/docs/providers/aws/guide/functions
_MOST_SHOWN = 8
_SUBSTITUTION = re.compile(r"\$\{[^}]*\}")
_OF_SELF = re.compile(r"\$\{self:([\w.-]+)(?:\s*,\s*\d+\s*)?\}")
# Written by a tool anew each time: what is changed there is gone with the next build.
_GENERATED = ("cdk.out", ".aws-sam", ".serverless")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a function's memory size is declared.

    Attributes:
        document: The file.
        tool: Whose file it is.
        name: What the function is called there: a logical id, a key, a variable.
        path: Of the number; its last key may not be there yet.
        memory_mb: What is declared; None: nobody says.
        is_there: Whether the number stands there, or its key is to be added.
        note: What else the change means; empty: nothing.
        allowed_mb: The only sizes that may stand there; empty: any.
    """

    document: Document
    tool: Tool
    name: str
    path: Path
    memory_mb: int | None
    is_there: bool
    note: str = ""
    allowed_mb: tuple[int, ...] = ()

    def with_size(self, memory_mb: int) -> str:
        """Return the file with another memory size, and nothing else of it changed.

        Raises:
            UserError: The number cannot be changed alone, or the file allows others only.
        """
        if self.allowed_mb and memory_mb not in self.allowed_mb:
            raise UserError(
                f"{self.document.where}: {'.'.join(self.path[:-1])} allows "
                f"{', '.join(map(str, self.allowed_mb))}, and not {memory_mb}: add it there"
            )
        if self.is_there:
            return self.document.replaced(self.path, memory_mb)
        return self.document.inserted(self.path, memory_mb)


def find(text: str, file: PurePosixPath, function_name: str, resource: str) -> Place:
    """Return where a file declares the memory size of a function.

    Args:
        text: The file's.
        file: Its path, for what it is and for messages.
        function_name: The function's name in its account; empty: nobody knows it.
        resource: What it is called in the file; empty: it is found by its name.

    Raises:
        UserError: The file declares no such function, or more than one that it could be, or what it
            says is not a number that can be changed.
    """
    where = str(file)
    generated = next((part for part in file.parts if part in _GENERATED), "")
    if generated:
        raise UserError(
            f"{where}: {generated} is written anew by each build: name the file that it is made of"
        )
    if file.suffix in (".tf", ".tfvars", ".ts", ".js", ".py", ".hcl"):
        raise UserError(
            f"{where}: only JSON and YAML can be changed in one place: a template, serverless.yml, "
            "cdk.json, or a *.tfvars.json that Terraform reads beside its other files"
        )
    document = Document.parse(text, where)
    if file.name.endswith(".tfvars.json"):
        return _of_tfvars(document, resource or "memory_mb")
    if file.name == "cdk.json" or file.name == "cdk.context.json":
        return _of_cdk(document, resource)
    if document.at("Resources") is not None:
        return _of_template(document, function_name, resource)
    if document.at("service") is not None and document.at("provider") is not None:
        return _of_serverless(document, function_name, resource)
    raise UserError(
        f"{where}: neither a CloudFormation or SAM template (Resources), serverless.yml (service, "
        "provider), cdk.json nor *.tfvars.json"
    )


# --- CloudFormation and SAM -----------------------------------------------------------------


def _of_template(document: Document, function_name: str, resource: str) -> Place:
    found = {
        str(key.value): properties
        for key, body in _pairs(document.at("Resources"))
        if text_of(document.member(body, "Type")) in _FUNCTIONS
        for properties in [document.member(body, "Properties")]
        if properties is not None
    }
    name = resource or _only(
        document,
        function_name,
        [
            key
            for key, properties in found.items()
            if _is_named(document, key, properties, function_name)
        ],
        sorted(found),
    )
    if name not in found:
        raise _unknown(document, name, sorted(found))
    own: Path = ("Resources", name, "Properties", "MemorySize")
    if document.member(found[name], "MemorySize") is not None:
        return _number(document, "CloudFormation", name, own)
    shared: Path = ("Globals", "Function", "MemorySize")
    node = document.at(*shared)
    is_sam = text_of(document.at("Resources", name, "Type")) == _FUNCTIONS[0]
    if node is None or not is_sam:
        return Place(document, "CloudFormation", name, own, _OF_LAMBDA_MB, is_there=False)
    others = [
        key
        for key, properties in found.items()
        if key != name
        and text_of(document.at("Resources", key, "Type")) == _FUNCTIONS[0]
        and document.member(properties, "MemorySize") is None
    ]
    if not others:
        return _number(document, "CloudFormation", name, shared)
    note = f"{name} gets a MemorySize of its own: Globals is {', '.join(sorted(others))}'s too"
    return Place(document, "CloudFormation", name, own, number(node), is_there=False, note=note)


def _is_named(document: Document, key: str, properties: yaml.Node, name: str) -> bool:
    """Whether a resource of a template becomes a function of this name."""
    declared = document.member(properties, "FunctionName")
    if declared is None:  # STACK-LOGICALID-RANDOM, the end of a nested stack's before it
        return re.fullmatch(rf"[\w-]+-{re.escape(key)}-\w{{6,14}}", name, re.ASCII) is not None
    return _matches(_spelling(document, declared), name)


def _spelling(document: Document, declared: yaml.Node) -> str:
    """Return a name as it is written, with what is not known as ${...}."""
    if isinstance(declared, yaml.ScalarNode) and declared.tag in ("!Sub", "!Ref"):
        return declared.value if declared.tag == "!Sub" else "${}"
    inner = document.member(declared, "Fn::Sub")
    return text_of(declared) or (text_of(inner) if inner is not None else None) or "${}"


def _matches(spelled_name: str, name: str) -> bool:
    """Whether a name could be what `${...}` makes of a spelling that says something by itself."""
    literal = _SUBSTITUTION.split(spelled_name)
    if not any(re.search(r"\w", part) for part in literal):
        return False
    return re.fullmatch("[A-Za-z0-9_-]+".join(map(re.escape, literal)), name) is not None


# --- Serverless Framework -------------------------------------------------------------------


def _of_serverless(document: Document, function_name: str, resource: str) -> Place:
    functions = document.at("functions")
    if not isinstance(functions, yaml.MappingNode):
        what = "no functions in it" if functions is None else f"functions is {spelled(functions)}"
        raise UserError(f"{document.where}: {what}: name the file that declares them")
    found = {str(key.value): body for key, body in _pairs(functions)}
    service = text_of(document.at("service")) or text_of(document.at("service", "name")) or "${}"
    spelled_names = {
        key: text_of(document.member(body, "name")) or f"{service}-${{stage}}-{key}"
        for key, body in found.items()
    }
    name = resource or _only(
        document,
        function_name,
        [key for key, spelling in spelled_names.items() if _matches(spelling, function_name)],
        sorted(found),
    )
    if name not in found:
        raise _unknown(document, name, sorted(found))
    own: Path = ("functions", name, "memorySize")
    if document.member(found[name], "memorySize") is not None:
        return _number(document, "Serverless Framework", name, own)
    shared: Path = ("provider", "memorySize")
    node = document.at(*shared)
    if node is None:
        return Place(document, "Serverless Framework", name, own, _OF_SERVERLESS_MB, is_there=False)
    others = [
        key
        for key, body in found.items()
        if key != name and document.member(body, "memorySize") is None
    ]
    if not others:
        return _number(document, "Serverless Framework", name, shared)
    note = f"{name} gets a memorySize of its own: provider's is {', '.join(sorted(others))}'s too"
    return Place(
        document, "Serverless Framework", name, own, number(node), is_there=False, note=note
    )


# --- CDK and Terraform ----------------------------------------------------------------------


def _of_cdk(document: Document, key: str) -> Place:
    prefix: Path = () if document.where.endswith("cdk.context.json") else ("context",)
    if not key:
        raise UserError(
            f"{document.where}: say with --resource which key of the context your app reads the "
            'size from, as in this.node.tryGetContext("ordersMemoryMb")'
        )
    # keys of the CDK's own have dots in them, so the whole one comes first
    paths: list[Path] = [(*prefix, key), (*prefix, *key.split("."))]
    for path in paths:
        if document.at(*path) is not None:
            return _number(document, "CDK", key, path)
    inside = ".".join(prefix) or "the file"
    raise UserError(
        f"{document.where}: {inside} has no {brief(key)}. Put it there with the present size, and "
        "let your app read it"
    )


def _of_tfvars(document: Document, variable: str) -> Place:
    path: Path = tuple(variable.split("."))
    if document.at(*path) is not None:
        return _number(document, "Terraform", variable, path)
    if len(path) > 1 and document.at(*path[:-1]) is None:
        raise UserError(f"{document.where}: there is no {'.'.join(path[:-1])} in it")
    return Place(document, "Terraform", variable, path, None, is_there=False)


# --- what they share ------------------------------------------------------------------------


def _number(document: Document, tool: Tool, name: str, path: Path) -> Place:
    """Return the place of a number, or of the one that what stands there refers to.

    Raises:
        UserError: It is something else, or others refer to it, too.
    """
    node, around = document.at(*path), document.at(*path[:-1])
    assert node is not None
    assert around is not None
    if (found := number(node)) is not None:
        # what comes from an anchor (<<) is others', too: the function gets a number of its own
        own = document.has_own(around, path[-1])
        return Place(document, tool, name, path, found, is_there=own)
    target, users = _referred(document, tool, node)
    shown = f"{document.where}:{document.line(node)}: {'.'.join(path)} is {spelled(node)}"
    if target is None:
        raise UserError(f"{shown}, no number: change by hand what it stands for")
    if users > 1:
        raise UserError(
            f"{shown}, which {users - 1} more refer to: give {name} a number of its own"
        )
    value = document.at(*target)
    if (found := number(value)) is None:
        why = "has no number" if value is not None else "is not there"
        raise UserError(f"{shown}, and {'.'.join(target)} {why}: change by hand what it stands for")
    note = (
        f"{'.'.join(target)}: a value that is given at deployment goes before it"
        if tool == "CloudFormation"
        else ""
    )
    allowed = _allowed(document, target) if tool == "CloudFormation" else ()
    return Place(document, tool, name, target, found, True, note, allowed)


def _allowed(document: Document, default: Path) -> tuple[int, ...]:
    """Return the values that a template's parameter may have; none: any."""
    listed = document.at(*default[:-1], "AllowedValues")
    values = listed.value if isinstance(listed, yaml.SequenceNode) else []
    return tuple(found for value in values if (found := number(value)) is not None)


def _referred(document: Document, tool: Tool, node: yaml.Node) -> tuple[Path | None, int]:
    """Return the path that a value refers to, and how many values refer to it; None: nowhere."""
    if tool == "CloudFormation":
        name = _ref(document, node)
        if name is None:
            return None, 0
        users = sum(_uses(document, one, name) for one in nodes(document.root))
        return ("Parameters", name, "Default"), users
    text = text_of(node) or ""
    match = _OF_SELF.fullmatch(text) if tool == "Serverless Framework" else None
    if match is None:
        return None, 0
    pattern = re.compile(rf"\$\{{self:{re.escape(match[1])}(?![\w.-])")
    users = sum(len(pattern.findall(one.value)) for one in _scalars(document.root))
    return tuple(match[1].split(".")), users


def _ref(document: Document, node: yaml.Node) -> str | None:
    """Return the parameter that a value is."""
    if isinstance(node, yaml.ScalarNode):
        return str(node.value) if node.tag == "!Ref" else None
    inner = document.member(node, "Ref")
    return text_of(inner) if inner is not None else None


def _uses(document: Document, node: yaml.Node, parameter: str) -> bool:
    if _ref(document, node) == parameter:
        return True
    return isinstance(node, yaml.ScalarNode) and f"${{{parameter}}}" in node.value


def _scalars(root: yaml.Node) -> Iterator[yaml.ScalarNode]:
    return (one for one in nodes(root) if isinstance(one, yaml.ScalarNode))


def _pairs(node: yaml.Node | None) -> Sequence[tuple[yaml.Node, yaml.Node]]:
    return node.value if isinstance(node, yaml.MappingNode) else ()


def _only(document: Document, function_name: str, matching: list[str], known: list[str]) -> str:
    """Return the one that matches.

    Raises:
        UserError: None does, or several do.
    """
    if len(matching) == 1:
        return matching[0]
    listed = _listed(matching or known)
    if not matching:
        raise UserError(
            f"{document.where}: no function in it is surely {brief(function_name)}: say with "
            f"--resource which one it is: {listed}"
        )
    raise UserError(
        f"{document.where}: {brief(function_name)} could be {listed}: say with --resource which"
    )


def _unknown(document: Document, name: str, known: list[str]) -> UserError:
    return UserError(
        f"{document.where}: --resource {brief(name)}: no function of that name; there is "
        f"{_listed(known)}"
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(brief(name) for name in names[:_MOST_SHOWN])
    more = len(names) - _MOST_SHOWN
    return f"{shown or 'none'}{f' and {more} more' if more > 0 else ''}"
