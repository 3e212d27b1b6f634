"""`dyno tuner template` and modules/power_tuner deploy the same tuner.

The lists that both read (functions.yaml, permissions.yaml, the state machine, the variables'
defaults) are one source; here is what each has to spell itself. tests/e2e/test_tuner_template.py
deploys both, and compares what AWS then has.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.tune import tuner_template
from lambda_dyno.tune.tuner_template import ModuleFiles, TunerTemplate

pytestmark = pytest.mark.contract

MODULE = Path(__file__).parents[2] / "modules" / "power_tuner"
MAIN = (MODULE / "main.tf").read_text()
IAM = (MODULE / "iam.tf").read_text()
FILES = ModuleFiles.read(MODULE)
ROLE = "arn:aws:iam::111122223333:role/shop"
WANTED = TunerTemplate(functions=("shop-*",))
FULL = TunerTemplate(
    functions=("shop-*", "arn:aws:lambda:eu-west-1:111122223333:function:other"),
    copy_roles=(ROLE,),
    copy_layers=("arn:aws:lambda:eu-west-1:111122223333:layer:libs:*",),
    copies_in_vpc=True,
    payload_bucket="payloads",
    payload_keys="tuning/*",
    processors=("prepare",),
    kms_keys=("arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab",),
    assumable_roles=(ROLE,),
    permissions_boundary="arn:aws:iam::111122223333:policy/boundary",
)


def resources(wanted: TunerTemplate = WANTED) -> dict[str, Any]:
    found: dict[str, Any] = tuner_template.render(wanted, FILES, "tuner.zip")["Resources"]
    return found


def of_type(kind: str, wanted: TunerTemplate = WANTED) -> list[dict[str, Any]]:
    return [one["Properties"] for one in resources(wanted).values() if one["Type"] == kind]


def statements(name: str, wanted: TunerTemplate) -> dict[str, dict[str, Any]]:
    role = resources(wanted)[f"{name}Role"]["Properties"]
    return {one["Sid"]: one for one in role["Policies"][0]["PolicyDocument"]["Statement"]}


def test_the_functions_have_the_module_s_environment() -> None:
    """Each variable of main.tf, and no other."""
    block = MAIN.partition("environment {\n    variables = {")[2].partition("\n    }")[0]
    named = set(re.findall(r"^      (\w+) +=", block, re.M))
    for function in of_type("AWS::Lambda::Function"):
        assert set(function["Environment"]["Variables"]) == named


def test_what_main_tf_spells_itself_is_the_same_here() -> None:
    """Runtime, handlers, names, log format, the rule and what it sends."""
    functions = of_type("AWS::Lambda::Function")
    assert {f'"{one["Runtime"]}"' for one in functions} == set(
        re.findall(r"^  runtime +=  *(.*)$", MAIN, re.M)
    )
    (handler,) = re.findall(
        r'^  handler += "([\w.]+)\$\{replace\(each.key, "-", "_"\)\}(.*)"', MAIN, re.M
    )
    named = {one["FunctionName"].removeprefix("dyno-tuner-"): one["Handler"] for one in functions}
    assert named == {
        name: f"{handler[0]}{name.replace('-', '_')}{handler[1]}" for name in FILES.functions
    }
    assert 'name = "${var.name_prefix}-tuner"' in MAIN
    (rule,) = of_type("AWS::Events::Rule")
    pattern = rule["EventPattern"]
    for key, value in (
        ("source", pattern["source"]),
        ("detail-type", pattern["detail-type"]),
        ("status", pattern["detail"]["status"]),
    ):
        assert re.search(rf" {key} +=  *{re.escape(json.dumps(value))}", MAIN), key
    assert f'description = "{rule["Description"]}"' in MAIN
    (target,) = rule["Targets"]
    sent = target["InputTransformer"]
    assert f"input_template = {json.dumps(sent['InputTemplate'])}" in MAIN
    assert f'execution = "{sent["InputPathsMap"]["execution"]}"' in MAIN
    (permission,) = of_type("AWS::Lambda::Permission")
    assert f'"{permission["Action"]}"' in MAIN
    assert f'"{permission["Principal"]}"' in MAIN


def test_what_iam_tf_spells_itself_is_the_same_here() -> None:
    """Names of roles and policies, who may assume them, and the log."""
    roles = of_type("AWS::IAM::Role", FULL)
    assert {one["PermissionsBoundary"] for one in roles} == {FULL.permissions_boundary}
    assert {one["Policies"][0]["PolicyName"] for one in roles} == set(
        re.findall(r'^  name += "([\w-]+)"', IAM, re.M)
    )
    assert 'name                 = "${local.name}-states"' in IAM
    trusted = {
        one["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"] for one in roles
    }
    assert trusted == set(re.findall(r'identifiers = \["([\w.]+)"\]', IAM))
    assert 'variable = "aws:SourceAccount"' in IAM
    log = statements("Prepare", WANTED)["Log"]
    assert json.dumps(log["Action"]) in IAM
    block = IAM.partition("_resources = {")[2].partition("\n  }")[0]
    filled_in = set(re.findall(r"^    (\w+) +=", block, re.M))
    parts = tuner_template._Parts(FULL, FILES)
    assert set(parts._resources()) == filled_in


def test_every_statement_of_the_file_is_somebody_s() -> None:
    """With all settings each is there, on something; without, those that need none."""
    listed = set(re.findall(r"^- sid: (\w+)$", FILES.permissions, re.M))
    names = [tuner_template._logical(name) for name in FILES.functions]
    full = set().union(*(statements(name, FULL) for name in names)) - {"Log"}
    assert full == listed - {"ReadPackagesOfCopy"}  # packages for other architectures: Terraform's
    few = set().union(*(statements(name, WANTED) for name in names)) - {"Log"}
    assert few == {
        *("CleanUp", "DeleteVersions", "Invoke", "Optimize", "Publish", "Restore"),
        *("SeeExecutions", "SeeOtherExecutions", "WaitForVersions"),
    }


def test_a_key_is_used_through_its_service_and_a_role_given_to_lambda_alone() -> None:
    """As the module has it."""
    prepare = statements("Prepare", FULL)
    assert prepare["FunctionKeys"]["Condition"] == {
        "StringLike": {
            "kms:ViaService": ["lambda.*.amazonaws.com", {"Fn::Sub": "lambda.*.${AWS::URLSuffix}"}]
        }
    }
    assert prepare["GiveCopyItsRole"]["Condition"] == {
        "StringEquals": {"iam:PassedToService": ["lambda.amazonaws.com"]}
    }
    assert prepare["GiveCopyItsRole"]["Resource"] == [ROLE]


def test_only_the_functions_that_are_named_may_be_tuned() -> None:
    """By name in the stack's own account, or by ARN; versions with a colon behind."""
    own = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:shop-*"
    other = "arn:aws:lambda:eu-west-1:111122223333:function:other"
    assert statements("Prepare", FULL)["Publish"]["Resource"] == [{"Fn::Sub": own}, other]
    assert statements("CleanUp", FULL)["DeleteVersions"]["Resource"] == [
        {"Fn::Sub": f"{own}:*"},
        f"{other}:*",
    ]


def test_the_state_machine_is_the_module_s() -> None:
    """Its functions are filled in by CloudFormation, by the same names."""
    (machine,) = of_type("AWS::StepFunctions::StateMachine")
    written = json.loads((MODULE / "state_machine.asl.json").read_text())
    timeout_s = FILES.defaults["total_timeout_seconds"]
    assert machine["Definition"] == {**written, "TimeoutSeconds": timeout_s}
    used = set(re.findall(r"\$\{(\w+)\}", json.dumps(written)))
    assert set(machine["DefinitionSubstitutions"]) == used


def test_memory_and_time_are_the_module_s() -> None:
    """Of measure the variable's default; more of prepare where it holds packages."""
    sizes = {one["FunctionName"]: one["MemorySize"] for one in of_type("AWS::Lambda::Function")}
    assert sizes["dyno-tuner-measure"] == FILES.defaults["measure_memory_mb"] == 256
    assert sizes["dyno-tuner-prepare"] == 128
    copying = {
        one["FunctionName"]: one["MemorySize"] for one in of_type("AWS::Lambda::Function", FULL)
    }
    assert copying["dyno-tuner-prepare"] == 512


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"functions": ()}, "--function: say which functions"),
        ({"functions": ("a b",)}, "--function a b: neither a function's name"),
        ({"functions": ("*",)}, "every function of the account"),
        ({"functions": ("arn:aws:lambda:eu-west-1:1:function:x",)}, "--function arn:aws:lambda:eu"),
        (
            {"functions": ("arn:aws:lambda:eu-west-1:111122223333:function:x:live",)},
            "without versi",
        ),
        ({"name_prefix": "Shop"}, "--name-prefix Shop: Use 2 to 40 lower-case letters"),
        ({"architecture": "riscv"}, "--architecture riscv: arm64 or x86_64"),
        ({"copy_roles": ("arn:aws:iam::111122223333:role/*",)}, "--copy-role arn:aws:iam"),
        ({"copy_roles": (ROLE,), "copy_layers": ("libs",)}, "--copy-layer libs: not the ARN"),
        ({"copies_in_vpc": True}, "say with --copy-role"),
        ({"payload_bucket": "No"}, "--payload-bucket No: no name of a bucket"),
        ({"payload_keys": "${x}"}, "--payload-keys ${x}: no pattern"),
        ({"kms_keys": ("alias/x",)}, "--kms-key alias/x: Give ARNs of keys"),
        ({"processors": ("${AWS::Region}",)}, "--processor ${AWS::Region}: neither"),
        ({"permissions_boundary": "x"}, "--permissions-boundary x: not the ARN"),
    ],
)
def test_what_the_module_refuses_is_refused_here(changes: dict[str, Any], why: str) -> None:
    """By the module's own rules, where it has one; nothing else gets into a template."""
    with pytest.raises(UserError, match=re.escape(why)):
        tuner_template.check(replace(WANTED, **changes), FILES)


def test_what_is_allowed_passes() -> None:
    """With every setting."""
    tuner_template.check(FULL, FILES)
