"""What a root module below envs/ takes and gives, whoever wrote it.

A root of this project has all outputs that `environments.environment.REQUIRED_OUTPUTS`
names. A root of another project needs little: it takes `name_prefix`, so that its environments
never meet, and has the output `function_arn`. Whatever else it has is used if its type fits, since
the names are common ones:

- variables `tags` (map of texts), `packages` (map of objects with `path` and `sha256_base64`,
  by folder of lambda/) and `memory_mb` (number) are given if they are declared;
- outputs `api_url`, `api_authorization`, `state_machine_arn`, `table_name`, ...: without
  `api_url` there is no smoke and no load test, without `state_machine_arn` a power tuner is
  deployed beside it for as long as it is needed;
- what says something of the function (`memory_mb`, `architecture`, `region`, ...) is looked up,
  whatever a root's outputs of these names are.

All outputs may come as one object, `environment`: see `lambda_dyno.terraform.outputs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.function_name import parse_name
from lambda_dyno.core.reading import read_text
from lambda_dyno.terraform import hcl
from lambda_dyno.terraform.outputs import flat_changes, may_tell

# Types of variables, without white space, that take what is given to them.
_ANY = ("", "any")
_TYPES: Mapping[str, tuple[str, ...]] = {
    "memory_mb": (*_ANY, "number", "string"),
    "name_prefix": (*_ANY, "string"),
    "packages": (*_ANY, "map", "map(any)", "map(map(string))"),
    "tags": (*_ANY, "map", "map(any)", "map(string)"),
}
_SPELLED = {
    "memory_mb": "number",
    "name_prefix": "string",
    "packages": "map(object({ path = string, sha256_base64 = string }))",
    "tags": "map(string)",
}

# Outputs that are texts if they are this project's; null is as good as none.
_TEXTS = (
    "api_authorization",
    "api_url",
    "function_alias",
    "function_arn",
    "state_machine_arn",
    "table_name",
)
_DECISIVE = {
    "function_arn": "the ARN of one Lambda function",
    "api_url": "one URL that begins with http:// or https://, or null",
}
_FUNCTION = "aws_lambda_function"

# Attributes with the names of what AWS "creates" by giving one that is there already; of an S3
# bucket in us-east-1 alone.
_GIVEN_IF_THERE = {
    "aws_cloudwatch_dashboard": "dashboard_name",
    "aws_cloudwatch_event_rule": "name",
    "aws_cloudwatch_metric_alarm": "alarm_name",
    "aws_s3_bucket": "bucket",
    "aws_sns_topic": "name",
    "aws_sqs_queue": "name",
}


_PACKAGE = re.compile(r'\bvar\.packages\["([^"\\]+)"\]')
_COMMENT = re.compile(r"^\s*(#|//).*?$|/\*.*?\*/", re.M | re.S)


def variables(root: Path) -> dict[str, str]:
    """Return the types of the variables that a root module declares, by name; empty: any type.

    Raises:
        UserError: A file is no Terraform.
    """
    return _types(hcl.read(root))


def takes(declared: Mapping[str, str], name: str) -> bool:
    """Whether a root has a variable of that name, of a type that takes the harness's value."""
    if name not in declared or name not in _TYPES:
        return name in declared
    kind = declared[name]
    objects = name == "packages" and "path=" in kind and "sha256_base64=" in kind
    return objects or kind in _TYPES[name]


def given(root: Path, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what of the harness's variables a root takes, and a sentence on each misfit.

    Args:
        root: Folder of the root module.
        values: Of all variables that the harness gives.
    """
    declared = variables(root)
    taken = {name: value for name, value in values.items() if takes(declared, name)}
    notes = [
        f"variable {name} is left to the root: its type is {declared[name]}, not {_SPELLED[name]}"
        for name in sorted(values.keys() - taken.keys())
        if name in declared
    ]
    return taken, notes


def packages(root: Path) -> set[str]:
    """Return the folders of lambda/ that a root module takes packages of, by their names.

    None if its variable of that name is something else.
    """
    if not takes(variables(root), "packages"):
        return set()
    texts = (_COMMENT.sub("", read_text(path)) for path in root.glob("*.tf"))
    return {name for text in texts for name in _PACKAGE.findall(text)}


def check(root: Path) -> None:
    """Make sure that environments can be made of a root module, as far as its files tell.

    Raises:
        UserError: It is no root module, a file is no Terraform, or it has no `name_prefix` or no
            `function_arn`.
    """
    if not root.is_dir() or not hcl.files(root):
        raise UserError(f"{root}: no Terraform here (*.tf)")
    module = hcl.read(root)
    declared = _types(module)
    if "name_prefix" not in declared:
        raise UserError(
            f"{root}: no variable name_prefix. Declare it (a string), and begin the names of all "
            "resources with it: that keeps environments apart, and lets teardown prove that "
            "nothing is left."
        )
    if not takes(declared, "name_prefix"):
        raise UserError(
            f"{root}: the variable name_prefix is a {declared['name_prefix']}; it must be a string "
            "that the names of all resources begin with."
        )
    if not may_tell(module.outputs, "function_arn"):
        raise UserError(
            f"{root}: no output function_arn. Add the ARN of the function to measure, such as "
            'output "function_arn" { value = aws_lambda_function.NAME.arn }'
        )
    for name in _DECISIVE:
        if module.outputs.get(name, {}).get("sensitive") is True:
            raise UserError(_misfit(str(root), name, "sensitive"))


def check_plan(
    plan: Mapping[str, Any], region: str, where: str, *, name_prefix: str = ""
) -> list[str]:
    """Make sure that an environment can be used once it is made, as far as its plan tells.

    Args:
        plan: As `terraform show -json` tells it.
        region: The run's.
        where: The root, for messages.
        name_prefix: Of the environment, in an account that others use too; empty: nobody does.

    Returns:
        A sentence on each output that is not used.

    Raises:
        UserError: It cannot, or it would take over what it did not make.
    """
    _check_ownership(plan.get("resource_changes", ()), where, name_prefix)
    regions = function_regions(plan)
    if regions and region not in regions:
        raise UserError(_other_region(where, "the function's provider", min(regions), region))
    changes = flat_changes(plan.get("output_changes", {}))
    kinds = {name: _kind(change) for name, change in changes.items()}
    for name, what in _DECISIVE.items():
        kind = kinds.get(name, "null")
        if kind not in ("text", "unknown") and (name, kind) != ("api_url", "null"):
            raise UserError(_misfit(where, name, kind))
        if kind == "text":
            _check_text(name, changes[name]["after"], region, where, what)
    return [
        _unused(name, kinds[name])
        for name in _TEXTS
        if name not in _DECISIVE and kinds.get(name, "null") not in ("text", "unknown", "null")
    ]


def _check_ownership(changes: Iterable[Mapping[str, Any]], where: str, name_prefix: str) -> None:
    """Make sure that a plan takes over nothing that is there: teardown would destroy it.

    Raises:
        UserError: It does, or may.
    """
    for resource in changes:
        address, change = resource["address"], resource["change"]
        if change.get("importing"):
            raise UserError(
                f"{where}: an import block takes over {address}, and the run's teardown would "
                "destroy it. Remove it, or move it to a root of its own."
            )
        attribute = _GIVEN_IF_THERE.get(resource.get("type", ""), "")
        name = (change.get("after") or {}).get(attribute)
        if name and name_prefix not in name and change.get("actions") == ["create"]:
            raise UserError(
                f"{where}: {address} is named {name}. Begin the name with var.name_prefix: AWS "
                "gives one of that name that is there already, and the run's teardown would "
                "destroy it."
            )


def function_regions(plan: Mapping[str, Any]) -> set[str]:
    """Return the regions of a plan's functions; none if that of one is not known.

    A provider without a region works in the run's, which is not known here either.
    """
    configuration = plan.get("configuration", {})
    found = set()
    for resource in _resources(configuration.get("root_module", {})):
        if resource["type"] == _FUNCTION and resource["mode"] == "managed":
            key = resource["provider_config_key"]
            provider = configuration.get("provider_config", {}).get(key, {})
            found.add(_region_of(provider, plan.get("variables", {})))
    return set() if "" in found else found


def checked(outputs: Mapping[str, Any], region: str, where: str) -> dict[str, Any]:
    """Return a root's outputs without those that are something else by a common name.

    Args:
        outputs: As Terraform told them after it had made everything, without sensitive ones.
        region: The run's.
        where: The root, for messages.

    Raises:
        StepError: One that is needed is no such thing.
    """
    for name, what in _DECISIVE.items():
        value = outputs.get(name)
        if value is None and name == "api_url":
            continue
        try:
            if not isinstance(value, str):
                raise UserError(_misfit(where, name, _kind({"after": value})))
            _check_text(name, value, region, where, what)
        except UserError as error:
            raise StepError("up", str(error)) from error
    return {
        name: value
        for name, value in outputs.items()
        if name not in _TEXTS or isinstance(value, str)
    }


def _types(module: hcl.Module) -> dict[str, str]:
    """Return the types of a module's variables without white space, as they are compared here."""
    return {
        name: re.sub(r"\s+", "", str(body.get("type", "")))
        for name, body in module.variables.items()
    }


def _kind(change: Mapping[str, Any]) -> str:
    """Return what an output is, from a change of the plan's: "text", "a map", "unknown", ..."""
    if change.get("after_sensitive") is True:
        return "sensitive"
    after, unknown = change.get("after"), change.get("after_unknown")
    if isinstance(after, dict) or (isinstance(unknown, dict) and unknown):
        return "a map"
    if isinstance(after, list) or (isinstance(unknown, list) and unknown):
        return "a list"
    if unknown is True:
        return "unknown"
    if after is None:
        return "null"
    if isinstance(after, bool):
        return "true or false"
    return "text" if isinstance(after, str) else "a number"


def _misfit(where: str, name: str, kind: str) -> str:
    if kind == "sensitive":
        return (
            f"{where}: the output {name} is sensitive, and reports show it. Leave out "
            "`sensitive = true` (nonsensitive() takes the mark from a value), or rename the output."
        )
    return f"{where}: the output {name} is {kind}; it must be {_DECISIVE[name]}."


def _unused(name: str, kind: str) -> str:
    return f"output {name} is not used: it is {kind}, not a text"


def _check_text(name: str, value: str, region: str, where: str, what: str) -> None:
    """Make sure that a decisive output says what it must.

    Raises:
        UserError: It does not.
    """
    if name == "api_url":
        if value and not re.match(r"https?://[^/\s]", value):
            raise UserError(f"{where}: the output api_url is {value!r}; it must be {what}.")
        return
    try:
        function = parse_name(value)
    except UserError as error:
        raise UserError(f"{where}: the output function_arn: {error}") from error
    if function.qualifier:
        raise UserError(
            f"{where}: the output function_arn names the version or alias {function.qualifier}, "
            "whose memory size is fixed. Leave that out, as aws_lambda_function.NAME.arn does."
        )
    if function.region not in ("", region):
        raise UserError(_other_region(where, "the output function_arn", function.region, region))


def _other_region(where: str, what: str, there: str, here: str) -> str:
    return (
        f"{where}: {what} is in {there}, and the run works in {here}. "
        f'Set region = "{there}" under [environment] in {where}/dyno.toml.'
    )


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the resources of a configuration and of the modules that it calls."""
    yield from module.get("resources", ())
    for call in module.get("module_calls", {}).values():
        yield from _resources(call.get("module", {}))


def _region_of(provider: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Return a provider's region if it is written there, or is a variable's value."""
    region = provider.get("expressions", {}).get("region", {})
    name = (region.get("references") or [""])[0].partition("var.")[2]
    if provider.get("module_address") or not name:
        return str(region.get("constant_value") or "")
    return str(values.get(name, {}).get("value") or "")
