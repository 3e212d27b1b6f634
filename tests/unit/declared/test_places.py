"""Where four tools' files declare a memory size, and that nothing else of them changes."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.declared import places

SAM = """\
# of the shop
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.13, MemorySize: 256}   # for all
Parameters:
  Size:
    Type: Number
    Default: 512
    AllowedValues: [512, 1024]
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      Handler: 'app.handler'   # quoted
      MemorySize: 128  # the first day's
      Role: !GetAtt Role.Arn
  Stock:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${AWS::StackName}-stock"
      Handler: app.handler
  Prices:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: prices
      MemorySize: "128"
  Sized:
    Type: AWS::Lambda::Function
    Properties: {FunctionName: sized, MemorySize: !Ref Size}
  Listed:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: listed, Handler: app.handler}
  Table:
    Type: AWS::DynamoDB::Table
"""
SERVERLESS = """\
service: shop
provider:
  name: aws
  memorySize: 512
custom:
  small: 128
  defaults: &defaults
    memorySize: 192
    timeout: 3
functions:
  orders:
    handler: a.b
    memorySize: ${self:custom.small}
  stock: {handler: a.c}
  report:
    name: monthly-report
    handler: a.d
  merged:
    <<: *defaults
    handler: a.e
"""
CDK = """\
{
\t"app": "node app.js",
\t"context": {"orders": {"memoryMb": 128}, "@aws-cdk/core:x.y": true, "stock": 256}
}
"""


def changed(
    text: str, file: str, function: str = "", resource: str = "", size: int = 512
) -> tuple[places.Place, list[str]]:
    """Return the place, and the lines that differ."""
    place = places.find(text, PurePosixPath(file), function, resource)
    after = place.with_size(size)
    before_lines, after_lines = text.splitlines(), after.splitlines()
    if len(before_lines) == len(after_lines):
        pairs = zip(before_lines, after_lines, strict=True)
        return place, [b for a, b in pairs if a != b]
    return place, [line for line in after_lines if line not in before_lines]


@pytest.mark.parametrize(
    ("function", "resource", "memory_mb", "lines"),
    [
        (
            "shop-Orders-1A2B3C4D5E6F",
            "",
            128,
            ["      MemorySize: 512  # the first day's"],
        ),
        ("prices", "", 128, ['      MemorySize: "512"']),
        ("anything", "Orders", 128, ["      MemorySize: 512  # the first day's"]),
        ("shop-stock", "", 256, ["      MemorySize: 512"]),
        (
            "listed",
            "",
            256,
            ["    Properties: {MemorySize: 512, FunctionName: listed, Handler: app.handler}"],
        ),
        ("sized", "", 512, ["    Default: 1024"]),
    ],
)
def test_a_template(function: str, resource: str, memory_mb: int, lines: list[str]) -> None:
    """By the function's name, or by what it is called; quotes, comments and spaces stay."""
    size = 1024 if function == "sized" else 512
    place, found = changed(SAM, "template.yaml", function, resource, size)
    assert (place.memory_mb, found) == (memory_mb, lines)


def test_globals_are_changed_where_one_function_takes_its_size_from_them() -> None:
    """Else the function gets a size of its own: the others were not measured."""
    alone = SAM.replace("  Listed:\n    Type: AWS::Serverless::Function", "  Listed:\n    Type: X")
    place, lines = changed(alone, "template.yaml", resource="Stock")
    assert place.path == ("Globals", "Function", "MemorySize")
    assert lines == ["  Function: {Runtime: python3.13, MemorySize: 512}   # for all"]
    place, _ = changed(SAM, "template.yaml", resource="Stock")
    assert "Globals is Listed's too" in place.note


@pytest.mark.parametrize(
    ("function", "memory_mb", "lines"),
    [
        ("shop-dev-orders", 128, ["  small: 512"]),
        ("shop-dev-stock", 512, ["  stock: {memorySize: 1024, handler: a.c}"]),
        ("monthly-report", 512, ["    memorySize: 1024"]),
        ("shop-prod-merged", 192, ["    memorySize: 1024"]),
    ],
)
def test_serverless(function: str, memory_mb: int, lines: list[str]) -> None:
    """A number that others share through an anchor is theirs: the function gets its own."""
    size = 512 if function == "shop-dev-orders" else 1024
    place, found = changed(SERVERLESS, "serverless.yml", function, size=size)
    assert (place.memory_mb, found) == (memory_mb, lines)


def test_the_provider_is_changed_where_one_function_takes_its_size_from_it() -> None:
    """Without any size the Framework's own default holds."""
    one = "service: shop\nprovider: {name: aws, memorySize: 512}\nfunctions:\n  a: {handler: x.y}\n"
    place, lines = changed(one, "serverless.yml", "shop-dev-a", size=256)
    assert lines == ["provider: {name: aws, memorySize: 256}"]
    none = one.replace(", memorySize: 512", "")
    place, lines = changed(none, "serverless.yml", "shop-dev-a", size=256)
    assert (place.memory_mb, lines) == (1024, ["  a: {memorySize: 256, handler: x.y}"])


@pytest.mark.parametrize(
    ("text", "file", "resource", "line"),
    [
        (
            CDK,
            "cdk.json",
            "orders.memoryMb",
            '\t"context": {"orders": {"memoryMb": 512}, "@aws-cdk/core:x.y": true, "stock": 256}',
        ),
        (
            CDK,
            "cdk.json",
            "stock",
            '\t"context": {"orders": {"memoryMb": 128}, "@aws-cdk/core:x.y": true, "stock": 512}',
        ),
        ('{\n  "memory_mb": 128\n}\n', "dev.auto.tfvars.json", "", '  "memory_mb": 512'),
        ('{\n  "stage": "dev"\n}\n', "a.tfvars.json", "", '  "memory_mb": 512,'),
        ('{"memory": {"a": 128}}', "a.tfvars.json", "memory.a", '{"memory": {"a": 512}}'),
        ('\ufeff{"memory_mb": 128}\r\n', "a.tfvars.json", "", '\ufeff{"memory_mb": 512}'),
    ],
)
def test_json(text: str, file: str, resource: str, line: str) -> None:
    """Tabs, marks of the encoding and line ends of Windows stay."""
    _, lines = changed(text, file, "", resource)
    assert lines == [line]
    assert ("\r\n" in text) == (
        "\r\n" in places.find(text, PurePosixPath(file), "", resource).with_size(512)
    )


@pytest.mark.parametrize(
    ("text", "file", "function", "resource", "why"),
    [
        (SAM, "t.yaml", "elsewhere", "", "no function in it is surely elsewhere: say with --res"),
        (SAM, "t.yaml", "", "Table", "--resource Table: no function of that name; there is Listed"),
        (SAM, "cdk.out/t.yaml", "prices", "", "cdk.out is written anew by each build"),
        (SAM, "main.tf", "prices", "", "only JSON and YAML can be changed"),
        (SAM + "x: [", "t.yaml", "prices", "", "not YAML: line"),
        ("a: 1\n", "t.yaml", "a", "", "neither a CloudFormation or SAM template"),
        ("- a\n", "t.yaml", "a", "", "must be a mapping"),
        ("{,}", "a.tfvars.json", "a", "", "not JSON"),
        (
            SAM.replace("Size: 128", "Size: !If [A, 1, 2]"),
            "t.yaml",
            "",
            "Orders",
            "is !If ..., no n",
        ),
        (
            SAM.replace("Size: 128", "Size: !Ref Size"),
            "t.yaml",
            "",
            "Orders",
            "which 1 more refer to: give Orders a number of its own",
        ),
        (
            SAM.replace("    Default: 512\n", ""),
            "t.yaml",
            "sized",
            "",
            "Parameters.Size.Default is not there",
        ),
        (
            SAM.replace("MemorySize: 128", "MemorySize: 128\n      MemorySize: 256"),
            "t.yaml",
            "",
            "Orders",
            "t.yaml:16: MemorySize is there twice",
        ),
        (
            SERVERLESS.replace("custom.small", "custom.nothing"),
            "serverless.yml",
            "shop-dev-orders",
            "",
            "custom.nothing is not there",
        ),
        (
            SERVERLESS.replace("${self:custom.small}", "${env:MEMORY}"),
            "serverless.yml",
            "shop-dev-orders",
            "",
            "is ${env:MEMORY}, no number",
        ),
        (CDK, "cdk.json", "orders", "", "say with --resource which key of the context"),
        (CDK, "cdk.json", "", "nothing", "context has no nothing"),
        (CDK, "cdk.json", "", "orders", "context.orders is a mapping or a list, no number"),
        ("{}", "a.tfvars.json", "", "", "has nothing in it"),
        ('{"a": 1}', "a.tfvars.json", "", "memory.a", "there is no memory in it"),
        (SAM, "t.yaml", "sized", "", "Parameters.Size allows 512, 1024, and not 640"),
    ],
)
def test_what_is_ambiguous_is_refused_in_a_line(
    text: str, file: str, function: str, resource: str, why: str
) -> None:
    """With the file, and what to do."""
    with pytest.raises(UserError) as refused:
        places.find(text, PurePosixPath(file), function, resource).with_size(640)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    assert file in str(refused.value)


def test_what_could_be_two_functions_is_refused() -> None:
    """A name that CloudFormation made may end in either."""
    text = (
        "Resources:\n"
        "  A: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub 'x-${S}'}}\n"
        "  B: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub '${S}-y'}}\n"
    )
    with pytest.raises(UserError, match="x-y could be A, B: say with --resource which"):
        places.find(text, PurePosixPath("t.yaml"), "x-y", "")


def test_a_file_without_end_is_refused() -> None:
    """Anchors in anchors: a few lines that say billions of values."""
    lines = [
        "Resources: {A: {Type: AWS::Lambda::Function, Properties: {MemorySize: 128}}}",
        "a: &a [x]",
    ]
    for index, name in enumerate("bcdefgh"):
        lines.append(f"{name}: &{name} [{', '.join([f'*{chr(ord(name) - 1)}'] * 10)}]")
        assert index < 8
    place = places.find("\n".join(lines) + "\n", PurePosixPath("t.yaml"), "", "A")
    with pytest.raises(UserError, match="anchors in anchors"):
        place.with_size(512)
