"""The roles of GitHub's workflows as they are planned: who gets in, and what they may do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.oidc_attempts import ASKED, NOT_ASKED

if TYPE_CHECKING:
    from tests.plan.conftest import Resources

pytestmark = pytest.mark.plan

ISSUER = "token.actions.githubusercontent.com"
ROLES = ("deploy", "gate", "plan", "tune")

# Characters that IAM takes, white space not counted.
ROLE_POLICIES_MAX, MANAGED_POLICY_MAX = 10_240, 6_144

# Actions for which AWS's Service Authorization Reference names no resource, so that a policy must
# say "*". All of them list or look; nothing else may be on everything.
WITHOUT_RESOURCE = {
    "cloudwatch:GetMetricStatistics",
    "dynamodb:ListTables",
    "events:ListRules",
    "iam:ListRoles",
    "lambda:GetAccountSettings",
    "lambda:ListFunctions",
    "logs:DescribeLogGroups",  # held against all log groups, whatever prefix is asked for
    "s3:ListAllMyBuckets",
    "states:ListStateMachines",
    "states:ValidateStateMachineDefinition",
    "tag:GetResources",
}


@pytest.fixture(scope="module")
def planned(examples: dict[str, Resources]) -> dict[str, dict[str, Any]]:
    """The modules' examples: values by address, by "module/example"."""
    return {
        name: {
            address.removeprefix(f"module.{name.split('/')[0]}."): resource["values"]
            for address, resource in resources.items()
        }
        for name, resources in examples.items()
    }


def statements(
    planned: dict[str, dict[str, Any]], role: str, example: str = "github_oidc/basic"
) -> Any:
    """Return the statements of a role's policy."""
    values = planned[example][f'aws_iam_role_policy.this["{role}"]']
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
            assert set(as_list(statement["Action"])) <= WITHOUT_RESOURCE
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
            if statement["Sid"] in ("Look", "LookAtQuotas", "LookForAll", "LookForApis", "Traffic"):
                continue
            if statement["Sid"] in ("FindState", "TagApis"):
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


def test_main_is_measured_as_a_pull_request_is(planned: dict[str, dict[str, Any]]) -> None:
    """The same policy by another name, which no pull request may assume."""
    assert statements(planned, "main") == statements(planned, "gate")
    trust = json.loads(
        planned["github_oidc/basic"]['aws_iam_role.this["main"]']["assume_role_policy"]
    )
    (statement,) = trust["Statement"]
    subjects = as_list(statement["Condition"]["StringEquals"][f"{ISSUER}:sub"])
    assert subjects == ["repo:acme/tuning:environment:dyno-main"]


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
            if not re.match("Get|List|Describe|GET", action.split(":")[1]):
                changing.add(action)
        for resource in as_list(statement["Resource"]):
            if statement["Sid"] == "ReadApis":  # by their tags
                assert statement["Condition"]["StringEquals"] == {
                    "aws:ResourceTag/dyno:env": "prod"
                }
                continue
            if statement["Sid"] == "LookAtQuotas":
                assert (resource, statement["Action"]) == ("*", "lambda:GetAccountSettings")
                continue
            if statement["Sid"] == "Traffic":
                assert statement["Action"] == "cloudwatch:GetMetricStatistics"
                continue
            if statement["Sid"] == "CallApis":  # what it asks there only reads: run/workload.py
                assert resource.endswith(":*/dyno_prod/*")
                continue
            assert re.search(
                r"[:/]dyno-(prod-\*|state-[a-z0-9-]+(/lambda-dyno/prod/.*)?)$", resource
            )
    assert changing == {
        "execute-api:Invoke",
        "states:StartExecution",
        "states:StopExecution",
    }


def test_a_boundary_allows_what_the_functions_need_and_no_more(
    planned: dict[str, dict[str, Any]],
) -> None:
    """Each action of the environments' roles is in it, and each of its actions is one of theirs."""
    used = {
        action
        for example in ("service/basic", "power_tuner/basic")
        for name, values in planned[example].items()
        if "aws_iam_policy_document" in name and "trust" not in name
        for statement in values["statement"]
        for action in statement["actions"]
    }
    assert {"dynamodb:Scan", "lambda:PublishVersion"} < used
    of_copies = {"iam:PassRole", "lambda:CreateFunction", "lambda:TagResource"} | {
        "logs:DeleteLogGroup"
    }
    for role, more in {"deploy": of_copies, "gate": set()}.items():
        values = planned["github_oidc/basic"][f'aws_iam_policy.boundary["{role}"]']
        document = json.loads(values["policy"])
        assert actions(document["Statement"]) == used | more
        assert len(json.dumps(document, separators=(",", ":"))) < MANAGED_POLICY_MAX
        for statement in document["Statement"]:
            if "iam:PassRole" in as_list(statement["Action"]):  # the function's, to Lambda alone
                (passed,) = as_list(statement["Resource"])
                assert re.fullmatch(r"arn:aws:iam::\d+:role/[a-z-]+-\*?-?crud-api", passed), passed
                services = statement["Condition"]["StringEquals"]["iam:PassedToService"]
                assert as_list(services) == ["lambda.amazonaws.com"]


def test_the_boundary_lets_tuners_use_the_keys_that_are_named(
    planned: dict[str, dict[str, Any]],
) -> None:
    """Those keys, through Lambda and S3 of the region alone; nothing without any."""
    values = planned["github_oidc/pull-requests"]['aws_iam_policy.boundary["gate"]']
    (found,) = (
        statement
        for statement in json.loads(values["policy"])["Statement"]
        if "kms:Decrypt" in as_list(statement["Action"])
    )
    assert set(found["Action"]) == {"kms:CreateGrant", "kms:Decrypt", "kms:Encrypt"}
    assert found["Resource"] == (
        "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    )
    services = as_list(found["Condition"]["StringLike"]["kms:ViaService"])
    assert {service.partition(".")[0] for service in services} == {"lambda", "s3"}
    assert "kms" not in planned["github_oidc/basic"]['aws_iam_policy.boundary["gate"]']["policy"]


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
    values = planned["github_oidc/pull-requests"]['aws_iam_role.this["gate"]']
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
    made = {name for name in planned["github_oidc/pull-requests"] if not name.startswith("data.")}
    assert made == {
        'aws_iam_policy.boundary["gate"]',
        'aws_iam_role.this["gate"]',
        'aws_iam_role_policy.this["gate"]',
    }
