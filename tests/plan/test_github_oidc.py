"""The roles of GitHub's workflows as they are planned: who gets in, and what they may do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import tftest

from tests.support.oidc_attempts import ASKED, NOT_ASKED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = pytest.mark.plan

ISSUER = "token.actions.githubusercontent.com"
ROLES = ("deploy", "gate", "plan", "tune")

# Characters that IAM takes, white space not counted.
ROLE_POLICIES_MAX, MANAGED_POLICY_MAX = 10_240, 6_144

# The account's own provider, an organisation's boundary, and a role for pull requests only.
VARIANT = f"""
module "variant" {{
  source = "./modules/github_oidc"

  name_prefix              = "github-shop"
  environment              = "test"
  ephemeral_name           = "shop"
  max_session_seconds      = 3600
  permissions_boundary_arn = "arn:aws:iam::111122223333:policy/everybody"
  provider_arn             = "arn:aws:iam::111122223333:oidc-provider/{ISSUER}"

  subjects = {{
    gate = ["repo:acme@1234/tuning@5678:pull_request"]
  }}

  state = {{
    bucket     = "states"
    key_prefix = "lambda-dyno/test/"
  }}
}}
"""


@pytest.fixture(scope="module")
def planned(
    new_root: Callable[[str], Any], readme_examples: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """The examples of this module and of an environment's, and a variant: values by address.

    By module; `used` has the actions that the environment's roles are given.
    """
    examples = ("github_oidc", "packages", "power_tuner", "service")
    root = new_root("\n".join([*(readme_examples[name] for name in examples), VARIANT]))
    plan = root.plan(output=True, lock=False)
    modules: dict[str, dict[str, Any]] = {}
    pending = list(plan.root_module.child_modules.values())
    while pending:
        module = pending.pop()
        pending += module.child_modules.values()
        modules[module["address"].removeprefix("module.")] = {
            name: resource["values"] for name, resource in module.resources.items()
        }
    return modules


def statements(planned: dict[str, dict[str, Any]], role: str, module: str = "github_oidc") -> Any:
    """Return the statements of a role's policy."""
    values = planned[module][f'aws_iam_role_policy.this["{role}"]']
    return json.loads(values["policy"])["Statement"]


def as_list(value: Any) -> list[str]:
    """Return a policy's one value or list of values as a list."""
    return value if isinstance(value, list) else [value]


def actions(found: Any) -> set[str]:
    """Return the actions of statements."""
    return {action for statement in found for action in as_list(statement["Action"])}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_what_real_runs_ask_for_and_no_more(
    planned: dict[str, dict[str, Any]], role: str
) -> None:
    """The committed list is of such runs; test_oidc_roles.py makes them again."""
    asked = set(json.loads(ASKED.read_text())[role])
    assert not asked & set(NOT_ASKED[role])
    granted = actions(statements(planned, role))
    assert granted == asked | set(NOT_ASKED[role])


@pytest.mark.parametrize("role", ROLES)
def test_a_policy_is_exact_and_fits(planned: dict[str, dict[str, Any]], role: str) -> None:
    """No wildcard action, nothing but Allow, lists alone on everything; and IAM takes it."""
    found = statements(planned, role)
    for statement in found:
        assert statement["Effect"] == "Allow"
        assert not [action for action in as_list(statement["Action"]) if "*" in action]
        if "*" in as_list(statement["Resource"]):
            verbs = {action.split(":")[1] for action in as_list(statement["Action"])}
            assert all(
                re.match("List|Describe|Validate|GetResources|GetAccountSettings", verb)
                for verb in verbs
            )
    assert len(json.dumps(found, separators=(",", ":"))) < ROLE_POLICIES_MAX


@pytest.mark.parametrize(
    ("role", "name"), [("gate", "dyno-??????-????-????"), ("deploy", "dyno-prod")]
)
def test_what_a_role_changes_has_its_environments_name_or_tags(
    planned: dict[str, dict[str, Any]], role: str, name: str
) -> None:
    """Its state's key, too; APIs, whose ids say nothing, go by their tags."""
    stem = {"gate": "??????-????-????.", "deploy": "deployed.tfstate"}[role]
    for statement in statements(planned, role):
        for resource in as_list(statement["Resource"]):
            end = resource.split(":", 5)[-1]
            if statement["Sid"] in ("Look", "LookForAll", "LookForApis", "FindState", "TagApis"):
                continue
            if statement["Sid"] in ("Apis", "MakeApis", "ReadApis"):
                kind = "RequestTag" if statement["Sid"] == "MakeApis" else "ResourceTag"
                assert statement["Condition"] == {
                    "StringEquals": {f"aws:{kind}/dyno:env": "prod"},
                    "Null": {f"aws:{kind}/dyno:expires": "false" if role == "gate" else "true"},
                }
            elif statement["Sid"] in ("State", "LockState"):
                assert end.startswith(f"dyno-state-111122223333-eu-west-1/lambda-dyno/prod/{stem}")
            elif statement["Sid"] == "CallApis":
                assert end == f"*/{name.replace('-', '_')}/*"
            else:
                assert re.search(rf"(^|[:/]){re.escape(name)}-", end), resource


def test_the_plan_role_changes_nothing_but_the_lock(planned: dict[str, dict[str, Any]]) -> None:
    """Whatever else it may do is reading."""
    for statement in statements(planned, "plan"):
        if statement["Sid"] == "LockState":
            assert statement["Resource"].endswith("/lambda-dyno/prod/deployed.tfstate.tflock")
            continue
        for action in as_list(statement["Action"]):
            verb = action.split(":")[1]
            assert re.match("Get|List|Describe|Validate|GET", verb), action


def test_the_tune_role_starts_the_tuner_and_reads(planned: dict[str, dict[str, Any]]) -> None:
    """On names of the standing environment; it has no action that changes anything itself."""
    changing = set()
    for statement in statements(planned, "tune"):
        for action in as_list(statement["Action"]):
            if not re.match("Get|List|Describe", action.split(":")[1]):
                changing.add(action)
        for resource in as_list(statement["Resource"]):
            assert re.search(
                r"[:/]dyno-(prod-\*|state-[a-z0-9-]+(/lambda-dyno/prod/.*)?)$", resource
            )
    assert changing == {"states:StartExecution", "states:StopExecution"}


def test_a_boundary_allows_what_the_functions_need_and_no_more(
    planned: dict[str, dict[str, Any]],
) -> None:
    """Each action of the environments' roles is in it, and each of its actions is one of theirs."""
    used = {
        action
        for module in ("service.module.function", "power_tuner")
        for name, values in planned[module].items()
        if "aws_iam_policy_document" in name and "trust" not in name
        for statement in values["statement"]
        for action in statement["actions"]
    }
    assert {"dynamodb:Scan", "lambda:PublishVersion"} < used
    for role in ("deploy", "gate"):
        values = planned["github_oidc"][f'aws_iam_policy.boundary["{role}"]']
        document = json.loads(values["policy"])
        assert actions(document["Statement"]) == used
        assert len(json.dumps(document, separators=(",", ":"))) < MANAGED_POLICY_MAX


def test_roles_are_made_and_written_within_the_boundary_only(
    planned: dict[str, dict[str, Any]],
) -> None:
    """Else whoever may write a role's policy may do everything."""
    for role in ("deploy", "gate"):
        boundary = f"policy/github-dyno-prod-{role}-boundary"
        for statement in statements(planned, role):
            if {"iam:CreateRole", "iam:PutRolePolicy"} & set(as_list(statement["Action"])):
                arn = statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"]
                assert arn.endswith(boundary)
            if "iam:PassRole" in as_list(statement["Action"]):
                services = statement["Condition"]["StringEquals"]["iam:PassedToService"]
                assert services == ["lambda.amazonaws.com", "states.amazonaws.com"]


def test_a_trust_policy_compares_both_claims(planned: dict[str, dict[str, Any]]) -> None:
    """StringEquals alone: a missing claim passes ForAllValues, and a wildcard StringLike."""
    values = planned["variant"]['aws_iam_role.this["gate"]']
    (statement,) = json.loads(values["assume_role_policy"])["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"},
        "Condition": {
            "StringEquals": {
                f"{ISSUER}:aud": "sts.amazonaws.com",
                f"{ISSUER}:sub": "repo:acme@1234/tuning@5678:pull_request",
            }
        },
    }
    assert values["permissions_boundary"] == "arn:aws:iam::111122223333:policy/everybody"
    assert values["max_session_duration"] == 3600


def test_only_roles_with_subjects_are_made(planned: dict[str, dict[str, Any]]) -> None:
    """And the account's provider is used, not made again."""
    made = {name for name in planned["variant"] if not name.startswith("data.")}
    assert made == {
        'aws_iam_policy.boundary["gate"]',
        'aws_iam_role.this["gate"]',
        'aws_iam_role_policy.this["gate"]',
    }


GOOD = {
    "name_prefix": '"github-dyno-dev"',
    "environment": '"dev"',
    "subjects": '{ plan = ["repo:acme/tuning:pull_request"] }',
    "deployed": '{ name_prefix = "dyno-dev", state_key = "lambda-dyno/dev/deployed.tfstate" }',
    "state": '{ bucket = "states", key_prefix = "lambda-dyno/dev/" }',
}


def subject(text: str, role: str = "plan") -> tuple[str, str]:
    """Return a variable and its value with one subject."""
    return "subjects", f'{{ {role} = ["{text}"] }}'


def deployed(prefix: str) -> tuple[str, str]:
    """Return a variable and its value with a name prefix."""
    return "deployed", f'{{ name_prefix = "{prefix}", state_key = "a.tfstate" }}'


# variable, wrong value, words of the message
REFUSED: dict[str, tuple[tuple[str, str], str]] = {
    "subject_star": (subject("repo:acme/tuning:*"), "wildcards are refused"),
    "subject_org": (subject("repo:acme/*:pull_request"), "wildcards are refused"),
    "subject_owner": (subject("repo:*/tuning:pull_request"), "wildcards are refused"),
    "subject_branch": (subject("repo:acme/tuning:ref:refs/heads/*"), "wildcards are refused"),
    "subject_any": (subject("repo:acme/tunin?:pull_request"), "wildcards are refused"),
    "subject_repo": (subject("repo:acme/tuning"), "Give each subject exactly"),
    "subject_name": (subject("acme/tuning:pull_request"), "Give each subject exactly"),
    "subject_environment": (subject("repo:acme/tuning:environment:"), "Give each subject exactly"),
    "subject_none": (("subjects", "{}"), "at least one subject"),
    "deploy_branch": (
        subject("repo:acme/tuning:ref:refs/heads/main", "deploy"),
        "GitHub environments only",
    ),
    "deploy_nothing": (("deployed", "null"), "deployed is null"),
    "tune_pull_request": (
        subject("repo:acme/tuning:pull_request", "tune"),
        "Give the tune role to a branch",
    ),
    "deployed_all": (deployed("dyno"), "may change all that begins with it"),
    "deployed_roles": (deployed("github"), "may change all that begins with it"),
    "deployed_run": (deployed("dyno-251120-0915-k3f9"), "look like a run's"),
    "deployed_hyphen": (deployed("dyno-dev-"), "no hyphen last"),
    "deployed_key": (
        ("deployed", '{ name_prefix = "dyno-dev", state_key = "*.tfstate" }'),
        "without wildcards",
    ),
    "prefix_run": (("name_prefix", '"dyno-251120-0915-k3f9"'), "look like a run's"),
    "prefix_long": (("name_prefix", f'"{"a" * 49}"'), "2 to 48"),
    "environment": (("environment", '"*"'), "1 to 64 letters"),
    "ephemeral": (("ephemeral_name", '"*"'), "1 to 16"),
    "session": (("max_session_seconds", "900"), "3600 to 43200"),
    "provider": (
        ("provider_arn", '"arn:aws:iam::111122223333:oidc-provider/example.com"'),
        "a provider for token.actions.githubusercontent.com",
    ),
    "state_bucket": (("state", '{ bucket = "*", key_prefix = "a/" }'), "name of an S3 bucket"),
    "state_key": (("state", '{ bucket = "states", key_prefix = "*/" }'), "no wildcards"),
}


# Terraform compares two variables only when each is right by itself.
ACROSS = ("deploy_nothing", "deployed_all", "deployed_roles", "deployed_run", "prefix_run")


@pytest.mark.parametrize("across", [False, True], ids=["alone", "across"])
def test_wrong_values_are_refused_with_what_to_do(
    new_root: Callable[[str], Any], across: bool
) -> None:
    """Before anything is created; the rest of each call is right."""
    cases = {name: case for name, case in REFUSED.items() if (name in ACROSS) == across}
    calls = []
    for name, ((variable, value), _) in cases.items():
        arguments = {**GOOD, variable: value}
        lines = "\n".join(f"  {key} = {text}" for key, text in arguments.items())
        calls.append(f'module "{name}" {{\n  source = "./modules/github_oidc"\n{lines}\n}}\n')
    root = new_root("\n".join(calls))
    with pytest.raises(tftest.TerraformTestError) as caught:
        root.plan(lock=False)
    found: dict[str, str] = {}
    for part in caught.value.cmd_error.split("Error: Invalid value for variable")[1:]:
        (name,) = re.findall(r'in module "(\w+)"', part)
        found[name] = found.get(name, "") + re.sub(r"[\s│]+", " ", part)
    assert set(found) == set(cases)
    for name, (_, words) in cases.items():
        assert words in found[name], name
