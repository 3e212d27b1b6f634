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
What a root calls otherwise, `[environment.variables]` and `[environment.outputs]` say: see
`lambda_dyno.terraform.naming`. `function_arn` may be a map or a list of ARNs: several functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lambda_dyno.core.config import FUNCTION_KEY
from lambda_dyno.core.errors import StepError, UserError, brief
from lambda_dyno.core.function_name import parse_name
from lambda_dyno.core.reading import read_text
from lambda_dyno.core.results import EACH, LOADED
from lambda_dyno.terraform import hcl
from lambda_dyno.terraform.naming import OURS, Names, read, read_changes, with_inner
from lambda_dyno.terraform.outputs import flat_changes, may_tell

# Types of variables, without white space, that take what is given to them.
_ANY = ("", "any")
_TYPES: Mapping[str, tuple[str, ...]] = {
    "memory_mb": (*_ANY, "number", "string"),
    "name_prefix": (*_ANY, "string"),
    "packages": (*_ANY, "map", "map(any)", "map(map(string))"),
    "tags": (*_ANY, "map", "map(any)", "map(string)"),
}
_MAPS_OF_SIZES = (*_ANY, "map", "map(any)", "map(number)", "map(string)")
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
    "function_arn": "the ARN of a Lambda function, or a map or a list of them",
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


_COMMENT = re.compile(r"^\s*(#|//).*?$|/\*.*?\*/", re.M | re.S)


def variables(root: Path) -> dict[str, str]:
    """Return the types of the variables that a root module declares, by name; empty: any type.

    Raises:
        UserError: A file is no Terraform.
    """
    return _types(hcl.read(root))


def takes(declared: Mapping[str, str], name: str, names: Names = OURS) -> bool:
    """Whether a root has a variable of ours, of a type that takes the harness's value."""
    theirs, _, inside = names.variable(name).partition(".")
    if theirs not in declared or name not in _TYPES:
        return theirs in declared
    kind = declared[theirs]
    if inside:  # of memory_mb alone: a size within a map of them
        return kind in _MAPS_OF_SIZES or kind.startswith("object(")
    objects = name == "packages" and "path=" in kind and "sha256_base64=" in kind
    return objects or kind in _TYPES[name]


def given(
    root: Path, values: Mapping[str, Any], names: Names = OURS, where: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """Return what of the harness's variables a root takes, and a sentence on each misfit.

    Args:
        root: Folder of the root module.
        values: Of all variables that the harness gives, by its own names.
        names: What the root calls them, and values of further variables of its own.
        where: What names them, for messages.

    Raises:
        UserError: The settings name a variable that the root does not have, or of another type.
    """
    declared = variables(root)
    _check_named(declared, values, names, where or str(root))
    parts = with_inner(values.get("packages", {}))
    taken = {
        names.variable(name): value
        for name, value in {**values, **parts}.items()
        if takes(declared, name, names) and (name in values or name in names.variables)
    }
    notes = [
        f"variable {names.variable(name)} is left to the root: its type is "
        f"{declared[names.variable(name)]}, not {_SPELLED[name]}"
        for name in sorted(values)
        if not takes(declared, name, names) and names.variable(name) in declared
    ]
    return {**taken, **names.values}, notes


def _check_named(
    declared: Mapping[str, str], values: Mapping[str, Any], names: Names, where: str
) -> None:
    """Make sure that what the settings name is there.

    Raises:
        UserError: It is not.
    """
    known = {*_TYPES, *values, *with_inner(values.get("packages", {}))}
    for ours, theirs in names.variables.items():
        key = f"{where}: [environment.variables] {ours}"
        variable = theirs.partition(".")[0]
        if variable not in declared:
            raise UserError(f"{key}: the root has no variable {variable}; {_listed(declared)}")
        if ours not in known:
            folder = ours.removeprefix("packages.").rpartition(".")[0]
            raise UserError(f"{key}: there is no folder lambda/{folder}")
        if not takes(declared, ours, names):
            wanted = "map(number)" if "." in theirs else _SPELLED[ours]
            raise UserError(
                f"{key}: the variable {variable} is a {declared[variable]}; it must be {wanted}"
            )
    for name in names.values:
        if name not in declared:
            raise UserError(
                f"{where}: [environment.values] {name}: the root has no such variable; "
                f"{_listed(declared)}"
            )
    ours_too = sorted(names.values.keys() & {v.partition(".")[0] for v in names.variables.values()})
    if ours_too:
        raise UserError(
            f"{where}: [environment.values] {ours_too[0]}: [environment.variables] has it, too"
        )


def _listed(declared: Mapping[str, str]) -> str:
    return f"it has {', '.join(sorted(declared)) or 'none'}"


def memory_value(root: Path, memory_mb: int, names: Names = OURS) -> dict[str, Any]:
    """Return the variable that gives the function a memory size.

    Of a map of sizes the others stay as the root's default has them: a variable is set as a whole.

    Raises:
        UserError: The map has no default that can be read, or not the function.
    """
    variable, _, inside = names.variable("memory_mb").partition(".")
    if not inside:
        return {variable: memory_mb}
    whole = names.values.get(variable, hcl.read(root).variables.get(variable, {}).get("default"))
    where = f"[environment.variables] memory_mb: {variable}.{inside}"
    if not isinstance(whole, Mapping):
        raise UserError(
            f"{where}: the variable {variable} has no default that can be read, and Terraform "
            "takes it as a whole: give it one of numbers, or a value under [environment.values]"
        )
    if inside not in whole:
        raise UserError(f"{where}: {variable} has {', '.join(sorted(whole)) or 'nothing in it'}")
    return {variable: {**whole, inside: memory_mb}}


def packages(root: Path, names: Names = OURS) -> set[str]:
    """Return the folders of lambda/ that a root module takes packages of, by their names.

    None if its variable of that name is something else.
    """
    if not takes(variables(root), "packages", names):
        return set()
    texts = (_COMMENT.sub("", read_text(path)) for path in root.glob("*.tf"))
    pattern = re.compile(rf'\bvar\.{re.escape(names.variable("packages"))}\["([^"\\]+)"\]')
    return {name for text in texts for name in pattern.findall(text)}


def check(root: Path, names: Names = OURS) -> None:
    """Make sure that environments can be made of a root module, as far as its files tell.

    Raises:
        UserError: It is no root module, a file is no Terraform, or it has no `name_prefix` or no
            `function_arn`, by whatever names.
    """
    if not root.is_dir() or not hcl.files(root):
        raise UserError(f"{root}: no Terraform here (*.tf)")
    module = hcl.read(root)
    declared = _types(module)
    prefix = names.variable("name_prefix")
    if prefix not in declared:
        raise UserError(
            f"{root}: no variable {prefix}. Declare it (a string), and begin the names of all "
            "resources with it: that keeps environments apart, and lets teardown prove that "
            "nothing is left. What your root calls it, [environment.variables] can say."
        )
    if not takes(declared, "name_prefix", names):
        raise UserError(
            f"{root}: the variable {prefix} is a {declared[prefix]}; it must be a string "
            "that the names of all resources begin with."
        )
    if "memory_mb" in names.variables:
        try:
            memory_value(root, 0, names)
        except UserError as error:
            raise UserError(f"{root}: {error}") from error
    function = names.output("function_arn")
    if not may_tell(module.outputs, function):
        raise UserError(
            f"{root}: no output {function}. Add the ARN of the function to measure, such as "
            f'output "{function}" {{ value = aws_lambda_function.NAME.arn }}'
        )
    for name in _DECISIVE:
        if module.outputs.get(names.output(name), {}).get("sensitive") is True:
            raise UserError(_misfit(str(root), names.output(name), "sensitive", name))
    for ours in names.outputs:
        if not may_tell(module.outputs, names.output(ours)):
            raise UserError(
                f"{root}: [environment.outputs] {ours}: there is no output {names.output(ours)}; "
                f"it has {', '.join(sorted(module.outputs)) or 'none'}"
            )


def check_plan(
    plan: Mapping[str, Any],
    region: str,
    where: str,
    *,
    name_prefix: str = "",
    names: Names = OURS,
) -> list[str]:
    """Make sure that an environment can be used once it is made, as far as its plan tells.

    Args:
        plan: As `terraform show -json` tells it.
        region: The run's.
        where: The root, for messages.
        name_prefix: Of the environment, in an account that others use too; empty: nobody does.
        names: What the root calls its outputs.

    Returns:
        A sentence on each output that is not used.

    Raises:
        UserError: It cannot, or it would take over what it did not make.
    """
    _check_ownership(plan.get("resource_changes", ()), where, name_prefix)
    regions = function_regions(plan)
    if regions and region not in regions:
        raise UserError(_other_region(where, "the function's provider", min(regions), region))
    changes = read_changes(flat_changes(plan.get("output_changes", {})), names)
    kinds = {name: _kind(change) for name, change in changes.items()}
    for name, what in _DECISIVE.items():
        kind = kinds.get(name, "null")
        if name == "function_arn" and kind in ("a map", "a list"):
            _check_functions(changes[name], names, region, where, what)
            continue
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


def _check_functions(
    change: Mapping[str, Any], names: Names, region: str, where: str, what: str
) -> None:
    """Make sure that a map or a list of ARNs is one, as far as a plan tells.

    Raises:
        UserError: It is not, or has no function of the name that the settings have.
    """
    after, unknown = change.get("after"), change.get("after_unknown")
    known = _by_name(after if after is not None else {})
    for function, arn in known.items():
        if arn is not None:
            _check_arn(function, arn, region, where, what)
    if unknown and isinstance(unknown, list):
        return  # its names are those of the functions, which are not known yet
    later = unknown if isinstance(unknown, Mapping) else {}
    _primary({**known, **dict.fromkeys(later)}, names, where)


def _check_arn(function: str, arn: Any, region: str, where: str, what: str) -> None:
    if not FUNCTION_KEY.fullmatch(function):
        raise UserError(
            f"{where}: the output function_arn has the key {brief(repr(function))}: letters, "
            "digits, dots, dashes and underscores name a function"
        )
    if not isinstance(arn, str):
        raise UserError(f"{where}: the output function_arn: {function} is no text; {what}")
    _check_text("function_arn", arn, region, where, what)


def _by_name(value: Any) -> dict[str, Any]:
    """Return ARNs by names: the keys of a map, or the functions' own names."""
    if isinstance(value, Mapping):
        return {str(key): arn for key, arn in value.items()}
    return {
        str(arn).rpartition(":")[2] if isinstance(arn, str) else str(index): arn
        for index, arn in enumerate(value)
    }


def _primary(functions: Mapping[str, Any], names: Names, where: str) -> str:
    """Return the function of several that is loaded.

    Raises:
        UserError: There is none of the name that the settings have.
    """
    if not functions:
        raise UserError(f"{where}: the output function_arn names no function")
    if names.function and names.function not in functions:
        raise UserError(
            f"{where}: [environment] function: {names.function} is not in the output function_arn, "
            f"which has {', '.join(sorted(functions))}"
        )
    return names.function or min(functions)


def checked(
    outputs: Mapping[str, Any], region: str, where: str, names: Names = OURS
) -> dict[str, Any]:
    """Return a root's outputs without those that are something else by a common name.

    Where it tells several functions, `results.EACH` has their ARNs by name, and `function_arn` is
    that of the one that is loaded.

    Args:
        outputs: As Terraform told them after it had made everything, without sensitive ones.
        region: The run's.
        where: The root, for messages.
        names: What the root calls its outputs.

    Raises:
        StepError: One that is needed is no such thing.
    """
    outputs = read(outputs, names)
    several = outputs.get("function_arn")
    if isinstance(several, Mapping | list):
        try:
            functions = _by_name(several)
            for function, arn in functions.items():
                _check_arn(function, arn, region, where, _DECISIVE["function_arn"])
            primary = _primary(functions, names, where)
        except UserError as error:
            raise StepError("up", str(error)) from error
        outputs = {
            **outputs,
            "function_arn": functions[primary],
            EACH: functions,
            LOADED: primary,
        }
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


def _misfit(where: str, name: str, kind: str, ours: str = "") -> str:
    if kind == "sensitive":
        return (
            f"{where}: the output {name} is sensitive, and reports show it. Leave out "
            "`sensitive = true` (nonsensitive() takes the mark from a value), or rename the output."
        )
    return f"{where}: the output {name} is {kind}; it must be {_DECISIVE[ours or name]}."


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
